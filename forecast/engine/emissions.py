"""What the evidence of each step is worth in every state, for one draw.

Cells become likelihoods (`cell_densities`), which are multiplied up by step and stage (`emissions`) and applied to the
joint states (`apply_emission`). Where a step says too much for the range of a float, `log_emissions` has logarithms.
`emission_gradient` goes the way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import (
    ASSESSMENT,
    COUNTED,
    COVERED,
    OBSERVABLE,
    SELECTIVE,
    counted,
    digamma,
    judged,
    log_gamma,
    seen,
    stage_offsets,
    told,
)
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Cells, Chain, Floats, Ints


FOLD = 1e-10  # products of likelihoods below it move to the log scale


@kernel
def told_sums(chain: Chain, cells: Cells, rate: Floats) -> Floats:
    """(G, n_max) Σ λⱼ(s) over each availability set, for the states of its stage."""
    groups = cells.available.shape[0]
    widest = 1
    for n in chain.sizes:
        widest = max(widest, n)
    sums = np.zeros((groups, widest))
    for g in range(groups):
        for i in range(cells.available.shape[1]):
            if cells.available[g, i]:
                first = chain.emission_offset[i]
                for s in range(chain.emission_offset[i + 1] - first):
                    sums[g, s] += rate[first + s]
    return sums


@kernel
def cell_densities(chain: Chain, cells: Cells, rate: Floats, sums: Floats, stage_offset: Ints) -> Floats:
    """(N, n_max) likelihood of every cell in every state of its stage, up to a constant; 1 for silence and counts."""
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed = cells.what, cells.value, cells.observed
    in_set = cells.in_set
    density = np.ones((what.shape[0], sizes.max()))
    for k in range(what.shape[0]):
        kind, stage, said, w = what[k, 1], what[k, 2], observed[k], value[k, 0]
        if kind == COVERED and said > 0.0:
            first = offset[what[k, 3]]
            for s in range(sizes[stage]):
                absent = np.exp(-rate[first + s] * value[k, 1])
                density[k, s] = seen(said, value[k, 2], absent)
        elif kind == SELECTIVE:
            indicator = int(said)
            group, first = what[k, 4], offset[indicator]
            false = cells.false[group, indicator]
            for s in range(sizes[stage]):
                density[k, s] = told(w, rate[first + s] / sums[group, s], false)
        elif kind == ASSESSMENT:
            states = chain.phase_state[stage_offset[stage] : stage_offset[stage + 1]]
            for s in range(sizes[stage]):
                density[k, s] = judged(w, states, int(said), s)
        elif kind == OBSERVABLE:
            for s in range(sizes[stage]):
                density[k, s] = 1.0 if in_set[stage_offset[stage] + s] == int(said) else 0.0
    return density


@kernel
def cell_densities_of_draws(chain: Chain, cells: Cells, rates: Floats) -> Floats:
    """(S, N, n_max) likelihood of every cell in every phase of its stage, up to a constant, for (S, E) rates of draws.

    Silence and counts are taken in too, those of a count over the largest, for they may be too small for a float.
    """
    offsets = stage_offsets(chain.sizes)
    found = np.ones((rates.shape[0], cells.what.shape[0], chain.sizes.max()))
    for d in range(rates.shape[0]):
        found[d] = cell_densities(chain, cells, rates[d], told_sums(chain, cells, rates[d]), offsets)
        gammas = dispersion_gammas(chain, cells, rates[d])
        for k in range(cells.what.shape[0]):
            if cells.what[k, 1] == COVERED and cells.observed[k] == 0.0:
                for s in range(chain.sizes[cells.what[k, 2]]):
                    found[d, k, s] = np.exp(-rates[d, chain.emission_offset[cells.what[k, 3]] + s] * cells.value[k, 1])
            elif cells.what[k, 1] == COUNTED:
                logs = np.zeros(chain.sizes[cells.what[k, 2]])
                add_count(chain, cells, rates[d], gammas, k, logs)
                found[d, k, : logs.size] = np.exp(logs - logs.max())
    return found


@kernel
def dispersion_gammas(chain: Chain, cells: Cells, rate: Floats) -> Floats:
    """(I + C,) log Γ of the dispersion of each channel; 0 for indicators."""
    found = np.zeros(chain.emission_offset.size - 1)
    for channel in range(cells.available.shape[1], found.size):
        found[channel] = log_gamma(float(rate[chain.emission_offset[channel + 1] - 1]))
    return found


@kernel
def add_count(chain: Chain, cells: Cells, rate: Floats, gammas: Floats, k: int, logs: Floats) -> None:
    """Add the log-likelihood of the count in cell ``k`` to ``logs`` (n,), one for every state of its stage."""
    first, n = chain.emission_offset[cells.what[k, 3]], chain.sizes[cells.what[k, 2]]
    dispersion, count, exposure = float(rate[first + n]), float(cells.observed[k]), float(cells.value[k, 1])
    common = log_gamma(count + dispersion) - gammas[cells.what[k, 3]] - log_gamma(count + 1.0)
    last, value = -1.0, 0.0
    for s in range(n):
        here = float(rate[first + s])
        if here != last:  # most states have the same
            last, value = here, common + counted(count, exposure * here / dispersion, dispersion)
        logs[s] += value


@kernel
def emissions(
    chain: Chain, cells: Cells, rate: Floats, density: Floats, stage_offset: Ints
) -> tuple[Floats, NDArray[np.bool_], float, Floats]:
    """(T, Σn) likelihood of every state of every stage; whether a stage has any cell; the log of what was divided out.

    Silence of covered indicators, counts and long products add up on the log scale, so that no number of cells of one
    stage can underflow in all of its states. The last result (T,) says how far apart on that scale the
    states of a step are.
    """
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed = cells.what, cells.value, cells.observed
    steps = cells.years.size
    emission = np.ones((steps, stage_offset[-1]))
    logs = np.zeros((steps, stage_offset[-1]))
    touched = np.zeros((steps, sizes.size), np.bool_)
    logged = np.zeros((steps, sizes.size), np.bool_)
    gammas = dispersion_gammas(chain, cells, rate)
    for k in range(what.shape[0]):
        t, stage = what[k, 0], what[k, 2]
        first = stage_offset[stage]
        touched[t, stage] = True
        if what[k, 1] == COVERED and observed[k] == 0.0:
            logged[t, stage] = True
            for s in range(sizes[stage]):
                logs[t, first + s] -= rate[offset[what[k, 3]] + s] * value[k, 1]
        elif what[k, 1] == COUNTED:
            logged[t, stage] = True
            add_count(chain, cells, rate, gammas, k, logs[t, first : first + sizes[stage]])
        else:
            for s in range(sizes[stage]):
                emission[t, first + s] *= density[k, s]
                if 0.0 < emission[t, first + s] < FOLD:
                    logged[t, stage] = True
                    logs[t, first + s] += np.log(emission[t, first + s])
                    emission[t, first + s] = 1.0
    scale = 0.0
    spread = np.zeros(steps)
    for t in range(steps):
        for stage in range(sizes.size):
            if logged[t, stage]:
                top, bottom = -np.inf, np.inf
                for s in range(stage_offset[stage], stage_offset[stage + 1]):
                    if emission[t, s] > 0.0:
                        top, bottom = max(top, logs[t, s]), min(bottom, logs[t, s])
                if top > -np.inf:
                    scale += top
                    spread[t] += top - bottom
                    for s in range(stage_offset[stage], stage_offset[stage + 1]):
                        emission[t, s] *= np.exp(min(logs[t, s] - top, 0.0))
    return emission, touched, scale, spread


@kernel
def log_emissions(chain: Chain, cells: Cells, rate: Floats, density: Floats, stage_offset: Ints) -> Floats:
    """(T, K) log-likelihood of every joint state; −inf where a record contradicts it."""
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed = cells.what, cells.value, cells.observed
    logs = np.zeros((cells.years.size, stage_offset[-1]))
    gammas = dispersion_gammas(chain, cells, rate)
    for k in range(what.shape[0]):
        t, stage = what[k, 0], what[k, 2]
        first = stage_offset[stage]
        if what[k, 1] == COUNTED:
            add_count(chain, cells, rate, gammas, k, logs[t, first : first + sizes[stage]])
            continue
        for s in range(sizes[stage]):
            if what[k, 1] == COVERED and observed[k] == 0.0:
                logs[t, first + s] -= rate[offset[what[k, 3]] + s] * value[k, 1]
            elif density[k, s] > 0.0:
                logs[t, first + s] += np.log(density[k, s])
            else:
                logs[t, first + s] = -np.inf
    joint = 1
    for n in sizes:
        joint *= n
    found = np.zeros((cells.years.size, joint))
    rest = joint
    for stage in range(sizes.size):
        rest //= sizes[stage]
        for t in range(cells.years.size):
            for z in range(joint):
                found[t, z] += logs[t, stage_offset[stage] + (z // rest) % sizes[stage]]
    return found


@kernel
def apply_emission(
    sizes: Ints, stage_offset: Ints, emission: Floats, touched: NDArray[np.bool_], alpha: Floats
) -> None:
    """Multiply a joint vector by the emissions of one step, in place."""
    rest = alpha.size
    contexts = 1
    for stage in range(sizes.size):
        n = sizes[stage]
        rest //= n
        if touched[stage]:
            for c in range(contexts):
                for s in range(n):
                    factor = emission[stage_offset[stage] + s]
                    first = (c * n + s) * rest
                    for z in range(first, first + rest):
                        alpha[z] *= factor
        contexts *= n


@kernel
def emission_gradient(
    chain: Chain,
    cells: Cells,
    rate: Floats,
    sums: Floats,
    density: Floats,
    stage_offset: Ints,
    posterior: Floats,
    d_lambda: Floats,
) -> None:
    """Add ∂/∂ log λ: each cell's derivative weighted by the posterior of its stage's states."""
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed, available = cells.what, cells.value, cells.observed, cells.available
    shared = np.zeros(sums.shape)
    psi = np.zeros(offset.size)  # of each channel's dispersion, once it is known
    for k in range(what.shape[0]):
        kind, stage = what[k, 1], what[k, 2]
        column = stage_offset[stage]
        if kind == COVERED:
            first, w, exposure, odds = offset[what[k, 3]], observed[k], value[k, 1], value[k, 2]
            for s in range(sizes[stage]):
                weight = posterior[what[k, 0], column + s]
                expected = rate[first + s] * exposure
                if w == 0.0:
                    d_lambda[first + s] -= weight * expected
                elif weight > 0.0:
                    slope = (w - (1.0 - w) * odds) * np.exp(-expected) * expected
                    d_lambda[first + s] += weight * slope / density[k, s]
        elif kind == SELECTIVE:
            first, group = offset[int(observed[k])], what[k, 4]
            for s in range(sizes[stage]):
                weight = posterior[what[k, 0], column + s]
                if weight > 0.0:
                    part = weight * value[k, 0] * rate[first + s] / sums[group, s] / density[k, s]
                    d_lambda[first + s] += part
                    shared[group, s] += part
        elif kind == COUNTED:
            first, last = offset[what[k, 3]], offset[what[k, 3]] + sizes[stage]
            count, dispersion = float(observed[k]), float(rate[last])
            if psi[what[k, 3]] == 0.0:
                psi[what[k, 3]] = digamma(dispersion)
            common = digamma(count + dispersion) - psi[what[k, 3]]
            before, over, spread = -1.0, 0.0, 0.0
            for s in range(sizes[stage]):
                weight, here = dispersion * posterior[what[k, 0], column + s], float(rate[first + s])
                if here != before:
                    before, mean = here, float(value[k, 1]) * here
                    over = (count - mean) / (dispersion + mean)
                    spread = common - np.log1p(mean / dispersion) - over
                d_lambda[first + s] += weight * over
                d_lambda[last] += weight * spread
    for g in range(sums.shape[0]):
        for i in range(available.shape[1]):
            if available[g, i]:
                first = offset[i]
                for s in range(offset[i + 1] - first):
                    d_lambda[first + s] -= shared[g, s] * rate[first + s] / sums[g, s]
