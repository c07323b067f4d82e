"""Tells everyone who listens, within a second, that the ledger has changed, whoever changed it."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from forecast.base.errors import ForecastError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from forecast.service.desk import Desk


LOOK = 0.5  # seconds between two looks at the ledger, however many listen
BEAT = 15.0  # seconds after which a listener who has heard nothing hears that the line is open
MOST = 500  # listeners


class News:
    """Looks at the ledger as long as somebody listens."""

    def __init__(self, desk: Desk) -> None:
        """Look at the ledger of a desk."""
        self._desk = desk
        self._state = ""
        self._changed = asyncio.Event()
        self._listeners = 0
        self._looking: asyncio.Task[None] | None = None

    async def listen(self, gone: Callable[[], Awaitable[bool]]) -> AsyncGenerator[str]:
        """Give server-sent events until the listener is ``gone``: the state now, and each change."""
        if self._listeners >= MOST:
            return
        self._listeners += 1
        try:
            if self._looking is None or self._looking.done():
                self._state = await run_in_threadpool(self._read)
                self._looking = asyncio.create_task(self._look())
            told = ""
            while not await gone():
                if self._state != told:
                    told = self._state
                    yield f"event: news\ndata: {json.dumps({'state': told})}\n\n"
                    continue
                try:
                    await asyncio.wait_for(self._changed.wait(), BEAT)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._listeners -= 1

    def _read(self) -> str:
        return self._desk.state()

    async def _look(self) -> None:
        while self._listeners:
            with suppress(ForecastError):
                state = await run_in_threadpool(self._read)
                if state != self._state:
                    self._state = state
                    self._changed.set()
                    self._changed = asyncio.Event()
            await asyncio.sleep(LOOK)
