"""Pools of probabilities: means of log-odds, and a factor that resolved questions teach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from track import EDGE

from forecast.record.pooling import ENOUGH, factor_of, factors_left_out, mean_log_odds, pooled

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=6)


def test_a_pool_is_what_a_hand_would_compute() -> None:
    """Odds of 1:4 and 4:1 are even together; the mean of odds 1 and 9 is 3, extremised by 2 it is 9."""
    assert pooled(mean_log_odds([0.2, 0.8])) == pytest.approx(0.5)
    assert pooled(mean_log_odds([0.5, 0.9])) == pytest.approx(0.75)
    assert pooled(mean_log_odds([0.5, 0.9]), 2.0) == pytest.approx(0.9)


@given(PROBABILITIES, st.floats(0.2, 5))
def test_a_pool_stays_within_what_numbers_support(said: list[float], factor: float) -> None:
    """It is no nearer to 0 or 1 than half a path; without a factor it lies among what was said; order is nothing."""
    plain, moved = pooled(mean_log_odds(said)), pooled(mean_log_odds(said), factor)
    assert EDGE <= moved <= 1 - EDGE
    assert min(said) - 1e-4 <= plain <= max(said) + 1e-4
    assert pooled(mean_log_odds(reversed(said)), factor) == pytest.approx(moved, abs=1e-12)
    assert (moved - 0.5) * (plain - 0.5) >= -1e-12


@given(PROBABILITIES)
def test_yes_and_no_are_alike(said: list[float]) -> None:
    """The pool of the contrary is the contrary."""
    assert pooled(mean_log_odds([1 - p for p in said])) == pytest.approx(1 - pooled(mean_log_odds(said)), abs=1e-6)


def test_the_factor_is_found_again(rng: np.random.Generator) -> None:
    """Answers that come as if log-odds were twice, or half, what was said; brute force finds the same factor."""
    means = rng.normal(0, 1.2, 3000)
    for truth in (2.0, 0.5):
        answer = (rng.random(means.size) < expit(truth * means)).astype(float)
        found = factor_of(means, answer)
        assert found == pytest.approx(truth, rel=0.15)  # four standard errors
        grid = np.linspace(0.2, 5, 2000)
        loss = [np.logaddexp(0, -a * np.where(answer > 0, means, -means)).sum() + 2 * math.log(a) ** 2 for a in grid]
        assert found == pytest.approx(grid[np.argmin(loss)], abs=0.003)


def test_few_questions_teach_no_factor() -> None:
    """One less than enough: 1; with enough, that were all right, it is above 1 and below what would be certain."""
    means, answer = np.tile([1.0, -1.0], ENOUGH // 2), np.tile([1.0, 0.0], ENOUGH // 2)
    assert factor_of(means[1:], answer[1:]) == 1.0
    assert 1 < factor_of(means, answer) < 4


def test_no_question_teaches_its_own_factor(rng: np.random.Generator) -> None:
    """Its cluster is left out: answers of a cluster turned round move the factors of the others alone."""
    means, clusters = rng.normal(0, 1, 120), np.repeat(np.arange(3), 40)
    answer = (rng.random(120) < expit(means)).astype(float)
    turned = np.where(clusters == 0, 1 - answer, answer)
    before, after = (factors_left_out(means, one, clusters) for one in (answer, turned))
    assert (before[clusters == 0] == after[clusters == 0]).all()
    assert (before[clusters > 0] != after[clusters > 0]).all()
    assert (factors_left_out(means, answer, np.zeros(120, dtype=np.int64)) == 1).all()
