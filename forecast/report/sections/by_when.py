"""When an outcome is reached, in a report: chart and table of the probability over time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import altair as alt

from forecast.base.prose import chance, listed, on_day, spoken, spread
from forecast.report.chart_marks import (
    HALO,
    TEXT_COLOURS,
    Chart,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    dates_axis,
    rounded,
    shortened,
    tooltips,
)
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.report.chart_marks import Data, Rows


# (c) By date.

SIGN = 6.6  # pixels of a sign of a bold label
LINE = 16  # pixels of its height
HEIGHT = 280  # pixels of the picture
# Where a label would run over the axis or over one that matters more there is none.
LABEL = "width >= datum.wide ? datum.text : ''"


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
            axis=dates_axis(as_of, max(row["date"] for row in rows)),
        )

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", scale=alt.Scale(domain=[0, top]), axis=alt.Axis(title=None, format="%", tickCount=5))

    points = [row for row in rows if row["date"] in horizons]
    labelled = _labelled(points, as_of, top)[1:]
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
        .mark_text(align="right", dx=-6, dy=-9, fontWeight="bold", text=alt.ExprRef(LABEL), **HALO)
        .encode(x=x(), y=y("mean"), color=colour_by("ink")),
    ]
    name, curve = next(iter(curves.items()))
    end = curve[-1]
    said = f"{_said(end)} by {on_day(end['date'])} (90% interval {chance(end['low'])} to {chance(end['high'])})"
    return Chart(
        "reached",
        chart_spec(layers, HEIGHT),
        f"The chance that “{shortened(data['model']['outcomes'][name]['label'])}” has begun rises to {said}.",
        f"Curve of the probability, by date, that {listed([spoken(key) for key in curves])} has begun, with a band for "
        f"the 90 % interval: {listed([row['text'] for row in points])}.",
    )


def _labelled(points: Rows, as_of: str, top: float) -> Rows:
    """Give each point the width from which its label has room, between the axis and the labels that matter more.

    The last matters most, and then each time the one that has room in the narrowest picture.
    """
    first = dt.date.fromisoformat(as_of)
    days = [(dt.date.fromisoformat(row["date"]) - first).days for row in points]
    along = [day / max(days) for day in days]
    size = [SIGN * (len(row["text"]) + 1) for row in points]

    def apart(one: int, other: int) -> float:
        left, right = sorted((one, other), key=lambda k: along[k])
        if abs(points[one]["mean"] - points[other]["mean"]) / top * HEIGHT >= LINE:
            return 0.0
        return size[right] / max(along[right] - along[left], 1e-4)

    left = sorted(range(len(points)), key=lambda k: -along[k])
    needed: dict[int, float] = {}
    while left:
        wide = {k: max(size[k] / along[k], *(apart(k, j) for j in needed), 0.0) for k in left}
        best = left[0] if not needed else min(left, key=lambda k: wide[k])
        needed[best] = wide[best]
        left.remove(best)
    return [row | {"wide": round(needed[k])} for k, row in enumerate(points)]


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
