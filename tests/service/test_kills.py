"""The service, its database and its worker are killed again and again: what was acknowledged is there, once."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import databases
import httpx
import pytest
from forking import run_forked
from projects import PROGRAM, call, environment
from service_kills import Clients, Server, ready
from service_scenes import MODEL, NOW, ROW, served
from year import COMPILED, SHORT, issued_tiny

from forecast import inference
from forecast.project.project import Project
from forecast.service import limits, worker
from forecast.service.worker import work

if TYPE_CHECKING:
    from forecast.ledger.sql import SqlLedger

KILLS, CLIENTS = 50, 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy of the issued project."""
    return Path(shutil.copytree(issued_tiny(), tmp_path / "project"))


def _check(ledger: SqlLedger, clients: Clients) -> None:
    """Make sure that what was acknowledged is there exactly once, and that nothing is there that was not sent."""
    rows = Counter(row.source for row in ledger.entries("tiny"))
    assert {source: rows[source] for source in clients.done} == dict.fromkeys(clients.done, 1)
    assert set(rows) - clients.sent <= {"Press"}
    assert max(rows.values()) == 1
    assert ledger.verify() == ()


def _kill_service(root: Path, kills: int) -> None:
    token = Project(root, lambda: NOW).ledger.tokens.make("Ada", "write", NOW)[1]
    rng = random.Random(20260108)  # noqa: S311
    with Server(root) as server, Clients(server, token, CLIENTS).writing() as clients:
        for _ in range(kills):
            clients.wait(rng.randrange(3))
            time.sleep(rng.uniform(0, 0.4))
            server.kill()
            _check(Project(root, lambda: NOW).ledger, clients)
            server.start()
        clients.wait(CLIENTS)
    _check(Project(root, lambda: NOW).ledger, clients)
    assert len(clients.cut) >= kills / 2
    assert clients.refused == []


def test_a_service_that_is_killed_loses_nothing(root: Path) -> None:
    """Once under load: every row that was acknowledged is there once, and it goes on."""
    _kill_service(root, 1)


@pytest.mark.slow
def test_a_service_that_is_killed_fifty_times_loses_nothing(root: Path) -> None:
    """As above, 50 times."""
    _kill_service(root, KILLS)


def _moved(root: Path, address: str) -> Project:
    """Put the project's ledger into a database, and give the project that uses it."""
    done = call("ledger", "copy", "data/ledger.db", address, cwd=root)
    assert done.code == 0, done.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FORECAST_LEDGER", address)
        project = Project(root, lambda: NOW)
        project.ledger.head()
        return project


def _kill_database(root: Path, kills: int) -> None:
    rng = random.Random(20260108)  # noqa: S311
    database = databases.Server(databases.DURABLE)
    database.start()
    try:
        address = f"{database.address}&schema=ledger"
        project = _moved(root, address)
        token = project.ledger.tokens.make("Ada", "write", NOW)[1]
        with (
            Server(root, FORECAST_LEDGER=address) as server,
            Clients(server, token, CLIENTS).writing() as clients,
        ):
            for _ in range(kills):
                clients.wait(rng.randrange(1, 4))
                time.sleep(rng.uniform(0, 0.3))
                database.kill()
                answer = ready(server.address)
                assert answer is not None
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "5"), answer.text
                assert httpx.get(f"{server.address}/api/v1/health", timeout=60).status_code == 200
                database.start()
                _check(project.ledger, clients)
            clients.wait(CLIENTS)
            again = ready(server.address)
            assert again is not None
            assert again.status_code == 200
        _check(project.ledger, clients)
        wrong = [one for one in clients.refused if one[:2] != (503, "5")]
        assert wrong == []
        assert clients.cut == []
    finally:
        database.stop()


def test_a_service_outlives_its_database(root: Path) -> None:
    """Killed once under load: meanwhile it says so and when to ask again, and then it works again."""
    _kill_database(root, 1)


@pytest.mark.slow
def test_a_service_outlives_its_database_fifty_times(root: Path) -> None:
    """As above, 50 times."""
    _kill_database(root, KILLS)


def _check_issue(project: Project) -> None:
    """Make sure that what was issued meanwhile rests on the rows that there were, and its report says the same."""
    issue = project.ledger.forecasts("tiny")[-1]
    assert str(issue.as_of) == "2025-01-14"
    model = project.model("tiny")
    rows = project.ledger.entries("tiny", as_of=issue.as_of, watermark=issue.watermark)
    assert model.evidence(rows, issue.as_of).hash == issue.evidence_hash
    report = project.root / "reports" / "tiny" / "2025-01-14" / "forecast.json"
    assert json.loads(report.read_text(encoding="utf-8")) == json.loads(issue.content)


def _write_at_once(root: Path, writers: int, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BURST", 1e9)
    schema = databases.new_schema()
    address = f"{databases.address()}&schema={schema}"
    try:
        project = _moved(root, address)
        monkeypatch.setenv("FORECAST_LEDGER", address)
        team = served(root)
        found: list[str] = []
        links = project.ledger.head().links

        def write(writer: int) -> None:
            bearer = team.bearer("write", f"writer {writer}")
            for number in range(rows):
                row = ROW | {"source": f"writer {writer}, row {number}", "story": "the march"}
                for _ in range(50):
                    answer = team.client.post(f"{MODEL}/observations", json=row, headers=bearer)
                    if answer.status_code != 503:
                        break
                if answer.status_code != 201:
                    found.append(answer.text)

        threads = [threading.Thread(target=write, args=(k,)) for k in range(writers)]
        for one in threads:
            one.start()
        issued = run_forked(
            [*PROGRAM, "run", "--as-of", "2025-01-14", *SHORT],
            cwd=root, env=environment(FORECAST_LEDGER=address), first=COMPILED,
        )  # fmt: skip
        for one in threads:
            one.join()
        assert found == []
        assert issued.returncode == 0, issued.stderr
        _check_issue(project)
        there = Counter(row.source for row in project.ledger.entries("tiny"))
        assert there == Counter({"Press": 1} | {f"writer {w}, row {n}": 1 for w in range(writers) for n in range(rows)})
        assert project.ledger.head().links == links + writers * (rows + 1) + len(("report", "its short part"))
        assert project.ledger.verify() == ()
        by = Counter(row.by for row in project.ledger.log("tiny", 10**6))
        assert all(by[f"writer {w}"] == rows for w in range(writers))
    finally:
        databases.drop([schema])


def test_a_few_write_at_once_to_a_database(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is there once, by whom it was, and a run that is made meanwhile is whole."""
    _write_at_once(root, 4, 5, monkeypatch)


@pytest.mark.slow
def test_twenty_write_two_hundred_rows_each_to_a_database(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, 4,000 rows."""
    _write_at_once(root, 20, 200, monkeypatch)


@pytest.mark.slow
def test_a_job_whose_worker_was_killed_is_made_by_another(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes in which it said nothing; it is issued once."""
    queue = Project(root, lambda: NOW).ledger.signed("Ada").jobs
    asked = queue.ask("tiny", dt.date(2025, 1, 14), "{}", NOW)
    first = subprocess.Popen(
        [*PROGRAM, "worker", "--once"],
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(2400):
        job = queue.get(asked.seq)
        if job and job.stage:
            break
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    settings = inference.Settings(draws=500, tune=200, chains=2)
    monkeypatch.setattr(worker.inference, "Settings", lambda: settings)
    now = dt.datetime.now(dt.UTC)
    heard: list[str] = []
    for minutes in (1, 6):
        moment = now + dt.timedelta(minutes=minutes)
        work(root, lambda moment=moment: moment, stop=threading.Event(), on_job=heard.append, once=True)
        job = queue.get(asked.seq)
        assert job is not None
        assert job.state == ("running" if minutes == 1 else "done"), heard
    assert job.asked_by == "Ada"
    issues = Project(root, lambda: now).ledger.forecasts("tiny")
    assert Counter(str(row.as_of) for row in issues) == Counter(["2025-01-08", "2025-01-14"])
