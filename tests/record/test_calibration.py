"""Calibration: the parts of the Brier score, the curve and its band."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.record.calibration import reliability

if TYPE_CHECKING:
    from forecast.record.calibration import Reliability


def stairs(means: list[float], weights: list[float]) -> list[float]:
    """Isotonic regression by its min-max formula."""

    def mean(i: int, j: int) -> float:
        return float(np.average(means[i : j + 1], weights=weights[i : j + 1]))

    n = len(means)
    return [max(min(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=25))
def test_the_parts_of_the_brier_score_add_up(rows: list[tuple[int, bool]]) -> None:
    """Miscalibration − discrimination + uncertainty is the score, none is negative, and the curve is isotonic."""
    p = np.array([k / 10 for k, _ in rows])
    y = np.array([float(seen) for _, seen in rows])
    with mock.patch("forecast.record.calibration.RESAMPLES", 2):
        found = reliability(p, y, np.arange(len(rows)))
    assert found.miscalibration - found.discrimination + found.uncertainty == pytest.approx(
        float(np.square(p - y).mean()), abs=1e-12
    )
    assert min(found.miscalibration, found.discrimination, found.uncertainty) >= -1e-12
    levels = np.unique(p)
    expected = stairs([float(y[p == k].mean()) for k in levels], [float((p == k).sum()) for k in levels])
    assert found.probability == tuple(levels)
    assert found.observed == pytest.approx(expected, abs=1e-12)


def outside(found: Reliability) -> float:
    """Share of the probabilities at which the curve leaves the band."""
    rows = zip(found.observed, found.low, found.high, strict=True)
    return sum(not low <= seen <= high for seen, low, high in rows) / len(found.probability)


def test_a_calibrated_forecaster_stays_within_the_band_and_another_leaves_it() -> None:
    """Of 400 independent questions, eight times: the curve leaves the band about a tenth of the way, or far more."""
    good: list[float] = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0.02, 0.98, 400)
        y = (rng.random(400) < p).astype(float)
        found = reliability(p, y, np.arange(400))
        good.append(outside(found))
        assert len(found.probability) == 100
        assert all(low <= high for low, high in zip(found.low, found.high, strict=True))
        bold = reliability(np.clip(0.5 + 2.5 * (p - 0.5), 0.001, 0.999), y, np.arange(400))
        assert outside(bold) > 0.25
        assert bold.miscalibration > 1.5 * found.miscalibration
    assert 0.02 < np.mean(good) < 0.2


def test_the_band_allows_for_questions_that_share_their_luck() -> None:
    """With all questions in few clusters the band is much wider than with each in its own."""
    p = np.tile(np.linspace(0.05, 0.95, 10), 20)
    y = (np.arange(200) % 3 == 0).astype(float)
    apart, together = (reliability(p, y, clusters) for clusters in (np.arange(200), np.arange(200) // 50))
    width = [float(np.mean(np.subtract(one.high, one.low))) for one in (apart, together)]
    assert width[1] > 1.5 * width[0]
