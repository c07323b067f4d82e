"""Files of rows: CSV and Excel, read and written."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.base.errors import InputError, LedgerError
from forecast.base.files import replace_file
from forecast.base.sanitise import csv_text, inert
from forecast.ledger.check import Reading, Row, check_entries
from forecast.ledger.doubles import at_most
from forecast.ledger.layout import COLUMNS, find_header, foreign_layout, read_header, width_fault
from forecast.ledger.rows import Entry, kind_of
from forecast.ledger.sheets import SHEETS, openpyxl_of, read_tables

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.check import Vocabulary
    from forecast.ledger.issued import Added
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Kind


# Reading.


def read_rows(
    path: Path, sheet: str | None = None, on_notice: Callable[[str], object] = lambda _: None
) -> tuple[Row, ...]:
    """Read the rows of a .csv or .xlsx file without judging them; `LedgerError` when the file cannot be read.

    Of a workbook the sheets ``observations`` and ``coverage`` are read, else the first, or the one called ``sheet``.
    ``on_notice`` is told what is left unread: columns, lines above the header, sheets.
    """
    return tuple(_rows_of(path, sheet, on_notice))


def _rows_of(path: Path, sheet: str | None, on_notice: Callable[[str], object]) -> Iterator[Row]:
    for name, lines in read_tables(path, sheet, on_notice):
        yield from _rows(path, name, lines, on_notice)


def _rows(
    path: Path, sheet: str, lines: Iterator[tuple[int, list[str]]], on_notice: Callable[[str], object]
) -> Iterator[Row]:
    filled = ((n, cells) for n, cells in lines if any(map(str.strip, cells)))
    above, first = find_header(filled)
    if first is None:
        raise LedgerError(str(path), [f"{sheet or 'the file'} is empty; its first line names the columns"])
    line, names = first
    if foreign := foreign_layout(path.name, names):
        raise LedgerError(str(path), [f"line {line}{sheet}: {foreign}"])
    header = read_header(names)
    file, kind = path.name + sheet, header.kind
    if above:
        on_notice(f"{file}: {prose.count(len(above), 'line')} above the header, line {line}, not read")
    if header.ignored:
        names = prose.listed([repr(name[:80]) for name in header.ignored])
        on_notice(f"{file}: not read: {names}, which {'is no column' if len(header.ignored) == 1 else 'are no columns'}"
                  f" of rows; they are {', '.join(COLUMNS[kind])}")  # fmt: skip
    for fault in header.faults:
        yield Row(file=file, line=line, kind=kind, cells={}, fault=fault)
    width = len(header.columns)
    for number, cells in filled:
        fault = width_fault(cells, width)
        values = {name: cell for name, cell in zip(header.columns, cells, strict=False) if name}
        if not any(map(str.strip, values.values())) and not fault:
            continue
        yield Row(file=file, line=number, kind=kind, cells=values, fault=fault)


def import_file(  # noqa: PLR0913 - what an import consists of
    ledger: Ledger, dataset: str, path: Path, vocabulary: Vocabulary, now: dt.datetime, *,
    sheet: str | None = None, dates: str | None = None, same: bool = False,
) -> Added:  # fmt: skip
    """Take the rows of a file into the ledger: all or, with a `LedgerError` that lists every fault, none.

    ``sheet`` is as in `read_rows`, ``dates`` and ``same`` are as in `Reading`; what was noticed is among the
    ``notices`` of the result.
    """
    notices: list[str] = []
    reading = Reading(dates=dates, same=same, recorded=lambda: ledger.entries(dataset))
    rows = _rows_of(path, sheet, notices.append)
    added = ledger.add(dataset, check_entries(rows, vocabulary, reading, notices.append), now=now)
    return added._replace(notices=(*at_most(notices, "more notices"), *added.notices))


# Writing.


def export_csv(entries: Iterable[Entry]) -> str:
    """Write entries of one kind as CSV; `InputError` where there are several, for a file holds one."""
    tables = _tables(entries) or {"observation": []}
    if len(tables) > 1:
        msg = f"a CSV file holds rows of one kind, and these are {prose.listed([SHEETS[kind] for kind in tables])}; "
        msg += "export them one after the other"
        raise InputError(msg)
    ((kind, rows),) = tables.items()
    lines = [list(COLUMNS[kind]), *([inert(str(cell)) for cell in row] for row in rows)]
    return csv_text(lines)


def export_file(entries: Sequence[Entry], path: Path) -> tuple[Path, ...]:
    """Write entries to a .csv or .xlsx file, whole or not at all, and give the files written.

    In CSV, what stands beside observations goes to files of its own, such as ``NAME-coverage.csv``; a workbook has a
    sheet for each kind.
    """
    tables = _tables(entries)
    if path.suffix.lower() == ".xlsx":
        replace_file(path, _workbook(path, tables or {"observation": []}))
        return (path,)
    if path.suffix.lower() != ".csv":
        msg = f"{path}: {path.suffix!r} is not a format for rows; use .csv or .xlsx"
        raise InputError(msg)
    first: Kind = next(iter(tables)) if len(tables) == 1 else "observation"
    parts = {path: [entry for entry in entries if kind_of(entry) == first]}
    for kind in [kind for kind in tables if kind != first]:
        beside = path.with_name(f"{path.stem}-{SHEETS[kind]}{path.suffix}")
        parts[beside] = [entry for entry in entries if kind_of(entry) == kind]
    for target, rows in parts.items():
        replace_file(target, export_csv(rows).encode())
    return tuple(parts)


def _tables(entries: Iterable[Entry]) -> dict[Kind, list[list[str | dt.date]]]:
    tables: dict[Kind, list[list[str | dt.date]]] = {}
    for entry in entries:
        tables.setdefault(kind_of(entry), []).append(list(cells_of(entry).values()))
    return tables


def cells_of(entry: Entry) -> dict[str, str | dt.date]:
    """Give the cells of an entry by column, as a file holds them."""
    values = {column: getattr(entry, "from_" if column == "from" else column) for column in COLUMNS[kind_of(entry)]}
    return {column: _cell(value) for column, value in values.items()}


def _cell(value: str | dt.date | float | None) -> str | dt.date:
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value) if isinstance(value, int | float) else value or ""


def _workbook(path: Path, tables: Mapping[Kind, list[list[str | dt.date]]]) -> bytes:
    book = openpyxl_of(path).Workbook()
    book.remove(book.active)
    for kind, rows in tables.items():
        sheet = book.create_sheet(SHEETS[kind])
        sheet.append(list(COLUMNS[kind]))
        for row in rows:
            sheet.append([_escaped(inert(cell)) or None if isinstance(cell, str) else cell for cell in row])
        sheet.freeze_panes = "A2"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _escaped(text: str) -> str:
    """Escape, as Excel does, what its XML cannot hold and what would read as such an escape."""
    pattern = r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-F]{4}_)"
    return re.sub(pattern, lambda found: f"_x{ord(found[0]):04X}_", text)
