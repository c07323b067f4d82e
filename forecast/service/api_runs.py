"""Addresses of runs that are asked for, and of news as they come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from forecast.ledger import jobs
from forecast.service.answers import Events, Json, require_model
from forecast.service.api_forecasts import FAULTS, ModelPath
from forecast.service.desk import Desk
from forecast.service.people import AtDesk, Writer, may_read
from forecast.service.schemas import Job, Run

STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            Events.media_type: {
                "schema": {
                    "type": "object",
                    "description": "One event: its name, and its data, which are JSON as text.",
                    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
                }
            }
        }
    }
}
LOOK = 0.5  # seconds between two looks at a job
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


api = APIRouter(responses=FAULTS, tags=["runs"])


@api.post("/models/{model}/runs", response_model=Job, status_code=202)
def ask(desk: AtDesk, model: ModelPath, run: Run, person: Writer) -> Json:
    """Ask for a run; a worker makes it, with a fit where one is due."""
    require_model(desk, model)
    return Json(plain(desk.ask_run(model, desk.day(run.as_of), person.name)), 202)


@api.get("/jobs", dependencies=[Depends(may_read)])
def listed(desk: AtDesk, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Json:
    """List the runs that were asked for last."""
    return Json({"jobs": [plain(job) for job in desk.project.ledger.jobs.last(limit)]})


@api.get("/jobs/{number}", response_model=Job, dependencies=[Depends(may_read)])
def one(desk: AtDesk, number: Number) -> Json:
    """Say how far a run is."""
    return Json(plain(_job(desk, number)))


@api.get("/jobs/{number}/events", response_class=Events, responses=STREAM, dependencies=[Depends(may_read)])
async def events(desk: AtDesk, number: Number, request: Request) -> Events:
    """Tell of a run as server-sent events until it has ended."""
    await run_in_threadpool(_job, desk, number)

    async def tell() -> AsyncGenerator[str]:
        before = ""
        while not await request.is_disconnected():
            job = await run_in_threadpool(_job, desk, number)
            if (now := json.dumps(plain(job))) != before:
                yield f"event: job\ndata: {now}\n\n"
                before = now
            if job.state in {"done", "failed"}:
                return
            await asyncio.sleep(LOOK)

    return Events(tell())


@api.get("/events", response_class=Events, responses=STREAM, dependencies=[Depends(may_read)])
async def what_is_new(request: Request) -> Events:
    """Tell, as server-sent events, that something was recorded, issued or resolved."""
    return Events(request.app.state.news.listen(request.is_disconnected))


def _job(desk: Desk, number: int) -> jobs.Job:
    job = desk.project.ledger.jobs.get(number)
    if job is None:
        raise HTTPException(404, f"there is no job {number}")
    return job


def plain(job: jobs.Job) -> dict[str, Any]:
    """Give a job as plain JSON types."""
    hidden = {"settings", "worker", "seen_at"}
    return {key: value for key, value in asdict(job).items() if key not in hidden} | {"as_of": job.as_of.isoformat()}
