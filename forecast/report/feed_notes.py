"""How old the counts of machine-coded events are that a forecast rests on; a feed that is dead never reads as quiet."""

from __future__ import annotations

import statistics
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.ledger.rows import Count, Delivery

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec


GRACE = 14  # days beyond twice the usual pace of a feed that are nothing yet


def feed_notes(spec: ModelSpec, entries: Iterable[Entry], as_of: dt.date) -> list[str]:
    """Say of each feed that counts channels of the model how far it was delivered by ``as_of``, and if that is late.

    A feed is late when nothing came for twice the days that usually lie between its deliveries, and two weeks more.
    """
    entries = tuple(entries)
    deliveries = {row.id: row for row in entries if isinstance(row, Delivery)}
    counts = [row for row in entries if isinstance(row, Count) and row.channel in spec.channels]
    feeds = {deliveries[row.delivery].feed: row.source for row in counts if row.delivery in deliveries}
    reached: defaultdict[str, set[dt.date]] = defaultdict(set)
    for row in deliveries.values():
        reached[row.feed].add(min(row.to, row.reported_on))
    return [_note(source, sorted(reached[feed]), as_of) for feed, source in sorted(feeds.items())]


def _note(source: str, reached: list[dt.date], as_of: dt.date) -> str:
    last = reached[-1]
    age = max(0, (as_of - last).days)
    pace = statistics.median((b - a).days for a, b in pairwise(reached)) if len(reached) > 1 else GRACE
    ago = prose.count(age, "day")
    said = f"Counts of {source} were delivered to {prose.day(last)}, {ago} before the date of the forecast"
    if age <= 2 * pace + GRACE:
        return f"{said}."
    return f"{said}, which is late: the feed may be dead, and what came since is missing, not quiet."
