"""A fit of the reference model beside values from another sampler on a density written a second time.

``tests/reference/numpyro_nuts.py`` makes the values with NumPyro; it shares no code with the package but the cells.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from arviz_stats.base import array_stats
from places import TESTS
from projects import AS_OF, NOW, fitted_once

import forecast
from forecast.answers.target import Question
from forecast.inference.fit_files import load_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.inference.reweighting import Posterior
    from forecast.quantities.forecast import Forecast

VALUES = TESTS / "reference" / "numpyro.json"
MANY_ERRORS = 4.5  # one false alarm in some 3,000 runs over all that is compared


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """Give what the other sampler found."""
    return json.loads(VALUES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def result() -> Forecast:
    """Give the forecast from the package's own fit to the same evidence."""
    return forecast.open(fitted_once()).update("russia_azerbaijan", as_of=AS_OF, now=NOW, refit="never")


@pytest.fixture(scope="module")
def ours(result: Forecast) -> Posterior:
    """Give the draws behind it."""
    found = result.posterior
    assert found.weights.k_hat is None, "nothing is reweighted"
    return found


def errors(mean: float, mcse: float, there: dict[str, float]) -> float:
    """Give a difference in Monte Carlo standard errors of it."""
    return abs(mean - there["mean"]) / math.hypot(mcse, there["mcse"])


def test_the_values_are_of_this_model_and_evidence(theirs: dict[str, Any], ours: Posterior) -> None:
    """Whoever changes the model file or the rows makes them again."""
    assert theirs["model_hash"] == ours.space.spec.hash, "run tests/reference/numpyro_nuts.py"
    assert theirs["evidence"] == ours.evidence.hash, "run tests/reference/numpyro_nuts.py"
    assert theirs["diverging"] == 0


def rates_apart(theirs: dict[str, Any], ours: Posterior, fits: Path) -> dict[str, float]:
    """Differences of every transition's mean log rate, in Monte Carlo standard errors; ``fits`` holds the fit."""
    rates = load_arrays(fits / f"{ours.anchor.name}.nc", ("transition_log_rate",))["transition_log_rate"]
    assert list(theirs["transitions"]) == list(ours.space.transitions)
    found = {}
    for k, (name, there) in enumerate(theirs["transitions"].items()):
        chains = rates[:, :, k]
        mcse = float(chains.std() / np.sqrt(array_stats.ess(chains)))
        found[name] = errors(float(chains.mean()), mcse, there)
    return found


def states_apart(theirs: dict[str, Any], ours: Posterior) -> dict[str, float]:
    """Differences of every state's probability, in Monte Carlo standard errors, now and at three horizons."""
    space, found = ours.space, dict[str, float]()
    for weeks in (4, 26, 52):
        question = Question(space, "confrontation", weeks, AS_OF, stages=True)
        reading = question.ask(ours)
        for name, part in zip(question.names[1:], reading.part[1:], strict=True):
            there = theirs["states"][f"{name} after {weeks} weeks"]
            mean = float(part @ reading.weights.values)
            mcse = float(part.std() / math.sqrt(part.size * ours.anchor.efficiency))
            found[f"{name} after {weeks} weeks"] = errors(mean, mcse, there)
            assert mean == pytest.approx(there["mean"], abs=0.015)
    now = ours.evaluation.now
    now /= now.sum(axis=1, keepdims=True)
    for name in space.stage_states:
        stage, state = name.split(".")
        part = now[:, space.members({stage: (state,)})].sum(axis=1)
        there = theirs["states"][f"{name} after 0 weeks"]
        if there["mean"] < 1e-12:  # what nobody can be in is 0 for both
            assert part.max() < 1e-12
            continue
        mcse = float(part.std() / math.sqrt(part.size * ours.anchor.efficiency))
        found[name] = errors(float(part.mean()), mcse, there)
    return found


def test_rates_agree(theirs: dict[str, Any], ours: Posterior) -> None:
    """Posterior means of every transition's log rate."""
    (fits,) = fitted_once().glob("data/*/fits")
    found = rates_apart(theirs, ours, fits)
    assert len(found) == len(ours.space.transitions)
    assert max(found.values()) < MANY_ERRORS


def test_forecasts_agree(theirs: dict[str, Any], ours: Posterior) -> None:
    """Every state of every stage, now and at three horizons; what nobody can be in is 0 for both."""
    found = states_apart(theirs, ours)
    assert 3 * len(ours.space.stage_states) < len(found) <= 4 * len(ours.space.stage_states)
    assert max(found.values()) < MANY_ERRORS, max(found, key=lambda name: found[name])


def test_a_wrong_forecast_would_be_seen(theirs: dict[str, Any], ours: Posterior) -> None:
    """What is asked about another week differs by more than the errors allow."""
    question = Question(ours.space, "confrontation", 13, AS_OF, stages=True)
    part = question.ask(ours).part[question.names.index("peace.advancing")]
    mcse = float(part.std() / math.sqrt(part.size * ours.anchor.efficiency))
    assert errors(float(part.mean()), mcse, theirs["states"]["peace.advancing after 4 weeks"]) > MANY_ERRORS
