"""Runs that are asked for: a worker makes them, says how far it is, and tells why there is none."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from service_scenes import MODEL, NOW, ROW, Served, served
from year import issued_tiny

from forecast import inference
from forecast.service import worker
from forecast.service.worker import work


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Serve a copy whose runs are short."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))  # first: it is issued by a run of its own
    settings = inference.Settings(draws=500, tune=200, chains=2)
    monkeypatch.setattr(worker.inference, "Settings", lambda: settings)
    return served(root)


def _work(team: Served) -> list[str]:
    heard: list[str] = []
    work(team.desk.root, lambda: NOW, stop=threading.Event(), on_job=heard.append, once=True)
    return heard


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_was_asked_for_is_issued(desk: Served) -> None:
    """Its job says who asked and which number it has; what is asked twice is made once; nothing is fitted meanwhile."""
    bearer = desk.bearer("write")
    desk.client.post(f"{MODEL}/observations", json=ROW, headers=bearer)
    asked = desk.client.post(f"{MODEL}/runs", json={}, headers=bearer)
    assert (asked.status_code, asked.json()["state"], asked.json()["asked_by"]) == (202, "queued", "Ada")
    assert desk.client.post(f"{MODEL}/runs", json={}, headers=bearer).json() == asked.json()
    heard = _work(desk)
    number = asked.json()["seq"]
    done = desk.client.get(f"/api/v1/jobs/{number}").json()
    assert (done["state"], done["issue"]) == ("done", 2), heard
    issue = desk.client.get(f"{MODEL}/issues/latest").json()
    assert (issue["seq"], issue["as_of"], issue["recorded_by"]) == (2, "2025-01-15", "Ada")
    assert desk.client.get(f"{MODEL}/forecast").json()["rests_on"]["issue"] == 2
    page = desk.client.get("/reports/tiny/2025-01-15")
    assert "<h1" in page.text
    events = desk.client.get(f"/api/v1/jobs/{number}/events").text
    assert json.loads(events.split("data: ")[1].split("\n")[0]) == done


@pytest.mark.usefixtures("no_pictures")
def test_a_run_that_fails_says_why(desk: Served) -> None:
    """In the package's own words, and the worker goes on with the next."""
    bearer = desk.bearer("write")
    desk.client.post(f"{MODEL}/runs", json={"as_of": "2025-01-08"}, headers=bearer)
    desk.client.post(f"{MODEL}/runs", json={}, headers=bearer)
    template = desk.desk.root / "reports" / "templates" / "report.md.jinja"
    template.parent.mkdir(parents=True, exist_ok=True)
    template.write_text("{{ nothing }}", encoding="utf-8")
    _work(desk)
    jobs = desk.client.get("/api/v1/jobs").json()["jobs"]
    assert [job["state"] for job in jobs] == ["failed", "failed"]
    assert all("the template is faulty" in job["message"] for job in jobs)
    assert str(desk.desk.root) not in json.dumps(jobs)


@pytest.mark.usefixtures("no_pictures")
def test_a_worker_waits_for_another_run(desk: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run by hand holds the lock; the job is made after it."""
    monkeypatch.setattr(worker, "LOOK", 0.05)
    desk.client.post(f"{MODEL}/runs", json={}, headers=desk.bearer("write"))
    with desk.desk.project.locked():
        thread = threading.Thread(target=_work, args=(desk,))
        thread.start()
        for _ in range(400):
            job = desk.desk.project.ledger.jobs.last(1)[0]
            if job.stage == "waiting for another run":
                break
            threading.Event().wait(0.05)
        assert job.stage == "waiting for another run"
    thread.join()
    assert desk.desk.project.ledger.jobs.last(1)[0].state == "done"


def test_a_worker_tells_how_far_it_is(desk: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages and draws of a fit are those that the run tells of."""
    told: list[tuple[str | None, int | None, int | None]] = []

    def run(project: object, job: object, on_stage: object, on_draw: object, patience: float) -> int:
        del project, patience
        on_stage("compiling")
        told.append(_far(desk, job.seq))
        on_draw(40, 40)
        told.append(_far(desk, job.seq))
        return 1

    monkeypatch.setattr(worker, "_run", run)
    desk.client.post(f"{MODEL}/runs", json={}, headers=desk.bearer("write"))
    _work(desk)
    assert told == [("compiling", None, None), ("sampling", 40, 40)]


def _far(team: Served, number: int) -> tuple[str | None, int | None, int | None]:
    job = team.desk.project.ledger.jobs.get(number)
    return job.stage, job.done, job.total
