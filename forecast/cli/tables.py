"""Tables on a terminal, and what they are where there is none.

A terminal gets aligned columns within its width: texts are wrapped, numbers never, and columns that do not fit follow
in a block of their own. A pipe or a file gets whole cells between tabs, a line a row, without the totals, which whoever
reads it can count.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.base.sanitise import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


NUMBER = re.compile(r"(about )?[<>]?[+−±]?\d(.*[\d%)])?%?")
GAP = 2  # columns between columns
NARROW = 20  # columns that a text may be wrapped to
LEAST = 16  # as many for the first column of a terminal of few


def known_width() -> int:
    """Give the columns of the terminal, or those that the variable COLUMNS says; 0 in a pipe or a file."""
    return shutil.get_terminal_size((0, 24)).columns


def print_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None = None,
    total: Sequence[str] | None = None,
) -> None:
    """Print a table; ``total`` is its last line on a terminal."""
    width = known_width()
    lines = [[one_line(cell) for cell in row] for row in rows]
    if not width:
        for line in ([title] if title else [], heads, *lines):
            if line:
                print("\t".join(line))
        return
    if total is not None:
        lines.append([one_line(cell) for cell in total])
    numbers = {k for k in range(1, len(heads)) if _are_numbers([line[k] for line in lines])}
    blocks = _blocks([heads, *lines], numbers, width)
    if title:
        print(textwrap.fill(title, width))
    for k, block in enumerate(blocks):
        if k:
            print()
        empty = k and total is not None and not any(lines[-1][column] for column in block[1:])
        _print_block(heads, lines[:-1] if empty else lines, block, numbers, width)


def _are_numbers(cells: Sequence[str]) -> bool:
    found = [cell for cell in cells if cell not in {"", prose.TOO_RARE}]
    return bool(found) and all(NUMBER.fullmatch(cell) for cell in found)


def _blocks(lines: Sequence[Sequence[str]], numbers: set[int], width: int) -> list[list[int]]:
    """Share the columns among blocks, each of which begins with the first column."""
    from rich.cells import cell_len  # noqa: PLC0415 - only on a terminal

    natural = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    first = min(natural[0], max(width // 3, LEAST))
    blocks, used = [[0]], first
    for k in range(1, len(natural)):
        need = GAP + (natural[k] if k in numbers else min(natural[k], NARROW))
        if used + need > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = first
        blocks[-1].append(k)
        used += need
    return blocks


def _print_block(
    heads: Sequence[str], lines: Sequence[Sequence[str]], block: Sequence[int], numbers: set[int], width: int
) -> None:
    from rich.console import Console  # noqa: PLC0415 - only on a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for k in block:
        number = k in numbers
        table.add_column(Text(heads[k]), justify="right" if number else "left", overflow="fold", no_wrap=number)
    for line in lines:
        table.add_row(*(Text(line[k]) for k in block))
    console = Console(width=width)
    with console.capture() as drawn:
        console.print(table)
    print("\n".join(line.rstrip() for line in drawn.get().rstrip("\n").split("\n")))
