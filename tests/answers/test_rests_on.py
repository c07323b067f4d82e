"""What a forecast rests on: shares by hand on a small world, and the words on made numbers."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from worlds import anchor_of, moving_of, small_world, values_of

from forecast.answers.rests_on import GradeSeen, LinkShares, NumberShares, Priors, RestsOn, find_rests_on
from forecast.answers.target import Question
from forecast.engine.filtering import evaluate
from forecast.inference.reweighting import reweigh
from forecast.quantities.estimate import Estimate
from forecast.theory.indicators import GRADES
from forecast.theory.outcomes import Conditional
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior

SEED, SIZE = 3, 60
CONDITIONALS = (
    Conditional(outcome="outcome", given="condition"),
    Conditional(outcome="outcome", after="condition", weeks=1),
)


def asked(narrowing: dict[str, float]) -> tuple[Posterior, Priors, RestsOn]:
    """Ask a small world, whose draws are from the prior, what it rests on; with a history that narrows some links."""
    world = small_world(SEED)
    space = StateSpace(world.spec.model_copy(update={"conditionals": CONDITIONALS}))
    values = values_of(space.spec, SIZE, 1)
    found = reweigh(anchor_of(space, values, "fit"), world.evidence)
    arrays = {
        name: np.array([one[key] for one in values]).reshape(2, SIZE // 2, -1)
        for name, key in (("transition_log_rate", "eta"), ("effect_log_times", "delta"))
    }
    moving = moving_of(space.spec, values)
    arrays["diagnosticity"] = np.array([one["kappa"] for one in values]).reshape(2, SIZE // 2)
    arrays["grade_log_times"] = moving.grade.reshape(2, SIZE // 2, -1)
    alone = anchor_of(space, values_of(space.spec, 50, 2))
    informed = anchor_of(space, values_of(space.spec, 40, 3)) if narrowing else alone
    priors = Priors(alone, informed, narrowing)
    return found, priors, find_rests_on(found, arrays, priors)


def spread(anchor: Anchor, found: Posterior) -> float:
    """Variance over draws of the log odds of the outcome at the longest horizon, without any report."""
    cells = found.evidence.cells
    nothing = cells._replace(what=cells.what[:0], value=cells.value[:0], observed=cells.observed[:0])
    question = Question(anchor.space, "outcome", None, found.evidence.as_of)
    p = question.read(anchor.blocks, evaluate(anchor.blocks, nothing).states, found.evidence.until)[0]
    return float(np.var(np.log(p / (1 - p))))


def test_shares_of_links_and_numbers_are_those_by_hand() -> None:
    """V₀ is the file's, V₁ the history's, V₂ the weighted draws'; what the history widened it has no share in."""
    names = list(asked({})[0].space.transitions)
    narrowing = {names[0]: 0.5, names[1]: 1.2}
    found, priors, told = asked(narrowing)
    weights, spec = found.weights.values, found.space.spec
    draws = values_of(spec, SIZE, 1)
    rates = [move.per_year for stage in spec.stages.values() for move in stage.transitions]
    for k, row in enumerate(told.links[: len(rates)]):
        eta = np.array([one["eta"][k] for one in draws])
        before = log_normal(rates[k])[1] ** 2
        after = np.average(np.square(eta - np.average(eta, weights=weights)), weights=weights)
        steps = [
            np.log(1 / narrowing.get(row.name, 1.0) ** 2),
            np.log(before * narrowing.get(row.name, 1.0) ** 2 / after),
        ]
        history, reports = np.maximum(steps, 0)
        left = min(after / before, 1)
        assert row.name == names[k]
        assert row.prior == pytest.approx(left)
        assert row.prior + row.history + row.reports == pytest.approx(1)
        if left < 1:
            assert row.history == pytest.approx((1 - left) * history / (history + reports))
    assert any(row.history > 0 for row in told.links)
    assert [row.kind for row in told.links] == ["transition"] * len(rates) + ["effect"] * len(found.space.effects)
    number = next(row for row in told.numbers if (row.outcome, row.kind) == ("outcome", "at"))
    p = found.answers.part[found.answers.names.index(("outcome", "at", None, number.horizon_weeks, number.date))]
    odds = np.log(p / (1 - p))
    now = np.average(np.square(odds - np.average(odds, weights=weights)), weights=weights)
    assert number.prior == pytest.approx(min(now / spread(priors.alone, found), 1))
    assert number.now.mean == pytest.approx(found.forecast().probability("outcome", weeks=3).mean)


def test_without_a_history_nothing_rests_on_it() -> None:
    """No share is the history's, both priors say the same, and there are no words."""
    _, _, told = asked({})
    assert told.numbers
    assert {row.horizon_weeks for row in told.numbers if row.kind != "after"} == {3}
    for row in (*told.links, *told.numbers):
        assert row.history == 0
        assert row.prior + row.reports == pytest.approx(1)
    assert all(row.alone == row.informed for row in told.numbers)
    assert told.history is False
    assert told.sentences == ()


def test_grades_are_told_as_the_reports_have_them() -> None:
    """Each grade's multiplier is that of the scaled logarithms of the weighted draws, beside what the file calls it."""
    found, _, told = asked({})
    draws = values_of(found.space.spec, SIZE, 1)
    medians = found.space.spec.priors.grades.medians
    assert [(row.grade, row.called) for row in told.grades] == list(zip(GRADES, medians, strict=True))
    for k, row in enumerate(told.grades):
        each = [one["kappa"] * (2 * np.diff(np.log([1, *medians])) * one["increment"])[: k + 1].sum() for one in draws]
        places = (row.low, row.median, row.high)
        at_most = [found.weights.values[np.exp(each) <= place * (1 + 1e-9)].sum() for place in places]
        for share, q in zip(at_most, (0.05, 0.5, 0.95), strict=True):
            assert q <= share <= q + found.weights.values.max() + 1e-9
    assert told.to_dict()["graded"] == told.graded
    assert replace(told, grades=()).graded is None


def test_the_words_about_grades() -> None:
    """One sentence: what the file calls each grade, what it looks like, and between what."""
    rows = (GradeSeen("weak", 2.0, 1.6, 1.2, 2.4), GradeSeen("strong", 10.0, 6.04, 3.0, 11.2))
    assert replace(made(0), grades=rows).graded == (
        "What the model file calls ×2.0 looks like ×1.6 (1.2 to 2.4) and ×10 looks like ×6.0 (3.0 to 11), going by the "
        "reports."
    )


def number(outcome: str, alone: float, informed: float, now: float, mcse: float = 0.002) -> NumberShares:
    """Make an outcome at a year."""
    each = [Estimate(mean, 0.0, 1.0, mcse) for mean in (alone, informed, now)]
    return NumberShares(outcome, "at", None, 52, dt.date(2027, 1, 7), 0.5, 0.3, 0.2, *each)


def made(*most: int) -> RestsOn:
    """Make an answer whose links rest mostly on prior (0), history (1) or reports (2)."""
    links = [LinkShares(str(k), "effect", *np.eye(3)[part].tolist()) for k, part in enumerate(most)]
    numbers = (
        number("deal", 0.4, 0.4, 0.5),
        number("strategic_victory", 0.1, 0.25, 0.2),
        number("truce", 0.5, 0.4, 0.3),
    )
    return RestsOn("made", dt.date(2026, 1, 8), history=True, links=tuple(links), numbers=numbers)


@pytest.mark.parametrize(
    ("most", "said"),
    [
        ((0, 0, 1, 2), "Of its 4 links 2 rest mostly on {}, 1 on {} and 1 on {}."),
        ((0, 1, 1), "Of its 3 links 1 rests mostly on {}, 2 on {} and none on {}."),
        ((1,), "Of its 1 link none rests mostly on {}, 1 on {} and none on {}."),
    ],
)
def test_links_are_counted_by_their_largest_share(most: tuple[int, ...], said: str) -> None:
    """One sentence says how many rest mostly on what."""
    words = "the judgement in the model file", "the history of other countries", "the reports"
    assert made(*most).sentences[0] == said.format(*words)


def test_what_the_history_changed_is_said_with_its_error() -> None:
    """Three numbers of each outcome, what moved most first, and no difference where the draws tell none."""
    assert made(0).sentences[1] == (
        "What the history of other countries changed: on 7 Jan 2027 strategic victory stands at 10% by the model file "
        "alone, at 25% (15 points more) with that history, and at 20% with the reports too. In the same order: truce "
        "50%, 40% (10 points less) and 30%; deal 40%, 40% (no difference that the draws can tell) and 50%."
    )
    noisy = replace(made(0), numbers=(number("deal", 0.4, 0.44, 0.5, 0.02),))
    assert "about 40% by the model file alone, at about 45% (no difference that" in noisy.sentences[1]
