"""Kernels that look ahead and back for many draws: filtered paths, and the value of each joint state at horizons.

The value of a state is the probability of something later, given that state now; it depends on the draw and not on the
evidence, and a forecast is the filtered probabilities times the values. Draws are spread over threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast._jit import kernel
from forecast.hmm import filter_range, smooth_range, transition_matrices

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from forecast.hmm import Cells, Chain, Floats

    Masks = NDArray[np.bool_]

__all__ = ["Draws", "Horizons", "Values", "filter_draws", "smooth_draws", "values_at"]


class Draws(NamedTuple):
    """The derived arrays of S draws, all that the kernels need of a posterior (or prior)."""

    log_rate: Floats  # (S, R)
    log_lambda: Floats  # (S, E)
    start: Floats  # (S, Σn)

    @property
    def size(self) -> int:
        """S, the number of draws."""
        return self.log_rate.shape[0]


class Horizons(NamedTuple):
    """The grid ahead: the rest of the running step, ``full[h]`` whole steps, then a last piece to the horizon's date.

    Durations are in years; ``rest`` and ``tail`` are 0 when ``as_of`` ends a step.
    """

    rest: float
    step: float
    tail: float
    full: NDArray[np.int64]  # (H,) ascending
    later: int  # whole steps from a beginning to the date of an *after* conditional


class Values(NamedTuple):
    """Values of each joint state now, for one draw or (with a first axis S) for many."""

    at: Floats  # (H, M, K) P(in set m at horizon h | z)
    reached: Floats  # (H, M, K) P(enters set m by horizon h, not in it now | z)
    after: Floats  # (A, 2, K) P(condition begins, and in the outcome later), P(condition begins)


@kernel
def _multiply(matrix: Floats, source: Floats, target: Floats) -> None:
    """Set target[z, m] = Σ_y matrix[z, y] source[y, m]."""
    for z in range(matrix.shape[0]):
        for m in range(source.shape[1]):
            target[z, m] = 0.0
        for y in range(matrix.shape[1]):
            p = matrix[z, y]
            if p != 0.0:
                for m in range(source.shape[1]):
                    target[z, m] += p * source[y, m]


@kernel
def _sweep_sets(
    rest: Floats, step: Floats, tail: Floats, horizons: Horizons, sets: Floats, at: Floats, reached: Floats
) -> None:
    joint, count = sets.shape
    inside = np.empty((joint, count))
    hit = np.empty((joint, count))
    buffer = np.empty((joint, count))
    _multiply(tail, sets, inside)
    hit[:] = 0.0
    if horizons.tail > 0.0:
        hit[:] = inside
    h = 0
    for k in range(horizons.full[-1] + 1):
        while h < horizons.full.size and horizons.full[h] == k:
            _multiply(rest, inside, buffer)
            at[h] = buffer.T
            if horizons.rest > 0.0:
                _multiply(rest, sets + (1.0 - sets) * hit, buffer)
            else:
                buffer[:] = hit
            reached[h] = ((1.0 - sets) * buffer).T
            h += 1
        _multiply(step, inside, buffer)
        inside[:] = buffer
        _multiply(step, sets + (1.0 - sets) * hit, buffer)
        hit[:] = buffer


@kernel
def _sweep_beginnings(
    rest: Floats, step: Floats, tail: Floats, horizons: Horizons, outcomes: Floats, conditions: Floats, after: Floats
) -> None:
    """First time a condition begins, and the outcome ``later`` steps on; numerators first, then denominators."""
    joint, count = outcomes.shape
    aligned = outcomes.copy()
    buffer = np.empty((joint, count))
    for _ in range(horizons.later):
        _multiply(step, aligned, buffer)
        aligned[:] = buffer
    ahead = np.zeros((joint, 2 * count))
    gain = np.empty((joint, 2 * count))
    inside = np.concatenate((conditions, conditions), axis=1)
    if horizons.tail > 0.0:  # a beginning at the last date lies off the grid; its later date does too
        unaligned = np.empty((joint, count))
        _multiply(tail, outcomes, unaligned)
        for _ in range(horizons.later - 1):
            _multiply(step, unaligned, buffer)
            unaligned[:] = buffer
        _multiply(rest, unaligned, buffer)
        gain[:, :count] = conditions * buffer
        gain[:, count:] = conditions
        _begin(tail, inside, gain, ahead)
    gain[:, :count] = conditions * aligned
    gain[:, count:] = conditions
    for _ in range(horizons.full[-1]):
        _begin(step, inside, gain, ahead)
    if horizons.rest > 0.0:
        _begin(rest, inside, gain, ahead)
    for a in range(count):
        after[a, 0] = ahead[:, a]
        after[a, 1] = ahead[:, count + a]


@kernel
def _begin(matrix: Floats, inside: Floats, gain: Floats, ahead: Floats) -> None:
    """Go one step back: who is outside may begin and collect the gain; who is inside must leave first."""
    outside_next = np.empty_like(ahead)
    inside_next = np.empty_like(ahead)
    _multiply(matrix, gain + (1.0 - inside) * ahead, outside_next)
    _multiply(matrix, ahead, inside_next)
    ahead[:] = (1.0 - inside) * outside_next + inside * inside_next


@kernel
def _values_range(
    rest: Floats, step: Floats, tail: Floats, horizons: Horizons, sets: Floats, outcomes: Floats, conditions: Floats,
    first: int, last: int, at: Floats, reached: Floats, after: Floats,
) -> None:  # fmt: skip
    """Values of draws ``first`` to ``last``; ``sets`` (K, M), ``outcomes`` and ``conditions`` (K, A) are 0 or 1."""
    for d in range(first, last):
        _sweep_sets(rest[d], step[d], tail[d], horizons, sets, at[d], reached[d])
        if outcomes.shape[1] > 0:
            _sweep_beginnings(rest[d], step[d], tail[d], horizons, outcomes, conditions, after[d])


def _over_threads(size: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` on slices of ``range(size)``, one for each processor."""
    workers = max(1, min(os.cpu_count() or 1, size))
    edges = np.linspace(0, size, workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, int(a), int(b)) for a, b in pairwise(edges)]:
            done.result()


def values_at(chain: Chain, draws: Draws, horizons: Horizons, sets: Masks, after: tuple[Masks, Masks]) -> Values:
    """Values for all draws.

    ``sets`` (M, K) are the sets whose probability is asked at and by each horizon; ``after`` holds outcomes and
    conditions (A, K) each. The result's arrays have a first axis S.
    """
    size, joint, count = draws.size, sets.shape[1], len(after[0])
    shape = (size, horizons.full.size, len(sets), joint)
    found = Values(np.empty(shape), np.empty(shape), np.empty((size, count, 2, joint)))
    columns = [np.ascontiguousarray(np.atleast_2d(part).reshape(-1, joint).T.astype(float)) for part in (sets, *after)]

    matrices = [np.empty((size, joint, joint)) for _ in range(3)]
    for years, matrix in zip((horizons.rest, horizons.step, horizons.tail), matrices, strict=True):
        transition_matrices(chain, draws.log_rate, years, matrix)

    def work(first: int, last: int) -> None:
        _values_range(
            matrices[0], matrices[1], matrices[2], horizons, columns[0], columns[1], columns[2],
            first, last, found.at, found.reached, found.after,
        )  # fmt: skip

    _over_threads(size, work)
    return found


def filter_draws(
    chain: Chain, cells: Cells, draws: Draws, *, path: bool = False
) -> tuple[Floats, Floats, Floats | None]:
    """Log-likelihoods (S,), filtered probabilities at the last step (S, K), with ``path`` at every step (S, T, K)."""
    joint = int(np.prod(chain.sizes))
    value, alpha = np.empty(draws.size), np.empty((draws.size, joint))
    whole = np.empty((draws.size if path else 0, cells.years.size, joint))

    def work(first: int, last: int) -> None:
        filter_range(chain, cells, *draws, first, last, value, alpha, whole)

    _over_threads(draws.size, work)
    return value, alpha, whole if path else None


def smooth_draws(chain: Chain, cells: Cells, draws: Draws) -> Floats:
    """(S, T, K) smoothed probabilities."""
    whole = np.empty((draws.size, cells.years.size, int(np.prod(chain.sizes))))

    def work(first: int, last: int) -> None:
        smooth_range(chain, cells, *draws, first, last, whole)

    _over_threads(draws.size, work)
    return whole
