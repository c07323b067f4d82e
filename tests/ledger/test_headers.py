"""The first line of a file of rows says what its columns are; what it lacks is said in one message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import LedgerError
from forecast.cli.evidence import import_
from forecast.ledger.check import check_entries
from forecast.ledger.files import read_rows
from forecast.ledger.layout import COLUMNS, OPTIONAL, read_header
from tests.ledger.test_files import HEADER, VOCABULARY

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.ledger.rows import Kind


def refused(folder: Path, content: str) -> str:
    """Give what is said of a file."""
    path = folder / "rows.csv"
    path.write_text(content)
    with pytest.raises(LedgerError) as caught:
        check_entries(read_rows(path), VOCABULARY)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["observation", "coverage", "count", "delivery"])
def test_a_file_may_lack_every_column_that_a_row_can_leave_blank(kind: Kind) -> None:
    """A file whose rows are sightings needs no column for states, one of assessments none for indicators."""
    ways = [{"state"}, {"indicator"}] if kind == "observation" else [set[str]()]
    assert all(not read_header([n for n in COLUMNS[kind] if n not in OPTIONAL | way]).faults for way in ways)


def test_a_row_that_names_nothing_is_a_fault_of_the_column_that_is_there(tmp_path: Path) -> None:
    """A file that lacks the column of indicators is told so of the column of states."""
    content = "state,date,source,grade\n,2025-02-20,APA,B2\n"
    assert "rows.csv:2: state: indicator and state are both blank" in refused(tmp_path, content)


def test_help_of_import_names_every_column() -> None:
    """Who asks how a file is written learns which columns it needs and which it may have."""
    told = import_.__doc__ or ""
    assert all(re.search(rf"\b{name}\b", told) for name in {*COLUMNS["observation"], *COLUMNS["coverage"]})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (
            HEADER.replace("indicator", "indicater"),
            ["rows.csv:1: there is no column 'indicater'; did you mean 'indicator'?"],
        ),
        ("indicator,state,date,source", ["column 'grade' is missing"]),
        (HEADER + ",note", ["column 'note' is given twice"]),
        (
            "indicator,from,sources,grade",
            ["there is no column 'sources'; did you mean", "columns 'to' and 'source' are missing"],
        ),
        (
            "id",
            ["'indicator' or 'state', 'date', 'source' and 'grade' are missing; there are 'id', and"],
        ),
        (
            "Datum;Ereignis;Quelle",
            ["there are 'Datum', 'Ereignis' and 'Quelle', and rows need indicator or state, date, source and grade"],
        ),
    ],
)
def test_a_wrong_header_is_named(tmp_path: Path, header: str, expected: list[str]) -> None:
    """Misspelt, missing and doubled columns are all listed, with the line and the nearest spelling."""
    message = refused(tmp_path, header + "\n")
    for fault in expected:
        assert fault in message
    assert message.count("rows.csv:1: ") >= len(expected)
