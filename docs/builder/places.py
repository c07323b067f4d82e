"""Where the sources of the documents lie, and how they are read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

from forecast.project.models import load_with_history

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
MODEL = ROOT / "models" / "russia_azerbaijan.toml"
EVENTS = ROOT / "data" / "russia_azerbaijan" / "vocabulary.toml"
ROWS = ROOT / "data" / "russia_azerbaijan" / "observations.csv"
PASSAGES = ROOT / "tests" / "passages.csv"
CLAIMS = ROOT / "tests" / "claims.csv"
AS_OF = dt.date(2026, 1, 8)  # the day of the article


def spec_of(model: Path) -> ModelSpec:
    """Read a model file with the history beside it."""
    return load_with_history(model, ROOT, lambda: AS_OF)
