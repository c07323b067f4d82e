"""Check that what is quoted from the article stands in it, word for word, and is short.

Run ``python -m docs.check_quotes ARTICLE`` with the article's text in a file. Checked are the bases of kind
*article* and the signs of every model file, and the passages in ``tests/passages.csv`` and ``tests/claims.csv``.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from docs.builder.places import CLAIMS, PASSAGES, ROOT
from forecast.base.errors import ForecastError
from forecast.theory.assumptions import bases
from forecast.theory.modelfile import load_spec
from forecast.theory.values import QUOTE_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.theory.spec import ModelSpec

STRAIGHT = str.maketrans("“”„«»‘’‚", '"""""\'\'\'')


def normalised(text: str) -> str:
    """Text with one kind of quotation mark and single blanks."""
    return re.sub(r"\s+", " ", text.translate(STRAIGHT)).strip()


def _quotes_of(spec: ModelSpec) -> Iterator[tuple[str, str]]:
    for key, basis in bases(spec):
        if basis.kind == "article" and basis.quote:
            yield f"{key}.basis", basis.quote
    for name, indicator in spec.indicators.items():
        for k, sign in enumerate(indicator.signs):
            if sign.quote:
                yield f"indicators.{name}.signs.{k}", sign.quote


def quotes() -> Iterator[tuple[str, str]]:
    """Give every quotation of the article with the place it stands in."""
    specs = [load_spec(path) for path in sorted((ROOT / "models").glob("*.toml"))]
    told: set[tuple[str, str]] = set()
    for spec in sorted(specs, key=lambda spec: spec.extends is not None):
        for place in _quotes_of(spec):
            if place not in told:  # what a rival takes over is checked once, as its parent's
                told.add(place)
                yield f"{spec.name}.toml: {place[0]}", place[1]
    for table in (PASSAGES, CLAIMS):
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield f"{table.relative_to(ROOT)}: {row['n']}", row["passage"]


def faults(article: str) -> Iterator[str]:
    """Say of every quotation what is wrong with it."""
    text = normalised(article)
    for place, quote in quotes():
        if normalised(quote) not in text:
            yield f"{place}: is not in the article: {quote}"
        if (words := len(quote.split())) > QUOTE_WORDS:
            yield f"{place}: has {words} words, at most {QUOTE_WORDS}: {quote}"


def main() -> int:
    """Print what is wrong; 1 if anything is, 2 if a file cannot be read."""
    parser = argparse.ArgumentParser(description="Check quotations against the article.")
    parser.add_argument("article", type=Path, help="a UTF-8 text file")
    try:
        article = parser.parse_args().article.read_text(encoding="utf-8")
        found = list(faults(article))
    except (OSError, UnicodeDecodeError, ForecastError) as error:
        print(error, file=sys.stderr)
        return 2
    for line in found:
        print(line)
    print(f"{sum(1 for _ in quotes())} quotations, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
