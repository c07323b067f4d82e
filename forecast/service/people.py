"""Who asks, and what they may do: tokens, a page's cookie, and what a proxy says of whoever has signed in there."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, HTTPException, Request, status

from forecast import ledger
from forecast.ledger.tokens import Scope
from forecast.service.desk import Desk

COOKIE = "forecast_token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Person:
    """Who asks: a name (blank for a guest on this machine), what they may do, and whether a cookie says so."""

    name: str
    scope: Scope
    by_cookie: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether they may do what takes ``scope``."""
        return ledger.SCOPES.index(self.scope) >= ledger.SCOPES.index(scope)


@dataclass(frozen=True)
class Proxy:
    """A proxy at one of the addresses ``peers`` that signs people in and names them in a ``header``, with ``scope``."""

    header: str
    scope: Scope
    peers: frozenset[str] = LOOPBACK


class Gate:
    """Says who asks. ``open`` lets whoever asks without a token read, as on a machine of one's own."""

    def __init__(self, desk: Desk, *, open_: bool, proxy: Proxy | None) -> None:
        """Look tokens up at a desk."""
        self._desk = desk
        self._open = open_
        self._proxy = proxy
        self._secret = secrets.token_bytes(32)

    def person(self, request: Request) -> Person | None:
        """Say who asks; None for somebody who may do nothing."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        if kind:
            return self._of_token(text.strip()) if kind.lower() == "bearer" else None
        if cookie := request.cookies.get(COOKIE):
            return self._of_token(cookie, by_cookie=True) or self._guest()
        if self._proxy and request.client and request.client.host in self._proxy.peers:
            name = request.headers.get(self._proxy.header, "").strip()
            if name:
                return Person(name[:200], self._proxy.scope, by_cookie=True)
        return self._guest()

    def _guest(self) -> Person | None:
        return Person("", "read") if self._open else None

    def _of_token(self, text: str, *, by_cookie: bool = False) -> Person | None:
        token = self._desk.who(text)
        return Person(token.person, token.scope, by_cookie) if token else None

    def stamp(self, request: Request) -> str:
        """Give what a page has to send with what it changes, which no other site can know."""
        name = request.cookies.get(COOKIE, "") or (self._proxy and request.headers.get(self._proxy.header)) or ""
        return hmac.new(self._secret, name.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def require(self, request: Request, scope: Scope) -> Person:
        """Give who asks, if they may.

        Raises
        ------
        HTTPException
            401 for somebody unknown, 403 for one who may not, or a page of another site.

        """
        person = self.person(request)
        if person is None or (not person.may(scope) and not person.name):
            raise HTTPException(
                status.HTTP_401_UNAUTHORIZED,
                "this takes a token (Authorization: Bearer …); `forecast token new` makes one",
                {"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        if not person.may(scope):
            raise HTTPException(
                status.HTTP_403_FORBIDDEN, f"this takes a token of scope {scope}, and yours is of scope {person.scope}"
            )
        if person.by_cookie and request.method not in SAFE:
            given = request.headers.get("x-forecast-page", "")
            if not hmac.compare_digest(given.encode(), self.stamp(request).encode()):
                raise HTTPException(
                    status.HTTP_403_FORBIDDEN, "this did not come from a page of this service; load it again"
                )
        return person


def _desk(request: Request) -> Desk:
    return request.app.state.desk


def _gate(request: Request) -> Gate:
    return request.app.state.gate


def may_read(request: Request) -> Person:
    """Give who asks, if they may read."""
    return _gate(request).require(request, "read")


def may_write(request: Request) -> Person:
    """Give who asks, if they may write."""
    return _gate(request).require(request, "write")


AtDesk = Annotated[Desk, Depends(_desk)]  # parameters of an address: the desk, who reads, who writes
Reader = Annotated[Person, Depends(may_read)]
Writer = Annotated[Person, Depends(may_write)]
