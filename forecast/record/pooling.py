"""Pools of probabilities: the mean of log-odds, extremised by a factor that resolved questions teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.record.questions import pulled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.engine.arrays import Floats, Ints


ENOUGH = 30  # resolved questions from which on a factor is learned
SPREAD = 0.5  # prior standard deviation of the logarithm of the factor, about 1
LARGEST = 5.0  # the factor lies between its inverse and it
EDGE = pulled(0)  # nothing is nearer to 0 or 1


def within(probability: float) -> float:
    """Pull in a probability that is nearer to 0 or 1 than half a simulated path, as `pulled` does with 0 and 1.

    Or who says one in a billion would fare worse than who says never.
    """
    return min(max(probability, EDGE), 1 - EDGE)


def log_odds(probability: float) -> float:
    """Give the log-odds of a probability that is pulled in."""
    inside = within(probability)
    return float(np.log(inside) - np.log1p(-inside))


def mean_log_odds(probabilities: Iterable[float]) -> float:
    """Give the mean of the log-odds of probabilities, of which there is at least one."""
    return float(np.mean([log_odds(p) for p in probabilities]))


def pooled(mean: float, factor: float = 1.0) -> float:
    """Give the probability whose log-odds are ``factor`` times the mean; never nearer to 0 or 1 than half a path."""
    return float(np.clip(1 / (1 + np.exp(-np.clip(factor * mean, -50, 50))), EDGE, 1 - EDGE))


def factor_of(means: Floats, answer: Floats) -> float:
    """Learn the factor a of pools with mean log-odds L (n,) from answers y (n,), 0 or 1; 1 with fewer than `ENOUGH`.

    It maximises Σ log σ(± a L) − log² a / (2 · `SPREAD`²): the log score, shrunk towards 1 (Baron et al. 2014; Satopää
    et al. 2014 for the mean of log-odds).
    """
    if means.size < ENOUGH:
        return 1.0
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 - slow to import

    signed = np.where(answer > 0, means, -means)

    def loss(log_factor: float) -> float:
        return float(np.logaddexp(0, -np.exp(log_factor) * signed).sum()) + log_factor**2 / (2 * SPREAD**2)

    reach = float(np.log(LARGEST))
    return float(np.exp(minimize_scalar(loss, bounds=(-reach, reach), method="bounded").x))


def factors_left_out(means: Floats, answer: Floats, clusters: Ints) -> Floats:
    """Learn for each question (n,) the factor from the questions of all clusters but its own."""
    found = np.ones(means.size)
    for cluster in np.unique(clusters):
        own = clusters == cluster
        found[own] = factor_of(means[~own], answer[~own])
    return found
