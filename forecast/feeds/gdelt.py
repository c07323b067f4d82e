"""GDELT 2.0 events: a file a quarter of an hour, 61 columns between tabs without a header, coded by CAMEO.

An event's ``GLOBALEVENTID`` is its own for good, so a number that comes again is a repeat. ``SQLDATE`` is the day of
the event as the machine read it, ``DATEADDED`` the moment when GDELT told of it.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import polars as pl

from forecast.feeds.events import DeliveryError, Reading, settle
from forecast.feeds.packed import sound_lines

if TYPE_CHECKING:
    from forecast.feeds.feed_file import FeedFile


WIDTH = 61
COLUMNS = {  # by place, from 0
    0: "id", 1: "day", 7: "source", 17: "target", 26: "code", 33: "size", 53: "place", 59: "added", 60: "link",
}  # fmt: skip
ACTORS = (6, 16)  # their names, for people
STAMP = re.compile(r"(\d{8})(\d{6})\.export\.csv(\.zip|\.gz)?", re.IGNORECASE)  # of the main stream


def read(content: bytes, file: str, feed: FeedFile, latest: dt.date) -> Reading:
    """Read the unpacked ``content`` of an export; ``file`` is its name, whose stamp its rows must bear."""
    del feed
    if not content:
        msg = "is empty: the world has no quarter of an hour without an event; get it again"
        raise DeliveryError(msg)
    if not content.endswith(b"\n"):
        msg = f"is truncated: its last line, {content.count(b'\n') + 1}, has no end; get it again"
        raise DeliveryError(msg)
    lines, numbers, faults = sound_lines(content, WIDTH, "a GDELT 2.0 table of events")
    places = sorted([*COLUMNS, *ACTORS])
    raw = pl.read_csv(
        b"\n".join(lines) + b"\n", has_header=False, separator="\t", quote_char=None, infer_schema=False, columns=places
    )
    raw.columns = [COLUMNS.get(place, f"name_{place}") for place in places]
    raw = raw.with_columns(
        line=pl.Series(numbers, dtype=pl.Int64),
        vague=pl.lit(value=False),
        text=pl.concat_str(pl.col("name_6").fill_null("?"), pl.lit(" → "), pl.col("name_16").fill_null("?")),
    )
    _require_stamp(raw, file)
    raw = raw.with_columns(pl.col("added").str.slice(0, 8))
    return settle(raw, lambda k: lines[k].decode(), faults, days="%Y%m%d", added="%Y%m%d", latest=latest)


def span(file: str) -> tuple[dt.date, dt.date] | None:
    """Give the day of a file by its name, twice; none if the name bears no stamp."""
    if found := STAMP.fullmatch(file):
        try:
            day = dt.datetime.strptime(found[1], "%Y%m%d").date()  # noqa: DTZ007 - a day
        except ValueError:
            return None
        return day, day
    return None


def _require_stamp(raw: pl.DataFrame, file: str) -> None:
    """Make sure that a file is what its name says: rows of another moment are another file under this name."""
    found = STAMP.fullmatch(file)
    stamps = raw["added"].drop_nulls().value_counts(sort=True)
    stamp = file.partition(".")[0]
    if found and stamps.height and stamp not in set(stamps["added"]):
        other = stamps["added"][0]
        msg = (
            f"bears the stamp {stamp}, but its rows were added at {other}: it is another file under this name; get"
            " it again, or give it its own name"
        )
        raise DeliveryError(msg)
