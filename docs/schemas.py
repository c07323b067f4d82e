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
ERROR = {"type": "number", "minimum": 0, "description": "Monte Carlo standard error."}


def _object(description: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
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
FORECAST = _object(
    "Probabilities of a model's outcomes as of a date.",
    format={"const": 1},
    model=TEXT,
    as_of=DATE,
    model_hash=TEXT,
    evidence=TEXT | {"description": "Hash of the evidence that the numbers rest on."},
    quantities={"type": "array", "items": _object("One published probability.", **NAME, estimate=ESTIMATE)},
    trust=TRUST,
)
TEXTS = {"type": "array", "items": TEXT}
SENTENCES = _object("Sentences to quote.", sentences=TEXTS)
TRIPLES = {
    "type": "object",
    "description": "By name of a state or outcome: for each date a mean and the ends of its 90 % interval.",
    "additionalProperties": {
        "type": "array",
        "items": {"type": "array", "items": PROBABILITY, "minItems": 3, "maxItems": 3},
    },
}
WHOLE = {"type": "integer", "minimum": 0}


def _rows(description: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "array", "items": _object(description, **properties)}


def _answer(description: str, /, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Describe what `Forecast` answers a question with, in outline."""
    return {
        "type": "object", "description": description,
        "properties": {
            "format": {"const": 1}, "model": TEXT, "as_of": DATE, "trust": TRUST, "sentences": TEXTS, **more,
        },
        "required": ["format", "model", "as_of", "trust", "sentences", *more],
    }  # fmt: skip


REPORT = _object(
    "A forecast that was issued, with all that its report shows. It never changes.",
    format={"const": 1},
    model=_object(
        "The theory.", name=TEXT, title=TEXT, description=TEXT, hash=TEXT,
        outcomes={
            "type": "object",
            "additionalProperties": _object(
                "What is forecast, and how the world will answer.", label=TEXT, resolution=TEXT,
                states={"type": "object", "additionalProperties": TEXTS},
            ),
        },
        stages={"type": "object", "additionalProperties": _object("A stage.", label=TEXT, states=TEXTS)},
    ),
    issued_at={"type": "string", "format": "date-time"},
    forecast=FORECAST,
    conditionals=_rows(
        "A conditional probability and what its link rests on.", outcome=TEXT, given=TEXT, links=TEXTS,
        narrowing={"type": "number", "description": "Largest posterior over prior width of its links; 1 is no news."},
        rests_on_prior={"type": "boolean"},
    ),
    notes=TEXTS,
    path=_object(
        "States and outcomes at the end of each past week, under the parameters of today.",
        dates={"type": "array", "items": DATE}, filtered=TRIPLES, smoothed=TRIPLES,
    ),
    learned=_rows(
        "What the evidence has taught of one parameter.", name=TEXT, kind=TEXT,
        prior={"type": "array", "items": {"type": "number"}},
        posterior={"type": "array", "items": {"type": "number"}}, narrowing={"type": "number"},
    ),
    fit=_object(
        "The draws.", id=TEXT, as_of=DATE, created_at={"type": "string", "format": "date-time"},
        settings={"type": "object"}, diagnostics={"type": "object"},
        versions={"type": "object", "additionalProperties": TEXT},
    ),
    evidence={
        "type": "object",
        "properties": {"hash": TEXT, "watermark": WHOLE, "newest": _or_none(DATE), "rows": {"type": "array"}},
        "required": ["hash", "watermark", "newest", "rows", "coverage"],
    },
    lead=TEXT | {"description": "The outcome that the report explains."},
    lead_weeks={"type": "integer", "minimum": 1},
    known=_rows(
        "What would have been forecast at the end of a week from what was known then.", date=DATE, evidence=TEXT,
        version=TEXT, trusted={"type": "boolean"},
        outcomes={
            "type": "object",
            "additionalProperties": _object("On the day and after `lead_weeks`.", now=ESTIMATE, then=ESTIMATE),
        },
    ),
    cascade=_object(
        "States of every stage after `weeks`; links add up to them by the law of total probability.",
        weeks={"type": "integer", "minimum": 1}, date=DATE,
        stages=_rows(
            "A stage.", stage=TEXT, label=TEXT,
            states=_rows("A state.", state=TEXT, probability=PROBABILITY, mcse=ERROR),
        ),
        links=_rows(
            "A pair of states of stages that follow each other.", **{"from": TEXT}, to=TEXT, probability=PROBABILITY,
            given=_or_none(PROBABILITY),
        ),
    ),
    reached={
        "type": "object",
        "additionalProperties": _rows(
            "Probability that it has begun by the date.", date=DATE, mean=PROBABILITY, low=PROBABILITY,
            high=PROBABILITY, mcse=ERROR,
        ),
    },
    events=_rows("A story for the time axis.", date=DATE, what=TEXT, stages=TEXTS, rows=TEXTS),
    drivers=_answer("`Forecast.drivers`."),
    watch=_answer("`Forecast.watch`."),
    sensitivity=_answer("`Forecast.sensitivity`."),
    what_if=_rows(
        "What if a decisive indicator were seen today.", name=TEXT, label=TEXT, trusted={"type": "boolean"},
        outcomes={
            "type": "object",
            "additionalProperties": _object(
                "After `lead_weeks`.", after=PROBABILITY, difference={"type": "number"}, mcse={"type": "number"}
            ),
        },
    ),
    covered=_object(
        "The same forecast if everything had been looked for all the time.",
        quantities={"type": "array", "items": _object("One probability.", **NAME, estimate=ESTIMATE)}, trust=TRUST,
    ),
    alarm=_or_none(
        _answer(
            "Whether the model is being contradicted (`Forecast.alarm`); none in the first weeks of a model.",
            rings={"type": "boolean", "description": "Do not rely on the numbers while it does."},
            tail=PROBABILITY | {"description": "How likely a score as low is; it rings where that is below `limit`."},
            limit=PROBABILITY, since=DATE, weeks=WHOLE, cells=WHOLE,
        )
    ),
    assumptions={"type": "array", "items": {"type": "object", "required": ["key", "interval", "basis"]}},
    rules=_rows(
        "Probability that the rule of an outcome is met: on the date (at), on at least one day behind `as_of` up to it "
        "(by); and whether it is met on `as_of`. `prior` is what the theory says without any row.",
        outcome=TEXT, kind={"enum": ["at", "by"]}, horizon_weeks={"type": "integer", "minimum": 1}, date=DATE,
        estimate=_object("By simulation.", mean=PROBABILITY, mcse={"type": "number", "minimum": 0}),
        prior=PROBABILITY,
        met_now={"type": "boolean"},
    ),
    changes=_or_none(
        {
            "type": "object", "description": "What has changed since the issue before.",
            "required": ["since", "issued_at", "quantities", "rows", "assumptions", "model", "versions"],
        }
    ),
    headline=SENTENCES,
    skill=_object(
        "Whether the track record shows skill; while it does not, a sentence says what the forecast rests on.",
        shown={"type": "boolean"}, sentences=TEXTS,
    ),
    track={
        "type": "object",
        "description": "How good earlier forecasts were (`Project.score`); older reports have sentences only.",
        "properties": {
            "issues": WHOLE, "resolved": WHOLE, "void": WHOLE, "open": WHOLE, "sentences": TEXTS,
            "parts": {
                "type": "array", "description": "Skill, of issues made live, and retrospective fit, of others.",
                "items": {"type": "object", "required": ["name", "live", "pulled", "total", "groups", "reliability"]},
            },
            "overrules": _rows(
                "Answers that analysts gave: to what, and why.",
                outcome=TEXT, since=_or_none(DATE), date=DATE, answer={"enum": ["yes", "no", "void"]}, reason=TEXT,
                url=TEXT,
            ),
        },
        "required": ["issues", "resolved", "sentences"],
    },
    health=SENTENCES,
)  # fmt: skip

SCHEMAS = {
    "report.schema.json": {"$schema": DRAFT, "title": "forecast.json: an issued forecast and its report", **REPORT},
    "forecast.schema.json": {
        "$schema": DRAFT,
        "title": "Forecast.to_dict()",
        **FORECAST,
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
