"""What tells one kind of source from another: its reader, the days that a file covers, and when it was told."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import polars as pl

from forecast.base.clock import month_end
from forecast.feeds import acled, gdelt, plain_table, polecat, ucdp
from forecast.feeds.events import DeliveryError, Reading
from forecast.feeds.packed import unpacked

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from forecast.feeds.feed_file import Every, FeedFile

    type Span = tuple[dt.date, dt.date]
    type Reader = Callable[[bytes, str, FeedFile, dt.date], Reading]


READERS: Mapping[str, Reader] = {
    "gdelt": gdelt.read, "ucdp": ucdp.read, "acled": acled.read, "polecat": polecat.read, "plain": plain_table.read,
}  # fmt: skip
CODERS: Mapping[str, str] = {"gdelt": "GDELT", "ucdp": "UCDP", "acled": "ACLED", "polecat": "POLECAT"}
DATE = re.compile(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)")
MONTH = re.compile(r"(?<!\d)(\d{4})[-_]?(\d{2})(?![-_]?\d)")
UNNAMED = (
    "is not named as a quarter of an hour is, such as 20260108001500.export.CSV.zip (translations, mentions and graphs"
    " are not read); give it the name that it came with, or lay it elsewhere"
)
DAYS_OF: Mapping[Every, int] = {"15 minutes": 1, "day": 1, "week": 7}


def read_delivery(content: bytes, file: str, feed: FeedFile, today: dt.date) -> tuple[Reading, Span, dt.date]:
    """Read a file: its events, its first and last day, and the day on which it was told.

    `DeliveryError` if it is refused as a whole.
    """
    reading = READERS[feed.feed.kind](unpacked(content), file, feed, today)
    span = named_span(file, feed)
    if span is None:
        span = _own_span(reading, feed)
    else:
        _require_within(reading, span, feed)
    told = _told_on(reading, file, span, feed, today)
    if span[0] > today:
        msg = f"tells of {span[0]} to {span[1]}, days that have not come; is its name right?"
        raise DeliveryError(msg)
    vague = int(reading.events["vague"].sum())
    notes = [f"{vague:,} events are known to no week, and count in none"] * (vague > 0)
    notes += ["it tells of no event"] * (not reading.events.height)
    return reading._replace(notes=(*reading.notes, *notes)), span, told


def named_span(file: str, feed: FeedFile) -> Span | None:
    """Give the days that a file covers by its name; none if the name says nothing."""
    match feed.feed.kind:
        case "gdelt":
            return gdelt.span(file)
        case "ucdp":
            return ucdp.span(file)
        case _:
            return _dated(file, feed.every)


def _dated(file: str, every: Every) -> Span | None:
    days: list[dt.date] = []
    for found in DATE.finditer(file):
        try:
            days.append(dt.date(*map(int, found.groups())))
        except ValueError:
            return None
    if len(days) > 1:
        return min(days[:2]), max(days[:2])
    if every == "month":
        return _month(file)
    if days and every in DAYS_OF:
        return days[0], days[0] + dt.timedelta(days=DAYS_OF[every] - 1)
    return None


def _month(file: str) -> Span | None:
    found = MONTH.search(file)
    if found is None or not 1 <= int(found[2]) <= 12:  # noqa: PLR2004 - months
        return None
    first = dt.date(int(found[1]), int(found[2]), 1)
    return first, month_end(first)


def _own_span(reading: Reading, feed: FeedFile) -> Span:
    """Give the first and the last day of what a file tells; whole months of UCDP, which comes in no other way."""
    if feed.every == "15 minutes":
        raise DeliveryError(UNNAMED)
    first, last = (getattr(_days(reading, feed), end)() for end in ("min", "max"))
    if not isinstance(first, dt.date) or not isinstance(last, dt.date):
        msg = (
            "tells of no event, and its name of no day; put its first and last day into its name, such as"
            " events-2026-01-05-2026-01-11.csv"
        )
        raise DeliveryError(msg)
    if feed.feed.kind == "ucdp":
        return first.replace(day=1), month_end(last)
    return first, last


def _days(reading: Reading, feed: FeedFile) -> pl.Series:
    """Give the days by which a file is named: those of telling where a source adds, else those of the events."""
    events = reading.events
    return events.select(day=pl.coalesce("added", "day"))["day"] if feed.kind.adds else events["day"]


def _require_within(reading: Reading, span: Span, feed: FeedFile) -> None:
    """Make sure that a file is what its name says, by the days of its events."""
    days = _days(reading, feed)
    if not days.len():
        return
    within = int(days.is_between(*span).sum())
    happened = int(reading.events["day"].is_between(*span).sum())
    if max(within, happened) * 2 < days.len():
        first, last = days.min(), days.max()
        msg = (
            f"is named for {_between(*span)}, but tells of {_between(first, last)}: it is another file under this name;"
            " get it again, or give it its own name"
        )
        raise DeliveryError(msg)


def _between(first: object, last: object) -> str:
    return f"{first}" if first == last else f"{first} to {last}"


def _told_on(reading: Reading, file: str, span: Span, feed: FeedFile, today: dt.date) -> dt.date:
    """Give the day on which a file could be known, which is never after today."""
    added = reading.events["added"].max()
    if feed.feed.kind == "gdelt":
        told = span[1]
    elif isinstance(added, dt.date):
        told = max(added, span[1])
    elif feed.feed.kind == "ucdp":
        told = ucdp.told_on(file, span[1], feed.lag_days)
    else:
        told = span[1] + dt.timedelta(days=feed.lag_days)
    return min(told, today)
