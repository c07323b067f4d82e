"""The track record: windows close before they are answered, and answers stay."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from entries import LINK
from projects import strict_json
from track import AS_OF, FOUR, LAG, MODEL, TODAY, World, ask, issue, later, noon, rows_of

from forecast.base.errors import InputError
from forecast.evidence.resolution_rules import met
from forecast.ledger.rows import Coverage
from forecast.record.questions import Stated, stated
from forecast.record.resolution import answers_by_rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# What was stated.


def test_of_each_date_the_last_prompt_issue_counts(world: World) -> None:
    """Neither an earlier one of the day nor one that was back-dated weeks later is read; alone, a late one is."""
    p = {("deal", "at", 4): 0.1}
    world.issue(AS_OF, p)
    kept = world.issue(AS_OF, {("deal", "at", 4): 0.2}, issued=later(1))
    world.issue(AS_OF, {("deal", "at", 4): 0.9}, issued=later(40))
    late = world.issue(later(7), {("deal", "at", 4): 0.3}, issued=later(50))
    world.project.ledger.archive(issue(world.texts, later(14), None))
    found = stated(world.project.ledger.forecasts())
    assert [(row.issue, row.probability, row.prompt) for row in found] == [
        (kept.seq, 0.2, True),
        (late.seq, 0.3, False),
    ]
    assert {row.kind for row in found} == {"at"}


def test_what_the_issue_before_said_is_read_between_its_horizons(world: World) -> None:
    """On a straight line, for dates and not for windows, and nowhere outside."""
    world.issue(AS_OF, {**FOUR, ("deal", "at", 13): 1.0})
    world.issue(later(7), FOUR)
    by = {(row.as_of, row.kind, row.horizon_weeks): row.before for row in stated(world.project.ledger.forecasts())}
    expected = 0.2 + 0.8 * 7 / 63
    assert by.pop((later(7), "at", 4)) == pytest.approx(expected, abs=1e-12)
    assert set(by.values()) == {None}
    world.issue(later(70), {("deal", "at", 4): 0.5})
    assert stated(world.project.ledger.forecasts())[-1].before == 0.4


# Closing and answering.


def test_a_window_is_answered_when_it_has_closed_and_not_before(world: World) -> None:
    """The last day of the lag is the first on which it counts; a yes that came early waits for it too."""
    world.issue(AS_OF, FOUR)
    world.deal(later(3))
    for day in (later(5), later(28), later(28) + LAG - dt.timedelta(days=1)):
        found = world.resolve(day)
        assert (found.recorded, found.open, found.answered) == ((), 4, 0)
    found = world.resolve(later(28) + LAG)
    assert {(row.since, row.date, row.answer) for row in found.recorded} == {
        (None, later(28), "yes"),
        (AS_OF, later(28), "yes"),
    }
    assert (found.open, found.answered) == (2, 2)
    assert all(row.how == "rule" and row.reason == world.texts["deal"] for row in found.recorded)
    assert {row.frozen for row in found.recorded} == {dt.date(2026, 1, 9)}
    assert "2 answers new or changed" in found.sentences[0]
    assert list(found.to_frame()["answer"]) == ["yes", "yes"]
    assert strict_json(json.dumps(found.to_dict()))["recorded"][0]["frozen"] == "2026-01-09"


def test_at_asks_for_the_day_and_by_for_any_day(world: World) -> None:
    """A deal that came and went answers *by* with yes and *at* with no."""
    world.issue(AS_OF, FOUR)
    world.deal(later(5))
    world.see("peace.stalled", later(20))
    world.resolve(later(28) + LAG)
    assert world.answers() == {("deal", None, later(28)): "no", ("deal", AS_OF, later(28)): "yes"}


def test_the_day_of_the_forecast_is_outside_its_window(world: World) -> None:
    """(as_of, date]: what ended on the day itself was not met in it, what is met on the last day was."""
    world.issue(AS_OF, FOUR)
    world.issue(later(1), FOUR)
    world.deal(later(-3))
    world.see("peace.stalled", later(1))
    world.deal(later(29))
    world.resolve(later(40) + LAG)
    assert world.answers()["deal", AS_OF, later(28)] == "no"
    assert world.answers()["deal", later(1), later(29)] == "yes"


def test_windows_are_answered_as_the_rules_define_them(world: World) -> None:
    """For every outcome and many windows the answers are those of `met` on its days, on the article's rows."""
    outcomes = tuple(world.texts)
    asked = dt.date(2025, 3, 1)
    entries = world.project.entries(world.model, now=noon(AS_OF), as_of=AS_OF)
    questions = [
        Stated(
            model=MODEL, outcome=name, since=asked + dt.timedelta(days=k), horizon_weeks=0, issue=1, issued_on=asked,
            date=asked + dt.timedelta(days=k + span), as_of=asked, rule=world.texts[name], probability=0.5,
            met_now=False, prior=None, before=None,
        )
        for name in outcomes for k in range(0, 280, 35) for span in (1, 20)
    ]  # fmt: skip
    answered = answers_by_rule(world.model.space, entries, questions, AS_OF, noon(AS_OF))
    assert (answered.left, answered.silent) == ((), ())
    expected = {
        row.question: any(
            met(world.model.space, entries, row.outcome, row.date - dt.timedelta(days=k))
            for k in range((row.date - row.since).days)
        )
        for row in questions
        if row.since and row not in answered.disputed
    }
    assert {row.question: row.answer == "yes" for row in answered.found} == expected
    assert len(set(expected.values())) == 2


def test_resolving_again_records_nothing(world: World) -> None:
    """The same day and the same rows give the same answers, which are there already."""
    world.issue(AS_OF, FOUR)
    assert len(world.resolve(later(100) + LAG).recorded) == 4
    before = world.written()
    again = world.resolve(later(100) + LAG)
    assert (again.recorded, again.answered) == ((), 4)
    assert world.written() == before


def test_a_late_report_supersedes_and_the_past_does_not_return(world: World) -> None:
    """The new answer is a new row; to resolve as of an earlier day afterwards changes nothing."""
    world.issue(AS_OF, {("deal", "at", 4): 0.2})
    closes = later(28) + LAG
    world.resolve(closes)
    world.deal(later(20), reported_on=closes + dt.timedelta(days=30))
    assert world.resolve(closes + dt.timedelta(days=29)).recorded == ()
    (changed,) = world.resolve(closes + dt.timedelta(days=30)).recorded
    assert changed.answer == "yes"
    assert [row[3] for row in world.written()] == ["no", "yes"]
    assert world.resolve(closes, now=closes + dt.timedelta(days=31)).recorded == ()
    assert world.answers() == {("deal", None, later(28)): "yes"}


@pytest.fixture
def unwatched(tmp_path: Path) -> World:
    """Give a project in which nobody has looked for anything."""
    return World(tmp_path, watched=False)


EVERY: dict[tuple[str, str, int], float] = {
    (name, kind, 13): 0.2
    for name in ("deal", "strategic_victory", "confrontation", "cooperation") for kind in ("at", "by")
}  # fmt: skip


def asked_of(rows: Iterable[Stated]) -> set[tuple[str, str]]:
    """Give outcome and kind of questions."""
    return {(row.outcome, row.kind) for row in rows}


def test_silence_alone_answers_nothing(unwatched: World) -> None:
    """A ledger that nobody feeds leaves its questions open and says since when; an unrelated row changes nothing."""
    unwatched.issue(AS_OF, EVERY)
    first = unwatched.resolve(later(91) + LAG)
    assert (first.recorded, first.answered, asked_of(first.silent)) == ((), 0, asked_of(stated_in(unwatched)))
    told = first.sentences[1]
    assert told.startswith("No rule answers 8 questions (about confrontation, cooperation, deal and strategic victory)")
    assert "silence alone is no answer" in told
    unwatched.see("western_aid_falls", later(100), grade="F6")
    unwatched.see("western_aid_falls", later(101))
    unwatched.see("cyberattack", later(102), grade="E5")
    assert unwatched.resolve(later(110)).silent == first.silent


def stated_in(world: World) -> tuple[Stated, ...]:
    """Give what was asked."""
    return stated(world.project.ledger.forecasts())


def test_silence_is_judged_by_what_the_rule_names(unwatched: World) -> None:
    """A later row of an indicator that a rule counts, on either side, ends the silence about it, and about no other."""
    unwatched.issue(AS_OF, EVERY)
    unwatched.see("cyberattack", later(95))
    found = unwatched.resolve(later(91) + LAG)
    assert {(row.outcome, row.kind, row.answer) for row in found.recorded} == {
        (name, kind, "no") for name in ("confrontation", "cooperation") for kind in ("at", "by")
    }
    assert {name for name, _ in asked_of(found.silent)} == {"deal", "strategic_victory"}
    assert found.heard[MODEL, "deal"] is None or found.heard[MODEL, "deal"] < later(0)
    assert {row["outcome"] for row in found.to_dict()["heard"]} == {"deal", "strategic_victory"}


def test_that_the_other_side_is_no_stronger_needs_a_word_too(unwatched: World) -> None:
    """Balances that hold on what was told wait until each of them has heard of something on the day or later."""
    unwatched.issue(AS_OF, {("confrontation", "at", 4): 0.2})
    unwatched.see("entry_ban", later(20))
    unwatched.see("food_ban", later(21))
    for what in ("western_aid_falls", "detainees_released"):
        unwatched.see(what, later(29))
        found = unwatched.resolve(later(28) + LAG)
        assert (found.recorded, asked_of(found.silent)) == ((), {("confrontation", "at")})
    unwatched.see("joint_exercises", later(29))
    (answer,) = unwatched.resolve(later(28) + LAG).recorded
    assert answer.answer == "yes"


def test_silence_ends_when_everything_that_a_rule_names_was_looked_for(unwatched: World) -> None:
    """One of its indicators is not enough, all of them are, and so is looking for everything; up to that day."""
    unwatched.issue(AS_OF, {**EVERY, ("cooperation", "at", 4): 0.2})
    first, *others = unwatched.model.spec.outcomes["cooperation"].resolves[0].counted
    unwatched.look(later(92), what=first)
    assert unwatched.resolve(later(91) + LAG).recorded == ()
    for name in others:
        unwatched.look(later(30), what=name)
    (early,) = unwatched.resolve(later(91) + LAG).recorded
    assert (early.outcome, early.date, early.answer) == ("cooperation", later(28), "no")
    unwatched.look(later(91))
    found = unwatched.resolve(later(91) + LAG)
    assert (len(found.recorded), found.silent) == (8, ())


def test_a_failed_clause_that_somebody_looked_for_answers_a_rule_of_several(unwatched: World) -> None:
    """Without a deal there is no victory, whatever was told of the terms; a deal on record stands until it ends."""
    unwatched.issue(AS_OF, {("strategic_victory", "at", 13): 0.2, ("deal", "at", 13): 0.2, ("deal", "by", 13): 0.2})
    unwatched.see("peace.advancing", later(92))
    assert {row.answer for row in unwatched.resolve(later(91) + LAG).recorded} == {"no"}
    unwatched.deal(later(60))
    unwatched.project.ledger.retract(
        MODEL, next(row.id for row in rows_in(unwatched) if row.date == later(92)), reason="wrong", now=noon(TODAY)
    )
    found = unwatched.resolve(later(91) + LAG)
    assert {row.question[1:]: row.answer for row in found.recorded} == {
        ("deal", AS_OF, later(91)): "yes", ("deal", None, later(91)): "yes",
    }  # fmt: skip
    assert {row.outcome for row in found.silent} == set()  # what is on record stays until it is answered anew


def rows_in(world: World) -> tuple[Any, ...]:
    """Give the observations in force."""
    rows = world.project.entries(world.model, now=noon(later(400)), as_of=later(400))
    return tuple(row for row in rows if not isinstance(row, Coverage))


def test_a_rule_that_was_changed_answers_nothing(world: World) -> None:
    """Where the words are others than were issued, or the model is gone, it is told and left to a person."""
    world.texts["deal"] += " Or nearly so."
    world.issue(AS_OF, {("deal", "at", 4): 0.2, ("truce", "at", 4): 0.2})
    world.issue(AS_OF, {("deal", "at", 4): 0.2}, model="gone")
    found = world.resolve(later(100))
    assert [row.outcome for row in found.recorded] == ["truce"]
    assert [(row.model, row.outcome) for row in found.left] == [("gone", "deal"), (MODEL, "deal")]
    assert "No rule answers 2 questions (about deal)" in found.sentences[-1]
    assert world.project.score("gone").open == 1
    with pytest.raises(InputError, match="there is no model 'nobody'"):
        world.project.resolve("nobody", now=noon(AS_OF))
    with pytest.raises(InputError, match="in the future"):
        world.project.resolve(as_of=later(1), now=noon(AS_OF))


def test_an_answer_by_other_words_is_not_counted(world: World) -> None:
    """A rule changed after the issue and used for a later one does not score the earlier one."""
    right = dict(world.texts)
    world.texts = {**right, "deal": "Something else."}
    world.issue(AS_OF, {("deal", "at", 4): 0.2})
    world.texts = right
    world.issue(later(-63), {("deal", "at", 13): 0.3})
    world.resolve(later(100))
    found = world.project.score(MODEL)
    assert [row.stated.as_of for row in found.scored] == [later(-63)]
    assert found.open == 1


# By hand.


HAND = ("resolve", "deal", "--date", str(later(28)))
WHY = ("--answer", "yes", "--reason", "The pact was signed in secret", "--url", LINK)


def test_an_overrule_counts_and_stays(world: World) -> None:
    """It supersedes the rule's answer, whose row stays, and the rule never takes it back."""
    world.issue(AS_OF, FOUR)
    world.resolve(later(60))
    window = ask(world, *HAND, "--since", str(AS_OF), *WHY, "--json")
    assert strict_json(window.out)["since"] == str(AS_OF)
    done = ask(world, *HAND, *WHY)
    assert (done.code, done.err) == (0, "")
    assert "analyst" in done.out
    assert world.resolve(later(70)).recorded == ()
    assert set(world.answers().values()) == {"yes"}
    assert [(row[3], row[4]) for row in world.written()] == [
        ("no", "rule"),
        ("no", "rule"),
        ("yes", "analyst"),
        ("yes", "analyst"),
    ]
    again = ask(world, *HAND, *WHY)
    assert again.code == 2
    assert "has this very answer already" in again.err
    assert len(world.written()) == 4


def test_a_yes_by_hand_holds_for_every_window_that_contains_its_own(unwatched: World) -> None:
    """Of the same issue and of an earlier one, though no row says so; a later issue's window is another."""
    unwatched.issue(later(-7), {("deal", "by", 13): 0.2})
    unwatched.issue(AS_OF, FOUR)
    unwatched.issue(later(7), FOUR)
    done = ask(unwatched, *HAND, "--since", str(AS_OF), *WHY)
    assert (done.code, done.err) == (0, "")
    assert "is another question" in " ".join(done.out.split())
    found = unwatched.resolve(later(120))
    window = ("deal", AS_OF, later(28))
    nested = {("deal", AS_OF, later(91)): "yes", ("deal", later(-7), later(84)): "yes"}
    assert unwatched.answers() == {window: "yes", **nested}
    assert {row.by for row in found.recorded} == {"implied"}
    assert all(row.reason.startswith("Follows from the answer by hand to 'deal' by") for row in found.recorded)
    assert {row.url for row in found.recorded} == {LINK}
    assert unwatched.resolve(later(121)).recorded == ()
    assert unwatched.project.score(MODEL).resolved == 3


def test_what_was_implied_lapses_with_its_reason(unwatched: World) -> None:
    """When the answer by hand is taken back the others are void, until a rule answers them."""
    unwatched.issue(AS_OF, FOUR)
    ask(unwatched, *HAND, "--since", str(AS_OF), *WHY)
    unwatched.resolve(later(120))
    taken = ask(unwatched, *HAND, "--since", str(AS_OF), "--answer", "no", *WHY[2:], today=later(121))
    assert (taken.code, taken.err) == (0, "")
    assert {(row.kind, row.date, row.answer, row.by) for row in unwatched.resolve(later(122)).recorded} == {
        ("at", later(28), "no", "implied"),
        ("by", later(91), "void", "implied"),
    }
    assert unwatched.resolve(later(123)).recorded == ()
    unwatched.look(later(100))
    assert {row.answer for row in unwatched.resolve(later(124)).recorded} == {"no"}
    assert unwatched.answers()["deal", AS_OF, later(91)] == "no"


def test_an_answer_that_contradicts_another_is_refused(world: World) -> None:
    """One on record by the rule, one that the rule would give, one by hand; nothing is written."""
    world.issue(AS_OF, FOUR)
    no = ("--answer", "no", *WHY[2:])
    unasked = ask(world, *HAND, *WHY)
    assert (unasked.code, "contradicts no to 'deal' by 2026-02-12" in " ".join(unasked.err.split())) == (2, True)
    world.resolve(later(60))
    before = world.written()
    assert ask(world, *HAND, *WHY).code == 2
    assert world.written() == before
    assert ask(world, *HAND, "--since", str(AS_OF), *WHY).code == 0
    assert ask(world, *HAND, *WHY).code == 0
    back = ask(world, *HAND, "--since", str(AS_OF), *no)
    assert (back.code, "by hand" in back.err) == (2, True)
    assert set(world.answers().values()) == {"yes"}


OLD = {
    "resolution": "Yes on a date if in the 4 weeks up to it a story told of an entry ban.",
    "resolves": [{"stories": 1, "of": ["entry_ban"], "within_weeks": 4}],
    "frozen": "2025-12-01",
}
CALM = OLD | {"resolution": "Released.", "resolves": [{"stories": 1, "of": ["detainees_released"], "within_weeks": 4}]}


def issued_with(world: World, rules: dict[str, dict[str, Any]]) -> None:
    """Archive a forecast that holds the rules that it was made with."""
    asked = {(name, kind, 4): 0.3 for name in rules for kind in ("at", "by")}
    made = issue({}, AS_OF, rows_of(AS_OF, asked))
    content = json.loads(made.content) | {"model": {"outcomes": rules}}
    world.project.ledger.archive(replace(made, content=json.dumps(content)))


def test_an_issued_forecast_is_answered_by_its_own_rule(world: World) -> None:
    """Whatever the model file says since: one entry ban meets the rule of the issue and not that of the file."""
    issued_with(world, {"confrontation": OLD})
    world.see("entry_ban", later(20))
    found = world.resolve(later(28) + LAG)
    assert world.answers() == {("confrontation", None, later(28)): "yes", ("confrontation", AS_OF, later(28)): "yes"}
    assert {(row.frozen, row.reason) for row in found.recorded} == {(dt.date(2025, 12, 1), OLD["resolution"])}
    space = world.model.space
    entries = world.project.entries(world.model, now=noon(later(60)), as_of=later(60))
    assert not any(met(space, entries, "confrontation", later(k)) for k in range(29))
    scored = world.project.score()
    assert [(row.live, row.resolution.answer) for row in scored.scored] == [(True, "yes")] * 2


def test_silence_about_the_rule_of_an_issue_answers_nothing(unwatched: World) -> None:
    """What the file's rule reads is no word about the issue's: a raid leaves it open, a coverage of bans does not."""
    world = unwatched
    issued_with(world, {"confrontation": OLD})
    world.see("russian_media_raided", later(40))
    found = world.resolve(later(28) + LAG)
    assert (len(found.silent), found.recorded) == (2, ())
    assert found.heard["russia_azerbaijan", "confrontation"] == dt.date(2025, 5, 15)  # the entry ban of the article
    world.look(*(later(7 * k) for k in range(6)), what="entry_ban")
    world.resolve(later(28) + LAG)
    assert set(world.answers().values()) == {"no"}


def test_rules_of_one_issue_dispute_each_other_and_those_of_the_file_do_not(world: World) -> None:
    """Both rules of the issue are met on its day; by the file neither is."""
    issued_with(world, {"confrontation": OLD, "truce": CALM})
    world.see("entry_ban", later(20))
    world.see("detainees_released", later(21))
    found = world.resolve(later(28) + LAG)
    assert {row.outcome for row in found.disputed} == {"confrontation", "truce"}
    assert world.answers() == {("confrontation", AS_OF, later(28)): "yes"}  # on the 20th day only this one was met


def test_an_issue_outlives_its_outcome_and_not_the_stage_that_it_reads(world: World) -> None:
    """A rule that the model file no longer has is read; a record of a stage that it no longer has cannot be."""
    gone = OLD | {"resolves": [{"observable": "armistice"}]}
    issued_with(world, {"quarrel": OLD, "peace_at_sea": gone})
    world.see("entry_ban", later(20))
    found = world.resolve(later(28) + LAG)
    assert {row.outcome for row in found.left} == {"peace_at_sea"}
    assert world.answers() == {("quarrel", None, later(28)): "yes", ("quarrel", AS_OF, later(28)): "yes"}


def test_outcomes_that_exclude_each_other_are_not_both_yes(world: World) -> None:
    """Where both rules are met on one day neither answers; a yes by hand to one is a no to the other."""
    p = {(name, "at", 4): 0.3 for name in ("truce", "confrontation", "cooperation")}
    world.issue(AS_OF, p | {("confrontation", "by", 4): 0.3})
    world.see("cyberattack", later(20))
    world.see("entry_ban", later(21))
    world.see("charges_dropped", later(28))  # beside a release of October; that in Dushanbe is too old by then
    found = world.resolve(later(28) + LAG)
    assert {(row.outcome, row.answer) for row in found.recorded} == {("cooperation", "no")}
    assert {(row.outcome, row.kind) for row in found.disputed} == {
        ("truce", "at"), ("confrontation", "at"), ("confrontation", "by"),
    }  # fmt: skip
    assert "exclude each other were met on one day" in found.sentences[1]
    assert [row["outcome"] for row in found.to_dict()["disputed"]] == ["truce", "confrontation", "confrontation"]
    assert ask(world, "resolve", "confrontation", "--date", str(later(28)), *WHY).code == 0
    world.resolve(TODAY)
    assert world.answers() == {
        ("cooperation", None, later(28)): "no",
        ("confrontation", None, later(28)): "yes",
        ("truce", None, later(28)): "no",
        ("confrontation", AS_OF, later(28)): "yes",
    }
    refused = ask(world, "resolve", "truce", "--date", str(later(28)), *WHY)
    assert (refused.code, "at most one of these outcomes holds on a day" in " ".join(refused.err.split())) == (2, True)


def test_the_table_of_answers_says_which_question(world: World) -> None:
    """*At* and *by* are written out, and no cell means something by being blank; a blank option says nothing."""
    world.issue(AS_OF, FOUR)
    done = ask(world, "resolve")
    assert f"\tat {later(28)}\t" in done.out
    assert "\nnext: forecast post-mortem" in done.out
    assert "post-mortem" not in ask(world, "resolve").out  # nothing is new
    assert f"\tby {later(28)}, since {AS_OF}\t" in done.out
    told = strict_json(
        ask(world, "resolve", "deal", "--date", str(later(28)), "--since", "", *WHY[:1], "no", *WHY[2:], "--json").out
    )
    assert (told["kind"], told["since"], told["answer"]) == ("at", None, "no")
    shown = ask(world, "resolve", "deal", "--date", str(later(28)), *WHY[:1], "void", *WHY[2:])
    assert f"That is at {later(28)}: on that very day." in shown.out
    assert "post-mortem" not in shown.out  # void tells nothing
    blank = ask(world, "resolve", "deal", "--date", "", *WHY)
    assert (blank.code, "give --date too" in blank.err) == (2, True)


WRONG = {
    "unknown outcome": (("resolve", "dael", "--date", str(later(28)), *WHY), "did you mean 'deal'?"),
    "nobody asked on the day": (("resolve", "deal", "--date", str(later(27)), *WHY), f"nearest are --date {later(28)}"),
    "nobody asked since the day": ((*HAND, "--since", str(later(1)), *WHY), "no issued forecast"),
    "nobody asked of the outcome": (
        ("resolve", "truce", "--date", str(later(28)), *WHY),
        "none asks anything of it",
    ),
    "not closed": (("resolve", "deal", "--date", str(later(55)), *WHY), f"closes on {later(55) + LAG}"),
    "in the future": (("resolve", "deal", "--date", str(later(91)), *WHY), "is in the future"),
    "no date": (("resolve", "deal", *WHY), "give --date too"),
    "no answer": ((*HAND, *WHY[2:]), "give --answer too"),
    "no reason": ((*HAND, *WHY[:2], *WHY[4:]), "give --reason too"),
    "blank reason": ((*HAND, *WHY[:2], "--reason", "  ", *WHY[4:]), "--reason is empty"),
    "no link": ((*HAND, *WHY[:4]), "give --url too"),
    "no web address": ((*HAND, *WHY[:4], "--url", "javascript:alert(1)"), "is not a web address"),
    "no date of the calendar": (("resolve", "deal", "--date", "2026-02-30", *WHY), "is not a date"),
    "another answer": ((*HAND, "--answer", "maybe", *WHY[2:]), "maybe"),
    "both ways": ((*HAND, *WHY, "--as-of", str(later(60))), "--as-of is for the rules"),
    "no outcome": (("resolve", "--date", str(later(28)), *WHY), "name its outcome"),
    "a day to come": (("resolve", "--as-of", str(later(61))), "is in the future"),
    "unknown model": (("resolve", "--model", "russia"), "there is no model 'russia'"),
    "unknown model to score": (("score", "--model", "russia"), "there is no model 'russia'"),
    "unknown format": (("score", "--output", "track.png"), "'.png' is not a format"),
    "too few for a picture": (("score", "--output", "track.svg"), "0 resolved; a picture takes 10"),
}


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Give a project with two issues in which nothing is answered."""
    world = World(tmp_path_factory.mktemp("untouched"))
    world.issue(AS_OF, FOUR)
    world.issue(later(27), FOUR)
    return world


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_writes_nothing(untouched: World, name: str) -> None:
    """Exit code 2, one message that says what to do, and not a row."""
    world = untouched
    arguments, told = WRONG[name]
    before = world.written(), sorted(world.root.rglob("*.*g"))
    done = ask(world, *arguments)
    assert done.code == 2
    assert told in " ".join(done.err.split())
    assert "Traceback" not in done.err
    assert (world.written(), sorted(world.root.rglob("*.*g"))) == before == ([], before[1])


def test_programs_get_the_same_errors(world: World) -> None:
    """An answer that is none is refused where no command line checks it."""
    world.issue(AS_OF, FOUR)
    with pytest.raises(InputError, match="'maybe' is none; give yes, no, void"):
        world.project.overrule(
            "deal", later(28), answer="maybe", reason="r", url=LINK, model=MODEL, now=noon(later(60))
        )
