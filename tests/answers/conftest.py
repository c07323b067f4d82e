"""What tests of questions to a forecast share."""

from __future__ import annotations

import pytest


@pytest.fixture
def rare_conditions_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every number to the oracle, those too that would be too rare to publish."""
    monkeypatch.setattr("forecast.quantities.from_draws.RAREST", 1e-300)
