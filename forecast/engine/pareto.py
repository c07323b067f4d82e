"""Importance weights with Pareto smoothing, and how far they can be trusted.

The algorithm is that of Vehtari, Simpson, Gelman, Yao and Gabry (2024), *Pareto smoothed importance sampling*, JMLR 25,
with the fit of Zhang and Stephens (2009); it agrees with ArviZ's, which takes 1.7 s to import (docs/decisions.md,
*Pareto smoothing*).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats


CONSTANT = 1e-11  # log ratios that differ by less are all the same
SMALL = 225  # effective draws; of fewer, a fifth is the tail
LEAST_WEIGHT = 1e-300  # of the largest: whose inverse a float can hold
FEWEST_TAIL = 5


@dataclass(frozen=True)
class Weights:
    """Weights of S draws, which sum to one; ``k_hat`` is None where nothing was reweighted."""

    values: Floats  # (S,)
    k_hat: float | None

    @property
    def ess(self) -> float:
        """Kish's effective sample size, 1 / Σ w²."""
        return float(1.0 / np.square(self.values).sum())


def equal_weights(size: int) -> Weights:
    """Give every draw the same weight."""
    return Weights(np.full(size, 1.0 / size), None)


def k_hat_limit(size: int) -> float:
    """Largest k-hat at which ``size`` draws give a usable error: min(1 − 1 / log₁₀ S, 0.7)."""
    return min(1.0 - 1.0 / math.log10(size), 0.7)


def smooth_weights(log_ratios: Floats, efficiency: float = 1.0) -> Weights:
    """Weights in proportion to exp(``log_ratios``), their largest replaced by quantiles of a fitted Pareto tail.

    ``log_ratios`` (S,) are log target − log proposal; −inf gives a weight of 0. ``efficiency`` is the effective sample
    size of the draws over their number; it sets how many weights make the tail. Constant ratios are left alone.
    """
    log_weights = log_ratios - log_ratios.max()
    size = log_weights.size
    if log_weights.min() > -CONSTANT:
        return equal_weights(size)
    tail = int(3.0 * np.sqrt(size / efficiency) if size * efficiency > SMALL else size / 5)
    if tail < FEWEST_TAIL:
        msg = f"{size} draws are too few to reweight; {SMALL} are the least that make sense"
        raise ValueError(msg)
    order = np.argsort(log_weights)
    largest, cutoff = order[-tail:], np.exp(log_weights[order[-tail - 1]])
    k_hat, scale = _fit_pareto(np.exp(log_weights[largest]) - cutoff)
    if np.isfinite(k_hat):
        quantiles = (np.arange(tail) + 0.5) / tail
        with np.errstate(divide="ignore", over="ignore"):  # where the tail weighs nothing, or has no end
            log_weights[largest] = np.log(_pareto_quantile(quantiles, k_hat, scale) + cutoff)
    weights = np.exp(np.minimum(log_weights, 0.0))
    return Weights(weights / weights.sum(), float(k_hat))


def _fit_pareto(excess: Floats) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution, given ascending ``excess``; the shape drawn to 0.5.

    The shape is infinite where nothing of the kind fits: a quarter of the tail is no larger than its beginning, or
    nothing to a float.
    """
    size = excess.size
    quartile = excess[int(size / 4 + 0.5) - 1]
    if quartile <= max(excess[0], LEAST_WEIGHT):
        return np.inf, np.nan
    grid = 30 + int(np.sqrt(size))
    b = 1.0 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    b /= 3.0 * quartile
    b += 1.0 / excess[-1]
    k = np.log1p(-b[:, None] * excess).mean(axis=1)
    profile = size * (np.log(-b / k) - k - 1.0)
    weights = np.exp(profile - profile.max())
    weights /= weights.sum()
    weights[weights < 10 * np.finfo(float).eps] = 0.0
    b_mean = float((b * weights).sum() / weights.sum())
    shape = float(np.log1p(-b_mean * excess).mean())
    return (size * shape + 10 * 0.5) / (size + 10), -shape / b_mean


def _pareto_quantile(probability: Floats, shape: float, scale: float) -> Floats:
    if abs(shape) < np.finfo(float).eps:
        return -scale * np.log1p(-probability)
    return scale * np.expm1(-shape * np.log1p(-probability)) / shape
