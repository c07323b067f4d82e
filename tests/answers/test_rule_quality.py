"""How well rules follow their outcomes: against sums over all futures, and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import oracle
import pytest
from rule_sums import RULES, exact_parts, parameters_of, posterior_of, silent, world_spec

from forecast.answers import rule_quality as quality
from forecast.answers.rule_futures import Kept
from forecast.answers.rule_quality import Share, rule_quality
from forecast.theory.outcomes import Rule

PATHS = 20_000


def near(share: Share | None, part: float, whole: float) -> bool:
    """Whether a share lies within four standard errors of its exact value."""
    assert share is not None
    p = part / whole
    error = math.sqrt(max(p * (1 - p), 1e-4) / (PATHS * whole))
    if p * (1 - p) > 0.02:
        assert share.mcse == pytest.approx(error, rel=0.15)
    return abs(share.mean - p) <= 4 * error


@pytest.mark.parametrize("outcome", RULES)
@pytest.mark.parametrize("step_days", [1, 7])
def test_sensitivity_and_false_alarms_are_those_of_the_sum_over_all_futures(
    outcome: str, step_days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked two weeks after the start, so that windows are full; they are told apart where the rule says anything."""
    monkeypatch.setattr(quality, "LEAD", 2)
    spec = world_spec(step_days=step_days)
    p = parameters_of(spec, 4)
    only = spec.model_copy(update={"outcomes": {outcome: spec.outcomes[outcome]}})
    found = posterior_of(only, [p], [], size=2000)
    expected = exact_parts(only, p, oracle.initial(spec, p), outcome, {}, set(), lead=2)
    rows = rule_quality(found, paths=PATHS, seed=3).errors
    assert {(row.kind, row.horizon_weeks) for row in rows} == set(expected)
    for row in rows:
        truth = expected[row.kind, row.horizon_weeks]
        assert near(row.sensitivity, truth.both, truth.held), (row, truth)
        assert near(row.false_alarms, truth.met - truth.both, 1 - truth.held), (row, truth)
    assert any(0.05 < truth.both / truth.held < 0.95 for truth in expected.values())


def test_a_rule_that_only_its_outcome_meets_can_be_worked_out_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a state that never ends, λ a year for a week: sensitivity 1 − exp(−7 λ / 365.25), and no false alarm."""
    monkeypatch.setattr(quality, "LEAD", 1)
    spec = world_spec()
    p = silent(parameters_of(spec, 2))
    still = replace(
        p,
        log_lambda=p.log_lambda | {("shot", "tense"): math.log(60)},
        log_rate=dict.fromkeys(p.log_rate, -50.0),
    )
    rule = (Rule(stories=1, of=("shot",), within_weeks=1),)
    shots = spec.outcomes["shots"].model_copy(update={"states": {"near": ("tense",)}, "resolves": rule})
    calm = shots.model_copy(update={"states": {"near": ("calm",)}})
    found = posterior_of(spec.model_copy(update={"outcomes": {"shots": shots, "calm": calm}}), [still], [], size=2000)
    told = rule_quality(found, paths=PATHS, seed=1)
    errors = {(row.outcome, row.kind, row.horizon_weeks): row for row in told.errors}
    week = 1 - math.exp(-7 * 60 / 365.25)
    for weeks in (1, 2, 4):
        at = errors["shots", "at", weeks]
        assert at.sensitivity
        assert at.false_alarms
        assert at.sensitivity.mean == pytest.approx(week, abs=4 * at.sensitivity.mcse)
        assert (at.false_alarms.mean, at.false_alarms.mcse) == (0, 0)
        by = errors["shots", "by", weeks].sensitivity
        assert by
        assert by.mean == pytest.approx(1 - (1 - week) ** (weeks + 6 / 7), abs=4 * by.mcse)  # it reaches back six days
        wrong = errors["calm", "at", weeks]
        assert wrong.sensitivity == Share(0, 0)  # the other way round: met where it does not hold, never where it does
        assert wrong.false_alarms
        assert wrong.false_alarms.mean > 0.5
    for row in told.together:
        assert row.outcomes == ("shots", "calm")
        assert row.share == Share(1.0, 0.0)  # two rules of the same words are met together whenever one is
        assert row.both.mean > 0.1


def test_of_outcomes_that_can_hold_together_nothing_is_said() -> None:
    """Only pairs that exclude each other can contradict each other."""
    spec = world_spec()
    calm = spec.outcomes["shots"].model_copy(update={"states": {"near": ("calm",)}})
    only = spec.model_copy(update={"outcomes": {**{k: spec.outcomes[k] for k in ("shots", "unrest")}, "calm": calm}})
    told = rule_quality(posterior_of(only, [parameters_of(spec, 1)], [], size=200), paths=2000, seed=1)
    assert {row.outcomes for row in told.together} == {("shots", "calm"), ("unrest", "calm")}


def test_draws_count_by_their_weights_and_no_row_counts() -> None:
    """A draw of weight 0 is not asked; what is on file changes nothing, for the rules are asked and not the present."""
    spec = world_spec()
    loud, mute = parameters_of(spec, 1), silent(parameters_of(spec, 7))
    size = 1000
    weights = np.resize([1.0, 0.0], size) / (size / 2)
    both = posterior_of(spec, [loud, mute], [], size=size, weights=weights)
    alone = posterior_of(spec, [loud], [], size=size // 2)
    assert rule_quality(both, paths=2000, seed=1) == rule_quality(alone, paths=2000, seed=1)


def test_what_is_too_rare_has_no_share() -> None:
    """Where a condition is less likely than 1 % nothing is said."""
    kept = Kept(np.arange(40), None, np.full(40, 1 / 40), 1.0, 10)  # type: ignore[arg-type]
    rare = np.zeros(40)
    rare[0] = 3.0
    assert quality._share(kept, rare, rare) is None
    assert quality._share(kept, rare, rare + 1) is not None
