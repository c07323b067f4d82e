"""What a file beside a ledger knows of it: the head of its chain and a checksum of the whole file.

An older copy that is put back, and rows deleted at the end with their links, are whole in themselves; only something
outside the file can say that there was more. The checksum also covers bytes that hold no row.
"""

from __future__ import annotations

import json
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from forecast.base.errors import InputError, LedgerError
from forecast.base.files import replace_file
from forecast.ledger.chain import Head

if TYPE_CHECKING:
    from pathlib import Path


BLOCK = 1 << 20


class Witness(NamedTuple):
    """The ``head`` of the chain, and the checksum of the file at rest; none while somebody else has it open."""

    head: Head
    checksum: int | None


def witness_of(path: Path) -> Path:
    """Name the file beside the ledger ``path``."""
    return path.with_name(f"{path.name}.head")


def read_witness(path: Path) -> Witness | None:
    """Read what is known of the ledger ``path``; None if there is nothing, `LedgerError` for anything else."""
    place = witness_of(path)
    try:
        known = json.loads(place.read_bytes())
        found = Witness(Head(int(known["links"]), str(known["digest"])), known["crc32"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        fault = (
            f"cannot be read as the head of {path.name} ({type(error).__name__}); "
            "restore both from a backup, or delete it if the ledger is known to be whole"
        )
        raise LedgerError(str(place), [fault]) from error
    return found


def write_witness(path: Path, head: Head, *, at_rest: bool = True) -> None:
    """Say what is in the ledger ``path`` now; where that cannot be written, the last word stands, which holds still.

    Nothing is said of its bytes if it is not ``at_rest``: they are about to change under the same head.
    """
    with suppress(InputError, OSError):
        content = {"links": head.links, "digest": head.digest, "crc32": checksum(path) if at_rest else None}
        replace_file(witness_of(path), json.dumps(content).encode() + b"\n")


def checksum(path: Path) -> int | None:
    """Give the CRC-32 of the file, or None while a write-ahead log holds a part of it."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        return None
    value = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            value = zlib.crc32(block, value)
    return value
