"""Ways in which a world contradicts the reference model from some week on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.alarm.worlds import as_it_is

if TYPE_CHECKING:
    from benchmarks.alarm.worlds import Bend
    from forecast.engine.arrays import Floats
    from forecast.theory.statespace import StateSpace


def rain(rates: Floats, space: StateSpace) -> Floats:
    """Let happen, in all states of relations, what happens in confrontation too."""
    states = space.spec.stages["relations"].states
    own = sum(row.stage == "relations" for row in space.spec.indicators.values())
    if rates.shape != (len(states), own):
        return rates
    return np.maximum(rates, rates[states.index("confrontation")])


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
    Broken("the model's base rates are ten times too high", lambda rates, _: rates / 10),
    Broken("the model's base rates are ten times too low", lambda rates, _: rates * 10),
    Broken(
        "indicators do not depend on the states, and all are equally frequent",
        lambda rates, _: np.full_like(rates, rates.mean()),
    ),
)  # fmt: skip
