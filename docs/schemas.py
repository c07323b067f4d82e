"""JSON schemas of what the package gives to programs; ``docs/schemas.py`` writes them, tests validate with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"
DATE = {"type": "string", "format": "date"}
TEXT = {"type": "string"}
PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}


def _object(description: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _or_none(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


ESTIMATE = _object(
    "A probability: mean over draws, 90 % equal-tailed interval over draws, Monte Carlo standard error of the mean.",
    mean=PROBABILITY,
    low=PROBABILITY,
    high=PROBABILITY,
    mcse={"type": "number", "minimum": 0},
)
NAME = {
    "outcome": TEXT,
    "kind": {"enum": ["already", "at", "reached", "given", "after"]},
    "given": _or_none(TEXT) | {"description": "The condition, for the kinds given and after."},
    "horizon_weeks": _or_none({"type": "integer", "minimum": 1}),
    "date": _or_none(DATE) | {"description": "The date spoken of; none for the kind after."},
}
TRUST = _object(
    "Whether the numbers can be believed, and what they were made from.",
    anchor=TEXT | {"description": "The fit that the draws are from, or prior."},
    anchor_as_of=_or_none(DATE),
    draws={"type": "integer", "minimum": 1},
    ess={"type": "number", "exclusiveMinimum": 0, "description": "Effective number of draws."},
    k_hat=_or_none({"type": "number"})
    | {"description": "Pareto k-hat of the weights; none if nothing was reweighted."},
    worst_mcse={"type": "number", "minimum": 0},
    worst_mcse_of=TEXT,
    reasons={"type": "array", "items": TEXT, "description": "What is wrong; empty if nothing is."},
    trusted={"type": "boolean"},
)
SCHEMAS = {
    "forecast.schema.json": {
        "$schema": DRAFT,
        "title": "Forecast.to_dict()",
        **_object(
            "Probabilities of a model's outcomes as of a date.",
            format={"const": 1},
            model=TEXT,
            as_of=DATE,
            model_hash=TEXT,
            evidence=TEXT | {"description": "Hash of the evidence that the numbers rest on."},
            quantities={"type": "array", "items": _object("One published probability.", **NAME, estimate=ESTIMATE)},
            trust=TRUST,
        ),
    },
    "what-if.schema.json": {
        "$schema": DRAFT,
        "title": "WhatIf.to_dict()",
        **_object(
            "A forecast beside the same one under a supposition.",
            format={"const": 1},
            model=TEXT,
            as_of=DATE,
            supposed={"type": "array", "items": TEXT, "minItems": 1},
            changes={
                "type": "array",
                "items": _object(
                    "One probability before and after; mcse is the Monte Carlo error of the difference.",
                    **NAME,
                    before=ESTIMATE,
                    after=ESTIMATE,
                    difference={"type": "number", "minimum": -1, "maximum": 1},
                    mcse={"type": "number", "minimum": 0},
                ),
            },
            trust=TRUST,
        ),
    },
}


def render() -> dict[str, str]:
    """Give the text of every schema by file name."""
    return {name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in SCHEMAS.items()}


if __name__ == "__main__":
    for name, text in render().items():
        (HERE / name).write_text(text, encoding="utf-8")
