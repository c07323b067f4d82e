"""What was written can be checked: against itself, and against what is known of it outside the file."""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from permissions import read_only
from tampering import flips, repacked, tampered

from forecast.base.errors import InputError, LedgerError
from forecast.ledger import chained, sql
from forecast.ledger.chain import GENESIS, digest_of, text_digest
from forecast.ledger.issued import Issued, Resolution
from forecast.ledger.rows import Observation
from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = dt.datetime(2026, 1, 8, 12, 30, tzinfo=dt.UTC)
LINKS = 50  # of the ledger of the tests: 41 rows, 3 issues with their short parts, 3 answers
DAY = dt.date(2025, 2, 20)


def sighting(name: str) -> Observation:
    """One observation."""
    return Observation(id=name, indicator="cyberattack", date=DAY, reported_on=DAY, source="APA", grade="B2", note="é")


def issue(day: int) -> Issued:
    """One issued forecast, longer than a page."""
    return Issued(
        model="theory", as_of=dt.date(2026, 1, day), issued_at=NOW, evidence_hash="e", model_hash="m", fit="f",
        watermark=7, content=json.dumps({"p": 0.5, "why": f"because {day} " * 700}),
    )  # fmt: skip


def answer(day: int) -> Resolution:
    """One answer."""
    return Resolution(
        model="theory", outcome="deal", date=dt.date(2026, 1, day), answer="no", how="rule", reason="no story",
        as_of=dt.date(2026, 1, day), frozen=None, model_hash="m", recorded_at=NOW,
    )  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Give a ledger with rows in every table."""
    found = SqliteLedger.open(tmp_path / "ledger.db")
    found.add("caucasus", [sighting(str(k)) for k in range(40)], now=NOW)
    for k in (1, 2, 3):
        found.archive(issue(k))
        found.resolve([answer(k)])
    shutil.copy(found.path, tmp_path / "older.db")
    found.retract("caucasus", "7", reason="denied", now=NOW)
    return found


def everything(path: Path) -> tuple[object, ...]:
    """Read all that a ledger gives."""
    ledger = SqliteLedger.open(path)
    rows = ledger.entries("caucasus"), ledger.log("caucasus", 99), ledger.watermark("caucasus")
    return *rows, ledger.forecasts("theory"), ledger.latest_forecast(), ledger.resolutions()


def test_a_digest_covers_content_and_what_came_before() -> None:
    """It is SHA-256 over canonical JSON: columns that are not given do not count, in any order."""
    row = {"seq": 1, "date": DAY, "distinct": True, "story": None}
    found = digest_of(GENESIS, "entries", row, "")
    assert found == text_digest(f'["{GENESIS}","entries",{{"date":"2025-02-20","distinct":1,"seq":1}},""]')
    assert found == digest_of(GENESIS, "entries", {"distinct": 1, "date": "2025-02-20", "seq": 1}, "")
    for other in ((found, "entries", row, ""), (GENESIS, "forecasts", row, ""), (GENESIS, "entries", row, "x")):
        assert digest_of(*other) != found


def test_a_sound_ledger_has_no_faults(ledger: SqliteLedger) -> None:
    """The chain has a link for every row, its head is known outside, and a look changes nothing."""
    before = ledger.path.read_bytes()
    assert ledger.verify() == ledger.verify(quick=True) == ()
    assert ledger.head().links == LINKS
    known = json.loads(Path(f"{ledger.path}.head").read_text())
    assert (known["links"], known["digest"]) == ledger.head()
    assert isinstance(known["crc32"], int)
    assert ledger.path.read_bytes() == before


def test_many_rows_go_on_the_chain_in_parts(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement takes more rows than one may, so that memory holds few, and the parts are one chain."""
    for module in (chained, sql):
        monkeypatch.setattr(module, "BATCH", 3)
    sizes: list[int] = []
    sa.event.listen(ledger._engine, "before_cursor_execute", lambda *said: sizes.append(len(said[3]) if said[5] else 1))
    ledger.add("caucasus", [sighting(f"new {k}") for k in range(8)], now=NOW)
    assert sorted(sizes)[-5:] == [2, 3, 3, 3, 3]
    assert ledger.head().links == LINKS + 8
    assert ledger.verify() == ()


def _older_copy(path: Path) -> None:
    shutil.copy(path.with_name("older.db"), path)


def _deleted(path: Path) -> None:
    with tampered(path) as raw:
        raw.execute("DELETE FROM entries WHERE seq = 12")


def _deleted_with_links(path: Path) -> None:
    with tampered(path) as raw:
        raw.execute("DELETE FROM entries WHERE seq = 41")
        raw.execute("DELETE FROM chain WHERE seq = 50")
        raw.execute("UPDATE sqlite_sequence SET seq = seq - 1 WHERE name IN ('entries', 'chain')")


def _changed_issue(path: Path) -> None:
    with tampered(path) as raw:
        repacked(raw, "0.5", "0.9", 2)


def _emptied(path: Path) -> None:
    path.write_bytes(b"")


def _slipped_in(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(
            "INSERT INTO entries (dataset, id, action, kind, recorded_at, reported_on) "
            "VALUES ('caucasus', '8', 'retract', 'observation', '2026-01-08T00:00:00+00:00', '2025-01-01')"
        )
        raw.commit()


def _guards_dropped(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TRIGGER entries_no_delete")
        raw.commit()


def _guard_changed(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TRIGGER entries_no_delete")
        raw.execute("CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN SELECT 1; END")
        raw.commit()


def _back_to_schema_1(path: Path) -> None:
    with tampered(path) as raw:
        raw.execute("DELETE FROM entries WHERE seq = 12")
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("DROP TABLE chain")
        raw.execute("PRAGMA user_version = 1")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_older_copy, "its chain has 49 rows, ledger.db.head knows of 50"),
        (_deleted, "is not what was written"),
        (_deleted_with_links, "its chain has 49 rows, ledger.db.head knows of 50"),
        (_changed_issue, "row 2 of forecasts is not what was written"),
        (_emptied, "is empty, but held 50 rows"),
        (_slipped_in, "row 42 of entries is not what was written"),
        (_guards_dropped, "the trigger entries_no_delete is missing"),
        (_guard_changed, "the trigger entries_no_delete is changed"),
        (_back_to_schema_1, "its chain has 0 rows"),
    ],
)
def test_what_was_done_to_a_ledger_is_noticed(ledger: SqliteLedger, tamper: Callable[[Path], None], said: str) -> None:
    """Reading raises, with the path and a remedy, and a check names it."""
    tamper(ledger.path)
    with pytest.raises(LedgerError) as caught:
        everything(ledger.path)
    assert str(ledger.path) in str(caught.value)
    assert any("restore" in fault or "put the newest copy back" in fault for fault in caught.value.faults)
    faults = SqliteLedger(ledger.path).verify()
    assert faults
    assert said in str(caught.value) + " ".join(faults)


# What was read before.


def test_a_row_is_checked_once(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """To add one, or to read, takes as many digests as there are rows that were not read yet."""
    ledger.entries("caucasus")
    count = 0

    def counting(*given: object) -> str:
        nonlocal count
        count += 1
        return digest_of(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(chained, "digest_of", counting)
    signed = ledger.signed("Ada")
    signed.add("caucasus", [sighting("one more")], now=NOW)
    assert count == 1, "on the chain"
    assert ledger.entries("caucasus") == signed.entries("caucasus") == SqliteLedger(ledger.path).entries("caucasus")
    assert count == 1 + 1 + ledger.watermark("caucasus"), "read by the first, not by the second, and all by another one"


def test_another_ledger_in_its_place_is_read_anew(ledger: SqliteLedger, tmp_path: Path) -> None:
    """What was read of a ledger counts no more when an older copy, or another one, is put where it was."""
    older = tmp_path / "before.db"
    ledger.backup(older)
    ledger.add("caucasus", [sighting("z")], now=NOW)
    other = SqliteLedger.open(tmp_path / "other.db")
    other.add("caucasus", [sighting(f"other {k}") for k in range(99)], now=NOW)
    other.backup(tmp_path / "copy.db")
    assert "z" in [row.id for row in ledger.entries("caucasus")]
    for place in (older, tmp_path / "copy.db"):
        for path in ledger.path.parent.glob(f"{ledger.path.name}*"):
            path.unlink()
        shutil.copy(place, ledger.path)
        assert ledger.entries("caucasus") == SqliteLedger(ledger.path).entries("caucasus")
    assert len(ledger.entries("caucasus")) == 99


# Damage.


def _flips(ledger: SqliteLedger, count: int, seed: int) -> None:
    """Flip single bits, each in a fresh copy: a check notices, and reading raises or gives what was written."""
    whole, raised = everything(ledger.path), 0
    for bit in flips(ledger.path, count, random.Random(seed)):  # noqa: S311 - no secret
        assert SqliteLedger(ledger.path).verify(), f"bit {bit} went unnoticed"
        try:
            assert everything(ledger.path) == whole, f"bit {bit} was read as other data"
        except LedgerError:
            raised += 1
    assert ledger.verify() == ()
    assert raised > count / 5, "many bits of this ledger hold data"


def test_no_flipped_bit_is_read_as_other_data(ledger: SqliteLedger) -> None:
    """Each of 20 flips is noticed by a check, and none gives another row or a traceback."""
    _flips(ledger, 20, 20260108)


@pytest.mark.slow
def test_no_flipped_bit_of_many_is_read_as_other_data(ledger: SqliteLedger) -> None:
    """Nor is any of 40 flips, and of 400 others."""
    _flips(ledger, 40, 20260108)
    _flips(ledger, 400, 13)


def test_a_damaged_head_is_named(ledger: SqliteLedger) -> None:
    """What cannot be read as a head is a fault; without one, the ledger still opens, and the next row makes one."""
    place = Path(f"{ledger.path}.head")
    place.write_text("{")
    with pytest.raises(LedgerError, match="cannot be read as the head of ledger"):
        SqliteLedger.open(ledger.path)
    place.unlink()
    SqliteLedger.open(ledger.path).add("caucasus", [sighting("new")], now=NOW)
    assert json.loads(place.read_text())["links"] == LINKS + 1


def test_a_head_that_lags_behind_is_none_the_worse(ledger: SqliteLedger) -> None:
    """A writer killed after its row was safe leaves an older head, which the ledger still contains."""
    place = Path(f"{ledger.path}.head")
    before = place.read_bytes()
    ledger.add("caucasus", [sighting("new")], now=NOW)
    place.write_bytes(before)
    assert SqliteLedger.open(ledger.path).verify() == ()


# Ledgers of before.


def _as_schema_1(path: Path) -> None:
    """Turn a ledger into one of the version that had no chain."""
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(
            "DROP TABLE chain; CREATE INDEX entries_by_id ON entries (dataset, id); PRAGMA user_version = 1"
        )
    Path(f"{path}.head").unlink()


def test_a_ledger_without_a_chain_gets_one(ledger: SqliteLedger) -> None:
    """Its rows are as they were, the chain says how many there were before it, and later rows go on it."""
    whole = everything(ledger.path)
    _as_schema_1(ledger.path)
    assert "has no chain yet" in SqliteLedger(ledger.path).verify()[0]
    assert everything(ledger.path) == whole
    again = SqliteLedger.open(ledger.path)
    assert (again.head().links, again.before_chain()) == (LINKS + 1, LINKS)
    again.add("caucasus", [sighting("new")], now=NOW)
    assert (again.head().links, again.verify()) == (LINKS + 2, ())
    _deleted(ledger.path)
    assert again.verify()


def test_a_new_ledger_is_on_the_chain_from_its_first_row(ledger: SqliteLedger) -> None:
    """Nothing was there before."""
    assert ledger.before_chain() == 0


# Backups and places that may not be written.


def test_a_backup_is_whole_and_overwrites_nothing(ledger: SqliteLedger) -> None:
    """It opens as the ledger it was; a second one to the same place, or of a damaged ledger, is refused."""
    target = ledger.path.with_name("kept.db")
    whole = everything(ledger.path)
    ledger.backup(target)
    assert everything(target) == whole
    with pytest.raises(InputError, match="is there already; a backup overwrites nothing"):
        ledger.backup(target)
    _deleted(ledger.path)
    other = ledger.path.with_name("other.db")
    with pytest.raises(LedgerError, match="is not what was written"):
        ledger.backup(other)
    assert not other.exists()
    assert not list(ledger.path.parent.glob(".*.draft"))


def test_a_backup_is_restored_without_the_later_head(ledger: SqliteLedger) -> None:
    """Put in place of the ledger it is an older copy, until the head is deleted too."""
    target = ledger.path.with_name("kept.db")
    ledger.backup(target)
    ledger.add("caucasus", [sighting("new")], now=NOW)
    shutil.copy(target, ledger.path)
    with pytest.raises(LedgerError, match="put the newest copy back, or restore a backup"):
        SqliteLedger.open(ledger.path)
    Path(f"{ledger.path}.head").unlink()
    again = SqliteLedger.open(ledger.path)
    again.add("caucasus", [sighting("newer")], now=NOW)
    assert again.verify() == ()


@pytest.mark.parametrize("schema", [1, 3])
def test_reading_needs_no_right_to_write(schema: int) -> None:
    """On a folder that may not be written all can be read and checked, and a writer is told why it cannot."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ledger = SqliteLedger.open(folder / "ledger.db")
        ledger.add("caucasus", [sighting("a")], now=NOW)
        ledger.archive(issue(1))
        whole = everything(ledger.path)
        if schema == 1:
            _as_schema_1(ledger.path)
        with read_only(folder):
            assert everything(ledger.path) == whole
            if schema == 3:
                assert ledger.verify() == ()
            with pytest.raises(LedgerError, match="cannot be written; mend its permissions"):
                SqliteLedger.open(ledger.path).add("caucasus", [sighting("b")], now=NOW)
        assert sorted(path.name for path in folder.iterdir()) == ["ledger.db", "ledger.db.head"][:schema]
