"""What a request may cost: bytes of its body, and how many come in a second."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


LARGEST = 64 * 1024  # bytes of a body
RATE, BURST = 60.0, 240.0  # requests a second of one peer in the long run, and at once
PEERS = 10_000  # whose requests are counted; the one that was silent longest is forgotten
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}
POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Bucket:
    """Counts the requests of each peer: a bucket that holds `BURST` and fills by `RATE` a second."""

    def __init__(self) -> None:
        """Begin with full buckets."""
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, peer: str, now: float) -> float:
        """Take a request of a peer at a second, and give in how many there is one again; 0 if there was one."""
        left, since = self._left.pop(peer, (BURST, now))
        left = min(BURST, left + (now - since) * RATE)
        self._left[peer] = (left - 1 if left >= 1 else left, now)
        while len(self._left) > PEERS:
            self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / RATE


class Limits:
    """ASGI: refuses a body that is too large and a peer that asks too often, and guards every answer by headers."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before an application."""
        self.app = app
        self.bucket = Bucket()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        peer = scope["client"][0] if scope.get("client") else ""
        if wait := self.bucket.take(peer, asyncio.get_running_loop().time()):
            await _refuse(
                send, 429, "too many requests; ask again later", {b"retry-after": str(int(wait) + 1).encode()}
            )
            return
        if not scope["path"].isascii():  # no address of ours has other signs than these, and a log should hold none
            await _refuse(send, 404, "there is nothing at this address")
            return
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if not length.isdigit() or int(length) > LARGEST:
            await _refuse(send, 413, f"a body may have {LARGEST:,} bytes")
            return
        body = b""
        while scope["method"] not in {"GET", "HEAD"}:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > LARGEST:
                await _refuse(send, 413, f"a body may have {LARGEST:,} bytes")
                return
            if not message.get("more_body"):
                break
        await self.app(scope, _once(body, receive), _guarded(send))


def _once(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read, and after it what comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _guarded(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            more = [(name, value) for name, value in HEADERS.items() if name not in there]
            if b"content-security-policy" not in there:
                more.append((b"content-security-policy", POLICY))
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return guarded


async def _refuse(send: Send, status: int, detail: str, more: dict[bytes, bytes] | None = None) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    headers += [*HEADERS.items(), *(more or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
