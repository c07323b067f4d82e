"""Counts and deliveries in files, in ledgers of earlier versions, and what is wrong with them."""

from __future__ import annotations

import datetime as dt
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from chains import stands
from entries import NOW, counted, day, delivered, sighting, watch

from forecast.base.errors import LedgerError
from forecast.ledger.chain import Head
from forecast.ledger.check import Vocabulary, check_entries
from forecast.ledger.files import export_file, import_file, read_rows
from forecast.ledger.rows import kind_of, with_id
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.witness import write_witness

VOCABULARY = Vocabulary(
    {"cyberattack": ("Cyberattacks",)}, {}, dt.date(2024, 12, 1), NOW.date(), channels=("hostile_acts", "meetings")
)


@pytest.mark.parametrize("name", ["rows.csv", "rows.xlsx"])
def test_what_is_exported_is_imported_again(tmp_path: Path, name: str) -> None:
    """Rows of every kind come back as they were, a count of 0 too; each kind has a file or sheet of its own."""
    rows = list(map(with_id, [sighting(), watch(), counted(), counted(from_=day(4, 7), to=day(4, 13), count=0,
                reported_on=day(4, 14)), delivered()]))  # fmt: skip
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    written = export_file(rows, tmp_path / name)
    assert len(written) == (1 if name.endswith("xlsx") else 4)
    for path in written:
        import_file(ledger, "caucasus", path, VOCABULARY, NOW)
    assert set(ledger.entries("caucasus")) == set(rows)


def _faults(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LedgerError) as caught:
        check_entries(read_rows(path), VOCABULARY)
    return [fault.removeprefix("counts.csv:") for fault in caught.value.faults]


HEADER = "channel,from,to,count,exposure,reported_on,source\n"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("hostile_act,2025-03-03,2025-03-09,4,100,,GDELT", "2: channel: there is no channel 'hostile_act'; did"),
        ("meetings,2025-03-03,2025-03-09,4.5,100,,GDELT", "2: count: '4.5' is no count; give a whole number"),
        ("meetings,2025-03-03,2025-03-09,-1,100,,GDELT", "2: count: '-1' is no count"),
        ("meetings,2025-03-03,2025-03-09,4,0,,GDELT", "2: exposure: '0' is no volume; give a number above 0"),
        ("meetings,2025-03-03,2025-03-09,4,many,,GDELT", "2: exposure: 'many' is no volume"),
        ("meetings,2025-03-09,2025-03-03,4,9,,GDELT", "2: from: 2025-03-09 is after `to`"),
        ("meetings,2025-03-03,2025-03-09,4,9,2025-03-05,GDELT", "2: reported_on: 2025-03-05 is before 2025-03-09"),
        ("meetings,0025-03-03,2025-03-09,4,9,,GDELT", "2: from: 0025-03-03 is before the model's start"),
        ("meetings,2025-03-03,2025-03-09,4,9,,", "2: source: is empty"),
    ],
)  # fmt: skip
def test_a_faulty_count_is_named(tmp_path: Path, row: str, fault: str) -> None:
    """Each says its line, its column, what was found and what is allowed."""
    (found,) = _faults(tmp_path, HEADER + row + "\n")
    assert found.startswith(fault)


HEAD = Head(4, "d8e3419f414bf2a5a0021c69541e1f95aade6067174a39eb1c6f7c0059c0167c")  # what that version made of them


def test_a_ledger_of_schema_3_takes_counts(tmp_path: Path) -> None:
    """Its rows stand on the chain as before, and its guards hold after the table has been renewed."""
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(Path(__file__).with_name("schema_3.sql").read_text(encoding="utf-8"))
    write_witness(path, HEAD)
    ledger = SqliteLedger.open(path)
    assert (stands(ledger, HEAD), ledger.verify()) == (True, ())
    (before,) = ledger.entries("caucasus")
    assert (kind_of(before), getattr(before, "coded_by", "")) == ("observation", "GDELT")
    ledger.add("caucasus", [counted(), delivered()], now=NOW)
    again = SqliteLedger.open(path)
    assert again.verify() == ()
    assert sorted(map(kind_of, again.entries("caucasus"))) == ["count", "delivery", "observation"]
    with closing(sqlite3.connect(path)) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("DELETE FROM entries")
