"""Mean, interval and Monte Carlo error of many weighted quantities, in a few passes over the draws of each.

An interval needs the two draws around each of its ends and not the order of all: draws are counted into bins by their
value, and only those of the bins around an end are sorted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.blocks import in_threads
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints


BINS = 256


def summaries(part: Floats, whole: Floats, weights: Floats, ends: tuple[float, float], copies: int = 1) -> Floats:
    """(Q, 4) mean, ends of the interval, and error of each: the expectation of ``part`` over that of ``whole``.

    Parameters
    ----------
    part, whole
        (Q, S) values under each draw.
    weights
        (S,) of the draws; they sum to one.
    ends
        Shares of the weight below the ends of the interval, which is over draws, each weighted by ``weights`` and its
        ``whole``; between two draws it is interpolated.
    copies
        How many times the same draws stand end to end. The error is that of draws that are independent but for these.

    """
    found = np.empty((len(part), 4))
    below = np.array(ends)

    def work(first: int, last: int) -> None:
        _summarise(part[first:last], whole[first:last], weights, below, copies, found[first:last])

    in_threads(len(part), work)
    return found


@kernel
def _summarise(part: Floats, whole: Floats, weights: Floats, below: Floats, copies: int, found: Floats) -> None:
    """Summarise each row into ``found`` (Q, 4)."""
    size = weights.size
    value, share = np.empty(size), np.empty(size)
    bins, count, mass = np.empty(size, np.int64), np.empty(BINS, np.int64), np.empty(BINS)
    once = size // copies
    for q in range(part.shape[0]):
        total, summed = 0.0, 0.0
        least, most = np.inf, -np.inf
        for d in range(size):
            share[d] = whole[q, d] * weights[d]
            total += share[d]
            summed += part[q, d] * weights[d]
            value[d] = part[q, d] / whole[q, d] if whole[q, d] > 0.0 else 0.0
            least, most = min(least, value[d]), max(most, value[d])
        mean, square = summed / total, 0.0
        for d in range(once):
            move = 0.0
            for k in range(d, size, once):
                move += weights[k] * (part[q, k] - mean * whole[q, k])
            square += move * move
        found[q, 0], found[q, 3] = mean, np.sqrt(square) / total
        if not most > least:
            found[q, 1:3] = least
            continue
        width = (most - least) / BINS
        count[:] = 0
        mass[:] = 0.0
        for d in range(size):
            bins[d] = max(min(int((value[d] - least) / width), BINS - 1), 0)
            count[bins[d]] += 1
            mass[bins[d]] += share[d]
        for k in range(below.size):
            found[q, 1 + k] = _point(value, share, bins, count, mass, below[k] * total)


@kernel
def _point(value: Floats, share: Floats, bins: Ints, count: Ints, mass: Floats, wanted: float) -> float:
    """Give the value with a mass of ``wanted`` below it, half of a draw's own counting as below."""
    middle, before = 0, 0.0
    while middle < BINS - 1 and before + mass[middle] <= wanted:
        before += mass[middle]
        middle += 1
    first = middle  # the nearest bins with a draw, on either side
    while first > 0 and (first == middle or count[first] == 0):
        first -= 1
    last = middle
    while last < BINS - 1 and (last == middle or count[last] == 0):
        last += 1
    many = 0
    for k in range(first, last + 1):
        many += count[k]
        if k < middle:
            before -= mass[k]
    chosen = np.empty(many, np.int64)
    many = 0
    for d in range(value.size):
        if first <= bins[d] <= last:
            chosen[many] = d
            many += 1
    chosen = chosen[np.argsort(value[chosen])]
    reached, held = wanted, value[chosen[0]]  # below the middle of the first draw it is the first draw's
    for d in chosen:
        here = before + share[d] / 2.0
        if here > wanted:
            return float(held + (wanted - reached) / (here - reached) * (value[d] - held))
        before += share[d]
        reached, held = here, value[d]
    return float(held)


def difference_errors(
    part: Floats, whole: Floats, weights: Floats, other_part: Floats, other_whole: Floats, other_weights: Floats
) -> Floats:
    """(Q,) error of the difference between quantities and the same ones under other answers and weights of the draws.

    Arguments are those of `summaries`, twice.
    """
    found = np.empty(len(part))

    def work(first: int, last: int) -> None:
        rows = slice(first, last)
        _difference_errors(
            part[rows], whole[rows], weights, other_part[rows], other_whole[rows], other_weights, found[rows]
        )

    in_threads(len(part), work)
    return found


@kernel
def _difference_errors(
    part: Floats, whole: Floats, weights: Floats, other_part: Floats, other_whole: Floats, other_weights: Floats,
    found: Floats,
) -> None:  # fmt: skip
    for q in range(part.shape[0]):
        total, summed, other_total, other_summed = 0.0, 0.0, 0.0, 0.0
        for d in range(weights.size):
            total += whole[q, d] * weights[d]
            summed += part[q, d] * weights[d]
            other_total += other_whole[q, d] * other_weights[d]
            other_summed += other_part[q, d] * other_weights[d]
        mean, other_mean, square = summed / total, other_summed / other_total, 0.0
        for d in range(weights.size):
            move = weights[d] * (part[q, d] - mean * whole[q, d]) / total
            move -= other_weights[d] * (other_part[q, d] - other_mean * other_whole[q, d]) / other_total
            square += move * move
        found[q] = np.sqrt(square)
