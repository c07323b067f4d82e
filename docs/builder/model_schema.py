"""``models/model.schema.json``: what a model file may hold, as JSON Schema for editors of TOML."""

from __future__ import annotations

import json
from typing import Any, cast

from forecast.theory.spec import ModelSpec

Schema = dict[str, Any]
WHOLE = "Whole"  # begins the names of tables as they are in a file that extends no other
DROP: Schema = {
    "type": "array",
    "items": {"type": "string"},
    "description": "Dotted keys of what is left out of the file that is extended; only beside `extends`.",
    "examples": [["indicators.wards_full"]],
}


def model_schema() -> str:
    """Write the schema: every table as a file that extends another may hold it, and what any other file must hold."""
    schema = _plain(ModelSpec.model_json_schema(by_alias=True))
    tables = cast("Schema", schema.pop("$defs"))
    schema["properties"]["drop"] = DROP
    tables["Header"]["required"].remove("name")  # that of the file serves
    whole = _renamed({**tables, "Model": schema})
    content = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Model file of scenario-cascade",
        **_without_required(schema),
        "if": {"required": ["extends"]},
        "else": {"allOf": [{"$ref": f"#/definitions/{WHOLE}Model"}, {"not": {"required": ["drop"]}}]},
        "definitions": {**_without_required(tables), **whole},
    }
    return json.dumps(content, indent=1, ensure_ascii=False, default=str).replace("#/$defs/", "#/definitions/") + "\n"


def _plain(node: Any) -> Any:  # noqa: ANN401 - JSON
    """Leave out titles made of keys, docstrings, and null, which TOML does not have."""
    if isinstance(node, list):
        return [_plain(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    found: Schema = {}
    for key, value in cast("Schema", node).items():
        if key in {"properties", "$defs"}:
            found[key] = {name: _plain(item) for name, item in value.items()}
        elif key in {"default", "examples"}:
            found |= {key: _without_null(value)} if value is not None else {}
        elif key != "title" and not (key == "description" and "properties" in node):
            found[key] = _plain(value)
    if "patternProperties" in found:
        found["additionalProperties"] = False
    match found.get("anyOf"):
        case [dict(only), {"type": "null"}]:
            del found["anyOf"]
            return {**only, **found}
        case _:
            return found


def _without_null(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _without_null(item) for key, item in cast("Schema", value).items() if item is not None}
    return [_without_null(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value


def _without_required(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, list):
        return [_without_required(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    return {
        key: _without_required(value)
        for key, value in cast("Schema", node).items()
        if not (key == "required" and isinstance(value, list))
    }


def _renamed(tables: Schema) -> Schema:
    """Give the tables under names of their own, for a file that has to be whole."""
    text = json.dumps(tables, default=str).replace("#/$defs/", f"#/$defs/{WHOLE}")
    return {f"{WHOLE}{name}": table for name, table in json.loads(text).items()}
