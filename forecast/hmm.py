"""The likelihood of one draw with its gradient. These kernels know arrays and nothing of the domain.

A chain of L stages with n₁ … n_L states has K = ∏ n joint states, the last stage fastest. Each stage has a table Pₗ
(contexts, nₗ, nₗ), the contexts being the *new* states of the stages before it; one step's joint matrix M (K, K) is the
product of the stages' entries. For one draw and the K of real models a dense M beats the contraction stage by stage,
which pays where many draws go through at once (`forecast.evaluate`; docs/decisions.md, *Dense steps*). What a step and
a cell are worth is said here, in `stay_and_move`, `seen`, `told` and `judged`, for both.

Every function takes a `Chain` (the structure), and those that read evidence take `Cells`; both are plain arrays, so one
compiled kernel serves every model. Log-likelihoods are natural logarithms, up to a constant that does not depend on the
parameters; evidence that is impossible gives −inf and a zero gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast._jit import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.statespace import StateSpace

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = [
    "ASSESSMENT",
    "COVERED",
    "OBSERVABLE",
    "SELECTIVE",
    "Cells",
    "Chain",
    "chain_of",
    "judged",
    "log_likelihood_and_gradient",
    "median_sums",
    "seen",
    "stage_offsets",
    "stay_and_move",
    "table_offsets",
    "told",
    "transition_tables",
]

COVERED, SELECTIVE, ASSESSMENT, OBSERVABLE = 0, 1, 2, 3


class Chain(NamedTuple):
    """Structure of a model (see `forecast.statespace.StateSpace` for the axes)."""

    sizes: Ints  # (L,) states of each stage
    rate_table: Ints  # (R, 4) stage, context, from, to
    pairs: Ints  # (L, K, K) position in the tables, put end to end, of the entry for z → z′
    emission_offset: Ints  # (I + 1,) first emission of each indicator


def chain_of(space: StateSpace) -> Chain:
    """Give the structure of a model as arrays."""
    return Chain(space.sizes, space.rate_table, space.pairs, space.emission_offset)


class Cells(NamedTuple):
    """Evidence on the grid of T steps: N cells in the order of their steps.

    ``what`` holds for each cell: step, kind, stage, indicator (−1 if none) and availability set (−1 if none).
    ``value`` holds: credibility w, exposure e·Δ in years, odds p₀/(1 − p₀) of a false report (covered cells), unused
    otherwise. ``observed`` is what was reported: covered cells the credibility or 0 for *not seen*, selective cells the
    indicator told of, assessments the state, observables 1 in the set and 0 outside.
    """

    years: Floats  # (T,) duration of each step
    what: Ints  # (N, 5)
    value: Floats  # (N, 3)
    observed: Floats  # (N,)
    available: Ints  # (G, I) 1 where an indicator could have been told of
    median: Floats  # (I,) rates per year at the prior medians
    in_set: Ints  # (Σn,) 1 for observable states


@kernel
def stay_and_move(q: float, years: float) -> tuple[float, float]:
    """P(stay) over ``years`` where all ways out add up to ``q`` a year; and P(leave) / q, which each way out takes."""
    if q > 0.0:
        return np.exp(-years * q), -np.expm1(-years * q) / q
    return 1.0, 0.0


@kernel
def seen(w: float, odds: float, absent: float) -> float:
    """Likelihood of a covered cell that was seen with credibility ``w``, given the P(no event) of a state."""
    return w * (1.0 - absent) + (1.0 - w) * odds * absent


@kernel
def told(w: float, share: float, false: float) -> float:
    """Likelihood of a telling: the indicator's ``share`` of all events of its stage in a state, or a ``false`` one."""
    return w * share + (1.0 - w) * false


@kernel
def judged(w: float, states: int, named: int, state: int) -> float:
    """Likelihood, in one of a stage's ``states``, of an assessment with credibility ``w`` that names a state."""
    return w if state == named else (1.0 - w) / (states - 1)


@kernel
def table_offsets(sizes: Ints) -> Ints:
    """Where the table Pₗ (contexts, n, n) of each stage begins in one flat array; the last entry is its length."""
    offsets = np.zeros(sizes.size + 1, np.int64)
    contexts = 1
    for stage in range(sizes.size):
        n = sizes[stage]
        offsets[stage + 1] = offsets[stage] + contexts * n * n
        contexts *= n
    return offsets


@kernel
def _fill_tables(chain: Chain, log_rate: Floats, years: float, offsets: Ints, total: Floats, table: Floats) -> None:
    """Transition probabilities of one step of ``years``: competing risks, see docs/method.md."""
    table[:] = 0.0
    total[:] = 0.0
    rates = chain.rate_table
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        rate = np.exp(log_rate[k])
        table[row + rates[k, 3]] = rate
        total[row] += rate
    for stage in range(chain.sizes.size):
        n = chain.sizes[stage]
        rows = (offsets[stage + 1] - offsets[stage]) // n
        for r in range(rows):
            row = offsets[stage] + r * n
            q = total[row]
            stay, move = stay_and_move(float(q), years)
            for b in range(n):
                table[row + b] *= move
            table[row + r % n] = stay


@kernel
def _rate_gradient(
    chain: Chain, log_rate: Floats, years: float, offsets: Ints, total: Floats, d_table: Floats, d_log_rate: Floats
) -> None:
    """Add ∂/∂ log rate, given ∂/∂ table for the steps of one duration."""
    rates = chain.rate_table
    expected = np.zeros(total.size)
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        expected[row] += np.exp(log_rate[k]) / total[row] * d_table[row + rates[k, 3]]
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        q = total[row]
        rate = np.exp(log_rate[k])
        stay = np.exp(-years * q)
        move = -np.expm1(-years * q)
        d_log_rate[k] += (
            -years * rate * stay * d_table[row + rates[k, 2]]
            + years * rate * stay * expected[row]
            + move * rate / q * (d_table[row + rates[k, 3]] - expected[row])
        )


@kernel
def _fill_matrix(pairs: Ints, table: Floats, matrix: Floats) -> None:
    """Joint matrix of one step: the product of the stages' entries."""
    for z in range(matrix.shape[0]):
        for y in range(matrix.shape[1]):
            product = 1.0
            for stage in range(pairs.shape[0]):
                product *= table[pairs[stage, z, y]]
            matrix[z, y] = product


@kernel
def _table_gradient(pairs: Ints, table: Floats, matrix: Floats, d_matrix: Floats, d_table: Floats) -> None:
    """∂/∂ tables, given ∂/∂ joint matrix; 0 for moves that a stage does not have."""
    d_table[:] = 0.0
    for z in range(d_matrix.shape[0]):
        for y in range(d_matrix.shape[1]):
            weight = d_matrix[z, y] * matrix[z, y]
            for stage in range(pairs.shape[0]):
                d_table[pairs[stage, z, y]] += weight
    for k in range(table.size):
        if table[k] > 0.0:
            d_table[k] /= table[k]


@kernel
def _start_vector(sizes: Ints, start: Floats, alpha: Floats) -> None:
    """Joint start: the product of the stages' own start probabilities."""
    alpha[:] = 1.0
    rest = alpha.size
    offset = 0
    for stage in range(sizes.size):
        n = sizes[stage]
        rest //= n
        for z in range(alpha.size):
            alpha[z] *= start[offset + (z // rest) % n]
        offset += n


@kernel
def median_sums(cells: Cells) -> Floats:
    """(G,) Σ λ̃ⱼ over each availability set."""
    medians = np.zeros(cells.available.shape[0])
    for g in range(medians.size):
        for i in range(cells.available.shape[1]):
            if cells.available[g, i]:
                medians[g] += cells.median[i]
    return medians


@kernel
def _told_sums(chain: Chain, cells: Cells, rate: Floats) -> Floats:
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
def stage_offsets(sizes: Ints) -> Ints:
    """Where each stage begins among the states of all stages put end to end; the last entry is their number."""
    offsets = np.zeros(sizes.size + 1, np.int64)
    for stage in range(sizes.size):
        offsets[stage + 1] = offsets[stage] + sizes[stage]
    return offsets


@kernel
def _cell_densities(
    chain: Chain, cells: Cells, rate: Floats, sums: Floats, medians: Floats, stage_offset: Ints
) -> Floats:
    """(N, n_max) likelihood of every cell in every state of its stage, up to a constant; 1 for silence."""
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed = cells.what, cells.value, cells.observed
    median, in_set = cells.median, cells.in_set
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
            false = median[indicator] / medians[group]
            for s in range(sizes[stage]):
                density[k, s] = told(w, rate[first + s] / sums[group, s], false)
        elif kind == ASSESSMENT:
            for s in range(sizes[stage]):
                density[k, s] = judged(w, int(sizes[stage]), int(said), s)
        elif kind == OBSERVABLE:
            for s in range(sizes[stage]):
                density[k, s] = 1.0 if in_set[stage_offset[stage] + s] == int(said) else 0.0
    return density


@kernel
def _emissions(
    chain: Chain, cells: Cells, rate: Floats, density: Floats, stage_offset: Ints
) -> tuple[Floats, NDArray[np.bool_], float]:
    """(T, Σn) likelihood of every state of every stage; whether a stage has any cell; the log of what was divided out.

    Silence of covered indicators adds up on the log scale, so that no number of them can underflow.
    """
    sizes, offset = chain.sizes, chain.emission_offset
    what, value, observed = cells.what, cells.value, cells.observed
    steps = cells.years.size
    emission = np.ones((steps, stage_offset[-1]))
    silence = np.zeros((steps, stage_offset[-1]))
    touched = np.zeros((steps, sizes.size), np.bool_)
    silent = np.zeros((steps, sizes.size), np.bool_)
    for k in range(what.shape[0]):
        t, stage = what[k, 0], what[k, 2]
        first = stage_offset[stage]
        touched[t, stage] = True
        if what[k, 1] == COVERED and observed[k] == 0.0:
            silent[t, stage] = True
            for s in range(sizes[stage]):
                silence[t, first + s] -= rate[offset[what[k, 3]] + s] * value[k, 1]
        else:
            for s in range(sizes[stage]):
                emission[t, first + s] *= density[k, s]
    scale = 0.0
    for t in range(steps):
        for stage in range(sizes.size):
            if silent[t, stage]:
                top = silence[t, stage_offset[stage] : stage_offset[stage + 1]].max()
                scale += top
                for s in range(stage_offset[stage], stage_offset[stage + 1]):
                    emission[t, s] *= np.exp(silence[t, s] - top)
    return emission, touched, scale


@kernel
def _apply_emission(
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
def _add_posterior(
    sizes: Ints, stage_offset: Ints, touched: NDArray[np.bool_], alpha: Floats, ahead: Floats, posterior: Floats
) -> None:
    """Add the smoothed probabilities of each touched stage's states at one step."""
    rest = alpha.size
    contexts = 1
    for stage in range(sizes.size):
        n = sizes[stage]
        rest //= n
        if touched[stage]:
            for c in range(contexts):
                for s in range(n):
                    first = (c * n + s) * rest
                    part = 0.0
                    for z in range(first, first + rest):
                        part += alpha[z] * ahead[z]
                    posterior[stage_offset[stage] + s] += part
        contexts *= n


@kernel
def _forward(
    chain: Chain,
    cells: Cells,
    log_rate: Floats,
    start: Floats,
    emission: Floats,
    touched: NDArray[np.bool_],
    stage_offset: Ints,
    matrices: Floats,
    alpha: Floats,
) -> Floats:
    """Forward pass: fills ``alpha`` (T, K), filtered, and ``matrices``, one for each run of equal steps.

    Returns (T,) the normalisers; the pass stops at the first that is not positive.
    """
    joint = alpha.shape[1]
    offsets = table_offsets(chain.sizes)
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    norm = np.zeros(cells.years.size)
    before = np.empty(joint)
    _start_vector(chain.sizes, start, before)
    which = -1
    for t in range(cells.years.size):
        if t == 0 or cells.years[t] != cells.years[t - 1]:
            which += 1
            _fill_tables(chain, log_rate, cells.years[t], offsets, total, table)
            _fill_matrix(chain.pairs, table, matrices[which])
        now = alpha[t]
        now[:] = 0.0
        matrix = matrices[which]
        for z in range(joint):
            mass = before[z]
            if mass != 0.0:
                for y in range(joint):
                    now[y] += mass * matrix[z, y]
        _apply_emission(chain.sizes, stage_offset, emission[t], touched[t], now)
        norm[t] = now.sum()
        if not norm[t] > 0.0:
            break
        now /= norm[t]
        before = now
    return norm


@kernel
def _runs(years: Floats) -> int:
    """Count the runs of steps of one duration; a grid has at most two, full steps and a last one."""
    count = 1
    for t in range(1, years.size):
        if years[t] != years[t - 1]:
            count += 1
    return count


@kernel
def _joint(sizes: Ints) -> int:
    joint = 1
    for n in sizes:
        joint *= n
    return joint


@kernel
def log_likelihood_and_gradient(
    chain: Chain, cells: Cells, log_rate: Floats, log_lambda: Floats, start: Floats
) -> tuple[float, Floats, Floats, Floats]:
    """Log-likelihood of one draw and its gradient.

    Parameters
    ----------
    chain, cells
        Structure and evidence.
    log_rate
        (R,) log rates per year of every transition in every context.
    log_lambda
        (E,) log rates per year of every indicator in every state of its stage.
    start
        (Σn,) start probabilities of every stage.

    Returns
    -------
    tuple
        Value, and the gradients with respect to ``log_rate``, ``log_lambda`` and ``start``.

    """
    sizes = chain.sizes
    steps = cells.years.size
    joint = _joint(sizes)
    rate = np.exp(log_lambda)
    stage_offset = stage_offsets(sizes)
    sums, medians = _told_sums(chain, cells, rate), median_sums(cells)
    density = _cell_densities(chain, cells, rate, sums, medians, stage_offset)
    emission, touched, value = _emissions(chain, cells, rate, density, stage_offset)
    matrices = np.empty((_runs(cells.years), joint, joint))
    alpha = np.empty((steps, joint))
    norm = _forward(chain, cells, log_rate, start, emission, touched, stage_offset, matrices, alpha)
    d_rate = np.zeros(log_rate.size)
    d_lambda = np.zeros(log_lambda.size)
    d_start = np.zeros(start.size)
    for t in range(steps):
        if not norm[t] > 0.0:
            return -np.inf, d_rate, d_lambda, d_start
        value += np.log(norm[t])

    offsets = table_offsets(sizes)
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    d_table = np.empty(offsets[-1])
    d_matrix = np.zeros((joint, joint))
    posterior = np.zeros((steps, stage_offset[-1]))
    first = np.empty(joint)
    _start_vector(sizes, start, first)
    behind = np.empty(joint)
    ahead = np.ones(joint)
    which = matrices.shape[0] - 1
    for t in range(steps - 1, -1, -1):
        _add_posterior(sizes, stage_offset, touched[t], alpha[t], ahead, posterior[t])
        for z in range(joint):
            behind[z] = ahead[z] / norm[t]
        _apply_emission(sizes, stage_offset, emission[t], touched[t], behind)
        before = alpha[t - 1] if t > 0 else first
        matrix = matrices[which]
        for z in range(joint):
            mass = before[z]
            part = 0.0
            if t == 0 or mass != 0.0:
                for y in range(joint):
                    part += matrix[z, y] * behind[y]
                    d_matrix[z, y] += mass * behind[y]
            ahead[z] = part
        if t == 0 or cells.years[t] != cells.years[t - 1]:
            _fill_tables(chain, log_rate, cells.years[t], offsets, total, table)
            _table_gradient(chain.pairs, table, matrix, d_matrix, d_table)
            _rate_gradient(chain, log_rate, cells.years[t], offsets, total, d_table, d_rate)
            d_matrix[:] = 0.0
            which -= 1

    _start_gradient(sizes, stage_offset, start, ahead, d_start)
    _emission_gradient(chain, cells, rate, sums, density, stage_offset, posterior, d_lambda)
    return value, d_rate, d_lambda, d_start


@kernel
def _start_gradient(sizes: Ints, stage_offset: Ints, start: Floats, ahead: Floats, d_start: Floats) -> None:
    rest = ahead.size
    strides = np.empty(sizes.size, np.int64)
    for stage in range(sizes.size):
        rest //= sizes[stage]
        strides[stage] = rest
    for z in range(ahead.size):
        for stage in range(sizes.size):
            others = ahead[z]
            for other in range(sizes.size):
                if other != stage:
                    others *= start[stage_offset[other] + (z // strides[other]) % sizes[other]]
            d_start[stage_offset[stage] + (z // strides[stage]) % sizes[stage]] += others


@kernel
def _emission_gradient(
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
    for g in range(sums.shape[0]):
        for i in range(available.shape[1]):
            if available[g, i]:
                first = offset[i]
                for s in range(offset[i + 1] - first):
                    d_lambda[first + s] -= shared[g, s] * rate[first + s] / sums[g, s]


def transition_tables(chain: Chain, log_rate: Floats, years: float) -> list[Floats]:
    """Pₗ (contexts, n, n) of every stage for a step of ``years``; each row sums to one."""
    offsets = table_offsets(chain.sizes)
    table, total = np.empty(offsets[-1]), np.empty(offsets[-1])
    _fill_tables(chain, log_rate, years, offsets, total, table)
    return [
        table[first:last].reshape(-1, n, n)
        for first, last, n in zip(offsets[:-1], offsets[1:], chain.sizes, strict=True)
    ]
