"""What is SQLite's own: the contract of a ledger is kept in one file, guarded, durable, and refused in words."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from contract import PROLOGUE, LedgerContract, ids
from contract_people import PeopleContract
from entries import NOW, answer, issued, refusal, sighting
from places import TESTS

from forecast.base.errors import BusyError, LedgerError
from forecast.ledger import sqlite as module
from forecast.ledger.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.ledger.protocol import Ledger

NOBODY = 65534
OPENING = """
from forecast.ledger.sqlite import SqliteLedger
ledger = SqliteLedger.open(place / "ledger.db")
"""


class TestSqlite(PeopleContract, LedgerContract):
    """SQLite keeps the contract."""

    OPENING: ClassVar[str] = OPENING

    def open(self, place: Path) -> Ledger:
        """Open the file in a folder."""
        return SqliteLedger.open(place / "ledger.db")


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Open an empty ledger."""
    return SqliteLedger.open(tmp_path / "data" / "ledger.db")


def test_an_error_names_the_file(ledger: SqliteLedger) -> None:
    """What the database cannot take is said with the path."""
    assert str(ledger.path) in refusal(lambda: ledger.add("caucasus", [sighting("c", note="\ud800")], now=NOW))


def test_a_nul_survives(ledger: SqliteLedger) -> None:
    """Text goes on after a NUL."""
    ledger.add("caucasus", [sighting(note="a\0b")], now=NOW)
    assert ledger.entries("caucasus") == (sighting(note="a\0b"),)


# The file.


@pytest.mark.parametrize("table", ["entries", "forecasts", "resolutions"])
@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE {0} SET seq = 9", "nothing is changed"),
        ("UPDATE OR REPLACE {0} SET seq = 9", "nothing is changed"),
        ("DELETE FROM {0}", "nothing is deleted"),
        ("REPLACE INTO {0} SELECT * FROM {0}", "nothing is replaced"),
        ("INSERT OR IGNORE INTO {0} SELECT * FROM {0}", "nothing is replaced"),
        ("INSERT INTO {0} SELECT * FROM {0} WHERE 1 ON CONFLICT DO UPDATE SET seq = 9", "nothing is replaced"),
    ],
)
def test_the_database_refuses_to_change_the_past(ledger: SqliteLedger, table: str, statement: str, reason: str) -> None:
    """Even another program, with none of our settings, gets a clear refusal and leaves the rows as they are."""
    ledger.add("caucasus", [sighting()], now=NOW)
    ledger.archive(issued())
    ledger.resolve([answer()])
    with closing(sqlite3.connect(ledger.path)) as raw:
        before = raw.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
        with pytest.raises(sqlite3.IntegrityError, match=f"{table} is append-only: {reason}"):
            raw.execute(statement.format(table))
        raw.rollback()
        assert raw.execute(f"SELECT * FROM {table}").fetchall() == before  # noqa: S608
        assert len(before) == 1


def test_rows_go_to_the_end_only(ledger: SqliteLedger) -> None:
    """A row can be slipped in neither before those that are there nor into a gap between them."""
    ledger.add("caucasus", [sighting()], now=NOW)
    insert = "INSERT INTO entries (seq, dataset, id, action, kind, recorded_at, reported_on) VALUES (?{})"
    insert = insert.format(", 'd', 'i', 'retract', 'coverage', '', '2025-01-01'")
    with closing(sqlite3.connect(ledger.path)) as raw:
        raw.execute(insert, (9,))
        for seq, reason in ((-1, "seq > 0"), (0, "seq > 0"), (5, "rows go to the end")):
            with pytest.raises(sqlite3.IntegrityError, match=reason):
                raw.execute(insert, (seq,))
        raw.execute(insert, (None,))
        assert [seq for (seq,) in raw.execute("SELECT seq FROM entries ORDER BY seq")] == [1, 9, 10]


def test_the_file_is_durable(ledger: SqliteLedger) -> None:
    """Write-ahead log, full synchronisation, foreign keys, and a wait of 30 s for other writers."""
    with closing(module._connect(ledger.path)) as connection:
        values = [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert values == ["wal", 2, 1, 30_000]


def test_opening_again_changes_nothing(ledger: SqliteLedger) -> None:
    """A second opening finds the rows, and nothing is left beside the file but its head."""
    ledger.add("caucasus", [sighting()], now=NOW)
    before = ledger.path.read_bytes()
    assert SqliteLedger.open(ledger.path).entries("caucasus") == (sighting(),)
    assert ledger.path.read_bytes() == before
    assert sorted(path.name for path in ledger.path.parent.iterdir()) == ["ledger.db", "ledger.db.head"]


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    """What a process killed before its first write leaves behind is no obstacle."""
    path = tmp_path / "Ümläut #1 ?%.db"
    path.touch()
    assert SqliteLedger.open(path).add("caucasus", [sighting()], now=NOW).new == ("a",)


def _database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as raw:
        for statement in statements:
            raw.execute(statement)
        raw.commit()


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    """Junk, a folder, another program's database and a newer ledger each get the path, the reason and a remedy."""
    junk, other, marked, newer = (tmp_path / name for name in ("junk", "other.db", "marked.db", "newer.db"))
    junk.write_bytes(b"id,indicator\n" * 100)
    _database(other, "CREATE TABLE entries (seq)")
    _database(marked, "PRAGMA user_version = 1")
    SqliteLedger.open(newer)
    _database(newer, "PRAGMA user_version = 6")
    for path, reason in (
        (junk, "is not a database; choose another path"),
        (tmp_path, "is a folder; give the path of a file"),
        (junk / "ledger.db", "its folder cannot be used"),
        (other, "is a database of another program; choose another path"),
        (marked, "is a database of another program"),
        (newer, "has schema 6, this program knows 5; install the version that wrote it"),
    ):
        message = refusal(lambda path=path: SqliteLedger.open(path), LedgerError)
        assert message.startswith(f"{path}: 1 fault\n  {reason}")
    assert junk.read_bytes() == b"id,indicator\n" * 100


def test_a_ledger_that_vanished_is_named(ledger: SqliteLedger) -> None:
    """No empty ledger is put in its place."""
    ledger.add("caucasus", [sighting()], now=NOW)
    ledger.path.unlink()
    assert "cannot be opened; check that it is still there" in refusal(lambda: ledger.entries("caucasus"), LedgerError)
    assert "is missing, but held 1 rows" in refusal(lambda: SqliteLedger.open(ledger.path), LedgerError)
    assert not ledger.path.exists()


def test_a_damaged_ledger_is_named(ledger: SqliteLedger) -> None:
    """Pages overwritten with noise give one message, not a traceback."""
    ledger.add("caucasus", [sighting(str(k), note="x" * 500) for k in range(50)], now=NOW)
    content = bytearray(ledger.path.read_bytes())
    content[4096:] = b"\xaa" * (len(content) - 4096)
    ledger.path.write_bytes(content)
    assert "is damaged; restore it from a backup" in refusal(lambda: ledger.entries("caucasus"), LedgerError)


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Give up root's right to write everywhere for a while (nothing to do for anybody else)."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_no_permission_is_named(ledger: SqliteLedger) -> None:
    """A file or a folder that may not be written, and a folder that may not be entered, say so with a remedy."""
    assert ids(ledger) == []
    assert "no row" in refusal(lambda: ledger.retract("caucasus", "a", reason="x", now=NOW))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = SqliteLedger.open(folder / "ledger.db").path
        for file_mode, folder_mode, act, message in (
            (0o000, 0o777, lambda: SqliteLedger.open(path), f"you may not read {path}; mend the permissions"),
            (0o666, 0o555, lambda: SqliteLedger.open(folder / "new.db"), f"you may not write {folder}; mend"),
            (
                0o666,
                0o555,
                lambda: SqliteLedger.open(path).add("caucasus", [sighting()], now=NOW),
                "cannot be written; mend",
            ),
            (0o666, 0o555, lambda: SqliteLedger.open(folder / "new" / "l.db"), "its folder cannot be used (Permission"),
            (0o666, 0o000, lambda: SqliteLedger.open(path), "(Permission denied)"),
            (
                0o444,
                0o777,
                lambda: SqliteLedger(path).add("caucasus", [sighting()], now=NOW),
                "cannot be written; mend",
            ),
        ):
            path.chmod(file_mode)
            folder.chmod(folder_mode)
            try:
                with _unprivileged():
                    found = refusal(act, LedgerError)
            finally:
                folder.chmod(0o777)
            assert message in found


def test_a_writer_that_waits_in_vain_says_so(ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers do not wait; a writer does, and then names the path and gives up as busy."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ids(SqliteLedger.open(ledger.path)) == []
        message = refusal(lambda: ledger.add("caucasus", [sighting()], now=NOW), BusyError)
        other.execute("ROLLBACK")
    assert message.startswith(f"{ledger.path}: another process has been writing")
    assert ledger.add("caucasus", [sighting()], now=NOW).new == ("a",)


def test_a_ledger_of_before_gets_the_table(tmp_path: Path) -> None:
    """One made before there were answers keeps its rows and takes answers, under the same triggers."""
    path = tmp_path / "ledger.db"
    before = SqliteLedger.open(path).archive(issued())
    _database(path, "DROP TABLE resolutions", "DROP TABLE chain", "PRAGMA user_version = 1")
    path.with_name("ledger.db.head").unlink()
    ledger = SqliteLedger.open(path)
    assert ledger.forecasts() == (before,)
    assert len(ledger.resolve([answer()])) == 1
    with closing(sqlite3.connect(path)) as raw, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        raw.execute("DELETE FROM resolutions")


def test_an_answer_is_one_of_three(ledger: SqliteLedger) -> None:
    """The database itself takes no other answer."""
    ledger.resolve([answer()])
    with closing(sqlite3.connect(ledger.path)) as raw, pytest.raises(sqlite3.IntegrityError, match="CHECK"):
        raw.execute("INSERT INTO resolutions SELECT 9, model, outcome, 'maybe', how, reason, url, model_hash, "
                    "recorded_at, date, as_of, since, frozen, recorded_by FROM resolutions WHERE seq = 1")  # fmt: skip


# Killed.

KILLER = """
import random, signal, sqlite3
from collections import Counter
from contextlib import closing
sys.path[:0] = sys.argv[3:]
from entries import answer, day, issued
from forecast.ledger.sqlite import SqliteLedger
random = random.Random(20260108)
def write(path, prefix, pipe):
    ledger = SqliteLedger.open(path)
    for k in range(10**6):
        name = f"{prefix}-{k}"
        if k % 3 == 0:
            ledger.add("d", [row(name)], now=NOW)
        elif k % 3 == 1:
            ledger.archive(issued(model=name))
        else:
            ledger.resolve([answer(outcome=name)])
        os.write(pipe, f"{name}\\n".encode())
promised = {}
for kill in range(int(sys.argv[2])):
    path = Path(sys.argv[1]) / f"ledger-{kill // 3}.db"
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write(path, kill, into)
        finally:
            os._exit(1)
    os.close(into)
    head = os.read(out, 1) if kill % 2 else b""  # every other one is hit when it has begun to write
    time.sleep(random.uniform(0, 0.06))
    alive = os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(out) as pipe:
        returned = set((head.decode() + pipe.read()).split())
    promised.setdefault(path, set()).update(returned)
    ledger = SqliteLedger.open(path)
    held = Counter(entry.id for entry in ledger.entries("d"))
    held += Counter(row.model for row in ledger.forecasts()) + Counter(row.outcome for row in ledger.resolutions())
    with closing(sqlite3.connect(path)) as raw:
        check = raw.execute("PRAGMA integrity_check").fetchone()[0]
    print(json.dumps({"alive": alive, "check": check, "faults": ledger.verify(), "returned": len(returned),
                      "lost": sorted(promised[path] - set(held)), "extra": len(set(held) - promised[path]),
                      "doubled": sorted(name for name, count in held.items() if count > 1)}))
"""


@pytest.mark.parametrize(
    "count", [20, pytest.param(60, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.slow)]
)
def test_a_killed_writer_loses_nothing_it_was_told(count: int, tmp_path: Path) -> None:
    """After SIGKILL at random moments the ledger opens, is sound, and holds once all that was told to be written."""
    paths = [str(TESTS / "oracles"), str(TESTS / "ledger")]
    program = [sys.executable, "-W", "error", "-c", PROLOGUE + KILLER, str(tmp_path), str(count), *paths]
    output = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=2 * count, check=True).stdout
    kills = [json.loads(line) for line in output.splitlines()]
    assert len(kills) == count
    assert all(kill["alive"] and kill["check"] == "ok" and kill["faults"] == [] for kill in kills)
    assert all(kill["lost"] == kill["doubled"] == [] for kill in kills)
    assert all(kill["extra"] <= 3 for kill in kills), "at most one row for each kill was written but not yet announced"
    assert sum(kill["returned"] > 0 for kill in kills) >= count / 2, "too few writers got to write"
