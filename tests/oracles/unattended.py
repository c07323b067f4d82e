"""What is done with a project between its unattended runs: rows recorded, its log and its reports read."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from projects import call, strict_json
from year import START

if TYPE_CHECKING:
    from pathlib import Path


NEXT = START + dt.timedelta(weeks=1)
NOW = dt.datetime(2026, 1, 9, 6, tzinfo=dt.UTC)


def observe(root: Path, what: str, day: dt.date) -> None:
    """Record a sighting."""
    done = call("observe", what, "--date", str(day), "--source", "Press", "--grade", "B2", cwd=root)
    assert done.code == 0, done.err


def lines(root: Path) -> list[dict[str, Any]]:
    """Read the log."""
    return [strict_json(line) for line in (root / "reports" / "run.log").read_text(encoding="utf-8").splitlines()]


def shown(root: Path) -> dict[str, bytes]:
    """Give the files of the reports, hidden ones too."""
    folder = root / "reports" / "tiny"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
