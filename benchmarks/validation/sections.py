"""Parts of ``docs/validation.md`` that need no study: rules against exact sums, second opinions, a back-test.

They measure what the tests of the same names hold to their limits.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.reference import AS_OF, NOW, reference_project, seconds
from docs.builder.markdown import table
from docs.builder.places import ROOT

sys.path.insert(0, str(ROOT / "tests" / "oracles"))

from rule_sums import RULES, SCENES, compared
from second_opinion import VALUES, rates_apart, states_apart

if TYPE_CHECKING:
    from forecast.inference.model import Model
    from forecast.project.project import Project
    from forecast.quantities.forecast import Forecast

__all__ = ["sections"]

ROUNDS = 5
CERTAIN = 1e-3


def sections() -> str:
    """Measure everything and give it as Markdown."""
    with reference_project() as (project, model):
        found = project.update(model, as_of=AS_OF, now=NOW)
        return "\n".join([_rules(found), _second(project, model, found), _backtest(project, model)])


def _rules(found: Forecast) -> str:
    rows: list[list[str]] = []
    for scene in SCENES:
        errors = [
            abs(row.mean - truth) / row.mcse
            for outcome in RULES
            for row, truth in compared(scene, outcome)
            if CERTAIN < truth < 1 - CERTAIN
        ]
        rows.append([scene, str(len(errors)), f"{np.sqrt(np.square(errors).mean()):.2f}", f"{max(errors):.1f}"])
    asked = found.rules()
    worst = max(row.mcse for row in asked.rows)
    return f"""\
## Rules

How likely rules are to be met, simulated, against sums over every path, day and event of a small model
(`pytest tests/answers/test_rules.py`); differences in the Monte Carlo standard errors that are reported with them,
which should have a root mean square near 1. What is all but certain, either way, is left out.

{table(["scene", "probabilities", "root mean square", "greatest"], rows)}
All {len(asked.rows)} probabilities of the reference model, and as many by the theory alone, took
{seconds(found.rules, ROUNDS):.1f} s; their standard errors are at most {100 * worst:.1f} percentage points.
"""


def _second(project: Project, model: Model, found: Forecast) -> str:
    ours = found.posterior
    theirs = json.loads(VALUES.read_text(encoding="utf-8"))
    rates = rates_apart(theirs, ours, project.fits.folder(model))
    states = states_apart(theirs, ours)
    rows = [
        [name, str(len(apart)), f"{np.sqrt(np.square(list(apart.values())).mean()):.2f}", f"{max(apart.values()):.1f}"]
        for name, apart in (("log transition rates", rates), ("states now and after 4, 26 and 52 weeks", states))
    ]
    return f"""\
## Second opinions

The reference model on the article's rows, sampled by NumPyro's NUTS on a density that was written without the package
(`tests/reference/numpyro_nuts.py`); differences of means in Monte Carlo standard errors of both.

{table(["what", "values", "root mean square", "greatest"], rows)}
At fixed parameters the likelihood, the present states and the forecasts are those of dynamax and hmmlearn
(`tests/reference/make.py`; `pytest tests/engine/test_reference_values.py` holds them to 1e-8).
"""


def _backtest(project: Project, model: Model) -> str:
    began = time.perf_counter()
    found = project.backtest(model, ["base_rate_sceptic", "baku_hedges"], as_of=AS_OF, now=NOW)
    took = time.perf_counter() - began
    rows = [[name, f"{total:.1f}"] for name, total in found.totals.items()]
    said = "\n".join(f"- {line}" for line in found.sentences)
    return f"""\
## Back-test

Each week's evidence foreseen by what was known before it, in nats over {len(found.weeks)} weeks; more is better
(`forecast backtest base_rate_sceptic baku_hedges --model {model.spec.name} --as-of {AS_OF}`; {found.fits} fits,
{took:.0f} s). The models were written with the article in view, so all of it is retrospective fit.

{table(["forecaster", "log score"], rows)}
{said}
"""
