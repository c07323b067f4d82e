"""Selections of a feed file as conditions on the table of events."""

from __future__ import annotations

import datetime as dt
import hashlib
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.feeds.feed_file import FeedFile, Selection


def is_selected(selection: Selection) -> pl.Expr:
    """Condition that holds for the events of a selection."""
    parts = [_acts(selection)]
    if selection.codes:
        parts.append(reduce(or_, (pl.col("code").str.starts_with(code) for code in selection.codes)))
    if selection.least:
        parts.append(pl.col("size") >= selection.least)
    return reduce(and_, parts)


def is_watched(feed: FeedFile) -> pl.Expr:
    """Condition that holds for the events that are kept: those whose actors and places any selection names."""
    return reduce(or_, map(_acts, feed.selections))


def is_recent(feed: FeedFile) -> pl.Expr:
    """Condition that holds for the events of the window, and of the week in which it begins."""
    return pl.col("day") > feed.window.from_ - dt.timedelta(days=7)


def watched(feed: FeedFile) -> str:
    """Fingerprint of actors, places and beginning of a feed: with others, its deliveries have to be read again."""
    named = sorted(repr((one.between, one.source, one.target, one.places)) for one in feed.selections)
    text = "\n".join([feed.window.from_.isoformat(), *dict.fromkeys(named)])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _acts(selection: Selection) -> pl.Expr:
    parts: list[pl.Expr] = []
    if selection.between:
        pairs = (
            (_is("source", [a]) & _is("target", [b])) | (_is("source", [b]) & _is("target", [a]))
            for a, b in selection.between
        )
        parts.append(reduce(or_, pairs))
    for column, names in (("source", selection.source), ("target", selection.target), ("place", selection.places)):
        if names:
            parts.append(_is(column, names))
    return reduce(and_, parts)


def _is(column: str, names: Iterable[str]) -> pl.Expr:
    """Whether a column is one of some names, or begins with one that ends in ``*``."""
    whole = [name for name in names if not name.endswith("*")]
    starts = [pl.col(column).str.starts_with(name[:-1]) for name in names if name.endswith("*")]
    return reduce(or_, [*([pl.col(column).is_in(whole)] if whole else []), *starts])
