"""The doctor: what is well, what is not with its remedy; it survives every disease and writes nothing."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from projects import AS_OF, call, fresh, issued_copy

import forecast
from forecast.project import doctor
from forecast.project.doctor import examine

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.project.doctor import Finding

NOW = dt.datetime(2026, 1, 9, 12, tzinfo=dt.UTC)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a project with one issued forecast."""
    return issued_copy(tmp_path)


def _of(findings: list[Finding], topic: str, *, fault: bool | None = None) -> str:
    return "\n".join(one.says for one in findings if one.topic == topic and fault in {None, one.fault})


def _content(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def test_a_healthy_project(project: Path) -> None:
    """Versions, caches, models, ledger, archive, fits and what a run would do; no fault, and nothing written."""
    before = _content(project)
    found = examine(project, None, NOW)
    assert _content(project) == before
    assert [one for one in found if one.fault] == []
    assert "pymc " in _of(found, "versions")
    assert "compiled kernels" in _of(found, "caches")
    assert "russia_azerbaijan: good" in _of(found, "models")
    assert "watermark 36" in _of(found, "ledger")
    assert "1 issued forecast; the last is of russia_azerbaijan as of 2026-01-08" in _of(found, "ledger")
    assert "no run is under way" in _of(found, "schedule")
    assert "with code 0" in _of(found, "schedule")
    assert "nothing is due" in _of(examine(project, None, NOW - dt.timedelta(days=1)), "schedule")


def test_what_a_run_would_do(project: Path) -> None:
    """The fit of that run failed its checks, so a run would make another; on a later day an issue is due."""
    found = _of(examine(project, None, NOW + dt.timedelta(days=29)), "schedule")
    assert "due: russia_azerbaijan was not issued as of 2026-02-07" in found
    assert "a run would make a fit" in found


def test_a_run_under_way_is_no_fault(project: Path) -> None:
    """Whoever holds the lock is named."""
    with forecast.open(project).locked():
        found = examine(project, None, NOW)
    assert "a run is under way (process " in _of(found, "schedule", fault=False)


def test_a_broken_ledger_hides_nothing_else(project: Path) -> None:
    """Damage is named with its remedy; models and fits are looked at all the same."""
    path = project / "data" / "ledger.db"
    path.write_bytes(b"no database, but long enough" * 100)
    before = _content(project)
    found = examine(project, None, NOW)
    assert _content(project) == before
    assert "restore" in _of(found, "ledger", fault=True)
    assert "russia_azerbaijan: good" in _of(found, "models", fault=False)
    assert "MB" in _of(found, "fits", fault=False)


def test_a_broken_model_and_a_broken_fit(project: Path) -> None:
    """Each is a fault with its file; the other models and the ledger are looked at."""
    (project / "models" / "baku_hedges.toml").write_text("x = [", encoding="utf-8")
    (project / "data" / "russia_azerbaijan" / "fits" / "0123456789ab.nc").write_bytes(b"half")
    found = examine(project, None, NOW)
    assert "baku_hedges.toml" in _of(found, "models", fault=True)
    assert "russia_azerbaijan: good" in _of(found, "models", fault=False)
    assert "0123456789ab.nc: cannot be read" in _of(found, "fits", fault=True)
    assert "sound" in _of(found, "ledger", fault=False)


def test_a_missing_ledger_is_not_begun_anew(project: Path) -> None:
    """Reports without their ledger are a fault; a new project has none yet, which is none."""
    (project / "data" / "ledger.db").unlink()
    assert "restore it from a backup" in _of(examine(project, None, NOW), "ledger", fault=True)
    assert not (project / "data" / "ledger.db").exists()


def test_a_new_project(tmp_path: Path) -> None:
    """Nothing is wrong with it, a run would be the first, and no ledger is made."""
    root = fresh(tmp_path)
    before = _content(root)
    found = examine(root, None, NOW)
    assert _content(root) == before
    assert [one for one in found if one.fault] == []
    assert "would be the first" in _of(found, "schedule")


def test_outside_of_a_project(tmp_path: Path) -> None:
    """The installation is looked at, and the folder is a fault with exit code 2."""
    done = call("doctor", "--json", cwd=tmp_path)
    found = json.loads(done.out)
    assert done.code == 2
    assert [row["topic"] for row in found if row["fault"]] == ["folder"]
    assert {"versions", "caches"} <= {row["topic"] for row in found}
    assert not list(tmp_path.iterdir())


def test_what_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is missing is a fault that says how to install it."""
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-package"))
    found = _of(examine(tmp_path, None, NOW), "versions", fault=True)
    assert "no-such-package is not installed" in found
    assert "pip install" in found


def test_a_failed_run_is_told(project: Path) -> None:
    """The last line of the log says how the last run ended."""
    with (project / "reports" / "run.log").open("a", encoding="utf-8") as log:
        line = {
            "time": "2026-01-08T06:00:01",
            "event": "end",
            "exit_code": 124,
            "message": "took too long",
            "seconds": 9,
        }
        log.write(json.dumps(line) + "\nhalf a li")
    assert "code 124: took too long" in _of(examine(project, None, NOW), "schedule", fault=True)


def test_caches_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders are those that numba and PyTensor are told of; one that cannot be written is a fault with its remedy."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setenv("PYTENSOR_FLAGS", f"floatX=float64,base_compiledir={tmp_path / 'file'}")
    found = examine(tmp_path, None, NOW)
    assert "compiled kernels: none yet" in _of(found, "caches", fault=False)
    assert "PYTENSOR_FLAGS=base_compiledir=DIR" in _of(found, "caches", fault=True)


def test_the_command_line_marks_faults(project: Path) -> None:
    """Text for people: a mark before each fault, and exit code 2 where there is one."""
    (project / "models" / "baku_hedges.toml").write_text("x = [", encoding="utf-8")
    done = call("doctor", cwd=project)
    assert done.code == 2
    assert "! " in done.out
    assert "baku_hedges.toml" in done.out
    assert AS_OF.isoformat() in done.out
