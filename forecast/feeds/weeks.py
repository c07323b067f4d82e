"""Weekly counts of channels: of ISO weeks whose deliveries are all there, as they were known first and later.

A source that adds tells of a week until its Sunday, and of late events afterwards; a source that delivers anew replaces
what it said of its days. Either way each state of knowledge is a count of its own, with the day on which it was public.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from forecast.feeds.deliveries import SLOTS_A_DAY
from forecast.feeds.selection import is_selected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from forecast.feeds.feed_file import FeedFile
    from forecast.feeds.store import Taken


WEEK = dt.timedelta(days=7)
TOLD = 0.01  # a change of the exposure by less than this share is no revision


@dataclass(frozen=True, slots=True)
class WeekCount:
    """Events of a channel in the week from ``monday``, of an ``exposure`` in all, as known on ``reported_on``."""

    channel: str
    monday: dt.date
    count: int
    exposure: float
    reported_on: dt.date


class Weeks(NamedTuple):
    """Weeks of the window: which are ``complete``, which have passed and are not (``lacking``), and all counts.

    ``counts`` holds, by channel and week, what was known first and every revision. ``silent`` weeks were delivered
    without one event of anybody, which no source that works does; they are not counted.
    """

    complete: tuple[dt.date, ...]
    lacking: tuple[dt.date, ...]
    silent: tuple[dt.date, ...]
    counts: Mapping[tuple[str, dt.date], tuple[WeekCount, ...]]


def mondays(feed: FeedFile, until: dt.date) -> Iterator[dt.date]:
    """Give the Mondays of the weeks that lie in the feed's window and have passed, on the day ``until``."""
    first = feed.window.from_ + dt.timedelta(days=-feed.window.from_.weekday() % 7)
    end = min(until, feed.window.until + dt.timedelta(days=1)) if feed.window.until else until
    while first + WEEK <= end:
        yield first
        first += WEEK


def days_told(feed: FeedFile, taken: Iterable[Taken]) -> dict[dt.date, dt.date]:
    """Give each day of which enough was delivered, and the day on which that was known."""
    told: dict[dt.date, dt.date] = {}
    slots: defaultdict[dt.date, set[str]] = defaultdict(set)
    for one in taken:
        slots[one.first].add(one.file.partition(".")[0])
        for day in covered(feed, one):
            told[day] = max(told.get(day, one.reported_on), one.reported_on) if feed.kind.adds else min(
                told.get(day, one.reported_on), one.reported_on
            )  # fmt: skip
    if feed.every == "15 minutes":
        least = math.ceil(SLOTS_A_DAY * (1 - feed.feed.may_lack))
        return {day: known for day, known in told.items() if len(slots[day]) >= least}
    return told


def covered(feed: FeedFile, one: Taken) -> Iterator[dt.date]:
    """Days of which a delivery tells, as far as they had passed: with its lag where it tells anew of all days."""
    lag = 0 if feed.kind.adds else feed.lag_days
    last = min(one.last, one.reported_on - dt.timedelta(days=lag))
    day = max(one.first, feed.window.from_ - WEEK)
    while day <= last:
        yield day
        day += dt.timedelta(days=1)


def count_weeks(feed: FeedFile, taken: Sequence[Taken], events: pl.DataFrame, today: dt.date) -> Weeks:
    """Count the events of each channel in each whole week of the window that has passed by ``today``."""
    told = days_told(feed, taken)
    passed = list(mondays(feed, today))
    complete = [monday for monday in passed if all(day in told for day in week(monday))]
    lacking = [monday for monday in passed if monday not in complete]
    dated = events.filter(~pl.col("vague")).with_columns(monday=pl.col("day").dt.truncate("1w"))
    count = _added if feed.kind.adds else _replaced
    counts = count(feed, taken, dated, complete, told)
    silent = {row.monday for rows in counts.values() for row in rows if not row.exposure}
    return Weeks(
        tuple(complete),
        tuple(lacking),
        tuple(sorted(silent)),
        {(name, monday): rows for (name, monday), rows in counts.items() if monday not in silent},
    )


def monday_of(day: dt.date) -> dt.date:
    """Give the Monday of the week of a day."""
    return day - dt.timedelta(days=day.weekday())


def week(monday: dt.date) -> list[dt.date]:
    """Give the seven days of a week."""
    return [monday + dt.timedelta(days=k) for k in range(7)]


def _added(
    feed: FeedFile, taken: Sequence[Taken], events: pl.DataFrame, complete: Sequence[dt.date],
    told: Mapping[dt.date, dt.date],
) -> dict[tuple[str, dt.date], tuple[WeekCount, ...]]:  # fmt: skip
    """Count by the day of adding: as known when the week was complete, and at the end of each later one that is."""
    ends = {monday: max(told[day] for day in week(monday)) for monday in complete}
    volume: defaultdict[dt.date, Counter[dt.date]] = defaultdict(Counter)
    for one in taken:
        for day, added, size in one.volume:
            volume[monday_of(day)][added] += size
    known = {monday: _Known(volume[monday]) for monday in complete}
    found: dict[tuple[str, dt.date], tuple[WeekCount, ...]] = {}
    for name, selection in feed.channels.items():
        days: defaultdict[dt.date, Counter[dt.date]] = defaultdict(Counter)
        chosen = events.filter(is_selected(selection)).group_by("monday", "added").len()
        for monday, added, size in chosen.iter_rows():
            days[monday][added] += size
        for monday in complete:
            count = _Known(days[monday])
            cuts = sorted({end for later, end in ends.items() if later >= monday and end >= ends[monday]})
            rows = (WeekCount(name, monday, count.by(cut), _exposure(feed, known[monday].by(cut)), cut) for cut in cuts)
            found[name, monday] = _changes(rows)
    return found


class _Known:
    """How many were known by a day."""

    def __init__(self, added: Mapping[dt.date, int]) -> None:
        self.days = sorted(added)
        self.sums = [0]
        for day in self.days:
            self.sums.append(self.sums[-1] + added[day])

    def by(self, day: dt.date) -> int:
        return self.sums[bisect_right(self.days, day)]


def _exposure(feed: FeedFile, volume: int) -> float:
    return float(volume) if feed.exposure == "events" else 1.0


def _changes(rows: Iterable[WeekCount]) -> tuple[WeekCount, ...]:
    """Keep the first and each that differs from the one before it by more than a little exposure."""
    found: list[WeekCount] = []
    for row in rows:
        if not found or row.count != found[-1].count or abs(row.exposure - found[-1].exposure) > TOLD * row.exposure:
            found.append(row)
    return tuple(found)


def _replaced(
    feed: FeedFile, taken: Sequence[Taken], events: pl.DataFrame, complete: Sequence[dt.date],
    told: Mapping[dt.date, dt.date],
) -> dict[tuple[str, dt.date], tuple[WeekCount, ...]]:  # fmt: skip
    """Count by delivery: of each day, what the newest delivery that covers it tells."""
    del told
    counts: dict[str, Counter[tuple[str, dt.date]]] = {}
    for name, selection in feed.channels.items():
        chosen = events.filter(is_selected(selection)).group_by("delivery", "day").len()
        counts[name] = Counter({(delivery, day): size for delivery, day, size in chosen.iter_rows()})
    volume = Counter[tuple[str, dt.date]]()
    for one in taken:
        for day, _, size in one.volume:
            volume[one.digest, day] += size
    found: dict[tuple[str, dt.date], list[WeekCount]] = defaultdict(list)
    wanted = {day: monday for monday in complete for day in week(monday)}
    newest: dict[dt.date, str] = {}
    for one in taken:  # as they were told
        touched = {wanted[day] for day in covered(feed, one) if day in wanted}
        newest |= dict.fromkeys(covered(feed, one), one.digest)
        for monday in sorted(touched):
            if not all(day in newest for day in week(monday)):
                continue
            cells = [(newest[day], day) for day in week(monday)]
            exposure = _exposure(feed, sum(volume[cell] for cell in cells))
            for name, count in counts.items():
                total = sum(count[cell] for cell in cells)
                found[name, monday].append(WeekCount(name, monday, total, exposure, one.reported_on))
    return {key: _changes(rows) for key, rows in found.items()}
