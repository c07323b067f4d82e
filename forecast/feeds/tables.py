"""Tables with a header as frames of text: wanted columns of each sound row, with its line, and faults beside them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from forecast.feeds.events import LONGEST_ROW, DeliveryError, Fault
from forecast.feeds.packed import csv_rows, lacks, sound_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

BATCH = 50_000  # rows that are held as Python's texts


class TextTable:
    """Rows of a file: ``frame`` has ``line`` and each wanted column as text, blank where an optional one is lacking."""

    def __init__(self, content: bytes, frame: pl.DataFrame, faults: list[Fault]) -> None:
        """Keep what was read from ``content``."""
        self.content = content
        self.frame = frame
        self.faults = faults

    @cached_property
    def _lines(self) -> list[bytes]:
        return self.content.split(b"\n")

    @cached_property
    def _starts(self) -> list[int]:
        return self.frame["line"].to_list()

    def row_at(self, place: int) -> str:
        """Give a row of the frame as it stands in the file."""
        starts = self._starts
        until = starts[place + 1] - 1 if place + 1 < len(starts) else starts[place]
        return b"\n".join(self._lines[starts[place] - 1 : until]).decode(errors="backslashreplace").rstrip("\r\n")


def read_csv(
    content: bytes, needed: Sequence[str], optional: Iterable[str], what: str, separator: str = ","
) -> TextTable:
    """Read a CSV file with a header; names of columns in any case; ``what`` names the format in messages.

    `DeliveryError` if it is not UTF-8, breaks off, lacks a column of ``needed`` or most of its rows are faulty.
    """
    rows = csv_rows(content, [name.casefold() for name in needed], what, separator)
    _, header = next(rows)
    places = _places(header, [*needed, *optional])
    frames, lines, faults = list[pl.DataFrame](), list[int](), list[Fault]()
    cells: list[list[str]] = [[] for _ in places]
    width, count = len(header), 0
    for line, row in rows:
        count += 1
        if len(row) != width:
            faults.append(
                Fault(line, f"it has {len(row)} columns, the header has {width}", separator.join(row)[:LONGEST_ROW])
            )
            continue
        lines.append(line)
        for column, place in zip(cells, places.values(), strict=True):
            column.append(row[place] if place >= 0 else "")
        if len(lines) == BATCH:
            frames.append(_frame(lines, places, cells))
            lines, cells = [], [[] for _ in places]
    if len(faults) * 2 > count:
        msg = f"is not {what}: line {faults[0].line}: {faults[0].why}, and so in {len(faults):,} of {count:,} rows"
        raise DeliveryError(msg)
    frames.append(_frame(lines, places, cells))
    return TextTable(content, pl.concat(frames), faults)


def read_tsv(content: bytes, needed: Sequence[str], optional: Iterable[str], what: str) -> TextTable:
    """Read a file with a header and tabs between cells, in which quotation marks mean nothing; else as `read_csv`."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    first = content.partition(b"\n")[0]
    header = [name.strip().casefold() for name in first.decode(errors="replace").split("\t")]
    if lacking := [name for name in needed if name.casefold() not in header]:
        raise DeliveryError(lacks(what, lacking, header))
    lines, numbers, faults = sound_lines(content, len(header), what)
    places = _places(header, [*needed, *optional])
    rows = [line.decode().split("\t") for line in lines[1:]]
    cells = [[row[place] if place >= 0 else "" for row in rows] for place in places.values()]
    return TextTable(content, _frame(numbers[1:], places, cells), faults)


def _places(header: Sequence[str], names: Iterable[str]) -> dict[str, int]:
    return {name: header.index(name.casefold()) if name.casefold() in header else -1 for name in names}


def _frame(lines: list[int], places: Iterable[str], cells: list[list[str]]) -> pl.DataFrame:
    columns = {name: pl.Series(name, column, pl.String) for name, column in zip(places, cells, strict=True)}
    return pl.DataFrame({"line": pl.Series("line", lines, pl.Int64), **columns})
