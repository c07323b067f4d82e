"""What to watch next, in a report: chart and table of the most telling indicators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import bits, chance, on_day, spoken
from forecast.report.chart_marks import (
    BARS_SHOWN,
    MUTED,
    PAPER,
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
from forecast.report.table_cells import ROWS_SHOWN, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt

    from forecast.report.chart_marks import Data, Rows


# (e) What to watch.


def watch_chart(data: Mapping[str, Any]) -> Chart | None:
    """Draw where the forecast would go if an indicator were seen, and if somebody looked and it were not."""
    part: Data = data.get("watch") or {}
    best: Rows = part.get("rows", [])[:BARS_SHOWN]
    if not best:
        return None
    paint, name = colours(data["model"]), lead_name(data)
    rows: Rows = []
    for k, (row, label) in enumerate(zip(best, told_apart([row["label"] for row in best], 56), strict=True)):
        seen, unseen = row["if_seen"], row["if_not"]
        told = {
            "if_seen": f"{chance(seen, row['if_seen_mcse'])} if seen",
            "if_not": f"{chance(unseen, row['if_not_mcse'])} if not",
        }
        rows.append(told | {
            "label": f"{chance(row['chance'], row['chance_mcse'])} likely · {label}",
            "seen": rounded(seen), "not": rounded(unseen), "mid": k + 0.65,
            "label_y": k + 0.42, "y": k + 0.49, "y2": k + 0.81, "now": rounded(part["now"]),
            "effect": f"{name}: {told['if_seen']}, {told['if_not']}", "colour": paint[data["lead"]],
        })  # fmt: skip
    domain = axis_ends([part["now"], *(row[key] for row in rows for key in ("seen", "not"))], 0.28)

    def x(field: str) -> alt.X:
        return x_axis(field, domain, "%", f"{name} on {on_day(part['date'])}")

    y, tips = y_axis("mid", len(rows)), tooltips("label", "if_seen", "if_not")
    layers = [
        chart_of(rows).mark_rule(color=MUTED).encode(x=x("now"), y=y_axis("y", len(rows)), y2="y2:Q"),
        chart_of(rows).mark_rule(color=MUTED, strokeWidth=2).encode(x=x("not"), x2="seen:Q", y=y),
        chart_of(rows)
        .mark_point(size=80, filled=True, fill=PAPER, stroke=MUTED, strokeWidth=2, opacity=1)
        .encode(x=x("not"), y=y, tooltip=tips),
        chart_of(rows)
        .mark_point(size=95, filled=True, opacity=1)
        .encode(x=x("seen"), y=y, color=colour_by(), tooltip=tips),
        bar_labels(rows),
    ]
    for key, text in (("seen", "if_seen"), ("not", "if_not")):
        other = "not" if key == "seen" else "seen"
        for right in (True, False):
            side = [row for row in rows if (row[key] >= row[other]) is right]
            if side:
                mark = chart_of(side).mark_text(align="left" if right else "right", dx=9 if right else -9, fontSize=11)
                layers.append(mark.encode(x=x(key), y=y, text=f"{text}:N"))
    first = best[0]
    listing = " ".join(f"{row['label']}: {row['if_seen']}, {row['if_not']}." for row in rows)
    takeaway = (
        f"Most is to be learned from “{shortened(first['label'])}”: {name} would stand at {rows[0]['if_seen']} by "
        f"{on_day(part['until'])} and at {rows[0]['if_not']}."
    )
    if rows[0]["if_seen"].removesuffix(" if seen") == rows[0]["if_not"].removesuffix(" if not"):
        takeaway = f"Nothing that can be watched for by {on_day(part['until'])} would move {name} by a point."
    first_channel: Data = next(iter(part.get("channels", [])), {})
    if first_channel and first_channel["gain"] > first["gain"]:
        quiet, loud = (chance(first_channel[key], first_channel[f"{key}_mcse"]) for key in ("if_quiet", "if_loud"))
        takeaway = (
            f"Most is to be learned from the next count of “{shortened(first_channel['label'])}”: {name} would stand "
            f"at {quiet} in a quiet week and at {loud} in a loud one."
        )
    return Chart(
        "watch",
        chart_spec(layers, ROW * len(rows)),
        takeaway,
        f"For each indicator two points: {name} on {on_day(part['date'])} if it is seen by {on_day(part['until'])}, "
        f"and if somebody looks and it is not. {listing}",
    )


def watch_table(data: Mapping[str, Any]) -> Table:
    """Table of the most telling indicators."""
    part = data["watch"]
    return Table(
        f"What to watch through {on_day(part['until'])}, by what it would teach about {spoken(part['outcome'])} on "
        f"{on_day(part['date'])}",
        ["indicator", "chance to see it", "if seen", "if not", "teaches"],
        [
            [
                row["label"],
                *(chance(row[key], row[f"{key}_mcse"]) for key in ("chance", "if_seen", "if_not")),
                bits(row["gain"]),
            ]
            for row in part["rows"][:ROWS_SHOWN]
        ],
    )


def watched_channels_table(data: Mapping[str, Any]) -> Table:
    """Table of what the next counts of channels would teach."""
    part = data["watch"]
    return Table(
        f"Next week's count of each channel, by what it would teach about {spoken(part['outcome'])} on "
        f"{on_day(part['date'])}",
        ["channel", "week from", "quiet to loud", "if quiet", "if loud", "teaches"],
        [
            [
                row["label"],
                on_day(row["first"]),
                f"{row['quiet']:,} to {row['loud']:,}",
                *(chance(row[key], row[f"{key}_mcse"]) for key in ("if_quiet", "if_loud")),
                bits(row["gain"]),
            ]
            for row in part.get("channels", [])
        ],
    )
