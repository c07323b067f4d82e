"""First screen of a report: headline, what it rests on, track record and health of the numbers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from forecast.base import prose
from forecast.record.document import changes_since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.record.scores import Score

__all__ = ["sum_up"]


def sum_up(report: Mapping[str, Any], last: Mapping[str, Any] | None, record: Score) -> dict[str, Any]:
    """Say of a whole report, after others with the track ``record``: headline, what changed, track record, health."""
    changes = changes_since(last, report) if last else None
    return {
        "changes": changes,
        "headline": {"sentences": _headline(report, changes)},
        "track": _track(report, record),
        "health": {"sentences": _health(report)},
    }


def _headline(report: Mapping[str, Any], changes: Mapping[str, Any] | None) -> list[str]:
    """Say in two sentences where the outcomes stand, and what has moved most."""
    weeks, lead = report["lead_weeks"], report["lead"]
    rows = [row for row in report["forecast"]["quantities"] if row["kind"] == "at" and row["horizon_weeks"] == weeks]
    rows.sort(key=lambda row: -row["estimate"]["mean"])
    parts: list[str] = []
    for row in rows:
        estimate = row["estimate"]
        parts.append(f"{prose.spoken(row['outcome'])} {prose.chance(estimate['mean'], estimate['mcse'])}")
    first = f"For {prose.day(dt.date.fromisoformat(rows[0]['date']))} the forecast is {prose.listed(parts)}."
    if changes is None:
        held = report["drivers"]["held_up"]
        most = max(held, key=lambda row: abs(row["difference"]), default=None)
        if most is None or not prose.points(most["difference"], most["mcse"]):
            return [first, "It is the first that was issued, and no single story moves it measurably."]
        name = prose.spoken(lead)
        verb = "keeps" if most["difference"] < 0 else "holds"
        turn = "below" if most["difference"] < 0 else "above"
        size = prose.points(most["difference"], most["mcse"])
        return [
            first,
            f"It is the first that was issued; {most['what']} {verb} {name} {size} {turn} where it would be.",
        ]
    since = f"Since the issue of {prose.day(dt.date.fromisoformat(changes['since']))}"
    moved = [
        row for row in changes["quantities"]
        if row["horizon_weeks"] == weeks and prose.points(row["difference"], row["mcse"])
    ]  # fmt: skip
    if not moved:
        return [first, f"{since}, nothing has moved measurably."]
    most = max(moved, key=lambda row: abs(row["difference"]))
    verb = "fallen" if most["difference"] < 0 else "risen"
    size = prose.points(most["difference"], most["mcse"])
    return [first, f"{since}, {prose.spoken(most['outcome'])} has {verb} by {size}, the most of all."]


def _track(report: Mapping[str, Any], record: Score) -> dict[str, Any]:
    """Say how good earlier forecasts were; this one is counted among those that were issued."""
    issues = record.issues + 1
    issued = f"{prose.count(issues, 'forecast')} of this model {'has' if issues == 1 else 'have'} been issued"
    sentences = [f"{issued}; {record.state}.", *(line for part in record.parts for line in part.sentences)]
    if not record.scored:
        first = min(row["date"] for row in report["forecast"]["quantities"] if row["kind"] == "at")
        sentences.append(f"The first date that this one speaks of is {prose.day(dt.date.fromisoformat(first))}.")
    found = record.to_dict()
    return {name: found[name] for name in ("resolved", "void", "open", "parts", "overrules")} | {
        "issues": issues,
        "sentences": sentences,
    }


def _health(report: Mapping[str, Any]) -> list[str]:
    """Say how far the numbers can be trusted, in words for those who are no statisticians."""
    trust, fit = report["forecast"]["trust"], report["fit"]
    checks = fit["diagnostics"]
    age = (dt.date.fromisoformat(report["forecast"]["as_of"]) - dt.date.fromisoformat(fit["as_of"])).days
    error = prose.number(max(100 * trust["worst_mcse"], 0.01))
    lines = [
        "The numbers passed their checks." if trust["trusted"] else f"Not trusted: {'; '.join(trust['reasons'])}.",
        f"They rest on {trust['draws']:,} simulated versions of the theory, worth {trust['ess']:,.0f} of equal weight.",
        f"The largest error from that is {error} percentage points.",
    ]
    if trust["k_hat"] is None:
        lines.append("They were drawn for this very evidence.")
    else:
        lines.append(
            f"They were drawn {prose.count(age, 'day')} ago and weighted to the new evidence; the weights are safe "
            f"while k-hat is at most 0.7, and it is {trust['k_hat']:.2f}."
        )
    lines.append(
        f"The chains agree (R-hat {checks['max_r_hat']:.3f}, at most 1.01) and "
        f"{prose.count(checks['divergences'], 'transition')} failed."
    )
    return lines
