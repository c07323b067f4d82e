"""What moved a probability, in a report: charts and tables of the drivers and of what holds it up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import LEAST, chance, listed, moved, on_day, points, signed, signed_gap, spoken
from forecast.report.chart_marks import (
    BARS_SHOWN,
    NEUTRAL,
    Chart,
    bar_spec,
    colours,
    lead_name,
    rounded,
    shortened,
    told_apart,
)
from forecast.report.table_cells import Table, ranked
from forecast.report.views import without_story

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from forecast.report.chart_marks import Data, Rows


def _effects(data: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Rows:
    paint, name, told = colours(data["model"]), lead_name(data), list(rows)
    return [
        {
            "label": label, "value": rounded(100 * row["difference"]),
            "number": signed(row["difference"], row["mcse"]),
            "colour": paint[data["lead"]] if row["difference"] > 0 else NEUTRAL[0],
            "effect": moved("it", row["difference"], row["mcse"], name),
        }
        for row, label in zip(told, told_apart([row["what"] for row in told]), strict=True)
    ]  # fmt: skip


def drivers_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw what moved the forecast since the last issue."""
    part: Data = data.get("drivers") or {}
    largest = sorted(part.get("moved", []), key=lambda row: -abs(row["difference"]))[:BARS_SHOWN]
    if not largest:
        return None
    rows, name = _effects(data, largest), lead_name(data)
    first, since = largest[0], on_day(part["since"])
    takeaway = f"Since {since}: {moved(shortened(first['what']), first['difference'], first['mcse'], name)}."
    if not any(points(row["difference"], row["mcse"]) for row in part["moved"]):
        takeaway = f"Since {since} nothing has moved {name} by as much as the draws can tell."
    return Chart(
        "drivers",
        bar_spec(rows, f"percentage points of {name}"),
        takeaway,
        f"Bars of what moved {name} on {on_day(part['date'])} since {on_day(part['since'])}, in percentage points: "
        f"{_listing(rows)}.",
    )


def support_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw what holds the forecast up: what each story adds to it as it stands."""
    part: Data = data.get("drivers") or {}
    largest = sorted(part.get("held_up", []), key=lambda row: -abs(row["difference"]))[:BARS_SHOWN]
    if not largest:
        return None
    rows, name, first = _effects(data, largest), lead_name(data), largest[0]
    for drawn, row in zip(rows, largest, strict=True):  # as the table has it: the difference of what is shown
        drawn |= {"number": _held_up(part, row), "effect": f"without it {chance(*without_story(part, row))}"}
    now, without = chance(part["after"]["mean"], part["after"]["mcse"]), chance(*without_story(part, first))
    takeaway = f"Without {shortened(first['what'])}, {name} would stand at {without} instead of {now}."
    if now == without or abs(first["difference"]) < LEAST:
        takeaway = f"Without any one of the events, {name} would stand within a point of {now}, where it is."
    return Chart(
        "support",
        bar_spec(rows, f"percentage points of {name}"),
        takeaway,
        f"Bars of what each event does to {name} on {on_day(part['date'])}, in percentage points: {_listing(rows)}.",
    )


def _held_up(part: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Points by which a story holds the outcome up: from where it would stand without it to where it stands."""
    return signed_gap(without_story(part, row), (part["after"]["mean"], part["after"]["mcse"]))


def _listing(rows: Rows) -> str:
    return listed([f"{row['label']} {row['number']}" for row in rows])


def drivers_table(data: Mapping[str, Any]) -> Table:
    """Table of what moved the lead outcome."""
    part = data["drivers"]
    return Table(
        f"What moved {spoken(part['outcome'])} on {on_day(part['date'])} since {on_day(part['since'])}, "
        "in percentage points",
        ["what", "points"],
        [[row["what"], signed(row["difference"], row["mcse"])] for row in ranked(part.get("moved", []))],
    )


def support_table(data: Mapping[str, Any]) -> Table:
    """Table of what each story does to the lead outcome."""
    part = data["drivers"]
    return Table(
        f"What holds {spoken(part['outcome'])} on {on_day(part['date'])} where it is, in percentage points",
        ["what", "points", "without it"],
        [
            [
                row["what"],
                _held_up(part, row),
                chance(*without_story(part, row)),
            ]
            for row in ranked(part.get("held_up", []))
        ],
    )
