"""Many evidences of the same draws and steps in one pass: what they share is computed once for each block.

The tables of a step and the sums of an availability set depend on the draw and not on what was seen. So a watch-list,
in which one indicator after the other is silent, needs them once, and so does an alarm, in which the same cells report
a thousand times anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import Cells, table_offsets
from forecast.engine.blocks import BLOCK, fill_tables, in_threads, push
from forecast.engine.filtering import RESCALE, block_sums, emit, mark_thin, multiply, normalise, on_log_scale
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Chain, Floats, Ints
    from forecast.engine.blocks import Blocks


# Silence.


def unseen(
    blocks: Blocks, cells: Cells, watched: Ints, start: Floats, value: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Probabilities that none of the ``watched`` indicators (C, W) is seen, in each of C cases; −1 is no indicator.

    Parameters
    ----------
    blocks
        The draws.
    cells
        Covered cells in which nothing was seen, on T steps.
    watched
        The indicators whose cells count in each case.
    start
        (blocks, K, BLOCK) probabilities before the first step.
    value
        (blocks, K, BLOCK) the value of being in each state behind the last step.
    weights
        (S,) of the draws.

    Returns
    -------
    (C, S) the probability of silence through all steps; (C, S) that times the expected value behind them; and (C, T)
    the weighted mean of the probability of silence up to each step.

    """
    cases, steps, count, size = len(watched), cells.years.size, blocks.count, blocks.size
    mass, both = np.zeros((cases, count, BLOCK)), np.zeros((cases, count, BLOCK))
    by = np.zeros((count, cases, steps))
    share = np.zeros(count * BLOCK)
    share[:size] = weights
    exposure = np.zeros((blocks.chain.emission_offset.size - 1, steps))
    stage = np.zeros(len(exposure), dtype=np.int64)
    np.add.at(exposure, (cells.what[:, 3], cells.what[:, 0]), cells.value[:, 1])
    stage[cells.what[:, 3]] = cells.what[:, 2]

    def work(first: int, last: int) -> None:
        _unseen_range(
            blocks.chain, cells.years, exposure, stage, watched, blocks.rate, blocks.emission, start, value,
            share.reshape(count, BLOCK), first, last, mass, both, by,
        )  # fmt: skip

    in_threads(count, work)
    return mass.reshape(cases, -1)[:, :size], both.reshape(cases, -1)[:, :size], by.sum(axis=0)


@kernel
def _tables(chain: Chain, years: Floats, rate: Floats) -> tuple[Floats, Ints]:
    """Tables (D, entries, BLOCK) of the steps of one block, and which of them (T,) is that of each step."""
    which = np.zeros(years.size, np.int64)
    for t in range(1, years.size):
        which[t] = which[t - 1] + (1 if years[t] != years[t - 1] else 0)
    entries = table_offsets(chain.sizes)[-1]
    tables, total = np.empty((which[-1] + 1, entries, BLOCK)), np.empty((entries, BLOCK))
    for t in range(years.size):
        if t == 0 or which[t] != which[t - 1]:
            fill_tables(chain, rate, years[t], tables[which[t]], total)
    return tables, which


@kernel
def _unseen_range(
    chain: Chain, years: Floats, exposure: Floats, stage: Ints, watched: Ints, rate: Floats, emission: Floats,
    start: Floats, value: Floats, share: Floats, first: int, last: int, mass: Floats, both: Floats, by: Floats,
) -> None:  # fmt: skip
    """Follow every case through the steps for blocks ``first`` to ``last``."""
    joint, steps = start.shape[1], years.size
    one, two, begun = np.empty((joint, BLOCK)), np.empty((joint, BLOCK)), np.empty((joint, BLOCK))
    quiet = np.empty((watched.shape[1], chain.sizes.max(), BLOCK))
    total = np.empty(BLOCK)
    for block in range(first, last):
        tables, which = _tables(chain, years, rate[block])
        one[:] = start[block]
        vector, buffer = push(chain.sizes, tables[0], one, two)  # nothing is known before the end of the first step
        begun[:] = vector
        for case in range(watched.shape[0]):
            vector[:] = begun
            for t in range(steps):
                if t > 0:
                    vector, buffer = push(chain.sizes, tables[which[t]], vector, buffer)
                for w in range(watched.shape[1]):
                    k = watched[case, w]
                    if k < 0 or exposure[k, t] == 0.0:
                        continue
                    if t == 0 or exposure[k, t] != exposure[k, t - 1]:
                        rates = chain.emission_offset[k]
                        for s in range(chain.sizes[stage[k]]):
                            for b in range(BLOCK):
                                quiet[w, s, b] = np.exp(-emission[block, rates + s, b] * exposure[k, t])
                    multiply(chain.sizes, int(stage[k]), quiet[w], vector)
                total[:] = 0.0
                for z in range(joint):
                    for b in range(BLOCK):
                        total[b] += vector[z, b]
                for b in range(BLOCK):
                    by[block, case, t] += share[block, b] * total[b]
            mass[case, block] = total
            for z in range(joint):
                for b in range(BLOCK):
                    both[case, block, b] += value[block, z, b] * vector[z, b]


# Reports.


def likelihoods(blocks: Blocks, cells: Cells, observed: Floats, start: Floats) -> Floats:
    """(F, S) log-likelihood of every draw if the same cells report each of ``observed`` (F, N), from ``start``.

    Each is what `evaluate` gives for cells with that report.
    """
    value = np.zeros((len(observed), blocks.count, BLOCK))
    thin = np.zeros(value.shape, np.bool_)
    edges = np.searchsorted(cells.what[:, 0], np.arange(cells.years.size + 1))

    def work(first: int, last: int) -> None:
        chain, rate, emission = blocks.chain, blocks.rate, blocks.emission
        _reported_range(chain, cells, edges, observed, rate, emission, start, first, last, value, thin)
        for f in range(first, last):
            if thin[f].any():
                report, everywhere = cells._replace(observed=observed[f]), np.ones(start.shape[1])
                states, nothing, smooth = np.empty(start.shape), np.empty((0, 0, 0)), False
                on_log_scale(
                    chain, report, rate, emission, start, everywhere, 0, blocks.count, smooth, thin[f], value[f],
                    states, nothing,
                )  # fmt: skip

    in_threads(len(observed), work)
    return value.reshape(len(observed), -1)[:, : blocks.size]


@kernel
def _reported_range(
    chain: Chain, cells: Cells, edges: Ints, observed: Floats, rate: Floats, emission: Floats, start: Floats,
    first: int, last: int, value: Floats, thin: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Evaluate every block under reports ``first`` to ``last``; ``thin`` is as `filtering.evaluate` has it."""
    joint, steps, widest = start.shape[1], cells.years.size, chain.sizes.max()
    one, two, begun = np.empty((joint, BLOCK)), np.empty((joint, BLOCK)), np.empty((joint, BLOCK))
    sums = np.empty((cells.available.shape[0], widest, BLOCK))
    work = np.empty((2, chain.sizes.size, widest, BLOCK))
    scale, spread = np.empty(BLOCK), np.empty(BLOCK)
    for block in range(start.shape[0]):
        block_sums(chain, cells, emission[block], sums)
        tables, which = _tables(chain, cells.years, rate[block])
        one[:] = start[block]
        vector, buffer = push(chain.sizes, tables[0], one, two)
        begun[:] = vector
        for f in range(first, last):
            report = Cells(
                cells.years, cells.what, cells.value, observed[f], cells.available, cells.false, cells.in_set
            )
            log_mass = value[f, block]
            vector[:] = begun
            idle = 0
            for t in range(steps):
                if t > 0:
                    vector, buffer = push(chain.sizes, tables[which[t]], vector, buffer)
                loud = emit(
                    chain, report, edges[t], edges[t + 1], emission[block], sums, work, spread, vector, log_mass
                )
                idle = 0 if loud else idle + 1
                if idle in {0, RESCALE}:
                    idle = 0
                    normalise(vector, scale, log_mass)
                    if loud:
                        mark_thin(vector, spread, thin[f, block])
            normalise(vector, scale, log_mass)
            for b in range(BLOCK):
                if not log_mass[b] > -np.inf:
                    log_mass[b] = -np.inf
