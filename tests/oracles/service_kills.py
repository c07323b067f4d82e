"""A service as a process of its own that can be killed, and clients that write to it all the while."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

import httpx
from forking import SESSION, forked
from places import TESTS
from projects import environment
from service_scenes import MODEL, NOW, ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = 300  # seconds within which a service has to be there: its kernels may have to be compiled first


class Server:
    """A service before a project; always at the same port, once it has one."""

    def __init__(self, root: Path, **variables: str) -> None:
        """Start it, and wait until it answers."""
        self.root = root
        self.address = ""
        self._variables = variables
        self.start()

    def start(self) -> None:
        """Start it, again at its port, and wait until it answers."""
        paths = [str(place) for place in (TESTS.parent, TESTS, TESTS / "oracles", TESTS / "ledger")]
        program = f"import sys; sys.path[:0] = {paths}; import service_kills; service_kills.main()"
        port = self.address.rpartition(":")[2] or "0"
        ours, theirs = os.pipe()
        with (self.root / "service.log").open("ab") as log:
            self.process = forked(
                [sys.executable, "-c", program, str(self.root), port], cwd=self.root, stdout=theirs,
                stderr=log.fileno(), env=environment(**self._variables),
            )  # fmt: skip
        os.close(theirs)
        self._said = os.fdopen(ours, encoding="utf-8")
        line = self._said.readline()
        assert line.startswith("http"), (self.root / "service.log").read_text()[-2000:]
        self.address = line.strip().rstrip("/")

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.process.wait(READY)
        self._said.close()

    def __enter__(self) -> Self:
        """Give it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Kill it."""
        self.kill()


class Clients:
    """Clients that record rows, each with a source of its own, until all are told to stop.

    ``done`` are the sources of rows that were acknowledged, in no order; ``refused`` are the answers of another kind;
    ``cut`` says of each request that had no answer why.
    """

    def __init__(self, server: Server, token: str, count: int) -> None:
        """Write to a server, ``count`` clients at once."""
        self._server = server
        self._headers = {"authorization": f"Bearer {token}"}
        self._stop = threading.Event()
        self._count = count
        self._lost = False
        self.done: list[str] = []
        self.sent: set[str] = set()
        self.cut: list[str] = []
        self.refused: list[tuple[int, str | None, str]] = []

    @contextmanager
    def writing(self) -> Iterator[Self]:
        """Write while the block runs; each row that was sent is acknowledged in the end."""
        threads = [threading.Thread(target=self._write, args=(k,)) for k in range(self._count)]
        for one in threads:
            one.start()
        try:
            yield self
        except BaseException:
            self._lost = True
            raise
        finally:
            self._stop.set()
            for one in threads:
                one.join()

    def wait(self, more: int) -> None:
        """Wait until so many more rows are acknowledged."""
        until, wanted = time.monotonic() + READY, len(self.done) + more
        while len(self.done) < wanted:
            assert time.monotonic() < until, f"nothing was acknowledged for {READY} s: {self.refused[-3:]}"
            time.sleep(0.01)

    def _write(self, client: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            source = f"client {client}, row {number}"
            self.sent.add(source)
            row = ROW | {"source": source, "story": "the march", "date": f"2025-01-{9 + number % 6:02}"}
            while not self._written(row):
                if self._lost:
                    return
                time.sleep(0.05)
            self.done.append(source)

    def _written(self, row: dict[str, str]) -> bool:
        try:
            answer = httpx.post(
                f"{self._server.address}{MODEL}/observations", json=row, headers=self._headers, timeout=READY
            )
        except httpx.TransportError as error:
            self.cut.append(repr(error))  # whether it was written nobody knows, so it is sent again
            return False
        if answer.status_code != 201:
            self.refused.append((answer.status_code, answer.headers.get("retry-after"), answer.text[:300]))
        return answer.status_code == 201


def ready(address: str) -> httpx.Response | None:
    """Ask a service whether it is ready; None if nothing answers."""
    with suppress(httpx.TransportError):
        return httpx.get(f"{address}/api/v1/ready", timeout=READY)
    return None


def main() -> None:
    """Serve the project that the arguments name as `forecast serve` does, on a day of its own."""
    from forecast.service.app import Door, serve  # noqa: PLC0415 - slow to import

    faulthandler.register(signal.SIGUSR1)  # where each thread is, for whoever looks why a service stands still
    root, port = Path(sys.argv[1]), int(sys.argv[2])

    def follow() -> None:
        session = int(os.environ[SESSION])
        with suppress(ProcessLookupError):
            while True:
                os.kill(session, 0)
                time.sleep(0.5)
        os._exit(1)  # the tests were killed

    threading.Thread(target=follow, daemon=True).start()

    def say(address: str) -> None:
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()

    serve(root, lambda: NOW, Door(port=port), on_ready=say)
