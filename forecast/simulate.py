"""Simulated reports: what the world could have told, given one draw and the grid of cells.

This is the random half of the likelihood in `forecast.hmm`; prior and posterior prediction use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.hmm import ASSESSMENT, COVERED, SELECTIVE, Cells, Chain, transition_tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REPORT_MIX", "simulate_path", "simulate_reports"]

# How reports of true events are graded, as credibility: probability. A convention: it cancels from every posterior.
REPORT_MIX = {0.96: 0.2, 0.81: 0.5, 0.56: 0.3}


def simulate_path(
    rng: np.random.Generator, chain: Chain, years: NDArray[np.float64], log_rate: NDArray[np.float64],
    start: NDArray[np.float64],
) -> NDArray[np.int64]:  # fmt: skip
    """(T, L) states of every stage at the end of every step, drawn from the chain."""
    sizes: list[int] = chain.sizes.tolist()
    firsts: list[int] = (np.cumsum(chain.sizes) - chain.sizes).tolist()
    state = [int(rng.choice(n, p=start[first : first + n])) for first, n in zip(firsts, sizes, strict=True)]
    path = np.empty((years.size, chain.sizes.size), dtype=np.int64)
    tables = {duration: transition_tables(chain, log_rate, duration) for duration in set(years.tolist())}
    for t, duration in enumerate(years.tolist()):
        context = 0
        for stage, n in enumerate(sizes):
            state[stage] = int(rng.choice(n, p=tables[duration][stage][context, state[stage]]))
            context = context * n + state[stage]
        path[t] = state
    return path


def simulate_reports(  # noqa: PLR0913, PLR0917 - the arrays of a chain and of cells
    rng: np.random.Generator, chain: Chain, cells: Cells, log_rate: NDArray[np.float64],
    log_lambda: NDArray[np.float64], start: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """(N,) what could have been reported in each cell; coded as ``Cells.observed``, which is not read.

    A covered cell reports a true event, graded by `REPORT_MIX`, or a false one as often as the likelihood says; a
    selective cell tells of one indicator; an assessment names a state; an observable is on record or not.
    """
    path = simulate_path(rng, chain, cells.years, log_rate, start)
    rate = np.exp(log_lambda)
    in_set = np.split(cells.in_set, np.cumsum(chain.sizes)[:-1])
    reports = np.empty(cells.what.shape[0])
    for k, (step, kind, stage, indicator, group) in enumerate(cells.what):
        state = path[step, stage]
        w, exposure, odds = cells.value[k]
        if kind == COVERED:
            reports[k] = _covered(rng, rate[chain.emission_offset[indicator] + state] * exposure, odds)
        elif kind == SELECTIVE:
            told = np.flatnonzero(cells.available[group])
            share = rate[chain.emission_offset[told] + state]
            median = cells.median[told]
            reports[k] = rng.choice(told, p=w * share / share.sum() + (1 - w) * median / median.sum())
        elif kind == ASSESSMENT:
            others = np.full(chain.sizes[stage], (1 - w) / (chain.sizes[stage] - 1))
            others[state] = w
            reports[k] = rng.choice(others.size, p=others)
        else:
            reports[k] = in_set[stage][state]
    return reports


def _covered(rng: np.random.Generator, expected: float, odds: float) -> float:
    grades = np.array(list(REPORT_MIX))
    mix = np.array(list(REPORT_MIX.values()))
    if rng.random() < -np.expm1(-expected):
        return float(rng.choice(grades, p=mix))
    false = mix * odds * (1 - grades) / grades
    if rng.random() < false.sum():
        return float(rng.choice(grades, p=false / false.sum()))
    return 0.0
