"""Files as they are delivered: as they are, zipped or gzipped, once; unpacked within limits, and split into lines."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from typing import TYPE_CHECKING

from forecast.feeds.events import LONGEST_ROW, DeliveryError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_BYTES = 2_000_000_000  # of a file when unpacked
ZIP, GZIP = b"PK\x03\x04", b"\x1f\x8b"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
LONGEST_CELL = 1_000_000


def unpacked(content: bytes) -> bytes:
    """Give what is in a file, unpacked if it is zipped or gzipped; `DeliveryError` if it is not whole."""
    if content[:4] == ZIP or content[:2] == GZIP:
        inner = _unzipped(content) if content[:4] == ZIP else _gunzipped(content)
        if inner[:4] == ZIP or inner[:2] == GZIP:
            msg = "is packed twice: what is in it is packed again; unpack it once, or get it again"
            raise DeliveryError(msg)
        return inner
    return content


def _unzipped(content: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [item for item in archive.infolist() if not item.is_dir()]
            if len(members) != 1:
                msg = f"holds {len(members)} files, where a delivery holds one; unpack it into the folder"
                raise DeliveryError(msg)
            _require_small(members[0].file_size)
            return archive.read(members[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        msg = f"is truncated or damaged ({error}); get it again"
        raise DeliveryError(msg) from error


def _gunzipped(content: bytes) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            inner = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"is truncated or damaged ({error}); get it again"
        raise DeliveryError(msg) from error
    _require_small(len(inner))
    return inner


def _require_small(size: int) -> None:
    if size > MOST_BYTES:
        msg = f"is longer than {MOST_BYTES:,} bytes when unpacked; is it the right file?"
        raise DeliveryError(msg)


def sound_lines(content: bytes, width: int, what: str) -> tuple[list[bytes], list[int], list[Fault]]:
    """Split a file of ``width`` columns between tabs into sound lines, their numbers from 1, and faults.

    ``what`` names the format in messages. A line of another width, or that is no UTF-8, is a fault of its own; a file
    whose last line breaks off, or of which most lines are faulty, is refused.
    """
    _require_text(content)
    lines = content.split(b"\n")
    ended = not lines[-1]
    lines = [line.rstrip(b"\r") for line in (lines[:-1] if ended else lines)]
    if lines and not ended and lines[-1].count(b"\t") < width - 1:
        columns = lines[-1].count(b"\t") + 1
        msg = f"is truncated: its last line, {len(lines)}, breaks off after {columns} of {width} columns; get it again"
        raise DeliveryError(msg)
    sound, numbers, faults = list[bytes](), list[int](), list[Fault]()
    whole = _is_utf_8(content)
    for number, line in enumerate(lines, start=1):
        columns = line.count(b"\t") + 1
        if columns != width:
            why = f"it has {columns} columns, {what} has {width}"
        elif not whole and not _is_utf_8(line):
            why = "it is not UTF-8"
        else:
            sound.append(line)
            numbers.append(number)
            continue
        faults.append(Fault(number, why, line.decode(errors="backslashreplace")[:LONGEST_ROW]))
    if len(faults) > len(sound):
        first = faults[0]
        msg = (
            f"is not {what}: {len(faults):,} of {len(lines):,} lines are faulty, such as line {first.line}:"
            f" {first.why}; is it the right file?"
        )
        raise DeliveryError(msg)
    return sound, numbers, faults


def _not_utf_8(content: bytes) -> str:
    """Say where a file is no UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return f"is not UTF-8 text (line {line}, byte {error.start}); save it as UTF-8, which the source offers"
    return "is not UTF-8 text; save it as UTF-8, which the source offers"


def lacks(what: str, lacking: Sequence[str], header: Sequence[str]) -> str:
    """Say that a header lacks columns of a format."""
    have = ", ".join(header[:8])[:200] or "none"
    return f"is not {what}: it lacks the columns {', '.join(lacking)} (its first are: {have}); is it the right file?"


def _require_text(content: bytes) -> None:
    if content[:2] in UTF_16:
        msg = "is UTF-16 text; save it as UTF-8"
        raise DeliveryError(msg)


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def csv_rows(content: bytes, needed: Sequence[str], what: str, separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Give the header of a CSV file (line 1), in small letters, and then its rows with their lines.

    ``DeliveryError`` if the file is not UTF-8, breaks off, or lacks a column of ``needed``. Rows of another width than
    the header's are given as they are.
    """
    _require_text(content)
    csv.field_size_limit(LONGEST_CELL)
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    reader = csv.reader(text, delimiter=separator, strict=True)
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        if lacking := [name for name in needed if name not in header]:
            raise DeliveryError(lacks(what, lacking, header))
        yield 1, header
        last, width = 1, len(header)
        row: list[str] = []
        for row in reader:
            if row:
                yield last + 1, row
                width = len(row)
            last = reader.line_num
    except UnicodeDecodeError as error:
        raise DeliveryError(_not_utf_8(content)) from error
    except csv.Error as error:
        msg = f"is truncated or damaged at line {reader.line_num} ({error}); get it again"
        raise DeliveryError(msg) from error
    if width < len(header) and not content.endswith(b"\n"):
        msg = f"is truncated: its last line breaks off after {width} of {len(header)} columns; get it again"
        raise DeliveryError(msg)
