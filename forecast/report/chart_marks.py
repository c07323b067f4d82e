"""Marks, colours and axes that the charts of a report share."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt
import vl_convert

from forecast.base.prose import spoken
from forecast.base.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


Data = dict[str, Any]
Rows = list[dict[str, Any]]
WIDTH = 720  # pixels of the static form; the page gives the other its own
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
INK, MUTED, GRID, PAPER = "#1f2933", "#55606b", "#d9dee3", "#ffffff"
# Okabe and Ito: of marks; of text of that colour on white; of marks and of text on a dark ground.
HUES = (
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
    **{light: dark for hue in (*HUES, NEUTRAL) for light, dark in zip(hue[:2], hue[2:], strict=True)},
}  # fmt: skip
TEXT_COLOURS = {hue[0]: hue[1] for hue in (*HUES, NEUTRAL)}
CONFIG: dict[str, Any] = {
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "domain": False, "gridColor": GRID, "tickColor": GRID, "labelColor": MUTED, "titleColor": MUTED,
        "aria": False, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelOverlap": True,
        "labelSeparation": 6,
    },
    "text": {"color": INK, "fontSize": 12, "aria": False},
    "mark": {"aria": False},
}  # fmt: skip
ROW = 42  # pixels of a bar with its label above it
BARS_SHOWN = 8  # bars in a picture
LABEL = 70  # characters of a label; the tables hold the rest
BRIEF = 48  # of one on a phone
SIGN = 6.1  # pixels of a sign of a label
LEAST = 2  # points that an axis spans to either side, so that next to nothing looks like it


@dataclass(frozen=True)
class Chart:
    """A picture: its Vega-Lite specification, what it shows in one sentence, and what it looks like in words."""

    name: str
    spec: dict[str, Any] = field(repr=False)
    takeaway: str
    alt: str

    @cached_property
    def _compiled(self) -> dict[str, Any]:
        return vl_convert.vegalite_to_vega(self.spec)

    def vega(self) -> dict[str, Any]:
        """Give the interactive form: Vega that is as wide as what holds it."""
        wide = "max(240, isFinite(containerSize()[0]) ? containerSize()[0] : 600)"
        width = {"name": "width", "init": wide, "on": [{"events": "window:resize", "update": wide}]}
        rest = {key: value for key, value in self._compiled.items() if key not in {"width", "$schema"}}
        return rest | {"signals": [width, *rest.get("signals", [])]}

    def svg(self) -> str:
        """Draw the static form."""
        text = vl_convert.vega_to_svg(self._compiled)
        text = re.sub(
            r'href="[^"#]*#', 'href="#', text
        )  # the only addresses are of rows, and the drawer gives them a host
        text = re.sub(r"(<text [^>]*?)(?= stroke=)", r'\g<1> paint-order="stroke"', text)
        return re.sub(r'(id="|url\(#)((?:clip|gradient)[\w]*)', rf"\g<1>{self.name}-\g<2>", text)


# Names, colours and texts.


def colours(model: Mapping[str, Any]) -> dict[str, str]:
    """Give every outcome, and every state as ``stage.state``, its colour.

    A state has that of the outcome that asks for it with the fewest others; a stage's other states are grey first.
    """
    outcomes: Mapping[str, Any] = model["outcomes"]
    found = {name: HUES[k % len(HUES)][0] for k, name in enumerate(outcomes)}
    asked: dict[str, str] = {}
    for name, row in sorted(outcomes.items(), key=lambda item: len(item[1].get("states", {}))):
        wanted: Mapping[str, Sequence[str]] = row.get("states", {})
        for key in (f"{stage}.{state}" for stage, states in wanted.items() for state in states):
            asked.setdefault(key, name)
    spare = [hue[0] for hue in HUES[len(outcomes) :]]
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


_END = re.compile(r"”?(?: \([^()]{1,24}\))?$")  # what tells apart two that begin alike: a closing quote, and a date


def shortened(text: object, most: int = LABEL) -> str:
    """Text on one line, cut at a word to what a label holds; a closing quote and what stands in brackets are kept."""
    line = "".join(char for char in one_line(text) if char not in _MARKS)
    if len(line) <= most:
        return line
    found = _END.search(line)
    end = found.group() if found and len(found.group()) < most - 1 else ""
    head = _whole_words(line, most - 2 - len(end))
    opened = head.rpartition("“")[2] if "“" in head else "”"
    return f"{head}…{end}" if "”" in opened + end else f"{head}…”{end}"


def _whole_words(line: str, most: int) -> str:
    """Beginning of a line that ends with a word, unless a word is so long that little would be left."""
    head = line[:most]
    words = head.rpartition(" ")[0] if line[most : most + 1] != " " else head
    return (words if len(words) > most // 2 else head).rstrip()


def told_apart(texts: Sequence[str], most: int = LABEL) -> list[str]:
    """Texts cut to what a label holds; those that would be the same lose their middle and keep their end."""
    lines = [shortened(text, 1000) for text in texts]
    short = [shortened(line, most) for line in lines]
    half = (most - 3) // 2
    return [
        f"{_whole_words(line, half)} … {_whole_words(line[::-1], half)[::-1]}"
        if brief != line and short.count(brief) > 1
        else brief
        for line, brief in zip(lines, short, strict=True)
    ]


def spaced(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
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


def lead_name(data: Mapping[str, Any]) -> str:
    """Name of the lead outcome in words."""
    return spoken(data["lead"])


def date_of(text: str) -> dt.date:
    """Read an ISO date."""
    return dt.date.fromisoformat(text)


def capital(text: str) -> str:
    """Text with a capital first letter."""
    return text[:1].upper() + text[1:]


# Building blocks of a specification.

HALO: dict[str, Any] = {"stroke": PAPER, "strokeWidth": 3, "strokeJoin": "round"}  # of a text on a picture's marks


def chart_spec(layers: Sequence[alt.Chart], height: float, right: int = 5) -> dict[str, Any]:
    """Vega-Lite specification of layers, in the static size."""
    chart = alt.layer(*layers).properties(width=WIDTH, height=height)
    spec: dict[str, Any] = chart.to_dict(validate=False)
    return spec | {
        "config": CONFIG,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "padding": {"left": 5, "right": right, "top": 5, "bottom": 5},
    }


def chart_of(rows: Iterable[Mapping[str, Any]]) -> alt.Chart:
    """Chart of rows, to which marks are added."""
    return alt.Chart(alt.Data(values=[dict(row) for row in rows]))


def tooltips(*names: str) -> list[alt.Tooltip]:
    """Tooltips of columns."""
    return [alt.Tooltip(f"{name}:N", title=name) for name in names]


def colour_by(name: str = "colour") -> alt.Color:
    """Colour that a column names."""
    return alt.Color(f"{name}:N", scale=None, legend=None)


def stroke_by(name: str = "colour") -> alt.Stroke:
    """Stroke that a column names."""
    return alt.Stroke(f"{name}:N", scale=None, legend=None)


def rounded(value: float) -> float:
    """Round to as many digits as a picture needs."""
    return round(value, 5)


# Bars with their label above them.


def axis_ends(values: Sequence[float], room: float) -> list[float]:
    """Give the ends of an axis that hold the values and leave room for labels at both sides."""
    low, high = min(values), max(values)
    span = max(high - low, 0.01)
    return [rounded(low - room * span), rounded(high + room * span)]


def x_axis(name: str, domain: Sequence[float], style: str, title: str | None = None, **more: Any) -> alt.X:  # noqa: ANN401
    """Horizontal axis over a domain."""
    axis = alt.Axis(title=title, format=style, tickCount=5, **more)
    return alt.X(f"{name}:Q", scale=alt.Scale(domain=list(domain), nice=False, zero=False), axis=axis)


TICKS = 6  # dates on an axis
WEEKLY = 120  # days: an axis of fewer names days, else months


def dates_axis(first: str, last: str) -> alt.Axis:
    """Horizontal axis of dates, of which no two read alike."""
    days = (date_of(last) - date_of(first)).days
    if days < WEEKLY:
        step, interval, style = max(1, math.ceil(days / 7 / TICKS)), "week", "%-d %b %Y"
    elif days <= 365 * TICKS // 2:
        step = next(months for months in (1, 2, 3, 6) if days / 30 / months <= TICKS + 1)
        interval, style = "month", "%b %Y"
    else:
        step, interval, style = math.ceil(days / 366 / TICKS), "year", "%Y"
    ticks = alt.TimeIntervalStep(interval=interval, step=step)
    return alt.Axis(title=None, grid=False, format=style, tickCount=ticks)


def upper_end(most: float) -> tuple[float, list[float]]:
    """End of an axis from 0 that fits probabilities up to ``most``, and its ticks."""
    top, step = next(pair for pair in _ENDS if most <= pair[0] or pair[0] == 1)
    return top, [rounded(k * step) for k in range(round(top / step) + 1)]


_ENDS = ((0.02, 0.01), (0.05, 0.01), (0.1, 0.02), (0.2, 0.05), (0.4, 0.1), (0.6, 0.2), (1, 0.25))  # and their steps


def y_axis(name: str, rows: float) -> alt.Y:
    """Vertical place in so many rows, the first on top."""
    return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[rows, 0], nice=False))


def bar_labels(rows: Rows) -> alt.Chart:
    """Write each row's label above its bar, from the left edge, cut where the picture is narrow."""
    briefs = told_apart([row["label"] for row in rows], BRIEF)
    rows = [
        row | {"brief": brief, "wide": round(SIGN * len(row["label"]))} for row, brief in zip(rows, briefs, strict=True)
    ]
    fitting = alt.ExprRef("width >= datum.wide ? datum.label : datum.brief")
    text = chart_of(rows).mark_text(align="left", baseline="bottom", limit=alt.ExprRef("width"), text=fitting)
    return text.encode(x=alt.value(0), y=y_axis("label_y", len(rows)), tooltip=tooltips("label", "effect"))


def bar_spec(rows: Rows, title: str) -> dict[str, Any]:
    """Draw differences in percentage points from a line at none, each with its number."""
    for k, row in enumerate(rows):
        up = row["value"] >= 0
        row |= {"label_y": k + 0.38, "y": k + 0.46, "y2": k + 0.84, "mid": k + 0.65, "none": 0, "side": up}
    domain = axis_ends([-LEAST, LEAST, *(row["value"] for row in rows)], 0.14)

    def x(name: str) -> alt.X:
        return x_axis(name, domain, "+d", title, labelExpr="datum.value == 0 ? '0' : datum.label")

    layers = [
        chart_of(rows)
        .mark_rect()
        .encode(
            x=x("none"),
            x2="value:Q",
            y=y_axis("y", len(rows)),
            y2="y2:Q",
            color=colour_by(),
            tooltip=tooltips("label", "effect"),
        ),
        chart_of(rows).mark_rule(color=MUTED).encode(x=x("none"), y=y_axis("y", len(rows)), y2="y2:Q"),
        bar_labels(rows),
    ]
    for up in (True, False):
        side = [row for row in rows if row["side"] is up]
        if side:
            text = chart_of(side).mark_text(align="left" if up else "right", dx=5 if up else -5, fontWeight="bold")
            layers.append(text.encode(x=x("value"), y=y_axis("mid", len(rows)), text="number:N"))
    return chart_spec(layers, ROW * len(rows))
