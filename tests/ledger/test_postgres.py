"""What is PostgreSQL's own: the contract of a ledger is kept in a schema, guarded twice, and refused in words."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING, ClassVar

import pytest
import sqlalchemy as sa
from contract import PROLOGUE, LedgerContract, ids
from contract_people import PeopleContract
from databases import address, address_in, drop, new_schema, run_sql
from entries import NOW, answer, counted, day, delivered, issued, refusal, sighting, watch
from needs import NAMED

from forecast.base.errors import BusyError, LedgerError
from forecast.ledger import postgres as module
from forecast.ledger.address import read_address
from forecast.ledger.copying import copy_ledger
from forecast.ledger.postgres import PostgresLedger
from forecast.ledger.sqlite import SCHEMA_VERSION, SqliteLedger
from forecast.ledger.tables import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.ledger.address import Address
    from forecast.ledger.protocol import Ledger

OPENING = """
import hashlib
from forecast.ledger.address import read_address
from forecast.ledger.postgres import PostgresLedger
schema = "test_" + hashlib.sha256(str(place).encode()).hexdigest()[:16]
base = os.environ["FORECAST_TEST_POSTGRES"]
ledger = PostgresLedger.open(read_address(base + ("&" if "?" in base else "?") + "schema=" + schema, "test"))
"""


MADE: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """Name the server for other processes, and leave no schema there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NAMED, address())
        yield
        drop(MADE)


class TestPostgres(PeopleContract, LedgerContract):
    """PostgreSQL keeps the contract."""

    OPENING: ClassVar[str] = OPENING

    def open(self, place: Path) -> Ledger:
        """Open the schema that belongs to a folder."""
        schema = "test_" + hashlib.sha256(str(place).encode()).hexdigest()[:16]
        MADE.add(schema)
        return PostgresLedger.open(address_in(schema))


def schema() -> str:
    """Name a new schema, which goes at the end."""
    name = new_schema()
    MADE.add(name)
    return name


@pytest.fixture
def ledger() -> PostgresLedger:
    """Open an empty ledger in a schema of its own."""
    return PostgresLedger.open(address_in(schema()))


def filled(ledger: Ledger) -> Ledger:
    """Give a ledger rows of every kind and of every type of value."""
    odd = sighting("b", note="line\nline ' \" ☃", distinct=True, reported_on=day(5, 1))
    ledger.add("caucasus", [sighting(), watch(), odd, counted(count=2**40, exposure=1 / 3), delivered()], now=NOW)
    ledger.retract("caucasus", "a", reason="denied", now=NOW, reported_on=day(6, 1))
    ledger.archive(issued(content='{"p": 0.1}'))
    ledger.resolve([answer(since=day(5, 1), frozen=day(6, 1))])
    return ledger


def held(ledger: Ledger) -> tuple[object, ...]:
    """Give all that the methods of a ledger give."""
    entries = [ledger.entries("caucasus", as_of=as_of) for as_of in (None, day(5, 31), day(3, 1))]
    log = ledger.log("caucasus", 99)
    return entries, log, ledger.forecasts(), ledger.resolutions(), ledger.head(), ledger.watermark("caucasus")


# What is kept.


def test_digests_are_those_of_sqlite(ledger: PostgresLedger, tmp_path: Path) -> None:
    """Dates, booleans, fractions, numbers beyond 2³¹ and text come back the same, so that the chain is the same."""
    assert held(filled(ledger)) == held(filled(SqliteLedger.open(tmp_path / "ledger.db")))
    assert ledger.verify() == ledger.verify(quick=True) == ()


def test_a_nul_and_half_a_character_are_refused(ledger: PostgresLedger) -> None:
    """What PostgreSQL cannot keep is said, and nothing of the batch is written."""
    for note, said in (("a\0b", "a text holds a NUL, which PostgreSQL cannot keep"), ("\ud800", "a lone surrogate")):
        message = refusal(lambda note=note: ledger.add("d", [sighting("b"), sighting(note=note)], now=NOW))
        assert message.startswith(f"{ledger.where}: ")
        assert said in message
    assert ledger.watermark("d") == 0


def test_projects_share_a_server(ledger: PostgresLedger) -> None:
    """Each schema is a ledger of its own, also while the other is being written to."""
    other = PostgresLedger.open(address_in(schema()))
    with ledger.writing():
        other.add("caucasus", [sighting("b")], now=NOW)
    assert (ids(ledger), ids(other)) == ([], ["b"])


def test_a_row_that_was_undone_leaves_no_gap(ledger: PostgresLedger) -> None:
    """Numbers follow each other, whatever was rolled back in between."""
    ledger.add("d", [sighting("a")], now=NOW)
    with pytest.raises(ZeroDivisionError), ledger.writing() as connection:  # noqa: PT012 - what is undone
        ledger._add(connection, "d", [sighting("b"), sighting("c")], NOW)
        raise ZeroDivisionError
    ledger.add("d", [sighting("e")], now=NOW)
    assert [row.seq for row in ledger.log("d")] == [2, 1]
    assert ledger.verify() == ()


# Guards.

TABLES = ("entries", "forecasts", "resolutions", "chain")
STATEMENTS = {
    "UPDATE {0} SET seq = 9": "nothing is changed",
    "DELETE FROM {0}": "nothing is deleted",
    "TRUNCATE {0}": "nothing is deleted",
    "INSERT INTO {0} SELECT * FROM {0}": "nothing is replaced",
    "INSERT INTO {0} SELECT * FROM {0} ON CONFLICT (seq) DO UPDATE SET seq = 9": "nothing is replaced",
    "SET session_replication_role = replica; DELETE FROM {0}": "nothing is deleted",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_database_refuses_to_change_the_past(ledger: PostgresLedger, statement: str) -> None:
    """Even the owner, with any tool, gets a clear refusal, and the rows stay as they are."""
    filled(ledger)
    for table in TABLES:
        name = f"{ledger.address.schema}.{table}"
        before = run_sql(f"SELECT * FROM {name} ORDER BY seq")
        assert before
        with pytest.raises(sa.exc.DBAPIError, match=f"{table} is append-only: {STATEMENTS[statement]}"):
            run_sql(*statement.format(name).split("; "))
        assert run_sql(f"SELECT * FROM {name} ORDER BY seq") == before


def test_rows_go_to_the_end_only(ledger: PostgresLedger) -> None:
    """A row can be slipped in nowhere, and leaves no gap."""
    ledger.add("caucasus", [sighting()], now=NOW)
    insert = (
        f"INSERT INTO {ledger.address.schema}.entries (seq, dataset, id, action, kind, recorded_at, reported_on) "
        "VALUES ({}, 'd', 'i', 'retract', 'coverage', '', '2025-01-01')"
    )
    for seq in (-1, 0, 1, 5):
        with pytest.raises(sa.exc.DBAPIError, match="rows go to the end"):
            run_sql(insert.format(seq))
    run_sql(insert.format(2))
    assert "another program wrote" in refusal(lambda: ledger.add("d", [sighting()], now=NOW), LedgerError)
    assert "row 2 of entries is not what was written" in ledger.verify()[0]


TAMPERING = {
    "DROP TRIGGER entries_no_change ON entries": "the trigger entries_no_change is missing",
    "ALTER TABLE entries DISABLE TRIGGER entries_no_change": "the trigger entries_no_change is changed",
    "CREATE OR REPLACE FUNCTION never_changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'": (
        "the trigger chain_no_change is changed"
    ),
    "CREATE TRIGGER more BEFORE INSERT ON chain FOR EACH ROW EXECUTE FUNCTION never_changed()": (
        "the trigger more is not of this program"
    ),
    "CREATE RULE silent AS ON DELETE TO entries DO INSTEAD NOTHING": "the rule silent is not of this program",
}


@pytest.mark.parametrize("statement", TAMPERING)
def test_a_guard_that_was_touched_is_noticed(ledger: PostgresLedger, statement: str) -> None:
    """Triggers that are gone, off, hollow or more than there were, and rules, are named; the ledger stays shut."""
    run_sql(f"SET search_path = {ledger.address.schema}", statement)
    assert any(fault.startswith(TAMPERING[statement]) for fault in ledger.verify())
    assert TAMPERING[statement] in refusal(lambda: PostgresLedger.open(ledger.address), LedgerError)


CHANGES = {
    "UPDATE entries SET note = 'other' WHERE seq = 2": "row 2 of entries is not what was written",
    "UPDATE forecasts SET packed = '\\x00'": "row 1 of forecasts is not what was written",
    "DELETE FROM entries WHERE seq = 3": "row 3 of entries is not what was written",
    "UPDATE chain SET digest = repeat('0', 64) WHERE seq = 4": "is not what was written",
    "DELETE FROM chain WHERE seq = 9; DELETE FROM resolutions": "its chain has 8 rows, ledger.head knows of 9",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_row_that_was_touched_is_noticed(tmp_path: Path, change: str) -> None:
    """What the owner changes with the triggers off does not fit the chain, or what is known outside the database."""
    ledger = PostgresLedger.open(address_in(schema()), tmp_path / "ledger")
    filled(ledger)
    off = [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in TABLES]
    names = [row[0] for row in run_sql(
        f"SELECT tgrelid::regclass::text || ' ENABLE ALWAYS TRIGGER ' || tgname FROM pg_trigger t JOIN pg_class c "
        f"ON c.oid = tgrelid WHERE relnamespace = '{ledger.address.schema}'::regnamespace AND NOT tgisinternal"
    )]  # fmt: skip
    on = [f"ALTER TABLE {name}" for name in names]
    run_sql(f"SET search_path = {ledger.address.schema}", *off, *change.split("; "), *on)
    faults = ledger.verify()
    assert any(CHANGES[change] in fault for fault in faults), faults
    assert not any("trigger" in fault for fault in faults)


def test_a_ledger_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    """Where the file outside knows of rows, an empty schema is refused, and left empty."""
    ledger = PostgresLedger.open(address_in(schema()), tmp_path / "ledger")
    filled(ledger)
    run_sql(f"DROP SCHEMA {ledger.address.schema} CASCADE")
    message = refusal(lambda: PostgresLedger.open(ledger.address, tmp_path / "ledger"), LedgerError)
    assert "its chain has 0 rows, ledger.head knows of 9; correct the address or restore a backup" in message
    assert "holds no ledger yet" in ledger.verify()[-1]


def test_there_was_no_schema_before_the_fifth() -> None:
    """The first program that kept a ledger in PostgreSQL made schema 5, so that none has to be brought up to it.

    Who makes schema 6 brings those of schema 5 up to it, and changes this test.
    """
    assert SCHEMA_VERSION == 5


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        ("4", "back it up with the version that wrote it (forecast backup FILE), and copy that file into an empty"),
        ("five", "back it up with the version that wrote it"),
        ("6", "install the version that wrote it"),
    ],
)
def test_another_version_is_refused_and_left_alone(ledger: PostgresLedger, number: str, remedy: str) -> None:
    """Whether it is opened, read or verified, the message says what to do; no table, column or row is touched."""
    ledger.add("caucasus", [sighting()], now=NOW)
    where = ledger.address.schema
    run_sql(
        f"SET search_path = {where}", "ALTER TABLE forecasts DROP COLUMN packed", "DROP TABLE published, judgements",
        f"COMMENT ON TABLE chain IS 'scenario-cascade ledger, schema {number}'",
    )  # fmt: skip
    query = f"SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = '{where}' ORDER BY 1"
    before = run_sql(query)
    said = f"has schema {number}, this program knows 5; {remedy}"
    assert said in refusal(lambda: PostgresLedger.open(ledger.address), LedgerError)
    assert said in refusal(ledger.begun, LedgerError)
    assert [said in fault for fault in ledger.verify()] == [True]
    assert run_sql(query) == before
    assert run_sql(f"SELECT id FROM {where}.entries") == [("a",)]


# A role that may only add.


@pytest.fixture
def analyst(ledger: PostgresLedger) -> Iterator[Address]:
    """Give the address of a role that was let in."""
    name = new_schema()
    run_sql(f"CREATE ROLE {name} LOGIN")
    ledger.grant(name)
    yield as_user(ledger.address, name)
    run_sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def as_user(of: Address, name: str, password: str | None = None) -> Address:
    """Give the same ledger for another user."""
    url = of.url.set(username=name, password=password).update_query_dict({"schema": of.schema})
    return read_address(url.render_as_string(hide_password=False), "test")


def test_a_role_that_was_let_in_writes_and_changes_nothing(analyst: Address) -> None:
    """It does all that a program does, and can neither change, delete, empty nor unguard, whatever the triggers say."""
    ledger = PostgresLedger.open(analyst)
    filled(ledger)
    assert ledger.verify() == ()
    of = analyst.url.render_as_string(hide_password=False)
    for table in TABLES:
        name = f"{analyst.schema}.{table}"
        for statement in (
            f"UPDATE {name} SET seq = 9", f"DELETE FROM {name}", f"TRUNCATE {name}", f"DROP TABLE {name}",
            f"DROP TRIGGER {table}_no_change ON {name}", f"ALTER TABLE {name} DISABLE TRIGGER USER",
            f"COMMENT ON TABLE {name} IS ''", f"CREATE TABLE {analyst.schema}.more (seq int)",
            "SET session_replication_role = replica",
        ):  # fmt: skip
            with pytest.raises(sa.exc.DBAPIError, match=r"permission denied|must be (owner|superuser)"):
                run_sql(statement, of=of)
    assert ledger.verify() == ()


def test_rights_are_given_only_to_who_could_do_no_more(ledger: PostgresLedger) -> None:
    """A role that is not there, a superuser and an heir of the owner are refused, and get nothing."""
    owner, heir = new_schema(), new_schema()
    run_sql(f"CREATE ROLE {owner}", f"CREATE ROLE {heir} LOGIN IN ROLE {owner}")
    run_sql(f"ALTER TABLE {ledger.address.schema}.entries OWNER TO {owner}")
    try:
        for role, said in (("nobody_here", "no role 'nobody_here'"), (heir, "belongs to one that may change them")):
            assert said in refusal(lambda role=role: ledger.grant(role))
        user = ledger.address.url.username or ""
        assert "is a superuser" in refusal(lambda: ledger.grant(user))
    finally:
        run_sql(f"ALTER TABLE {ledger.address.schema}.entries OWNER TO CURRENT_USER", f"DROP ROLE {heir}, {owner}")


def test_who_may_only_read_is_told_so(ledger: PostgresLedger) -> None:
    """A role with SELECT reads; where it would write, the message names the remedy, as where it may not even look."""
    name = new_schema()
    run_sql(f"CREATE ROLE {name} LOGIN")
    try:
        reader = PostgresLedger(as_user(ledger.address, name))
        assert "has no such table that you may use; ask the owner for rights" in refusal(reader.head, LedgerError)
        run_sql(f"GRANT USAGE ON SCHEMA {ledger.address.schema} TO {name}",
                f"GRANT SELECT ON ALL TABLES IN SCHEMA {ledger.address.schema} TO {name}")  # fmt: skip
        assert ids(PostgresLedger.open(reader.address)) == []
        message = refusal(lambda: reader.add("d", [sighting()], now=NOW), LedgerError)
        assert "`forecast ledger grant ROLE`" in message
        other = reader.address._replace(schema=new_schema())
        assert "you may not do this (permission denied for database" in refusal(
            lambda: PostgresLedger.open(other), LedgerError
        )
    finally:
        run_sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@pytest.fixture
def work() -> Iterator[sa.Table]:
    """Let ledgers have a table with work in progress, whose rows change."""
    number = sa.Column("seq", sa.Integer, primary_key=True)
    table = sa.Table("work", METADATA, number, sa.Column("state", sa.String), info={"working": True})
    yield table
    METADATA.remove(table)


def test_work_in_progress_may_change(work: sa.Table) -> None:
    """Such a table has no guard and counts by itself, a role may update it but delete nothing, and a copy goes on."""
    ledger, other = (PostgresLedger.open(address_in(schema())) for _ in range(2))
    role = new_schema()
    run_sql(f"CREATE ROLE {role} LOGIN")
    ledger.grant(role)
    writer = PostgresLedger.open(as_user(ledger.address, role))
    with writer.transaction() as connection:
        keys = [connection.execute(sa.insert(work).values(state="new")).inserted_primary_key[0] for _ in range(2)]
        connection.execute(sa.update(work).values(state="done"))
    assert keys == [1, 2]
    with pytest.raises(LedgerError, match="you may not do this"), writer.transaction() as connection:
        connection.execute(sa.delete(work))
    assert copy_ledger(ledger, other).rows["work"] == 2
    with other.transaction() as connection:
        assert connection.execute(sa.insert(work).values(state="new")).inserted_primary_key[0] == 3
        assert connection.execute(sa.select(work.c.state).order_by(work.c.seq)).scalars().all() == ["done"] * 2 + [
            "new"
        ]
    assert ledger.verify() == other.verify() == ()
    run_sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


# Several at once.


def test_a_writer_that_waits_in_vain_says_so(ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers do not wait; a writer does, and then names the address and gives up as busy."""
    monkeypatch.setattr(module, "WAIT_SECONDS", 0.05)
    with ledger.transaction():
        assert ids(PostgresLedger.open(ledger.address)) == []
        message = refusal(lambda: ledger.add("caucasus", [sighting()], now=NOW), BusyError)
    assert message.startswith(f"{ledger.where}: another process has been writing for")
    assert ledger.add("caucasus", [sighting()], now=NOW).new == ("a",)


def test_a_reader_sees_one_state(ledger: PostgresLedger) -> None:
    """What is written meanwhile does not show."""
    ledger.add("d", [sighting("a")], now=NOW)
    with ledger.reading() as connection:
        before = ledger._ends(connection)
        ledger.add("d", [sighting("b")], now=NOW)
        assert ledger._ends(connection) == before
    assert ledger.watermark("d") == 2


def test_one_run_at_a_time_on_all_machines(ledger: PostgresLedger) -> None:
    """The lock of a run is the server's: another session is refused at once, and let in when the first ends."""
    other = PostgresLedger.open(ledger.address)
    with ledger.run_lock():
        message = refusal(lambda: other.run_lock().__enter__(), BusyError)
        assert re.search(r"another run holds the lock \(.*since [\d :-]+ UTC\); try again", message)
        with PostgresLedger.open(address_in(schema())).run_lock():
            pass
        other.add("d", [sighting()], now=NOW)  # rows may be recorded meanwhile
    with other.run_lock():
        pass


WRITERS = """
import threading
failed = []
def write(name):
    try:
        for k in range(0, 200, 10):
            ledger.add("d", [row(f"{name}-{k + n}") for n in range(10)], now=NOW)
    except BaseException as error:
        failed.append(error)
threads = [threading.Thread(target=write, args=(f"{sys.argv[2]}-{n}",)) for n in range(5)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(failed or "done")
"""


@pytest.mark.slow
def test_twenty_writers_lose_nothing(tmp_path: Path) -> None:
    """Four processes of five threads write 200 rows each, ten by ten; all are there, without a gap, and in order.

    A reader meanwhile never sees a row before one with a lower number.
    """
    place = tmp_path / "project"
    ledger = TestPostgres().open(place)
    command = [sys.executable, "-W", "error", "-c", PROLOGUE + OPENING + WRITERS, str(place)]
    writers = [subprocess.Popen([*command, str(k)], stdout=subprocess.PIPE, text=True) for k in range(4)]
    seen: list[list[int]] = []
    while any(writer.poll() is None for writer in writers):
        rows = [row[0] for row in run_sql(f"SELECT seq FROM {ledger.address.schema}.entries ORDER BY seq")]
        seen.append(rows)
        time.sleep(0.1)
    assert [writer.communicate()[0] for writer in writers] == ["done\n"] * 4
    assert all(rows == list(range(1, len(rows) + 1)) for rows in seen)
    assert len({len(rows) for rows in seen}) > 10, "the reader saw too few states"
    expected = {f"{p}-{n}-{k}" for p in range(4) for n in range(5) for k in range(200)}
    assert {row.id for row in ledger.entries("d")} == expected
    assert ledger.verify() == ()
