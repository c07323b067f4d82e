"""The probability that a rule is met as an exact sum over all futures, day by day."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import oracle
import pytest
from small_models import BASIS, tiny_spec
from worlds import draw_values, draws_of

from forecast.answers.rule_probability import rule_probabilities
from forecast.engine.blocks import Draws
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import Weights, equal_weights
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.ledger.rows import Observation
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.answers.rule_probability import RuleProbability
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec

AS_OF = dt.date(2025, 3, 7)  # in the middle of a step
DAYS_A_YEAR = 365.25
WEEK = 7
NEGLIGIBLE = 1e-8
MOST = 7  # events of one day that the exact sum follows
RULES = {
    "shots": '[{ stories = 1, of = ["shot"], within_weeks = 1 }]',
    "unrest": '[{ stories = 2, of = ["march", "shot"], within_weeks = 1 }]',
    "pacts": '[{ stories = 1, of = ["pact"], within_weeks = 2 }]',
    "floods": '[{ observable = "far" }, { stories = 1, of = ["flood"], within_weeks = 2 }]',
    "both": '[{ stories = 1, of = ["march", "flood"], within_weeks = 1 }, '
    '{ stories = 2, of = ["shot", "march"], within_weeks = 1 }]',
}


def world_spec(*, step_days: int = 7, chain: bool = False) -> ModelSpec:
    """Give the tiny model with more to be seen, an observable stage, a one-off that is reset, and several rules.

    In a ``chain`` what resets it is itself a one-off.
    """
    outcome = 'states = { near = ["tense"] }\nresolution = "By rule."\nsources = ["somebody"]\nfrozen = 2025-01-01'
    outcomes = [
        f'[outcomes.{name}]\nlabel = "{name}"\n{outcome}\nresolves = {text}\n{BASIS}\n' for name, text in RULES.items()
    ]
    return tiny_spec(
        more=("[priors.classes.news]", "\n".join(outcomes) + "[priors.classes.news]"),
        busy=("per_year = [3, 12]\nspread", "per_year = [10, 30]\nspread"),
        record=('states = ["low", "high"]', 'states = ["low", "high"]\nobservable = ["high"]'),
        start=("start = { low = 1, high = 1 }", "start = { low = 1 }"),
        reset=("repeats = false,", 'repeats = false, reset_by = "march",'),
        clock=("step_days = 7", f"step_days = {step_days}"),
        chain=('grade = "moderate",', 'grade = "moderate",' + chain * ' repeats = false, reset_by = "shot",'),
    )


def sighting(indicator: str, date: dt.date, grade: str = "A1", **more: Any) -> Observation:
    """Make a row."""
    values = {"id": f"{indicator}-{date}", "reported_on": date, "source": "us"} | more
    return Observation(indicator=indicator, date=date, grade=grade, **values)


def posterior_of(  # noqa: PLR0913 - what a posterior is
    spec: ModelSpec, parameters: Sequence[oracle.Parameters], entries: Sequence[Entry], *, size: int,
    weights: np.ndarray | None = None, efficiency: float = 1.0,
) -> Posterior:  # fmt: skip
    """Repeat a few draws in turn, so that there are ``size`` of them."""
    space = StateSpace(spec)
    few = draws_of(space, parameters)
    draws = Draws(*(np.resize(part, (size, part.shape[1])) for part in few))
    anchor = Anchor(space, PRIOR, lambda: draws, efficiency=efficiency)
    evidence = compile_evidence(space, entries, AS_OF)
    given = equal_weights(size) if weights is None else Weights(weights, None)
    return Posterior(space, evidence, anchor, evaluate(anchor.blocks, evidence.cells), given)


def parameters_of(spec: ModelSpec, seed: int) -> oracle.Parameters:
    """Draw near the prior; nothing happens so often that the exact sum would lose events."""
    p = oracle.derived(spec, draw_values(spec, np.random.default_rng(seed)))
    return replace(p, log_lambda={name: min(rate, math.log(40)) for name, rate in p.log_lambda.items()})


def silent(p: oracle.Parameters) -> oracle.Parameters:
    """Give a world in which nothing happens that could be seen."""
    return replace(p, log_lambda=dict.fromkeys(p.log_lambda, -40.0))


class Now(NamedTuple):
    """Where a future stands: joint state, one-offs that are closed, ages of stories, ever met, outcome ever held."""

    joint: int
    closed: frozenset[str]
    ages: tuple[tuple[int, ...], ...]  # for each of `sides` the latest stories, newest first, in days
    ever: bool
    held: bool


class Exact(NamedTuple):
    """Probabilities that a rule is met, that its outcome holds, and both."""

    met: float
    held: float
    both: float


class Side(NamedTuple):
    """What a clause counts, or compares with what it counts: indicators, at most so many stories, in so many days."""

    names: tuple[str, ...]
    most: int | None
    days: int


def sides(spec: ModelSpec, outcome: str) -> list[Side]:
    """List the sides of every clause in turn: one, and another where stories are compared, which counts all."""
    found: list[Side] = []
    for rule in spec.outcomes[outcome].resolves:
        days = WEEK * (rule.within_weeks or 0)
        found.append(Side(rule.of, None if rule.no_fewer_than else rule.stories, days))
        found += [Side(rule.no_fewer_than, None, days)] if rule.no_fewer_than else []
    return found


def exact(  # noqa: PLR0913, PLR0917 - what a future depends on
    spec: ModelSpec, p: oracle.Parameters, now: np.ndarray, outcome: str, past: dict[str, list[int]], closed: set[str]
) -> dict[tuple[str, int], float]:
    """Probability of the rule at, and by, each horizon; ``past`` holds ages of stories by indicator."""
    return {key: found.met for key, found in exact_parts(spec, p, now, outcome, past, closed).items()}


def exact_parts(  # noqa: PLR0913, PLR0917 - what a future depends on
    spec: ModelSpec, p: oracle.Parameters, now: np.ndarray, outcome: str, past: dict[str, list[int]], closed: set[str],
    *, recorded: bool = False, lead: int = 0,
) -> dict[tuple[str, int], Exact]:  # fmt: skip
    """Give the rule and its outcome at, and by, each horizon, counted from ``lead`` weeks after what is ``now``.

    ``past`` holds ages of stories by indicator; with a record that the rule asks for, those since it was ``recorded``.
    """
    clauses = spec.outcomes[outcome].resolves
    states = oracle.joint_states(spec)
    move = oracle.transition_matrix(spec, p, spec.model.step_days)
    counted = sides(spec, outcome)
    named = sorted({name for side in counted for name in side.names})
    for name in named:  # grows on the way
        reset = spec.indicators[name].reset_by
        named += [reset] if reset and reset not in named else []
    ages = tuple(
        tuple(sorted(age for name in side.names for age in past.get(name, []))[: side.most]) for side in counted
    )
    if not recorded and any(rule.observable for rule in clauses):
        ages = tuple(() for _ in counted)
    futures = {
        Now(z, frozenset(closed), ages, ever=False, held=False): float(weight) for z, weight in enumerate(now) if weight
    }
    answers = {}
    for day in range(1, WEEK * (lead + max(spec.model.horizons_weeks)) + 1):
        if (day - 1) % spec.model.step_days == 0:
            futures = moved(futures, move)
        if day == WEEK * lead + 1:
            futures = asked_anew(futures)
        futures = aged(futures, [side.days for side in counted])
        rates = [
            {name: math.exp(p.log_lambda[name, here[spec.indicators[name].stage]]) / DAYS_A_YEAR for name in named}
            for here in (dict(zip(spec.stages, state, strict=True)) for state in states)
        ]
        futures = judged(happened(futures, spec, outcome, rates), spec, outcome, states)
        week, over = divmod(day - WEEK * lead, WEEK)
        if not over and week in spec.model.horizons_weeks:
            assert sum(futures.values()) == pytest.approx(1, abs=1e-4)
            at = [
                (w, holds(one, spec, outcome, states), inside(states[one.joint], spec, outcome))
                for one, w in futures.items()
            ]
            answers["by", week] = _summed((w, one.ever, one.held) for one, w in futures.items())
            answers["at", week] = _summed(at)
    return answers


def asked_anew(futures: dict[Now, float]) -> dict[Now, float]:
    """Forget what was ever so: the window of a question begins."""
    found: dict[Now, float] = defaultdict(float)
    for one, weight in futures.items():
        found[one._replace(ever=False, held=False)] += weight
    return found


def _summed(parts: Iterable[tuple[float, bool, bool]]) -> Exact:
    parts = list(parts)
    return Exact(
        sum(w for w, met, _ in parts if met),
        sum(w for w, _, held in parts if held),
        sum(w for w, met, held in parts if met and held),
    )


def inside(state: tuple[str, ...], spec: ModelSpec, outcome: str) -> bool:
    """Whether a joint state belongs to the outcome."""
    here = dict(zip(spec.stages, state, strict=True))
    return all(here[stage] in states for stage, states in spec.outcomes[outcome].states.items())


def on_record(state: tuple[str, ...], spec: ModelSpec, outcome: str) -> bool:
    """Whether every stage that a rule wants on record is so in a joint state."""
    here = dict(zip(spec.stages, state, strict=True))
    named = [rule.observable for rule in spec.outcomes[outcome].resolves if rule.observable]
    return all(here[stage] in spec.stages[stage].observable for stage in named)


def moved(futures: dict[Now, float], move: np.ndarray) -> dict[Now, float]:
    """Take a step of the chain."""
    found: dict[Now, float] = defaultdict(float)
    for one, weight in futures.items():
        for z, share in enumerate(move[one.joint]):
            found[one._replace(joint=z)] += weight * share
    return found


def aged(futures: dict[Now, float], windows: list[int]) -> dict[Now, float]:
    """Let a day pass; stories too old for their clause are forgotten, and what is all but impossible is left out."""
    found: dict[Now, float] = defaultdict(float)
    for one, weight in futures.items():
        if weight > NEGLIGIBLE:
            ages = zip(one.ages, windows, strict=True)
            young = tuple(tuple(age + 1 for age in part if age + 1 < window) for part, window in ages)
            found[one._replace(ages=young)] += weight
    return found


def happened(
    futures: dict[Now, float], spec: ModelSpec, outcome: str, rates: list[dict[str, float]]
) -> dict[Now, float]:
    """Let the events of a day happen: e^−μ μ^k / k! of k, each of a kind in proportion to its rate."""
    total: dict[Now, float] = defaultdict(float)
    layer = {one: weight * math.exp(-sum(rates[one.joint].values())) for one, weight in futures.items()}
    for k in range(1, MOST + 1):
        following: dict[Now, float] = defaultdict(float)
        for one, weight in layer.items():
            total[one] += weight
            for name, rate in rates[one.joint].items():
                following[after(one, name, spec, outcome)] += weight * rate / k
        layer = following
    return total


def after(one: Now, name: str, spec: ModelSpec, outcome: str) -> Now:
    """See one indicator."""
    if name in one.closed:
        return one
    closed = {other for other in one.closed if spec.indicators[other].reset_by != name}
    if not spec.indicators[name].repeats:
        closed.add(name)
    ages = tuple(
        (0, *part)[: side.most] if name in side.names else part
        for side, part in zip(sides(spec, outcome), one.ages, strict=True)
    )
    return one._replace(closed=frozenset(closed), ages=ages)


def holds(one: Now, spec: ModelSpec, outcome: str, states: list[tuple[str, ...]]) -> bool:
    """Read the rule at the end of a day."""
    counts = iter([len(part) for part in one.ages])
    for rule in spec.outcomes[outcome].resolves:
        count = next(counts)
        other = next(counts) if rule.no_fewer_than else 0
        if not rule.observable and (count < rule.stories or count < other):
            return False
    return on_record(states[one.joint], spec, outcome)


def judged(futures: dict[Now, float], spec: ModelSpec, outcome: str, states: list[tuple[str, ...]]) -> dict[Now, float]:
    """Note the end of the day; without the record that a rule asks for, what was told is forgotten."""
    found: dict[Now, float] = defaultdict(float)
    for one, weight in futures.items():
        ages = one.ages if on_record(states[one.joint], spec, outcome) else tuple(() for _ in one.ages)
        held = one.held or inside(states[one.joint], spec, outcome)
        found[one._replace(ages=ages, ever=one.ever or holds(one, spec, outcome, states), held=held)] += weight
    return found


DAY = dt.timedelta(days=1)
SCENES: dict[str, tuple[int, int, dict[str, list[int]], set[str]]] = {
    # seed, days of a step, ages of what was seen, one-offs that are closed
    "nothing known": (1, 7, {}, set()),
    "stories in the window": (2, 7, {"shot": [3, 30], "flood": [10]}, set()),
    "one-off closed": (3, 7, {"pact": [9]}, {"pact"}),
    "one-off opened again": (4, 7, {"pact": [12], "march": [5]}, set()),
    "daily steps": (5, 1, {"march": [2], "flood": [1]}, set()),
}


def compared(scene: str, outcome: str) -> list[tuple[RuleProbability, Exact]]:
    """Simulate a scene whose draws are all alike; beside each probability its exact parts."""
    seed, step_days, past, closed = SCENES[scene]
    spec = world_spec(step_days=step_days)
    p = parameters_of(spec, seed)
    entries = [sighting(name, AS_OF - age * DAY) for name, ages in past.items() for age in ages]
    only = spec.model_copy(update={"outcomes": {outcome: spec.outcomes[outcome]}})
    found = posterior_of(only, [p], entries, size=2000)
    expected = exact_parts(only, p, found.evaluation.now[0], outcome, past, closed)
    rows = rule_probabilities(found, entries, seed=seed)
    assert {(row.kind, row.horizon_weeks) for row in rows} == set(expected)
    return [(row, expected[row.kind, row.horizon_weeks]) for row in rows]
