"""How a feed does: gaps, age, days that are too thin to be whole, and revisions; a dead feed never reads as quiet."""

from __future__ import annotations

import datetime as dt
import statistics
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from forecast.base import prose
from forecast.base.shown import Shown, ShownTable
from forecast.feeds.weeks import count_weeks, days_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.feeds.feed_file import Every
    from forecast.feeds.pull import Feed
    from forecast.feeds.store import Taken
    from forecast.feeds.weeks import WeekCount


PACE: dict[Every, int] = {"15 minutes": 1, "day": 1, "week": 7, "month": 31, "release": 31}  # days between files
GRACE = 3  # days late that are nothing yet
THIN = 0.1  # of the usual volume of a day
SHOWN = 8


@dataclass(frozen=True, repr=False, kw_only=True)
class FeedAge(Shown):
    """How old a feed is: the ``last`` day that was delivered, none if nothing was; ``dead`` if more should be there.

    ``age_days`` counts from the last day to the day of asking; up to ``due_days`` are the source's own pace and lag.
    """

    feed: str
    title: str
    last: dt.date | None
    age_days: int | None
    due_days: int

    @property
    def dead(self) -> bool:
        """Whether nothing came when it should have."""
        return self.age_days is None or self.age_days > self.due_days

    @property
    def sentences(self) -> tuple[str, ...]:
        """One sentence."""
        if self.last is None or self.age_days is None:
            return (f"{self.feed} ({self.title}): nothing was delivered yet, so nothing is known from it.",)
        ago = prose.count(self.age_days, "day")
        age = f"{self.feed} ({self.title}): delivered to {prose.day(self.last)}, {ago} ago"
        if not self.dead:
            return (f"{age}.",)
        return (f"{age}, where {self.due_days} are usual: it is dead or late, and what came since is not known.",)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "feed": self.feed, "title": self.title, "last": self.last and self.last.isoformat(),
            "age_days": self.age_days, "due_days": self.due_days, "dead": self.dead,
        }  # fmt: skip

    def _shown_table(self) -> ShownTable:
        return ShownTable(["", "value"], [[name, str(value)] for name, value in self.to_dict().items()])


@dataclass(frozen=True, repr=False, kw_only=True)
class Health(Shown):
    """What `forecast feed verify` finds: stretches of days that are lacking, thin days, and revised weeks."""

    age: FeedAge
    deliveries: int
    gaps: tuple[tuple[dt.date, dt.date], ...]
    thin: tuple[dt.date, ...]
    revised: tuple[tuple[WeekCount, WeekCount], ...]
    complete: int
    gone: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether there is nothing to look after."""
        return not (self.age.dead or self.gaps or self.thin)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to tell."""
        name = self.age.feed
        said = [*self.age.sentences]
        said.append(f"{prose.count(self.deliveries, 'delivery')},"
                    f" {prose.count(self.complete, 'whole week')}.")  # fmt: skip
        days = sum((last - first).days + 1 for first, last in self.gaps)
        if self.gaps:
            said.append(
                f"{prose.count(days, 'day')} lacking, whose weeks are not counted: {_stretches(self.gaps)}; get the"
                " files and pull again."
            )
        if self.thin:
            said.append(
                f"{prose.count(len(self.thin), 'day')} with less than a tenth of the usual volume, such as"
                f" {self.thin[0]}: the source may have failed; get their files again."
            )
        if self.revised:
            first, last = max(self.revised, key=lambda pair: abs(pair[1].count - pair[0].count))
            said.append(
                f"{prose.count(len(self.revised), 'count')} revised; most that of {last.channel} in the week from"
                f" {last.monday}, {first.count:,} → {last.count:,}, on {last.reported_on}."
            )
        if self.gone:
            said.append(
                f"{prose.count(len(self.gone), 'file')} that was taken in no longer in the folder, such as"
                f" {self.gone[0]}; what matters of it is kept."
            )
        return (*said, *([f"{name}: nothing to look after."] if self.sound else []))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "age": self.age.to_dict(),
            "deliveries": self.deliveries,
            "complete_weeks": self.complete,
            "gaps": [[first.isoformat(), last.isoformat()] for first, last in self.gaps],
            "thin": [day.isoformat() for day in self.thin],
            "revised": [
                {"channel": last.channel, "week": str(last.monday), "first": first.count, "last": last.count,
                 "reported_on": str(last.reported_on)}
                for first, last in self.revised
            ],
            "gone": list(self.gone),
            "sound": self.sound,
        }  # fmt: skip

    def _shown_table(self) -> ShownTable:
        rows = [[str(first), str(last)] for first, last in self.gaps]
        return ShownTable(["lacking from", "to"], rows[:SHOWN], max(0, len(rows) - SHOWN))


def feed_ages(feeds: Iterable[Feed], today: dt.date) -> tuple[FeedAge, ...]:
    """Say how old each feed is, for a report or a list; of deliveries that were told by ``today`` only."""
    return tuple(_age(feed, [one for one in feed.store().taken if one.reported_on <= today], today) for feed in feeds)


def check_feed(feed: Feed, today: dt.date) -> Health:
    """Hold what a feed has against what it should have by ``today``."""
    store = feed.store()
    taken = store.taken
    told = days_told(feed.file, taken)
    age = _age(feed, taken, today)
    last = min(today - dt.timedelta(days=age.due_days), feed.file.window.until or today)
    wanted = _days(feed.file.window.from_, max(last, max(told, default=feed.file.window.from_)))
    weeks = count_weeks(feed.file, taken, store.events(), today)
    revised = [(rows[0], rows[-1]) for rows in weeks.counts.values() if rows[0].count != rows[-1].count]
    there = {path.name for path in feed.files.iterdir()} if feed.files.exists() else set[str]()
    return Health(
        age=age, deliveries=len(taken), gaps=_runs([day for day in wanted if day not in told]),
        thin=_thin(feed, taken, told), revised=tuple(revised), complete=len(weeks.complete),
        gone=tuple(sorted(one.file for one in taken if one.file not in there)),
    )  # fmt: skip


def _age(feed: Feed, taken: Sequence[Taken], today: dt.date) -> FeedAge:
    last = max((min(one.last, one.reported_on) for one in taken), default=None)
    due = PACE[feed.file.every] + feed.file.lag_days + GRACE
    age = None if last is None else max(0, (today - last).days)
    return FeedAge(feed=feed.name, title=feed.file.feed.title, last=last, age_days=age, due_days=due)


def _thin(feed: Feed, taken: Iterable[Taken], told: Iterable[dt.date]) -> tuple[dt.date, ...]:
    """Find days on which a source that counts all the world's events told of far fewer than usual."""
    if feed.file.exposure != "events":
        return ()
    volume = Counter[dt.date]()
    for one in taken:
        for _, added, size in one.volume:
            volume[added] += size
    days = {day: volume[day] for day in told}
    usual = statistics.median(days.values()) if days else 0
    return tuple(sorted(day for day, size in days.items() if size < THIN * usual))


def _days(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=k) for k in range((last - first).days + 1)]


def _runs(days: Sequence[dt.date]) -> tuple[tuple[dt.date, dt.date], ...]:
    """Join days that follow each other into stretches."""
    if not days:
        return ()
    breaks = [k + 1 for k, (a, b) in enumerate(pairwise(days)) if (b - a).days > 1]
    return tuple((days[i], days[j - 1]) for i, j in pairwise([0, *breaks, len(days)]))


def _stretches(gaps: Sequence[tuple[dt.date, dt.date]]) -> str:
    texts = [f"{first}" if first == last else f"{first} to {last}" for first, last in gaps]
    more = [f"{len(texts) - SHOWN} more stretches"] * (len(texts) > SHOWN)
    return prose.listed([*texts[:SHOWN], *more])
