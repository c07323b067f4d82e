"""The past in a report: the probabilities week by week, as a chart and as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from forecast.base.prose import chance, count, listed, on_day, spoken, spread
from forecast.report.chart_marks import (
    HALO,
    INK,
    MUTED,
    SIGN,
    TEXT_COLOURS,
    Chart,
    anchor,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    date_of,
    dates_axis,
    rounded,
    shortened,
    spaced,
    tooltips,
    upper_end,
)
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from forecast.report.chart_marks import Rows


EVENTS = 2  # events that are named in the picture without being asked
# As much of a name as fits between its rule and the edge of the picture: all, the beginning and the date, the date.
NAMED = "width * datum.room >= datum.wide ? datum.text : width * datum.room >= datum.narrow ? datum.short : datum.when"


# (b) Over time.


def known_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw what would have been forecast each week, from what was known then, with the events of the time."""
    weeks: Rows = data.get("known") or []
    if len(weeks) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    paint, events = colours(data["model"]), data.get("events") or []
    lines: Rows = [
        {
            "date": week["date"], "value": rounded(row["then"]["mean"]),
            "solid": rounded(row["then"]["mean"]) if week["trusted"] else None,
            "outcome": spoken(name), "colour": paint[name],
            "when": on_day(week["date"]), "then": chance(row["then"]["mean"], row["then"]["mcse"]),
            "now": chance(row["now"]["mean"], row["now"]["mcse"]),
        }
        for week in weeks for name, row in week["outcomes"].items()
    ]  # fmt: skip
    top, ticks = upper_end(max((row["value"] for row in lines), default=0.0))
    final = [row for row in lines if row["date"] == weeks[-1]["date"]]
    ends: Rows = [
        row | {"at": at, "text": f"{row['outcome']} {row['then']}", "ink": TEXT_COLOURS[row["colour"]]}
        for row, at in zip(final, spaced([row["value"] for row in final], 0.055 * top, 0.0, top), strict=True)
    ]
    lanes = {name: rounded(-(0.09 + 0.07 * k) * top) for k, name in enumerate(data["model"]["stages"])}
    marks: Rows = [
        {
            "date": event["date"], "lane": lanes[stage], "event": shortened(event["what"], 90), "stage": spoken(stage),
            "when": on_day(event["date"]), "href": f"#{anchor(event['rows'][0])}",
        }
        for event in events for stage in event["stages"][:1] if stage in lanes
    ]  # fmt: skip
    low = min(lanes.values(), default=0.0) - 0.05 * top if marks else 0.0
    named = _named_events(data, marks, weeks, top)
    high = top * (1 + (0.02 + NAME * len(named) if named else 0.0))

    def x(name: str = "date") -> alt.X:
        span = [weeks[0]["date"], weeks[-1]["date"]]
        return alt.X(
            f"{name}:T",
            scale=alt.Scale(type="utc", domain=span, nice=False),
            axis=dates_axis(*span),
        )

    def y(name: str) -> alt.Y:
        return alt.Y(
            f"{name}:Q",
            scale=alt.Scale(domain=[rounded(low), rounded(high)], nice=False),
            axis=alt.Axis(title=None, format="%", values=ticks),
        )

    rough = sum(not week["trusted"] for week in weeks)
    solid = "solid" if rough else "value"
    layers = [
        chart_of(lines).mark_line(strokeWidth=2.2).encode(x=x(), y=y(solid), color=colour_by(), detail="outcome:N"),
        chart_of(lines)
        .mark_point(opacity=0, size=60, filled=True)
        .encode(x=x(), y=y("value"), color=colour_by(), tooltip=tooltips("outcome", "when", "then", "now")),
        chart_of(ends).mark_text(align="left", dx=7).encode(x=x(), y=y("at"), text="text:N", color=colour_by("ink")),
    ]
    if rough:
        dots = chart_of(lines).mark_line(strokeWidth=1.2, strokeDash=[2, 3])
        layers.insert(0, dots.encode(x=x(), y=y("value"), color=colour_by(), detail="outcome:N"))
    if marks:
        names = [{"date": weeks[-1]["date"], "lane": at, "text": spoken(name)} for name, at in lanes.items()]
        layers += [
            chart_of(marks)
            .mark_point(shape="triangle-up", size=70, filled=True, fill=INK, opacity=0.75, cursor="pointer", aria=True)
            .encode(
                x=x(), y=y("lane"), description="event:N", tooltip=tooltips("event", "stage", "when"), href="href:N"
            ),
            chart_of(names)
            .mark_text(align="left", dx=7, fontSize=11, color=MUTED)
            .encode(x=x(), y=y("lane"), text="text:N"),
        ]
        layers += _names(named, x, y)
    return Chart(
        "known",
        chart_spec(layers, 380),
        _course(data, weeks)
        + (f" Dotted weeks are rough, for too few draws reach them ({rough})." if rough else "")
        + (f" The axis ends at {top:.0%}." if top < 1 else ""),
        f"Lines of the probability of each outcome {count(data['lead_weeks'], 'week')} ahead, as it would have been "
        f"forecast each week from {on_day(weeks[0]['date'])} to {on_day(weeks[-1]['date'])}; at the end "
        f"{listed([row['text'] for row in ends])}. Triangles below mark {count(len(marks), 'event')}.",
    )


NAME = 0.06  # of the axis: the height of an event's name, above what is drawn


def _named_events(data: Mapping[str, Any], marks: Rows, weeks: Rows, top: float) -> Rows:
    """Give the events that hold the forecast up most, each on a line of its own, on the side with room for it."""
    held: list[str] = [row["what"] for row in (data.get("drivers") or {}).get("held_up", [])[:EVENTS]]
    first, last = date_of(weeks[0]["date"]), date_of(weeks[-1]["date"])
    names = {shortened(what, 90) for what in held}
    found: Rows = []
    for k, mark in enumerate([mark for mark in marks if mark["event"] in names][:EVENTS]):
        along = (date_of(mark["date"]) - first) / (last - first)
        text, short = shortened(mark["event"], 40), shortened(mark["event"], 24)
        found.append(mark | {
            "top": rounded(top * (1.05 + NAME * k)), "text": text, "short": short, "past": along > 1 - along,
            "room": round(max(along, 1 - along), 3), "wide": round(SIGN * len(text) + 5),
            "narrow": round(SIGN * len(short) + 5),
        })  # fmt: skip
    return found


def _names(named: Rows, x: Callable[..., alt.X], y: Callable[[str], alt.Y]) -> list[alt.Chart]:
    """Draw a rule at each event that is named, up to its name above the lines."""
    if not named:
        return []
    found = [chart_of(named).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=x(), y=y("lane"), y2="top:Q")]
    for past in (False, True):
        rows = [row for row in named if row["past"] is past]
        if rows:
            side, dx = ("right", -5) if past else ("left", 5)
            mark = chart_of(rows).mark_text(
                align=side, dx=dx, fontSize=11, color=MUTED, text=alt.ExprRef(NAMED), **HALO
            )
            found.append(mark.encode(x=x(), y=y("top")))
    return found


def _course(data: Mapping[str, Any], weeks: Rows) -> str:
    name = data["lead"]
    path = [(week["date"], week["outcomes"][name]["then"]) for week in weeks]
    top = max(path, key=lambda pair: pair[1]["mean"])
    start, end = path[0], path[-1]
    first, most, now = (chance(row["mean"], row["mcse"]) for _, row in (start, top, end))
    between = "" if top[0] in {start[0], end[0]} else f", at most {most} on {on_day(top[0])}"
    ahead = count(data["lead_weeks"], "week")
    return f"The forecast of {spoken(name)} {ahead} ahead was {first} on {on_day(start[0])}{between}, and is {now} now."


def _months(dates: Sequence[str]) -> list[int]:
    return [k for k, date in enumerate(dates) if date[:7] != next(iter(dates[k + 1 :]), "")[:7]]


def known_table(data: Mapping[str, Any]) -> Table:
    """Table of the forecast week by week."""
    weeks = data["known"]
    return Table(
        f"Probability of each outcome {count(data['lead_weeks'], 'week')} ahead, as it would have been forecast at the "
        "end of each month from what was known then",
        ["date", *(spoken(name) for name in data["model"]["outcomes"])],
        [
            [
                on_day(weeks[k]["date"]) + ("" if weeks[k]["trusted"] else " (rough)"),
                *(spread(row["then"]) for row in weeks[k]["outcomes"].values()),
            ]
            for k in _months([week["date"] for week in weeks])
        ],
    )


def states_table(data: Mapping[str, Any]) -> Table:
    """Table of the states of the past, a month a row."""
    path, stages = data["path"], data["model"]["stages"]
    names = [(stage, state) for stage, row in stages.items() for state in row["states"]]
    return Table(
        "Probability of each state at the end of each month, as the evidence up to then has it (with today's "
        "parameters)",
        ["date", *(f"{spoken(stage)}: {spoken(state)}" for stage, state in names)],
        [
            [on_day(path["dates"][k]), *(chance(path["filtered"][f"{stage}.{state}"][k][0]) for stage, state in names)]
            for k in _months(path["dates"])
        ],
    )
