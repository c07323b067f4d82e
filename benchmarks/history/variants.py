"""Variants of a stage that the study compares: a state without its phases, several states as one, no effects.

Only what `forecast.evidence.history` reads is changed: the stage and the spells; indicators and outcomes stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Effect, Stage, Transition


def only(spec: ModelSpec, stage: str) -> ModelSpec:
    """Keep the spells of one stage."""
    return spec.with_history(tuple(spell for spell in spec.history if spell.stage == stage))


def without_effects(spec: ModelSpec, stage: str) -> ModelSpec:
    """Let nothing upstream change the rates of a stage."""
    return _changed(spec, stage, spec.stages[stage].model_copy(update={"effects": {}}))


def with_one_phase(spec: ModelSpec, stage: str, state: str, per_year: dict[str, tuple[float, float]]) -> ModelSpec:
    """Give a state no phases: ways out of its phases go, and lead to the states of ``per_year`` at those rates."""
    old = spec.stages[stage]
    phases = old.phases[state]
    kept = [move for move in old.transitions if move.from_ not in phases]
    out = next(move for move in old.transitions if move.from_ == phases[0])
    moves = [out.model_copy(update={"from_": state, "to": to, "per_year": rate}) for to, rate in per_year.items()]
    changes = {
        "phases": {name: own for name, own in old.phases.items() if name != state},
        "transitions": (*kept, *moves),
    }
    return _changed(spec, stage, old.model_copy(update=changes))


def with_one_state(spec: ModelSpec, stage: str, states: tuple[str, ...], name: str) -> ModelSpec:
    """Take several states for one; of moves or effects that become the same, the first stands."""
    old = spec.stages[stage]

    def new(state: str) -> str:
        return name if state in states else state

    moves: dict[tuple[str, str], Transition] = {}
    for move in old.transitions:
        ends = (new(move.from_), new(move.to))
        if ends[0] != ends[1]:
            moves.setdefault(ends, move.model_copy(update=dict(zip(("from_", "to"), ends, strict=True))))
    effects: dict[str, Effect] = {}
    for label, effect in old.effects.items():
        ends = (new(effect.from_), new(effect.to))
        same = any((row.from_, row.to, row.when) == (*ends, effect.when) for row in effects.values())
        if ends[0] != ends[1] and not same:
            effects[label] = effect.model_copy(update=dict(zip(("from_", "to"), ends, strict=True)))
    start: dict[str, float] = {}
    for state, weight in old.start.items():
        start[new(state)] = start.get(new(state), 0.0) + weight
    changes = {
        "states": _renamed(old.states, lambda state: (new(state),)),
        "start": start,
        "transitions": tuple(moves.values()),
        "effects": effects,
    }
    return _changed(spec, stage, old.model_copy(update=changes), lambda state: (new(state),))


def _renamed(names: Iterable[str], rename: Callable[[str], tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new for name in names for new in rename(name)))


def _changed(
    spec: ModelSpec, stage: str, new: Stage, rename: Callable[[str], tuple[str, ...]] = lambda name: (name,)
) -> ModelSpec:
    """Put a stage in its place, and its states' new names in the spells."""
    spells = tuple(
        spell._replace(states=_renamed(spell.states, rename)) if spell.stage == stage else spell
        for spell in spec.history
    )
    return spec.model_copy(update={"stages": {**spec.stages, stage: new}}).with_history(spells)
