"""A campaign in the press can be fitted: many rows of one indicator within a few weeks stop no run."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from conftest import AS_OF
from places import ROOT

from forecast.evidence.compilation import compile_evidence
from forecast.ledger.history import read_history
from forecast.ledger.rows import Observation
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec


def campaign(indicator: str, *, distinct: bool) -> list[Observation]:
    """Twelve B2 rows of one indicator in the three weeks before the day of the forecast, a story each."""
    days = [AS_OF - dt.timedelta(days=20 - round(20 * k / 11)) for k in range(12)]
    return [
        Observation(
            id=f"campaign-{k}", indicator=indicator, date=day, reported_on=day, source="Agency", grade="B2",
            story=f"campaign {k}", distinct=distinct,
        )
        for k, day in enumerate(days)
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("indicator", "distinct"),
    [("russian_media_campaign", False), ("arrests_in_russia", False), ("arrests_in_russia", True)],
)
def test_a_dozen_rows_of_one_indicator_are_fitted(
    reference_spec: ModelSpec,
    article_rows: list[Entry],
    indicator: str,
    distinct: bool,  # noqa: FBT001
) -> None:
    """Beside the article's rows they are fitted: where chains of the default length diverge, careful ones pass."""
    from forecast.inference.fit import fit_model  # noqa: PLC0415 - slow to import
    from forecast.inference.sampler import Sampler  # noqa: PLC0415
    from forecast.inference.settings import Settings  # noqa: PLC0415

    told = read_history(ROOT / "data" / reference_spec.model.dataset / "history.csv", AS_OF)
    space = StateSpace(reference_spec.with_history(told))
    evidence = compile_evidence(space, [*article_rows, *campaign(indicator, distinct=distinct)], AS_OF)
    assert sum(name.startswith("campaign") for name in evidence.used) == (12 if distinct else 1)
    now = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
    sampler, settings = Sampler(space, evidence), Settings()
    fit = fit_model(space, evidence, sampler, settings, watermark=36, now=now)
    if fit.diagnostics.complaints(settings):  # as a project does
        fit = fit_model(space, evidence, sampler, settings.careful, watermark=36, now=now)
    assert list(fit.diagnostics.complaints(fit.settings)) == []
