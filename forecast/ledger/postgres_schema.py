"""A ledger's tables in a schema of a PostgreSQL database: made, guarded by triggers, looked at, and opened to roles.

What keeps rows is the database itself. A row is given its ``seq`` by a trigger, without gaps, and nothing is changed,
deleted or slipped in. A role that `grant` lets in has no right to do so either, nor may it take a trigger away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from forecast.ledger.chained import DAMAGED
from forecast.ledger.sqlite import SCHEMA_VERSION
from forecast.ledger.tables import CHAIN, METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.ledger.address import Address


MARK = "scenario-cascade ledger, schema "  # begins the comment of the chain: how a ledger is told from any other table
_KEEP = "never_changed"
_KEEP_SOURCE = """
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION '% is append-only: nothing is changed; add a row that supersedes', TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RAISE EXCEPTION '% is append-only: nothing is deleted; add a row that retracts', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
"""
_NEXT_SOURCE = """
DECLARE
    last bigint;
BEGIN
    SELECT max(seq) INTO last FROM {0};
    last := coalesce(last, 0);
    IF NEW.seq IS NULL THEN
        NEW.seq := last + 1;
    ELSIF NEW.seq <> last + 1 THEN
        RAISE EXCEPTION '{1} is append-only: nothing is replaced; rows go to the end'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
"""
_ROW, _BEFORE, _INSERT, _DELETE, _UPDATE, _TRUNCATE = 1, 2, 4, 8, 16, 32  # bits of pg_trigger.tgtype


class _Guard(NamedTuple):
    """A trigger: its table, when it fires, and the function it calls."""

    table: str
    event: str
    each: str
    bits: int
    function: str


def quoted(name: str) -> str:
    """Write a name as SQL has it."""
    return postgresql.dialect().identifier_preparer.quote_identifier(name)


def appended() -> tuple[str, ...]:
    """Name the tables whose rows stay; the others hold work in progress."""
    return tuple(name for name, table in METADATA.tables.items() if not table.info.get("working"))


def _functions(schema: str) -> dict[str, str]:
    """Give the source of every function that a trigger calls."""
    made = {_KEEP: _KEEP_SOURCE}
    for name in appended():
        made[f"{name}_next"] = _NEXT_SOURCE.format(f"{quoted(schema)}.{quoted(name)}", name)
    return made


def _guards() -> dict[str, _Guard]:
    made: dict[str, _Guard] = {}
    for name in appended():
        made |= {
            f"{name}_no_change": _Guard(name, "UPDATE OR DELETE", "ROW", _ROW | _BEFORE | _UPDATE | _DELETE, _KEEP),
            f"{name}_no_truncate": _Guard(name, "TRUNCATE", "STATEMENT", _BEFORE | _TRUNCATE, _KEEP),
            f"{name}_next": _Guard(name, "INSERT", "ROW", _ROW | _BEFORE | _INSERT, f"{name}_next"),
        }
    return made


def _tables() -> dict[str, sa.Table]:
    """Give the tables as they are here: numbers may be large, and a trigger gives a row that stays its ``seq``."""
    metadata, made = sa.MetaData(), {}
    for name, table in METADATA.tables.items():
        made[name] = table.to_metadata(metadata)
        for column in made[name].columns:
            if isinstance(column.type, sa.Integer):
                column.type = sa.BigInteger()
            if column.primary_key and name in appended():
                column.autoincrement = False
    return made


# What is there.


def tables_in(connection: sa.Connection, schema: str) -> set[str]:
    """Name the tables of a schema."""
    query = """
        SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relkind IN ('r', 'p', 'f')
    """
    return set(connection.execute(sa.text(query), {"schema": schema}).scalars())


def mark_of(connection: sa.Connection, schema: str) -> str | None:
    """Give the comment on the chain, if there is one."""
    query = """
        SELECT pg_catalog.obj_description(c.oid, 'pg_class')
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = :chain AND c.relkind = 'r'
    """
    return connection.execute(sa.text(query), {"schema": schema, "chain": CHAIN.name}).scalar()


def version_of(connection: sa.Connection, schema: str) -> int | str:
    """Give the version of a ledger's tables, 0 where there are none; or what is wrong."""
    mark, there = mark_of(connection, schema), tables_in(connection, schema)
    if mark is None or not mark.startswith(MARK):
        if there:
            return (
                f"schema {schema} holds tables of another program ({min(there)}); "
                "name one of the ledger's own: ?schema=NAME"
            )
        encoding = connection.execute(sa.text("SELECT current_setting('server_encoding')")).scalar_one()
        if encoding != "UTF8":
            return f"keeps text as {encoding}; make its database with: createdb --encoding UTF8 --template template0"
        return 0
    number = mark.removeprefix(MARK)
    if number != str(SCHEMA_VERSION):
        later = number.isdecimal() and int(number) > SCHEMA_VERSION
        remedy = (
            "install the version that wrote it"
            if later
            else "back it up with the version that wrote it (forecast backup FILE), and copy that file into an empty "
            "schema (forecast ledger copy FILE ADDRESS)"
        )
        return f"has schema {number}, this program knows {SCHEMA_VERSION}; {remedy}"
    if missing := METADATA.tables.keys() - there:
        return f"lacks its table {min(missing)}; {DAMAGED}"
    return SCHEMA_VERSION


def guard_faults(connection: sa.Connection, schema: str) -> Iterator[str]:
    """List triggers, functions and rules that are not as they were made, for the tables that are there."""
    there = tables_in(connection, schema) & METADATA.tables.keys()
    sources = _functions(schema)
    made = {
        name: (guard.table, guard.bits, "A", True, 0, schema, guard.function, sources[guard.function])
        for name, guard in _guards().items()
        if guard.table in there
    }
    query = """
        SELECT t.tgname, c.relname, t.tgtype::int, t.tgenabled::text,
            t.tgqual IS NULL AND NOT p.prosecdef AND p.proconfig IS NULL AND l.lanname = 'plpgsql',
            coalesce(array_length(t.tgattr::int2[], 1), 0), pn.nspname, p.proname, p.prosrc
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
            JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
            JOIN pg_catalog.pg_language l ON l.oid = p.prolang
        WHERE n.nspname = :schema AND c.relname = ANY(:tables) AND NOT t.tgisinternal
    """
    values = {"schema": schema, "tables": sorted(there)}
    found = {row[0]: tuple(row[1:]) for row in connection.execute(sa.text(query), values)}
    for name in sorted(made.keys() | found.keys()):
        if made.get(name) != found.get(name):
            word = "changed" if name in made and name in found else "missing" if name in made else "not of this program"
            yield f"the trigger {name} is {word}, so that rows may have been changed; {DAMAGED}"
    query = "SELECT rulename FROM pg_catalog.pg_rules WHERE schemaname = :schema AND tablename = ANY(:tables)"
    for name in connection.execute(sa.text(query), values).scalars():
        yield f"the rule {name} is not of this program, so that rows may have been changed; {DAMAGED}"


class Role(NamedTuple):
    """Who asks, and what of the tables whose rows stay it ``may`` do at most: change rows, add some, read, nothing."""

    name: str
    may: Literal["change", "add", "read", "nothing"]


def role_of(connection: sa.Connection, schema: str) -> Role:
    """Say who is connected, and what it may do."""
    query = """
        SELECT current_user::text AS name, bool_and(has_table_privilege(c.oid, 'SELECT')) AS read,
            bool_and(has_table_privilege(c.oid, 'INSERT')) AS add,
            bool_or(has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')) AS change
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = :schema AND c.relname = ANY(:tables)
    """
    found = connection.execute(sa.text(query), {"schema": schema, "tables": list(appended())}).one()
    if not found.read:
        return Role(found.name, "nothing")
    return Role(found.name, "change" if found.change else "add" if found.add else "read")


# Making it.


def make_tables(connection: sa.Connection, schema: str) -> None:
    """Make the schema, if it is not there, with every table and guard."""
    query = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
    if connection.execute(query, {"schema": schema}).first() is None:
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted(schema)}")
    for table in _tables().values():
        connection.execute(CreateTable(table))
    for name, source in _functions(schema).items():
        function = f"CREATE OR REPLACE FUNCTION {quoted(name)}() RETURNS trigger LANGUAGE plpgsql AS $${source}$$"
        connection.exec_driver_sql(function.replace("%", "%%"))
    for name, (table, event, each, _, function) in _guards().items():
        connection.exec_driver_sql(
            f"CREATE TRIGGER {name} BEFORE {event} ON {quoted(table)} FOR EACH {each} "
            f"EXECUTE FUNCTION {quoted(function)}()"
        )
        connection.exec_driver_sql(f"ALTER TABLE {quoted(table)} ENABLE ALWAYS TRIGGER {name}")
    connection.exec_driver_sql(f"COMMENT ON TABLE {quoted(CHAIN.name)} IS '{MARK}{SCHEMA_VERSION}'")


def settle_counters(connection: sa.Connection, schema: str) -> None:
    """Let counters of the tables with work in progress go on after their last row, which came with its number."""
    for name, table in METADATA.tables.items():
        column = table.autoincrement_column
        if table.info.get("working") and column is not None:
            connection.execute(
                sa.text(
                    f"SELECT setval(pg_get_serial_sequence(:name, :column), max({quoted(column.name)})) "  # noqa: S608
                    f"FROM {quoted(name)}"
                ),
                {"name": f"{quoted(schema)}.{quoted(name)}", "column": column.name},
            )


# Who may use it.


def grant(connection: sa.Connection, address: Address, role: str) -> str | None:
    """Let a role read and add rows, and nothing else; gives what is wrong, if the role could still do more."""
    query = sa.text("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = :role")
    superuser = connection.execute(query, {"role": role}).scalar()
    if superuser is None:
        return f"there is no role {role!r}; make it first, in psql: CREATE ROLE {quoted(role)} LOGIN"
    if superuser:
        return f"the role {role!r} is a superuser, who may do everything; name one that is not"
    to = quoted(role)
    connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {quoted(address.schema)} TO {to}")
    for name, table in METADATA.tables.items():
        connection.exec_driver_sql(f"REVOKE ALL ON {quoted(name)} FROM {to}, PUBLIC")
        rights = "SELECT, INSERT, UPDATE" if table.info.get("working") else "SELECT, INSERT"
        connection.exec_driver_sql(f"GRANT {rights} ON {quoted(name)} TO {to}")
    connection.exec_driver_sql(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {quoted(address.schema)} TO {to}")
    query = sa.text("SELECT has_table_privilege(:role, CAST(:name AS regclass), 'UPDATE, DELETE, TRUNCATE, TRIGGER')")
    for name in appended():
        if connection.execute(query, {"role": role, "name": f"{quoted(address.schema)}.{quoted(name)}"}).scalar():
            return f"the role {role!r} owns the tables or belongs to one that may change them; name one that does not"
    return None
