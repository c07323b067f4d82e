"""The JSON API: every answer says what it rests on, rows move it at once, and what is wrong is said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import places
import pytest
from jsonschema import Draft202012Validator
from service_scenes import MODEL, NOW, ROW

import forecast
from forecast.base.errors import LedgerError
from forecast.service.schemas import ForecastAnswer, Recorded, SupposedAnswer

if TYPE_CHECKING:
    from service_scenes import Served


def _schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((places.ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8")))


def _get(team: Served, path: str, **query: Any) -> dict[str, Any]:
    answer = team.client.get(f"{MODEL}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_forecast_is_that_of_the_project(team: Served) -> None:
    """The same numbers as a program gets, under both published schemas, with all that a reader has to know."""
    found = _get(team, "forecast", as_of="2025-01-08")
    mine = forecast.open(team.desk.root).update(as_of="2025-01-08", refit="never", now=NOW)
    assert found["answer"] == mine.to_dict()
    _schema("forecast").validate(found["answer"])
    ForecastAnswer.model_validate(found)
    rests = found["rests_on"]
    assert (rests["as_of"], rests["newest_evidence"], rests["evidence_age_days"]) == ("2025-01-08", "2025-01-08", 0)
    assert (rests["issue"], rests["issued_as_of"]) == (1, "2025-01-08")
    assert rests["trusted"] is mine.trust.trusted
    assert rests["reasons"] == list(mine.trust.reasons)


def test_an_alarm_is_pending_until_it_is_known(team: Served) -> None:
    """It says so, and then what the forecast itself says."""
    standing = team.desk.standing("tiny", team.desk.today())
    known = standing.alarm.result()
    said = _get(team, "forecast")["rests_on"]["alarm"]
    assert said["state"] == ("rings" if known["rings"] else "silent")
    assert said["sentences"] == known["sentences"]


def test_a_supposition_is_that_of_the_project(team: Served) -> None:
    """What if, and what is done; under the published schema."""
    mine = forecast.open(team.desk.root).update(as_of="2025-01-08", refit="never", now=NOW)
    asked = {"seen": ["march"], "grade": "B2"}
    answer = team.client.post(f"{MODEL}/what-if", params={"as_of": "2025-01-08"}, json=asked)
    assert answer.json()["answer"] == mine.what_if("march", grade="B2").to_dict()
    SupposedAnswer.model_validate(answer.json())
    _schema("what-if").validate(answer.json()["answer"])
    done = team.client.post(f"{MODEL}/do", params={"as_of": "2025-01-08"}, json={"states": {"near": "tense"}})
    assert done.json()["answer"] == mine.do({"near": "tense"}).to_dict()


def test_each_question_is_answered_with_its_stamp(team: Served) -> None:
    """Drivers, watch-list, matrix and the past, as the project answers them; the second time without working."""
    mine = forecast.open(team.desk.root).update(as_of="2025-01-08", refit="never", now=NOW)
    lead = {"outcome": "tension", "as_of": "2025-01-08"}
    drivers = _get(team, "drivers", **lead, since="2025-01-02")
    assert drivers["answer"] == mine.drivers("tension", since="2025-01-02").to_dict()
    assert _get(team, "watch", **lead)["answer"] == mine.watch("tension").to_dict()
    assert len(_get(team, "path", as_of="2025-01-08")["answer"]["dates"]) == 2
    assert drivers["rests_on"]["model"] == "tiny"
    assert _get(team, "drivers", **lead, since="2025-01-02")["answer"] == drivers["answer"]


def test_what_was_issued_is_given_as_it_was(team: Served) -> None:
    """The archive, one report of it, its scores, the models and their indicators."""
    (row,) = _get(team, "issues")["issues"]
    report = _get(team, "issues/latest")
    issued = forecast.open(team.desk.root).track_record.latest()
    assert report["report"] == issued
    assert _get(team, "issues/1") == report
    assert row.items() <= report.items()
    assert _get(team, "scores")["issues"] == 1
    models = team.client.get("/api/v1/models").json()["models"]
    assert [one["name"] for one in models if one["title"]] == ["tiny"]
    found = _get(team, "indicators", words="a march")["indicators"]
    assert found[0]["key"] == "march"


def test_a_row_is_recorded_corrected_and_withdrawn(team: Served) -> None:
    """Each says at once how the forecast moved, and by whom it was is on record; withdrawn, all is as before."""
    ada, bob = team.bearer("write", "Ada"), team.bearer("write", "Bob")
    before = _get(team, "forecast")["answer"]["quantities"]
    done = team.client.post(f"{MODEL}/observations", json=ROW, headers=ada)
    assert done.status_code == 201
    (name,) = done.json()["new"]
    Recorded.model_validate(done.json())
    after = _get(team, "forecast")["answer"]["quantities"]
    moved = {(row["outcome"], row["kind"], row["date"]): row for row in done.json()["moved"] if not row["given"]}
    for old, new in zip(before, after, strict=True):
        if (key := (new["outcome"], new["kind"], new["date"])) in moved and not new["given"]:
            assert (moved[key]["before"], moved[key]["after"]) == (old["estimate"], new["estimate"])
    assert moved
    again = team.client.post(f"{MODEL}/observations", json=ROW, headers=ada).json()
    assert (again["unchanged"], again["moved"]) == ([name], [])
    mended = team.client.post(f"{MODEL}/observations/{name}/correction", json=ROW | {"grade": "C3"}, headers=bob)
    assert mended.json()["superseded"] == [name]
    rows = {row["id"]: row for row in _get(team, "observations")["rows"]}
    assert rows[name]["grade"] == "C3"
    gone = team.client.post(f"{MODEL}/observations/{name}/retraction", json={"reason": "false"}, headers=ada)
    assert gone.json()["moved"]
    assert _get(team, "forecast")["answer"]["quantities"] == before
    log = _get(team, "log")["rows"][:3]
    assert [(row["action"], row["by"]) for row in log] == [("retract", "Ada"), ("correct", "Bob"), ("add", "Ada")]
    assert team.desk.project.ledger.verify() == ()


def test_who_watched_is_recorded_too(team: Served) -> None:
    """Coverage has its own columns."""
    cover = {"kind": "coverage", "indicator": "flood", "from": "2025-01-02", "to": "2025-01-07", "source": "we"}
    done = team.client.post(f"{MODEL}/observations", json=cover, headers=team.bearer("write"))
    assert done.status_code == 201, done.text
    (name,) = done.json()["new"]
    assert {row["id"]: row["kind"] for row in _get(team, "observations")["rows"]}[name] == "coverage"
    team.client.post(f"{MODEL}/observations/{name}/retraction", json={"reason": "x"}, headers=team.bearer("write"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("models/nobody/forecast", "there is no model 'nobody'"),
        ("models/tiny/forecast?as_of=2030-01-01", "is in the future"),
        ("models/tiny/forecast?as_of=yesterday", "as_of"),
        ("models/tiny/drivers?outcome=peace", "outcome"),
        ("models/tiny/watch?outcome=tension&weeks=5", "5"),
        ("models/tiny/issues/99", "no such forecast"),
        ("models/..%2F..%2Fetc%2Fpasswd/forecast", ""),
        ("jobs/99", "there is no job 99"),
    ],
)
def test_what_cannot_be_answered_is_said(team: Served, path: str, said: str) -> None:
    """A status of the client's, in words, without a place on this machine."""
    answer = team.client.get(f"/api/v1/{path}")
    assert answer.status_code in {404, 422}
    assert said in answer.json()["detail"]
    assert str(team.desk.root) not in answer.text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"indicator": "marsh"}, "did you mean 'march'"),
        ({"grade": "Z9"}, "grade"),
        ({"date": "2027-01-01"}, "date"),
        ({"source": ""}, "source"),
        ({"id": "x"}, "id"),
        ({"note": "x" * 5000}, "note"),
        ({"source": "a\ud800"}, ""),
    ],
)
def test_a_faulty_row_is_refused(team: Served, row: dict[str, str], said: str) -> None:
    """Nothing is written, and the fault is named."""
    head = team.desk.head()
    body = json.dumps(ROW | row).encode()
    answer = team.client.post(
        f"{MODEL}/observations", content=body, headers=team.bearer("write") | {"content-type": "application/json"}
    )
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
    assert team.desk.head().links == head.links + 1  # the token


def test_a_row_that_is_not_in_force_cannot_be_withdrawn(team: Served) -> None:
    """It is not found, and neither is one to correct."""
    bearer = team.bearer("write")
    for what, body in (("retraction", {"reason": "x"}), ("correction", ROW)):
        answer = team.client.post(f"{MODEL}/observations/nothing/{what}", json=body, headers=bearer)
        assert answer.status_code in {404, 422}
        assert "no row 'nothing'" in answer.json()["detail"]


def test_health_says_whether_the_ledger_can_be_used(team: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive is not ready."""
    assert team.client.get("/api/v1/ready").json()["status"] == "ready"
    path = team.desk.root / "data" / "ledger.db"
    monkeypatch.setattr(team.desk.project.ledger, "head", _broken)
    assert team.client.get("/api/v1/health").status_code == 200
    answer = team.client.get("/api/v1/ready")
    assert answer.status_code == 503
    assert "ledger.db" in answer.json()["detail"]
    assert str(path.parent) not in answer.text


def _broken() -> None:
    place = "data/ledger.db"
    raise LedgerError(place, ["is damaged"])
