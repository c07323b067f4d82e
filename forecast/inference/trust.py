"""The gate: whether numbers from weighted draws are to be trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from forecast.engine.pareto import Weights, k_hat_limit
from forecast.quantities.estimate import Trust

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.inference.anchor import Anchor
    from forecast.quantities.estimate import Quantity


MAX_MCSE = 0.01
MAX_LOG_ODDS_MCSE = 0.1  # where a probability lies below 5 % or above 95 %
EDGE = 0.05
SMALL_MCSE = 0.001  # ... or this, where that is larger: a tenth of a percentage point moves no reader
WORST_K_HAT = 99.0  # stands for all that are larger, infinity among them


def gate(anchor: Anchor, weights: Weights, quantities: Iterable[Quantity]) -> Trust:
    """Say whether numbers from weighted draws are to be trusted: k-hat and the error of each probability."""
    reasons = [*anchor.complaints]
    limit = k_hat_limit(anchor.blocks.size)
    if weights.k_hat is not None and not weights.k_hat <= limit:
        reasons.append(f"k-hat {weights.k_hat:.2f} (at most {limit:.2f}): the draws do not reach this evidence")
    worst, excess = max(((row, excess_error(row)) for row in quantities), key=lambda pair: pair[1])
    if not excess <= 1.0:
        reasons.append(
            f"Monte Carlo error {worst.estimate.mcse:.4f} of {worst} at {worst.estimate.mean:.4f} "
            f"(at most {worst.estimate.mcse / excess:.4f})"
        )
    return Trust(
        anchor=anchor.name,
        anchor_as_of=anchor.as_of,
        draws=anchor.blocks.size,
        ess=weights.ess * anchor.efficiency,
        k_hat=None if weights.k_hat is None else min(weights.k_hat, WORST_K_HAT),
        worst_mcse=worst.estimate.mcse,
        worst_mcse_of=str(worst),
        reasons=tuple(reasons),
    )


def excess_error(row: Quantity) -> float:
    """Monte Carlo error of a probability over what is allowed; infinite where it is not known."""
    p, error = row.estimate.mean, row.estimate.mcse
    if math.isnan(error):
        return math.inf
    if EDGE <= p <= 1 - EDGE:
        return error / MAX_MCSE
    return error / max(p * (1 - p) * MAX_LOG_ODDS_MCSE, SMALL_MCSE)
