"""What the history costs: the density of NUTS, a fit, an update and a question, with it beside the same without it.

Prints one JSON object: ``python -m benchmarks.with_history``. Rounds alternate, so that a busy machine slows both;
the ratio is the median of the ratios within a round. Times of fits are of one process whose kernels are compiled.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.reference import AS_OF, NOW, reference
from forecast.answers.forecast import LiveForecast
from forecast.inference.fit import fit_model
from forecast.inference.fitter import Fitter
from forecast.inference.model import Model
from forecast.inference.settings import Sampling, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.ledger.rows import Entry

ROUNDS, CALLS = 31, 50
FITS = 3


def main() -> None:
    """Measure and print."""
    told, entries, _ = reference()
    models = [Model(told.spec.with_history(())), told]
    with tempfile.TemporaryDirectory() as folder:
        tasks = [_tasks(model, entries, Path(folder) / str(k)) for k, model in enumerate(models)]
        found = {
            name: _compared([task[name] for task in tasks], FITS if name == "fit" else ROUNDS)
            for name in tasks[0]
        }  # fmt: skip
    print(json.dumps(found, ensure_ascii=False))


def _tasks(model: Model, entries: Sequence[Entry], folder: Path) -> dict[str, Callable[[], object]]:
    """Give what is timed of a model."""
    evidence = model.evidence(entries, AS_OF)
    sampler = model.sampler(evidence)
    point = 0.1 * np.random.default_rng(1).standard_normal(sampler.moving(evidence).max() + 1)

    def density() -> None:
        for _ in range(CALLS):
            sampler.log_density(evidence, point)

    fitter = Fitter(model, folder, lambda _: set(), Sampling(), 0, NOW)
    fitter.fit(evidence)
    asked = LiveForecast.of(fitter.update(evidence, "never", prior=False), entries, fitter, lambda _: entries, list)
    return {
        "density": density,
        "update": lambda: fitter.update(evidence, "never", prior=False).forecast(),
        "what if": partial(asked.what_if, "arms_purchase_from_russia", refit="never"),
        "fit": partial(fit_model, model.space, evidence, sampler, Settings(), watermark=0, now=NOW),
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
