"""What a report works out in short: every number lies within its error of the one by all draws and more paths."""

from __future__ import annotations

import math
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from projects import AS_OF, NOW, fitted_once

import forecast
from forecast.report.explanations import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

SURE = 4.0  # standard errors: of some thousand numbers hardly one is expected to lie further off
SHORT = {"forecast.answers.forecast.OF_PRIOR": 1000}  # half of those that are kept, as in a project
LONG = {
    "forecast.answers.forecast.FEW": None,  # draws that an assumption moves at first: all
    "forecast.answers.forecast.OF_PRIOR": 10**6,  # draws that say what would be so without evidence: all
    "forecast.answers.rule_probability.PATHS": 128_000,
    "forecast.answers.alarm.FUTURES": 8000,
}
VALUES = ("difference", "mean", "probability")  # of which the first that is there has the error called `mcse`


def numbers(node: Any, place: str = "") -> Iterator[tuple[str, tuple[float, float]]]:
    """List what has a Monte Carlo error: where it stands, the number and the error."""
    if isinstance(node, dict):
        for key, error in node.items():
            of = next(name for name in VALUES if name in node) if key == "mcse" else key.removesuffix("_mcse")
            if key.endswith("mcse") and of in node and error is not None:
                yield f"{place}.{of}", (node[of], error)
            yield from numbers(error, f"{place}.{key}")
    elif isinstance(node, list | tuple):
        for k, value in enumerate(node):
            yield from numbers(value, f"{place}.{k}")


@pytest.mark.slow
def test_every_number_of_a_report_lies_within_its_error_of_the_long_way() -> None:
    """Assumptions by some draws, priors by half of them, rules and alarm by some paths: as by all and many more."""
    asked = forecast.open(fitted_once()).update(as_of=AS_OF, now=NOW)
    found: list[dict[str, tuple[float, float]]] = []
    for changes in (SHORT, LONG):
        with ExitStack() as patched:
            for place, value in changes.items():
                patched.enter_context(mock.patch(place, value))
            anew = replace(asked)  # without the draws of the prior that the other way has kept
            found.append(dict(numbers(brief(anew, None, "never", {}))))
    short, long = found
    assert short.keys() == long.keys()
    assert len(short) > 500
    off = {
        place: abs(short[place][0] - long[place][0]) / max(math.hypot(short[place][1], long[place][1]), 1e-9)
        for place in short
    }
    assert {place: (size, short[place], long[place]) for place, size in off.items() if size > SURE} == {}
    assert max(off.values()) > 0.01, "the short way is the long one"
