"""One new row: `project.update()`, warm, against the same answer by a new fit, and the steps that it takes.

Prints one JSON object of seconds (medians). ``pymc_refit`` is what a user of PyMC does: `pm.sample` on the model with
the new evidence (nutpie is PyMC's choice when it is installed), then the forecast from its draws.
"""

from __future__ import annotations

import json
import statistics
import warnings
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.reference import AS_OF, NOW, reference_project, seconds

if TYPE_CHECKING:
    from forecast.inference.model import Model
    from forecast.project.project import Project

ROUNDS = 20
NAMES = ("presidents_meeting", "cyberattack", "arms_purchase_from_russia", "envoys_say_close", "talks_collapse")


def observe(project: Project, model: Model, k: int) -> None:
    """Record one sighting more."""
    cells = {
        "indicator": NAMES[k % len(NAMES)], "date": f"2026-01-0{1 + k % 8}", "source": f"Source {k}", "grade": "B2",
    }  # fmt: skip
    project.observe(model, cells, "observation", now=NOW)


def pymc_refit(model: Model, project: Project) -> None:
    """Sample with PyMC and forecast from the draws."""
    import pymc as pm  # noqa: PLC0415 - imports are not timed

    from forecast.engine.blocks import Draws  # noqa: PLC0415
    from forecast.inference.anchor import Anchor  # noqa: PLC0415
    from forecast.inference.reweighting import reweigh  # noqa: PLC0415

    evidence = model.evidence(project.entries(model, now=NOW, as_of=AS_OF), AS_OF)
    with model.to_pymc(evidence), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trace = pm.sample(draws=1000, tune=1000, chains=4, random_seed=1, progressbar=False)
    arrays = (trace["posterior"][name].to_numpy() for name in Draws._fields)
    draws = Draws(*(np.ascontiguousarray(part.reshape(-1, part.shape[-1])) for part in arrays))
    reweigh(Anchor(model.space, "pymc", lambda: draws, cells=evidence.cells), evidence).forecast()


def main() -> None:
    """Fit once, add rows, time, print."""
    with reference_project() as (project, model):
        project.update(model, as_of=AS_OF, now=NOW)
        costs: list[float] = []
        parts: dict[str, list[float]] = {"ledger": [], "evidence": []}
        for k in range(ROUNDS):
            observe(project, model, k)
            costs.append(seconds(lambda: project.update(model, as_of=AS_OF, now=NOW, refit="never")))
            parts["ledger"].append(seconds(lambda: project.entries(model, now=NOW, as_of=AS_OF)))
            rows = project.entries(model, now=NOW, as_of=AS_OF)
            parts["evidence"].append(seconds(lambda: model.evidence(rows, AS_OF)))  # noqa: B023 - called at once
        seconds(lambda: pymc_refit(model, project))  # fills PyTensor's cache
        theirs = seconds(lambda: pymc_refit(model, project), 3)
    update = statistics.median(costs)
    print(
        json.dumps(
            {
                "update": update,
                **{f"of which {name}": statistics.median(values) for name, values in parts.items()},
                "pymc_refit": theirs,
                "pymc_refit_over_update": theirs / update,
            }
        )
    )


if __name__ == "__main__":
    main()
