"""Back-tests: how well each week's evidence was foreseen by what was known before it, beside naive forecasters.

Everyone is scored by the log-probability of the same cells. Two of the naive ones ask the engine, with draws that know
nothing or in which the states do not show; the third repeats what it saw last.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.shown import Shown
from forecast.quantities.estimate import FORMAT
from forecast.record.naive import CONSTANT, NAIVE, Naive
from forecast.record.replay import score_week

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd

    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Policy
    from forecast.record.replay import Replay, Week


@dataclass(frozen=True, repr=False)
class Backtest(Shown):
    """Scores of a model and of others on the evidence of each week: log predictive probabilities in nats.

    ``weeks`` score ``model`` and every one of ``others``. Scores of weeks up to ``frozen``, the day from which on no
    model was changed, are retrospective fit and not skill. ``fits`` were made on the way.
    """

    model: str
    as_of: dt.date
    frozen: dt.date
    others: tuple[str, ...]
    weeks: tuple[Week, ...]
    fits: int

    def lead(self, other: str, *, skill: bool | None = None) -> tuple[float, float, int]:
        """Score of the model less that of another, its standard error over weeks, and how many weeks these are.

        With ``skill``, only weeks after the models were frozen; without, only those before. All by default.
        """
        each = np.array([
            week.scores[self.model] - week.scores[other] for week in self.weeks
            if skill is None or (week.date > self.frozen) is skill
        ])  # fmt: skip
        error = math.sqrt(each.size * float(each.var(ddof=1))) if each.size > 1 else math.inf
        return float(each.sum()), error, each.size

    def error_of(self, name: str) -> float:
        """Monte Carlo error of a forecaster's sum of scores, at most: the draws of one week are those of others too."""
        return math.fsum(week.mcse[name] for week in self.weeks)

    @property
    def totals(self) -> dict[str, float]:
        """Sum of the scores of each."""
        return {name: math.fsum(week.scores[name] for week in self.weeks) for name in (self.model, *self.others)}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the weeks say, in words; retrospective fit and skill apart."""
        after = sum(week.date > self.frozen for week in self.weeks)
        lines: list[str] = []
        for skill in (False, True):
            if not (after if skill else len(self.weeks) - after):
                continue
            name = "Skill" if skill else "Retrospective fit, not skill"
            for other in self.others:
                gap, error, count = self.lead(other, skill=skill)
                weeks = prose.count(count, "week")
                if not abs(gap) > prose.NOISE * error:
                    said = f"cannot be told apart from {other}"
                else:
                    said = f"foresaw the evidence {'better' if gap > 0 else 'worse'} than {other}"
                size = "" if math.isinf(error) else f" ± {error:.1f}"
                lines.append(f"{name}: {self.model} {said} ({gap:+.1f}{size} nats in {weeks}).")
        if CONSTANT in self.others:
            lines.append(
                f"The Monte Carlo error of {CONSTANT} is at most {self.error_of(CONSTANT):.1f} nats of "
                f"{self.totals[CONSTANT]:.1f}, that of {self.model} {self.error_of(self.model):.1f}."
            )
        if not after:
            lines.append(
                f"No week lies after {prose.day(self.frozen)}, when the models were frozen: nothing of this is skill."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a week and forecaster; columns date, cells, name, score, mcse, skill."""
        rows = [
            {
                "date": week.date, "cells": week.cells, "name": name, "score": score, "mcse": week.mcse[name],
                "skill": week.date > self.frozen,
            }
            for week in self.weeks
            for name, score in week.scores.items()
        ]  # fmt: skip
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        leads = {name: self.lead(name) for name in self.others}
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "frozen": self.frozen.isoformat(),
            "weeks": [{**asdict(week), "date": week.date.isoformat()} for week in self.weeks],
            "totals": self.totals,
            "errors": {name: self.error_of(name) for name in (self.model, *self.others)},
            "leads": {
                name: {"difference": gap, "error": None if math.isinf(error) else error, "weeks": count}
                for name, (gap, error, count) in leads.items()
            },
            "fits": self.fits,
            "sentences": list(self.sentences),
        }


def run_backtest(replay: Replay, refit: Policy) -> Backtest:
    """Score the first model of a replay, the naive forecasters and the other models on the evidence of each week.

    Raises
    ------
    InputError
        If there is no week to score.

    """
    name, first = next(iter(replay.fitters.items()))
    found: dict[str, Posterior] = {}
    naive: Naive | None = None
    weeks: list[Week] = []
    for evidences, update in replay.weeks(refit):
        if found:
            before, after = found[name].evidence, evidences[name]
            naive = naive or Naive(first.model.prior(1, first.folder, after))
            scores = {one: score_week(found[one], evidences[one]) for one in replay.fitters}
            weeks.append(replay.week(before, after, scores | naive.score(before, after)))
        found = update()
    if not weeks:
        msg = f"no week of {name!r} can be scored yet: it has run for one step; test as of a later day"
        raise InputError(msg)
    others = (*NAIVE, *list(replay.fitters)[1:])
    return Backtest(name, replay.last, replay.frozen, others, tuple(weeks), replay.fits)


def merge(tests: Sequence[Backtest]) -> Backtest:
    """Put back-tests of single models on the same weeks together: the first is the model, the others its rivals."""
    first, *rivals = tests

    def pairs(rows: Sequence[Week]) -> list[tuple[Backtest, Week]]:
        return list(zip(rivals, rows[1:], strict=True))

    weeks = [
        replace(
            rows[0],
            scores={**rows[0].scores, **{one.model: row.scores[one.model] for one, row in pairs(rows)}},
            mcse={**rows[0].mcse, **{one.model: row.mcse[one.model] for one, row in pairs(rows)}},
        )
        for rows in zip(*(one.weeks for one in tests), strict=True)
    ]
    return Backtest(
        model=first.model,
        as_of=first.as_of,
        frozen=max(one.frozen for one in tests),
        others=(*first.others, *(one.model for one in rivals)),
        weeks=tuple(weeks),
        fits=sum(one.fits for one in tests),
    )
