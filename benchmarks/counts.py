"""What weekly counts cost: gradient and filter with six channels × 56 weeks beside the same without a count.

Prints one JSON object: ``python -m benchmarks.counts``. Rounds alternate, so that a busy machine slows both alike.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import time

import numpy as np

from benchmarks.reference import reference
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.filtering import evaluate
from forecast.engine.gradient import log_likelihood_and_gradient
from forecast.evidence.compilation import compile_evidence
from forecast.ledger.rows import Count
from forecast.theory.statespace import chain_of

ROUNDS, CALLS, DRAWS, CHANNELS = 31, 50, 4000, 6


def main() -> None:
    """Measure and print."""
    model, entries, evidence = reference()
    space, rng = model.space, np.random.default_rng(1)
    week, start = dt.timedelta(days=7), model.spec.model.start
    counts = [
        Count(
            id=f"{name}-{k}", channel=name, from_=start + k * week, to=start + k * week + dt.timedelta(days=6),
            count=int(rng.poisson(60)), exposure=7e5, reported_on=start + (k + 1) * week, source="made up",
        )
        for name in space.channels[:CHANNELS]
        for k in range(evidence.steps)
    ]  # fmt: skip
    counted = compile_evidence(space, [*entries, *counts], evidence.as_of)
    chain = chain_of(space)
    *_, dispersion = space.channel_emissions
    middle = np.concatenate([np.zeros(space.emission_indicator.size), np.where(dispersion, np.log(5.0), np.log(1e-4))])
    draws = Draws(
        rng.normal(0.0, 0.5, (DRAWS, len(space.rate_names))),
        middle + rng.normal(0.0, 0.3, (DRAWS, middle.size)),
        np.concatenate([rng.dirichlet(np.ones(n), DRAWS) for n in space.sizes], axis=1),
    )
    blocks, point = Blocks(chain, draws), [np.ascontiguousarray(part[0]) for part in draws]
    sampler = model.sampler(evidence)
    start_point = 0.3 * rng.standard_normal(sampler.moving(counted).max() + 1)
    asked = {
        "density of NUTS, with the history": lambda cells: sampler.log_density(
            counted if cells is counted.cells else evidence, start_point
        ),
        "gradient": lambda cells: log_likelihood_and_gradient(chain, cells, *point),
        "filter of 4,000 draws": lambda cells: evaluate(blocks, cells),
    }
    found: dict[str, object] = {"cells": [len(evidence.cells.what), len(counted.cells.what)]}
    for name, ask in asked.items():
        calls = 1 if name.startswith("filter") else CALLS
        taken: list[list[float]] = [[], []]
        for both in range(ROUNDS + 1):
            for k, cells in enumerate((evidence.cells, counted.cells)):
                began = time.perf_counter()
                for _ in range(calls):
                    ask(cells)
                if both:  # the first round compiles
                    taken[k].append((time.perf_counter() - began) / calls * 1e6)
        without, beside = map(statistics.median, taken)
        found[name] = {
            "µs without": round(without, 1),
            "µs with": round(beside, 1),
            "ratio": round(beside / without, 2),
        }
    print(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__":
    main()
