"""ACLED's export: events of political violence and protest, coded by people; the user's own file.

Every export tells anew of all its days. The code is the kind of event and of sub-event, ``Battles/Armed clash``. An
event of which only the month is known (``time_precision`` 3) counts in no week.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from forecast.feeds.events import Reading, settle
from forecast.feeds.tables import read_csv

if TYPE_CHECKING:
    import datetime as dt

    from forecast.feeds.feed_file import FeedFile


NEEDED = ("event_id_cnty", "event_date", "event_type", "sub_event_type", "actor1")
OPTIONAL = ("actor2", "time_precision", "country", "source", "notes", "fatalities", "timestamp")
NAMES = {
    "event_id_cnty": "id", "event_date": "day", "actor1": "source", "actor2": "target", "country": "place",
    "fatalities": "size", "timestamp": "added",
}  # fmt: skip
MONTH = "3"


def read(content: bytes, file: str, feed: FeedFile, latest: dt.date) -> Reading:
    """Read an export; the day of adding is that of the event's last change."""
    del file, feed
    table = read_csv(content, NEEDED, OPTIONAL, "an ACLED export")
    raw = (
        table.frame.rename({"source": "told_by"})
        .rename(NAMES)
        .with_columns(
            code=pl.concat_str(pl.col("event_type"), pl.lit("/"), pl.col("sub_event_type")),
            vague=pl.col("time_precision") == MONTH,
            added=pl.from_epoch(pl.col("added").cast(pl.Int64, strict=False)).dt.to_string("%Y-%m-%d"),
            link=pl.lit(""),
            text=pl.concat_str(pl.col("notes"), pl.lit(" ["), pl.col("told_by"), pl.lit("]")),
        )
    )
    return settle(raw, table.row_at, table.faults, days="%Y-%m-%d|%d %B %Y", added="%Y-%m-%d", latest=latest)
