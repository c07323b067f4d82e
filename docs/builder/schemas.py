"""``*.schema.json``: JSON schemas of what the package gives to programs; tests validate with them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DATE = {"type": "string", "format": "date"}
TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
YES_OR_NO = {"type": "boolean"}
NUMBER = {"type": "number"}
ERROR = {"type": "number", "minimum": 0}
PROBABILITY = {"type": "number", "minimum": 0, "maximum": 1}
WHOLE = {"type": "integer", "minimum": 0}
POSITIVE = {"type": "integer", "minimum": 1}
TIME = {"type": "string", "format": "date-time"}


def _object(description: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {
        "type": "object", "description": description, "properties": properties, "required": list(properties),
        "additionalProperties": False,
    }  # fmt: skip


def _with_optional(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return schema | {"properties": schema["properties"] | properties}


def _rows(description: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"type": "array", "items": _object(description, **properties)}


def _by_name(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": schema}


def _or_none(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _flow(description: str) -> dict[str, Any]:
    return _object(
        f"{description}; links add up to them by the law of total probability.",
        weeks=POSITIVE, date=DATE,
        stages=_rows(
            "A stage.", stage=TEXT, label=TEXT,
            states=_rows(
                "A case: a state, an outcome, yes or no.", state=TEXT, probability=PROBABILITY, low=PROBABILITY,
                high=PROBABILITY, mcse=ERROR,
            ),
        ),
        links=_rows(
            "A pair of cases of stages that follow each other.", **{"from": TEXT}, to=TEXT, probability=PROBABILITY,
            given=_or_none(PROBABILITY), given_low=_or_none(PROBABILITY), given_high=_or_none(PROBABILITY),
        ),
    )  # fmt: skip


ESTIMATE = _object(
    "A probability: mean over draws, 90 % equal-tailed interval over draws, Monte Carlo standard error of the mean.",
    mean=PROBABILITY, low=PROBABILITY, high=PROBABILITY, mcse=ERROR,
)  # fmt: skip
SIMULATED = _or_none(_object("By simulation; none where it is too rare to say.", mean=PROBABILITY, mcse=ERROR))
NAME = {
    "outcome": TEXT,
    "kind": {"enum": ["already", "at", "reached", "given", "after"]},
    "given": _or_none(TEXT) | {"description": "The condition, for the kinds given and after."},
    "horizon_weeks": _or_none(POSITIVE),
    "date": _or_none(DATE) | {"description": "The date spoken of; none for the kind after."},
}
TRUST = _object(
    "Whether the numbers can be believed, and what they were made from.",
    anchor=TEXT | {"description": "The fit that the draws are from, or prior."},
    anchor_as_of=_or_none(DATE), draws=POSITIVE,
    ess={"type": "number", "exclusiveMinimum": 0, "description": "Effective number of draws."},
    k_hat=_or_none(NUMBER) | {"description": "Pareto k-hat of the weights; none if nothing was reweighted."},
    worst_mcse=ERROR, worst_mcse_of=TEXT,
    reasons=TEXTS | {"description": "What is wrong; empty if nothing is."},
    trusted=YES_OR_NO,
)  # fmt: skip
FORECAST = _object(
    "Probabilities of a model's outcomes as of a date.",
    format={"const": 1}, model=TEXT, as_of=DATE, model_hash=TEXT,
    evidence=TEXT | {"description": "Hash of the evidence that the numbers rest on."},
    quantities=_rows("One published probability.", **NAME, estimate=ESTIMATE), trust=TRUST,
)  # fmt: skip
SENTENCES = _object("Sentences to quote.", sentences=TEXTS)
TRIPLES = {
    "type": "object",
    "description": "By name of a state or outcome: for each date a mean and the ends of its 90 % interval.",
    "additionalProperties": {
        "type": "array",
        "items": {"type": "array", "items": PROBABILITY, "minItems": 3, "maxItems": 3},
    },
}


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
        outcomes=_by_name(
            _with_optional(
                _object(
                    "What is forecast, and how the world will answer.", label=TEXT, resolution=TEXT,
                    resolves={
                        "type": "array", "description": "The clauses of the rule, as the model file has them.",
                        "items": {"type": "object"},
                    },
                    frozen=DATE, states=_by_name(TEXTS),
                ),
                short=TEXT | {"description": "What it is called where there is little room."},
            )
        ),
        stages=_by_name(_object("A stage.", label=TEXT, states=TEXTS)),
    ),
    issued_at=TIME,
    forecast=FORECAST,
    conditionals=_rows(
        "A conditional probability and what its link rests on.", outcome=TEXT, given=TEXT, links=TEXTS,
        narrowing={"type": "number", "description": "Largest posterior over prior width of its links; 1 is no news."},
        rests_on_prior=YES_OR_NO,
    ),
    notes=TEXTS,
    path=_object(
        "States and outcomes at the end of each past week, under the parameters of today.",
        dates={"type": "array", "items": DATE}, filtered=TRIPLES, smoothed=TRIPLES,
    ),
    learned=_rows(
        "What the evidence has taught of one parameter.", name=TEXT, kind=TEXT,
        prior={"type": "array", "items": NUMBER},
        posterior={"type": "array", "items": NUMBER}, narrowing=NUMBER,
    ),
    fit=_object(
        "The draws.", id=TEXT, as_of=DATE, created_at=TIME,
        settings={"type": "object"}, diagnostics={"type": "object"},
        versions=_by_name(TEXT),
    ),
    evidence={
        "type": "object",
        "properties": {"hash": TEXT, "watermark": WHOLE, "newest": _or_none(DATE), "rows": {"type": "array"}},
        "required": ["hash", "watermark", "newest", "rows", "coverage"],
    },
    lead=TEXT | {"description": "The outcome that the report explains."},
    lead_weeks=POSITIVE,
    known=_rows(
        "What would have been forecast at the end of a week from what was known then.", date=DATE, evidence=TEXT,
        version=TEXT, trusted=YES_OR_NO,
        outcomes=_by_name(
            _object("On the day and after `lead_weeks`.", now=ESTIMATE, then=ESTIMATE)
        ),
    ),
    cascade=_flow("Outcomes of every stage after `weeks`"),
    stages=_flow("States of every stage after `weeks`"),
    reached=_by_name(
        _rows(
            "Probability that it has begun by the date.", date=DATE, mean=PROBABILITY, low=PROBABILITY,
            high=PROBABILITY, mcse=ERROR,
        )
    ),
    events=_rows("A story for the time axis.", date=DATE, what=TEXT, stages=TEXTS, rows=TEXTS),
    drivers=_answer("`Forecast.drivers`."),
    watch=_with_optional(
        _answer("`Forecast.watch`."),
        channels=_rows(
            "A channel that was counted: what its next week, first to last, lets one expect (mean; 5 and 95 %), what "
            "the outcome would be then, and the expected information of the count in bits.",
            channel=TEXT, label=TEXT, stage=TEXT, first=DATE, last=DATE, exposure=NUMBER, expected=ERROR, quiet=WHOLE,
            loud=WHOLE, if_quiet=PROBABILITY, if_quiet_mcse=ERROR, if_loud=PROBABILITY, if_loud_mcse=ERROR, gain=ERROR,
            gain_mcse=ERROR,
        ),
    ),
    sensitivity=_answer("`Forecast.sensitivity`."),
    matrix=_answer(
        "`Forecast.matrix`.", outcome=TEXT, until=DATE, stages=_by_name(TEXTS), rivals=TEXTS,
        rows=_rows(
            "A story on record or an indicator that may be seen: how many times likelier it is under each state than "
            "on average over the states of its stage, and under each rival theory than under this one.",
            kind={"enum": ["story", "coming"]}, what=TEXT, stage=TEXT, date=_or_none(DATE), rows=TEXTS,
            factors=_by_name(_object("Mean over draws and 90 % interval.", mean=ERROR, low=ERROR, high=ERROR)),
            rivals=_by_name(ERROR),
            notes=TEXTS | {"description": "What was counted once, graded down or tells nothing."},
        ),
    ),
    sources=_answer(
        "`Forecast.sources`.", weeks=POSITIVE, date=DATE, now=_by_name(ESTIMATE),
        rows=_rows(
            "A source, and each outcome without it; none where the draws do not reach that.",
            source=TEXT, ids=TEXTS, rows=POSITIVE, stories=POSITIVE, grades=TEXTS, first=DATE, newest=DATE,
            languages=TEXTS, machine_coded=WHOLE,
            without=_by_name(
                _object("Without the source.", probability=PROBABILITY, difference=NUMBER, mcse=ERROR, leans=YES_OR_NO)
            ),
        ),
    ),
    what_if=_rows(
        "What if a decisive indicator were seen today.", name=TEXT, label=TEXT, trusted=YES_OR_NO,
        outcomes=_by_name(
            _object(
                "After `lead_weeks`.", after=PROBABILITY, difference=NUMBER, mcse=NUMBER
            )
        ),
    ),
    rests_on=_object(
        "How much of what is known of each link and each probability is prior, history and reports: shares that add up "
        "to one; without a history, prior and reports.",
        format={"const": 1}, model=TEXT, as_of=DATE, history=YES_OR_NO,
        links=_rows("A rate or an effect.", name=TEXT, kind=TEXT, prior=PROBABILITY, history=PROBABILITY,
                    reports=PROBABILITY),
        numbers=_rows(
            "An outcome or a condition at the longest horizon: by the model file alone, informed by the history, now.",
            **NAME, prior=PROBABILITY, history=PROBABILITY, reports=PROBABILITY, alone=ESTIMATE, informed=ESTIMATE,
            now=ESTIMATE,
        ),
        grades=_rows(
            "What a grade multiplies the rate of its indicators by: as the model file calls it, and as the reports "
            "have it; none where the model has no `priors.diagnosticity`.",
            grade=TEXT, called=NUMBER, median=NUMBER, low=NUMBER, high=NUMBER,
        ),
        graded=_or_none(TEXT) | {"description": "The same in words."},
        sentences=TEXTS | {"description": "What the links rest on, and what the history changed; none without one."},
    ),
    covered=_or_none(
        _object(
            "The same forecast if everything had been looked for all the time; none where no draws at hand reach that.",
            quantities=_rows("One probability.", **NAME, estimate=ESTIMATE), trust=TRUST,
        )
    ),
    alarm=_or_none(
        _answer(
            "Whether the model is being contradicted (`Forecast.alarm`); none in the first weeks of a model.",
            rings={"type": "boolean", "description": "Do not rely on the numbers while it does."},
            tail=PROBABILITY | {"description": "How likely a score as low is; it rings where that is below `limit`."},
            limit=PROBABILITY, since=DATE, weeks=WHOLE, cells=WHOLE,
        )
    ),
    assumptions={"type": "array", "items": {"type": "object", "required": ["key", "label", "interval", "basis"]}},
    rules=_rows(
        "Probability that the rule of an outcome is met: on the date (at), on at least one day behind `as_of` up to it "
        "(by); and whether it is met on `as_of`. `prior` is what the theory says without any row. `sensitivity` is how "
        "often the rule is met where the outcome holds, `false_alarms` how often where it does not, in worlds "
        "simulated from the model's start under the forecast's draws; none where that is less likely than 1 %.",
        outcome=TEXT, kind={"enum": ["at", "by"]}, horizon_weeks=POSITIVE, date=DATE,
        estimate=_object("By simulation.", mean=PROBABILITY, mcse=ERROR),
        prior=PROBABILITY, sensitivity=SIMULATED, false_alarms=SIMULATED,
        met_now=YES_OR_NO,
    ),
    rules_together=_rows(
        "How often the rules of two outcomes that exclude each other are met on one day, and what share that is of the "
        "cases in which one of them is; in the same worlds.",
        outcomes=TEXTS, kind={"enum": ["at", "by"]}, horizon_weeks=POSITIVE,
        both=_object("By simulation.", mean=PROBABILITY, mcse=ERROR), share=SIMULATED,
    ),
    rules_said=TEXTS | {"description": "How well each rule follows its outcome, and how often two contradict."},
    changes=_or_none(
        {
            "type": "object", "description": "What has changed since the issue before.",
            "required": ["since", "issued_at", "quantities", "rows", "assumptions", "model", "versions"],
        }
    ),
    headline=_object(
        "The first screen: an alarm that rings, where the outcomes stand and what changed (sentences); why, and how "
        "far to trust it. Of the outcomes that are exclusive at most one holds.",
        sentences=TEXTS, exclusive=TEXTS, others=TEXTS, stand=TEXTS, changed=TEXTS, why=TEXTS, trust=TEXTS,
    ),
    skill=_object(
        "Whether the track record shows skill; and what the links rest on, without a history only while it does not.",
        shown=YES_OR_NO, sentences=TEXTS,
    ),
    track={
        "type": "object",
        "description": "How good earlier forecasts were (`Project.score`); older reports have sentences only.",
        "properties": {
            "issues": WHOLE, "resolved": WHOLE, "void": WHOLE, "settled": WHOLE, "open": WHOLE,
            "sentences": TEXTS,
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

WHAT_IF = _object(
    "A forecast beside the same one under a supposition.",
    format={"const": 1}, model=TEXT, as_of=DATE, supposed=TEXTS | {"minItems": 1},
    changes=_rows(
        "One probability before and after; mcse is the Monte Carlo error of the difference.",
        **NAME, before=ESTIMATE, after=ESTIMATE, difference={"type": "number", "minimum": -1, "maximum": 1}, mcse=ERROR,
    ),
    trust=TRUST,
)  # fmt: skip

WEIGHTS = _by_name(PROBABILITY) | {"description": "Stacking weights; they add up to one."}
INTERVALS = _by_name({"type": "array", "items": PROBABILITY, "minItems": 2, "maxItems": 2}) | {
    "description": "90 % intervals of the weights, from a Bayesian bootstrap."
}
COMPARISON = _object(
    "Rival models on the same evidence; objects by name have the models as names.",
    format={"const": 1}, as_of=DATE,
    frozen=DATE | {"description": "From then on no model was changed; scores of earlier weeks are retrospective fit."},
    forecasts=_by_name(FORECAST),
    weeks=_rows(
        "A week's evidence as each model foresaw it: log predictive probabilities in nats, with Monte Carlo errors.",
        date=DATE, cells={"type": "integer", "description": "What was new or changed."},
        scores=_by_name(NUMBER), mcse=_by_name(ERROR),
    ),
    totals=_by_name(NUMBER) | {"description": "Sums over weeks."},
    weights=WEIGHTS, intervals=INTERVALS,
    pooled=FORECAST,
    history=_object(
        "The models on the history, each unit's spells foretold from the other units'.",
        silent=TEXTS | {"description": "Models without a history."},
        unlike=TEXTS | {"description": "Units that not all models with a history read alike; they are not scored."},
        units=_rows(
            "A unit.", stage=TEXT, unit=TEXT,
            scores=_by_name(
                _object(
                    "Log predictive density in nats.", value=NUMBER, mcse=ERROR, k_hat=_or_none(NUMBER),
                    reached=YES_OR_NO | {"description": "If not, do not rely on the score."},
                )
            ),
        ),
        stages=_rows(
            "A stage, or `all` stages together; empty where fewer than two models have a history.",
            stage=TEXT, units=POSITIVE, totals=_by_name(NUMBER),
            behind=_by_name(
                _object(
                    "How far behind the best, with the standard error over units (none for a single unit).",
                    nats=ERROR, error=_or_none(ERROR),
                )
            ),
            weights=WEIGHTS, intervals=INTERVALS,
        ),
        sentences=TEXTS,
    ),
    fits=WHOLE | {"description": "Fits that were made on the way."},
    sentences=TEXTS,
)  # fmt: skip


def schema_text(title: str, schema: dict[str, Any]) -> str:
    """Give a schema as JSON."""
    return json.dumps({"$schema": DRAFT, "title": title, **schema}, indent=1, ensure_ascii=False) + "\n"


SCHEMAS = {
    "report.schema.json": partial(schema_text, "forecast.json: an issued forecast and its report", REPORT),
    "forecast.schema.json": partial(schema_text, "Forecast.to_dict()", FORECAST),
    "what-if.schema.json": partial(schema_text, "WhatIf.to_dict()", WHAT_IF),
    "comparison.schema.json": partial(schema_text, "Comparison.to_dict()", COMPARISON),
}
