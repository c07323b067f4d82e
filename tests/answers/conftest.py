"""What tests of questions to a forecast share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.inference.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import xarray as xr

    from forecast.evidence.compilation import Evidence

LOG_PRIOR = Model.log_prior
known: dict[tuple[str, bytes], dict[str, np.ndarray]] = {}


def _once(model: Model, posterior: xr.Dataset, evidence: Evidence) -> dict[str, np.ndarray]:
    key = model.spec.hash, posterior["log_rate"].to_numpy().tobytes()
    if key not in known:
        known[key] = LOG_PRIOR(model, posterior, evidence)
    return known[key]


@pytest.fixture(scope="module", autouse=True)
def _log_prior_once() -> Iterator[None]:
    """Ask PyMC for the prior density of a fit's draws once, however many questions want it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "log_prior", _once)
        yield


@pytest.fixture
def rare_conditions_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every number to the oracle, those too that would be too rare to publish."""
    monkeypatch.setattr("forecast.quantities.from_draws.RAREST", 1e-300)
