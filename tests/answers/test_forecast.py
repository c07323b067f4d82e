"""Questions to a forecast, as an analyst asks them: on the reference model, from the command line and from Python."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from projects import AS_OF, MODEL, NOW, call, copied, fitted_once, issued_copy, issued_once, strict_json

import forecast
from forecast.answers.forecast import LiveForecast
from forecast.answers.moves import assumption_moves
from forecast.answers.sensitivity import FEW, find_sensitivity
from forecast.project.project import Project
from forecast.quantities.forecast import Forecast

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable
    from pathlib import Path

    from forecast.answers.sensitivity import Sensitivity
    from forecast.inference.model import Model

DAY = ("--as-of", "2026-01-08")
DRIVERS = ("drivers", "confrontation", "--weeks", "26", "--since", "2025-12-20", *DAY)
ASKED: dict[str, tuple[str, ...]] = {
    "drivers": DRIVERS,
    "watch": ("watch", "confrontation", "--weeks", "26", "--next", "4", *DAY),
    "sightings": ("sightings", "--next", "3", *DAY),
    "sensitivity": ("sensitivity", "confrontation", "--weeks", "26", "--refit", "never", *DAY),
    "experts": ("experts", *DAY),
}


@pytest.fixture(scope="module", autouse=True)
def _fitted() -> None:
    """Fit before any test forbids it."""
    fitted_once()
    issued_once()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy of the fitted project."""
    return copied(fitted_once(), tmp_path / "project")


@pytest.fixture(scope="module")
def updated() -> LiveForecast:
    """Forecast once, from the fit that is there."""
    return forecast.open(fitted_once()).update("russia_azerbaijan", as_of=AS_OF, now=NOW)


@pytest.fixture
def one_update(updated: LiveForecast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands that ask about the day find the forecast made: what is tried is how each question is answered."""

    def update(_project: Project, model: Model, *, as_of: dt.date, **_: Any) -> LiveForecast:
        assert (model.spec.name, as_of) == (updated.model, AS_OF)
        return updated

    monkeypatch.setattr(Project, "update", update)


@pytest.fixture
def few_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change some of the assumptions, in a part of the draws, and read drivers from few sets of events."""

    def some(*arguments: Any) -> Iterable[Any]:
        return itertools.islice(assumption_moves(*arguments), 0, None, 9)

    def few(*arguments: Any) -> Sensitivity:
        return find_sensitivity(*arguments[:-1], FEW)

    monkeypatch.setattr("forecast.answers.forecast.find_sensitivity", few)
    monkeypatch.setattr("forecast.answers.sensitivity.assumption_moves", some)
    monkeypatch.setattr("forecast.answers.drivers.EVALUATIONS", 64)


@pytest.fixture
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every attempt to sample fail."""
    monkeypatch.setattr("forecast.inference.fitter.fit_model", lambda *_, **__: pytest.fail("a fit was made"))


@pytest.mark.usefixtures("no_sampling", "one_update", "few_evaluations")
@pytest.mark.parametrize("question", ASKED)
def test_each_question_answers_in_words_and_in_json(question: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences come first; JSON is strict, holds the same sentences, and is told apart by its format number."""
    asked = getattr(LiveForecast, question)
    answers: list[Any] = []

    def answer(*arguments: Any, **options: Any) -> Any:
        if not answers:
            answers.append(asked(*arguments, **options))
        return answers[0]

    monkeypatch.setattr(LiveForecast, question, answer)  # words and JSON are of one answer, which takes long
    words = call(*ASKED[question], cwd=fitted_once(), columns=100)
    assert (words.code, words.err) == (0, "")
    content = strict_json(call(*ASKED[question], "--json", cwd=fitted_once()).out)
    assert content["format"] == 1
    told = " ".join(words.out.split())
    assert all(sentence in told for sentence in content["sentences"])
    assert max(map(len, words.out.splitlines())) <= 100


WRONG: dict[tuple[str, ...], str] = {
    ("drivers", "confronation", *DAY): "no outcome 'confronation'; did you mean 'confrontation'?",
    ("drivers", "confrontation", *DAY): "nothing to explain yet: no other forecast of 'russia_azerbaijan' has been",
    ("drivers", "confrontation", "--since", "2026-01-08", *DAY): "nothing to explain yet: nothing was recorded",
    ("drivers", "confrontation", "--since", "2026-02-30", *DAY): "since '2026-02-30' is not a date",
    ("drivers", "confrontation", "--since", "2026-03-01", *DAY): "later than 2026-01-08",
    ("drivers", "confrontation", "--weeks", "5", "--since", "2025-12-20", *DAY): "5 weeks: the horizons of",
    ("watch", "peace", *DAY): "no outcome 'peace'",
    ("watch", "deal", "--weeks", "4", "--next", "5", *DAY): "give 1 to 4",
    ("watch", "deal", "--next", "-1", *DAY): "give 1 to 52",
    ("sightings", "--next", "0", *DAY): "give at least 1",
    (
        "sensitivity",
        "deal",
        "--without",
        "dushanb",
        *DAY,
    ): "no source and no story is called 'dushanb'; did you mean 'Dush",
    ("alarm", "--weeks", "99", *DAY): "has run for 56; give 1 to 55",
    ("alarm", "--weeks", "0", *DAY): "give 1 to 55",
    ("compare", "russia_azerbaijan", *DAY): "takes two or more different ones",
    ("compare", "russia_azerbaijan", "russia_azerbaijan", *DAY): "takes two or more different ones",
    ("compare", "russia_azerbaijan", "base_rate_skeptic", *DAY): "there is no model 'base_rate_skeptic'; did you mean",
    ("experts", "--model", "nobody", *DAY): "there is no model 'nobody'",
}


@pytest.mark.usefixtures("no_sampling", "one_update")
@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_makes_no_sense_is_said_at_once(arguments: tuple[str, ...]) -> None:
    """One clear message, exit code 2, nothing on standard output."""
    done = call(*arguments, cwd=fitted_once())
    assert (done.code, done.out) == (2, "")
    assert WRONG[arguments] in done.err
    assert len(done.err.splitlines()) == 1


RIVAL = """extends = "russia_azerbaijan"
{drop}
[model]
name = "other"
title = "Another"
description = "For a test."
{change}
"""
DIFFERENT: dict[str, tuple[str, str, str]] = {
    "outcomes differ (cooperation)": ('drop = ["outcomes.cooperation", "conditionals"]\nconditionals = []', "", ""),
    "datasets differ (dataset)": ("", 'dataset = "elsewhere"', ""),
    "horizons differ (52)": ("", "horizons_weeks = [4, 13, 26]", ""),
}


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize("message", DIFFERENT)
def test_rivals_that_speak_of_other_things_are_refused(message: str, root: Path) -> None:
    """The message says in what they differ."""
    drop, header, change = DIFFERENT[message]
    drop = drop.replace('"outcomes.cooperation", "conditionals"', '"outcomes.cooperation"')
    (root / "models" / "other.toml").write_text(RIVAL.format(drop=drop, change=f"{header}\n{change}"), encoding="utf-8")
    done = call("compare", "russia_azerbaijan", "other", *DAY, cwd=root)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_a_forecast_that_was_read_back_cannot_be_asked(updated: LiveForecast) -> None:
    """It holds numbers only, and says so."""
    result = Forecast.from_dict(updated.to_dict())
    for question in ("alarm", "do", "drivers", "experts", "rules", "sensitivity", "sightings", "watch", "what_if"):
        with pytest.raises(forecast.InputError, match="was read back"):
            getattr(result, question)("deal")
    assert not hasattr(result, "opinion")


@pytest.mark.usefixtures("no_sampling")
def test_each_answer_is_a_frame() -> None:
    """One row a line, dates as dates, and the numbers of the JSON."""
    project = forecast.open(issued_once()[0])  # of few draws
    result = project.update("russia_azerbaijan", as_of=AS_OF, now=NOW, refit="never", accept_bad=True)
    alarm = result.alarm(refit="never")
    frames = {
        "alarm": alarm.to_frame(),
        "watch": result.watch("deal").to_frame(),
        "sightings": result.sightings(ahead=2).to_frame(),
        "experts": result.experts().to_frame(),
        "drivers": result.drivers("deal", since="2025-12-20").to_frame(),
    }
    assert all(len(frame) for frame in frames.values())
    assert frames["alarm"]["tail"].item() == alarm.tail
    assert frames["sightings"]["week"].dtype == "datetime64[s]"
    assert set(frames["experts"]["expert"]) == {"article", "history", "crowds", "pooled"}
    assert set(frames["drivers"]["part"]) == {"moved", "held_up"}


# Drivers since the last issue.


def issue(root: Path) -> None:
    """Issue a forecast from the fit that is there."""
    done = call("run", *DAY, cwd=root)
    assert done.code == 0, done.err


@pytest.mark.slow
def test_drivers_since_the_last_issue_name_what_came_in_and_what_went(root: Path) -> None:
    """A new story, a correction and a retraction have a line each, and the lines add up to the change."""
    issue(root)
    nothing = call("drivers", "confrontation", *DAY, cwd=root)
    assert (nothing.code, "nothing to explain yet" in nothing.err) == (2, True)
    observe = ("observe", "arrests_in_russia", "--date", "2026-01-05", "--source", "Wire", "--grade", "A1", *DAY[:0])
    assert call(*observe, "--story", "new-arrests", cwd=root).code == 0
    assert call("retract", "mehdiyev-charged", "--reason", "a mistake", cwd=root).code == 0
    assert call("run", *DAY, cwd=root).code == 0  # issued: the last issue is now the same as the present
    content = strict_json(call("drivers", "confrontation", "--weeks", "26", *DAY, "--json", cwd=root).out)
    kinds = {row["kind"]: row["what"] for row in content["moved"]}
    assert set(kinds) >= {"story", "retraction"}
    assert kinds["story"] == "New arrests (5 Jan 2026)"
    assert kinds["retraction"] == "The retraction of Mehdiyev charged (Oct 2025)"
    total = content["after"]["mean"] - content["before"]["mean"]
    assert sum(row["difference"] for row in content["moved"]) == pytest.approx(total, abs=1e-12)
    assert content["moved"][0]["what"] == "New arrests (5 Jan 2026)"
    assert content["moved"][0]["difference"] > 0
    assert content["sentences"][1] == f"New arrests (5 Jan 2026) added {total_points(content)} to confrontation."


def total_points(content: dict[str, Any]) -> str:
    """Round the largest line by hand."""
    row = content["moved"][0]
    unit = next(unit for unit in (1, 2, 5, 10) if unit >= 200 * row["mcse"])
    return f"{'about ' if unit > 1 else ''}{unit * round(100 * row['difference'] / unit)} points"


@pytest.mark.slow
def test_a_changed_model_has_a_line_of_its_own(root: Path) -> None:
    """The issued numbers of the old version are the beginning, read between its horizons; what is left is the model."""
    issue(root)
    path = root / MODEL
    text = path.read_text(encoding="utf-8")
    assert "times = [1.2, 5]" in text
    path.write_text(text.replace("times = [1.2, 5]", "times = [0.2, 0.8]", 1), encoding="utf-8")
    observe = ("observe", "arrests_in_russia", "--date", "2026-01-07", "--source", "Wire", "--grade", "B2")
    assert call(*observe, cwd=root).code == 0
    done = call("drivers", "confrontation", "--weeks", "26", *DAY, "--json", cwd=root)
    assert done.code == 0, done.err
    content = strict_json(done.out)
    assert [row["kind"] for row in content["moved"]] == ["story", "model"]
    issued = json.loads((root / "reports/russia_azerbaijan/2026-01-08/forecast.json").read_text(encoding="utf-8"))
    was = next(
        row for row in issued["forecast"]["quantities"]
        if (row["outcome"], row["kind"], row["horizon_weeks"]) == ("confrontation", "at", 26)
    )  # fmt: skip
    assert content["before"]["mean"] == pytest.approx(was["estimate"]["mean"], abs=1e-9)
    total = content["after"]["mean"] - content["before"]["mean"]
    assert sum(row["difference"] for row in content["moved"]) == pytest.approx(total, abs=1e-12)


# Sentences, on ten states of the ledger.

SEEN = {
    "arrests": ("arrests_in_russia", "2026-01-05", "A1"),
    "meeting": ("presidents_meeting", "2026-01-06", "A1"),
    "rumour": ("arms_purchase_from_russia", "2026-01-06", "E5"),
    "talks": ("talks_collapse", "2026-01-07", "A1"),
}


def states(root: Path, k: int) -> tuple[str, str]:
    """Bring the ledger into its ``k``-th state; gives an outcome and the day to compare with."""
    names = list(SEEN)
    for name in names[: k % 5]:
        indicator, date, grade = SEEN[name]
        if indicator not in (root / MODEL).read_text(encoding="utf-8"):
            continue
        row = ("observe", indicator, "--date", date, "--source", "Wire", "--grade", grade, "--story", name)
        assert call(*row, cwd=root).code == 0
    if k >= 5:
        for row in ("june-propaganda", "mp-jafarov", "kyiv-agrees")[: (k - 3) // 2]:
            assert call("retract", row, "--reason", "for a test", cwd=root).code == 0
    if k % 3 == 2:
        cover = ("cover", "cyberattack", "--from", "2025-12-01", "--to", "2025-12-20", "--source", "Us")
        assert call(*cover, cwd=root).code == 0
    return ("confrontation", "deal", "truce", "cooperation", "strategic_victory")[k % 5], f"2025-12-{27 - k}"


def assert_readable(sentence: str) -> None:
    """Hold a sentence against what a reader would stumble over."""
    assert re.fullmatch(r"[A-Z0-9“].*\.", sentence), sentence
    assert not re.search(
        r"  |nan|inf\b|None|_|--|\b1 points|\b1 weeks|[^0-9.]0 points|\b-\d|\(\)|e-\d| ,|\.\.", sentence
    ), sentence
    for number in re.findall(r"(\d[\d.]*)%", sentence):
        assert 0 <= float(number) <= 100
        assert "." not in number


@pytest.mark.parametrize("k", [*range(4), *(pytest.param(k, marks=pytest.mark.slow) for k in range(4, 10))])
def test_sentences_read_well_on_many_ledgers(k: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the ledger says, sentences have the sign of their numbers, and no digits beyond the error.

    The first four are of a short fit, whose errors are larger.
    """
    root = issued_copy(tmp_path) if k < 4 else copied(fitted_once(), tmp_path / "project")
    monkeypatch.setattr("forecast.answers.drivers.EVALUATIONS", 64)  # more only make the errors smaller
    outcome, since = states(root, k)
    result = forecast.open(root).update("russia_azerbaijan", as_of=AS_OF, now=NOW, refit="never", accept_bad=True)
    found = result.drivers(outcome, since=since, refit="never")
    watched = result.watch(outcome, ahead=1 + k)
    for sentence in (*found.sentences, *watched.sentences, *result.sightings(ahead=1 + k).sentences):
        assert_readable(sentence)
    by_name = {row.what: row for row in found.moved}
    for sentence in found.sentences:
        match = re.fullmatch(
            r"(.*) (took|added) (about )?(less than a point|less than \d+ points|\d+ points?) (off|to) .*", sentence
        )
        if match:
            row = by_name[match[1]]
            assert (match[2], match[5]) == (("took", "off") if row.difference < 0 else ("added", "to"))
            assert abs(row.difference) > 2 * row.mcse
            if match[4][0].isdigit():
                unit = next(unit for unit in (1, 2, 5, 10) if unit >= 200 * row.mcse)
                assert abs(int(match[4].split()[0]) - 100 * abs(row.difference)) <= unit / 2 + 1e-9
    assert sum(row.difference for row in found.moved) == pytest.approx(found.after.mean - found.before.mean, abs=1e-9)
