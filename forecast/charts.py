# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false
# Altair's and vl-convert's types are partial.
"""Pictures of a report, drawn with Altair from the archived report data alone.

Each is one specification that serves two forms: Vega for the interactive page, and an SVG for print and Markdown. A
state or an outcome has the same colour, of the palette of Okabe and Ito, in every picture.
"""

from __future__ import annotations

import datetime as dt
import math
import re
import textwrap
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, takewhile
from typing import TYPE_CHECKING, Any

from forecast.report import one_line
from forecast.tables import terms
from forecast.words import chance, count, day, listed, moved, points, signed, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import altair as alt

__all__ = ["SHADES", "Chart", "anchor", "charts", "colours", "track"]

Data = dict[str, Any]
Rows = list[dict[str, Any]]

WIDTH = 720  # pixels of the static form; the page gives the other its own
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, MUTED, GRID, PAPER = "#1f2933", "#55606b", "#d9dee3", "#ffffff"

# Okabe and Ito: of marks; of text of that colour on white; of marks and of text on a dark ground.
_HUES = (
    ("#e69f00", "#8a5a00", "#e69f01", "#f0b84a"),
    ("#cc79a7", "#95407a", "#cc79a8", "#e3a5c7"),
    ("#d55e00", "#a84a00", "#e2701a", "#ff9d5c"),
    ("#0072b2", "#00619a", "#2a93d1", "#6dbbea"),
    ("#009e73", "#00704f", "#10b083", "#3ccb9f"),
    ("#56b4e9", "#1b6a99", "#56b4ea", "#8ccdf2"),
    ("#f0e442", "#6b6400", "#f0e443", "#f0e97a"),
)
NEUTRAL = ("#999999", "#5a5f66", "#8a929a", "#b8c0c8")

# What each colour becomes on a dark ground; the page says so in its style sheet.
SHADES: dict[str, str] = {
    INK: "#e8ecf0", MUTED: "#b3bcc5", GRID: "#3a434d", PAPER: "#14181d",
    **{light: dark for hue in (*_HUES, NEUTRAL) for light, dark in zip(hue[:2], hue[2:], strict=True)},
}  # fmt: skip
_TEXT = {hue[0]: hue[1] for hue in (*_HUES, NEUTRAL)}

CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False, "gridColor": GRID, "tickColor": GRID, "labelColor": MUTED, "titleColor": MUTED,
        "aria": False, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelOverlap": True,
    },
    "text": {"color": INK, "fontSize": 12, "aria": False},
    "mark": {"aria": False},
}  # fmt: skip

ROW = 42  # pixels of a bar with its label above it
SHOWN = 8  # bars in a picture
LABEL = 70  # characters of a label; the tables hold the rest
EVENTS = 2  # events that are named in the picture without being asked
LEAST = 2  # points that an axis spans to either side, so that next to nothing looks like it
THIN = 0.035  # bands of less are not labelled


@dataclass(frozen=True)
class Chart:
    """A picture: its Vega-Lite specification, what it shows in one sentence, and what it looks like in words."""

    name: str
    spec: dict[str, Any] = field(repr=False)
    takeaway: str
    alt: str

    @cached_property
    def _compiled(self) -> dict[str, Any]:
        import vl_convert  # noqa: PLC0415 - slow to import, and only where a report is written

        return vl_convert.vegalite_to_vega(self.spec)

    def vega(self) -> dict[str, Any]:
        """Give the interactive form: Vega that is as wide as what holds it."""
        wide = "max(240, isFinite(containerSize()[0]) ? containerSize()[0] : 600)"
        width = {"name": "width", "init": wide, "on": [{"events": "window:resize", "update": wide}]}
        rest = {key: value for key, value in self._compiled.items() if key not in {"width", "$schema"}}
        return rest | {"signals": [width, *rest.get("signals", [])]}

    def svg(self) -> str:
        """Draw the static form."""
        import vl_convert  # noqa: PLC0415

        text = vl_convert.vega_to_svg(self._compiled)
        text = re.sub(
            r'href="[^"#]*#', 'href="#', text
        )  # the only addresses are of rows, and the drawer gives them a host
        return re.sub(r'(id="|url\(#)((?:clip|gradient)[\w]*)', rf"\g<1>{self.name}-\g<2>", text)


def charts(data: Mapping[str, Any]) -> dict[str, Chart]:
    """Draw what the report data allow, in the order of the page; what is missing there has no picture."""
    makers: tuple[Callable[[Mapping[str, Any]], Chart | None], ...] = (
        cascade, known, reached, drivers, support, watch, tornado, covered, track,
    )  # fmt: skip
    return {chart.name: chart for maker in makers if (chart := maker(data)) is not None}


# Names, colours and texts.


def colours(model: Mapping[str, Any]) -> dict[str, str]:
    """Give every outcome, and every state as ``stage.state``, its colour.

    A state has that of the outcome that asks for it with the fewest others; a stage's other states are grey first.
    """
    outcomes: Mapping[str, Any] = model["outcomes"]
    found = {name: _HUES[k % len(_HUES)][0] for k, name in enumerate(outcomes)}
    asked: dict[str, str] = {}
    for name, row in sorted(outcomes.items(), key=lambda item: len(item[1].get("states", {}))):
        wanted: Mapping[str, Sequence[str]] = row.get("states", {})
        for key in (f"{stage}.{state}" for stage, states in wanted.items() for state in states):
            asked.setdefault(key, name)
    spare = [hue[0] for hue in _HUES[len(outcomes) :]]
    for stage, row in model["stages"].items():
        free = [NEUTRAL[0], *spare]
        for state in row["states"]:
            key = f"{stage}.{state}"
            owner = str(asked.get(key, state))
            found[key] = found[owner] if owner in outcomes else free.pop(0) if free else NEUTRAL[0]
    return found


def anchor(row: str) -> str:
    """Name the place of a row on the page; safe in an address whatever the row's id holds."""
    return "row-" + "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else f"~{ord(c):x}" for c in row)[:200]


_MARKS = frozenset("\u061c\u200e\u200f")  # they turn the direction of what follows


def _short(text: object, most: int = LABEL) -> str:
    line = "".join(char for char in one_line(text) if char not in _MARKS)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def _name(data: Mapping[str, Any]) -> str:
    return spoken(data["lead"])


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _on(text: str) -> str:
    return day(_date(text))


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _spaced(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move labels apart as little as possible, so that they stand ``gap`` from each other between two ends."""
    order = sorted(range(len(places)), key=lambda k: places[k])
    found = [max(low, min(high, place)) for place in places]
    for before, k in pairwise(order):
        found[k] = max(found[k], found[before] + gap)
    limit = high
    for k in reversed(order):
        found[k] = min(found[k], limit)
        limit = found[k] - gap
    return found


# Building blocks of a specification.


def _spec(layers: Sequence[alt.Chart], height: float, right: int = 5) -> dict[str, Any]:
    import altair as alt  # noqa: PLC0415 - slow to import, and only where a report is written

    chart = alt.layer(*layers).properties(width=WIDTH, height=height)
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec | {
        "config": CONFIG,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 5, "right": right, "top": 5, "bottom": 5},
    }


def _of(rows: Iterable[Mapping[str, Any]]) -> alt.Chart:
    import altair as alt  # noqa: PLC0415

    return alt.Chart(alt.Data(values=[dict(row) for row in rows]))


def _tips(*names: str) -> list[alt.Tooltip]:
    import altair as alt  # noqa: PLC0415

    return [alt.Tooltip(f"{name}:N", title=name) for name in names]


def _colour(name: str = "colour") -> alt.Color:
    import altair as alt  # noqa: PLC0415

    return alt.Color(f"{name}:N", scale=None, legend=None)


def _stroke(name: str = "colour") -> alt.Stroke:
    import altair as alt  # noqa: PLC0415

    return alt.Stroke(f"{name}:N", scale=None, legend=None)


def _round(value: float) -> float:
    return round(value, 5)


# (a) The cascade.

_GAP = 0.085  # of probability, between the bars of two states: room for a label
_BAR = 0.05  # half a bar, as a part of the way to the next stage
_STEPS = 24  # pieces of a band


def cascade(data: Mapping[str, Any]) -> Chart | None:
    """Draw how the probability flows through the stages; bands that meet in a state add up to it."""
    import altair as alt  # noqa: PLC0415

    part: Data | None = data.get("cascade")
    if not part:
        return None
    paint, stages = colours(data["model"]), part["stages"]
    nodes = _nodes(stages, paint)
    bands, branches = _bands(part, nodes, paint)
    last = len(stages) - 1
    heads: Rows = [
        {"x": k, "y": -0.2, "text": "\n".join(textwrap.wrap(_short(row["label"], 48), 20)), "at": _side(k, last)}
        for k, row in enumerate(stages)
    ]
    bottom = max(row["y2"] for row in nodes.values()) + 0.01

    def x(name: str) -> alt.X:
        return alt.X(f"{name}:Q", axis=None, scale=alt.Scale(domain=[-_BAR, last + _BAR], nice=False))

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[bottom, -0.21], nice=False, zero=False))

    layers = [
        _of(bands)
        .mark_area(opacity=0.38, interpolate="linear")
        .encode(
            x=x("x"), y=y("y"), y2="y2:Q", detail="link:N", color=_colour(), tooltip=_tips("path", "chance", "given")
        ),
        _of(nodes.values())
        .mark_rect()
        .encode(x=x("x"), x2="x2:Q", y=y("y"), y2="y2:Q", color=_colour(), tooltip=_tips("state", "chance")),
        _of(branches).mark_text(align="left", fontSize=11, dx=4).encode(x=x("x"), y=y("y"), text="text:N"),
    ]
    for side in ("left", "center", "right"):
        here = [row | {"lx": row["x2"] if side == "right" else row["x"]} for row in nodes.values() if row["at"] == side]
        if here:
            layers.append(
                _of(here)
                .mark_text(align="left" if side == "center" else side, baseline="bottom", dy=-3, fontWeight="bold")
                .encode(x=x("lx"), y=y("y"), text="label:N")
            )
        tops = [row for row in heads if row["at"] == side]
        if tops:
            shift = {"left": -_BAR, "center": 0, "right": _BAR}[side]
            layers.append(
                _of([row | {"x": row["x"] + shift} for row in tops])
                .mark_text(align=side, baseline="top", lineBreak="\n", color=MUTED)
                .encode(x=x("x"), y=y("y"), text="text:N")
            )
    flows = listed([f"{_short(row['label'])} ({_states(row)})" for row in stages])
    return Chart(
        "cascade",
        _spec(layers, 440),
        _total(data, part),
        f"Flow picture of the probabilities on {_on(part['date'])}: {flows}. Each band runs from a state to a state of "
        "the next stage, as high as the probability of both together; its number is the chance of the branch.",
    )


def _side(k: int, last: int) -> str:
    return "left" if k == 0 else "right" if k == last else "center"


def _states(stage: Mapping[str, Any]) -> str:
    return listed([f"{spoken(row['state'])} {chance(row['probability'])}" for row in stage["states"]])


def _nodes(stages: Sequence[Mapping[str, Any]], paint: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    most = max(len(stage["states"]) for stage in stages)
    found: dict[str, dict[str, Any]] = {}
    for k, stage in enumerate(stages):
        states = stage["states"]
        gap = _GAP * (most - 1) / max(len(states) - 1, 1) if len(states) > 1 else _GAP
        y = 0.0
        for row in states:
            key, p = f"{stage['stage']}.{row['state']}", row["probability"]
            found[key] = {
                "x": k - _BAR, "x2": k + _BAR, "y": _round(y), "y2": _round(y + max(p, 0.002)), "colour": paint[key],
                "label": f"{_short(spoken(row['state']), 24)} {chance(p)}", "at": _side(k, len(stages) - 1),
                "state": f"{_short(stage['label'])}: {_short(spoken(row['state']))}", "chance": chance(p),
            }  # fmt: skip
            y += p + gap
    return found


def _bands(
    part: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]], paint: Mapping[str, str]
) -> tuple[Rows, Rows]:
    """Give the points of every band, and the label of every branch that is not too thin for one."""
    left = {key: row["y"] for key, row in nodes.items()}
    right = dict(left)
    bands: Rows = []
    branches: Rows = []
    for link in part["links"]:
        one, other, p = link["from"], link["to"], link["probability"]
        top, end = left[one], right[other]
        left[one] += p
        right[other] += p
        x, x2 = nodes[one]["x2"], nodes[other]["x"]
        told = {
            "link": f"{one}>{other}", "colour": paint[other],
            "path": f"{nodes[one]['state']} → {_short(spoken(other.partition('.')[2]))}",
            "chance": f"{chance(p)} of all",
            "given": "" if link["given"] is None else f"{chance(link['given'])} of {spoken(one.partition('.')[2])}",
        }  # fmt: skip
        for step in range(_STEPS + 1):
            t = step / _STEPS
            y = top + (end - top) * t * t * (3 - 2 * t)
            bands.append(told | {"x": _round(x + (x2 - x) * t), "y": _round(y), "y2": _round(y + p)})
        if p >= THIN and link["given"] is not None:
            branches.append({"x": x, "y": _round(top + p / 2), "text": chance(link["given"])})
    return bands, branches


def _total(data: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """Write the law of total probability for the state of the last stage that is explained."""
    last = part["stages"][-1]
    states = {row["state"]: row["probability"] for row in last["states"]}
    name = data["lead"] if data["lead"] in states else next(iter(states))
    sums = terms(part["links"], f"{last['stage']}.{name}")
    stage = part["stages"][-2]["label"] if len(part["stages"]) > 1 else ""
    made = f", over “{_short(stage)}”: {sums}" if sums else ""
    return f"On {_on(part['date'])} {spoken(name)} has {chance(states[name])}{made}."


# (b) Over time.


def known(data: Mapping[str, Any]) -> Chart | None:
    """Draw what would have been forecast each week, from what was known then, with the events of the time."""
    import altair as alt  # noqa: PLC0415

    weeks: Rows = data.get("known") or []
    if len(weeks) < 2:  # noqa: PLR2004 - a line has two ends
        return None
    paint, events = colours(data["model"]), data.get("events") or []
    lines: Rows = [
        {
            "date": week["date"], "value": _round(row["then"]["mean"]),
            "solid": _round(row["then"]["mean"]) if week["trusted"] else None,
            "outcome": spoken(name), "colour": paint[name],
            "when": _on(week["date"]), "then": chance(row["then"]["mean"], row["then"]["mcse"]),
            "now": chance(row["now"]["mean"], row["now"]["mcse"]),
        }
        for week in weeks for name, row in week["outcomes"].items()
    ]  # fmt: skip
    final = [row for row in lines if row["date"] == weeks[-1]["date"]]
    ends: Rows = [
        row | {"at": at, "text": f"{row['outcome']} {row['then']}", "ink": _TEXT[row["colour"]]}
        for row, at in zip(final, _spaced([row["value"] for row in final], 0.055, 0.0, 1.0), strict=True)
    ]
    lanes = {name: -0.09 - 0.07 * k for k, name in enumerate(data["model"]["stages"])}
    marks: Rows = [
        {
            "date": event["date"], "lane": lanes[stage], "event": _short(event["what"], 90), "stage": spoken(stage),
            "when": _on(event["date"]), "href": f"#{anchor(event['rows'][0])}",
        }
        for event in events for stage in event["stages"][:1] if stage in lanes
    ]  # fmt: skip
    low = min(lanes.values(), default=0.0) - 0.05 if marks else 0.0

    def x(name: str = "date") -> alt.X:
        span = [weeks[0]["date"], weeks[-1]["date"]]
        return alt.X(
            f"{name}:T",
            scale=alt.Scale(type="utc", domain=span, nice=False),
            axis=alt.Axis(title=None, grid=False, format="%b %Y", tickCount=6),
        )

    def y(name: str) -> alt.Y:
        ticks = [0, 0.25, 0.5, 0.75, 1]
        return alt.Y(
            f"{name}:Q",
            scale=alt.Scale(domain=[low, 1], nice=False),
            axis=alt.Axis(title=None, format="%", values=ticks),
        )

    rough = sum(not week["trusted"] for week in weeks)
    solid = "solid" if rough else "value"
    layers = [
        _of(lines).mark_line(strokeWidth=2.2).encode(x=x(), y=y(solid), color=_colour(), detail="outcome:N"),
        _of(lines)
        .mark_point(opacity=0, size=60, filled=True)
        .encode(x=x(), y=y("value"), color=_colour(), tooltip=_tips("outcome", "when", "then", "now")),
        _of(ends).mark_text(align="left", dx=7).encode(x=x(), y=y("at"), text="text:N", color=_colour("ink")),
    ]
    if rough:
        dots = _of(lines).mark_line(strokeWidth=1.2, strokeDash=[2, 3])
        layers.insert(0, dots.encode(x=x(), y=y("value"), color=_colour(), detail="outcome:N"))
    if marks:
        names = [{"date": weeks[-1]["date"], "lane": at, "text": spoken(name)} for name, at in lanes.items()]
        layers += [
            _of(marks)
            .mark_point(shape="triangle-up", size=70, filled=True, fill=INK, opacity=0.75, cursor="pointer", aria=True)
            .encode(x=x(), y=y("lane"), description="event:N", tooltip=_tips("event", "stage", "when"), href="href:N"),
            _of(names)
            .mark_text(align="left", dx=7, fontSize=11, color=MUTED)
            .encode(x=x(), y=y("lane"), text="text:N"),
        ]
        layers += _named(data, marks, weeks, x, y)
    return Chart(
        "known",
        _spec(layers, 380),
        _course(data, weeks) + (f" Dotted weeks are rough, for too few draws reach them ({rough})." if rough else ""),
        f"Lines of the probability of each outcome {count(data['lead_weeks'], 'week')} ahead, as it would have been "
        f"forecast each week from {_on(weeks[0]['date'])} to {_on(weeks[-1]['date'])}; at the end "
        f"{listed([row['text'] for row in ends])}. Triangles below mark {count(len(marks), 'event')}.",
    )


def _named(
    data: Mapping[str, Any], marks: Rows, weeks: Rows, x: Callable[..., alt.X], y: Callable[[str], alt.Y]
) -> list[alt.Chart]:
    """Name the events that hold the forecast up most, staggered, on the side of their rule with room for it."""
    held: list[str] = [row["what"] for row in (data.get("drivers") or {}).get("held_up", [])[:EVENTS]]
    first, last = _date(weeks[0]["date"]), _date(weeks[-1]["date"])
    wanted: Rows = []
    for mark in marks:
        if mark["event"] in {_short(what, 90) for what in held}:
            past = (_date(mark["date"]) - first) / (last - first) > 0.5  # noqa: PLR2004 - the middle
            wanted.append(mark | {"top": 0.99 - 0.06 * len(wanted), "text": _short(mark["event"], 32), "past": past})
    found: list[alt.Chart] = []
    if wanted:
        found.append(_of(wanted).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=x(), y=y("lane"), y2="top:Q"))
    for past in (False, True):
        rows = [row for row in wanted if row["past"] is past]
        if rows:
            side, dx = ("right", -5) if past else ("left", 5)
            mark = _of(rows).mark_text(align=side, dx=dx, fontSize=11, color=MUTED)
            found.append(mark.encode(x=x(), y=y("top"), text="text:N"))
    return found


def _course(data: Mapping[str, Any], weeks: Rows) -> str:
    name = data["lead"]
    path = [(week["date"], week["outcomes"][name]["then"]) for week in weeks]
    top = max(path, key=lambda pair: pair[1]["mean"])
    start, end = path[0], path[-1]
    first, most, now = (chance(row["mean"], row["mcse"]) for _, row in (start, top, end))
    between = "" if top[0] in {start[0], end[0]} else f", at most {most} on {_on(top[0])}"
    ahead = count(data["lead_weeks"], "week")
    return f"The forecast of {spoken(name)} {ahead} ahead was {first} on {_on(start[0])}{between}, and is {now} now."


# (c) By date.


def reached(data: Mapping[str, Any]) -> Chart | None:
    """Draw by which date an outcome that nobody can miss has begun, with the 90 % interval."""
    import altair as alt  # noqa: PLC0415

    curves: Mapping[str, Rows] = data.get("reached") or {}
    if not curves:
        return None
    paint, as_of = colours(data["model"]), data["forecast"]["as_of"]
    horizons = {row["date"] for row in data["forecast"]["quantities"] if row["kind"] == "reached"}
    start: Data = {"date": as_of, "mean": 0.0, "low": 0.0, "high": 0.0}
    rows: Rows = [
        {
            "date": row["date"], "mean": _round(row["mean"]), "low": _round(row["low"]), "high": _round(row["high"]),
            "outcome": spoken(name), "colour": paint[name], "ink": _TEXT[paint[name]], "by": _on(row["date"]),
            "chance": chance(row["mean"]), "interval": f"{chance(row['low'])} to {chance(row['high'])}",
            "text": f"{chance(row['mean'])} by {_on(row['date'])}",
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
    layers = [
        _of(rows).mark_area(opacity=0.25).encode(x=x(), y=y("low"), y2="high:Q", color=_colour(), detail="outcome:N"),
        _of(rows).mark_line(strokeWidth=2.5).encode(x=x(), y=y("mean"), color=_colour(), detail="outcome:N"),
        _of(rows)
        .mark_point(opacity=0, size=60)
        .encode(x=x(), y=y("mean"), color=_colour(), tooltip=_tips("outcome", "by", "chance", "interval")),
        _of(points)
        .mark_point(size=45, filled=True, opacity=1)
        .encode(x=x(), y=y("mean"), color=_colour(), tooltip=_tips("outcome", "by", "chance", "interval")),
        _of(points[1:])
        .mark_text(align="right", dx=-6, dy=-9, fontWeight="bold")
        .encode(x=x(), y=y("mean"), text="text:N", color=_colour("ink")),
    ]
    name, curve = next(iter(curves.items()))
    end = curve[-1]
    said = f"{chance(end['mean'])} by {_on(end['date'])} (90% interval {chance(end['low'])} to {chance(end['high'])})"
    return Chart(
        "reached",
        _spec(layers, 280),
        f"The chance that “{_short(data['model']['outcomes'][name]['label'])}” has begun rises to {said}.",
        f"Curve of the probability, by date, that {listed([spoken(key) for key in curves])} has begun, with a band for "
        f"the 90 % interval: {listed([row['text'] for row in points])}.",
    )


# Bars with their label above them.


def _scale(values: Sequence[float], room: float) -> list[float]:
    """Give the ends of an axis that hold the values and leave room for labels at both sides."""
    low, high = min(values), max(values)
    span = max(high - low, 0.01)
    return [_round(low - room * span), _round(high + room * span)]


def _x(name: str, domain: Sequence[float], style: str, title: str | None = None, **more: Any) -> alt.X:  # noqa: ANN401
    import altair as alt  # noqa: PLC0415

    axis = alt.Axis(title=title, format=style, tickCount=5, **more)
    return alt.X(f"{name}:Q", scale=alt.Scale(domain=list(domain), nice=False, zero=False), axis=axis)


def _y(name: str, rows: float) -> alt.Y:
    import altair as alt  # noqa: PLC0415

    return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[rows, 0], nice=False))


def _labels(rows: Rows) -> alt.Chart:
    """Write each row's label above its bar, from the left edge."""
    import altair as alt  # noqa: PLC0415

    text = _of(rows).mark_text(align="left", baseline="bottom", limit=alt.ExprRef("width"))
    return text.encode(x=alt.value(0), y=_y("label_y", len(rows)), text="label:N", tooltip=_tips("label", "effect"))


def _bars(rows: Rows, title: str) -> dict[str, Any]:
    """Draw differences in percentage points from a line at none, each with its number."""
    for k, row in enumerate(rows):
        up = row["value"] >= 0
        row |= {"label_y": k + 0.38, "y": k + 0.46, "y2": k + 0.84, "mid": k + 0.65, "none": 0, "side": up}
    domain = _scale([-LEAST, LEAST, *(row["value"] for row in rows)], 0.14)

    def x(name: str) -> alt.X:
        return _x(name, domain, "+d", title, labelExpr="datum.value == 0 ? '0' : datum.label")

    layers = [
        _of(rows)
        .mark_rect()
        .encode(
            x=x("none"),
            x2="value:Q",
            y=_y("y", len(rows)),
            y2="y2:Q",
            color=_colour(),
            tooltip=_tips("label", "effect"),
        ),
        _of(rows).mark_rule(color=MUTED).encode(x=x("none"), y=_y("y", len(rows)), y2="y2:Q"),
        _labels(rows),
    ]
    for up in (True, False):
        side = [row for row in rows if row["side"] is up]
        if side:
            text = _of(side).mark_text(align="left" if up else "right", dx=5 if up else -5, fontWeight="bold")
            layers.append(text.encode(x=x("value"), y=_y("mid", len(rows)), text="number:N"))
    return _spec(layers, ROW * len(rows))


def _effects(data: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Rows:
    paint, name = colours(data["model"]), _name(data)
    return [
        {
            "label": _short(row["what"]), "value": _round(100 * row["difference"]),
            "number": signed(row["difference"], row["mcse"]),
            "colour": paint[data["lead"]] if row["difference"] > 0 else NEUTRAL[0],
            "effect": moved("it", row["difference"], row["mcse"], name),
        }
        for row in rows
    ]  # fmt: skip


def drivers(data: Mapping[str, Any]) -> Chart | None:
    """Draw what moved the forecast since the last issue."""
    part: Data = data.get("drivers") or {}
    largest = sorted(part.get("moved", []), key=lambda row: -abs(row["difference"]))[:SHOWN]
    if not largest:
        return None
    rows, name = _effects(data, largest), _name(data)
    first = largest[0]
    return Chart(
        "drivers",
        _bars(rows, f"percentage points of {name}"),
        f"Since {_on(part['since'])}: {moved(_short(first['what']), first['difference'], first['mcse'], name)}.",
        f"Bars of what moved {name} on {_on(part['date'])} since {_on(part['since'])}, in percentage points: "
        f"{_listing(rows)}.",
    )


def support(data: Mapping[str, Any]) -> Chart | None:
    """Draw what holds the forecast up: what each story adds to it as it stands."""
    part: Data = data.get("drivers") or {}
    largest = sorted(part.get("held_up", []), key=lambda row: -abs(row["difference"]))[:SHOWN]
    if not largest:
        return None
    rows, name, first = _effects(data, largest), _name(data), largest[0]
    after = part["after"]
    without = max(0.0, after["mean"] - first["difference"])
    return Chart(
        "support",
        _bars(rows, f"percentage points of {name}"),
        f"Without {_short(first['what'])}, {name} would stand at {chance(without, first['mcse'])} instead of "
        f"{chance(after['mean'], after['mcse'])}.",
        f"Bars of what each story does to {name} on {_on(part['date'])}, in percentage points: {_listing(rows)}.",
    )


def _listing(rows: Rows) -> str:
    return listed([f"{row['label']} {row['number']}" for row in rows])


# (e) What to watch.


def watch(data: Mapping[str, Any]) -> Chart | None:
    """Draw where the forecast would go if an indicator were seen, and if somebody looked and it were not."""
    part: Data = data.get("watch") or {}
    best: Rows = part.get("rows", [])[:SHOWN]
    if not best:
        return None
    paint, name = colours(data["model"]), _name(data)
    rows: Rows = []
    for k, row in enumerate(best):
        seen, unseen = row["if_seen"], row["if_not"]
        told = {
            "if_seen": f"{chance(seen, row['if_seen_mcse'])} if seen",
            "if_not": f"{chance(unseen, row['if_not_mcse'])} if not",
        }
        rows.append(told | {
            "label": f"{chance(row['chance'], row['chance_mcse'])} likely · {_short(row['label'], 56)}",
            "seen": _round(seen), "not": _round(unseen), "mid": k + 0.65,
            "label_y": k + 0.42, "y": k + 0.49, "y2": k + 0.81, "now": _round(part["now"]),
            "effect": f"{name}: {told['if_seen']}, {told['if_not']}", "colour": paint[data["lead"]],
        })  # fmt: skip
    domain = _scale([part["now"], *(row[key] for row in rows for key in ("seen", "not"))], 0.28)

    def x(field: str) -> alt.X:
        return _x(field, domain, "%", f"{name} on {_on(part['date'])}")

    y, tips = _y("mid", len(rows)), _tips("label", "if_seen", "if_not")
    layers = [
        _of(rows).mark_rule(color=MUTED).encode(x=x("now"), y=_y("y", len(rows)), y2="y2:Q"),
        _of(rows).mark_rule(color=MUTED, strokeWidth=2).encode(x=x("not"), x2="seen:Q", y=y),
        _of(rows)
        .mark_point(size=80, filled=True, fill=PAPER, stroke=MUTED, strokeWidth=2, opacity=1)
        .encode(x=x("not"), y=y, tooltip=tips),
        _of(rows).mark_point(size=95, filled=True, opacity=1).encode(x=x("seen"), y=y, color=_colour(), tooltip=tips),
        _labels(rows),
    ]
    for key, text in (("seen", "if_seen"), ("not", "if_not")):
        other = "not" if key == "seen" else "seen"
        for right in (True, False):
            side = [row for row in rows if (row[key] >= row[other]) is right]
            if side:
                mark = _of(side).mark_text(align="left" if right else "right", dx=9 if right else -9, fontSize=11)
                layers.append(mark.encode(x=x(key), y=y, text=f"{text}:N"))
    first = best[0]
    listing = " ".join(f"{row['label']}: {row['if_seen']}, {row['if_not']}." for row in rows)
    return Chart(
        "watch",
        _spec(layers, ROW * len(rows)),
        f"Most is to be learned from “{_short(first['label'])}”: {name} would stand at {rows[0]['if_seen']} by "
        f"{_on(part['until'])} and at {rows[0]['if_not']}.",
        f"For each indicator two points: {name} on {_on(part['date'])} if it is seen by {_on(part['until'])}, and if "
        f"somebody looks and it is not. {listing}",
    )


# (f) Sensitivity.


def tornado(data: Mapping[str, Any]) -> Chart | None:
    """Draw what the probability would be with other assumptions, the most telling first."""
    part: Data = data.get("sensitivity") or {}
    if not part.get("shifts"):
        return None
    paint, name, now = colours(data["model"]), _name(data), part["now"]["mean"]
    groups: dict[tuple[str, str], Rows] = {}
    for shift in part["shifts"]:
        groups.setdefault((shift["kind"], shift["name"]), []).append(shift)
    ranked = sorted(groups.values(), key=lambda rows: -max(abs(row["difference"]) for row in rows))[: SHOWN + 2]
    rows: Rows = []
    bars: Rows = []
    for k, group in enumerate(ranked):
        label, tails = _parted([row["change"] for row in group])
        row: Data = {"label": _short(label), "label_y": k + 0.38}
        found: Rows = [
            row | {
                "now": _round(now), "value": _round(shift["probability"]), "mid": k + 0.65,
                "y": k + 0.46, "y2": k + 0.84,
                "text": f"{tail}: {chance(shift['probability'], shift['mcse'])}".removeprefix(": "),
                "colour": paint[data["lead"]] if shift["difference"] > 0 else NEUTRAL[0], "up": shift["difference"] > 0,
                "change": _short(shift["change"], 120),
                "effect": f"{chance(now)} → {chance(shift['probability'], shift['mcse'])}",
            }
            for shift, tail in zip(group, tails, strict=True)
        ]  # fmt: skip
        bars += found
        rows.append(row | {"effect": "; ".join(one["text"] for one in found)})
    domain = _scale([now, *(row["value"] for row in bars)], 0.2)

    def x(field: str) -> alt.X:
        return _x(field, domain, "%", f"{name} on {_on(part['date'])}")

    layers = [
        _of(bars).mark_rect().encode(
            x=x("now"), x2="value:Q", y=_y("y", len(rows)), y2="y2:Q", color=_colour(),
            tooltip=_tips("change", "effect"),
        ),
        _of(bars).mark_rule(color=INK).encode(x=x("now"), y=_y("y", len(rows)), y2="y2:Q"),
        _labels(rows),
    ]  # fmt: skip
    for up in (True, False):
        side = [row for row in bars if row["up"] is up]
        if side:
            text = _of(side).mark_text(align="left" if up else "right", dx=5 if up else -5, fontSize=11)
            layers.append(text.encode(x=x("value"), y=_y("mid", len(rows)), text="text:N"))
    most = max((row for group in ranked for row in group), key=lambda row: abs(row["difference"]))
    return Chart(
        "tornado",
        _spec(layers, ROW * len(rows)),
        f"With {_short(most['change'])}, {name} would move most: from {chance(now, part['now']['mcse'])} to "
        f"{chance(most['probability'], most['mcse'])}.",
        f"Bars from {chance(now)} to what {name} would be with another assumption: "
        f"{' '.join(f'{row["change"]}: {row["effect"]}.' for row in bars)}",
    )


def _parted(texts: Sequence[str]) -> tuple[str, list[str]]:
    """Split what two changes of one assumption have in common from what tells them apart: ``×0.50``."""
    if len(texts) == 1:
        return texts[0], [""]
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*texts, strict=False))
    common = "".join(signs[0] for signs in alike).rpartition(" ")[0]
    tails = [re.sub(r"\s*\(.*\)$| instead of .*$", "", text[len(common) :]).strip() for text in texts]
    return (common.removesuffix(" at"), tails) if common else ("; ".join(texts), [""] * len(texts))


# (g) Read as covered.


def covered(data: Mapping[str, Any]) -> Chart | None:
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
        heads.append({"at": at, "text": spoken(name), "ink": _TEXT[paint[name]]})
        for week in weeks:
            at += 1
            steps.append({"at": at, "text": f"{week} wk"})
            for kind, shift in (("issued", -0.17), ("covered", 0.17)):
                if (found := by.get((kind, name, week))) is None:
                    continue
                mean, low, high = (found["estimate"][key] for key in ("mean", "low", "high"))
                rows.append({
                    "at": _round(at + shift), "mean": _round(mean), "low": _round(low), "high": _round(high),
                    "kind": kind, "colour": paint[name], "outcome": spoken(name), "on": _on(found["date"]),
                    "reading": "as issued" if kind == "issued" else "rows read as covered",
                    "chance": f"{chance(mean)}, 90% interval {chance(low)} to {chance(high)}",
                })  # fmt: skip
        at += 1.5
    high, domain = at - 0.7, [-0.13, 1.0]

    def x(field: str) -> alt.X:
        return _x(field, domain, "%", values=[0, 0.25, 0.5, 0.75, 1])

    y, tips = _y("at", high), _tips("outcome", "on", "reading", "chance")
    solid, hollow = ([row for row in rows if row["kind"] == kind] for kind in readings)
    key = [{"at": 0.9, "text": "filled: as issued · hollow: rows read as covered"}]
    layers = [
        _of(rows)
        .mark_rule(strokeWidth=2.5, opacity=0.55)
        .encode(x=x("low"), x2="high:Q", y=y, color=_colour(), tooltip=tips),
        _of(solid).mark_point(size=50, filled=True, opacity=1).encode(x=x("mean"), y=y, color=_colour(), tooltip=tips),
        _of(hollow)
        .mark_point(size=50, filled=True, fill=PAPER, strokeWidth=2, opacity=1)
        .encode(x=x("mean"), y=y, stroke=_stroke(), tooltip=tips),
        _of([row | {"x": -0.13} for row in heads])
        .mark_text(align="left", fontWeight="bold")
        .encode(x=x("x"), y=y, text="text:N", color=_colour("ink")),
        _of([row | {"x": -0.13} for row in steps])
        .mark_text(align="left", fontSize=11, color=MUTED)
        .encode(x=x("x"), y=y, text="text:N"),
        _of([row | {"x": 1.0} for row in key])
        .mark_text(align="right", fontSize=11, color=MUTED)
        .encode(x=x("x"), y=y, text="text:N"),
    ]
    points_told = [f"{row['outcome']} on {row['on']}, {row['reading']}, {row['chance']}" for row in rows]
    return Chart(
        "covered",
        _spec(layers, 21 * high),
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
    return f"{_upper(moved('reading the rows as systematically covered', gap, mcse, name))}, the most of all outcomes."


# The track record.


def track(data: Mapping[str, Any]) -> Chart | None:
    """Draw how often what was given a probability came true, with the band in which it lies if that is right."""
    import altair as alt  # noqa: PLC0415

    parts: Rows = [part for part in (data.get("track") or {}).get("parts", []) if part["reliability"]]
    if not parts:
        return None
    part = parts[0]
    found: Data = part["reliability"]
    rows: Rows = [
        {
            "p": _round(p), "seen": _round(seen), "low": _round(low), "high": _round(high), "issued": chance(p),
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

    hue = _HUES[3][0]
    tips = [alt.Tooltip(f"{field}:N", title=title) for field, title in _TRACK_TIPS.items()]
    layers = [
        _of(rows).mark_area(opacity=0.25, color=NEUTRAL[0]).encode(x=x("p"), y=y("low"), y2="high:Q"),
        _of([{"p": 0, "seen": 0}, {"p": 1, "seen": 1}])
        .mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1.2)
        .encode(x=x("p"), y=y("seen")),
        _of(rows).mark_line(color=hue, strokeWidth=2.5).encode(x=x("p"), y=y("seen")),
        _of(rows).mark_point(color=hue, size=40, filled=True, opacity=1).encode(x=x("p"), y=y("seen"), tooltip=tips),
    ]
    outside = sum(not row["low"] <= row["seen"] <= row["high"] for row in rows)
    where = f"leaves the 90 % band of a calibrated forecaster at {outside} of {count(len(rows), 'point')}"
    if part["few"]:
        where += f", and {count(part['total']['clusters'], 'independent cluster')} are too few to conclude anything"
    told = [f"{row['issued']} came true in {row['true']}" for row in (rows[0], rows[len(rows) // 2], rows[-1])]
    return Chart(
        "track",
        _spec(layers, 360),
        f"{_upper(part['name'])}: the curve of {count(found['questions'], 'resolved question')} {where}.",
        "Curve of how often questions were answered yes against the probability that was issued, a diagonal on which "
        f"both agree, and a 90 % band around it for a calibrated forecaster. What was given {listed(told)} of cases.",
    )


_TRACK_TIPS = {"issued": "issued", "true": "came true", "band": "if calibrated"}
