"""A ledger in a SQL database, by SQLAlchemy: everything but how a database is opened, locked and guarded."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import itertools
from bisect import bisect_right
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from forecast.base.errors import InputError, nearest_row
from forecast.ledger.chained import BATCH, ChainedStore, digest_at, head_of
from forecast.ledger.clock import utc
from forecast.ledger.doubles import notices
from forecast.ledger.issued import Added, Heading, Issue, Issued, LogRecord, Resolution, supersedes
from forecast.ledger.jobs import Jobs
from forecast.ledger.judgements import Judgements
from forecast.ledger.published import Published, packed
from forecast.ledger.rows import (
    KINDS,
    LATER,
    LONG_ID,
    RENAMED,
    Coverage,
    Observation,
    columns_of,
    first_day,
    make_id,
    with_id,
)
from forecast.ledger.tables import ISSUED, PUBLISHED, RESOLVED, ROWS
from forecast.ledger.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from forecast.ledger.chain import Link
    from forecast.ledger.rows import Entry


GRACE = dt.timedelta(days=1)  # east of Greenwich it may already be tomorrow

MOST = 20_000  # rows that a process keeps as they were read and checked; some 40 MB

_BLANK = dict.fromkeys(column.name for column in ROWS.columns if not column.primary_key)


class _Record(NamedTuple):
    """A row of evidence as it was written, with its link, and the entry that it holds; a retraction holds none."""

    row: Mapping[str, Any]
    link: Link | None
    entry: Entry | None


def _record(row: Mapping[str, Any], link: Link | None) -> _Record:
    return _Record(row, link, _entry(row) if row["action"] == "add" else None)


def _links_until(record: _Record) -> int:
    return record.link.seq if record.link else 0


@functools.cache
def _columns(kind: type[Entry]) -> dict[str, str]:
    """Name the column of each field of a kind of row."""
    return {f.name: RENAMED.get(f.name, f.name) for f in dataclasses.fields(kind)}


def _entry(row: Mapping[str, Any]) -> Entry:
    kind = KINDS[row["kind"]]
    values: dict[str, Any] = {name: row[column] for name, column in _columns(kind).items()}
    for name in LATER & values.keys():
        values[name] = values[name] or ""
    return kind(**values)


def _summary(row: Mapping[str, Any]) -> str:
    if row["action"] == "retract":
        return f"retracted: {row['reason']}"
    if row["kind"] == "coverage":
        return f"{row['indicator']} watched {row['date']} to {row['until']}, {row['source']}"
    if row["kind"] == "count":
        share = f"{row['count']:,} of {row['exposure']:,g}"
        return f"{row['channel']} {row['date']} to {row['until']}: {share}, {row['source']}"
    if row["kind"] == "delivery":
        parts = ", ".join(f"{row[name]:,} {name}" for name in ("read", "kept", "faulty", "repeated"))
        return f"{row['feed']} delivered {row['date']} to {row['until']} ({row['file']}): {parts}"
    coder = f", coded by {row['coded_by']}" if row["coded_by"] else ""
    language = f" ({row['language']})" if row["language"] else ""
    return f"{row['indicator'] or row['state']} on {row['date']}, {row['grade']}, {row['source']}{language}{coder}"


def _set_apart(entry: Entry, versions: Sequence[Entry]) -> Entry:
    """Give a row a longer id if the one that was made for it is that of another row, which has ``versions``.

    Made of six digits, that happens among thousands of rows of one day. One of the versions it may well be again.
    """
    if not versions or entry in versions or not isinstance(entry, Observation | Coverage) or entry.id != make_id(entry):
        return entry
    return dataclasses.replace(entry, id=make_id(entry, LONG_ID))


def _fold(records: Iterable[_Record]) -> dict[str, Entry]:
    """Replay rows in the order written: the last one of an id decides, and a retraction removes it."""
    known: dict[str, Entry] = {}
    for row, _, entry in records:
        if entry is not None:
            known[row["id"]] = entry
        else:
            known.pop(row["id"], None)
    return known


class _Read:
    """What was read of the evidence and checked, from its first row on."""

    records: tuple[_Record, ...] = ()


def _order(entry: Entry) -> tuple[dt.date, dt.date]:
    return first_day(entry), entry.reported_on


class SqlLedger(ChainedStore):
    """The methods of `forecast.ledger.protocol.Ledger` in SQL; a backend gives it connections (see `ChainedStore`)."""

    def __init__(self) -> None:
        """Begin with nothing read."""
        self._read = _Read()

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
            rows = connection.execute(sa.select(ROWS.c.seq).where(ROWS.c.dataset == dataset).limit(1)).first()
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
            records = list(self._history(connection, dataset))
            life: list[Mapping[str, Any]] = []  # the adds of this id since it was last retracted
            for row, *_ in records:
                if row["id"] == row_id:
                    life = [*life, row] if row["action"] == "add" else []
            if not life:
                raise _cannot_retract(row_id, dataset, records)
            since = reported_on or min(row["reported_on"] for row in life)
            common = {"dataset": dataset, "id": row_id, "action": "retract", "kind": life[-1]["kind"]}
            values = {**common, "reported_on": since, "recorded_at": utc(now), "reason": reason, **self.stamp}
            connection.execute(sa.insert(ROWS).values(values))

    def entries(self, dataset: str, *, as_of: dt.date | None = None, watermark: int | None = None) -> tuple[Entry, ...]:
        """Give the entries in force, as public on ``as_of`` and as recorded up to ``watermark``.

        They come by date, of one day in the order in which they were reported and then first recorded.
        """
        with self.reading() as connection:
            known = _fold(
                one for one in self._history(connection, dataset)
                if (as_of is None or one.row["reported_on"] <= as_of)
                and (watermark is None or one.row["seq"] <= watermark)
            )  # fmt: skip
        return tuple(sorted(known.values(), key=_order))

    def watermark(self, dataset: str) -> int:
        """Give the ``seq`` of the dataset's last row; 0 when it has none."""
        with self.reading() as connection:
            query = sa.select(sa.func.max(ROWS.c.seq)).where(ROWS.c.dataset == dataset)
            return connection.execute(query).scalar() or 0

    def log(self, dataset: str, limit: int = 20) -> tuple[LogRecord, ...]:
        """List the last ``limit`` rows written, newest first."""
        with self.reading() as connection:
            rows = [one.row for one in self._history(connection, dataset)]
        last = {row["id"]: row["seq"] for row in rows}
        corrections: set[int] = set()
        before: dict[str, str] = {}
        for row in rows:
            if row["action"] == before.get(row["id"]) == "add":
                corrections.add(row["seq"])
            before[row["id"]] = row["action"]
        return tuple(
            LogRecord(
                seq=row["seq"],
                recorded_at=dt.datetime.fromisoformat(row["recorded_at"]),
                action="correct" if row["seq"] in corrections else row["action"],
                id=row["id"],
                summary=_summary(row),
                grade=row["grade"],
                superseded=row["seq"] < last[row["id"]],
                by=row["recorded_by"] or "",
            )
            for row in rows[: -limit - 1 : -1]
        )

    def archive(self, issued: Issued) -> Issued:
        """Keep an issued forecast for good and give it back with its ``seq``."""
        with self.writing() as connection:
            self.publish(connection)
            values = _values(issued) | {"issued_at": utc(issued.issued_at)} | self.stamp
            values["packed"] = packed(values.pop("content"))
            key = connection.execute(sa.insert(ISSUED).values(values)).inserted_primary_key
            seq = key[0] if key else 0
            connection.execute(sa.insert(PUBLISHED).values(seq=seq, packed=packed(issued.published.text)))
            return dataclasses.replace(issued, seq=seq, recorded_by=self.by)

    def latest_forecast(self, model: str | None = None) -> Issued | None:
        """Give the forecast of ``model`` (of any, without one) that was issued last, or None."""
        return next(iter(self._issued(model, slice(-1, None))), None)

    def forecasts(self, model: str | None = None) -> tuple[Issued, ...]:
        """Give every issued forecast of ``model`` (of all, without one) in the order of issue."""
        return self._issued(model, slice(None))

    def forecast(self, seq: int) -> Issued | None:
        """Give the issued forecast with this number, or None."""
        with self.reading() as connection:
            for row, link in self._checked(connection, ISSUED):
                if row["seq"] == seq:
                    return self._whole(connection, row, link)
        return None

    def headings(self, model: str | None = None, since_seq: int = 0) -> tuple[Issue, ...]:
        """Give the issued forecasts of ``model`` (of all, without one) after a number, without their reports.

        The short part of a report is read when it is asked for; it is `LedgerError` then if it is not as written.
        """
        with self.reading() as connection:
            kept = self._checked(connection, PUBLISHED, long=True)
            found: list[Issue] = []
            for row, link in self._checked(connection, ISSUED):
                short = next(kept, None)
                if row["seq"] <= since_seq or model not in {None, row["model"]}:
                    continue
                if short is None:  # of an earlier version
                    found.append(self._whole(connection, row, link))
                else:
                    published = Published(functools.partial(self._text, PUBLISHED, *short))
                    found.append(Heading(**_timed(row, "issued_at"), short=published))
        return tuple(found)

    def resolve(self, answers: Iterable[Resolution]) -> tuple[Resolution, ...]:
        """Record answers, all or none, and give those that were new or changed with their ``seq``.

        An earlier answer to the same question stays and is superseded. A rule never supersedes an analyst, nor what was
        known on a later day.
        """
        with self.writing() as connection:
            current = self._answers(connection, None)
            recorded: list[Resolution] = []
            for answer in answers:
                before = current.get(answer.question)
                if before is not None and (before.content == answer.content or not supersedes(answer, before)):
                    continue
                values = _values(answer) | {"recorded_at": utc(answer.recorded_at)} | self.stamp
                key = connection.execute(sa.insert(RESOLVED).values(values)).inserted_primary_key
                seq = key[0] if key else 0
                current[answer.question] = dataclasses.replace(answer, seq=seq, recorded_by=self.by)
                recorded.append(current[answer.question])
            return tuple(recorded)

    def resolutions(self, model: str | None = None) -> tuple[Resolution, ...]:
        """Give the answer in force to every question of ``model`` (of all, without one), in the order of recording."""
        with self.reading() as connection:
            found = self._answers(connection, model)
        return tuple(sorted(found.values(), key=lambda row: row.seq))

    @property
    def judgements(self) -> Judgements:
        """Analysts' own forecasts."""
        return Judgements(self)

    @property
    def tokens(self) -> Tokens:
        """Who may do what through a service."""
        return Tokens(self)

    @property
    def jobs(self) -> Jobs:
        """Runs that were asked for."""
        return Jobs(self)

    def _issued(self, model: str | None, which: slice) -> tuple[Issued, ...]:
        """Read some of the issued forecasts of a model, each content checked against its digest."""
        found: list[Issued] = []
        with self.reading() as connection:
            rows = [row for row in self._checked(connection, ISSUED) if model in {None, row[0]["model"]}]
            for row, link in rows[which]:
                found.append(self._whole(connection, row, link))
        return tuple(found)

    def _whole(self, connection: sa.Connection, row: Mapping[str, Any], link: Link | None) -> Issued:
        content = self._long_text(connection, ISSUED, row["seq"], link)
        return Issued(**_timed(row, "issued_at"), content=content)

    def _answers(
        self, connection: sa.Connection, model: str | None
    ) -> dict[tuple[str, str, dt.date | None, dt.date], Resolution]:
        """Read the answers by question: the last one of each counts."""
        rows = (
            Resolution(**_timed(row, "recorded_at"))
            for row, _ in self._checked(connection, RESOLVED)
            if model in {None, row["model"]}
        )
        return {row.question: row for row in rows}

    def _history(self, connection: sa.Connection, dataset: str) -> Iterator[_Record]:
        return (one for one in self._records(connection) if one.row["dataset"] == dataset)

    def _records(self, connection: sa.Connection) -> Iterable[_Record]:
        """Give all rows of evidence; those that were read before, up to the end of the chain, are not read again.

        Each link covers all before it, so that one digest tells whether the rows up to there are those of this ledger.
        """
        if not self.chained:
            return itertools.starmap(_record, self._checked(connection, ROWS))
        known = self._read.records
        held = known[: bisect_right(known, head_of(connection).links, key=_links_until)]
        last = held[-1].link if held else None
        if last is not None and digest_at(connection, last.seq) != last.digest:  # of another ledger, put in its place
            known, held, last = (), (), None
        rest = itertools.starmap(_record, self._checked(connection, ROWS, after=last))
        now = (*held, *itertools.islice(rest, MOST - len(held)))
        if len(now) > len(known):
            self._read.records = now
        return itertools.chain(now, rest)

    def _add(self, connection: sa.Connection, dataset: str, entries: Sequence[Entry], now: dt.datetime) -> Added:
        recorded_at = utc(now)
        given: dict[str, Entry] = {}
        for entry in map(with_id, entries):
            if given.setdefault(entry.id, entry) != entry:
                msg = f"two rows have the id {entry.id!r} and different content; give one of them another id"
                raise InputError(msg)
        versions: dict[str, list[Entry]] = {}

        def noted() -> Iterator[_Record]:
            for one in self._history(connection, dataset):
                if one.entry is not None and one.entry.id in given:
                    versions.setdefault(one.entry.id, []).append(one.entry)
                yield one

        current = _fold(noted())
        given = {row.id: row for row in (_set_apart(row, versions.get(row.id, ())) for row in given.values())}
        changed = [entry for entry in given.values() if current.get(entry.id) != entry]
        common = {**_BLANK, "dataset": dataset, "action": "add", "recorded_at": recorded_at, **self.stamp}
        for part in batched(changed, BATCH):
            connection.execute(sa.insert(ROWS), [{**common, **columns_of(entry)} for entry in part])
        fresh = {entry.id for entry in changed}
        return Added(
            new=tuple(key for key in given if key in fresh and key not in current),
            superseded=tuple(key for key in given if key in fresh and key in current),
            unchanged=tuple(key for key in given if key not in fresh),
            notices=notices(current, changed),
        )


def _values(row: Issued | Resolution) -> dict[str, Any]:
    """Give the columns of a row whose number and writer are for the store to say."""
    own = {"seq", "recorded_by"}
    return {f.name: getattr(row, f.name) for f in dataclasses.fields(row) if f.name not in own}


def _timed(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read the moment ``name`` of a row."""
    return {**row, name: dt.datetime.fromisoformat(row[name]), "recorded_by": row["recorded_by"] or ""}


def _cannot_retract(row_id: str, dataset: str, records: Sequence[_Record]) -> InputError:
    if any(row["id"] == row_id for row, *_ in records):
        return InputError(f"{row_id!r} in {dataset!r} is already retracted; to bring it back, add it again")
    return InputError(f"there is no row {row_id!r} in {dataset!r}; {nearest_row(row_id, _fold(records))}")
