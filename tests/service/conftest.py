"""A service before a copy of the issued project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from projects import issued_copy
from service_scenes import served

if TYPE_CHECKING:
    from service_scenes import Served


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Serve a copy of the issued project to whoever is on this machine."""
    return served(issued_copy(tmp_path_factory.mktemp("served")))
