"""Questions that issued forecasts ask of the world, and when each closes."""

from __future__ import annotations

import datetime as dt
import json
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast import answers
from forecast.ledger.issued import PROMPT
from forecast.theory.outcomes import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.ledger.issued import Issue
    from forecast.theory.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What an issue stated of a question: the ``probability`` that the ``rule``, given by its words, is met.

    That is on ``date`` or, with ``since``, on any day after that one up to ``date``. ``met_now`` says whether it was
    met on ``as_of``; ``prior`` is what the theory says without any evidence, and ``before`` what the issue before
    stated of the same question: None where an issue does not say.

    ``rules`` are the clauses of all rules of the issue, by outcome, and ``frozen`` the day from which on this one was
    not changed: an issue is answered by the rules that it was made with. None where it is from before they were kept.
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
    rules: tuple[tuple[str, tuple[Rule, ...]], ...] | None = None
    frozen: dt.date | None = None

    @property
    def question(self) -> tuple[str, str, dt.date | None, dt.date]:
        """What it speaks of: model, outcome, since, date, as `forecast.ledger.issued.Resolution.question` has it."""
        return self.model, self.outcome, self.since, self.date

    @property
    def kind(self) -> str:
        """``at`` a date, or ``by`` it."""
        return "at" if self.since is None else "by"

    @property
    def prompt(self) -> bool:
        """Whether it was issued on its date or the day after, and not later with knowledge of what came."""
        return self.issued_on <= self.as_of + PROMPT


def stated(issues: Iterable[Issue]) -> tuple[Stated, ...]:
    """Read what the issues that count state, by model and date: of each date the last prompt one, or else the last.

    ``issues`` are in the order of issue. One from before rules were part of forecasts states nothing.
    """
    last: dict[tuple[str, dt.date], Issue] = {}
    for row in issues:
        key = (row.model, row.as_of)
        if key not in last or _prompt(row) or not _prompt(last[key]):
            last[key] = row
    found: list[Stated] = []
    before: dict[str, Mapping[str, _Curve]] = {}
    for (model, _), row in sorted(last.items()):
        rows = _read(row, before.get(model, {}))
        before[model] = _curves(rows)
        found += rows
    return tuple(found)


def _prompt(row: Issue) -> bool:
    return row.issued_at.date() <= row.as_of + PROMPT


def _read(issued: Issue, before: Mapping[str, _Curve]) -> list[Stated]:
    published = issued.published
    rows = published.rules
    if not rows:
        return []
    words, rules, frozen = _outcomes(published.model_text)
    model, as_of, issue, issued_on = issued.model, issued.as_of, issued.seq, issued.issued_at.date()
    found: list[Stated] = []
    for outcome, kind, weeks, day, probability, met_now, prior in rows:
        date, by = dt.date.fromisoformat(day), kind == "by"
        found.append(
            Stated(
                model=model, outcome=outcome, since=as_of if by else None, date=date, horizon_weeks=weeks, as_of=as_of,
                issue=issue, issued_on=issued_on, rule=words[outcome], probability=probability, met_now=met_now,
                prior=prior, before=None if by or outcome not in before else _at(before[outcome], date),
                rules=rules, frozen=frozen[outcome] if rules else None,
            )
        )  # fmt: skip
    return found


class _Outcomes(NamedTuple):
    """Of a model's outcomes the rules in words, their clauses, and since when they stand; None where it is not said."""

    words: Mapping[str, str]
    rules: tuple[tuple[str, tuple[Rule, ...]], ...] | None
    frozen: Mapping[str, dt.date]


@lru_cache(maxsize=64)
def _outcomes(model: str) -> _Outcomes:
    """Read the outcomes of a model, given as JSON: once for all issues of one version."""
    outcomes: Mapping[str, Any] = json.loads(model)["outcomes"]
    words = {name: row["resolution"] for name, row in outcomes.items()}
    if not all({"resolves", "frozen"} <= row.keys() for row in outcomes.values()):
        return _Outcomes(words, None, {})
    rules = tuple((name, tuple(map(Rule.model_validate, row["resolves"]))) for name, row in outcomes.items())
    return _Outcomes(words, rules, {name: dt.date.fromisoformat(row["frozen"]) for name, row in outcomes.items()})


class _Curve(NamedTuple):
    """What an issue stated of one outcome: probabilities of days, as ordinals, in their order."""

    days: list[int]
    probabilities: list[float]


def _curves(rows: Iterable[Stated]) -> dict[str, _Curve]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row.since is None:
            found.setdefault(row.outcome, []).append((row.date.toordinal(), row.probability))
    return {
        name: _Curve(*map(list, zip(*sorted(points, key=itemgetter(0)), strict=True))) for name, points in found.items()
    }


def between(before: Sequence[Stated], outcome: str, date: dt.date) -> float | None:
    """Read what an issue stated of a date, on a straight line between its horizons; None outside them."""
    curve = _curves(row for row in before if row.outcome == outcome).get(outcome)
    return curve and _at(curve, date)


def _at(curve: _Curve, date: dt.date) -> float | None:
    wanted, (days, probabilities) = date.toordinal(), curve
    if not days[0] <= wanted <= days[-1]:
        return None
    return on_line(days, probabilities, wanted)


def on_line(days: Sequence[int], values: Sequence[float], wanted: int) -> float:
    """Read a value of a day between the first and the last of ``days``, on a straight line where it is none of them."""
    right = bisect_left(days, wanted)
    if days[right] == wanted:
        return values[right]
    share = (wanted - days[right - 1]) / (days[right] - days[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])


def pulled(probability: float) -> float:
    """Pull 0 and 1 in by half a simulated path: what no path has shown is not known to be impossible."""
    if 0 < probability < 1:
        return probability
    return 0.5 / answers.PATHS if probability <= 0 else 1 - 0.5 / answers.PATHS


def closes(date: dt.date, spec: ModelSpec | None) -> dt.date:
    """Give the day on which a window that ends on ``date`` has closed: when reports of its end have had their time."""
    return date + dt.timedelta(days=spec.model.reporting_lag_days if spec else 0)
