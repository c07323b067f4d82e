"""Whatever is sent, the service answers in words and stays up: 10,000 requests that are made up, and plain garbage."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from hostile_requests import GARBAGE, answered, made_up
from service_scenes import listening, served
from year import issued_tiny

from forecast.service import limits

if TYPE_CHECKING:
    from service_scenes import Served

SECONDS = 60  # by the clock, on a machine that others use, for one request
SEED = 20260108


@pytest.fixture
def free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Serve a copy without a limit of requests in a second."""
    monkeypatch.setattr(limits, "BURST", 1e9)
    return served(Path(shutil.copytree(issued_tiny(), tmp_path / "project")))


def _fuzz(team: Served, count: int, seed: int = SEED) -> tuple[list[str], dict[int, int]]:
    """Send requests that are made up; gives what went wrong, and how often each status was answered."""
    tokens = [team.token(scope) for scope in ("read", "write", "write", "admin")]
    found: list[str] = []
    counts: dict[int, int] = {}

    async def send() -> None:
        for number in range(count):
            sent = made_up(random.Random(f"{seed} {number}"), tokens)  # noqa: S311
            began = time.monotonic()
            try:
                got = await answered(team.client.app, sent)
            except Exception as error:  # noqa: BLE001 - all of them are what is looked for
                found.append(f"{number} {sent.method} {sent.path[:80]!r}: {type(error).__name__}: {str(error)[:200]}")
                continue
            counts[got.status] = counts.get(got.status, 0) + 1
            wrong = []
            if got.status >= 500 or not got.status:
                wrong.append(f"status {got.status}")
            if b"application/json" in got.headers.get(b"content-type", b"") and got.body:
                try:
                    json.loads(got.body.decode("ascii"))
                except ValueError:
                    wrong.append("no JSON")
            if got.status and b"x-content-type-options" not in got.headers:
                wrong.append("no guard")
            if str(team.desk.root).encode() in got.body or b"Traceback" in got.body:
                wrong.append("tells of this machine")
            if time.monotonic() - began > SECONDS:
                wrong.append(f"took {time.monotonic() - began:.0f} s")
            found.extend(f"{number} {sent.method} {sent.path[:80]!r}: {one}: {got.body[:200]!r}" for one in wrong)

    asyncio.run(send())
    return found, counts


def test_some_requests_that_are_made_up_are_answered(free: Served) -> None:
    """None of 300 is a fault of ours; some are done, and some refused."""
    found, counts = _fuzz(free, 300)
    assert found == []
    assert {200, 201, 401, 404, 405, 422} <= set(counts), counts
    assert free.desk.project.ledger.verify() == ()


@pytest.mark.slow
def test_ten_thousand_requests_that_are_made_up_are_answered(free: Served) -> None:
    """As above, of 10,000."""
    found, counts = _fuzz(free, 10_000, SEED + 1)
    assert found == []
    assert min(counts.get(status, 0) for status in (200, 201, 401, 403, 404, 405, 413, 422)) > 10, counts
    assert free.desk.project.ledger.verify() == ()


def _connected(address: str) -> socket.socket:
    place = urlsplit(address)
    found = socket.create_connection((place.hostname, place.port), 10)
    found.settimeout(0.3)
    return found


def test_garbage_keeps_nobody_from_an_answer(free: Served) -> None:
    """Half requests that stay open, headers without end, chunks that lie: another one is answered meanwhile."""
    with listening(free.desk) as address, contextlib.ExitStack() as held:
        slow = [held.enter_context(contextlib.closing(_connected(address))) for _ in range(100)]
        for one in slow:
            one.sendall(b"GET /api/v1/health HTTP/1.1\r\nX: ")
        for garbage in GARBAGE:
            with contextlib.closing(_connected(address)) as one, contextlib.suppress(OSError):
                one.sendall(garbage)
                said = one.recv(1000)
                assert not said or said.startswith(b"HTTP/1.1 "), (garbage[:60], said)
                assert not said.startswith(b"HTTP/1.1 5"), (garbage[:60], said)
            for one in slow:
                with contextlib.suppress(OSError):
                    one.sendall(b"y")
            answer = httpx.get(f"{address}/api/v1/health", timeout=30)
            assert answer.status_code == 200, garbage[:60]
        assert httpx.get(f"{address}/api/v1/models/tiny/forecast", timeout=60).status_code == 200


def test_requests_in_one_go_are_answered_in_turn(free: Served) -> None:
    """Pipelined, the second is not mistaken for a part of the first."""
    one = b"GET /api/v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
    other = b"GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with listening(free.desk) as address, contextlib.closing(_connected(address)) as line:
        line.settimeout(30)
        line.sendall(one + one + other)
        said = b""
        while part := line.recv(65_536):
            said += part
    assert said.count(b"HTTP/1.1 200 ") == 2
    assert said.count(b"HTTP/1.1 404 ") == 1
