"""Questions that issued forecasts ask of the world, and when each closes."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import answers
from forecast.ledger.issued import PROMPT
from forecast.theory.outcomes import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.ledger.issued import Issued
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
    outcomes = content["model"]["outcomes"]
    rules = _rules(outcomes)
    found: list[Stated] = []
    for row in content.get("rules") or ():
        outcome, date = row["outcome"], dt.date.fromisoformat(row["date"])
        since = issued.as_of if row["kind"] == "by" else None
        found.append(
            Stated(
                model=issued.model, outcome=outcome, since=since, date=date, horizon_weeks=row["horizon_weeks"],
                as_of=issued.as_of, issue=issued.seq, issued_on=issued.issued_at.date(),
                rule=outcomes[outcome]["resolution"], probability=row["estimate"]["mean"],
                met_now=row["met_now"], prior=row.get("prior"),
                before=None if since else between(before, outcome, date),
                rules=rules, frozen=dt.date.fromisoformat(outcomes[outcome]["frozen"]) if rules else None,
            )
        )  # fmt: skip
    return found


def _rules(outcomes: Mapping[str, Any]) -> tuple[tuple[str, tuple[Rule, ...]], ...] | None:
    """Read the clauses of every rule; None where an issue does not hold them."""
    if not all({"resolves", "frozen"} <= row.keys() for row in outcomes.values()):
        return None
    return tuple((name, tuple(map(Rule.model_validate, row["resolves"]))) for name, row in outcomes.items())


def between(before: Sequence[Stated], outcome: str, date: dt.date) -> float | None:
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
    return 0.5 / answers.PATHS if probability <= 0 else 1 - 0.5 / answers.PATHS


def closes(date: dt.date, spec: ModelSpec | None) -> dt.date:
    """Give the day on which a window that ends on ``date`` has closed: when reports of its end have had their time."""
    return date + dt.timedelta(days=spec.model.reporting_lag_days if spec else 0)
