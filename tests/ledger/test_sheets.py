"""Workbooks and text files say what a reader of them sees, and what was not read is named."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING

import openpyxl
import pytest

from forecast.base.errors import LedgerError
from forecast.ledger import sheets
from forecast.ledger.files import read_rows

if TYPE_CHECKING:
    from pathlib import Path

HEADER = ["indicator", "state", "date", "source", "grade", "story"]
ROW = ["cyberattack", None, "2025-02-20", "APA", "B2", "s"]


def workbook(folder: Path, *lines: list[str | None], merged: str = "", title: str = "Sheet1") -> Path:
    """Save a sheet of lines below the header."""
    book = openpyxl.Workbook()
    book.active.title = title
    for line in (HEADER, *lines):
        book.active.append(line)
    if merged:
        book.active.merge_cells(merged)
    path = folder / "rows.xlsx"
    book.save(path)
    return path


def test_a_formula_in_the_header_is_said(tmp_path: Path) -> None:
    """A column whose name was never worked out is a fault, with its place."""
    path = workbook(tmp_path, ROW)
    book = openpyxl.load_workbook(path)
    book.active["E1"] = '="grade"'
    book.save(path)
    faults = [row.fault for row in read_rows(path) if row.fault]
    assert faults[0].startswith("the name of column 5 is a formula without a stored value")
    assert [fault.partition(";")[0] for fault in faults[1:]] == ["column 'grade' is missing"]


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("MAX_BYTES", 2_000, "MB when it is unpacked, at most"),
        ("MAX_CELLS", 12, "has more than 12 cells down to line 3"),
    ],
)
def test_a_workbook_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, told: str
) -> None:
    """By what it takes when it is unpacked, and by rows times columns."""
    path = workbook(tmp_path, ROW, ROW)
    assert len(read_rows(path)) == 2
    monkeypatch.setattr(sheets, limit, value)
    with pytest.raises(LedgerError, match=told):
        read_rows(path)


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (2**16, 2**14),
        (2**16, 1),
        (2, 2**14),
        pytest.param(2**20, 2**14, marks=pytest.mark.slow),
        pytest.param(2**20, 1, marks=pytest.mark.slow),
    ],
)
def test_one_far_cell_costs_nothing(tmp_path: Path, line: int, column: int) -> None:
    """A small workbook whose last cell is used is read as what stands in it, in a moment and little memory."""
    path = workbook(tmp_path, ROW)
    book = openpyxl.load_workbook(path)
    book.active.cell(line, column, "x")
    book.save(path)
    tracemalloc.start()
    begun = time.process_time()
    found = read_rows(path)
    taken = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [row.line for row in found] == ([2] if line == 2 else [2, line])
    assert taken < 60 * max(line, 2**16) / 2**20
    assert peak < (100e6 if line > 2**16 else 10e6)


def text(folder: Path, content: str) -> Path:
    """Write a CSV file, with the line ends it has."""
    path = folder / "rows.csv"
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    ("merged", "stories"), [("F2:F4", ["s"] * 3), ("F2:F3", ["s", "s", "t"]), ("", ["s", "", "t"])]
)
def test_merged_cells_are_read_as_shown(tmp_path: Path, merged: str, stories: list[str]) -> None:
    """Each row of a merged range has its value, and no other row."""
    path = workbook(tmp_path, ROW, [*ROW[:5], None], [*ROW[:5], None if merged == "F2:F4" else "t"], merged=merged)
    assert [row.cells["story"] for row in read_rows(path)] == stories


@pytest.mark.parametrize("column", range(6))
def test_a_formula_without_a_value_is_not_blank(tmp_path: Path, column: int) -> None:
    """It is marked, so that the check of rows names its cell."""
    row = [*ROW]
    row[column] = "=A1"
    (found,) = read_rows(workbook(tmp_path, row))
    assert [name for name, cell in found.cells.items() if cell == "\0="] == [HEADER[column]]


@pytest.mark.parametrize("wanted", ["Two", "two", " TWO "])
def test_sheets_are_named(tmp_path: Path, wanted: str) -> None:
    """The first is read and the other named; the other is read when it is asked for, whatever its case."""
    book = openpyxl.Workbook()
    book.active.title = "One"
    for sheet, source in ((book.active, "one"), (book.create_sheet("Two"), "two")):
        sheet.append(HEADER)
        sheet.append([*ROW[:3], source, "B2", None])
    path = tmp_path / "rows.xlsx"
    book.save(path)
    told: list[str] = []
    assert [row.cells["source"] for row in read_rows(path, None, told.append)] == ["one"]
    assert told == ["rows.xlsx: sheet 'Two' not read; name the one to read with --sheet"]
    assert [row.cells["source"] for row in read_rows(path, wanted)] == ["two"]
    with pytest.raises(LedgerError, match="there is no sheet 'three'"):
        read_rows(path, "three")


@pytest.mark.parametrize("title", ["observations", "Observations", "OBSERVATIONS"])
def test_our_sheets_are_found_in_any_case(tmp_path: Path, title: str) -> None:
    """A name that differs by case is still the sheet of observations."""
    assert [row.file for row in read_rows(workbook(tmp_path, ROW, title=title))] == [f"rows.xlsx[{title}]"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("first", "mark"), [("", ","), ("", ";"), ("", "\t"), ("", "|"), ("sep=;", ";"), ("sep=|", "|")]
)
def test_cells_are_told_apart(tmp_path: Path, first: str, mark: str, end: str) -> None:
    """Commas, semicolons, tabs and what `sep=` says separate cells, with any line ends."""
    lines = [*([first] if first else []), mark.join(HEADER), mark.join(cell or "" for cell in ROW), ""]
    (row,) = read_rows(text(tmp_path, end.join(lines)))
    assert dict(row.cells) == dict(zip(HEADER, [cell or "" for cell in ROW], strict=True))


def test_headers_are_read_in_any_case_and_unknown_columns_named(tmp_path: Path) -> None:
    """Case and blanks of a name do not matter; titles above and columns that are none of ours are told."""
    told: list[str] = []
    header = "INDICATOR,State, date ,Source,Grade,Reported on,Remark"
    (row,) = read_rows(
        text(tmp_path, f"Our list,,,,,,\n{header}\nx,,2025-02-20,APA,B2,2025-02-21,y\n"), None, told.append
    )
    assert row.cells["reported_on"] == "2025-02-21"
    assert "Remark" not in row.cells
    assert "1 line above the header, line 2, not read" in told[0]
    assert "not read: 'Remark', which is no column of rows" in told[1]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("event_id_cnty,event_date,event_type,actor1", "ACLED"),
        ("EVENT_ID_CNTY,SUB_EVENT_TYPE,ACTOR1", "ACLED"),
        ("GLOBALEVENTID,SQLDATE,Actor1Code", "GDELT"),
        ("GKGRECORDID,V2Themes", "GDELT"),
        ("id,type_of_violence,side_a,date_start", "UCDP"),
        ("dyad_id,conflict_id,side_a", "UCDP"),
        ("conflict_id,dyad_id,org,side_a_name,side_b_name", "UCDP"),
        ("conflict_id,dyad_id,actor_id,actor_name,year", "UCDP"),
        ("conflict_id,location_inc,side_a,bd_best", "UCDP"),
        ("WEEK,REGION,COUNTRY,EVENT_TYPE,SUB_EVENT_TYPE,EVENTS,DISORDER_TYPE", "ACLED"),
        ("\t".join(["20260105120000-1", "20260105120000", "1", "x.org", "https://x.org", *[""] * 22]), "GDELT"),
    ],
)
def test_known_layouts_are_named(tmp_path: Path, header: str, name: str) -> None:
    """Whose table it is stands in the message, and what to do."""
    with pytest.raises(LedgerError, match=rf"this is .*{name}.* with `forecast import FILE`"):
        read_rows(text(tmp_path, header + "\n"))
