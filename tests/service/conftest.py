"""A service before a copy of the issued project."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from projects import compiled_once
from service_scenes import served
from year import issued_tiny

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service_scenes import Served


@pytest.fixture(autouse=True)
def _compiled_once() -> Iterator[None]:
    """Compile each version of a model once for all these tests."""
    with compiled_once():
        yield


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Serve a copy of the issued project to whoever is on this machine."""
    return served(Path(shutil.copytree(issued_tiny(), tmp_path_factory.mktemp("served") / "project")))
