"""Outcomes, their rules, changes, conditionals and suppositions in a report: tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import RARE, TOO_RARE, chance, change, count, on_day, signed_gap, spoken, spread
from forecast.report.sections.rests_on import TOGETHER, shares_by_condition
from forecast.report.table_cells import Table, dated, estimates_of, horizons
from forecast.report.views import PARTS_ROUNDED, ROUNDED, begins, issue_before, sum_label, sums

if TYPE_CHECKING:
    from collections.abc import Mapping


SENSITIVITY = {"at": "rule met if it holds on the day", "by": "rule met if it holds on some day by then"}
FALSE_ALARMS = {"at": "rule met if it does not hold on the day", "by": "rule met if it never holds by then"}


def outcomes_table(data: Mapping[str, Any]) -> Table:
    """Table of outcomes at the horizons."""
    by, weeks = estimates_of(data["forecast"]["quantities"]), horizons(data)
    rows: list[list[str]] = []
    for name, outcome in data["model"]["outcomes"].items():
        at = [spread(by[name, "at", None, week]) for week in weeks]
        rows.append([f"{outcome['label'].strip()}, at", spread(by[name, "already", None, None]), *at])
        reached = [spread(by[name, "reached", None, week]) for week in weeks]
        rows.append([f"{outcome['label'].strip()}, newly reached by", "", *reached])
    together = sums(data)
    rows += [[f"{sum_label(names)}: together, at", *cells] for names, cells in together.items()]
    rounded = f"; {PARTS_ROUNDED}" if any(ROUNDED in cells for cells in together.values()) else ""
    return Table(
        "Probability that the outcome holds on the date (at), and that it begins by then although it does not hold now "
        "(newly reached by: what holds now is left out, so it can be the smaller of the two; together with now it is "
        "the chance that the outcome holds at some time up to then, and at is part of neither), with 90 % intervals"
        f"{rounded}",
        ["outcome", "now", *dated(data)],
        rows,
    )


def rules_table(data: Mapping[str, Any]) -> Table:
    """Table of the chances of the rules."""
    by = {(row["outcome"], row["kind"], row["horizon_weeks"]): row for row in data["rules"]}
    now = {row["outcome"]: "met" if row["met_now"] else "not met" for row in data["rules"]}
    weeks, rows = horizons(data), list[list[str]]()
    for name, outcome in data["model"]["outcomes"].items():
        for kind, when in (("at", "on the day"), ("by", "on some day by then")):
            of = [by.get((name, kind, week), {}) for week in weeks]
            cells = [chance(one["estimate"]["mean"], one["estimate"]["mcse"]) if one else "" for one in of]
            rows.append([f"{outcome['label']}, rule met {when}", now.get(name, "") if kind == "at" else "", *cells])
    return Table(
        "Probability that the rule of the outcome is met on the date, and on at least one day from tomorrow to it, if "
        "nothing that happens is missed",
        ["rule", "today", *dated(data)],
        rows,
    )


def rules_follow_table(data: Mapping[str, Any]) -> Table:
    """Table of how well the rules follow their outcomes, apart from what is forecast; older reports do not tell."""
    by = {(row["outcome"], row["kind"], row["horizon_weeks"]): row for row in data["rules"]}
    weeks, rows = horizons(data), list[list[str]]()
    for name, outcome in data["model"]["outcomes"].items():
        for kind in ("at", "by"):
            of = [by.get((name, kind, week), {}) for week in weeks]
            if all("sensitivity" in one for one in of):
                for words, key in ((SENSITIVITY[kind], "sensitivity"), (FALSE_ALARMS[kind], "false_alarms")):
                    cells = [chance(one[key]["mean"], one[key]["mcse"]) if one[key] else TOO_RARE for one in of]
                    rows.append([f"{outcome['label']}, {words}", *cells])
    return Table(
        "How often a rule is met where the outcome holds (sensitivity) and how often where it does not (false alarms), "
        "in worlds that the model simulates from its start, as if nothing were known of today: shares of two different "
        "sets of worlds, which do not add up to 100 %, and are no parts of the probabilities of the forecast",
        ["rule", *(count(week, "week") for week in weeks)],
        rows,
    )


def changes_table(data: Mapping[str, Any]) -> Table:
    """Table of what changed since the last issue."""
    part, weeks = data["changes"], horizons(data)
    moves = {
        (row["outcome"], row["date"]): change(
            (row["before"], row.get("before_mcse", 0.0)), (row["after"], row.get("after_mcse", 0.0)), row["mcse"]
        )
        for row in part["quantities"]
    }
    outcomes: Mapping[str, Any] = data["model"]["outcomes"]
    rows = [[row["label"], *(moves.get((name, date), "") for date in weeks.values())] for name, row in outcomes.items()]
    return Table(
        f"Change since {issue_before(part, data['forecast']['as_of'])}, of the same calendar dates, in percentage "
        "points in brackets",
        ["outcome", *(on_day(date) for date in weeks.values())],
        [row for row in rows if any(row[1:])],
    )


def conditionals_table(data: Mapping[str, Any]) -> Table:
    """Table of conditional probabilities."""
    by, weeks = estimates_of(data["forecast"]["quantities"]), horizons(data)
    shares = shares_by_condition(data)
    rows: list[list[str]] = []
    for row in data["conditionals"]:
        name, given = row["outcome"], row["given"]
        kind, missing = ("after", "") if begins(given) else ("given", TOO_RARE)  # *after* is asked for once
        cells = [spread(one) if (one := by.get((name, kind, given, week))) else missing for week in weeks]
        if not any(cells):
            cells = [TOO_RARE] * len(cells)
        rests = shares.get((name, given)) or ("the prior" if row["rests_on_prior"] else "prior and evidence")
        rows.append([data["model"]["outcomes"][name]["label"], spoken(given), *cells, rests])
    rare = f"; {RARE}" if any(TOO_RARE in row for row in rows) else ""
    return Table(
        "Probability of the outcome given the condition, both on the date; weeks after counts from the day the "
        f"condition begins{rare}",
        [
            "outcome",
            "condition",
            *(count(week, "week") for week in weeks),
            TOGETHER if shares else "the link rests on",
        ],
        rows,
    )


def what_if_table(data: Mapping[str, Any]) -> Table:
    """Table of suppositions."""
    names = list(data["model"]["outcomes"])
    by, weeks = estimates_of(data["forecast"]["quantities"]), data.get("lead_weeks")
    rows: list[list[str]] = []
    for row in data["what_if"]:
        told: list[str] = []
        for name in names:
            now, there = by.get((name, "at", None, weeks)), row["outcomes"].get(name)
            if not there:
                told.append("")
                continue
            before = (now["mean"], now["mcse"]) if now else (there["after"] - there["difference"], there["mcse"])
            after = (there["after"], max(there["mcse"], before[1]))
            told.append(f"{chance(*after)} ({signed_gap(before, after)})")
        rows.append([row["label"] + ("" if row.get("trusted", True) else " (not to be trusted)"), *told])
    ahead = f" in {count(data['lead_weeks'], 'week')}" if data.get("lead_weeks") else ""
    return Table(
        f"Probability of each outcome{ahead} if it were told today, and the difference in percentage points; "
        "what to watch is about somebody who looks, which tells more",
        ["if", *(spoken(name) for name in names)],
        rows,
    )
