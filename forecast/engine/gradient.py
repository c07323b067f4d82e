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

from forecast.engine.arrays import stage_offsets, stay_and_move, table_offsets
from forecast.engine.emissions import (
    apply_emission,
    cell_densities,
    emission_gradient,
    emissions,
    log_emissions,
    told_sums,
)
from forecast.engine.jit import kernel
from forecast.engine.log_domain import APART, THIN, log_ahead, log_behind, log_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.engine.arrays import Cells, Chain, Floats, Ints


LARGEST = 700.0  # logarithm of what a derivative may be: that of a start which has no weight has no bound


@kernel
def _fill_tables(chain: Chain, per_year: Floats, years: float, offsets: Ints, total: Floats, table: Floats) -> None:
    """Transition probabilities of one step of ``years``: competing risks, see docs/method.md."""
    table[:] = 0.0
    total[:] = 0.0
    rates = chain.rate_table
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        table[row + rates[k, 3]] = per_year[k]
        total[row] += per_year[k]
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
    chain: Chain, per_year: Floats, years: float, offsets: Ints, total: Floats, table: Floats, d_table: Floats,
    d_log_rate: Floats,
) -> None:  # fmt: skip
    """Add ∂/∂ log rate, given ∂/∂ ``table`` for the steps of one duration; `_fill_tables` gave total and table."""
    rates = chain.rate_table
    expected = np.zeros(total.size)
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        expected[row] += per_year[k] / total[row] * d_table[row + rates[k, 3]]
    for k in range(rates.shape[0]):
        n = chain.sizes[rates[k, 0]]
        row = offsets[rates[k, 0]] + (rates[k, 1] * n + rates[k, 2]) * n
        stay, move = table[row + rates[k, 2]], table[row + rates[k, 3]]
        d_log_rate[k] += years * per_year[k] * stay * (expected[row] - d_table[row + rates[k, 2]])
        d_log_rate[k] += move * (d_table[row + rates[k, 3]] - expected[row])


@kernel
def _fill_matrix(pairs: Ints, table: Floats, first: int, last: int, matrix: Floats) -> None:
    """Joint matrix of one step, its columns ``first`` to ``last``: the product of the stages' entries."""
    for z in range(matrix.shape[0]):
        for y in range(first, last):
            product = 1.0
            for stage in range(pairs.shape[0]):
                product *= table[pairs[stage, z, y]]
            matrix[z, y] = product


@kernel
def _table_gradient(
    pairs: Ints, table: Floats, first: int, last: int, matrix: Floats, d_matrix: Floats, d_table: Floats
) -> None:
    """∂/∂ tables, given ∂/∂ columns ``first`` to ``last`` of the joint matrix; 0 for moves that a stage lacks."""
    d_table[:] = 0.0
    for z in range(d_matrix.shape[0]):
        for y in range(first, last):
            weight = d_matrix[z, y] * matrix[z, y]
            for stage in range(pairs.shape[0]):
                d_table[pairs[stage, z, y]] += weight
    for k in range(table.size):
        if table[k] > 0.0:
            d_table[k] /= table[k]


@kernel
def _possible(sizes: Ints, emission: Floats) -> tuple[int, int]:
    """First and last joint state, and one, that some step's ``emission`` (T, Σn) of the first stage allows."""
    n = sizes[0]
    first, last = n, 0
    for t in range(emission.shape[0]):
        for s in range(n):
            if emission[t, s] > 0.0:
                first, last = min(first, s), max(last, s + 1)
    rest = _joint(sizes) // n
    return first * rest, last * rest


@kernel
def _start_vector(sizes: Ints, start: Floats, alpha: Floats) -> None:
    """Joint start: the product of the stages' own start probabilities."""
    alpha[:] = 1.0
    rest, contexts, offset = alpha.size, 1, 0
    for stage in range(sizes.size):
        n = sizes[stage]
        rest //= n
        for c in range(contexts):
            for s in range(n):
                for r in range(rest):
                    alpha[(c * n + s) * rest + r] *= start[offset + s]
        contexts *= n
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
    per_year: Floats,
    start: Floats,
    emission: Floats,
    touched: NDArray[np.bool_],
    spread: Floats,
    stage_offset: Ints,
    first: int,
    last: int,
    matrices: Floats,
    alpha: Floats,
) -> tuple[Floats, bool]:
    """Forward pass: fills ``alpha`` (T, K), filtered, and ``matrices``, one for each run of equal steps.

    What is never possible after a step, all before ``first`` and from ``last`` on, stays out. Returns (T,) the
    normalisers, and whether the states get further apart than a float can hold. The pass stops there, and at the first
    normaliser that is not positive.
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
            _fill_tables(chain, per_year, cells.years[t], offsets, total, table)
            _fill_matrix(chain.pairs, table, first, last, matrices[which])
        now = alpha[t]
        now[:] = 0.0
        possible = now[first:last]
        matrix = matrices[which]
        for z in range(joint):
            mass = before[z]
            if mass != 0.0:
                row = matrix[z, first:last]
                for y in range(row.size):
                    possible[y] += mass * row[y]
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
    rate, per_year = np.exp(log_lambda), np.exp(log_rate)
    stage_offset = stage_offsets(sizes)
    sums = told_sums(chain, cells, rate)
    density = cell_densities(chain, cells, rate, sums, stage_offset)
    emission, touched, value, spread = emissions(chain, cells, rate, density, stage_offset)
    matrices = np.empty((_runs(cells.years), joint, joint))
    alpha = np.empty((steps, joint))
    d_rate = np.zeros(log_rate.size)
    d_lambda = np.zeros(log_lambda.size)
    d_start = np.zeros(start.size)
    low, high = _possible(sizes, emission)
    norm, apart = _forward(
        chain, cells, per_year, start, emission, touched, spread, stage_offset, low, high, matrices, alpha
    )
    if apart:
        value = _log_gradient(
            chain, cells, per_year, rate, start, sums, density, stage_offset, d_rate, d_lambda, d_start
        )
        return value, d_rate, d_lambda, d_start
    for t in range(steps):
        if not norm[t] > 0.0:
            return -np.inf, d_rate, d_lambda, d_start
        value += np.log(norm[t])

    offsets = table_offsets(sizes)
    table, total, d_table = np.empty(offsets[-1]), np.empty(offsets[-1]), np.empty(offsets[-1])
    d_matrix = np.zeros((joint, joint))
    posterior = np.zeros((steps, stage_offset[-1]))
    first, behind = np.empty(joint), np.empty(joint)
    _start_vector(sizes, start, first)
    possible = behind[low:high]
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
                row, d_row = matrix[z, low:high], d_matrix[z, low:high]
                for y in range(row.size):
                    part += row[y] * possible[y]
                    d_row[y] += mass * possible[y]
            ahead[z] = part
        if t == 0 or cells.years[t] != cells.years[t - 1]:
            _fill_tables(chain, per_year, cells.years[t], offsets, total, table)
            _table_gradient(chain.pairs, table, low, high, matrix, d_matrix, d_table)
            _rate_gradient(chain, per_year, cells.years[t], offsets, total, table, d_table, d_rate)
            d_matrix[:] = 0.0
            which -= 1

    _start_gradient(sizes, stage_offset, start, ahead, d_start)
    emission_gradient(chain, cells, rate, sums, density, stage_offset, posterior, d_lambda)
    return value, d_rate, d_lambda, d_start


@kernel
def log_matrices(chain: Chain, years: Floats, per_year: Floats) -> tuple[Floats, Ints]:
    """Give (runs, K, K) logarithms of the joint matrix of each run of equal steps, and (T,) the run of each step.

    ``per_year`` (R,) are the rates.
    """
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
            _fill_tables(chain, per_year, years[t], offsets, total, table)
            _fill_matrix(chain.pairs, table, 0, joint, matrices[which[t]])
    return np.log(matrices), which


@kernel
def _log_gradient(
    chain: Chain, cells: Cells, per_year: Floats, rate: Floats, start: Floats, sums: Floats, density: Floats,
    stage_offset: Ints, d_rate: Floats, d_lambda: Floats, d_start: Floats,
) -> float:  # fmt: skip
    """Compute on the log scale what `log_likelihood_and_gradient` gives; adds to the three gradients."""
    sizes, years = chain.sizes, cells.years
    likely = log_emissions(chain, cells, rate, density, stage_offset)
    matrices, which = log_matrices(chain, years, per_year)
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
            _fill_tables(chain, per_year, years[t], offsets, total, table)
            _table_gradient(chain.pairs, table, 0, joint, np.exp(matrix), d_matrix, d_table)
            _rate_gradient(chain, per_year, years[t], offsets, total, table, d_table, d_rate)
            d_matrix[:] = 0.0
    _start_gradient(sizes, stage_offset, start, np.exp(np.minimum(behind[0] - value, LARGEST)), d_start)
    emission_gradient(chain, cells, rate, sums, density, stage_offset, posterior, d_lambda)
    return value


@kernel
def _start_gradient(sizes: Ints, stage_offset: Ints, start: Floats, ahead: Floats, d_start: Floats) -> None:
    rest = ahead.size
    strides = np.empty(sizes.size, np.int64)
    for stage in range(sizes.size):
        rest //= sizes[stage]
        strides[stage] = rest
    own = np.empty(sizes.size, np.int64)
    for z in range(ahead.size):
        for stage in range(sizes.size):
            own[stage] = stage_offset[stage] + (z // strides[stage]) % sizes[stage]
        for stage in range(sizes.size):
            others = ahead[z]
            for other in range(sizes.size):
                if other != stage:
                    others *= start[own[other]]
            d_start[own[stage]] += others


def transition_tables(chain: Chain, log_rate: Floats, years: float) -> list[Floats]:
    """Pₗ (contexts, n, n) of every stage for a step of ``years``; each row sums to one."""
    offsets = table_offsets(chain.sizes)
    table, total = np.empty(offsets[-1]), np.empty(offsets[-1])
    _fill_tables(chain, np.exp(log_rate), years, offsets, total, table)
    return [
        table[first:last].reshape(-1, n, n)
        for first, last, n in zip(offsets[:-1], offsets[1:], chain.sizes, strict=True)
    ]
