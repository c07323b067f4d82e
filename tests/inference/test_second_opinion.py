"""A fit of the reference model beside values from another sampler on a density written a second time.

``tests/reference/numpyro_nuts.py`` makes the values with NumPyro; it shares no code with the package but the cells.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from projects import AS_OF, NOW, fitted_once
from second_opinion import VALUES, errors, rates_apart, states_apart

import forecast
from forecast.answers.target import Question

if TYPE_CHECKING:
    from forecast.inference.reweighting import Posterior
    from forecast.quantities.forecast import Forecast

pytestmark = pytest.mark.slow  # statistical, and the values take a quarter of an hour to make
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


def test_the_values_are_of_this_model_and_evidence(theirs: dict[str, Any], ours: Posterior) -> None:
    """Whoever changes the model file or the rows makes them again."""
    assert theirs["model_hash"] == ours.space.spec.hash, "run tests/reference/numpyro_nuts.py"
    assert theirs["evidence"] == ours.evidence.hash, "run tests/reference/numpyro_nuts.py"
    assert theirs["diverging"] == 0


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
