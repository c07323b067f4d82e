"""Fewer draws for differences: what a change does is seen under a part of the draws, what it is added to under all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.inference.anchor import thin
from forecast.inference.reweighting import reweigh

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints
    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Parameters


@dataclass(frozen=True)
class Fewer:
    """Every so manyth draw: ``rows`` (n,) of them, under the same evidence, with their ``parameters``."""

    rows: Ints
    found: Posterior
    parameters: Parameters

    def spread(self, influence: Floats, size: int) -> Floats:
        """Give (size,) of all draws, which is ``influence`` (n,) on these and nothing on the others."""
        everywhere = np.zeros(size)
        everywhere[self.rows] = influence
        return everywhere


def fewer(found: Posterior, parameters: Parameters, many: int) -> Fewer | None:
    """Take at least ``many`` of the draws, evenly along the chains; None if that would be more than half of them.

    They are taken to be no better than the others: their efficiency is the whole's.
    """
    rows = thin(found.anchor.blocks.size, many)
    if rows is None:
        return None
    taken = replace(
        parameters,
        values={key: array[rows] for key, array in parameters.values.items()},
        grade=parameters.grade[rows],
        departure=parameters.departure[rows],
        history_log_rate=parameters.history_log_rate[rows],
        counted=parameters.counted[rows],
    )
    return Fewer(rows, reweigh(found.anchor.part(rows), found.evidence), taken)
