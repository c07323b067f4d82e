"""What the ledger keeps beside evidence: issued forecasts, resolutions, its own log."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from forecast.ledger.published import Published

PROMPT = dt.timedelta(days=1)  # after its date a forecast that is issued is still a forecast of what nobody knows


class Added(NamedTuple):
    """What `Ledger.add` did with each id, in the order given; ``notices`` say what is odd about the new rows."""

    new: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One row as `Ledger.log` lists it; ``superseded`` when a later row has the same id.

    The action is "correct" where the row takes the place of one in force. Coverage and retractions have no ``grade``.
    ``by`` is who recorded it, blank where nobody said.
    """

    seq: int
    recorded_at: dt.datetime
    action: Literal["add", "correct", "retract"]
    id: str
    summary: str
    grade: str | None
    superseded: bool
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(ABC):
    """What a ledger says of an issued forecast; ``seq`` is 0 until it is archived.

    ``recorded_by`` is for the ledger to say, as for a `Resolution`.
    """

    seq: int = 0
    model: str
    as_of: dt.date
    issued_at: dt.datetime
    evidence_hash: str
    model_hash: str
    fit: str
    watermark: int
    recorded_by: str = ""

    @property
    @abstractmethod
    def published(self) -> Published:
        """The short part of its report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Issue):
    """An issued forecast: ``content`` is its whole report data as JSON text."""

    content: str = field(repr=False)

    @property
    def published(self) -> Published:
        """The short part of its report, which is taken from the whole."""
        return Published.of(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading(Issue):
    """An issued forecast without its report, but for the ``short`` part that is kept beside it."""

    short: Published = field(repr=False)

    @property
    def published(self) -> Published:
        """The short part of its report."""
        return self.short


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How the world answered a question of issued forecasts of ``model``: whether the rule of ``outcome`` was met.

    That is on the day ``date`` or, with ``since``, on any day after that one up to ``date``. A *rule* answers from the
    rows that were public on ``as_of``, and its ``reason`` is its text; an *analyst* gives a reason and a link. A rule's
    answer with a link was *implied* by an analyst's to another question, which its reason names.
    ``frozen`` is the day from which on the rule was not changed; ``seq`` is 0 until it is recorded.
    """

    seq: int = 0
    model: str
    outcome: str
    since: dt.date | None = None
    date: dt.date
    answer: Literal["yes", "no", "void"]
    how: Literal["rule", "analyst"]
    reason: str
    url: str = ""
    as_of: dt.date
    frozen: dt.date | None
    model_hash: str
    recorded_at: dt.datetime
    recorded_by: str = ""

    @property
    def question(self) -> tuple[str, str, dt.date | None, dt.date]:
        """What is answered: model, outcome, since, date."""
        return self.model, self.outcome, self.since, self.date

    @property
    def kind(self) -> Literal["at", "by"]:
        """Whether it is so ``at`` a date, or on any day of a window ``by`` it."""
        return "at" if self.since is None else "by"

    @property
    def implied(self) -> bool:
        """Whether it follows from an analyst's answer to another question."""
        return self.how == "rule" and bool(self.url)

    @property
    def by(self) -> Literal["rule", "analyst", "implied"]:
        """Who answered, or that it follows from what an analyst answered."""
        return "implied" if self.implied else self.how

    @property
    def content(self) -> tuple[str, str, str, str]:
        """What is said: answer, how, reason, url."""
        return self.answer, self.how, self.reason, self.url


def supersedes(answer: Resolution, before: Resolution) -> bool:
    """Whether an answer takes the place of the one before it."""
    return answer.how == "analyst" or (before.how == "rule" and answer.as_of >= before.as_of)
