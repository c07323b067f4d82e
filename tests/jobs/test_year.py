"""A year of unattended runs."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from projects import archived
from year import DRAWN, check_year, pictures, simulate

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np


@pytest.mark.slow
def test_a_simulated_year(tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 52 weekly runs, with all that goes wrong in a year, no issue is lost or doubled and all files are whole."""
    monkeypatch.setattr(DRAWN, pictures())  # as in the runs that are processes of their own
    weeks = simulate(tmp_path / "year", rng)
    check_year(tmp_path / "year", weeks)
    incidents = {week.incident for week in weeks if not week.incident.startswith("killed after")}
    assert incidents >= {"broken_model", "broken_template", "disk_full", "busy", "out_of_time", "repeated"}
    good = sum(week.code == 0 for week in weeks)
    outlived = sum(week.code == 0 and week.incident.startswith("killed") for week in weeks)  # ended before its kill
    assert good - outlived == 36
    killed_but_issued = sum(week.issues for week in weeks if week.code == -signal.SIGKILL)
    assert len(archived(tmp_path / "year")) == good + killed_but_issued
    assert killed_but_issued >= 2
