"""Two codings of one simulated chronology: rows as one coder writes them, and as another would."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.simulate import simulate_counts, simulate_paths, simulate_start
from forecast.evidence.resolution_rules import met
from forecast.ledger.rows import Observation
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.engine.blocks import Draws
    from forecast.theory.statespace import StateSpace

DAY = dt.timedelta(days=1)


class Coder(NamedTuple):
    """What a second coder does to the rows of the first: the share of them that is affected, and how far."""

    drops: float = 0.0  # leaves a row out
    shifts: float = 0.0  # dates it up to ``days`` earlier or later
    days: int = 7
    renames: float = 0.0  # takes another indicator of the stage that points to the same states


CODERS = {
    "drops one row in ten": Coder(drops=0.1),
    "dates three rows in ten up to a week earlier or later": Coder(shifts=0.3),
    "names a neighbouring indicator in two rows of ten": Coder(renames=0.2),
    "does all three": Coder(0.1, 0.3, 7, 0.2),
}


def chronologies(
    space: StateSpace, draws: Draws, weeks: int, rng: np.random.Generator
) -> Iterator[tuple[Observation, ...]]:
    """Give what happens in so many weeks from the model's start, one world a draw, as rows of the best grade.

    Records of what nobody can miss are rows too. What happens only once is told once.
    """
    chain, model = chain_of(space), space.spec.model
    steps = 7 * weeks // model.step_days
    years = np.full(steps, model.step_days / 365.25)
    path = simulate_paths(rng, chain, years, draws.log_rate, simulate_start(rng, chain, draws.start))
    counts = simulate_counts(rng, chain, space.indicator_stage, years, draws.log_lambda, path)
    for one, seen in zip(path, counts, strict=True):
        rows = list(_records(space, one))
        done: set[int] = set()
        for step, k in np.argwhere(seen).tolist():
            once = not space.spec.indicators[space.indicators[k]].repeats
            for _ in range(0 if k in done else 1 if once else int(seen[step, k])):
                date = model.start + DAY * int(model.step_days * step + rng.integers(model.step_days))
                rows.append(_row(len(rows), date, indicator=space.indicators[k]))
            done |= {k} if once else set()
        yield tuple(rows)


def _records(space: StateSpace, path: np.ndarray) -> Iterator[Observation]:
    """Put on record when a stage enters its observable states, and when it leaves them."""
    for level, stage in enumerate(space.stages):
        inside = space.in_phases(level, space.observable(level))[path[:, level]]
        for step in np.flatnonzero(np.diff(inside, prepend=False)).tolist():
            state = space.spec.stages[stage].state_of(space.phases[level][path[step, level]])
            date = space.spec.model.start + DAY * (space.spec.model.step_days * step)
            yield _row(-1 - step, date, state=f"{stage}.{state}")


def _row(key: int, date: dt.date, **what: str) -> Observation:
    return Observation(id=str(key), date=date, reported_on=date, source="chronology", grade="A1", **what)


def coded(
    space: StateSpace, rows: Sequence[Observation], coder: Coder, rng: np.random.Generator
) -> tuple[Observation, ...]:
    """Give a chronology as another coder writes it; records are the same for everybody."""
    found: list[Observation] = []
    for row in rows:
        if row.indicator is None:
            found.append(row)
            continue
        dropped, shifted, renamed = rng.random(3) < (coder.drops, coder.shifts, coder.renames)
        if dropped:
            continue
        date = row.date + DAY * int(rng.integers(-coder.days, coder.days + 1)) if shifted else row.date
        date = max(date, space.spec.model.start)
        name = str(rng.choice(neighbours(space, row.indicator))) if renamed else row.indicator
        found.append(replace(row, indicator=name, date=date, reported_on=date))
    return tuple(found)


def neighbours(space: StateSpace, name: str) -> tuple[str, ...]:
    """Name the other indicators of the stage that point to the same states; the indicator itself if there is none."""
    of = space.spec.indicators[name]
    found = (
        other
        for other, row in space.spec.indicators.items()
        if other != name and (row.stage, set(row.points_to)) == (of.stage, set(of.points_to))
    )
    return tuple(found) or (name,)


class Agreement(NamedTuple):
    """In how many worlds a rule is met by the first coding, by the second, and where both say the same."""

    first: float
    second: float
    agree: float


def agreements(
    space: StateSpace, worlds: Sequence[Sequence[Observation]], coder: Coder, date: dt.date, rng: np.random.Generator
) -> dict[str, Agreement]:
    """Compare the answers of every rule on a date by two codings of each world."""
    answers = np.array([
        [[met(space, rows, name, date) for name in space.spec.outcomes] for rows in (world, other)]
        for world, other in ((world, coded(space, world, coder, rng)) for world in worlds)
    ])  # fmt: skip
    first, second = answers[:, 0], answers[:, 1]
    shares = zip(first.mean(axis=0), second.mean(axis=0), (first == second).mean(axis=0), strict=True)
    return {name: Agreement(*map(float, share)) for name, share in zip(space.spec.outcomes, shares, strict=True)}
