"""Parts of ``docs/validation.md`` that need no study: rules against exact sums, second opinions, a back-test.

They measure what the tests of the same names hold to their limits.
"""

from __future__ import annotations

import datetime as dt
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import forecast
from forecast.project.starter import init

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "oracles"))

from build import table  # noqa: E402
from rule_sums import RULES, SCENES, compared  # noqa: E402
from second_opinion import VALUES, rates_apart, states_apart  # noqa: E402

if TYPE_CHECKING:
    from forecast.project.project import Project
    from forecast.quantities.forecast import Forecast

__all__ = ["sections"]

MODEL = "russia_azerbaijan"
AS_OF = dt.date(2026, 1, 8)
NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
ROUNDS = 5
CERTAIN = 1e-3


def sections() -> str:
    """Measure everything and give it as Markdown."""
    with tempfile.TemporaryDirectory() as name:
        init(Path(name) / "project")
        project = forecast.open(Path(name) / "project")
        found = project.update(MODEL, as_of=AS_OF, now=NOW)
        return "\n".join([_rules(found), _second(project, found), _backtest(project)])


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
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        asked = found.rules()
        times.append(time.perf_counter() - began)
    worst = max(row.mcse for row in asked.rows)
    return f"""\
## Rules

How likely rules are to be met, simulated, against sums over every path, day and event of a small model
(`pytest tests/answers/test_rules.py`); differences in the Monte Carlo standard errors that are reported with them,
which should have a root mean square near 1. What is all but certain, either way, is left out.

{table(["scene", "probabilities", "root mean square", "greatest"], rows)}
All {len(asked.rows)} probabilities of the reference model, and as many by the theory alone, took
{statistics.median(times):.1f} s; their standard errors are at most {100 * worst:.1f} percentage points.
"""


def _second(project: Project, found: Forecast) -> str:
    ours = found.posterior
    theirs = json.loads(VALUES.read_text(encoding="utf-8"))
    rates = rates_apart(theirs, ours, project.fits(project.model(MODEL)))
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


def _backtest(project: Project) -> str:
    began = time.perf_counter()
    found = project.backtest(MODEL, ["base_rate_sceptic", "baku_hedges"], as_of=AS_OF, now=NOW)
    seconds = time.perf_counter() - began
    rows = [[name, f"{total:.1f}"] for name, total in found.totals.items()]
    said = "\n".join(f"- {line}" for line in found.sentences)
    return f"""\
## Back-test

Each week's evidence foreseen by what was known before it, in nats over {len(found.weeks)} weeks; more is better
(`forecast backtest base_rate_sceptic baku_hedges --model {MODEL} --as-of {AS_OF}`; {found.fits} fits,
{seconds:.0f} s). The models were written with the article in view, so all of it is retrospective fit.

{table(["forecaster", "log score"], rows)}
{said}
"""
