"""The track record as commands and reports show it."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import numpy as np
import pytest
from entries import LINK
from pictures import drawn_once
from places import DOCS, REPORT
from projects import strict_json
from track import FOUR, MODEL, WEEKS, World, ask, later, noon

from forecast.base.sanitise import EXECUTED
from forecast.report.page import render_files
from forecast.report.sections.all_sections import all_charts as charts
from forecast.report.sections.all_sections import all_tables as tables
from forecast.report.summary import sum_up

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _drawn_once() -> Iterator[None]:
    """Draw a picture once, however many of the reports have it."""
    with drawn_once():
        yield


HOSTILE = '=cmd|"/c calc"!A1 </script><script>alert(1)</script> [x](javascript:alert(1)) | `code` \u202e'


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
    assert re.search(r"^deal by 13 weeks\t30\t\d+\t", done.out, flags=re.MULTILINE)
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
    judged = world.project.judgements.pooled(MODEL)
    return report | json.loads(json.dumps(sum_up(report, None, world.project.score(MODEL), judged)))


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


def test_a_report_tells_how_analysts_did_and_keeps_open_questions_blind(world: World, report: dict[str, Any]) -> None:
    """A line for the resolved questions that they judged, without a name; of open ones nothing changes a byte."""
    world.issue(later(0), FOUR)
    before = recorded(world, report)
    files = rendered(world, before)
    for analyst, probability in (("ada", 0.81), ("bo", 0.77)):
        world.project.judgements.judge(
            "deal", date=later(91), probability=probability, analyst=analyst, now=noon(later(3)), model=MODEL
        )
    assert recorded(world, report) == before
    world.deal(later(80))
    world.resolve(later(400))
    data = recorded(world, report)
    (line,) = [one for one in data["track"]["sentences"] if one.startswith("Analysts")]
    assert re.match(r"Analysts pooled, last judgements: Brier score 0\.\d+, log score .* on 1 question, 1 of ", line)
    schema = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(data["track"], schema["properties"]["track"])
    for shown, was in zip(rendered(world, data), files, strict=True):
        assert "Analysts pooled, last judgements: Brier score 0." in shown
        assert "Analysts pooled" not in was
        assert "ada" not in line


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
