"""Check the whole engine on simulated worlds, and with bugs planted on purpose; writes ``docs/validation.md``.

Every world is kept in the folder of ``--output``, so a run that was stopped goes on where it was. What stands in the
document is what was measured, with its number of worlds.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.validation.bugs import BUGS
from benchmarks.validation.charts import ecdf_chart, reliability_chart
from benchmarks.validation.document import SETTINGS, document
from benchmarks.validation.sections import sections
from docs.builder.places import DOCS, MODEL, spec_of
from forecast.inference.model import Model
from forecast.studies.calibrate import study_spec
from forecast.studies.run import about, run_worlds, work_of
from forecast.studies.verdicts import judge_calibration, judge_ranks, places_of
from forecast.studies.workers import connect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from forecast.theory.spec import ModelSpec

SEED = 1


class Runs:
    """Runs studies one after the other, and measures what a world takes."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Take the command line's options."""
        self.options = options

    def __call__(
        self, name: str, kind: str, spec: ModelSpec, worlds: int, make: type[Model] = Model
    ) -> list[dict[str, NDArray[Any]]]:
        """Give the figures of the worlds of one study."""
        folder = Path(self.options.output) / name.replace(" ", "-")
        begun: list[float] = []

        def on_world(done: int, total: int) -> None:
            print(f"{name}: {done} of {total}", end="\r", flush=True)
            begun.append(time.monotonic())
            if len(begun) > 2:
                self._note(folder, begun[-1] - begun[-2])

        header = {**about(kind, spec, SETTINGS, SEED), "engine": make.__name__}
        figures = run_worlds(
            folder, header, work_of(kind, spec, SETTINGS, SEED, make), worlds,
            partial(connect, self.options.workers, self.options.scheduler), on_world=on_world,
        )  # fmt: skip
        print()
        return figures

    @staticmethod
    def _note(folder: Path, seconds: float) -> None:
        """Keep what worlds took, beside them."""
        path = folder / "seconds.json"
        old = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps([*old, seconds]))

    def seconds(self, name: str) -> str:
        """Say how many seconds lay between finished worlds of a study, as the median."""
        path = Path(self.options.output) / name.replace(" ", "-") / "seconds.json"
        return f"{np.median(json.loads(path.read_text())):.1f} s" if path.exists() else "an unknown time"


def main() -> None:
    """Run everything and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=300, help="fitted worlds of the small model")
    parser.add_argument("--bugs", type=int, default=60, help="worlds of each planted bug")
    parser.add_argument("--years", type=int, default=100, help="years of weekly forecasts")
    parser.add_argument("--reference", type=int, default=60, help="fitted worlds of the reference model; 0 for none")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--scheduler", default=None)
    parser.add_argument("--output", default="study-validation", help="where worlds are kept")
    parser.add_argument("--document", type=Path, default=DOCS / "validation.md")
    options = parser.parse_args()
    runs, spec = Runs(options), study_spec()
    figures = runs("sbc", "sbc", spec, options.worlds)
    ranks = {"sbc": places_of(figures)}
    trusted = {"sbc": float(np.mean([row["trusted"] for row in figures]))}
    for name, make in BUGS.items():
        ranks[name] = places_of(runs(name, "sbc", spec, options.bugs, make))
    ranks["none"] = {name: values[: options.bugs] for name, values in ranks["sbc"].items()}
    calibration = judge_calibration(runs("calibration", "calibration", spec, options.years))
    if options.reference:
        figures = runs("reference", "sbc", spec_of(MODEL), options.reference)
        ranks["reference"] = places_of(figures)
        trusted["reference"] = float(np.mean([row["trusted"] for row in figures]))
    folder = options.document.parent
    verdicts = {name: judge_ranks(places) for name, places in ranks.items()}
    ecdf_chart({"the engine": ranks["sbc"], **{name: ranks[name] for name in BUGS}}).save(folder / "validation-sbc.svg")
    reliability_chart(calibration).save(folder / "validation-reliability.svg")
    seconds = {name: runs.seconds(name) for name in ("sbc", "reference", "calibration")}
    options.document.write_text(
        document(options, verdicts, trusted, calibration, seconds, sections()), encoding="utf-8"
    )
    print(options.document)


if __name__ == "__main__":
    main()
