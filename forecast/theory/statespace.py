"""Joint states, and which parameter enters which transition and which emission.

Everything that depends on the model file alone and not on evidence: names for every axis, and the index arrays by
which parameters become the log rates that the kernels in `forecast.engine.gradient` work on.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import Chain
from forecast.theory.spec import GRADES, log_normal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from forecast.theory.spec import ModelSpec


@dataclass(frozen=True)
class _Rate:
    """One transition of a stage in one context (a joint state of the stages upstream of it)."""

    stage: int
    context: int
    from_: int
    to: int
    transition: int
    effects: tuple[int, ...]
    name: str


class StateSpace:
    """The axes of a model and the index arrays between them.

    Sizes: L stages, K joint states (the last stage varies fastest), I indicators, R rates (every transition in every
    context), E emissions (every indicator in every state of its stage).
    """

    def __init__(self, spec: ModelSpec) -> None:
        """Lay out the axes of ``spec``."""
        self.spec = spec
        self.stages = tuple(spec.stages)
        self.states = tuple(stage.states for stage in spec.stages.values())
        self.sizes = np.array([len(states) for states in self.states], dtype=np.int64)
        self.joint_states = tuple(itertools.product(*self.states))
        self.indicators = tuple(spec.indicators)
        self.classes = tuple(spec.priors.classes)
        self.transitions = tuple(
            f"{name}.{move.from_}>{move.to}" for name, stage in spec.stages.items() for move in stage.transitions
        )
        self.effects = tuple(f"{name}.{label}" for name, stage in spec.stages.items() for label in stage.effects)

    @property
    def size(self) -> int:
        """K, the number of joint states."""
        return len(self.joint_states)

    @cached_property
    def stage_offset(self) -> NDArray[np.int64]:
        """Where each stage begins on the axis of all stages' states put end to end; one more entry closes it."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    @cached_property
    def stage_states(self) -> tuple[str, ...]:
        """Names of the axis of all stages' states put end to end: ``peace.stalled`` and so on."""
        return tuple(f"{stage}.{s}" for stage, states in zip(self.stages, self.states, strict=True) for s in states)

    # Rates.

    @cached_property
    def _rates(self) -> tuple[_Rate, ...]:
        rates: list[_Rate] = []
        first = 0
        for level, (name, stage) in enumerate(self.spec.stages.items()):
            upstream = self.stages[:level]
            for context, states in enumerate(itertools.product(*self.states[:level])):
                here = dict(zip(upstream, states, strict=True))
                for k, move in enumerate(stage.transitions):
                    effects = [
                        label
                        for label, effect in stage.effects.items()
                        if (effect.from_, effect.to) == (move.from_, move.to)
                        and all(here[other] in allowed for other, allowed in effect.when.items())
                    ]
                    where = ",".join(states)
                    rates.append(
                        _Rate(
                            stage=level,
                            context=context,
                            from_=stage.states.index(move.from_),
                            to=stage.states.index(move.to),
                            transition=first + k,
                            effects=tuple(self.effects.index(f"{name}.{label}") for label in effects),
                            name=self.transitions[first + k] + (f"|{where}" if where else ""),
                        )
                    )
            first += len(stage.transitions)
        return tuple(rates)

    @cached_property
    def rate_names(self) -> tuple[str, ...]:
        """Names of the R rates, such as ``relations.truce>cooperation|fresh_deal,secured``."""
        return tuple(rate.name for rate in self._rates)

    @cached_property
    def rate_table(self) -> NDArray[np.int64]:
        """(R, 4): stage, context, from and to of each rate."""
        rows = [(rate.stage, rate.context, rate.from_, rate.to) for rate in self._rates]
        return np.array(rows, dtype=np.int64).reshape(-1, 4)

    @cached_property
    def pairs(self) -> NDArray[np.int64]:
        """(L, K, K): where the stages' transition tables, put end to end, hold the entry for joint z → z′."""
        pairs = np.empty((len(self.stages), self.size, self.size), dtype=np.int64)
        states = np.array(list(np.ndindex(*self.sizes)))
        first, contexts, context = 0, 1, np.zeros(self.size, dtype=np.int64)
        for stage, n in enumerate(self.sizes):
            pairs[stage] = first + (context * n + states[:, None, stage]) * n + states[None, :, stage]
            first += contexts * n * n
            contexts *= n
            context = context * n + states[:, stage]
        return pairs

    @cached_property
    def rate_transition(self) -> NDArray[np.int64]:
        """(R,): the transition of each rate."""
        return np.array([rate.transition for rate in self._rates], dtype=np.int64)

    @cached_property
    def rate_effect(self) -> NDArray[np.float64]:
        """(R, effects): 1 where an effect multiplies a rate."""
        matrix = np.zeros((len(self._rates), len(self.effects)))
        for k, rate in enumerate(self._rates):
            matrix[k, list(rate.effects)] = 1.0
        return matrix

    # Emissions.

    @cached_property
    def indicator_stage(self) -> NDArray[np.int64]:
        """(I,): the stage of each indicator."""
        return np.array([self.stages.index(row.stage) for row in self.spec.indicators.values()], dtype=np.int64)

    @cached_property
    def indicator_class(self) -> NDArray[np.int64]:
        """(I,): the class of each indicator."""
        return np.array([self.classes.index(row.class_) for row in self.spec.indicators.values()], dtype=np.int64)

    @cached_property
    def indicator_grade(self) -> NDArray[np.int64]:
        """(I,): the grade of each indicator, an index into `forecast.theory.spec.GRADES`."""
        return np.array([GRADES.index(row.grade) for row in self.spec.indicators.values()], dtype=np.int64)

    @cached_property
    def indicator_median(self) -> NDArray[np.float64]:
        """(I,): rate per year at the prior medians, the constant λ̃ of the false-report terms."""
        rows = self.spec.indicators.values()
        return np.exp([log_normal(self.spec.priors.classes[row.class_].per_year)[0] for row in rows])

    @cached_property
    def indicator_since(self) -> NDArray[np.int64]:
        """(I,): the day, counted from the model's start, from which the vocabulary has had each indicator."""
        first = self.spec.model.start
        days = [((row.since or first) - first).days for row in self.spec.indicators.values()]
        return np.array(days, dtype=np.int64)

    @cached_property
    def emission_offset(self) -> NDArray[np.int64]:
        """(I + 1,): where each indicator begins on the emission axis."""
        return np.concatenate([[0], np.cumsum(self.sizes[self.indicator_stage])]).astype(np.int64)

    @cached_property
    def emission_names(self) -> tuple[str, ...]:
        """Names of the E emissions, such as ``presidents_meeting|truce``."""
        return tuple(f"{name}|{s}" for name, row in self.spec.indicators.items() for s in self._states_of(row.stage))

    @cached_property
    def emission_indicator(self) -> NDArray[np.int64]:
        """(E,): the indicator of each emission."""
        return np.repeat(np.arange(len(self.indicators)), np.diff(self.emission_offset))

    @cached_property
    def emission_points(self) -> NDArray[np.float64]:
        """(E,): 1 where the indicator points to the state."""
        rows = self.spec.indicators.values()
        return np.array([float(s in row.points_to) for row in rows for s in self._states_of(row.stage)])

    def _states_of(self, stage: str) -> tuple[str, ...]:
        return self.spec.stages[stage].states

    # Sets of states.

    def state(self, name: str) -> tuple[int, int]:
        """Stage and state index of a name such as ``peace.fresh_deal``; a `KeyError` if there is none."""
        try:
            position = self.stage_states.index(name)
        except ValueError:
            raise KeyError(name) from None
        stage = int(np.searchsorted(self.stage_offset, position, side="right")) - 1
        return stage, position - int(self.stage_offset[stage])

    def members(self, states: Mapping[str, tuple[str, ...]]) -> NDArray[np.bool_]:
        """(K,): the joint states in which every named stage is in one of its named states."""
        inside = np.ones(self.size, dtype=np.bool_)
        for stage, allowed in states.items():
            level = self.stages.index(stage)
            inside &= np.array([joint[level] in allowed for joint in self.joint_states])
        return inside

    def observable(self, stage: int) -> NDArray[np.bool_]:
        """(n,): the observable states of one stage."""
        row = self.spec.stages[self.stages[stage]]
        return np.array([state in row.observable for state in row.states])

    def start_weights(self, stage: int) -> NDArray[np.float64]:
        """(n,): Dirichlet weights of the start; 0 for a state that the stage cannot start in."""
        row = self.spec.stages[self.stages[stage]]
        return np.array([row.start.get(state, 0.0) for state in row.states])


def chain_of(space: StateSpace) -> Chain:
    """Give the structure of a model as arrays."""
    return Chain(space.sizes, space.rate_table, space.pairs, space.emission_offset)
