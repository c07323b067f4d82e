"""How likely the rule of each outcome is to be met, by simulation of what will be told."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from forecast import base
from forecast.base.clock import DAYS_PER_YEAR
from forecast.engine.simulate import choose, simulate_paths
from forecast.evidence.hypothetical import closed_one_offs
from forecast.evidence.resolution_rules import met, told_stories
from forecast.quantities.estimate import FORMAT
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.engine.arrays import Floats, Ints, Masks
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Trust
    from forecast.theory.spec import ModelSpec, Rule


PATHS = 16_000  # simulated in all, as many from each draw
MOST = 1000  # events a year of one indicator: more make no difference to any rule, and their number may be endless
SEED = 1


# Probabilities.


@dataclass(frozen=True)
class RuleProbability:
    """Probability that a rule is met on ``date`` ("at"), or on at least one day behind ``as_of`` up to then ("by")."""

    outcome: str
    kind: Literal["at", "by"]
    horizon_weeks: int
    date: dt.date
    mean: float
    mcse: float


@dataclass(frozen=True)
class Rules:
    """How likely each rule is to be met, and whether it is ``met_now``, as of the day of the forecast.

    ``prior`` says the same in the same order by the theory alone: under draws of the prior, and without any row.
    """

    model: str
    as_of: dt.date
    rows: tuple[RuleProbability, ...]
    prior: tuple[RuleProbability, ...]
    met_now: Mapping[str, bool]
    trust: Trust

    def to_frame(self) -> pd.DataFrame:
        """Tidy: a row a probability; columns outcome, kind, horizon_weeks, date, mean, mcse, prior, met_now."""
        rows = [
            {**asdict(row), "prior": alone.mean, "met_now": self.met_now[row.outcome]}
            for row, alone in zip(self.rows, self.prior, strict=True)
        ]
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "rows": [
                {
                    "outcome": row.outcome,
                    "kind": row.kind,
                    "horizon_weeks": row.horizon_weeks,
                    "date": row.date.isoformat(),
                    "estimate": {"mean": row.mean, "mcse": row.mcse},
                    "prior": alone.mean,
                    "met_now": self.met_now[row.outcome],
                }
                for row, alone in zip(self.rows, self.prior, strict=True)
            ],
            "trust": self.trust.to_dict(),
        }


def find_rules(found: Posterior, entries: Iterable[Entry], alone: Posterior) -> Rules:
    """Say of every rule whether it is met now and how likely it is to be met at the model's horizons.

    ``alone`` are draws of the prior under evidence as of the same day that holds no row.
    """
    entries, spec, as_of = tuple(entries), found.space.spec, found.evidence.as_of
    return Rules(
        model=spec.name,
        as_of=as_of,
        rows=rule_probabilities(found, entries, seed=SEED),
        prior=rule_probabilities(alone, (), seed=SEED),
        met_now={name: met(found.space, entries, name, as_of) for name in spec.outcomes},
        trust=found.trust,
    )


def rule_probabilities(found: Posterior, entries: Iterable[Entry], *, seed: int) -> tuple[RuleProbability, ...]:
    """Simulate what can be seen under every draw, and count how often each rule is met; at each horizon of the model.

    From each draw hidden paths run on from its present states, in steps that count from ``as_of``, and under them
    events of the indicators that rules name, as seen by one who always looks: each is a story of its own. The stories
    of ``entries``, the rows as known on the day of the forecast, count with them by day while they are in the window.
    """
    entries, space, weights = tuple(entries), found.space, found.weights.values
    rows = np.flatnonzero(weights)  # the others cannot explain the evidence: they have no present state
    future = _Future(found, entries, rows)
    times = max(-(-PATHS // rows.size), 2)
    horizons = sorted(space.spec.model.horizons_weeks)
    rng = np.random.default_rng(seed)
    hits = np.zeros((2, len(space.spec.outcomes), len(horizons), rows.size))
    for _ in range(times):
        future.run(rng)
        for k, name in enumerate(space.spec.outcomes):
            fulfilled = future.met(name)
            first = np.where(fulfilled.any(axis=1), fulfilled.argmax(axis=1), fulfilled.shape[1])
            for h, week in enumerate(horizons):
                hits[0, k, h] += fulfilled[:, 7 * week - 1]
                hits[1, k, h] += first < 7 * week
    as_of = found.evidence.as_of
    return tuple(
        RuleProbability(
            name, kind, week, as_of + dt.timedelta(weeks=week),
            *_mean(hits[what, k, h], times, weights[rows], found.anchor.efficiency),
        )
        for k, name in enumerate(space.spec.outcomes)
        for what, kind in enumerate(("at", "by"))
        for h, week in enumerate(horizons)
    )  # fmt: skip


def _mean(hits: Floats, times: int, weights: Floats, efficiency: float) -> tuple[float, float]:
    """Weighted mean of ``hits`` (S,) out of ``times`` paths, and its Monte Carlo error.

    What differs between draws counts by the anchor's efficiency; what differs between the paths of one draw does not,
    for paths are independent.
    """
    share = hits / times
    mean = float(weights @ share)
    paths = float(np.square(weights) @ (share * (1 - share))) / (times - 1)
    draws = float(np.square(weights) @ np.square(share - mean)) - paths
    return min(mean, 1.0), math.sqrt(max(draws, 0.0) / efficiency + paths)


class _Events(NamedTuple):
    """What is seen in simulated futures, in the order of draw and time."""

    draw: Ints
    day: Ints  # 0 is the day behind as_of
    indicator: Ints  # a position among those simulated


class _Future:
    """What can happen from ``as_of`` through the longest horizon: one path of every draw at a time."""

    def __init__(self, found: Posterior, entries: Sequence[Entry], rows: Ints) -> None:
        self._space = space = found.space
        self._entries = entries
        self._as_of = found.evidence.as_of
        self._length = space.spec.model.step_days
        self._days = 7 * max(space.spec.model.horizons_weeks)
        self._named = _named(space.spec)
        closed = closed_one_offs(space, entries, self._as_of)
        self._one_offs = [
            (k, self._named.index(row.reset_by) if row.reset_by else -1, name in closed)
            for k, name in enumerate(self._named)
            if not (row := space.spec.indicators[name]).repeats
        ]
        draws = found.anchor.blocks.draws
        self._now = found.evaluation.now[rows]
        self._log_rate = draws.log_rate[rows]
        states = np.stack(np.unravel_index(np.arange(space.size), tuple(space.sizes)), axis=1)
        columns = [
            space.emission_offset[k] + states[:, space.indicator_stage[k]]
            for k in map(space.indicators.index, self._named)
        ]
        per_year = np.exp(np.minimum(draws.log_lambda[rows], math.log(MOST)))
        rates = per_year[:, np.array(columns, dtype=np.int64).reshape(-1, space.size)]  # (S, I, K)
        edges = np.zeros((len(self._named) + 1, rows.size, space.size))
        np.cumsum(rates.swapaxes(0, 1), axis=0, out=edges[1:])
        self._edges = edges.reshape(len(edges), -1)  # by draw and joint state

    def run(self, rng: np.random.Generator) -> None:
        """Simulate anew."""
        space = self._space
        start = np.stack(np.unravel_index(choose(rng, self._now), tuple(space.sizes)), axis=1)
        years = np.full(self._days // self._length, self._length / DAYS_PER_YEAR)
        self._path = simulate_paths(rng, chain_of(space), years, self._log_rate, start)
        joint = np.ravel_multi_index(tuple(np.moveaxis(self._path, -1, 0)), tuple(space.sizes))
        cell = (np.arange(len(start))[:, None] * space.size + joint).ravel()  # draw and joint state of every step
        total = self._edges[-1][cell]
        place = np.repeat(np.arange(cell.size), rng.poisson(total * years[0]))
        draw, step = np.divmod(place, years.size)
        part = rng.random(place.size) * total[place]
        indicator = np.zeros(place.size, dtype=np.int64)
        for edge in self._edges[1:-1]:
            indicator += edge[cell[place]] <= part
        passed = rng.random(place.size)  # of the step, when it happens
        day = step * self._length + (passed[np.lexsort((passed, place))] * self._length).astype(np.int64)
        self._events = self._once(_Events(draw, day, indicator))

    def _once(self, events: _Events) -> _Events:
        """Leave out what a one-off cannot do: happen again before what resets it was seen."""
        kept, before = np.ones(events.draw.size, dtype=np.bool_), None
        while before is None or (kept != before).any():  # what resets may itself be a one-off, and so on
            before = kept.copy()
            for own, reset, closed in self._one_offs:
                concern = np.flatnonzero((events.indicator == own) | ((events.indicator == reset) & before))
                draw, is_own = events.draw[concern], events.indicator[concern] == own
                first = np.diff(draw, prepend=-1) > 0
                after_own = np.concatenate([[False], is_own[:-1]]) & ~first
                kept[concern[is_own]] = ~(after_own | (first & closed))[is_own]
        return _Events(events.draw[kept], events.day[kept], events.indicator[kept])

    def met(self, outcome: str) -> Masks:
        """(S, days) whether the rule of an outcome is met at the end of each day."""
        found = np.ones((len(self._now), self._days), dtype=np.bool_)
        for rule in self._space.spec.outcomes[outcome].resolves:
            if rule.observable is None:
                found &= self._told(rule) >= (rule.stories or 0)
            else:
                stage = self._space.stages.index(rule.observable)
                inside = self._space.observable(stage)[self._path[:, :, stage]]
                found &= np.repeat(inside, self._length, axis=1)
        return found

    def _told(self, rule: Rule) -> Ints:
        """(S, days) stories that a clause counts on each day."""
        window = 7 * (rule.within_weeks or 0)
        of = np.isin(self._events.indicator, [self._named.index(name) for name in rule.of])
        shape = (len(self._now), self._days)
        places = self._events.draw[of] * self._days + self._events.day[of]
        total = np.cumsum(np.bincount(places, minlength=math.prod(shape)).reshape(shape), axis=1)
        total[:, window:] -= total[:, :-window].copy()
        ages = [(self._as_of - day).days for day in told_stories(self._space.spec, self._entries, rule).values()]
        days = np.arange(self._days) + 1
        return total + sum((days + age < window for age in ages if age >= 0), start=np.zeros(self._days, np.int64))


def _named(spec: ModelSpec) -> tuple[str, ...]:
    """Name the indicators that have to be simulated: those that rules name, and what resets the one-offs among them."""
    names = {name for outcome in spec.outcomes.values() for rule in outcome.resolves for name in rule.of}
    while more := {spec.indicators[name].reset_by for name in names} - names - {None}:
        names |= {name for name in more if name}
    return tuple(name for name in spec.indicators if name in names)
