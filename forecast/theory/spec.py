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
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from forecast.base.errors import brief
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
    from collections.abc import Iterator, Mapping, Sequence

    from forecast.theory.spells import Spell

GRADES = ("weak", "moderate", "strong", "decisive")
MOST_STORIES = 1000
MOST_PHASES = 9


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Basis(_Table):
    """Why an entry is as it is: a passage of the article, a reference, or a judgement with its reason."""

    kind: Literal["article", "reference", "judgement"]
    source: Name | None = None
    quote: Quote | None = None
    note: Text | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "judgement":
            if not self.note:
                msg = "a judgement gives its reason in `note`"
                raise ValueError(msg)
        elif not (self.source and self.quote):
            msg = f"kind {self.kind!r} needs `source` (a key of [sources]) and `quote` (the passage or the row cited)"
            raise ValueError(msg)
        return self


Bases = Annotated[tuple[Basis, ...], Field(min_length=1)]


class Source(_Table):
    """A text that bases point to."""

    title: Text
    published: Day | None = None
    url: Text | None = None


class Transition(_Table):
    """A move of one stage from one state to another, with the 90 % interval of its rate per year."""

    from_: Name = Field(alias="from")
    to: Name
    per_year: Interval
    basis: Bases


class Effect(_Table):
    """A multiplier on one transition while the stages upstream are in the named states."""

    from_: Name = Field(alias="from")
    to: Name
    when: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    times: Interval
    basis: Bases


class Units(_Table):
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


class Stage(_Table):
    """One link of the cascade: its states, how it starts and how it moves.

    A state may have ``phases``, which nobody observes, with rates of their own, so that how long it has lasted tells
    how long it will. What leads to the state, or starts in it, leads to its first phase; what leaves it leaves any.
    """

    label: Text
    states: Annotated[tuple[Name, ...], Field(min_length=2)]
    phases: Phases = {}
    describe: dict[Name, Text] = {}
    observable: tuple[Name, ...] = ()
    start: dict[Name, Weight] = Field(min_length=1)
    basis: Bases
    transitions: Annotated[tuple[Transition, ...], Field(min_length=1)]
    effects: dict[Name, Effect] = {}
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


class Sign(_Table):
    """What an indicator looks like in the world, with the passage that names it if there is one."""

    what: Text
    quote: Quote | None = None


class Indicator(_Table):
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


class Rule(_Table):
    """One clause of a resolution: an observable on record, or enough distinct stories within a span.

    With ``no_fewer_than`` they must also be no fewer than those of the indicators that it names.
    """

    observable: Name | None = None
    stories: Annotated[int, Field(strict=True, ge=1, le=MOST_STORIES)] | None = None
    of: tuple[Name, ...] = ()
    no_fewer_than: tuple[Name, ...] = ()
    within_weeks: Weeks | None = None

    @property
    def counted(self) -> tuple[Name, ...]:
        """The indicators whose stories it counts, on either side."""
        return *self.of, *self.no_fewer_than

    @property
    def other_side(self) -> Rule | None:
        """A clause of the stories that those of ``of`` are compared with; None if they are not compared."""
        if not self.no_fewer_than:
            return None
        return self.model_copy(update={"of": self.no_fewer_than, "no_fewer_than": ()})

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        stories = (self.stories is not None, bool(self.of), self.within_weeks is not None)
        if self.observable is not None and any((*stories, self.no_fewer_than)):
            msg = "a clause names `observable` or `stories`, `of` and `within_weeks`, not both"
            raise ValueError(msg)
        if self.observable is None and not all(stories):
            msg = "the clause names nothing: give `observable`, or `stories`, `of` and `within_weeks` together"
            raise ValueError(msg)
        if twice := sorted(set(self.of) & set(self.no_fewer_than)):
            msg = f"`of` and `no_fewer_than` both name {', '.join(map(repr, twice))}; a story counts on one side"
            raise ValueError(msg)
        return self


class Outcome(_Table):
    """A named set of joint states with a frozen rule by which the world resolves it."""

    label: Text
    states: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    resolution: Text
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    resolves: Annotated[tuple[Rule, ...], Field(min_length=1)]
    frozen: Day
    basis: Bases


def exclude_each_other(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """Whether two outcomes, given by their states, cannot hold together: some stage cannot be in a state of both."""
    return any(not set(states) & set(other[stage]) for stage, states in one.items() if stage in other)


class Conditional(_Table):
    """A probability given another outcome: both at the horizon, or ``weeks`` after the other began."""

    outcome: Name
    given: Name | None = None
    given_no: Name | None = None
    after: Name | None = None
    weeks: Weeks | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(part is not None for part in (self.given, self.given_no, self.after)) != 1:
            msg = "needs exactly one of `given`, `given_no` and `after`"
            raise ValueError(msg)
        if (self.after is None) != (self.weeks is None):
            msg = "`after` and `weeks` go together"
            raise ValueError(msg)
        return self

    @property
    def condition(self) -> str:
        """The condition in words: ``deal``, ``no deal`` or ``26 weeks after deal``."""
        if self.after is not None:
            return f"{self.weeks} weeks after {self.after}"
        return self.given or f"no {self.given_no}"


class ClassPrior(_Table):
    """Base rates of one class of indicators.

    ``per_year`` is the 90 % interval of the class's typical rate (exp μ), ``spread`` that of σ, the standard
    deviation of log rates within the class; both log-normal.
    """

    per_year: Interval
    spread: Spread
    basis: Bases


class GradePrior(_Table):
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


class DeparturePrior(_Table):
    """How far an indicator departs from its grade: τ is half-normal with this ``scale`` (log of the log rate)."""

    scale: Annotated[float, Field(strict=True, ge=1e-3, le=10)]
    basis: Bases


class DiagnosticityPrior(_Table):
    """How far the grades are right: ``times`` is the 90 % interval of κ, a factor on the logarithms of all grades."""

    times: Scale
    basis: Bases


class Priors(_Table):
    """Priors shared by all indicators; without ``diagnosticity`` the grades are taken at their word."""

    classes: dict[Name, ClassPrior] = Field(min_length=1)
    grades: GradePrior
    departure: DeparturePrior
    diagnosticity: DiagnosticityPrior | None = None


class Expert(_Table):
    """One voice of a pool: intervals in place of the file's own, by dotted key (see `assumptions`).

    ``priors`` may be empty: then the expert holds what the file says. Weights are relative; see
    `ModelSpec.expert_weights`.
    """

    name: Name
    label: Text
    weight: Annotated[float, Field(strict=True, ge=LEAST, le=MOST)]
    basis: Bases
    priors: dict[str, Interval] = {}


class Header(_Table):
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


class ModelSpec(_Table):
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
