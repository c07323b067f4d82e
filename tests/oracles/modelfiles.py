"""Model files as text: the reference model changed in a place, and values to put there; what rows for one may name."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import tomllib
from typing import TYPE_CHECKING, Any

from hypothesis import Phase
from hypothesis import strategies as st
from places import MODEL

from forecast.ledger.check import Vocabulary
from forecast.theory.wording import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from forecast.theory.spec import ModelSpec

REFERENCE = tomllib.loads(MODEL.read_text(encoding="utf-8"))


def _named(whole: dict[str, Any]) -> dict[str, Any]:
    """Leave out the indicators that nothing else in a model names; most of a text are indicators."""
    rest = json.dumps({key: part for key, part in whole.items() if key != "indicators"}, default=str)
    return whole | {"indicators": {name: row for name, row in whole["indicators"].items() if f'"{name}"' in rest}}


FEWER = _named(REFERENCE)
FINDING = (Phase.explicit, Phase.generate)  # shrinking a whole model file would take minutes
Place = tuple[str | int, ...]


def vocabulary_of(spec: ModelSpec, today: dt.date) -> Vocabulary:
    """Give what rows for a model may name."""
    indicators = {name: words_of(row) for name, row in spec.indicators.items()}
    states = {name: stage.states for name, stage in spec.stages.items()}
    return Vocabulary(indicators, states, spec.model.start, today, tuple(spec.channels))


def to_toml(value: Any, *, top: bool = True) -> str:  # noqa: PLR0911 - one for each type
    """Write plain values as TOML, all on the lines of the top keys."""
    match value:
        case dict() if top:
            return "\n".join(f"{json.dumps(key)} = {to_toml(item, top=False)}" for key, item in value.items()) + "\n"
        case dict():
            return (
                "{" + ", ".join(f"{json.dumps(key)} = {to_toml(item, top=False)}" for key, item in value.items()) + "}"
            )
        case list() | tuple():
            return "[" + ", ".join(to_toml(item, top=False) for item in value) + "]"
        case bool():
            return "true" if value else "false"
        case dt.date():
            return value.isoformat()
        case float() if math.isnan(value):
            return "nan"
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case _:
            return repr(value)


def changed(change: Callable[[dict[str, Any]], object], *, whole: bool = False) -> str:
    """Give the reference model as TOML text after ``change``; unless ``whole``, without indicators that none names."""
    raw = copy.deepcopy(REFERENCE if whole else FEWER)
    change(raw)
    return to_toml(raw)


def at(raw: dict[str, Any], place: Place) -> Any:
    """Give what stands at a place."""
    for part in place:
        raw = raw[part]
    return raw


def put(place: Place, value: Any) -> Callable[[dict[str, Any]], None]:
    """Give a change that puts a value in a place."""

    def change(raw: dict[str, Any]) -> None:
        at(raw, place[:-1])[place[-1]] = value

    return change


def leaves(node: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Every value of a TOML document with its place."""
    if isinstance(node, dict | list):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            yield from leaves(item, (*place, key))
    else:
        yield place, node


SCALARS = (
    st.none().map(lambda _: "")
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats()
    | st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=12)
    | st.dates()
    | st.sampled_from(["peace", "truce", "deal", "relations", "*", "[key]", "class", "cyberattack", "a.b"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_.[]k ", max_size=6), inner, max_size=3),
    max_leaves=5,
)
