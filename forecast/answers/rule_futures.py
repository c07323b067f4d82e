"""Simulated futures: what would be seen in them, and on which days each rule would be met."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from forecast.base.clock import DAYS_PER_YEAR
from forecast.engine.blocks import Draws
from forecast.engine.events import Watched, counted_by_day, simulate_events
from forecast.engine.simulate import simulate_paths
from forecast.evidence.resolution_rules import record_since, told_stories
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from forecast.engine.arrays import Floats, Ints, Masks
    from forecast.engine.events import Counts
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.theory.outcomes import Rule
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


MOST = 1000  # events a year of one indicator: more make no difference to any rule, and their number may be endless
Kind = Literal["at", "by"]
KINDS: tuple[Kind, Kind] = ("at", "by")


# What is counted.


def at_and_by(days: Masks, horizons: Sequence[int]) -> Masks:
    """(2, H, S) whether ``days`` (S, D) are so on the last day of each horizon, and on any day up to it."""
    first = np.where(days.any(axis=1), days.argmax(axis=1), days.shape[1])
    ends = 7 * np.array(horizons)
    return np.stack([days[:, ends - 1].T, first < ends[:, None]])


class Kept(NamedTuple):
    """Draws with weight: the others cannot explain the evidence. ``times`` paths are simulated from each."""

    rows: Ints
    draws: Draws
    weights: Floats
    efficiency: float
    times: int

    @classmethod
    def of(cls, found: Posterior, paths: int) -> Kept:
        """Keep what has weight, to simulate so many ``paths`` in all, and at least two of a draw."""
        rows = np.flatnonzero(found.weights.values)
        draws = found.anchor.blocks.draws
        if rows.size < draws.size:
            draws = Draws(*(part[rows] for part in draws))
        return cls(rows, draws, found.weights.values[rows], found.anchor.efficiency, max(-(-paths // rows.size), 2))

    def ratio(self, part: Floats, whole: Floats) -> tuple[float, float]:
        """Do `ratio`."""
        return ratio(part, whole, self.times, self.weights, self.efficiency)


def ratio(part: Floats, whole: Floats, times: int, weights: Floats, efficiency: float) -> tuple[float, float]:
    """Weighted mean of ``part`` over that of ``whole``, of which it is a part, and its Monte Carlo error, linearised.

    What differs between draws counts by the anchor's efficiency; what differs between the paths of one draw does not,
    for paths are independent.
    """
    mass = float(weights @ whole) / times
    mean = float(weights @ part) / times / mass
    gap = (part - mean * whole) / times
    squares = (part * (1 - mean) ** 2 + (whole - part) * mean**2) / times  # of a path's own gap, their mean
    paths = float(np.square(weights) @ (squares - np.square(gap))) / (times - 1)
    draws = float(np.square(weights) @ np.square(gap)) - paths
    return min(mean, 1.0), math.sqrt(max(draws, 0.0) / efficiency + paths) / mass


# What happens.


class Known(NamedTuple):
    """What is on file on the day before the first simulated one: rows, and the one-offs that are closed."""

    as_of: dt.date
    entries: Sequence[Entry]
    closed: Collection[str]


class Future:
    """What can happen in so many weeks: one path of every draw at a time."""

    def __init__(self, space: StateSpace, draws: Draws, weeks: int, known: Known | None = None) -> None:
        """Follow ``draws``; without ``known`` nothing is on file."""
        self._space, self._known = space, known
        self._length = space.spec.model.step_days
        self._days = 7 * weeks
        self._named = _named(space.spec)
        self._members = {name: space.members(row.states) for name, row in space.spec.outcomes.items()}
        closed = known.closed if known else ()
        own = np.array([space.indicators.index(name) for name in self._named], dtype=np.int64)
        rows = [space.spec.indicators[name] for name in self._named]
        ends = space.emission_offset[own + 1]
        columns = [np.arange(first, end) for first, end in zip(space.emission_offset[own], ends, strict=True)]
        sizes = np.array([part.size for part in columns], dtype=np.int64)
        self._watched = Watched(
            stage=space.indicator_stage[own],
            column=np.cumsum(sizes) - sizes,
            once=np.array([not row.repeats for row in rows], dtype=np.bool_),
            reset_by=np.array(
                [self._named.index(row.reset_by) if row.reset_by else -1 for row in rows], dtype=np.int64
            ),
            closed=np.array([name in closed for name in self._named], dtype=np.bool_),
        )
        self._log_rate = draws.log_rate
        chosen = draws.log_lambda[:, np.concatenate([*columns, own[:0]])]
        self._per_day = np.ascontiguousarray(chosen) - math.log(DAYS_PER_YEAR)

    def run(self, rng: np.random.Generator, start: Ints) -> None:
        """Simulate anew from the states ``start`` (S, L)."""
        space, steps = self._space, self._days // self._length
        years = np.full(steps, self._length / DAYS_PER_YEAR)
        path = simulate_paths(rng, chain_of(space), years, self._log_rate, start)
        self._joint: Ints = np.asarray(np.ravel_multi_index(tuple(np.moveaxis(path, -1, 0)), tuple(space.sizes)))
        self._events = simulate_events(rng, self._watched, self._per_day, MOST / DAYS_PER_YEAR, path, self._length)
        self._counts: dict[tuple[frozenset[str], int | None, tuple[str, ...]], Counts] = {}

    def held(self, outcome: str) -> Masks:
        """(S, days) whether an outcome holds at the end of each day."""
        return np.repeat(self._members[outcome][self._joint], self._length, axis=1)

    def met(self, outcome: str) -> Masks:
        """(S, days) whether the rule of an outcome is met at the end of each day."""
        clauses = self._space.spec.outcomes[outcome].resolves
        records = [rule.observable for rule in clauses if rule.observable is not None]
        found = np.ones((len(self._joint), self._days), dtype=np.bool_)
        for name in records:
            inside = self._space.members({name: self._space.spec.stages[name].observable})
            found &= np.repeat(inside[self._joint], self._length, axis=1)
        on_record = found.copy()  # on every day, where no clause asks for a record
        for rule in clauses:
            if rule.observable is None:
                count = self._told(rule, records, on_record)
                found &= count >= (rule.stories or 0)
                if (other := rule.other_side) is not None:
                    found &= count >= self._told(other, records, on_record)
        return found

    def _told(self, rule: Rule, records: Sequence[str], on_record: Masks) -> Counts:
        """Do `_count`, once for all clauses that count the same stories: what one rule counts, others weigh against."""
        key = frozenset(rule.of), rule.within_weeks, tuple(records)
        if key not in self._counts:
            self._counts[key] = self._count(rule, records, on_record)
        return self._counts[key]

    def _count(self, rule: Rule, records: Sequence[str], on_record: Masks) -> Counts:
        """(S, days) stories that a clause counts on each day; beside ``records`` those since they are all in force."""
        window = 7 * (rule.within_weeks or 0)
        of = np.isin(self._named, rule.of)
        counted = counted_by_day(self._events, of, window, on_record, self._days)
        if self._known is None:
            return counted
        since = [record_since(self._space, self._known.entries, name, self._known.as_of) for name in records]
        known = [day for day in since if day is not None]
        if len(known) < len(records):
            return counted
        unbroken = np.logical_and.accumulate(on_record, axis=1)
        return counted + unbroken * self._earlier(self._known, rule, window, max(known, default=None))

    def _earlier(self, known: Known, rule: Rule, window: int, since: dt.date | None) -> Counts:
        """(days,) stories on file that a clause counts on each day, those from ``since`` on."""
        found = np.zeros(self._days, dtype=np.int32)
        days = np.arange(self._days) + 1
        for day in told_stories(self._space.spec, known.entries, rule).values():
            if day <= known.as_of and (since is None or day >= since):
                found += days + (known.as_of - day).days < window
        return found


def _named(spec: ModelSpec) -> tuple[str, ...]:
    """Name the indicators that have to be simulated: those that rules name, and what resets the one-offs among them."""
    names = {name for outcome in spec.outcomes.values() for rule in outcome.resolves for name in rule.counted}
    while more := {spec.indicators[name].reset_by for name in names} - names - {None}:
        names |= {name for name in more if name}
    return tuple(name for name in spec.indicators if name in names)
