"""What a probability rests on, in a report: tornado chart and tables."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from forecast.base.prose import chance, link, number, on_day, signed_gap, spoken
from forecast.report.chart_marks import (
    BARS_SHOWN,
    INK,
    NEUTRAL,
    ROW,
    Chart,
    axis_ends,
    bar_labels,
    chart_of,
    chart_spec,
    colour_by,
    colours,
    lead_name,
    rounded,
    shortened,
    told_apart,
    tooltips,
    x_axis,
    y_axis,
)
from forecast.report.sections.rests_on import IN_PERCENT, TOGETHER, link_shares
from forecast.report.table_cells import Table, ranked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

    from forecast.report.chart_marks import Data, Rows


# (f) Sensitivity.


def sensitivity_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw what the probability would be with other assumptions, the most telling first."""
    part: Data = data.get("sensitivity") or {}
    if not part.get("shifts"):
        return None
    paint, name, now = colours(data["model"]), lead_name(data), part["now"]["mean"]
    stands = chance(now, part["now"]["mcse"])
    groups: dict[tuple[str, str], Rows] = {}
    for shift in part["shifts"]:
        groups.setdefault((shift["kind"], shift["name"]), []).append(shift)
    ranked = sorted(groups.values(), key=lambda rows: -max(abs(row["difference"]) for row in rows))[: BARS_SHOWN + 2]
    rows: Rows = []
    bars: Rows = []
    texts: Rows = []
    parted = [_parted([row["change"] for row in group]) for group in ranked]
    labels = told_apart([label for label, _ in parted])
    for k, (group, label, (_, tails)) in enumerate(zip(ranked, labels, parted, strict=True)):
        row: Data = {"label": label, "label_y": k + 0.38}
        found: Rows = [
            row | {
                "now": rounded(now), "value": rounded(shift["probability"]), "mid": k + 0.65,
                "y": k + 0.46, "y2": k + 0.84,
                "text": f"{tail}: {chance(*_there(part, shift))}".removeprefix(": "),
                "colour": paint[data["lead"]] if shift["difference"] > 0 else NEUTRAL[0], "up": shift["difference"] > 0,
                "change": shortened(shift["change"], 120),
                "effect": f"{stands} → {chance(*_there(part, shift))}",
            }
            for shift, tail in zip(group, tails, strict=True)
        ]  # fmt: skip
        bars += found
        texts += _bar_texts(found)
        rows.append(row | {"effect": "; ".join(one["text"] for one in found)})
    domain = axis_ends([now, *(row["value"] for row in bars)], 0.2)

    def x(field: str) -> alt.X:
        return x_axis(field, domain, "%", f"{name} on {on_day(part['date'])}")

    layers = [
        chart_of(bars).mark_rect().encode(
            x=x("now"), x2="value:Q", y=y_axis("y", len(rows)), y2="y2:Q", color=colour_by(),
            tooltip=tooltips("change", "effect"),
        ),
        chart_of(bars).mark_rule(color=INK).encode(x=x("now"), y=y_axis("y", len(rows)), y2="y2:Q"),
        bar_labels(rows),
    ]  # fmt: skip
    for right in (True, False):
        side = [row for row in texts if row["right"] is right]
        if side:
            text = chart_of(side).mark_text(align="left" if right else "right", dx=5 if right else -5, fontSize=11)
            layers.append(text.encode(x=x("at"), y=y_axis("mid", len(rows)), text="text:N"))
    most = max((row for group in ranked for row in group), key=lambda row: abs(row["difference"]))
    there = chance(*_there(part, most))
    takeaway = f"With {shortened(most['change'])}, {name} would move most: from {stands} to {there}."
    return Chart(
        "tornado",
        chart_spec(layers, ROW * len(rows)),
        takeaway if there != stands else f"No single assumption moves {name} away from {stands}.",
        f"Bars from {stands} to what {name} would be with another assumption: "
        f"{' '.join(f'{row["change"]}: {row["effect"]}.' for row in bars)}",
    )


def _bar_texts(bars: Rows) -> Rows:
    """Give the texts at the ends of an assumption's bars; those of two bars on one side stand together."""
    if len({bar["up"] for bar in bars}) == len(bars):
        return [bar | {"right": bar["up"], "at": bar["value"]} for bar in bars]
    parts = [bar["text"].rpartition(": ") for bar in bars]
    text, far = "; ".join(bar["text"] for bar in bars), max(bars, key=lambda bar: abs(bar["value"] - bar["now"]))
    if len({there for *_, there in parts}) == 1:
        text = f"{' or '.join(tail for tail, *_ in parts if tail)}: {parts[0][2]}".removeprefix(": ")
    return [far | {"text": text, "right": True, "at": far["value"] if far["up"] else far["now"]}]


def _there(part: Mapping[str, Any], row: Mapping[str, Any]) -> tuple[float, float]:
    """Where the probability would stand with a change, and the error to which that is known."""
    return row["probability"], max(row["mcse"], part["now"]["mcse"])


def _parted(texts: Sequence[str]) -> tuple[str, list[str]]:
    """Split what two changes of one assumption have in common from what tells them apart: ``×0.50``."""
    if len(texts) == 1:
        return texts[0], [""]
    alike = takewhile(lambda signs: len(set(signs)) == 1, zip(*texts, strict=False))
    common = "".join(signs[0] for signs in alike).rpartition(" ")[0]
    tails = [re.sub(r"\s*\(.*\)$| instead of .*$", "", text[len(common) :]).strip() for text in texts]
    return (common.removesuffix(" at"), tails) if common else ("; ".join(texts), [""] * len(texts))


def sensitivity_table(data: Mapping[str, Any]) -> Table:
    """Table of the lead outcome under other assumptions."""
    part = data["sensitivity"]
    rests = {row["name"]: row["rests_on"] for row in part.get("links", [])}
    return Table(
        f"What {spoken(part['outcome'])} on {on_day(part['date'])} would be with other assumptions, most telling first",
        ["with", "it would be", "points", "the assumption"],
        [
            [
                row["change"],
                chance(*_there(part, row)),
                signed_gap((part["now"]["mean"], part["now"]["mcse"]), _there(part, row)),
                rests.get(row["name"], "" if row["trusted"] else "not to be trusted"),
            ]
            for row in ranked(part["shifts"])
        ],
    )


def learned_table(data: Mapping[str, Any]) -> Table:
    """Table of what the evidence taught about the links."""

    def interval(row: Mapping[str, Any], key: str) -> str:
        return f"{number(row[key][0])} to {number(row[key][1])}"

    shares = link_shares(data)
    learned = "after history and reports" if shares else "after the evidence"
    more = f"; what is known of each rests on the model file, the history and the reports {IN_PERCENT}"
    return Table(
        f"Rates per year and multipliers: the 90 % interval of the model file, and {learned}; narrowing 1 "
        f"means that nothing was learned{more if shares else ''}",
        ["link", "prior", "now", "narrowing", *([TOGETHER] if shares else ())],
        [
            [
                link(row["name"]) + (" (times)" if row["kind"] == "effect" else ""),
                interval(row, "prior"),
                interval(row, "posterior"),
                f"{row['narrowing']:.2f}",
                *([shares.get(row["name"], "")] if shares else ()),
            ]
            for row in data["learned"]
        ],
    )
