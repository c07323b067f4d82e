# pyright: reportUnknownMemberType=false, reportArgumentType=false
# ArviZ's array functions carry types that pyright cannot resolve.
"""Convergence of chains: ArviZ's effective sample size and R-hat for one quantity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ess", "r_hat"]


def ess(by_chain: NDArray[np.float64], method: Literal["bulk", "mean"] = "bulk") -> float:
    """Effective sample size of a (chain, draw) array: rank-normalised (``bulk``), or for the mean."""
    from arviz_stats.base.array import array_stats  # noqa: PLC0415 - slow to import

    return float(array_stats.ess(by_chain, method=method))


def r_hat(by_chain: NDArray[np.float64]) -> float:
    """Rank-normalised split R-hat of a (chain, draw) array."""
    from arviz_stats.base.array import array_stats  # noqa: PLC0415 - slow to import

    return float(array_stats.rhat(by_chain))
