"""Brier score in its parts and reliability curves by isotonic regression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.engine.arrays import Floats, Ints


LEVEL = 0.9  # of intervals and bands
RESAMPLED = 500  # worlds
RESAMPLES = 1000
SEED = 1
POINTS = 100  # of a curve, at most


class BrierParts(NamedTuple):
    """The Brier score, which is ``miscalibration`` − ``discrimination`` + ``uncertainty`` (Dimitriadis et al.)."""

    brier: float
    miscalibration: float
    discrimination: float
    uncertainty: float


class WorldsReliability(NamedTuple):
    """How often came true what was said to be so probable: the line at ``said``, its 90 % band, and its parts."""

    said: Floats  # (G,)
    came_true: Floats  # (G,)
    low: Floats  # (G,)
    high: Floats  # (G,)
    parts: BrierParts


def isotonic(said: Floats, outcome: Floats) -> tuple[Floats, Floats]:
    """Give the sorted forecasts without repetition and the share that came true, forced to rise with them.

    That is what pooling adjacent violators gives.
    """
    values, where = np.unique(said, return_inverse=True)
    return values, _rising(where, np.bincount(where), outcome)


def _rising(where: Ints, count: Ints, outcome: Floats) -> Floats:
    """Give the share that came true of each value, forced to rise; ``where`` says of which value each outcome is."""
    from scipy.optimize import isotonic_regression  # noqa: PLC0415 - slow to import

    share = np.bincount(where, outcome) / count
    return np.asarray(isotonic_regression(share, weights=count).x, dtype=np.float64)


def brier_parts(said: Floats, outcome: Floats) -> BrierParts:
    """Take the Brier score of forecasts (n,) of outcomes (n,), 0 or 1, apart by isotonic regression."""
    recalibrated = float(np.square(np.interp(said, *isotonic(said, outcome)) - outcome).mean())
    base = float(outcome.mean())
    brier, uncertainty = float(np.square(said - outcome).mean()), base * (1 - base)
    return BrierParts(brier, brier - recalibrated, uncertainty - recalibrated, uncertainty)


def reliability_of_worlds(said: Sequence[Floats], outcome: Sequence[Floats], grid: Floats) -> WorldsReliability:
    """Draw the reliability curve of the forecasts of each world; the band is from resampling worlds.

    Points of ``grid`` beyond the least and the greatest forecast are left out.
    """
    every, came = np.concatenate(said), np.concatenate(outcome)
    grid = grid[(grid >= every.min()) & (grid <= every.max())]
    rng = np.random.default_rng(SEED)
    curves = np.empty((RESAMPLED, grid.size))
    for k in range(RESAMPLED):
        drawn = rng.integers(0, len(said), len(said))
        curves[k] = np.interp(grid, *isotonic(np.concatenate([said[w] for w in drawn]),
                                               np.concatenate([outcome[w] for w in drawn])))  # fmt: skip
    low, high = np.quantile(curves, [0.05, 0.95], axis=0)
    return WorldsReliability(grid, np.interp(grid, *isotonic(every, came)), low, high, brier_parts(every, came))


@dataclass(frozen=True)
class Reliability:
    """How often questions of a ``probability`` were answered yes, by isotonic regression (CORP), and what that costs.

    Where the model is calibrated, ``observed`` lies between ``low`` and ``high`` in 90 % of cases. The Brier score is
    ``miscalibration`` − ``discrimination`` + ``uncertainty`` (Dimitriadis, Gneiting and Jordan 2021).
    """

    probability: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    questions: int
    miscalibration: float
    discrimination: float
    uncertainty: float


def reliability(probability: Floats, answer: Floats, clusters: Ints) -> Reliability:
    """Estimate reliability from probabilities, answers (0 or 1) and the cluster of each, all of shape (n,).

    The band comes from answers drawn anew as if the probabilities were right; those of a cluster share their luck.
    """
    levels, where = np.unique(probability, return_inverse=True)
    count = np.bincount(where)
    kept = np.unique(np.linspace(0, levels.size - 1, min(levels.size, POINTS)).astype(np.int64))
    rng = np.random.default_rng(SEED)
    luck = rng.random((RESAMPLES, int(clusters.max()) + 1))
    drawn = np.array([_rising(where, count, (row[clusters] < probability).astype(np.float64))[kept] for row in luck])
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    parts = brier_parts(probability, answer)
    columns = (tuple(row.tolist()) for row in (levels[kept], _rising(where, count, answer)[kept], low, high))
    return Reliability(
        *columns,
        questions=answer.size,
        miscalibration=parts.miscalibration,
        discrimination=parts.discrimination,
        uncertainty=parts.uncertainty,
    )
