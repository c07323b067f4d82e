"""Rows come in whole or not at all, with every fault named, and go out so that they come in again unchanged."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import sys
import tempfile
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.base.errors import ForecastError, InputError, LedgerError
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.check import Row, Vocabulary, check_entries
from forecast.ledger.files import export_csv, export_file, import_file, read_rows
from forecast.ledger.issued import Added
from forecast.ledger.keys import clean_key, is_error, is_mangled, is_placeholder
from forecast.ledger.rows import Coverage, Entry, Observation, make_id
from forecast.ledger.sqlite import SqliteLedger

NOW = dt.datetime(2026, 1, 8, 12, 30, tzinfo=dt.UTC)
VOCABULARY = Vocabulary(
    indicators={"cyberattack": ("Cyberattacks",), "entry_ban": ("Entry bans",), "presidents_meet": ("A meeting",)},
    states={"peace": ("stalled", "fresh_deal"), "relations": ("truce", "confrontation")},
    start=dt.date(2024, 12, 1),
    today=dt.date(2026, 1, 8),
)
HEADER = "id,indicator,state,date,precision,reported_on,source,url,grade,story,distinct,note"
EXPORTED = f"{HEADER},coded_by,language"
GOOD = {"indicator": "cyberattack", "date": "2025-02-20", "source": "APA", "grade": "B2"}
WATCH = {"indicator": "*", "from": "2025-03-01", "to": "2025-03-31", "source": "our own reading"}


def day(month: int, date: int) -> dt.date:
    """Give a day of 2025."""
    return dt.date(2025, month, date)


def file(folder: Path, content: str | bytes, name: str = "rows.csv") -> Path:
    """Write a file to read."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def refusal(act: object, kind: type[ForecastError] = LedgerError) -> str:
    """Give the message of the error that ``act`` must raise."""
    with pytest.raises(kind) as caught:
        act()
    return str(caught.value)


def faults(cells: dict[str, str], kind: str = "observation") -> list[str]:
    """Give what is wrong with one row, without its place."""
    row = Row(file="rows.csv", line=7, kind=kind, cells=cells)
    with pytest.raises(LedgerError) as caught:
        check_entries([row], VOCABULARY)
    assert all(fault.startswith("rows.csv:7: ") for fault in caught.value.faults)
    return [fault.removeprefix("rows.csv:7: ") for fault in caught.value.faults]


def checked(path: Path) -> list[Entry]:
    """Read and check a file."""
    return check_entries(read_rows(path), VOCABULARY)


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Open an empty ledger."""
    return SqliteLedger.open(tmp_path / "ledger.db")


# Reading files.


def test_a_csv_file_is_read(tmp_path: Path) -> None:
    """Columns come in any order, blank lines and a byte-order mark do not matter, quoted commas and breaks are text."""
    content = (
        "\ufeffdate,indicator,state,source,grade,note,distinct,precision,id\n"
        '2025-02-20,cyberattack,,"APA, Baku",B2,"two\nlines ""quoted""",yes,,a\n\n,,,,,,,,\n'
        "2025-06-15,,relations.truce,Reuters,A1,,,month,b\n"
    )
    expected = [
        Observation(
            id="a", indicator="cyberattack", date=day(2, 20), reported_on=day(2, 20), source="APA, Baku", grade="B2",
            distinct=True, note='two\nlines "quoted"',
        ),
        Observation(
            id="b", state="relations.truce", date=day(6, 15), precision="month", reported_on=day(6, 15),
            source="Reuters", grade="A1",
        ),
    ]  # fmt: skip
    assert checked(file(tmp_path, content)) == expected
    assert checked(file(tmp_path, content.replace("\n", "\r\n").replace("two\r", "two"))) == expected


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    """A break within quotes moves the rows after it, and a row is named by the line it begins on."""
    content = (
        'indicator,state,date,source,grade,note\nentry_ban,,2025-02-20,APA,B2,"a\nb\nc"\n\nx,,2025-02-20,APA,B2,\n'
    )
    rows = read_rows(file(tmp_path, content))
    assert [row.line for row in rows] == [2, 6]
    assert [row.place for row in rows] == ["rows.csv:2", "rows.csv:6"]


def test_semicolons_of_a_european_excel_are_read(tmp_path: Path) -> None:
    """The header tells which of the two separates the columns."""
    content = "indicator;state;date;source;grade;note\ncyberattack;;2025-02-20;APA;B2;one, two\n"
    assert [entry.note for entry in checked(file(tmp_path, content))] == ["one, two"]


def test_a_header_alone_is_no_rows(tmp_path: Path) -> None:
    """A file that waits for its first row is not a fault."""
    assert read_rows(file(tmp_path, HEADER + "\n")) == ()


def test_coverage_is_told_by_its_header(tmp_path: Path) -> None:
    """Columns `from` and `to` make a coverage file; it is public on its last day unless it says otherwise."""
    content = "id,indicator,from,to,source\nw,*,2025-03-01,2025-03-31,our own reading\n"
    expected = Coverage(
        id="w", indicator="*", from_=day(3, 1), to=day(3, 31), reported_on=day(3, 31), source="our own reading"
    )
    assert checked(file(tmp_path, content)) == [expected]


def test_ragged_rows_are_named_with_the_others(tmp_path: Path) -> None:
    """A row with a comma too many or too few is a fault of its line, not of the file; blanks at its end are none."""
    lines = ["indicator,state,date,source,grade", "entry_ban,,2025-02-20,APA,B2,,", "entry_ban,,2025-02-20,A,PA,B2"]
    lines += ["entry_ban,,2025-02-20", "entry_bann,,2025-02-20,APA,B2"]
    message = refusal(lambda: checked(file(tmp_path, "\n".join(lines))))
    assert message.splitlines()[1:] == [
        "  rows.csv:3: has 6 cells, the header has 5; check its commas and quotes",
        "  rows.csv:4: has 3 cells, the header has 5; check its commas and quotes",
        "  rows.csv:5: indicator: there is no indicator 'entry_bann'; did you mean 'entry_ban'?",
    ]


def test_an_unreadable_file_says_what_to_do(tmp_path: Path) -> None:
    """Missing, a folder, another format, empty, not UTF-8, broken quotes, a workbook misnamed: one message each."""
    (tmp_path / "folder.csv").mkdir()
    workbook = export_file([], tmp_path / "empty.xlsx")[0].read_bytes()
    half = file(tmp_path, workbook[: len(workbook) // 2], "half.xlsx")
    noise = bytearray(workbook)
    noise[40:400] = b"\xaa" * 360
    for path, reason in (
        (tmp_path / "missing.csv", "cannot be read (No such file or directory); check the path"),
        (tmp_path / "folder.csv", "cannot be read (Is a directory)"),
        (file(tmp_path, "x", "rows.txt"), "'.txt' is not a format for rows; use .csv or .xlsx"),
        (file(tmp_path, "", "empty.csv"), "the file is empty; its first line names the columns"),
        (file(tmp_path, "\n,,\n \t\n", "blank.csv"), "the file is empty"),
        (file(tmp_path, HEADER.encode() + b"\n\xe4", "latin.csv"), "line 2 is not UTF-8 text; save it as UTF-8"),
        (file(tmp_path, HEADER.encode("utf-16"), "utf16.csv"), "line 1 is not UTF-8 text"),
        (file(tmp_path, workbook, "book.csv"), "or name a workbook .xlsx"),
        (file(tmp_path, f'{HEADER}\na,"b" c\n', "quotes.csv"), "line 2 is not CSV"),
        (file(tmp_path, f'{HEADER}\na,"b\n\n', "open.csv"), "line 2 is not CSV"),
        (tmp_path / "missing.xlsx", "cannot be read (No such file or directory)"),
        (file(tmp_path, HEADER, "text.xlsx"), "is not a workbook that can be read"),
        (half, "is not a workbook that can be read"),
        (file(tmp_path, bytes(noise), "noise.xlsx"), "is not a workbook that can be read"),
    ):
        message = refusal(lambda path=path: read_rows(path))
        assert message.startswith(f"{path}: 1 fault\n  ")
        assert reason in message


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([b"", HEADER.encode() + b"\n", b"id,indicator,from,to,source\n"]))
def test_any_bytes_are_rows_or_a_message(content: bytes, header: bytes) -> None:
    """Whatever is in a CSV file, it is taken or refused with a `LedgerError`."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(LedgerError):
        assert isinstance(checked(file(Path(folder), header + content)), list)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_workbook_is_rows_or_a_message(flips: list[tuple[int, int]]) -> None:
    """Whatever bytes of a workbook are wrong, it is taken or refused with a `LedgerError`."""
    row = Observation(id="a", state="peace.stalled", date=day(2, 20), reported_on=day(2, 22), source="A", grade="A1")
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(LedgerError):
        (path,) = export_file([row], Path(folder) / "rows.xlsx")
        content = bytearray(path.read_bytes())
        for place, value in flips:
            content[place % len(content)] = value
        path.write_bytes(content)
        assert isinstance(checked(path), list)


def test_without_openpyxl_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and writing a workbook both say what to install."""
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    for act in (lambda: read_rows(file(tmp_path, "", "a.xlsx")), lambda: export_file([], tmp_path / "b.xlsx")):
        assert "pip install 'scenario-cascade[excel]'" in refusal(act)


def test_a_workbook_is_read_as_people_fill_it(tmp_path: Path) -> None:
    """Date cells, numbers, TRUE and empty cells mean what they show; other sheets are left alone."""
    book = openpyxl.Workbook()
    book.active.title = "remarks"
    book.active.append(["anything"])
    sheet = book.create_sheet("observations")
    sheet.append(["id", "indicator", "state", "date", "reported_on", "source", "grade", "distinct", "note"])
    sheet.append([7, "cyberattack", None, day(2, 20), "2025-02-21", "APA", "b2", True, 2.5])
    watch = book.create_sheet("coverage")
    watch.append(["indicator", "from", "to", "source"])
    watch.append(["*", dt.datetime(2025, 3, 1), dt.datetime(2025, 3, 31, 10), "me"])  # noqa: DTZ001 - as Excel has it
    path = tmp_path / "rows.xlsx"
    book.save(path)
    message = refusal(lambda: checked(path))
    assert message.splitlines()[1:] == [
        "  rows.xlsx[coverage]:2: to: '2025-03-31 10:00:00' is not a date; write YYYY-MM-DD, such as 2026-01-08"
    ]
    watch["C2"] = day(3, 31)
    book.save(path)
    seen, watched = checked(path)
    assert seen == Observation(
        id="7", indicator="cyberattack", date=day(2, 20), reported_on=day(2, 21), source="APA", grade="B2",
        distinct=True, note="2.5",
    )  # fmt: skip
    assert (watched.from_, watched.to) == (day(3, 1), day(3, 31))


def test_without_a_named_sheet_the_first_is_read(tmp_path: Path) -> None:
    """A workbook that was not exported from here needs no sheet names."""
    book = openpyxl.Workbook()
    book.active.append(["indicator", "state", "date", "source", "grade"])
    book.active.append(["entry_ban", None, day(2, 20), "APA", "B2"])
    book.create_sheet("remarks").append(["anything"])
    path = tmp_path / "rows.xlsx"
    book.save(path)
    assert [entry.date for entry in checked(path)] == [day(2, 20)]


# Checking rows.


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"indicator": "cyberatack"}, "indicator: there is no indicator 'cyberatack'; did you mean 'cyberattack'?"),
        ({"indicator": ""}, "indicator: indicator and state are both blank; give one of the two"),
        ({"state": "relations.truce"}, "indicator: both indicator and state are given; give one of the two"),
        ({"indicator": "", "state": "peace.fresh_dael"}, "state: there is no state 'peace.fresh_dael'; did you mean"),
        ({"indicator": "", "state": "truce"}, "state: there is no state 'truce'; did you mean 'relations.truce'?"),
        ({"indicator": "truce"}, "indicator: there is no indicator 'truce'; did you mean 'relations.truce' (a state)?"),
        ({"date": "20.02.2025"}, "date: '20.02.2025' is not a date; write YYYY-MM-DD, such as 2026-01-08"),
        ({"date": "2025-02-30"}, "date: 2025-02-30 is a day that does not exist; the month ends on 2025-02-28"),
        ({"date": "2025-02-29"}, "date: 2025-02-29 is a day that does not exist; the month ends on 2025-02-28"),
        ({"date": "2025-13-01"}, "date: 2025-13-01 is a day that does not exist; there are twelve months"),
        ({"date": "2025-06-00"}, "date: 2025-06-00 is a day that does not exist; check the year and the day"),
        ({"date": "20250220"}, "date: '20250220' is not a date"),
        ({"date": ""}, "date: '' is not a date"),
        ({"date": "2025-02"}, "for a month alone give a best day and precision = month"),
        ({"date": "2026-01-09"}, "date: 2026-01-09 is in the future; give a day until today, 2026-01-08"),
        ({"date": "2024-11-30"}, "date: 2024-11-30 is before the model's start, 2024-12-01; leave the row out"),
        ({"reported_on": "2025-02-19"}, "reported_on: 2025-02-19 is before 2025-02-20, when it happened"),
        ({"reported_on": "2026-01-09"}, "reported_on: 2026-01-09 is in the future"),
        ({"reported_on": "soon"}, "reported_on: 'soon' is not a date"),
        ({"precision": "month", "reported_on": "2025-01-31"}, "reported_on: 2025-01-31 is before 2025-02-01"),
        ({"grade": "B7"}, "grade: 'B7' is not allowed; use A1 to F6, such as B2"),
        ({"grade": ""}, "grade: '' is not allowed; use A1 to F6"),
        ({"url": "javascript:alert(1)"}, "url: 'javascript:alert(1)' is not a web address; it begins with https://"),
        ({"url": "//apa.az/1"}, "url: "),
        ({"url": "https://"}, "url: "),
        ({"url": "https://[x/"}, "url: "),
        ({"url": "https://apa.az/a b"}, "url: "),
        ({"url": "file:///etc/passwd"}, "url: "),
        ({"precision": "week"}, "precision: 'week' is not allowed; use blank or day or month"),
        ({"distinct": "true"}, "distinct: 'true' is not allowed; use blank or yes"),
        ({"source": " "}, "source: is empty; name who reported it"),
        ({"note": "x" * 10_001}, "note: has 10,001 characters; at most 10,000 are kept"),
        ({"note": "a\x00b"}, "note: holds the control character U+0000; take it out"),
        ({"source": "\x1b[31mAPA"}, "source: holds the control character U+001B; take it out"),
        *(
            ({"story": word}, f"story: {word!r} stands for nothing; write what is meant, or leave the cell blank")
            for word in ("#N/A", "#REF!", "#DIV/0!", "#ИМЯ?", "nan", "None", "NULL", "-", "n/a", "#####")
        ),
        ({"source": "#VALUE!"}, "source: '#VALUE!' stands for nothing"),
        ({"id": "nan"}, "id: 'nan' stands for nothing"),
        ({"note": "#N/A"}, "note: '#N/A' stands for nothing"),
        *(
            ({"id": name}, f"id: {name!r} is what a spreadsheet makes of an id; write it as it was, as text")
            for name in (
                "3-Jan",
                "3. Jan",
                "1.9E+18",
                "Mar-25",
                "Mrz 25",
                "янв.25",
                "3-Şub",
                "2025-01-03",
                "03.01.2025",
            )
        ),
    ],
)
def test_each_fault_is_named_by_its_column(change: dict[str, str], expected: str) -> None:
    """A row with one thing wrong has one fault: column, what was found, what is allowed."""
    (fault,) = faults(GOOD | change)
    assert expected in fault


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"indicator": ""}, "indicator: there is no indicator ''; allowed: *, cyberattack"),
        ({"indicator": "entry_bann"}, "indicator: there is no indicator 'entry_bann'; did you mean 'entry_ban'?"),
        ({"from": "2025-04-01"}, "from: 2025-04-01 is after `to`, 2025-03-31; exchange them"),
        ({"from": "2024-11-30"}, "from: 2024-11-30 is before the model's start"),
        ({"to": "2026-01-09"}, "to: 2026-01-09 is in the future"),
        ({"reported_on": "2025-03-30"}, "reported_on: 2025-03-30 is before 2025-03-31"),
        ({"url": "ftp://x.org"}, "url: 'ftp://x.org' is not a web address"),
    ],
)
def test_each_fault_of_coverage_is_named(change: dict[str, str], expected: str) -> None:
    """The same holds for coverage."""
    (fault,) = faults(WATCH | change, "coverage")
    assert expected in fault


def test_what_is_allowed_is_taken() -> None:
    """The first and the last day, a state, a lower-case grade, and a month reported before its best guess."""
    for change in (
        {"date": "2024-12-01"},
        {"date": "2026-01-08"},
        {"indicator": "", "state": "peace.fresh_deal"},
        {"grade": "b2"},
        {"precision": "month", "reported_on": "2025-02-01"},
        {"note": "x" * 10_000},
        {"note": "tab\tand\r\nbreak"},
        {"url": "https://apa.az/xəbər?a=1#b"},
    ):
        row = Row(file="x", line=2, kind="observation", cells=GOOD | change)
        assert len(check_entries([row], VOCABULARY)) == 1


def test_every_faulty_row_is_listed() -> None:
    """Several faults of several rows of several files come in one message, in order, and nothing else."""
    rows = [
        Row(file="a.csv", line=2, kind="observation", cells=GOOD | {"grade": "Z9", "date": "x"}),
        Row(file="a.csv", line=3, kind="observation", cells=GOOD),
        Row(file="command line", line=0, kind="coverage", cells=WATCH | {"indicator": "nothing"}),
    ]
    message = refusal(lambda: check_entries(rows, VOCABULARY))
    lines = message.splitlines()
    assert lines[0] == "a.csv, command line: 3 faults"
    starts = ("  a.csv:2: grade: ", "  a.csv:2: date: ", "  command line: indicator: ")
    assert all(line.startswith(start) for line, start in zip(lines[1:], starts, strict=True))


def test_one_id_for_two_rows_is_a_fault() -> None:
    """The message names both lines; the same row twice is one entry."""
    first = Row(file="a.csv", line=2, kind="observation", cells=GOOD | {"id": "a"})
    other = Row(file="a.csv", line=3, kind="observation", cells=GOOD | {"id": "a", "note": "other"})
    assert "a.csv:3: id: 'a' is a.csv:2 with other content" in refusal(
        lambda: check_entries([first, other], VOCABULARY)
    )
    assert len(check_entries([first, first], VOCABULARY)) == 1


def test_a_row_without_an_id_gets_one_from_its_content() -> None:
    """It is the ledger's, so reading the same row again gives the same id."""
    (entry,) = check_entries([Row(file="a.csv", line=2, kind="observation", cells=GOOD)], VOCABULARY)
    assert entry.id == make_id(entry)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*EXPORTED.split(","), "from", "to"]), st.text(max_size=12)),
    st.sampled_from([("observation", GOOD), ("coverage", WATCH)]),
)
def test_any_cells_are_an_entry_or_a_fault(cells: dict[str, str], base: tuple[str, dict[str, str]]) -> None:
    """Whatever is typed into a row, it becomes one entry or a `LedgerError`."""
    row = Row(file="a.csv", line=2, kind=base[0], cells=base[1] | cells)
    with contextlib.suppress(LedgerError):
        assert len(check_entries([row], VOCABULARY)) == 1


# Import.


def test_import_is_idempotent(ledger: SqliteLedger, tmp_path: Path) -> None:
    """The second import of a file changes nothing, with ids or without; a changed row supersedes."""
    text = f"{HEADER}\na,cyberattack,,2025-02-20,,,APA,,B2,,,\n,entry_ban,,2025-02-21,,,APA,,B2,,,\n"
    path = file(tmp_path, text)
    added = import_file(ledger, "caucasus", path, VOCABULARY, NOW)
    assert added == Added(new=("a", added.new[1]))
    assert import_file(ledger, "caucasus", path, VOCABULARY, NOW) == Added(unchanged=added.new)
    mended = import_file(ledger, "caucasus", file(tmp_path, text.replace("-02-20", "-02-19")), VOCABULARY, NOW)
    assert mended == Added(superseded=("a",), unchanged=added.new[1:])


def test_one_faulty_row_keeps_the_whole_file_out(ledger: SqliteLedger, tmp_path: Path) -> None:
    """Nothing of a file with a fault is recorded."""
    path = file(tmp_path, f"{HEADER}\na,cyberattack,,2025-02-20,,,APA,,B2,,,\nb,cyberattack,,2025-02-20,,,APA,,X9,,,\n")
    assert "rows.csv:3: grade" in refusal(lambda: import_file(ledger, "caucasus", path, VOCABULARY, NOW))
    assert ledger.watermark("caucasus") == 0


def test_a_split_import_equals_a_whole_one(tmp_path: Path) -> None:
    """Two files, in either order, leave the entries of one."""
    lines = [f"r{k},cyberattack,,2025-02-{k + 1:02d},,,APA,,B2,,," for k in range(6)]
    whole, halves, turned = (SqliteLedger.open(tmp_path / f"{name}.db") for name in ("whole", "halves", "turned"))
    parts = [file(tmp_path, "\n".join([HEADER, *part]), f"{k}.csv") for k, part in enumerate((lines[:2], lines[2:]))]
    import_file(whole, "d", file(tmp_path, "\n".join([HEADER, *lines])), VOCABULARY, NOW)
    for part in parts:
        import_file(halves, "d", part, VOCABULARY, NOW)
    for part in reversed(parts):
        import_file(turned, "d", part, VOCABULARY, NOW)
    assert whole.entries("d") == halves.entries("d") == turned.entries("d")
    assert len(whole.entries("d")) == 6


# Export.

characters = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\t\n\r=+-@'\",;_x0D")
texts = st.text(characters, max_size=12) | st.sampled_from(
    ["=1+1", "'=1", "''", "'", "'x", "-1", "\r\n", "_x000D_", "_x005F_", "x005F_", "#N/A", "1", "1.0", "TRUE",
     "2025-01-01", "\ufeff", "\ufffe", " a ", "\r", "\u2028", "\uff1d1", "_x005F_x000D_"]
)  # fmt: skip
keys = texts.map(clean_key).filter(lambda text: not is_placeholder(text))
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(clean_key)
names = names.filter(lambda text: not is_placeholder(text) and not is_mangled(text))
notes = texts.map(lambda text: text.replace("\r\n", "\n").replace("\r", "\n")).filter(
    lambda text: not is_error(text.strip())
)
days = st.dates(VOCABULARY.start, VOCABULARY.today)
sources = keys.filter(bool)


@st.composite
def entries(draw: st.DrawFn, spelling: st.SearchStrategy[str] | None = None) -> Entry:
    """Any entry that the vocabulary allows; keys are spelled as new ones must be, or in any way."""
    first, second, third = sorted(draw(st.tuples(days, days, days)))
    named = names if spelling is None else spelling
    source = draw(sources if spelling is None else spelling.filter(str.strip))
    common = {
        "id": draw(named.filter(bool)),
        "source": source,
        "note": draw(notes if spelling is None else texts),
        "reported_on": third,
    }
    common["url"] = draw(st.sampled_from(["", "https://apa.az/a,b", "http://x.org"]))
    if draw(st.booleans()):
        return Coverage(indicator=draw(st.sampled_from(["*", "entry_ban"])), from_=first, to=second, **common)
    indicator = draw(st.none() | st.sampled_from(sorted(VOCABULARY.indicators)))
    return Observation(
        indicator=indicator, state=None if indicator else "relations.truce", date=second,
        precision=draw(st.sampled_from(["day", "month"])), grade=draw(st.sampled_from(sorted(CREDIBILITY))),
        story=draw(named), distinct=draw(st.booleans()), coded_by=draw(named),
        language=draw(st.sampled_from(["", "en", "az-Latn"])), **common,
    )  # fmt: skip


some = st.lists(entries(), max_size=5, unique_by=lambda entry: entry.id)

SUFFIXES = st.sampled_from([".csv", ".xlsx"])


@settings(max_examples=40, deadline=None)
@given(some, SUFFIXES)
def test_an_export_comes_in_unchanged(rows: list[Entry], suffix: str) -> None:
    """Whatever the text, importing an export gives exactly the entries that went out."""
    comes_in_unchanged(rows, suffix)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(some, SUFFIXES)
def test_an_export_of_many_comes_in_unchanged(rows: list[Entry], suffix: str) -> None:
    """The same of many more exports."""
    comes_in_unchanged(rows, suffix)


def comes_in_unchanged(rows: list[Entry], suffix: str) -> None:
    """Export rows, and import what was written."""
    with tempfile.TemporaryDirectory() as folder:
        written = export_file(rows, Path(folder) / f"out{suffix}")
        back = check_entries([row for path in written for row in read_rows(path)], VOCABULARY)
        assert sorted(written) == sorted(Path(folder).iterdir())
    assert sorted(back, key=lambda entry: entry.id) == sorted(rows, key=lambda entry: entry.id)


@settings(max_examples=25, deadline=None)
@given(some | st.lists(entries(spelling=texts), max_size=5, unique_by=lambda entry: entry.id))
def test_importing_an_export_changes_nothing(rows: list[Entry]) -> None:
    """The ledger finds every row of its own export unchanged, whatever is asked of the spelling of new rows."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = SqliteLedger.open(Path(folder) / "ledger.db")
        ledger.add("d", rows, now=NOW)
        for suffix in (".csv", ".xlsx"):
            for path in export_file(ledger.entries("d"), Path(folder) / f"out{suffix}"):
                added = import_file(ledger, "d", path, VOCABULARY, NOW)
                assert (added.new, added.superseded) == ((), ())
        assert ledger.watermark("d") == len(rows)


@pytest.mark.parametrize("first", "=+-@\t\r\n＝＋－＠")
@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_spreadsheet_executes_nothing(tmp_path: Path, first: str, suffix: str) -> None:
    """No cell of an export begins as a formula does, and no cell of a workbook is one."""
    evil = first + 'HYPERLINK("https://x.org")\''
    row = Observation(
        id="a", indicator="cyberattack", date=day(2, 20), reported_on=day(2, 20), source=evil, grade="B2", note=evil
    )
    (path,) = export_file([row], tmp_path / f"out{suffix}")
    if suffix == ".xlsx":
        cells = [cell for line in openpyxl.load_workbook(path)["observations"].iter_rows() for cell in line]
        assert {cell.data_type for cell in cells} == {"s", "d", "n"}
        assert [cell.value[0] for cell in cells if "HYPERLINK" in str(cell.value)] == ["'", "'"]
    else:
        text = path.read_bytes().decode()
        assert text.count("HYPERLINK") == text.count(f"'{first}HYPERLINK") == 2
    assert checked(path) == [dataclasses.replace(row, source=clean_key(evil), note=evil.replace("\r", "\n"))]


def test_csv_is_plain_and_keeps_ids() -> None:
    """The columns in their documented order, dates in ISO form, `yes` or blank; an empty export is a header."""
    row = Observation(
        id="a", state="peace.stalled", date=day(2, 20), reported_on=day(2, 22), source='A "B", C', grade="A1",
        distinct=True, story="s", coded_by="GDELT", language="az-Latn",
    )  # fmt: skip
    assert export_csv([]) == EXPORTED + "\n"
    cells = 'a,,peace.stalled,2025-02-20,day,2025-02-22,"A ""B"", C",,A1,s,yes,,GDELT,az-Latn'
    assert export_csv([row]) == f"{EXPORTED}\n{cells}\n"
    watch = Coverage(id="w", indicator="*", from_=day(3, 1), to=day(3, 2), reported_on=day(3, 3), source="me")
    assert export_csv([watch]) == (
        "id,indicator,from,to,reported_on,source,url,note\nw,*,2025-03-01,2025-03-02,2025-03-03,me,,\n"
    )
    assert "rows of one kind, and these are observations and coverage" in refusal(
        lambda: export_csv([row, watch]), InputError
    )


def test_a_workbook_has_dates_as_dates(tmp_path: Path) -> None:
    """A spreadsheet can sort and filter by them."""
    watch = Coverage(id="w", indicator="*", from_=day(3, 1), to=day(3, 2), reported_on=day(3, 3), source="me")
    (path,) = export_file([watch], tmp_path / "out.xlsx")
    sheet = openpyxl.load_workbook(path)["coverage"]
    assert [cell.is_date for cell in sheet[2]] == [False, False, True, True, True, False, False, False]


def test_an_export_replaces_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails the file that was there is whole, nothing lies beside it, and the message says what to do."""
    path = file(tmp_path, "precious")
    monkeypatch.setattr(os, "fsync", _full)
    message = refusal(lambda: export_file([], path), InputError)
    assert message.startswith(f"{path}: cannot be written (No space left on device); free some space")
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def _full(_: int) -> None:
    raise OSError(28, "No space left on device")


def test_an_export_that_cannot_be_is_refused(tmp_path: Path) -> None:
    """Another format, a folder in the way and a folder that is not there are named."""
    (tmp_path / "folder.csv").mkdir()
    for name, reason in (
        ("rows.json", "'.json' is not a format for rows; use .csv or .xlsx"),
        ("folder.csv", "cannot be written (Is a directory)"),
        ("none/rows.csv", "cannot be written (No such file or directory)"),
    ):
        path = tmp_path / name
        assert refusal(lambda path=path: export_file([], path), InputError).startswith(f"{path}: {reason}")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_an_export_keeps_a_link(tmp_path: Path) -> None:
    """Through a symbolic link it is the file that is replaced."""
    target = file(tmp_path, "old", "target.csv")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    export_file([], link)
    assert link.is_symlink()
    assert target.read_text() == EXPORTED + "\n"


def test_ids_are_written_back(ledger: SqliteLedger, tmp_path: Path) -> None:
    """A row that came without an id can be mended through the export, which has it."""
    import_file(ledger, "d", file(tmp_path, f"{HEADER}\n,cyberattack,,2025-02-20,,,APA,,B2,,,\n"), VOCABULARY, NOW)
    (before,) = ledger.entries("d")
    (path,) = export_file(ledger.entries("d"), tmp_path / "out.csv")
    path.write_text(path.read_text().replace("APA", "Report"))
    assert import_file(ledger, "d", path, VOCABULARY, NOW).superseded == (before.id,)
    assert ledger.entries("d") == (dataclasses.replace(before, source="Report"),)
