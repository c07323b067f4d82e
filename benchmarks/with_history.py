"""What the history costs: the density of NUTS, a fit, and questions to its draws, beside the same without it.

Prints a JSON object a line: ``python -m benchmarks.with_history``. Rounds alternate, so that a busy machine slows both;
the ratio is the median of the ratios within a round. Times of fits are of one process whose kernels are compiled.
"""

from __future__ import annotations

import json
import statistics
import time
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

import forecast
from benchmarks.reference import AS_OF, NOW, reference, reference_project
from forecast.inference.fit import fit_model
from forecast.inference.model import Model
from forecast.inference.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.ledger.rows import Entry
    from forecast.project.project import Project

ROUNDS, CALLS = 31, 50
FITS, QUESTIONS = 3, 11
SEEN, OUTCOME = "presidents_meeting", "confrontation"


def main() -> None:
    """Measure and print, a line for what is timed."""
    told, entries, _ = reference()
    tasks = [_tasks(model, entries) for model in (Model(told.spec.with_history(())), told)]
    for name, rounds in (("density", ROUNDS), ("fit", FITS)):
        print(json.dumps({name: _compared([task[name] for task in tasks], rounds)}), flush=True)
    with reference_project() as (without, _), reference_project() as (beside, _):
        for path in without.root.glob("data/*/history.csv"):
            path.unlink()
        asked = [_questions(forecast.open(project.root)) for project in (without, beside)]
        for name in asked[0]:
            print(json.dumps({name: _compared([task[name] for task in asked], QUESTIONS)}), flush=True)


def _tasks(model: Model, entries: Sequence[Entry]) -> dict[str, Callable[[], object]]:
    """Give what is timed of a model."""
    evidence = model.evidence(entries, AS_OF)
    sampler = model.sampler(evidence)
    point = 0.1 * np.random.default_rng(1).standard_normal(sampler.moving(evidence).max() + 1)

    def density() -> None:
        for _ in range(CALLS):
            sampler.log_density(evidence, point)

    fit = partial(fit_model, model.space, evidence, sampler, Settings(), watermark=0, now=NOW)
    return {"density": density, "fit": fit}


def _questions(project: Project) -> dict[str, Callable[[], object]]:
    """Give questions to a forecast from a fit; each is answered anew each time."""
    found = project.update(as_of=AS_OF, now=NOW)
    return {
        "update": lambda: project.update(as_of=AS_OF, now=NOW, refit="never"),
        "what if": lambda: found.what_if(SEEN, refit="never"),
        "drivers": lambda: found.drivers(OUTCOME, since="2025-12-01", refit="never"),
        "watch": lambda: found.watch(OUTCOME),
    }


def _compared(tasks: Sequence[Callable[[], object]], rounds: int) -> dict[str, float]:
    """Give milliseconds without and with the history, and the ratio."""
    taken: list[list[float]] = []
    for task in tasks:
        task()
    for _ in range(rounds):
        row: list[float] = []
        for task in tasks:
            began = time.perf_counter()
            task()
            row.append(1000 * (time.perf_counter() - began))
        taken.append(row)
    without, beside = (statistics.median(column) for column in zip(*taken, strict=True))
    ratio = statistics.median(there / here for here, there in taken)
    return {"ms without": round(without, 2), "ms with": round(beside, 2), "ratio": round(ratio, 2)}


if __name__ == "__main__":
    main()
