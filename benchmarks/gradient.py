"""One value and gradient of the likelihood: our Op, its kernel alone, and the same likelihood as `pytensor.scan`.

Prints one JSON object. Rounds of the three alternate, so that a busy machine slows all of them alike.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks.reference import reference
from benchmarks.scan_model import scan_log_likelihood
from forecast.engine.gradient import log_likelihood_and_gradient
from forecast.inference.likelihood_ops import reports_logp
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.evidence.compilation import Evidence
    from forecast.theory.statespace import StateSpace

ROUNDS = 31
CALLS = 200
POINTS = 20
TOLERANCE = 1e-8


def op_graph(space: StateSpace, evidence: Evidence, inputs: list[pt.TensorVariable]) -> pt.TensorVariable:
    """Our likelihood: the package's Op on the arrays of the model and the evidence."""
    cells = evidence.cells
    return reports_logp(*inputs, *chain_of(space), *cells)[0]


def compiled(logp: pt.TensorVariable, inputs: list[pt.TensorVariable]) -> Callable[..., list[np.ndarray]]:
    """Compile value and gradients for numba."""
    function = pytensor.function(inputs, [logp, *pt.grad(logp, inputs)], mode="NUMBA")
    function.trust_input = True
    return function


def random_point(space: StateSpace, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw rates, log λ and start probabilities in the range of the prior."""
    log_rate = rng.normal(0.0, 1.0, len(space.rate_names))
    log_lambda = rng.normal(-0.5, 1.0, len(space.emission_names))
    start = np.concatenate([rng.dirichlet(np.ones(n)) for n in space.sizes])
    return [log_rate, log_lambda, start]


def microseconds(function: Callable[..., object], point: list[np.ndarray]) -> float:
    """Mean time of one call over `CALLS` calls."""
    began = time.perf_counter()
    for _ in range(CALLS):
        function(*point)
    return (time.perf_counter() - began) / CALLS * 1e6


def main() -> None:
    """Compile, check that all agree, measure, print."""
    model, _, evidence = reference()
    space = model.space
    inputs = [pt.dvector("log_rate"), pt.dvector("log_lambda"), pt.dvector("start")]
    seconds: dict[str, float] = {}
    functions: dict[str, Callable[..., object]] = {}
    for name, graph in (
        ("op", op_graph(space, evidence, inputs)),
        ("scan", scan_log_likelihood(space, evidence.cells, *inputs)),
    ):
        began = time.perf_counter()
        functions[name] = compiled(graph, inputs)
        functions[name](*random_point(space, np.random.default_rng(0)))
        seconds[name] = time.perf_counter() - began
    chain = chain_of(space)
    functions["kernel"] = lambda *point: log_likelihood_and_gradient(chain, evidence.cells, *point)

    rng = np.random.default_rng(1)
    worst = 0.0
    for _ in range(POINTS):
        point = random_point(space, rng)
        expected = np.concatenate([np.ravel(part) for part in functions["scan"](*point)])
        for name in ("op", "kernel"):
            found = np.concatenate([np.ravel(part) for part in functions[name](*point)])
            worst = max(worst, float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected)))))
    if not worst < TOLERANCE:
        message = f"Op and scan differ by {worst:.2g}: no timing means anything"
        raise SystemExit(message)

    point = random_point(space, rng)
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            times[name].append(microseconds(function, point))
    median = {name: statistics.median(values) for name, values in times.items()}
    ratios = [scan / op for scan, op in zip(times["scan"], times["op"], strict=True)]
    print(
        json.dumps(
            {
                "worst_difference": worst,
                "op_us": median["op"],
                "kernel_us": median["kernel"],
                "scan_us": median["scan"],
                "scan_over_op": statistics.median(ratios),
                "scan_over_op_worst_round": min(ratios),
                "op_compile_s": seconds["op"],
                "scan_compile_s": seconds["scan"],
                "steps": evidence.steps,
                "joint_states": space.size,
                "cells": len(evidence.cell_names),
            }
        )
    )


if __name__ == "__main__":
    main()
