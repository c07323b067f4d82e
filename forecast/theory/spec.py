"""Model specifications: the tables of a model file, as `forecast.theory.modelfile` reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from forecast.base.prose import spoken
from forecast.theory.channels import Channel
from forecast.theory.indicators import Indicator, Priors
from forecast.theory.outcomes import USUAL_WEEKS, Conditional, Outcome, Rule
from forecast.theory.spells import Spell
from forecast.theory.stages import Stage
from forecast.theory.tables import NO_BASIS, Bases, Source, Table
from forecast.theory.values import (
    EARLIEST,
    LATEST,
    LEAST,
    LONGEST_LAG,
    MOST,
    Day,
    Interval,
    Name,
    Text,
    Weeks,
    modern,
)


def _own_name(given: dict[str, Any]) -> str:
    return given.get("name", "")


def _spoken_name(given: dict[str, Any]) -> str:
    return spoken(_own_name(given)).capitalize()


class Expert(Table):
    """One voice of a pool: intervals in place of the file's own, by dotted key (see `assumptions`).

    ``priors`` may be empty: then the expert holds what the file says. Weights are relative; see
    `ModelSpec.expert_weights`.
    """

    name: Annotated[Name, Field(description="What it is called.", examples=["clinicians"])]
    label: Annotated[
        Text,
        Field(
            description="The name in words, for people. Without it: `name` in words.",
            examples=["Clinicians"],
            default_factory=_spoken_name,
        ),
    ]
    weight: Annotated[
        float,
        Field(
            strict=True,
            ge=LEAST,
            le=MOST,
            description="How much it counts beside the others; the weights need not sum to one.",
            examples=[2],
        ),
    ] = 1.0
    basis: Bases = NO_BASIS
    priors: Annotated[
        dict[str, Interval],
        Field(
            description="Intervals in place of the file's own, by dotted key in quotation marks. Who gives none holds "
            "what the file says.",
            examples=[{"stages.hospitals.transitions.calm>strained": [1, 6]}],
            default_factory=dict,
        ),
    ]


class Header(Table):
    """What the model is called, where its evidence lies, and its clock.

    ``episode_days`` is how long what was told of an indicator lasts: until then nobody tells it as news again.
    """

    name: Annotated[
        Name,
        Field(
            description="The name of the file without `.toml`, which it is without this key too.", examples=["epidemic"]
        ),
    ]
    title: Annotated[
        Text,
        Field(
            description="What stands at the top of a report. Without it: `name` in words.",
            examples=["The winter wave and the hospitals"],
            default_factory=_spoken_name,
        ),
    ]
    description: Annotated[
        Text,
        Field(description="The theory in a sentence or two.", examples=["A wave fills wards where it is let run."]),
    ] = ""
    dataset: Annotated[
        Name,
        Field(
            description="The folder under `data/` with its evidence, which models may share. Without it: `name`, or "
            "the dataset of the file that this one `extends`.",
            examples=["epidemic"],
            default_factory=_own_name,
        ),
    ]
    start: Annotated[
        Day,
        AfterValidator(modern),
        Field(
            description=f"The first day of the model, {EARLIEST} to {LATEST}; no evidence is older.",
            examples=[dt.date(2025, 1, 6)],
        ),
    ]
    step_days: Annotated[
        Literal[1, 7],  # horizons are in weeks and must be whole steps
        Field(description="The length of a step of the clock: a day or a week.", examples=[1]),
    ] = 7
    reporting_lag_days: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=LONGEST_LAG,
            description="How late reports may come: so long, that nobody has seen a thing says nothing yet.",
            examples=[7],
        ),
    ] = 14
    episode_days: Annotated[
        int,
        Field(
            strict=True,
            ge=0,
            le=LONGEST_LAG,
            description="How long what was told of an indicator lasts: until then only a more credible row about it is "
            "news.",
            examples=[84],
        ),
    ] = 0
    horizons_weeks: Annotated[
        tuple[Weeks, ...],
        Field(
            min_length=1,
            max_length=20,
            description="How far ahead the forecast looks, in weeks; no number twice.",
            examples=[[2, 8, 26]],
        ),
    ] = (4, 13, 26, 52)


_STAGE = {
    "hospitals": {
        "states": ["calm", "full"],
        "transitions": [{"from": "calm", "to": "full", "per_year": [0.5, 4]}],
    }
}


class ModelSpec(Table):
    """A theory as read from its model file; immutable, every name checked.

    ``extends`` names the model file that this one changes; what was taken from it stands here already.
    """

    format: Annotated[Literal[1], Field(description="The version of this format; there is one only.", examples=[1])] = 1
    extends: Annotated[
        Name | None,
        Field(
            description="The model, in the same folder, of which this file changes something.", examples=["epidemic"]
        ),
    ] = None
    model: Annotated[
        Header,
        Field(
            description="Name, evidence, clock and horizons.",
            examples=[{"name": "epidemic", "start": dt.date(2025, 1, 6)}],
        ),
    ]
    sources: Annotated[
        dict[Name, Source],
        Field(
            description="Texts that a `basis` cites, by a name of your own.",
            examples=[{"review": {"title": "Review of 40 outbreaks"}}],
            default_factory=dict,
        ),
    ]
    stages: Annotated[
        dict[Name, Stage],
        Field(
            min_length=1,
            description="The links of the cascade by name, first to last: a stage acts on those that come after it.",
            examples=[_STAGE],
        ),
    ]
    indicators: Annotated[
        dict[Name, Indicator],
        Field(
            min_length=1,
            description="Kinds of events that show in which state a stage is, by a name of your own.",
            examples=[{"wards_full": {"stage": "hospitals", "points_to": ["full"]}}],
        ),
    ]
    channels: Annotated[
        dict[Name, Channel],
        Field(
            description="Weekly counts by machines that show in which state a stage is, by a name of your own.",
            examples=[{"emergency_calls": {"stage": "hospitals", "points_to": ["full"], "grade": "moderate"}}],
            default_factory=dict,
        ),
    ]
    outcomes: Annotated[
        dict[Name, Outcome],
        Field(
            min_length=1,
            description="What the forecast gives probabilities of, by a name of your own. A report explains the first "
            "one of the last stage.",
            examples=[{"full_wards": {"states": {"hospitals": ["full"]}, "frozen": dt.date(2025, 1, 6)}}],
        ),
    ]
    conditionals: Annotated[
        tuple[Conditional, ...],
        Field(
            description="Probabilities of one outcome given another.",
            examples=[[{"outcome": "full_wards", "given": "lockdown"}]],
        ),
    ] = ()
    priors: Annotated[
        Priors,
        Field(
            description="How often indicators happen, and what their grades are worth.",
            examples=[{"grades": {"weak": 1.5}}],
        ),
    ] = Priors()
    experts: Annotated[
        tuple[Expert, ...],
        Field(
            description="Two or more voices in place of the file's own intervals; `forecast experts` pools them.",
            examples=[[{"name": "clinicians"}, {"name": "modellers"}]],
        ),
    ] = ()
    _history: tuple[Spell, ...] = PrivateAttr(default=())

    @model_validator(mode="before")
    @classmethod
    def _label(cls, raw: object) -> object:
        """Take for the label of an entry without one its key in words."""
        if not isinstance(raw, dict):
            return raw
        tables = cast("dict[str, object]", raw)
        return {
            key: _labelled(value) if key in {"stages", "indicators", "channels", "outcomes"} else value
            for key, value in tables.items()
        }

    @model_validator(mode="after")
    def _rules(self) -> Self:
        """Give the outcomes without a rule the usual one, and the rules without words theirs."""
        return self.model_copy(update={"outcomes": {key: self._ruled(row) for key, row in self.outcomes.items()}})

    def _ruled(self, outcome: Outcome) -> Outcome:
        clauses = outcome.resolves or self._usual_rule(outcome)
        labels = [{key: row.label for key, row in rows.items()} for rows in (self.stages, self.indicators)]
        words = "; and ".join(rule.in_words(*labels) for rule in clauses)
        return outcome.model_copy(update={"resolves": clauses, "resolution": outcome.resolution or f"Met if {words}."})

    def _usual_rule(self, outcome: Outcome) -> tuple[Rule, ...]:
        """For each stage of an outcome its record, or stories that point to no other state; none if there are none."""
        found: list[Rule] = []
        for name, states in outcome.states.items():
            stage = self.stages.get(name)
            if stage is not None and set(states) == set(stage.observable):
                found.append(Rule(observable=name))
                continue
            phases = {phase for state in states for phase in (state, *(stage.phases_of(state) if stage else ()))}
            of = tuple(
                key for key, row in self.indicators.items() if row.stage == name and phases >= set(row.points_to)
            )
            if not of:
                return ()
            found.append(Rule(stories=1, of=of, within_weeks=USUAL_WEEKS))
        return tuple(found)

    @property
    def history(self) -> tuple[Spell, ...]:
        """Spells of the dataset's history; they are not in the model file."""
        return self._history

    def with_history(self, spells: tuple[Spell, ...]) -> Self:
        """Give the model with the history of its dataset."""
        found = self.model_copy()
        found._history = spells  # noqa: SLF001 - of the same class
        return found

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def expert_weights(self) -> dict[str, float]:
        """Each expert's share of the pool, in the order of the file; they sum to one."""
        total = math.fsum(expert.weight for expert in self.experts)
        return {expert.name: expert.weight / total for expert in self.experts}

    @property
    def hash(self) -> str:
        """Twelve hex digits over what the draws depend on: numbers and structure.

        Words (labels, signs, bases), what is only read off the draws (outcomes, horizons) and other voices
        (experts) do not count, so mending a citation keeps every fit valid.
        """
        content = self.model_dump(mode="json", include={"format", "stages", "indicators", "priors"}, by_alias=True)
        counted = {"channels": content["priors"].pop("channels")}
        if self.channels:
            content |= self.model_dump(mode="json", include={"channels"}, by_alias=True) | {"counted": counted}
        keys = {
            "dataset",
            "start",
            "step_days",
            "reporting_lag_days",
            *["episode_days"] * bool(self.model.episode_days),
        }
        clock = self.model_dump(mode="json", include={"model": keys})
        learned = [
            spell[:-3]  # without the words about where it comes from
            for spell in self.history
            if (stage := self.stages.get(spell.stage)) is not None and stage.units is not None
        ]
        parts = [_numbers_and_structure(content), clock, *([learned] if learned else [])]
        canonical = json.dumps(parts, sort_keys=False, separators=(",", ":"), default=str)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def _labelled(table: object) -> object:
    if not isinstance(table, dict):
        return table
    rows = cast("dict[str, object]", table)
    return {
        key: {"label": spoken(key).capitalize(), **cast("dict[str, object]", row)} if isinstance(row, dict) else row
        for key, row in rows.items()
    }


_WORDS = {"basis", "label", "signs", "describe"}


def _numbers_and_structure(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, dict):
        table = cast("dict[str, Any]", node)
        return {
            key: _numbers_and_structure(value)
            for key, value in table.items()
            if key not in _WORDS and (key, value) not in (("units", None), ("phases", {}), ("diagnosticity", None))
        }
    if isinstance(node, list):
        return [_numbers_and_structure(value) for value in cast("list[Any]", node)]
    return node
