"""The gate: whether numbers from weighted draws are to be trusted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

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
SURE = 2.0  # Monte Carlo errors between a value and a limit
WORST_K_HAT = 99.0  # stands for all that are larger, infinity among them


class Measured(NamedTuple):
    """A number and its Monte Carlo standard error."""

    mean: float
    mcse: float


def gate(anchor: Anchor, weights: Weights, quantities: Iterable[Quantity]) -> Trust:
    """Say whether numbers from weighted draws are to be trusted: k-hat and the error of each probability."""
    reasons = _unreached(anchor, weights)
    worst, excess = max(((row, excess_error(row)) for row in quantities), key=lambda pair: pair[1])
    if not excess <= 1.0:
        reasons.append(
            f"Monte Carlo error {worst.estimate.mcse:.4f} of {worst} at {worst.estimate.mean:.4f} "
            f"(at most {worst.estimate.mcse / excess:.4f})"
        )
    return _verdict(anchor, weights, worst.estimate.mcse, str(worst), reasons)


def gate_side(anchor: Anchor, weights: Weights, value: Measured, limit: float, name: str) -> Trust:
    """Say whether weighted draws can tell on which side of a ``limit`` a ``value`` lies: k-hat and its error.

    Draws that stand for themselves tell as well as any.
    """
    reasons = _unreached(anchor, weights)
    if weights.k_hat is not None and not abs(value.mean - limit) >= SURE * value.mcse:
        reasons.append(f"{name} is {value.mean:.3f} ± {value.mcse:.3f}, too near to {limit} to tell the side")
    return _verdict(anchor, weights, value.mcse, name, reasons)


def _unreached(anchor: Anchor, weights: Weights) -> list[str]:
    """List what is wrong with the draws or their weights, whatever they are asked."""
    limit = k_hat_limit(anchor.blocks.size)
    if weights.k_hat is None or weights.k_hat <= limit:
        return [*anchor.complaints]
    far = f"k-hat {weights.k_hat:.2f} (at most {limit:.2f}): the draws do not reach this evidence"
    return [*anchor.complaints, far]


def _verdict(anchor: Anchor, weights: Weights, error: float, of: str, reasons: list[str]) -> Trust:
    return Trust(
        anchor=anchor.name,
        anchor_as_of=anchor.as_of,
        draws=anchor.blocks.size,
        ess=weights.ess * anchor.efficiency,
        k_hat=None if weights.k_hat is None else min(weights.k_hat, WORST_K_HAT),
        worst_mcse=error,
        worst_mcse_of=of,
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
