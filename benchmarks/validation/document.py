"""``docs/validation.md``: verdicts of the studies in tables and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.reference import reference as reference_case
from benchmarks.validation.bugs import BUGS
from docs.builder.markdown import table
from forecast.inference.settings import Settings
from forecast.studies.verdicts import LEVEL

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from forecast.studies.verdicts import Calibration, Uniformity

SETTINGS = Settings()
SHOWN = 8  # rows of a table of the worst


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _least(adjusted: Mapping[str, float]) -> list[tuple[str, str]]:
    return [(name, _p(p)) for name, p in sorted(adjusted.items(), key=lambda row: row[1])[:SHOWN]]


def _verdict(name: str, found: Uniformity) -> list[object]:
    least = min(found.adjusted, key=lambda quantity: found.adjusted[quantity])
    return [
        name, found.worlds, f"{len(found.rejected)} of {len(found.adjusted)}", f"{least}: {_p(found.adjusted[least])}",
        _p(found.omnibus), f"{found.spread:.3f}",
    ]  # fmt: skip


def document(  # noqa: PLR0913, PLR0917 - what a document says
    options: argparse.Namespace, verdicts: Mapping[str, Uniformity], trusted: Mapping[str, float],
    calibration: Calibration, seconds: Mapping[str, str], checks: str,
) -> str:  # fmt: skip
    """Write the document."""
    rows = [_verdict("the engine, small model", verdicts["sbc"])]
    told = f"{100 * trusted['sbc']:.0f} % of the small model's"
    took = f"{seconds['sbc']} (median of the time between finished worlds, with all workers)"
    if "reference" in verdicts:
        rows.append(_verdict("the engine, reference model", verdicts["reference"]))
        told += f" and {100 * trusted['reference']:.0f} % of the reference model's"
        took += f", of the reference model {seconds['reference']}"
    else:
        took += "; no world of the reference model was fitted, which takes minutes"
    heads = ["study", "worlds", "rejected", "least p-value", "omnibus p", "spread"]
    curves = [[name, *(f"{part:.4f}" for part in c.parts)] for name, c in calibration.curves.items()]
    excesses = [
        [name, e.forecasts, f"{e.mean:+.4f} ± {e.error:.4f}", _p(calibration.adjusted[f"{name}: mean"]),
         _p(calibration.adjusted[f"{name}: slope"])]
        for name, e in calibration.excesses.items()
    ]  # fmt: skip
    off = ", ".join(calibration.rejected) or "none"
    command = (
        f"python -m benchmarks.validation --worlds {options.worlds} --bugs {options.bugs} --years {options.years} "
        f"--reference {options.reference}"
    )
    return f"""\
# Validation

Does the engine find true values again, do its probabilities come true, and do others get the same numbers? What it says
of the reference model's theory is another matter, for which there are back-tests and, in time, the track record
(`forecast score`). Worlds are simulated by a second reading of
[the method](method.md) that shares nothing with the likelihood: parameters from the prior, a hidden path, events, false
reports, spans in which somebody looks, stories that are told selectively, assessments, records, and what other units
went through before. Written by

```sh
{command}
```

which is `make validation` with these numbers of worlds; `forecast study` runs either study by itself. How many worlds a
minute, and what a second worker gives, stands among the [benchmarks](benchmarks.md). The small model
is `forecast/studies/study.toml`: two stages of two states, one of them in two phases, six indicators (one a one-off
that another resets), two effects, a scale of the grades, and a history of five units under changing conditions.
The reference model is version {reference_case().model.spec.hash}.

## True values among posterior draws

Simulation-based calibration: each world is a year, compiled and fitted as a project's evidence is, by
{SETTINGS.chains} chains of {SETTINGS.tune} + {SETTINGS.draws}. The true value of every parameter, the log-likelihood
and every forecast quantity is placed among 100 draws; the places are uniform if the engine is right. *Rejected* counts
quantities that leave the simultaneous band of their empirical distribution (Säilynoja et al. 2022) at a family-wise
{100 * LEVEL:.0f} % (Holm). *Omnibus* tests the *spread*, the mean squared normal score of all quantities of
a world, which is 1 if they are uniform.

{table(heads, rows)}
Fits that pass the checks a project asks for: {told}; all are counted above. A world took {took}.

![Places of true values](validation-sbc.svg)

## Planted bugs

The same study with something wrong in what the engine is given; *nothing* is the engine on as many worlds. They are the
same worlds, so chance is shared by the rows: a bug is caught where it is rejected and *nothing* is far from it.

{table(heads, [*(_verdict(name, verdicts[name]) for name in BUGS), _verdict("nothing", verdicts["none"])])}
## Forecasts that come true

{calibration.worlds} years of weekly forecasts at every horizon through the path of updates: draws of the prior (in
every other world) or of fits, reweighted, under the gate; {calibration.fits} fits were made, and
{100 * calibration.published:.1f} % of the weeks had a forecast that the gate let through. Outcomes are read off the
true path. These worlds have no history: their truth is drawn from what forecasts start from, the prior. A year took
{seconds["calibration"]}.

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
![Reliability](validation-reliability.svg)

Bands are 90 % from resampling worlds.

{checks}
## What this does not show

- Rows dated to the month, several independent stories in one week of coverage, and records that are graded or late are
  not simulated; [the tests](../tests/oracles/oracle.py) compare those rules with a second implementation.
- The worlds obey the model. Whether the world does is another question.
"""
