"""Views of report data that every form needs: quantities by outcome and horizon, and when a forecast was issued.

The terminal shows a forecast with these alone; templates and charts are slow to import.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from forecast.base.prose import adds_up, count, figure, listed, on_day, spoken
from forecast.ledger.issued import PROMPT
from forecast.theory.exclusive import exclusive_sets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


ROUNDED = "100% †"  # of parts that do not add up as they are written
PARTS_ROUNDED = "† the parts are rounded one by one: as they are written they add up to a little more or less"


def days_late(as_of: str, issued_at: str) -> int:
    """Give the days after its date on which a back-dated forecast was issued; 0 for one that was issued in time."""
    late = dt.datetime.fromisoformat(issued_at).date() - dt.date.fromisoformat(as_of)
    return late.days if late > PROMPT else 0


def issue_before(changes: Mapping[str, Any], as_of: str) -> str:
    """Name the issue that ``changes`` begin with, in a report as of a day: by its time if that is of the same day."""
    if changes["since"] == as_of:
        return f"the issue of the same day, made {changes['issued_at'][:16].replace('T', ' ')} UTC"
    return f"the issue of {on_day(changes['since'])}"


def issued_words(as_of: str, issued_at: str | None) -> str:
    """Say when a forecast was issued, and that it is back-dated where it is."""
    if not issued_at:
        return "not issued"
    late = days_late(as_of, issued_at)
    said = f", back-dated: {count(late, 'day')} after its date, with hindsight" if late else ""
    return f"issued {issued_at[:16].replace('T', ' ')} UTC{said}"


def views(data: Mapping[str, Any]) -> dict[str, Any]:
    """Quantities by outcome and horizon, as the renderings want them."""
    quantities = data["forecast"]["quantities"]
    by: dict[tuple[str, str, str | None, int | None], Any] = {
        (row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities
    }
    weeks = sorted({row["horizon_weeks"] for row in quantities if row["kind"] == "at"})
    dates = {row["horizon_weeks"]: row["date"] for row in quantities if row["kind"] == "at"}
    return {"by": by, "weeks": weeks, "dates": dates}


def begins(given: str) -> bool:
    """Whether a condition is one that has begun some weeks before, and not one of the same date."""
    return " weeks after " in given or given.startswith("1 week after ")


def given_words(given: str) -> str:
    """Write a condition: ``given strategic victory``, ``26 weeks after strategic victory began``."""
    return f"{spoken(given)} began" if begins(given) else f"given {spoken(given)}"


def without_story(drivers: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[float, float]:
    """Where the probability would stand without a story that holds it up, and the error to which it is known."""
    after = drivers["after"]
    return min(max(after["mean"] - row["difference"], 0.0), 1.0), max(row["mcse"], after["mcse"])


def seen(row: Mapping[str, Any], model: Mapping[str, Any]) -> str:
    """Say what a row of the evidence saw: its words, or the state that it assesses as ``Peace talks: fresh deal``."""
    stage, dot, state = row["name"].partition(".")
    if row["what"] != row["name"] or not dot or stage not in model["stages"]:
        return row["what"]
    return f"{model['stages'][stage]['label']}: {spoken(state)}"


def short_title(name: str, outcome: Mapping[str, Any]) -> str:
    """Call an outcome where there is little room: its ``short`` title, or its name in words."""
    words = spoken(name)
    return outcome.get("short") or words[:1].upper() + words[1:]


def sums(data: Mapping[str, Any]) -> dict[tuple[str, ...], list[str]]:
    """Give the sum, now and at every horizon, of each set of outcomes of which exactly one holds: `ROUNDED` or 100%."""
    found = views(data)
    whens = [("already", None), *(("at", week) for week in found["weeks"])]
    return {
        names: [
            "100%" if adds_up(figure(one["mean"], one.get("mcse", 0.0)) for one in parts) else ROUNDED
            for kind, week in whens
            if (parts := [found["by"][name, kind, None, week] for name in names])
        ]
        for names in exclusive_sets(data["model"])
    }


def sum_label(names: Sequence[str]) -> str:
    """Name the sum of outcomes of which exactly one holds."""
    return f"Exactly one holds of {listed([spoken(name) for name in names])}"
