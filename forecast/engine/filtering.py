"""Where evidence meets draws outside PyMC: log-likelihoods and hidden states of thousands of draws at once.

The hidden path is summed out exactly for each draw, so any change of evidence is one call of `evaluate`. Nothing of
shape (draw, time, state) is made unless a path is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from forecast.engine.arrays import (
    ASSESSMENT,
    COUNTED,
    COVERED,
    OBSERVABLE,
    SELECTIVE,
    counted,
    judged,
    log_gamma,
    seen,
    stage_offsets,
    table_offsets,
    told,
    used_sets,
)
from forecast.engine.blocks import BLOCK, Blocks, fill_tables, in_threads, joined, pull, push
from forecast.engine.emissions import cell_densities, log_emissions, told_sums
from forecast.engine.gradient import log_matrices
from forecast.engine.jit import kernel
from forecast.engine.log_domain import APART, THIN, log_ahead, log_behind, log_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Cells, Chain, Floats, Ints


FOLD = 8  # cells of one step that are multiplied up before their product moves to the log scale
RESCALE = 16  # steps without a cell after which the filter is scaled all the same, so that nothing underflows


@dataclass(frozen=True)
class Evaluation:
    """What evidence says under every draw; NaN in ``states`` and ``path`` where it is impossible.

    ``states`` (blocks, K, BLOCK) are the filtered probabilities at the last step as the kernels want them.
    """

    log_likelihood: Floats  # (S,)
    states: Floats
    path: Floats | None  # (S, T, K)
    on_log_scale: bool = False  # whether states of some draw were too far apart for a float on the way

    @property
    def now(self) -> Floats:
        """(S, K) filtered probabilities at the last step."""
        return joined(self.states, self.log_likelihood.size)


def evaluate(
    blocks: Blocks, cells: Cells, *, path: Literal["filtered", "smoothed"] | None = None,
    start: Floats | None = None, allowed: NDArray[np.bool_] | None = None,
) -> Evaluation:  # fmt: skip
    """Log-likelihood of every draw and the hidden states, filtered at the last step.

    Parameters
    ----------
    blocks
        The draws.
    cells
        Evidence on T steps.
    path
        Whether the states at every step are wanted, and given what: the evidence up to each step, or all of it.
    start
        (blocks, K, BLOCK) probabilities before the first step; those of the model's start by default. They need not sum
        to one: the log-likelihood takes their sum in.
    allowed
        (K,) joint states that the chain may enter; paths through others are left out. All by default.

    """
    chain = blocks.chain
    joint = int(np.prod(chain.sizes))
    start = blocks.start if start is None else start
    value = np.zeros((blocks.count, BLOCK))
    thin = np.zeros((blocks.count, BLOCK), np.bool_)
    states = start.copy()
    steps = cells.years.size
    whole = np.empty((blocks.size if path else 0, steps, joint))
    mask = np.ones(joint) if allowed is None else allowed.astype(float)
    edges = np.searchsorted(cells.what[:, 0], np.arange(steps + 1))
    rate = blocks.rate
    if cells.what.size:
        emission = blocks.emission
    else:  # no cell asks for any, nor for the sum of a set
        cells, emission = used_sets(cells), np.empty((blocks.count, 0, BLOCK))

    def work(first: int, last: int) -> None:
        smooth = path == "smoothed"
        _evaluate_range(
            chain, cells, edges, rate, emission, mask, first, last, smooth, value, states, whole, thin
        )  # fmt: skip
        if thin[first:last].any():
            on_log_scale(
                chain, cells, rate, emission, start, mask, first, last, smooth, thin, value, states, whole
            )  # fmt: skip

    in_threads(blocks.count, work)
    return Evaluation(value.ravel()[: blocks.size], states, whole if path else None, bool(thin.any()))


@kernel
def _evaluate_range(
    chain: Chain, cells: Cells, edges: Ints, rate: Floats, emission: Floats, mask: Floats, first: int, last: int,
    smooth: bool, value: Floats, states: Floats, whole: Floats, thin: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Evaluate blocks ``first`` to ``last``; ``states`` holds the start and receives the end.

    ``thin`` (blocks, BLOCK) receives which draws only the log scale can hold.
    """
    steps, joint = cells.years.size, states.shape[1]
    offsets = table_offsets(chain.sizes)
    table = np.empty((offsets[-1], BLOCK))
    total = np.empty((offsets[-1], BLOCK))
    one, two = np.empty((joint, BLOCK)), np.empty((joint, BLOCK))
    scale = np.empty(BLOCK)
    widest = chain.sizes.max()
    sums = np.empty((cells.available.shape[0], widest, BLOCK))
    work = np.empty((2, chain.sizes.size, widest, BLOCK))
    spread = np.empty(BLOCK)
    kept = np.empty((steps if whole.shape[0] > 0 else 0, joint, BLOCK))
    masked = mask.min() < 1.0
    for block in range(first, last):
        block_sums(chain, cells, emission[block], sums)
        vector, buffer = one, two
        vector[:] = states[block]
        log_mass = value[block]
        idle = 0
        for t in range(steps):
            if t == 0 or cells.years[t] != cells.years[t - 1]:
                fill_tables(chain, rate[block], cells.years[t], table, total)
            vector, buffer = push(chain.sizes, table, vector, buffer)
            if masked:
                for z in range(joint):
                    if mask[z] == 0.0:
                        vector[z, :] = 0.0
            loud = emit(chain, cells, edges[t], edges[t + 1], emission[block], sums, work, spread, vector, log_mass)
            idle = 0 if loud else idle + 1
            if idle in {0, RESCALE} or kept.shape[0] > 0:
                idle = 0
                normalise(vector, scale, log_mass)
                if loud:
                    mark_thin(vector, spread, thin[block])
            if kept.shape[0] > 0:
                kept[t] = vector
        normalise(vector, scale, log_mass)
        for b in range(BLOCK):
            if not log_mass[b] > -np.inf:
                log_mass[b] = -np.inf
                for z in range(joint):
                    vector[z, b] = np.nan
        states[block] = vector
        if kept.shape[0] > 0 and smooth:
            _smooth(
                chain, cells, edges, rate[block], emission[block], sums, work, spread, table, total, one, two,
                scale, kept,
            )  # fmt: skip
        if kept.shape[0] > 0:
            for b in range(min(BLOCK, whole.shape[0] - block * BLOCK)):
                for t in range(steps):
                    for z in range(joint):
                        whole[block * BLOCK + b, t, z] = kept[t, z, b] if log_mass[b] > -np.inf else np.nan


@kernel
def mark_thin(vector: Floats, spread: Floats, thin: NDArray[np.bool_]) -> None:
    """Mark draws of which a float cannot hold what the next step makes of the filtered ``vector`` (K, BLOCK)."""
    for b in range(BLOCK):
        thin[b] |= spread[b] > APART
    for z in range(vector.shape[0]):
        for b in range(BLOCK):
            thin[b] |= (vector[z, b] > 0.0) & (vector[z, b] < THIN)


@kernel
def on_log_scale(
    chain: Chain, cells: Cells, rate: Floats, emission: Floats, start: Floats, mask: Floats, first: int, last: int,
    smooth: bool, thin: NDArray[np.bool_], value: Floats, states: Floats, whole: Floats,
) -> None:  # fmt: skip
    """Evaluate the ``thin`` draws (blocks, BLOCK) of blocks ``first`` to ``last`` once more, each on the log scale."""
    offset = stage_offsets(chain.sizes)
    for block in range(first, last):
        for b in range(BLOCK):
            if not thin[block, b]:
                continue
            rates, told_of = rate[block, :, b].copy(), emission[block, :, b].copy()
            sums = told_sums(chain, cells, told_of)
            density = cell_densities(chain, cells, told_of, sums, offset)
            likely = log_emissions(chain, cells, told_of, density, offset) + np.log(mask)
            matrices, which = log_matrices(chain, cells.years, rates)
            ahead = log_ahead(matrices, which, likely, np.log(start[block, :, b]))
            mass = log_sum(ahead[-1])
            possible = mass > -np.inf
            value[block, b] = mass if possible else -np.inf
            for z in range(mask.size):
                states[block, z, b] = np.exp(ahead[-1, z] - mass) if possible else np.nan
            draw = block * BLOCK + b
            if draw < whole.shape[0]:
                if smooth and possible:
                    ahead += log_behind(matrices, which, likely)[1:]
                for t in range(cells.years.size):
                    if possible:
                        whole[draw, t] = np.exp(ahead[t] - log_sum(ahead[t]))
                    else:
                        whole[draw, t] = np.nan


@kernel
def _smooth(
    chain: Chain, cells: Cells, edges: Ints, rate: Floats, emission: Floats, sums: Floats, work: Floats,
    spread: Floats, table: Floats, total: Floats, one: Floats, two: Floats, scale: Floats, kept: Floats,
) -> None:  # fmt: skip
    """Turn filtered probabilities ``kept`` (T, K, BLOCK) into smoothed ones."""
    unused = np.zeros(BLOCK)
    ahead, buffer = one, two
    ahead[:] = 1.0
    for t in range(cells.years.size - 1, -1, -1):
        for z in range(ahead.shape[0]):
            for b in range(BLOCK):
                # a state that cannot be may explain what follows best; it would push the others to zero
                ahead[z, b] = ahead[z, b] if kept[t, z, b] > 0.0 else 0.0
                kept[t, z, b] *= ahead[z, b]
        normalise(kept[t], scale, unused)
        emit(chain, cells, edges[t], edges[t + 1], emission, sums, work, spread, ahead, unused)
        if t == cells.years.size - 1 or cells.years[t] != cells.years[t + 1]:
            fill_tables(chain, rate, cells.years[t], table, total)
        ahead, buffer = pull(chain.sizes, table, ahead, buffer)
        normalise(ahead, scale, unused)


@kernel
def normalise(vector: Floats, scale: Floats, log_mass: Floats) -> None:
    """Scale ``vector`` (K, BLOCK) to sum to one and add the logarithm of what it summed to."""
    scale[:] = 0.0
    for z in range(vector.shape[0]):
        for b in range(BLOCK):
            scale[b] += vector[z, b]
    for b in range(BLOCK):
        if scale[b] > 0.0:
            log_mass[b] += np.log(scale[b])
            scale[b] = 1.0 / scale[b]
        else:
            log_mass[b] = -np.inf
            scale[b] = 0.0
    for z in range(vector.shape[0]):
        for b in range(BLOCK):
            vector[z, b] *= scale[b]


@kernel
def block_sums(chain: Chain, cells: Cells, emission: Floats, sums: Floats) -> None:
    """Σ λⱼ(s) (G, n_max, BLOCK) over each availability set, for the states of its stage."""
    sums[:] = 0.0
    for g in range(sums.shape[0]):
        for i in range(cells.available.shape[1]):
            if cells.available[g, i]:
                first = chain.emission_offset[i]
                for s in range(chain.emission_offset[i + 1] - first):
                    for b in range(BLOCK):
                        sums[g, s, b] += emission[first + s, b]


@kernel
def emit(
    chain: Chain, cells: Cells, first: int, last: int, emission: Floats, sums: Floats, work: Floats, spread: Floats,
    vector: Floats, log_mass: Floats,
) -> bool:  # fmt: skip
    """Multiply ``vector`` by the likelihood of cells ``first`` to ``last``, all of one step.

    Silence of covered indicators, counts and long products add up on the log scale, so that none can underflow;
    what is divided out is added to ``log_mass``, and ``spread`` says how far apart on that scale the states are.
    ``work`` (2, stages, n_max, BLOCK) is working space. Gives whether any cell weighs draws differently.
    """
    product, logs = work[0], work[1]
    loud, logged = False, False
    spread[:] = 0.0
    touched = 0  # a bit for each stage with a cell
    held = 0
    for k in range(first, last):
        kind, stage, said, w = cells.what[k, 1], cells.what[k, 2], cells.observed[k], cells.value[k, 0]
        n = chain.sizes[stage]
        if not touched >> stage & 1:
            touched |= 1 << stage
            product[stage] = 1.0
            logs[stage] = 0.0
        factor = product[stage]
        if kind == COVERED and said == 0.0:
            loud, logged = True, True
            rates = chain.emission_offset[cells.what[k, 3]]
            for s in range(n):
                for b in range(BLOCK):
                    logs[stage, s, b] -= emission[rates + s, b] * cells.value[k, 1]
            continue
        if kind == COUNTED:
            loud, logged = True, True
            rates = chain.emission_offset[cells.what[k, 3]]
            _count(said, cells.value[k, 1], emission[rates : rates + n + 1], logs[stage])
            continue
        if kind == COVERED:
            rates = chain.emission_offset[cells.what[k, 3]]
            for s in range(n):
                for b in range(BLOCK):
                    factor[s, b] *= seen(said, cells.value[k, 2], np.exp(-emission[rates + s, b] * cells.value[k, 1]))
        elif kind == SELECTIVE:
            indicator, group = int(said), cells.what[k, 4]
            rates = chain.emission_offset[indicator]
            false = cells.false[group, indicator]
            for s in range(n):
                for b in range(BLOCK):
                    factor[s, b] *= told(w, emission[rates + s, b] / sums[group, s, b], false)
        elif kind == ASSESSMENT:
            column = stage_offsets(chain.sizes)[stage]
            states = chain.phase_state[column : column + n]
            for s in range(n):
                factor[s] *= judged(w, states, int(said), s)
        elif kind == OBSERVABLE:
            column = stage_offsets(chain.sizes)[stage]
            for s in range(n):
                factor[s] *= 1.0 if cells.in_set[column + s] == int(said) else 0.0
        loud |= kind in {COVERED, SELECTIVE, ASSESSMENT}
        held += 1
        if held == FOLD:
            held, logged = 0, True
            for level in range(chain.sizes.size):
                if touched >> level & 1:
                    for s in range(chain.sizes[level]):
                        for b in range(BLOCK):
                            logs[level, s, b] += np.log(product[level, s, b])
                            product[level, s, b] = 1.0
    for stage in range(chain.sizes.size):
        if touched >> stage & 1:
            if logged:
                _unlog(chain.sizes[stage], logs[stage], product[stage], spread, log_mass)
            multiply(chain.sizes, stage, product[stage], vector)
    return loud


@kernel
def _count(count: float, exposure: float, emission: Floats, logs: Floats) -> None:
    """Add a count to ``logs`` (n_max, BLOCK); ``emission`` (n + 1, BLOCK) holds its rates, then its dispersion."""
    n = emission.shape[0] - 1
    own = log_gamma(count + 1.0)
    for b in range(BLOCK):
        dispersion = float(emission[n, b])
        common = log_gamma(count + dispersion) - log_gamma(dispersion) - own
        last, value = -1.0, 0.0
        for s in range(n):
            here = float(emission[s, b])
            if here != last:
                last, value = here, common + counted(count, exposure * here / dispersion, dispersion)
            logs[s, b] += value


@kernel
def _unlog(n: int, logs: Floats, product: Floats, spread: Floats, log_mass: Floats) -> None:
    """Take ``logs`` (n, BLOCK) into ``product``, less the largest of each draw, which goes to ``log_mass``."""
    for b in range(BLOCK):
        top, bottom = -np.inf, np.inf
        for s in range(n):
            if logs[s, b] > -np.inf:
                top, bottom = max(top, logs[s, b]), min(bottom, logs[s, b])
        if top > -np.inf:
            log_mass[b] += top
            spread[b] += top - bottom
            for s in range(n):
                product[s, b] *= np.exp(logs[s, b] - top)
        else:
            product[:, b] = 0.0


@kernel
def multiply(sizes: Ints, stage: int, factor: Floats, vector: Floats) -> None:
    """Multiply the joint ``vector`` (K, BLOCK) by a factor (n, BLOCK) for each state of one stage."""
    n = sizes[stage]
    contexts = 1
    for level in range(stage):
        contexts *= sizes[level]
    rest = vector.shape[0] // (contexts * n)
    for c in range(contexts):
        for s in range(n):
            for r in range(rest):
                z = (c * n + s) * rest + r
                for b in range(BLOCK):
                    vector[z, b] *= factor[s, b]
