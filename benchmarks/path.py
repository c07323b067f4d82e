"""The weekly path from prior draws, against a fit each week: ``article|simulated [auto|always]``.

*article* has the article's rows, which are selective; *simulated* a world drawn from the prior in which everything is
watched, and every event and false report is told at once. Prints one JSON object.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import forecast
from benchmarks.reference import AS_OF, NOW
from forecast.engine.arrays import COVERED
from forecast.engine.simulate import simulate_reports, simulate_start
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry
    from forecast.project.project import Project

SEED = 5


def simulated(model: Model, folder: Path) -> list[Entry]:
    """Watch everything, and tell what a world drawn from the prior shows."""
    space, start = model.space, model.spec.model.start
    watched = Coverage(id="all", indicator="*", from_=start, to=AS_OF, reported_on=start, source="Simulation")
    empty = compile_evidence(space, [watched], AS_OF + dt.timedelta(days=60))
    days = step_days(space, AS_OF)
    draws = model.prior(1, folder, empty).blocks.draws
    rng = np.random.default_rng(SEED)
    chain, one = chain_of(space), slice(SEED, SEED + 1)
    states = simulate_start(rng, chain, draws.start[one])
    told = simulate_reports(rng, chain, empty.cells, draws.log_rate[one], draws.log_lambda[one], states)[0]
    grades = {w: grade for grade, w in CREDIBILITY.items()}
    rows: list[Entry] = [watched]
    for (step, kind, _, indicator, _), w in zip(empty.cells.what, told, strict=True):
        if kind == COVERED and w > 0 and step < days.size - 1:
            date = start + dt.timedelta(days=int(days[:step].sum()) + 3)
            name = space.indicators[indicator]
            rows.append(
                Observation(
                    id=f"{name}-{step}", indicator=name, date=date, reported_on=date, source="Simulation",
                    grade=grades[float(w)],
                )
            )  # fmt: skip
    return rows


def prepared(folder: Path, which: str) -> Project:
    """Lay a project out, with the article's rows or a simulated world's."""
    forecast.init(folder)
    project = forecast.open(folder)
    if which == "simulated":
        for path in folder.glob("data/*/*.csv"):
            path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
        model = project.model()
        project.ledger.add(model.spec.model.dataset, simulated(model, folder / "prior"), now=NOW)
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
