"""The forward pass of many draws, against hmmlearn's C++ and dynamax's vmapped filter on the same arrays.

Prints one JSON object of seconds (the best of the rounds; rounds alternate) and ratios. The others are given ready
matrices and emission probabilities, whose making is not timed; ours starts from the rates of each draw. The limit is
what the arithmetic alone would take at the rate at which this machine multiplies matrices.
"""

from __future__ import annotations

import json
import time
import timeit
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.synthetic import DRAWS, STEPS, joint_matrices, problem
from forecast.engine.blocks import Blocks
from forecast.engine.filtering import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.engine.arrays import Cells, Chain

ROUNDS = 15


def hmmlearn_forward(start: np.ndarray, matrices: np.ndarray, emissions: np.ndarray) -> Callable[[], np.ndarray]:
    """One call of the C++ forward pass a draw."""
    from hmmlearn import _hmmc  # noqa: PLC0415 - an extra

    first = np.einsum("sz,szy->sy", start, matrices)

    def run() -> np.ndarray:
        return np.array([_hmmc.forward_scaling(first[d], matrices[d], emissions[d])[0] for d in range(len(first))])

    return run


def dynamax_filter(start: np.ndarray, matrices: np.ndarray, emissions: np.ndarray) -> Callable[[], np.ndarray]:
    """Compile the filter and map it over draws, in double precision."""
    import jax  # noqa: PLC0415 - an extra

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - JAX's signature
    from dynamax.hidden_markov_model import hmm_filter  # noqa: PLC0415

    first = jax.numpy.asarray(np.einsum("sz,szy->sy", start, matrices))
    matrices, logs = jax.numpy.asarray(matrices), jax.numpy.asarray(np.log(emissions))
    mapped = jax.jit(jax.vmap(lambda a, b, c: hmm_filter(a, b, c).marginal_loglik))
    return lambda: np.asarray(mapped(first, matrices, logs).block_until_ready())


def operations(chain: Chain, cells: Cells) -> int:
    """Count the multiplications and additions of one draw: steps stage by stage, evidence, scaling to one.

    Tables, exponentials and what a cell says by itself are left out: they are few, or once for all steps.
    """
    joint, steps = int(np.prod(chain.sizes)), cells.years.size
    return steps * joint * int((2 * chain.sizes - 1).sum() + 2) + joint * len(cells.what)


def machine(size: int = 1500) -> float:
    """Give the operations a second at which the machine multiplies matrices, on all its processors."""
    one = np.random.default_rng(0).normal(size=(size, size))
    return 2 * size**3 / min(timeit.repeat(lambda: one @ one, number=1, repeat=ROUNDS))


def main() -> None:
    """Time, compare, print."""
    chain, draws, cells = problem(DRAWS, STEPS)
    start, matrices, emissions = joint_matrices(chain, draws, cells)
    laid_out = Blocks(chain, draws)
    runs: dict[str, Callable[[], np.ndarray]] = {
        "evaluate": lambda: evaluate(laid_out, cells).log_likelihood,
        "evaluate_with_layout": lambda: evaluate(Blocks(chain, draws), cells).log_likelihood,
        "hmmlearn": hmmlearn_forward(start, matrices, emissions),
        "dynamax": dynamax_filter(start, matrices, emissions),
    }
    values = {name: run() for name, run in runs.items()}
    found: dict[str, float] = {name: float("inf") for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            found[name] = min(found[name], time.perf_counter() - began)
    worst = {
        f"{name}_difference": float(np.abs(values[name] - values["evaluate"]).max()) for name in ("hmmlearn", "dynamax")
    }
    ratios = {f"{name}_over_evaluate": found[name] / found["evaluate"] for name in ("hmmlearn", "dynamax")}
    layout = {
        f"{name}_over_evaluate_with_layout": found[name] / found["evaluate_with_layout"]
        for name in ("hmmlearn", "dynamax")
    }
    limit = DRAWS * operations(chain, cells) / machine()
    limits = {"limit": limit, "evaluate_over_limit": found["evaluate"] / limit}
    print(json.dumps({**found, **ratios, **layout, **worst, **limits}))


if __name__ == "__main__":
    main()
