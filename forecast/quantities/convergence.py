"""How well chains agree: R-hat, effective sample sizes and efficiency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from arviz_stats.base.array import array_stats

from forecast.quantities.from_draws import influence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.quantities.from_draws import Answers


def ess(by_chain: NDArray[np.float64], method: Literal["bulk", "mean"] = "bulk") -> float:
    """Effective sample size of a (chain, draw) array: rank-normalised (``bulk``), or for the mean."""
    return float(array_stats.ess(by_chain, method=method))  # pyright: ignore[reportArgumentType]


def r_hat(by_chain: NDArray[np.float64]) -> float:
    """Rank-normalised split R-hat of a (chain, draw) array."""
    return float(array_stats.rhat(by_chain))  # pyright: ignore[reportArgumentType]


def convergence_of(found: Answers, chains: int) -> tuple[float, float, float]:
    """Worst effective sample size (bulk) and R-hat over all quantities, and the lowest efficiency of their means.

    The efficiency is the effective sample size of the mean over the number of draws, at most 1.
    """
    size = found.part.shape[1]
    values = influence(found, np.full(size, 1.0 / size))
    moving = [row.reshape(chains, -1) for row in values if np.ptp(row) * size > 1e-12]  # noqa: PLR2004 - up to rounding
    least = min((ess(row) for row in moving), default=float(size))
    worst = max((r_hat(row) for row in moving), default=1.0)
    mean = min((ess(row, "mean") for row in moving), default=float(size))
    return least, worst, min(mean / size, 1.0)
