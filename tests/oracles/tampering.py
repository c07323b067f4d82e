"""What an attacker with any tool does to a ledger's file."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def tampered(path: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection without guards; they come back at the end."""
    with closing(sqlite3.connect(path)) as raw:
        guards = raw.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in guards:
            raw.execute(f"DROP TRIGGER {name}")
        yield raw
        for _, text in guards:
            raw.execute(text)
        raw.commit()


def repacked(raw: sqlite3.Connection, old: str, new: str, seq: int) -> None:
    """Change a text in the report of an issue, as it is kept."""
    ((content,),) = raw.execute("SELECT packed FROM forecasts WHERE seq = ?", (seq,)).fetchall()
    changed = zlib.compress(zlib.decompress(content).replace(old.encode(), new.encode()))
    raw.execute("UPDATE forecasts SET packed = ? WHERE seq = ?", (changed, seq))


def flipped(content: bytes, bit: int) -> bytes:
    """Give the content with one bit flipped."""
    found = bytearray(content)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


def flips(path: Path, count: int, random: random.Random) -> Iterator[int]:
    """Flip single bits of a file, each by itself; SQLite's own files beside it go, and at the end all is as it was."""
    good = path.read_bytes()
    for _ in range(count):
        bit = random.randrange(8 * len(good))
        path.write_bytes(flipped(good, bit))
        yield bit
        for name in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + name).unlink(missing_ok=True)
    path.write_bytes(good)
