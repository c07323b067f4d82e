"""Files of rows: CSV and Excel, read and written."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from typing import TYPE_CHECKING, Any

from forecast.base.errors import InputError, LedgerError, nearest
from forecast.base.files import replace_file
from forecast.base.sanitise import bare_text, csv_text, inert
from forecast.ledger.check import Row, check_entries
from forecast.ledger.rows import Coverage, Entry, Observation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.check import Vocabulary
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.records import Added

__all__ = ["export_csv", "export_file", "import_file", "read_rows"]


COLUMNS = {
    "observation": (
        "id", "indicator", "state", "date", "precision", "reported_on", "source", "url", "grade", "story", "distinct",
        "note",
    ),
    "coverage": ("id", "indicator", "from", "to", "reported_on", "source", "url", "note"),
}  # fmt: skip
OPTIONAL = {"id", "precision", "reported_on", "url", "story", "distinct", "note"}
SHEETS = {"observation": "observations", "coverage": "coverage"}


# Reading.


def read_rows(path: Path) -> tuple[Row, ...]:
    """Read the rows of a .csv or .xlsx file without judging them; `LedgerError` when the file cannot be read."""
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {".csv": _read_csv, ".xlsx": _read_excel}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise LedgerError(str(path), [f"{path.suffix!r} is not a format for rows; use .csv or .xlsx"])
    try:
        return tuple(reader(path))
    except OSError as error:
        fault = f"cannot be read ({error.strerror or error}); check the path and its permissions"
        raise LedgerError(str(path), [fault]) from error


def _read_csv(path: Path) -> Iterator[Row]:
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fault = f"line {line} is not UTF-8 text; save it as UTF-8 (in Excel: 'CSV UTF-8'), or name a workbook .xlsx"
        raise LedgerError(str(path), [fault]) from error
    header = text.partition("\n")[0]
    delimiter = ";" if header.count(";") > header.count(",") else ","
    yield from _rows(path, "", _csv_lines(path, text, delimiter))


def _csv_lines(path: Path, text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Give each record with the number of the line on which it begins."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    line = 1
    try:
        for cells in reader:
            yield line, [bare_text(cell) for cell in cells]
            line = reader.line_num + 1
    except csv.Error as error:
        fault = f"line {line} is not CSV ({error}); check its quotes, or save it again from a spreadsheet"
        raise LedgerError(str(path), [fault]) from error


def _read_excel(path: Path) -> Iterator[Row]:
    openpyxl = _openpyxl(path)
    try:
        with path.open("rb") as file:
            book = openpyxl.load_workbook(file, data_only=True)
    except OSError:
        raise
    except Exception as error:  # a damaged workbook can raise anything
        fault = f"is not a workbook that can be read ({error}); save it again as .xlsx, or use .csv"
        raise LedgerError(str(path), [fault]) from error
    named = [name for name in book.sheetnames if name in SHEETS.values()]
    for name in named or book.sheetnames[:1]:
        lines = ((n, [_cell_text(v) for v in row]) for n, row in enumerate(book[name].iter_rows(values_only=True), 1))
        yield from _rows(path, f"[{name}]", lines)


def _openpyxl(path: Path) -> Any:  # noqa: ANN401 - an optional module
    try:
        import openpyxl  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        fault = "needs the extra for Excel: pip install 'scenario-cascade[excel]', or use .csv"
        raise LedgerError(str(path), [fault]) from error
    return openpyxl


def _cell_text(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case float() if value.is_integer():
            return str(int(value))
        case str():
            return bare_text(re.sub(r"_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), value))
        case _:
            return str(value)


def _rows(path: Path, sheet: str, lines: Iterator[tuple[int, list[str]]]) -> Iterator[Row]:
    filled = ((n, cells) for n, cells in lines if any(map(str.strip, cells)))
    first = next(filled, None)
    if first is None:
        raise LedgerError(str(path), [f"{sheet or 'the file'} is empty; its first line names the columns"])
    line, header = first[0], [name.strip() for name in first[1]]
    while not header[-1]:
        del header[-1]
    kind = "coverage" if {"from", "to"} & set(header) else "observation"
    faults = [f"line {line}{sheet}: {fault}" for fault in _header_faults(header, COLUMNS[kind])]
    if faults:
        raise LedgerError(str(path), faults)
    for number, cells in filled:
        extra = len(cells) - len(header)
        fault = f"has {len(cells)} cells, the header has {len(header)}; check its commas and quotes"
        bad = extra < 0 or any(cells[len(header) :])
        values = dict(zip(header, cells, strict=False))
        yield Row(file=path.name + sheet, line=number, kind=kind, cells=values, fault=fault if bad else "")


def _header_faults(header: list[str], columns: tuple[str, ...]) -> Iterator[str]:
    yield from (f"there is no column {name!r}; {nearest(name, columns)}" for name in header if name not in columns)
    yield from (f"column {name!r} is given twice" for name in sorted(set(header)) if header.count(name) > 1)
    yield from (f"column {name!r} is missing" for name in columns if name not in OPTIONAL and name not in header)


def import_file(ledger: Ledger, dataset: str, path: Path, vocabulary: Vocabulary, now: dt.datetime) -> Added:
    """Take the rows of a file into the ledger: all or, with a `LedgerError` that lists every fault, none."""
    return ledger.add(dataset, check_entries(read_rows(path), vocabulary), now=now)


# Writing.


def export_csv(entries: Iterable[Entry]) -> str:
    """Write entries of one kind as CSV; `InputError` when both kinds are there, for a file holds one."""
    tables = _tables(entries) or {"observation": []}
    if len(tables) > 1:
        msg = "a CSV file holds observations or coverage, not both; export them one after the other"
        raise InputError(msg)
    ((kind, rows),) = tables.items()
    lines = [list(COLUMNS[kind]), *([inert(str(cell)) for cell in row] for row in rows)]
    return csv_text(lines)


def export_file(entries: Sequence[Entry], path: Path) -> tuple[Path, ...]:
    """Write entries to a .csv or .xlsx file, whole or not at all, and give the files written.

    In CSV, coverage that stands beside observations goes to a second file, ``NAME-coverage.csv``; a workbook has a
    sheet for each.
    """
    tables = _tables(entries)
    if path.suffix.lower() == ".xlsx":
        replace_file(path, _workbook(path, tables or {"observation": []}))
        return (path,)
    if path.suffix.lower() != ".csv":
        msg = f"{path}: {path.suffix!r} is not a format for rows; use .csv or .xlsx"
        raise InputError(msg)
    parts = {path: [e for e in entries if isinstance(e, Observation)] if len(tables) > 1 else entries}
    if len(tables) > 1:
        beside = path.with_name(f"{path.stem}-coverage{path.suffix}")
        parts[beside] = [e for e in entries if isinstance(e, Coverage)]
    for target, rows in parts.items():
        replace_file(target, export_csv(rows).encode())
    return tuple(parts)


def _tables(entries: Iterable[Entry]) -> dict[str, list[list[str | dt.date]]]:
    tables: dict[str, list[list[str | dt.date]]] = {}
    for entry in entries:
        kind = "observation" if isinstance(entry, Observation) else "coverage"
        values = [getattr(entry, "from_" if column == "from" else column) for column in COLUMNS[kind]]
        row = [("yes" if value else "") if isinstance(value, bool) else value or "" for value in values]
        tables.setdefault(kind, []).append(row)
    return tables


def _workbook(path: Path, tables: Mapping[str, list[list[str | dt.date]]]) -> bytes:
    book = _openpyxl(path).Workbook()
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
