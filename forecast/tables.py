"""Tables of a report: the same cells for every form that it is rendered to, from the archived report data alone."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.result import percent, spread
from forecast.words import bits, chance, count, day, number, signed, spoken

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["Table", "tables", "terms"]

SHOWN = 12  # rows of a ranking
WEEKS_APART = 4  # rows of a curve


class Table(NamedTuple):
    """What a table shows: its caption, the heads of its columns, and its rows, of which the first cell is the head."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(data: Mapping[str, Any]) -> dict[str, Table]:
    """Give the tables of a report by name; what the data lack, as in reports of older issues, has none."""
    makers: dict[str, Callable[[Mapping[str, Any]], Table]] = {
        "outcomes": _outcomes, "rules": _rules, "changes": _changes, "conditionals": _conditionals, "cascade": _cascade,
        "known": _known, "states": _states, "reached": _reached, "drivers": _drivers, "support": _support,
        "watch": _watch, "what_if": _what_if, "sensitivity": _sensitivity, "learned": _learned, "covered": _covered,
        "track": _track,
    }  # fmt: skip
    needs = {"outcomes": "forecast", "states": "path", "support": "drivers"}
    made = {name: make(data) for name, make in makers.items() if data.get(needs.get(name, name))}
    return {name: table for name, table in made.items() if table.rows}


def _on(text: str) -> str:
    return day(dt.date.fromisoformat(text))


def _found(quantities: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str | None, int | None], Any]:
    return {(row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities}


def _horizons(data: Mapping[str, Any]) -> dict[int, str]:
    rows = data["forecast"]["quantities"]
    return dict(sorted({row["horizon_weeks"]: row["date"] for row in rows if row["kind"] == "at"}.items()))


def _dated(data: Mapping[str, Any]) -> list[str]:
    return [f"{week} weeks, {_on(date)}" for week, date in _horizons(data).items()]


def _outcomes(data: Mapping[str, Any]) -> Table:
    by, weeks = _found(data["forecast"]["quantities"]), _horizons(data)
    rows: list[list[str]] = []
    for name, outcome in data["model"]["outcomes"].items():
        at = [spread(by[name, "at", None, week]) for week in weeks]
        rows.append([f"{outcome['label'].strip()}, at", spread(by[name, "already", None, None]), *at])
        reached = [spread(by[name, "reached", None, week]) for week in weeks]
        rows.append([f"{outcome['label'].strip()}, reached by", "", *reached])
    return Table(
        "Probability that the outcome holds on the date (at), and that it begins by then although it does not hold now "
        "(reached by), with 90 % intervals",
        ["outcome", "now", *_dated(data)],
        rows,
    )


def _rules(data: Mapping[str, Any]) -> Table:
    by = {(row["outcome"], row["kind"], row["horizon_weeks"]): row["estimate"] for row in data["rules"]}
    now = {row["outcome"]: "met" if row["met_now"] else "not met" for row in data["rules"]}
    weeks, rows = _horizons(data), list[list[str]]()
    for name, outcome in data["model"]["outcomes"].items():
        for kind, label in (("at", "on the day"), ("by", "on some day by then")):
            cells = [chance(one["mean"], one["mcse"]) if (one := by.get((name, kind, w))) else "" for w in weeks]
            rows.append([f"{outcome['label']}, rule met {label}", now.get(name, "") if kind == "at" else "", *cells])
    return Table(
        "Probability that the rule of the outcome is met on the date, and on at least one day from tomorrow to it, if "
        "nothing that happens is missed",
        ["rule", "today", *_dated(data)],
        rows,
    )


def _changes(data: Mapping[str, Any]) -> Table:
    part, weeks = data["changes"], _horizons(data)
    moves = {
        (row["outcome"], row["date"]): f"{percent(row['before'])} → {percent(row['after'])} "
        f"({signed(row['difference'], row['mcse'])})"
        for row in part["quantities"]
    }
    outcomes: Mapping[str, Any] = data["model"]["outcomes"]
    rows = [[row["label"], *(moves.get((name, date), "") for date in weeks.values())] for name, row in outcomes.items()]
    return Table(
        f"Change since the issue of {_on(part['since'])}, of the same calendar dates, in percentage points in brackets",
        ["outcome", *(_on(date) for date in weeks.values())],
        [row for row in rows if any(row[1:])],
    )


def _conditionals(data: Mapping[str, Any]) -> Table:
    by, weeks = _found(data["forecast"]["quantities"]), _horizons(data)
    rows: list[list[str]] = []
    for row in data["conditionals"]:
        name, given = row["outcome"], row["given"]
        found = [by.get((name, "given", given, week), by.get((name, "after", given, week))) for week in weeks]
        rests = "the prior" if row["rests_on_prior"] else "prior and evidence"
        cells = [spread(one) if one else "" for one in found]
        rows.append([data["model"]["outcomes"][name]["label"], spoken(given), *cells, rests])
    return Table(
        "Probability of the outcome given the condition, both on the date; weeks after counts from the day the "
        "condition begins",
        ["outcome", "condition", *(f"{week} weeks" for week in weeks), "the link rests on"],
        rows,
    )


def terms(links: Iterable[Mapping[str, Any]], state: str) -> str:
    """Write what adds up to a state: ``71% × 15% (open) + 29% × 16% (secured)``."""
    parts = [
        (row["probability"] / row["given"], row["given"], spoken(row["from"].partition(".")[2]))
        for row in links
        if row["to"] == state and row["given"]
    ]
    return " + ".join(f"{chance(before)} × {chance(given)} ({name})" for before, given, name in parts)


def _cascade(data: Mapping[str, Any]) -> Table:
    """Write the law of total probability, state by state."""
    part = data["cascade"]
    rows: list[list[str]] = []
    for stage in part["stages"]:
        for state in stage["states"]:
            key = f"{stage['stage']}.{state['state']}"
            name = f"{stage['label']}: {spoken(state['state'])}"
            rows.append([name, chance(state["probability"]), terms(part["links"], key)])
    return Table(
        f"Law of total probability on {_on(part['date'])}: what each state of the stage before has, times the chance "
        "of the branch from it",
        ["state", "probability", "made up of"],
        rows,
    )


def _months(dates: Sequence[str]) -> list[int]:
    return [k for k, date in enumerate(dates) if date[:7] != next(iter(dates[k + 1 :]), "")[:7]]


def _known(data: Mapping[str, Any]) -> Table:
    weeks = data["known"]
    return Table(
        f"Probability of each outcome {count(data['lead_weeks'], 'week')} ahead, as it would have been forecast at the "
        "end of each month from what was known then",
        ["date", *(spoken(name) for name in data["model"]["outcomes"])],
        [
            [
                _on(weeks[k]["date"]) + ("" if weeks[k]["trusted"] else " (rough)"),
                *(spread(row["then"]) for row in weeks[k]["outcomes"].values()),
            ]
            for k in _months([week["date"] for week in weeks])
        ],
    )


def _states(data: Mapping[str, Any]) -> Table:
    path, stages = data["path"], data["model"]["stages"]
    names = [(stage, state) for stage, row in stages.items() for state in row["states"]]
    return Table(
        "Probability of each state at the end of each month, as the evidence up to then has it (with today's "
        "parameters)",
        ["date", *(f"{spoken(stage)}: {spoken(state)}" for stage, state in names)],
        [
            [_on(path["dates"][k]), *(percent(path["filtered"][f"{stage}.{state}"][k][0]) for stage, state in names)]
            for k in _months(path["dates"])
        ],
    )


def _reached(data: Mapping[str, Any]) -> Table:
    curves = data["reached"]
    some = next(iter(curves.values()))
    return Table(
        "Probability that it has begun by the date, with 90 % intervals",
        ["date", *(data["model"]["outcomes"][name]["label"] for name in curves)],
        [
            [_on(some[k]["date"]), *(spread(curve[k]) for curve in curves.values())]
            for k in range(WEEKS_APART - 1, len(some), WEEKS_APART)
        ],
    )


def _ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: -abs(row["difference"]))[:SHOWN]


def _drivers(data: Mapping[str, Any]) -> Table:
    part = data["drivers"]
    return Table(
        f"What moved {spoken(part['outcome'])} on {_on(part['date'])} since {_on(part['since'])}, in percentage points",
        ["what", "points"],
        [[row["what"], signed(row["difference"], row["mcse"])] for row in _ranked(part.get("moved", []))],
    )


def _support(data: Mapping[str, Any]) -> Table:
    part = data["drivers"]
    after = part["after"]["mean"]
    return Table(
        f"What holds {spoken(part['outcome'])} on {_on(part['date'])} where it is, in percentage points",
        ["what", "points", "without it"],
        [
            [
                row["what"],
                signed(row["difference"], row["mcse"]),
                chance(max(0.0, after - row["difference"]), row["mcse"]),
            ]
            for row in _ranked(part.get("held_up", []))
        ],
    )


def _watch(data: Mapping[str, Any]) -> Table:
    part = data["watch"]
    return Table(
        f"What to watch through {_on(part['until'])}, by what it would teach about {spoken(part['outcome'])} on "
        f"{_on(part['date'])}",
        ["indicator", "chance to see it", "if seen", "if not", "teaches"],
        [
            [
                row["label"],
                *(chance(row[key], row[f"{key}_mcse"]) for key in ("chance", "if_seen", "if_not")),
                bits(row["gain"]),
            ]
            for row in part["rows"][:SHOWN]
        ],
    )


def _what_if(data: Mapping[str, Any]) -> Table:
    names = list(data["model"]["outcomes"])
    rows: list[list[str]] = []
    for row in data["what_if"]:
        cells = [row["outcomes"].get(name) for name in names]
        told = [
            f"{chance(one['after'], one['mcse'])} ({signed(one['difference'], one['mcse'])})" if one else ""
            for one in cells
        ]
        rows.append([row["label"] + ("" if row.get("trusted", True) else " (not to be trusted)"), *told])
    ahead = f" in {count(data['lead_weeks'], 'week')}" if data.get("lead_weeks") else ""
    return Table(
        f"Probability of each outcome{ahead} if it were seen today, and the difference in percentage points",
        ["if", *(spoken(name) for name in names)],
        rows,
    )


def _sensitivity(data: Mapping[str, Any]) -> Table:
    part = data["sensitivity"]
    rests = {row["name"]: row["rests_on"] for row in part.get("links", [])}
    return Table(
        f"What {spoken(part['outcome'])} on {_on(part['date'])} would be with other assumptions, most telling first",
        ["with", "it would be", "points", "the assumption"],
        [
            [
                row["change"],
                chance(row["probability"], row["mcse"]),
                signed(row["difference"], row["mcse"]),
                rests.get(row["name"], "" if row["trusted"] else "not to be trusted"),
            ]
            for row in _ranked(part["shifts"])
        ],
    )


def _learned(data: Mapping[str, Any]) -> Table:
    def interval(row: Mapping[str, Any], key: str) -> str:
        return f"{number(row[key][0])} to {number(row[key][1])}"

    return Table(
        "Rates per year and multipliers: the 90 % interval of the model file, and after the evidence; narrowing 1 "
        "means that nothing was learned",
        ["link", "prior", "now", "narrowing"],
        [
            [
                row["name"] + (" (times)" if row["kind"] == "effect" else ""),
                interval(row, "prior"),
                interval(row, "posterior"),
                f"{row['narrowing']:.2f}",
            ]
            for row in data["learned"]
        ],
    )


def _covered(data: Mapping[str, Any]) -> Table:
    issued, other = _found(data["forecast"]["quantities"]), _found(data["covered"]["quantities"])
    weeks, rows = _horizons(data), list[list[str]]()
    for name, outcome in data["model"]["outcomes"].items():
        for label, by in (("as issued", issued), ("read as covered", other)):
            cells = [by.get((name, "at", None, week)) for week in weeks]
            rows.append([f"{outcome['label']}, {label}", *(spread(one) if one else "" for one in cells)])
    return Table(
        "The same forecast as issued, and with the rows read as if somebody had looked for everything throughout",
        ["outcome", *_dated(data)],
        rows,
    )


def _track(data: Mapping[str, Any]) -> Table:
    parts: Sequence[Mapping[str, Any]] = data["track"].get("parts", [])
    names = list(dict.fromkeys(row["name"] for part in parts for row in part["total"]["against"]))
    rows: list[list[str]] = []
    for part in parts:
        for group in (*part["groups"], part["total"]):
            about = "all"
            if group["outcome"]:
                about = f"{spoken(group['outcome'])} {group['kind']} {group['horizon_weeks']} weeks"
            others = {row["name"]: f"{row['brier']:.3f} ({row['log']:.3f})" for row in group["against"]}
            own = f"{group['brier']:.3f} ({group['log']:.3f})"
            counts = [str(group["questions"]), str(group["yes"])]
            rows.append([f"{part['name']}: {about}", *counts, own, *(others.get(name, "") for name in names)])
    return Table(
        "Mean Brier score (and log score in nats) of what was issued and of naive forecasters; lower is better",
        ["questions about", "questions", "answered yes", "issued", *names],
        rows,
    )
