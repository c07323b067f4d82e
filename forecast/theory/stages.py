"""Stages of a model file: states, how they start and move, and what conditions upstream do to their rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from forecast.base.errors import brief
from forecast.theory.tables import NO_BASIS, Bases, Table
from forecast.theory.values import NAME_SCHEMA, Interval, Label, Name, Spread, Text, Weight

if TYPE_CHECKING:
    from collections.abc import Iterator


MOST_PHASES = 9


class Transition(Table):
    """A move of one stage from one state to another, with the 90 % interval of its rate per year."""

    from_: Annotated[Name, Field(alias="from", description="The state that it leaves.", examples=["calm"])]
    to: Annotated[Name, Field(description="The state that it leads to.", examples=["strained"])]
    per_year: Annotated[
        Interval,
        Field(
            description="Its rate per year while the stage is in `from`, as a 90 % interval: 2 is a wait of half a "
            "year on average.",
            examples=[[0.5, 4]],
        ),
    ]
    basis: Bases = NO_BASIS


class Effect(Table):
    """A multiplier on one transition while the stages upstream are in the named states."""

    from_: Annotated[Name, Field(alias="from", description="`from` of the transition.", examples=["strained"])]
    to: Annotated[Name, Field(description="`to` of the transition.", examples=["full"])]
    when: Annotated[
        dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]],
        Field(
            min_length=1,
            description="Stages that come before this one in the file, each with the states in which it must be.",
            examples=[{"outbreak": ["spreading"]}],
        ),
    ]
    times: Annotated[
        Interval, Field(description="What the rate is multiplied by, as a 90 % interval.", examples=[[1.5, 6]])
    ]
    basis: Bases = NO_BASIS


class Units(Table):
    """That a stage has a history: the unit that the model itself is, and how much units differ.

    ``spread`` is the 90 % interval of σ: a unit's log rates are those of the stage plus σ z, with z standard normal.
    """

    own: Annotated[
        Text, Field(description="The unit of `history.csv` that this model is about.", examples=["northern region"])
    ]
    spread: Annotated[
        Spread,
        Field(
            description="How much units differ: the standard deviation of their log rates, as a 90 % interval.",
            examples=[[0.1, 1.2]],
        ),
    ] = (0.1, 1.2)
    basis: Bases = NO_BASIS


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


_PHASE_NAMES = {"type": "array", "items": NAME_SCHEMA, "minItems": 2, "maxItems": MOST_PHASES}
_PHASE_COUNT = {"type": "integer", "minimum": 2, "maximum": MOST_PHASES}
Phases = Annotated[
    dict[Name, Annotated[tuple[Name, ...], Field(min_length=2, max_length=MOST_PHASES)]],
    BeforeValidator(_all_named),
    WithJsonSchema({"type": "object", "additionalProperties": {"anyOf": [_PHASE_COUNT, _PHASE_NAMES]}}),
]


def _starts(given: dict[str, Any]) -> dict[str, float]:
    """Weigh the states alike in which a stage can start without a row that says so."""
    observable: tuple[str, ...] = given.get("observable", ())
    return {state: 1.0 for state in given.get("states", ()) if state not in observable}


class Stage(Table):
    """One link of the cascade: its states, how it starts and how it moves.

    A state may have ``phases``, which nobody observes, with rates of their own, so that how long it has lasted tells
    how long it will. What leads to the state, or starts in it, leads to its first phase; what leaves it leaves any.
    """

    label: Label = ""
    states: Annotated[
        tuple[Name, ...],
        Field(
            min_length=2,
            description="What it can be like, one at a time. Nobody sees it directly unless it is `observable`.",
            examples=[["calm", "strained", "full"]],
        ),
    ]
    phases: Annotated[
        Phases,
        Field(
            description="Parts of states, each state with the number or the names of its phases: a state with phases "
            "can be likelier to end the longer it has lasted, or the shorter.",
            examples=[{"strained": ["early", "late"]}],
            default_factory=dict,
        ),
    ]
    describe: Annotated[
        dict[Name, Text],
        Field(
            description="What each state means, in a sentence.",
            examples=[{"full": "Patients are sent elsewhere."}],
            default_factory=dict,
        ),
    ]
    observable: Annotated[
        tuple[Name, ...],
        Field(
            description="States that the world cannot miss: a row that names one puts it on record, and without such a "
            "row it is not the case. At least one state is left out.",
            examples=[["full"]],
        ),
    ] = ()
    start: Annotated[
        dict[Name, Weight],
        Field(
            min_length=1,
            description="How likely each state is on the model's first day: weights that need not sum to one. Without "
            "it all states that are not `observable` weigh alike.",
            examples=[{"calm": 4, "strained": 1}],
            default_factory=_starts,
        ),
    ]
    basis: Bases = NO_BASIS
    transitions: Annotated[
        tuple[Transition, ...],
        Field(
            min_length=1,
            description="How it moves; what is not listed does not happen.",
            examples=[[{"from": "calm", "to": "strained", "per_year": [0.5, 4]}]],
        ),
    ]
    effects: Annotated[
        dict[Name, Effect],
        Field(
            description="How stages before it change its rates, each by a name of your own.",
            examples=[
                {
                    "spread_fills_wards": {
                        "from": "strained",
                        "to": "full",
                        "when": {"outbreak": ["spreading"]},
                        "times": [1.5, 6],
                    }
                }
            ],
            default_factory=dict,
        ),
    ]
    units: Annotated[
        Units | None,
        Field(
            description="That spells of other countries, regions or firms teach its rates: `history.csv` in the folder "
            "of the dataset holds them.",
            examples=[{"own": "northern region"}],
        ),
    ] = None

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
