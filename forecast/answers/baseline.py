"""An issued forecast as the beginning of a change that is to be explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping

    from forecast.quantities.estimate import Estimate


@dataclass(frozen=True)
class Baseline:
    """What was issued as of a day: hashes of model and evidence, the fit, and the ledger's watermark.

    ``said(outcome, date)`` is what it said of a day, None where it said nothing; ``until(outcome)`` the last day that
    it spoke of, ``alarm()`` the alarm that was issued with it, None where there was none.
    """

    as_of: dt.date
    model_hash: str
    evidence_hash: str
    fit: str
    watermark: int
    said: Callable[[str, dt.date], Estimate | None]
    until: Callable[[str], dt.date | None]
    alarm: Callable[[], Mapping[str, Any] | None]
