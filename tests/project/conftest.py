"""Runs without pictures."""

from __future__ import annotations

import pytest
from year import leave_out_pictures


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the pictures out of reports."""
    leave_out_pictures(monkeypatch)
