"""A second implementation of docs/method.md: slow, literal and independent of the engine.

Only the parsed model file (`forecast.spec`) is shared. Hidden paths are enumerated, never filtered; days are
counted in sets; the ledger is replayed from its first row for every step. Rows are duck-typed.

Stages and priors are in `oracle_stages`, the ledger in `oracle_cells`; all of it is reached from here.
"""
# ruff: noqa: PLR0913, PLR0917 - the arguments are the model, one draw and the ledger, as everywhere in the tests

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from oracle_cells import (
    Assessment,
    Cell,
    Covered,
    Credibility,
    Record,
    Report,
    Row,
    Rows,
    Selective,
    Told,
    _count_stories,
    _covered_cells,
    _had,
    _records,
    _row_cells,
    _stage_of,
    _usable,
    cells,
    covered_days,
    emissions,
    enumerate_reports,
    likelihood,
)
from oracle_stages import (
    Parameters,
    among,
    derived,
    elapsed_days,
    horizon_steps,
    initial,
    joint_states,
    log_prior,
    step_dates,
    steps,
    transition_matrix,
)

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
    "among",
    "cells",
    "covered_days",
    "derived",
    "elapsed_days",
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
    "step_dates",
    "steps",
    "supposed_cells",
    "transition_matrix",
]

States = Mapping[str, Sequence[str]]


# Hidden paths.


def _grown(
    start: np.ndarray, moves: Sequence[np.ndarray], emission: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Enumerate all paths that are possible, (N, T + 1), with their weights: P(path), times the likelihood if given."""
    size = start.size
    paths, weights = np.arange(size)[:, None], start
    for t, matrix in enumerate(moves):
        likely = 1.0 if emission is None else emission[t]
        weights = (weights[:, None] * matrix[paths[:, -1]] * likely).ravel()
        paths = np.column_stack([np.repeat(paths, size, axis=0), np.tile(np.arange(size), len(paths))])
        paths, weights = paths[weights > 0], weights[weights > 0]
    return paths, weights


def _chain(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    moves = [transition_matrix(spec, p, days) for days in steps(spec, as_of)]
    return initial(spec, p), moves, emissions(spec, p, rows, coverage, as_of, credibility)


def log_likelihood(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> float:
    """Log of the sum over all hidden paths; minus infinity if none agrees with the evidence."""
    total = math.fsum(_grown(*_chain(spec, p, rows, coverage, as_of, credibility))[1])
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
        paths, weights = _grown(start, moves[: t + 1], emission[: t + 1])
        result[t] = _normalised(np.bincount(paths[:, -1], weights, minlength=start.size))
    return result


def _filtered_now(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """Give the last of `filtered`: the states at ``as_of``."""
    start, moves, emission = _chain(spec, p, rows, coverage, as_of, credibility)
    paths, weights = _grown(start, moves, emission)
    return _normalised(np.bincount(paths[:, -1], weights, minlength=start.size))


def smoothed(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility
) -> np.ndarray:
    """P(z_t | all cells) (T, K); NaN where the evidence is impossible."""
    start, moves, emission = _chain(spec, p, rows, coverage, as_of, credibility)
    result = np.zeros_like(emission)
    paths, weights = _grown(start, moves, emission)
    for t in range(len(moves)):
        result[t] = np.bincount(paths[:, t + 1], weights, minlength=start.size)
    return np.array([_normalised(row) for row in result])


# Forecasts: sums over all future paths from the filtered probabilities at ``as_of``.


def _meets(spec: ModelSpec, states: States) -> list[bool]:
    return [
        all(among(spec, stage, z[list(spec.stages).index(stage)], allowed) for stage, allowed in states.items())
        for z in joint_states(spec)
    ]


def _future(spec: ModelSpec, p: Parameters, now: np.ndarray, elapsed: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Enumerate paths z_now, z_1, … over the next ``days`` days, with their probabilities."""
    return _grown(now, [transition_matrix(spec, p, n) for n in horizon_steps(spec, elapsed, days)])


def forecast_at(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    states: States, weeks: int,
) -> float:  # fmt: skip
    """P(outcome ``weeks`` weeks after ``as_of``)."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility)
    inside = np.array(_meets(spec, states))
    paths, weights = _future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks)
    return math.fsum(weights[inside[paths[:, -1]]])


def forecast_reached(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    states: States, weeks: int,
) -> tuple[float, float]:  # fmt: skip
    """Give (already, reached): P(in it now), and P(not in it now and in it at the end of some later step)."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility)
    inside = np.array(_meets(spec, states))
    paths, weights = _future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks)
    reached = ~inside[paths[:, 0]] & inside[paths[:, 1:]].any(axis=1)
    return math.fsum(now[inside]), math.fsum(weights[reached])


def forecast_given(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    outcome: States, condition: States, weeks: int, *, negated: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Give (P(outcome and condition), P(condition)) at the horizon; ``negated`` is for "given no condition"."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility)
    wanted, given = np.array(_meets(spec, outcome)), np.array(_meets(spec, condition)) != negated
    paths, weights = _future(spec, p, now, elapsed_days(spec, as_of), 7 * weeks)
    last = paths[:, -1]
    return math.fsum(weights[given[last] & wanted[last]]), math.fsum(weights[given[last]])


def forecast_after(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    outcome: States, condition: States, weeks: int, longest: int,
) -> tuple[float, float]:  # fmt: skip
    """Give (P(condition begins within ``longest`` weeks, outcome ``weeks`` weeks later), P(it begins))."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility)
    return _after(spec, p, now, elapsed_days(spec, as_of), outcome, condition, weeks, longest)


def _after(
    spec: ModelSpec, p: Parameters, now: np.ndarray, elapsed: int, outcome: States, condition: States, weeks: int,
    longest: int, held: Iterable[str] = (),
) -> tuple[float, float]:  # fmt: skip
    """Give what `forecast_after` does from the states ``now``, while the stages ``held`` do not move.

    For every future step: all paths whose first beginning is at that step's end, each continued by all paths over
    the following ``weeks`` weeks, which keep to the grid of the model.
    """
    wanted, given = np.array(_meets(spec, outcome)), np.array(_meets(spec, condition))
    pieces = horizon_steps(spec, elapsed, 7 * longest)
    numerator = denominator = 0.0
    for k in range(1, len(pieces) + 1):
        paths, weights = _grown(now, [transition_matrix(spec, p, n, held) for n in pieces[:k]])
        begins = given[paths[:, 1:]] & ~given[paths[:, :-1]]
        first = begins[:, -1] & ~begins[:, :-1].any(axis=1)
        begun = np.bincount(paths[first, -1], weights[first], minlength=now.size)
        later = horizon_steps(spec, elapsed + sum(pieces[:k]), 7 * weeks)
        paths, weights = _grown(begun, [transition_matrix(spec, p, n, held) for n in later])
        numerator += float(weights[wanted[paths[:, -1]]].sum())
        denominator += float(begun.sum())
    return numerator, denominator


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
            day = as_of + dt.timedelta(days=k + 1)
            for name in spec.indicators:
                if unseen_name == name or (unseen_name == "*" and _had(spec, name, day)):
                    watched[name].add(day)
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
    """(K, K) where each joint state leads when stages are forced, into their first phase: a step with certainty."""

    def after(stage: str, phase: str) -> str:
        if stage not in forced or among(spec, stage, phase, [forced[stage]]):
            return phase
        return spec.stages[stage].phases.get(forced[stage], (forced[stage],))[0]

    states = joint_states(spec)
    matrix = np.zeros((len(states), len(states)))
    for i, z in enumerate(states):
        matrix[i, states.index(tuple(after(stage, s) for stage, s in zip(spec.stages, z, strict=True)))] = 1.0
    return matrix


def forecast_forced(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    forced: Mapping[str, str], on: dt.date, date: dt.date, *, hold: bool = False,
) -> Ahead:  # fmt: skip
    """Enumerate the paths to ``date`` if stages are ``forced`` into states at the end of a day, and perhaps held."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility)
    free = [dates for dates in ahead_dates(spec, as_of, [on, date]) if dates[-1] <= on]
    after = [dates for dates in ahead_dates(spec, as_of, [on, date]) if dates[-1] > on]
    moves = [transition_matrix(spec, p, len(dates)) for dates in free]
    moves += [_forcing(spec, forced)]
    moves += [transition_matrix(spec, p, len(dates), forced if hold else ()) for dates in after]
    value = log_likelihood(spec, p, rows, coverage, as_of, credibility)
    return Ahead(spec, value, *_grown(now, moves))


def forecast_forced_after(
    spec: ModelSpec, p: Parameters, rows: Rows, coverage: Rows, as_of: dt.date, credibility: Credibility,
    forced: Mapping[str, str], outcome: States, condition: States, weeks: int, longest: int, *, hold: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Give what `forecast_after` does if stages are ``forced`` at ``as_of``; being forced is no beginning."""
    now = _filtered_now(spec, p, rows, coverage, as_of, credibility) @ _forcing(spec, forced)
    held = tuple(forced) if hold else ()
    return _after(spec, p, now, elapsed_days(spec, as_of), outcome, condition, weeks, longest, held)
