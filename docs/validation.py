"""Check the whole engine on simulated worlds, and with bugs planted on purpose; writes ``docs/validation.md``.

Every world is kept in the folder of ``--output``, so a run that was stopped goes on where it was. What stands in the
document is what was measured, with its number of worlds.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
from build import table

from forecast.engine.arrays import ASSESSMENT, COVERED, SELECTIVE
from forecast.inference.model import Model
from forecast.inference.settings import Settings
from forecast.ledger.rows import Coverage
from forecast.studies.calibrate import study_spec
from forecast.studies.cluster import connect
from forecast.studies.judge import LEVEL, band, judge_calibration, judge_ranks, places_of
from forecast.studies.run import about, run_worlds, work_of
from forecast.theory.modelfile import load_spec

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry
    from forecast.studies.judge import Calibration, Uniformity
    from forecast.theory.spec import ModelSpec

HERE = Path(__file__).parent
REFERENCE = HERE.parent / "models" / "russia_azerbaijan.toml"
SEED = 1
SETTINGS = Settings()
CERTAIN = 0.999  # a credibility as good as one, under which two assessments may still contradict each other
SHOWN = 8  # rows of a table of the worst

# Bugs, planted in what the engine is given.


class Credulous(Model):
    """Believes every report: credibility is ignored."""

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile, and forget the credibility."""
        found = super().evidence(entries, as_of)
        cells, kind = found.cells, found.cells.what[:, 1]
        value, observed = cells.value.copy(), cells.observed.copy()
        value[np.isin(kind, [SELECTIVE, ASSESSMENT]), 0] = CERTAIN
        observed[(kind == COVERED) & (observed > 0)] = CERTAIN
        return replace(found, cells=cells._replace(value=value, observed=observed))


class Late(Model):
    """Lets effects act one step late.

    An engine that does sees the downstream stages of step t + 1 where the right one sees those of step t; so what was
    told of them is moved one step back.
    """

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile, and move the cells of all stages but the first."""
        found = super().evidence(entries, as_of)
        cells, what = found.cells, found.cells.what.copy()
        what[what[:, 2] > 0, 0] -= 1
        kept = np.flatnonzero(what[:, 0] >= 0)
        kept = kept[np.argsort(what[kept, 0], kind="stable")]
        moved = cells._replace(what=what[kept], value=cells.value[kept], observed=cells.observed[kept])
        return replace(found, cells=moved)


class Blind(Model):
    """Ignores coverage: silence says nothing, and what was watched for was merely told."""

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile without coverage."""
        return super().evidence([row for row in entries if not isinstance(row, Coverage)], as_of)


BUGS = {"credibility is ignored": Credulous, "effects act one step late": Late, "coverage is ignored": Blind}

# Runs.


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
            if len(begun) > 2:  # noqa: PLR2004 - what was there before, and the first, which pays for the start
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
    from checks import sections  # noqa: PLC0415 - beside this file; the tests read the bugs without it

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=300, help="fitted worlds of the small model")
    parser.add_argument("--bugs", type=int, default=60, help="worlds of each planted bug")
    parser.add_argument("--years", type=int, default=100, help="years of weekly forecasts")
    parser.add_argument("--reference", type=int, default=60, help="fitted worlds of the reference model")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--scheduler", default=None)
    parser.add_argument("--output", default="study-validation", help="where worlds are kept")
    parser.add_argument("--document", type=Path, default=HERE / "validation.md")
    options = parser.parse_args()
    runs, spec = Runs(options), study_spec()
    figures = runs("sbc", "sbc", spec, options.worlds)
    ranks = {"sbc": places_of(figures)}
    trusted = {"sbc": float(np.mean([row["trusted"] for row in figures]))}
    for name, make in BUGS.items():
        ranks[name] = places_of(runs(name, "sbc", spec, options.bugs, make))
    ranks["none"] = {name: values[: options.bugs] for name, values in ranks["sbc"].items()}
    reference = load_spec(REFERENCE)
    figures = runs("reference", "sbc", reference, options.reference)
    ranks["reference"] = places_of(figures)
    trusted["reference"] = float(np.mean([row["trusted"] for row in figures]))
    calibration = judge_calibration(runs("calibration", "calibration", spec, options.years))
    folder = options.document.parent
    verdicts = {name: judge_ranks(places) for name, places in ranks.items()}
    _ecdf_chart({"the engine": ranks["sbc"], **{name: ranks[name] for name in BUGS}}).save(
        folder / "validation-sbc.svg"
    )
    _reliability_chart(calibration).save(folder / "validation-reliability.svg")
    seconds = {name: runs.seconds(name) for name in ("sbc", "reference", "calibration")}
    options.document.write_text(_page(options, verdicts, trusted, calibration, seconds, sections()), encoding="utf-8")
    print(options.document)


# Pictures.


def _ecdf_chart(studies: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> alt.HConcatChart:
    """Draw, for each study, the empirical distribution of every quantity's places less the diagonal, and the band."""
    parts = []
    for name, places in studies.items():
        size = max(values.size for values in places.values())
        points, low, high = band(size)
        lines = [
            {"quantity": quantity, "place": float(x), "difference": float(np.mean(values <= x) - x)}
            for quantity, values in places.items()
            for x in points
        ]
        area = [
            {"place": float(x), "low": float(a), "high": float(b)} for x, a, b in zip(points, low, high, strict=True)
        ]
        x = alt.X("place:Q", title="place of the true value", scale=alt.Scale(domain=[0, 1]))
        shade = alt.Chart(alt.Data(values=area)).mark_area(opacity=0.25).encode(x=x, y="low:Q", y2="high:Q")
        line = (
            alt.Chart(alt.Data(values=lines))
            .mark_line(strokeWidth=0.8, opacity=0.6, color="#0072b2")
            .encode(x=x, y=alt.Y("difference:Q", title="ECDF − diagonal"), detail="quantity:N")
        )
        parts.append((shade + line).properties(width=200, height=160, title=f"{name} ({size} worlds)"))
    return alt.concat(*parts, columns=2)


def _reliability_chart(found: Calibration) -> alt.ConcatChart:
    parts = []
    for name, curve in found.curves.items():
        rows = [
            {"said": float(a), "came true": float(b), "low": float(c), "high": float(d)}
            for a, b, c, d in zip(curve.said, curve.came_true, curve.low, curve.high, strict=True)
        ]
        base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("said:Q", scale=alt.Scale(domain=[0, 1])))
        ends = alt.Data(values=[{"said": 0, "y": 0}, {"said": 1, "y": 1}])
        parts.append(
            (
                base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q", title="came true"), y2="high:Q")
                + base.mark_line(color="#0072b2").encode(y="came true:Q")
                + alt.Chart(ends).mark_line(strokeDash=[4, 4], color="#55606b").encode(x="said:Q", y="y:Q")
            ).properties(width=140, height=140, title=name)
        )
    return alt.concat(*parts, columns=4)


# Words.


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004 - as many digits as are shown


def _least(adjusted: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(name, _p(p)) for name, p in sorted(adjusted.items(), key=lambda row: row[1])[:SHOWN]]


def _verdict(name: str, found: Uniformity) -> list[object]:
    least = min(found.adjusted, key=lambda quantity: found.adjusted[quantity])
    return [
        name, found.worlds, f"{len(found.rejected)} of {len(found.adjusted)}", f"{least}: {_p(found.adjusted[least])}",
        _p(found.omnibus), f"{found.spread:.3f}",
    ]  # fmt: skip


def _page(  # noqa: PLR0913, PLR0917 - what a document says
    options: argparse.Namespace, verdicts: Mapping[str, Uniformity], trusted: Mapping[str, float],
    calibration: Calibration, seconds: Mapping[str, str], checks: str,
) -> str:  # fmt: skip
    sbc, reference = verdicts["sbc"], verdicts["reference"]
    heads = ["study", "worlds", "rejected", "least p-value", "omnibus p", "spread"]
    curves = [[name, *(f"{part:.4f}" for part in c.parts)] for name, c in calibration.curves.items()]
    excesses = [
        [name, e.forecasts, f"{e.mean:+.4f} ± {e.error:.4f}", _p(calibration.adjusted[f"{name}: mean"]),
         _p(calibration.adjusted[f"{name}: slope"])]
        for name, e in calibration.excesses.items()
    ]  # fmt: skip
    off = ", ".join(calibration.rejected) or "none"
    command = (
        f"python docs/validation.py --worlds {options.worlds} --bugs {options.bugs} --years {options.years} "
        f"--reference {options.reference}"
    )
    return f"""\
# Validation

Does the engine find true values again, do its probabilities come true, and do others get the same numbers? What it says
of the reference model's theory is another matter, for which there are back-tests and, in time, the track record
(`forecast score`). Worlds are simulated by a second reading of
[the method](method.md) that shares nothing with the likelihood: parameters from the prior, a hidden path, events, false
reports, spans in which somebody looks, stories that are told selectively, assessments, records. Written by

```sh
{command}
```

which is `make validation` with these numbers of worlds; `forecast study` runs either study by itself. How many worlds a
minute, and what a second worker gives, stands among the [benchmarks](benchmarks.md). The small model
is `forecast/study.toml`: two stages of two states, six indicators (one a one-off that another resets), two effects.

## True values among posterior draws

Simulation-based calibration: each world is a year, compiled and fitted as a project's evidence is, by
{SETTINGS.chains} chains of {SETTINGS.tune} + {SETTINGS.draws}. The true value of every parameter, the log-likelihood
and every forecast quantity is placed among 100 draws; the places are uniform if the engine is right. *Rejected* counts
quantities that leave the simultaneous band of their empirical distribution (Säilynoja et al. 2022) at a family-wise
{100 * LEVEL:.0f} % (Holm). *Omnibus* tests the *spread*, the mean squared normal score of all quantities of
a world, which is 1 if they are uniform.

{table(heads, [_verdict("the engine, small model", sbc), _verdict("the engine, reference model", reference)])}
Fits that pass the checks a project asks for: {100 * trusted["sbc"]:.0f} % of the small model's and
{100 * trusted["reference"]:.0f} % of the reference model's; all are counted above. A world took {seconds["sbc"]} and
{seconds["reference"]} (medians of the time between finished worlds, with all workers).

![Places of true values](validation-sbc.svg)

## Planted bugs

The same study with something wrong in what the engine is given; *nothing* is the engine on as many worlds. They are the
same worlds, so chance is shared by the rows: a bug is caught where it is rejected and *nothing* is far from it.

{table(heads, [*(_verdict(name, verdicts[name]) for name in BUGS), _verdict("nothing", verdicts["none"])])}
## Forecasts that come true

{calibration.worlds} years of weekly forecasts at every horizon through the path of updates: draws of the prior (in
every other world) or of fits, reweighted, under the gate; {calibration.fits} fits were made, and
{100 * calibration.published:.1f} % of the weeks had a forecast that the gate let through. Outcomes are read off the
true path. A year took {seconds["calibration"]}.

Excess of outcomes over probabilities, with its standard error over worlds, which are the independent units; the
p-values are of its mean and of its going with the probability, by Holm over everything that is tested in this section.
Off at a family-wise {100 * LEVEL:.0f} %: {off}.

{table(["quantity", "forecasts", "excess", "p of the mean", "p of the slope"], excesses)}
90 % intervals of four weeks of each year hold the probability under the true parameters in
{100 * calibration.coverage:.1f} % of cases; the least p-values of everything that is tested:

{table(["test", "family-wise p"], _least(calibration.adjusted))}
Brier scores in their parts (isotonic regression; score = miscalibration − discrimination + uncertainty). Even right
probabilities get some miscalibration from the fitted curve.

{table(["forecast", "Brier", "miscalibration", "discrimination", "uncertainty"], curves)}
![WorldsReliability](validation-reliability.svg)

Bands are 90 % from resampling worlds.

{checks}
## What this does not show

- Rows dated to the month, several independent stories in one week of coverage, and records that are graded or late are
  not simulated; [the tests](../tests/oracles/oracle.py) compare those rules with a second implementation.
- The worlds obey the model. Whether the world does is another question.
"""


if __name__ == "__main__":
    main()
