"""The track record: windows close before they are answered, answers stay, and scores are what a hand would compute."""

from __future__ import annotations

import contextlib
import copy
import csv
import datetime as dt
import io
import json
import math
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest import mock

import jsonschema
import numpy as np
import pytest
from entries import LINK, answer
from hypothesis import given, settings
from hypothesis import strategies as st
from places import DOCS, REPORT
from projects import call, fresh, strict_json

import forecast
from forecast.answers.rule_probability import PATHS
from forecast.base.errors import InputError
from forecast.base.sanitise import EXECUTED
from forecast.evidence.resolution_rules import met
from forecast.ledger.issued import Issued, Resolution
from forecast.record.calibration import reliability
from forecast.record.questions import Stated, stated
from forecast.record.resolution import answers_by_rule
from forecast.record.scores import Scored, score
from forecast.report.page import render_files
from forecast.report.sections.all_sections import all_charts as charts
from forecast.report.sections.all_sections import all_tables as tables
from forecast.report.summary import sum_up

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from projects import Done

    from forecast.project.project import Project
    from forecast.record.calibration import Reliability

MODEL = "russia_azerbaijan"
EDGE = 0.5 / PATHS  # half a simulated path
AS_OF = dt.date(2026, 1, 15)
LAG = dt.timedelta(days=14)
TODAY = AS_OF + dt.timedelta(days=60)
WEEKS = (4, 13)
HOSTILE = '=cmd|"/c calc"!A1 </script><script>alert(1)</script> [x](javascript:alert(1)) | `code` \u202e'


def noon(date: dt.date) -> dt.datetime:
    """Give a moment of a day."""
    return dt.datetime(date.year, date.month, date.day, 12, tzinfo=dt.UTC)


def later(days: int) -> dt.date:
    """Give a day after the first forecast."""
    return AS_OF + dt.timedelta(days=days)


def rows_of(as_of: dt.date, probabilities: dict[tuple[str, str, int], float], now: Iterable[str] = ()) -> Any:
    """Give the rules of a report: the probability by outcome, kind and horizon; ``now`` are the outcomes met."""
    return [
        {
            "outcome": outcome, "kind": kind, "horizon_weeks": weeks,
            "date": (as_of + dt.timedelta(weeks=weeks)).isoformat(),
            "estimate": {"mean": p, "mcse": 0.001}, "prior": 0.1, "met_now": outcome in set(now),
        }
        for (outcome, kind, weeks), p in probabilities.items()
    ]  # fmt: skip


def issue(
    texts: dict[str, str], as_of: dt.date, rules: Any, *, issued: dt.date | None = None, model: str = MODEL
) -> Issued:
    """Make a forecast as it is archived, as far as the track record reads it."""
    content = {"model": {"outcomes": {name: {"resolution": text} for name, text in texts.items()}}}
    content |= {} if rules is None else {"rules": rules}
    return Issued(
        model=model, as_of=as_of, issued_at=noon(issued or as_of), evidence_hash="e", model_hash="m", fit="f",
        watermark=1, content=json.dumps(content),
    )  # fmt: skip


class World:
    """A project with the reference model, and forecasts that were never computed."""

    def __init__(self, folder: Path) -> None:
        """Lay it out."""
        self.root = fresh(folder)
        self.project: Project = forecast.open(self.root)
        self.model = self.project.model(MODEL)
        self.texts = {name: row.resolution for name, row in self.model.spec.outcomes.items()}

    def issue(self, as_of: dt.date, probabilities: dict[tuple[str, str, int], float], **more: Any) -> Issued:
        """Archive a forecast."""
        now = more.pop("now", ())
        return self.project.ledger.archive(issue(self.texts, as_of, rows_of(as_of, probabilities, now), **more))

    def see(self, what: str, date: dt.date, reported_on: dt.date | None = None, **more: str) -> None:
        """Record a sighting or a state; with an id of its own, as a file does."""
        cells = {"date": str(date), "reported_on": str(reported_on or date), "source": "Wire", "grade": "A1"} | more
        cells |= {"indicator": "", "state": ""} | {"state" if "." in what else "indicator": what}
        path = self.root / "rows.csv"
        path.write_text("\n".join(",".join(part) for part in (cells, cells.values())) + "\n", encoding="utf-8")
        self.project.import_rows(self.model, path, now=noon(dt.date(2027, 6, 1)))

    def deal(self, date: dt.date, reported_on: dt.date | None = None, row: str = "signed") -> None:
        """Put a deal on record."""
        self.see("peace.fresh_deal", date, reported_on, id=row)

    def resolve(self, date: dt.date, **more: Any) -> Any:
        """Resolve on a day."""
        return self.project.resolve(as_of=date, now=noon(more.pop("now", date)), **more)

    def answers(self) -> dict[tuple[str, dt.date | None, dt.date], str]:
        """Give the answers in force."""
        return {row.question[1:]: row.answer for row in self.project.ledger.resolutions()}

    def written(self) -> list[tuple[Any, ...]]:
        """Give every row of the table."""
        with closing(sqlite3.connect(self.root / "data" / "ledger.db")) as raw:
            return raw.execute("SELECT * FROM resolutions ORDER BY seq").fetchall()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a project that may be changed."""
    return World(tmp_path)


FOUR: dict[tuple[str, str, int], float] = {
    ("deal", "at", 4): 0.2, ("deal", "by", 4): 0.25, ("deal", "at", 13): 0.4, ("deal", "by", 13): 0.45
}  # fmt: skip


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
    """By log-odds, for dates and not for windows, and nowhere outside."""
    world.issue(AS_OF, {**FOUR, ("deal", "at", 13): 1.0})
    world.issue(later(7), FOUR)
    by = {(row.as_of, row.kind, row.horizon_weeks): row.before for row in stated(world.project.ledger.forecasts())}
    low, high = math.log(0.2 / 0.8), math.log((1 - EDGE) / EDGE)
    expected = 1 / (1 + math.exp(-(low + (high - low) * 7 / 63)))
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
    world.see("peace.stalled", later(20), id="broken")
    world.resolve(later(28) + LAG)
    assert world.answers() == {("deal", None, later(28)): "no", ("deal", AS_OF, later(28)): "yes"}


def test_the_day_of_the_forecast_is_outside_its_window(world: World) -> None:
    """(as_of, date]: what ended on the day itself was not met in it, what is met on the last day was."""
    world.issue(AS_OF, FOUR)
    world.issue(later(1), FOUR)
    world.deal(later(-3))
    world.see("peace.stalled", later(1), id="broken")
    world.deal(later(29), row="again")
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
    found, left = answers_by_rule(world.model.space, entries, questions, AS_OF, noon(AS_OF))
    assert left == ()
    expected = {
        row.question: any(
            met(world.model.space, entries, row.outcome, row.date - dt.timedelta(days=k))
            for k in range((row.date - row.since).days)
        )
        for row in questions
        if row.since
    }
    assert {row.question: row.answer == "yes" for row in found} == expected
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


def test_silence_is_told(world: World) -> None:
    """Answers about dates after the newest row are counted: a ledger that nobody fed says no to everything."""
    world.issue(AS_OF, FOUR)
    world.deal(later(30))
    found = world.resolve(later(91) + LAG)
    assert (len(found.recorded), found.silent) == (4, 2)
    assert "2 of them are about dates after the newest row" in found.sentences[1]
    world.see("presidents_meeting", later(95))
    assert world.resolve(later(92) + LAG).silent == 0


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


@contextlib.contextmanager
def clock(date: dt.date) -> Iterator[None]:
    """Let the command line believe that it is another day."""
    with contextlib.ExitStack() as stack:
        for module in ("options", "track_record"):
            stack.enter_context(mock.patch(f"forecast.cli.{module}.utc_now", return_value=noon(date)))
        yield


def ask(world: World, *arguments: str, today: dt.date = TODAY) -> Done:
    """Call the command line on a day."""
    with clock(today):
        return call(*arguments, cwd=world.root)


HAND = ("resolve", "deal", "--date", str(later(28)))
WHY = ("--answer", "yes", "--reason", "The pact was signed in secret", "--url", LINK)


def test_an_overrule_counts_and_stays(world: World) -> None:
    """It supersedes the rule's answer, whose row stays, and the rule never takes it back."""
    world.issue(AS_OF, FOUR)
    world.resolve(later(60))
    done = ask(world, *HAND, *WHY)
    assert (done.code, done.err) == (0, "")
    assert "analyst" in done.out
    window = ask(world, *HAND, "--since", str(AS_OF), *WHY, "--json")
    assert strict_json(window.out)["since"] == str(AS_OF)
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


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_writes_nothing(world: World, name: str) -> None:
    """Exit code 2, one message that says what to do, and not a row."""
    world.issue(AS_OF, FOUR)
    world.issue(later(27), FOUR)
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


# Scores.


def scored(  # noqa: PLR0913 - what is scored
    probability: float, result: str, *, date: dt.date = AS_OF, outcome: str = "deal", weeks: int = 4, as_of: dt.date,
    **more: Any,
) -> tuple[Stated, Resolution]:  # fmt: skip
    """Give a probability with its answer."""
    said = Stated(
        model="m", outcome=outcome, since=None, date=date, horizon_weeks=weeks, as_of=as_of, issue=1,
        issued_on=more.get("issued_on", as_of), rule="r", probability=probability, met_now=more.get("met_now", False),
        prior=more.get("prior"), before=more.get("before"),
    )  # fmt: skip
    return said, answer(outcome=outcome, date=date, answer=result, frozen=more.get("frozen", as_of))


def record(pairs: Iterable[tuple[Stated, Resolution]], issues: int = 1) -> Any:
    """Score pairs."""
    pairs = list(pairs)
    return score("m", issues, [said for said, _ in pairs], {row.question: row for _, row in pairs})


def month(k: int) -> dt.date:
    """Give the first day of the k-th month after the first."""
    return dt.date(2026 + k // 12, 1 + k % 12, 1)


def test_scores_are_those_of_a_hand() -> None:
    """Three questions of which one came true, one void; persistence with 0.05 and 0.95; one issue before."""
    start = dt.date(2025, 12, 1)
    found = record(
        [
            scored(0.25, "no", date=month(0), as_of=start),
            scored(0.5, "yes", date=month(1), as_of=start, before=0.25),
            scored(1.0, "no", date=month(3), as_of=start, met_now=True, prior=0.3),
            scored(0.9, "void", date=month(4), as_of=start),
        ]
    )
    (part,) = found.parts
    total = part.total
    assert (found.resolved, found.void, total.questions, total.yes, total.clusters) == (3, 1, 3, 1, 2)
    assert total.brier == pytest.approx((0.0625 + 0.25 + 1) / 3, abs=1e-12)
    logs = (-math.log(0.75), -math.log(0.5), -math.log(EDGE))
    assert total.log == pytest.approx(sum(logs) / 3, abs=1e-9)
    assert part.pulled == 1
    assert any("pulled in by half a simulated path" in line for line in part.sentences)
    persistence, alone, last = total.against
    assert (alone.name, alone.questions, alone.brier) == ("prior only", 1, pytest.approx(0.09))
    naive = (0.05**2, 0.95**2, 0.95**2)
    assert persistence.brier == pytest.approx(sum(naive) / 3, abs=1e-12)
    assert persistence.log == pytest.approx((-math.log(0.95) - 2 * math.log(0.05)) / 3, abs=1e-12)
    each = np.array([0.0625, 0.25, 1.0]) - naive
    assert persistence.brier_difference == pytest.approx(each.mean(), abs=1e-12)
    one, other = (each[:2] - each.mean()).sum(), each[2] - each.mean()  # two months of one quarter are one cluster
    assert persistence.brier_error == pytest.approx(math.sqrt(2 * (one**2 + other**2)) / 3, abs=1e-12)
    assert (last.name, last.questions, last.clusters, last.brier_error) == ("last issue repeated", 1, 1, None)
    assert last.brier_difference == pytest.approx(0.25 - 0.75**2, abs=1e-12)
    assert "1 more (25%) void" in found.sentences[0]
    frame = found.to_frame()
    assert list(frame["answer"]) == ["no", "yes", "no", "void"]
    assert frame["brier"].tolist()[:3] == pytest.approx([0.0625, 0.25, 1.0])
    assert math.isnan(frame["brier"].tolist()[3])
    assert math.isnan(frame["last_issue_repeated"].tolist()[0])
    assert list(frame.columns)[-3:] == ["persistence", "prior_only", "last_issue_repeated"]
    assert frame["prior_only"].tolist()[2] == 0.3


def test_scores_are_those_of_scoringrules() -> None:
    """Its import takes seconds, so the two lines are our own; on 50 random questions they are the same."""
    rng = np.random.default_rng(5)
    p, y = rng.uniform(0.01, 0.99, 50), (rng.random(50) < 0.4).astype(float)
    start = dt.date(2025, 12, 1)
    rows = [
        scored(a, "yes" if b else "no", date=month(k), as_of=start) for k, (a, b) in enumerate(zip(p, y, strict=True))
    ]
    frame = record(rows).to_frame()
    import scoringrules  # noqa: PLC0415 - slow to import

    np.testing.assert_allclose(frame["brier"], scoringrules.brier_score(y, p, backend="numpy"), rtol=1e-12)
    np.testing.assert_allclose(frame["log"], scoringrules.log_score(y, p, backend="numpy"), rtol=1e-12)


def test_outcomes_and_horizons_are_scored_apart() -> None:
    """Each group has its own mean, and all of them together the total."""
    start = dt.date(2025, 12, 1)
    found = record(
        [
            scored(0.1, "no", date=month(1), as_of=start),
            scored(0.3, "no", date=month(3), as_of=start, weeks=13),
            scored(0.6, "yes", date=month(1), as_of=start, outcome="truce"),
        ]
    )
    groups = {(row.outcome, row.kind, row.horizon_weeks): row.brier for row in found.parts[0].groups}
    assert groups == {
        ("deal", "at", 4): pytest.approx(0.01),
        ("deal", "at", 13): pytest.approx(0.09),
        ("truce", "at", 4): pytest.approx(0.16),
    }
    assert found.parts[0].total.brier == pytest.approx(0.26 / 3)
    assert found.parts[0].total.clusters == 3


def test_only_live_issues_measure_skill() -> None:
    """One issued late, or before the rule was frozen, is retrospective fit, and is told apart."""
    start = dt.date(2025, 12, 1)
    day = dt.timedelta(days=1)
    found = record(
        [
            scored(0.1, "no", date=month(1), as_of=start, issued_on=start + day),
            scored(0.2, "no", date=month(2), as_of=start, issued_on=start + 2 * day),
            scored(0.3, "no", date=month(3), as_of=start, frozen=start + day),
            scored(0.4, "no", date=month(4), as_of=start, frozen=None),
        ]
    )
    skill, fit = found.parts
    assert (skill.name, skill.total.questions, skill.total.brier) == ("skill", 1, pytest.approx(0.01))
    assert (fit.name, fit.total.questions) == ("retrospective fit", 3)
    assert [row.live for row in found.scored] == [True, False, False, False]
    assert skill.sentences[0].startswith("Skill, of forecasts issued live:")
    assert fit.sentences[0].startswith("Retrospective fit, not skill:")


def test_few_clusters_conclude_nothing() -> None:
    """Seven quarters say so however many questions there are; eight with a clear lead say better, or worse."""
    start = dt.date(2025, 12, 1)

    def pairs(quarters: int, p: float) -> Any:
        return [
            scored(p + k / 100, "no", date=month(3 * k) + dt.timedelta(days=j), as_of=start, met_now=True)
            for k in range(quarters)
            for j in range(5)
        ]

    def lead(quarters: int, p: float) -> Any:
        return record(pairs(quarters, p)).parts[0].total.against[0]

    few, many, level = lead(7, 0.1), lead(8, 0.1), lead(8, 0.915)
    assert (few.questions, few.clusters, few.verdict) == (35, 7, "open")
    assert "with fewer than 8 clusters nothing can be concluded" in few.sentence
    assert (many.clusters, many.verdict) == (8, "better")
    assert "better than persistence, −0." in many.sentence
    few, many = (record(pairs(quarters, 0.1)).parts[0] for quarters in (7, 8))
    assert ("of 7 clusters, so nothing can be concluded" in " ".join(few.sentences), few.few) == (True, True)
    assert ("nothing can be concluded" in " ".join(many.sentences), many.few) == (False, False)
    assert level.verdict == "level"
    worse = [scored(0.5 + k / 100, "no", date=month(3 * k), as_of=start) for k in range(8)]
    assert record(worse).parts[0].total.against[0].verdict == "worse"


def test_the_error_counts_what_is_repeated_once() -> None:
    """Asking each question ten times over leaves the error as it was; as if independent it would shrink threefold."""
    start = dt.date(2025, 12, 1)
    rng = np.random.default_rng(7)
    draws = [(float(rng.uniform()), "yes" if rng.uniform() < 0.5 else "no") for _ in range(12)]

    def error(times: int) -> float:
        rows = [
            scored(p, result, date=month(3 * k) + dt.timedelta(days=j), as_of=start)
            for k, (p, result) in enumerate(draws)
            for j in range(times)
        ]
        return record(rows).parts[0].total.against[0].brier_error

    assert error(10) == pytest.approx(error(1), rel=1e-9)
    each = [(p - (result == "yes")) ** 2 - (0.05 - (result == "yes")) ** 2 for p, result in draws]
    assert error(1) == pytest.approx(np.std(each, ddof=1) / math.sqrt(12), rel=1e-9)


def test_a_rival_that_is_as_good_is_told_apart_as_seldom_as_promised() -> None:
    """In 400 records of 12 clusters, whose questions share their luck, about a tenth of verdicts are wrong."""
    rng = np.random.default_rng(13)
    start = dt.date(2025, 12, 1)
    wrong = 0
    with mock.patch("forecast.record.calibration.RESAMPLES", 2):
        for _ in range(400):
            rows = []
            for k in range(12):
                result, p = ("yes" if rng.random() < 0.5 else "no"), float(rng.uniform(0.1, 0.9))
                rows += [
                    scored(p, result, date=month(3 * k) + dt.timedelta(days=j), as_of=start, before=1 - p)
                    for j in range(6)
                ]
            verdict = next(
                row.verdict for row in record(rows).parts[0].total.against if row.name == "last issue repeated"
            )
            assert verdict in {"better", "worse", "level"}
            wrong += verdict != "level"
    assert abs(wrong / 400 - 0.1) < 3 * math.sqrt(0.1 * 0.9 / 400)


def test_rivals_are_scored_where_they_were_asked_the_same(world: World) -> None:
    """Of the same day, by the same rule, and not late; questions of one model alone count for that one only."""
    texts = {**world.texts, "deal": "Another rule."}
    world.issue(AS_OF, {("deal", "at", 4): 0.2, ("deal", "by", 4): 0.5, ("truce", "at", 4): 0.7})
    world.issue(later(1), {("deal", "at", 4): 0.3})
    world.issue(later(2), {("deal", "at", 4): 0.3})
    rows = rows_of(AS_OF, {("deal", "at", 4): 0.6, ("deal", "at", 13): 0.5})
    archive = world.project.ledger.archive
    archive(issue(world.texts, AS_OF, rows, model="doves"))
    archive(issue(texts, later(1), rows_of(later(1), {("deal", "at", 4): 0.9}), model="doves"))
    late = rows_of(later(2), {("deal", "at", 4): 0.9})
    archive(issue(world.texts, later(2), late, model="doves", issued=later(20)))
    world.deal(later(3))
    world.resolve(later(40) + LAG, model=MODEL)
    frame = world.project.score(MODEL).to_frame()
    assert frame["doves"].notna().sum() == 1
    beside = frame[frame["doves"].notna()].iloc[0]
    assert (beside["outcome"], beside["kind"], beside["probability"], beside["doves"]) == ("deal", "at", 0.2, 0.6)
    (part,) = world.project.score(MODEL).parts
    rival = next(row for row in part.total.against if row.name == "doves")
    assert (rival.questions, rival.brier) == (1, pytest.approx(0.16))
    assert rival.brier_difference == pytest.approx(0.64 - 0.16)


# Calibration.


def stairs(means: list[float], weights: list[float]) -> list[float]:
    """Isotonic regression by its min-max formula."""

    def mean(i: int, j: int) -> float:
        return float(np.average(means[i : j + 1], weights=weights[i : j + 1]))

    n = len(means)
    return [max(min(mean(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=2, max_size=25))
def test_the_parts_of_the_brier_score_add_up(rows: list[tuple[int, bool]]) -> None:
    """Miscalibration − discrimination + uncertainty is the score, none is negative, and the curve is isotonic."""
    p = np.array([k / 10 for k, _ in rows])
    y = np.array([float(seen) for _, seen in rows])
    with mock.patch("forecast.record.calibration.RESAMPLES", 2):
        found = reliability(p, y, np.arange(len(rows)))
    assert found.miscalibration - found.discrimination + found.uncertainty == pytest.approx(
        float(np.square(p - y).mean()), abs=1e-12
    )
    assert min(found.miscalibration, found.discrimination, found.uncertainty) >= -1e-12
    levels = np.unique(p)
    expected = stairs([float(y[p == k].mean()) for k in levels], [float((p == k).sum()) for k in levels])
    assert found.probability == tuple(levels)
    assert found.observed == pytest.approx(expected, abs=1e-12)


def outside(found: Reliability) -> float:
    """Share of the probabilities at which the curve leaves the band."""
    rows = zip(found.observed, found.low, found.high, strict=True)
    return sum(not low <= seen <= high for seen, low, high in rows) / len(found.probability)


def test_a_calibrated_forecaster_stays_within_the_band_and_another_leaves_it() -> None:
    """Of 400 independent questions, eight times: the curve leaves the band about a tenth of the way, or far more."""
    good: list[float] = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        p = rng.uniform(0.02, 0.98, 400)
        y = (rng.random(400) < p).astype(float)
        found = reliability(p, y, np.arange(400))
        good.append(outside(found))
        assert len(found.probability) == 100
        assert all(low <= high for low, high in zip(found.low, found.high, strict=True))
        bold = reliability(np.clip(0.5 + 2.5 * (p - 0.5), 0.001, 0.999), y, np.arange(400))
        assert outside(bold) > 0.25
        assert bold.miscalibration > 1.5 * found.miscalibration
    assert 0.02 < np.mean(good) < 0.2


def test_the_band_allows_for_questions_that_share_their_luck() -> None:
    """With all questions in few clusters the band is much wider than with each in its own."""
    p = np.tile(np.linspace(0.05, 0.95, 10), 20)
    y = (np.arange(200) % 3 == 0).astype(float)
    apart, together = (reliability(p, y, clusters) for clusters in (np.arange(200), np.arange(200) // 50))
    width = [float(np.mean(np.subtract(one.high, one.low))) for one in (apart, together)]
    assert width[1] > 1.5 * width[0]


# The command line and the report.


def long_record(world: World, reason: str = "Signed in secret") -> None:
    """Issue a year of weekly forecasts, resolve them, and overrule one."""
    rng = np.random.default_rng(11)
    for k in range(30):
        p = {
            (name, kind, weeks): float(rng.uniform(0.05, 0.6))
            for name in ("deal", "truce") for kind in ("at", "by") for weeks in WEEKS
        }  # fmt: skip
        world.issue(later(7 * k), p)
    world.deal(later(120))
    world.resolve(later(400))
    world.project.overrule(
        "truce", later(28), answer="void", reason=reason, url=LINK, model=MODEL, now=noon(later(400))
    )


def test_the_commands_tell_the_record(world: World) -> None:
    """Sentences and a table; the same as JSON; and files of it."""
    assert "0 questions answered, 0 with a window" in ask(world, "resolve").out
    nothing = ask(world, "score")
    assert nothing.out == f"0 forecasts of {MODEL} issued; none is resolved.\n"
    long_record(world)
    done = ask(world, "score", "--output", "track.svg", today=later(401))
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"30 forecasts of {MODEL} issued; 239 questions resolved, 1 more (<1%) void.")
    assert re.search(r"^deal by 13 weeks +30 +\d+ ", done.out, flags=re.MULTILINE)
    assert (world.root / "track.svg").read_text(encoding="utf-8").startswith("<svg")
    told = strict_json(ask(world, "score", "--json", "--output", "track.csv").out)
    assert (told["resolved"], told["void"], told["open"]) == (239, 1, 0)
    assert [part["name"] for part in told["parts"]] == ["skill"]
    assert told["parts"][0]["reliability"]["questions"] == 239
    rows = list(csv.DictReader(io.StringIO((world.root / "track.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 240
    assert sum(float(row["brier"]) for row in rows if row["brier"]) / 239 == pytest.approx(
        told["parts"][0]["total"]["brier"]
    )
    resolved = ask(world, "resolve", "--json", today=later(402))
    assert strict_json(resolved.out)["recorded"] == []


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Give one report, as it was archived."""
    return json.loads(REPORT.read_text(encoding="utf-8"))


def recorded(world: World, report: dict[str, Any]) -> dict[str, Any]:
    """Give a report with the world's record."""
    report = copy.deepcopy(report)
    return report | json.loads(json.dumps(sum_up(report, None, world.project.score(MODEL))))


def rendered(world: World, report: dict[str, Any]) -> tuple[str, str]:
    """Give a report as page and Markdown."""
    files = render_files(report, [world.root / "reports" / "templates"])
    return files["report.html"].decode(), files["report.md"].decode()


def test_a_report_tells_the_record(world: World, report: dict[str, Any]) -> None:
    """Counts, scores, a picture and a table once there are ten questions; before that what is known."""
    first = recorded(world, report)
    assert first["track"]["sentences"][0] == "1 forecast of this model has been issued; none is resolved."
    assert (first["track"]["issues"], first["track"]["resolved"]) == (1, 0)
    assert "track" not in charts(first) | tables(first)
    long_record(world)
    data = recorded(world, report)
    track = data["track"]
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(track, schema["properties"]["track"])
    page, text = rendered(world, data)
    assert (track["issues"], track["resolved"], track["void"]) == (31, 239, 1)
    assert (
        track["sentences"][0]
        == "31 forecasts of this model have been issued; 239 questions resolved, 1 more (<1%) void."
    )
    part = track["parts"][0]
    assert {row["name"] for row in part["total"]["against"]} == {"persistence", "prior only", "last issue repeated"}
    for shown in (page, text):
        assert f"Brier score {part['total']['brier']:.3f}" in shown
        assert "Answers given by hand" in shown
    assert 'id="picture-track"' in page
    assert 'id="table-track"' in page
    assert re.search(r"!\[Curve of how often .*\]\(track-[0-9a-f]{8}\.svg\)", text)
    chart = charts(data)["track"]
    assert chart.takeaway.startswith("Skill: the curve of 239 resolved questions leaves the 90 % band")
    track["parts"][0] |= {"few": True}
    assert charts(data)["track"].takeaway.endswith(" independent clusters are too few to conclude anything.")


def test_a_report_of_before_is_rendered_as_it_was(world: World, report: dict[str, Any]) -> None:
    """Its track record is nothing but sentences."""
    old = {**report, "track": {"issues": 1, "resolved": 0, "sentences": ["Nothing yet."]}}
    page, text = rendered(world, old)
    assert "Nothing yet." in page
    assert text.split("## Track record")[1].split("## ")[0].strip() == "- Nothing yet."
    assert "track" not in charts(old) | tables(old)


def test_hostile_text_is_inert(world: World, report: dict[str, Any]) -> None:
    """A reason is text in the page, in Markdown and in a spreadsheet."""
    long_record(world, HOSTILE)
    page, text = rendered(world, recorded(world, report))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    line = next(line for line in text.splitlines() if "cmd" in line)
    assert "<script" not in line
    assert r"\[x\](javascript" in line
    assert "\u202e" not in page + text
    rows = list(csv.reader(io.StringIO(world.project.score(MODEL).to_csv())))
    cells = [cell for row in rows for cell in row]
    assert f"'{HOSTILE}" in cells
    assert not [cell for cell in cells if cell[:1] and cell[0] in EXECUTED]
    assert len({len(row) for row in rows}) == 1


def test_a_scored_question_knows_its_cluster() -> None:
    """An outcome in a calendar quarter; another outcome, quarter or year is another."""
    keys = [
        Scored(said, {}, result).cluster
        for date, name in (
            (dt.date(2026, 1, 1), "deal"), (dt.date(2026, 3, 31), "deal"), (dt.date(2026, 4, 1), "deal"),
            (dt.date(2027, 1, 1), "deal"), (dt.date(2026, 1, 1), "truce"),
        )
        for said, result in [scored(0.5, "no", date=date, outcome=name, as_of=AS_OF)]
    ]  # fmt: skip
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
