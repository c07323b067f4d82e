"""The reference model's back-test on the article's rows, split by stage and by week; writes ``docs/backtest.md``.

Run as ``python -m benchmarks.backtest``; it takes as long as its fits. What a stage's cells of a week are worth is the
log predictive probability of these alone, so that the stages add up to the whole but for what they tell of each other.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from benchmarks.reference import AS_OF, reference_project
from docs.builder.markdown import para, table
from docs.builder.places import DOCS
from forecast.engine.arrays import cells_at
from forecast.evidence.containment import added
from forecast.record.naive import CONSTANT, NAIVE, Naive
from forecast.record.replay import score_week

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Mapping

    from forecast.evidence.compilation import Evidence
    from forecast.project.project import Project

ALL = "all stages"
SHOWN = 5  # weeks at either end


class Scored(NamedTuple):
    """What the evidence of one week was worth to each forecaster, in nats: of one stage, or of `ALL`."""

    date: dt.date
    part: str
    cells: int
    scores: Mapping[str, float]

    @property
    def lead(self) -> float:
        """The model's score less that of constant rates."""
        return self.scores["model"] - self.scores[CONSTANT]


def main() -> None:
    """Run the back-test, write the page."""
    with reference_project() as (project, model):
        rows = list(scored(project, model.spec.name))
        version = model.spec.hash
    (DOCS / "backtest.md").write_text(written(rows, version), encoding="utf-8")


def scored(project: Project, name: str) -> Iterator[Scored]:
    """Go through the weeks; each is scored by what was known before it."""
    replay = project._replay([name], AS_OF, {})  # noqa: SLF001 - a study of the project's own
    fitter = replay.fitters[name]
    found = naive = None
    for evidences, update in replay.weeks("auto"):
        after = evidences[name]
        if found is not None:
            before = found.evidence
            naive = naive or Naive(fitter.model.prior(1, fitter.folder, after))
            for part in (ALL, *fitter.model.space.stages):
                some = after if part == ALL else of_stage(before, after, fitter.model.space.stages.index(part))
                scores = {"model": score_week(found, some)[0]}
                scores |= {one: score for one, (score, _) in naive.score(before, some).items()}
                yield Scored(after.as_of, part, len(some.cells.what) - len(before.cells.what), scores)
        found = update()[name]


def of_stage(before: Evidence, after: Evidence, stage: int) -> Evidence:
    """Leave out what ``after`` adds to ``before`` of other stages."""
    cells = after.cells
    others = [k for k in added(before, after) if cells.what[k, 2] != stage]
    return replace(after, cells=cells_at(cells, np.delete(np.arange(len(cells.what)), others)))


def written(rows: list[Scored], version: str) -> str:
    """Set the scores out as Markdown."""
    parts = list(dict.fromkeys(row.part for row in rows))
    by_part: list[list[str]] = []
    for part in parts:
        here = [row for row in rows if row.part == part]
        by_part.append([part, str(sum(row.cells for row in here)), *(_lead(here, other) for other in NAIVE)])
    weeks = sorted((row for row in rows if row.part == ALL), key=lambda row: row.lead)
    worst, best = weeks[:SHOWN], weeks[: -SHOWN - 1 : -1]
    heads = ["week until", "new cells", "nats", *parts[1:]]

    def told(row: Scored) -> list[str]:
        stages = [one for one in rows if one.date == row.date and one.part != ALL]
        return [str(row.date), str(row.cells), f"{row.lead:+.1f}", *(f"{one.lead:+.1f}" for one in stages)]

    quiet = [row for row in rows if row.part == ALL and not row.cells]
    said = para(
        "How well was each week's evidence of the article foreseen by what was known before it? Model version",
        f"{version}, as of {AS_OF}, {len(weeks)} weeks, of which {len(quiet)} brought nothing new. All of it is",
        "retrospective: the theory was written with hindsight, so nothing here is skill (`forecast backtest` says",
        "the same, and goes on with weeks to come). Nats by which the model foresaw the evidence better (+) or",
        "worse (−) than each naive forecaster, with standard errors over weeks; parts are scored by themselves and",
        "need not add up.",
    )
    sections = [
        "# Back-test\n\n<!-- Made by `python -m benchmarks.backtest`; do not edit. -->\n",
        said,
        table(["part", "cells", *NAIVE], by_part),
        f"## Where nats are won and lost\n\nAgainst *{CONSTANT}*, the {SHOWN} best weeks:\n",
        table(heads, map(told, best)),
        f"And the {SHOWN} worst:\n",
        table(heads, map(told, worst)),
    ]
    return "\n".join(sections)


def _lead(rows: list[Scored], other: str) -> str:
    each = np.array([row.scores["model"] - row.scores[other] for row in rows])
    return f"{each.sum():+.1f} ± {math.sqrt(each.size * each.var(ddof=1)):.1f}"


if __name__ == "__main__":
    main()
