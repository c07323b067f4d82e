"""Rows, issues and answers as a ledger takes them, and what it refuses."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import ForecastError, InputError
from forecast.ledger.issued import Issued, Resolution
from forecast.ledger.rows import Count, Coverage, Delivery, Observation

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2026, 1, 8, 12, 30, tzinfo=dt.UTC)
LINK = "https://example.org/a"
REPORT = json.dumps({
    "model": {"name": "theory", "outcomes": {"peace": {"resolution": "Peace."}}},
    "forecast": {"as_of": "2025-06-01", "quantities": [], "trust": {"trusted": True}},
    "lead": "peace", "alarm": None, "path": [1, 2, 3],
    "rules": [
        {"outcome": "peace", "kind": "at", "horizon_weeks": 4, "date": "2025-06-29",
         "estimate": {"mean": 0.25, "mcse": 0.01}, "prior": 0.5, "met_now": False},
    ],
})  # fmt: skip


def day(month: int, date: int) -> dt.date:
    """Give a day of 2025."""
    return dt.date(2025, month, date)


def sighting(row_id: str = "a", **changes: object) -> Observation:
    """One observation, with changes."""
    base = Observation(
        id=row_id,
        indicator="cyberattack",
        date=day(2, 20),
        reported_on=day(2, 22),
        source="APA",
        url="https://apa.az/1",
        grade="B2",
    )
    return dataclasses.replace(base, **changes)


def watch(row_id: str = "w", **changes: object) -> Coverage:
    """One coverage, with changes."""
    base = Coverage(
        id=row_id, indicator="*", from_=day(3, 1), to=day(3, 31), reported_on=day(4, 2), source="our own reading"
    )
    return dataclasses.replace(base, **changes)


def counted(**changes: object) -> Count:
    """One week's count, with changes."""
    base = Count(
        channel="hostile_acts", from_=day(3, 3), to=day(3, 9), count=40, exposure=120_000.0, reported_on=day(3, 10),
        source="GDELT", delivery="gdelt-0123456789ab",
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def delivered(**changes: object) -> Delivery:
    """One file of a feed, with changes."""
    base = Delivery(
        feed="gdelt", file="20250303.export.CSV.zip", digest="0123456789abcdef", from_=day(3, 3), to=day(3, 9),
        read=1000, kept=40, faulty=2, repeated=0, reported_on=day(3, 10),
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def issued(**changes: object) -> Issued:
    """One issue, with changes."""
    base = Issued(
        model="theory", as_of=day(6, 1), issued_at=NOW, evidence_hash="e", model_hash="m", fit="f", watermark=7,
        content='{"p": 0.5}',
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def answer(**changes: object) -> Resolution:
    """One answer by a rule, with changes."""
    base = Resolution(
        model="m", outcome="peace", since=None, date=day(6, 1), answer="yes", how="rule", reason="r", as_of=day(6, 1),
        frozen=None, model_hash="h", recorded_at=NOW,
    )  # fmt: skip
    return dataclasses.replace(base, **changes)


def refusal(act: Callable[[], object], kind: type[ForecastError] = InputError) -> str:
    """Give the message of the error that ``act`` must raise."""
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)
