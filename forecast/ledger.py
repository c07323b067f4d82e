"""The ledger: an append-only store of dated, sourced rows, of the forecasts that were issued, and of what came of them.

Nothing is changed or removed: a correction is a new row with the same ``id`` (it *supersedes*), a withdrawal is a row
of its own (it *retracts*), and triggers refuse UPDATE and DELETE. What was known on a day is found by replaying the
rows in the order written.

Three dates belong to a row: ``date`` (it happened), ``reported_on`` (the public could know) and ``recorded_at`` (we
wrote it; UTC). The clock is never read here: whoever writes passes ``now``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from forecast.errors import BusyError, InputError, LedgerError, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

__all__ = [
    "CREDIBILITY",
    "INFORMATION",
    "RELIABILITY",
    "Added",
    "Coverage",
    "Entry",
    "Issued",
    "Ledger",
    "LogRecord",
    "Observation",
    "Resolution",
    "credibility",
    "make_id",
    "with_id",
]

APPLICATION_ID = 0x53434C47  # "SCLG", in the header of the file: how a ledger is told from any other database
SCHEMA_VERSION = 1
WAIT_SECONDS = 30
GRACE = dt.timedelta(days=1)  # east of Greenwich it may already be tomorrow

RELIABILITY = {"A": 0.98, "B": 0.90, "C": 0.75, "D": 0.55, "E": 0.30, "F": 0.50}
INFORMATION = {"1": 0.98, "2": 0.90, "3": 0.75, "4": 0.50, "5": 0.20, "6": 0.50}

CREDIBILITY = {f"{s}{i}": round(a * b, 2) for s, a in RELIABILITY.items() for i, b in INFORMATION.items()}
"""Probability that what a row reports is so, by Admiralty grade: reliability of source times credibility of news.

A source passes a true report on with its reliability, and the information itself holds with its credibility; both must.
F and 6 mean "cannot be judged", not "bad": they are even odds, so F stands above E and 6 level with 4, and F6 is 0.25.
"""


def credibility(grade: str) -> float:
    """Probability that a row of this Admiralty ``grade`` ("A1" to "F6") is true; `InputError` for anything else."""
    try:
        return CREDIBILITY[grade]
    except KeyError:
        msg = f"{grade!r} is not an Admiralty grade; give source A to F and information 1 to 6, such as B2"
        raise InputError(msg) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One sighting: an ``indicator`` seen, or a ``state`` ("stage.state") assessed; exactly one of the two is given.

    ``date`` is exact to the day or, with ``precision`` "month", a best guess within its month. ``grade`` is the
    Admiralty grade. Rows with one ``story`` tell of one real event, unless ``distinct``.
    """

    id: str = ""
    indicator: str | None = None
    state: str | None = None
    date: dt.date
    precision: Literal["day", "month"] = "day"
    reported_on: dt.date
    source: str
    url: str = ""
    grade: str
    story: str = ""
    distinct: bool = False
    note: str = ""

    @property
    def story_key(self) -> str:
        """What tells stories apart: the story, or the row itself where it has none."""
        return self.story or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Somebody looked systematically for ``indicator`` ("*": for every one), ``from_`` to ``to``, both included."""

    id: str = ""
    indicator: str
    from_: dt.date
    to: dt.date
    reported_on: dt.date
    source: str
    url: str = ""
    note: str = ""


Entry = Observation | Coverage


def make_id(entry: Entry) -> str:
    """Build an id from the whole content of an entry except its id, such as ``cyberattack-2026-01-08-3fa9c1``."""
    values = _values(dataclasses.replace(entry, id=""))
    name = values["indicator"] or values["state"]
    prefix = name if isinstance(entry, Observation) else f"coverage-{'all' if name == '*' else name}"
    content = repr(sorted((column, str(value)) for column, value in values.items()))
    return f"{prefix}-{values['date']}-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:6]}"


def with_id[Row: Entry](entry: Row) -> Row:
    """Give the entry `make_id`'s id if it has none."""
    return entry if entry.id else dataclasses.replace(entry, id=make_id(entry))


class Added(NamedTuple):
    """What `Ledger.add` did with each id, in the order given."""

    new: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One row as `Ledger.log` lists it; ``superseded`` when a later row has the same id."""

    seq: int
    recorded_at: dt.datetime
    action: Literal["add", "retract"]
    id: str
    summary: str
    superseded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """An issued forecast: ``content`` is its whole report data as JSON text; ``seq`` is 0 until it is archived."""

    seq: int = 0
    model: str
    as_of: dt.date
    issued_at: dt.datetime
    evidence_hash: str
    model_hash: str
    fit: str
    watermark: int
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How the world answered a question of issued forecasts of ``model``: whether the rule of ``outcome`` was met.

    That is on the day ``date`` or, with ``since``, on any day after that one up to ``date``. A *rule* answers from the
    rows that were public on ``as_of``, and its ``reason`` is its text; an *analyst* gives a reason and a link.
    ``frozen`` is the day from which on the rule was not changed; ``seq`` is 0 until it is recorded.
    """

    seq: int = 0
    model: str
    outcome: str
    since: dt.date | None = None
    date: dt.date
    answer: Literal["yes", "no", "void"]
    how: Literal["rule", "analyst"]
    reason: str
    url: str = ""
    as_of: dt.date
    frozen: dt.date | None
    model_hash: str
    recorded_at: dt.datetime

    @property
    def question(self) -> tuple[str, str, dt.date | None, dt.date]:
        """What is answered: model, outcome, since, date."""
        return self.model, self.outcome, self.since, self.date

    @property
    def content(self) -> tuple[str, str, str, str]:
        """What is said: answer, how, reason, url."""
        return self.answer, self.how, self.reason, self.url


_METADATA = sa.MetaData()
_ROWS = sa.Table(
    "entries",
    _METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("dataset", "id", "action", "kind", "recorded_at")),
    sa.Column("reported_on", sa.Date, nullable=False),
    *(sa.Column(name, sa.String) for name in ("reason", "indicator", "state", "precision", "source", "url")),
    *(sa.Column(name, sa.String) for name in ("grade", "story", "note")),
    *(sa.Column(name, sa.Date) for name in ("date", "until")),
    sa.Column("distinct", sa.Boolean),
    sa.CheckConstraint("action IN ('add', 'retract') AND kind IN ('observation', 'coverage')"),
    sa.Index("entries_by_id", "dataset", "id"),
    sqlite_autoincrement=True,
)
_ISSUED = sa.Table(
    "forecasts",
    _METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "issued_at", "evidence_hash", "model_hash")),
    *(sa.Column(name, sa.String, nullable=False) for name in ("fit", "content")),
    sa.Column("as_of", sa.Date, nullable=False),
    sa.Column("watermark", sa.Integer, nullable=False),
    sa.Index("forecasts_by_model", "model"),
    sqlite_autoincrement=True,
)
_RESOLVED = sa.Table(
    "resolutions",
    _METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "outcome", "answer", "how", "reason", "url")),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model_hash", "recorded_at")),
    *(sa.Column(name, sa.Date, nullable=False) for name in ("date", "as_of")),
    *(sa.Column(name, sa.Date) for name in ("since", "frozen")),
    sa.CheckConstraint("answer IN ('yes', 'no', 'void') AND how IN ('rule', 'analyst')"),
    sa.Index("resolutions_by_model", "model"),
    sqlite_autoincrement=True,
)
# REPLACE deletes without firing a DELETE trigger, so INSERT must refuse a seq that is taken or passed.
_NEVER = "CREATE TRIGGER IF NOT EXISTS {0}_no_{1} BEFORE {2} BEGIN SELECT RAISE(ABORT, '{0} is append-only: {3}'); END"
_TRIGGERS = (
    ("update", "UPDATE ON {0}", "nothing is changed; add a row that supersedes"),
    ("delete", "DELETE ON {0}", "nothing is deleted; add a row that retracts"),
    (
        "replace",
        "INSERT ON {0} WHEN NEW.seq > 0 AND NEW.seq <= (SELECT max(seq) FROM {0})",
        "nothing is replaced; rows go to the end",
    ),
)

_KINDS: dict[str, type[Entry]] = {"observation": Observation, "coverage": Coverage}
_BLANK = dict.fromkeys(column.name for column in _ROWS.columns if not column.primary_key)
_RENAMED = {"from_": "date", "to": "until"}


def _values(entry: Entry) -> dict[str, Any]:
    """Turn an entry into the columns that hold it."""
    kind = "observation" if isinstance(entry, Observation) else "coverage"
    return {"kind": kind} | {_RENAMED.get(f.name, f.name): getattr(entry, f.name) for f in dataclasses.fields(entry)}


def _entry(row: sa.RowMapping) -> Entry:
    kind = _KINDS[row["kind"]]
    return kind(**{f.name: row[_RENAMED.get(f.name, f.name)] for f in dataclasses.fields(kind)})


def _utc(now: dt.datetime) -> str:
    """Write a moment as ISO 8601 text, which reads and sorts in any tool."""
    if now.utcoffset() != dt.timedelta(0):
        msg = f"the moment of recording must be in UTC and say so, got {now}; pass datetime.now(datetime.UTC)"
        raise InputError(msg)
    return now.isoformat(timespec="microseconds")


def _summary(row: sa.RowMapping) -> str:
    if row["action"] == "retract":
        return f"retracted: {row['reason']}"
    if row["kind"] == "coverage":
        return f"{row['indicator']} watched {row['date']} to {row['until']}, {row['source']}"
    return f"{row['indicator'] or row['state']} on {row['date']}, {row['grade']}, {row['source']}"


def _fold(rows: Iterable[sa.RowMapping]) -> dict[str, Entry]:
    """Replay rows in the order written: the last one of an id decides, and a retraction removes it."""
    known: dict[str, Entry] = {}
    for row in rows:
        if row["action"] == "add":
            known[row["id"]] = _entry(row)
        else:
            known.pop(row["id"], None)
    return known


def _order(entry: Entry) -> tuple[dt.date, str]:
    return (entry.date if isinstance(entry, Observation) else entry.from_), entry.id


class Ledger:
    """A ledger in one SQLite file; it holds no connection between calls, so there is nothing to close.

    Writers take turns (each waits up to 30 s for the others, then gives up with `BusyError`), and what a method has
    returned is on the disk. Every method raises `LedgerError` when the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        """Point at the ledger in ``path``; use `Ledger.open`, which also makes sure that it is one."""
        self.path = path
        self._engine = sa.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=NullPool)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the ledger in ``path``; create it, and the folders above it, on first use."""
        path = path.absolute()
        _require_access(path)
        ledger = cls(path)
        with _clear_errors(path), closing(_connect(path, "rwc")):
            pass
        with ledger._reading() as connection:
            connection.exec_driver_sql("BEGIN")  # one snapshot: another process may be creating it just now
            ours = _is_ours(path, connection)
        if not ours:
            with ledger._writing() as connection:
                _create(path, connection)
        with ledger._reading() as connection, suppress(OperationalError):  # another process is just setting it
            connection.exec_driver_sql("PRAGMA journal_mode = WAL").close()
        return ledger

    def add(self, dataset: str, entries: Sequence[Entry], *, now: dt.datetime) -> Added:
        """Record entries, all or none; an entry without an id gets `make_id`'s.

        An id whose content is as recorded is left alone, other content supersedes. ``now`` is in UTC. Raises
        `InputError` for two entries with one id and different content.
        """
        with self._writing() as connection:
            return self._add(connection, dataset, entries, now)

    def seed_once(self, dataset: str, read: Callable[[], Sequence[Entry]], *, now: dt.datetime) -> Added:
        """Record what ``read`` gives if ``dataset`` has no row at all; of several processes one does it."""
        if self.watermark(dataset):
            return Added()
        with self._writing() as connection:
            rows = connection.execute(sa.select(_ROWS.c.seq).where(_ROWS.c.dataset == dataset).limit(1)).first()
            return self._add(connection, dataset, read(), now) if rows is None else Added()

    def retract(
        self, dataset: str, row_id: str, *, reason: str, now: dt.datetime, reported_on: dt.date | None = None
    ) -> None:
        """Withdraw the row ``row_id``: as if it had never been, or from ``reported_on``, when it was known to be false.

        Raises `InputError` for an unknown id, one that is retracted already, no reason and a date to come.
        """
        if not reason.strip():
            msg = f"the retraction of {row_id!r} needs a reason; say why the row is withdrawn"
            raise InputError(msg)
        if reported_on is not None and reported_on > now.date() + GRACE:
            msg = f"{row_id!r} cannot be retracted as of {reported_on}, which is in the future; give a day until today"
            raise InputError(msg)
        with self._writing() as connection:
            rows = connection.execute(_history(dataset)).mappings().all()
            life: list[sa.RowMapping] = []  # the adds of this id since it was last retracted
            for row in rows:
                if row["id"] == row_id:
                    life = [*life, row] if row["action"] == "add" else []
            if not life:
                raise _cannot_retract(row_id, dataset, rows)
            since = reported_on or min(row["reported_on"] for row in life)
            common = {"dataset": dataset, "id": row_id, "action": "retract", "kind": life[-1]["kind"]}
            values = {**common, "reported_on": since, "recorded_at": _utc(now), "reason": reason}
            connection.execute(sa.insert(_ROWS).values(values))

    def entries(self, dataset: str, *, as_of: dt.date | None = None, watermark: int | None = None) -> tuple[Entry, ...]:
        """Give the entries in force, by (date, id), as public on ``as_of`` and as recorded up to ``watermark``."""
        query = _history(dataset)
        if as_of is not None:
            query = query.where(_ROWS.c.reported_on <= as_of)
        if watermark is not None:
            query = query.where(_ROWS.c.seq <= watermark)
        with self._reading() as connection:
            known = _fold(connection.execute(query).mappings())
        return tuple(sorted(known.values(), key=_order))

    def watermark(self, dataset: str) -> int:
        """Give the ``seq`` of the dataset's last row; 0 when it has none."""
        with self._reading() as connection:
            query = sa.select(sa.func.max(_ROWS.c.seq)).where(_ROWS.c.dataset == dataset)
            return connection.execute(query).scalar() or 0

    def log(self, dataset: str, limit: int = 20) -> tuple[LogRecord, ...]:
        """List the last ``limit`` rows written, newest first."""
        last = sa.func.max(_ROWS.c.seq).over(partition_by=_ROWS.c.id).label("last")
        query = sa.select(_ROWS, last).where(_ROWS.c.dataset == dataset).order_by(_ROWS.c.seq.desc()).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            LogRecord(
                seq=row["seq"],
                recorded_at=dt.datetime.fromisoformat(row["recorded_at"]),
                action=row["action"],
                id=row["id"],
                summary=_summary(row),
                superseded=row["seq"] < row["last"],
            )
            for row in rows
        )

    def archive(self, issued: Issued) -> Issued:
        """Keep an issued forecast for good and give it back with its ``seq``."""
        values = {f.name: getattr(issued, f.name) for f in dataclasses.fields(issued) if f.name != "seq"}
        values["issued_at"] = _utc(issued.issued_at)
        with self._writing() as connection:
            key = connection.execute(sa.insert(_ISSUED).values(values)).inserted_primary_key
            return dataclasses.replace(issued, seq=key[0] if key else 0)

    def latest_forecast(self, model: str | None = None) -> Issued | None:
        """Give the forecast of ``model`` (of any, without one) that was issued last, or None."""
        query = sa.select(_ISSUED).order_by(_ISSUED.c.seq.desc()).limit(1)
        return next(iter(self._issued(query, model)), None)

    def forecasts(self, model: str | None = None) -> tuple[Issued, ...]:
        """Give every issued forecast of ``model`` (of all, without one) in the order of issue."""
        return self._issued(sa.select(_ISSUED).order_by(_ISSUED.c.seq), model)

    def resolve(self, answers: Iterable[Resolution]) -> tuple[Resolution, ...]:
        """Record answers, all or none, and give those that were new or changed with their ``seq``.

        An earlier answer to the same question stays and is superseded. A rule never supersedes an analyst, nor what was
        known on a later day.
        """
        with self._writing() as connection:
            current = _answers(connection, None)
            recorded: list[Resolution] = []
            for answer in answers:
                before = current.get(answer.question)
                if before is not None and (before.content == answer.content or not _supersedes(answer, before)):
                    continue
                values = {f.name: getattr(answer, f.name) for f in dataclasses.fields(answer) if f.name != "seq"}
                values["recorded_at"] = _utc(answer.recorded_at)
                key = connection.execute(sa.insert(_RESOLVED).values(values)).inserted_primary_key
                current[answer.question] = dataclasses.replace(answer, seq=key[0] if key else 0)
                recorded.append(current[answer.question])
            return tuple(recorded)

    def resolutions(self, model: str | None = None) -> tuple[Resolution, ...]:
        """Give the answer in force to every question of ``model`` (of all, without one), in the order of recording."""
        with self._reading() as connection:
            found = _answers(connection, model)
        return tuple(sorted(found.values(), key=lambda row: row.seq))

    def _issued(self, query: sa.Select[Any], model: str | None) -> tuple[Issued, ...]:
        if model is not None:
            query = query.where(_ISSUED.c.model == model)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            dataclasses.replace(Issued(**row), issued_at=dt.datetime.fromisoformat(row["issued_at"])) for row in rows
        )

    def _add(self, connection: sa.Connection, dataset: str, entries: Sequence[Entry], now: dt.datetime) -> Added:
        recorded_at = _utc(now)
        current = _fold(connection.execute(_history(dataset)).mappings())
        given: dict[str, Entry] = {}
        for entry in map(with_id, entries):
            if given.setdefault(entry.id, entry) != entry:
                msg = f"two rows have the id {entry.id!r} and different content; give one of them another id"
                raise InputError(msg)
        changed = [entry for entry in given.values() if current.get(entry.id) != entry]
        common = {**_BLANK, "dataset": dataset, "action": "add", "recorded_at": recorded_at}
        if changed:
            connection.execute(sa.insert(_ROWS), [{**common, **_values(entry)} for entry in changed])
        fresh = {entry.id for entry in changed}
        return Added(
            new=tuple(key for key in given if key in fresh and key not in current),
            superseded=tuple(key for key in given if key in fresh and key in current),
            unchanged=tuple(key for key in given if key not in fresh),
        )

    @contextmanager
    def _reading(self) -> Generator[sa.Connection]:
        with _clear_errors(self.path), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Generator[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error."""
        with self._reading() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()


def _answers(
    connection: sa.Connection, model: str | None
) -> dict[tuple[str, str, dt.date | None, dt.date], Resolution]:
    """Read the answers by question: the last one of each counts."""
    query = sa.select(_RESOLVED).order_by(_RESOLVED.c.seq)
    if model is not None:
        query = query.where(_RESOLVED.c.model == model)
    rows = (
        dataclasses.replace(Resolution(**row), recorded_at=dt.datetime.fromisoformat(row["recorded_at"]))
        for row in connection.execute(query).mappings()
    )
    return {row.question: row for row in rows}


def _supersedes(answer: Resolution, before: Resolution) -> bool:
    return answer.how == "analyst" or (before.how == "rule" and answer.as_of >= before.as_of)


def _history(dataset: str) -> sa.Select[Any]:
    return sa.select(_ROWS).where(_ROWS.c.dataset == dataset).order_by(_ROWS.c.seq)


def _cannot_retract(row_id: str, dataset: str, rows: Sequence[sa.RowMapping]) -> InputError:
    if any(row["id"] == row_id for row in rows):
        return InputError(f"{row_id!r} in {dataset!r} is already retracted; to bring it back, add it again")
    return InputError(f"there is no row {row_id!r} in {dataset!r}; {nearest(row_id, _fold(rows))}")


# The file.


def _connect(path: Path, mode: Literal["rw", "rwc"] = "rw") -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
    try:
        connection.executescript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;")
    except BaseException:
        connection.close()
        raise
    return connection


def _require_access(path: Path) -> None:
    """Make sure that there is a file to read and write; it is not opened here, which could drop SQLite's locks."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            fault = "is a folder; give the path of a file, such as data/ledger.db"
            raise LedgerError(str(path), [fault])
    except OSError as error:
        fault = f"its folder cannot be used ({error.strerror}); choose another or mend its permissions"
        raise LedgerError(str(path), [fault]) from error
    effective = os.access in os.supports_effective_ids
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK, effective_ids=effective):
            fault = f"you may not read and write {place}; mend the permissions (chmod u+rw) or choose another place"
            raise LedgerError(str(path), [fault])


def _is_ours(path: Path, connection: sa.Connection) -> bool:
    """Tell a ledger (True) from one without all its tables, or an empty file (False); `LedgerError` for anything else.

    A table that came with a later version is missing in the ledger of an earlier one, which is not changed otherwise.
    """
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    if application == APPLICATION_ID and version == SCHEMA_VERSION:
        return set(_METADATA.tables) <= set(sa.inspect(connection).get_table_names())
    if application == APPLICATION_ID:
        fault = f"has schema {version}, this program knows {SCHEMA_VERSION}; install the version that wrote it"
        raise LedgerError(str(path), [fault])
    if connection.exec_driver_sql("SELECT 1 FROM sqlite_master").first() or application or version:
        fault = "is a database of another program; choose another path for the ledger"
        raise LedgerError(str(path), [fault])
    return False


def _create(path: Path, connection: sa.Connection) -> None:
    if _is_ours(path, connection):  # another process was faster
        return
    _METADATA.create_all(connection)
    for table in _METADATA.tables:
        for name, event, remedy in _TRIGGERS:
            connection.exec_driver_sql(_NEVER.format(table, name, event.format(table), remedy))
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


_REMEDIES = {
    "SQLITE_NOTADB": "is not a database; choose another path, or restore the ledger from a backup",
    "SQLITE_CORRUPT": "is damaged; restore it from a backup, or try `sqlite3 FILE .recover`",
    "SQLITE_READONLY": "cannot be written; mend its permissions (chmod u+rw) or choose another place",
    "SQLITE_CANTOPEN": "cannot be opened; check that it is still there and that you may read and write it",
    "SQLITE_FULL": "could not grow: the disk is full; free some space and try again",
    "SQLITE_IOERR": "could not be read or written; check the disk and try again",
}


@contextmanager
def _clear_errors(path: Path) -> Generator[None]:
    """Turn what the database raises into one message with the path and a remedy."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        name = str(getattr(cause, "sqlite_errorname", ""))
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            msg = f"{path}: another process has been writing for {WAIT_SECONDS} s; try again when it is done"
            raise BusyError(msg) from error
        fault = next((text for code, text in _REMEDIES.items() if name.startswith(code)), None)
        raise LedgerError(str(path), [fault or f"refused this ({cause}); check what was given"]) from error
    except UnicodeEncodeError as error:
        msg = f"{path}: a text holds half a character (a lone surrogate) at {error.start}; take it out"
        raise InputError(msg) from error
