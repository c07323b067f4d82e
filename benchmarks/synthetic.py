"""A made-up chain of 3 × 2 × 3 = 18 joint states with draws and evidence of any size."""

from __future__ import annotations

import numpy as np

from forecast.engine.arrays import OBSERVABLE, SELECTIVE, Cells, Chain
from forecast.engine.blocks import Draws
from forecast.engine.gradient import transition_tables

__all__ = ["DRAWS", "STEPS", "joint_matrices", "problem"]

SIZES = (3, 2, 3)
DRAWS, STEPS = 4000, 56
INDICATORS = 18  # of each stage
YEARS = 7 / 365.25


def problem(draws: int, steps: int) -> tuple[Chain, Draws, Cells]:
    """Every move of every stage in every context; a record each week and a telling in two weeks of three."""
    rng = np.random.default_rng(1)
    sizes = np.array(SIZES)
    stages = np.repeat(np.arange(3), INDICATORS)
    offset = np.concatenate([[0], np.cumsum(sizes[stages])])
    rates = [
        (stage, context, a, b)
        for stage, n in enumerate(SIZES)
        for context in range(int(np.prod(sizes[:stage])))
        for a in range(n)
        for b in range(n)
        if a != b
    ]
    states = np.concatenate([np.arange(n) for n in SIZES])  # none has phases
    chain = Chain(sizes, states, np.array(rates), np.zeros((3, 18, 18), dtype=np.int64), offset)
    start = np.concatenate([rng.dirichlet(np.ones(n), draws) for n in SIZES], axis=1)
    found = Draws(rng.normal(0, 1, (draws, len(rates))), rng.normal(1, 1, (draws, int(offset[-1]))), start)
    told = [(t, SELECTIVE, (stage := t % 3), -1, stage) for t in range(steps) if t % 3 < 2]
    records = [(t, OBSERVABLE, 0, -1, -1) for t in range(steps)]
    what = sorted(told + records)
    observed = [float(rng.choice(np.flatnonzero(stages == row[2]))) if row[1] == SELECTIVE else 0.0 for row in what]
    return (
        chain,
        found,
        Cells(
            years=np.full(steps, YEARS),
            what=np.array(what),
            value=np.tile([0.81, 0.0, 0.0], (len(what), 1)),
            observed=np.array(observed),
            available=np.array([(stages == g).astype(np.int64) for g in range(3)]),
            false=np.array([(stages == g) / INDICATORS for g in range(3)]),
            in_set=np.array([0, 0, 1, 0, 0, 0, 0, 0]),
        ),
    )


def joint_matrices(chain: Chain, draws: Draws, cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joint start (S, K), transition matrix (S, K, K) and emission probabilities (S, T, K), for other tools."""
    size, joint, steps = draws.size, int(np.prod(chain.sizes)), cells.years.size
    firsts = np.cumsum(chain.sizes) - chain.sizes
    states = np.array(list(np.ndindex(*chain.sizes)))
    start = np.prod([draws.start[:, firsts[k] + states[:, k]] for k in range(3)], axis=0)
    matrices = np.ones((size, joint, joint))
    for d in range(size):
        context = np.zeros(joint, dtype=np.int64)
        for k, table in enumerate(transition_tables(chain, draws.log_rate[d], YEARS)):
            matrices[d] *= table[context[None, :], states[:, None, k], states[None, :, k]]
            context = context * chain.sizes[k] + states[:, k]
    rate = np.exp(draws.log_lambda)
    emissions = np.ones((size, steps, joint))
    for (t, kind, stage, _, group), (w, _, _), seen in zip(cells.what, cells.value, cells.observed, strict=True):
        if kind == OBSERVABLE:
            emissions[:, t] *= cells.in_set[firsts[stage] + states[:, stage]] == seen
            continue
        among = np.flatnonzero(cells.available[group])
        for s in range(chain.sizes[stage]):
            share = rate[:, chain.emission_offset[int(seen)] + s] / rate[:, chain.emission_offset[among] + s].sum(
                axis=1
            )
            false = cells.false[group, int(seen)]
            emissions[:, t, states[:, stage] == s] *= (w * share + (1 - w) * false)[:, None]
    return start, matrices, np.maximum(emissions, 1e-300)  # their logarithm has to be finite
