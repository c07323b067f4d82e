"""Made-up issues, answers and judgements of one model, and an analyst simulated from known parts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
from entries import answer
from scipy.special import ndtr
from track import noon

from forecast.ledger.judgements import Judgement
from forecast.record.questions import Stated

if TYPE_CHECKING:
    from forecast.ledger.issued import Resolution

START = dt.date(2026, 1, 5)


def after(days: int) -> dt.date:
    """Give a day after the first."""
    return START + dt.timedelta(days=days)


def said(probability: float, *, as_of: int = 0, at: int = 91, since: int | None = None, **more: Any) -> Stated:
    """Make what an issue states, promptly; days count from the first."""
    issued = after(as_of + more.pop("late", 0))
    base = {
        "model": "m", "outcome": "deal", "horizon_weeks": (at - as_of) // 7, "issue": 1, "rule": "r",
        "met_now": False, "prior": None, "before": None,
    }  # fmt: skip
    return Stated(
        since=None if since is None else after(since), date=after(at), as_of=after(as_of), issued_on=issued,
        probability=probability, **base | more,
    )  # fmt: skip


def judgement(probability: float, *, on: int = 0, at: int = 91, analyst: str = "ada", **more: Any) -> Judgement:
    """Make a judgement."""
    base = {"model": "m", "outcome": "deal", "since": None, "blind": True}
    return Judgement(
        analyst=analyst, date=after(at), probability=probability, recorded_at=noon(after(on)), **base | more
    )


def answered(result: str, *, at: int = 91, **more: Any) -> Resolution:
    """Make an answer by the rule."""
    return answer(model="m", outcome="deal", date=after(at), answer=result, reason=more.pop("reason", "r"), **more)


def simulated(  # noqa: PLR0913, PLR0917 - the parts
    rng: np.random.Generator, count: int, base: float, bias: float, information: float, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate an analyst: what decides is a part that she sees and one that she does not; give p and y (count,)."""
    seen = rng.normal(0, np.sqrt(information), count)
    decides = base + seen + rng.normal(0, np.sqrt(1 - information), count)
    signal = base + bias + seen + rng.normal(0, np.sqrt(noise), count)
    return ndtr(signal / np.sqrt(1 - information)), (decides > 0).astype(float)
