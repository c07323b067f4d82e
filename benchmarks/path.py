"""The weekly path from prior draws, against a fit each week: ``article|simulated [auto|always]``.

*article* has the article's rows, which are selective; *simulated* a world drawn from the prior in which everything is
watched, and every event and false report is told at once. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import forecast
from benchmarks.alarm.worlds import COVERED_WORLD, pick, prior_draws, simulate_world
from benchmarks.reference import AS_OF, NOW

if TYPE_CHECKING:
    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry
    from forecast.project.project import Project

SEED = 5


def simulated(model: Model) -> tuple[Entry, ...]:
    """Tell what a world drawn from the prior shows, in which everything is watched."""
    draw = pick(prior_draws(model.space), SEED)
    weeks = ((AS_OF - model.spec.model.start).days + 1) // model.spec.model.step_days
    return simulate_world(np.random.default_rng(SEED), model.space, draw, COVERED_WORLD, weeks).entries()


def prepared(folder: Path, which: str) -> Project:
    """Lay a project out, with the article's rows or a simulated world's."""
    forecast.init(folder)
    project = forecast.open(folder)
    if which == "simulated":
        for path in folder.glob("data/*/*.csv"):
            path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
        model = project.model()
        project.ledger.add(model.spec.model.dataset, simulated(model), now=NOW)
    return project


def print_stage(stage: str) -> None:
    """Say how far it is; the paths take minutes."""
    print(stage, file=sys.stderr)


def main() -> None:
    """Time both, print."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for refit in sys.argv[2:] or ("auto", "always"):
            project = prepared(Path(folder) / refit, sys.argv[1])
            model = project.model()
            entries = project.entries(model, now=NOW, as_of=AS_OF)
            model.sampler(model.evidence(entries, AS_OF))  # compiled before, for both
            began = time.perf_counter()
            path = project.path(model, as_of=AS_OF, refit=refit, now=NOW, accept_bad=True, on_stage=print_stage)
            found |= {
                f"{refit} seconds": time.perf_counter() - began, f"{refit} fits": path.fits, "rows": len(entries),
                f"{refit} shut": sum(not one.trust.trusted for one in path.forecasts), "weeks": len(path.forecasts),
            }  # fmt: skip
    if "always seconds" in found and "auto seconds" in found:
        found["ratio"] = found["always seconds"] / found["auto seconds"]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
