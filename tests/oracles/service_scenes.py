"""Services before a project: asked in this process, and on a free port."""

from __future__ import annotations

import datetime as dt
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import uvicorn
from starlette.testclient import TestClient

from forecast.service.app import Door, application
from forecast.service.desk import Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette

    from forecast.ledger.tokens import Scope

NOW = dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC)
MODEL = "/api/v1/models/tiny"
ROW = {"indicator": "march", "date": "2025-01-13", "source": "Press", "grade": "B2"}


class Served(NamedTuple):
    """A service with its desk and a client; `tokens` make headers."""

    desk: Desk
    client: TestClient

    def token(self, scope: Scope, person: str = "Ada") -> str:
        """Make a token."""
        return self.desk.project.ledger.tokens.make(person, scope, NOW)[1]

    def bearer(self, scope: Scope, person: str = "Ada") -> dict[str, str]:
        """Give the header that shows a new token."""
        return {"authorization": f"Bearer {self.token(scope, person)}"}


def served(root: Path, door: Door | None = None) -> Served:
    """Serve a project in this process."""
    desk = Desk(root, lambda: NOW)
    return Served(desk, TestClient(application(desk, door or Door()), base_url="http://127.0.0.1:8000"))


@contextmanager
def listening(desk: Desk, door: Door | None = None) -> Iterator[str]:
    """Serve a desk on a free port, and give its address."""
    with at_a_port(lambda _: application(desk, door or Door())) as address:
        yield address


@contextmanager
def at_a_port(made: Callable[[int], Starlette]) -> Iterator[str]:
    """Serve what is ``made`` for a free port of this machine, and give its address."""
    with socket.create_server(("127.0.0.1", 0)) as place:
        port = place.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(made(port), log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            assert not thread.is_alive()
