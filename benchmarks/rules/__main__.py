"""Measure how well the reference model's rules follow their outcomes; writes the figures and ``docs/rules.md``.

Parameters are those known on the article's evidence, and those of the prior with its history. It fits once, in a
project of its own, and takes some three minutes. The figures are kept beside this module; `docs.build` sets them out.
"""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import forecast
from benchmarks.rules.codings import CODERS, agreements, chronologies
from docs.builder.model import model_page
from docs.builder.places import AS_OF, DOCS
from docs.builder.rules import FIGURES, rules_page
from forecast.answers.rule_quality import LEAD, rule_quality
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.reweighting import Posterior, reweigh
from forecast.project.starter import init

if TYPE_CHECKING:
    from forecast.theory.statespace import StateSpace

PATHS = 64_000
WORLDS = 2000
WEEKS = 26  # from when the question is asked
SEED = 20260109


def main() -> None:
    """Run everything, write."""
    with tempfile.TemporaryDirectory() as folder:
        init(Path(folder))
        asked = forecast.open(folder).update(as_of=AS_OF)
        space = asked.posterior.space
        alone = reweigh(asked.prior(), compile_evidence(space, (), space.spec.model.start))
        found = {
            "version": space.spec.hash,
            "rules": {name: row.resolution for name, row in space.spec.outcomes.items()},
            "evidence": quality(asked.posterior),
            "prior": quality(alone),
            "codings": codings(space, asked.posterior),
        }
    rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.4g}"))
    FIGURES.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")
    for name, page in (("rules.md", rules_page), ("model.md", model_page)):
        (DOCS / name).write_text(page(), encoding="utf-8")


def quality(found: Posterior) -> dict[str, Any]:
    """Simulate under some draws."""
    return asdict(rule_quality(found, paths=PATHS, seed=SEED))


def codings(space: StateSpace, found: Posterior) -> dict[str, Any]:
    """Compare two codings of worlds under the forecast's draws."""
    rng = np.random.default_rng(SEED)
    weights = found.weights.values
    rows = rng.choice(weights.size, WORLDS, p=weights / weights.sum())
    draws = Draws(*(part[rows] for part in found.anchor.blocks.draws))
    worlds = list(chronologies(space, draws, LEAD + WEEKS, rng))
    date = space.spec.model.start + dt.timedelta(weeks=LEAD + WEEKS, days=-1)
    return {
        "worlds": WORLDS,
        "coders": {
            name: {outcome: row._asdict() for outcome, row in agreements(space, worlds, coder, date, rng).items()}
            for name, coder in CODERS.items()
        },
    }


if __name__ == "__main__":
    main()
