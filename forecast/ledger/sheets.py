"""Tables of text in CSV files and workbooks: what a reader of the file would see, line by line, within limits."""

from __future__ import annotations

import csv
import datetime as dt
import re
import zipfile
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

from forecast.base.errors import LedgerError, nearest
from forecast.base.prose import listed
from forecast.base.sanitise import bare_text
from forecast.ledger.keys import FORMULA, clean_key
from forecast.ledger.layout import known_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Lines = Iterator[tuple[int, list[str]]]


SHEETS = {"observation": "observations", "coverage": "coverage", "count": "counts", "delivery": "deliveries"}
MAX_BYTES = 512 * 2**20  # of a workbook when it is unpacked
MAX_CELLS = 20_000_000  # of a sheet: a million rows of every column and some more
EXACT = 10**15  # from here on a spreadsheet has lost digits of a number
LOOKED_AT = 100  # lines of a sheet in which something stands, if it is not empty


def read_tables(
    path: Path, sheet: str | None, on_notice: Callable[[str], object]
) -> Iterator[tuple[str, Iterator[tuple[int, list[str]]]]]:
    """Each table of a file: ``[sheet]`` or blank, and its lines with their numbers, as an editor counts them.

    Raises
    ------
    LedgerError
        If the file cannot be read, is too large, or has no sheet of that name.

    """
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".tsv", ".xlsx"}:
        raise LedgerError(str(path), [f"{path.suffix!r} is not a format for rows; use .csv or .xlsx"])
    if sheet is not None and suffix != ".xlsx":
        raise LedgerError(str(path), [f"has no sheets, so none is called {sheet!r}; leave out --sheet"])
    tables = _read_excel(path, sheet, on_notice) if suffix == ".xlsx" else iter([("", _read_csv(path))])
    for name, lines in _guarded(path, tables):
        yield name, _guarded(path, lines)


def _guarded[T](path: Path, items: Iterator[T]) -> Iterator[T]:
    """Give what a reader gives, and turn whatever it raises into a `LedgerError`."""
    try:
        yield from items
    except LedgerError:
        raise
    except OSError as error:
        fault = f"cannot be read ({error.strerror or error}); check the path and its permissions"
        raise LedgerError(str(path), [fault]) from error
    except Exception as error:  # a damaged workbook can raise anything
        fault = f"is not a workbook that can be read ({error}); save it again as .xlsx, or use .csv"
        raise LedgerError(str(path), [fault]) from error


# CSV.


def _read_csv(path: Path) -> Lines:
    """Give each record with the number of the line on which it begins."""
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.read(2**16)
            file.seek(0)
            for cells in (reader := csv.reader(file, strict=True, delimiter=_delimiter(start))):
                if line > 1 or not re.match(r"sep=", cells[0] if cells else ""):
                    yield line, [bare_text(cell) for cell in cells]
                line = reader.line_num + 1
    except UnicodeDecodeError as error:
        fault = (
            f"line {_undecodable(path)} is not UTF-8 text; save it as UTF-8 (in Excel: 'CSV UTF-8'), or name a workbook"
            " .xlsx"
        )
        raise LedgerError(str(path), [fault]) from error
    except csv.Error as error:
        fault = f"line {line} is not CSV ({error}); check its quotes, or save it again from a spreadsheet"
        raise LedgerError(str(path), [fault]) from error


def _delimiter(start: str) -> str:
    """Find what separates the cells: what ``sep=`` says, or what makes some line a header, or the most frequent."""
    if said := re.match(r'\ufeff?"?sep=(.)', start):
        return said[1]
    lines = start.splitlines()[:20] or [""]
    candidates = (",", ";", "\t", "|")
    first = next(filter(str.strip, lines), "")
    return max(
        candidates,
        key=lambda one: (max(known_columns(line.replace('"', "").split(one)) for line in lines), first.count(one)),
    )


def _undecodable(path: Path) -> int:
    """Give the number of the first line that is not UTF-8."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError:
                return number
    return 1


# Workbooks.


def openpyxl_of(path: Path) -> Any:  # noqa: ANN401 - an optional module
    """Import what reads and writes workbooks; `LedgerError` where it is not installed."""
    try:
        import openpyxl  # noqa: PLC0415 - an extra, and slow to import
    except ImportError as error:
        fault = "needs the extra for Excel: pip install 'scenario-cascade[excel]', or use .csv"
        raise LedgerError(str(path), [fault]) from error
    return openpyxl


def _read_excel(
    path: Path, wanted: str | None, on_notice: Callable[[str], object]
) -> Iterator[tuple[str, Iterator[tuple[int, list[str]]]]]:
    openpyxl = openpyxl_of(path)
    with path.open("rb") as file, zipfile.ZipFile(file) as parts:
        size = sum(part.file_size for part in parts.infolist())
        if size > MAX_BYTES:
            fault = f"holds {size / 2**20:,.0f} MB when it is unpacked, at most {MAX_BYTES / 2**20:,.0f} are read"
            raise LedgerError(str(path), [f"{fault}; save its rows as .csv"])
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        chosen = _sheets(path, book, wanted)
        unread = [name for name in book.sheetnames if name not in chosen and _holds_something(book[name])]
        if unread:
            which = "sheet" if len(unread) == 1 else "sheets"
            names = listed([repr(name[:80]) for name in unread])
            on_notice(f"{path.name}: {which} {names} not read; name the one to read with --sheet")
        for name in chosen:
            sheet = book[name]
            sheet.reset_dimensions()
            survey = _survey(parts, sheet._worksheet_path)  # noqa: SLF001 - it is nowhere else
            yield f"[{name}]", _sheet_lines(path, name, sheet, survey)


def _sheets(path: Path, book: Any, wanted: str | None) -> list[str]:  # noqa: ANN401 - an optional module
    """Names of the sheets to read."""
    known = {clean_key(name).casefold(): name for name in reversed(book.sheetnames)}
    if wanted is not None:
        found = wanted if wanted in book.sheetnames else known.get(clean_key(wanted).casefold())
        if found is None:
            raise LedgerError(str(path), [f"there is no sheet {wanted!r}; {nearest(wanted, book.sheetnames)}"])
        return [found]
    return [known[name] for name in SHEETS.values() if name in known] or book.sheetnames[:1]


def _holds_something(sheet: Any) -> bool:  # noqa: ANN401 - an optional module
    rows = sheet.iter_rows(values_only=True) if hasattr(sheet, "iter_rows") else ()
    return any(value is not None for row in islice(rows, LOOKED_AT) for value in islice(row, LOOKED_AT))


class _Survey(NamedTuple):
    """What openpyxl does not tell of a sheet that it streams: merged ranges, and formulas without a stored value."""

    merged: Sequence[tuple[int, int, int, int]]  # first row, last row, first column, last column
    unsolved: frozenset[tuple[int, int]]


def _survey(parts: zipfile.ZipFile, part: str) -> _Survey:
    merged: list[tuple[int, int, int, int]] = []
    unsolved: set[tuple[int, int]] = set()
    with parts.open(part.lstrip("/")) as file:
        row = column = 0
        for event, element in ET.iterparse(file, events=("start", "end")):  # noqa: S314 - see above
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "row":
                    row, column = int(element.get("r", row + 1)), 0
                continue
            if tag == "c":
                at = element.get("r")
                column = _place(at)[1] if at else column + 1
                values = {child.tag.rpartition("}")[2]: child.text for child in element}
                if "f" in values and not values.get("v") and not (element.get("t") == "str" and "v" in values):
                    unsolved.add((row, column))
                element.clear()
            elif tag == "row":
                element.clear()
            elif tag == "mergeCell" and ":" in (ref := element.get("ref", "")):
                (top, left), (bottom, right) = map(_place, ref.split(":"))
                merged.append((top, bottom, left, right))
    return _Survey(sorted(merged), frozenset(unsolved))


def _place(reference: str) -> tuple[int, int]:
    """Row and column of a cell, from one: ``B3`` is (3, 2)."""
    letters, digits = re.sub(r"[^A-Za-z]", "", reference), re.sub(r"\D", "", reference)
    column = 0
    for letter in letters.upper():
        column = column * 26 + ord(letter) - 64
    return int(digits), column


def _sheet_lines(path: Path, name: str, sheet: Any, survey: _Survey) -> Lines:  # noqa: ANN401 - an optional module
    """Lines of a sheet: merged cells are read as what they show, in lines that hold something of their own."""
    cells = width = 0
    waiting = list(reversed(survey.merged))
    open_: list[tuple[int, int, int, str]] = []  # last row, first column, last column, what is shown
    for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
        cells += len(row)
        if cells > MAX_CELLS:
            fault = f"[{name}] has more than {MAX_CELLS:,} cells down to line {number}; delete what is beside the rows"
            raise LedgerError(str(path), [f"{fault}, or save them as .csv"])
        line = [_cell_text(value) for value in row]
        for k in range(len(line)):
            if survey.unsolved and (number, k + 1) in survey.unsolved:
                line[k] = FORMULA
        filled = any(line)
        while waiting and waiting[-1][0] <= number:
            top, bottom, left, right = waiting.pop()
            if top == number and left <= len(line):
                open_.append((bottom, left, right, line[left - 1]))
        open_ = [one for one in open_ if one[0] >= number]
        for _, left, right, text in open_ if filled else ():
            line += [""] * (min(right, len(line) + LOOKED_AT) - len(line))
            line[left - 1 : right] = [text] * (len(line[left - 1 : right]))
        width = max(width, len(line))
        yield number, line + [""] * (width - len(line))


def _cell_text(value: object) -> str:
    match value:
        case None | False:
            return ""
        case True:
            return "yes"
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case int() | float():
            whole = isinstance(value, int) or value.is_integer()
            return f"{value:.14G}" if abs(value) >= EXACT else str(int(value) if whole else value)
        case str():
            return bare_text(re.sub(r"_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), value))
        case _:
            return str(value)
