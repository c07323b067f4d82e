"""Answers to the questions of issued forecasts, by rule or by hand."""

from __future__ import annotations

import datetime as dt
import functools
from bisect import bisect_left, bisect_right
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from forecast import base, evidence
from forecast.base import prose
from forecast.base.clock import local_day
from forecast.base.errors import InputError, nearest
from forecast.base.sanitise import is_web
from forecast.base.shown import Shown
from forecast.ledger.issued import Resolution
from forecast.quantities.estimate import FORMAT
from forecast.record.agreement import contradicted, days_of, implied, rivals_of, within
from forecast.record.questions import closes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.ledger.rows import Entry
    from forecast.record.questions import Stated
    from forecast.theory.outcomes import Rule
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace

    _Said = bool | Literal["disputed"] | None
    _Clauses = tuple[tuple[str, tuple[Rule, ...]], ...]  # of every rule, by outcome


ANSWERS = ("yes", "no", "void")
SHOWN = 4  # dates in a message
HOW = {"rule": "by the rule", "analyst": "by hand", "implied": "as follows from one by hand"}


class Answered(NamedTuple):
    """Answers that rules ``found``, and closed questions that they cannot answer.

    Those ``left`` are of issues that do not hold their rules, about an outcome that the model no longer has or resolves
    in other words, or their rules read a stage that it no longer has; only silence would answer the ``silent``; on the
    decisive day of the ``disputed`` the rules of outcomes that exclude each other are both met.
    """

    found: tuple[Resolution, ...]
    left: tuple[Stated, ...] = ()
    silent: tuple[Stated, ...] = ()
    disputed: tuple[Stated, ...] = ()


DISPUTED = "disputed"


def answers_by_rule(  # noqa: PLR0913, PLR0917 - what answers rest on
    space: StateSpace, entries: Iterable[Entry], closed: Iterable[Stated], as_of: dt.date, now: dt.datetime,
    by_hand: Iterable[Resolution] = (),
) -> Answered:  # fmt: skip
    """Apply to rows public on ``as_of`` the rules that each issue was made with.

    An issue that does not hold them was made with those of the model if their words are the same.

    Answers ``by_hand`` to other questions come first: a yes makes every window that contains its own yes, and a day on
    which the outcome did not hold, or another that excludes it did, is none of its days. A question that has an answer
    by hand itself is passed over.
    """
    spec, entries = space.spec, tuple(entries)
    days_by = _by_identity(functools.partial(_Days, space, entries))
    own = tuple((name, row.resolves) for name, row in spec.outcomes.items())
    hashed = spec.hash  # which takes longer than an answer
    hand = {row.question: row for row in by_hand}
    closed = tuple(closed)
    told = {name: implied(spec, hand.values(), name) for name in {*spec.outcomes, *(row.outcome for row in closed)}}
    found: dict[object, Resolution] = {}
    left: list[Stated] = []
    unheard: dict[object, Stated] = {}
    disputed: dict[object, Stated] = {}

    def answered(row: Stated, answer: Literal["yes", "no"], by: Resolution | None = None) -> None:
        found[row.question] = Resolution(
            model=row.model, outcome=row.outcome, since=row.since, date=row.date, answer=answer,
            how="rule", reason=_follows(by) if by else row.rule, url=by.url if by else "",
            as_of=as_of, frozen=row.frozen or spec.outcomes[row.outcome].frozen, model_hash=hashed, recorded_at=now,
        )  # fmt: skip

    for row in closed:
        if row.question in hand:
            continue
        clauses = _clauses_of(space, row, own)
        if clauses is None:
            left.append(row)
        elif row.question not in found:
            day_of = days_by(clauses)
            never, some = told[row.outcome]
            yes = next((one for one in some if within(one, row)), None)
            days = days_of(row)
            said = (
                {False if day in never else day_of(row.outcome, day) for day in days}
                if never
                else day_of.any_of(row.outcome, days)
            )
            if yes is not None:
                answered(row, "yes", yes)
            elif True in said:
                answered(row, "yes")
            elif DISPUTED in said:
                disputed[row.question] = row
            elif None in said:
                unheard[row.question] = row
            else:
                against = (
                    never[day] for day in reversed(days) if day in never and day_of(row.outcome, day) is not False
                )
                answered(row, "no", next(against, None) if never else None)
    return Answered(tuple(found.values()), tuple(left), tuple(unheard.values()), tuple(disputed.values()))


def _by_identity(make: Callable[[_Clauses], _Days]) -> Callable[[_Clauses], _Days]:
    """Call once for each object: issues of one model share their clauses, whose hash takes long."""
    made: dict[int, tuple[_Clauses, _Days]] = {}

    def given(clauses: _Clauses) -> _Days:
        if id(clauses) not in made:
            made[id(clauses)] = clauses, make(clauses)  # held, so that its identity stays its own
        return made[id(clauses)][1]

    return given


def _clauses_of(space: StateSpace, row: Stated, own: _Clauses) -> _Clauses | None:
    """Give the rules that an issue was made with, or the model's ``own``, as far as they can be read; None if not."""
    outcomes = space.spec.outcomes
    if row.rules is None:
        same = row.outcome in outcomes and outcomes[row.outcome].resolution == row.rule
        return own if same else None
    if any(rule.observable not in {None, *space.stages} for rule in dict(row.rules)[row.outcome]):
        return None
    return row.rules


class _Days:
    """What rows say of single days by some rules."""

    def __init__(self, space: StateSpace, entries: tuple[Entry, ...], clauses: _Clauses) -> None:
        self._space, self._clauses = space, dict(clauses)
        self._entries = {name: evidence.concerning(space, entries, rules) for name, rules in clauses}
        self._heard = {
            name: [evidence.heard_until(space, entries, rule) or dt.date.min for rule in rules]
            for name, rules in clauses
        }
        self._rivals = {
            name: [one for one in rivals_of(space.spec, name) if one in self._clauses] for name in self._clauses
        }
        self._known: dict[tuple[str, int], bool | None] = {}
        self._runs: dict[str, _Runs] = {}

    def __call__(self, outcome: str, day: int) -> _Said:
        """Whether the rule of an outcome is met on a day; None where only silence says so."""
        met = self._met(outcome, day)
        return DISPUTED if met and any(self._met(name, day) for name in self._rivals[outcome]) else met

    def any_of(self, outcome: str, days: range) -> set[_Said]:
        """Give all that is said of an outcome on some day of several; each day is looked at once."""
        runs = self._runs.setdefault(outcome, _Runs(days.start))
        runs.reach(days, functools.partial(self, outcome))
        return runs.said(days)

    def _met(self, outcome: str, day: int) -> bool | None:
        key = outcome, day
        if key not in self._known:
            date = dt.date.fromordinal(day)
            holds = evidence.clauses_hold(self._space, self._entries[outcome], self._clauses[outcome], date)
            # told stories, and a record that nothing has ended, need no further word; that a clause fails does, and
            # that a balance holds does: more of the other side may have happened
            parts = list(zip(holds, self._clauses[outcome], self._heard[outcome], strict=True))
            silent = any(date > until for held, rule, until in parts if not held or rule.no_fewer_than)
            failed = any(date <= until for held, _, until in parts if not held)
            self._known[key] = False if failed else None if silent else True
        return self._known[key]


class _Runs:
    """What is said of days in a row, by stretches of days of which the same is said."""

    def __init__(self, first: int) -> None:
        self._first, self._end = first, first  # days that are known: from the first to before the end
        self._begins: list[int] = []
        self._what: list[_Said] = []

    def reach(self, days: range, say: Callable[[int], _Said]) -> None:
        """Ask of the days that are not known yet; those in between are asked too."""
        for day in range(self._first - 1, days.start - 1, -1):
            said = say(day)
            if self._what and self._what[0] is said:
                self._begins[0] = day
            else:
                self._begins.insert(0, day)
                self._what.insert(0, said)
            self._first = day
        for day in range(self._end, days.stop):
            said = say(day)
            if not self._what or self._what[-1] is not said:
                self._begins.append(day)
                self._what.append(said)
            self._end = day + 1

    def said(self, days: range) -> set[_Said]:
        """Give what is said of them."""
        return set(self._what[bisect_right(self._begins, days.start) - 1 : bisect_left(self._begins, days.stop)])


def _follows(by: Resolution) -> str:
    return f"Follows from the answer by hand to {asked(by.outcome, by.date, by.since)}: {by.answer}."


def asked(outcome: str, date: dt.date, since: dt.date | None) -> str:
    """Name a question."""
    return f"{outcome!r} {f'by {date}, since {since}' if since else f'on {date}'}"


def heard_of(space: StateSpace, entries: Sequence[Entry], row: Stated) -> dt.date | None:
    """Give the last day of which something is known about any clause of the rule of a question; None if never."""
    own = tuple((name, one.resolves) for name, one in space.spec.outcomes.items())
    rules = dict(_clauses_of(space, row, own) or ()).get(row.outcome, ())
    days = [evidence.heard_until(space, entries, rule) for rule in rules]
    return max((day for day in days if day), default=None)


def lapsed(known: Iterable[Resolution], answered: Answered, as_of: dt.date, now: dt.datetime) -> list[Resolution]:
    """Take back what was implied by an answer by hand and no longer is, where no rule answers either."""
    unanswered = {row.question for row in (*answered.left, *answered.silent, *answered.disputed)}
    return [
        replace(row, answer="void", reason="No longer follows from an answer by hand.", as_of=as_of, recorded_at=now)
        for row in known
        if row.implied and row.question in unanswered
    ]


def overruled(  # noqa: PLR0913 - what an answer consists of
    spec: ModelSpec, issued: Sequence[Stated], outcome: str, date: dt.date, since: dt.date | None, *, answer: str,
    reason: str, url: str, now: dt.datetime,
) -> Resolution:  # fmt: skip
    """Build an analyst's answer to a question that one of the ``issued`` forecasts of the model was asked.

    Whether it agrees with other answers is looked at by `require_agreement`.

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
    what = asked(outcome, date, since)
    if (spec.name, outcome, since, date) not in {row.question for row in issued}:
        msg = f"no issued forecast of {spec.name!r} asks for {what}; {others_asked(issued, outcome, date)}"
        raise InputError(msg)
    if (day := closes(date, spec)) > today:
        msg = f"{what}: the window closes on {day}, for reports come late; answer it then"
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


def require_agreement(spec: ModelSpec, new: Resolution, answers: Iterable[Resolution]) -> None:
    """Make sure that an answer by hand can be true beside the ``answers`` to other questions.

    Raises
    ------
    InputError
        If it cannot: both are named.

    """
    others = [row for row in answers if row.question != new.question and row.model == new.model]
    found = contradicted(spec, new, others)
    if not found:
        return
    told = prose.listed([
        f"{row.answer} to {asked(row.outcome, row.date, row.since)} ({HOW[row.by]})" for row in found[:SHOWN]
    ])  # fmt: skip
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    first = found[0]
    other = "no" if first.answer == "yes" else "yes"
    since = f" --since {first.since}" if first.since else ""
    exclusive = any(row.outcome != new.outcome for row in found)
    why = "; at most one of these outcomes holds on a day" if exclusive else ""
    what = f"{new.answer} to {asked(new.outcome, new.date, new.since)}{',' if new.since else ''}"
    row = "record what the rule did not see (forecast observe) and run forecast resolve, or "
    msg = (
        f"{what} contradicts {told}{more}{why}; {'' if first.how == 'analyst' else row}answer that first: "
        f"forecast resolve {first.outcome} --date {first.date}{since} --answer {other} (or void) …"
    )
    raise InputError(msg)


def others_asked(issued: Iterable[Stated], outcome: str, date: dt.date) -> str:
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
    texts = {name: day.isoformat() if day else None for name, day in days.items()}
    return {"kind": row.kind, **asdict(row), **texts, "how": row.by}


@dataclass(frozen=True, repr=False)
class Resolved(Shown):
    """What `Project.resolve` has recorded: answers that are new or changed.

    ``answered`` questions have an answer now, ``open`` ones a window that has not closed. Of those that have closed,
    ``left``, ``silent`` and ``disputed`` are not answered, for the reasons that `Answered` gives; ``heard`` says up to
    which day something is known about the rule of each silent outcome.
    """

    as_of: dt.date
    recorded: tuple[Resolution, ...]
    answered: int
    open: int
    left: tuple[Stated, ...]
    silent: tuple[Stated, ...]
    disputed: tuple[Stated, ...]
    heard: Mapping[tuple[str, str], dt.date | None]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        told, of = prose.count(len(self.recorded), "answer"), prose.count(self.answered, "question")
        first = f"As of {prose.day(self.as_of)}, {told} new or changed."
        lines = [f"{first} {of} answered, {self.open} with a window that has not closed."]
        if self.silent:
            lines.append(self._of_silence())
        if self.disputed:
            lines.append(
                f"{_closed(self.disputed)}: the rules of outcomes that exclude each other were met on one day, and at "
                "most one of them can hold. Say which: `forecast resolve OUTCOME --answer …`."
            )
        if self.left:
            lines.append(
                f"{_closed(self.left)}: the rule is gone, or was changed after an issue that does not hold it. "
                "Answer by hand: `forecast resolve OUTCOME`."
            )
        return tuple(lines)

    def _of_silence(self) -> str:
        until = prose.listed([
            f"{prose.spoken(outcome)} {f'up to {prose.day(day)}' if day else 'at no time'}"
            for (_, outcome), day in self.heard.items()
        ])  # fmt: skip
        first, last = min(row.as_of for row in self.silent), max(row.date for row in self.silent)
        return (
            f"{_closed(self.silent)}: nobody has reported on dates so late, and silence alone is no answer. Something "
            f"is known about {until}. If somebody looked, say so: `forecast cover '*' --from "
            f"{first + dt.timedelta(days=1)} --to {last} --source …`; record what was seen; or answer by hand."
        )

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an answer recorded; columns model, outcome, kind, since, date, answer, how, reason, url."""
        columns = ("model", "outcome", "kind", "since", "date", "answer", "how", "reason", "url")
        rows = [[plain(row)[name] for name in columns] for row in self.recorded]
        return base.frame(rows, ["since", "date"], columns)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "as_of": self.as_of.isoformat(),
            "recorded": [plain(row) for row in self.recorded],
            "answered": self.answered,
            "open": self.open,
            **{name: _questions(getattr(self, name)) for name in ("left", "silent", "disputed")},
            "heard": [
                {"model": model, "outcome": outcome, "until": day.isoformat() if day else None}
                for (model, outcome), day in self.heard.items()
            ],
            "sentences": list(self.sentences),
        }


def _closed(rows: Iterable[Stated]) -> str:
    """Say how many closed questions have no answer, and what they are about."""
    many = {row.question: row for row in rows}
    names = prose.listed(sorted({prose.spoken(row.outcome) for row in many.values()}))
    return f"No rule answers {prose.count(len(many), 'question')} (about {names})"


def _questions(rows: Iterable[Stated]) -> list[dict[str, Any]]:
    return [
        {
            "model": row.model, "outcome": row.outcome, "kind": row.kind,
            "since": row.since.isoformat() if row.since else None, "date": row.date.isoformat(),
        }
        for row in {row.question: row for row in rows}.values()
    ]  # fmt: skip
