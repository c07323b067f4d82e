"""The small model of studies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.studies.calibrate import study_spec

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    """Read the small model of studies, without its history."""
    return study_spec().with_history(())
