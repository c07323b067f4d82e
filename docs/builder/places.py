"""Where the sources of the documents lie."""

from pathlib import Path

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
MODEL = ROOT / "models" / "russia_azerbaijan.toml"
EVENTS = ROOT / "data" / "russia_azerbaijan" / "vocabulary.toml"
ROWS = ROOT / "data" / "russia_azerbaijan" / "observations.csv"
PASSAGES = ROOT / "tests" / "passages.csv"
CLAIMS = ROOT / "tests" / "claims.csv"
