"""Post-mortems: every issue that spoke of the question, what moved it, and which stories spoke for the answer."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from entries import answer
from places import TEMPLATES
from projects import AS_OF as PROJECT_DAY
from projects import call, issued_copy
from track import AS_OF, MODEL, issue, later, noon, rows_of

import forecast
from forecast.record.post_mortem import post_mortems
from forecast.report.post_mortem import render_post_mortem

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.ledger.issued import Issued

TEXTS = {"deal": "The deal is on record.", "confrontation": "Two acts."}
FACTORS = {"stalled": 0.5, "fresh_deal": 2.0, "settled_deal": 1.0}
DATE = later(28)


def told(as_of: dt.date, probability: float, seq: int, **more: Any) -> Issued:
    """Give an issue that says how likely the rule is to be met four weeks after the first issue."""
    weeks = (DATE - as_of).days // 7
    made = issue(TEXTS, as_of, rows_of(as_of, {("deal", "at", weeks): probability, ("deal", "by", weeks): 0.9}))
    content = json.loads(made.content) | more
    content["model"]["outcomes"]["deal"] |= {"label": "Peace deal", "states": {"peace": ["fresh_deal", "settled_deal"]}}
    return dataclasses.replace(made, seq=seq, content=json.dumps(content))


def story(what: str, **factors: float) -> dict[str, Any]:
    """Give a line of a report's matrix."""
    return {
        "kind": "story", "what": what, "stage": "peace", "date": "2026-01-01", "rows": ["r"], "notes": [],
        "factors": {name: {"mean": value, "low": value, "high": value} for name, value in factors.items()},
    }  # fmt: skip


def test_every_issue_before_the_day_is_told_with_its_score() -> None:
    """In the order of dates, with how far each moved; a later issue says nothing of it."""
    issues = [told(AS_OF, 0.2, 1), told(later(7), 0.35, 2), told(later(14), 0.3, 3)]
    (found,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="yes")])
    assert [row.as_of for row in found.told] == [AS_OF, later(7), later(14)]
    assert [row.probability for row in found.told] == pytest.approx([0.2, 0.35, 0.3])
    assert [row.moved for row in found.told] == [None, pytest.approx(0.15), pytest.approx(-0.05)]
    assert [row.brier("yes") for row in found.told] == pytest.approx([0.64, 0.4225, 0.49])
    assert found.told[0].brier("no") == pytest.approx(0.04)
    assert "first given 20%" in found.sentences[1]
    assert "15 points towards the answer" in found.sentences[2]
    (lost,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="no")])
    assert "15 points away from the answer" in lost.sentences[2]


def test_a_question_by_a_date_is_that_of_its_issue() -> None:
    """Others ask since another day."""
    issues = [told(AS_OF, 0.2, 1), told(later(7), 0.35, 2)]
    (found,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, since=AS_OF, answer="yes")])
    assert [(row.as_of, row.probability) for row in found.told] == [(AS_OF, 0.9)]
    assert "on any day after" in found.question


def test_what_nobody_asked_has_no_page() -> None:
    """An answer to a question of no issue that counts."""
    assert (
        post_mortems([told(AS_OF, 0.2, 1)], [answer(model=MODEL, outcome="deal", date=later(90), answer="yes")]) == ()
    )


def test_stories_are_judged_by_the_answer() -> None:
    """By the states of the outcome against the others of the stage; what fits both spoke for neither."""
    matrix = {
        "rows": [
            story("Signing", stalled=0.5, fresh_deal=2.0, settled_deal=1.0),
            story("Strikes", stalled=2.0, fresh_deal=0.4, settled_deal=0.4),
            story("Noise", stalled=1.0, fresh_deal=1.0, settled_deal=1.0),
            story("Elsewhere", stalled=1.0, fresh_deal=1.0) | {"stage": "victory"},
            story("To come", stalled=0.1, fresh_deal=1.0) | {"kind": "coming"},
        ]
    }
    issues = [told(AS_OF, 0.2, 1), told(later(7), 0.35, 2, matrix=matrix)]
    (found,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="yes")])
    assert [(row.what, row.right) for row in found.witnesses] == [
        ("Strikes", False),
        ("Signing", True),
        ("Noise", None),
    ]
    assert found.witnesses[0].factor == pytest.approx(0.2)
    assert found.witnesses[1].factor == pytest.approx(3.0)
    assert found.sentences[-2:] == ("Spoke for what came: Signing.", "Spoke against what came: Strikes.")
    (no,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="no")])
    assert [row.right for row in no.witnesses] == [True, False, None]
    (void,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="void")])
    assert {row.right for row in void.witnesses} == {None}
    assert "not scored" in void.sentences[-1]


def test_news_are_the_rows_that_came_since_the_issue_before() -> None:
    """What was left out of the forecast is no news; the first issue has none."""
    rows = [
        {"id": "a", "what": "A signing", "date": "2026-01-20", "left_out": None},
        {"id": "b", "what": "A rumour", "date": "2026-01-20", "left_out": "F6"},
    ]
    changes = {"rows": {"added": ["a", "b"], "corrected": [], "gone": []}}
    issues = [told(AS_OF, 0.2, 1), told(later(7), 0.35, 2, changes=changes, evidence={"rows": rows})]
    (found,) = post_mortems(issues, [answer(model=MODEL, outcome="deal", date=DATE, answer="yes")])
    assert [row.news for row in found.told] == [(), ("“A signing” (20 Jan 2026)",)]
    assert "when came “A signing”" in found.sentences[2]


def test_the_command_writes_a_page_for_each_question(tmp_path: Path) -> None:
    """After `resolve`; the index lists the pages; without a resolved question it says what to do."""
    root = issued_copy(tmp_path)
    none = call("post-mortem", cwd=root)
    assert (none.code, none.err) == (0, "")
    assert none.out.startswith("No question is resolved yet")
    project = forecast.open(root)
    date = PROJECT_DAY + dt.timedelta(weeks=4)
    hand = {
        "answer": "no",
        "reason": "No text.",
        "url": "https://example.org",
        "now": noon(date + dt.timedelta(days=90)),
    }
    for since in (None, PROJECT_DAY):
        project.overrule("deal", date, since=since, **hand)
    done = call("post-mortem", "deal", "--date", str(date), cwd=root)
    assert done.code == 0, done.err
    assert "2 pages" in done.out
    folder = root / "reports" / MODEL / "resolved"
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"{date}-deal-after-{PROJECT_DAY}.html", f"{date}-deal.html"]
    page = (folder / names[1]).read_text(encoding="utf-8")
    assert f"../{PROJECT_DAY}/report.html" in page
    assert "against what came" in page
    index = (root / "reports" / "index.html").read_text(encoding="utf-8")
    assert all(f"{MODEL}/resolved/{name}" in index for name in names)
    wrong = call("post-mortem", "peace", cwd=root)
    assert wrong.code == 2
    assert "no question of 'peace' that 'russia_azerbaijan' was asked is resolved" in wrong.err
    plain = json.loads(call("post-mortem", "--json", cwd=root).out)
    assert {(row["outcome"], row["answer"]) for row in plain} == {("deal", "no")}


def test_no_text_of_a_question_can_run_on_its_page() -> None:
    """Reasons and labels are text, and only addresses of the web are links."""
    bad = "<script>alert(1)</script>"
    (found,) = post_mortems(
        [told(AS_OF, 0.2, 1)],
        [answer(model=MODEL, outcome="deal", date=DATE, answer="yes", reason=bad, url="javascript:alert(1)")],
    )
    page = render_post_mortem(found.to_dict() | {"label": bad, "question": bad}, [TEMPLATES])
    assert "<script" not in page
    assert "javascript:" not in page
