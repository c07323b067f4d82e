"""Back-tests: the same cells for everyone, naive forecasters as they are described, fit and skill told apart."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import oracle
import pytest
from rivals import AS_OF, DAY, NOW, START
from small_models import tiny_spec
from worlds import draw_values, draws_of

from forecast.base.errors import InputError
from forecast.engine.filtering import evaluate
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.containment import news
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import reweigh
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.record.backtest import Backtest, merge
from forecast.record.naive import CHANGE, CONSTANT, PRIOR_ONLY, REPEATED, SHARE, Naive
from forecast.record.replay import Week, score_week
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    import datetime as dt

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry
    from forecast.project.project import Project

WEEK = 7 * DAY


def seen(indicator: str | None, day: dt.date, *, grade: str = "A1", state: str | None = None) -> Observation:
    """Make a row that was public at once."""
    name = f"{indicator or state}-{day}"
    return Observation(
        id=name, indicator=indicator, state=state, date=day, precision="day", reported_on=day, source="us", url="",
        grade=grade, story=name, distinct=False, note="",
    )  # fmt: skip


def watched(indicator: str, first: dt.date, last: dt.date) -> Coverage:
    """Say that somebody looked."""
    return Coverage(
        id=f"watch-{indicator}-{first}", indicator=indicator, from_=first, to=last, reported_on=last, source="us"
    )


def known(space: StateSpace, rows: list[Entry], weeks: int) -> Evidence:
    """Compile what is known after some weeks."""
    as_of = START + weeks * WEEK - DAY
    visible = [row for row in rows if row.reported_on <= as_of]
    return compile_evidence(space, visible, as_of)


@pytest.fixture(scope="module")
def prior() -> Anchor:
    """Give draws of the tiny model's prior."""
    spec, rng = tiny_spec(), np.random.default_rng(3)
    space = StateSpace(spec)
    values = [draw_values(spec, rng, of_prior=True) for _ in range(2000)]
    draws = draws_of(space, [oracle.derived(spec, one) for one in values])
    return Anchor(space, PRIOR, lambda: draws)


ROWS: list[Entry] = [
    seen("shot", START + 2 * DAY),
    seen("march", START + 9 * DAY, grade="C3"),
    seen("flood", START + 10 * DAY),
    seen(None, START + 16 * DAY, state="near.tense", grade="B2"),
    seen("march", START + 23 * DAY),
]


def test_news_is_what_a_week_adds(prior: Anchor) -> None:
    """The cells of a week and those of before are all there are; nothing is new without a row."""
    space = prior.space
    seven = [known(space, ROWS, k) for k in range(1, 7)]
    counts = [len(news(a, b).what) for a, b in itertools.pairwise(seven)]
    assert counts == [2, 1, 1, 0, 0]
    assert len(news(None, seven[3]).what) == len(seven[3].cells.what)
    for a, b in itertools.pairwise(seven):
        new = Counter(news(a, b).observed.tolist())
        assert Counter(a.cells.observed.tolist()) + new == Counter(b.cells.observed.tolist())


def test_the_one_who_knows_nothing_scores_the_cells_alone(prior: Anchor) -> None:
    """Its score is the mean likelihood of the new cells over the prior, whatever was known before."""
    before, after = known(prior.space, ROWS, 1), known(prior.space, ROWS, 2)
    score, error = Naive(prior).score(before, after)[PRIOR_ONLY]
    alone = known(prior.space, [row for row in ROWS if row.date > START + 6 * DAY], 2)
    expected = math.log(np.exp(evaluate(prior.blocks, alone.cells).log_likelihood).mean())
    assert score == pytest.approx(expected, abs=1e-12)
    assert 0 < error < 0.02


def test_constant_rates_see_no_states(prior: Anchor) -> None:
    """With them a row tells nothing of a state, and draws in which states do not show score the same as themselves."""
    naive = Naive(prior)
    rows = [row for row in ROWS if isinstance(row, Observation) and row.indicator]
    flat = naive._flat
    assert len(flat.blocks.draws.log_lambda) == 2000
    seen_ = reweigh(flat, known(prior.space, rows, 4))
    unseen = reweigh(flat, known(prior.space, [], 4))
    np.testing.assert_allclose(
        seen_.evaluation.now / seen_.evaluation.now.sum(1, keepdims=True),
        unseen.evaluation.now / unseen.evaluation.now.sum(1, keepdims=True),
        atol=1e-12,
    )
    before, after = known(prior.space, ROWS, 1), known(prior.space, ROWS, 2)
    assert Naive(flat).score(before, after)[CONSTANT] == pytest.approx(score_week(reweigh(flat, before), after))
    assert naive.score(before, after)[CONSTANT] == pytest.approx(score_week(reweigh(flat, before), after))


def test_the_one_who_repeats_scores_by_hand(prior: Anchor) -> None:
    """Half of what was told last, half the usual share; the first of a stage has the usual share alone."""
    space, naive = prior.space, Naive(prior)
    names = list(space.indicators)
    before = {
        name: space.emission_median[slice(*space.emission_offset[k : k + 2])]
        for k, name in enumerate(names)
        if space.stages[space.indicator_stage[k]] == "near"
    }
    usual = {name: float(np.mean(rates / sum(before.values()))) for name, rates in before.items()}
    w = credibility("C3")
    march = w * ((1 - SHARE) * usual["march"]) + (1 - w) * usual["march"]  # a shot was told last
    first, second, third, fourth = (known(space, ROWS, k) for k in range(1, 5))
    assert naive.score(first, second)[REPEATED][0] == pytest.approx(math.log(march))  # flood: alone in its stage
    assert naive.score(second, third)[REPEATED][0] == pytest.approx(math.log(0.5))  # nothing was assessed before
    again = SHARE + (1 - SHARE) * usual["march"]
    w = credibility("A1")
    expected = math.log(w * again + (1 - w) * usual["march"])
    assert naive.score(third, fourth)[REPEATED][0] == pytest.approx(expected)


def test_the_one_who_repeats_and_watches(prior: Anchor) -> None:
    """Of an indicator that was looked for and not seen last week it expects less than usual."""
    space, naive = prior.space, Naive(prior)
    rows: list[Entry] = [
        watched("shot", START, START + WEEK - DAY),
        watched("shot", START + WEEK, START + 2 * WEEK - DAY),
    ]
    before, after = known(space, rows, 1), known(space, rows, 2)
    cells = news(before, after)
    exposure = cells.value[0, 1]
    usual = float(np.mean(-np.expm1(-space.emission_median[:2] * exposure)))
    assert space.indicators[cells.what[0, 3]] == "shot"
    assert space.emission_offset[1] == 2
    assert naive.score(before, after)[REPEATED][0] == pytest.approx(math.log(1 - (1 - SHARE) * usual))


def test_a_change_of_what_is_on_record_is_rare() -> None:
    """It is given its small chance, and no change the rest."""
    spec = tiny_spec(record=('states = ["low", "high"]', 'states = ["low", "high"]\nobservable = ["high"]'))
    space = StateSpace(spec)
    rng = np.random.default_rng(1)
    draws = draws_of(space, [oracle.derived(spec, draw_values(spec, rng, of_prior=True)) for _ in range(200)])
    naive = Naive(Anchor(space, PRIOR, lambda: draws))
    rows: list[Entry] = [seen(None, START + 16 * DAY, state="far.high")]
    one, two, three = (known(space, rows, k) for k in (1, 2, 3))
    assert naive.score(one, two)[REPEATED][0] == pytest.approx(math.log(1 - CHANGE))
    assert naive.score(two, three)[REPEATED][0] == pytest.approx(math.log(CHANGE))


# A project.


def test_a_backtest_scores_as_a_comparison_does(rivals: Project) -> None:
    """A model and its rival have the scores that `compare` gives them; all stand on the same weeks."""
    found = rivals.backtest("tiny", ["slow"], as_of=AS_OF, refit="never", now=NOW)
    side = rivals.compare(["tiny", "slow"], as_of=AS_OF, refit="never", now=NOW)
    assert found.others == (PRIOR_ONLY, CONSTANT, REPEATED, "slow")
    assert [week.date for week in found.weeks] == [week.date for week in side.weeks]
    for one, other in zip(found.weeks, side.weeks, strict=True):
        assert {name: one.scores[name] for name in ("tiny", "slow")} == other.scores
        assert one.scores.keys() == {"tiny", *found.others}
    gap, _, weeks = found.lead("slow")
    assert gap == pytest.approx(side.totals["tiny"] - side.totals["slow"])
    assert weeks == len(side.weeks)
    json.dumps(found.to_dict(), allow_nan=False)
    frame = found.to_frame()
    assert len(frame) == 5 * len(found.weeks)
    assert frame.groupby("name")["score"].sum().to_dict() == pytest.approx(found.totals)


def test_models_tested_apart_give_the_same(rivals: Project) -> None:
    """As processes of their own do: put together, they are what one process finds."""
    apart = [rivals.backtest(name, as_of=AS_OF, refit="never", now=NOW) for name in ("tiny", "slow")]
    assert merge(apart) == rivals.backtest("tiny", ["slow"], as_of=AS_OF, refit="never", now=NOW)


def test_wrong_questions_are_refused(rivals: Project) -> None:
    """A model that is not there, and a day on which no week has passed."""
    with pytest.raises(InputError, match="there is no model 'slwo'"):
        rivals.backtest("tiny", ["slwo"], as_of=AS_OF, refit="never", now=NOW)
    with pytest.raises(InputError, match="no week of 'tiny' can be scored yet"):
        rivals.backtest("tiny", as_of=START + 3 * DAY, refit="never", now=NOW)


def test_fit_and_skill_are_told_apart() -> None:
    """Weeks up to the day on which the models were frozen are fit, later ones are skill; each has a line."""
    days = [START + k * WEEK for k in range(8)]
    weeks = [
        Week(day, 1, {"m": -1.0, "x": -2.0 if k < 4 else -1.0 + 0.1 * (-1) ** k}, {"m": 0.0, "x": 0.0})
        for k, day in enumerate(days)
    ]
    found = Backtest("m", days[-1], days[3], ("x",), tuple(weeks), 0)
    assert found.lead("x", skill=False)[::2] == (4.0, 4)
    assert found.lead("x", skill=True)[0] == pytest.approx(0.0)
    assert found.lead("x")[::2] == (pytest.approx(4.0), 8)
    fit, skill = found.sentences
    assert fit == "Retrospective fit, not skill: m foresaw the evidence better than x (+4.0 ± 0.0 nats in 4 weeks)."
    assert skill.startswith("Skill: m cannot be told apart from x (")
    assert skill.endswith("0.0 ± 0.2 nats in 4 weeks).")
    old = Backtest("m", days[-1], days[-1], ("x",), tuple(weeks), 0)
    assert old.sentences[-1] == (
        "No week lies after 19 Feb 2025, when the models were frozen: nothing of this is skill."
    )
    assert set(found.to_frame().query("skill")["date"].dt.date) == set(days[4:])


def test_constant_rates_state_the_error_of_their_own_draws() -> None:
    """It is the sum over weeks, which is the most that it can be, beside that of the model; in words and in JSON."""
    days = [START + k * WEEK for k in range(4)]
    weeks = [Week(day, 1, {"m": -1.0, CONSTANT: -2.0}, {"m": 0.05, CONSTANT: 0.3}) for day in days]
    found = Backtest("m", days[-1], days[-1], (CONSTANT,), tuple(weeks), 0)
    assert found.error_of(CONSTANT) == pytest.approx(1.2)
    assert "The Monte Carlo error of constant rates is at most 1.2 nats of -8.0, that of m 0.2." in found.sentences
    assert found.to_dict()["errors"] == pytest.approx({"m": 0.2, CONSTANT: 1.2})
