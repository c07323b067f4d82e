"""Runs that were asked for: a queue from which workers take them, and how far each is.

This is the one table of a ledger that is changed. Nothing rests on it: what a run gives is in the archive.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from forecast.ledger.clock import utc
from forecast.ledger.tables import JOBS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.ledger.chained import ChainedStore


SILENT = dt.timedelta(minutes=5)  # after which a worker that says nothing is taken for dead


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A run of ``model`` as of a day: who asked for it, and how far it is.

    ``settings`` are JSON text. Of a running one, ``stage`` says what it does, and ``done`` of ``total`` is sampled; of
    one that has ended, ``issue`` is the number of its forecast in the archive, or ``message`` why there is none.
    """

    seq: int
    model: str
    as_of: dt.date
    state: Literal["queued", "running", "done", "failed"]
    settings: str
    asked_by: str
    asked_at: str
    worker: str | None
    started_at: str | None
    seen_at: str | None
    ended_at: str | None
    stage: str | None
    message: str | None
    done: int | None
    total: int | None
    issue: int | None


class Jobs:
    """The queue of a ledger; several workers never take the same job."""

    def __init__(self, store: ChainedStore) -> None:
        """Read and write through a store."""
        self._store = store

    def ask(self, model: str, as_of: dt.date, settings: str, now: dt.datetime) -> Job:
        """Put a run on the queue; one that asks the same and has not begun stands for it."""
        asked = {"model": model, "as_of": as_of, "settings": settings, "state": "queued"}
        with self._store.working(alone=True) as connection:
            same = sa.select(JOBS.c.seq).where(*(JOBS.c[name] == value for name, value in asked.items()))
            seq = connection.execute(same.order_by(JOBS.c.seq).limit(1)).scalar()
            if seq is None:
                values = asked | {"asked_by": self._store.by, "asked_at": utc(now)}
                key = connection.execute(sa.insert(JOBS).values(values)).inserted_primary_key
                seq = key[0] if key else 0
            return _job(connection, seq)

    def take(self, worker: str, now: dt.datetime) -> Job | None:
        """Give a worker the job that has waited longest, or one whose worker is dead; None if there is none."""
        dead = sa.and_(JOBS.c.state == "running", JOBS.c.seen_at < utc(now - SILENT))
        waiting = sa.select(JOBS.c.seq).where(sa.or_(JOBS.c.state == "queued", dead))
        with self._store.working() as connection:
            seq = connection.execute(waiting.order_by(JOBS.c.seq).limit(1).with_for_update(skip_locked=True)).scalar()
            if seq is None:
                return None
            moment = utc(now)
            values = {"state": "running", "worker": worker, "started_at": moment, "seen_at": moment}
            connection.execute(sa.update(JOBS).where(JOBS.c.seq == seq).values(values))
            return _job(connection, seq)

    def tell(
        self, job: Job, now: dt.datetime, *, stage: str | None = None, done: int | None = None, total: int | None = None
    ) -> None:
        """Note that a job is alive, and how far it is; nothing is noted of one that another worker has taken since."""
        far = {"stage": stage, "done": done, "total": total} if stage else {}
        self._change(job, {**far, "seen_at": utc(now)})

    def end(self, job: Job, now: dt.datetime, *, issue: int | None = None, message: str | None = None) -> None:
        """Note that a job has ended: with the forecast ``issue``, or without one and why."""
        state = "failed" if issue is None else "done"
        self._change(job, {"state": state, "issue": issue, "message": message, "ended_at": utc(now)})

    def _change(self, job: Job, values: Mapping[str, object]) -> None:
        with self._store.working() as connection:
            own = (JOBS.c.seq == job.seq, JOBS.c.worker == job.worker, JOBS.c.started_at == job.started_at)
            connection.execute(sa.update(JOBS).where(*own, JOBS.c.state == "running").values(dict(values)))

    def get(self, seq: int) -> Job | None:
        """Give a job by its number; None if there is none."""
        with self._store.reading() as connection:
            row = connection.execute(sa.select(JOBS).where(JOBS.c.seq == seq)).mappings().first()
            return None if row is None else Job(**row)

    def last(self, limit: int = 20) -> tuple[Job, ...]:
        """List the jobs asked for last, newest first."""
        with self._store.reading() as connection:
            rows = connection.execute(sa.select(JOBS).order_by(JOBS.c.seq.desc()).limit(limit)).mappings()
            return tuple(Job(**row) for row in rows)


def _job(connection: sa.Connection, seq: int) -> Job:
    return Job(**connection.execute(sa.select(JOBS).where(JOBS.c.seq == seq)).mappings().one())
