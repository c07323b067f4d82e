"""Likelihood of observed spells: a stage's own chain, whose state is known to lie in a set, step by step.

A *segment* is an unbroken timeline of one unit. In each of its *spans* the rates are constant (one *regime*) and the
state lies in one set; the matrix of a step, its rows and columns outside the set struck out, is raised to the number of
steps by squaring. Between spans of different sets the state crosses once: at a known step, or at one of several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.arrays import stay_and_move
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints


POWERS = 16  # of two: spans of up to 65,535 steps


class Spans(NamedTuple):
    """Observed spells of all units, as the kernel reads them; n is the largest number of states of a stage.

    ``spans`` holds for each, in order: segment, regime, set before, set, steps in which it may cross from one to the
    other (0 where the set does not change), and steps after those. ``rate_table`` holds for each of Q rates: regime,
    from, to.
    """

    years: float  # of a step
    rate_table: Ints  # (Q, 3), in the order of the regimes
    sets: Floats  # (sets, n) 1 where a state is in it
    start: Floats  # (segments, n) probabilities at the segment's beginning, within the set of its first span
    spans: Ints  # (N, 6)


class Steps(NamedTuple):
    """The step matrix of each regime and how it changes with the rates."""

    matrix: Floats  # (regimes, n, n) transition probabilities of a step
    rate: Floats  # (Q,) per year
    move: Floats  # (regimes, n) P(leave) over q, the sum of the rates out of a state
    slope: Floats  # (regimes, n) d log move / d q


@kernel
def _step_matrices(spans: Spans, log_rate: Floats) -> Steps:
    """Give the step matrices of all regimes."""
    n = spans.sets.shape[1]
    regimes = spans.rate_table[-1, 0] + 1 if log_rate.size else 0
    matrix, rate = np.zeros((regimes, n, n)), np.exp(log_rate)
    out, moves, slope = np.zeros(matrix.shape[:2]), np.zeros(matrix.shape[:2]), np.zeros(matrix.shape[:2])
    for q in range(log_rate.size):
        regime, a, b = spans.rate_table[q]
        matrix[regime, a, b] += rate[q]
        out[regime, a] += rate[q]
    for regime in range(regimes):
        for a in range(n):
            stay, move = stay_and_move(out[regime, a], spans.years)
            for b in range(n):
                matrix[regime, a, b] *= move
            matrix[regime, a, a] = stay
            moves[regime, a] = move
            if out[regime, a] > 0.0:
                slope[regime, a] = (spans.years * stay / move - 1.0) / out[regime, a]
    return Steps(matrix, rate, moves, slope)


@kernel
def _square(size: int, matrix: Floats, result: Floats) -> float:
    """Put the square of ``matrix`` (size, size), scaled to a largest entry of 1, into ``result``; give the scale."""
    largest = 0.0
    for s in range(size):
        for t in range(size):
            value = 0.0
            for r in range(size):
                value += matrix[s, r] * matrix[r, t]
            result[s, t] = value
            largest = max(largest, value)
    for s in range(size):
        for t in range(size):
            result[s, t] *= 1.0 / largest
    return largest


@kernel
def _restricted(size: int, members: Ints, matrix: Floats, result: Floats) -> float:
    """Put ``matrix`` between a set's ``members``, scaled to a largest entry of 1, into ``result``; give the scale."""
    largest = 0.0
    for s in range(size):
        for t in range(size):
            result[s, t] = matrix[members[s], members[t]]
            largest = max(largest, result[s, t])
    for s in range(size):
        for t in range(size):
            result[s, t] *= 1.0 / largest
    return largest


@kernel
def set_members(sets: Floats) -> tuple[Ints, Ints]:
    """Give (sets, n) states of each set, first those inside; and (sets,) how many they are."""
    members, count = np.zeros(sets.shape, np.int64), np.zeros(sets.shape[0], np.int64)
    for k in range(sets.shape[0]):
        for s in range(sets.shape[1]):
            if sets[k, s]:
                members[k, count[k]] = s
                count[k] += 1
    return members, count


@kernel
def powers_of(spans: Spans, regimes: int, inner: Ints) -> tuple[Ints, int]:
    """(regimes, sets) number of the block of powers of a regime in a set, −1 for none; and how many there are.

    A set of one state needs none.
    """
    blocks = np.full((regimes, spans.sets.shape[0]), -1)
    count = 0
    for k in range(spans.spans.shape[0]):
        regime, inside = spans.spans[k, 1], spans.spans[k, 3]
        if spans.spans[k, 5] > 0 and blocks[regime, inside] < 0 and inner[inside] > 1:
            blocks[regime, inside] = count
            count += 1
    return blocks, count


@kernel
def _cross(
    matrix: Floats, left: Floats, inside: Floats, vector: Floats, old: Floats, before: Floats, crossed: Floats,
    fresh: Floats,
) -> float:  # fmt: skip
    """Take ``vector`` from set ``left`` into ``inside`` in the steps of ``before``; give the log of the sums.

    Those not yet across are left in ``old``, so ``vector`` sums to less than one. ``fresh`` is to work in.
    """
    n = vector.size
    old[:] = vector
    vector[:] = 0.0
    total = 0.0
    for at in range(before.shape[0]):
        before[at] = old
        crossed[at] = vector
        whole = 0.0
        for t in range(n):
            entering, staying = 0.0, 0.0
            for s in range(n):
                entering += (before[at, s] + crossed[at, s]) * matrix[s, t]
                staying += before[at, s] * matrix[s, t]
            fresh[t] = entering * inside[t]
            old[t] = staying * left[t]
            whole += fresh[t] + old[t]
        for t in range(n):
            vector[t] = fresh[t] / whole
            old[t] /= whole
        total += np.log(whole)
    return total


@kernel
def _stay(
    bits: int, members: Ints, size: int, power: Floats, lost: Floats, vector: Floats, before: Floats
) -> tuple[float, int]:
    """Multiply ``vector`` by the powers in ``bits``; give the log of their scales, and how many vectors were kept."""
    total = 0.0
    used = 0
    bit = 0
    while bits >> bit > 0:
        if (bits >> bit) & 1:
            for s in range(size):
                before[used, s] = vector[members[s]]
            for t in range(size):
                value = 0.0
                for s in range(size):
                    value += before[used, s] * power[bit, s, t]
                vector[members[t]] = value
            used += 1
            total += lost[bit]
        bit += 1
    return total, used


@kernel
def history_log_likelihood(spans: Spans, log_rate: Floats) -> tuple[float, Floats]:
    """Log-likelihood of the spells given (Q,) log rates per year, and its gradient with respect to them.

    −∞ with a gradient of zeros where the spells are impossible.
    """
    n = spans.sets.shape[1]
    steps = _step_matrices(spans, log_rate)
    members, inner = set_members(spans.sets)
    blocks, size = powers_of(spans, steps.matrix.shape[0], inner)
    power, scale, lost = np.empty((size, POWERS, n, n)), np.empty((size, POWERS)), np.empty((size, POWERS))
    ready = np.zeros(size, np.int64)  # powers that are computed
    # vectors before every application of a matrix; while crossing those not yet across, and those that are
    most = spans.spans[:, 4].sum() + POWERS * spans.spans.shape[0]
    before, crossed = np.empty((most, n)), np.empty((most, n))
    vector, old, fresh = np.empty(n), np.empty(n), np.empty(n)
    total = 0.0
    used = 0
    for k in range(spans.spans.shape[0]):
        segment, regime, left, inside, crossing, after = spans.spans[k]
        matrix = steps.matrix[regime]
        if k == 0 or spans.spans[k - 1, 0] != segment:
            vector[:] = spans.start[segment]
        if crossing > 0:
            last = used + crossing
            total += _cross(
                matrix, spans.sets[left], spans.sets[inside], vector, old, before[used:last], crossed[used:last],
                fresh,
            )  # fmt: skip
            used = last
        block, width = blocks[regime, inside], int(inner[inside])
        if block >= 0:
            while after >> ready[block] > 0:
                bit = ready[block]
                if bit == 0:
                    scale[block, 0] = _restricted(width, members[inside], matrix, power[block, 0])
                    lost[block, 0] = np.log(scale[block, 0])
                else:
                    scale[block, bit] = _square(width, power[block, bit - 1], power[block, bit])
                    lost[block, bit] = np.log(scale[block, bit]) + 2.0 * lost[block, bit - 1]
                ready[block] += 1
            gained, kept = _stay(int(after), members[inside], width, power[block], lost[block], vector, before[used:])
            total += gained
            used += kept
        elif after > 0:
            total += after * np.log(matrix[members[inside, 0], members[inside, 0]])
        whole = vector.sum()
        total += np.log(whole)
        if not total > -np.inf:
            return -np.inf, np.zeros(log_rate.size)
        for s in range(n):
            vector[s] *= 1.0 / whole
    worth = _worth_of_matrices(spans, steps, before[:used], crossed, members, inner, blocks, power, scale, ready)
    return total, _worth_of_rates(spans, steps, worth)


@kernel
def _worth_of_matrices(
    spans: Spans, steps: Steps, before: Floats, crossed: Floats, members: Ints, inner: Ints, blocks: Ints,
    power: Floats, scale: Floats, ready: Ints,
) -> Floats:  # fmt: skip
    """(regimes, n, n) derivative of the log-likelihood by the entries of each regime's matrix.

    Scales count as constants: they cancel.
    """
    n = spans.sets.shape[1]
    worth, power_worth = np.zeros_like(steps.matrix), np.zeros_like(power)
    weight, behind, room = np.ones(n), np.zeros(n), np.empty((2, n))
    at = before.shape[0]
    for k in range(spans.spans.shape[0] - 1, -1, -1):
        segment, regime, left, inside, crossing, after = spans.spans[k]
        if k == spans.spans.shape[0] - 1 or spans.spans[k + 1, 0] != segment:
            weight[:] = 1.0
        block = blocks[regime, inside]
        if block < 0 and after > 0:
            s = members[inside, 0]
            worth[regime, s, s] += after / steps.matrix[regime, s, s]
        for bit in range(POWERS - 1, -1, -1):
            if block < 0 or not (after >> bit) & 1:
                continue
            at -= 1
            whole = 0.0
            for s in range(inner[inside]):
                value = 0.0
                for t in range(inner[inside]):
                    value += power[block, bit, s, t] * weight[members[inside, t]]
                room[0, s] = value
                whole += before[at, s] * value
            for s in range(inner[inside]):
                room[1, s] = before[at, s] / whole
                for t in range(inner[inside]):
                    power_worth[block, bit, s, t] += room[1, s] * weight[members[inside, t]]
            for s in range(inner[inside]):
                weight[members[inside, s]] = room[0, s] / whole
        behind[:] = 0.0
        for _ in range(crossing):
            at -= 1
            _cross_back(
                steps.matrix[regime], spans.sets[left], spans.sets[inside], before[at], crossed[at], weight, behind,
                worth[regime], room,
            )  # fmt: skip
        if crossing > 0:
            weight[:] = behind
    for regime in range(blocks.shape[0]):
        for inside in range(spans.sets.shape[0]):
            block, size = blocks[regime, inside], inner[inside]
            if block < 0:
                continue
            for bit in range(ready[block] - 1, 0, -1):
                lower, here, shrunk = power[block, bit - 1], power_worth[block, bit], 1.0 / scale[block, bit]
                for s in range(size):
                    for t in range(size):
                        value = 0.0
                        for r in range(size):
                            value += here[s, r] * lower[t, r] + lower[r, s] * here[r, t]
                        power_worth[block, bit - 1, s, t] += value * shrunk
            for s in range(size):
                for t in range(size):
                    worth[regime, members[inside, s], members[inside, t]] += (
                        power_worth[block, 0, s, t] / scale[block, 0]
                    )
    return worth


@kernel
def _cross_back(
    matrix: Floats, left: Floats, inside: Floats, before: Floats, crossed: Floats, weight: Floats, behind: Floats,
    worth: Floats, room: Floats,
) -> None:  # fmt: skip
    """Undo one step of `_cross`: ``weight`` is what being across is worth, ``behind`` not yet.

    ``room`` is to work in.
    """
    n = weight.size
    enter, stay = room[0], room[1]
    for t in range(n):
        enter[t] = weight[t] * inside[t]
        stay[t] = behind[t] * left[t]
    whole = 0.0
    for s in range(n):
        going, staying = 0.0, 0.0
        for t in range(n):
            going += matrix[s, t] * enter[t]
            staying += matrix[s, t] * stay[t]
        weight[s] = going
        behind[s] = going + staying
        whole += crossed[s] * going + before[s] * behind[s]
    for s in range(n):
        weight[s] /= whole
        behind[s] /= whole
        for t in range(n):
            worth[s, t] += ((before[s] + crossed[s]) * enter[t] + before[s] * stay[t]) / whole


@kernel
def _worth_of_rates(spans: Spans, steps: Steps, worth: Floats) -> Floats:
    """(Q,) derivative of the log-likelihood by each log rate, from that by the entries of the matrices."""
    n = spans.sets.shape[1]
    common = np.zeros(steps.slope.shape)  # what a change of a state's sum of rates is worth
    for regime in range(common.shape[0]):
        for a in range(n):
            value = -spans.years * steps.matrix[regime, a, a] * worth[regime, a, a]
            for b in range(n):
                if b != a:
                    value += steps.slope[regime, a] * steps.matrix[regime, a, b] * worth[regime, a, b]
            common[regime, a] = value
    gradient = np.empty(steps.rate.size)
    for q in range(steps.rate.size):
        regime, a, b = spans.rate_table[q]
        gradient[q] = steps.rate[q] * (common[regime, a] + steps.move[regime, a] * worth[regime, a, b])
    return gradient
