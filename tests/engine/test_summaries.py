"""Means, intervals and errors of weighted quantities, against sorting all draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from forecast.engine.summaries import difference_errors, summaries

if TYPE_CHECKING:
    from collections.abc import Callable

ENDS = (0.05, 0.95)


class Weighted(NamedTuple):
    """Values of Q quantities under S draws, and the weights of the draws."""

    part: np.ndarray
    whole: np.ndarray
    weights: np.ndarray


def by_sorting(given: Weighted, copies: int = 1) -> np.ndarray:
    """Give what `summaries` gives, by numpy and a sort of each row."""
    part, whole, weights = given
    total = whole @ weights
    mean = part @ weights / total
    moved = weights * (part - mean[:, None] * whole) / total[:, None]
    error = np.sqrt(np.square(moved.reshape(len(part), copies, -1).sum(axis=1)).sum(axis=1))
    rows = []
    for p, w, t in zip(part, whole, total, strict=True):
        each = np.divide(p, w, out=np.zeros_like(p), where=w > 0)
        order = np.argsort(each, kind="stable")
        heavy = (w * weights / t)[order]
        rows.append(np.interp(ENDS, np.cumsum(heavy) - heavy / 2, each[order]))
    return np.column_stack([mean, np.array(rows), error])


def drawn(rng: np.random.Generator, size: int = 999, *, rows: int = 30) -> Weighted:
    """Draw shares of parts of different shapes, with weights of different sizes."""
    whole = rng.random((rows, size))
    part = whole * rng.beta(rng.uniform(0.05, 3.0, (rows, 1)), rng.uniform(0.05, 3.0, (rows, 1)), (rows, size))
    return Weighted(part, whole, rng.dirichlet(np.full(size, 0.3)))


def excluding(given: Weighted) -> Weighted:
    """Make the condition impossible under most draws."""
    held = given.whole > 0.7
    return given._replace(part=given.part * held, whole=given.whole * held)


CASES: dict[str, Callable[[np.random.Generator], Weighted]] = {
    "ratios": drawn,
    "probabilities": lambda rng: Weighted(rng.random((40, 512)), np.ones((40, 512)), np.full(512, 1 / 512)),
    "few draws": lambda rng: drawn(rng, 3),
    "one draw": lambda rng: drawn(rng, 1),
    "far apart": lambda rng: drawn(rng)._replace(part=10.0 ** rng.uniform(-300, 0, (30, 999))),
    "one far off": lambda rng: Weighted(
        np.append(rng.random(500) * 1e-9, 1.0)[None], np.ones((1, 501)), np.full(501, 1 / 501)
    ),
    "many draws without weight": lambda rng: drawn(rng)._replace(weights=np.append(np.zeros(989), np.full(10, 0.1))),
    "conditions that some draws exclude": lambda rng: excluding(drawn(rng)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_summaries_are_those_of_sorted_draws(case: str, rng: np.random.Generator) -> None:
    """The bins spare the sort and change nothing."""
    given = CASES[case](rng)
    np.testing.assert_allclose(summaries(*given, ENDS), by_sorting(given), rtol=1e-9, atol=1e-12)


def test_what_all_draws_agree_on_has_no_width(rng: np.random.Generator) -> None:
    """Mean and both ends are the one value, and it has no error."""
    weights = rng.dirichlet(np.ones(100))
    found = summaries(np.full((2, 100), 0.25), np.ones((2, 100)), weights, ENDS)
    np.testing.assert_allclose(found, [[0.25, 0.25, 0.25, 0.0]] * 2, atol=1e-15)


def test_equal_values_are_one_place(rng: np.random.Generator) -> None:
    """Few different values, each of many draws: an end that falls among equal ones is theirs."""
    part = np.repeat([0.1, 0.2, 0.7], 100)[None]
    weights = rng.permutation(np.full(300, 1 / 300))
    assert summaries(part, np.ones_like(part), weights, ENDS)[0, 1:3].tolist() == [0.1, 0.7]


@pytest.mark.parametrize("copies", [2, 3])
def test_copies_of_a_draw_err_together(copies: int, rng: np.random.Generator) -> None:
    """Draws that stand twice are as good as once, not twice as good."""
    part, whole, weights = drawn(rng, 200)
    again = Weighted(np.tile(part, copies), np.tile(whole, copies), np.tile(weights / copies, copies))
    found = summaries(*again, ENDS, copies)
    np.testing.assert_allclose(found, by_sorting(again, copies), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found[:, 3], by_sorting(Weighted(part, whole, weights))[:, 3])


def test_the_error_of_a_difference_is_that_of_its_influences(rng: np.random.Generator) -> None:
    """What both sides share cancels: with themselves nothing is left, with others the spread of the difference."""
    one, other = drawn(rng), drawn(rng)

    def influence(given: Weighted) -> np.ndarray:
        total = given.whole @ given.weights
        return (
            given.weights * (given.part - (given.part @ given.weights / total)[:, None] * given.whole) / total[:, None]
        )

    expected = np.sqrt(np.square(influence(other) - influence(one)).sum(axis=1))
    np.testing.assert_allclose(difference_errors(*other, *one), expected, rtol=1e-10)
    np.testing.assert_allclose(difference_errors(*one, *one), 0.0, atol=1e-15)
