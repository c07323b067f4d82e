"""The evidence of a dataset by itself: its starter files, its rows, and snapshots of them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import InputError, LedgerError
from forecast.ledger.check import Vocabulary
from forecast.ledger.files import export_file
from forecast.ledger.sqlite import SqliteLedger
from forecast.project.dataset import Dataset

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2025, 3, 1, 12, tzinfo=dt.UTC)
VOCABULARY = Vocabulary(
    {"shot": ("A shot",), "march": ("A march",)}, {"near": ("calm", "tense")}, dt.date(2025, 1, 1), NOW.date()
)
HEADER = "id,indicator,state,date,reported_on,source,grade\n"
STARTER = HEADER + "first,shot,,2025-01-05,2025-01-06,Press,B2\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Give a dataset with a starter file, which the ledger has taken in."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "rows.csv").write_text(STARTER, encoding="utf-8")
    found = Dataset(SqliteLedger.open(tmp_path / "ledger.db"), "tiny", folder, lambda: VOCABULARY, NOW)
    found.seed()
    return found


def ids(dataset: Dataset, as_of: dt.date | None = None) -> set[str]:
    """Name the rows in force."""
    return {row.id for row in dataset.entries(as_of)}


def cells(**changes: str) -> dict[str, str]:
    """Give the cells of a sighting."""
    return {"indicator": "march", "date": "2025-02-01", "source": "Wire", "grade": "A1"} | changes


def test_starter_files_are_taken_in_once(dataset: Dataset) -> None:
    """Afterwards the ledger is what counts, and a file that was edited is named with its rows."""
    assert ids(dataset) == {"first"}
    assert dataset.starter_notices() == ()
    path = dataset.folder / "rows.csv"
    path.write_text(STARTER + "second,march,,2025-01-07,2025-01-07,Press,B2\n", encoding="utf-8")
    dataset.seed()
    assert ids(dataset) == {"first"}
    (told,) = dataset.starter_notices()
    assert told.startswith(f"{path} was edited after its first use and has 1 row that differs")
    assert f"`forecast import {path}` takes it in" in told


@pytest.mark.parametrize("later", ["", ",coded_by,language"])
def test_an_unedited_starter_file_needs_no_model(dataset: Dataset, later: str) -> None:
    """Rows as an export writes them are known again without what models' rows may name, which takes time to read.

    So are those of an export of before, without columns that came ``later``.
    """
    path = dataset.folder / "rows.csv"
    export_file(dataset.entries(), path)
    head, line = path.read_text(encoding="utf-8").splitlines()
    blanks = "," * later.count(",")
    assert line.endswith(blanks)
    path.write_text(f"{head.removesuffix(later)}\n{line.removesuffix(blanks)}\n", encoding="utf-8")

    def unread() -> Vocabulary:
        pytest.fail("the models were read")

    again = Dataset(dataset.ledger, "tiny", dataset.folder, unread, NOW)
    assert again.starter_notices() == ()
    path.write_text(path.read_text(encoding="utf-8").replace("Press", "Wire"), encoding="utf-8")
    assert len(dataset.starter_notices()) == 1


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff\n", "line 1 is not UTF-8 text"),
        (b"id,indicator,state,date,source\nfirst,shot,,2025-01-05,Press\n", "line 1: column 'grade' is missing"),
        (STARTER.encode() + b"second,march,,2025-01-07\n", "line 3: has 4 cells, the header has 7"),
    ],
)
def test_a_starter_file_that_cannot_be_read_any_more_is_said(dataset: Dataset, content: bytes, fault: str) -> None:
    """Text, header or row: it is named with its fault, not as rows that differ."""
    path = dataset.folder / "rows.csv"
    path.write_bytes(content)
    (told,) = dataset.starter_notices()
    assert told.startswith(f"{path} cannot be read any more, and the ledger is used as it is: {fault}")


def test_rows_count_from_the_day_they_were_reported(dataset: Dataset) -> None:
    """A day shows what was public then."""
    assert ids(dataset, dt.date(2025, 1, 5)) == set()
    assert ids(dataset, dt.date(2025, 1, 6)) == {"first"}


def test_a_snapshot_stays_as_it_was(dataset: Dataset) -> None:
    """Whatever is recorded afterwards, its rows are those of its moment; an earlier moment can be asked for."""
    before = dataset.snapshot()
    dataset.observe(cells(), "observation")
    now = dataset.snapshot()
    assert [row.id for row in before.as_of(NOW.date())] == ["first"]
    assert len(now.as_of(NOW.date())) == 2
    assert now.as_of(NOW.date(), before.watermark) == before.as_of(NOW.date())


def test_an_observation_is_recorded_or_corrects_one(dataset: Dataset) -> None:
    """Without an id it is a new row; with one it takes the place of that row, which must be there."""
    dataset.observe(cells(), "observation")
    assert len(dataset.entries()) == 2
    dataset.observe(cells(id="first", grade="C3"), "observation")
    assert {row.grade for row in dataset.entries() if row.id == "first"} == {"C3"}
    with pytest.raises(InputError, match=r"there is no row 'frist' in 'tiny' to correct; did you mean 'first'"):
        dataset.observe(cells(id="frist"), "observation")
    assert len(dataset.entries()) == 2


def test_faults_of_one_row_do_not_say_where(dataset: Dataset) -> None:
    """There is no other row to tell it from; every fault is said at once."""
    with pytest.raises(LedgerError) as caught:
        dataset.observe(cells(indicator="mrach", date="soon"), "observation")
    assert len(caught.value.faults) == 2
    assert not any("this row" in fault for fault in caught.value.faults)


def test_a_file_is_taken_in_whole_or_not_at_all(dataset: Dataset, tmp_path: Path) -> None:
    """One faulty row keeps all others out."""
    path = tmp_path / "more.csv"
    good = "second,march,,2025-01-07,2025-01-07,Press,B2\n"
    path.write_text(HEADER + good + "third,mrach,,2025-01-07,2025-01-07,Press,B2\n", encoding="utf-8")
    with pytest.raises(LedgerError, match="mrach"):
        dataset.import_rows(path)
    assert ids(dataset) == {"first"}
    path.write_text(HEADER + good, encoding="utf-8")
    dataset.import_rows(path)
    assert ids(dataset) == {"first", "second"}
