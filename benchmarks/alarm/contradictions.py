"""Ways in which a world contradicts the reference model from some week on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.alarm.worlds import as_it_is

if TYPE_CHECKING:
    from benchmarks.alarm.worlds import Bend
    from forecast.engine.arrays import Floats
    from forecast.theory.statespace import StateSpace


def tenth(rates: Floats, _space: StateSpace) -> Floats:
    """Everything happens a tenth as often."""
    return rates / 10


def tenfold(rates: Floats, _space: StateSpace) -> Floats:
    """Everything happens ten times as often."""
    return rates * 10


def rain(rates: Floats, space: StateSpace) -> Floats:
    """Let happen, in all states of relations, what happens in confrontation too."""
    states = space.spec.stages["relations"].states
    own = sum(row.stage == "relations" for row in space.spec.indicators.values())
    if rates.shape != (len(states), own):
        return rates
    return np.maximum(rates, rates[states.index("confrontation")])


def noise(rates: Floats, _space: StateSpace) -> Floats:
    """States make no difference: each indicator is as likely as any other."""
    return np.full_like(rates, rates.mean())


class Broken(NamedTuple):
    """A way in which the model is wrong from some week on."""

    label: str
    bend: Bend
    hold: tuple[str, str] | None = None


CONTRADICTIONS = (
    Broken("none: the model is right", as_it_is),
    Broken(
        "relations are in cooperation and seen to be, and indicators of confrontation rain", rain,
        ("relations", "cooperation"),
    ),
    Broken("the model's base rates are ten times too high", tenth),
    Broken("the model's base rates are ten times too low", tenfold),
    Broken("indicators do not depend on the states, and all are equally frequent", noise),
)  # fmt: skip
