"""Resolution rules read off rows: which stories count, and whether a rule is met."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Observation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec, Rule
    from forecast.theory.statespace import StateSpace


CREDIBLE = 0.5  # of a grade (`forecast.ledger.admiralty.CREDIBILITY`): as likely so as not


def told(spec: ModelSpec, entries: Iterable[Entry], rule: Rule, date: dt.date) -> tuple[str, ...]:
    """Keys of the stories that a clause counts on ``date``, by the day they began; none if it names an observable.

    Of ``entries``, the rows in force as public on some day, count the observations of the indicators that the clause
    names with a grade of credibility ½ or more, from the model's start on. Those with one ``story`` tell of one event,
    which is dated by the first of them and counts once; a row that is ``distinct`` or names no story is one of its own.
    A story counts from its date through ``within_weeks`` weeks: date − 7 · within_weeks days < its date ≤ date.
    """
    first = told_stories(spec, entries, rule)
    since = date - dt.timedelta(weeks=rule.within_weeks or 0)
    return tuple(sorted((key for key, day in first.items() if since < day <= date), key=lambda key: (first[key], key)))


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

    A clause of stories holds where `told` gives as many as it asks for. One of an observable holds while the stage is
    on record as in its observable set, as compiling reads rows: from a row that names one of its states until
    one that names another state of the stage, both with credibility ½ or more; what is not on record is not so.
    """
    entries = tuple(entries)
    for rule in space.spec.outcomes[outcome].resolves:
        if rule.observable is not None:
            if not _on_record(space, entries, rule.observable, date):
                return False
        elif len(told(space.spec, entries, rule, date)) < (rule.stories or 0):
            return False
    return True


def _on_record(space: StateSpace, entries: Iterable[Entry], stage: str, date: dt.date) -> bool:
    """Whether a stage is on record as in its observable set at the end of a day: the last row that names its state."""
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
    if not rows:
        return False
    *_, last = sorted(rows, key=lambda row: (row.date, row.reported_on))
    return (last.state or "").partition(".")[2] in space.spec.stages[stage].observable


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
