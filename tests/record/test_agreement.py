"""Answers agree: nested windows, and outcomes of which one at most can hold."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import TYPE_CHECKING

import pytest
from entries import answer
from hypothesis import given, settings
from hypothesis import strategies as st
from places import MODELS

from forecast.base.errors import InputError
from forecast.record.agreement import contradicted, days_of, rivals_of, within
from forecast.record.resolution import require_agreement
from forecast.theory.modelfile import load_spec

if TYPE_CHECKING:
    from forecast.ledger.issued import Resolution

SPEC = load_spec(MODELS / "russia_azerbaijan.toml")
START = dt.date(2026, 1, 8)


def said(outcome: str, since: int | None, date: int, result: str, how: str = "analyst") -> Resolution:
    """Give an answer about days that are counted from the start."""
    begins = None if since is None else START + dt.timedelta(days=since)
    return answer(
        model=SPEC.name, outcome=outcome, since=begins, date=START + dt.timedelta(days=date), answer=result, how=how
    )


def test_outcomes_whose_states_are_apart_exclude_each_other() -> None:
    """Relations are one of three; a deal goes with anything; an outcome that is gone excludes nothing."""
    assert set(rivals_of(SPEC, "truce")) == {"confrontation", "cooperation"}
    assert rivals_of(SPEC, "deal") == ()
    assert rivals_of(SPEC, "gone") == ()


def test_a_window_begins_on_the_day_after_its_issue() -> None:
    """(since, date]; *at* is a window of one day."""
    window, last = said("deal", 0, 28, "yes"), said("deal", None, 28, "yes")
    assert (len(days_of(window)), len(days_of(last))) == (28, 1)
    assert within(last, window)
    assert not within(window, last)
    assert not within(said("deal", None, 0, "yes"), window)


CLASHES = {
    "a later deadline": (("deal", 0, 28, "yes"), ("deal", 0, 91, "no")),
    "a later deadline of an earlier issue": (("deal", 7, 28, "yes"), ("deal", 0, 91, "no")),
    "the day within the window": (("deal", None, 28, "yes"), ("deal", 0, 28, "no")),
    "two that exclude each other": (("truce", None, 28, "yes"), ("confrontation", None, 28, "yes")),
}
AGREE = {
    "an earlier deadline": (("deal", 0, 28, "no"), ("deal", 0, 91, "yes")),
    "a window that overlaps": (("deal", 0, 28, "yes"), ("deal", 7, 35, "no")),
    "the day on which it was over": (("deal", 0, 28, "yes"), ("deal", None, 28, "no")),
    "a question that fell through": (("deal", 0, 28, "yes"), ("deal", 0, 91, "void")),
    "windows of two that exclude each other": (("truce", 0, 28, "yes"), ("confrontation", 0, 28, "yes")),
    "neither of two that exclude each other": (("truce", None, 28, "no"), ("confrontation", None, 28, "no")),
    "two that can hold together": (("deal", None, 28, "yes"), ("confrontation", None, 28, "yes")),
    "another day": (("truce", None, 28, "yes"), ("confrontation", None, 29, "yes")),
}


@pytest.mark.parametrize("name", [*CLASHES, *AGREE])
def test_whether_two_answers_can_both_be_true(name: str) -> None:
    """Whichever is the new one."""
    one, other = (said(*row) for row in (CLASHES | AGREE)[name])
    expected = name in CLASHES
    assert contradicted(SPEC, one, [other]) == ((other,) if expected else ())
    assert contradicted(SPEC, other, [one]) == ((one,) if expected else ())


def test_several_answers_together_can_leave_no_day() -> None:
    """Two windows of no cover one of yes that neither covers alone; a rival's yes takes one day more."""
    parts = [said("truce", 0, 14, "no"), said("truce", 10, 27, "no")]
    last = said("cooperation", None, 28, "yes")
    new = said("truce", 0, 28, "yes")
    assert contradicted(SPEC, new, parts) == ()
    assert set(contradicted(SPEC, new, [*parts, last])) == {*parts, last}
    assert contradicted(SPEC, last, [*parts, new]) == (new,)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("truce", "confrontation")), st.one_of(st.none(), st.integers(0, 3)), st.integers(1, 3),
            st.sampled_from(("yes", "no")),
        ).filter(lambda row: row[1] is None or row[1] < row[2] - 1),
        min_size=2, max_size=5, unique_by=lambda row: row[:3],
    )
)  # fmt: skip
def test_an_answer_is_refused_only_if_no_history_bears_it(rows: list[tuple[str, int | None, int, str]]) -> None:
    """Over every history of three days of two outcomes: what one bears is not refused; *at* is judged exactly."""
    answers = [said(*row) for row in rows]
    *before, new = answers

    def bears(history: tuple[str, ...], row: Resolution) -> bool:
        days = [history[day - START.toordinal() - 1] for day in days_of(row)]
        return (row.outcome in days) is (row.answer == "yes")

    def possible(chosen: list[Resolution]) -> bool:
        histories = itertools.product(("truce", "confrontation", "neither"), repeat=3)
        return any(all(bears(history, row) for row in chosen) for history in histories)

    refused = bool(contradicted(SPEC, new, before))
    if possible(answers):
        assert not refused
    elif possible(before) and all(row.since is None for row in answers):
        assert refused


def test_the_message_names_both_and_says_how() -> None:
    """The answer that is refused, the one in its way and whose it is, and the command that changes that."""
    new, other = said("deal", 0, 28, "yes"), said("deal", 0, 91, "no", "rule")
    with pytest.raises(InputError) as caught:
        require_agreement(SPEC, new, [other])
    told = str(caught.value)
    assert "yes to 'deal' by 2026-02-05, since 2026-01-08, contradicts no to 'deal' by 2026-04-09" in told
    assert "by the rule" in told
    assert "forecast resolve deal --date 2026-04-09 --since 2026-01-08 --answer yes" in told
    assert "record what the rule did not see (forecast observe)" in told
    with pytest.raises(InputError, match="at most one of these outcomes holds on a day; answer that first") as caught:
        require_agreement(SPEC, said("truce", None, 28, "yes"), [said("confrontation", None, 28, "yes")])
    assert "(by hand)" in str(caught.value)
    require_agreement(SPEC, new, [said("deal", 0, 28, "no"), answer(model="doves", outcome="deal", answer="no")])
