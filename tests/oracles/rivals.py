"""A project with a tiny model and two rivals of it, whose prior draws are made in no time."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import oracle
from small_models import TINY
from worlds import draw_values, draws_of

from forecast.inference.anchor import PRIOR, Anchor
from forecast.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.evidence.compilation import Evidence
    from forecast.inference.model import Model

DAY = dt.timedelta(days=1)
START = dt.date(2025, 1, 1)
AS_OF = dt.date(2025, 2, 11)
NOW = dt.datetime(2025, 2, 12, tzinfo=dt.UTC)

HEAD = "id,indicator,state,date,precision,reported_on,source,url,grade,story,distinct,note\n"
RIVAL = """
extends = "tiny"

[model]
name = "{name}"
title = "A rival"
description = "It differs."
"""
SLOW = """
[[stages.near.transitions]]
from = "calm"
to = "tense"
per_year = [0.01, 0.03]
basis = [{ kind = "judgement", note = "made up" }]
"""


def made(root: Path) -> Project:
    """Make a project with the tiny model, a copy under another name, and a rival in which tension hardly begins."""
    for folder in ("models", "data/tiny", "reports"):
        (root / folder).mkdir(parents=True)
    (root / "models" / "tiny.toml").write_text(TINY, encoding="utf-8")
    (root / "models" / "copy.toml").write_text(RIVAL.format(name="copy"), encoding="utf-8")
    (root / "models" / "slow.toml").write_text(RIVAL.format(name="slow") + SLOW, encoding="utf-8")
    days = [START + (10 + 4 * k) * DAY for k in range(6)]
    rows = [f"r{k},{'shot' if k % 2 else 'march'},,{day},day,{day},us,,A1,,," for k, day in enumerate(days)]
    (root / "data" / "tiny" / "observations.csv").write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    return Project(root, lambda: NOW)


def prior_draws(model: Model, _count: int, _folder: Path, _evidence: Evidence) -> Anchor:
    """Draw from the prior without compiling anything; of models that are the same, the same."""
    space, rng = model.space, np.random.default_rng(11)
    values = [draw_values(model.spec, rng, of_prior=True) for _ in range(3000)]
    draws = draws_of(space, [oracle.derived(model.spec, one) for one in values])
    return Anchor(space, PRIOR, lambda: draws)
