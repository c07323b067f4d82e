"""Addresses of the evidence: rows in force, the log, feeds; rows to record, correct and withdraw."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from forecast import ledger
from forecast.base.errors import InputError, read_date
from forecast.ledger.issued import Added, LogRecord
from forecast.ledger.rows import Entry
from forecast.quantities.estimate import Change, text_or_none
from forecast.service.answers import Json, require_model, standing_of, told
from forecast.service.api_forecasts import FAULTS, AsOf, ModelPath
from forecast.service.desk import Desk, Standing
from forecast.service.people import AtDesk, Writer, may_read
from forecast.service.schemas import Recorded, Retraction, Row

RowId = Annotated[str, Path(max_length=200)]


api = APIRouter(responses=FAULTS, tags=["evidence"])


@api.get("/models/{model}/observations", dependencies=[Depends(may_read)])
def observations(
    desk: AtDesk, model: ModelPath, as_of: AsOf = None, limit: Annotated[int, Query(ge=1, le=5000)] = 500
) -> Json:
    """List the rows in force, as public on a day, the newest first."""
    require_model(desk, model)
    rows = desk.entries(model, desk.day(as_of))
    return Json({"rows": [plain(row) for row in rows[: -limit - 1 : -1]], "in_all": len(rows)})


@api.post("/models/{model}/observations", response_model=Recorded, status_code=201)
def observe(desk: AtDesk, model: ModelPath, row: Row, person: Writer) -> Json:
    """Record a sighting, or that somebody looked; says at once how the forecast of today moves."""
    return record(desk, model, row, person.name)


@api.post("/models/{model}/observations/{row_id}/correction", response_model=Recorded, status_code=201)
def correct(desk: AtDesk, model: ModelPath, row_id: RowId, row: Row, person: Writer) -> Json:
    """Record the row as it should have been; what was written stays on record."""
    return record(desk, model, row, person.name, row_id)


@api.post("/models/{model}/observations/{row_id}/retraction", response_model=Recorded, status_code=201)
def retract(desk: AtDesk, model: ModelPath, row_id: RowId, why: Retraction, person: Writer) -> Json:
    """Withdraw a row: as if it had never been, or from a day on."""
    return withdraw(desk, model, row_id, why, person.name)


@api.get("/models/{model}/log", dependencies=[Depends(may_read)])
def log(desk: AtDesk, model: ModelPath, limit: Annotated[int, Query(ge=1, le=500)] = 20) -> Json:
    """List what was written last, newest first, and by whom."""
    require_model(desk, model)
    rows = log_of(desk, model, limit)
    return Json({"rows": [{**asdict(row), "recorded_at": row.recorded_at.isoformat()} for row in rows]})


@api.get("/models/{model}/feeds", dependencies=[Depends(may_read)])
def feeds(desk: AtDesk, model: ModelPath) -> Json:
    """Say how old each feed is."""
    require_model(desk, model)
    return Json({"feeds": feeds_of(desk, model)})


def log_of(desk: Desk, model: str, limit: int) -> tuple[LogRecord, ...]:
    """List what was written last."""
    return desk.project.ledger.log(desk.project.model(model).spec.model.dataset, limit)


def feeds_of(desk: Desk, model: str) -> list[dict[str, Any]]:
    """Say how old each feed of a model is, or what is wrong with it."""
    found = desk.project.feeds(desk.project.model(model), now=desk.clock())
    faults = [{"fault": told(fault, desk.root)} for fault in found.faults()]
    try:
        ages = found.ages()
    except InputError:
        return faults
    return [
        *(
            asdict(one) | {"last": text_or_none(one.last), "dead": one.dead, "sentence": one.sentences[0]}
            for one in ages
        ),
        *faults,
    ]


def plain(row: Entry) -> dict[str, Any]:
    """Give a row as plain JSON types, by the names of its columns in a file."""
    return {"kind": ledger.kind_of(row), **{name: str(value) for name, value in ledger.cells_of(row).items()}}


def record(desk: Desk, model: str, row: Row, by: str, row_id: str = "") -> Json:
    """Record a row, and say how the forecast of today moves."""
    before = standing_of(desk, model, None)
    added = desk.dataset(before.model, by).observe(row.cells(**({"id": row_id} if row_id else {})), row.kind)
    return recorded(desk, before, added)


def withdraw(desk: Desk, model: str, row_id: str, why: Retraction, by: str) -> Json:
    """Withdraw a row, and say how the forecast of today moves."""
    before = standing_of(desk, model, None)
    dataset = desk.dataset(before.model, by)
    if not any(row.id == row_id for row in dataset.entries()):
        raise HTTPException(404, f"no row {row_id[:80]!r} is in force")
    since = read_date(why.reported_on, "reported_on") if why.reported_on else None
    dataset.ledger.retract(dataset.name, row_id, reason=why.reason, now=dataset.now, reported_on=since)
    return recorded(desk, before, None)


def recorded(desk: Desk, before: Standing, added: Added | None) -> Json:
    """Say what became of rows, and how the forecast has moved."""
    after, changes = desk.moved(before)
    said = added._asdict() if added else {"new": (), "superseded": (), "unchanged": (), "notices": ()}
    return Json({"rests_on": after.stamp, **said, "moved": moves(changes)}, 201)


def moves(changes: Iterable[Change]) -> list[dict[str, Any]]:
    """Give the changes that are more than rounding, as plain JSON types."""
    return [{**asdict(row), "date": text_or_none(row.date)} for row in changes if row.before != row.after]
