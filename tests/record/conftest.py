"""A project whose forecasts were never computed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from track import World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a project that may be changed."""
    return World(tmp_path)
