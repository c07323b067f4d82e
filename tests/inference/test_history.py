"""A history in the PyMC model, in the draws before any report, and in draws that are moved to other priors."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from places import MODEL, ROOT
from spells import spell, toy_spec

from forecast.engine.blocks import Draws
from forecast.engine.history import history_log_likelihood
from forecast.engine.history_draws import history_log_likelihoods
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import compile_history
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.model import Model
from forecast.inference.pymc_model import build_model, plainly
from forecast.inference.reweighting import reweigh
from forecast.inference.sampler import Sampler
from forecast.inference.shifted_prior import PARAMETERS, Parameters, moved, parameter_names, parameters_of
from forecast.ledger.history import read_history
from forecast.studies.calibrate import study_spec
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from pathlib import Path

    import pymc as pm

AS_OF = dt.date(2024, 3, 1)
ROWS = (
    spell("calm|tense", "2010-01-04", "2015-03-02"),
    spell("open", "2015-03-02", "2015-07-06", conditions=(("backing", "given"),)),
    spell("calm|tense", "2015-07-06", "2020-01-06"),
    spell("calm|tense", "2012-01-02", "2020-01-06", unit="home"),
)


def value_of(model: pm.Model, name: str, point: dict[str, np.ndarray]) -> np.ndarray:
    """Let PyMC compute a variable of a model at a point."""
    how = {"inputs": model.value_vars, "mode": "FAST_COMPILE", "on_unused_input": "ignore"}
    with plainly():
        return model.compile_fn(*model.replace_rvs_by_values([model[name]]), **how)(point)


def test_it_stands_in_the_model_as_plain_variables() -> None:
    """Spread and offsets are free variables with named dims; the potential is the likelihood of the spells."""
    spec = toy_spec(*ROWS)
    space = StateSpace(spec)
    model = build_model(space, compile_evidence(space, (), AS_OF))
    assert {"unit_log_spread", "unit_offset"} <= {variable.name for variable in model.free_RVs}
    assert (model.coords["unit"], model.coords["history_stage"]) == (("mood.away", "mood.home"), ("mood",))
    history = compile_history(space)
    point = model.initial_point(0)
    value = value_of(model, "history", point)
    departure = np.exp(point["unit_log_spread"])[history.unit_stage] * point["unit_offset"]
    log_rate = point["transition_log_rate"][history.rate_transition] + departure[history.rate_unit]
    log_rate = log_rate + history.rate_effect @ point["effect_log_times"]
    assert value == pytest.approx(history_log_likelihood(history.spans, log_rate)[0], rel=1e-12)


def test_the_cascade_moves_at_the_rates_of_its_own_unit() -> None:
    """Every rate of the stage is higher by the departure of ``home``; those of the stage without units are not."""
    space = StateSpace(toy_spec(*ROWS))
    model = build_model(space, compile_evidence(space, (), AS_OF))
    point = model.initial_point(0) | {"unit_offset": np.array([0.4, -1.5])}
    found = value_of(model, "log_rate", point)
    plain = point["transition_log_rate"][space.rate_transition] + space.rate_effect @ point["effect_log_times"]
    own = np.array([name.startswith("mood") for name in space.rate_names])
    assert found - plain == pytest.approx(np.exp(point["unit_log_spread"][0]) * -1.5 * own, abs=1e-12)


def test_a_sampler_serves_other_histories_of_its_units() -> None:
    """Under another history the density is that which PyMC gives a model with it, at any point."""
    spec = study_spec()  # whose density other tests compile as well
    other = spec.with_history(spec.history[:-1])
    space, rng = StateSpace(spec), np.random.default_rng(8)
    evidence = compile_evidence(space, (), spec.model.start)
    sampler, own = Sampler(space, evidence), build_model(StateSpace(other), evidence)
    moved_to = sampler.under(compile_history(StateSpace(other)))
    start = own.initial_point(0)
    parts = {variable.name: rng.normal(0, 0.5, np.shape(start[variable.name])) for variable in own.value_vars}
    whole = np.concatenate([np.ravel(parts[name]) for name in sampler.value_names])
    value, gradient = moved_to.log_density(evidence, whole)
    with plainly():
        expected, slope = (compiled(mode="FAST_COMPILE")(parts) for compiled in (own.compile_logp, own.compile_dlogp))
    slopes = dict(zip(parts, np.split(slope, np.cumsum([part.size for part in parts.values()])[:-1]), strict=True))
    assert value == pytest.approx(expected, rel=1e-12)
    assert gradient == pytest.approx(np.concatenate([slopes[name] for name in sampler.value_names]), rel=1e-9)
    assert sampler.log_density(evidence, whole)[0] != pytest.approx(value)


def test_without_a_history_nothing_is_added() -> None:
    """A theory without spells has neither the variables nor the potential."""
    space = StateSpace(toy_spec())
    model = build_model(space, compile_evidence(space, (), AS_OF))
    assert "history" not in model.named_vars
    assert not any(name.startswith("unit_") for name in model.named_vars)
    assert parameter_names(space, compile_history(space)) == PARAMETERS


def test_moved_draws_weigh_what_the_history_gains() -> None:
    """Draws moved to another interval are weighed by reports and spells under the new rates, both exactly."""
    spec = toy_spec(*ROWS)
    space, rng, size = StateSpace(spec), np.random.default_rng(3), 200
    shapes = {
        "transition_log_rate": len(space.transitions), "effect_log_times": 1, "class_log_rate": 1,
        "grade_log_times": 4, "departure_scale": 1, "indicator_departure": 1, "unit_log_spread": 1, "unit_offset": 2,
    }  # fmt: skip
    arrays = {name: rng.normal(0, 0.5, (1, size, n)) for name, n in shapes.items()}
    parameters = parameters_of(arrays, space, compile_history(space))
    log_rate = arrays["transition_log_rate"][0][:, space.rate_transition]
    log_rate = log_rate + arrays["effect_log_times"][0] @ space.rate_effect.T
    start = np.tile([0.5, 0.5, 0.75, 0.25, 0.0], (size, 1))
    draws = Draws(log_rate, np.zeros((size, len(space.emission_names))), start)
    found = reweigh(Anchor(space, PRIOR, lambda: draws), compile_evidence(space, (), AS_OF))
    keys = ("stages.mood.transitions.tense>open", "stages.mood.effects.support")
    intervals = dict.fromkeys(keys, (0.5, 30.0))
    new = moved(found, parameters, (), intervals)
    history = compile_history(space)
    then = parameters.history_log_rate.copy()
    for key in keys:
        (mean, sd), (there, wider) = log_normal((1, 9) if "transitions" in key else (1.5, 4)), log_normal((0.5, 30.0))
        shift = there - mean + (parameters.values[key] - mean) * (wider / sd - 1)
        column = (
            history.rate_transition == space.transitions.index("mood.tense>open")
            if "transitions" in key
            else history.rate_effect[:, 0]
        )
        then += shift[:, None] * column
    gained = [
        history_log_likelihood(history.spans, b)[0] - history_log_likelihood(history.spans, a)[0]
        for a, b in zip(parameters.history_log_rate, then, strict=True)
    ]
    assert new.log_ratios == pytest.approx(np.array(gained), abs=1e-9)


def test_stages_of_a_history_gain_apart() -> None:
    """What a history gains by other rates is found from the stages that they are of, and is that of the whole."""
    spec = load_spec(MODEL)
    told = read_history(ROOT / "data" / spec.model.dataset / "history.csv", dt.date(2026, 1, 8))
    space, rng = StateSpace(spec.with_history(told)), np.random.default_rng(4)
    history = compile_history(space)
    assert len(history.stages) == 2
    log_rate = rng.normal(0, 0.5, (20, len(history.rate_unit)))
    parameters = Parameters({}, np.empty((20, 4)), np.empty((20, 0)), history, log_rate, np.empty((20, 0)))
    before = history_log_likelihoods(history.spans, log_rate)
    of_stage = history.unit_stage[history.rate_unit]
    for stages in ([0], [1], [0, 1]):
        shift = rng.normal(0, 0.3, log_rate.shape) * np.isin(of_stage, stages)
        whole = history_log_likelihoods(history.spans, log_rate + shift) - before
        assert parameters.history_gain(shift) == pytest.approx(whole, abs=1e-9)


@pytest.mark.slow
def test_draws_before_any_report_are_those_of_prior_times_history(tmp_path: Path) -> None:
    """NUTS without reports agrees with draws of the plain prior that are weighed by the likelihood of the spells."""
    spec = toy_spec(*ROWS)
    model = Model(spec)
    evidence = model.evidence((), AS_OF)
    anchor = model.prior(4000, tmp_path, evidence)
    assert 0.1 < anchor.efficiency <= 1
    rng, size = np.random.default_rng(5), 400_000
    space, history = model.space, model.history
    means, sds = np.array([log_normal(move.per_year) for stage in spec.stages.values() for move in stage.transitions]).T
    rates = rng.normal(means, sds, (size, len(means)))
    effect = rng.normal(*log_normal((1.5, 4)), (size, 1))
    spread = np.exp(rng.normal(*log_normal((0.2, 0.8)), (size, 1)))
    departure = spread * rng.normal(size=(size, 2))
    log_rates = rates[:, history.rate_transition] + effect @ history.rate_effect.T + departure[:, history.rate_unit]
    weights = np.array([history_log_likelihood(history.spans, row)[0] for row in log_rates])
    weights = np.exp(weights - weights.max())
    weights /= weights.sum()
    own = np.array([name.startswith("mood") for name in space.rate_names])
    direct = rates[:, space.rate_transition] + effect @ space.rate_effect.T + departure[:, [1]] * own
    mean = weights @ direct
    sd = np.sqrt(weights @ (direct - mean) ** 2)
    worth = 1 / np.sum(weights**2)
    found = anchor.blocks.draws.log_rate
    error = sd * np.sqrt(1 / worth + 1 / (found.shape[0] * anchor.efficiency))
    assert np.abs((found.mean(axis=0) - mean) / error).max() < 4
    assert found.std(axis=0) / sd == pytest.approx(np.ones(len(sd)), abs=0.06)
