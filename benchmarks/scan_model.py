"""The same likelihood as a `pytensor.scan`: what one would write without a kernel of one's own.

Cells are densities in a symbolic graph, multiplied into one (T, K) array of emissions; the scan carries the filtered
probabilities through one joint matrix a step. All indices are constants, so the graph holds only arithmetic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytensor
import pytensor.tensor as pt

from forecast.engine.arrays import ASSESSMENT, COVERED, OBSERVABLE, SELECTIVE

if TYPE_CHECKING:
    from pytensor.tensor.variable import TensorVariable

    from forecast.engine.arrays import Cells
    from forecast.theory.statespace import StateSpace


def scan_log_likelihood(
    space: StateSpace, cells: Cells, log_rate: TensorVariable, log_lambda: TensorVariable, start: TensorVariable
) -> TensorVariable:
    """Log-likelihood of one draw as a symbolic scalar; arguments as in `forecast.engine.gradient.log_likelihood`."""
    durations, which = np.unique(cells.years, return_inverse=True)
    matrices = pt.stack([_matrix(space, log_rate, float(years)) for years in durations])
    states = np.array(list(np.ndindex(*space.sizes)))
    first = pt.prod(start[space.stage_offset[:-1] + states], axis=1)

    def step(emission, matrix, before):
        now = pt.dot(before, matrix) * emission
        norm = now.sum()
        return now / norm, pt.log(norm)

    _, log_norm = pytensor.scan(
        step,
        sequences=[_emission(space, cells, log_lambda, states), matrices[which]],
        outputs_info=[first, None],
        return_updates=False,
    )
    return log_norm.sum()


def _matrix(space: StateSpace, log_rate: TensorVariable, years: float) -> TensorVariable:
    """(K, K) joint matrix of one step."""
    contexts = np.concatenate([[1], np.cumprod(space.sizes)])[:-1]
    offset = np.concatenate([[0], np.cumsum(contexts * space.sizes**2)])
    stage, context, from_, to = space.rate_table.T
    row = offset[stage] + (context * space.sizes[stage] + from_) * space.sizes[stage]
    rate = pt.zeros(offset[-1])[row + to].set(pt.exp(log_rate))
    tables = []
    for level, n in enumerate(space.sizes):
        q = rate[offset[level] : offset[level + 1]].reshape((-1, n, n))
        total = q.sum(axis=2, keepdims=True)
        move = pt.switch(total > 0, -pt.expm1(-years * total) / pt.switch(total > 0, total, 1.0), 0.0)
        tables.append((q * move + np.eye(n) * pt.exp(-years * total)).ravel())
    return pt.prod(pt.concatenate(tables)[space.pairs], axis=0)


def _emission(space: StateSpace, cells: Cells, log_lambda: TensorVariable, states: np.ndarray) -> TensorVariable:
    """(T, K) product of the densities of a step's cells in each joint state; observables are a constant mask."""
    steps = cells.years.size
    rate = pt.exp(log_lambda)
    kind = cells.what[:, 1]
    log_stage = pt.zeros((steps, int(space.stage_offset[-1])))
    for density, at, column in (
        _covered(space, cells, rate, np.flatnonzero(kind == COVERED)),
        _selective(space, cells, rate, np.flatnonzero(kind == SELECTIVE)),
    ):
        if at.size:
            log_stage = log_stage[at, column].inc(pt.log(density))
    mask = np.ones((steps, int(space.stage_offset[-1])))
    for k in np.flatnonzero((kind == ASSESSMENT) | (kind == OBSERVABLE)):
        t, stage, seen = cells.what[k, 0], cells.what[k, 2], int(cells.observed[k])
        columns = np.arange(space.stage_offset[stage], space.stage_offset[stage + 1])
        if kind[k] == OBSERVABLE:
            mask[t, columns] *= cells.in_set[columns] == seen
        else:
            w = cells.value[k, 0]
            states = space.phase_state[columns]
            mask[t, columns] *= np.where(states == seen, w, (1 - w) / states.max())
    columns = space.stage_offset[:-1] + states
    return pt.exp(log_stage[:, columns].sum(axis=2)) * mask[:, columns].prod(axis=2)


def _covered(space, cells, rate, chosen):
    cell, state, column = _in_states(space, cells, chosen)
    absent = pt.exp(-rate[space.emission_offset[cells.what[cell, 3]] + state] * cells.value[cell, 1])
    w = cells.observed[cell]
    density = pt.switch(w > 0, w * (1 - absent) + (1 - w) * cells.value[cell, 2] * absent, absent)
    return density, cells.what[cell, 0], column


def _selective(space, cells, rate, chosen):
    cell, state, column = _in_states(space, cells, chosen)
    told, group, w = cells.observed[cell].astype(int), cells.what[cell, 4], cells.value[cell, 0]
    widest = int(space.sizes.max())
    member = np.zeros((len(cells.available), widest, int(space.emission_offset[-1])))
    for g, i in zip(*np.nonzero(cells.available), strict=True):
        for s in range(space.emission_offset[i + 1] - space.emission_offset[i]):
            member[g, s, space.emission_offset[i] + s] = 1.0
    sums = pt.dot(member.reshape(-1, member.shape[2]), rate).reshape((-1, widest))
    false = (1 - w) * cells.false[group, told]
    return w * rate[space.emission_offset[told] + state] / sums[group, state] + false, cells.what[cell, 0], column


def _in_states(space, cells, chosen):
    """Give cell, state and column of every pair of a chosen cell and a state of its stage."""
    sizes = space.sizes[cells.what[chosen, 2]]
    cell = np.repeat(chosen, sizes)
    state = np.concatenate([np.arange(n) for n in sizes]) if sizes.size else np.zeros(0, int)
    return cell, state, space.stage_offset[cells.what[cell, 2]] + state
