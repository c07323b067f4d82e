"""Another sampler's values of the reference model, and how far the package's own are from them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from arviz_stats.base import array_stats
from places import TESTS
from projects import AS_OF

from forecast.answers.target import Question
from forecast.inference.fit_files import load_arrays

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.inference.reweighting import Posterior

VALUES = TESTS / "reference" / "numpyro.json"


def errors(mean: float, mcse: float, there: dict[str, float]) -> float:
    """Give a difference in Monte Carlo standard errors of it."""
    return abs(mean - there["mean"]) / math.hypot(mcse, there["mcse"])


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
