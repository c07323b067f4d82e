"""UCDP's Georeferenced Event Dataset, yearly (GED) and monthly (Candidate): events of organised violence with deaths.

Every release tells anew of all its days. An event of which only the month is known counts in no week. The number of its
kind of violence is its code: 1 state-based, 2 non-state, 3 one-sided.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import polars as pl

from forecast.base.clock import month_end
from forecast.feeds.events import Reading, settle
from forecast.feeds.tables import read_csv

if TYPE_CHECKING:
    from forecast.feeds.feed_file import FeedFile


NEEDED = ("id", "type_of_violence", "side_a", "side_b", "date_prec", "date_start", "date_end", "best", "country")
OPTIONAL = ("source_article", "source_original", "where_description", "dyad_name")
NAMES = {"side_a": "source", "side_b": "target", "type_of_violence": "code", "country": "place", "best": "size"}
VAGUE_FROM = 4  # date_prec: the month, or less, is known
LONGEST = 6  # days between the first and the last of an event that still has a week
FIRST = dt.date(1989, 1, 1)
YEARLY_LAG = 170  # days after its last year that a yearly release comes out
VERSION = re.compile(r"v?(\d{2})[_.](\d+)(?:[_.](\d+))?(?:[_.](\d+))?(?!\d)")


def read(content: bytes, file: str, feed: FeedFile, latest: dt.date) -> Reading:
    """Read a release; days are the middle of what is known of them."""
    del file, feed
    table = read_csv(content, NEEDED, OPTIONAL, "a UCDP table of events")
    start, end = (pl.col(name).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False) for name in NEEDED[5:7])
    length = (end - start).dt.total_days()
    middle = (start + pl.duration(days=length // 2)).dt.to_string("%Y-%m-%d")
    raw = table.frame.with_columns(
        day=pl.coalesce(middle, pl.col("date_start")),
        vague=(~length.is_between(0, LONGEST)).fill_null(value=False)
        | (pl.col("date_prec").cast(pl.Int64, strict=False).fill_null(VAGUE_FROM) >= VAGUE_FROM),
        added=pl.lit(""),
        link=pl.col("source_article").str.extract(r"(https?://[^\s;,\"]+)").fill_null(""),
        text=pl.concat_str(
            pl.col("side_a"), pl.lit(" – "), pl.col("side_b"), pl.lit(", "), pl.col("where_description"),
            pl.lit(", deaths: "), pl.col("best"), pl.lit("; "), pl.col("source_article"),
        ),
    ).rename(NAMES)  # fmt: skip
    return settle(raw, table.row_at, table.faults, days="%Y-%m-%d", latest=latest)


def span(file: str) -> tuple[dt.date, dt.date] | None:
    """Give the days that a release covers by the version in its name; none if there is none.

    ``GEDEvent_v25_1`` is the yearly one up to 2024, ``GEDEvent_v25_0_11`` the candidate of November 2025, and
    ``GEDEvent_v25_01_25_03`` those of January to March 2025.
    """
    found = VERSION.search(file.replace("_", "."))
    if not found:
        return None
    year, second, third, fourth = (int(part) if part else 0 for part in found.groups())
    year += 2000
    months = range(1, 13)
    if fourth and second in months and fourth in months:
        return dt.date(year, second, 1), month_end(dt.date(2000 + third, fourth, 1))
    if second == 0 and third in months:
        return (first := dt.date(year, third, 1)), month_end(first)
    if second and not third:
        return FIRST, dt.date(year - 1, 12, 31)
    return None


def told_on(file: str, last: dt.date, lag_days: int) -> dt.date:
    """Give the day on which a release that reaches to ``last`` came out, about."""
    found = span(file)
    yearly = found is not None and found[0] == FIRST
    return last + dt.timedelta(days=max(lag_days, YEARLY_LAG) if yearly else lag_days)
