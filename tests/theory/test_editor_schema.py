"""The schema for editors takes every shipped model file, and refuses what a model file must not hold."""

from __future__ import annotations

import copy
import datetime as dt
import json
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from modelfiles import REFERENCE, put
from places import MODELS
from small_models import LEAST

from forecast.theory.modelfile import load_spec

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = json.loads((MODELS / "model.schema.json").read_text(encoding="utf-8"))
MOVE = ("stages", "peace", "transitions", 0)


def _json(node: Any) -> Any:
    """Give what an editor holds against a schema: dates are text."""
    if isinstance(node, dict):
        return {key: _json(value) for key, value in node.items()}
    return [_json(value) for value in node] if isinstance(node, list) else str(node) if type(node) is dt.date else node


def faults(raw: dict[str, Any]) -> list[str]:
    """Give the dotted keys of what the schema does not allow."""
    checker = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    return sorted({".".join(map(str, error.absolute_path)) for error in checker.iter_errors(_json(raw))})


def test_the_schema_is_one() -> None:
    """It is a JSON Schema of the draft that editors of TOML know, and needs no other file."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert set(_refs(SCHEMA)) <= {f"#/definitions/{name}" for name in SCHEMA["definitions"]}


def _refs(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*([node["$ref"]] if "$ref" in node else []), *(ref for item in node.values() for ref in _refs(item))]
    return [ref for item in node for ref in _refs(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_model_file_validates(path: Path) -> None:
    """The reference model and its rivals, which hold only what they change, are good; each names the schema."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#:schema ./model.schema.json\n")
    assert load_spec(path)
    assert faults(tomllib.loads(text)) == []


def test_the_least_model_validates() -> None:
    """What has a default may be left out."""
    assert faults(tomllib.loads(LEAST)) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (put(("indicators", "cyberattack", "grade"), "big"), "indicators.cyberattack.grade"),
        (put(("indicators", "cyberattack", "piont_to"), ["truce"]), "indicators.cyberattack"),
        (put(("indicators", "Big Bang"), REFERENCE["indicators"]["cyberattack"]), "indicators"),
        (lambda raw: raw["indicators"]["cyberattack"].pop("stage"), "indicators.cyberattack"),
        (put((*MOVE, "per_year"), [1]), ".".join(map(str, (*MOVE, "per_year")))),
        (put((*MOVE, "per_year"), [0, 1]), ".".join(map(str, (*MOVE, "per_year", 0)))),
        (put(("stages", "peace", "phases"), {"advancing": 1}), "stages.peace.phases.advancing"),
        (put(("model", "step_days"), 10), "model.step_days"),
        (put(("model", "start"), "soon"), "model.start"),
        (put(("model", "horizons_weeks"), []), "model.horizons_weeks"),
        (put(("drop",), ["indicators.cyberattack"]), ""),
        (lambda raw: raw.pop("stages"), ""),
        (put(("format",), 2), "format"),
        (put(("experts", 0, "weight"), "1"), "experts.0.weight"),
    ],
)
def test_broken_model_file_does_not_validate(change: Callable[[dict[str, Any]], object], key: str) -> None:
    """A wrong kind, an unknown or missing key, a number out of range is found where it stands."""
    raw = copy.deepcopy(REFERENCE)
    change(raw)
    assert faults(raw) == [key]
