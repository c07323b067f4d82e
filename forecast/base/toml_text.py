"""TOML that may be anybody's: read within limits of size, depth and digits."""

from __future__ import annotations

import pickle
import re
import tomllib
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from forecast.base.toml_hints import TEXTS, hint

if TYPE_CHECKING:
    from pathlib import Path


MOST_BYTES = 1_000_000
MOST_DEPTH = 16  # of tables and lists within one another; a model file needs seven
DOTTED = re.compile(rf'(?<![\w"-])(?:[\w"-]++[ \t]*+\.[ \t]*+){{{MOST_DEPTH}}}')
DIGITS = re.compile(r"\d[\d_]{4000,}", re.ASCII)  # Python turns at most 4,300 into a number


class NotTomlError(ValueError):
    """A text that is no TOML, or beyond the limits; ``line``, from 1, is where, if it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """Build the message, which does not say the line."""
        self.line = line
        super().__init__(message)


def place_in(file: object, error: Exception) -> str:
    """Name the place of an error in a ``file``: ``models/measles.toml:9``."""
    line = getattr(error, "line", None)
    return f"{file}:{line}" if line else str(file)


def read_bounded(path: Path, errors: str = "strict") -> str:
    """Text of a file, at most `MOST_BYTES` long; ``errors`` says what becomes of bytes that are no UTF-8.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is longer, or no UTF-8; the message says so and what to do.

    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    _require_short(len(content))
    try:
        return content.decode(errors=errors)
    except UnicodeDecodeError as error:
        msg = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ValueError(msg) from error


def read_toml(text: str) -> dict[str, Any]:
    """Tables of ``text``, the caller's own.

    Raises
    ------
    NotTomlError
        If it is no TOML, or beyond the limits; the message says what to do.

    """
    return pickle.loads(_tables(text))  # noqa: S301 - our own; a quarter of the time of a deep copy


@lru_cache(maxsize=4)  # a model that others extend, and one with faults whose lines are looked for, are read again
def _tables(text: str) -> bytes:
    _require_short(len(text))
    bare = TEXTS.sub(lambda found: '""' + "\n" * found[0].count("\n"), text)
    if place := _too_deep(bare):
        raise NotTomlError(_too_deep_message(), place)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(text, str(error)) from error
    except ValueError as error:
        found = DIGITS.search(bare)
        msg = "holds a number with more digits than any quantity has; write it shorter"
        raise NotTomlError(msg, _line(bare, found.start()) if found else None) from error
    if key := _deep_key(tables):
        raise NotTomlError(_too_deep_message(f" ({key})"))
    return pickle.dumps(tables)


def _not_toml(text: str, message: str) -> NotTomlError:
    """Quote the line that the parser names, and say what is mostly meant."""
    line, column, said, meant = hint(text, message)
    at = f" at column {column}" if column else ""
    quoted = text.split("\n")[line - 1].strip()[:80]
    means = f": {meant}" if meant else ""
    return NotTomlError(f"is not valid TOML: {said}{at}; there it reads {quoted!r}{means}", line)


def _require_short(size: int) -> None:
    if size > MOST_BYTES:
        msg = f"is longer than {MOST_BYTES:,} bytes; is it the right file?"
        raise NotTomlError(msg)


def _too_deep_message(where: str = "") -> str:
    return f"holds tables or lists within one another, more than {MOST_DEPTH} deep{where}; write it flatter"


def _too_deep(bare: str) -> int | None:
    """Line at which brackets or dotted keys without words go too deep; none if they do not."""
    brackets = [(found.start(), 1 if found[0] in "[{" else -1) for found in re.finditer(r"[\[\]{}]", bare)]
    levels = accumulate((step for _, step in brackets), lambda level, step: max(0, level + step))
    places = [place for (place, _), level in zip(brackets, levels, strict=True) if level > MOST_DEPTH]
    places += [found.start() for found in [DOTTED.search(bare)] if found]
    return _line(bare, min(places)) if places else None


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _deep_key(tables: dict[str, Any]) -> str | None:
    """Dotted key of something that lies too deep; none if nothing does."""
    level: list[tuple[tuple[str, ...], Any]] = [((), tables)]
    for _ in range(MOST_DEPTH):
        level = [
            ((*place, str(key)), item)
            for place, node in level
            for key, item in (node.items() if isinstance(node, dict) else enumerate(node))
            if isinstance(item, dict | list)
        ]
    return ".".join(level[0][0]) if level else None
