"""The probability that a rule is met as an exact sum over all futures, day by day."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from dataclasses import replace
from functools import cache
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
    from collections.abc import Callable, Sequence

    from forecast.answers.rule_probability import RuleProbability
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec

AS_OF = dt.date(2025, 3, 7)  # in the middle of a step
DAYS_A_YEAR = 365.25
WEEK = 7
NEGLIGIBLE = 1e-8  # the chance of what was seen until a day: not followed from there
UNHEARD_OF = 1e-11  # the chance of what was seen within a day: nothing more happens on it
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


class Seen(NamedTuple):
    """What was seen in some futures: one-offs that are closed, and ages of stories."""

    closed: frozenset[str]
    ages: tuple[tuple[int, ...], ...]  # for each of `sides` the latest stories, newest first, in days


type Futures = dict[Seen, np.ndarray]  # probabilities by joint state, whether ever met, whether the outcome ever held


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
    rates = {
        name: np.array([
            math.exp(p.log_lambda[name, here[spec.indicators[name].stage]]) / DAYS_A_YEAR
            for here in (dict(zip(spec.stages, state, strict=True)) for state in states)
        ])
        for name in named
    }  # fmt: skip
    ages = tuple(
        tuple(sorted(age for name in side.names for age in past.get(name, []))[: side.most]) for side in counted
    )
    if not recorded and any(rule.observable for rule in clauses):
        ages = tuple(() for _ in counted)
    begun = np.zeros((len(states), 2, 2))
    begun[:, 0, 0] = now
    futures = {Seen(frozenset(closed), ages): begun}
    within = np.array([inside(state, spec, outcome) for state in states])
    record = np.array([on_record(state, spec, outcome) for state in states])
    following = cache(lambda seen, name: after(seen, name, spec, counted))
    enough = cache(lambda seen: holds(seen, spec, outcome))
    answers = {}
    for day in range(1, WEEK * (lead + max(spec.model.horizons_weeks)) + 1):
        if (day - 1) % spec.model.step_days == 0:
            futures = {seen: np.tensordot(move.T, weights, 1) for seen, weights in futures.items()}
        if day == WEEK * lead + 1:
            futures = {seen: asked_anew(weights) for seen, weights in futures.items()}
        futures = aged(futures, [side.days for side in counted])
        futures = judged(happened(futures, following, rates), enough, record, within)
        week, over = divmod(day - WEEK * lead, WEEK)
        if not over and week in spec.model.horizons_weeks:
            total = sum(futures.values())
            assert total.sum() == pytest.approx(1, abs=1e-4)
            answers["by", week] = Exact(total[:, 1].sum(), total[:, :, 1].sum(), total[:, 1, 1].sum())
            met = sum(weights.sum(axis=(1, 2)) * record for seen, weights in futures.items() if enough(seen))
            held = total.sum(axis=(1, 2))[within]
            answers["at", week] = Exact(np.sum(met), held.sum(), np.sum(met * within))
    return answers


def asked_anew(weights: np.ndarray) -> np.ndarray:
    """Forget what was ever so: the window of a question begins."""
    found = np.zeros_like(weights)
    found[:, 0, 0] = weights.sum(axis=(1, 2))
    return found


def inside(state: tuple[str, ...], spec: ModelSpec, outcome: str) -> bool:
    """Whether a joint state belongs to the outcome."""
    here = dict(zip(spec.stages, state, strict=True))
    return all(here[stage] in states for stage, states in spec.outcomes[outcome].states.items())


def on_record(state: tuple[str, ...], spec: ModelSpec, outcome: str) -> bool:
    """Whether every stage that a rule wants on record is so in a joint state."""
    here = dict(zip(spec.stages, state, strict=True))
    named = [rule.observable for rule in spec.outcomes[outcome].resolves if rule.observable]
    return all(here[stage] in spec.stages[stage].observable for stage in named)


def aged(futures: Futures, windows: list[int]) -> Futures:
    """Let a day pass; stories too old for their clause are forgotten, and what is all but impossible is left out."""
    found: Futures = defaultdict(float)  # type: ignore[arg-type]
    for seen, weights in futures.items():
        if weights.sum() > NEGLIGIBLE:
            ages = zip(seen.ages, windows, strict=True)
            young = tuple(tuple(age + 1 for age in part if age + 1 < window) for part, window in ages)
            found[seen._replace(ages=young)] += weights
    return found


def happened(futures: Futures, following: Callable[[Seen, str], Seen], rates: dict[str, np.ndarray]) -> Futures:
    """Let the events of a day happen: e^−μ μ^k / k! of k, each of a kind in proportion to its rate."""
    total: Futures = defaultdict(float)  # type: ignore[arg-type]
    none = np.exp(-sum(rates.values()))[:, None, None]
    layer = {seen: weights * none for seen, weights in futures.items()}
    for k in range(1, MOST + 1):
        more: Futures = defaultdict(float)  # type: ignore[arg-type]
        for seen, weights in layer.items():
            total[seen] += weights
            if weights.sum() < UNHEARD_OF:
                continue
            for name, rate in rates.items():
                more[following(seen, name)] += weights * (rate / k)[:, None, None]
        layer = more
    return total


def after(seen: Seen, name: str, spec: ModelSpec, counted: list[Side]) -> Seen:
    """See one indicator."""
    if name in seen.closed:
        return seen
    closed = {other for other in seen.closed if spec.indicators[other].reset_by != name}
    if not spec.indicators[name].repeats:
        closed.add(name)
    ages = tuple(
        (0, *part)[: side.most] if name in side.names else part for side, part in zip(counted, seen.ages, strict=True)
    )
    return Seen(frozenset(closed), ages)


def holds(seen: Seen, spec: ModelSpec, outcome: str) -> bool:
    """Read the rule at the end of a day that is on record as it asks for."""
    counts = iter([len(part) for part in seen.ages])
    for rule in spec.outcomes[outcome].resolves:
        count = next(counts)
        other = next(counts) if rule.no_fewer_than else 0
        if not rule.observable and (count < rule.stories or count < other):
            return False
    return True


def judged(futures: Futures, enough: Callable[[Seen], bool], record: np.ndarray, within: np.ndarray) -> Futures:
    """Note the end of the day; without the record that a rule asks for, what was told is forgotten."""
    found: Futures = defaultdict(float)  # type: ignore[arg-type]
    for seen, weights in futures.items():
        noted = weights.copy()
        noted[within, :, 1] += noted[within, :, 0]
        noted[within, :, 0] = 0
        if enough(seen):
            noted[record, 1] += noted[record, 0]
            noted[record, 0] = 0
        found[seen] += noted * record[:, None, None]
        if not record.all():
            found[seen._replace(ages=tuple(() for _ in seen.ages))] += noted * ~record[:, None, None]
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
