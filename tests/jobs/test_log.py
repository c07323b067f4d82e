"""Every run is logged."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from projects import archived, call
from unattended import NOW, lines
from year import START, run

import forecast
from forecast.jobs import log as schedule
from forecast.jobs.log import RunLog

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("no_pictures")


def test_every_run_is_logged(root: Path) -> None:
    """A run writes its beginning and its end, one JSON object a line."""
    assert run(root, START).code == 0
    assert call("run", "--as-of", "nonsense", cwd=root).code == 2
    first, same, bad = (lines(root)[k] for k in (1, 3, 5))
    assert [line["event"] for line in lines(root)] == ["start", "end"] * 3
    (issued,) = archived(root)
    assert {"time", "event", "model", "as_of", "exit_code", "issued", "seconds", "fit", "message"} == set(first)
    assert (first["model"], first["as_of"], first["exit_code"], first["issued"]) == ("tiny", str(START), 0, issued.seq)
    assert (same["issued"], same["fit"], same["message"]) == ("same", issued.fit, None)
    assert first["seconds"] > same["seconds"] > 0
    assert (bad["exit_code"], bad["issued"], bad["as_of"]) == (2, None, "nonsense")
    assert "is not a date" in bad["message"]
    assert dt.datetime.fromisoformat(bad["time"]).utcoffset() == dt.timedelta(0)


def test_what_nobody_expected_is_logged_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the program is in the log, with exit code 1, and goes on its way."""

    def broken(*_: object, **__: object) -> None:
        msg = "a fault \ud800"
        raise RuntimeError(msg)

    monkeypatch.setattr(forecast.Project, "run", broken)
    with pytest.raises(RuntimeError):
        run(root, START)
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["message"]) == (1, "a fault \ud800")


def test_the_log_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full log is put aside when a run begins, a few old ones are kept, and no line is cut."""
    monkeypatch.setattr(schedule, "LOG_BYTES", 1000)
    log = RunLog(tmp_path / "run.log", lambda: NOW, {"model": "tiny", "as_of": "2026-01-09"})
    for k in range(100):
        log.add("start", rotate=True, number=k)
        log.add("end", number=k)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["run.log", "run.log.1", "run.log.2", "run.log.3"]
    found = [json.loads(line) for path in reversed(files) for line in path.read_text().splitlines()]
    assert [line["number"] for line in found] == [k for k in range(100) for _ in range(2)][-len(found) :]
    assert all(path.stat().st_size < 1200 for path in files)


def test_half_a_line_stays_alone(tmp_path: Path) -> None:
    """After a line that a killed run left half written the next one begins on its own."""
    path = tmp_path / "run.log"
    path.write_text('{"time": "2026-01')
    RunLog(path, lambda: NOW, {}).add("start")
    half, whole = path.read_text().splitlines()
    assert half == '{"time": "2026-01'
    assert json.loads(whole)["event"] == "start"


def test_a_log_that_cannot_be_written_is_no_failure(root: Path) -> None:
    """A folder where the log should be stops nothing and says nothing."""
    (root / "reports" / "run.log").unlink()
    (root / "reports" / "run.log").mkdir()
    done = run(root, START)
    assert (done.code, done.err) == (0, "")
