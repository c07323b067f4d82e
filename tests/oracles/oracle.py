"""A second implementation of docs/method.md: slow, literal and independent of the engine.

Only the parsed model file (`forecast.spec`) is shared. Hidden paths are enumerated, never filtered; days are
counted in sets; the ledger is replayed from its first row for every step. Rows are duck-typed.
"""
# ruff: noqa: PLR0913, PLR0917 - the arguments are the model, one draw and the ledger, as everywhere in the tests

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec

__all__ = [
    "Ahead",
    "Assessment",
    "Covered",
    "Parameters",
    "Record",
    "Report",
    "Selective",
    "Told",
    "ahead_dates",
    "cells",
    "covered_days",
    "derived",
    "emissions",
    "enumerate_reports",
    "filtered",
    "forecast_after",
    "forecast_at",
    "forecast_forced",
    "forecast_forced_after",
    "forecast_given",
    "forecast_reached",
    "forecast_supposed",
    "horizon_steps",
    "initial",
    "joint_states",
    "likelihood",
    "log_likelihood",
    "log_prior",
    "smoothed",
    "steps",
    "supposed_cells",
    "transition_matrix",
]

DAYS_A_YEAR = 365.25
RECORDED = 0.5  # credibility of a row from which on it can be a record
INTERVAL_90 = 3.2897  # width of the standard normal's central 90 % interval, to the digits of the design

Row = Any
Rows = Iterable[Row]
Credibility = Callable[[Row], float]
States = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Parameters:
    """One draw, by name."""

    log_rate: dict[tuple[str, str, str], float]  # (stage, from, to) -> eta
    log_times: dict[tuple[str, str], float]  # (stage, effect name) -> delta
    start: dict[str, dict[str, float]]  # stage -> state -> probability (states without weight: 0)
    log_lambda: dict[tuple[str, str], float]  # (indicator, state) -> log rate per year


# Time.


def elapsed_days(spec: ModelSpec, as_of: dt.date) -> int:
    """Count the days from the model's start to ``as_of``, both included."""
    return (as_of - spec.model.start).days + 1


def step_dates(spec: ModelSpec, as_of: dt.date) -> list[list[dt.date]]:
    """List the dates of each step up to and including ``as_of``."""
    found: dict[int, list[dt.date]] = {}
    for k in range(elapsed_days(spec, as_of)):
        found.setdefault(k // spec.model.step_days, []).append(spec.model.start + dt.timedelta(days=k))
    return [found[t] for t in sorted(found)]


def steps(spec: ModelSpec, as_of: dt.date) -> list[int]:
    """Count the days in each step; the last may be partial."""
    return [len(dates) for dates in step_dates(spec, as_of)]


def horizon_steps(spec: ModelSpec, elapsed: int, days: int) -> list[int]:
    """Cut the next ``days`` days, after ``elapsed`` days of the model, at the boundaries of the grid."""
    found: dict[int, int] = {}
    for k in range(elapsed, elapsed + days):
        t = k // spec.model.step_days
        found[t] = found.get(t, 0) + 1
    return [found[t] for t in sorted(found)]


# Stages.


def joint_states(spec: ModelSpec) -> list[tuple[str, ...]]:
    """One state of every stage, the last stage fastest."""
    return list(itertools.product(*(stage.states for stage in spec.stages.values())))


def initial(spec: ModelSpec, p: Parameters) -> np.ndarray:
    """Probability (K,) of each joint state at the beginning of step 0."""
    return np.array(
        [math.prod(p.start[stage][s] for stage, s in zip(spec.stages, z, strict=True)) for z in joint_states(spec)]
    )


def _rate(spec: ModelSpec, p: Parameters, stage: str, a: str, b: str, new: Mapping[str, str]) -> float:
    eta = p.log_rate[stage, a, b]
    for name, effect in spec.stages[stage].effects.items():
        on_this_move = (effect.from_, effect.to) == (a, b)
        if on_this_move and all(new[upstream] in states for upstream, states in effect.when.items()):
            eta += p.log_times[stage, name]
    return math.exp(eta)


def _move(spec: ModelSpec, p: Parameters, stage: str, a: str, b: str, new: Mapping[str, str], years: float) -> float:
    """Probability that ``stage`` is in ``b`` at the end of a step begun in ``a``; ``new`` is upstream, at the end."""
    rates = {
        move.to: _rate(spec, p, stage, a, move.to, new)
        for move in spec.stages[stage].transitions
        if move.from_ == a
    }  # fmt: skip
    total = sum(rates.values())
    stay = math.exp(-years * total)
    if b == a:
        return stay
    if b not in rates:
        return 0.0
    return (1 - stay) * rates[b] / total


def transition_matrix(spec: ModelSpec, p: Parameters, days: int) -> np.ndarray:
    """Transition probabilities (K, K) over a step of ``days`` days; rows are where it begins."""
    states = joint_states(spec)
    matrix = np.zeros((len(states), len(states)))
    for i, old in enumerate(states):
        for j, end in enumerate(states):
            new = dict(zip(spec.stages, end, strict=True))
            probability = 1.0
            for stage, a, b in zip(spec.stages, old, end, strict=True):
                probability *= _move(spec, p, stage, a, b, new, days / DAYS_A_YEAR)
            matrix[i, j] = probability
    return matrix


# Rows.


@dataclass(frozen=True)
class Told:
    """A row as it counts, after visibility, credibility and the story rule."""

    id: str
    stage: str
    indicator: str | None
    state: str | None
    date: dt.date
    month: bool
    w: float


def _stage_of(spec: ModelSpec, row: Row) -> str | None:
    """Find the stage a row speaks about; none if it names what the model does not have."""
    if row.indicator:
        return spec.indicators[row.indicator].stage if row.indicator in spec.indicators else None
    stage, _, state = row.state.partition(".")
    return stage if stage in spec.stages and state in spec.stages[stage].states else None


def _in_order(rows: Rows) -> list[Row]:
    return sorted(rows, key=lambda row: (row.date, row.id))


def _usable(spec: ModelSpec, rows: Rows, as_of: dt.date, credibility: Credibility) -> list[Row]:
    """Keep rows that are visible, known to the model, not before its start, and of some credibility."""
    visible = [row for row in rows if row.reported_on <= as_of and row.date <= as_of]
    known = [row for row in visible if _stage_of(spec, row) is not None and row.date >= spec.model.start]
    return [row for row in known if credibility(row) > 0]


def _records(
    spec: ModelSpec, usable: Sequence[Row], credibility: Credibility
) -> tuple[dict[str, list[tuple[dt.date, bool]]], list[Row]]:
    """Split off the records: per observable stage (date, in force from then on?), in order; and all other rows.

    Those of one day go in the order in which they were reported and then recorded, which is that of ``usable``.
    """
    records: dict[str, list[tuple[dt.date, bool]]] = {
        name: [] for name, stage in spec.stages.items() if stage.observable
    }
    rest = []
    for row in sorted(usable, key=lambda row: (row.date, row.reported_on)):
        stage = _stage_of(spec, row)
        if row.indicator or stage not in records or credibility(row) < RECORDED:
            rest.append(row)
            continue
        in_force = bool(records[stage]) and records[stage][-1][1]
        names_the_set = row.state.partition(".")[2] in spec.stages[stage].observable
        if names_the_set or in_force:
            records[stage].append((row.date, names_the_set))
        else:
            rest.append(row)  # names a state outside the set while the set is not in force: an assessment
    return records, rest


def _told(spec: ModelSpec, row: Row, date: dt.date, credibility: Credibility) -> Told:
    stage = _stage_of(spec, row)
    assert stage is not None
    state = None if row.indicator else row.state.partition(".")[2]
    return Told(row.id, stage, row.indicator or None, state, date, row.precision == "month", credibility(row))


def _count_stories(spec: ModelSpec, rows: Sequence[Row], credibility: Credibility) -> list[Told]:
    """Count each story once per stage: its best row, at the date of the story's earliest row about that stage."""
    told = [_told(spec, row, row.date, credibility) for row in rows if row.distinct]
    stories: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if not row.distinct:
            stories.setdefault(("story", row.story) if row.story else ("own", row.id), []).append(row)
    for story in stories.values():
        for stage in spec.stages:
            about = [row for row in story if _stage_of(spec, row) == stage]
            if about:
                best = min(about, key=lambda row: (-credibility(row), row.date, row.id))
                told.append(_told(spec, best, min(row.date for row in about), credibility))
    return _in_order(told)


def covered_days(spec: ModelSpec, coverage: Rows, as_of: dt.date) -> dict[str, set[dt.date]]:
    """Days on which each indicator was watched, as known and counted at ``as_of``."""
    last = as_of - dt.timedelta(days=spec.model.reporting_lag_days)
    found: dict[str, set[dt.date]] = {name: set() for name in spec.indicators}
    for row in coverage:
        if row.reported_on > as_of:
            continue
        for name in spec.indicators:
            if row.indicator not in (name, "*"):
                continue
            day = row.from_
            while day <= row.to:
                if spec.model.start <= day <= last:
                    found[name].add(day)
                day += dt.timedelta(days=1)
    return found


def _read(spec: ModelSpec, told: Sequence[Told]) -> tuple[list[tuple[Told, frozenset[str]]], frozenset[str]]:
    """Read rows in order: those that say something, each with what was closed just before it; what is closed last."""
    closed: set[str] = set()
    heard = []
    for row in _in_order(told):
        if row.indicator in closed:
            continue
        heard.append((row, frozenset(closed)))
        if row.indicator is not None and row.w >= 0.5:
            for name, indicator in spec.indicators.items():
                if indicator.reset_by == row.indicator:
                    closed.discard(name)
            if not spec.indicators[row.indicator].repeats:
                closed.add(row.indicator)
    return heard, frozenset(closed)


# Cells.


@dataclass(frozen=True)
class Covered:
    """One indicator watched on ``days`` days of a step; ``stories`` are the credibilities of what was seen."""

    step: int
    stage: str
    indicator: str
    days: int
    stories: tuple[float, ...]


@dataclass(frozen=True)
class Selective:
    """A row told on a day when nobody watched for its indicator; it could have been any of ``among``."""

    step: int
    stage: str
    indicator: str
    among: tuple[str, ...]
    w: float


@dataclass(frozen=True)
class Assessment:
    """A judgement that the stage was in a state."""

    step: int
    stage: str
    state: str
    w: float


@dataclass(frozen=True)
class Record:
    """States that agree with the record in force at the end of a step."""

    step: int
    stage: str
    allowed: tuple[str, ...]


Cell = Covered | Selective | Assessment | Record


def _same_month(a: dt.date, b: dt.date) -> bool:
    return (a.year, a.month) == (b.year, b.month)


def _covered_cells(
    spec: ModelSpec, told: Sequence[Told], watched: Mapping[str, set[dt.date]], step: int, dates: Sequence[dt.date]
) -> Iterator[Covered]:
    heard = [row for row, _ in _read(spec, told)[0]]
    closed = _read(spec, [row for row in told if row.date < dates[0]])[1]
    for name, indicator in spec.indicators.items():
        days = [day for day in dates if day in watched[name]]
        mine = [row for row in heard if row.indicator == name]
        in_step = [row for row in mine if row.date in dates]
        seen = [row for row in in_step if row.date in days]
        if not days or (name in closed and not seen):
            continue
        somewhere_in_month = [
            row for row in mine if row.month and row not in in_step and any(_same_month(day, row.date) for day in dates)
        ]
        if somewhere_in_month and not in_step:
            continue
        yield Covered(step, indicator.stage, name, len(days), tuple(row.w for row in seen))


def _row_cells(
    spec: ModelSpec, told: Sequence[Told], watched: Mapping[str, set[dt.date]], step: int, dates: Sequence[dt.date]
) -> Iterator[Selective | Assessment]:
    for row, closed in _read(spec, told)[0]:
        if row.date not in dates:
            continue
        if row.state is not None:
            yield Assessment(step, row.stage, row.state, row.w)
        elif row.indicator is not None and row.date not in watched[row.indicator]:
            among = [
                name
                for name, indicator in spec.indicators.items()
                if indicator.stage == row.stage and row.date not in watched[name] and name not in closed
            ]
            yield Selective(step, row.stage, row.indicator, tuple(among), row.w)


def cells(
    spec: ModelSpec, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> list[list[Cell]]:  # fmt: skip
    """Compile the ledger: for each step, its cells."""
    records, rest = _records(spec, _usable(spec, rows, as_of, credibility), credibility)
    told = _count_stories(spec, rest, credibility)
    watched = covered_days(spec, coverage, as_of)
    found: list[list[Cell]] = []
    for step, dates in enumerate(step_dates(spec, as_of)):
        here: list[Cell] = [
            *_covered_cells(spec, told, watched, step, dates),
            *_row_cells(spec, told, watched, step, dates),
        ]
        for name, changes in records.items():
            in_force = False
            for date, begins in changes:
                if date <= dates[-1]:
                    in_force = begins
            stage = spec.stages[name]
            here.append(Record(step, name, tuple(s for s in stage.states if (s in stage.observable) == in_force)))
        found.append(here)
    return found


def _prior_rate(spec: ModelSpec, indicator: str) -> float:
    low, high = spec.priors.classes[spec.indicators[indicator].class_].per_year
    return math.sqrt(low * high)


def likelihood(spec: ModelSpec, p: Parameters, cell: Cell) -> dict[str, float]:
    """Give a cell's likelihood in each state of its stage."""
    found = {}
    for s in spec.stages[cell.stage].states:
        match cell:
            case Covered():
                years = cell.days / DAYS_A_YEAR
                seen = 1 - math.exp(-math.exp(p.log_lambda[cell.indicator, s]) * years)
                seen_before = 1 - math.exp(-_prior_rate(spec, cell.indicator) * years)
                w = 1 - math.prod(1 - v for v in cell.stories)
                false = (1 - w) * seen_before * (1 - seen) / (1 - seen_before)
                found[s] = w * seen + false if cell.stories else 1 - seen
            case Selective():
                rates = {name: math.exp(p.log_lambda[name, s]) for name in cell.among}
                before = {name: _prior_rate(spec, name) for name in cell.among}
                found[s] = cell.w * rates[cell.indicator] / sum(rates.values())
                found[s] += (1 - cell.w) * before[cell.indicator] / sum(before.values())
            case Assessment():
                states = len(spec.stages[cell.stage].states)
                found[s] = cell.w if s == cell.state else (1 - cell.w) / (states - 1)
                if cell.w * states < 1:  # less than chance says nothing
                    found[s] = 1 / states
            case Record():
                found[s] = 1.0 if s in cell.allowed else 0.0
    return found


def emissions(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """Multiply the cells of each step: the likelihood (T, K) of each joint state."""
    compiled = cells(spec, rows, coverage, as_of, credibility)
    states = joint_states(spec)
    result = np.ones((len(compiled), len(states)))
    for t, here in enumerate(compiled):
        for cell in here:
            of_state = likelihood(spec, p, cell)
            position = list(spec.stages).index(cell.stage)
            for k, z in enumerate(states):
                result[t, k] *= of_state[z[position]]
    return result


@dataclass(frozen=True)
class Report:
    """One thing a cell could have reported: nothing (``indicator`` is None), or an indicator with credibility ``w``.

    ``probability`` is per state of the stage; it is the cell's likelihood times ``factor``, which no state enters.
    """

    indicator: str | None
    w: float
    factor: float
    probability: dict[str, float]


def enumerate_reports(
    spec: ModelSpec, p: Parameters, cell: Covered | Selective, mix: Mapping[float, float]
) -> list[Report]:
    """List everything that could have been reported instead of ``cell``; each state's probabilities sum to one.

    ``mix`` gives π_w, the share of each credibility w > 0 among true reports. For a covered cell false reports
    must not exceed certainty.
    """

    def report(changed: Covered | Selective, indicator: str | None, w: float, factor: float) -> Report:
        return Report(indicator, w, factor, {s: factor * x for s, x in likelihood(spec, p, changed).items()})

    if isinstance(cell, Selective):
        return [
            report(Selective(cell.step, cell.stage, name, cell.among, w), name, w, share)
            for name in cell.among
            for w, share in mix.items()
        ]
    years = cell.days / DAYS_A_YEAR
    seen_before = 1 - math.exp(-_prior_rate(spec, cell.indicator) * years)
    false = {w: share * seen_before * (1 - w) / (w * (1 - seen_before)) for w, share in mix.items()}
    if sum(false.values()) > 1:
        message = f"false reports would have probability {sum(false.values()):.2f}; use higher credibilities"
        raise ValueError(message)
    silent = Covered(cell.step, cell.stage, cell.indicator, cell.days, ())
    reports = [report(silent, None, 0.0, 1 - sum(false.values()))]
    for w, share in mix.items():
        told = Covered(cell.step, cell.stage, cell.indicator, cell.days, (w,))
        reports.append(report(told, cell.indicator, w, share / w))
    return reports


# Hidden paths.


def _paths(
    start: np.ndarray, moves: Sequence[np.ndarray], emission: np.ndarray | None = None
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Enumerate all K^(T+1) paths with their weight: P(path), times the likelihood along it if given."""
    first, matrices = start.tolist(), [matrix.tolist() for matrix in moves]
    likely = np.ones((len(moves), len(first))).tolist() if emission is None else emission.tolist()
    for path in itertools.product(range(len(first)), repeat=len(moves) + 1):
        weight = first[path[0]]
        for t, (a, b) in enumerate(itertools.pairwise(path)):
            weight *= matrices[t][a][b] * likely[t][b]
            if weight == 0:
                break
        yield path, weight


def _chain(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    moves = [transition_matrix(spec, p, days) for days in steps(spec, as_of)]
    return initial(spec, p), moves, emissions(spec, p, rows, coverage, as_of, credibility)


def log_likelihood(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> float:
    """Log of the sum over all hidden paths; minus infinity if none agrees with the evidence."""
    total = math.fsum(weight for _, weight in _paths(*_chain(spec, p, rows, coverage, as_of, credibility)))
    return math.log(total) if total > 0 else -math.inf


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum() if weights.sum() > 0 else np.full_like(weights, np.nan)


def filtered(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """P(z_t | cells of steps 0 … t) (T, K), each t by all paths that end there; NaN if impossible."""
    start, moves, emission = _chain(spec, p, rows, coverage, as_of, credibility)
    result = np.zeros_like(emission)
    for t in range(len(moves)):
        for path, weight in _paths(start, moves[: t + 1], emission[: t + 1]):
            result[t, path[-1]] += weight
        result[t] = _normalised(result[t])
    return result


def smoothed(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """P(z_t | all cells) (T, K); NaN where the evidence is impossible."""
    start, moves, emission = _chain(spec, p, rows, coverage, as_of, credibility)
    result = np.zeros_like(emission)
    for path, weight in _paths(start, moves, emission):
        for t in range(len(moves)):
            result[t, path[t + 1]] += weight
    return np.array([_normalised(row) for row in result])


# Forecasts: sums over all future paths from the filtered probabilities at ``as_of``.


def _meets(spec: ModelSpec, states: States) -> list[bool]:
    return [
        all(z[list(spec.stages).index(stage)] in allowed for stage, allowed in states.items())
        for z in joint_states(spec)
    ]


def _future(
    spec: ModelSpec, p: Parameters, now: np.ndarray, elapsed: int, days: int
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Enumerate paths z_now, z_1, … over the next ``days`` days, with their probabilities."""
    return _paths(now, [transition_matrix(spec, p, n) for n in horizon_steps(spec, elapsed, days)])


def forecast_at(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    states: States, weeks: int,
) -> float:  # fmt: skip
    """P(outcome ``weeks`` weeks after ``as_of``)."""
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1]
    inside = _meets(spec, states)
    future = _future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks)
    return math.fsum(weight for path, weight in future if inside[path[-1]])


def forecast_reached(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    states: States, weeks: int,
) -> tuple[float, float]:  # fmt: skip
    """Give (already, reached): P(in it now), and P(not in it now and in it at the end of some later step)."""
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1]
    inside = _meets(spec, states)
    already = math.fsum(now[k] for k in range(len(inside)) if inside[k])
    future = _future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks)
    reached = math.fsum(
        weight for path, weight in future if not inside[path[0]] and any(inside[k] for k in path[1:])
    )  # fmt: skip
    return already, reached


def forecast_given(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    outcome: States, condition: States, weeks: int, *, negated: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Give (P(outcome and condition), P(condition)) at the horizon; ``negated`` is for "given no condition"."""
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1]
    wanted, given = _meets(spec, outcome), [met != negated for met in _meets(spec, condition)]
    future = list(_future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks))
    numerator = math.fsum(weight for path, weight in future if given[path[-1]] and wanted[path[-1]])
    return numerator, math.fsum(weight for path, weight in future if given[path[-1]])


def forecast_after(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    outcome: States, condition: States, weeks: int, longest: int,
) -> tuple[float, float]:  # fmt: skip
    """Give (P(condition begins within ``longest`` weeks, outcome ``weeks`` weeks later), P(it begins)).

    For every future step: all paths whose first beginning is at that step's end, each continued by all paths over
    the following ``weeks`` weeks, which keep to the grid of the model.
    """
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1]
    wanted, given = _meets(spec, outcome), _meets(spec, condition)
    elapsed = elapsed_days(spec, as_of)
    pieces = horizon_steps(spec, elapsed, 7 * longest)
    numerator, denominator = [], []
    for k in range(1, len(pieces) + 1):
        days = sum(pieces[:k])
        begun = np.zeros_like(now)
        for path, weight in _future(spec, p, now, elapsed, days):
            beginnings = [i for i in range(1, k + 1) if given[path[i]] and not given[path[i - 1]]]
            if beginnings and beginnings[0] == k:
                begun[path[-1]] += weight
        denominator.append(begun.sum())
        later = _future(spec, p, begun, elapsed + days, 7 * weeks)
        numerator += [weight for path, weight in later if wanted[path[-1]]]
    return math.fsum(numerator), math.fsum(denominator)


# Suppositions: the same, with rows that are only supposed, or stages that are forced; all paths from ``as_of`` on.


@dataclass(frozen=True)
class Ahead:
    """All possible paths (N, points) from ``as_of`` to a date, given what is said and supposed, under one draw.

    The first point is the state at ``as_of``; ``weights`` (N,) sum to one. Where a stage is forced, the points before
    and after it both count. ``log_likelihood`` is that of what is said and supposed.
    """

    spec: ModelSpec
    log_likelihood: float
    paths: np.ndarray
    weights: np.ndarray

    def _inside(self, states: States) -> np.ndarray:
        return np.array(_meets(self.spec, states))[self.paths]

    def already(self, states: States, point: int = 0) -> float:
        """P(in it at a point)."""
        return float(self.weights[self._inside(states)[:, point]].sum())

    def at(self, states: States) -> float:
        """P(in it at the end)."""
        return self.already(states, -1)

    def reached(self, states: States) -> float:
        """P(not in it at ``as_of``, and in it at some later point)."""
        inside = self._inside(states)
        return float(self.weights[~inside[:, 0] & inside[:, 1:].any(axis=1)].sum())

    def given(self, outcome: States, condition: States, *, negated: bool = False) -> tuple[float, float]:
        """Give (P(outcome and condition), P(condition)) at the end; ``negated`` is for "given no condition"."""
        wanted, given = self._inside(outcome)[:, -1], self._inside(condition)[:, -1] != negated
        return float(self.weights[wanted & given].sum()), float(self.weights[given].sum())


def ahead_dates(spec: ModelSpec, as_of: dt.date, stops: Sequence[dt.date]) -> list[list[dt.date]]:
    """List the dates of each step behind ``as_of``, which ends with a step of the model or on one of ``stops``."""
    found: list[list[dt.date]] = []
    here: list[dt.date] = []
    day = as_of
    while day < max(stops):
        day += dt.timedelta(days=1)
        here.append(day)
        if elapsed_days(spec, day) % spec.model.step_days == 0 or day in stops:
            found.append(here)
            here = []
    return found


def supposed_cells(
    spec: ModelSpec, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    seen: Sequence[Row], unseen: Mapping[str, dt.date],
) -> list[list[Cell]]:  # fmt: skip
    """Compile the ledger with rows supposed to be ``seen`` and indicators (or ``*``) ``unseen`` through a date.

    Behind ``as_of`` the steps run to the last date supposed. There nobody keeps the record of an observable, but for
    what leads up to a supposed row that is one.
    """
    until = max([as_of, *(row.date for row in seen), *unseen.values()])
    records, rest = _records(spec, [*_usable(spec, rows, as_of, credibility), *seen], credibility)
    told = _count_stories(spec, rest, credibility)
    kept_until = {
        name: max([as_of, *(row.date for row in seen if row not in rest and _stage_of(spec, row) == name)])
        for name in records
    }
    watched = covered_days(spec, coverage, as_of)
    for unseen_name, through in unseen.items():
        for k in range((through - as_of).days):
            for name in spec.indicators:
                if unseen_name in (name, "*"):
                    watched[name].add(as_of + dt.timedelta(days=k + 1))
    found: list[list[Cell]] = []
    for step, dates in enumerate([*step_dates(spec, as_of), *ahead_dates(spec, as_of, [until])]):
        here: list[Cell] = [
            *_covered_cells(spec, told, watched, step, dates),
            *_row_cells(spec, told, watched, step, dates),
        ]
        for name, changes in records.items():
            if dates[0] <= kept_until[name]:
                in_force = ([False] + [begins for date, begins in changes if date <= dates[-1]])[-1]
                stage = spec.stages[name]
                here.append(Record(step, name, tuple(s for s in stage.states if (s in stage.observable) == in_force)))
        found.append(here)
    return found


def _likely(spec: ModelSpec, p: Parameters, compiled: Sequence[Sequence[Cell]]) -> np.ndarray:
    result = np.ones((len(compiled), len(joint_states(spec))))
    for t, here in enumerate(compiled):
        for cell in here:
            of_state = likelihood(spec, p, cell)
            result[t] *= [of_state[z[list(spec.stages).index(cell.stage)]] for z in joint_states(spec)]
    return result


def _grown(
    start: np.ndarray, moves: Sequence[np.ndarray], emission: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Enumerate all paths that are possible, (N, T + 1), each with its weight; as `_paths`, many at a time."""
    size = start.size
    paths, weights = np.arange(size)[:, None], start
    for t, matrix in enumerate(moves):
        likely = 1.0 if emission is None else emission[t]
        weights = (weights[:, None] * matrix[paths[:, -1]] * likely).ravel()
        paths = np.column_stack([np.repeat(paths, size, axis=0), np.tile(np.arange(size), len(paths))])
        paths, weights = paths[weights > 0], weights[weights > 0]
    return paths, weights


def _held_matrix(spec: ModelSpec, p: Parameters, days: int, held: Iterable[str]) -> np.ndarray:
    """Transition probabilities where the stages ``held`` do not move."""
    names, states = list(spec.stages), joint_states(spec)
    matrix = np.zeros((len(states), len(states)))
    for i, old in enumerate(states):
        for j, end in enumerate(states):
            new = dict(zip(names, end, strict=True))
            matrix[i, j] = math.prod(
                float(a == b) if stage in held else _move(spec, p, stage, a, b, new, days / DAYS_A_YEAR)
                for stage, a, b in zip(names, old, end, strict=True)
            )
    return matrix


def forecast_supposed(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    seen: Sequence[Row], unseen: Mapping[str, dt.date], date: dt.date,
) -> Ahead:  # fmt: skip
    """Enumerate the paths to ``date``, which is not before anything supposed."""
    emission = _likely(spec, p, supposed_cells(spec, rows, coverage, as_of, credibility, seen, unseen))
    known = steps(spec, as_of)
    paths, weights = _grown(initial(spec, p), [transition_matrix(spec, p, n) for n in known], emission)
    now = np.bincount(paths[:, -1], weights, minlength=emission.shape[1])
    until = max([as_of, *(row.date for row in seen), *unseen.values()])
    pieces = ahead_dates(spec, as_of, [until, date])
    likely = np.ones((len(pieces), emission.shape[1]))
    likely[: len(emission) - len(known)] = emission[len(known) :]
    paths, weights = _grown(now, [transition_matrix(spec, p, len(dates)) for dates in pieces], likely)
    total = weights.sum()
    return Ahead(spec, math.log(total) if total > 0 else -math.inf, paths, weights / total if total > 0 else weights)


def _forcing(spec: ModelSpec, forced: Mapping[str, str]) -> np.ndarray:
    """(K, K) where each joint state leads when stages are forced: a step with certainty."""
    states = joint_states(spec)
    matrix = np.zeros((len(states), len(states)))
    for i, z in enumerate(states):
        matrix[i, states.index(tuple(forced.get(stage, s) for stage, s in zip(spec.stages, z, strict=True)))] = 1.0
    return matrix


def forecast_forced(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    forced: Mapping[str, str], on: dt.date, date: dt.date, *, hold: bool = False,
) -> Ahead:  # fmt: skip
    """Enumerate the paths to ``date`` if stages are ``forced`` into states at the end of a day, and perhaps held."""
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1]
    free = [dates for dates in ahead_dates(spec, as_of, [on, date]) if dates[-1] <= on]
    after = [dates for dates in ahead_dates(spec, as_of, [on, date]) if dates[-1] > on]
    moves = [transition_matrix(spec, p, len(dates)) for dates in free]
    moves += [_forcing(spec, forced)]
    moves += [_held_matrix(spec, p, len(dates), forced if hold else ()) for dates in after]
    value = log_likelihood(spec, p, rows, coverage, as_of, credibility)
    return Ahead(spec, value, *_grown(now, moves))


def forecast_forced_after(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    forced: Mapping[str, str], outcome: States, condition: States, weeks: int, longest: int, *, hold: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Give what `forecast_after` does if stages are ``forced`` at ``as_of``; being forced is no beginning."""
    now = filtered(spec, p, rows, coverage, as_of, credibility)[-1] @ _forcing(spec, forced)
    wanted, given = np.array(_meets(spec, outcome)), np.array(_meets(spec, condition))
    held = forced if hold else ()
    elapsed = elapsed_days(spec, as_of)
    pieces = horizon_steps(spec, elapsed, 7 * longest)
    numerator = denominator = 0.0
    for k in range(1, len(pieces) + 1):
        paths, weights = _grown(now, [_held_matrix(spec, p, n, held) for n in pieces[:k]])
        begins = given[paths[:, 1:]] & ~given[paths[:, :-1]]
        first = begins[:, -1] & ~begins[:, :-1].any(axis=1)
        begun = np.bincount(paths[first, -1], weights[first], minlength=now.size)
        later = horizon_steps(spec, elapsed + sum(pieces[:k]), 7 * weeks)
        paths, weights = _grown(begun, [_held_matrix(spec, p, n, held) for n in later])
        numerator += float(weights[wanted[paths[:, -1]]].sum())
        denominator += float(begun.sum())
    return numerator, denominator


# Priors.


def _log_normal(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / INTERVAL_90


def log_prior(spec: ModelSpec, values: Mapping[str, Any]) -> float:
    """Sum the log densities of the parameters of docs/method.md, on their own scale, without Jacobians.

    ``values`` holds, in the order of the file: eta, delta, start_<stage> (over the states with weight, in the order
    of the stage's states), mu, log_sigma, z, zeta, increment (B_k), tau.
    """
    total = 0.0
    moves = [move for stage in spec.stages.values() for move in stage.transitions]
    effects = [effect for stage in spec.stages.values() for effect in stage.effects.values()]
    classes = list(spec.priors.classes.values())
    for name, intervals in (
        ("eta", [move.per_year for move in moves]),
        ("delta", [effect.times for effect in effects]),
        ("mu", [prior.per_year for prior in classes]),
        ("log_sigma", [prior.spread for prior in classes]),
    ):
        for value, interval in zip(np.atleast_1d(values[name]), intervals, strict=True):
            total += stats.norm.logpdf(value, *_log_normal(interval))
    for stage_name, stage in spec.stages.items():
        weights = [stage.start[s] for s in stage.states if s in stage.start]
        if len(weights) > 1:
            total += stats.dirichlet.logpdf(np.asarray(values[f"start_{stage_name}"]), weights)
    for name in ("z", "zeta"):
        assert len(values[name]) == len(spec.indicators)
        total += stats.norm.logpdf(values[name]).sum()
    c = spec.priors.grades.concentration
    assert len(values["increment"]) == 4
    total += stats.beta.logpdf(values["increment"], c, c).sum()
    return float(total + stats.halfnorm.logpdf(values["tau"], scale=spec.priors.departure.scale))


def derived(spec: ModelSpec, values: Mapping[str, Any]) -> Parameters:
    """Turn parameters on their own scale, laid out as for `log_prior`, into one draw by name."""
    moves = [(name, move.from_, move.to) for name, stage in spec.stages.items() for move in stage.transitions]
    effects = [(name, label) for name, stage in spec.stages.items() for label in stage.effects]
    start = {}
    for name, stage in spec.stages.items():
        weighted = [s for s in stage.states if s in stage.start]
        drawn = dict(zip(weighted, map(float, values[f"start_{name}"]), strict=True))
        start[name] = {s: drawn.get(s, 0.0) for s in stage.states}
    gamma, reached, below = {}, 0.0, 0.0
    grades = spec.priors.grades
    for k, grade in enumerate(("weak", "moderate", "strong", "decisive")):
        median = math.log(getattr(grades, grade))
        reached += 2 * (median - below) * float(values["increment"][k])
        gamma[grade], below = reached, median
    log_lambda = {}
    for i, (name, indicator) in enumerate(spec.indicators.items()):
        c = list(spec.priors.classes).index(indicator.class_)
        alpha = float(values["mu"][c]) + math.exp(float(values["log_sigma"][c])) * float(values["z"][i])
        beta = gamma[indicator.grade] * math.exp(float(values["tau"]) * float(values["zeta"][i]))
        for s in spec.stages[indicator.stage].states:
            log_lambda[name, s] = alpha + (beta if s in indicator.points_to else 0.0)
    return Parameters(
        log_rate=dict(zip(moves, map(float, values["eta"]), strict=True)),
        log_times=dict(zip(effects, map(float, values["delta"]), strict=True)),
        start=start,
        log_lambda=log_lambda,
    )
