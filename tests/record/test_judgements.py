"""Analysts' judgements: what can be judged, what the model says at the same time, and scores as a hand has them."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from entries import refusal
from hypothesis import given
from hypothesis import strategies as st
from judging import after, answered, judgement, said
from scipy.special import expit, logit
from track import EDGE, noon

from forecast.record.judged import questions_for
from forecast.record.judged_scores import MODEL, POOL, WITH_MODEL, score_judgements
from forecast.record.judgements import FRESH, ModelNumbers, new_judgement, open_questions
from forecast.record.scores import Scored, score

if TYPE_CHECKING:
    from forecast.record.judged_scores import JudgedScore, Reading


def reading(found: JudgedScore, name: str, which: str) -> Reading | None:
    """Give a reading of a forecaster."""
    (one,) = (one for one in found.forecasters if one.name == name)
    return next((row for row in one.readings if row.which == which), None)


# What can be judged.


def test_a_question_is_open_until_its_date_its_answer_or_its_event() -> None:
    """On the day before its date it can be judged, on its date not; nor once answered, nor if it was met when asked."""
    rows = [said(0.2), said(0.3, at=28), said(0.9, outcome="truce", met_now=True)]
    assert open_questions(rows, [], after(27)) == (rows[1], rows[0])
    assert open_questions(rows, [], after(28)) == (rows[0],)
    assert open_questions(rows, [answered("void")], after(27)) == (rows[1],)


def test_the_list_hides_numbers_and_leads_with_the_last_issue() -> None:
    """What earlier issues ask is counted, unless it is judged already; no probability of the model is in it."""
    rows = [said(0.123, at=91), said(0.456, as_of=7, at=98), said(0.789, as_of=7, at=98, since=7)]
    last = questions_for("m", "ada", rows, [], [], after(8), every=False)
    assert ([row.date for row in last.questions], last.more) == ([after(98)] * 2, 1)
    own = questions_for(
        "m", "ada", rows, [], [judgement(0.5), judgement(0.6, analyst="bob", at=98)], after(8), every=False
    )
    assert ([own.held(row) for row in own.questions], own.more) == ([0.5, None, None], 0)
    shown = repr(last.to_dict()) + repr(last) + last.to_frame().to_csv() + last._repr_html_()
    assert not any(text in shown for text in ("123", "456", "789", "12%", "46%", "79%"))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an outcome that nobody knows": ({"outcome": "dael"}, "did you mean 'deal'?"),
    "a date that nobody asks for": ({"date": after(90)}, f"those nearest are --date {after(91)}"),
    "a window that nobody asks for": ({"since": after(1)}, "no issued forecast asks for 'deal' by"),
    "a date that has come": ({"now": noon(after(92))}, "its date has come"),
    "more than certainty": ({"probability": 1.01}, "from 0 to 1"),
    "no number": ({"probability": math.nan}, "from 0 to 1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_judged_is_refused(name: str) -> None:
    """The message says what is wrong, and what would be right."""
    change, fault = REFUSED[name]
    base: dict[str, Any] = {
        "outcome": "deal",
        "date": after(91),
        "since": None,
        "probability": 0.5,
        "now": noon(after(1)),
    }
    wanted = base | change
    where = [wanted.pop(key) for key in ("outcome", "date", "since")]
    assert fault in refusal(
        lambda: new_judgement([said(0.2)], [], [], *where, analyst="ada", seen=False, note="", **wanted)
    )


def test_a_resolved_question_is_refused_with_its_answer() -> None:
    """An answer by hand may come before the date."""
    what = ("deal", after(91), None)
    rest: dict[str, Any] = {"analyst": "ada", "probability": 0.5, "seen": False, "note": "", "now": noon(after(1))}
    assert "it has its answer, yes" in refusal(lambda: new_judgement([said(0.2)], [answered("yes")], [], *what, **rest))


def test_only_the_first_that_saw_nothing_is_blind() -> None:
    """A second of the same analyst is not, as the first showed the number; another question, or analyst, is."""
    rest: dict[str, Any] = {"probability": 0.5, "note": " a hunch ", "now": noon(after(1))}
    rows, earlier = [said(0.2), said(0.3, at=28)], [judgement(0.4)]

    def blind(analyst: str, at: int, *, seen: bool = False) -> bool:
        made, asked = new_judgement(rows, [], earlier, "deal", after(at), None, analyst=analyst, seen=seen, **rest)
        assert (made.note, made.question) == ("a hunch", asked.question)
        return made.blind

    assert [blind("ada", 91), blind("ada", 28), blind("bob", 91), blind("bob", 91, seen=True)] == [
        False, True, True, False,
    ]  # fmt: skip


# The model at the same time.


def test_the_model_is_read_as_of_the_day_between_its_horizons() -> None:
    """On a straight line between the horizons of the last prompt issue; not from one to come, nor from a late one."""
    asked = said(0.2, at=91)
    later = [said(0.1, as_of=14, at=42), said(0.6, as_of=14, at=105)]
    late = [said(0.99, as_of=21, at=49, late=5), said(0.99, as_of=21, at=112, late=5)]
    numbers = ModelNumbers([asked, *later, *late])
    assert numbers.on(asked, after(-1)) is None
    assert numbers.on(asked, after(13)) == (0.2, after(0), True)
    share = (91 - 42) / (105 - 42)
    expected = (1 - share) * 0.1 + share * 0.6
    found = numbers.on(asked, after(40))
    assert (found.probability, found.as_of) == (pytest.approx(expected), after(14))


def test_what_newer_issues_do_not_speak_of_stands_for_a_week() -> None:
    """A date before their first horizon, or a window that began before them; shown it is at any age, never scored."""
    at, by = said(0.2, at=28), said(0.3, at=28, since=0)
    numbers = ModelNumbers([at, by, said(0.4, as_of=5, at=33), said(0.5, as_of=5, at=33, since=5)])
    for asked, p in ((at, 0.2), (by, 0.3)):
        assert numbers.on(asked, after(FRESH.days)).probability == p
        assert numbers.on(asked, after(FRESH.days + 1)) is None
        assert numbers.on(asked, after(FRESH.days + 1), shown=True).probability == p
    alone = ModelNumbers([by])
    assert alone.on(by, after(20)).probability == 0.3  # it is the last


def test_another_rule_is_another_question() -> None:
    """An issue whose rule has other words says nothing of this one."""
    asked = said(0.2)
    numbers = ModelNumbers([asked, said(0.9, as_of=14, rule="other")])
    assert numbers.on(asked, after(15)) is None


# Scores.


def test_scores_are_those_of_a_hand() -> None:
    """Two questions, revised once: first, last and averaged over days; the model beside it on the same days."""
    rows = [said(0.2, at=10), said(0.6, at=20), said(0.3, as_of=4, at=10), said(0.7, as_of=4, at=20)]
    made = [
        judgement(0.5, on=1, at=10), judgement(0.9, on=6, at=10, blind=False),
        judgement(0.4, on=2, at=20, blind=False),
    ]  # fmt: skip
    found = score_judgements("m", rows, [answered("yes", at=10), answered("no", at=20)], made)
    assert (found.judgements, found.judged, found.resolved) == (3, 2, 2)
    first, last, averaged = (reading(found, "ada", which) for which in ("first", "last", "averaged"))
    assert (first.questions, first.brier, first.log) == (1, pytest.approx(0.25), pytest.approx(math.log(2)))
    assert (first.against.brier, first.against.brier_difference) == (pytest.approx(0.64), pytest.approx(-0.39))
    assert (last.questions, last.yes, last.clusters) == (2, 1, 1)
    assert last.brier == pytest.approx((0.01 + 0.16) / 2)
    assert last.against.brier == pytest.approx((0.7**2 + 0.6**2) / 2)
    assert (last.against.name, last.against.brier_error, last.against.verdict) == (MODEL, None, "open")
    own = [np.mean([0.25] * 5 + [0.01] * 4), 0.16]  # days 1 to 5, 6 to 9
    model = [np.mean([0.64] * 3 + [0.49] * 6), np.mean([0.36] * 2 + [0.49] * 16)]
    assert averaged.brier == pytest.approx(np.mean(own))
    assert averaged.against.brier == pytest.approx(np.mean(model))
    assert averaged.against.brier_difference == pytest.approx(np.mean(own) - np.mean(model))
    assert "fewer than 8 clusters nothing can be concluded" in " ".join(found.sentences)
    assert "too few to tell, 1 of 30" in " ".join(found.sentences)


def test_a_judgement_equal_to_the_model_scores_as_the_model_does() -> None:
    """Twelve quarters, the same differences and clustered errors as the track record gives for a rival's numbers."""
    rng = np.random.default_rng(3)
    rows, given_, made, told = [], [], [], {}
    for k in range(24):
        start = 45 * k
        row = said(float(rng.uniform(0.05, 0.95)), as_of=start, at=start + 28)
        result = "yes" if rng.random() < row.probability else "no"
        other = float(rng.uniform(0.05, 0.95))
        rows.append(row)
        given_.append(answered(result, at=start + 28, frozen=dt.date(2026, 1, 1)))
        made.append(judgement(other, on=start, at=start + 28))
        told[row.question] = other
    found = reading(score_judgements("m", rows, given_, made), "ada", "last")
    answers = {row.question: row for row in given_}
    rivals = [
        said(told[row.question], as_of=(row.as_of - after(0)).days, at=(row.date - after(0)).days, model="ada")
        for row in rows
    ]
    (part,) = score("m", 24, rows, answers, rivals).parts
    (beside,) = (one for one in part.total.against if one.name == "ada")
    assert Scored(rows[0], {}, given_[0]).live
    assert found.brier == pytest.approx(beside.brier)
    assert found.against.brier == pytest.approx(part.total.brier)
    assert found.against.brier_difference == pytest.approx(-beside.brier_difference)
    assert found.against.brier_error == pytest.approx(beside.brier_error)
    assert found.against.log_error == pytest.approx(beside.log_error)
    assert found.clusters == beside.clusters >= 8


def test_what_is_void_settled_or_asked_in_other_words_has_no_score() -> None:
    """Each is left out; a judgement made after the date is none."""
    rows = [said(0.2, at=k, met_now=k == 30) for k in (10, 20, 30, 40)]
    results = [
        answered("void", at=10),
        answered("no", at=20, reason="other"),
        answered("no", at=30),
        answered("no", at=40),
    ]
    found = score_judgements("m", rows, results, [judgement(0.5, at=k) for k in (10, 20, 30)])
    assert (found.judged, found.resolved, found.void) == (3, 0, 1)
    assert score_judgements("m", rows, results, [judgement(0.5, on=41, at=40)]).judged == 0
    assert found.to_frame().empty


def test_pools_are_those_of_a_hand() -> None:
    """Last judgements pooled by log-odds, without and with the model; nothing is extremised before 30 questions."""
    rows, made = [said(0.2, at=28)], [judgement(0.3, at=28), judgement(0.7, on=3, at=28, analyst="bob")]
    made.append(judgement(0.6, on=5, at=28, blind=False))
    found = score_judgements("m", rows, [answered("yes", at=28)], made)
    both = expit((logit(0.6) + logit(0.7)) / 2)
    three = expit((logit(0.6) + logit(0.7) + logit(0.2)) / 3)
    first = expit((logit(0.3) + logit(0.7)) / 2)
    assert reading(found, POOL, "last").brier == pytest.approx((1 - both) ** 2)
    assert reading(found, WITH_MODEL, "last").brier == pytest.approx((1 - three) ** 2)
    assert reading(found, POOL, "first").brier == pytest.approx((1 - first) ** 2)
    days = [0.3] * 3 + [first] * 2 + [both] * 23
    assert reading(found, POOL, "averaged").brier == pytest.approx(np.mean([(1 - p) ** 2 for p in days]))
    assert {one.factor for one in found.forecasters if one.pool} == {1.0}


def test_a_pool_learns_its_factor_from_thirty_questions() -> None:
    """Analysts who are always right and too timid are extremised, by what other quarters teach."""
    rows = [said(0.5, as_of=7 * k, at=7 * k + 28) for k in range(60)]
    results = [answered("yes" if k % 2 else "no", at=7 * k + 28) for k in range(60)]
    made = [judgement(0.7 if k % 2 else 0.3, on=7 * k, at=7 * k + 28) for k in range(60)]
    found = score_judgements("m", rows, results, made)
    (pool,) = (one for one in found.forecasters if one.name == POOL)
    assert pool.factor > 1.5
    assert reading(found, POOL, "last").brier < reading(found, "ada", "last").brier
    assert f"times {pool.factor:.2f}" in " ".join(found.sentences)
    assert reading(found, "ada", "last").against.verdict == "open"  # five quarters


@given(st.floats(0, 1), st.booleans())
def test_every_probability_has_a_finite_score(p: float, yes: bool) -> None:  # noqa: FBT001 - a property
    """None is worse than never of what came, and never is no better than one in a billion."""
    found = score_judgements("m", [said(0.5)], [answered("yes" if yes else "no")], [judgement(p)])
    row = reading(found, "ada", "last")
    assert 0 <= row.brier <= 1
    assert 0 <= row.log <= -math.log(EDGE) + 1e-9


def test_a_table_and_json_say_the_same() -> None:
    """One row a forecaster and reading; JSON has plain types."""
    found = score_judgements("m", [said(0.2)], [answered("yes")], [judgement(0.5), judgement(0.6, analyst="bob", on=3)])
    frame, plain = found.to_frame(), found.to_dict()
    told = [(one["name"], row["which"], row["brier"]) for one in plain["forecasters"] for row in one["readings"]]
    assert list(zip(frame["forecaster"], frame["reading"], frame["brier"], strict=True)) == told
    assert frame["model_questions"].tolist() == [1] * len(told)
