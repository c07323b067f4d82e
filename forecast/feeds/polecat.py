"""POLECAT: events that a machine coded by PLOVER, weekly files with tabs and a header.

An event stands there once for each pair of countries, so a repeat is a number that comes again with the same pair and
type. The code is type and mode, ``PROTEST/demo``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from forecast.feeds.events import Reading, settle
from forecast.feeds.tables import read_tsv

if TYPE_CHECKING:
    import datetime as dt

    from forecast.feeds.feed_file import FeedFile


NEEDED = ("Event ID", "Event Date", "Event Type", "Event Mode", "Actor Country", "Recipient Country")
OPTIONAL = ("Actor Name", "Recipient Name", "Country", "Source", "Publication Date", "Headline", "URL")


def read(content: bytes, file: str, feed: FeedFile, latest: dt.date) -> Reading:
    """Read a file; who acts is a country, as the file writes it."""
    del file, feed
    table = read_tsv(content, NEEDED, OPTIONAL, "a POLECAT table of events")
    identity = [pl.col(name) for name in ("Event ID", "Actor Country", "Recipient Country", "Event Type", "Event Mode")]
    numbered = pl.col("Event ID").str.strip_chars() != ""
    raw = table.frame.with_columns(
        id=pl.when(numbered).then(pl.concat_str(identity, separator="|")),
        day=pl.col("Event Date").str.slice(0, 10),
        added=pl.col("Publication Date").str.slice(0, 10),
        source=pl.col("Actor Country"),
        target=pl.col("Recipient Country"),
        code=pl.concat_str(pl.col("Event Type"), pl.lit("/"), pl.col("Event Mode")),
        place=pl.col("Country"),
        size=pl.lit("1"),
        vague=pl.lit(value=False),
        link=pl.col("URL"),
        text=pl.concat_str(
            pl.col("Actor Name"), pl.lit(" → "), pl.col("Recipient Name"), pl.lit(" "), pl.col("Headline"),
            pl.lit(" ["), pl.col("Source"), pl.lit("]"),
        ),
    )  # fmt: skip
    ways = "%Y-%m-%d|%Y%m%d"
    return settle(raw, table.row_at, table.faults, days=ways, added=ways, latest=latest)
