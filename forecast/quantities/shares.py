"""What a number rests on: shares of prior, history and reports, by how much each has narrowed it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats


LOW, HIGH = 0.05, 0.95
CERTAIN = 1e-12  # a probability that lies nearer to 0 or 1 counts as this far from it


class Shares(NamedTuple):
    """Shares that add up to one."""

    prior: float
    history: float
    reports: float

    @property
    def most(self) -> str:
        """Name the largest."""
        return max(self._fields, key=lambda name: getattr(self, name))


def shares_of(alone: float, informed: float, now: float) -> Shares:
    """Give the shares from the variance under the prior ``alone``, with the history, and ``now``, with the reports too.

    The prior has what is left of its variance. The rest goes to history and reports in proportion to the logarithms of
    what each has divided the variance by; whoever has widened it gets none.
    """
    if alone <= 0 or now >= alone:
        return Shares(1.0, 0.0, 0.0)
    left = now / alone
    if informed <= 0:
        return Shares(left, 1.0 - left, 0.0)
    if now <= 0:
        return Shares(0.0, 0.0, 1.0)
    logs = [math.log(spread) for spread in (alone, informed, now)]
    history, reports = max(logs[0] - logs[1], 0.0), max(logs[1] - logs[2], 0.0)
    part = history / (history + reports)
    return Shares(left, (1.0 - left) * part, (1.0 - left) * (1.0 - part))


def variance(values: Floats, weights: Floats) -> float:
    """Variance of (S,) ``values`` with weights that sum to one."""
    return float(weights @ np.square(values - weights @ values))


def log_odds_variance(part: Floats, whole: Floats, weights: Floats) -> float:
    """Variance of the log odds of (S,) ``part`` over ``whole``; a draw counts by weight times ``whole``."""
    some = whole > 0
    each = np.clip(part[some] / whole[some], CERTAIN, 1.0 - CERTAIN)
    counts = weights[some] * whole[some]
    return variance(np.log(each) - np.log1p(-each), counts / counts.sum())


def quantiles(values: NDArray[np.generic], weights: Floats) -> tuple[float, float, float]:
    """Give the median of (S,) weighted values between the ends of their 90 % interval; each is one of the values."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order])
    low, median, high = (min(int(np.searchsorted(share, q)), values.size - 1) for q in (LOW, 0.5, HIGH))
    return float(values[order][low]), float(values[order][median]), float(values[order][high])
