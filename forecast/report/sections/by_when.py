"""When an outcome is reached, in a report: chart and table of the probability over time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import altair as alt

from forecast.base.prose import chance, listed, on_day, spoken, spread
from forecast.report.chart_marks import (
    TEXT_COLOURS,
    Chart,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    rounded,
    shortened,
    tooltips,
)
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.report.chart_marks import Data, Rows


# (c) By date.

SIGN = 6.6  # pixels of a sign of a label
LABEL = "width >= datum.wide ? datum.text : ''"  # where it would run over the axis there is none


def reached_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw by which date an outcome that nobody can miss has begun, with the 90 % interval."""
    curves: Mapping[str, Rows] = data.get("reached") or {}
    if not curves:
        return None
    paint, as_of = colours(data["model"]), data["forecast"]["as_of"]
    horizons = {row["date"] for row in data["forecast"]["quantities"] if row["kind"] == "reached"}
    start: Data = {"date": as_of, "mean": 0.0, "low": 0.0, "high": 0.0}
    rows: Rows = [
        {
            "date": row["date"], "mean": rounded(row["mean"]), "low": rounded(row["low"]), "high": rounded(row["high"]),
            "outcome": spoken(name), "colour": paint[name], "ink": TEXT_COLOURS[paint[name]], "by": on_day(row["date"]),
            "chance": _said(row), "interval": f"{chance(row['low'])} to {chance(row['high'])}",
            "text": f"{_said(row)} by {on_day(row['date'])}",
        }
        for name, curve in curves.items()
        for row in [start, *curve]
    ]  # fmt: skip
    top = min(1.0, 1.03 * max(row["high"] for row in rows))

    def x() -> alt.X:
        return alt.X(
            "date:T",
            scale=alt.Scale(type="utc", nice=False),
            axis=alt.Axis(title=None, grid=False, format="%b %Y", tickCount=6),
        )

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", scale=alt.Scale(domain=[0, top]), axis=alt.Axis(title=None, format="%", tickCount=5))

    points = [row for row in rows if row["date"] in horizons]
    first, days = dt.date.fromisoformat(as_of), [dt.date.fromisoformat(row["date"]).toordinal() for row in points]
    longest = max(days) - first.toordinal()
    labelled = [
        row | {"wide": round(SIGN * (len(row["text"]) + 1) * longest / (day - first.toordinal()))}
        for row, day in zip(points, days, strict=True)
    ][1:]
    layers = [
        chart_of(rows)
        .mark_area(opacity=0.25)
        .encode(x=x(), y=y("low"), y2="high:Q", color=colour_by(), detail="outcome:N"),
        chart_of(rows).mark_line(strokeWidth=2.5).encode(x=x(), y=y("mean"), color=colour_by(), detail="outcome:N"),
        chart_of(rows)
        .mark_point(opacity=0, size=60)
        .encode(x=x(), y=y("mean"), color=colour_by(), tooltip=tooltips("outcome", "by", "chance", "interval")),
        chart_of(points)
        .mark_point(size=45, filled=True, opacity=1)
        .encode(x=x(), y=y("mean"), color=colour_by(), tooltip=tooltips("outcome", "by", "chance", "interval")),
        chart_of(labelled)
        .mark_text(align="right", dx=-6, dy=-9, fontWeight="bold", text=alt.ExprRef(LABEL))
        .encode(x=x(), y=y("mean"), color=colour_by("ink")),
    ]
    name, curve = next(iter(curves.items()))
    end = curve[-1]
    said = f"{_said(end)} by {on_day(end['date'])} (90% interval {chance(end['low'])} to {chance(end['high'])})"
    return Chart(
        "reached",
        chart_spec(layers, 280),
        f"The chance that “{shortened(data['model']['outcomes'][name]['label'])}” has begun rises to {said}.",
        f"Curve of the probability, by date, that {listed([spoken(key) for key in curves])} has begun, with a band for "
        f"the 90 % interval: {listed([row['text'] for row in points])}.",
    )


def _said(row: Mapping[str, Any]) -> str:
    return chance(row["mean"], row.get("mcse", 0.0))


WEEKS_APART = 4  # rows of a curve


def reached_table(data: Mapping[str, Any]) -> Table:
    """Table of the probability that an outcome has begun, over time."""
    curves = data["reached"]
    some = next(iter(curves.values()))
    return Table(
        "Probability that it has begun by the date, with 90 % intervals",
        ["date", *(data["model"]["outcomes"][name]["label"] for name in curves)],
        [
            [on_day(some[k]["date"]), *(spread(curve[k]) for curve in curves.values())]
            for k in range(WEEKS_APART - 1, len(some), WEEKS_APART)
        ],
    )
