"""Log of runs, a JSON line each."""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    import io
    from collections.abc import Callable, Mapping


LOG_BYTES = 1_000_000  # at most, of each of the files of a log
LOG_FILES = 4


# The log.


class _Handler(RotatingFileHandler):
    """Appends lines to a file that may hold half a line of a killed process; what goes wrong is nobody's business."""

    def _open(self) -> io.TextIOWrapper:
        stream = super()._open()
        if not _ends_a_line(Path(self.baseFilename)):
            stream.write("\n")
        return stream

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Pass over what cannot be written."""


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


class RunLog:
    """A log of one JSON object a line: ``time``, ``event``, what is ``about`` every line, and what an event adds."""

    def __init__(self, path: Path, clock: Callable[[], dt.datetime], about: Mapping[str, Any]) -> None:
        """Point at a file; nothing is written yet."""
        self.path = path
        self.about = about  # it may change between lines
        self._clock = clock
        self._began = clock()

    @property
    def seconds(self) -> float:
        """Seconds since this log was opened."""
        return (self._clock() - self._began).total_seconds()

    def add(self, event: str, *, rotate: bool = False, **fields: object) -> None:
        """Append a line, after a full file was put aside if it may (one process at a time); never raises an error."""
        line = {"time": self._clock().isoformat(timespec="milliseconds"), "event": event, **self.about, **fields}
        with suppress(OSError, ValueError):
            handler = _Handler(
                self.path, maxBytes=LOG_BYTES if rotate else 0, backupCount=LOG_FILES - 1, encoding="utf-8", delay=True
            )
            try:
                handler.emit(logging.makeLogRecord({"msg": json.dumps(line)}))
            finally:
                handler.close()
