"""The forecast if somebody had looked for everything, in a report: chart and table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from forecast.base.prose import chance, listed, moved, on_day, points, spoken, spread
from forecast.report.chart_marks import (
    MUTED,
    PAPER,
    TEXT_COLOURS,
    Chart,
    capital,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    rounded,
    stroke_by,
    tooltips,
    x_axis,
    y_axis,
)
from forecast.report.table_cells import Table, dated, estimates_of, horizons

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt

    from forecast.report.chart_marks import Data, Rows


# (g) Read as covered.


def covered_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw the outcomes at the horizons with their intervals, as issued and with the rows read as covered."""
    other: Data = data.get("covered") or {}
    if not other:
        return None
    paint, model = colours(data["model"]), data["model"]
    readings = {"issued": data["forecast"]["quantities"], "covered": other["quantities"]}
    by = {
        (kind, row["outcome"], row["horizon_weeks"]): row
        for kind, rows in readings.items() for row in rows if row["kind"] == "at"
    }  # fmt: skip
    weeks = sorted({key[2] for key in by})
    rows: Rows = []
    heads: Rows = []
    steps: Rows = []
    at = 0.9
    for name in model["outcomes"]:
        heads.append({"at": at, "text": spoken(name), "ink": TEXT_COLOURS[paint[name]]})
        for week in weeks:
            at += 1
            steps.append({"at": at, "text": f"{week} wk"})
            for kind, shift in (("issued", -0.17), ("covered", 0.17)):
                if (found := by.get((kind, name, week))) is None:
                    continue
                mean, low, high, mcse = (found["estimate"][key] for key in ("mean", "low", "high", "mcse"))
                rows.append({
                    "at": rounded(at + shift), "mean": rounded(mean), "low": rounded(low), "high": rounded(high),
                    "kind": kind, "colour": paint[name], "outcome": spoken(name), "on": on_day(found["date"]),
                    "reading": "as issued" if kind == "issued" else "rows read as covered",
                    "chance": f"{chance(mean, mcse)}, 90% interval {chance(low)} to {chance(high)}",
                })  # fmt: skip
        at += 1.5
    high, domain = at - 0.7, [-0.13, 1.0]

    def x(field: str) -> alt.X:
        return x_axis(field, domain, "%", values=[0, 0.25, 0.5, 0.75, 1])

    y, tips = y_axis("at", high), tooltips("outcome", "on", "reading", "chance")
    solid, hollow = ([row for row in rows if row["kind"] == kind] for kind in readings)
    key = [{"at": 0.9, "text": "filled: as issued · hollow: rows read as covered"}]
    layers = [
        chart_of(rows)
        .mark_rule(strokeWidth=2.5, opacity=0.55)
        .encode(x=x("low"), x2="high:Q", y=y, color=colour_by(), tooltip=tips),
        chart_of(solid)
        .mark_point(size=50, filled=True, opacity=1)
        .encode(x=x("mean"), y=y, color=colour_by(), tooltip=tips),
        chart_of(hollow)
        .mark_point(size=50, filled=True, fill=PAPER, strokeWidth=2, opacity=1)
        .encode(x=x("mean"), y=y, stroke=stroke_by(), tooltip=tips),
        chart_of([row | {"x": -0.13} for row in heads])
        .mark_text(align="left", fontWeight="bold")
        .encode(x=x("x"), y=y, text="text:N", color=colour_by("ink")),
        chart_of([row | {"x": -0.13} for row in steps])
        .mark_text(align="left", fontSize=11, color=MUTED)
        .encode(x=x("x"), y=y, text="text:N"),
        chart_of([row | {"x": 1.0} for row in key])
        .mark_text(align="right", fontSize=11, color=MUTED)
        .encode(x=x("x"), y=y, text="text:N"),
    ]
    points_told = [f"{row['outcome']} on {row['on']}, {row['reading']}, {row['chance']}" for row in rows]
    return Chart(
        "covered",
        chart_spec(layers, 21 * high),
        _apart(data, by),
        "For each outcome and horizon two points with 90 % intervals, as issued and with the rows read as "
        f"systematically covered: {listed(points_told)}.",
    )


def _apart(data: Mapping[str, Any], by: Mapping[tuple[str, str, int], Mapping[str, Any]]) -> str:
    """Say which outcome the other reading moves most at the usual horizon."""
    weeks = data["lead_weeks"]
    gaps: list[tuple[float, float, str]] = []
    for name in data["model"]["outcomes"]:
        one, two = by.get(("issued", name, weeks)), by.get(("covered", name, weeks))
        if one and two:
            first, second = one["estimate"], two["estimate"]
            gaps.append((second["mean"] - first["mean"], math.hypot(first["mcse"], second["mcse"]), spoken(name)))
    if not gaps:
        return "The same forecast with the rows read as systematically covered."
    told = [row for row in gaps if points(row[0], row[1])]
    if not told:
        return "With the rows read as systematically covered, no outcome moves by more than the draws can tell."
    gap, mcse, name = max(told, key=lambda row: abs(row[0]))
    return f"{capital(moved('reading the rows as systematically covered', gap, mcse, name))}, the most of all outcomes."


def covered_table(data: Mapping[str, Any]) -> Table:
    """Table of the forecast if somebody had looked for everything."""
    issued, other = estimates_of(data["forecast"]["quantities"]), estimates_of(data["covered"]["quantities"])
    weeks, rows = horizons(data), list[list[str]]()
    for name, outcome in data["model"]["outcomes"].items():
        for label, by in (("as issued", issued), ("read as covered", other)):
            cells = [by.get((name, "at", None, week)) for week in weeks]
            rows.append([f"{outcome['label']}, {label}", *(spread(one) if one else "" for one in cells)])
    return Table(
        "The same forecast as issued, and with the rows read as if somebody had looked for everything throughout",
        ["outcome", *dated(data)],
        rows,
    )
