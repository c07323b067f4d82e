"""Where things lie in the source tree."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parents[1]
ROOT = TESTS.parent
DOCS = ROOT / "docs"
MODELS = ROOT / "models"
MODEL = MODELS / "russia_azerbaijan.toml"
EVENTS = ROOT / "data" / "russia_azerbaijan" / "vocabulary.toml"
ROWS = ROOT / "data" / "russia_azerbaijan" / "observations.csv"
TEMPLATES = ROOT / "reports" / "templates"
REPORT = TESTS / "data" / "report.json"  # report data of an issue of the reference model
