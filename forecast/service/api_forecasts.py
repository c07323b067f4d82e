"""Addresses that only read: models, present forecasts and questions to them, the archive and its scores."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query

from forecast import quantities, theory
from forecast.answers.forecast import LiveForecast
from forecast.base.errors import InputError
from forecast.ledger.issued import Issue
from forecast.service.answers import Json, answered, require_model, standing_of, told
from forecast.service.desk import Desk, Standing
from forecast.service.people import AtDesk, may_read
from forecast.service.schemas import Answer, Day, Do, Fault, ForecastAnswer, SupposedAnswer, WhatIf

ModelPath = Annotated[str, Path(max_length=120)]
AsOf = Annotated[Day | None, Query(description="Day of the forecast; today by default.")]
Outcome = Annotated[str, Query(max_length=120)]
Weeks = Annotated[int | None, Query(ge=1, le=1000, description="One of the model's horizons; the longest by default.")]
Ahead = Annotated[int | None, Query(ge=1, le=1000, description="Weeks through which somebody watches.")]
_FAULT = {"application/json": {"schema": Fault.model_json_schema()}}
FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"description": text, "content": _FAULT}
    for code, text in {
        400: "A body that cannot be read", 401: "No token, or one that is not good",
        403: "A token of a smaller scope", 404: "Nothing of this name", 409: "The numbers cannot be trusted",
        413: "Too long", 422: "Bad input, in words", 429: "Too many requests",
        503: "Busy, or the ledger cannot be used",
    }.items()
}  # fmt: skip


api = APIRouter(dependencies=[Depends(may_read)], responses=FAULTS, tags=["forecasts"])


@api.get("/models")
def models(desk: AtDesk) -> Json:
    """List the models with their outcomes, horizons and stages."""
    return Json({"models": [_model(desk, name) for name in desk.project.model_names]})


@api.get("/models/{model}/forecast", response_model=ForecastAnswer)
def forecast(desk: AtDesk, model: ModelPath, as_of: AsOf = None) -> Json:
    """Give the present forecast, from all that is recorded; no fit is made for it."""
    standing = standing_of(desk, model, as_of)
    return answered(standing, standing.forecast.to_dict())


@api.post("/models/{model}/what-if", response_model=SupposedAnswer)
def what_if(desk: AtDesk, model: ModelPath, asked: WhatIf, as_of: AsOf = None) -> Json:
    """Give the forecast beside the same one if something were seen, or not seen."""
    if not asked.seen and not asked.not_seen:
        raise HTTPException(422, "suppose something: give seen or not_seen")
    standing = standing_of(desk, model, as_of)
    found = desk.answer(
        standing, "what_if", asked.model_dump_json(),
        ask=lambda of: of.what_if(*asked.seen, on=asked.on, not_seen=asked.not_seen, grade=asked.grade).to_dict(),
    )  # fmt: skip
    return answered(standing, found)


@api.post("/models/{model}/do", response_model=SupposedAnswer)
def do(desk: AtDesk, model: ModelPath, asked: Do, as_of: AsOf = None) -> Json:
    """Give the forecast beside the same one if stages were made to be in a state."""
    standing = standing_of(desk, model, as_of)
    found = desk.answer(
        standing, "do", asked.model_dump_json(),
        ask=lambda of: of.do(asked.states, on=asked.on, hold=asked.hold).to_dict(),
    )  # fmt: skip
    return answered(standing, found)


@api.get("/models/{model}/drivers", response_model=Answer)
def drivers(
    desk: AtDesk, model: ModelPath, outcome: Outcome, weeks: Weeks = None,
    since: Annotated[str, Query(max_length=10)] = "last", as_of: AsOf = None,
) -> Json:  # fmt: skip
    """Say what moved a probability since a day, or since the forecast issued last."""
    standing = standing_of(desk, model, as_of)
    found = desk.answer(
        standing, "drivers", outcome, weeks, since, long=True,
        ask=lambda of: of.drivers(outcome, weeks=weeks, since=since).to_dict(),
    )  # fmt: skip
    return answered(standing, found)


@api.get("/models/{model}/watch", response_model=Answer)
def watch(
    desk: AtDesk, model: ModelPath, outcome: Outcome, weeks: Weeks = None, ahead: Ahead = None, as_of: AsOf = None
) -> Json:
    """Rank indicators, and the next counts of channels, by what they would teach about an outcome."""
    standing = standing_of(desk, model, as_of)
    return answered(standing, watch_of(desk, standing, outcome, weeks, ahead))


@api.get("/models/{model}/matrix", response_model=Answer)
def matrix(desk: AtDesk, model: ModelPath, outcome: Outcome, weeks: Weeks = None, as_of: AsOf = None) -> Json:
    """Say how many times likelier each story, and each sighting to come, is under each state of its stage."""
    standing = standing_of(desk, model, as_of)
    return answered(standing, matrix_of(desk, standing, outcome, weeks))


@api.get("/models/{model}/path", response_model=Answer)
def path(desk: AtDesk, model: ModelPath, as_of: AsOf = None) -> Json:
    """Give the states at the end of each week, in the light of all that is known now."""
    standing = standing_of(desk, model, as_of)
    return answered(standing, desk.answer(standing, "path", ask=_past, long=True))


@api.get("/models/{model}/indicators")
def indicators(
    desk: AtDesk, model: ModelPath, words: Annotated[str, Query(max_length=200)] = "",
    stage: Annotated[str, Query(max_length=80)] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 20,
) -> Json:  # fmt: skip
    """Find indicators by words of their labels and signs."""
    require_model(desk, model)
    return Json({"indicators": find_indicators(desk, model, words, stage, limit)})


# What was issued.


@api.get("/models/{model}/issues")
def issues(desk: AtDesk, model: ModelPath) -> Json:
    """List every issued forecast, the newest first."""
    require_model(desk, model)
    return Json({"issues": [_heading(row) for row in reversed(desk.project.ledger.headings(model))]})


@api.get("/models/{model}/issues/{number}")
def issue(
    desk: AtDesk, model: ModelPath, number: Annotated[str, Path(pattern=r"^(latest|[1-9]\d{0,8})$")], as_of: AsOf = None
) -> Json:
    """Give the whole report of an issued forecast by its number, or of the `latest` (as of a day)."""
    require_model(desk, model)
    found = desk.project.ledger.headings(model)
    if as_of:
        found = tuple(row for row in found if row.as_of == desk.day(as_of))
    row = next((one for one in reversed(found) if number in {"latest", str(one.seq)}), None)
    if row is None:
        raise HTTPException(404, "no such forecast has been issued")
    return Json({**_heading(row), "report": desk.project.track_record.whole(row)})


@api.get("/models/{model}/scores")
def scores(desk: AtDesk, model: ModelPath) -> Json:
    """Score every probability that was issued and whose question is resolved."""
    require_model(desk, model)
    return Json(desk.project.score(model).to_dict())


def watch_of(
    desk: Desk, standing: Standing, outcome: str, weeks: int | None = None, ahead: int | None = None
) -> dict[str, Any]:
    """Give the watch-list of a present forecast."""
    return desk.answer(
        standing, "watch", outcome, weeks, ahead, long=True,
        ask=lambda of: of.watch(outcome, weeks=weeks, ahead=ahead).to_dict(),
    )  # fmt: skip


def matrix_of(desk: Desk, standing: Standing, outcome: str, weeks: int | None = None) -> dict[str, Any]:
    """Give the matrix of a present forecast."""
    return desk.answer(
        standing, "matrix", outcome, weeks, long=True, ask=lambda of: of.matrix(outcome, weeks=weeks).to_dict()
    )


def _past(of: LiveForecast) -> dict[str, Any]:
    found = of.posterior
    return quantities.week_path(found.space, found.evidence, found.anchor.blocks, found.weights.values).to_dict()


def _model(desk: Desk, name: str) -> dict[str, Any]:
    try:
        spec = desk.project.model(name).spec
    except InputError as error:
        return {"name": name, "faulty": told(error, desk.root).partition("\n")[0]}
    return {
        "name": name,
        "title": spec.model.title,
        "hash": spec.hash,
        "outcomes": {key: row.label for key, row in spec.outcomes.items()},
        "stages": {key: {"label": row.label, "states": list(row.states)} for key, row in spec.stages.items()},
        "horizons_weeks": list(spec.model.horizons_weeks),
    }


def find_indicators(desk: Desk, model: str, words: str, stage: str, limit: int) -> list[dict[str, Any]]:
    """Find indicators by words, or list those of a stage; at most ``limit``."""
    spec = desk.project.model(model).spec
    keys = theory.find_indicators(spec, words, stage or None, None)[:limit]
    return [
        {
            "key": key, "label": spec.indicators[key].label, "stage": spec.indicators[key].stage,
            "points_to": list(spec.indicators[key].points_to),
            "signs": [sign.what for sign in spec.indicators[key].signs],
        }
        for key in keys
    ]  # fmt: skip


def _heading(row: Issue) -> dict[str, Any]:
    heading = {one.name: getattr(row, one.name) for one in fields(Issue)}
    return heading | {"as_of": row.as_of.isoformat(), "issued_at": row.issued_at.isoformat()}
