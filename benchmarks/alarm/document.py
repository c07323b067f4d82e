"""``docs/alarm.md``: false alarms by limit, the limit, and how often contradictions ring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.alarm.contradictions import CONTRADICTIONS
from benchmarks.alarm.tails import SMALL
from benchmarks.alarm.worlds import COVERED_WORLD, KINDS, TOLD_WORLD, reference, told_a_week
from benchmarks.reference import reference as reference_case
from docs.builder.markdown import table
from forecast.answers import alarm
from forecast.answers.alarm import SEED, WEEKS

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints

CHECKS = 104  # two years of weeks
CANDIDATES = 200  # draws that the parameters may be one of, where they are not known
ONSET = 30  # full weeks before worlds go wrong
LIMITS = np.arange(1, 201) / 2000  # the tails are multiples of a two-thousandth
SHOWN = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1)


def runs(tails: Floats, limits: Floats) -> Ints:
    """(W, limits) how many runs of checks under each limit there are in each world; ``tails`` (W, checks)."""
    under = tails[:, :, None] < limits
    begins = under.copy()
    begins[:, 1:] &= ~under[:, :-1]
    return begins.sum(axis=1)


def mean_and_error(counts: Ints) -> tuple[Floats, Floats]:
    """Mean over worlds, and its standard error."""
    return counts.mean(axis=0), counts.std(axis=0, ddof=1) / math.sqrt(len(counts))


def crossing(means: Floats) -> float:
    """Give the limit at which the expected number of false alarms first reaches 1."""
    k = int(np.argmax(means >= 1))
    if means[k] < 1:
        return float(LIMITS[-1])
    below = means[k - 1] if k else 0.0
    left = LIMITS[k - 1] if k else 0.0
    return float(left + (LIMITS[k] - left) * (1 - below) / (means[k] - below))


def document(known: dict[str, Floats], uncertain: dict[str, Floats], broken: dict[tuple[str, int], Floats]) -> str:
    """Write the document."""
    curves = {kind: mean_and_error(runs(tails, LIMITS)) for kind, tails in known.items()}
    others = {kind: mean_and_error(runs(tails, LIMITS)) for kind, tails in uncertain.items()}
    found = {kind: crossing(curve[0]) for kind, curve in curves.items()}
    boot = np.random.default_rng(SEED)
    errors = {
        kind: np.std([
            crossing(runs(tails[boot.integers(len(tails), size=len(tails))], LIMITS).mean(axis=0)) for _ in range(200)
        ])
        for kind, tails in known.items()
    }  # fmt: skip
    worse = min(found, key=found.__getitem__)
    limit = float(f"{found[worse]:.2g}")
    if limit != alarm.LIMIT:
        print(f"forecast.answers.alarm.LIMIT is {alarm.LIMIT:g} and should be {limit:g}")
    at = int(np.argmin(np.abs(LIMITS - limit)))
    rows = [
        [f"{LIMITS[k]:g}", *(f"{curve[kind][0][k]:.2f} ± {curve[kind][1][k]:.2f}" for curve in (curves, others)
                             for kind in KINDS)]
        for k in sorted({*(round(2000 * limit) - 1 for limit in SHOWN), at})
    ]  # fmt: skip
    power: list[list[str]] = []
    for n, wrong in enumerate(CONTRADICTIONS):
        cells: list[str] = []
        for kind in KINDS:
            under = broken[kind, n] < limit
            for rings in (under[:, WEEKS // 2 - 1 : WEEKS // 2].any(axis=1), under[:, -1], under.any(axis=1)):
                p = rings.mean()
                cells.append(f"{p:.0%} ± {math.sqrt(p * (1 - p) / rings.size):.0%}")
        power.append([wrong.label, *cells])
    rate = sum(told_a_week().values())
    worlds = " and ".join(str(len(known[kind])) for kind in KINDS)
    heads = [f"{kind}, {when}" for kind in KINDS for when in (f"at {WEEKS // 2}", f"at {WEEKS}", "at any")]
    kinds = [f"{what}: {kind}" for what in ("known", "learned") for kind in KINDS]
    limits = ", ".join(f"{found[kind]:.4f} ± {errors[kind]:.4f} ({kind})" for kind in KINDS)
    return f"""\
# The limit of the conflict alarm

Written by `python -m benchmarks.alarm`, which takes some eight minutes on two processors.
Measured with version {reference_case().model.spec.hash} of the reference model.

The alarm rings where the tail, the probability that the model gives to weeks as surprising as the last {WEEKS}, falls
below a limit. Even if the model is right that happens now and then. The limit is such that it happens once in two years
of weekly checks. Checks that follow each other share most of their weeks, so alarms come in runs: consecutive checks
under the limit count as one alarm.

## Where the model is right

Worlds are drawn from the reference model: parameters from the prior, a hidden path, and reports of it in two ways.

- *{COVERED_WORLD}*: every indicator is watched every day; sightings are graded, and false ones occur, as the
  likelihood says. As in the model, coverage counts after {reference().spec.model.reporting_lag_days} days; until then a
  sighting is a row that somebody told.
- *{TOLD_WORLD}*: {rate:.2f} rows a week, as in the article's data, spread over the stages as there; which indicator a
  row tells of depends on the state.

In both, a deal is on record while it is in force. The alarm is checked at the end of each of {CHECKS} weeks, the first
time after {WEEKS + 1}. *Known*: the true parameters are known, in {worlds} worlds. *Learned*: they are one of
{CANDIDATES} draws from the prior, and the reports have to tell which, in {len(uncertain[worse])} worlds of each kind;
there the predictive distribution is made of {SMALL["DRAWS"]} draws and {SMALL["FUTURES"]} futures, so it is coarser.

False alarms in two years, with standard errors over worlds:

{table(["limit", *kinds], rows)}
With the parameters known, one false alarm in two years is expected at a limit of
{limits}.
The worse of the two is *{worse}*. **The limit is {limit:g}.**

## Where it is wrong

Other worlds, {len(broken[worse, 0])} of each kind, go wrong after {ONSET} weeks; the parameters before that are known.
How often the alarm rings at the check {WEEKS // 2} weeks later, at the check {WEEKS} weeks later, when the wrong weeks
fill its window, and at any of the {WEEKS} checks until then:

{table(["what is wrong", *heads], power)}
What the alarm cannot notice:

- The score is a probability, and that nothing is seen is the most probable of all reports. A world that is quieter than
  the model scores well and never rings.
- Where reports are told selectively, nobody can say how often something should have been told. Rates that are wrong
  alike for all indicators leave no trace there.
- So few rows say little: told selectively, even gross contradictions seldom ring within eight weeks. Silence of the
  alarm is no proof that the model is right.
"""
