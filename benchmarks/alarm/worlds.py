"""Worlds drawn from the reference model, all watched or told selectively; they may go wrong one day."""

from __future__ import annotations

import csv
import datetime as dt
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docs.builder.places import MODEL, ROWS
from forecast.engine.arrays import Cells, steps_between
from forecast.engine.blocks import Draws
from forecast.engine.simulate import REPORT_MIX, simulate_paths, simulate_start
from forecast.evidence.compilation import compile_evidence
from forecast.inference.model import Model
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints
    from forecast.ledger.rows import Entry

COVERED_WORLD, TOLD_WORLD = "everything watched", "told selectively"
KINDS = (COVERED_WORLD, TOLD_WORLD)
FULL_WEEK = 7

type Bend = Callable[[Floats, StateSpace], Floats]  # (states, I) rates of what really happens, from those of the model


@cache
def reference() -> StateSpace:
    """Read the article's model, with a vocabulary that has everything from the start."""
    spec = load_spec(MODEL)
    always = {name: row.model_copy(update={"since": None}) for name, row in spec.indicators.items()}
    return StateSpace(spec.model_copy(update={"indicators": always}))


def pick(draws: Draws, k: int) -> Draws:
    """Give one draw."""
    return Draws(*(part[k : k + 1] for part in draws))


def prior_draws(space: StateSpace) -> Draws:
    """Draw from the model's own prior."""
    with tempfile.TemporaryDirectory() as folder:
        evidence = compile_evidence(space, [], space.spec.model.start)
        return Model(space.spec).prior(1, Path(folder), evidence).blocks.draws


@cache
def told_a_week() -> dict[str, float]:
    """How many rows about each stage the article's data have in a week."""
    space = reference()
    with ROWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stage_of = dict(zip(space.indicators, (space.stages[k] for k in space.indicator_stage), strict=True))
    counts = Counter(stage_of.get(row["indicator"]) or row["state"].partition(".")[0] for row in rows)
    last = max(dt.date.fromisoformat(row["reported_on"]) for row in rows)
    weeks = ((last - space.spec.model.start).days + 1) / FULL_WEEK
    return {stage: counts[stage] / weeks for stage in space.stages}


@dataclass(frozen=True)
class World:
    """One draw, and a ledger that it gave rise to; ``weeks`` whole weeks long."""

    space: StateSpace
    draw: Draws
    kind: str
    weeks: int
    rows: tuple[Observation, ...]
    seen: Cells  # as known when all is known
    told: Cells  # as known when nothing was watched systematically
    lag: int  # weeks from a day to when its coverage counts

    def cells(self, first: int, last: int, now: int) -> Cells:
        """Give the cells of steps ``first`` to ``last`` as known at the end of step ``now`` (not included)."""
        turn = min(max(now - self.lag, first), last) if self.kind == COVERED_WORLD else first
        old, new = steps_between(self.seen, first, turn), steps_between(self.told, turn, last)
        moved = new.what + np.array([turn - first, 0, 0, 0, 0])
        moved[:, 4] += np.where(moved[:, 4] < 0, 0, len(old.available))  # of the sets of both
        return new._replace(
            years=np.concatenate([old.years, new.years]), what=np.concatenate([old.what, moved]),
            value=np.concatenate([old.value, new.value]), observed=np.concatenate([old.observed, new.observed]),
            available=np.concatenate([old.available, new.available]), false=np.concatenate([old.false, new.false]),
        )  # fmt: skip

    def entries(self) -> tuple[Entry, ...]:
        """Give all rows, and the coverage if there is any."""
        return (*self.rows, *([self.coverage] if self.kind == COVERED_WORLD else []))

    @property
    def coverage(self) -> Coverage:
        """Say that everything was watched all the time."""
        start = self.space.spec.model.start
        return Coverage(id="all", indicator="*", from_=start, to=self.day(self.weeks), reported_on=start, source="-")

    def day(self, weeks: int) -> dt.date:
        """Give the last day of so many weeks."""
        return self.space.spec.model.start + dt.timedelta(days=FULL_WEEK * weeks - 1)


def one_rate(log_lambda: Floats, space: StateSpace) -> list[Floats]:
    """(n, I of the stage) rates of each stage's indicators in each of its states."""
    found: list[Floats] = []
    for stage, n in enumerate(space.sizes):
        own = np.flatnonzero(space.indicator_stage == stage)
        found.append(
            np.exp(np.array([log_lambda[space.emission_offset[k] : space.emission_offset[k] + n] for k in own])).T
        )
    return found


def as_it_is(rates: Floats, _space: StateSpace) -> Floats:
    """Change nothing."""
    return rates


def simulate_world(  # noqa: PLR0913 - what a world is made of
    rng: np.random.Generator, space: StateSpace, draw: Draws, kind: str, weeks: int, *, bend: Bend = as_it_is,
    onset: int | None = None, hold: tuple[str, str] | None = None,
) -> World:  # fmt: skip
    """Simulate a hidden path and what is reported of it; from ``onset`` on, rates are bent or a stage is held."""
    chain = chain_of(space)
    years = np.full(weeks, FULL_WEEK / 365.25)
    path = simulate_paths(rng, chain, years, draw.log_rate, simulate_start(rng, chain, draw.start))[0]
    usual = one_rate(draw.log_lambda[0], space)
    bent = [bend(part, space) for part in usual]
    if hold is not None and onset is not None:
        stage = space.stages.index(hold[0])
        path[onset:, stage] = space.phases[stage].index(space.spec.stages[hold[0]].phases_of(hold[1])[0])
    rows: list[Observation] = []
    closed: set[int] = set()
    for week in range(weeks):
        rates = usual if onset is None or week < onset else bent
        own = [np.flatnonzero(space.indicator_stage == stage) for stage in range(len(space.stages))]
        now = np.empty(len(space.indicators))
        for stage, k in enumerate(own):
            now[k] = rates[stage][path[week, stage]]
        found = _watched if kind == COVERED_WORLD else _told
        here = sorted((int(rng.integers(FULL_WEEK)), i, w) for i, w in found(rng, space, now, closed))
        for day, i, w in here:
            rows.append(_row(space, len(rows), week, day, w, indicator=space.indicators[i]))
            _close(space, i, closed)
    return _world(space, draw, kind, weeks, rows + _records(space, path, len(rows)))


def _watched(rng: np.random.Generator, space: StateSpace, rate: Floats, closed: set[int]) -> list[tuple[int, float]]:
    """Give what is seen in a week in which everything is watched, each sighting with its credibility."""
    years = FULL_WEEK / 365.25
    grades, mix = np.array(list(REPORT_MIX)), np.array(list(REPORT_MIX.values()))
    false = mix * (1 - grades) / grades
    usual = [space.median_rates([i]) for i in range(rate.size)]
    before = np.array([-np.expm1(-rates[0] * years) @ shares for rates, shares in usual])
    happens = rng.random(len(space.indicators)) < -np.expm1(-rate * years)
    believed = rng.random(rate.size) < before / (1 - before) * false.sum()
    return [
        (int(i), float(rng.choice(grades, p=mix if happens[i] else false / false.sum())))
        for i in np.flatnonzero(happens | believed)
        if i not in closed
    ]


def _told(rng: np.random.Generator, space: StateSpace, rate: Floats, closed: set[int]) -> list[tuple[int, float]]:
    """Give what is told in a week, as often as in the article's data, each with its credibility."""
    found: list[tuple[int, float]] = []
    for stage, mean in enumerate(told_a_week().values()):
        open_ = [k for k in np.flatnonzero(space.indicator_stage == stage) if k not in closed]
        usual, shares = space.median_rates(open_)
        before = usual / usual.sum(axis=0) @ shares
        for _ in range(rng.poisson(mean)):
            w = float(rng.choice(list(REPORT_MIX), p=list(REPORT_MIX.values())))
            share = w * rate[open_] / rate[open_].sum() + (1 - w) * before
            found.append((int(rng.choice(open_, p=share)), w))
    return found


def _close(space: StateSpace, seen: int, closed: set[int]) -> None:
    """Close a one-off that was seen, and open those that it resets; all grades of the mix are credible enough."""
    for k, row in enumerate(space.spec.indicators.values()):
        if row.reset_by == space.indicators[seen]:
            closed.discard(k)
    if not space.spec.indicators[space.indicators[seen]].repeats:
        closed.add(seen)


def _row(space: StateSpace, number: int, week: int, day: int, w: float, **what: str) -> Observation:
    date = space.spec.model.start + dt.timedelta(days=FULL_WEEK * week + day)
    grade = next(name for name, value in CREDIBILITY.items() if value == w)
    return Observation(
        id=f"{number:04d}", date=date, reported_on=date, source="-", grade=grade, **what,
    )  # fmt: skip


def _records(space: StateSpace, path: Ints, first: int) -> list[Observation]:
    """Put on record when a stage enters and leaves its observable set."""
    rows: list[Observation] = []
    for stage, name in enumerate(space.stages):
        inside = space.in_phases(stage, space.observable(stage))
        was = False
        for week, state in enumerate(path[:, stage]):
            if inside[state] != was:
                label = space.spec.stages[name].state_of(space.phases[stage][state])
                number = first + len(rows)
                rows.append(_row(space, number, week, FULL_WEEK - 1, max(REPORT_MIX), state=f"{name}.{label}"))
            was = bool(inside[state])
    return rows


def _world(space: StateSpace, draw: Draws, kind: str, weeks: int, rows: list[Observation]) -> World:
    header = space.spec.model
    end = header.start + dt.timedelta(days=FULL_WEEK * weeks - 1)
    told = compile_evidence(space, rows, end).cells
    world = World(space, draw, kind, weeks, tuple(rows), told, told, -(-header.reporting_lag_days // FULL_WEEK))
    if kind == TOLD_WORLD:
        return world
    later = end + dt.timedelta(days=FULL_WEEK * world.lag)
    seen = steps_between(compile_evidence(space, world.entries(), later).cells, 0, weeks)
    return World(space, draw, kind, weeks, tuple(rows), seen, told, world.lag)
