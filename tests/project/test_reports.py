"""The folder of reports by itself: whole or not at all, behind the archive, and one writer at a time."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pytest
from places import REPORT

from forecast.base.errors import BusyError, InputError
from forecast.ledger.issued import Issued
from forecast.ledger.sqlite import SqliteLedger
from forecast.project.reports import Reports

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Give the report data of an issue."""
    return json.loads(REPORT.read_text(encoding="utf-8"))


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report be its data and a line: where files go does not depend on what is in them."""

    def render(data: dict[str, Any], _templates: list[Path], _words: str | None) -> dict[str, bytes]:
        return {"report.md": b"A report.", "forecast.json": json.dumps(data).encode()}

    monkeypatch.setattr("forecast.report.render_files", render)


@pytest.fixture
def reports(tmp_path: Path) -> Reports:
    """Give the reports of a folder that holds nothing else."""
    return reports_of(tmp_path)


def reports_of(root: Path) -> Reports:
    """Give the reports of a folder."""
    return Reports(root, lambda: SqliteLedger.open(root / "data" / "ledger.db"))


def archive(root: Path, data: dict[str, Any]) -> None:
    """Issue report data."""
    (root / "data").mkdir(exist_ok=True)
    SqliteLedger.open(root / "data" / "ledger.db").archive(
        Issued(
            model=data["model"]["name"], as_of=dt.date.fromisoformat(data["forecast"]["as_of"]), issued_at=NOW,
            evidence_hash="e", model_hash="m", fit="f", watermark=1, content=json.dumps(data),
        )
    )  # fmt: skip


def test_a_report_has_a_folder_of_its_own(reports: Reports, data: dict[str, Any]) -> None:
    """By model and day; its data are in it as they were given, and the index lists what was issued."""
    archive(reports.root, data)
    folder = reports.write(data)
    assert folder == reports.folder_of(data) == reports.root / "reports" / "russia_azerbaijan" / "2026-01-08"
    assert json.loads((folder / "forecast.json").read_bytes()) == data
    assert {"report.html", "report.md"} <= {path.name for path in folder.iterdir()}
    assert "russia_azerbaijan/2026-01-08/report.html" in (reports.folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("plain")
def test_what_is_not_issued_is_not_seen(reports: Reports, data: dict[str, Any]) -> None:
    """While the block works nothing is in place; if it fails, nothing ever is, and no draft stays."""

    def fail() -> None:
        with reports.ready(data) as folder:
            assert {path.name[0] for path in folder.iterdir()} == {"."}
            msg = "not issued"
            raise InputError(msg)

    with pytest.raises(InputError, match="not issued"):
        fail()
    assert not [path for path in reports.folder.rglob("*") if path.is_file()]


@pytest.mark.usefixtures("plain")
def test_what_a_killed_run_issued_is_written(reports: Reports, data: dict[str, Any]) -> None:
    """The last issue's report is put in place, and one that differs from it is replaced; without a ledger, nothing."""
    reports.recover()
    assert not reports.folder.exists()
    archive(reports.root, data)
    path = reports.folder_of(data) / "forecast.json"
    for spoilt in (None, b"{}", b"half"):
        if spoilt is not None:
            path.write_bytes(spoilt)
        reports.recover()
        assert json.loads(path.read_bytes()) == data


@pytest.mark.usefixtures("plain")
def test_one_writes_at_a_time(reports: Reports, data: dict[str, Any]) -> None:
    """Another that wants the same folder is told at once; who holds it may take it again; first of all it clears up."""
    archive(reports.root, data)
    with reports.locked(NOW), reports.locked(NOW):
        assert (reports.folder_of(data) / "forecast.json").exists()
        with pytest.raises(BusyError, match="since 2026-01-09 00:00:00 UTC"), reports_of(reports.root).locked(NOW):
            pytest.fail("held twice")
    with reports_of(reports.root).locked(NOW):
        pass
