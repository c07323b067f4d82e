"""Who coded a row and in what language its source wrote: kept, checked, and nothing that was written before changes."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chains import digests, stands
from entries import NOW, answer, day, issued, sighting, watch
from permissions import read_only
from places import TESTS
from tampering import tampered

from forecast.base.errors import LedgerError
from forecast.ledger import sqlite as module
from forecast.ledger.chain import Head
from forecast.ledger.check import Row, Vocabulary, check_entries
from forecast.ledger.files import export_file, read_rows
from forecast.ledger.rows import make_id
from forecast.ledger.sqlite import SqliteLedger
from forecast.ledger.witness import write_witness

if TYPE_CHECKING:
    import sqlalchemy as sa

    from forecast.ledger.rows import Observation

VOCABULARY = Vocabulary({"cyberattack": ("Cyberattacks",)}, {}, dt.date(2024, 12, 1), NOW.date())
CELLS = {"id": "a", "indicator": "cyberattack", "date": "2025-02-20", "source": "APA", "grade": "B2"}
MACHINE = {"coded_by": "GDELT", "language": "az"}

# What the version before these columns made of `sighting()` and of the ledger in schema_2.sql.
ID = "cyberattack-2025-02-20-e9b15d"
HEAD = (5, "9243adc3353bd5dba4bd5ba9f48ee83253557af6dd2b9f310e19ce09e9196dbc")


def checked(**changes: str) -> Observation:
    """Read one row."""
    (found,) = check_entries([Row(file="rows.csv", line=2, kind="observation", cells=CELLS | changes)], VOCABULARY)
    return found


# Rows.


@pytest.mark.parametrize(
    "tag", ["EN", "Az-Latn", "russian", "r", "en_GB", "en-", "en--GB", "русский", "ру", "en, ru", "1", "en-abcdefghi"]
)
def test_what_is_no_language_tag_is_a_fault(tag: str) -> None:
    """Names, capitals and other marks would be other languages; the message says what to write."""
    with pytest.raises(LedgerError) as caught:
        checked(language=tag)
    said = "is not a language tag; write one such as en, ru or az-Latn, its first part in lower case, or leave the cell"
    assert caught.value.faults == (f"rows.csv:2: language: {tag!r} {said} blank",)


@pytest.mark.parametrize("tag", ["", " ru ", "az", "az-Latn", "zh-Hant-TW", "pt-BR", "es-419", "crh"])
def test_a_language_tag_is_taken(tag: str) -> None:
    """Two or three letters, and whatever subtags follow; blank where nobody knows."""
    assert checked(language=tag).language == tag.strip()


def test_the_name_of_a_coder_has_one_spelling() -> None:
    """It is a key: blanks are folded, and a placeholder is a fault."""
    assert checked(coded_by="  GPT\u00a0 4 ").coded_by == "GPT 4"
    with pytest.raises(LedgerError, match="coded_by: 'n/a' stands for nothing"):
        checked(coded_by="n/a")


def test_coders_that_look_alike_are_warned(tmp_path: Path) -> None:
    """Or one program would be counted as two."""
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    ledger.add("d", [sighting("1", coded_by="GDELT")], now=NOW)
    (notice,) = ledger.add("d", [sighting("2", coded_by="Gdelt", date=day(2, 21))], now=NOW).notices
    assert notice.startswith("coded_by 'Gdelt' looks like 'GDELT'")


def test_a_row_without_them_is_as_it_was() -> None:
    """Its id is that which it always had; with them it is another row."""
    assert make_id(sighting()) == ID
    assert make_id(watch()) == "coverage-all-2025-03-01-aa973b"
    assert len({ID, *(make_id(sighting(**{name: value})) for name, value in MACHINE.items())}) == 3


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_file_holds_them(tmp_path: Path, suffix: str) -> None:
    """What goes out comes in again, and a file of before, without the columns, is read as blank."""
    rows = [sighting("a", **MACHINE), sighting("b", date=day(2, 21))]
    (path,) = export_file(rows, tmp_path / f"rows{suffix}")
    found = read_rows(path)
    assert [(row.cells["coded_by"], row.cells["language"]) for row in found] == [("GDELT", "az"), ("", "")]
    assert check_entries(found, VOCABULARY) == rows
    before = tmp_path / "before.csv"
    before.write_text(",".join(CELLS) + ",state\n" + ",".join(CELLS.values()) + ",\n", encoding="utf-8")
    (plain,) = check_entries(read_rows(before), VOCABULARY)
    assert (plain.coded_by, plain.language) == ("", "")


# Ledgers of schema 2.


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Make a ledger as the version before wrote it, with its head beside it."""
    return made(tmp_path)


def made(folder: Path) -> Path:
    """Make the ledger of schema_2.sql in a folder."""
    path = folder / "ledger.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript((TESTS / "ledger" / "schema_2.sql").read_text(encoding="utf-8"))
    write_witness(path, Head(*HEAD))
    return path


def columns(path: Path) -> list[str]:
    """Name the columns of the table of rows."""
    with closing(sqlite3.connect(path)) as raw:
        return [row[1] for row in raw.execute("PRAGMA table_info (entries)")]


def holds(ledger: SqliteLedger) -> bool:
    """Whether a ledger gives what schema_2.sql holds."""
    return (
        ledger.entries("caucasus") == (sighting(ID),)
        and [row.action for row in ledger.log("caucasus")] == ["retract", "add", "add"]
        and ledger.forecasts() == (issued(seq=1),)
        and ledger.resolutions() == (answer(seq=1),)
        and (stands(ledger, HEAD), ledger.before_chain()) == (True, 0)
    )


def test_a_ledger_of_schema_2_is_given_the_columns(older: Path) -> None:
    """On opening: what it holds, its chain and its guards stay, and the next rows may say who coded them."""
    assert SqliteLedger(older).verify() == ()
    assert "coded_by" not in columns(older)
    ledger = SqliteLedger.open(older)
    assert {"coded_by", "language", "channel", "exposure"} < set(columns(older))
    assert holds(ledger)
    assert ledger.verify() == ()
    ledger.add("caucasus", [sighting("new", date=day(3, 1), reported_on=day(3, 1), **MACHINE)], now=NOW)
    again = SqliteLedger.open(older)
    assert [(row.id, row.coded_by, row.language) for row in again.entries("caucasus")] == [
        (ID, "", ""), ("new", "GDELT", "az"),
    ]  # fmt: skip
    assert again.verify() == ()
    with closing(sqlite3.connect(older)) as raw:
        assert raw.execute("SELECT count(*) FROM entries WHERE coded_by IS NULL AND language IS NULL").fetchone() == (
            3,
        )
        for statement in ("UPDATE entries SET coded_by = 'x'", "DELETE FROM entries", "DELETE FROM chain"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                raw.execute(statement)


def test_a_row_without_them_has_no_value_and_the_same_digest(older: Path, tmp_path: Path) -> None:
    """The same rows written now are sealed as they were then."""
    ledger = SqliteLedger.open(tmp_path / "new" / "ledger.db")
    ledger.add("caucasus", [sighting(""), watch()], now=NOW)
    ledger.archive(issued())
    ledger.resolve([answer()])
    ledger.retract("caucasus", "w", reason="wrong", now=NOW)
    was = digests(SqliteLedger(older))
    assert (was[-1], digests(ledger)[:3]) == (HEAD[1], was[:3])  # then the short part of the report is sealed


def test_what_is_said_of_them_is_on_the_chain(older: Path) -> None:
    """Nobody can say later that an analyst coded what a program did."""
    ledger = SqliteLedger.open(older)
    ledger.add("caucasus", [sighting("new", **MACHINE)], now=NOW)
    with tampered(older) as raw:
        raw.execute("UPDATE entries SET coded_by = NULL WHERE id = 'new'")
    with pytest.raises(LedgerError, match="row 4 of entries is not what was written"):
        ledger.entries("caucasus")


def test_a_ledger_of_schema_2_is_read_where_nothing_may_be_written() -> None:
    """It stays as it is, is sound, and a writer is told why it cannot."""
    with tempfile.TemporaryDirectory() as name:
        path = made(Path(name))
        before = path.read_bytes()
        with read_only(path.parent):
            ledger = SqliteLedger.open(path)
            assert holds(ledger)
            assert ledger.verify() == ()
            with pytest.raises(LedgerError, match="cannot be written; mend its permissions"):
                ledger.add("caucasus", [sighting("new", **MACHINE)], now=NOW)
        assert path.read_bytes() == before


def test_a_killed_change_of_schema_is_no_damage(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are others before the head beside them says so; nothing of them is said meanwhile."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteLedger, "witness", killed)
    with pytest.raises(KeyboardInterrupt):
        SqliteLedger.open(older)
    monkeypatch.undo()
    assert "coded_by" in columns(older)
    assert json.loads(Path(f"{older}.head").read_text(encoding="utf-8"))["crc32"] is None
    assert SqliteLedger(older).verify() == ()
    assert holds(SqliteLedger.open(older))


def test_a_change_of_schema_that_fails_leaves_the_ledger(older: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The columns and the number of the schema are one transaction."""
    renew = module._renew

    def failing(connection: sa.Connection, table: sa.Table) -> None:
        renew(connection, table)
        msg = "the disk is gone"
        raise RuntimeError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_renew", failing)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            SqliteLedger.open(older)
    assert "coded_by" not in columns(older)
    assert holds(SqliteLedger.open(older))


def test_a_ledger_before_the_chain_is_given_both(older: Path) -> None:
    """From schema 1 it gets the columns and a chain at once."""
    Path(f"{older}.head").unlink()
    with closing(sqlite3.connect(older)) as raw:
        raw.executescript("DROP TABLE chain; PRAGMA user_version = 1")
    ledger = SqliteLedger.open(older)
    assert (ledger.before_chain(), ledger.verify()) == (5, ())
    assert ledger.add("caucasus", [sighting("new", **MACHINE)], now=NOW).new == ("new",)
    assert ledger.verify() == ()
