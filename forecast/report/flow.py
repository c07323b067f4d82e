"""How probability flows through a cascade: by the outcomes of its stages, or by their hidden states."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast.engine.onward import Onward
from forecast.engine.propagate import Horizons, Questions
from forecast.quantities.from_draws import RAREST, Answers, estimates, horizons_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats
    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Key
    from forecast.theory.statespace import StateSpace


class Column(NamedTuple):
    """Cases of which exactly one is so in every joint state, each with its (K,) mask."""

    name: str
    label: str
    cases: dict[str, NDArray[np.bool_]]


def by_outcome(space: StateSpace) -> list[Column]:
    """Give a column for each stage, of the outcomes that ask for it and for no later one.

    A single outcome makes a column of "yes" and "no". Several that exclude each other make one of themselves, and of
    "none of these" where they leave something out. A stage without either has its states.
    """
    order = {stage: k for k, stage in enumerate(space.stages)}
    outcomes = space.spec.outcomes
    latest = {name: max(row.states, key=lambda stage: order[stage]) for name, row in outcomes.items()}
    columns: list[Column] = []
    for stage, states in zip(space.stages, by_state(space), strict=True):
        masks = {name: space.members(outcomes[name].states) for name, last in latest.items() if last == stage}
        times = np.sum([*masks.values()], axis=0)  # how many hold in each joint state
        if len(masks) == 1:
            ((name, mask),) = masks.items()
            columns.append(Column(name, outcomes[name].label, {"yes": mask, "no": ~mask}))
        elif masks and times.max() <= 1:
            # in the order of the states that they ask for
            names = sorted(masks, key=lambda name: int(np.flatnonzero(masks[name]).min()))
            rest = {} if times.all() else {"none_of_these": times == 0}
            columns.append(states._replace(cases={name: masks[name] for name in names} | rest))
        else:
            columns.append(states)
    return columns


def by_state(space: StateSpace) -> list[Column]:
    """Give a column for each stage, of its states."""
    return [
        Column(stage, space.spec.stages[stage].label, {state: space.members({stage: (state,)}) for state in states})
        for stage, states in zip(space.stages, space.states, strict=True)
    ]


def flows(found: Posterior, weeks: int) -> dict[str, Any]:
    """Give the ``cascade`` (by outcomes) and the ``stages`` (by hidden states) after ``weeks``.

    Each has the probabilities of every case of every column, and of each pair of neighbouring cases; by the law of
    total probability the pairs that lead to a case add up to it. A branch from a case of less than `RAREST` has no
    probability.
    """
    space, as_of = found.space, found.evidence.as_of
    one = np.eye(space.size, dtype=np.bool_)
    asked = Questions(at=one, reached=one[:0], outcome=one[:0], begins=one[:0], later=np.zeros(0, dtype=np.int64))
    joint = Onward(found.anchor.blocks, ahead_at(space, as_of, [weeks]), asked).read(found.evaluation.states).at[0]
    when = {"weeks": weeks, "date": (as_of + dt.timedelta(weeks=weeks)).isoformat()}
    ways = {"cascade": by_outcome(space), "stages": by_state(space)}
    return {name: when | _flow(found, joint, columns) for name, columns in ways.items()}


def _flow(found: Posterior, joint: Floats, columns: Sequence[Column]) -> dict[str, Any]:
    """Give stages and links; ``joint`` (K, S) are the probabilities of joint states under each draw."""
    weights, efficiency = found.weights.values, found.anchor.efficiency

    def estimated(part: Floats, whole: Floats) -> dict[str, float]:
        key: Key = ("", "at", None, None, None)
        (row,) = estimates(Answers((key,), part[None], whole[None]), weights, efficiency)
        return asdict(row.estimate)

    everything = np.ones(joint.shape[1])
    draws: dict[str, Floats] = {}
    stages: list[dict[str, Any]] = []
    for column in columns:
        states: list[dict[str, Any]] = []
        for case, mask in column.cases.items():
            here = draws[f"{column.name}.{case}"] = joint[mask].sum(axis=0)
            said = estimated(here, everything)
            states.append({"state": case, "probability": said.pop("mean"), **said})
        stages.append({"stage": column.name, "label": column.label, "states": states})
    links: list[dict[str, Any]] = []
    for before, after in pairwise(columns):
        for (one, mask), (other, mask_after) in product(before.cases.items(), after.cases.items()):
            key, both = f"{before.name}.{one}", joint[mask & mask_after].sum(axis=0)
            likely = draws[key] @ weights >= RAREST
            given = estimated(both, draws[key]) if likely else dict.fromkeys(("mean", "low", "high"))
            links.append({
                "from": key, "to": f"{after.name}.{other}", "probability": float(both @ weights),
                "given": given["mean"], "given_low": given["low"], "given_high": given["high"],
            })  # fmt: skip
    return {"stages": stages, "links": links}


def ahead_at(space: StateSpace, as_of: dt.date, weeks: Sequence[int]) -> Horizons:
    """Lay the grid ahead out for any ``weeks`` up to the longest horizon."""
    horizons, longest = horizons_of(space, as_of), max(space.spec.model.horizons_weeks)
    steps = 7 // space.spec.model.step_days
    return horizons._replace(full=np.array([horizons.full[-1] - (longest - week) * steps for week in weeks]))
