"""A real series of weekly events: three hidden states learned from its first part, scored one week ahead on the rest.

``python -m benchmarks.weekly_conflict FILE`` reads a CSV file with the columns ``week``, ``i2p`` and ``p2i``:
Goldstein-scaled weekly totals of what two sides did to each other, such as the series of 1979 to 2003 in the R package
MSBVAR (`IsraelPalestineConflict`, MIT licence), which is not kept here. Hostility is counted as the total with its sign
turned, rounded, and 0 in weeks without any. Prints one JSON object: the log score of both series in the held-out weeks,
and what it is more than that of others, with errors that allow for what the weeks of a quarter share.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import nbinom

from forecast.engine.arrays import steps_between
from forecast.engine.blocks import Blocks
from forecast.engine.filtering import evaluate
from forecast.evidence.compilation import compile_evidence
from forecast.inference.fit import fit_model
from forecast.inference.model import Model
from forecast.inference.settings import Settings
from forecast.ledger.rows import Count, with_id
from forecast.studies.calibrate import EPOCH
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SERIES = ("i2p", "p2i")
LEARNED = 0.6  # share of the weeks that is learned from
LAGS = 4  # weeks, of the autoregressive rival
BLOCK = 13  # weeks whose differences are summed before an error is taken of them
MODEL = """
[model]
name = "conflict"
start = {start}
horizons_weeks = [1]
reporting_lag_days = 0
[stages.conflict]
states = ["calm", "tense", "violent"]
start = {{ calm = 1, tense = 1, violent = 1 }}
transitions = [
  {{ from = "calm", to = "tense", per_year = [0.5, 20] }}, {{ from = "tense", to = "calm", per_year = [0.5, 20] }},
  {{ from = "tense", to = "violent", per_year = [0.5, 20] }},
  {{ from = "violent", to = "tense", per_year = [0.5, 20] }},
]
[indicators.unused]
stage = "conflict"
points_to = ["violent"]
[outcomes.violence]
states = {{ conflict = ["violent"] }}
frozen = {start}
[channels.i2p]
stage = "conflict"
points_to = ["violent"]
grade = "strong"
dispersion = [0.2, 5]
[channels.p2i]
stage = "conflict"
points_to = ["tense", "violent"]
grade = "strong"
dispersion = [0.2, 5]
[priors.channels.counts]
per_volume = [1, 50]
contrast = [0.3, 3]
"""


def ours(weeks: pd.DatetimeIndex, counts: Floats, learned: int) -> tuple[Floats, dict[str, object]]:
    """Log predictive probability of both counts of each week behind the ``learned`` ones; and how well the fit went."""
    days = [day.date() for day in weeks]
    model = Model(parse_spec(MODEL.format(start=days[0]), where="the model"))
    rows = [
        with_id(
            Count(
                channel=name, from_=day, to=day + pd.Timedelta(days=6).to_pytimedelta(), count=int(counts[k, j]),
                exposure=1.0, reported_on=day + pd.Timedelta(days=6).to_pytimedelta(), source="the series",
            )
        )
        for k, day in enumerate(days)
        for j, name in enumerate(SERIES)
    ]  # fmt: skip
    ends = [day + pd.Timedelta(days=6).to_pytimedelta() for day in days]
    first = model.evidence(rows, ends[learned - 1])
    settings = Settings()
    fit = fit_model(model.space, first, model.sampler(first), settings, watermark=0, now=EPOCH)
    whole = compile_evidence(model.space, rows, ends[-1])
    blocks = Blocks(chain_of(model.space), fit.draws)
    before = evaluate(blocks, steps_between(whole.cells, 0, learned))
    states, sums, scores = before.states, np.zeros(fit.draws.size), list[float]()
    for k in range(learned, len(days)):
        step = evaluate(blocks, steps_between(whole.cells, k, k + 1), start=states)
        scores.append(float(logsumexp(sums + step.log_likelihood) - logsumexp(sums)))
        states, sums = step.states, sums + step.log_likelihood
    about = {"complaints": fit.diagnostics.complaints(settings), "divergences": fit.diagnostics.divergences}
    return np.array(scores), about


def negative_binomial(counts: Floats, mean: Floats, dispersion: float) -> Floats:
    """Log probability of counts."""
    return nbinom.logpmf(counts, dispersion, dispersion / (dispersion + mean))


def constant(counts: Floats, learned: int) -> Floats:
    """One mean and one dispersion."""
    found = minimize(
        lambda x: -negative_binomial(counts[:learned], np.exp(x[0]), np.exp(x[1])).sum(),
        [3.0, 0.0],
        method="Nelder-Mead",
    ).x
    return negative_binomial(counts[learned:], np.exp(found[0]), np.exp(found[1]))


def last_value(counts: Floats, learned: int) -> Floats:
    """As many as last week, and a few."""

    def score(x: Sequence[float], part: slice) -> Floats:
        return negative_binomial(counts[1:][part], counts[:-1][part] + np.exp(x[0]), float(np.exp(x[1])))

    found = minimize(lambda x: -score(x, slice(learned - 1)).sum(), [1.0, 0.0], method="Nelder-Mead").x
    return score(found, slice(learned - 1, None))


def autoregressive(counts: Floats, of: int, learned: int) -> Floats:
    """Negative binomial regression of statsmodels on the logarithms of both series in the last weeks."""
    logs = np.log1p(counts)
    lags = [logs[LAGS - lag : len(logs) - lag] for lag in range(1, LAGS + 1)]
    design, target = sm.add_constant(np.column_stack(lags)), counts[LAGS:, of]
    model = sm.NegativeBinomial(target[: learned - LAGS], design[: learned - LAGS])
    found = model.fit(disp=False, maxiter=500)
    mean = np.exp(design[learned - LAGS :] @ found.params[:-1])
    return negative_binomial(target[learned - LAGS :], mean, 1 / found.params[-1])


def main() -> None:
    """Learn, score, print."""
    table = pd.read_csv(sys.argv[1], parse_dates=["week"])
    counts = np.round(np.maximum(-table[list(SERIES)].to_numpy(), 0.0))
    learned = int(LEARNED * len(counts))
    scores, about = ours(pd.DatetimeIndex(table["week"]), counts, learned)
    rivals = {
        "constant": sum(constant(counts[:, k], learned) for k in range(2)),
        "last value": sum(last_value(counts[:, k], learned) for k in range(2)),
        "autoregressive": sum(autoregressive(counts, k, learned) for k in range(2)),
    }
    blocks = len(scores) // BLOCK
    found: dict[str, object] = {
        "weeks": [learned, len(scores)], **about, "ours": round(float(scores.sum()), 1),
    }  # fmt: skip
    less: dict[str, object] = {}
    for name, theirs in rivals.items():
        apart = scores - theirs
        sums = apart[: blocks * BLOCK].reshape(blocks, BLOCK).sum(axis=1)
        less[name] = {
            "nats": round(float(apart.sum()), 1),
            "error": round(float(sums.std(ddof=1) * np.sqrt(blocks)), 1),
        }
    found["ours less"] = less
    print(json.dumps(found))


if __name__ == "__main__":
    main()
