"""Simulated paths and reports: what the world could do and what could be told of it, for many draws at once.

Reports are the random half of the likelihood in `forecast.engine.gradient`; prior and posterior prediction use them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import ASSESSMENT, COUNTED, COVERED, SELECTIVE, Cells, Chain, table_offsets
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints


MOST_LOG_RATE = 20.0  # of events a year: prior draws go far beyond what can be counted
MOST_COUNTED = 1e12  # in a step, for the same reason
# How reports of true events are graded, as credibility: probability. A convention: it cancels from every posterior.
REPORT_MIX = {0.96: 0.2, 0.81: 0.5, 0.56: 0.3}


def choose(rng: np.random.Generator, weights: Floats) -> Ints:
    """(S,) a column for each row of ``weights`` (S, n), in proportion to them; never one of weight 0."""
    edges = np.cumsum(weights, axis=1)
    return (edges <= rng.random((len(weights), 1)) * edges[:, -1:]).sum(axis=1)


def simulate_start(rng: np.random.Generator, chain: Chain, start: Floats) -> Ints:
    """(S, L) states before the first step, from the start probabilities (S, Σn) of the stages."""
    parts = np.split(start, np.cumsum(chain.sizes)[:-1], axis=1)
    return np.stack([choose(rng, part) for part in parts], axis=1)


@kernel
def simulate_paths(rng: np.random.Generator, chain: Chain, years: Floats, log_rate: Floats, states: Ints) -> Ints:
    """(S, T, L) states at the end of every step under rates (S, R) per year, from ``states`` (S, L) before the first.

    ``years`` (T,) are the durations of the steps.
    """
    size, levels = log_rate.shape[0], chain.sizes.size
    offsets = table_offsets(chain.sizes)
    away = np.zeros(offsets[-1])  # rates of one draw, from a state of a stage in its context to another
    path = np.empty((size, years.size, levels), np.int64)
    now = np.empty(levels, np.int64)
    for s in range(size):
        for k in range(chain.rate_table.shape[0]):
            stage, context, a, b = chain.rate_table[k]
            n = chain.sizes[stage]
            away[offsets[stage] + (context * n + a) * n + b] = np.exp(log_rate[s, k])
        now[:] = states[s]
        for t in range(years.size):
            context = 0
            for stage in range(levels):
                n = chain.sizes[stage]
                first = offsets[stage] + (context * n + now[stage]) * n
                total = away[first : first + n].sum()
                if rng.random() < -np.expm1(-years[t] * total):
                    left, to = rng.random() * total, -1
                    for y in range(n):  # never a state that cannot be entered, whatever is rounded
                        if away[first + y] > 0.0 and (to < 0 or left >= 0.0):
                            to = y
                            left -= away[first + y]
                    now[stage] = to
                context = context * n + now[stage]
            path[s, t] = now
    return path


def simulate_counts(
    rng: np.random.Generator, chain: Chain, stages: Ints, years: Floats, log_lambda: Floats, path: Ints
) -> Ints:
    """(S, T, I) how often each indicator, of ``stages`` (I,), is seen in each step of ``path`` (S, T, L).

    It is seen by one who always looks, and as often as it happens: one-offs too.
    """
    rate, rows = np.exp(np.minimum(log_lambda, MOST_LOG_RATE)), np.arange(len(path))[:, None]
    counts = np.empty((*path.shape[:2], stages.size), dtype=np.int64)
    for k, (first, stage) in enumerate(zip(chain.emission_offset[: stages.size], stages, strict=True)):
        counts[:, :, k] = rng.poisson(rate[rows, first + path[:, :, stage]] * years)
    return counts


def simulate_reports(
    rng: np.random.Generator, chain: Chain, cells: Cells, log_rate: Floats, log_lambda: Floats, states: Ints
) -> Floats:
    """(S, N) what could have been reported in each cell; coded as ``Cells.observed``, which is not read.

    ``states`` (S, L) are those before the first step. A covered cell reports a true event, graded by `REPORT_MIX`, or a
    false one as often as the likelihood says; a selective cell tells of one indicator; an assessment names a state; an
    observable is on record or not; a count is negative binomial.
    """
    path = simulate_paths(rng, chain, cells.years, log_rate, states)
    rate, rows = np.exp(log_lambda), np.arange(len(path))
    in_set = np.split(cells.in_set, np.cumsum(chain.sizes)[:-1])
    reports = np.empty((len(path), cells.what.shape[0]))
    for k, (step, kind, stage, indicator, group) in enumerate(cells.what):
        state = path[:, step, stage]
        w, exposure, odds = cells.value[k]
        if kind == COVERED:
            reports[:, k] = _covered(rng, rate[rows, chain.emission_offset[indicator] + state] * exposure, odds)
        elif kind == SELECTIVE:
            told = np.flatnonzero(cells.available[group])
            share = rate[rows[:, None], chain.emission_offset[told] + state[:, None]]
            mixed = w * share / share.sum(axis=1, keepdims=True) + (1 - w) * cells.false[group, told]
            reports[:, k] = told[choose(rng, mixed)]
        elif kind == ASSESSMENT:
            first = chain.sizes[:stage].sum()
            states = chain.phase_state[first : first + chain.sizes[stage]]
            others = np.full((len(path), states.max() + 1), (1 - w) / states.max())
            others[rows, states[state]] = w
            reports[:, k] = choose(rng, others)
        elif kind == COUNTED:
            first = chain.emission_offset[indicator]
            reports[:, k] = _counted(rng, rate[rows, first + state] * exposure, rate[:, first + chain.sizes[stage]])
        else:
            reports[:, k] = in_set[stage][state]
    return reports


def _covered(rng: np.random.Generator, expected: Floats, odds: float) -> Floats:
    """(S,) a report's credibility, or 0 for none, where ``expected`` (S,) events happen."""
    grades = np.array(list(REPORT_MIX))
    mix = np.array(list(REPORT_MIX.values()))
    false = mix * odds * (1 - grades) / grades
    happened = rng.random(expected.size) < -np.expm1(-expected)
    believed = happened | (rng.random(expected.size) < false.sum())
    source = np.where(happened[:, None], mix, false if false.sum() > 0 else mix)
    return np.where(believed, grades[choose(rng, source)], 0.0)


def _counted(rng: np.random.Generator, expected: Floats, dispersion: Floats) -> Floats:
    """(S,) counts about ``expected`` (S,), with the variance of the negative binomial: a Poisson with a gamma mean."""
    mean = rng.gamma(dispersion, expected / dispersion)
    return rng.poisson(np.minimum(mean, MOST_COUNTED)).astype(np.float64)
