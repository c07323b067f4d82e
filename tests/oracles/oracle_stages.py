"""One draw of the parameters: its prior, and how stages move under it; part of `oracle`.

Only the parsed model file is shared with the package; see docs/method.md.
"""
# ruff: noqa: PLR0913, PLR0917 - the arguments are the model, one draw and the ledger, as everywhere in the tests

from __future__ import annotations

import datetime as dt
import itertools
import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Stage, Transition


DAYS_A_YEAR = 365.25
INTERVAL_90 = 3.2897  # width of the standard normal's central 90 % interval, to the digits of the design


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
    """One phase of every stage, the last stage fastest; a state without phases is one."""
    return list(itertools.product(*(phases(stage) for stage in spec.stages.values())))


def phases(stage: Stage) -> list[str]:
    """List the phases of every state of a stage."""
    return [phase for state in stage.states for phase in stage.phases.get(state, (state,))]


def among(spec: ModelSpec, stage: str, phase: str, names: Sequence[str]) -> bool:
    """Whether a phase, or the state that it is a phase of, is named."""
    return phase in names or any(phase in spec.stages[stage].phases.get(name, ()) for name in names)


def initial(spec: ModelSpec, p: Parameters) -> np.ndarray:
    """Probability (K,) of each joint state at the beginning of step 0."""
    return np.array(
        [math.prod(p.start[stage][s] for stage, s in zip(spec.stages, z, strict=True)) for z in joint_states(spec)]
    )


def _leads(spec: ModelSpec, stage: str, move: Transition, a: str, b: str) -> bool:
    """Whether a transition leads from one phase to another: into the first phase of a state, out of any."""
    return among(spec, stage, a, [move.from_]) and b == spec.stages[stage].phases.get(move.to, (move.to,))[0]


def _start(stage: Stage) -> dict[str, float]:
    """Weights of the phases in which a stage can start, in the order of its phases."""
    first = {stage.phases.get(state, (state,))[0]: weight for state, weight in stage.start.items()}
    return {phase: first[phase] for phase in phases(stage) if phase in first}


def _rate(spec: ModelSpec, p: Parameters, stage: str, a: str, b: str, new: Mapping[str, str]) -> float:
    eta = next(
        p.log_rate[stage, move.from_, move.to]
        for move in spec.stages[stage].transitions
        if _leads(spec, stage, move, a, b)
    )
    for name, effect in spec.stages[stage].effects.items():
        on_this_move = among(spec, stage, a, [effect.from_]) and among(spec, stage, b, [effect.to])
        if on_this_move and all(among(spec, other, new[other], states) for other, states in effect.when.items()):
            eta += p.log_times[stage, name]
    return math.exp(eta)


def _move(spec: ModelSpec, p: Parameters, stage: str, a: str, b: str, new: Mapping[str, str], years: float) -> float:
    """Probability that ``stage`` is in ``b`` at the end of a step begun in ``a``; ``new`` is upstream, at the end."""
    rates = {
        to: _rate(spec, p, stage, a, to, new)
        for to in phases(spec.stages[stage])
        if any(_leads(spec, stage, move, a, to) for move in spec.stages[stage].transitions)
    }  # fmt: skip
    total = sum(rates.values())
    stay = math.exp(-years * total)
    if b == a:
        return stay
    if b not in rates:
        return 0.0
    return (1 - stay) * rates[b] / total


def transition_matrix(spec: ModelSpec, p: Parameters, days: int, held: Iterable[str] = ()) -> np.ndarray:
    """Transition probabilities (K, K) over a step of ``days`` days; rows are where it begins.

    The stages ``held`` do not move. Worked out once for each model and draw, which nobody changes.
    """
    key = id(spec), id(p), days, frozenset(held)
    if key not in _known:
        if len(_known) > MOST_KNOWN:
            _known.clear()
        matrix = _transitions(spec, p, days, frozenset(held))
        matrix.flags.writeable = False
        _known[key] = spec, p, matrix  # as long as these two are kept, no other has their numbers
    return _known[key][2]


MOST_KNOWN = 5000
_known: dict[tuple[int, int, int, frozenset[str]], tuple[ModelSpec, Parameters, np.ndarray]] = {}


def _transitions(spec: ModelSpec, p: Parameters, days: int, held: frozenset[str]) -> np.ndarray:
    states = joint_states(spec)

    @cache
    def moves(stage: str, a: str, b: str, end: tuple[str, ...]) -> float:
        if stage in held:
            return float(a == b)
        return _move(spec, p, stage, a, b, dict(zip(spec.stages, end, strict=True)), days / DAYS_A_YEAR)

    matrix = np.zeros((len(states), len(states)))
    for i, old in enumerate(states):
        for j, end in enumerate(states):
            probability = 1.0
            for stage, a, b in zip(spec.stages, old, end, strict=True):
                probability *= moves(stage, a, b, end)
            matrix[i, j] = probability
    return matrix


# Priors.


def _log_normal(interval: tuple[float, float]) -> tuple[float, float]:
    low, high = interval
    return (math.log(low) + math.log(high)) / 2, (math.log(high) - math.log(low)) / INTERVAL_90


def log_prior(spec: ModelSpec, values: Mapping[str, Any]) -> float:
    """Sum the log densities of the parameters of docs/method.md, on their own scale, without Jacobians.

    ``values`` holds, in the order of the file: eta, delta, start_<stage> (over the states with weight, in the order
    of the stage's states), mu, log_sigma, z, zeta, increment (B_k), tau, and kappa where the model has it.
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
        weights = list(_start(stage).values())
        if len(weights) > 1:
            total += stats.dirichlet.logpdf(np.asarray(values[f"start_{stage_name}"]), weights)
    for name in ("z", "zeta"):
        assert len(values[name]) == len(spec.indicators)
        total += stats.norm.logpdf(values[name]).sum()
    c = spec.priors.grades.concentration
    assert len(values["increment"]) == 4
    total += stats.beta.logpdf(values["increment"], c, c).sum()
    if spec.priors.diagnosticity is not None:
        mean, sd = _log_normal(spec.priors.diagnosticity.times)
        total += stats.lognorm.logpdf(values["kappa"], sd, scale=math.exp(mean))
    return float(total + stats.halfnorm.logpdf(values["tau"], scale=spec.priors.departure.scale))


def _indicators(spec: ModelSpec) -> list[tuple[str, int, str, dict[str, bool]]]:
    """Name, number of its class, grade, and which phases of its stage it points to: found once for each model."""
    if id(spec) not in _named:
        if len(_named) > MOST_KNOWN:
            _named.clear()
        classes = list(spec.priors.classes)
        _named[id(spec)] = spec, [
            (name, classes.index(row.class_), row.grade,
             {s: among(spec, row.stage, s, row.points_to) for s in phases(spec.stages[row.stage])})
            for name, row in spec.indicators.items()
        ]  # fmt: skip
    return _named[id(spec)][1]


_named: dict[int, tuple[ModelSpec, list[tuple[str, int, str, dict[str, bool]]]]] = {}


def derived(spec: ModelSpec, values: Mapping[str, Any]) -> Parameters:
    """Turn parameters on their own scale, laid out as for `log_prior`, into one draw by name."""
    moves = [(name, move.from_, move.to) for name, stage in spec.stages.items() for move in stage.transitions]
    effects = [(name, label) for name, stage in spec.stages.items() for label in stage.effects]
    start = {}
    for name, stage in spec.stages.items():
        drawn = dict(zip(_start(stage), map(float, values[f"start_{name}"]), strict=True))
        start[name] = {s: drawn.get(s, 0.0) for s in phases(stage)}
    gamma, reached, below = {}, 0.0, 0.0
    grades = spec.priors.grades
    for k, grade in enumerate(("weak", "moderate", "strong", "decisive")):
        median = math.log(getattr(grades, grade))
        reached += 2 * (median - below) * float(values["increment"][k])
        gamma[grade], below = reached, median
    log_lambda = {}
    for i, (name, c, grade, pointed) in enumerate(_indicators(spec)):
        alpha = float(values["mu"][c]) + math.exp(float(values["log_sigma"][c])) * float(values["z"][i])
        beta = gamma[grade] * math.exp(float(values["tau"]) * float(values["zeta"][i]))
        beta *= float(values.get("kappa", 1.0))
        for s, yes in pointed.items():
            log_lambda[name, s] = alpha + (beta if yes else 0.0)
    return Parameters(
        log_rate=dict(zip(moves, map(float, values["eta"]), strict=True)),
        log_times=dict(zip(effects, map(float, values["delta"]), strict=True)),
        start=start,
        log_lambda=log_lambda,
    )
