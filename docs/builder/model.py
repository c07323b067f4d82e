"""``model.md``: every assumption of the reference model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs.builder.cascade import mermaid
from docs.builder.entries import basis, interval, median, meets, names, number
from docs.builder.markdown import code, page, para, plain, table
from docs.builder.places import MODEL, ROOT, spec_of
from docs.builder.rules import errors_of, figures
from forecast.base.prose import count
from forecast.theory.assumptions import bases
from forecast.theory.indicators import GRADES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.theory.indicators import Indicator, Sign
    from forecast.theory.outcomes import Outcome, Rule
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Effect


def model_page() -> str:
    """State every assumption of the model file."""
    spec = spec_of(MODEL)
    header = spec.model
    path = MODEL.relative_to(ROOT)
    about = para(
        f"The file is [`{path}`](../{path}); what it says is set out here, and [the method](method.md) says what is",
        f"computed from it. Version `{spec.hash}`. The clock starts on {header.start} and ticks every",
        f"{header.step_days} days; systematic coverage counts up to {header.reporting_lag_days} days before the date",
        f"of a forecast; horizons are {', '.join(map(str, header.horizons_weeks))} weeks.",
    )
    return page(
        f"The model: {plain(header.title)}",
        "the model file",
        para(plain(header.description)),
        about,
        _origin(spec),
        "## The cascade\n",
        para(
            "Solid arrows are moves, with their median rate per year. While a condition holds, its dotted arrow",
            "multiplies the rate into a state from the state named, by the median factor. Dotted lines without a",
            "head join a condition to the states that make it up.",
        ),
        f"```mermaid\n{mermaid(spec)}\n```\n",
        *(_stage_section(spec, name) for name in spec.stages),
        *_channel_section(spec),
        "## Outcomes\n",
        _outcome_tables(spec),
        "## Priors shared by all indicators\n",
        _prior_tables(spec),
    )


def _origin(spec: ModelSpec) -> str:
    kinds = [row.kind for _, row in bases(spec)]
    meaning = {
        "article": "words of the theory, quoted",
        "reference": "a row of the base rates, cited by its number and put briefly, or an event type of the ontology",
        "judgement": "the modeller's choice, with its reason",
    }
    rows = [[f"*{kind}*", text, str(kinds.count(kind))] for kind, text in meaning.items()]
    sources = [[code(key), plain(row.title), str(row.published or "")] for key, row in spec.sources.items()]
    return "\n".join(
        [
            "## Where the assumptions come from\n",
            "Each entry gives its basis, of one or more kinds.\n",
            table(["kind", "meaning", "in this model"], rows),
            table(["source", "title", "published"], sources),
        ]
    )


def _stage_section(spec: ModelSpec, name: str) -> str:
    stage = spec.stages[name]
    total = sum(stage.start.values())
    states = [
        [
            code(name) if name in stage.states else f"· {code(name)}, a phase",
            plain(stage.describe.get(name, "")),
            f"{number(stage.start[name])} ({stage.start[name] / total:.0%})" if name in stage.start else "none",
            "yes" if name in stage.observable else "",
        ]
        for state in stage.states
        for name in (state, *stage.phases.get(state, ()))
    ]
    moves = [
        [f"{code(move.from_)} → {code(move.to)}", interval(move.per_year), number(median(move.per_year)),
         basis(move.basis)]
        for move in stage.transitions
    ]  # fmt: skip
    parts = [
        f"## Stage `{name}`: {plain(stage.label)}\n",
        "### States\n",
        "Weights are those of a Dirichlet distribution over the state at the start; in brackets their share.\n",
        table(["state", "meaning", "start weight", "observable"], states),
        f"Basis of the start: {basis(stage.basis)}\n",
        "### Transitions\n",
        "Rates per year.\n",
        table(["move", "90 % interval", "median", "basis"], moves),
    ]
    if stage.units:
        low, high = stage.units.spread
        parts.append(
            para(
                f"Units: the cascade itself is `{stage.units.own}` among those of its history. Standard deviation of"
                f" units' log rates, 90 % interval: {number(low)} to {number(high)}. Basis: {basis(stage.units.basis)}",
            )
        )
    if stage.effects:
        effects = [_effect_row(key, effect) for key, effect in stage.effects.items()]
        parts += [
            "### Effects\n",
            "Multipliers on a rate while the condition upstream holds.\n",
            table(["effect", "on", "while", "90 % interval", "median", "basis"], effects),
        ]
    indicators = {key: row for key, row in spec.indicators.items() if row.stage == name}
    return "\n".join([*parts, _indicator_tables(indicators)])


def _effect_row(key: str, effect: Effect) -> list[str]:
    move = f"{code(effect.from_)} → {code(effect.to)}"
    return [code(key), move, meets(effect.when), interval(effect.times), number(median(effect.times)),
            basis(effect.basis)]  # fmt: skip


def _indicator_tables(indicators: Mapping[str, Indicator]) -> str:
    short = [
        [code(key), plain(row.label), plain(names(row.points_to)), row.grade, plain(row.class_), _repeats(row),
         row.since or ""]
        for key, row in indicators.items()
    ]  # fmt: skip
    long = [
        [code(key), "<br>".join(_sign(sign) for sign in row.signs), basis(row.basis)] for key, row in indicators.items()
    ]
    return "\n".join(
        [
            "### Indicators\n",
            table(["indicator", "what it is", "points to", "grade", "class", "once only", "since"], short),
            "What each looks like, with the passage that names the sign where there is one:\n",
            table(["indicator", "signs", "basis"], long),
        ]
    )


def _repeats(row: Indicator) -> str:
    if row.repeats:
        return ""
    return f"yes, until {code(row.reset_by)}" if row.reset_by else "yes"


def _sign(sign: Sign) -> str:
    return plain(sign.what) + (f": “{plain(sign.quote)}”" if sign.quote else "")


def _outcome_tables(spec: ModelSpec) -> str:
    rows = [[code(key), plain(row.label), meets(row.states), basis(row.basis)] for key, row in spec.outcomes.items()]
    rules = [_resolution(key, row) for key, row in spec.outcomes.items()]
    asked = [
        [
            code(row.outcome),
            plain(row.condition.replace("_", " ")),
            "its beginning" if row.after else "both on the date",
        ]
        for row in spec.conditionals
    ]
    return "\n".join(
        [
            table(["outcome", "label", "states", "basis"], rows),
            para(
                "How the world resolves them. Every clause of a rule has to be met; beside a record, stories count",
                "from the day on which it began. *Met if it holds, if not*: in simulated worlds, on a day 26 weeks",
                "ahead ([rules](rules.md) has the rest).",
            ),
            table(["outcome", "in words", "rule", "met if it holds, if not", "sources", "frozen"], rules),
            "### Conditionals\n",
            "Probabilities that are asked under a condition.\n",
            table(["outcome", "condition", "counted from"], asked),
        ]
    )


def _resolution(key: str, row: Outcome) -> list[str]:
    rule = "<br>".join(_rule(part) for part in row.resolves)
    found = errors_of(figures()["evidence"], key, "at", 26)
    errors = ", ".join(f"{found[name]['mean']:.0%}" for name in ("sensitivity", "false_alarms"))
    return [code(key), plain(row.resolution), rule, errors, plain("; ".join(row.sources)), str(row.frozen)]


def _rule(rule: Rule) -> str:
    if rule.observable:
        return f"{code(rule.observable)} on record in an observable state"
    told = f"{count(rule.stories or 0, 'story')} within {rule.within_weeks} weeks of: {', '.join(map(code, rule.of))}"
    return told + (f"; no fewer than of: {', '.join(map(code, rule.no_fewer_than))}" if rule.no_fewer_than else "")


def _diagnosticity(spec: ModelSpec) -> list[str]:
    scale = spec.priors.diagnosticity
    if scale is None:
        return []
    return [
        "### Diagnosticity\n",
        para(
            "One factor on the logarithms of all grades, learned from the reports: 90 % interval",
            f"{interval(scale.times)}.",
        ),
        f"Basis: {basis(scale.basis)}\n",
    ]


def _channel_section(spec: ModelSpec) -> list[str]:
    """Weekly counts and what their classes share; nothing for a model without any."""
    if not spec.channels:
        return []
    rows = [
        [code(key), plain(row.label), code(row.stage), names(row.points_to), row.grade, row.class_,
         interval(row.dispersion), basis(row.basis)]
        for key, row in spec.channels.items()
    ]  # fmt: skip
    classes = [
        [code(key), interval(row.per_volume), interval(row.spread), interval(row.contrast), basis(row.basis)]
        for key, row in spec.priors.channels.items()
    ]
    return [
        "## Channels\n",
        para(
            "Weekly counts of what machines code, by [feeds](feeds.md). *Rate*: how many events one counts for a unit",
            "of volume in a state that it does not point to. *Contrast*: a factor on the logarithm of what its grade",
            "multiplies that by. *Dispersion*: φ of the variance μ + μ²/φ.",
        ),
        table(["channel", "label", "stage", "points to", "grade", "class", "dispersion", "basis"], rows),
        table(["class of channels", "rate, 90 % interval", "spread", "contrast", "basis"], classes),
    ]


def _prior_tables(spec: ModelSpec) -> str:
    priors = spec.priors
    classes = [
        [code(key), interval(row.per_year), number(median(row.per_year)), interval(row.spread), basis(row.basis)]
        for key, row in priors.classes.items()
    ]
    grades = [[grade, f"×{number(value)}"] for grade, value in zip(GRADES, priors.grades.medians, strict=True)]
    return "\n".join(
        [
            "### Classes\n",
            para(
                "*Rate*: how often a year a typical indicator of the class is detected in a state that it does not",
                "point to. *Spread*: standard deviation of the log rates within the class.",
            ),
            table(["class", "rate, 90 % interval", "median", "spread, 90 % interval", "basis"], classes),
            "### Grades\n",
            para(
                "An indicator occurs this many times as often in the states it points to (prior medians;",
                f"concentration {number(priors.grades.concentration)}).",
            ),
            table(["grade", "multiplier"], grades),
            f"Basis: {basis(priors.grades.basis)}\n",
            "### Departure\n",
            para(
                "How far one indicator departs from its grade: half-normal with scale",
                f"{number(priors.departure.scale)} on the log scale of the log multiplier.",
            ),
            f"Basis: {basis(priors.departure.basis)}\n",
            *_diagnosticity(spec),
        ]
    )
