"""A service before a copy of the issued project."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from service_scenes import served
from year import issued_tiny, leave_out_pictures

if TYPE_CHECKING:
    from service_scenes import Served


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Serve a copy of the issued project to whoever is on this machine."""
    return served(Path(shutil.copytree(issued_tiny(), tmp_path_factory.mktemp("served") / "project")))


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports."""
    leave_out_pictures(monkeypatch)
