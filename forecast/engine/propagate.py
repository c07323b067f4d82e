"""What lies ahead of each joint state: its value at horizons, for many draws.

The value of a state is the probability of something later, given that state now; it depends on the draw and not on the
evidence, and a forecast is the filtered probabilities times the values. So the values are computed once for a set of
draws and a weekday, and every change of evidence reads them off again.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.arrays import table_offsets
from forecast.engine.blocks import BLOCK, Blocks, fill_tables, in_threads, pull
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from forecast.engine.arrays import Chain, Floats, Ints, Masks


KEPT_BYTES = 400e6  # values that would take more are computed anew for each reading, some blocks at a time
PORTION = 8  # of these blocks


class Horizons(NamedTuple):
    """The grid ahead: the rest of the running step, ``full[h]`` whole steps, then a last piece to the horizon's date.

    Durations are in years. ``rest`` is 0 where the present ends a step, ``tail`` where the horizons do; ``fill`` is
    what ``tail`` lacks of a step. A horizon inside the running step has ``full`` −1 and lies ``direct`` ahead.
    """

    rest: float
    step: float
    tail: float
    fill: float
    direct: float
    full: Ints  # (H,) ascending


class Questions(NamedTuple):
    """What is asked of the future; sets of joint states are (…, K) masks.

    ``at`` (U, K): in the set at the horizon? ``reached`` (M, K): does it enter the set by the horizon, not being in it
    now? ``outcome`` and ``begins`` (A, K): does the condition begin by the last horizon, with the outcome ``later``
    (A,) whole steps after that; and does it begin?
    """

    at: Masks
    reached: Masks
    outcome: Masks
    begins: Masks
    later: Ints

    def rows(self, horizons: int) -> int:
        """Q, the number of answers: those of `Read`, end to end."""
        return horizons * (len(self.at) + len(self.reached)) + 2 * len(self.later)

    def split(self, found: Floats, horizons: int) -> Read:
        """Take (Q, S) answers apart."""
        at, reached, after = np.split(found, np.cumsum([horizons * len(self.at), horizons * len(self.reached)]))
        size = found.shape[1]
        return Read(at.reshape(horizons, -1, size), reached.reshape(horizons, -1, size), after.reshape(-1, 2, size))


class Read(NamedTuple):
    """The answers to `Questions` for S draws, at H horizons: the expectation of each value."""

    at: Floats  # (H, U, S)
    reached: Floats  # (H, M, S)
    after: Floats  # (A, 2, S)


class Ahead:
    """The values of every joint state for a set of draws; computed at the first reading and kept if they fit."""

    def __init__(self, blocks: Blocks, horizons: Horizons, questions: Questions) -> None:
        """Ask ``questions`` about ``horizons`` of every draw."""
        self.blocks = blocks
        self.horizons = horizons
        self.questions = questions

    @cached_property
    def name(self) -> bytes:
        """Digest of the horizons and the questions: of the same draws, the same name has the same values."""
        digest = hashlib.sha256()
        for part in (*self.horizons, *self.questions):
            array = np.ascontiguousarray(part)
            digest.update(repr((array.shape, array.dtype.str)).encode() + array.tobytes())
        return digest.digest()

    @cached_property
    def masks(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What is asked, as the kernels want it: all but how much later."""
        at, reached, outcome, begins = (np.ascontiguousarray(part, dtype=float) for part in self.questions[:4])
        return at, reached, outcome, begins

    @property
    def _shape(self) -> tuple[int, int, int]:
        joint = int(np.prod(self.blocks.chain.sizes))
        return self.questions.rows(self.horizons.full.size), joint, BLOCK

    @cached_property
    def _kept(self) -> Floats:
        """(blocks, Q, K, BLOCK), or of no blocks where that would be too much."""
        fits = self.blocks.count * np.prod(self._shape) * 8 <= KEPT_BYTES
        return self._values(self.blocks.count if fits else 0)

    @property
    def values(self) -> Floats:
        """(blocks, Q, K, BLOCK) value of every joint state, however much that is."""
        return self._kept if len(self._kept) else self._values(self.blocks.count)

    def _values(self, count: int) -> Floats:
        values = np.empty((count, *self._shape))
        in_threads(count, lambda first, last: self._write(first, values[first:last]))
        return values

    def _write(self, first: int, values: Floats) -> None:
        """Write the ``values`` of as many blocks as they have room for, from the ``first`` on."""
        rate = self.blocks.rate[first : first + len(values)]
        _fill_values(self.blocks.chain, rate, self.horizons, *self.masks, self.questions.later, values)

    def read(self, states: Floats) -> Read:
        """Answer, given the present ``states`` (blocks, K, BLOCK)."""
        kept = self._kept
        found = np.empty((self._shape[0], self.blocks.count, BLOCK))

        def work(first: int, last: int) -> None:
            if len(kept):
                _expect(kept[first:last], states[first:last], first, found)
                return
            for block in range(first, last, PORTION):
                values = np.empty((min(PORTION, last - block), *self._shape))
                self._write(block, values)
                _expect(values, states[block : block + PORTION], block, found)

        in_threads(self.blocks.count, work)
        found = found.reshape(self._shape[0], -1)[:, : self.blocks.size]
        return self.questions.split(found, self.horizons.full.size)


@kernel
def _expect(values: Floats, states: Floats, first: int, found: Floats) -> None:
    """Write Σ_z value(z) state(z) to ``found`` (Q, blocks, BLOCK), for blocks from the ``first`` on."""
    for block in range(values.shape[0]):
        for q in range(values.shape[1]):
            answer = found[q, first + block]
            answer[:] = 0.0
            for z in range(values.shape[2]):
                for b in range(BLOCK):
                    answer[b] += values[block, q, z, b] * states[block, z, b]


@kernel
def _fill_values(
    chain: Chain, rate: Floats, horizons: Horizons, at: Floats, reached: Floats, outcome: Floats, begins: Floats,
    later: Ints, every: Floats,
) -> None:  # fmt: skip
    """Fill the values ``every`` (blocks, Q, K, BLOCK) of blocks with these rates."""
    tables = np.empty((5, table_offsets(chain.sizes)[-1], BLOCK))
    first = horizons.full.size * at.shape[0]
    second = first + horizons.full.size * reached.shape[0]
    for block in range(every.shape[0]):
        values = every[block]
        tables_ahead(chain, rate[block], horizons, tables)
        for m in range(at.shape[0] + reached.shape[0]):
            entering = m >= at.shape[0]
            if entering:
                row = m - at.shape[0]
                whole, answers = reached[row], values[first + row : second : reached.shape[0]]
            else:
                whole, answers = at[m], values[m : first : at.shape[0]]
            _look(chain.sizes, tables, horizons, whole, answers, entering)
        for a in range(outcome.shape[0]):
            row = second + 2 * a
            _both(chain.sizes, tables, horizons, outcome[a], begins[a], later[a], values[row])
            if a > 0 and np.all(begins[a] == begins[a - 1]):
                values[row + 1] = values[row - 1]
            else:
                _begun(chain.sizes, tables, horizons, begins[a], values[row + 1])


@kernel
def tables_ahead(chain: Chain, rate: Floats, horizons: Horizons, tables: Floats) -> None:
    """Fill ``tables`` (5, entries, BLOCK): for the rest, a step, the tail, what it lacks, and what is direct."""
    total = np.empty(tables.shape[1:])
    durations = (horizons.rest, horizons.step, horizons.tail, horizons.fill, horizons.direct)
    for k, years in enumerate(durations):
        fill_tables(chain, rate, years, tables[k], total)


@kernel
def _spread(mask: Floats, vector: Floats) -> None:
    """Give every draw the same (K,) values."""
    for z in range(mask.size):
        vector[z, :] = mask[z]


@kernel
def narrowed(sizes: Ints, mask: Floats) -> tuple[Ints, int, int, Floats]:
    """Leave out the last stages as far as the others say whether a state is in the set ``mask`` (K,).

    No stage moves by those behind it, so that the tables and states of the leading ones alone give the probabilities of
    the set. Gives their sizes, the end of their tables, how many joint states each of theirs has, and their mask.
    """
    rest, depth = 1, sizes.size
    while depth > 1:
        wider = rest * sizes[depth - 1]
        told = True
        for z in range(mask.size):
            told = told and mask[z] == mask[z // wider * wider]
        if not told:
            break
        rest = wider
        depth -= 1
    return sizes[:depth], table_offsets(sizes)[depth], rest, mask[::rest].copy()


@kernel
def _look(sizes: Ints, tables: Floats, horizons: Horizons, whole: Floats, values: Floats, entering: bool) -> None:
    """P(in the set at each horizon | z) to ``values`` (H, K, BLOCK); or P(``entering`` it by then, not in it now)."""
    sizes, end, rest, mask = narrowed(sizes, whole)
    shape = mask.size, BLOCK
    vector, buffer, now = np.empty(shape), np.empty(shape), np.empty(shape)
    h = 0
    if horizons.full[0] < 0:
        _spread(mask, now)
        now, buffer = pull(sizes, tables[4][:end], now, buffer)
        _keep(now, rest, values[0])
        h = 1
    _spread(mask, vector)
    if horizons.tail > 0.0:
        vector, buffer = pull(sizes, tables[2][:end], vector, buffer)
    for k in range(horizons.full[-1] + 1):
        if k > 0:
            if entering:
                _fill(mask, vector, 1.0)  # whoever is in the set has arrived
            vector, buffer = pull(sizes, tables[1][:end], vector, buffer)
        if h < horizons.full.size and horizons.full[h] == k:
            now[:] = vector
            if horizons.rest > 0.0:
                if entering:
                    _fill(mask, now, 1.0)
                now, buffer = pull(sizes, tables[0][:end], now, buffer)
            _keep(now, rest, values[h])
            h += 1
    if entering:
        for k in range(values.shape[0]):
            _fill(whole, values[k], 0.0)


@kernel
def _keep(few: Floats, rest: int, values: Floats) -> None:
    """Write the values of the states of leading stages to all (K, BLOCK) that have them."""
    for z in range(values.shape[0]):
        for b in range(BLOCK):
            values[z, b] = few[z // rest, b]


@kernel
def _fill(mask: Floats, vector: Floats, value: float) -> None:
    """Set what holds inside the set."""
    for z in range(mask.size):
        if mask[z] > 0.0:
            vector[z, :] = value


@kernel
def _both(
    sizes: Ints, tables: Floats, horizons: Horizons, outcome: Floats, begins: Floats, later: int, values: Floats
) -> None:  # fmt: skip
    """P(the condition begins, and the outcome holds ``later`` steps on | z) to ``values`` (K, BLOCK)."""
    aligned, unaligned, buffer = np.empty(values.shape), np.empty(values.shape), np.empty(values.shape)
    _spread(outcome, aligned)
    for _ in range(later):
        aligned, buffer = pull(sizes, tables[1], aligned, buffer)
    if horizons.tail > 0.0:  # a beginning at the last date lies off the grid; its later date does too
        _spread(outcome, unaligned)
        unaligned, buffer = pull(sizes, tables[2], unaligned, buffer)
        for _ in range(later - 1):
            unaligned, buffer = pull(sizes, tables[1], unaligned, buffer)
        unaligned, buffer = pull(sizes, tables[3], unaligned, buffer)
    values[:] = 0.0
    _gather(sizes, tables, horizons, begins, aligned, unaligned, values)


@kernel
def _begun(sizes: Ints, tables: Floats, horizons: Horizons, whole: Floats, values: Floats) -> None:
    """P(the condition begins | z) to ``values`` (K, BLOCK)."""
    sizes, end, rest, begins = narrowed(sizes, whole)
    sure, begun = np.ones((begins.size, BLOCK)), np.zeros((begins.size, BLOCK))
    _gather(sizes, tables[:, :end].copy(), horizons, begins, sure, sure, begun)
    _keep(begun, rest, values)


@kernel
def _gather(
    sizes: Ints, tables: Floats, horizons: Horizons, begins: Floats, gain: Floats, last: Floats, ahead: Floats
) -> None:  # fmt: skip
    """Take ``ahead`` back from the last horizon to now; who begins collects the ``gain``, or ``last`` in the tail."""
    work, other = np.empty(ahead.shape), np.empty(ahead.shape)
    if horizons.tail > 0.0:
        _begin(sizes, tables[2], begins, last, ahead, work, other)
    for _ in range(horizons.full[-1]):
        _begin(sizes, tables[1], begins, gain, ahead, work, other)
    if horizons.rest > 0.0:
        _begin(sizes, tables[0], begins, gain, ahead, work, other)


@kernel
def _begin(
    sizes: Ints, table: Floats, begins: Floats, gain: Floats, ahead: Floats, work: Floats, other: Floats
) -> None:
    """Go one step back: who is outside may begin and collect the gain; who is inside must leave first."""
    for z in range(begins.size):
        source = gain if begins[z] > 0.0 else ahead
        for b in range(BLOCK):
            work[z, b] = source[z, b]
    outside, rest = pull(sizes, table, work, other)
    rest[:] = ahead
    for z in range(begins.size):
        if begins[z] == 0.0:
            ahead[z] = outside[z]
    inside, _ = pull(sizes, table, rest, outside)
    for z in range(begins.size):
        if begins[z] > 0.0:
            ahead[z] = inside[z]
