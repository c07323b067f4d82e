"""What an issued forecast says of other dates, and what changed from one issue to the next."""

from __future__ import annotations

import copy
import datetime as dt
import json
from typing import Any

import numpy as np
import pytest
from projects import REPORT, issued_once

from forecast.record.issue_changes import changes_since, issued_of, last_date


@pytest.fixture(scope="module")
def issued() -> dict[str, Any]:
    """Give one report."""
    return json.loads((issued_once()[0] / REPORT / "forecast.json").read_text(encoding="utf-8"))


@pytest.fixture
def report(issued: dict[str, Any]) -> dict[str, Any]:
    """Give a copy that may be changed."""
    return copy.deepcopy(issued)


def at(report: dict[str, Any], outcome: str) -> list[dict[str, Any]]:
    """List the probabilities at the horizons."""
    rows = report["forecast"]["quantities"]
    return [row for row in rows if row["outcome"] == outcome and row["kind"] == "at"]


def test_its_own_dates_are_read_off(report: dict[str, Any]) -> None:
    """A date that was spoken of has the very numbers; others lie on a straight line between; none outside."""
    first, second, *_, last = at(report, "truce")
    for row in (first, second, last):
        found = issued_of(report, "truce", dt.date.fromisoformat(row["date"]))
        assert found is not None
        assert found.mean == row["estimate"]["mean"]
        assert found.mcse == row["estimate"]["mcse"]
    a, b = (dt.date.fromisoformat(row["date"]) for row in (first, second))
    p, q = (row["estimate"]["mean"] for row in (first, second))
    share = 7 / (b - a).days
    between = issued_of(report, "truce", a + dt.timedelta(days=7))
    assert between is not None
    assert between.mean == pytest.approx((1 - share) * p + share * q, abs=1e-12)
    assert last_date(report, "truce") == dt.date.fromisoformat(last["date"])
    assert issued_of(report, "truce", dt.date.fromisoformat(last["date"]) + dt.timedelta(days=1)) is None
    assert issued_of(report, "truce", dt.date(2026, 1, 7)) is None
    assert issued_of(report, "nobody", a) is None
    assert last_date(report, "nobody") is None


def test_what_was_not_yet_so_begins_at_once(report: dict[str, Any]) -> None:
    """Of a week before the first horizon, an issue without a deal says its share of that horizon, not nothing."""
    first = at(report, "deal")[0]
    assert issued_of(report, "deal", dt.date(2026, 1, 8)).mean == 0.0  # type: ignore[union-attr]
    soon = issued_of(report, "deal", dt.date(2026, 1, 15))
    assert soon is not None
    assert soon.mean == pytest.approx(first["estimate"]["mean"] / first["horizon_weeks"])


def test_nothing_changed_between_a_report_and_itself(report: dict[str, Any]) -> None:
    """All differences are 0 and all lists empty."""
    found = changes_since(report, report)
    assert {row["difference"] for row in found["quantities"]} == {0.0}
    assert len(found["quantities"]) == 4 * len(report["model"]["outcomes"])
    assert found["rows"] == {"added": [], "corrected": [], "gone": []}
    assert (found["assumptions"], found["versions"]) == ([], {})
    assert found["model"][0] == found["model"][1]


def test_what_changed_is_named(report: dict[str, Any], issued: dict[str, Any]) -> None:
    """Rows, assumptions, the model, versions and probabilities, each where it belongs."""
    rows = report["evidence"]["rows"]
    gone = rows.pop(0)["id"]
    rows[0]["grade"] = "E5"
    rows[1]["left_out"] = "what the forecast made of it"
    rows.append({**rows[2], "id": "new-row"})
    report["assumptions"][0]["basis"] = []
    report["model"]["hash"] = "0" * 12
    report["fit"]["versions"]["numpy"] = "99"
    for row in at(report, "deal"):
        row["estimate"]["mean"] += 0.05
    found = changes_since(issued, report)
    assert found["rows"] == {"added": ["new-row"], "corrected": [rows[0]["id"]], "gone": [gone]}
    assert found["assumptions"] == [report["assumptions"][0]["key"]]
    assert found["model"] == [issued["model"]["hash"], "0" * 12]
    assert found["versions"] == {"numpy": [issued["fit"]["versions"]["numpy"], "99"]}
    moved = {row["outcome"] for row in found["quantities"] if abs(row["difference"]) > 1e-12}
    assert moved == {"deal"}
    assert [row["difference"] for row in found["quantities"] if row["outcome"] == "deal"] == pytest.approx([0.05] * 4)


def test_a_report_of_before_there_were_assumptions_says_nothing_of_them(
    report: dict[str, Any], issued: dict[str, Any]
) -> None:
    """What was not written down has not changed."""
    del report["assumptions"]
    assert changes_since(report, issued)["assumptions"] == []


def test_what_an_assumption_is_called_is_no_change_of_it(report: dict[str, Any], issued: dict[str, Any]) -> None:
    """Reports of older issues have no labels."""
    for row in report["assumptions"]:
        del row["label"]
    assert changes_since(report, issued)["assumptions"] == []


def test_later_reports_speak_of_the_same_calendar_dates(report: dict[str, Any], issued: dict[str, Any]) -> None:
    """A week later every horizon lies a week later; what lies behind the earlier one's last date is not compared."""
    week = dt.timedelta(days=7)
    for row in report["forecast"]["quantities"]:
        if row["date"]:
            row["date"] = (dt.date.fromisoformat(row["date"]) + week).isoformat()
    found = changes_since(issued, report)
    assert {row["horizon_weeks"] for row in found["quantities"]} == {4, 13, 26}
    for row in found["quantities"]:
        was = issued_of(issued, row["outcome"], dt.date.fromisoformat(row["date"]))
        assert was is not None
        assert row["before"] == was.mean
        assert row["mcse"] == pytest.approx(float(np.hypot(was.mcse, was.mcse)), rel=0.5)
