"""Resolution rules read off rows: which stories count, and whether a rule is met."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from forecast.ledger.admiralty import CREDIBLE, credibility
from forecast.ledger.rows import Coverage, Observation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.ledger.rows import Entry
    from forecast.theory.outcomes import Rule
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


def told(
    spec: ModelSpec, entries: Iterable[Entry], rule: Rule, date: dt.date, since: dt.date | None = None
) -> tuple[str, ...]:
    """Keys of the stories that a clause counts on ``date``, by the day they began; none if it names an observable.

    Of ``entries``, the rows in force as public on some day, count the observations of the indicators that the clause
    names with a grade of credibility ½ or more, from the model's start on. Those with one ``story`` tell of one event,
    which is dated by the first of them and counts once; a row that is ``distinct`` or names no story is one of its own.
    A story counts from its date through ``within_weeks`` weeks: date − 7 · within_weeks days < its date ≤ date; with
    ``since``, none from before that day does.
    """
    first = told_stories(spec, entries, rule)
    before = date - dt.timedelta(weeks=rule.within_weeks or 0)
    counted = (key for key, day in first.items() if before < day <= date and (since is None or since <= day))
    return tuple(sorted(counted, key=lambda key: (first[key], key)))


def told_stories(spec: ModelSpec, entries: Iterable[Entry], rule: Rule) -> dict[str, dt.date]:
    """Every story that a clause could count, with its date."""
    first: dict[str, dt.date] = {}
    for row in entries:
        if not isinstance(row, Observation) or row.indicator not in rule.of or row.date < spec.model.start:
            continue
        if credibility(row.grade) >= CREDIBLE:
            key = row.id if row.distinct else row.story_key
            first[key] = min(row.date, first.get(key, row.date))
    return first


def met(space: StateSpace, entries: Iterable[Entry], outcome: str, date: dt.date) -> bool:
    """Whether every clause of the rule of ``outcome``, a name of the model, holds on ``date``.

    A clause of stories holds where `told` gives as many as it asks for, and no fewer than of the other side if it has
    one. One of an observable holds while the stage is on record as in its observable set, as compiling reads rows: from
    a row that names one of its states until one that names another state of the stage, both with credibility ½ or more;
    what is not on record is not so.
    Beside a clause of an observable, stories count from the day on which the record in force began: what was told
    before a deal says nothing of what was signed.
    """
    return all(clauses_hold(space, tuple(entries), space.spec.outcomes[outcome].resolves, date))


def clauses_hold(
    space: StateSpace, entries: Iterable[Entry], clauses: Sequence[Rule], date: dt.date
) -> tuple[bool, ...]:
    """Whether each clause of one rule holds on ``date``, as `met` has it.

    Where a record that the rule asks for is not in force, that alone is what fails: stories count as if they stood
    alone.
    """
    entries = tuple(entries)
    began = {
        rule.observable: record_since(space, entries, rule.observable, date)
        for rule in clauses
        if rule.observable is not None
    }
    days = [day for day in began.values() if day is not None]
    since = max(days) if days and len(days) == len(began) else None
    return tuple(
        began[rule.observable] is not None
        if rule.observable is not None
        else _enough(space.spec, entries, rule, date, since)
        for rule in clauses
    )


def _enough(spec: ModelSpec, entries: Sequence[Entry], rule: Rule, date: dt.date, since: dt.date | None) -> bool:
    """Whether a clause of stories holds."""
    found, other = len(told(spec, entries, rule, date, since)), rule.other_side
    return found >= (rule.stories or 0) and (other is None or found >= len(told(spec, entries, other, date, since)))


def heard_until(space: StateSpace, entries: Iterable[Entry], rule: Rule) -> dt.date | None:
    """Give the last day of which something is known about a clause; after it only silence speaks. None if never.

    That is the date of the newest row that the clause can count (of its indicators, or a state of its stage, with
    credibility ½ or more), or the last day up to which somebody looked for every indicator that it names, or for every
    one of its stage, whichever is later. Looking counts up to the day on which it was reported.
    """
    spec = space.spec
    names = (
        rule.counted or tuple(name for name, row in spec.indicators.items() if row.stage == rule.observable) or ("*",)
    )
    looked: dict[str, dt.date] = {}
    days: list[dt.date] = []
    for row in entries:
        if isinstance(row, Coverage):
            until = min(row.to, row.reported_on)
            looked[row.indicator] = max(until, looked.get(row.indicator, until))
        elif isinstance(row, Observation) and credibility(row.grade) >= CREDIBLE and _concerns(space, row, rule):
            days.append(row.date)
    each = [max((looked[key] for key in (name, "*") if key in looked), default=None) for name in names]
    known = [day for day in each if day is not None]
    if known and len(known) == len(each):
        days.append(min(known))
    return max(days, default=None)


def concerning(space: StateSpace, entries: Iterable[Entry], clauses: Sequence[Rule]) -> tuple[Observation, ...]:
    """Give the observations about what the clauses of a rule name: no other row decides whether they hold."""
    found = (row for row in entries if isinstance(row, Observation))
    return tuple(row for row in found if any(_concerns(space, row, rule) for rule in clauses))


def _concerns(space: StateSpace, row: Observation, rule: Rule) -> bool:
    """Whether a row is about what a clause names."""
    if rule.observable is None:
        return row.indicator in rule.counted
    return row.state in space.stage_states and (row.state or "").startswith(f"{rule.observable}.")


def record_since(space: StateSpace, entries: Iterable[Entry], stage: str, date: dt.date) -> dt.date | None:
    """Give the day from which a stage has been on record as in its observable set; None if on ``date`` it is not."""
    rows = [
        row
        for row in entries
        if isinstance(row, Observation)
        and row.state is not None
        and row.state.startswith(f"{stage}.")
        and row.state in space.stage_states
        and space.spec.model.start <= row.date <= date
        and credibility(row.grade) >= CREDIBLE
    ]
    began: dt.date | None = None
    for row in sorted(rows, key=lambda row: (row.date, row.reported_on)):
        inside = (row.state or "").partition(".")[2] in space.spec.stages[stage].observable
        began = (began or row.date) if inside else None
    return began


def what_it_records(spec: ModelSpec, state: str, grade: str, date: str) -> str:
    """Say what a row that names a ``state`` does to the record of its stage; nothing where nothing is recorded."""
    stage, _, name = state.partition(".")
    if stage not in spec.stages or not spec.stages[stage].observable:
        return ""
    weight = credibility(grade)
    if weight < CREDIBLE:
        return (
            f"{state} is soft evidence: its grade {grade} stands for {weight:.2f}, below ½; the record stays as it is"
        )
    if name in spec.stages[stage].observable:
        return f"puts {state} on record from {date}: its grade {grade} stands for {weight:.2f}, ½ or more"
    kept = " or ".join(f"{stage}.{row}" for row in spec.stages[stage].observable)
    return f"ends any record of {kept} from {date}: its grade {grade} stands for {weight:.2f}, ½ or more"
