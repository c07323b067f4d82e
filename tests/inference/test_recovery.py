"""Parameters and forecasts of simulated worlds are recovered at the rate that the intervals claim."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import oracle
import pytest
from scipy import stats
from worlds import draw_values, draws_of

from forecast.engine.simulate import simulate_reports, simulate_start
from forecast.evidence.compilation import Evidence, compile_evidence
from forecast.inference.sampler import Sampler
from forecast.inference.settings import Settings
from forecast.ledger.rows import Coverage
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace, chain_of

pytestmark = pytest.mark.slow

WORLDS = 24
BASIS = 'basis = [{ kind = "judgement", note = "made up" }]'
MODEL = (
    f"""
format = 1
[model]
name = "small"
title = "Small"
description = "Two stages, five indicators, all watched."
dataset = "small"
start = 2022-01-03
reporting_lag_days = 0
horizons_weeks = [4]
[sources.s]
title = "None"
[stages.up]
label = "Up"
states = ["low", "high"]
start = {{ low = 2, high = 1 }}
{BASIS}
[[stages.up.transitions]]
from = "low"
to = "high"
per_year = [0.7, 3]
{BASIS}
[[stages.up.transitions]]
from = "high"
to = "low"
per_year = [1, 5]
{BASIS}
[stages.down]
label = "Down"
states = ["calm", "tense"]
start = {{ calm = 3, tense = 1 }}
{BASIS}
[[stages.down.transitions]]
from = "calm"
to = "tense"
per_year = [0.5, 2]
{BASIS}
[[stages.down.transitions]]
from = "tense"
to = "calm"
per_year = [1, 6]
{BASIS}
[stages.down.effects.pressed]
from = "calm"
to = "tense"
when = {{ up = ["high"] }}
times = [1.5, 8]
{BASIS}
"""
    + "".join(
        f'[indicators.{name}]\nlabel = "{name}"\nstage = "{stage}"\npoints_to = ["{state}"]\ngrade = "{grade}"\n'
        f'class = "{kind}"\nsigns = [{{ what = "a sign" }}]\n{BASIS}\n'
        for name, stage, state, grade, kind in (
            ("a", "up", "high", "strong", "slow"),
            ("b", "up", "low", "moderate", "fast"),
            ("c", "down", "tense", "decisive", "slow"),
            ("d", "down", "calm", "moderate", "fast"),
            ("e", "down", "tense", "weak", "fast"),
        )
    )
    + f"""
[outcomes.tense]
label = "Tense"
states = {{ down = ["tense"] }}
resolution = "By rule."
sources = ["us"]
resolves = [{{ stories = 1, of = ["c"], within_weeks = 4 }}]
frozen = 2022-01-03
{BASIS}
[priors.classes.slow]
per_year = [0.3, 1.5]
spread = [0.2, 0.5]
{BASIS}
[priors.classes.fast]
per_year = [2, 8]
spread = [0.2, 0.5]
{BASIS}
[priors.grades]
weak = 2
moderate = 4
strong = 10
decisive = 30
concentration = 4
{BASIS}
[priors.departure]
scale = 0.2
{BASIS}
"""
)
TRUTH = {
    "transition_log_rate": "eta", "effect_log_times": "delta", "class_log_rate": "mu", "class_log_spread": "log_sigma",
    "indicator_offset": "z", "indicator_departure": "zeta", "grade_increment": "increment", "departure_scale": "tau",
}  # fmt: skip


def simulate(space: StateSpace, empty: Evidence, rng: np.random.Generator) -> tuple[dict, Evidence]:
    """Draw a world from the prior, and three years of reports on everything."""
    values = draw_values(space.spec, rng, of_prior=True)
    log_rate, log_lambda, start = draws_of(space, [oracle.derived(space.spec, values)])
    chain = chain_of(space)
    states = simulate_start(rng, chain, start)
    reports = simulate_reports(rng, chain, empty.cells, log_rate, log_lambda, states)[0]
    return values, dataclasses.replace(empty, cells=empty.cells._replace(observed=reports))


@pytest.fixture(scope="module")
def covered() -> dict[str, np.ndarray]:
    """For every parameter, whether the 90 % interval of each of the worlds holds the truth."""
    space = StateSpace(parse_spec(MODEL, where="small"))
    start, last = dt.date(2022, 1, 3), dt.date(2024, 12, 29)
    watch = Coverage(id="w", indicator="*", from_=start, to=last, reported_on=last, source="us")
    empty = compile_evidence(space, [watch], last)
    assert empty.cells.observed.size == 5 * empty.steps == 780
    sampler = Sampler(space, empty)
    rng = np.random.default_rng(4)
    found: dict[str, list[bool]] = {}
    for world in range(WORLDS):
        values, evidence = simulate(space, empty, rng)
        posterior, _ = sampler.sample(evidence, Settings(draws=300, tune=300, chains=2, seed=world))
        truth = {name: np.atleast_1d(values[own]) for name, own in TRUTH.items()}
        truth |= {f"start_{stage}": values[f"start_{stage}"][:1] for stage in space.stages}
        for name, true in truth.items():
            draws = posterior[name].to_numpy().reshape(600, -1)[:, : true.size]
            low, high = np.quantile(draws, [0.05, 0.95], axis=0)
            for k, inside in enumerate((low <= true) & (true <= high)):
                found.setdefault(f"{name}[{k}]", []).append(bool(inside))
    return {name: np.array(inside) for name, inside in found.items()}


def test_intervals_cover_at_their_rate(covered: dict[str, np.ndarray]) -> None:
    """Over all worlds, 90 % intervals hold the truth in 90 % of cases.

    Two-sided, on the fractions of the 24 worlds, which are independent of each other: t-test, false alarm 0.002.
    """
    each = np.mean(list(covered.values()), axis=0)
    assert each.shape == (WORLDS,)
    error = each.std(ddof=1) / np.sqrt(WORLDS)
    assert abs(each.mean() - 0.9) <= stats.t.isf(0.001, WORLDS - 1) * error, f"{each.mean():.3f} ± {error:.3f}"


def test_no_parameter_is_missed(covered: dict[str, np.ndarray]) -> None:
    """For no single parameter do the intervals miss more often than a binomial with n = 24 and p = 0.9 allows.

    The bound is the quantile at which the false alarm, over all parameters together, is 0.002.
    """
    assert len(covered) == 4 + 1 + 2 + 2 + 5 + 5 + 4 + 1 + 2
    least = stats.binom.ppf(0.002 / len(covered), WORLDS, 0.9)
    counts = {name: int(inside.sum()) for name, inside in covered.items()}
    assert {name: count for name, count in counts.items() if count < least} == {}


def test_what_is_learned_is_not_the_prior(covered: dict[str, np.ndarray]) -> None:
    """The simulated evidence is strong enough that agreement shows something: intervals miss the truth at times."""
    misses = sum(int((~inside).sum()) for inside in covered.values())
    total = WORLDS * len(covered)
    low, high = (stats.binom.ppf(q, total, 0.1) for q in (1e-6, 1 - 1e-6))
    assert low <= misses <= high
