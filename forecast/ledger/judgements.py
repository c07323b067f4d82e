"""Analysts' own forecasts: probabilities of questions that issued forecasts ask, recorded beside the model's."""

from __future__ import annotations

import dataclasses
import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from forecast.base.errors import InputError
from forecast.ledger.clock import utc
from forecast.ledger.tables import JUDGED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.ledger.chained import ChainedStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What an ``analyst`` says of a question: the ``probability`` that its answer is yes.

    The question is that of a `forecast.ledger.issued.Resolution`. It is ``blind`` if the analyst was not shown what the
    model says, nor had judged the question before. ``seq`` is 0 until it is recorded.
    """

    seq: int = 0
    analyst: str
    model: str
    outcome: str
    since: dt.date | None = None
    date: dt.date
    probability: float
    blind: bool
    note: str = ""
    recorded_at: dt.datetime
    recorded_by: str = ""

    @property
    def question(self) -> tuple[str, str, dt.date | None, dt.date]:
        """What is judged: model, outcome, since, date."""
        return self.model, self.outcome, self.since, self.date


class Judgements:
    """The judgements of a ledger; a later one of the same analyst and question revises, and all stay."""

    def __init__(self, store: ChainedStore) -> None:
        """Read and write through a store."""
        self._store = store

    def add(self, judgement: Judgement) -> Judgement:
        """Record a judgement and give it back with its ``seq``; `InputError` if it has no analyst or no probability."""
        if not judgement.analyst.strip():
            msg = "a judgement needs an analyst; say whose it is"
            raise InputError(msg)
        if not 0 <= judgement.probability <= 1:
            msg = f"the probability {judgement.probability} is none; give a number from 0 to 1"
            raise InputError(msg)
        own = {"seq", "recorded_by", "note"}
        values = {f.name: getattr(judgement, f.name) for f in dataclasses.fields(judgement) if f.name not in own}
        values |= {"recorded_at": utc(judgement.recorded_at), "note": judgement.note or None} | self._store.stamp
        with self._store.writing() as connection:
            key = connection.execute(sa.insert(JUDGED).values(values)).inserted_primary_key
        return dataclasses.replace(judgement, seq=key[0] if key else 0, recorded_by=self._store.by)

    def every(self, model: str | None = None) -> tuple[Judgement, ...]:
        """Give all judgements of a model (of all, without one), in the order of recording."""
        with self._store.reading() as connection:
            rows = self._store.checked(connection, JUDGED)
            return tuple(_judgement(row) for row in rows if model in {None, row["model"]})


def _judgement(row: Mapping[str, Any]) -> Judgement:
    texts = {name: row[name] or "" for name in ("note", "recorded_by")}
    values: dict[str, Any] = {**row, **texts, "recorded_at": dt.datetime.fromisoformat(row["recorded_at"])}
    return Judgement(**values)
