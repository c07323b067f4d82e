"""Answers to the questions of issued forecasts, by rule or by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from forecast import base, evidence
from forecast.base import prose
from forecast.base.clock import local_day
from forecast.base.errors import InputError, nearest
from forecast.base.sanitise import is_web
from forecast.ledger.issued import Resolution
from forecast.quantities.estimate import FORMAT
from forecast.record.questions import closes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from forecast.ledger.rows import Entry
    from forecast.record.questions import Stated
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


ANSWERS = ("yes", "no", "void")
SHOWN = 4  # dates in a message


def answers_by_rule(
    space: StateSpace, entries: Iterable[Entry], closed: Iterable[Stated], as_of: dt.date, now: dt.datetime
) -> tuple[tuple[Resolution, ...], tuple[Stated, ...]]:
    """Apply the rules of a model to rows public on ``as_of``: the answers, and what the rules cannot answer.

    That is what was stated of an outcome that the model no longer has, or that it resolves in other words than were
    issued.
    """
    entries, spec = tuple(entries), space.spec

    @cache
    def holds(outcome: str, day: dt.date) -> bool:
        return evidence.met(space, entries, outcome, day)

    found: dict[object, Resolution] = {}
    left: list[Stated] = []
    for row in closed:
        outcome = spec.outcomes.get(row.outcome)
        if outcome is None or outcome.resolution != row.rule:
            left.append(row)
        elif row.question not in found:
            days = (row.date - row.since).days if row.since else 1
            yes = any(holds(row.outcome, row.date - dt.timedelta(days=k)) for k in range(days))
            found[row.question] = Resolution(
                model=row.model, outcome=row.outcome, since=row.since, date=row.date, answer="yes" if yes else "no",
                how="rule", reason=row.rule, as_of=as_of, frozen=outcome.frozen, model_hash=spec.hash, recorded_at=now,
            )  # fmt: skip
    return tuple(found.values()), tuple(left)


def overruled(  # noqa: PLR0913 - what an answer consists of
    spec: ModelSpec, issued: Sequence[Stated], outcome: str, date: dt.date, since: dt.date | None, *, answer: str,
    reason: str, url: str, now: dt.datetime,
) -> Resolution:  # fmt: skip
    """Build an analyst's answer to a question that one of the ``issued`` forecasts of the model was asked.

    Raises
    ------
    InputError
        If nobody asked it, its window has not closed, or the answer, its reason or its link cannot be used.

    """
    names = {*spec.outcomes, *(row.outcome for row in issued)}
    if outcome not in names:
        msg = f"the model {spec.name!r} has no outcome {outcome!r}; {nearest(outcome, names)}"
        raise InputError(msg)
    today = local_day(now)
    if date > today:
        msg = f"--date {date} is in the future; what the world says of it is known after that day"
        raise InputError(msg)
    kind = f"by {date}, since {since}" if since else f"on {date}"
    asked = {row.question: row for row in issued}
    if (spec.name, outcome, since, date) not in asked:
        msg = f"no issued forecast of {spec.name!r} asks for {outcome!r} {kind}; {_others(issued, outcome, date)}"
        raise InputError(msg)
    if (day := closes(date, spec)) > today:
        msg = f"{outcome!r} {kind}: the window closes on {day}, for reports come late; answer it then"
        raise InputError(msg)
    if answer not in ANSWERS:
        msg = f"--answer {answer!r} is none; give {', '.join(ANSWERS)}"
        raise InputError(msg)
    if not reason.strip():
        msg = "--reason is empty; say what happened and why the rule's answer does not stand"
        raise InputError(msg)
    if not is_web(url):
        msg = f"--url {url[:80]!r} is not a web address; give one where the reason can be checked (https:// or http://)"
        raise InputError(msg)
    frozen = spec.outcomes[outcome].frozen if outcome in spec.outcomes else None
    return Resolution(
        model=spec.name, outcome=outcome, since=since, date=date, answer=answer, how="analyst", reason=reason, url=url,
        as_of=today, frozen=frozen, model_hash=spec.hash, recorded_at=now,
    )  # fmt: skip


def _others(issued: Iterable[Stated], outcome: str, date: dt.date) -> str:
    """Name the questions asked of an outcome whose dates are nearest."""
    keys = {(row.date, row.since) for row in issued if row.outcome == outcome}
    near = sorted(keys, key=lambda key: (abs((key[0] - date).days), key[0], key[1] or dt.date.min))[:SHOWN]
    if not near:
        return "none asks anything of it"
    told = [f"--date {day}" + (f" --since {since}" if since else "") for day, since in near]
    return f"those nearest are {', '.join(told)}"


def plain(row: Resolution) -> dict[str, Any]:
    """Give an answer as plain JSON types."""
    days = {name: getattr(row, name) for name in ("since", "date", "as_of", "frozen", "recorded_at")}
    return asdict(row) | {name: day.isoformat() if day else None for name, day in days.items()}


@dataclass(frozen=True)
class Resolved:
    """What `Project.resolve` has recorded: answers that are new or changed.

    ``silent`` of them are about dates behind the newest row: if nobody looked, the rules take silence for no.
    ``answered`` questions have an answer now, ``open`` ones a window that has not closed; those of ``left`` have
    closed, and no rule is there to answer them.
    """

    as_of: dt.date
    recorded: tuple[Resolution, ...]
    silent: int
    answered: int
    open: int
    left: tuple[Stated, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        told, of = prose.count(len(self.recorded), "answer"), prose.count(self.answered, "question")
        first = f"As of {prose.day(self.as_of)}, {told} new or changed."
        lines = [f"{first} {of} answered, {self.open} with a window that has not closed."]
        if self.silent:
            lines.append(
                f"{self.silent} of them are about dates after the newest row: the rules take it that nothing happened, "
                "which is so only if somebody looked."
            )
        if self.left:
            names = prose.listed(sorted({prose.spoken(row.outcome) for row in self.left}))
            many = prose.count(len({row.question for row in self.left}), "question")
            lines.append(
                f"No rule answers {many} (about {names}): the rule is gone, or its words were changed after the issue. "
                "Answer by hand: `forecast resolve OUTCOME`."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an answer recorded; columns model, outcome, since, date, answer, how, reason, url."""
        columns = ("model", "outcome", "since", "date", "answer", "how", "reason", "url")
        rows = [[getattr(row, name) for name in columns] for row in self.recorded]
        return base.frame(rows, ["since", "date"], columns)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "recorded": [plain(row) for row in self.recorded],
            "silent": self.silent,
            "answered": self.answered,
            "open": self.open,
            "left": [
                {
                    "model": model, "outcome": outcome, "since": since.isoformat() if since else None,
                    "date": date.isoformat(),
                }
                for model, outcome, since, date in dict.fromkeys(row.question for row in self.left)
            ],
            "sentences": list(self.sentences),
        }  # fmt: skip
