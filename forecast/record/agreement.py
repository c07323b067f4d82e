"""Answers that have to agree: windows within windows, and outcomes that exclude each other."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from forecast.theory.outcomes import exclude_each_other

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.ledger.issued import Resolution
    from forecast.record.questions import Stated
    from forecast.theory.spec import ModelSpec


def days_of(question: Resolution | Stated) -> range:
    """Give the days that a question asks for, as ordinals: one for *at*, those of the window for *by*."""
    first = question.date if question.since is None else question.since + dt.timedelta(days=1)
    return range(first.toordinal(), question.date.toordinal() + 1)


def rivals_of(spec: ModelSpec, outcome: str) -> tuple[str, ...]:
    """Name the outcomes that cannot hold on one day with ``outcome``; none for one that the model no longer has."""
    if outcome not in spec.outcomes:
        return ()
    states = spec.outcomes[outcome].states
    return tuple(name for name, row in spec.outcomes.items() if exclude_each_other(states, row.states))


class Implied(NamedTuple):
    """What answers say of the days of one outcome: on ``never`` it does not hold, and in each of ``some`` it does."""

    never: dict[int, Resolution]
    some: tuple[Resolution, ...]


def implied(spec: ModelSpec, answers: Iterable[Resolution], outcome: str) -> Implied:
    """Read off ``answers`` to questions of a model what they say of the days of an outcome."""
    rivals = rivals_of(spec, outcome)
    never: dict[int, Resolution] = {}
    some: list[Resolution] = []
    for row in answers:
        if row.outcome == outcome and row.answer == "yes":
            some.append(row)
        elif _rules_out(row, outcome, rivals):
            never |= dict.fromkeys(days_of(row), row)
    return Implied(never, tuple(some))


def _rules_out(row: Resolution, outcome: str, rivals: Sequence[str]) -> bool:
    """Whether an answer says that an outcome did not hold on any of its days."""
    if row.outcome == outcome:
        return row.answer == "no"
    return row.outcome in rivals and row.answer == "yes" and len(days_of(row)) == 1


def within(part: Resolution | Stated, whole: Resolution | Stated) -> bool:
    """Whether the days of one question are among those of another."""
    one, other = days_of(part), days_of(whole)
    return other.start <= one.start and one.stop <= other.stop


def contradicted(spec: ModelSpec, new: Resolution, answers: Iterable[Resolution]) -> tuple[Resolution, ...]:
    """Give those of ``answers``, to other questions of the model, that cannot be true beside a ``new`` one.

    A yes needs a day of its window on which no answer says that the outcome did not hold. Where one answer alone is in
    the way it is given, otherwise all that are together.
    """
    answers = tuple(answers)
    found: list[Resolution] = []
    if new.answer == "yes":
        found += _in_the_way(spec, new, answers)
    for outcome in (new.outcome, *rivals_of(spec, new.outcome)):
        if _rules_out(new, outcome, rivals_of(spec, outcome)):
            found += [
                row for row in answers
                if row.outcome == outcome and row.answer == "yes" and new in _in_the_way(spec, row, (*answers, new))
            ]  # fmt: skip
    return tuple(dict.fromkeys(found))


def _in_the_way(spec: ModelSpec, yes: Resolution, answers: Sequence[Resolution]) -> list[Resolution]:
    """Give the answers that leave a yes no day on which it could be so; none if one is left."""
    rivals = rivals_of(spec, yes.outcome)
    days = set(days_of(yes))
    blocking = [row for row in answers if _rules_out(row, yes.outcome, rivals) and not days.isdisjoint(days_of(row))]
    if not days <= {day for row in blocking for day in days_of(row)}:
        return []
    return [row for row in blocking if days <= set(days_of(row))] or blocking
