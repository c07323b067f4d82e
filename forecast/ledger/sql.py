"""A ledger in a SQL database, by SQLAlchemy: everything but how a database is opened, locked and guarded."""

from __future__ import annotations

import dataclasses
import datetime as dt
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from forecast.base.errors import InputError, nearest
from forecast.ledger.records import Added, Issued, LogRecord, Resolution, supersedes
from forecast.ledger.rows import RENAMED, Coverage, Observation, columns_of, with_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import AbstractContextManager

    from forecast.ledger.rows import Entry

__all__ = ["METADATA", "SqlLedger"]

GRACE = dt.timedelta(days=1)  # east of Greenwich it may already be tomorrow

METADATA = sa.MetaData()
_ROWS = sa.Table(
    "entries",
    METADATA,
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
    METADATA,
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
    METADATA,
    sa.Column("seq", sa.Integer, sa.CheckConstraint("seq > 0"), primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model", "outcome", "answer", "how", "reason", "url")),
    *(sa.Column(name, sa.String, nullable=False) for name in ("model_hash", "recorded_at")),
    *(sa.Column(name, sa.Date, nullable=False) for name in ("date", "as_of")),
    *(sa.Column(name, sa.Date) for name in ("since", "frozen")),
    sa.CheckConstraint("answer IN ('yes', 'no', 'void') AND how IN ('rule', 'analyst')"),
    sa.Index("resolutions_by_model", "model"),
    sqlite_autoincrement=True,
)
_KINDS: dict[str, type[Entry]] = {"observation": Observation, "coverage": Coverage}
_BLANK = dict.fromkeys(column.name for column in _ROWS.columns if not column.primary_key)


def _entry(row: sa.RowMapping) -> Entry:
    kind = _KINDS[row["kind"]]
    return kind(**{f.name: row[RENAMED.get(f.name, f.name)] for f in dataclasses.fields(kind)})


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


class SqlLedger(ABC):
    """The methods of `forecast.ledger.protocol.Ledger` in SQL; a backend gives it connections.

    What a backend owes: the tables of `METADATA`, guarded against change by the database itself; `reading` and
    `writing`; and `LedgerError` with a remedy for whatever its database raises.
    """

    @abstractmethod
    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection for reading; what the database raises becomes `LedgerError`."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error.

        Writers take turns, so that a ``seq`` is never seen before a lower one.
        """

    def add(self, dataset: str, entries: Sequence[Entry], *, now: dt.datetime) -> Added:
        """Record entries, all or none; an entry without an id gets `make_id`'s.

        An id whose content is as recorded is left alone, other content supersedes. ``now`` is in UTC. Raises
        `InputError` for two entries with one id and different content.
        """
        with self.writing() as connection:
            return self._add(connection, dataset, entries, now)

    def seed_once(self, dataset: str, read: Callable[[], Sequence[Entry]], *, now: dt.datetime) -> Added:
        """Record what ``read`` gives if ``dataset`` has no row at all; of several processes one does it."""
        if self.watermark(dataset):
            return Added()
        with self.writing() as connection:
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
        with self.writing() as connection:
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
        with self.reading() as connection:
            known = _fold(connection.execute(query).mappings())
        return tuple(sorted(known.values(), key=_order))

    def watermark(self, dataset: str) -> int:
        """Give the ``seq`` of the dataset's last row; 0 when it has none."""
        with self.reading() as connection:
            query = sa.select(sa.func.max(_ROWS.c.seq)).where(_ROWS.c.dataset == dataset)
            return connection.execute(query).scalar() or 0

    def log(self, dataset: str, limit: int = 20) -> tuple[LogRecord, ...]:
        """List the last ``limit`` rows written, newest first."""
        last = sa.func.max(_ROWS.c.seq).over(partition_by=_ROWS.c.id).label("last")
        query = sa.select(_ROWS, last).where(_ROWS.c.dataset == dataset).order_by(_ROWS.c.seq.desc()).limit(limit)
        with self.reading() as connection:
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
        with self.writing() as connection:
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
        with self.writing() as connection:
            current = _answers(connection, None)
            recorded: list[Resolution] = []
            for answer in answers:
                before = current.get(answer.question)
                if before is not None and (before.content == answer.content or not supersedes(answer, before)):
                    continue
                values = {f.name: getattr(answer, f.name) for f in dataclasses.fields(answer) if f.name != "seq"}
                values["recorded_at"] = _utc(answer.recorded_at)
                key = connection.execute(sa.insert(_RESOLVED).values(values)).inserted_primary_key
                current[answer.question] = dataclasses.replace(answer, seq=key[0] if key else 0)
                recorded.append(current[answer.question])
            return tuple(recorded)

    def resolutions(self, model: str | None = None) -> tuple[Resolution, ...]:
        """Give the answer in force to every question of ``model`` (of all, without one), in the order of recording."""
        with self.reading() as connection:
            found = _answers(connection, model)
        return tuple(sorted(found.values(), key=lambda row: row.seq))

    def _issued(self, query: sa.Select[Any], model: str | None) -> tuple[Issued, ...]:
        if model is not None:
            query = query.where(_ISSUED.c.model == model)
        with self.reading() as connection:
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
            connection.execute(sa.insert(_ROWS), [{**common, **columns_of(entry)} for entry in changed])
        fresh = {entry.id for entry in changed}
        return Added(
            new=tuple(key for key in given if key in fresh and key not in current),
            superseded=tuple(key for key in given if key in fresh and key in current),
            unchanged=tuple(key for key in given if key not in fresh),
        )


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


def _history(dataset: str) -> sa.Select[Any]:
    return sa.select(_ROWS).where(_ROWS.c.dataset == dataset).order_by(_ROWS.c.seq)


def _cannot_retract(row_id: str, dataset: str, rows: Sequence[sa.RowMapping]) -> InputError:
    if any(row["id"] == row_id for row in rows):
        return InputError(f"{row_id!r} in {dataset!r} is already retracted; to bring it back, add it again")
    return InputError(f"there is no row {row_id!r} in {dataset!r}; {nearest(row_id, _fold(rows))}")
