"""Faults across the entries of a model file: names that lead nowhere, cycles, states out of reach, empty sets."""

from __future__ import annotations

import math
from itertools import accumulate
from operator import mul
from typing import TYPE_CHECKING

from forecast.base import prose
from forecast.base.errors import nearest
from forecast.theory.assumptions import assumptions, bases
from forecast.theory.wording import suggested, words_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from forecast.theory.channels import Channel
    from forecast.theory.indicators import Indicator
    from forecast.theory.outcomes import Outcome, Rule
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Stage

MOST_JOINT_STATES = 1024
MOST_CELLS = 100_000  # joint states × steps: 4,000 draws of each at every step take 3 GB
LISTED = 20  # factors in a message
COUNTABLE = 10**15  # joint states whose number says something
MOST_RATES = 5000  # 16,000 draws of the prior take 600 MB


def cross_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    """List the faults of ``spec``; ``dropped`` holds the keys of entries set aside for faults of their own."""
    for name, stage in spec.stages.items():
        yield from _stage_faults(spec, name, stage, any(part.startswith(f"stages.{name}.") for part in dropped))
    yield from _size_faults(spec)
    yield from _indicator_faults(spec, dropped)
    yield from _channel_faults(spec, dropped)
    yield from _outcome_faults(spec, dropped)
    yield from _source_faults(spec, dropped)
    yield from _expert_faults(spec, dropped)


def frozen_later(spec: ModelSpec, today: dt.date) -> Iterator[tuple[str, str]]:
    """List outcomes that are said to be frozen after ``today``, by key: no forecast would ever be a test of skill."""
    for name, outcome in spec.outcomes.items():
        if outcome.frozen > today:
            key = f"outcomes.{name}.frozen"
            yield (
                key,
                (
                    f"{key}: {outcome.frozen} is in the future; give the day on which the outcome or its rule was last "
                    f"changed, until today, {today}"
                ),
            )


def _size_faults(spec: ModelSpec) -> Iterator[str]:
    """Limits of what a model may ask of a machine, with the arithmetic."""
    weeks = spec.model.horizons_weeks
    if len(set(weeks)) < len(weeks):
        yield "model.horizons_weeks: names a horizon twice"
    sizes = [len(stage.all_phases) for stage in spec.stages.values()]
    joint = math.prod(sizes)
    if joint > MOST_JOINT_STATES:
        yield f"stages: {_times(sizes)} = {_needs(len(sizes), joint)}; leave stages or states out"
        return
    if fault := cells_fault(spec, max(weeks) * 7 // spec.model.step_days, f"{max(weeks)} weeks ahead"):
        yield f"model.horizons_weeks: {fault}"
    contexts = accumulate(sizes[:-1], mul, initial=1)
    moves = [len(list(stage.moves())) for stage in spec.stages.values()]
    rates = [m * context for m, context in zip(moves, contexts, strict=True)]
    if sum(rates) > MOST_RATES:
        yield (
            f"stages: transitions × states of the stages before: {_plus(rates)} = {sum(rates):,} rates, "
            f"at most {MOST_RATES:,}; leave transitions, stages or states out"
        )
    states = {name: len(stage.all_phases) for name, stage in spec.stages.items()}
    emissions = sum(states.get(row.stage, 0) for row in spec.indicators.values())
    emissions += sum(states.get(row.stage, 0) + 1 for row in spec.channels.values())
    if emissions > MOST_RATES:
        yield (
            f"indicators: {len(spec.indicators):,} of them, and channels, have {emissions:,} rates, one in each state "
            f"of their stage, at most {MOST_RATES:,}; leave some out"
        )


def cells_fault(spec: ModelSpec, steps: int, what: str) -> str | None:
    """Say that ``steps`` of a model's grid, ``what`` they are, are too many for its joint states; None if not."""
    joint = math.prod(len(stage.all_phases) for stage in spec.stages.values())
    if joint * steps <= MOST_CELLS:
        return None
    return (
        f"{joint:,} joint states × {steps:,} steps ({what}) = {joint * steps:,} cells, at most {MOST_CELLS:,}; "
        "take fewer states, longer steps or a shorter time"
    )


def _needs(stages: int, joint: int) -> str:
    """Say how many joint states there are, how many there may be, and what so many would take."""
    limit = f"joint states, at most {MOST_JOINT_STATES:,}"
    if joint >= COUNTABLE:
        return f"some 10^{math.log10(joint):.0f} {limit}"
    table = stages * joint**2 * 8 / 2**30
    return f"{joint:,} {limit}; one table of {stages} × {joint:,}² × 8 bytes alone takes {table:,.1f} GiB"


def _times(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes[:LISTED])) + " × …" * (len(sizes) > LISTED)


def _plus(counts: Sequence[int]) -> str:
    return " + ".join(f"{count:,}" for count in counts[:LISTED]) + " + …" * (len(counts) > LISTED)


def _unknown(key: str, kind: str, name: str, allowed: Mapping[str, Any] | tuple[str, ...]) -> str:
    return f"{key}: there is no {kind} {name!r}; {nearest(name, allowed)}"


def _unknown_indicator(spec: ModelSpec, key: str, name: str) -> str:
    words = {other: words_of(row) for other, row in spec.indicators.items()}
    return f"{key}: there is no indicator {name!r}; {suggested(name, words)}"


def _states_faults(key: str, states: tuple[str, ...], stage: str, allowed: tuple[str, ...]) -> Iterator[str]:
    for state in states:
        if state not in allowed:
            yield _unknown(key, f"state of stage {stage!r} called", state, allowed)
    if len(set(states)) < len(states):
        yield f"{key}: names a state twice"


def _stage_faults(spec: ModelSpec, name: str, stage: Stage, incomplete: bool) -> Iterator[str]:  # noqa: FBT001
    at = f"stages.{name}"
    if len(set(stage.states)) < len(stage.states):
        yield f"{at}.states: names a state twice"
    yield from _phase_faults(at, name, stage)
    yield from _states_faults(f"{at}.observable", stage.observable, name, stage.states)
    if set(stage.observable) == set(stage.states):
        yield f"{at}.observable: names every state, so it says nothing; leave at least one out"
    yield from _states_faults(f"{at}.start", tuple(stage.start), name, _names(stage))
    if len({stage.phases_of(state)[0] for state in stage.start}) < len(stage.start):
        yield f"{at}.start: names a state and the phase in which it begins; give one weight for both"
    yield from _states_faults(f"{at}.describe", tuple(stage.describe), name, _names(stage))
    if stage.observable and set(stage.start) <= {
        *stage.observable,
        *(p for s in stage.observable for p in stage.phases_of(s)),
    }:
        yield f"{at}.start: all weight is on observable states, which only a recorded row can begin"
    edges: set[tuple[str, str]] = set()  # between phases
    for k, move in enumerate(stage.transitions):
        ways = {(phase, stage.phases_of(move.to)[0]) for phase in stage.phases_of(move.from_)}
        key = f"{at}.transitions.{f'{move.from_}>{move.to}' if spec.extends else k}"
        yield from _states_faults(key, (move.from_,), name, _names(stage))
        yield from _states_faults(key, (move.to,), name, _names(stage))
        if any(before == after for before, after in ways):
            yield f"{key}: goes from {move.to!r} to itself"
        if ways & edges:
            phases = sorted({before for before, _ in ways & edges} - {move.from_})
            part = (
                f", for so {'is' if len(phases) == 1 else 'are'} {prose.listed(phases)} to {move.to}" if phases else ""
            )
            yield f"{key}: {move.from_} to {move.to} is given twice{part}"
        edges |= ways
    if not incomplete:
        yield from _reachable_faults(at, stage, edges)
    yield from _effect_faults(spec, name, stage, None if incomplete else edges)


def _names(stage: Stage) -> tuple[str, ...]:
    """Names of a stage's states, and of their phases."""
    return tuple(dict.fromkeys((*stage.states, *stage.all_phases)))


def _every_phase(stage: Stage, names: Sequence[str]) -> bool:
    """Whether a list of states and phases leaves none out."""
    return {phase for name in names for phase in stage.phases_of(name)} >= set(stage.all_phases)


def _phase_faults(at: str, name: str, stage: Stage) -> Iterator[str]:
    yield from _states_faults(f"{at}.phases", tuple(stage.phases), name, stage.states)
    taken = set(stage.states)
    for state, phases in stage.phases.items():
        for phase in phases:
            if phase in taken:
                yield f"{at}.phases.{state}: {phase!r} is a state or phase of the stage already"
            taken.add(phase)


def _effect_faults(spec: ModelSpec, name: str, stage: Stage, edges: set[tuple[str, str]] | None) -> Iterator[str]:
    upstream = tuple(spec.stages)[: tuple(spec.stages).index(name)]
    for label, effect in stage.effects.items():
        key = f"stages.{name}.effects.{label}"
        if edges is not None and not any(stage.concerns(effect, *way) for way in edges):
            moves = sorted(f"{move.from_} to {move.to}" for move in stage.transitions)
            yield f"{key}: stage {name!r} has no transition from {effect.from_!r} to {effect.to!r}; it has {moves}"
        for other, states in effect.when.items():
            if other not in spec.stages:
                yield _unknown(f"{key}.when", "stage", other, upstream)
            elif other not in upstream:
                where = "itself" if other == name else "downstream of it"
                yield (
                    f"{key}.when: a condition looks upstream, but {other!r} is {where}, which would make a cycle; "
                    f"upstream of {name!r}: {', '.join(upstream) or 'nothing'}"
                )
            else:
                yield from _states_faults(f"{key}.when.{other}", states, other, _names(spec.stages[other]))
                if stage.units is not None and not set(states) <= set(spec.stages[other].states):
                    yield f"{key}.when.{other}: names a phase, which the history of a stage with `units` cannot tell"


def _reachable_faults(at: str, stage: Stage, edges: set[tuple[str, str]]) -> Iterator[str]:
    reached = {stage.phases_of(state)[0] for state in stage.start}
    while new := {b for a, b in edges if a in reached} - reached:
        reached |= new
    for state in stage.all_phases:
        if state not in reached:
            yield f"{at}.states: {state!r} is unreachable: no start weight, and no transition leads to it"


def _indicator_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, indicator in spec.indicators.items():
        at = f"indicators.{name}"
        yield from _pointing_faults(spec, at, indicator)
        fault = _class_fault(at, indicator, "classes", spec.priors.classes, dropped)
        if fault:
            yield fault
            if "class_" not in indicator.model_fields_set:
                continue
        if indicator.reset_by is not None:
            if indicator.repeats:
                yield f"{at}.reset_by: only an indicator with `repeats = false` needs a reset"
            if indicator.reset_by not in spec.indicators and f"indicators.{indicator.reset_by}" not in dropped:
                yield _unknown_indicator(spec, f"{at}.reset_by", indicator.reset_by)


def _channel_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, channel in spec.channels.items():
        at = f"channels.{name}"
        if name in spec.indicators:
            yield f"{at}: is the name of an indicator; give it another"
        yield from _pointing_faults(spec, at, channel)
        if fault := _class_fault(at, channel, "channels", spec.priors.channels, dropped):
            yield fault


def _pointing_faults(spec: ModelSpec, at: str, row: Indicator | Channel) -> Iterator[str]:
    """List what is wrong with the stage of a row and the states that it points to."""
    stage = spec.stages.get(row.stage)
    if stage is None:
        yield _unknown(f"{at}.stage", "stage", row.stage, spec.stages)
        return
    yield from _states_faults(f"{at}.points_to", row.points_to, row.stage, _names(stage))
    if _every_phase(stage, row.points_to):
        yield f"{at}.points_to: points to every state of {row.stage!r}, so it points nowhere"


def _class_fault(
    at: str, row: Indicator | Channel, table: str, classes: Mapping[str, Any], dropped: set[str]
) -> str | None:  # fmt: skip
    """Say that the class of a row is missing or unknown; ``table`` of the priors holds them."""
    if row.class_ in classes or f"priors.{table}.{row.class_}" in dropped:
        return None
    if "class_" not in row.model_fields_set:
        return f"{at}.class: is missing; choose one of [priors.{table}]: {', '.join(classes)}"
    return _unknown(f"{at}.class", f"class in [priors.{table}]", row.class_, classes)


def _outcome_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for name, outcome in spec.outcomes.items():
        at = f"outcomes.{name}"
        whole = True
        for stage, states in outcome.states.items():
            if stage not in spec.stages:
                yield f"{_unknown(f'{at}.states', 'stage', stage, spec.stages)}; no joint state satisfies the outcome"
                continue
            yield from _states_faults(f"{at}.states.{stage}", states, stage, _names(spec.stages[stage]))
            whole = whole and _every_phase(spec.stages[stage], states)
        if whole and set(outcome.states) <= set(spec.stages):
            yield f"{at}.states: every joint state satisfies it, so it is certain"
        if not outcome.resolves and not dropped and _rule_can_follow(spec, outcome):
            yield f"{at}.resolves: is missing, and for a stage of `states` no indicator points to these states alone"
        for k, rule in enumerate(outcome.resolves):
            yield from _rule_faults(spec, f"{at}.resolves.{k}", rule, dropped)
    for k, conditional in enumerate(spec.conditionals):
        for field in ("outcome", "given", "given_no", "after"):
            other = getattr(conditional, field)
            if other is not None and other not in spec.outcomes and f"outcomes.{other}" not in dropped:
                yield _unknown(f"conditionals.{k}.{field}", "outcome", other, spec.outcomes)


def _rule_can_follow(spec: ModelSpec, outcome: Outcome) -> bool:
    """Whether all names from which the rule of an outcome would follow lead somewhere."""
    named = [*outcome.states.items(), *((row.stage, row.points_to) for row in spec.indicators.values())]
    return all(name in spec.stages and set(states) <= set(_names(spec.stages[name])) for name, states in named)


def _rule_faults(spec: ModelSpec, key: str, rule: Rule, dropped: set[str]) -> Iterator[str]:
    if rule.observable is not None:
        if rule.observable not in spec.stages:
            yield _unknown(f"{key}.observable", "stage", rule.observable, spec.stages)
        elif not (spec.stages[rule.observable].observable or f"stages.{rule.observable}.observable" in dropped):
            yield f"{key}.observable: stage {rule.observable!r} has no observable states"
    for field, names in (("of", rule.of), ("no_fewer_than", rule.no_fewer_than)):
        for indicator in names:
            if indicator not in spec.indicators and f"indicators.{indicator}" not in dropped:
                yield _unknown_indicator(spec, f"{key}.{field}", indicator)


def _source_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    for key, basis in bases(spec):
        if basis.source is not None and basis.source not in spec.sources and f"sources.{basis.source}" not in dropped:
            yield _unknown(f"{key}.basis", "source in [sources]", basis.source, spec.sources)


def _expert_faults(spec: ModelSpec, dropped: set[str]) -> Iterator[str]:
    whole = not any(part.startswith("experts") for part in dropped)
    if whole and len(spec.experts) == 1:
        yield "experts: there is one only; a pool has two or more, or leave it out"
    known = assumptions(spec)
    stages = {part.split(".")[1] for part in dropped if part.startswith("stages.")}
    names: set[str] = set()
    for k, expert in enumerate(spec.experts):
        if expert.name in names:
            yield f"experts.{k}.name: {expert.name!r} is given twice"
        names.add(expert.name)
        for key in expert.priors:
            stage = key.split(".")[1] if key.startswith("stages.") else ""
            if key not in known and key not in dropped and stage not in stages:
                yield f"experts.{k}.priors.{key}: is not an assumption of this model; {nearest(key, known)}"
