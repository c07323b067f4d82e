"""Scores of issued forecasts whose questions are resolved, beside naive forecasters and rivals."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.sanitise import csv_text, inert
from forecast.base.shown import Shown
from forecast.quantities.estimate import FORMAT
from forecast.record.calibration import LEVEL, Reliability, reliability
from forecast.record.questions import pulled

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.engine.arrays import Floats, Ints
    from forecast.ledger.issued import Resolution
    from forecast.record.questions import Stated


PERSISTENCE, LAST_ISSUE = "persistence", "last issue repeated"  # and `forecast.base.prose.PRIOR_ONLY`
STAYS, BEGINS = 0.95, 0.05  # that persistence gives to what is so on the date of the forecast, and to what is not
CLUSTERS = 8  # with fewer nothing is concluded
DRAWN = 10  # questions from which on reliability is estimated


def quarter(day: dt.date) -> tuple[int, int]:
    """Give the calendar quarter of a day, whose forecasts share their luck."""
    return day.year, (day.month - 1) // 3


@dataclass(frozen=True)
class Scored:
    """A probability that was issued, what ``others`` give by name (None: nothing), and the answer to its question.

    ``live`` is one that was issued on its date or the day after, when the rule was frozen: only these measure skill.
    """

    stated: Stated
    others: Mapping[str, float | None]
    resolution: Resolution

    @property
    def live(self) -> bool:
        """Whether it measures skill."""
        frozen, issued = self.stated.frozen or self.resolution.frozen, self.stated.issued_on
        return self.stated.prompt and frozen is not None and frozen <= issued

    @property
    def void(self) -> bool:
        """Whether the question fell through."""
        return self.resolution.answer == "void"

    @property
    def settled(self) -> bool:
        """Whether its rule was met already when it was issued: what is so is no forecast."""
        return self.stated.met_now and not self.void

    @property
    def cluster(self) -> tuple[int, int]:
        """What it shares its luck with: its issue, with those of the same calendar quarter, whatever they ask."""
        return quarter(self.stated.as_of)


@dataclass(frozen=True)
class Against:
    """Another forecaster on those ``questions`` that it has a probability for, in so many ``clusters``.

    Differences are the model's mean score less the other's, so that below zero the model is better. Their standard
    errors allow for any dependence within clusters; with one cluster there is none.
    """

    name: str
    questions: int
    clusters: int
    brier: float
    log: float
    brier_difference: float
    brier_error: float | None
    log_difference: float
    log_error: float | None

    @property
    def verdict(self) -> str:
        """Whether the model is ``better`` or ``worse`` by the Brier score, ``level``, or nothing can be concluded."""
        if self.clusters < CLUSTERS or self.brier_error is None:
            return "open"
        from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

        reach = float(stdtrit(self.clusters - 1, (1 + LEVEL) / 2)) * self.brier_error  # quantile of Student's t
        return "level" if abs(self.brier_difference) <= reach else "better" if self.brier_difference < 0 else "worse"

    @property
    def sentence(self) -> str:
        """Say it in words."""
        error = "" if self.brier_error is None else f" ± {self.brier_error:.3f}"
        size = f"{self.brier_difference:+.3f}{error}".replace("-", "−")
        where = f"{prose.count(self.questions, 'question')} in {prose.count(self.clusters, 'independent cluster')}"
        if self.verdict == "open":
            few = f"with fewer than {CLUSTERS} clusters nothing can be concluded"
            return f"Against {self.name} the Brier score differs by {size} on {where}: {few}."
        said = {"better": "better than", "worse": "worse than", "level": "not to be told from"}[self.verdict]
        return f"By the Brier score it is {said} {self.name}, {size} on {where}."


@dataclass(frozen=True)
class Group:
    """Mean scores of the questions of an ``outcome`` with one horizon, or of all where these are None.

    ``brier`` is in [0, 1], ``log`` in nats.
    """

    outcome: str | None
    kind: str | None
    horizon_weeks: int | None
    questions: int
    yes: int
    clusters: int
    brier: float
    log: float
    against: tuple[Against, ...]


@dataclass(frozen=True)
class Part:
    """Scores of the ``live`` issues, which measure skill, or of the others, which are retrospective fit.

    ``pulled`` probabilities were 0 or 1, and are half a simulated path less extreme in the log score. ``reliability``
    is None with fewer than ten questions.
    """

    live: bool
    pulled: int
    total: Group
    groups: tuple[Group, ...]
    reliability: Reliability | None

    @property
    def few(self) -> bool:
        """Whether there are too few independent clusters to conclude anything."""
        return self.total.clusters < CLUSTERS

    @property
    def name(self) -> str:
        """What it measures."""
        return "skill" if self.live else "retrospective fit"

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        total = self.total
        head = "Skill, of forecasts issued live" if self.live else "Retrospective fit, not skill"
        scores = f"Brier score {total.brier:.3f} (0 is perfect, 0.25 is even odds), log score {total.log:.3f} nats"
        lines = [f"{head}: {scores}, on {prose.count(total.questions, 'question')}, {total.yes} of them answered yes."]
        lines += [row.sentence for row in total.against]
        if self.reliability is not None:
            found, clusters = self.reliability, prose.count(total.clusters, "cluster")
            lines.append(
                f"The Brier score is {found.miscalibration:.3f} for miscalibration, less {found.discrimination:.3f} "
                f"for telling cases apart, plus {found.uncertainty:.3f} that no forecaster can help"
                f"{f': of {clusters}, so nothing can be concluded' if self.few else ''}."
            )
        if self.pulled:
            lines.append(
                f"Simulation gave {prose.count(self.pulled, 'question')} a probability of 0 or 1; in the log score it "
                "is pulled in by half a simulated path."
            )
        return tuple(lines)


COLUMNS = (
    "issue", "as_of", "model", "outcome", "kind", "since", "date", "horizon_weeks", "live", "settled", "probability",
    "answer", "brier", "log", "how", "reason", "url",
)  # fmt: skip
NUMBERS = ("probability", "brier", "log")


@dataclass(frozen=True, repr=False)
class Score(Shown):
    """Track record of a model: every issued probability whose question is resolved, and its scores.

    ``issues`` forecasts were issued, ``open`` questions wait for their answer; ``next`` is the first date of these.
    """

    model: str
    issues: int
    open: int
    next: dt.date | None
    scored: tuple[Scored, ...]
    parts: tuple[Part, ...]

    @property
    def resolved(self) -> int:
        """How many probabilities are scored."""
        return sum(part.total.questions for part in self.parts)

    @property
    def void(self) -> int:
        """How many are not, because their question fell through."""
        return sum(row.void for row in self.scored)

    @property
    def settled(self) -> int:
        """How many are not, because their rule was met already when they were issued."""
        return sum(row.settled for row in self.scored)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        lines = [f"{prose.count(self.issues, 'forecast')} of {self.model} issued; {self.state}."]
        for part in self.parts:
            lines += part.sentences
        if self.open and self.next:
            waiting = prose.count(self.open, "question")
            lines.append(
                f"{waiting} {'is' if self.open == 1 else 'are'} open; the first date is {prose.day(self.next)}."
            )
        return tuple(lines)

    @property
    def state(self) -> str:
        """How much of it is resolved, as a clause."""
        if not self.scored:
            return "none is resolved"
        void = f", {self.void} more ({prose.chance(self.void / len(self.scored))}) void" if self.void else ""
        settled = f", {self.settled} more left out, for their rule was met at issue already" if self.settled else ""
        return f"{prose.count(self.resolved, 'question')} resolved{void}{settled}"

    @property
    def overrules(self) -> tuple[Resolution, ...]:
        """Answers that analysts gave, in the order of recording."""
        found = {row.resolution.seq: row.resolution for row in self.scored if row.resolution.how == "analyst"}
        return tuple(found[seq] for seq in sorted(found))

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a probability whose question is resolved; scores of void and of settled ones are missing.

        Columns issue, as_of, model, outcome, kind, since, date, horizon_weeks, live, settled, probability, answer,
        brier, log, how, reason, url, then the probabilities of others: persistence, prior_only, last_issue_repeated,
        and by name the rivals that were issued for the same date.
        """
        numbers = dict.fromkeys((*NUMBERS, *self._columns[len(COLUMNS) :]), "float64")
        return base.frame(self._rows(), ["as_of", "since", "date"], self._columns, **numbers)

    def to_csv(self) -> str:
        """Write the table of `to_frame`; no text in it can be taken for a formula."""
        rows = ([_cell(value) for value in row] for row in self._rows())
        return csv_text([self._columns, *rows])

    @property
    def _columns(self) -> list[str]:
        return [*COLUMNS, *(name.replace(" ", "_") for name in _named(self.scored))]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "issues": self.issues,
            "resolved": self.resolved,
            "void": self.void,
            "settled": self.settled,
            "open": self.open,
            "next": self.next.isoformat() if self.next else None,
            "parts": [
                {"name": part.name, "few": part.few, **asdict(part), "sentences": list(part.sentences)}
                for part in self.parts
            ],
            "overrules": [
                {
                    "outcome": row.outcome, "since": row.since.isoformat() if row.since else None,
                    "date": row.date.isoformat(), "answer": row.answer, "reason": row.reason, "url": row.url,
                }
                for row in self.overrules
            ],
            "sentences": list(self.sentences),
        }  # fmt: skip

    def _rows(self) -> Iterable[tuple[Any, ...]]:
        figures = _Figures.of(self.scored)
        for row, first, second in zip(self.scored, figures.brier.tolist(), figures.log.tolist(), strict=True):
            said, answer = row.stated, row.resolution
            scores = (None, None) if row.void or row.settled else (first, second)
            yield (
                said.issue, said.as_of, said.model, said.outcome, said.kind, said.since, said.date, said.horizon_weeks,
                row.live, row.settled, said.probability, answer.answer, *scores, answer.by, answer.reason, answer.url,
                *(row.others.get(name) for name in figures.others),
            )  # fmt: skip


def _cell(value: object) -> str:
    return "" if value is None else inert(value) if isinstance(value, str) else str(value)


def brier_and_log(probability: Floats, answer: Floats) -> tuple[Floats, Floats]:
    """Brier and log score of each; 0 and 1 are pulled in for the log score, which would be infinite."""
    inside = np.where(probability <= 0, pulled(0.0), np.where(probability >= 1, pulled(1.0), probability))
    return np.square(probability - answer), -np.log(np.where(answer > 0, inside, 1 - inside))


def _named(rows: Iterable[Scored]) -> dict[str, None]:
    """Name the other forecasters of some rows, each once, in their order."""
    return dict.fromkeys(name for row in rows for name in row.others)


class _Figures(NamedTuple):
    """Scored rows as arrays (n,); of ``others`` NaN where there is no probability."""

    probability: Floats
    answer: Floats
    cluster: Ints
    brier: Floats
    log: Floats
    others: Mapping[str, Floats]

    @classmethod
    def of(cls, rows: Sequence[Scored]) -> _Figures:
        """Lay out rows."""
        probability = np.array([row.stated.probability for row in rows], dtype=np.float64)
        answer = np.array([row.resolution.answer == "yes" for row in rows], dtype=np.float64)
        others = {name: np.array([row.others.get(name) for row in rows], dtype=np.float64) for name in _named(rows)}
        clusters = numbered([row.cluster for row in rows])
        return cls(probability, answer, clusters, *brier_and_log(probability, answer), others)

    def at(self, rows: Sequence[int] | Ints) -> _Figures:
        """Give some of the rows; clusters are numbered from 0 again."""
        return _Figures(
            self.probability[rows], self.answer[rows], np.unique(self.cluster[rows], return_inverse=True)[1],
            self.brier[rows], self.log[rows], {name: part[rows] for name, part in self.others.items()},
        )  # fmt: skip


# Scoring.


def score(
    model: str, issues: int, stated: Iterable[Stated], resolutions: Mapping[Any, Resolution],
    rivals: Iterable[Stated] = (),
) -> Score:  # fmt: skip
    """Score what a model ``stated`` in its ``issues`` by the answers, given by question.

    An answer by rule counts for those who issued the rule in the same words. ``rivals`` are what other models stated;
    one counts where it was asked the same, of the same day and by the same rule, and not issued late if the model was
    prompt. Questions that are void, or were settled at issue, have no score.
    """
    rows: list[Scored] = []
    beside: dict[tuple[Any, ...], dict[str, Stated]] = {}
    for row in rivals:
        beside.setdefault(_asked(row), {})[row.model] = row
    open_: set[tuple[Any, ...]] = set()
    for row in stated:
        found = resolutions.get(row.question)
        if found is None or (found.by == "rule" and found.reason != row.rule):
            open_.add(row.question)
        else:
            rows.append(Scored(row, _others(row, beside.get(_asked(row), {})), found))
    counted = [row for row in rows if not row.void and not row.settled]
    parts = [_part([row for row in counted if row.live is live], live=live) for live in (True, False)]
    return Score(
        model=model,
        issues=issues,
        open=len(open_),
        next=min((question[-1] for question in open_), default=None),
        scored=tuple(rows),
        parts=tuple(part for part in parts if part is not None),
    )


def _asked(row: Stated) -> tuple[Any, ...]:
    """Say what was asked, whomever."""
    return row.outcome, row.since, row.date, row.as_of, row.rule


def _others(row: Stated, rivals: Mapping[str, Stated]) -> dict[str, float | None]:
    """Give the probabilities of other forecasters: naive ones, and rivals by name."""
    return {
        PERSISTENCE: STAYS if row.met_now else BEGINS,
        prose.PRIOR_ONLY: row.prior,
        LAST_ISSUE: row.before,
        **{name: rivals[name].probability for name in sorted(rivals) if rivals[name].prompt or not row.prompt},
    }


def _part(rows: Sequence[Scored], *, live: bool) -> Part | None:
    if not rows:
        return None
    groups: dict[tuple[str, str, int], list[int]] = {}
    for k, row in enumerate(rows):
        groups.setdefault((row.stated.outcome, row.stated.kind, row.stated.horizon_weeks), []).append(k)
    every = _Figures.of(rows)
    enough = len(rows) >= DRAWN
    return Part(
        live=live,
        pulled=int(np.isin(every.probability, (0.0, 1.0)).sum()),
        total=_group(every),
        groups=tuple(_group(every.at(groups[key]), *key) for key in sorted(groups)),
        reliability=reliability(every.probability, every.answer, every.cluster) if enough else None,
    )


def numbered(clusters: Sequence[tuple[int, int]]) -> Ints:
    """Give each row the number of its cluster, from 0."""
    number = {key: k for k, key in enumerate(dict.fromkeys(clusters))}
    return np.array([number[key] for key in clusters], dtype=np.int64)


def _group(found: _Figures, outcome: str | None = None, kind: str | None = None, weeks: int | None = None) -> Group:
    against: list[Against] = []
    for name, theirs in found.others.items():
        here = np.flatnonzero(~np.isnan(theirs))
        if here.size:
            kept = found.at(here)
            naive = brier_and_log(kept.others[name], kept.answer)
            against.append(beside(name, kept.cluster, (kept.brier, kept.log), naive))
    return Group(
        outcome=outcome, kind=kind, horizon_weeks=weeks, questions=found.answer.size, yes=int(found.answer.sum()),
        clusters=int(found.cluster.max()) + 1, brier=float(found.brier.mean()),
        log=float(found.log.mean()), against=tuple(against),
    )  # fmt: skip


def beside(name: str, clusters: Ints, own: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> Against:
    """Set Brier and log scores beside those of another on the same questions, whose ``clusters`` are given from 0."""
    (brier, brier_error), (log, log_error) = (_difference(a - b, clusters) for a, b in zip(own, other, strict=True))
    return Against(
        name=name, questions=clusters.size, clusters=int(clusters.max()) + 1, brier=float(other[0].mean()),
        log=float(other[1].mean()), brier_difference=brier, brier_error=brier_error, log_difference=log,
        log_error=log_error,
    )  # fmt: skip


def _difference(each: Floats, clusters: Ints) -> tuple[float, float | None]:
    """Mean, and its standard error from the sums of the deviations within clusters."""
    mean = float(each.mean())
    sums = np.bincount(clusters, weights=each - mean)
    if sums.size < 2:  # noqa: PLR2004 - there is nothing to compare
        return mean, None
    return mean, math.sqrt(sums.size / (sums.size - 1) * float(np.square(sums).sum())) / each.size
