"""Shares of prior, history and reports are those computed by hand, and add up to one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecast.base.prose import percents
from forecast.quantities.shares import log_odds_variance, shares_of, variance

SPREADS = st.floats(0.0, 1e6)


@pytest.mark.parametrize(
    ("spreads", "shares"),
    [
        ((4.0, 4.0, 4.0), (1.0, 0.0, 0.0)),  # nothing was learned
        ((4.0, 1.0, 1.0), (0.25, 0.75, 0.0)),  # from the history alone
        ((4.0, 4.0, 1.0), (0.25, 0.0, 0.75)),  # from the reports alone
        ((16.0, 8.0, 2.0), (0.125, 0.875 / 3, 0.875 * 2 / 3)),  # halved, then halved twice
        ((4.0, 1.0, 2.0), (0.5, 0.5, 0.0)),  # what the reports widened again
        ((4.0, 8.0, 1.0), (0.25, 0.0, 0.75)),  # what the history widened
        ((4.0, 1.0, 5.0), (1.0, 0.0, 0.0)),  # no narrower in the end
        ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),  # certain from the beginning
        ((4.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((4.0, 2.0, 0.0), (0.0, 0.0, 1.0)),
    ],
)
def test_shares_are_those_by_hand(spreads: tuple[float, float, float], shares: tuple[float, float, float]) -> None:
    """The prior has the variance that is left; the rest is divided by the logarithms of what each step took."""
    assert shares_of(*spreads) == pytest.approx(shares)


@given(SPREADS, SPREADS, SPREADS)
def test_shares_add_up(alone: float, informed: float, now: float) -> None:
    """Whatever the variances, no share is negative, they add up to one, and so do their percents to 100."""
    shares = shares_of(alone, informed, now)
    assert min(shares) >= 0
    assert sum(shares) == pytest.approx(1.0)
    assert getattr(shares, shares.most) == max(shares)
    shown = percents(shares)
    assert sum(shown) == 100
    assert all(abs(percent - 100 * share) < 1 + 1e-9 for percent, share in zip(shown, shares, strict=True))


def test_variances_are_weighted() -> None:
    """Of values by their weights; of log odds also by how likely each draw finds the condition."""
    assert variance(np.array([0.0, 3.0]), np.array([2 / 3, 1 / 3])) == pytest.approx(2.0)
    part, whole = np.array([0.25, 0.3, 0.0]), np.array([0.5, 0.4, 0.0])  # 1/2, 3/4, and a draw that finds it impossible
    found = log_odds_variance(part, whole, np.array([0.2, 0.5, 0.3]))
    assert found == pytest.approx(1 / 3 * 2 / 3 * math.log(3) ** 2)  # weights 0.1 and 0.2; log odds 0 and log 3


def test_certain_draws_have_finite_log_odds() -> None:
    """A draw that says 0 or 1 leaves the variance finite."""
    ones = np.ones(2)
    assert 0 < log_odds_variance(np.array([0.0, 1.0]), ones, ones / 2) < math.inf
    assert log_odds_variance(np.zeros(2), ones, ones / 2) == 0
