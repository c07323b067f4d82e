"""Reference values at fixed parameters from the filters of dynamax and hmmlearn; writes ``values.json``.

Run as ``.venv/bin/python tests/reference/make.py`` (extra ``bench``; half a minute). Nothing of the package's engine
takes part: ``benchmarks/numpyro_model.py`` makes the transition matrices from the model file, which it reads by itself,
and ``tests/oracles/oracle.py`` makes the emissions from the rows, by its own reading of docs/method.md. From the
package come the model file and the rows as objects, and the table of credibilities.
"""

from __future__ import annotations

import json
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT / "tests" / "oracles")]

import numpyro_model as second  # noqa: E402 - the path comes first; it sets double precision
import oracle  # noqa: E402
from dynamax.hidden_markov_model import hmm_filter  # noqa: E402
from hmmlearn import _hmmc  # noqa: E402
from reference import reference  # noqa: E402
from worlds import draw_values  # noqa: E402

from forecast.ledger.admiralty import credibility  # noqa: E402
from forecast.ledger.rows import Coverage  # noqa: E402

MODEL = ROOT / "models" / "russia_azerbaijan.toml"
POINTS = 5
WEEKS = 26
SAME = 1e-11  # of the two filters, relative


def filters(first: np.ndarray, matrices: list[np.ndarray], emission: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood and probabilities at the end by dynamax; hmmlearn, which has one matrix for all, agrees.

    ``first`` holds the probabilities at the end of the first step, before its emission.
    """
    found = hmm_filter(first, np.array(matrices[1:]), np.log(np.where(emission > 0, emission, 1e-300)))
    total, now = float(found.marginal_loglik), np.asarray(found.filtered_probs[-1])
    whole, forward, _ = _hmmc.forward_scaling(first, matrices[1], emission[:-1])
    last = (np.asarray(forward)[-1] @ matrices[-1]) * emission[-1]
    if not np.isclose(whole + np.log(last.sum()), total, rtol=SAME, atol=0.0):
        sys.exit(f"dynamax says {total!r}, hmmlearn {whole + np.log(last.sum())!r}")
    if not np.allclose(last / last.sum(), now, rtol=0.0, atol=SAME):
        sys.exit("dynamax and hmmlearn have other states at the end")
    return total, now


def main() -> None:
    """Build, filter, look ahead and write."""
    model, entries, evidence = reference()
    spec, as_of = model.spec, evidence.as_of
    text = tomllib.loads(MODEL.read_text(encoding="utf-8"))
    structure = second._structure(text)
    states = oracle.joint_states(spec)
    rows = [row for row in entries if not isinstance(row, Coverage)]
    watched = [row for row in entries if isinstance(row, Coverage)]
    inside = {
        name: np.array([all(second._among(text["stages"][s], dict(zip(text["stages"], z, strict=True))[s], some)
                            for s, some in row["states"].items()) for z in states])
        for name, row in text["outcomes"].items()
    }  # fmt: skip
    points = []
    for seed in range(POINTS):
        values = draw_values(spec, np.random.default_rng([seed, 20260108]))
        p = oracle.derived(spec, values)
        made: dict[int, np.ndarray] = {}

        def matrix(days: int, values: dict = values, made: dict[int, np.ndarray] = made) -> np.ndarray:
            if days not in made:
                made[days] = np.array(second._matrix(structure, values["eta"], values["delta"], days / 365.25))
            return made[days]

        moves = [matrix(days) for days in oracle.steps(spec, as_of)]
        emission = oracle.emissions(spec, p, rows, watched, as_of, lambda row: credibility(row.grade))
        total, now = filters(oracle.initial(spec, p) @ moves[0], moves, emission)
        ahead = [matrix(days) for days in oracle.horizon_steps(spec, oracle.elapsed_days(spec, as_of), 7 * WEEKS)]
        at, reached = {}, {}
        for name, member in inside.items():
            there, outside = now, now * ~member
            for move in ahead:
                there, outside = there @ move, (outside @ move) * ~member
            at[name] = float(there[member].sum())
            reached[name] = float((now * ~member).sum() - outside.sum())
        points.append(
            {
                "parameters": {name: np.asarray(value).tolist() for name, value in values.items()},
                "log_likelihood": total,
                "filtered": dict(zip(map("|".join, states), now.tolist(), strict=True)),
                "at": at,
                "reached": reached,
            }
        )
    content = {
        "model_hash": spec.with_history(()).hash,
        "evidence": evidence.hash,
        "as_of": as_of.isoformat(),
        "weeks": WEEKS,
        "made_by": {name: version(name) for name in ("dynamax", "hmmlearn")},
        "points": points,
    }
    (Path(__file__).parent / "values.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
