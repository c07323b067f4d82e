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


class Powers(NamedTuple):
    """Matrices between the states of a set, to the powers of 1, 2, 4, …; m is the largest number of states of a set.

    Each is divided by its largest entry before it is squared. The matrices come last, so that vector instructions serve
    several.
    """

    power: Floats  # (bits, m, m, matrices)
    scale: Floats  # (bits, matrices) the largest entry that each was divided by
    lost: Floats  # (bits, matrices) log of all that it was divided by


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
def powers_of(spans: Spans, regimes: int, inner: Ints) -> tuple[Ints, Ints, int]:
    """(regimes, sets) number of the powers of a regime in a set, −1 for none; by sizes of sets; and how many of each.

    Those of sets with ``m`` states have the numbers from the second result's ``m`` to before its ``m + 1``; a set of
    one state needs none. The third is how many powers of two the longest span takes.
    """
    most = inner.max() if inner.size else 0
    numbers, first = np.full((regimes, spans.sets.shape[0]), -1), np.zeros(most + 2, np.int64)
    count, longest = 0, 0
    for size in range(2, most + 1):
        first[size] = count
        for k in range(spans.spans.shape[0]):
            regime, inside, after = spans.spans[k, 1], spans.spans[k, 3], spans.spans[k, 5]
            if after > 0 and inner[inside] == size:
                longest = max(longest, after)
                if numbers[regime, inside] < 0:
                    numbers[regime, inside] = count
                    count += 1
    first[most + 1] = count
    bits = 0
    while longest >> bits > 0:
        bits += 1
    return numbers, first, bits


@kernel
def _powers(matrix: Floats, members: Ints, inner: Ints, numbers: Ints, first: Ints, bits: int) -> Powers:
    """Give the powers of all matrices between the states of a set."""
    most, count = first.size - 2, first[-1]
    power, scale, lost = np.zeros((bits, most, most, count)), np.zeros((bits, count)), np.zeros((bits, count))
    shrunk = np.empty(count)
    for regime in range(numbers.shape[0] if bits else 0):
        for inside in range(numbers.shape[1]):
            number = numbers[regime, inside]
            for s in range(inner[inside] if number >= 0 else 0):
                for t in range(inner[inside]):
                    power[0, s, t, number] = matrix[regime, members[inside, s], members[inside, t]]
    for bit in range(bits):
        for size in range(2, most + 1):
            some = slice(first[size], first[size + 1])
            here, below = power[bit, :, :, some], power[bit - 1, :, :, some]
            largest, shrink = scale[bit, some], shrunk[some]
            for s in range(size):
                for t in range(size):
                    for r in range(size if bit else 0):
                        for k in range(largest.size):
                            here[s, t, k] += below[s, r, k] * below[r, t, k]
                    for k in range(largest.size):
                        largest[k] = max(largest[k], here[s, t, k])
            for k in range(largest.size):
                shrink[k] = 1.0 / largest[k] if largest[k] > 0.0 else 0.0
            for s in range(size):
                for t in range(size):
                    for k in range(largest.size):
                        here[s, t, k] *= shrink[k]
        for k in range(count):
            lost[bit, k] = np.log(scale[bit, k]) + (2.0 * lost[bit - 1, k] if bit else 0.0)
    return Powers(power, scale, lost)


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
    steps: int, number: int, members: Ints, size: int, powers: Powers, vector: Floats, before: Floats
) -> tuple[float, int]:
    """Multiply ``vector`` by the powers that make ``steps``; give the log of their scales, and how many were kept."""
    total = 0.0
    used = 0
    bit = 0
    while steps >> bit > 0:
        if (steps >> bit) & 1:
            for s in range(size):
                before[used, s] = vector[members[s]]
            for t in range(size):
                value = 0.0
                for s in range(size):
                    value += before[used, s] * powers.power[bit, s, t, number]
                vector[members[t]] = value
            used += 1
            total += powers.lost[bit, number]
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
    numbers, first, bits = powers_of(spans, steps.matrix.shape[0], inner)
    powers = _powers(steps.matrix, members, inner, numbers, first, bits)
    # vectors before every application of a matrix; while crossing those not yet across, and those that are
    most = spans.spans[:, 4].sum() + bits * spans.spans.shape[0]
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
        number = numbers[regime, inside]
        if number >= 0 and after > 0:
            size = int(inner[inside])
            gained, kept = _stay(int(after), int(number), members[inside], size, powers, vector, before[used:])
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
    worth = _worth_of_matrices(spans, steps, before[:used], crossed, members, inner, numbers, first, powers)
    return total, _worth_of_rates(spans, steps, worth)


@kernel
def _worth_of_matrices(
    spans: Spans, steps: Steps, before: Floats, crossed: Floats, members: Ints, inner: Ints, numbers: Ints,
    first: Ints, powers: Powers,
) -> Floats:  # fmt: skip
    """(regimes, n, n) derivative of the log-likelihood by the entries of each regime's matrix.

    Scales count as constants: they cancel.
    """
    n = spans.sets.shape[1]
    worth, power_worth = np.zeros_like(steps.matrix), np.zeros_like(powers.power)
    weight, behind, room = np.ones(n), np.zeros(n), np.empty((2, n))
    at = before.shape[0]
    for k in range(spans.spans.shape[0] - 1, -1, -1):
        segment, regime, left, inside, crossing, after = spans.spans[k]
        if k == spans.spans.shape[0] - 1 or spans.spans[k + 1, 0] != segment:
            weight[:] = 1.0
        number, size = numbers[regime, inside], inner[inside]
        if number < 0 and after > 0:
            s = members[inside, 0]
            worth[regime, s, s] += after / steps.matrix[regime, s, s]
        for bit in range(power_worth.shape[0] - 1, -1, -1):
            if number < 0 or not (after >> bit) & 1:
                continue
            at -= 1
            whole = 0.0
            for s in range(size):
                value = 0.0
                for t in range(size):
                    value += powers.power[bit, s, t, number] * weight[members[inside, t]]
                room[0, s] = value
                whole += before[at, s] * value
            for s in range(size):
                room[1, s] = before[at, s] / whole
                for t in range(size):
                    power_worth[bit, s, t, number] += room[1, s] * weight[members[inside, t]]
            for s in range(size):
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
    _worth_of_first_powers(first, powers, power_worth)
    for regime in range(numbers.shape[0]):
        for inside in range(numbers.shape[1]):
            number = numbers[regime, inside]
            for s in range(inner[inside] if number >= 0 else 0):
                for t in range(inner[inside]):
                    worth[regime, members[inside, s], members[inside, t]] += power_worth[0, s, t, number]
    return worth


@kernel
def _worth_of_first_powers(first: Ints, powers: Powers, worth: Floats) -> None:
    """Carry what each power is ``worth`` back to the matrix itself, before it was scaled: that of the power of 1."""
    for bit in range(worth.shape[0] - 1, -1, -1):
        for size in range(2, worth.shape[1] + 1):
            some = slice(first[size], first[size + 1])
            here, largest = worth[bit, :, :, some], powers.scale[bit, some]
            for s in range(size):
                for t in range(size):
                    for k in range(largest.size):
                        here[s, t, k] = here[s, t, k] / largest[k] if largest[k] > 0.0 else 0.0
            lower, back = powers.power[bit - 1, :, :, some], worth[bit - 1, :, :, some]
            for s in range(size if bit else 0):
                for t in range(size):
                    for r in range(size):
                        for k in range(largest.size):
                            back[s, t, k] += here[s, r, k] * lower[t, r, k] + lower[r, s, k] * here[r, t, k]


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
