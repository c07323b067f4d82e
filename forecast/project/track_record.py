"""Track record of a project: what was issued, the answers to its questions, and its scores."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from forecast import record
from forecast.base.clock import local_day
from forecast.base.errors import InputError, ModelFileError, nearest, read_date

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from forecast.inference.model import Model
    from forecast.ledger.issued import Resolution
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Entry
    from forecast.project.models import Models
    from forecast.record.questions import Stated
    from forecast.record.resolution import Resolved
    from forecast.record.scores import Score


class TrackRecord:
    """Issued forecasts of ``models`` in a ledger."""

    def __init__(self, ledger: Ledger, models: Models) -> None:
        """Read the archive of a ledger; ``models`` tell the rules."""
        self._ledger = ledger
        self._models = models

    def latest(self, name: str | None = None) -> dict[str, Any]:
        """Report data of the forecast issued last, of model ``name`` or of any.

        Raises
        ------
        InputError
            If there is none yet.

        """
        issued = self._ledger.latest_forecast(name)
        if issued is None:
            if name:
                self._models.require(name)
            which = f"model {name!r}" if name else "this project"
            msg = f"{which} has no forecast yet; run `forecast run`"
            raise InputError(msg)
        return json.loads(issued.content)

    def report(self, name: str, as_of: dt.date | None) -> dict[str, Any]:
        """Report data of the forecast of a model issued last, as of a day or of any.

        Raises
        ------
        InputError
            If there is none.

        """
        issues = self._ledger.forecasts(name)
        found = [row for row in issues if as_of is None or row.as_of == as_of]
        if not found:
            have = f"; there are {issues[0].as_of} to {issues[-1].as_of}" if issues else "; run `forecast run`"
            when = f" as of {as_of}" if as_of else ""
            msg = f"no forecast of {name!r} has been issued{when}{have}"
            raise InputError(msg)
        return json.loads(found[-1].content)

    def table(self) -> pd.DataFrame:
        """Every probability of every issued forecast, as `forecast.record.archive.archive_table` lays them out."""
        return record.archive_table(self._ledger.forecasts())

    def resolve(
        self, model: str | None, date: dt.date, now: dt.datetime, entries: Callable[[Model, dt.date], tuple[Entry, ...]]
    ) -> Resolved:
        """Answer by the rules what has closed by ``date``; ``entries(model, day)`` gives the rows public on a day.

        Raises
        ------
        InputError
            If there is no such model, or ``date`` is in the future.

        """
        if date > (today := local_day(now)):
            msg = f"as of {date} nothing is known yet, for it is in the future; give a day until today, {today}"
            raise InputError(msg)
        rows = record.stated(self._ledger.forecasts(self._scored(model) if model else None))
        answers: list[Resolution] = []
        left: list[Stated] = []
        waiting: set[object] = set()
        newest: dict[str, dt.date] = {}
        for name in dict.fromkeys(row.model for row in rows):
            of = self._readable(name)
            days = {row: record.closes(row.date, of.spec if of else None) for row in rows if row.model == name}
            closed = [row for row, day in days.items() if day <= date]
            waiting |= {row.question for row, day in days.items() if day > date}
            if of is None:
                left += closed
            elif closed:
                seen = entries(of, date)
                newest[name] = max((row.reported_on for row in seen), default=dt.date.min)
                found, others = record.answers_by_rule(of.space, seen, closed, date, now)
                answers += found
                left += others
        recorded = self._ledger.resolve(answers)
        known = {row.question for row in self._ledger.resolutions(model)}
        return record.Resolved(
            as_of=date,
            recorded=recorded,
            silent=sum(row.date > newest[row.model] for row in recorded),
            answered=len(known),
            open=len(waiting - known),
            left=tuple(row for row in left if row.question not in known),
        )

    def _readable(self, name: str) -> Model | None:
        """Give a model whose file is there and has no faults."""
        try:
            return self._models.get(name) if name in self._models.names else None
        except ModelFileError:
            return None

    def overrule(  # noqa: PLR0913 - what an answer consists of
        self, of: Model, outcome: str, date: dt.date | str, *, answer: str, reason: str, url: str,
        since: dt.date | str | None, now: dt.datetime,
    ) -> Resolution:  # fmt: skip
        """Answer a question by hand; see `forecast.project.project.Project.overrule`.

        Raises
        ------
        InputError
            If no issued forecast asks this, its window has not closed, it has this very answer already, or the answer,
            its reason or its link cannot be used.

        """
        day, start = read_date(date, "date"), None if since is None else read_date(since, "since")
        issued = record.stated(self._ledger.forecasts(of.spec.name))
        answered = record.overruled(
            of.spec, issued, outcome, day, start, answer=answer, reason=reason, url=url, now=now
        )
        recorded = self._ledger.resolve([answered])
        if not recorded:
            msg = f"{outcome!r} on {day} has this very answer already, {answer!r} with the same reason and link"
            raise InputError(msg)
        return recorded[0]

    def score(self, model: str | None = None) -> Score:
        """Score every probability that was issued of ``model`` and whose question is resolved.

        Raises
        ------
        InputError
            If there is no such model.

        """
        name = self._scored(model)
        issues = self._ledger.forecasts()
        answers = {row.question: row for row in self._ledger.resolutions(name)}
        said = record.stated(issues)
        return record.score(
            name, sum(row.model == name for row in issues), (row for row in said if row.model == name), answers,
            rivals=(row for row in said if row.model != name),
        )  # fmt: skip

    def _scored(self, name: str | None) -> str:
        """Name a model that has a file, or has been issued."""
        name = name or self._models.default
        if name not in self._models.names and self._ledger.latest_forecast(name) is None:
            msg = f"{self._models.folder}: there is no model {name!r}; {nearest(name, self._models.names)}"
            raise InputError(msg)
        return name
