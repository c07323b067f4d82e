"""Track record in a report: reliability chart and table of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from forecast.base.prose import chance, count, listed, spoken
from forecast.report.chart_marks import HUES, MUTED, NEUTRAL, Chart, capital, chart_of, chart_spec, rounded
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.report.chart_marks import Data, Rows


# The track record.


def track_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw how often what was given a probability came true, with the band in which it lies if that is right."""
    parts: Rows = [part for part in (data.get("track") or {}).get("parts", []) if part["reliability"]]
    if not parts:
        return None
    part = parts[0]
    found: Data = part["reliability"]
    rows: Rows = [
        {
            "p": rounded(p), "seen": rounded(seen), "low": rounded(low), "high": rounded(high), "issued": chance(p),
            "true": chance(seen), "band": f"{chance(low)} to {chance(high)}",
        }
        for p, seen, low, high in zip(
            *(found[key] for key in ("probability", "observed", "low", "high")), strict=True
        )
    ]  # fmt: skip

    def x(name: str) -> alt.X:
        scale, axis = alt.Scale(domain=[0, 1], nice=False), alt.Axis(title="probability that was issued", format="%")
        return alt.X(f"{name}:Q", scale=scale, axis=axis)

    def y(name: str) -> alt.Y:
        scale, axis = alt.Scale(domain=[0, 1], nice=False), alt.Axis(title="how often it came true", format="%")
        return alt.Y(f"{name}:Q", scale=scale, axis=axis)

    hue = HUES[3][0]
    tips = [alt.Tooltip(f"{field}:N", title=title) for field, title in _TRACK_TIPS.items()]
    layers = [
        chart_of(rows).mark_area(opacity=0.25, color=NEUTRAL[0]).encode(x=x("p"), y=y("low"), y2="high:Q"),
        chart_of([{"p": 0, "seen": 0}, {"p": 1, "seen": 1}])
        .mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1.2)
        .encode(x=x("p"), y=y("seen")),
        chart_of(rows).mark_line(color=hue, strokeWidth=2.5).encode(x=x("p"), y=y("seen")),
        chart_of(rows)
        .mark_point(color=hue, size=40, filled=True, opacity=1)
        .encode(x=x("p"), y=y("seen"), tooltip=tips),
    ]
    outside = sum(not row["low"] <= row["seen"] <= row["high"] for row in rows)
    where = f"leaves the 90 % band of a calibrated forecaster at {outside} of {count(len(rows), 'point')}"
    if part["few"]:
        where += f", and {count(part['total']['clusters'], 'independent cluster')} are too few to conclude anything"
    told = [f"{row['issued']} came true in {row['true']}" for row in (rows[0], rows[len(rows) // 2], rows[-1])]
    return Chart(
        "track",
        chart_spec(layers, 360),
        f"{capital(part['name'])}: the curve of {count(found['questions'], 'resolved question')} {where}.",
        "Curve of how often questions were answered yes against the probability that was issued, a diagonal on which "
        f"both agree, and a 90 % band around it for a calibrated forecaster. What was given {listed(told)} of cases.",
    )


_TRACK_TIPS = {"issued": "issued", "true": "came true", "band": "if calibrated"}


def track_table(data: Mapping[str, Any]) -> Table:
    """Table of scores beside others."""
    parts: Sequence[Mapping[str, Any]] = data["track"].get("parts", [])
    names = list(dict.fromkeys(row["name"] for part in parts for row in part["total"]["against"]))
    rows: list[list[str]] = []
    for part in parts:
        for group in (*part["groups"], part["total"]):
            about = "all"
            if group["outcome"]:
                about = f"{spoken(group['outcome'])} {group['kind']} {count(group['horizon_weeks'], 'week')}"
            others = {row["name"]: f"{row['brier']:.3f} ({row['log']:.3f})" for row in group["against"]}
            own = f"{group['brier']:.3f} ({group['log']:.3f})"
            counts = [str(group["questions"]), str(group["yes"])]
            rows.append([f"{part['name']}: {about}", *counts, own, *(others.get(name, "") for name in names)])
    return Table(
        "Mean Brier score (and log score in nats) of what was issued and of naive forecasters; lower is better",
        ["questions about", "questions", "answered yes", "issued", *names],
        rows,
    )
