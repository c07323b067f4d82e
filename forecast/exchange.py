"""CSV and Excel files: how rows come into the ledger and how they leave it.

An import is idempotent and all-or-nothing, and lists every faulty row at once. An export is exact: importing it again
changes nothing. A cell that a spreadsheet would execute is written behind an apostrophe, which reading takes off.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from forecast.errors import InputError, LedgerError, nearest
from forecast.ledger import CREDIBILITY, Added, Coverage, Entry, Ledger, Observation, with_id
from forecast.publish import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "Row",
    "Vocabulary",
    "check_entries",
    "csv_text",
    "export_csv",
    "export_file",
    "import_file",
    "inert",
    "is_web",
    "read_rows",
]

COLUMNS = {
    "observation": (
        "id", "indicator", "state", "date", "precision", "reported_on", "source", "url", "grade", "story", "distinct",
        "note",
    ),
    "coverage": ("id", "indicator", "from", "to", "reported_on", "source", "url", "note"),
}  # fmt: skip
OPTIONAL = {"id", "precision", "reported_on", "url", "story", "distinct", "note"}
DATES = {"date", "from", "to", "reported_on"}
SHEETS = {"observation": "observations", "coverage": "coverage"}
MAX_TEXT = 10_000
EXECUTED = "=+-@\t\r\n＝＋－＠"  # first characters that make some spreadsheet run a cell
PRECISIONS: dict[str, Literal["day", "month"]] = {"": "day", "day": "day", "month": "month"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What rows may name: ``indicators``, the ``states`` of each stage, and days from ``start`` to ``today``."""

    indicators: frozenset[str]
    states: Mapping[str, tuple[str, ...]]
    start: dt.date
    today: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it stands in a file: ``cells`` by column, blank where empty; ``line`` as an editor counts it.

    ``line`` 0 means that the row is not from a file, and ``file`` then says where it is from. ``fault`` is what is
    wrong with the row as a whole.
    """

    file: str
    line: int
    kind: Literal["observation", "coverage"]
    cells: Mapping[str, str]
    fault: str = ""

    @property
    def place(self) -> str:
        """Where the row is: ``observations.csv:12``."""
        return f"{self.file}:{self.line}" if self.line else self.file


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
            yield line, [_bare(cell) for cell in cells]
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
            return _bare(re.sub(r"_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), value))
        case _:
            return str(value)


def _bare(cell: str) -> str:
    """Take off the apostrophe that `inert` put on; other text is left as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in EXECUTED + "'" else cell


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


# Checking.


def check_entries(rows: Iterable[Row], vocabulary: Vocabulary) -> list[Entry]:
    """Turn rows into entries; `LedgerError` with every fault: file, line, column, what was found, what is allowed."""
    faults: list[str] = []
    files: dict[str, None] = {}
    seen: dict[str, tuple[Entry, Row]] = {}
    for row in rows:
        files[row.file] = None
        check = _Check(row, vocabulary)
        entry = None if row.fault else check.entry()
        faults += [f"{row.place}: {fault}" for fault in ([row.fault] if row.fault else check.faults)]
        if entry is not None:
            first, where = seen.setdefault(entry.id, (entry, row))
            if first != entry:
                faults.append(f"{row.place}: id: {entry.id!r} is {where.place} with other content; give it its own id")
    if faults:
        raise LedgerError(", ".join(files), faults)
    return [entry for entry, _ in seen.values()]


class _Check:
    """Reads one row and gathers its faults, each beginning with its column."""

    def __init__(self, row: Row, vocabulary: Vocabulary) -> None:
        self.row = row
        self.vocabulary = vocabulary
        self.faults: list[str] = []

    def entry(self) -> Entry | None:
        for column, text in self.row.cells.items():
            self._characters(column, text)
        entry = self._observation() if self.row.kind == "observation" else self._coverage()
        return None if self.faults or entry is None else with_id(entry)

    def _observation(self) -> Observation | None:
        indicator, state = self._cell("indicator").strip(), self._cell("state").strip()
        if bool(indicator) == bool(state):
            self._fault("indicator", f"{'both' if state else 'neither'} of indicator and state; give one of the two")
        if indicator:
            self._known_indicator(indicator, self.vocabulary.indicators)
        states = [f"{stage}.{name}" for stage, names in self.vocabulary.states.items() for name in names]
        if state and state not in states:
            self._fault("state", f"there is no state {state!r}; {nearest(state, states)}")
        precision = self._choice("precision", PRECISIONS)
        distinct = self._choice("distinct", {"": False, "yes": True})
        grade = self._choice("grade", {name.lower(): name for name in CREDIBILITY}, "A1 to F6, such as B2")
        date = self._date("date")
        earliest = date.replace(day=1) if date and precision == "month" else date
        reported_on, common = self._reported_on(date, earliest), self._common()
        if date is None or reported_on is None or grade is None:
            return None
        return Observation(
            indicator=indicator or None, state=state or None, date=date, precision=precision or "day",
            reported_on=reported_on, grade=grade, story=self._cell("story"), distinct=bool(distinct), **common,
        )  # fmt: skip

    def _coverage(self) -> Coverage | None:
        indicator = self._cell("indicator").strip()
        self._known_indicator(indicator, {"*", *self.vocabulary.indicators})
        from_, to = self._date("from"), self._date("to")
        if from_ and to and from_ > to:
            self._fault("from", f"{from_} is after `to`, {to}; exchange them")
        reported_on, common = self._reported_on(to, to), self._common()
        if from_ is None or to is None or reported_on is None:
            return None
        return Coverage(indicator=indicator, from_=from_, to=to, reported_on=reported_on, **common)

    def _common(self) -> dict[str, str]:
        url = self._cell("url")
        if url and not is_web(url):
            self._fault("url", f"{url[:80]!r} is not a web address; it begins with https:// or http://")
        if not self._cell("source").strip():
            self._fault("source", "is empty; name who reported it")
        for column in ("id", "story"):
            text = self._cell(column)
            if text != text.strip() or any(c in text for c in "\t\r\n"):
                self._fault(column, "has blanks at its ends or a line break; take them out")
        return {column: self._cell(column) for column in ("id", "source", "url", "note")}

    def _cell(self, column: str) -> str:
        return self.row.cells.get(column, "")

    def _fault(self, column: str, text: str) -> None:
        self.faults.append(f"{column}: {text}")

    def _characters(self, column: str, text: str) -> None:
        if len(text) > MAX_TEXT:
            self._fault(column, f"has {len(text):,} characters; at most {MAX_TEXT:,} are kept")
        bad = next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\r\n"), None)
        if bad is not None:
            self._fault(column, f"holds the control character U+{ord(bad):04X}; take it out")

    def _known_indicator(self, name: str, allowed: Iterable[str]) -> None:
        if name not in allowed:
            self._fault("indicator", f"there is no indicator {name!r}; {nearest(name, allowed)}")

    def _choice[T](self, column: str, allowed: Mapping[str, T], words: str = "") -> T | None:
        text = self._cell(column).strip().lower()
        if text not in allowed:
            words = words or " or ".join(name or "blank" for name in allowed)
            self._fault(column, f"{self._cell(column)[:80]!r} is not allowed; use {words}")
        return allowed.get(text)

    def _date(self, column: str) -> dt.date | None:
        """Read a day from the model's start to today."""
        date = self._day(column)
        if date is not None and date > self.vocabulary.today:
            self._fault(column, f"{date} is in the future; give a day until today, {self.vocabulary.today}")
        if date is not None and column != "reported_on" and date < self.vocabulary.start:
            self._fault(column, f"{date} is before the model's start, {self.vocabulary.start}; leave the row out")
        return date

    def _day(self, column: str) -> dt.date | None:
        text = self._cell(column).strip()
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return dt.date.fromisoformat(text)
        except ValueError:
            pass
        hint = "; for a month alone give a best day and precision = month" if re.fullmatch(r"\d{4}-\d\d", text) else ""
        self._fault(column, f"{text[:80]!r} is not a date; write YYYY-MM-DD, such as 2026-01-08{hint}")
        return None

    def _reported_on(self, default: dt.date | None, earliest: dt.date | None) -> dt.date | None:
        if not self._cell("reported_on").strip():
            return default
        date = self._date("reported_on")
        if date and earliest and date < earliest:
            self._fault("reported_on", f"{date} is before {earliest}, when it happened; give the day it became public")
        return date


def is_web(url: str) -> bool:
    """Whether a text is the address of a page: http or https, with a host, without blanks."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", url)


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


def inert(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would execute, and before an apostrophe, so it can come off."""
    return f"'{text}" if text[:1] and text[0] in EXECUTED + "'" else text


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Write lines of cells as CSV, each line ended by a line feed."""
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search(r'[",\r\n]', cell) else cell


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
