"""What a judgement gives: the questions that are open, and one that is recorded beside the model and the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecast import base
from forecast.base import prose
from forecast.base.shown import Shown
from forecast.quantities.estimate import FORMAT
from forecast.record import pooling
from forecast.record.judgements import open_questions, standing

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.ledger.issued import Resolution
    from forecast.ledger.judgements import Judgement
    from forecast.record.judged_scores import JudgedScore
    from forecast.record.judgements import Number
    from forecast.record.questions import Stated


@dataclass(frozen=True, repr=False)
class OpenQuestions(Shown):
    """Questions that an ``analyst`` can judge, without what the model says of them; ``earlier`` issues ask ``more``.

    ``own`` is what stands of the analyst, by question.
    """

    model: str
    analyst: str
    questions: tuple[Stated, ...]
    more: int
    own: Mapping[tuple[Any, ...], Judgement]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        done = sum(row.question in self.own for row in self.questions)
        lines = [
            f"{prose.count(len(self.questions), 'question')} of {self.model} can be judged; {done} judged already."
        ]
        if self.more:
            lines.append(f"Earlier issues ask {self.more} more.")
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a question; columns outcome, kind, since, date, rule, own (the analyst's probability)."""
        columns = ("outcome", "kind", "since", "date", "rule", "own")
        rows = [[row.outcome, row.kind, row.since, row.date, row.rule, self.held(row)] for row in self.questions]
        return base.frame(rows, ["since", "date"], columns, own="float64")

    def held(self, row: Stated) -> float | None:
        """Give what the analyst holds of a question."""
        found = self.own.get(row.question)
        return found.probability if found else None

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "analyst": self.analyst,
            "questions": [
                {
                    "outcome": row.outcome, "kind": row.kind, "since": row.since.isoformat() if row.since else None,
                    "date": row.date.isoformat(), "rule": row.rule, "own": self.held(row),
                }
                for row in self.questions
            ],
            "more": self.more,
            "sentences": list(self.sentences),
        }  # fmt: skip


def questions_for(  # noqa: PLR0913, PLR0917 - what is open, and to whom
    model: str, analyst: str, said: Sequence[Stated], answered: Iterable[Resolution],
    judgements: Iterable[Judgement], day: dt.date, *, every: bool,
) -> OpenQuestions:  # fmt: skip
    """Give what an analyst can judge on a day: questions of the last issue and those judged, or ``every`` open one."""
    own = {row.question: row for row in judgements if row.analyst == analyst}
    found = open_questions(said, answered, day)
    last = max((row.as_of for row in said), default=None)
    shown = tuple(row for row in found if every or row.as_of == last or row.question in own)
    return OpenQuestions(model=model, analyst=analyst, questions=shown, more=len(found) - len(shown), own=own)


@dataclass(frozen=True, repr=False)
class Judged(Shown):
    """A judgement that is recorded, beside the ``model``'s number and the pools of all analysts.

    ``analysts`` hold something of the question. ``pool`` is theirs, ``with_model`` also has the model as one of them;
    None where the model has no number.
    """

    judgement: Judgement
    model: Number | None
    analysts: int
    pool: float
    with_model: float | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say it in words."""
        row, model = self.judgement, self.model
        own = f"{row.analyst} {prose.chance(row.probability)}"
        lines: list[str] = []
        if model is None:
            lines.append(f"{own}; the model states nothing of it.")
        else:
            size = prose.signed_gap((model.probability, 0.0), (row.probability, 0.0))
            late = "" if model.prompt else ", issued late"
            lines.append(
                f"{own}, the model {prose.chance(model.probability)} (as of {prose.day(model.as_of)}{late}): "
                f"difference {size} {'point' if size in {'+1', '−1'} else 'points'}."
            )
        if self.analysts > 1:
            lines.append(f"Pool of {self.analysts} analysts: {prose.chance(self.pool)}.")
        if self.with_model is not None:
            of = prose.count(self.analysts, "analyst")
            lines.append(f"Pool of {of} and the model: {prose.chance(self.with_model)}.")
        if not row.blind:
            lines.append("It is not blind: the model's number had been seen.")
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a forecaster, of analyst, model and pools; columns forecaster, probability."""
        found = {
            self.judgement.analyst: self.judgement.probability,
            "model": self.model.probability if self.model else None,
            "pool": self.pool,
            "pool with model": self.with_model,
        }
        return base.frame(
            [list(row) for row in found.items()], [], ("forecaster", "probability"), probability="float64"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        number = self.model._asdict() | {"as_of": self.model.as_of.isoformat()} if self.model else None
        return {
            "format": FORMAT,
            "judgement": plain_judgement(self.judgement),
            "model": number,
            "analysts": self.analysts,
            "pool": self.pool,
            "pool_with_model": self.with_model,
            "sentences": list(self.sentences),
        }


def beside_model(
    row: Judgement, number: Number | None, held: Mapping[str, Sequence[Judgement]], score: JudgedScore
) -> Judged:
    """Set a judgement beside the model's number and pools of what ``held`` of its question, with learned factors."""
    rows = [found for by in held.values() if (found := standing(by, row.recorded_at.date()))]
    said = [one.probability for one in rows]
    factors = {one.with_model: one.factor or 1.0 for one in score.forecasters if one.pool}
    both = None
    if number is not None:
        both = pooling.pooled(pooling.mean_log_odds([*said, number.probability]), factors.get(True, 1.0))
    return Judged(row, number, len(rows), pooling.pooled(pooling.mean_log_odds(said), factors.get(False, 1.0)), both)


def plain_judgement(row: Judgement) -> dict[str, Any]:
    """Give a judgement as plain JSON types."""
    return {
        "seq": row.seq, "analyst": row.analyst, "model": row.model, "outcome": row.outcome,
        "kind": "at" if row.since is None else "by", "since": row.since.isoformat() if row.since else None,
        "date": row.date.isoformat(), "probability": row.probability, "blind": row.blind, "note": row.note,
        "recorded_at": row.recorded_at.isoformat(), "recorded_by": row.recorded_by,
    }  # fmt: skip
