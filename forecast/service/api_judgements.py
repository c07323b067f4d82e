"""Addresses of analysts' own forecasts: what can be judged, without what the model says of it, and how they fared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from forecast.service.answers import Json, require_model
from forecast.service.api_forecasts import FAULTS, ModelPath
from forecast.service.people import AtDesk, Writer, may_read
from forecast.service.schemas import Judgement

api = APIRouter(responses=FAULTS, tags=["judgements"])


@api.get("/models/{model}/questions")
def questions(
    desk: AtDesk, model: ModelPath, person: Writer, *, every: Annotated[bool, Query(alias="all")] = False
) -> Json:
    """List the questions that can be judged, with your own judgements and nobody else's numbers."""
    require_model(desk, model)
    found = desk.project.judgements.questions(model, analyst=person.name, now=desk.clock(), every=every)
    return Json(found.to_dict())


@api.post("/models/{model}/judgements", status_code=201)
def judge(desk: AtDesk, model: ModelPath, judgement: Judgement, person: Writer) -> Json:
    """Record your probability of a question, and only then see the model's number and the pool."""
    require_model(desk, model)
    found = desk.judgements(person.name).judge(
        judgement.outcome, probability=judgement.probability, analyst=person.name, now=desk.clock(),
        date=judgement.date, since=judgement.since, seen=judgement.seen, note=judgement.note, model=model,
    )  # fmt: skip
    return Json(found.to_dict(), 201)


@api.get("/models/{model}/judgements/scores", dependencies=[Depends(may_read)])
def scores(desk: AtDesk, model: ModelPath) -> Json:
    """Score analysts and their pools on resolved questions, beside what the model said at the same time."""
    require_model(desk, model)
    return Json(desk.project.judgements.score(model).to_dict())
