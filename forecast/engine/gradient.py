"""The likelihood of one draw with its gradient. These kernels know arrays and nothing of the domain.

A chain of L stages with n₁ … n_L states has K = ∏ n joint states, the last stage fastest. Each stage has a table Pₗ
(contexts, nₗ, nₗ), the contexts being the *new* states of the stages before it; one step's joint matrix M (K, K) is the
product of the stages' entries. For one draw and the K of real models a dense M beats the contraction stage by stage,
which pays where many draws go through at once (`forecast.engine.filtering`; docs/decisions.md, *Dense steps*). What a
step and a cell are worth is said here, in `stay_and_move`, `seen`, `told` and `judged`, for both.

Every function takes a `Chain` (the structure), and those that read evidence take `Cells`; both are plain arrays, so one
compiled kernel serves every model. Log-likelihoods are natural logarithms, up to a constant that does not depend on the
parameters; evidence that is impossible gives −inf and a zero gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import COUNTED, COVERED, SELECTIVE, digamma, stage_offsets, stay_and_move, table_offsets
from forecast.engine.emissions import apply_emission, cell_densities, emissions, log_emissions, told_sums
from forecast.engine.jit import kernel
from forecast.engine.log_domain import APART, THIN, log_ahead, log_behind, log_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Cells, Chain, Floats, Ints


LARGEST = 700.0  # logarithm of what a derivative may be: that of a start which has no weight has no bound


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
    spread: Floats,
    stage_offset: Ints,
    matrices: Floats,
    alpha: Floats,
) -> tuple[Floats, bool]:
    """Forward pass: fills ``alpha`` (T, K), filtered, and ``matrices``, one for each run of equal steps.

    Returns (T,) the normalisers, and whether the states get further apart than a float can hold. The pass stops there,
    and at the first normaliser that is not positive.
    """
    joint = alpha.shape[1]
    offsets = table_offsets(chain.sizes)
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    norm = np.zeros(cells.years.size)
    if spread.max() > APART:
        return norm, True
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
        apply_emission(chain.sizes, stage_offset, emission[t], touched[t], now)
        norm[t] = now.sum()
        if not norm[t] > 0.0:
            break
        now /= norm[t]
        for mass in now:
            if 0.0 < mass < THIN:
                return norm, True
        before = now
    return norm, False


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
    sums = told_sums(chain, cells, rate)
    density = cell_densities(chain, cells, rate, sums, stage_offset)
    emission, touched, value, spread = emissions(chain, cells, rate, density, stage_offset)
    matrices = np.empty((_runs(cells.years), joint, joint))
    alpha = np.empty((steps, joint))
    d_rate = np.zeros(log_rate.size)
    d_lambda = np.zeros(log_lambda.size)
    d_start = np.zeros(start.size)
    norm, apart = _forward(chain, cells, log_rate, start, emission, touched, spread, stage_offset, matrices, alpha)
    if apart:
        value = _log_gradient(
            chain, cells, log_rate, rate, start, sums, density, stage_offset, d_rate, d_lambda, d_start
        )
        return value, d_rate, d_lambda, d_start
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
            # what cannot be so far on the way has no bound here, and does not count
            behind[z] = ahead[z] / norm[t] if t == 0 or alpha[t, z] > 0.0 else 0.0
        apply_emission(sizes, stage_offset, emission[t], touched[t], behind)
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
def log_matrices(chain: Chain, years: Floats, log_rate: Floats) -> tuple[Floats, Ints]:
    """Give (runs, K, K) logarithms of the joint matrix of each run of equal steps, and (T,) the run of each step."""
    offsets = table_offsets(chain.sizes)
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    joint = _joint(chain.sizes)
    matrices = np.empty((_runs(years), joint, joint))
    which = np.zeros(years.size, np.int64)
    for t in range(years.size):
        if t > 0:
            which[t] = which[t - 1] + (1 if years[t] != years[t - 1] else 0)
        if t == 0 or which[t] != which[t - 1]:
            _fill_tables(chain, log_rate, years[t], offsets, total, table)
            _fill_matrix(chain.pairs, table, matrices[which[t]])
    return np.log(matrices), which


@kernel
def _log_gradient(
    chain: Chain, cells: Cells, log_rate: Floats, rate: Floats, start: Floats, sums: Floats, density: Floats,
    stage_offset: Ints, d_rate: Floats, d_lambda: Floats, d_start: Floats,
) -> float:  # fmt: skip
    """Compute on the log scale what `log_likelihood_and_gradient` gives; adds to the three gradients."""
    sizes, years = chain.sizes, cells.years
    likely = log_emissions(chain, cells, rate, density, stage_offset)
    matrices, which = log_matrices(chain, years, log_rate)
    joint = likely.shape[1]
    first = np.empty(joint)
    _start_vector(sizes, start, first)
    first = np.log(first)
    ahead, behind = log_ahead(matrices, which, likely, first), log_behind(matrices, which, likely)
    value = log_sum(ahead[-1])
    if not value > -np.inf:
        return -np.inf
    everywhere = np.ones(sizes.size, np.bool_)
    posterior = np.zeros((years.size, stage_offset[-1]))
    unit = np.ones(joint)
    offsets = table_offsets(sizes)
    table = np.empty(offsets[-1])
    total = np.empty(offsets[-1])
    d_table = np.empty(offsets[-1])
    d_matrix = np.zeros((joint, joint))
    for t in range(years.size - 1, -1, -1):
        _add_posterior(sizes, stage_offset, everywhere, np.exp(ahead[t] + behind[t + 1] - value), unit, posterior[t])
        before = ahead[t - 1] if t > 0 else first
        matrix = matrices[which[t]]
        for z in range(joint):
            for y in range(joint):
                if matrix[z, y] > -np.inf:
                    d_matrix[z, y] += np.exp(before[z] + likely[t, y] + behind[t + 1, y] - value)
        if t == 0 or which[t] != which[t - 1]:
            _fill_tables(chain, log_rate, years[t], offsets, total, table)
            _table_gradient(chain.pairs, table, np.exp(matrix), d_matrix, d_table)
            _rate_gradient(chain, log_rate, years[t], offsets, total, d_table, d_rate)
            d_matrix[:] = 0.0
    _start_gradient(sizes, stage_offset, start, np.exp(np.minimum(behind[0] - value, LARGEST)), d_start)
    _emission_gradient(chain, cells, rate, sums, density, stage_offset, posterior, d_lambda)
    return value


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


def transition_tables(chain: Chain, log_rate: Floats, years: float) -> list[Floats]:
    """Pₗ (contexts, n, n) of every stage for a step of ``years``; each row sums to one."""
    offsets = table_offsets(chain.sizes)
    table, total = np.empty(offsets[-1]), np.empty(offsets[-1])
    _fill_tables(chain, log_rate, years, offsets, total, table)
    return [
        table[first:last].reshape(-1, n, n)
        for first, last, n in zip(offsets[:-1], offsets[1:], chain.sizes, strict=True)
    ]
