"""The file of a history: spells of units in states, read and checked row by row."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, get_args

from forecast.base.errors import LedgerError, nearest
from forecast.base.prose import listed
from forecast.base.sanitise import is_web
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.days import day_of
from forecast.ledger.keys import clean_key, is_placeholder
from forecast.ledger.layout import folded, width_fault
from forecast.ledger.sheets import read_tables
from forecast.theory.spells import Boundary, Spell

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


HISTORY_FILE = "history.csv"
COLUMNS = ("unit", "stage", "state", "from", "to", "boundary", "conditions", "source", "url", "grade", "note")
OPTIONAL = ("to", "boundary", "conditions", "url", "note")
BOUNDARIES: dict[str, Boundary] = {"": "day", **{str(name): name for name in get_args(Boundary.__value__)}}


def read_history(path: Path, today: dt.date, on_notice: Callable[[str], object] = lambda _: None) -> tuple[Spell, ...]:
    """Read the spells of a history, by unit, stage and day; ``on_notice`` is told of columns that are not read.

    Raises
    ------
    LedgerError
        If the file cannot be read or has faults: all of them, each with line and column.

    """
    found: list[tuple[int, Spell]] = []
    faults: list[str] = []
    for name, lines in read_tables(path, None, on_notice):
        for line, cells, wrong in _rows(lines, on_notice, path.name + name):
            spell, more = (None, wrong) if wrong else _spell(cells, today)
            faults += [f"{path.name}{name}:{line}: {fault}" for fault in more]
            if spell is not None:
                found.append((line, spell))
    faults += [f"{path.name}:{fault}" for fault in _between(found)]
    if faults:
        raise LedgerError(str(path), faults)
    return tuple(sorted((spell for _, spell in found), key=lambda spell: (spell.stage, spell.unit, spell.from_)))


def _rows(
    lines: Iterator[tuple[int, list[str]]], on_notice: Callable[[str], object], file: str
) -> Iterator[tuple[int, dict[str, str], list[str]]]:
    """Cells by column of each row, or what is wrong with the row as a whole."""
    filled = ((line, cells) for line, cells in lines if any(map(str.strip, cells)))
    line, names = next(filled, (1, []))
    header = [folded(name) for name in names]
    missing = [repr(name) for name in COLUMNS if name not in (*OPTIONAL, *header)]
    are = "columns {} are" if len(missing) > 1 else "column {} is"
    faults = [f"{are.format(listed(missing))} missing; the columns are {', '.join(COLUMNS)}"] if missing else []
    faults += [f"column {name!r} is given twice" for name in COLUMNS if header.count(name) > 1]
    if faults:
        yield line, {}, faults
        return
    if ignored := [raw for name, raw in zip(header, names, strict=True) if name and name not in COLUMNS]:
        on_notice(f"{file}: not read: {', '.join(map(repr, ignored))}; the columns are {', '.join(COLUMNS)}")
    for line, cells in filled:
        fault = width_fault(cells, len(header))
        yield line, {name: clean_key(cell) for name, cell in zip(header, cells, strict=False)}, [fault] * bool(fault)


def _spell(cells: dict[str, str], today: dt.date) -> tuple[Spell | None, list[str]]:
    """One spell, or what is wrong with the cells of its row."""
    faults = [f"{name}: is blank" for name in COLUMNS if name not in OPTIONAL and not cells.get(name)]
    faults += [
        f"{name}: {cells[name]!r} is a placeholder; leave it blank or fill it in"
        for name in COLUMNS
        if cells.get(name) and is_placeholder(cells[name])
    ]
    days = {name: _day(cells.get(name, ""), name, today, faults) for name in ("from", "to")}
    begin, end = days["from"], days["to"]
    if begin and end and end <= begin:
        faults.append(f"to: {end} is not after from, {begin}; it is the first day on which the spell no longer holds")
    boundary = cells.get("boundary", "")
    if boundary not in BOUNDARIES:
        faults.append(f"boundary: {boundary!r} is not allowed; {nearest(boundary, filter(None, BOUNDARIES))}")
    if (grade := cells.get("grade", "")) and grade not in CREDIBILITY:
        faults.append(f"grade: {grade!r} is not an Admiralty grade; give source A to F and information 1 to 6")
    if (url := cells.get("url", "")) and not is_web(url):
        faults.append(f"url: {url!r} is not a web address; start it with https://")
    states = tuple(part.strip() for part in cells.get("state", "").split("|"))
    if not all(states) and cells.get("state"):
        faults.append(f"state: {cells['state']!r} has an empty part; write one state, or several with | between")
    conditions = [part.strip().partition(".") for part in cells.get("conditions", "").split(";") if part.strip()]
    if any(not (stage and state) for stage, _, state in conditions):
        faults.append(f"conditions: {cells['conditions']!r} is not like 'peace.settled_deal; victory.secured'")
    if faults or begin is None:
        return None, faults
    given = tuple(sorted((stage, state) for stage, _, state in conditions))
    note = cells.get("note", "")
    unit, stage, source = (cells[name] for name in ("unit", "stage", "source"))
    return Spell(unit, stage, states, begin, end, BOUNDARIES[boundary], given, grade, source, url, note), []


def _day(text: str, column: str, today: dt.date, faults: list[str]) -> dt.date | None:
    if not text:
        return None
    found = day_of(text)
    if isinstance(found, str):
        faults.append(f"{column}: {found}")
        return None
    if found > today:
        faults.append(f"{column}: {found} is in the future; a history tells what has been")
    return found


def _between(found: Iterable[tuple[int, Spell]]) -> Iterator[str]:
    """Faults between the spells of a unit: overlaps, and sets of states that share some and are not the same."""
    timelines: dict[tuple[str, str], list[tuple[int, Spell]]] = defaultdict(list)
    for line, spell in found:
        timelines[spell.unit, spell.stage].append((line, spell))
    for rows in timelines.values():
        for (line, spell), (after, later) in pairwise(sorted(rows, key=lambda row: row[1].from_)):
            where = f"{after}: unit {spell.unit!r}: "
            before, now = set(spell.states), set(later.states)
            if spell.to is None or spell.to > later.from_:
                ends = "has no end" if spell.to is None else f"ends on {spell.to}"
                yield f"{where}begins on {later.from_}, but the spell of line {line} {ends}, so end it by then"
            elif spell.to == later.from_ and before != now and before & now:
                yield (
                    f"{where}state: {'|'.join(later.states)} and {'|'.join(spell.states)} of line {line} share a state;"
                    " spells that follow each other name the same states or quite others"
                )
