"""The cascade in a report: how one stage leads to the next, as a chart and as tables."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import altair as alt

from forecast.base.prose import chance, figure, listed, on_day, spoken, spread
from forecast.report.chart_marks import (
    HALO,
    MUTED,
    NEUTRAL,
    Chart,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    rounded,
    shortened,
    spaced,
    tooltips,
)
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.report.chart_marks import Data, Rows


THIN = 0.035  # bands of less are not labelled, unless the sentence above the picture has their number
# (a) The cascade.

_GAP = 0.085  # of probability, between the bars of two states: room for a label
_BAR = 0.05  # half a bar, as a part of the way to the next stage
_STEPS = 24  # pieces of a band
# Where there is no room for the interval of a branch its number stands alone; the table has both.
BRANCH = "width >= datum.wide ? datum.text : width >= datum.narrow ? datum.short : ''"
_SIGN, _BOLD = 6.2, 7.2  # pixels of a sign of a branch's number, and of a case's label
_ABOVE, _BELOW = 0.08, 0.02  # of probability: how far around a case's label another text would touch it
_LINE = 0.042  # of probability: what a branch's number needs of height


def cascade_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw how the probability flows through the outcomes of the stages; bands that meet in one add up to it."""
    return _flow_chart("cascade", data)


def stages_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw how the probability flows through the hidden states of the stages."""
    return _flow_chart("stages", data)


def _flow_chart(name: str, data: Mapping[str, Any]) -> Chart | None:
    part: Data | None = data.get(name)
    if not part:
        return None
    stages = part["stages"]
    paint = _paint(colours(data["model"]), stages)
    nodes = _nodes(stages, paint)
    bands, branches = _bands(part, nodes, paint, _explained(data, part))
    last = len(stages) - 1
    heads: Rows = [
        {"x": k, "y": -0.2, "text": "\n".join(textwrap.wrap(shortened(row["label"], 48), 20)), "at": _side(k, last)}
        for k, row in enumerate(stages)
    ]
    bottom = max(row["y2"] for row in nodes.values()) + 0.01

    def x(name: str) -> alt.X:
        return alt.X(f"{name}:Q", axis=None, scale=alt.Scale(domain=[-_BAR, last + _BAR], nice=False))

    def y(name: str) -> alt.Y:
        return alt.Y(f"{name}:Q", axis=None, scale=alt.Scale(domain=[bottom, -0.21], nice=False, zero=False))

    layers = [
        chart_of(bands)
        .mark_area(opacity=0.38, interpolate="linear")
        .encode(
            x=x("x"),
            y=y("y"),
            y2="y2:Q",
            detail="link:N",
            color=colour_by(),
            tooltip=tooltips("path", "chance", "given"),
        ),
        chart_of(nodes.values())
        .mark_rect()
        .encode(x=x("x"), x2="x2:Q", y=y("y"), y2="y2:Q", color=colour_by(), tooltip=tooltips("state", "chance")),
        chart_of(branches)
        .mark_text(align="left", fontSize=11, dx=4, text=alt.ExprRef(BRANCH), **HALO)
        .encode(x=x("x"), y=y("y")),
    ]
    for side in ("left", "center", "right"):
        here = [row | {"lx": row["x2"] if side == "right" else row["x"]} for row in nodes.values() if row["at"] == side]
        if here:
            layers.append(
                chart_of(here)
                .mark_text(
                    align="left" if side == "center" else side, baseline="bottom", dy=-3, fontWeight="bold", **HALO
                )
                .encode(x=x("lx"), y=y("y"), text="label:N")
            )
        tops = [row for row in heads if row["at"] == side]
        if tops:
            shift = {"left": -_BAR, "center": 0, "right": _BAR}[side]
            layers.append(
                chart_of([row | {"x": row["x"] + shift} for row in tops])
                .mark_text(align=side, baseline="top", lineBreak="\n", color=MUTED)
                .encode(x=x("x"), y=y("y"), text="text:N")
            )
    flows = listed([f"{shortened(row['label'])} ({_states(row)})" for row in stages])
    return Chart(
        name,
        chart_spec(layers, 440),
        _total(data, part),
        f"Flow picture of the probabilities on {on_day(part['date'])}: {flows}. Each band runs from a case to a case "
        "of the next column, as high as the probability of both together; its number is the chance of the branch.",
    )


def _paint(known: Mapping[str, str], stages: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Give each case its colour: that of its state, or of the outcome that it is, or that it says yes to."""
    found: dict[str, str] = {}
    for stage in stages:
        for state in (row["state"] for row in stage["states"]):
            key = f"{stage['stage']}.{state}"
            owner = stage["stage"] if state == "yes" else state
            found[key] = known.get(key, known.get(owner, NEUTRAL[0]))
    return found


def _side(k: int, last: int) -> str:
    return "left" if k == 0 else "right" if k == last else "center"


def _states(stage: Mapping[str, Any]) -> str:
    return listed([f"{spoken(row['state'])} {_said(row)}" for row in stage["states"]])


def _said(state: Mapping[str, Any]) -> str:
    return chance(state["probability"], state.get("mcse", 0.0))


def _spread(row: Mapping[str, Any], mean: float, of: str = "") -> str:
    """Say a probability with its interval, which reports of older issues lack."""
    if row.get(f"{of}low") is None:
        return chance(mean, row.get("mcse", 0.0))
    return spread({"mean": mean, "low": row[f"{of}low"], "high": row[f"{of}high"], "mcse": row.get("mcse", 0.0)})


def _by_key(part: Mapping[str, Any]) -> dict[str, str]:
    return {f"{stage['stage']}.{row['state']}": _said(row) for stage in part["stages"] for row in stage["states"]}


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
                "x": k - _BAR, "x2": k + _BAR, "y": rounded(y), "y2": rounded(y + max(p, 0.002)), "colour": paint[key],
                "label": f"{shortened(spoken(row['state']), 24)} {_said(row)}", "at": _side(k, len(stages) - 1),
                "state": f"{shortened(stage['label'])}: {shortened(spoken(row['state']))}",
                "chance": _spread(row, row["probability"]),
            }  # fmt: skip
            y += p + gap
    return found


def _bands(
    part: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]], paint: Mapping[str, str], explained: str
) -> tuple[Rows, Rows]:
    """Give the points of every band, and the label of every branch that is not too thin, or leads to what is told."""
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
            "path": f"{nodes[one]['state']} → {shortened(spoken(other.partition('.')[2]))}",
            "chance": f"{chance(p)} of all",
            "given": "" if link["given"] is None
            else f"{_spread(link, link['given'], 'given_')} of {spoken(one.partition('.')[2])}",
        }  # fmt: skip
        for step in range(_STEPS + 1):
            t = step / _STEPS
            y = top + (end - top) * t * t * (3 - 2 * t)
            bands.append(told | {"x": rounded(x + (x2 - x) * t), "y": rounded(y), "y2": rounded(y + p)})
        if (p >= THIN or other == explained) and link["given"] is not None:
            branches.append({
                "x": x, "y": rounded(top + p / 2), "text": _spread(link, link["given"], "given_"),
                "short": figure(link["given"]), "from": one, "last": nodes[other]["at"] == "right",
            })  # fmt: skip
    return bands, _placed(branches, nodes)


def _placed(branches: Rows, nodes: Mapping[str, Mapping[str, Any]]) -> Rows:
    """Move the numbers of a case's branches apart and below its name; give the widths from which each has room."""
    units = max(row["x2"] for row in nodes.values()) + _BAR  # of the whole width, from one column to the next
    last = [row for row in nodes.values() if row["at"] == "right"]
    found: Rows = []
    for key, node in nodes.items():
        here = [row for row in branches if row["from"] == key]
        low = node["y"] + _LINE / 2
        high = max(node["y2"] - _LINE / 2, low + _LINE * (len(here) - 1))
        for row, y in zip(here, spaced([row["y"] for row in here], _LINE, low, high), strict=True):
            taken = _taken(y, last) if row["last"] else 0.0
            room = {
                name: round((_SIGN * len(row[text]) + taken + 12) * units)
                for name, text in (("wide", "text"), ("narrow", "short"))
            }
            found.append({"x": row["x"], "y": rounded(y), "text": row["text"], "short": row["short"], **room})
    return found


def _taken(y: float, column: Sequence[Mapping[str, Any]]) -> float:
    """Pixels that a label of the last ``column``, which runs to the left from its bar, takes from a text at ``y``."""
    return max((_BOLD * len(row["label"]) for row in column if row["y"] - _ABOVE < y < row["y"] + _BELOW), default=0.0)


def _explained(data: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """Give the state of the last stage that the sentence above the picture explains, as ``stage.state``."""
    last = part["stages"][-1]
    names = [row["state"] for row in last["states"]]
    return f"{last['stage']}.{data['lead'] if data['lead'] in names else names[0]}"


def _total(data: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    """Write the law of total probability for the state of the last stage that is explained."""
    last, explained = part["stages"][-1], _explained(data, part)
    states = {row["state"]: _said(row) for row in last["states"]}
    name = explained.removeprefix(f"{last['stage']}.")
    sums = terms(part["links"], explained, _by_key(part))
    stage = part["stages"][-2]["label"] if len(part["stages"]) > 1 else ""
    made = f", over “{shortened(stage)}”: {sums}" if sums else ""
    what = f"“{shortened(last['label'])}”" if name == "yes" else spoken(name)
    return f"On {on_day(part['date'])} {what} has {states[name]}{made}."


def terms(links: Iterable[Mapping[str, Any]], state: str, said: Mapping[str, str]) -> str:
    """Write what adds up to a state: ``71% × 15% (open) + 29% × 16% (secured)``; ``said`` tells the first of each."""
    parts = [
        (said[row["from"]], chance(row["given"]), spoken(row["from"].partition(".")[2]))
        for row in links
        if row["to"] == state and row["given"]
    ]
    return " + ".join(f"{before} × {given} ({name})" for before, given, name in parts)


def cascade_table(data: Mapping[str, Any]) -> Table:
    """Write the law of total probability, outcome by outcome."""
    return _flow_table(data["cascade"])


def stages_table(data: Mapping[str, Any]) -> Table:
    """Write the law of total probability, state by state."""
    return _flow_table(data["stages"])


def _flow_table(part: Mapping[str, Any]) -> Table:
    rows: list[list[str]] = []
    for stage in part["stages"]:
        for state in stage["states"]:
            key = f"{stage['stage']}.{state['state']}"
            name = f"{stage['label']}: {spoken(state['state'])}"
            rows.append([name, _spread(state, state["probability"]), terms(part["links"], key, _by_key(part))])
    return Table(
        f"Law of total probability on {on_day(part['date'])}: what each case of the column before has, times the "
        "chance of the branch from it",
        ["case", "probability", "made up of"],
        rows,
    )
