"""One outcome on one date, asked of many draws again and again."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.base.errors import InputError, nearest
from forecast.engine.onward import Onward
from forecast.engine.propagate import Ahead, Questions
from forecast.inference.trust import gate
from forecast.quantities.from_draws import Answers, estimates, horizons_of

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats
    from forecast.engine.blocks import Blocks
    from forecast.engine.pareto import Weights
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Key, Quantity, Trust
    from forecast.theory.statespace import StateSpace


KEPT = 8  # sets of values that are kept


@dataclass(frozen=True)
class Reading:
    """Weighted draws of U probabilities: ``part`` (U, S) under each draw, ``weights`` (S,) that sum to one.

    The first of them is the quantity called ``key``; ``anchor`` is what the draws come from, moved or as they are.
    """

    key: Key
    part: Floats
    weights: Weights
    anchor: Anchor

    @cached_property
    def mean(self) -> Floats:
        """(U,) expectations."""
        return np.clip(self.part @ self.weights.values, 0.0, 1.0)  # sums round

    @cached_property
    def influence(self) -> Floats:
        """(S,) how far each draw moves the first expectation."""
        weights = self.weights.values
        return weights * (self.part[0] - self.part[0] @ weights)

    def error_beside(self, other: Reading) -> float:
        """Monte Carlo standard error of the difference of the first expectations, for one from the same draws."""
        return math.sqrt(float(np.square(other.influence - self.influence).sum()) / self.anchor.efficiency)

    @cached_property
    def quantity(self) -> Quantity:
        """Estimate the first of them."""
        answer = Answers((self.key,), self.part[:1], np.ones_like(self.part[:1]))
        return estimates(answer, self.weights.values, self.anchor.efficiency)[0]

    @cached_property
    def trust(self) -> Trust:
        """Let the gate judge the first of them alone."""
        return gate(self.anchor, self.weights, [self.quantity])


class Question:
    """Whether the world is in ``outcome`` so many ``weeks`` after ``as_of``, and in which state each stage is then.

    ``names`` (U,) are the outcome and, if they are asked for, every ``stage.state``; ``date`` is the day.
    """

    def __init__(
        self, space: StateSpace, outcome: str, weeks: int | None, as_of: dt.date, *, stages: bool = False
    ) -> None:
        """Ask about one of the model's outcomes and horizons, the longest by default; of ``stages`` only if told to.

        Raises
        ------
        InputError
            If the model has no such outcome or horizon.

        """
        spec = space.spec
        if outcome not in spec.outcomes:
            msg = f"model {spec.name!r} has no outcome {outcome!r}; {nearest(outcome, spec.outcomes)}"
            raise InputError(msg)
        horizons = sorted(spec.model.horizons_weeks)
        if weeks is not None and weeks not in horizons:
            msg = f"{weeks} weeks: the horizons of model {spec.name!r} are {', '.join(map(str, horizons))}"
            raise InputError(msg)
        self.space = space
        self.outcome = outcome
        self.weeks = weeks or horizons[-1]
        self.as_of = as_of
        self.date = as_of + dt.timedelta(weeks=self.weeks)
        self.key: Key = (outcome, "at", None, self.weeks, self.date)
        self.names = (outcome, *(space.stage_states if stages else ()))
        states = [space.members({stage: (state,)}) for stage, row in spec.stages.items() for state in row.states]
        states = states if stages else []
        self._at = np.array([space.members(spec.outcomes[outcome].states), *states])
        self._kept: dict[tuple[int, dt.date], tuple[Floats, Ahead]] = {}  # by what they depend on: the draws' rates

    def ask(self, found: Posterior) -> Reading:
        """Answer from a posterior; its evidence may reach behind the day as of which it was asked.

        Raises
        ------
        InputError
            If it reaches behind the day that is asked about.

        """
        part = self.read(found.anchor.blocks, found.evaluation.states, found.evidence.until)
        return Reading(self.key, part, found.weights, found.anchor)

    def judge(self, found: Posterior) -> Trust:
        """Let the gate judge the answer from a posterior."""
        return self.ask(found).trust

    def read(self, blocks: Blocks, states: Floats, now: dt.date, *, keep: bool = True) -> Floats:
        """(U, S) answers from the ``states`` (blocks, K, BLOCK) of every draw at ``now``.

        What does not depend on ``states`` is kept for the next reading, and the draws with it, unless told not to.
        """
        ahead = self._ahead(blocks, now) if keep else self._asked(blocks, now, Onward)
        return ahead.read(states).at[0]

    def value(self, blocks: Blocks, now: dt.date) -> Floats:
        """(blocks, K, BLOCK) probability of the outcome given each joint state at ``now``."""
        return np.ascontiguousarray(self._ahead(blocks, now).values[:, 0])

    def _ahead(self, blocks: Blocks, now: dt.date) -> Ahead:
        rate = blocks.rate
        key = (id(rate), now)
        kept, ahead = self._kept.pop(key, (None, None))
        if kept is not rate or ahead is None:
            ahead = self._asked(blocks, now)
        self._kept[key] = rate, ahead
        while len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return ahead

    def _asked(self, blocks: Blocks, now: dt.date, way: type[Ahead] = Ahead) -> Ahead:
        if now > self.date:
            msg = f"{now} lies behind {self.date}, the day that is asked about"
            raise InputError(msg)
        horizons = horizons_of(self.space, self.as_of, now)
        none = np.zeros((0, self.space.size), dtype=np.bool_)
        weeks = sorted(self.space.spec.model.horizons_weeks)[-horizons.full.size :]
        k = weeks.index(self.weeks)
        asked = Questions(at=self._at, reached=none, outcome=none, begins=none, later=np.zeros(0, dtype=np.int64))
        return way(blocks, horizons._replace(full=horizons.full[k : k + 1]), asked)
