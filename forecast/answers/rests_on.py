"""What a forecast rests on: shares of prior, history and reports, and what the history has changed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.shown import Shown
from forecast.engine.arrays import without_cells
from forecast.engine.filtering import evaluate
from forecast.engine.onward import Onward
from forecast.engine.pareto import equal_weights
from forecast.inference.fit import link_values, links_of
from forecast.quantities.estimate import FORMAT, text_or_none
from forecast.quantities.from_draws import answers, ask, estimates, horizons_of, sayable
from forecast.quantities.shares import Shares, log_odds_variance, quantiles, shares_of, variance
from forecast.theory.indicators import GRADES
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping, Sequence

    import pandas as pd

    from forecast.engine.arrays import Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior
    from forecast.quantities.estimate import Estimate, Key
    from forecast.quantities.from_draws import Answers
    from forecast.theory.statespace import StateSpace


GRADED = ("diagnosticity", "grade_log_times")  # arrays of a fit: the scale of all grades, and the grades
WORDS = ("the judgement in the model file", "the history of other countries", "the reports")  # of `Shares`


def links_counted(most: Sequence[str]) -> str:
    """Say how many links rest mostly on what, from the field of `Shares` that is the largest of each."""
    counts = [most.count(name) for name in Shares._fields]
    parts = [f"{number or 'none'} on {words}" for number, words in zip(counts, WORDS, strict=True)]
    rest = "rest" if counts[0] > 1 else "rests"
    parts[0] = f"{counts[0] or 'none'} {rest} mostly on {WORDS[0]}"
    return f"Of its {prose.count(len(most), 'link')} {prose.listed(parts)}."


@dataclass(frozen=True)
class LinkShares:
    """Shares of what is known of a rate or an effect, on the log scale; named as in the model's axes."""

    name: str
    kind: str
    prior: float
    history: float
    reports: float


@dataclass(frozen=True)
class NumberShares:
    """Shares of what is known of a published probability, on the scale of log odds.

    ``alone`` is the probability by the model file alone, ``informed`` with the history, both without any report;
    ``now`` is what is published.
    """

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: dt.date | None
    prior: float
    history: float
    reports: float
    alone: Estimate
    informed: Estimate
    now: Estimate

    @property
    def moved(self) -> str | None:
        """Say how far the history has moved it; None where that is not told from not at all."""
        before, after = (self.alone.mean, self.alone.mcse), (self.informed.mean, self.informed.mcse)
        return prose.points_apart(before, after, math.hypot(before[1], after[1]))

    @property
    def said(self) -> tuple[str, str, str]:
        """Write the three probabilities, the second with what the history moved."""
        alone, informed, now = (prose.chance(one.mean, one.mcse) for one in (self.alone, self.informed, self.now))
        moved, side = self.moved, "more" if self.informed.mean > self.alone.mean else "less"
        if moved is None:
            told = "no difference that the draws can tell"
        else:
            told = f"{moved} {'apart' if moved.startswith('less') else side}"
        return alone, f"{informed} ({told})", now


@dataclass(frozen=True, repr=False)
class RestsOn(Shown):
    """What every link, and every outcome and condition at the longest horizon, rests on.

    ``history`` says whether the model has one; where it has none, nothing rests on it.
    """

    model: str
    as_of: dt.date
    history: bool
    links: tuple[LinkShares, ...]
    numbers: tuple[NumberShares, ...]
    grades: tuple[GradeSeen, ...] = ()

    @property
    def graded(self) -> str | None:
        """Say what the grades are worth by the reports; None where the model takes them at their word."""
        if not self.grades:
            return None
        said = [
            f"{prose.multiple(row.called)} looks like {prose.multiple(row.median)} "
            f"({prose.number(row.low)} to {prose.number(row.high)})"
            for row in self.grades
        ]
        return f"What the model file calls {prose.listed(said)}, going by the reports."

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say of how many links most is prior, history or reports, and what the history changed; without one, none."""
        return (self._links_counted, self._changed) if self.history else ()

    @property
    def _links_counted(self) -> str:
        return links_counted([Shares(row.prior, row.history, row.reports).most for row in self.links])

    @property
    def _changed(self) -> str:
        """Say what the history changed of the outcomes, the most first."""
        rows = sorted(
            (row for row in self.numbers if row.kind == "at"),
            key=lambda row: -abs(row.informed.mean - row.alone.mean) * (row.moved is not None),
        )
        if not rows:
            return f"What {WORDS[1]} changed: no outcome has a number to compare."
        first, *others = rows
        alone, informed, now = first.said
        date = f"on {prose.day(first.date)} " if first.date else ""
        start = (
            f"What {WORDS[1]} changed: {date}{prose.spoken(first.outcome)} stands at {alone} by the model file alone"
        )
        lines = [f"{start}, at {informed} with that history, and at {now} with the reports too."]
        if others:
            each = [f"{prose.spoken(row.outcome)} {', '.join(row.said[:2])} and {row.said[2]}" for row in others]
            lines.append(f"In the same order: {'; '.join(each)}.")
        return " ".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a link, with the columns of `LinkShares`."""
        return base.frame(map(asdict, self.links))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "history": self.history,
            "links": [asdict(row) for row in self.links],
            "numbers": [{**asdict(row), "date": text_or_none(row.date)} for row in self.numbers],
            "grades": [asdict(row) for row in self.grades],
            "graded": self.graded,
            "sentences": list(self.sentences),
        }


@dataclass(frozen=True)
class GradeSeen:
    """What a grade multiplies the rate of its indicators by: as the model file has it, and with the reports."""

    grade: str
    called: float
    median: float
    low: float
    high: float


class Priors(NamedTuple):
    """Draws from the prior without and with the history, and by link how much the history has narrowed it."""

    alone: Anchor
    informed: Anchor
    narrowing: Mapping[str, float]


def find_rests_on(found: Posterior, arrays: Mapping[str, Floats], priors: Priors) -> RestsOn:
    """Hold the draws of ``found`` against the prior's; ``arrays`` of its fit are `LINKS`, and `GRADED` if any."""
    space = found.space
    return RestsOn(
        model=space.spec.name,
        as_of=found.evidence.as_of,
        history=bool(priors.narrowing),
        links=tuple(_links(space, arrays, found.weights.values, priors.narrowing)),
        numbers=tuple(_numbers(found, priors)),
        grades=tuple(_grades(space, arrays, found.weights.values)),
    )


# Links.


def _links(
    space: StateSpace, arrays: Mapping[str, Floats], weights: Floats, narrowing: Mapping[str, float]
) -> Iterator[LinkShares]:
    for (name, kind, interval), values in zip(links_of(space), link_values(arrays).T, strict=True):
        alone = log_normal(interval)[1] ** 2
        informed = alone * narrowing.get(name, 1.0) ** 2
        yield LinkShares(name, kind, *shares_of(alone, informed, variance(values, weights)))


# Grades.


def _grades(space: StateSpace, arrays: Mapping[str, Floats], weights: Floats) -> Iterator[GradeSeen]:
    if space.spec.priors.diagnosticity is None:
        return
    scale, grades = (arrays[name].reshape(weights.size, -1) for name in GRADED)
    for grade, called, values in zip(GRADES, space.spec.priors.grades.medians, (scale * grades).T, strict=True):
        low, median, high = np.exp(quantiles(values, weights))
        yield GradeSeen(grade, called, float(median), float(low), float(high))


# Published probabilities.


def _numbers(found: Posterior, priors: Priors) -> Iterator[NumberShares]:
    """Hold three sets of draws against each other; what is too rare to be said under one of them is left out."""
    sides = [
        *(
            _said(_without_reports(one, found.evidence), equal_weights(one.blocks.size).values, one.efficiency)
            for one in (priors.alone, priors.informed)
        ),
        _said(found.answers, found.weights.values, found.anchor.efficiency),
    ]
    for key in sides[-1]:
        if all(key in side for side in sides):
            spreads, each = zip(*(side[key] for side in sides), strict=True)
            yield NumberShares(*key, *shares_of(*spreads), *each)


def _said(found: Answers, weights: Floats, efficiency: float) -> dict[Key, tuple[float, Estimate]]:
    """Give the variance of its log odds and the estimate of everything that can be said at the longest horizon."""
    longest = max(name[3] for name in found.names if name[1] == "at" and name[3])
    found = sayable(
        found.some(lambda name: name[1] == "after" or (name[1] in {"at", "given"} and name[3] == longest)), weights
    )
    spreads = [log_odds_variance(part, whole, weights) for part, whole in zip(found.part, found.whole, strict=True)]
    rows = estimates(found, weights, efficiency)
    return {row.key: (spread, row.estimate) for row, spread in zip(rows, spreads, strict=True)}


def _without_reports(anchor: Anchor, evidence: Evidence) -> Answers:
    """Answer by the theory alone: the steps pass, and nothing is known of any of them."""
    states = evaluate(anchor.blocks, without_cells(evidence.cells)).states
    horizons = horizons_of(anchor.space, evidence.as_of)
    horizons = horizons._replace(full=horizons.full[-1:])
    return answers(anchor.space, evidence.as_of, ask(anchor.space, anchor.blocks, horizons, Onward), states)
