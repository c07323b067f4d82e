"""Rival models on the history: how well each foretells the spells of a unit from those of the others."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.shown import Shown
from forecast.record.stacking import said_of_weights, stacking_weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.evidence.history import History
    from forecast.inference.fitter import Fitter
    from forecast.inference.left_out import LeftOut


ALL = "all"  # stages together


@dataclass(frozen=True)
class UnitScores:
    """A unit's spells as each model foretells them that has read the other units' alone."""

    stage: str
    unit: str
    scores: Mapping[str, LeftOut]


@dataclass(frozen=True)
class StageScores:
    """How well models foretell the units of one ``stage``, or of `ALL` stages, in nats.

    ``behind`` is how much less than the best each model's sum over units is, with the standard error over units (none
    for a single unit). ``weights`` are stacking weights over units, ``intervals`` their 90 % intervals.
    """

    stage: str
    units: int
    totals: Mapping[str, float]
    behind: Mapping[str, tuple[float, float | None]]
    weights: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]

    @property
    def best(self) -> str:
        """The model with the largest sum."""
        return max(self.totals, key=self.totals.__getitem__)

    @property
    def told_apart(self) -> tuple[str, ...]:
        """Models that are behind the best by more than chance explains."""
        return tuple(
            name for name, (gap, error) in self.behind.items() if error is not None and gap > prose.NOISE * error
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the units say of the models, in words."""
        others = [name for name in self.totals if name != self.best]
        said = {
            "foretells better than": [self._gap(name) for name in others if name in self.told_apart],
            "cannot be told apart from": [self._gap(name) for name in others if name not in self.told_apart],
        }
        parts = [f"{verb} {prose.listed(gaps)}" for verb, gaps in said.items() if gaps]
        where = f"{prose.count(self.units, 'unit')} of {'all stages' if self.stage == ALL else self.stage}"
        unsure = "" if self.told_apart else " say little"
        return (
            f"On the history, {where}, {self.best} {' and '.join(parts)}, each unit foretold from the others.",
            f"Stacking weights over these units{unsure}: {said_of_weights(self.weights, self.intervals)}.",
        )

    def _gap(self, name: str) -> str:
        gap, error = self.behind[name]
        return f"{name} ({gap:.1f}{'' if error is None else f' ± {error:.1f}'} nats)"


@dataclass(frozen=True, repr=False)
class HistoryComparison(Shown):
    """Rival models on the history, each unit left out in turn.

    ``units`` are those that all models with a history read alike, ``unlike`` names the others. ``silent`` are models
    without a history. ``stages`` holds a part for each stage, then one for `ALL` if they are several; it is empty where
    fewer than two models read the same unit.
    """

    silent: tuple[str, ...]
    unlike: tuple[str, ...]
    units: tuple[UnitScores, ...]
    stages: tuple[StageScores, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the history says of the models, in words."""
        lines: list[str] = []
        if self.silent:
            has = "has" if len(self.silent) == 1 else "have"
            lines.append(f"{prose.listed(self.silent)} {has} no history, and cannot be compared on one.")
        if self.unlike:
            lines.append(
                f"Left out of the history, because the models read other spells there: {prose.listed(self.unlike)}."
            )
        for part in self.stages:
            lines += part.sentences
        lines += [
            f"The score of {row.stage} {row.unit} under {name} is not to be relied on: no draws reach what is known "
            f"without it (k-hat {score.k_hat:.2f})."
            for row in self.units
            for name, score in row.scores.items()
            if not score.reached
        ]
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a unit and model; columns stage, unit, model, score, mcse, k_hat, reached."""
        rows = [
            {"stage": row.stage, "unit": row.unit, "model": name, "score": score.value, "mcse": score.mcse,
             "k_hat": score.k_hat, "reached": score.reached}
            for row in self.units
            for name, score in row.scores.items()
        ]  # fmt: skip
        return base.frame(rows, columns=("stage", "unit", "model", "score", "mcse", "k_hat", "reached"))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "silent": list(self.silent),
            "unlike": list(self.unlike),
            "units": [
                {
                    "stage": row.stage,
                    "unit": row.unit,
                    "scores": {name: one._asdict() for name, one in row.scores.items()},
                }
                for row in self.units
            ],
            "stages": [
                {
                    **asdict(part),
                    "behind": {name: {"nats": gap, "error": error} for name, (gap, error) in part.behind.items()},
                    "intervals": {name: list(ends) for name, ends in part.intervals.items()},
                }
                for part in self.stages
            ],
            "sentences": list(self.sentences),
        }


def compare_on_history(fitters: Mapping[str, Fitter]) -> HistoryComparison:
    """Score models on their histories from the draws of prior × history that each keeps, and set them side by side."""
    histories = {name: one.model.history for name, one in fitters.items() if one.model.history.units}
    for name in histories:
        fitters[name].sampling.on_stage(f"scoring {name} on the history")
    scores = {name: fitters[name].model.left_out(fitters[name].folder) for name in histories}
    told = {name: _told(one) for name, one in histories.items()}
    known = list(dict.fromkeys(unit for one in told.values() for unit in one))
    alike = [unit for unit in known if len({one.get(unit) for one in told.values()}) == 1]
    return set_side_by_side(
        {unit: {name: found[unit] for name, found in scores.items()} for unit in alike},
        silent=[name for name in fitters if name not in histories],
        unlike=[unit for unit in known if unit not in alike],
    )


def _told(history: History) -> dict[str, tuple[object, ...]]:
    """Give the segments of each unit, by ``<stage>.<unit>``."""
    found: dict[str, tuple[object, ...]] = {}
    for segment in history.told.segments:
        name = segment[0].of_unit
        found[name] = (*found.get(name, ()), segment)
    return found


def set_side_by_side(
    scores: Mapping[str, Mapping[str, LeftOut]], silent: Iterable[str] = (), unlike: Iterable[str] = ()
) -> HistoryComparison:
    """Set the ``scores`` of models side by side: by unit (``<stage>.<unit>``) and model."""
    units = tuple(UnitScores(unit.partition(".")[0], unit.partition(".")[2], found) for unit, found in scores.items())
    names = list(units[0].scores) if units else []
    stages: list[StageScores] = []
    if len(names) > 1:
        by_stage = {
            stage: [row for row in units if row.stage == stage] for stage in dict.fromkeys(r.stage for r in units)
        }
        if len(by_stage) > 1:
            by_stage[ALL] = list(units)
        stages = [_stage_scores(stage, rows, names) for stage, rows in by_stage.items()]
    return HistoryComparison(tuple(silent), tuple(unlike), units, tuple(stages))


def _stage_scores(stage: str, rows: Sequence[UnitScores], names: Sequence[str]) -> StageScores:
    scores, mcse = (np.array([[getattr(row.scores[name], what) for name in names] for row in rows])
                    for what in ("value", "mcse"))  # fmt: skip
    totals = scores.sum(axis=0)
    best = int(totals.argmax())
    behind: dict[str, tuple[float, float | None]] = {}
    for k, name in enumerate(names):
        gaps = scores[:, best] - scores[:, k]
        noise = float(np.square(mcse[:, [best, k]]).sum()) if k != best else 0.0
        error = math.sqrt(gaps.size * float(gaps.var(ddof=1)) + noise) if gaps.size > 1 else None
        behind[name] = float(gaps.sum()), error
    weights, intervals = stacking_weights(scores, mcse)
    return StageScores(
        stage, len(rows), dict(zip(names, totals.tolist(), strict=True)), behind,
        dict(zip(names, weights, strict=True)), dict(zip(names, intervals, strict=True)),
    )  # fmt: skip
