"""Simulate worlds whose news drifts, and read each in four ways; writes ``figures.json`` for ``docs/bursts.md``.

Run as ``python -m benchmarks.bursts``. Half a year of the reference model passes in each world. What is told is chosen
by how often things happen in the present state times the exponential of an agenda: of each indicator one Gaussian
process with the given standard deviation, which forgets with a time constant of `FORGETS` weeks. The agenda knows of no
state. In the last scenario indicators also tell less than the model file says (κ = ½). A reading weights draws of the
prior, without the history, to the rows; worlds in which fewer than `LEAST` draws are left in any reading are left out.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from docs.builder.places import MODEL
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import smooth_weights
from forecast.evidence.compilation import compile_evidence
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Observation
from forecast.studies.calibrate import truth_draws
from forecast.studies.truth import Truth, draw_truth
from forecast.studies.worlds import MIX, simulate_path
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.theory.spec import ModelSpec

WEEKS, FORGETS, LEAST = 26, 8.0, 10.0
STAGE, TOLD_A_YEAR = "relations", 30.0
SCENARIOS = {"no agenda": (0.0, None), "agenda": (1.5, None), "agenda, grades overstated": (1.5, 0.5)}
READINGS = {"row by row": (False, False), "episodes": (True, False), "scale": (False, True), "both": (True, True)}


def variant(spec: ModelSpec, *, episodes: bool, scale: bool) -> ModelSpec:
    """Give the model with or without episodes and the scale of all grades."""
    header = spec.model if episodes else spec.model.model_copy(update={"episode_days": 0})
    priors = spec.priors if scale else spec.priors.model_copy(update={"diagnosticity": None})
    return spec.model_copy(update={"model": header, "priors": priors})


def agenda(count: int, sd: float, rng: np.random.Generator) -> np.ndarray:
    """(WEEKS, count) how much more or less each indicator is in the news than it happens, on the log scale."""
    keep = math.exp(-1 / FORGETS)
    found = [sd * rng.standard_normal(count)]
    for _ in range(WEEKS - 1):
        found.append(keep * found[-1] + sd * math.sqrt(1 - keep**2) * rng.standard_normal(count))
    return np.array(found)


def tell(truth: Truth, path: Sequence[Mapping[str, str]], sd: float, rng: np.random.Generator) -> list[Observation]:
    """Tell of a path, week by week; with credibility w of what happens, and else as false reports go."""
    space = StateSpace(truth.spec)
    rows: list[Observation] = []
    closed: set[str] = set()
    more = dict(zip(space.indicators, agenda(len(space.indicators), sd, rng).T, strict=True))
    for week, states in enumerate(path):
        for _ in range(rng.poisson(TOLD_A_YEAR * 7 / 365.25)):
            among = [
                name for name, row in truth.spec.indicators.items()
                if row.stage == STAGE and row.since is None and name not in closed
            ]  # fmt: skip
            grade = str(rng.choice(list(MIX), p=list(MIX.values())))
            true = np.array([truth.intensity(name, states[STAGE]) for name in among])
            usual, shares = space.median_rates([space.indicators.index(name) for name in among])
            false = usual / usual.sum(axis=0) @ shares
            w = credibility(grade)
            weight = (w * true / true.sum() + (1 - w) * false) * np.exp([more[name][week] for name in among])
            name = str(rng.choice(among, p=weight / weight.sum()))
            if w >= 0.5 and not truth.spec.indicators[name].repeats:
                closed.add(name)
            date = truth.spec.model.start + dt.timedelta(days=7 * week + int(rng.integers(7)))
            rows.append(
                Observation(id=f"r{len(rows):04}", indicator=name, date=date, reported_on=date, grade=grade, source="-")
            )
    return rows


class Reader:
    """One way to read, with draws of its prior."""

    def __init__(self, spec: ModelSpec, size: int) -> None:
        """Draw ``size`` times from the prior."""
        self.space = StateSpace(spec)
        rng = np.random.default_rng(7)
        each = [truth_draws(self.space, draw_truth(spec, rng)) for _ in range(size)]
        draws = Draws(*(np.concatenate(parts) for parts in zip(*each, strict=True)))
        self.blocks = Blocks(chain_of(self.space), draws)

    def read(self, rows: Sequence[Observation], as_of: dt.date) -> tuple[list[float], float]:
        """Give the probability of each state of the stage, and the effective number of draws."""
        evidence = compile_evidence(self.space, rows, as_of)
        found = evaluate(self.blocks, evidence.cells)
        weights = smooth_weights(found.log_likelihood, 1.0).values
        now = weights @ (found.now / found.now.sum(axis=1, keepdims=True))
        states = self.space.spec.stages[STAGE].states
        return [float(now @ self.space.members({STAGE: (state,)})) for state in states], float(1 / (weights @ weights))


def scores(said: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Score (worlds, states) probabilities by the states that were."""
    right = said[np.arange(truth.size), truth]
    order = np.argsort(-said, axis=1)
    ordered = np.take_along_axis(said, order, axis=1)
    size = (np.cumsum(ordered, axis=1) < 0.9).sum(axis=1) + 1
    inside = [truth[k] in order[k, : size[k]] for k in range(truth.size)]
    sure = said.max(axis=1) >= 0.9
    return {
        "log score": float(np.log(np.maximum(right, 1e-12)).mean()),
        "log score error": float(np.log(np.maximum(right, 1e-12)).std() / math.sqrt(truth.size)),
        "inside 90 %": float(np.mean(inside)),
        "said": float(ordered.cumsum(axis=1)[np.arange(truth.size), size - 1].mean()),
        "sure": int(sure.sum()),
        "sure and right": int((said.argmax(axis=1)[sure] == truth[sure]).sum()),
    }


def main() -> None:
    """Simulate, read and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--draws", type=int, default=4000)
    options = parser.parse_args()
    spec = load_spec(MODEL)
    readers = {
        name: Reader(variant(spec, episodes=episodes, scale=scale), options.draws)
        for name, (episodes, scale) in READINGS.items()
    }
    plain = variant(spec, episodes=False, scale=False)
    as_of = spec.model.start + dt.timedelta(days=7 * WEEKS - 1)
    states = spec.stages[STAGE].states
    found: dict[str, Any] = {"worlds": options.worlds, "draws": options.draws, "version": spec.hash, "scenarios": {}}
    for number, (scenario, (sd, scale)) in enumerate(SCENARIOS.items()):
        said: dict[str, list[list[float]]] = {name: [] for name in READINGS}
        truths: list[int] = []
        for world in range(options.worlds):
            rng = np.random.default_rng([number, world])
            truth = draw_truth(plain, rng)
            if scale is not None:
                truth = Truth(plain, {**truth.values, "diagnosticity": np.array([scale])})
            path = simulate_path(truth, 7 * WEEKS, rng)
            rows = tell(truth, path, sd, rng)
            each = {name: reader.read(rows, as_of) for name, reader in readers.items()}
            if min(effective for _, effective in each.values()) < LEAST:
                continue
            truths.append(states.index(spec.stages[STAGE].state_of(path[-1][STAGE])))
            for name, (probabilities, _) in each.items():
                said[name].append(probabilities)
        scored = {name: scores(np.array(each), np.array(truths)) for name, each in said.items()}
        found["scenarios"][scenario] = {"kept": len(truths), "readings": scored}
        print(scenario, json.dumps(found["scenarios"][scenario], indent=1), flush=True)
    (Path(__file__).parent / "figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
