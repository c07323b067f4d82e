"""Analysts' own forecasts in a project: what can be judged, judgements beside the model, and their scores."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from forecast import record
from forecast.base.clock import local_day
from forecast.base.errors import InputError, read_date
from forecast.ledger.keys import clean_key
from forecast.project.track_record import TrackRecord

if TYPE_CHECKING:
    from forecast.ledger.judgements import Judgement
    from forecast.ledger.protocol import Ledger
    from forecast.project.models import Models
    from forecast.record.judged import Judged, OpenQuestions
    from forecast.record.judged_scores import JudgedScore
    from forecast.record.questions import Stated


class JudgementRecord:
    """Judgements of the questions that issued forecasts of ``models`` ask, in a ledger.

    Methods take the ``analyst`` and the moment ``now`` (aware, UTC); without a ``model`` they take the project's own.
    """

    def __init__(self, ledger: Ledger, models: Models) -> None:
        """Read the archive of a ledger."""
        self._ledger = ledger
        self._models = models

    def questions(
        self, model: str | None = None, *, analyst: str, now: dt.datetime, every: bool = False
    ) -> OpenQuestions:
        """Give what can be judged: the questions of the last issue and those judged already, or ``every`` open one."""
        name, said = self._said(model)
        return record.questions_for(
            name, clean_key(analyst), said, self._ledger.resolutions(name), self._ledger.judgements.every(name),
            local_day(now), every=every,
        )  # fmt: skip

    def judge(  # noqa: PLR0913 - what a judgement consists of
        self, outcome: str, *, probability: float, analyst: str, now: dt.datetime, date: dt.date | str | None = None,
        weeks: int | None = None, since: dt.date | str | None = None, seen: bool = False, note: str = "",
        model: str | None = None,
    ) -> Judged:  # fmt: skip
        """Record that an ``analyst`` gives a ``probability`` to a question, and set it beside the model and the pools.

        The question is whether the rule of ``outcome`` is met on ``date`` or, with ``since``, the date of a forecast,
        on any day after that one up to ``date``; ``weeks`` count from ``since``, or from the last forecast. ``seen``
        says that the analyst knew the model's number.

        Raises
        ------
        InputError
            If no issued forecast asks this, it is not open any more, or the probability or the analyst is none.

        """
        name, said = self._said(model)
        start = None if since is None else read_date(since, "since")
        if (date is None) == (weeks is None):
            msg = f"a question of {outcome!r} needs one date: give --date, or --weeks from the last forecast"
            raise InputError(msg)
        if date is not None:
            day = read_date(date, "date")
        else:
            day = _after(start or max((row.as_of for row in said), default=local_day(now)), weeks or 0)
        earlier = self._ledger.judgements.every(name)
        row, asked = record.new_judgement(
            said, self._ledger.resolutions(name), earlier, outcome, day, start, analyst=clean_key(analyst),
            probability=probability, seen=seen, note=note, now=now,
        )  # fmt: skip
        kept = self._ledger.judgements.add(row)
        held = record.by_question([*earlier, kept])[kept.question]
        number = record.ModelNumbers(said).on(asked, now.date(), shown=True)
        return record.beside_model(kept, number, held, self.score(name))

    def made_by(self, analyst: str, model: str | None = None) -> tuple[Judgement, ...]:
        """Give the judgements of an analyst, of one model or of all, with those that were revised, by time."""
        return tuple(row for row in self._ledger.judgements.every(model) if row.analyst == clean_key(analyst))

    def score(self, model: str | None = None) -> JudgedScore:
        """Score analysts and their pools on resolved questions of a model, beside what it said at the same time."""
        name, said = self._said(model)
        return record.score_judgements(name, said, self._ledger.resolutions(name), self._ledger.judgements.every(name))

    def pooled(self, model: str) -> tuple[str, ...]:
        """Say how analysts did together on resolved questions of a model; nothing where they judged none."""
        return self.score(model).pooled if self._ledger.judgements.every(model) else ()

    def _said(self, model: str | None) -> tuple[str, tuple[Stated, ...]]:
        """Name a model that has a file, or has been issued, and give what its issues state."""
        name = TrackRecord(self._ledger, self._models).known_model(model)
        return name, record.stated(self._ledger.headings(name))


def _after(start: dt.date, weeks: int) -> dt.date:
    """Give the day so many weeks after a start."""
    if not 0 < weeks < 10_000:  # noqa: PLR2004 - two centuries
        msg = f"--weeks {weeks} is no horizon; give those of a forecast, such as 4"
        raise InputError(msg)
    return start + dt.timedelta(weeks=weeks)
