# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pandas ships no types.
"""Questions that issued forecasts answered with a probability, and how the world answered them.

A question is whether the rule of an outcome is met on a date, or on any day from an issue up to one. It is answered
once its window has closed, whichever way it went: were early answers counted, what comes fast would be scored first.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import words
from forecast.errors import InputError, nearest
from forecast.exchange import is_web
from forecast.ledger import Resolution
from forecast.result import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from forecast.ledger import Entry, Issued
    from forecast.spec import ModelSpec
    from forecast.statespace import StateSpace

__all__ = ["Resolved", "Stated", "answers_by_rule", "closes", "overruled", "plain", "pulled", "stated"]

PROMPT = dt.timedelta(days=1)  # after its date a forecast that is issued is still a forecast of what nobody knows
ANSWERS = ("yes", "no", "void")
SHOWN = 4  # dates in a message


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What an issue stated of a question: the ``probability`` that the ``rule``, given by its words, is met.

    That is on ``date`` or, with ``since``, on any day after that one up to ``date``. ``met_now`` says whether it was
    met on ``as_of``; ``prior`` is what the theory says without any evidence, and ``before`` what the issue before
    stated of the same question: None where an issue does not say.
    """

    model: str
    outcome: str
    since: dt.date | None
    date: dt.date
    horizon_weeks: int
    as_of: dt.date
    issue: int
    issued_on: dt.date
    rule: str
    probability: float
    met_now: bool
    prior: float | None
    before: float | None

    @property
    def question(self) -> tuple[str, str, dt.date | None, dt.date]:
        """What it speaks of: model, outcome, since, date, as `forecast.ledger.Resolution.question` has it."""
        return self.model, self.outcome, self.since, self.date

    @property
    def kind(self) -> str:
        """``at`` a date, or ``by`` it."""
        return "at" if self.since is None else "by"

    @property
    def prompt(self) -> bool:
        """Whether it was issued on its date or the day after, and not later with knowledge of what came."""
        return self.issued_on <= self.as_of + PROMPT


def stated(issues: Iterable[Issued]) -> tuple[Stated, ...]:
    """Read what the issues that count state, by model and date: of each date the last prompt one, or else the last.

    ``issues`` are in the order of issue. One from before rules were part of forecasts states nothing.
    """
    last: dict[tuple[str, dt.date], Issued] = {}
    for row in issues:
        key = (row.model, row.as_of)
        if key not in last or _prompt(row) or not _prompt(last[key]):
            last[key] = row
    found: list[Stated] = []
    before: dict[str, list[Stated]] = {}
    for (model, _), row in sorted(last.items()):
        before[model] = _read(row, before.get(model, []))
        found += before[model]
    return tuple(found)


def _prompt(row: Issued) -> bool:
    return row.issued_at.date() <= row.as_of + PROMPT


def _read(issued: Issued, before: Sequence[Stated]) -> list[Stated]:
    content = json.loads(issued.content)
    found: list[Stated] = []
    for row in content.get("rules") or ():
        outcome, date = row["outcome"], dt.date.fromisoformat(row["date"])
        since = issued.as_of if row["kind"] == "by" else None
        found.append(
            Stated(
                model=issued.model, outcome=outcome, since=since, date=date, horizon_weeks=row["horizon_weeks"],
                as_of=issued.as_of, issue=issued.seq, issued_on=issued.issued_at.date(),
                rule=content["model"]["outcomes"][outcome]["resolution"], probability=row["estimate"]["mean"],
                met_now=row["met_now"], prior=row.get("prior"),
                before=None if since else _between(before, outcome, date),
            )
        )  # fmt: skip
    return found


def _between(before: Sequence[Stated], outcome: str, date: dt.date) -> float | None:
    """Read what an issue stated of a date, between its horizons by log-odds; None outside them."""
    rows = sorted((row for row in before if row.outcome == outcome and row.since is None), key=lambda row: row.date)
    days = [row.date.toordinal() for row in rows]
    if not rows or not days[0] <= date.toordinal() <= days[-1]:
        return None
    if date.toordinal() in days:
        return rows[days.index(date.toordinal())].probability
    p = np.array([pulled(row.probability) for row in rows])
    return float(1 / (1 + np.exp(-np.interp(date.toordinal(), days, np.log(p / (1 - p))))))


def pulled(probability: float) -> float:
    """Pull 0 and 1 in by half a simulated path: what no path has shown is not known to be impossible."""
    if 0 < probability < 1:
        return probability
    from forecast.rules import PATHS  # noqa: PLC0415 - slow to import, and seldom needed

    return 0.5 / PATHS if probability <= 0 else 1 - 0.5 / PATHS


def closes(date: dt.date, spec: ModelSpec | None) -> dt.date:
    """Give the day on which a window that ends on ``date`` has closed: when reports of its end have had their time."""
    return date + dt.timedelta(days=spec.model.reporting_lag_days if spec else 0)


def answers_by_rule(
    space: StateSpace, entries: Iterable[Entry], closed: Iterable[Stated], as_of: dt.date, now: dt.datetime
) -> tuple[tuple[Resolution, ...], tuple[Stated, ...]]:
    """Apply the rules of a model to rows public on ``as_of``: the answers, and what the rules cannot answer.

    That is what was stated of an outcome that the model no longer has, or that it resolves in other words than were
    issued.
    """
    from forecast.rules import met  # noqa: PLC0415 - slow to import

    entries, spec = tuple(entries), space.spec

    @cache
    def holds(outcome: str, day: dt.date) -> bool:
        return met(space, entries, outcome, day)

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
    today = now.date()
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
        told, of = words.count(len(self.recorded), "answer"), words.count(self.answered, "question")
        first = f"As of {words.day(self.as_of)}, {told} new or changed."
        lines = [f"{first} {of} answered, {self.open} with a window that has not closed."]
        if self.silent:
            lines.append(
                f"{self.silent} of them are about dates after the newest row: the rules take it that nothing happened, "
                "which is so only if somebody looked."
            )
        if self.left:
            names = words.listed(sorted({words.spoken(row.outcome) for row in self.left}))
            many = words.count(len({row.question for row in self.left}), "question")
            lines.append(
                f"No rule answers {many} (about {names}): the rule is gone, or its words were changed after the issue. "
                "Answer by hand: `forecast resolve OUTCOME`."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an answer recorded; columns model, outcome, since, date, answer, how, reason, url."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        columns = ("model", "outcome", "since", "date", "answer", "how", "reason", "url")
        rows = [[getattr(row, name) for name in columns] for row in self.recorded]
        return pd.DataFrame(rows, columns=list(columns)).astype(dict.fromkeys(("since", "date"), "datetime64[s]"))

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
