"""Track record of a project: what was issued, the answers to its questions, and its scores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from forecast import record
from forecast.base.clock import local_day
from forecast.base.errors import InputError, ModelFileError, nearest, read_date

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    import pandas as pd

    from forecast.inference.model import Model
    from forecast.ledger.issued import Issue, Resolution
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Entry
    from forecast.project.models import Models
    from forecast.record.post_mortem import PostMortem
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
        issues = self._ledger.headings(name)
        found = [row for row in issues if as_of is None or row.as_of == as_of]
        if not found:
            have = f"; there are {issues[0].as_of} to {issues[-1].as_of}" if issues else "; run `forecast run`"
            when = f" as of {as_of}" if as_of else ""
            msg = f"no forecast of {name!r} has been issued{when}{have}"
            raise InputError(msg)
        return self.whole(found[-1])

    def whole(self, issue: Issue) -> dict[str, Any]:
        """Report data of an issued forecast."""
        return whole_report(self._ledger, issue)

    def post_mortems(
        self, model: str | None = None, outcome: str | None = None, date: dt.date | None = None
    ) -> tuple[PostMortem, ...]:
        """Look back at the resolved questions of a model, or at those of one outcome or date; at none if there is none.

        Raises
        ------
        InputError
            If there is no such model, or others are resolved, but no such question.

        """
        name = self.known_model(model)
        answered = self._ledger.resolutions(name)
        wanted = [row for row in answered if outcome in {None, row.outcome} and date in {None, row.date}]
        if answered and not wanted:
            about = f" of {outcome!r}" if outcome else ""
            when = f" on {date}" if date else ""
            others = nearest(outcome or "", sorted({row.outcome for row in answered}))
            msg = f"no question{about}{when} that {name!r} was asked is resolved; {others}"
            raise InputError(msg)
        return record.post_mortems(self._ledger.forecasts(name), wanted)

    def table(self) -> pd.DataFrame:
        """Every probability of every issued forecast, as `forecast.record.archive.archive_table` lays them out."""
        return record.archive_table(self._ledger.headings())

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
        rows = record.stated(self._ledger.headings(self.known_model(model) if model else None))
        known = self._ledger.resolutions(model)
        answers: list[Resolution] = []
        left: list[Stated] = []
        silent: list[Stated] = []
        disputed: list[Stated] = []
        heard: dict[tuple[str, str], dt.date | None] = {}
        waiting: set[object] = set()
        for name in dict.fromkeys(row.model for row in rows):
            of = self._readable(name)
            late = record.closes(date, of.spec if of else None) - date
            asked = [row for row in rows if row.model == name]
            closed = [row for row in asked if row.date + late <= date]
            waiting |= {row.question for row in asked if row.date + late > date}
            if of is None:
                left += closed
            elif closed:
                seen = entries(of, date)
                by_hand = [row for row in known if row.model == name and row.how == "analyst"]
                answered = record.answers_by_rule(of.space, seen, closed, date, now, by_hand)
                answers += [*answered.found, *record.lapsed(known, answered, date, now)]
                left += answered.left
                silent += answered.silent
                disputed += answered.disputed
                for row in {(row.outcome, id(row.rules)): row for row in answered.silent}.values():
                    heard[name, row.outcome] = record.heard_of(of.space, seen, row)
        said = {row.question: row.content for row in known}
        answers = [row for row in answers if said.get(row.question) != row.content]
        recorded = self._ledger.resolve(answers) if answers else ()
        done = said.keys() | {row.question for row in recorded}
        return record.Resolved(
            as_of=date,
            recorded=recorded,
            answered=len(done),
            open=len(waiting - done),
            left=tuple(row for row in left if row.question not in done),
            silent=tuple(row for row in silent if row.question not in done),
            disputed=tuple(row for row in disputed if row.question not in done),
            heard=heard,
        )

    def _readable(self, name: str) -> Model | None:
        """Give a model whose file is there and has no faults."""
        try:
            return self._models.get(name) if name in self._models.names else None
        except ModelFileError:
            return None

    def overrule(  # noqa: PLR0913 - what an answer consists of
        self, of: Model, outcome: str, date: dt.date | str, *, answer: str, reason: str, url: str,
        since: dt.date | str | None, now: dt.datetime, entries: Callable[[Model, dt.date], tuple[Entry, ...]],
    ) -> Resolution:  # fmt: skip
        """Answer a question by hand: ``answer`` is "yes", "no" or "void".

        Whether the rule of ``outcome`` was met on ``date`` or, with ``since``, the date of a forecast, on any day after
        that one up to ``date``. It has to agree with the answers that are on record, and with those that the rules give
        from the rows of today.

        Raises
        ------
        InputError
            If no issued forecast asks this, its window has not closed, it has this very answer already, it contradicts
            another, or the answer, its reason or its link cannot be used.

        """
        day, start = read_date(date, "date"), None if since is None else read_date(since, "since")
        issued = record.stated(self._ledger.headings(of.spec.name))
        answered = record.overruled(
            of.spec, issued, outcome, day, start, answer=answer, reason=reason, url=url, now=now
        )
        today = local_day(now)
        known = {row.question: row for row in self._ledger.resolutions(of.spec.name) if not row.implied}
        by_hand = [row for row in known.values() if row.how == "analyst" and row.question != answered.question]
        closed = [row for row in issued if record.closes(row.date, of.spec) <= today]
        rules = record.answers_by_rule(of.space, entries(of, today), closed, today, now, by_hand)
        record.require_agreement(of.spec, answered, ({row.question: row for row in rules.found} | known).values())
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
        name = self.known_model(model)
        issues = self._ledger.headings()
        answers = {row.question: row for row in self._ledger.resolutions(name)}
        said = record.stated(issues)
        return record.score(
            name, sum(row.model == name for row in issues), (row for row in said if row.model == name), answers,
            rivals=(row for row in said if row.model != name),
        )  # fmt: skip

    def known_model(self, name: str | None) -> str:
        """Name a model that has a file, or has been issued."""
        name = name or self._models.default
        if name not in self._models.names and not self._ledger.headings(name):
            msg = f"{self._models.folder}: there is no model {name!r}; {nearest(name, self._models.names)}"
            raise InputError(msg)
        return name


def whole_report(ledger: Ledger, issue: Issue) -> dict[str, Any]:
    """Report data of an issued forecast."""
    found = ledger.forecast(issue.seq)
    assert found is not None  # noqa: S101 - nothing is ever deleted
    return json.loads(found.content)
