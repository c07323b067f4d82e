"""What one sighting tells under a model, before any evidence: a row in a selective reading, certain, at prior medians.

Such a row is compared with the other indicators of its stage: in state s it is indicator j with probability
λⱼ(s) / Σₖ λₖ(s). What it tells therefore depends on the others' grades too, and not on its own alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.base import prose
from forecast.theory.indicators import GRADES
from forecast.theory.statespace import StateSpace

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
    space = StateSpace(spec)
    found: list[Telling] = []
    for level, (name, stage) in enumerate(spec.stages.items()):
        indices = np.flatnonzero(space.indicator_stage == level).tolist()
        if not indices:
            continue
        rates, share = space.median_rates(indices)
        of_phase = rates / rates.sum(axis=0)
        state = space.phase_state[space.of_stage(level)]
        for k, index in enumerate(indices):
            points = rates[k] > rates[k].min()
            here = float(of_phase[k, points] @ share[points] / share[points].sum()) if points.any() else 0.0
            against = {
                one: here / float(of_phase[k, other] @ share[other] / share[other].sum())
                for j, one in enumerate(stage.states)
                if (other := (state == j) & ~points).any()
            }
            key = space.indicators[index]
            if against and points.any():
                found.append(Telling(key, name, spec.indicators[key].grade, against))
    return found


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
