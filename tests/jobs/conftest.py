"""A project of a tiny model that may be changed, and another process that holds its lock."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from year import issued_tiny, leave_out_pictures

if TYPE_CHECKING:
    from collections.abc import Generator


HOLDER = """
import sys, time, forecast
with forecast.open(sys.argv[1]).locked():
    print("held", flush=True)
    time.sleep(300)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy that may be changed."""
    return Path(shutil.copytree(issued_tiny(), tmp_path / "project"))


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports."""
    leave_out_pictures(monkeypatch)


@pytest.fixture
def holder(root: Path) -> Generator[subprocess.Popen[str]]:
    """Let another process hold the lock."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(root)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()
