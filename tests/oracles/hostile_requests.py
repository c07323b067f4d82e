"""Requests that nobody should send: to an application in this process as a server would hand them on, and as bytes."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, quote_from_bytes, unquote

from service_scenes import MODEL, ROW

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from starlette.types import ASGIApp

METHODS = ("GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "FROBNICATE", "")
READ = ("forecast", "drivers", "watch", "matrix", "path", "indicators", "issues", "issues/latest", "issues/1", "scores")
READ += ("observations", "log", "feeds")
PARTS = ("now", "history", "indicators", "watch", "matrix", "log", "feeds", "correct", "retract", "runs")
PATHS = (
    *(f"{MODEL}/{one}" for one in READ), *(f"/part/{one}" for one in PARTS), "/", "/sign-in", "/sign-out",
    "/static/page.js", "/api/v1/health", "/api/v1/ready", "/api/v1/models", "/api/v1/jobs", "/api/v1/jobs/1",
    "/api/v1/jobs/1/events", "/api/v1/openapi.json", "/api/v1/docs", "/pictures/tiny/1/cascade.svg",
    "/reports/tiny/2025-01-08",
)  # fmt: skip
BODIES: dict[str, object] = {  # by address
    f"{MODEL}/what-if": {"seen": ["march"], "not_seen": {"flood": "2025-01-20"}, "on": "2025-01-16", "grade": "B2"},
    f"{MODEL}/do": {"states": {"near": "tense"}, "on": "2025-01-16", "hold": False},
    f"{MODEL}/observations": ROW | {"note": "x", "url": "https://example.org/x", "story": "one", "distinct": False},
    f"{MODEL}/observations/x/correction": ROW,
    f"{MODEL}/observations/x/retraction": {"reason": "x", "reported_on": "2025-01-14"},
    f"{MODEL}/runs": {"as_of": "2025-01-15"},
    "/part/what-if": {"seen": "march"},
    "/part/record": ROW,
    "/part/retract": {"reason": "x"},
    "/part/runs": {},
    "/sign-in": {"token": "fc_x_y"},
}
QUERIES = {
    "model": "tiny", "as_of": "2025-01-08", "outcome": "tension", "weeks": "4", "ahead": "4", "since": "last",
    "limit": "5", "words": "march", "stage": "near", "row_id": "x", "name": "seen", "kind": "radio",
}  # fmt: skip
TEXTS = (
    "", " ", "\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "\u0301" * 99, "\U000e0041", "é" * 300,
    "x" * 5000, "%", "%00", "%ff", "%c0%ae", "%u0041", "..", "../..", "..%2f..%2fforecast.toml", "/etc/passwd", "~",
    "'", '"', "' OR 1=1 --", "; DROP TABLE observations", "<script>alert(1)</script>", "{{ 7 * 7 }}", "{% raw %}",
    "${x}", "true", "null", "nan", "inf", "-1", "0", "1e999", "9" * 400, "9" * 5000, "-" + "9" * 30, "0x10", "1_0",
    "2025-13-45", "0000-00-00", "9999-12-31", "2025-01-15T00:00:00Z", "２０２５-01-15", "march@2025-01-20", "march@",
    "@", "march@9999-12-31", "tiny", "nobody", "latest", "\r\nx: y", "\n", "\x1b[31m", "\x7f", "*", ",", "=", "&", "#",
)  # fmt: skip
VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 1e308, -0.0, 0.5, [], {}, [[]], [None], {"": ""}, {"a": {}},
    ["march"] * 50, {"seen": []}, *TEXTS,
)  # fmt: skip
RAW = (
    b"", b"{", b"}", b"[]", b"null", b"0", b'"x"', b"NaN", b'{"a": NaN}', b'{"seen": [Infinity]}', b"\xff\xfe{}",
    b"\xef\xbb\xbf{}", b'{"note": "\xff"}', b'{"note": "\\ud800"}', b'{"a": 1, "a": 2}', b"[" * 30_000,
    b'{"a":' * 10_000, b"1" * 60_000, b'{"probability": ' + b"9" * 5000 + b"}", b"\0" * 100, b"x" * 70_000,
    b"a=b&a=c", b"&" * 5000, b"a=%ff%00&=&%=%", b"seen=march&" * 2000, b"--x\r\n\r\n--x--", b"--x\r\nContent-Disp",
    b'--x\r\nContent-Disposition: form-data; name="seen"; filename="a"\r\n\r\nfile\r\n--x--\r\n',
)  # fmt: skip
KINDS = (
    "application/json", "application/json", "application/json; charset=utf-16", "application/x-www-form-urlencoded",
    "multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "application/xml", "", "x", "\xff",
    "application/json, text/html", "multipart/form-data; boundary=" + "y" * 300, "application/vnd.x+json",
)  # fmt: skip
HEADERS = (
    b"x-forecast-page", b"x-user", b"content-length", b"transfer-encoding", b"cookie", b"authorization", b"accept",
    b"range", b"if-none-match", b"sec-fetch-site", b"x-forwarded-for", b"x-http-method-override", b"expect", b"x",
    b"hx-request", b"origin", b"host", b"content-encoding", b"upgrade",
)  # fmt: skip


class Sent(NamedTuple):
    """A request as a server hands it to an application."""

    method: str
    path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes]

    def scope(self) -> dict[str, Any]:
        """Give what a server says of it."""
        return {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": self.method, "scheme": "http",
            "path": unquote(self.path.decode("latin-1")), "raw_path": self.path, "root_path": "",
            "query_string": self.query, "headers": self.headers, "client": ("testclient", 1), "server": ("host", 80),
        }  # fmt: skip


class Got(NamedTuple):
    """What was answered."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def made_up(rng: random.Random, tokens: Sequence[str]) -> Sent:  # noqa: C901, PLR0912 - what is changed, one by one
    """Make a request up: one of ours with none to some things changed, of which some are harmless."""
    path = rng.choice([*PATHS, *BODIES, *BODIES])
    method = "POST" if path in BODIES and rng.random() < 0.8 else rng.choice(METHODS)
    page = not path.startswith("/api")
    query = {name: value for name, value in QUERIES.items() if rng.random() < 0.3} | ({"model": "tiny"} if page else {})
    body = _json_changed(json.loads(json.dumps(BODIES.get(path, {}))), rng)
    headers = [(b"host", b"127.0.0.1:8000")]
    if rng.random() < 0.85:
        headers.append((b"authorization", f"Bearer {rng.choice(tokens)}".encode()))
    if rng.random() < 0.1:
        headers.append((b"cookie", f"forecast_token={rng.choice([*tokens, *TEXTS])}".encode("utf-8", "replace")))
    kind = "application/x-www-form-urlencoded" if page else "application/json"
    content = _form(body) if page else json.dumps(body).encode()
    for _ in range(rng.randint(0, 3)):
        match rng.randrange(8):
            case 0:
                query[rng.choice(list(QUERIES))] = rng.choice(TEXTS)
            case 1:
                pieces = path.split("/")
                pieces[rng.randrange(len(pieces))] = rng.choice(TEXTS)
                path = "/".join(pieces)
            case 2:
                kind = rng.choice(KINDS)
            case 3:
                content = rng.choice(RAW)
            case 4:
                content = _flipped(content, rng)
            case 5:
                headers.append(rng.choice(headers))
            case 6:
                headers.append(_header(rng))
            case _:
                method = rng.choice(METHODS)
    if kind:
        headers.append((b"content-type", kind.encode("latin-1")))
    if rng.random() < 0.8:
        headers.append((b"content-length", str(len(content)).encode()))
    text = "&".join(f"{name}={quote(value.encode('utf-8', 'surrogatepass'))}" for name, value in query.items())
    sent = path if rng.random() < 0.3 else quote(path.encode("utf-8", "surrogatepass"), safe="/%")
    raw = text.encode() if rng.random() < 0.95 else rng.randbytes(rng.randrange(60))
    if rng.random() < 0.1:
        raw += b"&" + raw
    return Sent(method, sent.encode("utf-8", "surrogatepass"), raw, headers, _cut(content, rng))


def _json_changed(node: Any, rng: random.Random) -> Any:
    """Change a value somewhere, or not."""
    if rng.random() < 0.35:
        return node
    if isinstance(node, dict) and node and rng.random() < 0.9:
        key = rng.choice(list(node))
        if rng.random() < 0.1:
            del node[key]
        elif rng.random() < 0.1:
            node[rng.choice(TEXTS)] = rng.choice(VALUES)
        else:
            node[key] = _json_changed(node[key], rng)
        return node
    return rng.choice(VALUES)


def _form(body: object) -> bytes:
    pairs = body.items() if isinstance(body, dict) else [("x", body)]
    return "&".join(
        f"{quote(str(name).encode('utf-8', 'surrogatepass'))}={quote(str(value).encode('utf-8', 'surrogatepass'))}"
        for name, value in pairs
    ).encode()


def _header(rng: random.Random) -> tuple[bytes, bytes]:
    return rng.choice(HEADERS), rng.choice(TEXTS).encode("utf-8", "replace")[:2000]


def _flipped(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content or b"x")
    for _ in range(rng.randint(1, 4)):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def _cut(content: bytes, rng: random.Random) -> list[bytes]:
    if rng.random() < 0.8:
        return [content]
    at = sorted(rng.randrange(len(content) + 1) for _ in range(rng.randint(1, 4)))
    return [content[a:b] for a, b in zip([0, *at], [*at, len(content)], strict=True)]


async def answered(app: ASGIApp, sent: Sent) -> Got:
    """Hand a request to an application as a server does; what it raises is raised."""
    left = list(sent.parts)
    status, headers, body = 0, {}, bytearray()

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(0)
            return {"type": "http.disconnect"}
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left)}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], dict(message["headers"])
        else:
            body.extend(message.get("body", b""))

    await app(sent.scope(), receive, send)
    return Got(status, headers, bytes(body))


# Bytes for a server.


def _line(method: bytes = b"GET", path: bytes = b"/api/v1/health", version: bytes = b"HTTP/1.1") -> bytes:
    return b" ".join((method, path, version)) + b"\r\nHost: x\r\n"


GARBAGE = (
    b"\r\n\r\n", b"\0" * 1000, b"\xff" * 70_000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"SSH-2.0-x\r\n",
    _line(path=b"/" + b"x" * 100_000) + b"\r\n", _line() + b"X: " + b"y" * 200_000 + b"\r\n\r\n",
    _line() + b"".join(b"X%d: y\r\n" % k for k in range(5000)) + b"\r\n", _line() + b"X : y\r\n\r\n",
    _line() + b"X\r\n\r\n", _line() + b"\x00: y\r\n\r\n", _line(path=b"http://[/") + b"\r\n",
    _line(path=b"//evil.example/%2e%2e") + b"\r\n", _line(path=b"*") + b"\r\n", _line(b"CONNECT", b"x:1") + b"\r\n",
    _line(b"POST") + b"Content-Length: -1\r\n\r\n", _line(b"POST") + b"Content-Length: 9\r\nContent-Length: 8\r\n\r\nx",
    _line(b"POST") + b"Content-Length: 99999999999999999999\r\n\r\n",
    _line(b"POST") + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", _line(b"POST") + b"Transfer-Encoding: x\r\n\r\n",
    _line(b"POST") + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    _line(b"POST") + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    _line(b"POST") + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n",
    _line() + b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    _line() + b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: x\r\n\r\n",
    (_line() + b"\r\n") * 200, _line(b"POST", b"/part/what-if?model=tiny") + b"Content-Length: 60000\r\n\r\nseen=",
    b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % quote_from_bytes(bytes(range(256))).encode(),
    b"GET /\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET\t/\tHTTP/1.1\r\n\r\n", b"G" * 100_000 + b" / HTTP/1.1\r\n\r\n",
)  # fmt: skip
