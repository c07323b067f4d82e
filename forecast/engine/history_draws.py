"""Likelihood of observed spells for many draws at once, without its gradient: see `forecast.engine.history`.

The same recursion on a block of draws, the draw innermost (see `forecast.engine.blocks`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import stay_and_move
from forecast.engine.blocks import BLOCK
from forecast.engine.filtering import normalise
from forecast.engine.history import Spans, powers_of, set_members
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats, Ints


@kernel
def history_log_likelihoods(spans: Spans, log_rates: Floats) -> Floats:
    """(S,) log-likelihood of the spells under each of (S, Q) log rates per year; −∞ where they are impossible."""
    size, n = log_rates.shape[0], spans.sets.shape[1]
    regimes = spans.rate_table[-1, 0] + 1 if log_rates.shape[1] else 0
    members, inner = set_members(spans.sets)
    numbers, first, bits = powers_of(spans, regimes, inner)
    used = np.zeros(regimes, dtype=np.bool_)
    used[spans.spans[:, 1]] = True
    width, count = first.size - 2, first[-1]
    matrix = np.empty((regimes, n, n, BLOCK))
    power, lost = np.empty((count, bits, width, width, BLOCK)), np.empty((count, bits, BLOCK))
    found = np.empty(-(-size // BLOCK) * BLOCK)
    for first in range(0, size, BLOCK):
        _matrices(spans, used, log_rates[first : first + BLOCK], matrix)
        _walk(spans, matrix, members, inner, numbers, power, lost, found[first : first + BLOCK])
    return found[:size]


@kernel
def _matrices(spans: Spans, used: NDArray[np.bool_], log_rates: Floats, matrix: Floats) -> None:
    """Put the step matrices of the regimes in use into ``matrix`` (regimes, n, n, BLOCK).

    A block with too few draws is filled up with its last.
    """
    n, last = matrix.shape[1], log_rates.shape[0] - 1
    matrix[:] = 0.0
    out = np.zeros((matrix.shape[0], n, BLOCK))
    for q in range(log_rates.shape[1]):
        regime, a, b = spans.rate_table[q]
        if used[regime]:
            for d in range(BLOCK):
                rate = np.exp(log_rates[min(d, last), q])
                matrix[regime, a, b, d] += rate
                out[regime, a, d] += rate
    for regime in range(matrix.shape[0]):
        for a in range(n if used[regime] else 0):
            for d in range(BLOCK):
                stay, move = stay_and_move(out[regime, a, d], spans.years)
                for b in range(n):
                    matrix[regime, a, b, d] *= move
                matrix[regime, a, a, d] = stay


@kernel
def _walk(
    spans: Spans, matrix: Floats, members: Ints, inner: Ints, numbers: Ints, power: Floats, lost: Floats, total: Floats
) -> None:  # fmt: skip
    """Go through all segments; ``total`` (BLOCK,) is what they come to."""
    n = matrix.shape[1]
    ready = np.zeros(power.shape[0], np.int64)  # powers that are computed
    vector, left, room = np.empty((n, BLOCK)), np.empty((n, BLOCK)), np.empty((2, n, BLOCK))
    total[:] = 0.0
    for k in range(spans.spans.shape[0]):
        segment, regime, before, inside, crossing, after = spans.spans[k]
        if k == 0 or spans.spans[k - 1, 0] != segment:
            for s in range(n):
                vector[s, :] = spans.start[segment, s]
        if crossing > 0:
            left[:] = vector
            vector[:] = 0.0
            for _ in range(crossing):
                _cross(matrix[regime], spans.sets[before], spans.sets[inside], vector, left, room, total)
        number, size = numbers[regime, inside], int(inner[inside])
        if number >= 0:
            while after >> ready[number] > 0:
                _next_power(matrix[regime], members[inside], size, power[number], lost[number], int(ready[number]))
                ready[number] += 1
            for bit in range(ready[number]):
                if (after >> bit) & 1:
                    _stay(members[inside], size, power[number, bit], vector, room[0])
                    for d in range(BLOCK):
                        total[d] += lost[number, bit, d]
        elif after > 0:
            only = members[inside, 0]
            for d in range(BLOCK):
                total[d] += after * np.log(matrix[regime, only, only, d])
        normalise(vector, room[0, 0], total)
    for d in range(BLOCK):
        if not total[d] > -np.inf:
            total[d] = -np.inf


@kernel
def _cross(
    matrix: Floats, outside: Floats, inside: Floats, vector: Floats, left: Floats, room: Floats, total: Floats
) -> None:  # fmt: skip
    """Go one step of a crossing: some of those ``left`` enter ``vector``; both are scaled to sum to one together."""
    n = vector.shape[0]
    entered, stayed = room[0], room[1]
    whole = np.zeros(BLOCK)
    entered[:] = 0.0
    stayed[:] = 0.0
    for t in range(n):
        if inside[t] > 0.0:
            for s in range(n):
                for d in range(BLOCK):
                    entered[t, d] += (left[s, d] + vector[s, d]) * matrix[s, t, d]
        if outside[t] > 0.0:
            for s in range(n):
                for d in range(BLOCK):
                    stayed[t, d] += left[s, d] * matrix[s, t, d]
        for d in range(BLOCK):
            whole[d] += entered[t, d] + stayed[t, d]
    for d in range(BLOCK):
        total[d] += np.log(whole[d])
        whole[d] = 1.0 / whole[d] if whole[d] > 0.0 else 0.0
    for t in range(n):
        for d in range(BLOCK):
            vector[t, d] = entered[t, d] * whole[d]
            left[t, d] = stayed[t, d] * whole[d]


@kernel
def _next_power(matrix: Floats, members: Ints, size: int, power: Floats, lost: Floats, bit: int) -> None:
    """Put the next power of two of the matrix between a set's ``members`` into ``power``, scaled to a largest of 1."""
    here = power[bit]
    largest = np.zeros(BLOCK)
    for s in range(size):
        for t in range(size):
            if bit == 0:
                here[s, t] = matrix[members[s], members[t]]
            else:
                here[s, t] = 0.0
                for r in range(size):
                    for d in range(BLOCK):
                        here[s, t, d] += power[bit - 1, s, r, d] * power[bit - 1, r, t, d]
            for d in range(BLOCK):
                largest[d] = max(largest[d], here[s, t, d])
    for d in range(BLOCK):
        lost[bit, d] = np.log(largest[d]) + (0.0 if bit == 0 else 2.0 * lost[bit - 1, d])
        largest[d] = 1.0 / largest[d]
    for s in range(size):
        for t in range(size):
            for d in range(BLOCK):
                here[s, t, d] *= largest[d]


@kernel
def _stay(members: Ints, size: int, power: Floats, vector: Floats, before: Floats) -> None:
    """Multiply ``vector``, inside a set, by a power of its matrix; ``before`` is to work in."""
    for s in range(size):
        before[s] = vector[members[s]]
    for t in range(size):
        target = vector[members[t]]
        target[:] = 0.0
        for s in range(size):
            for d in range(BLOCK):
                target[d] += before[s, d] * power[s, t, d]
