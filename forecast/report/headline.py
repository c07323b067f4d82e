"""Headline of a report: where the outcomes stand, what changed and why, and apart from that how far to trust it.

A sentence says how likely something is or how far to trust it, never both.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from forecast.answers.alarm import UNUSUAL
from forecast.base import prose
from forecast.report.views import days_late, issue_before, views, without_story
from forecast.theory.exclusive import exclusive_sets
from forecast.theory.outcomes import exclude_each_other

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


MOST = 2  # drivers and leaning judgements that are named


def headline(report: Mapping[str, Any], changes: Mapping[str, Any] | None, skill: Sequence[str]) -> dict[str, Any]:
    """Gather what the first screen says.

    ``sentences`` are an alarm that rings, where the outcomes ``stand`` and what ``changed``; ``why`` and ``trust`` come
    after them. ``exclusive`` names the outcomes of which at most one can hold, the likeliest first, and ``others`` the
    rest. ``skill`` is what is said of the track record and of what the forecast rests on.
    """
    alarm, rows = report["alarm"], _rows(report)
    exclusive = exclusive_with(rows, report["lead"], report["model"]["outcomes"])
    stand, changed = _stand(report, exclusive), _changed(report, changes)
    return {
        "sentences": [*(alarm["sentences"] if alarm and alarm["rings"] else ()), *stand, changed],
        "exclusive": exclusive,
        "others": [row["outcome"] for row in rows if row["outcome"] not in exclusive],
        "stand": stand,
        "changed": [changed],
        "why": _why(report, changes),
        "trust": [_age(report), _alarm(alarm), *skill, *report["sources"]["sentences"][:MOST]],
    }


def in_words(report: Mapping[str, Any], words: str | None) -> Mapping[str, Any]:
    """Give report data in which ``words`` (icd203, or None for none) follow the numbers of the headline, as a copy."""
    if words is None:
        return report
    told = report.get("headline") or {}
    if "stand" not in told:  # of an older version
        return {**report, "words": words}
    stand = _stand(report, told["exclusive"], words=True)
    before = told["sentences"][: -len(told["stand"]) - len(told["changed"])]
    return {
        **report,
        "words": words,
        "headline": {**told, "stand": stand, "sentences": [*before, *stand, *told["changed"]]},
    }


# How likely.


def _rows(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the outcomes on the day that the report speaks of, the likeliest first."""
    weeks, rows = report["lead_weeks"], report["forecast"]["quantities"]
    return sorted(
        (row for row in rows if row["kind"] == "at" and row["horizon_weeks"] == weeks),
        key=lambda row: -row["estimate"]["mean"],
    )


def exclusive_with(rows: Sequence[Mapping[str, Any]], lead: str, outcomes: Mapping[str, Any]) -> list[str]:
    """Name outcomes of which at most one can hold, the lead among them, in the order of ``rows``."""
    found = [lead]
    for row in rows:
        states = outcomes[row["outcome"]]["states"]
        if all(exclude_each_other(states, outcomes[name]["states"]) for name in found):
            found.append(row["outcome"])
    return [row["outcome"] for row in rows if row["outcome"] in found]


def _begun(report: Mapping[str, Any]) -> dict[str, str]:
    """Say of outcomes that do not hold now how likely they are to have begun by the day that the report speaks of."""
    by = views(report)["by"]
    found: dict[str, str] = {}
    for name in report["model"]["outcomes"]:
        now, begun = by.get((name, "already", None, None)), by.get((name, "reached", None, report["lead_weeks"]))
        if now and begun and now["mean"] == 0:
            found[name] = f" ({prose.chance(begun['mean'], begun['mcse'])} at some time until then)"
    return found


def _stand(report: Mapping[str, Any], exclusive: Sequence[str], *, words: bool = False) -> list[str]:
    """Say where the outcomes stand: first those of which one at most can hold, then the others.

    What holds on a day is easily read as what holds by it: of what is not so yet, both are said.
    """
    rows, model, begun = _rows(report), report["model"], _begun(report)
    outcomes: Mapping[str, Any] = model["outcomes"]
    said = {row["outcome"]: prose.chance(row["estimate"]["mean"], row["estimate"]["mcse"]) for row in rows}
    terms = {row["outcome"]: f" ({prose.term(row['estimate']['mean'])})" if words else "" for row in rows}
    parts: dict[bool, list[str]] = {True: [], False: []}
    for name, chance in said.items():
        parts[name in exclusive].append(f"{prose.spoken(name)} {chance}{terms[name]}{begun.get(name, '')}")
    on = f"On {prose.day(dt.date.fromisoformat(rows[0]['date']))}"
    first = f"{on}, the forecast is {parts[True][0]}"
    if len(exclusive) > 1:
        whole = bool(exclusive_sets({**model, "outcomes": {name: outcomes[name] for name in exclusive}}))
        first = f"{on}, {'exactly' if whole else 'at most'} one of these holds: {prose.listed(parts[True])}"
        if whole and not prose.adds_up([said[name] for name in exclusive]):
            first += " (the numbers are rounded)"
    return [f"{first}.", *([f"Apart from that, {prose.listed(parts[False])}."] if parts[False] else [])]


def _changed(report: Mapping[str, Any], changes: Mapping[str, Any] | None) -> str:
    """Say what has moved most since the last issue."""
    if changes is None:
        return "It is the first that was issued."
    since = f"Since {issue_before(changes, report['forecast']['as_of'])}"
    since += " (back-dated)" if days_late(changes["since"], changes["issued_at"]) else ""
    compared = [row for row in changes["quantities"] if row["horizon_weeks"] == report["lead_weeks"]]
    if not compared:
        return f"{since}, which did not reach that far, nothing can be compared."
    moved = [(abs(row["difference"]), size, row) for row in compared if (size := _moved(row))]
    if not moved:
        return f"{since}, nothing has moved measurably."
    _, size, most = max(moved, key=lambda found: found[0])
    verb = "fallen" if most["difference"] < 0 else "risen"
    return f"{since}, {prose.spoken(most['outcome'])} has {verb} by {size}, the most of all."


def _moved(row: Mapping[str, Any]) -> str | None:
    return prose.points_apart(
        (row["before"], row["before_mcse"]), (row["after"], row["after_mcse"]), row["mcse"]
    )  # fmt: skip


def _why(report: Mapping[str, Any], changes: Mapping[str, Any] | None) -> list[str]:
    """Say what moved the lead outcome since the last issue, and which story holds it most where it is."""
    drivers, name = report["drivers"], prose.spoken(report["lead"])
    lines: list[str] = []
    if changes is not None and drivers["since_issue"]:
        told = [row for row in drivers["moved"] if _told(row)]
        told.sort(key=lambda row: -abs(row["difference"]))
        lines += [f"{prose.moved(row['what'], row['difference'], row['mcse'], name)}." for row in told[:MOST]]
    held = max(drivers["held_up"], key=lambda row: abs(row["difference"]), default=None)
    if held is None or not _told(held):
        return [*lines, f"No single event holds {name} measurably where it is."]
    verb, turn = ("keeps", "below") if held["difference"] < 0 else ("holds", "above")
    after = drivers["after"]
    size = prose.points_apart(without_story(drivers, held), (after["mean"], after["mcse"]), held["mcse"])
    return [*lines, f"{held['what']} {verb} {name} {size} {turn} where it would be."]


def _told(row: Mapping[str, Any]) -> bool:
    size = prose.points(row["difference"], row["mcse"])
    return size is not None and not size.startswith("less")


# How far to trust it.


def _age(report: Mapping[str, Any]) -> str:
    """Say how old the evidence is."""
    newest = report["evidence"]["newest"]
    if newest is None:
        return "There is no row of evidence: it is the theory alone."
    days = (dt.date.fromisoformat(report["forecast"]["as_of"]) - dt.date.fromisoformat(newest)).days
    rows = prose.count(sum(row["left_out"] is None for row in report["evidence"]["rows"]), "row")
    age = "of the day itself" if days == 0 else f"{prose.count(days, 'day')} old"
    return f"Of the {rows} that count the newest is {age}."


def _alarm(alarm: Mapping[str, Any] | None) -> str:
    if alarm is None:
        return "It is too early for the conflict alarm."
    rings = "The conflict alarm rings: do not rely on these numbers."
    unusual = ", though what was observed is unusual" if alarm["tail"] < UNUSUAL else ""
    return rings if alarm["rings"] else f"The conflict alarm is silent{unusual}."
