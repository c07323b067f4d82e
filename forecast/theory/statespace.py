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
from forecast.theory.indicators import GRADES
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.theory.spec import ModelSpec


@dataclass(frozen=True)
class _Rate:
    """One way between two phases of a stage in one context (a joint phase of the stages upstream of it)."""

    stage: int
    context: int
    from_: int
    to: int
    transition: int
    effects: tuple[int, ...]
    name: str


class StateSpace:
    """The axes of a model and the index arrays between them.

    The chain runs through *phases*: those of a state that has some, otherwise the state itself. Sizes: L stages, K
    joint phases (the last stage varies fastest), I indicators, C channels, R rates (every transition in every context),
    E emissions (every indicator in every phase of its stage; then every channel so, with its dispersion behind).
    """

    def __init__(self, spec: ModelSpec) -> None:
        """Lay out the axes of ``spec``."""
        self.spec = spec
        self.stages = tuple(spec.stages)
        self.states = tuple(stage.states for stage in spec.stages.values())
        self.phases = tuple(stage.all_phases for stage in spec.stages.values())
        self.sizes = np.array([len(phases) for phases in self.phases], dtype=np.int64)
        self.joint_phases = tuple(itertools.product(*self.phases))
        self.indicators = tuple(spec.indicators)
        self.classes = tuple(spec.priors.classes)
        self.channels = tuple(spec.channels)
        self.channel_classes = tuple(spec.priors.channels) if spec.channels else ()
        self.transitions = tuple(
            f"{name}.{move.from_}>{move.to}" for name, stage in spec.stages.items() for move in stage.transitions
        )
        self.effects = tuple(f"{name}.{label}" for name, stage in spec.stages.items() for label in stage.effects)

    @property
    def size(self) -> int:
        """K, the number of joint phases."""
        return len(self.joint_phases)

    @cached_property
    def stage_offset(self) -> NDArray[np.int64]:
        """Where each stage begins on the axis of all stages' phases put end to end; one more entry closes it."""
        return np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)

    def of_stage(self, level: int) -> slice:
        """Where the phases of a stage lie on that axis."""
        return slice(int(self.stage_offset[level]), int(self.stage_offset[level + 1]))

    @cached_property
    def stage_states(self) -> tuple[str, ...]:
        """Names of the axis of all stages' states put end to end: ``peace.stalled`` and so on."""
        return tuple(f"{stage}.{s}" for stage, states in zip(self.stages, self.states, strict=True) for s in states)

    @cached_property
    def stage_phases(self) -> tuple[str, ...]:
        """Names of the axis of all stages' phases put end to end: ``relations.acute`` and so on."""
        return tuple(f"{stage}.{p}" for stage, phases in zip(self.stages, self.phases, strict=True) for p in phases)

    @cached_property
    def phase_state(self) -> NDArray[np.int64]:
        """(Σn,): which of its stage's states each phase belongs to, on the axis of `stage_phases`."""
        stages = zip(self.spec.stages.values(), self.phases, strict=True)
        found = [stage.states.index(stage.state_of(phase)) for stage, phases in stages for phase in phases]
        return np.array(found, dtype=np.int64)

    # Rates.

    @cached_property
    def _rates(self) -> tuple[_Rate, ...]:
        rates: list[_Rate] = []
        first = 0
        for level, (name, stage) in enumerate(self.spec.stages.items()):
            upstream = self.stages[:level]
            for context, states in enumerate(itertools.product(*self.phases[:level])):
                here = dict(zip(upstream, states, strict=True))
                for k, from_, to in stage.moves():
                    effects = [
                        label
                        for label, effect in stage.effects.items()
                        if stage.concerns(effect, from_, to)
                        and all(self._meets(other, here[other], allowed) for other, allowed in effect.when.items())
                    ]
                    where = ",".join(states)
                    rates.append(
                        _Rate(
                            stage=level,
                            context=context,
                            from_=self.phases[level].index(from_),
                            to=self.phases[level].index(to),
                            transition=first + k,
                            effects=tuple(self.effects.index(f"{name}.{label}") for label in effects),
                            name=f"{name}.{from_}>{to}" + (f"|{where}" if where else ""),
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
        """(R,): the transition of each rate; the phases of a state share those that leave it as a whole."""
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
    def indicator_since(self) -> NDArray[np.int64]:
        """(I,): the day, counted from the model's start, from which the vocabulary has had each indicator."""
        first = self.spec.model.start
        days = [((row.since or first) - first).days for row in self.spec.indicators.values()]
        return np.array(days, dtype=np.int64)

    @cached_property
    def emission_offset(self) -> NDArray[np.int64]:
        """(I + C + 1,): where each indicator and then each channel begins on the emission axis."""
        sizes = [*self.sizes[self.indicator_stage], *(self.sizes[self.channel_stage] + 1)]
        return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @cached_property
    def emission_names(self) -> tuple[str, ...]:
        """Names of the E emissions, such as ``presidents_meeting|truce``."""
        told = [f"{name}|{s}" for name, row in self.spec.indicators.items() for s in self._phases_of(row.stage)]
        counted = [
            f"{name}|{s}"
            for name, row in self.spec.channels.items()
            for s in (*self._phases_of(row.stage), "dispersion")
        ]
        return (*told, *counted)

    @cached_property
    def emission_indicator(self) -> NDArray[np.int64]:
        """(emissions of indicators,): the indicator of each."""
        return np.repeat(np.arange(len(self.indicators)), self.sizes[self.indicator_stage])

    @cached_property
    def emission_points(self) -> NDArray[np.float64]:
        """(emissions of indicators,): 1 where the indicator points to the state."""
        rows = self.spec.indicators.values()
        return np.array(
            [float(self._meets(row.stage, p, row.points_to)) for row in rows for p in self._phases_of(row.stage)]
        )

    @cached_property
    def emission_median(self) -> NDArray[np.float64]:
        """(emissions of indicators,): rate per year at the prior medians, the λ̃(s) of the false-report terms."""
        priors = self.spec.priors
        rate = np.array([log_normal(priors.classes[name].per_year)[0] for name in self.classes])[self.indicator_class]
        scale = priors.diagnosticity
        usual = 1.0 if scale is None else np.exp(log_normal(scale.times)[0])
        grade = usual * np.log(priors.grades.medians)[self.indicator_grade]
        return np.exp(rate[self.emission_indicator] + self.emission_points * grade[self.emission_indicator])

    # Channels.

    @cached_property
    def channel_stage(self) -> NDArray[np.int64]:
        """(C,): the stage of each channel."""
        return np.array([self.stages.index(row.stage) for row in self.spec.channels.values()], dtype=np.int64)

    @cached_property
    def channel_class(self) -> NDArray[np.int64]:
        """(C,): the class of each channel, an index into `channel_classes`."""
        return np.array([self.channel_classes.index(row.class_) for row in self.spec.channels.values()], dtype=np.int64)

    @cached_property
    def channel_log_grade(self) -> NDArray[np.float64]:
        """(C,): logarithm of what the file says that a channel is times as large in the states it points to."""
        medians = np.log(self.spec.priors.grades.medians)
        return np.array([medians[GRADES.index(row.grade)] for row in self.spec.channels.values()], dtype=np.float64)

    @cached_property
    def channel_start(self) -> NDArray[np.float64]:
        """(C,): how much of the start of its stage, by the file's weights, lies where each channel points."""
        channel, points, dispersion = self.channel_emissions
        weights = [self.start_weights(int(stage)) for stage in self.channel_stage]
        shares = [points[(channel == k) & (dispersion == 0)] @ row / row.sum() for k, row in enumerate(weights)]
        return np.array(shares, dtype=np.float64)

    @cached_property
    def channel_emissions(self) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
        """(emissions of channels,) three times: the channel; 1 where it points to the state; 1 for a dispersion."""
        rows: list[tuple[float, float, float]] = []
        for k, row in enumerate(self.spec.channels.values()):
            rows += [(k, float(self._meets(row.stage, p, row.points_to)), 0.0) for p in self._phases_of(row.stage)]
            rows.append((k, 0.0, 1.0))
        channel, points, dispersion = np.array(rows, dtype=np.float64).reshape(-1, 3).T
        return channel.astype(np.int64), points, dispersion

    @cached_property
    def phase_share(self) -> NDArray[np.float64]:
        """(Σn,): what each phase has of its stage if every state has as much, and every phase of a state."""
        found = np.empty(len(self.stage_phases))
        for here in map(self.of_stage, range(len(self.stages))):
            of_state = np.bincount(states := self.phase_state[here])
            found[here] = 1.0 / (of_state.size * of_state[states])
        return found

    def median_rates(self, indicators: Sequence[int]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give (indicators, n) rates per year at the prior medians, all of one stage, and (n,) `phase_share` there."""
        offset = self.emission_offset
        rates = np.array([self.emission_median[offset[i] : offset[i + 1]] for i in indicators])
        return rates, self.phase_share[self.of_stage(int(self.indicator_stage[indicators[0]]))]

    def _phases_of(self, stage: str) -> tuple[str, ...]:
        return self.phases[self.stages.index(stage)]

    def _meets(self, stage: str, phase: str, names: tuple[str, ...]) -> bool:
        """Whether ``names`` hold a phase or its state."""
        return phase in names or self.spec.stages[stage].state_of(phase) in names

    # Sets of states.

    def state(self, name: str) -> tuple[int, int]:
        """Stage and state index of a name such as ``peace.fresh_deal``; a `KeyError` if there is none."""
        stage, _, state = name.partition(".")
        if name not in self.stage_states:
            raise KeyError(name)
        level = self.stages.index(stage)
        return level, self.states[level].index(state)

    def members(self, states: Mapping[str, tuple[str, ...]]) -> NDArray[np.bool_]:
        """(K,): the joint phases in which every named stage is in one of its named states or phases."""
        inside = np.ones(self.size, dtype=np.bool_)
        for stage, allowed in states.items():
            level = self.stages.index(stage)
            here = {phase: self._meets(stage, phase, tuple(allowed)) for phase in self.phases[level]}
            inside &= np.array([here[joint[level]] for joint in self.joint_phases])
        return inside

    def observable(self, stage: int) -> NDArray[np.bool_]:
        """(states,): the observable states of one stage."""
        row = self.spec.stages[self.stages[stage]]
        return np.array([state in row.observable for state in row.states])

    def start_weights(self, stage: int) -> NDArray[np.float64]:
        """(n,): Dirichlet weights of the start; 0 for a phase that the stage cannot start in."""
        weights = self.spec.stages[self.stages[stage]].start_phases
        return np.array([weights.get(phase, 0.0) for phase in self.phases[stage]])

    def in_phases(self, stage: int, states: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n,): for each phase of a stage, what ``states`` says of its state."""
        return states[self.phase_state[self.of_stage(stage)]]

    def by_state(self, joint: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up the phases of each state where the first L axes of ``joint`` are the stages' phases."""
        for level in range(len(self.stages)):
            firsts = np.flatnonzero(np.diff(self.phase_state[self.of_stage(level)], prepend=-1))
            joint = np.add.reduceat(joint, firsts, axis=level)
        return joint


def chain_of(space: StateSpace) -> Chain:
    """Give the structure of a model as arrays."""
    return Chain(space.sizes, space.phase_state, space.rate_table, space.pairs, space.emission_offset)
