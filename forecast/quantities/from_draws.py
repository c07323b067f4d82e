"""Published probabilities read off weighted draws."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.base.clock import DAYS_PER_YEAR
from forecast.base.errors import ImpossibleError
from forecast.engine.blocks import joined
from forecast.engine.propagate import Ahead, Horizons, Questions
from forecast.engine.summaries import summaries
from forecast.quantities.estimate import KINDS, Estimate, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.engine.arrays import Floats, Ints, Masks
    from forecast.engine.blocks import Blocks
    from forecast.engine.filtering import Evaluation
    from forecast.evidence.compilation import Evidence
    from forecast.quantities.estimate import Key
    from forecast.theory.outcomes import Conditional
    from forecast.theory.statespace import StateSpace


ENDS = (0.05, 0.95)  # of the 90 % interval
RAREST = 0.01  # probability of a condition: below it nothing is said of what would follow


class Answers(NamedTuple):
    """Every published number under each of S draws: the expectation of ``part`` over that of ``whole``.

    ``names`` holds the keys of the Q quantities; ``whole`` is 1 where the quantity is no ratio.
    """

    names: tuple[Key, ...]
    part: Floats  # (Q, S)
    whole: Floats  # (Q, S)

    def some(self, wanted: Callable[[Key], bool]) -> Answers:
        """Keep those of which the key is ``wanted``."""
        return self.at(np.flatnonzero([wanted(name) for name in self.names]))

    def at(self, rows: Ints) -> Answers:
        """Keep those in some rows."""
        return Answers(tuple(self.names[k] for k in rows), self.part[rows], self.whole[rows])


def horizons_of(space: StateSpace, as_of: dt.date, now: dt.date | None = None) -> Horizons:
    """Lay out the grid ahead of ``now`` (``as_of`` by default) for the model's horizons, which count from ``as_of``.

    Horizons before ``now`` are left out.
    """
    header = space.spec.model
    now = now or as_of

    def elapsed(date: dt.date) -> int:
        return ((date - header.start).days + 1) % header.step_days

    dates = [as_of + dt.timedelta(weeks=week) for week in sorted(header.horizons_weeks)]
    ahead = np.array([(date - now).days for date in dates if date >= now], dtype=np.int64)
    rest, tail = -elapsed(now) % header.step_days, elapsed(as_of)
    return Horizons(
        rest=rest / DAYS_PER_YEAR,
        step=header.step_days / DAYS_PER_YEAR,
        tail=tail / DAYS_PER_YEAR,
        fill=(header.step_days - tail) / DAYS_PER_YEAR,
        direct=(ahead[0] if ahead.size and ahead[0] < rest else 0) / DAYS_PER_YEAR,
        full=np.where(ahead < rest, -1, (ahead - rest - tail) // header.step_days),
    )


def possible(space: StateSpace, evidence: Evidence, found: Evaluation) -> Evaluation:
    """Give ``found`` back, with states of 0 where a draw cannot explain the evidence, if any draw can.

    Raises
    ------
    ImpossibleError
        If the evidence is impossible under every draw.

    """
    explained = np.isfinite(found.log_likelihood)
    if explained.all():
        return found
    if explained.any():
        return replace(found, states=np.nan_to_num(found.states))
    msg = (
        f"as of {evidence.as_of}: the evidence is impossible under model {space.spec.name!r}; "
        "a row that records a state contradicts the model's transitions; correct or retract it (see `forecast log`)"
    )
    raise ImpossibleError(msg)


# What is asked.


def _condition(space: StateSpace, conditional: Conditional) -> Masks:
    name = conditional.given or conditional.given_no or conditional.after or ""
    inside = space.members(space.spec.outcomes[name].states)
    return ~inside if conditional.given_no else inside


def ask(space: StateSpace, blocks: Blocks, horizons: Horizons, way: type[Ahead] = Ahead) -> Ahead:
    """Ask of every draw what the model publishes, to be read again or, `Onward`, once.

    `Questions.reached` are the model's outcomes.
    """
    outcomes = np.array([space.members(row.states) for row in space.spec.outcomes.values()])
    names = list(space.spec.outcomes)
    given = [row for row in space.spec.conditionals if row.after is None]
    after = [row for row in space.spec.conditionals if row.after is not None]
    sets = {mask.tobytes(): mask for mask in outcomes}
    for row in given:
        condition = _condition(space, row)
        for mask in (condition, condition & outcomes[names.index(row.outcome)]):
            sets[mask.tobytes()] = mask
    step = space.spec.model.step_days
    asked = Questions(
        at=np.array(list(sets.values())),
        reached=outcomes,
        outcome=outcomes[[names.index(row.outcome) for row in after]],
        begins=np.array([_condition(space, row) for row in after], dtype=np.bool_).reshape(-1, space.size),
        later=np.array([(row.weeks or 0) * 7 // step for row in after], dtype=np.int64),
    )
    return way(blocks, horizons, asked)


def answers(space: StateSpace, as_of: dt.date, ahead: Ahead, states: Floats) -> Answers:
    """Answer what was asked of ``ahead`` as of a date from the present ``states`` (blocks, K, BLOCK).

    A quantity whose condition no draw finds possible is left out.
    """
    size = ahead.blocks.size
    at, reached, after = ahead.read(states)
    outcomes = ahead.questions.reached
    sets = {mask.tobytes(): u for u, mask in enumerate(ahead.questions.at)}
    already = outcomes.astype(float) @ joined(states, size).T
    weeks = sorted(space.spec.model.horizons_weeks)[-len(at) :]
    whens = [(h, week, as_of + dt.timedelta(weeks=week)) for h, week in enumerate(weeks)]
    ones = np.ones(size)
    rows: list[tuple[Key, Floats, Floats]] = []
    names = list(space.spec.outcomes)
    for m, name in enumerate(names):
        own = sets[outcomes[m].tobytes()]
        rows.append(((name, "already", None, None, as_of), already[m], ones))
        rows += [((name, "at", None, week, date), at[h, own], ones) for h, week, date in whens]
        rows += [((name, "reached", None, week, date), reached[h, m], ones) for h, week, date in whens]
    a = 0
    for row in space.spec.conditionals:
        if row.after is not None:
            rows.append(((row.outcome, "after", row.condition, row.weeks, None), after[a, 0], after[a, 1]))
            a += 1
            continue
        condition = _condition(space, row)
        whole = sets[condition.tobytes()]
        part = sets[(condition & outcomes[names.index(row.outcome)]).tobytes()]
        rows += [
            ((row.outcome, "given", row.condition, week, date), at[h, part], at[h, whole]) for h, week, date in whens
        ]
    rows = [row for row in rows if row[2].any()]
    rows.sort(key=lambda row: (KINDS.index(row[0][1]) > KINDS.index("reached"), names.index(row[0][0])))
    return Answers(
        tuple(row[0] for row in rows), np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    )


def sayable(found: Answers, weights: Floats) -> Answers:
    """Leave out quantities whose condition is less likely than `RAREST` under draws with ``weights`` (S,).

    They would rest on less than a hundredth of the draws' weight, and a reader would see their condition as <1%.
    """
    return found.at(np.flatnonzero(found.whole @ weights >= RAREST))


# Numbers.


def estimates(found: Answers, weights: Floats, efficiency: float, copies: int = 1) -> tuple[Quantity, ...]:
    """Estimate every quantity from draws with ``weights`` (S,), which sum to one.

    A mean, or a ratio of expectations; the 90 % interval is over draws, for ratios weighted by P(condition); the Monte
    Carlo error is that of the weighted mean, ``efficiency`` being the effective over the nominal size of the draws, of
    which ``copies`` stand end to end.
    """
    summary = summed_up(found.part, found.whole, weights, copies)
    summary[:, 3] /= np.sqrt(efficiency)
    return tuple(Quantity(*name, Estimate(*row)) for name, row in zip(found.names, summary.tolist(), strict=True))


def summed_up(part: Floats, whole: Floats, weights: Floats, copies: int = 1) -> Floats:
    """(Q, 4) mean, ends of the 90 % interval, and error of probabilities; see `forecast.engine.summaries.summaries`."""
    found = summaries(part, whole, weights, ENDS, copies)
    np.clip(found[:, :3], 0.0, 1.0, out=found[:, :3])  # sums round
    return found


def influence(found: Answers, weights: Floats) -> Floats:
    """(Q, S) how far each draw moves each weighted estimate; it sums to zero over draws."""
    total = found.whole @ weights
    means = (found.part @ weights) / total
    return weights * (found.part - means[:, None] * found.whole) / total[:, None]
