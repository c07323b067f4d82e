"""Kernels that look ahead and back for many draws: filtered paths, and the value of each joint state at horizons.

The value of a state is the probability of something later, given that state now; it depends on the draw and not on the
evidence, and a forecast is the filtered probabilities times the values. Draws are spread over threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from forecast import hmm

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


_jit = numba.njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc", "contract", "nsz"})


@_jit
def _multiply(matrix, source, target):
    """Set target[z, m] = Σ_y matrix[z, y] source[y, m]."""
    for z in range(matrix.shape[0]):
        for m in range(source.shape[1]):
            target[z, m] = 0.0
        for y in range(matrix.shape[1]):
            p = matrix[z, y]
            if p != 0.0:
                for m in range(source.shape[1]):
                    target[z, m] += p * source[y, m]


@_jit
def _matrix(chain, log_rate, years):
    offsets = hmm._table_offsets(chain.sizes)  # noqa: SLF001 - kernels of one family
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    matrix = np.eye(chain.pairs.shape[1])
    if years > 0.0:
        hmm._fill_tables(chain, log_rate, years, offsets, total, table)  # noqa: SLF001
        hmm._fill_matrix(chain.pairs, table, matrix)  # noqa: SLF001
    return matrix


@_jit
def _values(chain, log_rate, horizons, sets, outcomes, conditions, at, reached, after):
    """Fill the values of one draw: one sweep backward from each horizon's end, shared by all horizons.

    ``sets`` (K, M), ``outcomes`` and ``conditions`` (K, A) are 0 or 1.
    """
    rest = _matrix(chain, log_rate, horizons.rest)
    step = _matrix(chain, log_rate, horizons.step)
    tail = _matrix(chain, log_rate, horizons.tail)
    _sweep_sets(rest, step, tail, horizons, sets, at, reached)
    if outcomes.shape[1]:
        _sweep_beginnings(rest, step, tail, horizons, outcomes, conditions, after)


@_jit
def _sweep_sets(rest, step, tail, horizons, sets, at, reached):
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


@_jit
def _sweep_beginnings(rest, step, tail, horizons, outcomes, conditions, after):
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


@_jit
def _begin(matrix, inside, gain, ahead):
    """One step back: who is outside may begin and collect the gain, or stays without; who is inside must leave first."""
    outside_next = np.empty_like(ahead)
    inside_next = np.empty_like(ahead)
    _multiply(matrix, gain + (1.0 - inside) * ahead, outside_next)
    _multiply(matrix, ahead, inside_next)
    ahead[:] = (1.0 - inside) * outside_next + inside * inside_next


@_jit
def _values_range(chain, log_rate, horizons, sets, outcomes, conditions, first, last, at, reached, after):
    for d in range(first, last):
        _values(chain, log_rate[d], horizons, sets, outcomes, conditions, at[d], reached[d], after[d])


@_jit
def _filter_range(chain, cells, log_rate, log_lambda, start, first, last, value, alpha, path):
    """Log-likelihood and filtered probabilities of some draws; the whole path only where ``path`` has room for it."""
    keep = path.shape[0] > 0
    one = np.empty((cells.years.size, alpha.shape[1]))
    for d in range(first, last):
        value[d] = hmm.log_likelihood(chain, cells, log_rate[d], log_lambda[d], start[d], one)
        alpha[d] = one[-1]
        if keep:
            path[d] = one


@_jit
def _smooth_range(chain, cells, log_rate, log_lambda, start, first, last, path):
    for d in range(first, last):
        path[d] = hmm.smoothed(chain, cells, log_rate[d], log_lambda[d], start[d])


def _over_threads(size: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` on slices of ``range(size)``, one for each processor."""
    workers = max(1, min(os.process_cpu_count() if hasattr(os, "process_cpu_count") else os.cpu_count() or 1, size))
    edges = np.linspace(0, size, workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]:
            done.result()


def values_at(
    chain: Chain, draws: Draws, horizons: Horizons, sets: Masks, after: tuple[Masks, Masks]
) -> Values:
    """Values for all draws.

    ``sets`` (M, K) are the sets whose probability is asked at and by each horizon; ``after`` holds outcomes and
    conditions (A, K) each. The result's arrays have a first axis S.
    """
    size, joint, count = draws.size, sets.shape[1], len(after[0])
    shape = (size, horizons.full.size, len(sets), joint)
    found = Values(np.empty(shape), np.empty(shape), np.empty((size, count, 2, joint)))
    columns = [np.ascontiguousarray(np.atleast_2d(part).reshape(-1, joint).T.astype(float)) for part in (sets, *after)]

    def work(first: int, last: int) -> None:
        _values_range(chain, draws.log_rate, horizons, *columns, first, last, *found)

    _over_threads(size, work)
    return found


def filter_draws(chain: Chain, cells: Cells, draws: Draws, *, path: bool = False) -> tuple[Floats, Floats, Floats | None]:
    """Log-likelihoods (S,), filtered probabilities at the last step (S, K), and with ``path`` at every step (S, T, K)."""
    joint = int(np.prod(chain.sizes))
    value, alpha = np.empty(draws.size), np.empty((draws.size, joint))
    whole = np.empty((draws.size if path else 0, cells.years.size, joint))

    def work(first: int, last: int) -> None:
        _filter_range(chain, cells, *draws, first, last, value, alpha, whole)

    _over_threads(draws.size, work)
    return value, alpha, whole if path else None


def smooth_draws(chain: Chain, cells: Cells, draws: Draws) -> Floats:
    """(S, T, K) smoothed probabilities."""
    whole = np.empty((draws.size, cells.years.size, int(np.prod(chain.sizes))))

    def work(first: int, last: int) -> None:
        _smooth_range(chain, cells, *draws, first, last, whole)

    _over_threads(draws.size, work)
    return whole
