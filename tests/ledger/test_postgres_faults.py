"""What may go wrong between a program and PostgreSQL is said with a remedy and without a password; nothing is lost."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from contract import PROLOGUE
from databases import DURABLE, Server, address_in, run_sql
from entries import NOW, refusal, sighting

from forecast.base.errors import ForecastError, InputError, LedgerError
from forecast.ledger.address import read_address
from forecast.ledger.postgres import PostgresLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "correct-horse"  # noqa: S105 - of a server that lives for a test
LOGIN = f"desk:{SECRET}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Start a server that may be killed."""
    found = Server(DURABLE)
    found.start()
    yield found
    found.stop()


# Addresses.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"mysql://{LOGIN}@host/db", "'mysql' is no kind of ledger; write postgresql+psycopg://"),
        (f"postgresql+asyncpg://{LOGIN}@host/db", "'postgresql+asyncpg' is no kind of ledger"),
        (f"postgresql://{LOGIN}@host", "names no database"),
        (f"postgresql://{LOGIN}@host:port/db", "cannot be read as an address"),
        (f"post gres://{LOGIN}@host/db", "cannot be read as an address"),
        (f"postgresql://{LOGIN}@host/db?schema=Über", "schema: needs one name of small letters"),
        (f"postgresql://{LOGIN}@host/db?schema=a&schema=b", "schema: needs one name"),
        (f"postgresql://{LOGIN}@host/db?schema=pg_catalog", "schema: needs one name"),
    ],
)
def test_a_wrong_address_is_told_without_its_password(text: str, said: str) -> None:
    """Whatever is wrong with it, the message says who gave it and how to write one."""
    message = refusal(lambda: read_address(text, "forecast.toml: ledger"), InputError)
    assert message.startswith("forecast.toml: ledger: ")
    assert said in message
    assert SECRET not in message


def test_a_name_shows_no_password() -> None:
    """Neither one before the host nor one after the question mark is shown; user, host and schema are."""
    found = read_address(f"postgresql://{LOGIN}@db.example.org/forecasts?sslpassword={SECRET}&schema=a", "here")
    assert "desk:***@db.example.org/forecasts?" in found.name
    assert "schema=a" in found.name
    assert SECRET not in found.name
    assert "schema" not in found.url.query
    assert read_address("postgresql://db.example.org/forecasts", "here").schema == "public"


def test_who_cannot_be_reached_or_let_in_is_told(server: Server) -> None:
    """No server, no database, no user, a wrong password, a key that means nothing: each with what to do."""
    run_sql("DROP ROLE IF EXISTS guarded", f"CREATE ROLE guarded LOGIN PASSWORD '{SECRET}'", of=server.address)
    base = f"postgresql://{{}}/{{}}?host={server.home}"
    wrong = "guarded:battery-staple"
    for text, said in (
        (base.format("owner@", "postgres") + "x", "no server answers there ("),
        ("postgresql://owner@127.0.0.1:1/postgres", "no server answers there (Connection refused"),
        (base.format("owner@", "none"), "has no such database; make it with `createdb NAME`"),
        (base.format("nobody@", "postgres"), 'refuses the user (role "nobody" does not exist); check the user'),
        (base.format(f"{wrong}@", "postgres"), "refuses the user (password authentication failed"),
        (base.format("guarded@", "postgres"), "refuses the user ("),
        (base.format("owner@", "postgres") + "&shcema=a", "names something that PostgreSQL does not know ("),
    ):
        message = refusal(lambda text=text: PostgresLedger.open(read_address(text, "test")), LedgerError)
        assert message.startswith("postgresql+psycopg://")
        assert said in message
        assert wrong.partition(":")[2] not in message


def test_tables_of_another_program_are_left_alone(server: Server) -> None:
    """A schema with something else in it, a newer ledger, and a database without Unicode are refused with a remedy."""
    run_sql("CREATE SCHEMA kitchen", "CREATE TABLE kitchen.recipes (title text)", of=server.address)
    message = refusal(lambda: PostgresLedger.open(address_in("kitchen", server.address)), LedgerError)
    assert "schema kitchen holds tables of another program (recipes); name one of the ledger's own" in message
    assert run_sql("SELECT tablename FROM pg_tables WHERE schemaname = 'kitchen'", of=server.address) == [("recipes",)]
    PostgresLedger.open(address_in("newer", server.address))
    run_sql("COMMENT ON TABLE newer.chain IS 'scenario-cascade ledger, schema 99'", of=server.address)
    message = refusal(lambda: PostgresLedger.open(address_in("newer", server.address)), LedgerError)
    assert "has schema 99, this program knows" in message


def test_a_missing_extra_is_named() -> None:
    """Without psycopg the message says what to install."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from forecast.ledger.address import read_address\nfrom forecast.ledger.postgres import PostgresLedger\n"
        "PostgresLedger(read_address('postgresql://host/db', 'here'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (
        "InputError: a ledger in PostgreSQL needs the extra for it: pip install 'scenario-cascade[postgres]'"
        in done.stderr
    )


# A server that goes away.


def test_a_restarted_server_is_found_again(server: Server) -> None:
    """After a restart the next call works; while it is away each says so."""
    ledger = PostgresLedger.open(address_in("restarted", server.address))
    ledger.add("d", [sighting("a")], now=NOW)
    server.kill()
    assert "no server answers there" in refusal(lambda: ledger.entries("d"), ForecastError)
    server.start()
    ledger.add("d", [sighting("b")], now=NOW)
    assert [row.id for row in ledger.entries("d")] == ["a", "b"]


def test_a_server_that_dies_in_the_middle_leaves_nothing_half(server: Server) -> None:
    """What was written before it died is undone, and the message says to look and do it again."""
    ledger = PostgresLedger.open(address_in("dying", server.address))

    def act() -> None:
        with ledger.writing() as connection:
            ledger._add(connection, "d", [sighting("a")], NOW)
            server.kill()
            ledger._add(connection, "d", [sighting("b")], NOW)

    message = refusal(act, LedgerError)
    assert "the server went away; what was being written is there whole or not at all" in message
    server.start()
    assert ledger.watermark("d") == 0
    assert ledger.verify() == ()


WRITER = """
from forecast.base.errors import ForecastError
from forecast.ledger.address import read_address
from forecast.ledger.postgres import PostgresLedger
ledger = PostgresLedger(read_address(sys.argv[2], "test"))
k = 0
while True:
    name = f"{sys.argv[3]}-{k}"
    try:
        ledger.add("d", [row(name), row(name + "b")], now=NOW)
    except ForecastError as error:
        print("failed", type(error).__name__, flush=True)
        time.sleep(0.02)
        continue  # the same rows again: those that are there stay
    print("kept", name, flush=True)
    k += 1
"""


@pytest.mark.slow
def test_a_killed_server_loses_nothing_it_acknowledged(tmp_path: object) -> None:
    """Fifty times the server is killed under the load of three writers: all that was acknowledged is there, once.

    Each batch of two rows is there whole, the chain is sound, and writers go on by themselves.
    """
    server = Server(DURABLE)
    server.start()
    ledger = PostgresLedger.open(address_in("load", server.address))
    text = f"{server.address}&schema=load"
    command = [sys.executable, "-c", PROLOGUE + WRITER, str(tmp_path), text]
    writers = [subprocess.Popen([*command, str(k)], stdout=subprocess.PIPE, text=True) for k in range(3)]
    told: list[str] = []
    readers = [threading.Thread(target=lambda w=w: told.extend(w.stdout)) for w in writers]
    chance = random.Random(20260108)  # noqa: S311 - moments, not secrets
    try:
        for reader in readers:
            reader.start()
        before = 0
        for _ in range(50):
            while sum(line.startswith("kept") for line in list(told)) < before + 5:
                time.sleep(0.02)
            time.sleep(chance.uniform(0, 0.05))
            server.kill()
            server.start()
            before = sum(line.startswith("kept") for line in list(told))
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
        for reader in readers:
            reader.join()
        for writer in writers:
            writer.stdout.close()
    kept = {line.split()[1] for line in told if line.startswith("kept")}
    failed = {line.split()[1] for line in told if line.startswith("failed")}
    log = [row.id for row in ledger.log("d", limit=10**6)]
    server_faults = ledger.verify()
    server.stop()
    assert server_faults == ()
    assert len(log) == len(set(log))
    assert kept <= set(log)
    assert {name for name in log if not name.endswith("b")} == {
        name.removesuffix("b") for name in log if name.endswith("b")
    }
    assert len(set(log)) / 2 - len(kept) <= len(writers), "at most one batch of each writer was not yet told"
    assert sum(line.startswith("failed") for line in told) >= 50, "the kills missed the writers"
    assert failed <= {"LedgerError", "BusyError"}
