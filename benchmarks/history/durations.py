"""Durations of a state by themselves: one rate of leaving it, or two phases, each duration left out in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, ndtri
from scipy.stats import qmc

from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.engine.arrays import Floats

POINTS = 18  # as a power of two


def exponential(years: Floats, over: Floats, out: Floats) -> Floats:
    """(S, n) log density of n durations in years, or of lasting longer where not ``over``, under (S,) rates."""
    rate = out[:, None]
    return over * np.log(rate) - rate * years


def two_phases(years: Floats, over: Floats, out: Floats, settle: Floats, late: Floats) -> Floats:
    """(S, n) the same, of a first phase that ends at rate ``out`` or passes at ``settle`` into one left at ``late``."""
    leave, slow = (out + settle)[:, None], late[:, None]
    gap = leave - slow
    gap = np.where(np.abs(gap) < 1e-9, 1e-9, gap)
    passed = settle[:, None] * (np.exp(-slow * years) - np.exp(-leave * years)) / gap  # in the second phase
    early = np.exp(-leave * years)
    density = out[:, None] * early + slow * passed
    with np.errstate(divide="ignore"):
        return np.log(np.where(over, density, early + passed))


def left_out(log_likelihood: Floats) -> tuple[Floats, float]:
    """(n,) log density of each duration given the others, from (S, n) under draws of the prior; least effective draws.

    p(dᵢ | the others) = E[Π p(dⱼ)] / E[Π of the others], both under the prior.
    """
    whole = log_likelihood.sum(axis=1)
    scores, least = [], np.inf
    for one in log_likelihood.T:
        others = whole - one
        scores.append(logsumexp(whole) - logsumexp(others))
        weights = np.exp(others - logsumexp(others))
        least = min(least, 1.0 / np.square(weights).sum())
    return np.array(scores), float(least)


def left_out_of_best(density: Callable[[Floats], Floats], start: Sequence[float]) -> Floats:
    """(n,) log density of each duration under the rates, near ``start``, that fit the others best.

    ``density`` gives (1, n) log densities under (1, rates) rates.
    """
    size = density(np.array([start])).shape[1]
    scores = np.empty(size)
    for k in range(size):

        def lost(x: Floats, left: int = k) -> float:
            return -float(np.delete(density(np.exp(x)[None])[0], left).sum())

        best = minimize(lost, np.log(start), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).x
        scores[k] = density(np.exp(best)[None])[0, k]
    return scores


def prior(intervals: Sequence[tuple[float, float]], power: int = POINTS) -> Floats:
    """(S, rates) points of the prior of some rates: scrambled Sobol, with a fixed seed."""
    points = qmc.Sobol(len(intervals), rng=np.random.default_rng(1)).random_base2(power)
    mean, sd = np.array([log_normal(pair) for pair in intervals]).T
    return np.exp(mean + sd * ndtri(np.clip(points, 1e-12, 1 - 1e-12)))
