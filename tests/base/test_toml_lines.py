"""Every key of a TOML text has its line."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from places import MODELS

from forecast.base.toml_lines import key_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT = """\
format = 1 # before all tables
"a.b" = 3
c.d . 'e f' = { x = 1, y.z = [1, { q = 2 }] }

[model]
# a comment
text = \"\"\"
two lines
\"\"\"
after = "it" # counts the lines of the text
[[stages.peace.moves]]
from = "a"
[stages.peace.moves.why]
note = "of the first"
[[stages.peace.moves]]
from = [
  # a comment in a list
  "x", # and one behind an item
  { a = 1 },
]
[[stages.peace.moves.deep]]
one = 1
[[stages.peace.moves.deep]]
two = 2
[stages."T\\u00fcrkiye"]
"""
LINES = {
    "format": 1, "a.b": 2, "c": 3, "c.d": 3, "c.d.e f": 3, "c.d.e f.x": 3, "c.d.e f.y": 3, "c.d.e f.y.z": 3,
    "c.d.e f.y.z.0": 3, "c.d.e f.y.z.1": 3, "c.d.e f.y.z.1.q": 3, "model": 5, "model.text": 7, "model.after": 10,
    "stages": 11, "stages.peace": 11, "stages.peace.moves": 11, "stages.peace.moves.0": 11,
    "stages.peace.moves.0.from": 12, "stages.peace.moves.0.why": 13, "stages.peace.moves.0.why.note": 14,
    "stages.peace.moves.1": 15, "stages.peace.moves.1.from": 16, "stages.peace.moves.1.from.0": 18,
    "stages.peace.moves.1.from.1": 19, "stages.peace.moves.1.from.1.a": 19, "stages.peace.moves.1.deep": 21,
    "stages.peace.moves.1.deep.0": 21, "stages.peace.moves.1.deep.0.one": 22, "stages.peace.moves.1.deep.1": 23,
    "stages.peace.moves.1.deep.1.two": 24, "stages.Türkiye": 25,
}  # fmt: skip


def _places(node: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, item in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*place, str(key))
        yield from _places(item, (*place, str(key)))


def test_every_kind_of_key_has_its_line() -> None:
    """Bare, quoted and dotted keys, tables, tables in lists and items of lists have the line that an editor shows."""
    assert {".".join(place): line for place, line in key_lines(TEXT).items()} == LINES


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda path: path.stem)
def test_no_key_of_a_model_file_is_without_a_line(path: Path) -> None:
    """It finds the keys that a TOML parser finds, each on a line that holds its name."""
    text = path.read_text(encoding="utf-8")
    found, rows = key_lines(text), text.splitlines()
    assert found.keys() == set(_places(tomllib.loads(text)))
    assert not [place for place, line in found.items() if not place[-1].isdigit() and place[-1] not in rows[line - 1]]
