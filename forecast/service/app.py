"""The service put together: addresses under limits, who may ask them, and a server with its worker."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, override

import uvicorn
from fastapi import FastAPI, HTTPException

from forecast.base.errors import ForecastError, InputError
from forecast.service import api_evidence, api_forecasts, api_judgements, api_runs, telemetry
from forecast.service.answers import Json, tell_errors, told
from forecast.service.desk import Desk
from forecast.service.limits import Limits
from forecast.service.news import News
from forecast.service.page import Page, routes
from forecast.service.people import LOOPBACK, Gate, Proxy
from forecast.service.schemas import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


ROOT = "/api/v1"
ABOUT = (
    "Forecasts of a project, what moves them, and the evidence they rest on. Every answer says what it rests on. "
    "No fit is made in a request: ask for a run, and follow its job."
)


@dataclass(frozen=True)
class Door:
    """How a service is reached: its address, whether it is ``open`` to readers without a token, and a proxy before it.

    By default it is open where nobody but this machine can reach it.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    proxy: Proxy | None = None

    @property
    def open(self) -> bool:
        """Whether whoever asks may read without a token."""
        return self.host in LOOPBACK and self.proxy is None


def application(desk: Desk, door: Door) -> FastAPI:
    """Give the application that answers for a desk, and tells its telemetry."""
    app = FastAPI(
        title="scenario-cascade", version="1", description=ABOUT, openapi_url=f"{ROOT}/openapi.json",
        docs_url=None, redoc_url=None, default_response_class=Json, telemetry=telemetry.OWN,
    )  # fmt: skip
    app.state.desk, app.state.gate = desk, Gate(desk, open_=door.open, proxy=door.proxy)
    app.state.page, app.state.news = Page(desk, app.state.gate), News(desk)

    @app.get(f"{ROOT}/health", tags=["health"])
    def health() -> Json:
        """Say that the service is there."""
        return Json({"status": "ok"})

    @app.get(
        f"{ROOT}/ready", tags=["health"], responses={503: {"description": "The ledger cannot be used", "model": Fault}}
    )
    def ready() -> Json:
        """Say whether the ledger can be read, and how far it is."""
        try:
            return Json({"status": "ready", "links": desk.head().links})
        except ForecastError as error:
            raise HTTPException(503, told(error, desk.root), {"retry-after": "5"}) from error

    for part in (api_forecasts, api_evidence, api_runs, api_judgements):
        app.include_router(part.api, prefix=ROOT)
    app.include_router(routes)
    app.add_middleware(Limits)
    if desk.telemetry.on:
        app.add_middleware(desk.telemetry.requests, root=ROOT)
        desk.telemetry.watch(desk.seen)
    tell_errors(app, desk.root)
    return app


def serve(root: Path, clock: Callable[[], dt.datetime], door: Door, *, on_ready: Callable[[str], object]) -> None:
    """Serve a project until a signal says to stop; ``on_ready`` is told the address.

    Raises
    ------
    InputError
        If the project cannot be read, or the address is taken.

    """
    desk = Desk(root, clock, telemetry.begin())
    desk.head()
    warming = threading.Thread(target=_warm, args=(desk,), daemon=True)
    warming.start()
    settings = uvicorn.Config(
        application(desk, door), host=door.host, port=door.port, log_level="warning", server_header=False,
        proxy_headers=False, timeout_keep_alive=30, h11_max_incomplete_event_size=64 * 1024, limit_concurrency=1000,
        timeout_graceful_shutdown=5,
    )  # fmt: skip
    server = _Server(settings)
    try:
        socket = settings.bind_socket()
    except SystemExit:
        msg = f"{door.host}:{door.port} cannot be listened on; choose another --port or --host"
        raise InputError(msg) from None
    socket.listen(settings.backlog)  # before anybody is told of it
    host, port = socket.getsockname()[:2]
    on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    server.run(sockets=[socket])
    desk.telemetry.close()
    if warming.is_alive():  # in compiled code, which must not find an interpreter that is half gone
        os._exit(0)


class _Server(uvicorn.Server):
    """A server that signals end and nothing else: by itself it would pass them on when it is done."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        def stop(*_: object) -> None:
            self.should_exit = True

        before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)


def _warm(desk: Desk) -> None:
    """Make the present forecast of the project's own model, so that the first who asks need not wait for it."""
    with contextlib.suppress(ForecastError):
        desk.standing(None, desk.today())
