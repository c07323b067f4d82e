"""Model specifications: the tables of a model file, as `forecast.theory.modelfile` reads them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    model_validator,
)

from forecast.base.errors import brief
from forecast.theory.outcomes import Conditional, Outcome
from forecast.theory.spells import Spell
from forecast.theory.tables import Bases, Source, Table
from forecast.theory.values import (
    LEAST,
    LONGEST_LAG,
    MOST,
    Day,
    Interval,
    Multiplier,
    Name,
    Quote,
    Scale,
    Spread,
    Text,
    Weeks,
    Weight,
    modern,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


GRADES = ("weak", "moderate", "strong", "decisive")
MOST_PHASES = 9


class Transition(Table):
    """A move of one stage from one state to another, with the 90 % interval of its rate per year."""

    from_: Name = Field(alias="from")
    to: Name
    per_year: Interval
    basis: Bases


class Effect(Table):
    """A multiplier on one transition while the stages upstream are in the named states."""

    from_: Name = Field(alias="from")
    to: Name
    when: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    times: Interval
    basis: Bases


class Units(Table):
    """That a stage has a history: the unit that the model itself is, and how much units differ.

    ``spread`` is the 90 % interval of σ: a unit's log rates are those of the stage plus σ z, with z standard normal.
    """

    own: Text
    spread: Spread
    basis: Bases


def _named(phases: object, state: str) -> object:
    """Name the phases of a state of which only the number is given: ``war_1``, ``war_2``."""
    if type(phases) is int and 2 <= phases <= MOST_PHASES:  # noqa: PLR2004 - one phase is none
        return [f"{state}_{k}" for k in range(1, phases + 1)]
    if type(phases) in {int, float, bool, str}:
        msg = f"needs the number of phases, 2 to {MOST_PHASES}, or a list of their names, got {brief(phases)}"
        raise ValueError(msg)
    return phases


def _all_named(phases: object) -> object:
    if not isinstance(phases, dict):
        return phases
    return {state: _named(names, str(state)) for state, names in cast("dict[object, object]", phases).items()}


Phases = Annotated[
    dict[Name, Annotated[tuple[Name, ...], Field(min_length=2, max_length=MOST_PHASES)]], BeforeValidator(_all_named)
]


class Stage(Table):
    """One link of the cascade: its states, how it starts and how it moves.

    A state may have ``phases``, which nobody observes, with rates of their own, so that how long it has lasted tells
    how long it will. What leads to the state, or starts in it, leads to its first phase; what leaves it leaves any.
    """

    label: Text
    states: Annotated[tuple[Name, ...], Field(min_length=2)]
    phases: Phases = Field(default={})
    describe: dict[Name, Text] = Field(default={})
    observable: tuple[Name, ...] = ()
    start: dict[Name, Weight] = Field(min_length=1)
    basis: Bases
    transitions: Annotated[tuple[Transition, ...], Field(min_length=1)]
    effects: dict[Name, Effect] = Field(default={})
    units: Units | None = None

    def phases_of(self, name: str) -> tuple[str, ...]:
        """Phases of a state, the one in which it begins first; others, and a phase, stand for themselves."""
        return self.phases.get(name, (name,))

    @property
    def start_phases(self) -> dict[str, float]:
        """Weights of the phases in which the stage may start, in the order of its phases."""
        first = {self.phases_of(state)[0]: weight for state, weight in self.start.items()}
        return {phase: first[phase] for phase in self.all_phases if phase in first}

    def moves(self) -> Iterator[tuple[int, str, str]]:
        """Which transition leads from one phase to another, and from which to which."""
        for k, move in enumerate(self.transitions):
            for phase in self.phases_of(move.from_):
                yield k, phase, self.phases_of(move.to)[0]

    @property
    def all_phases(self) -> tuple[str, ...]:
        """Phases of every state, in the order of the states."""
        return tuple(phase for state in self.states for phase in self.phases_of(state))

    def state_of(self, phase: str) -> str:
        """Give the state that a phase belongs to."""
        return next(state for state in self.states if phase in self.phases_of(state))

    def concerns(self, effect: Effect, from_: str, to: str) -> bool:
        """Whether an effect multiplies the rate from one phase to another: it names their states, or themselves."""
        return from_ in self.phases_of(effect.from_) and to in self.phases_of(effect.to)


class Sign(Table):
    """What an indicator looks like in the world, with the passage that names it if there is one."""

    what: Text
    quote: Quote | None = None


class Indicator(Table):
    """An observable kind of event of one stage, likelier in the states it points to.

    ``since`` is the day from which the vocabulary has had it; nobody chose it, or looked for it among everything,
    before. Without it, it has been there from the model's start.
    """

    label: Text
    stage: Name
    points_to: Annotated[tuple[Name, ...], Field(min_length=1)]
    grade: Literal["weak", "moderate", "strong", "decisive"]
    class_: Name = Field(alias="class")
    repeats: Annotated[bool, Field(strict=True)] = True
    reset_by: Name | None = None
    since: dt.date | None = None
    signs: Annotated[tuple[Sign, ...], Field(min_length=1)]
    basis: Bases


class ClassPrior(Table):
    """Base rates of one class of indicators.

    ``per_year`` is the 90 % interval of the class's typical rate (exp μ), ``spread`` that of σ, the standard
    deviation of log rates within the class; both log-normal.
    """

    per_year: Interval
    spread: Spread
    basis: Bases


class GradePrior(Table):
    """Multipliers of the four grades: prior medians, and how tightly the increments are held.

    Each increment on the log scale is 2 m Beta(c, c), with m the difference of the log medians and c the
    ``concentration``: symmetric about m, so the medians of the grades are exactly those given, and positive, so
    the order holds in every draw.
    """

    weak: Multiplier
    moderate: Multiplier
    strong: Multiplier
    decisive: Multiplier
    concentration: Annotated[float, Field(strict=True, gt=1, le=10_000)]
    basis: Bases

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        medians = self.medians
        if any(low >= high for low, high in pairwise(medians)):
            msg = f"grades increase strictly from weak to decisive, got {list(medians)}"
            raise ValueError(msg)
        return self

    @property
    def medians(self) -> tuple[float, float, float, float]:
        """Prior medians in the order of `GRADES`."""
        return self.weak, self.moderate, self.strong, self.decisive


class DeparturePrior(Table):
    """How far an indicator departs from its grade: τ is half-normal with this ``scale`` (log of the log rate)."""

    scale: Annotated[float, Field(strict=True, ge=1e-3, le=10)]
    basis: Bases


class DiagnosticityPrior(Table):
    """How far the grades are right: ``times`` is the 90 % interval of κ, a factor on the logarithms of all grades."""

    times: Scale
    basis: Bases


class Priors(Table):
    """Priors shared by all indicators; without ``diagnosticity`` the grades are taken at their word."""

    classes: dict[Name, ClassPrior] = Field(min_length=1)
    grades: GradePrior
    departure: DeparturePrior
    diagnosticity: DiagnosticityPrior | None = None


class Expert(Table):
    """One voice of a pool: intervals in place of the file's own, by dotted key (see `assumptions`).

    ``priors`` may be empty: then the expert holds what the file says. Weights are relative; see
    `ModelSpec.expert_weights`.
    """

    name: Name
    label: Text
    weight: Annotated[float, Field(strict=True, ge=LEAST, le=MOST)]
    basis: Bases
    priors: dict[str, Interval] = Field(default={})


class Header(Table):
    """What the model is called, where its evidence lies, and its clock.

    ``episode_days`` is how long what was told of an indicator lasts: until then nobody tells it as news again.
    """

    name: Name
    title: Text
    description: Text
    dataset: Name
    start: Annotated[Day, AfterValidator(modern)]
    step_days: Literal[1, 7] = 7  # horizons are in weeks and must be whole steps
    reporting_lag_days: Annotated[int, Field(strict=True, ge=0, le=LONGEST_LAG)]
    episode_days: Annotated[int, Field(strict=True, ge=0, le=LONGEST_LAG)] = 0
    horizons_weeks: Annotated[tuple[Weeks, ...], Field(min_length=1, max_length=20)]


class ModelSpec(Table):
    """A theory as read from its model file; immutable, every name checked.

    ``extends`` names the model file that this one changes; what was taken from it stands here already.
    """

    format: Literal[1]
    extends: Name | None = None
    model: Header
    sources: dict[Name, Source]
    stages: dict[Name, Stage] = Field(min_length=1)
    indicators: dict[Name, Indicator] = Field(min_length=1)
    outcomes: dict[Name, Outcome] = Field(min_length=1)
    conditionals: tuple[Conditional, ...] = ()
    priors: Priors
    experts: tuple[Expert, ...] = ()
    _history: tuple[Spell, ...] = PrivateAttr(default=())

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
