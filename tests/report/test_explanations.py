"""What a report holds beside the forecast: it agrees with the forecast and with what it is made from."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from projects import AS_OF, MODEL, NOW, REPORT, call, copied, fitted_once, issued_copy, issued_once
from worlds import SEEDS, small_world

import forecast
from forecast.engine.blocks import Draws
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.quantities.from_draws import RAREST
from forecast.report.explanations import _Line, _past_week, lead_outcome, usual_weeks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Give one report."""
    return json.loads((issued_once()[0] / REPORT / "forecast.json").read_text(encoding="utf-8"))


def estimate(report: dict[str, Any], outcome: str, kind: str, weeks: int | None) -> dict[str, float]:
    """Look a probability up."""
    return next(
        row["estimate"] for row in report["forecast"]["quantities"]
        if (row["outcome"], row["kind"], row["horizon_weeks"], row["given"]) == (outcome, kind, weeks, None)
    )  # fmt: skip


@pytest.mark.parametrize("part", ["cascade", "stages"])
def test_the_cascade_obeys_the_law_of_total_probability(report: dict[str, Any], part: str) -> None:
    """Cases of a stage add up to one; what flows into a case is its probability, and so is what flows out."""
    cascade = report[part]
    states = {
        f"{stage['stage']}.{row['state']}": row["probability"] for stage in cascade["stages"] for row in stage["states"]
    }
    for stage in cascade["stages"]:
        assert sum(row["probability"] for row in stage["states"]) == pytest.approx(1, abs=1e-9)
    names = [stage["stage"] for stage in cascade["stages"]]
    for name, p in states.items():
        into = [link["probability"] for link in cascade["links"] if link["to"] == name]
        out = [link["probability"] for link in cascade["links"] if link["from"] == name]
        stage = name.partition(".")[0]
        assert not into if stage == names[0] else sum(into) == pytest.approx(p, abs=1e-12)
        assert not out if stage == names[-1] else sum(out) == pytest.approx(p, abs=1e-12)
    for link in cascade["links"]:
        if states[link["from"]] < RAREST:
            assert link["given"] is None
        else:
            assert link["probability"] == pytest.approx(link["given"] * states[link["from"]], abs=1e-12)
            assert 0 <= link["given_low"] <= link["given_high"] <= 1
    for outcome in ("confrontation", "cooperation", "truce"):
        mean = estimate(report, outcome, "at", cascade["weeks"])["mean"]
        assert states[f"relations.{outcome}"] == pytest.approx(mean, abs=1e-9)


def test_the_cascade_is_that_of_the_outcomes(report: dict[str, Any]) -> None:
    """Deal, victory and relations as they are published, with their intervals; branches as the conditionals say."""
    cascade = report["cascade"]
    assert [(stage["stage"], [row["state"] for row in stage["states"]]) for stage in cascade["stages"]] == [
        ("deal", ["yes", "no"]), ("strategic_victory", ["yes", "no"]),
        ("relations", ["truce", "confrontation", "cooperation"]),
    ]  # fmt: skip
    for stage in cascade["stages"]:
        for row in stage["states"]:
            name = row["state"] if stage["stage"] == "relations" else stage["stage"]
            published = estimate(report, name, "at", cascade["weeks"])
            if row["state"] != "no":
                found = {"mean": row["probability"], **{key: row[key] for key in ("low", "high", "mcse")}}
                assert found == pytest.approx(published, abs=1e-9)
    branches = {(link["from"], link["to"]): link for link in cascade["links"]}
    assert branches["deal.no", "strategic_victory.yes"]["probability"] == 0
    given = next(
        row["estimate"] for row in report["forecast"]["quantities"]
        if (row["outcome"], row["kind"], row["horizon_weeks"], row["given"])
        == ("confrontation", "given", cascade["weeks"], "strategic_victory")
    )  # fmt: skip
    branch = branches["strategic_victory.yes", "relations.confrontation"]
    for key in ("mean", "low", "high"):
        assert branch["given" if key == "mean" else f"given_{key}"] == pytest.approx(given[key], abs=1e-9)


def test_the_deal_curve_passes_through_the_published_horizons(report: dict[str, Any]) -> None:
    """By week, rising, within its band; at the horizons it is what was published."""
    curve = report["reached"]["deal"]
    assert list(report["reached"]) == ["deal"]
    assert [row["date"] for row in curve] == [(AS_OF + dt.timedelta(weeks=w)).isoformat() for w in range(1, 53)]
    assert all(row["low"] <= row["mean"] <= row["high"] for row in curve)
    assert all(a["mean"] <= b["mean"] for a, b in pairwise(curve))
    for weeks in (4, 13, 26, 52):
        published = estimate(report, "deal", "reached", weeks)
        for part in ("mean", "low", "high"):
            assert curve[weeks - 1][part] == pytest.approx(published[part], abs=1e-12)


def test_the_past_is_told_as_it_was_known(report: dict[str, Any]) -> None:
    """Each week's end has its forecast; the last is the present one; an earlier one is an update of that day."""
    known = report["known"]
    start = dt.date(2024, 12, 18)
    assert [row["date"] for row in known[:2]] == [(start + dt.timedelta(days=d)).isoformat() for d in (6, 13)]
    assert known[-1]["date"] == AS_OF.isoformat()
    for name, row in known[-1]["outcomes"].items():
        assert row["now"] == estimate(report, name, "already", None)
        assert row["then"] == estimate(report, name, "at", 26)
    assert known[25]["outcomes"]["confrontation"]["now"]["mean"] > 0.5
    assert len({row["evidence"] for row in known}) == len(known)
    assert all(row["trusted"] for row in (*known[:8], known[-1]))
    # The issue's fit fails its checks: draws of prior × history tell of each week, 25 of 56 as measured. Their k-hat is
    # near its limit, so that other digits may reach other weeks.
    assert sum(row["trusted"] for row in known) > 20


def test_a_past_week_is_told_by_the_first_draws_that_reach_it() -> None:
    """Draws that failed their checks are passed over; where none is sound the first are told, and marked."""
    world = small_world(SEEDS[0])
    draws = Draws(*(np.repeat(part, 200, axis=0) for part in world.draws))
    line = _Line(world.space, 4)
    sound = Anchor(world.space, "sound", lambda: draws, cells=world.evidence.cells)
    bad = Anchor(world.space, "bad", lambda: draws, complaints=["R-hat"])
    used: list[str] = []

    def give(anchor: Anchor) -> Callable[[], Anchor]:
        return lambda: used.append(anchor.name) or anchor

    shown, trusted = _past_week(world.evidence, line, [give(bad), give(sound), give(bad)])
    assert (trusted, used) == (True, ["bad", "sound"])
    assert shown == line.of(reweigh(sound, world.evidence))
    shown, trusted = _past_week(world.evidence, line, [give(bad), give(bad)])
    assert (trusted, used[2:]) == (False, ["bad", "bad"])
    assert shown == line.of(reweigh(bad, world.evidence))


def test_events_drivers_watch_list_and_suppositions_speak_of_the_rows(report: dict[str, Any]) -> None:
    """Every event points to rows of the evidence; every part speaks of the lead outcome and horizon."""
    rows = {row["id"] for row in report["evidence"]["rows"]}
    assert report["events"]
    assert all(set(event["rows"]) <= rows for event in report["events"])
    assert (report["lead"], report["lead_weeks"]) == ("confrontation", 26)
    for part in ("drivers", "watch", "sensitivity"):
        assert (report[part]["outcome"], report[part]["weeks"]) == ("confrontation", 26)
        assert report[part]["sentences"]
    assert report["drivers"]["since_issue"] is False
    assert report["drivers"]["since"] == (AS_OF - dt.timedelta(weeks=4)).isoformat()
    assert {row["name"] for row in report["what_if"]} >= {"arms_purchase_from_russia", "peace.fresh_deal"}
    now = {name: estimate(report, name, "at", 26)["mean"] for name in report["model"]["outcomes"]}
    for row in report["what_if"]:
        for name, change in row["outcomes"].items():
            assert change["after"] - change["difference"] == pytest.approx(now[name], abs=1e-9)


def test_rules_stand_beside_the_states(report: dict[str, Any]) -> None:
    """Each outcome at and by each horizon, and whether it is met now; the rule of a deal is its state."""
    rules = {(row["outcome"], row["kind"], row["horizon_weeks"]): row for row in report["rules"]}
    assert set(rules) == {(name, kind, w) for name in report["model"]["outcomes"] for kind in ("at", "by")
                          for w in (4, 13, 26, 52)}  # fmt: skip
    assert {row["outcome"] for row in report["rules"] if row["met_now"]} == {"truce"}
    for (name, kind, weeks), row in rules.items():
        state = "at" if kind == "at" else "reached"
        assert row["date"] == (AS_OF + dt.timedelta(weeks=weeks)).isoformat()
        if name == "deal":
            state = estimate(report, name, state, weeks)
            assert row["estimate"]["mean"] == pytest.approx(
                state["mean"], abs=4 * (row["estimate"]["mcse"] + state["mcse"])
            )


def test_rules_can_be_asked_of_a_forecast_that_was_just_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same each time, with the forecast's own trust."""
    monkeypatch.setattr("forecast.answers.rule_probability.PATHS", 4000)  # one from each draw
    result = forecast.open(fitted_once()).update(as_of=AS_OF, now=NOW)
    rules = result.rules()
    assert rules == result.rules()
    assert rules.to_frame()["mean"].between(0, 1).all()
    assert (rules.model, rules.as_of, rules.trust) == ("russia_azerbaijan", AS_OF, result.trust)


def test_every_basis_of_the_model_file_is_there(report: dict[str, Any]) -> None:
    """Each entry with its numbers and reasons, in the order of the file."""
    spec = forecast.open(issued_once()[0]).model("russia_azerbaijan").spec
    keys = [row["key"] for row in report["assumptions"]]
    assert len(keys) == len(set(keys)) > 90
    rate = next(
        row for row in report["assumptions"] if row["key"] == "stages.relations.transitions.truce>confrontation"
    )
    move = next(m for m in spec.stages["relations"].transitions if (m.from_, m.to) == ("truce", "confrontation"))
    assert rate["interval"] == list(move.per_year)
    assert [basis["kind"] for basis in rate["basis"]] == [basis.kind for basis in move.basis]
    assert all(row["basis"] for row in report["assumptions"])
    labels = {row["key"]: row["label"] for row in report["assumptions"]}
    assert labels["stages.relations.transitions.truce>confrontation"].endswith("relations: truce to confrontation")
    assert labels["priors.grades"] == "How much likelier each grade makes an indicator"
    assert labels["outcomes.deal"] == spec.outcomes["deal"].label
    assert not any(key in label for key, label in labels.items())


@pytest.mark.slow
def test_a_second_issue_says_what_changed(tmp_path: Path) -> None:
    """The headline, the changes and the drivers speak of the issue before; the past that is the same is taken over."""
    root = copied(fitted_once(), tmp_path / "project")
    project = forecast.open(root)
    model = project.model("russia_azerbaijan")
    from forecast.inference.settings import Settings  # noqa: PLC0415 - slow to import

    first = project.run(model, AS_OF, Settings(), now=NOW)
    assert first.report["changes"] is None
    assert first.report["headline"]["changed"] == ["It is the first that was issued."]
    row = (
        "observe",
        "arrests_in_russia",
        "--date",
        "2026-01-07",
        "--source",
        "Wire",
        "--grade",
        "A1",
    )
    assert call(*row, cwd=root).code == 0
    second = project.run(model, AS_OF, Settings(), now=NOW)
    assert second.new
    report = second.report
    (added,) = report["changes"]["rows"]["added"]
    assert next(row for row in report["events"] if added in row["rows"])["date"] == "2026-01-07"
    assert report["drivers"]["since_issue"] is True
    (changed,) = report["headline"]["changed"]
    made = f"made {NOW:%Y-%m-%d %H:%M} UTC"
    assert changed.startswith(f"Since the issue of the same day, {made}, confrontation has risen by ")
    assert report["headline"]["why"][0].endswith(" to confrontation.")
    assert report["known"][:-2] == first.report["known"][:-2]
    assert report["known"][-1] != first.report["known"][-1]
    assert report["track"]["sentences"][0] == "2 forecasts of this model have been issued; none is resolved."
    again = project.run(model, AS_OF, Settings(), now=NOW)
    assert not again.new
    assert again.report == report
    assert project.track_record.report(model.spec.name, AS_OF) == report
    assert project.track_record.report(model.spec.name, None) == report
    with pytest.raises(
        forecast.InputError, match="has been issued as of 2026-01-09; there are 2026-01-08 to 2026-01-08"
    ):
        project.track_record.report(model.spec.name, dt.date(2026, 1, 9))


def test_the_lead_is_the_first_outcome_of_the_last_stage() -> None:
    """And the horizon is 26 weeks where the model has it."""
    spec = forecast.open(issued_once()[0]).model("russia_azerbaijan").spec
    assert (lead_outcome(spec), usual_weeks(spec)) == ("confrontation", 26)
    header = spec.model.model_copy(update={"horizons_weeks": (4, 12)})
    assert usual_weeks(spec.model_copy(update={"model": header})) == 12


def test_an_issued_report_is_rendered_again_byte_for_byte(tmp_path: Path) -> None:
    """Whatever has happened since: other rows, another model, a folder that is gone."""
    root = issued_copy(tmp_path)
    folder = root / REPORT
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"report.html", "report.md", "forecast.json"} < before.keys()
    row = ("observe", "cyberattack", "--date", "2026-01-06", "--source", "Wire", "--grade", "B2")
    assert call(*row, cwd=root).code == 0
    model = root / MODEL
    model.write_text(model.read_text(encoding="utf-8").replace("times = [1.2, 5]", "times = [0.2, 0.8]", 1))
    shutil.rmtree(folder)
    done = call("report", "--as-of", "2026-01-08", cwd=root)
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{REPORT}/report.html\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "2026-01-08/report.html" in (root / "reports" / "index.html").read_text(encoding="utf-8")
    wrong = call("report", "--as-of", "2026-01-07", cwd=root)
    assert (wrong.code, wrong.out) == (2, "")
    assert "has been issued as of 2026-01-07; there are 2026-01-08 to 2026-01-08" in wrong.err
