"""A plain table of events, whose columns the feed file names."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl

from forecast.feeds.events import Reading, settle
from forecast.feeds.tables import read_csv

if TYPE_CHECKING:
    import datetime as dt

    from forecast.feeds.feed_file import Columns, FeedFile

TOLD = ("id", "day", "added", "source", "target", "code", "place", "size", "link", "text")


def read(content: bytes, file: str, feed: FeedFile, latest: dt.date) -> Reading:
    """Read a table; without a column for ids, a row that is as another of the feed is a repeat of it."""
    del file
    columns = feed.columns
    assert columns is not None  # noqa: S101 - the feed file was checked
    names: dict[str, str] = {name: column for name in TOLD if (column := getattr(columns, name))}
    table = read_csv(content, list(dict.fromkeys(names.values())), (), "the table that the feed file describes",
                     columns.separator)  # fmt: skip
    raw = table.frame.select("line", *(pl.col(column).alias(name) for name, column in names.items()))
    raw = raw.with_columns(pl.lit("").alias(name) for name in TOLD if name not in names)
    return settle(
        raw.with_columns(id=_ids(columns, table.frame, raw), vague=pl.lit(value=False)), table.row_at, table.faults,
        days=columns.dates, added=columns.dates if columns.added else "", latest=latest,
    )  # fmt: skip


def _ids(columns: Columns, frame: pl.DataFrame, raw: pl.DataFrame) -> pl.Series:
    if columns.id:
        return raw["id"]
    cells = frame.drop("line").iter_rows()
    return pl.Series([hashlib.sha256("\x1f".join(row).encode()).hexdigest()[:16] for row in cells], dtype=pl.String)
