"""Reference values from NumPyro's NUTS on a density that was written without the package; writes ``numpyro.json``.

Run as ``.venv/bin/python tests/reference/numpyro_nuts.py`` (extra ``bench``; a quarter of an hour). The density is that
of ``benchmarks/numpyro_model.py``, which reads the model file by itself; from the package come only the cells.
Forecasts are made here from NumPyro's draws: the filtered state on the last day, brought forward by the same matrices
over the rest of the running week, whole weeks, and what is left. Each value stands with its Monte Carlo standard error.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import jax  # noqa: E402 - the path comes first
import jax.numpy as jnp  # noqa: E402
import numpyro_model as second  # noqa: E402
from arviz_stats.base import array_stats  # noqa: E402
from jax import lax  # noqa: E402
from numpyro.infer import MCMC, NUTS, init_to_median  # noqa: E402
from reference import reference  # noqa: E402

MODEL = ROOT / "models" / "russia_azerbaijan.toml"
DAYS_PER_YEAR = 365.25
WEEKS = (4, 26, 52)


def filtered(data: dict, draw: dict) -> tuple[jax.Array, jax.Array]:
    """Joint probabilities on the last day, and the matrix of one whole week."""
    eta, delta = draw["transition_log_rate"], draw["effect_log_times"]
    starts = []
    for name, (some, _, n) in zip(data["stages"], data["start"], strict=True):
        inside = draw[f"start_{name}"] if len(some) > 1 else jnp.ones(1)
        starts.append(jnp.zeros(n).at[some].set(inside))
    grade = jnp.cumsum(2 * data["steps_of_grade"] * draw["grade_increment"])
    mu, sigma = draw["class_log_rate"], jnp.exp(draw["class_log_spread"])
    alpha = mu[data["class_of"]] + sigma[data["class_of"]] * draw["indicator_offset"]
    beta = grade[data["grade_of"]] * jnp.exp(draw["departure_scale"] * draw["indicator_departure"])
    beta *= draw["diagnosticity"]
    emission = second._emission(data, jnp.exp(alpha[:, None] + beta[:, None] * data["points"]))
    shift = second.own_shift(data, draw["unit_log_spread"], draw["unit_offset"])
    matrices = jnp.stack([second._matrix(data, eta, delta, years, shift) for years in data["years"]])
    first = jnp.ones(matrices.shape[1])
    for start, own in zip(starts, data["stage_state"], strict=True):
        first *= start[own]

    def step(before: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        matrix, likelihood = inputs
        now = (before @ matrix) * likelihood
        return now / now.sum(), None

    return lax.scan(step, first, (matrices[data["which"]], emission))[0]


def ahead(data: dict, draw: dict, now: jax.Array, durations: list[float]) -> jax.Array:
    """Bring joint probabilities forward over steps of so many days."""
    shift = second.own_shift(data, draw["unit_log_spread"], draw["unit_offset"])
    for days in sorted(set(durations), key=durations.index):
        years = days / DAYS_PER_YEAR
        matrix = second._matrix(data, draw["transition_log_rate"], draw["effect_log_times"], years, shift)
        now = now @ jnp.linalg.matrix_power(matrix, durations.count(days))
    return now


def summary(values: np.ndarray) -> dict[str, float]:
    """Mean of chains (C, D) and its Monte Carlo standard error."""
    return {"mean": float(values.mean()), "mcse": float(values.std() / np.sqrt(array_stats.ess(values)))}


def main() -> None:
    """Sample, look ahead and write."""
    model, _, evidence = reference()
    with tempfile.TemporaryDirectory() as folder:
        cells = Path(folder) / "cells.npz"
        np.savez(cells, **evidence.cells._asdict())
        data = second.read(str(MODEL), str(cells))
    sampler = MCMC(
        NUTS(second.model, init_strategy=init_to_median), num_warmup=1000, num_samples=2000, num_chains=4,
        chain_method="sequential", progress_bar=False,
    )  # fmt: skip
    sampler.run(jax.random.key(5), data)
    draws = sampler.get_samples(group_by_chain=True)
    flat = {name: jnp.asarray(values).reshape(-1, *values.shape[2:]) for name, values in draws.items()}
    now = jax.jit(jax.vmap(lambda draw: filtered(data, draw)))(flat)
    since = (evidence.as_of - model.spec.model.start).days + 1  # days of which the last step has this many
    gone = since % 7 or 7
    rest, tail = 7.0 - gone, float(gone)
    shape = (draws["transition_log_rate"].shape[0], -1)
    stages = model.spec.stages
    found: dict[str, dict[str, float]] = {}
    for weeks in (0, *WEEKS):
        parts = [rest] * bool(rest) + [7.0] * (weeks - bool(rest)) + [tail] * bool(rest) if weeks else []
        there = jax.jit(jax.vmap(lambda draw, state, parts=parts: ahead(data, draw, state, parts)))(flat, now)
        for (name, stage), own in zip(stages.items(), data["stage_state"], strict=True):
            for state in stage.states:
                within = [stage.all_phases.index(phase) for phase in stage.phases_of(state)]
                value = np.asarray(there[:, np.isin(np.asarray(own), within)].sum(axis=1)).reshape(shape)
                found[f"{name}.{state} after {weeks} weeks"] = summary(value)
    rates = np.asarray(draws["transition_log_rate"])
    moves = [f"{name}.{move.from_}>{move.to}" for name, stage in stages.items() for move in stage.transitions]
    content = {
        "model_hash": model.spec.hash,
        "evidence": evidence.hash,
        "as_of": evidence.as_of.isoformat(),
        "diverging": int(sampler.get_extra_fields()["diverging"].sum()),
        "transitions": {name: summary(rates[:, :, k]) for k, name in enumerate(moves)},
        "states": found,
    }
    (Path(__file__).parent / "numpyro.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
