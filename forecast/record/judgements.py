"""Analysts' own forecasts of questions that issued forecasts ask: what is open, what stands, what the model says."""

from __future__ import annotations

import bisect
import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base.clock import local_day
from forecast.base.errors import InputError, nearest
from forecast.ledger.judgements import Judgement
from forecast.record.questions import between
from forecast.record.resolution import asked, others_asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.ledger.issued import Resolution
    from forecast.record.questions import Stated

FRESH = dt.timedelta(days=7)  # so long a number stands beside newer issues that say nothing of its question


class Number(NamedTuple):
    """What the model said of a question on a day: the ``probability`` of its issue ``as_of``, issued ``prompt`` or not.

    The score knows prompt ones alone.
    """

    probability: float
    as_of: dt.date
    prompt: bool


class ModelNumbers:
    """What the issues of one model said of its questions, day by day."""

    def __init__(self, said: Iterable[Stated]) -> None:
        """Sort what was ``stated`` by issue."""
        self._rows: defaultdict[dt.date, list[Stated]] = defaultdict(list)
        for row in said:
            self._rows[row.as_of].append(row)
        self._days = sorted(self._rows)
        self._prompt = [day for day in self._days if self._rows[day][0].prompt]
        self._known: dict[tuple[Any, ...], float | None] = {}

    def on(self, asked: Stated, day: dt.date, *, shown: bool = False) -> Number | None:
        """Read what the last prompt issue as of a day states of a question; None if none speaks of it.

        Of a date *at* which something is asked it states what lies between its horizons, on a straight line. Where it
        states nothing, as of a date before its first horizon, or of a window *by* a date, which begins with the issue
        that asks for it, an earlier one stands for `FRESH` days. To be ``shown`` and not scored, one of any age stands,
        and where no issue was prompt, a late one.
        """
        days = self._prompt or (self._days if shown else [])
        for last in reversed(days[: bisect.bisect_right(days, day)]):
            if last != days[bisect.bisect_right(days, day) - 1] and day - last > FRESH and not shown:
                return None
            key = (*asked.question, asked.rule, last)
            if key not in self._known:
                self._known[key] = self._read(asked, last)
            if (found := self._known[key]) is not None:
                return Number(found, last, self._rows[last][0].prompt)
        return None

    def _read(self, asked: Stated, as_of: dt.date) -> float | None:
        rows = [row for row in self._rows[as_of] if row.outcome == asked.outcome and row.rule == asked.rule]
        if asked.since is None:
            return between(rows, asked.outcome, asked.date)
        return next((row.probability for row in rows if row.question == asked.question), None)


def open_questions(said: Iterable[Stated], answered: Iterable[Resolution], day: dt.date) -> tuple[Stated, ...]:
    """Give the questions that can be judged on a day, each as the last issue has it that asks for it, by date.

    Their date is still to come, for who judges later knows; they have no answer, and their rule was not met already
    when they were asked.
    """
    last = {row.question: row for row in said}
    done = {row.question for row in answered}
    found = [row for row in last.values() if row.date > day and row.question not in done and not row.met_now]
    return tuple(sorted(found, key=lambda row: (row.date, row.outcome, row.since is not None, row.since or row.date)))


def new_judgement(  # noqa: PLR0913, PLR0917 - what a judgement consists of
    said: Sequence[Stated], answered: Iterable[Resolution], earlier: Iterable[Judgement], outcome: str, date: dt.date,
    since: dt.date | None, *, analyst: str, probability: float, seen: bool, note: str, now: dt.datetime,
) -> tuple[Judgement, Stated]:  # fmt: skip
    """Build an analyst's judgement of a question that one of the issues of a model ask; give the question with it.

    It is blind if the model's number was not ``seen`` and the analyst has not judged the question ``earlier``, which
    shows it.

    Raises
    ------
    InputError
        If nobody asks it, it is not open any more, or the probability is none.

    """
    names = {row.outcome for row in said}
    if outcome not in names:
        msg = f"no issued forecast asks for an outcome {outcome!r}; {nearest(outcome, names)}"
        raise InputError(msg)
    what, today, answered = asked(outcome, date, since), local_day(now), tuple(answered)
    rows = [row for row in said if (row.outcome, row.since, row.date) == (outcome, since, date)]
    if not rows:
        msg = f"no issued forecast asks for {what}; {others_asked(said, outcome, date)}"
        raise InputError(msg)
    row = rows[-1]
    if row not in open_questions(rows, answered, today):
        if date <= today:
            why = f"its date has come, today is {today}, and who judges now may know"
        elif row.met_now:
            why = "its rule was met already when it was asked; what is so is no forecast"
        else:
            why = f"it has its answer, {next(one.answer for one in answered if one.question == row.question)}"
        msg = f"{what} cannot be judged: {why}; `forecast judge list` has what can"
        raise InputError(msg)
    if not 0 <= probability <= 1:
        msg = f"the probability {probability:g} is none; give a number from 0 to 1, or percent, such as 35%"
        raise InputError(msg)
    again = any(one.analyst == analyst and one.question == row.question for one in earlier)
    made = Judgement(
        analyst=analyst, model=row.model, outcome=outcome, since=since, date=date, probability=float(probability),
        blind=not seen and not again, note=note.strip(), recorded_at=now,
    )  # fmt: skip
    return made, row


def by_question(
    judgements: Iterable[Judgement],
) -> dict[tuple[Any, ...], dict[str, tuple[Judgement, ...]]]:
    """Sort judgements, given in the order of recording, by question and by analyst."""
    found: defaultdict[tuple[Any, ...], dict[str, tuple[Judgement, ...]]] = defaultdict(dict)
    for row in judgements:
        found[row.question][row.analyst] = (*found[row.question].get(row.analyst, ()), row)
    return dict(found)


def standing(rows: Sequence[Judgement], day: dt.date) -> Judgement | None:
    """Give the judgement of one analyst and question that stands at the end of a day (UTC): the last by then."""
    return next((row for row in reversed(rows) if row.recorded_at.date() <= day), None)
