"""Where a fault of a model file stands: which of the files that were merged holds its key, and on which line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base import prose
from forecast.base.toml_lines import key_lines
from forecast.base.toml_text import read_toml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Spot(NamedTuple):
    """Line of a key, whether what stands there is merged with what an extended file has there, and how it is said.

    Messages count the items of a list from the ``1st``.
    """

    line: int
    merges: bool
    said: str


class Located(NamedTuple):
    """A file by the name that messages give it, with the spots of its dotted keys."""

    name: str
    spots: Mapping[str, Spot]


def located(name: str, text: str, faults: Sequence[str]) -> Located:
    """Locate the keys of a model file in whatever parts have ``faults``.

    Transitions are called by number and by the states that they lead from and to.
    """
    tables = read_toml(text)
    spots: dict[str, Spot] = {}
    parts = {fault.partition(": ")[0].partition(".")[0] for fault in faults}
    for place, line in key_lines(text).items():
        if place[0].partition(".")[0] not in parts:
            continue
        node: Any = tables
        merges, names, said = True, [""], list[str | int]()
        for k, part in enumerate(place):
            is_list = isinstance(node, list)
            is_move = k == 3 and place[0] == "stages" and place[2] == "transitions"  # noqa: PLR2004 - its depth
            merges = merges and (not is_list or is_move)
            node = node[int(part)] if is_list else node[part]
            moves = [part, f"{node.get('from')}>{node.get('to')}"] if is_move and isinstance(node, dict) else [part]
            names = [f"{name}.{move}" if name else move for name in names for move in moves]
            said.append(int(part) if is_list else part)
        merges = merges and (isinstance(node, dict) or place[0::2] == ("stages", "transitions"))
        spots |= {
            name: Spot(line, merges, name if k else prose.dotted(said))
            for k, name in enumerate(names)
            if name not in spots
        }
    return Located(name, spots)


def place_of(fault: str, files: Sequence[Located]) -> tuple[str, str]:
    """Give the ``file:line`` of a fault, which begins with its dotted key, and how it is said.

    The ``files`` are the model's own and what it extends, nearest first. What is missing has the line of the table that
    should hold it.
    """
    key = fault.partition(": ")[0].split(".")
    best, length = files[0].name, 0
    line, merges, said = 1, True, ""
    for file in files:
        found = next((n for n in range(len(key), length, -1) if ".".join(key[:n]) in file.spots), 0)
        if merges and found:
            best, length, (line, merges, said) = file.name, found, file.spots[".".join(key[:found])]
    known = ".".join(key[:length])
    return f"{best}:{line}", f"{said}{fault.removeprefix(known)}"
