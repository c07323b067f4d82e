"""First screen of a report: an alarm, no skill yet and hindsight are not hidden, and the numbers add up."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import places
import pytest

from forecast.base.prose import term
from forecast.ledger.published import Published
from forecast.quantities.likelihood import likelihood_of
from forecast.record.scores import Against, Group, Part, Score
from forecast.report.headline import in_words
from forecast.report.index import index_data, render_index
from forecast.report.page import render_files
from forecast.report.summary import sum_up
from forecast.report.text import render_text
from forecast.report.views import issued_words

TEMPLATES = [places.TEMPLATES]
WORD = "Alarm: since 18 Nov 2025, what was observed contradicts the model: <1% of its futures were as surprising."
NO_RECORD = Score("russia_azerbaijan", 0, 0, None, (), ())


def report(*, rings: bool) -> dict[str, Any]:
    """Give the report data of an issue, as they would be made today."""
    data = copy.deepcopy(json.loads(places.REPORT.read_text(encoding="utf-8")))
    if rings:
        data["alarm"] |= {"rings": True, "tail": 0.001, "sentences": [WORD, "Do not rely on its numbers."]}
    return data | sum_up(data, None, NO_RECORD)


def pages(data: dict[str, Any], words: str | None = None) -> dict[str, str]:
    """Give the text of every form of a report."""
    files = render_files(data, TEMPLATES, words)
    page = files["report.html"].decode()
    page = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return {
        "terminal": render_text(in_words(data, words), 300),
        "markdown": files["report.md"].decode(),
        "page": re.sub(r"<[^>]+>", "", page).replace("&lt;", "<"),
    }


def issue(data: dict[str, Any], **more: Any) -> Any:
    """Give an issue of the archive, as much as the index reads."""
    import datetime as dt  # noqa: PLC0415 - only here

    as_of = dt.date.fromisoformat(data["forecast"]["as_of"])
    at = dt.datetime.fromisoformat(data["issued_at"])
    rest = {
        "model": data["model"]["name"],
        "as_of": as_of,
        "issued_at": at,
        "published": Published.of(json.dumps(data)),
    }
    return SimpleNamespace(**rest | more)


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out, which take longest."""
    monkeypatch.setattr("forecast.report.page.all_charts", lambda _: {})


# An alarm.


def test_a_ringing_alarm_stands_on_top() -> None:
    """Terminal, Markdown and page say it before any number, the index before any model, the JSON at its top level."""
    data = report(rings=True)
    for form, text in pages(data).items():
        line = " ".join(text.replace("\\", "").replace("&lt;", "<").split())
        assert WORD in line, form
        before = line.partition(WORD)[0]
        assert not re.search(r"\d%", before), form
    assert data["alarm"]["rings"] is True
    assert data["headline"]["sentences"][0] == WORD
    index = render_index(index_data([issue(data)]), TEMPLATES)
    assert "&lt;1% of its futures" in index.partition("<h2>")[0]
    assert "under alarm" in index
    assert "On 9 Jul 2026, exactly one of these holds" in index


def test_silence_is_not_on_top() -> None:
    """Without an alarm none of them speaks of one before its section, and the index not at all."""
    data = report(rings=False)
    for text in pages(data).values():
        assert "contradicts the model" not in text.replace("\\", "").partition("Conflict alarm")[0][:5000]
    assert "alarm" not in render_index(index_data([issue(data)]), TEMPLATES).partition("<body>")[2]


@pytest.mark.parametrize("rings", [True, False])
def test_a_report_under_alarm_does_not_say_that_all_is_well(rings: bool) -> None:  # noqa: FBT001
    """That the numbers passed their checks is said where nothing rings."""
    data = report(rings=rings)
    texts = pages(data)
    assert ("The numbers passed their checks." in data["health"]["sentences"]) is not rings
    for well in ("The numbers passed their checks.", "Yes: the checks passed.", " The checks passed."):
        for form in ("markdown", "page"):
            assert not (rings and well in texts[form]), (form, well)


# Skill.


def test_no_skill_yet_is_said_with_what_it_rests_on() -> None:
    """One sentence on every first screen: the record, the back-test, and how many links rest on the prior."""
    data = report(rings=False)
    (sentence,) = data["skill"]["sentences"]
    assert data["skill"]["shown"] is False
    assert re.fullmatch(
        r"No skill shown yet: this is the first forecast issued; no back-test is kept with the forecasts "
        r"\(forecast backtest makes one\); 29 of 29 links of the theory rest on the prior\.",
        sentence,
    )
    for form, text in pages(data).items():
        assert "29 of 29 links of the theory rest on the prior." in text.replace("\\", "")[:9000], form


def resting(*, history: bool) -> dict[str, Any]:
    """Make what a report of a model says that it rests on: everything in the same three shares."""
    estimate = {"mean": 0.4, "low": 0.1, "high": 0.8, "mcse": 0.002}
    shares = {"prior": 0.505, "history": 0.333, "reports": 0.162}
    row = {"outcome": "deal", "horizon_weeks": 52, "date": "2027-01-07", **shares}
    row |= {"alone": estimate, "informed": estimate, "now": estimate}
    return {
        "history": history,
        "links": [{"name": one["name"], **shares} for one in report(rings=False)["learned"]],
        "numbers": [
            row | {"kind": "at", "given": None},
            row | {"outcome": "confrontation", "kind": "given", "given": "strategic_victory"},
        ],
        "sentences": ["Of its 29 links 29 rest mostly on the file.", "What the history changed: nothing."] * history,
    }


def test_with_a_history_the_first_screen_counts_three_shares() -> None:
    """The sentence with three shares takes the place of the one on the prior, whether skill is shown or not."""
    data = report(rings=False) | {"rests_on": resting(history=True)}
    data |= sum_up(data, None, NO_RECORD)
    first, second = data["skill"]["sentences"]
    assert first.endswith("no back-test is kept with the forecasts (forecast backtest makes one).")
    assert second == "Of its 29 links 29 rest mostly on the file."
    for form, text in pages(data).items():
        plain = " ".join(text.replace("\\", "").split())
        assert second in plain[:9000], form
        assert "29 of 29 links of the theory rest on the prior." not in plain, form
        assert "What the history changed: nothing." in plain, form
    shown = sum_up(data, None, Score("russia_azerbaijan", 3, 0, None, (), (part(10, *BETTER),)))["skill"]
    better, last = shown["sentences"]
    assert (shown["shown"], last) == (True, second)
    assert better.startswith("On 40 resolved questions it foretold better than ")


def test_with_a_history_every_form_tells_the_shares_in_full() -> None:
    """Percents that add up to 100 stand beside each link and number; on the terminal beside the numbers."""
    data = report(rings=False) | {"rests_on": resting(history=True)}
    texts = pages(data)
    label, plain = data["model"]["outcomes"]["confrontation"]["label"], texts["markdown"].replace("\\", "")
    assert f"| {label}, given strategic victory | 40% | 40% | 40% | 51 | 33 | 16 |" in plain
    assert len(re.findall(r"\| 51 \| 33 \| 16 \|\n", plain)) == 2
    assert len(re.findall(r"\| 51 / 33 / 16 \|\n", plain)) == 29 + 1  # every link, and the condition that is told
    assert "What is known of the numbers for 52 weeks rests on" in texts["terminal"]
    assert re.search(r"given strategic victory +51 % +33 % +16 %\n", texts["terminal"])


def test_without_a_history_the_report_speaks_of_the_prior_as_before() -> None:
    """A model without one has the same words as an older report that knows no shares."""
    data = report(rings=False)
    told = data | {"rests_on": resting(history=False)}
    assert pages(told | sum_up(told, None, NO_RECORD)) == pages(data)


def against(name: str, difference: float) -> Against:
    """Compare with a naive forecaster in many clusters."""
    return Against(name, 40, 10, 0.2, 0.6, difference, 0.01, difference, 0.01)


def part(clusters: int, *rows: Against, live: bool = True) -> Part:
    """Score many questions."""
    return Part(live, 0, Group(None, None, None, 40, 10, clusters, 0.1, 0.3, rows), (), None)


BETTER = tuple(against(name, -0.1) for name in ("persistence", "prior only", "last issue repeated"))
LEVEL = (*BETTER[:2], against("last issue repeated", 0.0))


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ((), "none of the 4 forecasts issued is resolved"),
        ((part(10, *BETTER, live=False),), "what is resolved was issued with hindsight"),
        (
            (part(3, *(replace(row, clusters=3) for row in BETTER)),),
            "40 resolved questions from issues of 3 quarters are too few",
        ),
        ((part(10, *LEVEL),), "on 40 resolved questions it was not better than last issue repeated"),
        ((part(10, *BETTER),), None),
    ],
)
def test_skill_is_shown_by_better_scores_on_live_forecasts_alone(parts: tuple[Part, ...], told: str | None) -> None:
    """Until every naive forecaster is beaten on enough questions, the sentence stays and says why."""
    data = report(rings=False)
    found = sum_up(data, None, Score("russia_azerbaijan", 3, 0, None, (), parts))["skill"]
    assert found["shown"] is (told is None)
    assert told or found["sentences"][0].startswith("On ")
    assert told is None or re.search(f"No skill shown yet: {told}; ", found["sentences"][0])


# Hindsight.


@pytest.mark.parametrize(
    ("issued_at", "told"),
    [
        ("2026-01-08T06:00:00+00:00", "issued 2026-01-08 06:00 UTC"),
        ("2026-01-09T23:59:00+00:00", "issued 2026-01-09 23:59 UTC"),
        ("2026-01-10T00:00:00+00:00", "issued 2026-01-10 00:00 UTC, back-dated: 2 days after its date, with hindsight"),
    ],
)
def test_a_back_dated_forecast_says_so_beside_its_date(issued_at: str, told: str) -> None:
    """Issued later than the day after its date, it says by how many days, wherever its date is shown."""
    assert issued_words("2026-01-08", issued_at) == told
    data = report(rings=False) | {"issued_at": issued_at}
    for form, text in pages(data).items():
        assert told in text.replace("\\", ""), form
        assert ("back-dated" in text) is ("back-dated" in told), form
    assert told in render_index(index_data([issue(data)]), TEMPLATES)


# It adds up.


def test_the_headline_tells_exclusive_outcomes_from_others() -> None:
    """Those of which one holds add up to 100 %; a deal and a victory stand apart from them."""
    said, until = report(rings=False)["headline"], "at some time until then"
    assert said["stand"] == [
        "On 9 Jul 2026, exactly one of these holds: truce 59%, cooperation 23% and confrontation 18%.",
        f"Apart from that, deal 10% (16% {until}) and strategic victory 5% (8% {until}).",
    ]
    assert said["sentences"][:2] == said["stand"]
    assert sum(map(int, re.findall(r"(\d+)%", said["stand"][0]))) == 100
    assert said["exclusive"] == ["truce", "cooperation", "confrontation"]
    assert said["others"] == ["deal", "strategic_victory"]


def test_numbers_of_a_whole_that_are_rounded_apart_say_so() -> None:
    """Each is rounded by itself, as everywhere else."""
    data = report(rings=False)
    new = {"truce": 0.594, "cooperation": 0.234, "confrontation": 0.172}
    for row in data["forecast"]["quantities"]:
        if row["kind"] == "at" and row["horizon_weeks"] == 26 and row["outcome"] in new:
            row["estimate"]["mean"] = new[row["outcome"]]
    data |= sum_up(data, None, NO_RECORD)
    assert data["headline"]["stand"][0].endswith("confrontation 17% (the numbers are rounded).")


def test_outcomes_of_which_exactly_one_holds_have_a_line_of_their_sum() -> None:
    """Every form says that they add up; where the rounded parts do not add up, the line says that they are rounded."""
    data = report(rings=False)
    name = "Exactly one holds of confrontation, cooperation and truce"
    for form, text in pages(data).items():
        (told,) = re.findall(rf"{name}\D*((?:100%[ †|]*\s*)+)", text)
        assert told.count("100%") == 5, form
    new = {"truce": 0.594, "cooperation": 0.234, "confrontation": 0.172}
    for row in data["forecast"]["quantities"]:
        if row["kind"] == "at" and row["horizon_weeks"] == 26 and row["outcome"] in new:
            row["estimate"]["mean"] = new[row["outcome"]]
    for form, text in pages(data).items():
        assert "100% †" in text, form
        assert "† the parts are rounded one by one" in text, form


def test_outcomes_that_leave_a_case_out_have_no_sum() -> None:
    """Without cooperation the others are not all that can be."""
    data = report(rings=False)
    part = data["forecast"]
    part["quantities"] = [row for row in part["quantities"] if row["outcome"] != "cooperation"]
    del data["model"]["outcomes"]["cooperation"]
    data["conditionals"] = []
    assert "Exactly one" not in render_text(data | {"rests_on": None}, 300)


def test_no_key_stands_where_a_label_belongs() -> None:
    """A row that assesses a state, and an entry of the model file, are told in words; the key follows the entry."""
    data = report(rings=False)
    row, entry = data["evidence"]["rows"][0], data["assumptions"][1]
    row |= {"what": "relations.truce", "name": "relations.truce"}
    key = entry["key"]
    assert key.count(".") > 1
    older = {form: text for form, text in pages(data).items() if form != "terminal"}
    entry["label"] = "Peace talks: stalled to advancing"
    for form, text in pages(data).items():
        if form != "terminal":
            assert "Russia–Azerbaijan relations: truce" in text, form
            assert "relations.truce" not in text, form
            assert "Peace talks: stalled to advancing" in text.partition("Every number of the model")[2], form
            assert key in text.replace("\\", "").replace("&gt;", ">"), form
            assert key.replace("_", " ") in older[form].replace("\\", "").replace("&gt;", ">"), form


def test_rows_are_counted_alike_everywhere() -> None:
    """The headline and the caption of the rows count the same; what rows tell of is an event everywhere."""
    data = report(rings=False)
    data["evidence"]["rows"][3]["left_out"] = "no news"
    data |= sum_up(data, None, NO_RECORD)
    (count,) = re.findall(r"Of the (\d+) rows that count", data["headline"]["trust"][0])
    known = len(data["evidence"]["rows"])
    assert int(count) < known
    data["drivers"]["sentences"] = data["matrix"]["sentences"] = []
    for form, text in pages(data).items():
        if form != "terminal":
            assert f"{known} rows, {count} of which count, the newest of these 7 Jan 2026" in text, form
            assert "event or sighting to come" in text, form
            assert not re.search(r"\bstor(y|ies) (or|that|does)|each story|No single story", text), form


def test_how_likely_and_how_far_to_trust_it_are_told_apart() -> None:
    """What to trust has no sentence that says how likely an outcome is, and the numbers none on trust."""
    said = report(rings=False)["headline"]
    assert said["trust"][0] == "Of the 28 rows that count the newest is 1 day old."
    assert said["trust"][1] == "The conflict alarm is silent, though what was observed is unusual."
    assert any(line.startswith("No skill shown yet") for line in said["trust"])
    assert any("alone" in line and "the number would " in line for line in said["trust"])
    assert not any("stands at" in line or "holds:" in line for line in said["trust"])
    assert not any("alarm" in line or "skill" in line for line in (*said["stand"], *said["changed"], *said["why"]))
    for form, text in pages(report(rings=False)).items():
        if form != "terminal":
            assert "The conflict alarm is silent, though" in text, form


@pytest.mark.parametrize(
    ("newest", "age"),
    [("2026-01-08", "is of the day itself"), ("2025-12-09", "is 30 days old"), (None, "theory alone")],
)
def test_the_age_of_the_evidence_is_told(newest: str | None, age: str) -> None:
    """By the newest row that counts."""
    data = report(rings=False)
    data["evidence"]["newest"] = newest
    assert age in sum_up(data, None, NO_RECORD)["headline"]["trust"][0]


# Words.


def test_terms_follow_the_numbers_only_where_they_are_asked_for() -> None:
    """Those of ICD 203, in every form, after the number; the data stay as they are archived."""
    data = report(rings=False)
    before = copy.deepcopy(data)
    plain, told = pages(data), pages(data, "icd203")
    assert data == before
    assert "truce 59% (likely), cooperation 23% (unlikely) and confrontation 18% (very unlikely)" in told["markdown"]
    assert "in words of ICD 203" in told["terminal"]
    assert re.search(r"59%\s+likely\s+on 9 Jul 2026", told["page"])
    for text in plain.values():
        assert "(likely)" not in text
        assert "ICD 203" not in text
    files = render_files(data, TEMPLATES, "icd203")
    assert json.loads(files["forecast.json"]) == data


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "almost no chance"), (0.049, "almost no chance"), (0.05, "very unlikely"), (0.199, "very unlikely"),
        (0.2, "unlikely"), (0.449, "unlikely"), (0.45, "roughly even chance"), (0.549, "roughly even chance"),
        (0.55, "likely"), (0.799, "likely"), (0.8, "very likely"), (0.949, "very likely"),
        (0.95, "almost certain"), (1.0, "almost certain"),
    ],
)  # fmt: skip
def test_terms_are_those_of_the_directive(value: float, said: str) -> None:
    """Intelligence Community Directive 203: 1-5, 5-20, 20-45, 45-55, 55-80, 80-95, 95-99 percent."""
    assert term(value) == said
    assert likelihood_of(value) == said.replace(" ", "-")  # the machine tag has the same word, at the ends too


def test_newly_reached_is_explained_where_it_stands_below_the_day() -> None:
    """Beside every table that holds both numbers stands why the one can be the smaller."""
    for form, text in pages(report(rings=False)).items():
        assert ("newly by then" if form == "terminal" else "newly reached by") in text, form
        assert "what holds now is left out" in text, form


def test_how_well_a_rule_follows_is_told_apart_from_how_likely_it_is_met() -> None:
    """No share of simulated worlds stands among the probabilities, and beside the shares stands what they are not."""
    data = report(rings=False)
    share = {"mean": 0.82, "mcse": 0.001}
    for row in data["rules"]:
        row |= {"sensitivity": share, "false_alarms": None if row["outcome"] == "deal" else share | {"mean": 0.28}}
    for form, text in pages(data).items():
        words = "met where it holds" if form == "terminal" else "rule met if it holds on some day by then"
        at = text.index(words)
        assert "do not add up to 100 %" in " ".join(text.split()), form
        assert "too rare" in text[at:], form
        met = [found.start() for found in re.finditer("rule met (by|on)", text)]
        assert met, form
        assert max(met) < at, form
        assert not re.search("82%|28%", text[met[0] : met[-1]]), form


def test_one_number_is_rounded_alike_in_headline_and_tables() -> None:
    """With an error that asks for fewer digits, every place that shows it has the same text."""
    data = report(rings=False)
    for row in data["forecast"]["quantities"]:
        if (row["outcome"], row["kind"], row["horizon_weeks"]) == ("truce", "at", 26):
            row["estimate"] |= {"mean": 0.611, "mcse": 0.006}
    data |= sum_up(data, None, NO_RECORD)
    for form, text in pages(data).items():
        assert "62% (" in text, form
        assert "61% (" not in text, form
        assert form == "terminal" or "truce about 62%" in text, form
