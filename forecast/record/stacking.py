"""Stacking: weights of models that together foretell best, with their uncertainty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.base import prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.engine.arrays import Floats


BOOTSTRAPS = 500
SEED = 1


def stacking_weights(scores: Floats, mcse: Floats) -> tuple[list[float], list[tuple[float, float]]]:
    """Weights of M models that maximise the summed log of their mixture's density, with 90 % intervals.

    ``scores`` (N, M) are log densities of N things foretold. Intervals are of a Bayesian bootstrap over these, in which
    each score also varies by its Monte Carlo error, ``mcse`` (N, M).
    """
    rng = np.random.default_rng(SEED)
    counts = rng.dirichlet(np.ones(len(scores)), BOOTSTRAPS)
    if mcse.any():
        moved = scores + mcse * rng.standard_normal((BOOTSTRAPS, *scores.shape))
        resampled = np.concatenate([stack(one, count[None]) for one, count in zip(moved, counts, strict=True)])
    else:
        resampled = stack(scores, counts)
    low, high = np.quantile(resampled, (0.05, 0.95), axis=0).tolist()
    return stack(scores, np.ones((1, len(scores))))[0].tolist(), list(zip(low, high, strict=True))


def said_of_weights(weights: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> str:
    """Weights and their intervals in words."""
    return prose.listed(
        [
            f"{name} {weight:.0%} ({intervals[name][0]:.0%} to {intervals[name][1]:.0%})"
            for name, weight in weights.items()
        ]
    )


def stack(scores: Floats, counts: Floats) -> Floats:
    """(B, M) weights that maximise Σ counts log Σ weights exp(scores), of ``scores`` (W, M) and ``counts`` (B, W)."""
    from scipy.optimize import minimize  # noqa: PLC0415 - slow to import

    density = np.exp(scores - scores.max(axis=1, keepdims=True))
    models = scores.shape[1]

    def excess(weights: Floats) -> float:
        return float(weights.sum()) - 1.0

    def best(count: Floats) -> Floats:
        share = count / count.sum()

        def loss(weights: Floats) -> tuple[float, Floats]:
            mixed = np.maximum(density @ weights, 1e-300)
            return -float(share @ np.log(mixed)), -((share / mixed) @ density)

        found: Any = minimize(
            loss, np.full(models, 1.0 / models), jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * models,
            constraints=[{"type": "eq", "fun": excess, "jac": np.ones_like}], options={"ftol": 1e-14, "maxiter": 200},
        )  # fmt: skip
        weights = np.clip(found.x, 0.0, None)
        return weights / weights.sum()

    return np.array([best(count) for count in counts])
