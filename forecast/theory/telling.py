"""What one sighting tells under a model, before any evidence: a row in a selective reading, certain, at prior medians.

Such a row is compared with the other indicators of its stage: in state s it is indicator j with probability
λⱼ(s) / Σₖ λₖ(s). What it tells therefore depends on the others' grades too, and not on its own alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from forecast.base import prose
from forecast.theory.indicators import GRADES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from forecast.theory.spec import ModelSpec


CLEARLY = 2.0  # so many times as much is more
LINES = 20  # indicators of a model that are listed one by one
WARNED = 5
REMEDY = (
    "such a row is compared with the other indicators of its stage: give states that have few more of them, grade these"
    " again, or say who looks for them (`forecast cover`), which reads each by itself"
)


class Telling(NamedTuple):
    """How many times likelier a row is under the states that its indicator points to than under each other one."""

    indicator: str
    stage: str
    grade: str
    against: Mapping[str, float]

    @property
    def least(self) -> float:
        """The smallest of these: what it tells for certain."""
        return min(self.against.values())


def what_rows_tell(spec: ModelSpec) -> list[Telling]:
    """Tell for every indicator that does not point to all states what one certain row of it says of them."""
    found: list[Telling] = []
    for name, stage in spec.stages.items():
        rates = {key: _rates(spec, key) for key, row in spec.indicators.items() if row.stage == name}
        total = {phase: sum(each[phase] for each in rates.values()) for phase in stage.all_phases}
        for key, each in rates.items():
            share = {phase: rate / total[phase] for phase, rate in each.items()}
            points = [phase for phase in stage.all_phases if _points_to(spec, key, phase)]
            weights = {phase: 1 / len(stage.phases_of(stage.state_of(phase))) for phase in stage.all_phases}
            here = _mean(share, weights, points)
            others = {state: [p for p in stage.phases_of(state) if p not in points] for state in stage.states}
            against = {state: here / _mean(share, weights, away) for state, away in others.items() if away}
            if against:
                found.append(Telling(key, name, spec.indicators[key].grade, against))
    return found


def _rates(spec: ModelSpec, indicator: str) -> dict[str, float]:
    """Rates per year of an indicator in every phase of its stage, at the prior medians."""
    row, priors = spec.indicators[indicator], spec.priors
    usual = math.sqrt(math.prod(priors.classes[row.class_].per_year))
    power = 1.0 if priors.diagnosticity is None else math.sqrt(math.prod(priors.diagnosticity.times))
    raised = usual * priors.grades.medians[GRADES.index(row.grade)] ** power
    return {
        phase: raised if _points_to(spec, indicator, phase) else usual for phase in spec.stages[row.stage].all_phases
    }


def _points_to(spec: ModelSpec, indicator: str, phase: str) -> bool:
    row = spec.indicators[indicator]
    return phase in row.points_to or spec.stages[row.stage].state_of(phase) in row.points_to


def _mean(share: Mapping[str, float], weights: Mapping[str, float], phases: Sequence[str]) -> float:
    return sum(share[phase] * weights[phase] for phase in phases) / sum(weights[phase] for phase in phases)


def telling_lines(spec: ModelSpec) -> Iterator[str]:
    """Say what rows tell, a line an indicator where there are few, and where a weaker grade tells more."""
    rows = what_rows_tell(spec)
    if len(rows) <= LINES:
        yield "one certain row tells so many times for its states, at the prior medians:"
        for row in rows:
            told = [f"{prose.multiple(factor)} against {prose.spoken(state)}" for state, factor in row.against.items()]
            yield f"  {row.indicator} ({row.grade}): {', '.join(told)}"
    warnings = list(_reversed(rows))
    yield from warnings[:WARNED]
    if len(warnings) > WARNED:
        yield f"! and {prose.count(len(warnings) - WARNED, 'more indicator')} that tell more than stronger ones"
    if warnings:
        yield f"! {REMEDY}"


def _reversed(rows: Sequence[Telling]) -> Iterator[str]:
    """Name every indicator whose row tells more than one of a stronger grade in its stage, beside the weakest."""
    for row in sorted(rows, key=lambda row: -row.least):
        above = [
            one for one in rows if one.stage == row.stage and GRADES.index(one.grade) > GRADES.index(row.grade)
        ]  # fmt: skip
        stronger = min(above, key=lambda one: one.least, default=None)
        if stronger is not None and row.least > CLEARLY * stronger.least:
            yield (
                f"! {row.indicator} ({row.grade}) tells {prose.multiple(row.least)} or more, "
                f"{stronger.indicator} ({stronger.grade}) as little as {prose.multiple(stronger.least)}"
            )
