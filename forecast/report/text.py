"""A forecast as text for the terminal."""

from __future__ import annotations

import textwrap
from itertools import batched
from typing import TYPE_CHECKING, Any

from forecast.base.prose import RARE, TOO_RARE, change, count, figure, on_day, percents, spread, term
from forecast.base.sanitise import one_line
from forecast.report.views import PARTS_ROUNDED, ROUNDED, begins, given_words, issued_words, sum_label, sums, views

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from forecast.quantities.estimate import Change


READABLE = 100  # columns of running text
REACHED = "newly by then"
NEWLY = (
    "Newly by then: what holds now is left out; it begins by then, even if it is over again on the day. Now and newly "
    "by then together are the chance that it holds at some time up to then; on the day is part of neither."
)
RULE = "Rule met by: on at least one day from tomorrow to then. A rule counts what is on record, not what is so."
QUALITY = (
    "How often a rule is met where its outcome holds at some time up to then, and how often where it never does, in "
    "worlds that the model simulates from its start, as if nothing were known of today. These are shares of two "
    "different sets of worlds: they do not add up to 100 %, and are no parts of the numbers above."
)


# Text.


def render_text(data: Mapping[str, Any], width: int) -> str:
    """Render the forecast for a terminal that is ``width`` columns wide."""
    model, found = data["model"], views(data)
    by, weeks, prose = found["by"], found["weeks"], min(width, READABLE)
    lines = [line for text in _warnings(data) for line in textwrap.wrap(one_line(text), prose, subsequent_indent="  ")]
    lines += (
        ["", *textwrap.wrap(one_line(model["title"]), prose)]
        if lines
        else textwrap.wrap(one_line(model["title"]), prose)
    )
    rules = data.get("rules") or ()
    scored = " A rule counts what anybody can see, and is what gets scored." if rules else ""
    lines += textwrap.wrap(
        f"As of {on_day(data['forecast']['as_of'])}, {issued_words(data['forecast']['as_of'], data['issued_at'])}. "
        f"Brackets hold 90 % intervals.{scored}",
        prose,
    )
    for sentence in (data.get("skill") or {}).get("sentences", ()):
        lines += textwrap.wrap(one_line(sentence), prose)
    groups: list[_Group] = [
        (
            outcome["label"],
            [
                ("on the day", [spread(by[name, "already", None, None]), *_cells(by, (name, "at", None), weeks)]),
                *_in_words(by, name, weeks, data.get("words")),
                (REACHED, ["", *_cells(by, (name, "reached", None), weeks)]),
                *_rule(rules, name, weeks),
            ],
        )
        for name, outcome in model["outcomes"].items()
    ]
    together = sums(data)
    groups += [(sum_label(names), [("together", cells)]) for names, cells in together.items()]
    heads = [("now", ""), *((count(week, "week"), on_day(found["dates"][week])) for week in weeks)]
    lines += ["", *_grid(heads, groups, width)]
    if any(ROUNDED in cells for cells in together.values()):
        lines += textwrap.wrap(PARTS_ROUNDED, prose, subsequent_indent="  ")
    lines += textwrap.wrap(NEWLY, prose)
    lines += textwrap.wrap(RULE, prose) if rules else []
    if data["conditionals"]:
        conditions = _conditions(data, by, weeks)
        lines += ["", "If", *_grid([(count(week, "week"),) for week in weeks], conditions, width)]
        if any(TOO_RARE in text for _, rows in conditions for label, cells in rows for text in (label, *cells)):
            lines += textwrap.wrap(RARE, prose, subsequent_indent="  ")
    if not _has_history(data) and any(row["rests_on_prior"] for row in data["conditionals"]):
        words = "* rests on the prior: the evidence has hardly touched this link, the number repeats the theory"
        lines += textwrap.wrap(words, prose, subsequent_indent="  ")
    lines += [*_rule_quality(data, weeks, width), *_rests_on(data, width)]
    if graded := (data.get("rests_on") or {}).get("graded"):
        lines += ["", *textwrap.wrap(one_line(graded), prose)]
    for note in data["notes"]:
        lines += ["", *textwrap.wrap(f"Note: {one_line(note)}", prose, subsequent_indent="  ")]
    return "\n".join(lines)


def _has_history(data: Mapping[str, Any]) -> bool:
    """Whether shares of prior, history and reports are told in place of what rests on the prior."""
    return (data.get("rests_on") or {}).get("history", False)


def _rests_on(data: Mapping[str, Any], width: int) -> Iterator[str]:
    """Say what outcomes and conditions rest on, where the model has a history, and what that has changed."""
    if not _has_history(data):
        return
    part = data["rests_on"]
    groups: dict[str, list[tuple[str, list[str]]]] = {}
    for row in part["numbers"]:
        given = row["given"]
        words = "on the day" if given is None else given_words(given)
        shares = [f"{share} %" for share in percents([row[name] for name in ("prior", "history", "reports")])]
        groups.setdefault(data["model"]["outcomes"][row["outcome"]]["label"], []).append((words, shares))
    weeks = max(row["horizon_weeks"] for row in data["forecast"]["quantities"] if row["kind"] == "at")
    head = f"What is known of the numbers for {count(weeks, 'week')} rests on"
    yield from ["", *textwrap.wrap(head, min(width, READABLE))]
    yield from _grid([("model file",), ("history",), ("reports",)], list(groups.items()), width)
    yield from ["", *textwrap.wrap(one_line(part["sentences"][1]), min(width, READABLE))]


def _warnings(data: Mapping[str, Any]) -> Sequence[str]:
    """Give what must be read before any number: a ringing alarm."""
    alarm = data.get("alarm")
    return alarm["sentences"] if alarm and alarm["rings"] else ()


def render_changes(changes: Sequence[Change], labels: Mapping[str, str], width: int) -> str:
    """Render what moved at each horizon, with the difference in percentage points; ``labels`` name the outcomes."""
    heads = dict.fromkeys(
        (count(row.horizon_weeks or 0, "week"), on_day(str(row.date))) for row in changes if row.kind == "at"
    )
    groups: dict[str, dict[str, list[str]]] = {name: {} for name in labels.values()}
    for row in changes:
        words = {"at": "on the day", "reached": REACHED}.get(row.kind)
        if words:
            groups[labels[row.outcome]].setdefault(words, []).append(_move(row))
    lines = _grid(list(heads), [(label, list(rows.items())) for label, rows in groups.items()], width)
    told = any(row.kind == "reached" for row in changes)
    return "\n".join([*lines, *(["", *textwrap.wrap(NEWLY, min(width, READABLE))] if told else [])])


def _move(row: Change) -> str:
    return change((row.before.mean, row.before.mcse), (row.after.mean, row.after.mcse), row.mcse)


_Group = tuple[str, list[tuple[str, list[str]]]]  # an outcome's label; its rows, each with a label and a cell a column


def _cells(by: Mapping[Any, Any], key: tuple[str, str, str | None], weeks: Sequence[int]) -> list[str]:
    return [spread(by[*key, week]) if (*key, week) in by else "" for week in weeks]


def _in_words(
    by: Mapping[Any, Any], outcome: str, weeks: Sequence[int], words: str | None
) -> Iterator[tuple[str, list[str]]]:
    """Give the terms of ICD 203, where they were asked for."""
    if words:
        estimates = [by[outcome, "already", None, None], *(by[outcome, "at", None, week] for week in weeks)]
        yield "  in words of ICD 203", [term(one["mean"]) for one in estimates]


def _rule(rules: Sequence[Mapping[str, Any]], outcome: str, weeks: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """Say how likely the rule of an outcome is to be met; forecasts that were not issued and old ones do not tell."""
    rows = _by_then(rules, outcome)
    if rows:
        now = "met" if next(iter(rows.values()))["met_now"] else "not met"
        estimates = [rows[week]["estimate"] for week in weeks]
        yield "rule met by", [now, *(figure(one["mean"], one["mcse"]) for one in estimates)]


def _by_then(rules: Sequence[Mapping[str, Any]], outcome: str) -> dict[int, Mapping[str, Any]]:
    return {row["horizon_weeks"]: row for row in rules if (row["outcome"], row["kind"]) == (outcome, "by")}


def _rule_quality(data: Mapping[str, Any], weeks: Sequence[int], width: int) -> Iterator[str]:
    """Say apart from the forecast how well rules follow their outcomes: no reader shall add the one to the other."""
    groups: list[_Group] = []
    for name, outcome in data["model"]["outcomes"].items():
        rows = _by_then(data.get("rules") or (), name)
        shares = [
            (words, [rows[week][key] for week in weeks if key in rows.get(week, ())])
            for key, words in (("sensitivity", "met where it holds"), ("false_alarms", "met where it never does"))
        ]
        lines = [
            (words, [figure(one["mean"], one["mcse"]) if one else TOO_RARE for one in found])
            for words, found in shares if found
        ]  # fmt: skip
        groups += [(outcome["label"], lines)] if lines else []
    if groups:
        yield from ["", "How well the rules follow their outcomes"]
        yield from _grid([(count(week, "week"),) for week in weeks], groups, width)
        yield from textwrap.wrap(QUALITY, min(width, READABLE))


def _conditions(data: Mapping[str, Any], by: Mapping[Any, Any], weeks: Sequence[int]) -> list[_Group]:
    groups: dict[str, list[tuple[str, list[str]]]] = {}
    for row in data["conditionals"]:
        name, given = row["outcome"], row["given"]
        words, star = given.replace("_", " "), " *" if row["rests_on_prior"] and not _has_history(data) else ""
        rows = groups.setdefault(data["model"]["outcomes"][name]["label"], [])
        if begins(given):
            after = next((by[key] for key in by if key[:3] == (name, "after", given)), None)
            rows.append((f"{words} began{star}: {spread(after) if after else TOO_RARE}", []))
        else:
            cells = _cells(by, (name, "given", given), weeks)
            rows.append((f"given {words}{star}", [cell or TOO_RARE for cell in cells]))
    return list(groups.items())


def _grid(heads: Sequence[tuple[str, ...]], groups: Sequence[_Group], width: int) -> Iterator[str]:
    """Lay out rows under their group's label, in as many blocks of columns as ``width`` asks for."""
    rows = [row for _, part in groups for row in part]
    column = 2 + max(len(text) for texts in (*heads, *(cells for _, cells in rows)) for text in texts)
    labels = 4 + max(len(label) for label, cells in rows if cells)  # two blanks before, two after
    first = min(labels, max(width + 2 - column * len(heads), 4))
    for block in batched(range(len(heads)), max((width + 2 - first) // column, 1)):
        yield from [""] if block[0] else []
        for line in zip(*(heads[k] for k in block), strict=True):
            yield (" " * first + "".join(text.ljust(column) for text in line)).rstrip()
        for label, part in groups:
            yield from textwrap.wrap(one_line(label), width)
            for name, cells in part:
                if cells or not block[0]:
                    yield from _grid_row(name, "".join(cells[k].ljust(column) for k in block if cells), first, width)


def _grid_row(name: str, values: str, first: int, width: int) -> Iterator[str]:
    if values and len(name) + 4 <= first:
        yield (f"  {name}".ljust(first) + values).rstrip()
        return
    yield from textwrap.wrap(name, width, initial_indent="  ", subsequent_indent="    ")
    if values:
        yield (" " * first + values).rstrip()
