# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pandas ships no types.
"""Back-tests: how well each week's evidence was foreseen by what was known before it, beside naive forecasters.

Everyone is scored by the log-probability of the same cells. Two of the naive ones ask the engine, with draws that know
nothing or in which the states do not show; the third repeats what it saw last.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import words
from forecast.compare import score_week
from forecast.evaluate import evaluate
from forecast.hmm import ASSESSMENT, COVERED, SELECTIVE, judged, seen, told
from forecast.result import FORMAT
from forecast.update import Anchor, reweigh

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.blocks import Draws
    from forecast.compare import Week
    from forecast.evidence import Evidence
    from forecast.hmm import Cells
    from forecast.statespace import StateSpace

    Floats = NDArray[np.float64]

__all__ = ["CONSTANT", "NAIVE", "PRIOR_ONLY", "REPEATED", "Backtest", "Naive", "merge", "news"]

NAIVE = PRIOR_ONLY, CONSTANT, REPEATED = words.PRIOR_ONLY, "constant rates", "last week repeated"
SHARE = 0.5  # that the repeating forecaster gives to what it saw last; the rest goes to what is usual
CHANGE = 0.02  # that it gives to a change of what is on record, a week


@dataclass(frozen=True)
class Backtest:
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
                weeks = words.count(count, "week")
                if not abs(gap) > words.NOISE * error:
                    said = f"cannot be told apart from {other}"
                else:
                    said = f"foresaw the evidence {'better' if gap > 0 else 'worse'} than {other}"
                size = "" if math.isinf(error) else f" ± {error:.1f}"
                lines.append(f"{name}: {self.model} {said} ({gap:+.1f}{size} nats in {weeks}).")
        if not after:
            lines.append(
                f"No week lies after {words.day(self.frozen)}, when the models were frozen: nothing of this is skill."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a week and forecaster; columns date, cells, name, score, mcse, skill."""
        import pandas as pd  # noqa: PLC0415 - slow to import

        rows = [
            {
                "date": week.date, "cells": week.cells, "name": name, "score": score, "mcse": week.mcse[name],
                "skill": week.date > self.frozen,
            }
            for week in self.weeks
            for name, score in week.scores.items()
        ]  # fmt: skip
        return pd.DataFrame(rows).astype({"date": "datetime64[s]"})

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
            "leads": {
                name: {"difference": gap, "error": None if math.isinf(error) else error, "weeks": count}
                for name, (gap, error, count) in leads.items()
            },
            "fits": self.fits,
            "sentences": list(self.sentences),
        }


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


def news(before: Evidence | None, after: Evidence) -> Cells:
    """Give the cells of ``after`` that ``before`` has not: what one more week has brought."""
    old = Counter(_keys(before.cells)) if before else Counter[tuple[float, ...]]()
    kept: list[int] = []
    for k, key in enumerate(_keys(after.cells)):
        if old[key]:
            old[key] -= 1
        else:
            kept.append(k)
    cells = after.cells
    return cells._replace(what=cells.what[kept], value=cells.value[kept], observed=cells.observed[kept])


def _keys(cells: Cells) -> list[tuple[float, ...]]:
    """Say what a cell says; the last column of what it is counts sets of one evidence only."""
    return [
        (*what[:4], *value, observed)
        for what, value, observed in zip(
            cells.what.tolist(), cells.value.tolist(), cells.observed.tolist(), strict=True
        )
    ]


class Naive:
    """Forecasters that a theory has to beat."""

    def __init__(self, prior: Anchor) -> None:
        """Take draws from the prior of the model that is tested."""
        space = prior.space
        self._prior = prior
        self._flat = Anchor(space, CONSTANT, lambda: _flattened(space, prior.blocks.draws))

    def score(self, before: Evidence, after: Evidence) -> dict[str, tuple[float, float]]:
        """Log predictive probability in nats, and its Monte Carlo error, of what ``after`` adds to ``before``."""
        new = news(before, after)
        alone = evaluate(self._prior.blocks, new).log_likelihood
        top = float(alone.max())
        each = np.exp(alone - top)
        error = float(each.std() / math.sqrt(each.size) / each.mean())
        return {
            PRIOR_ONLY: (top + math.log(float(each.mean())), error),
            CONSTANT: score_week(reweigh(self._flat, before), after),
            REPEATED: (_repeat(before.cells, new, self._prior.space), 0.0),
        }


def _flattened(space: StateSpace, draws: Draws) -> Draws:
    """Give every indicator the same rate in all states of its stage: the mean over them."""
    log_lambda = draws.log_lambda.copy()
    for indicator in range(len(space.indicators)):
        columns = np.flatnonzero(space.emission_indicator == indicator)
        log_lambda[:, columns] = np.log(np.exp(draws.log_lambda[:, columns]).mean(axis=1, keepdims=True))
    return draws._replace(log_lambda=log_lambda)


def _repeat(past: Cells, new: Cells, space: StateSpace) -> float:
    """Score ``new`` cells by one who gives half to what each stage showed last, and half to what is usual."""
    total = 0.0
    for what, (w, exposure, odds), observed in zip(new.what.tolist(), new.value.tolist(), new.observed, strict=True):
        _, kind, stage, indicator, group = what
        last = _last(past, kind, stage, indicator)
        if kind == COVERED:
            usual = -math.expm1(-new.median[indicator] * exposure)
            present = usual if last.size == 0 else SHARE * float((last > 0).any()) + (1 - SHARE) * usual
            total += math.log(seen(w, odds, 1 - present) if observed > 0 else 1 - present)
        elif kind == SELECTIVE:
            open_ = np.flatnonzero(new.available[group])
            usual = new.median[int(observed)] / new.median[open_].sum()
            again = np.isin(last, open_)
            share = usual
            if again.any():
                share = SHARE * float((last[again] == observed).mean()) + (1 - SHARE) * usual
            total += math.log(told(w, share, usual))
        elif kind == ASSESSMENT:
            states = int(space.sizes[stage])
            chance = np.full(states, 1 / states)
            if last.size:
                chance *= 1 - SHARE
                chance[last.astype(int)] += SHARE / last.size
            total += math.log(sum(chance[s] * judged(w, states, int(observed), s) for s in range(states)))
        else:
            stays = last.size == 0 or last[-1] == observed
            total += math.log(1 - CHANGE if stays else CHANGE)
    return total


def _last(past: Cells, kind: int, stage: int, indicator: int) -> Floats:
    """Give what was observed in the last step that has cells of the kind, of the stage or, if covered, indicator."""
    here = (past.what[:, 1] == kind) & (past.what[:, 2] == stage)
    if kind == COVERED:
        here &= past.what[:, 3] == indicator
    steps = past.what[here, 0]
    return past.observed[here][steps == steps.max()] if steps.size else past.observed[:0]
