"""The line on which each key of a TOML text stands, which a reader of values does not tell."""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

Place = tuple[str, ...]


def key_lines(text: str) -> dict[Place, int]:
    """Give the line, from 1, of every table, key and list item of a valid TOML ``text``, by the names that lead to it.

    An item of a list is named by its number. A table stands where it is named first.
    """
    import tree_sitter_toml  # noqa: PLC0415 - only a faulty file needs it
    from tree_sitter import Language, Parser  # noqa: PLC0415

    root = Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node
    found: dict[Place, int] = {}
    for place, node in _places(root):
        found.setdefault(place, node.start_point.row + 1)
    return found


def _places(root: Node) -> Iterator[tuple[Place, Node]]:
    items: Counter[Place] = Counter()  # of each [[table]], up to here
    for node in root.named_children:
        if node.type == "pair":
            yield from _pair((), node)
        elif node.type in {"table", "table_array_element"}:
            key, *pairs = _parts(node)
            place: Place = ()
            *upper, last = _names(key)
            for name in upper:
                place = (*place, name)
                yield place, key
                if place in items:
                    place = (*place, str(items[place] - 1))
            place = (*place, last)
            yield place, key
            if node.type == "table_array_element":
                items[place] += 1
                place = (*place, str(items[place] - 1))
                yield place, key
            for pair in pairs:
                yield from _pair(place, pair)


def _pair(place: Place, pair: Node) -> Iterator[tuple[Place, Node]]:
    key, value = _parts(pair)
    for name in _names(key):
        place = (*place, name)
        yield place, key
    yield from _value(place, value)


def _value(place: Place, value: Node) -> Iterator[tuple[Place, Node]]:
    if value.type == "inline_table":
        for pair in _parts(value):
            yield from _pair(place, pair)
    elif value.type == "array":
        for k, item in enumerate(_parts(value)):
            yield (*place, str(k)), item
            yield from _value((*place, str(k)), item)


def _parts(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _names(key: Node) -> list[str]:
    """Names of which a key consists."""
    if key.type == "dotted_key":
        return [name for part in _parts(key) for name in _names(part)]
    text = (key.text or b"").decode()
    if key.type == "quoted_key":
        return [tomllib.loads(f"name = {text}")["name"] if "\\" in text else text[1:-1]]
    return [text]
