"""Write the documents and JSON schemas that follow from the model files, the rows and the code.

``python -m docs.build`` writes them, with ``--check`` it names those that are out of date.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from docs.builder.bursts import bursts_page
from docs.builder.commands import cli_page
from docs.builder.credibility import credibility_page
from docs.builder.history import history_page
from docs.builder.model import model_page
from docs.builder.model_file import model_file_page
from docs.builder.model_schema import model_schema
from docs.builder.passages import passages_page
from docs.builder.places import DOCS
from docs.builder.prior import prior_page
from docs.builder.rivals import rivals_page
from docs.builder.rules import rules_page
from docs.builder.schemas import SCHEMAS
from docs.builder.service import openapi_document
from docs.builder.vocabulary import vocabulary_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGES: dict[str, Callable[[], str]] = {
    "model.md": model_page,
    "passages.md": passages_page,
    "credibility.md": credibility_page,
    "cli.md": cli_page,
    "prior.md": prior_page,
    "rivals.md": rivals_page,
    "rules.md": rules_page,
    "vocabulary.md": vocabulary_page,
    "history.md": history_page,
    "bursts.md": bursts_page,
    "model-file.md": model_file_page,
    "openapi.json": openapi_document,
    "../models/model.schema.json": model_schema,
    **SCHEMAS,
}


def out_of_date(pages: Iterable[str] = tuple(PAGES)) -> list[str]:
    """Name the documents that are not what they would be now."""
    stale = []
    for name in pages:
        path = DOCS / name
        if not path.exists() or path.read_text(encoding="utf-8") != PAGES[name]():
            stale.append(name)
    return stale


def main() -> int:
    """Write the documents, or check them."""
    parser = argparse.ArgumentParser(description="Write the generated documents.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a document is out of date")
    if parser.parse_args().check:
        stale = out_of_date()
        for name in stale:
            print(f"docs/{name} is out of date; run `make docs`")
        return 1 if stale else 0
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
