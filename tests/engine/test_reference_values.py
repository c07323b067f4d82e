"""Likelihood, present states and forecasts at fixed parameters equal those of two public filters.

``tests/reference/make.py`` makes the values with dynamax and hmmlearn, without the package's engine.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import oracle
import pytest
from places import TESTS
from worlds import draws_of

from forecast.engine.filtering import evaluate
from forecast.engine.pareto import equal_weights
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence
    from forecast.theory.statespace import StateSpace

VALUES = TESTS / "reference" / "values.json"
SAME = 1e-8


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """Give what the public filters found."""
    return json.loads(VALUES.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ours(theirs: dict[str, Any], reference: StateSpace, reference_evidence: Evidence) -> Posterior:
    """Give the package's reading of the same parameters."""
    draws = draws_of(reference, [oracle.derived(reference.spec, point["parameters"]) for point in theirs["points"]])
    anchor = Anchor(reference, PRIOR, lambda: draws)
    found = evaluate(anchor.blocks, reference_evidence.cells)
    return Posterior(reference, reference_evidence, anchor, found, equal_weights(draws.size))


def test_the_values_are_of_this_model_and_evidence(theirs: dict[str, Any], ours: Posterior) -> None:
    """Whoever changes the model file or the rows makes them again; the points are no copies of each other."""
    assert theirs["model_hash"] == ours.space.spec.hash, "run tests/reference/make.py"
    assert theirs["evidence"] == ours.evidence.hash, "run tests/reference/make.py"
    assert np.ptp([point["log_likelihood"] for point in theirs["points"]]) > 1
    assert np.ptp([point["at"]["confrontation"] for point in theirs["points"]]) > 0.05


def test_the_likelihood_is_theirs(theirs: dict[str, Any], ours: Posterior) -> None:
    """Of all evidence up to the last day, whose step is not whole."""
    there = [point["log_likelihood"] for point in theirs["points"]]
    np.testing.assert_allclose(ours.evaluation.log_likelihood, there, rtol=SAME)


def test_the_present_states_are_theirs(theirs: dict[str, Any], ours: Posterior) -> None:
    """Each joint state, by name."""
    names = list(map("|".join, ours.space.joint_phases))
    there = [[point["filtered"][name] for name in names] for point in theirs["points"]]
    np.testing.assert_allclose(ours.evaluation.now, there, rtol=0, atol=SAME)


def test_the_forecasts_are_theirs(theirs: dict[str, Any], ours: Posterior) -> None:
    """Each outcome on the day, and reached by it."""
    answers, weeks = ours.answers, theirs["weeks"]
    places = {name[:4]: k for k, name in enumerate(answers.names)}
    for kind in ("at", "reached"):
        for name in ours.space.spec.outcomes:
            there = [point[kind][name] for point in theirs["points"]]
            here = answers.part[places[name, kind, None, weeks]]
            np.testing.assert_allclose(here, there, rtol=0, atol=SAME, err_msg=f"{name} {kind}")
