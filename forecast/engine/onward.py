"""What lies ahead of the present states, for one reading: they are pushed on once through all horizons.

The answers are those of `forecast.engine.propagate`, which goes back from every horizon and keeps the value of each
state: that pays where the same draws are read again and again, and costs several times as much the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import table_offsets
from forecast.engine.blocks import BLOCK, in_threads, pull, push
from forecast.engine.jit import kernel
from forecast.engine.propagate import Ahead, narrowed, tables_ahead

if TYPE_CHECKING:
    from forecast.engine.arrays import Chain, Floats, Ints
    from forecast.engine.propagate import Horizons, Read


class Onward(Ahead):
    """An `Ahead` that is read once: nothing is kept for the next reading."""

    def read(self, states: Floats) -> Read:
        """Answer, given the present ``states`` (blocks, K, BLOCK)."""
        blocks, horizons, asked, rate = self.blocks, self.horizons, self.questions, self.blocks.rate
        found = np.zeros((asked.rows(horizons.full.size), blocks.count, BLOCK))

        def work(first: int, last: int) -> None:
            _read_range(blocks.chain, rate, horizons, *self.masks, asked.later, first, last, states, found)

        in_threads(blocks.count, work)
        return asked.split(found.reshape(len(found), -1)[:, : blocks.size], horizons.full.size)


@kernel
def _read_range(
    chain: Chain, rate: Floats, horizons: Horizons, at: Floats, reached: Floats, outcome: Floats, begins: Floats,
    later: Ints, first: int, last: int, states: Floats, found: Floats,
) -> None:  # fmt: skip
    tables = np.empty((5, table_offsets(chain.sizes)[-1], BLOCK))
    count = horizons.full.size
    second = count * at.shape[0]
    third = second + count * reached.shape[0]
    for block in range(first, last):
        tables_ahead(chain, rate[block], horizons, tables)
        if at.shape[0]:
            _at(chain.sizes, tables, horizons, at, states[block], found[:second, block])
        for m in range(reached.shape[0]):
            rows = found[second + m : third : reached.shape[0], block]
            _reached(chain.sizes, tables, horizons, reached[m], states[block], rows)
        a = 0
        while a < outcome.shape[0]:  # those after the same condition go on together
            end = a + 1
            while end < outcome.shape[0] and np.all(begins[end] == begins[a]):
                end += 1
            _begun(
                chain.sizes, tables, horizons, outcome[a:end], begins[a], later[a:end], states[block],
                found[third + 2 * a : third + 2 * end, block],
            )  # fmt: skip
            a = end


@kernel
def _add_inside(mask: Floats, vector: Floats, answer: Floats) -> None:
    """Add Σ_z mask(z) vector(z) to ``answer`` (BLOCK,)."""
    for z in range(mask.size):
        if mask[z] > 0.0:
            for b in range(BLOCK):
                answer[b] += vector[z, b]


@kernel
def _at(sizes: Ints, tables: Floats, horizons: Horizons, at: Floats, states: Floats, found: Floats) -> None:
    """P(in each set at each horizon) to ``found`` (H·U, BLOCK)."""
    many = at.shape[0]
    vector, buffer, there = states.copy(), np.empty_like(states), np.empty_like(states)
    h = 0
    if horizons.full[0] < 0:
        there[:] = states
        there, buffer = push(sizes, tables[4], there, buffer)
        for u in range(many):
            _add_inside(at[u], there, found[u])
        h = 1
    if horizons.rest > 0.0:
        vector, buffer = push(sizes, tables[0], vector, buffer)
    for k in range(horizons.full[-1] + 1):
        if k > 0:
            vector, buffer = push(sizes, tables[1], vector, buffer)
        if h < horizons.full.size and horizons.full[h] == k:
            there[:] = vector
            if horizons.tail > 0.0:
                there, buffer = push(sizes, tables[2], there, buffer)
            for u in range(many):
                _add_inside(at[u], there, found[h * many + u])
            h += 1


@kernel
def _arrive(mask: Floats, vector: Floats, arrived: Floats) -> None:
    """Take those in the set out of ``vector`` (K, BLOCK) and add them to ``arrived`` (BLOCK,)."""
    for z in range(mask.size):
        if mask[z] > 0.0:
            for b in range(BLOCK):
                arrived[b] += vector[z, b]
                vector[z, b] = 0.0


@kernel
def _reached(sizes: Ints, tables: Floats, horizons: Horizons, whole: Floats, states: Floats, found: Floats) -> None:
    """P(the set is entered by each horizon, not being in it now) to ``found`` (H, BLOCK)."""
    sizes, end, rest, mask = narrowed(sizes, whole)
    vector = np.zeros((mask.size, BLOCK))
    for z in range(whole.size):
        for b in range(BLOCK):
            vector[z // rest, b] += states[z, b]
    buffer, there = np.empty_like(vector), np.empty_like(vector)
    arrived = np.zeros(BLOCK)
    _arrive(mask, vector, arrived)
    arrived[:] = 0.0  # who is in the set now does not enter it
    h = 0
    if horizons.full[0] < 0:
        there[:] = vector
        there, buffer = push(sizes, tables[4][:end], there, buffer)
        _add_inside(mask, there, found[0])
        h = 1
    if horizons.rest > 0.0:
        vector, buffer = push(sizes, tables[0][:end], vector, buffer)
        _arrive(mask, vector, arrived)
    for k in range(horizons.full[-1] + 1):
        if k > 0:
            vector, buffer = push(sizes, tables[1][:end], vector, buffer)
            _arrive(mask, vector, arrived)
        if h < horizons.full.size and horizons.full[h] == k:
            found[h] = arrived
            if horizons.tail > 0.0:
                there[:] = vector
                there, buffer = push(sizes, tables[2][:end], there, buffer)
                _add_inside(mask, there, found[h])
            h += 1


@kernel
def _begun(
    sizes: Ints, tables: Floats, horizons: Horizons, outcomes: Floats, begins: Floats, later: Ints, states: Floats,
    found: Floats,
) -> None:  # fmt: skip
    """P(the condition begins, and an outcome holds ``later`` steps on), and P(it begins), to ``found`` (2A, BLOCK)."""
    many = later.size
    vector, buffer = states.copy(), np.empty_like(states)
    inside, other = np.empty_like(states), np.empty_like(states)
    gains = np.empty((many, *states.shape))
    for a in range(many):
        gain, work = gains[a].copy(), np.empty_like(states)
        for z in range(begins.size):
            gain[z, :] = outcomes[a, z]
        for _ in range(later[a]):
            gain, work = pull(sizes, tables[1], gain, work)
        gains[a] = gain
    if horizons.rest > 0.0:
        vector, buffer, inside, other = _begin(sizes, tables[0], begins, gains, vector, buffer, inside, other, found)
    for _ in range(horizons.full[-1]):
        vector, buffer, inside, other = _begin(sizes, tables[1], begins, gains, vector, buffer, inside, other, found)
    if horizons.tail > 0.0:  # a beginning at the last date lies off the grid; its later date does too
        for a in range(many):
            gain, work = gains[a].copy(), np.empty_like(states)
            for z in range(begins.size):
                gain[z, :] = outcomes[a, z]
            gain, work = pull(sizes, tables[2], gain, work)
            for _ in range(later[a] - 1):
                gain, work = pull(sizes, tables[1], gain, work)
            gain, work = pull(sizes, tables[3], gain, work)
            gains[a] = gain
        _begin(sizes, tables[2], begins, gains, vector, buffer, inside, other, found)


@kernel
def _begin(
    sizes: Ints, table: Floats, begins: Floats, gains: Floats, vector: Floats, buffer: Floats, inside: Floats,
    other: Floats, found: Floats,
) -> tuple[Floats, Floats, Floats, Floats]:  # fmt: skip
    """Go one step on: who comes from outside and is in the set then begins; who was inside must leave first."""
    for z in range(begins.size):
        if begins[z] > 0.0:
            inside[z] = vector[z]
            vector[z, :] = 0.0
        else:
            inside[z, :] = 0.0
    vector, buffer = push(sizes, table, vector, buffer)
    inside, other = push(sizes, table, inside, other)
    for z in range(begins.size):
        if begins[z] > 0.0:
            for a in range(gains.shape[0]):
                for b in range(BLOCK):
                    found[2 * a, b] += gains[a, z, b] * vector[z, b]
                    found[2 * a + 1, b] += vector[z, b]
            vector[z] = inside[z]
        else:
            for b in range(BLOCK):
                vector[z, b] += inside[z, b]
    return vector, buffer, inside, other
