"""Many draws at once: their layout in blocks, and the steps of the chain for one block.

Kernels of this kind work on a block of `BLOCK` draws with the draw as the innermost axis, so that a processor's vector
unit takes several draws at a time and all that a step needs stays in its cache. A step contracts stage by stage: for
sizes n₁ … n_L it costs K·Σ nₗ products where the joint matrix costs K².

Axes inside blocks are (…, draw); outside they are (draw, …), as everywhere.
"""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.arrays import stay_and_move, table_offsets
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from forecast.engine.arrays import Chain, Floats, Ints


BLOCK = 64
FEWEST = 12  # blocks that are worth a thread
_asking = threading.local()


class Draws(NamedTuple):
    """The derived arrays of S draws, all that the kernels need of a posterior (or prior)."""

    log_rate: Floats  # (S, R)
    log_lambda: Floats  # (S, E)
    start: Floats  # (S, Σn)

    @property
    def size(self) -> int:
        """S, the number of draws."""
        return self.log_rate.shape[0]


class Blocks:
    """Draws laid out for the kernels, computed once and only read afterwards."""

    def __init__(self, chain: Chain, draws: Draws) -> None:
        """Lay ``draws`` out for a model's ``chain``."""
        self.chain = chain
        self.draws = draws

    @property
    def size(self) -> int:
        """S, the number of draws."""
        return self.draws.size

    @property
    def count(self) -> int:
        """Blocks; the last is filled up with the last draw."""
        return -(-self.size // BLOCK)

    @cached_property
    def rate(self) -> Floats:
        """(blocks, R, BLOCK) transition rates per year."""
        return _exponential(split(self.draws.log_rate))

    @cached_property
    def emission(self) -> Floats:
        """(blocks, E, BLOCK) rates per year of every indicator in every state of its stage."""
        return _exponential(split(self.draws.log_lambda))

    @cached_property
    def start(self) -> Floats:
        """(blocks, K, BLOCK) joint start probabilities."""
        joint = np.ones((self.size, 1))
        for part in np.split(self.draws.start, np.cumsum(self.chain.sizes)[:-1], axis=1):
            joint = (joint[:, :, None] * part[:, None, :]).reshape(self.size, -1)
        return split(joint)

    def shifted(self, log_rate: Floats | None = None, log_lambda: Floats | None = None) -> Blocks:
        """Give the draws with (1 or S, R) added to their log rates, or (1 or S, E) to their log emissions.

        What is not shifted is shared, and what is shifted alike for all draws is not laid out again.
        """
        draws, shifts = self.draws, {"rate": log_rate, "emission": log_lambda, "start": None}
        rate = draws.log_rate if log_rate is None else draws.log_rate + log_rate
        emission = draws.log_lambda if log_lambda is None else draws.log_lambda + log_lambda
        moved = Blocks(self.chain, Draws(rate, emission, draws.start))
        for name, shift in shifts.items():
            if shift is None:
                moved.__dict__[name] = getattr(self, name)
            elif len(shift) == 1:
                moved.__dict__[name] = getattr(self, name) * np.exp(shift[0])[:, None]
        return moved


def split(values: Floats) -> Floats:
    """(S, n) to (blocks, n, BLOCK); the last block is filled up with the last draw."""
    size, width = values.shape
    blocks = np.empty((-(-size // BLOCK), width, BLOCK))
    for k, block in enumerate(blocks):
        rows = values[k * BLOCK : (k + 1) * BLOCK]
        block[:, : len(rows)] = rows.T
        block[:, len(rows) :] = rows[-1:].T
    return blocks


def _exponential(values: Floats) -> Floats:
    return np.exp(values, out=values)


def chains_joined(values: Floats) -> Floats:
    """(S, n) draws of an array (chains, draws, …) of a fit, chains end to end."""
    return values.reshape(values.shape[0] * values.shape[1], -1)


def joined(blocks: Floats, size: int) -> Floats:
    """(blocks, …, BLOCK) to (S, …), without what filled the last block up."""
    moved = np.moveaxis(blocks, -1, 1)
    return moved.reshape(-1, *moved.shape[2:])[:size]


@contextmanager
def one_thread() -> Generator[None]:
    """Have what this thread asks of kernels done by it alone, so that others find their threads free."""
    before = getattr(_asking, "alone", False)
    _asking.alone = True
    try:
        yield
    finally:
        _asking.alone = before


def in_threads(count: int, work: Callable[[int, int], None]) -> None:
    """Call ``work(first, last)`` on slices of ``range(count)``, one for each processor.

    The caller does the first, and every other that no thread has begun by then: so callers may be many, or threads
    themselves, and none waits for what nobody does.
    """
    most = 1 if getattr(_asking, "alone", False) else os.cpu_count() or 1
    workers = max(1, min(most, count // FEWEST))
    first, *others = pairwise(np.linspace(0, count, workers + 1).astype(int).tolist())
    begun = [(_threads().submit(work, *other), other) for other in others]
    try:
        work(*first)
    finally:
        left = [other for done, other in begun if done.cancel()]
        wait(done for done, _ in begun if not done.cancelled())
    for other in left:
        work(*other)
    for done, _ in begun:
        if not done.cancelled():
            done.result()


@cache
def _threads() -> ThreadPoolExecutor:
    """Give the threads that all share, one for each other processor."""
    return ThreadPoolExecutor(max((os.cpu_count() or 1) - 1, 1), "kernels")


@kernel
def fill_tables(chain: Chain, rate: Floats, years: float, table: Floats, total: Floats) -> None:
    """Transition probabilities (entries, BLOCK) of one step of ``years``, given rates (R, BLOCK); see `gradient`.

    ``total`` (rows, BLOCK) is working space.
    """
    offsets = table_offsets(chain.sizes)
    table[:] = 0.0
    total[:] = 0.0
    rates = chain.rate_table
    first_row = 0
    k = 0
    for stage in range(chain.sizes.size):
        n = chain.sizes[stage]
        rows = (offsets[stage + 1] - offsets[stage]) // n
        while k < rates.shape[0] and rates[k, 0] == stage:
            row = rates[k, 1] * n + rates[k, 2]
            entry = offsets[stage] + row * n + rates[k, 3]
            for b in range(BLOCK):
                table[entry, b] = rate[k, b]
                total[first_row + row, b] += rate[k, b]
            k += 1
        for row in range(rows):
            q = total[first_row + row]
            first = offsets[stage] + row * n
            for b in range(BLOCK):
                stay, move = stay_and_move(q[b], years)
                for to in range(n):
                    table[first + to, b] *= move
                table[first + row % n, b] = stay
        first_row += rows


@kernel
def push(sizes: Ints, table: Floats, vector: Floats, buffer: Floats) -> tuple[Floats, Floats]:
    """One step forward: Σ_z vector(z) M(z, ·) of ``vector`` (K, BLOCK), and the other of the two arrays to work in.

    States of the first stage in which nothing is, such as those that a record rules out, cost nothing.
    """
    joint, n = vector.shape[0], sizes[0]
    rest = joint // n
    low, high = _held(n, vector)
    first, last = n, 0  # of those that something gets to
    ways = np.empty(n, np.int64)
    for to in range(n):
        count = 0
        for s in range(low, high):
            if _holds(table[s * n + to]):
                ways[count] = s
                count += 1
        if count:
            first, last = min(first, to), to + 1
        _mix(table, to, n, ways[:count], vector, buffer[to * rest : (to + 1) * rest])
    vector, buffer = buffer, vector
    contexts = n
    offset = n * n
    for stage in range(1, sizes.size):
        n = sizes[stage]
        rest = joint // (contexts * n)
        each = contexts // sizes[0]
        for c in range(contexts):
            if not first <= c // each < last:
                buffer[c * n * rest : (c + 1) * n * rest] = 0.0
                continue
            for to in range(n):
                for r in range(rest):
                    target = buffer[(c * n + to) * rest + r]
                    one = table[offset + (c * n) * n + to]
                    two = table[offset + (c * n + 1) * n + to]
                    v = vector[c * n * rest + r]
                    w = vector[(c * n + 1) * rest + r]
                    for b in range(BLOCK):
                        target[b] = one[b] * v[b] + two[b] * w[b]
                    for s in range(2, n):
                        p = table[offset + (c * n + s) * n + to]
                        u = vector[(c * n + s) * rest + r]
                        for b in range(BLOCK):
                            target[b] += p[b] * u[b]
        vector, buffer = buffer, vector
        offset += contexts * n * n
        contexts *= n
    return vector, buffer


@kernel
def pull(sizes: Ints, table: Floats, vector: Floats, buffer: Floats) -> tuple[Floats, Floats]:
    """One step back: Σ_y M(·, y) vector(y) of ``vector`` (K, BLOCK), and the other of the two arrays to work in."""
    joint = vector.shape[0]
    contexts = joint
    rest = 1
    offset = table.shape[0]
    for k in range(sizes.size - 1):
        n = sizes[sizes.size - 1 - k]
        contexts //= n
        offset -= contexts * n * n
        for c in range(contexts):
            for s in range(n):
                row = offset + (c * n + s) * n
                for r in range(rest):
                    target = buffer[(c * n + s) * rest + r]
                    first, second = table[row], table[row + 1]
                    v = vector[c * n * rest + r]
                    w = vector[(c * n + 1) * rest + r]
                    for b in range(BLOCK):
                        target[b] = first[b] * v[b] + second[b] * w[b]
                    for to in range(2, n):
                        p = table[row + to]
                        u = vector[(c * n + to) * rest + r]
                        for b in range(BLOCK):
                            target[b] += p[b] * u[b]
        vector, buffer = buffer, vector
        rest *= n
    n = sizes[0]
    ways = np.empty(n, np.int64)
    for s in range(n):
        count = 0
        for to in range(n):
            if _holds(table[s * n + to]):
                ways[count] = to
                count += 1
        _mix(table, s * n, 1, ways[:count], vector, buffer[s * rest : (s + 1) * rest])
    return buffer, vector


@kernel
def _mix(table: Floats, first: int, apart: int, ways: Ints, vector: Floats, target: Floats) -> None:
    """Σ over ``ways`` of the first stage of entry first + way · apart and a part of ``vector``, to ``target``."""
    rest = target.shape[0]
    target[:] = 0.0
    for way in ways:
        p = table[first + way * apart]
        part = vector[way * rest : (way + 1) * rest]
        for r in range(rest):
            for b in range(BLOCK):
                target[r, b] += p[b] * part[r, b]


@kernel
def _holds(row: Floats) -> bool:
    """Whether a row (BLOCK,) is more than nothing for some draw."""
    if row[0] != 0.0:
        return True
    total = 0.0
    for b in range(BLOCK):
        total += abs(row[b])
    return total != 0.0


@kernel
def _held(n: int, vector: Floats) -> tuple[int, int]:
    """First and last, and one, of the first stage's ``n`` states in which ``vector`` (K, BLOCK) holds anything."""
    rest = vector.shape[0] // n
    first, last = n, 0
    for z in range(vector.shape[0]):
        if _holds(vector[z]):
            first, last = min(first, z // rest), z // rest + 1
    return first, last
