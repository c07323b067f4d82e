"""How a present forecast stands, in an assistant's words: how old its evidence is, whether to trust it, the alarm."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import CancelledError
from typing import Any

from forecast.base import prose
from forecast.base.errors import ForecastError, InputError
from forecast.service.desk import Standing


def _alarm(standing: Standing) -> dict[str, Any] | str:
    """Give the alarm; a model that has just begun, or that no draws reach, has none and says why."""
    try:
        return standing.alarm.result() or "It is too early for the conflict alarm."
    except CancelledError:
        return "Rows came faster than the conflict alarm could be worked out; ask again."
    except ForecastError as error:
        return str(error)


def stands(standing: Standing, today: dt.date) -> dict[str, Any]:
    """Say as plain JSON how a present forecast stands on a day, with ``sentences``; its alarm is waited for."""
    made, issued, alarm = standing.forecast, standing.issue, _alarm(standing)
    evidence = made.posterior.evidence
    age = (today - evidence.newest).days if evidence.newest else None
    said = [f"Forecast of {made.model} as of {made.as_of}; today is {today}."]
    said.append(
        "It rests on no evidence at all."
        if evidence.newest is None or age is None
        else f"The newest of {prose.count(len(evidence.used), 'row')} of evidence is of {evidence.newest},"
        f" {prose.count(age, 'day')} ago."
    )
    if not made.trust.trusted:
        said.append(f"These numbers are NOT to be trusted: {'; '.join(made.trust.reasons)}.")
    rings = None if isinstance(alarm, str) else alarm["rings"]
    if not isinstance(alarm, str) and (alarm["rings"] or not alarm["trust"]["trusted"]):
        said += alarm["sentences"]
    said.append(
        f"The forecast issued last is number {issued.seq} in the archive, as of {issued.as_of}."
        if issued
        else "No forecast of this model was ever issued."
    )
    return {
        "model": made.model,
        "as_of": made.as_of.isoformat(),
        "asked_on": today.isoformat(),
        "evidence": {
            "rows": len(evidence.used),
            "newest": evidence.newest.isoformat() if evidence.newest else None,
            "age_days": age,
        },
        "trust": {name: made.trust.to_dict()[name] for name in ("trusted", "reasons", "anchor", "anchor_as_of")},
        "alarm": {"rings": rings, "says": [alarm] if isinstance(alarm, str) else list(alarm["sentences"])},
        "last_issue": None
        if issued is None
        else {"id": issued.seq, "as_of": issued.as_of.isoformat(), "issued_at": issued.issued_at.isoformat()},
        "sentences": said,
    }


def require_short(text: str, what: str, most: int) -> str:
    """Give a text of at most ``most`` characters; `InputError` if it is longer."""
    if len(text) > most:
        msg = f"{what} has {len(text):,} characters; give at most {most:,}"
        raise InputError(msg)
    return text
