"""``passages.md``: where each dated passage and claim of the article went."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from docs.builder.markdown import code, page, para, plain, table
from docs.builder.places import CLAIMS, PASSAGES, ROWS
from forecast.ledger.files import read_rows

if TYPE_CHECKING:
    from pathlib import Path


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def passages_page() -> str:
    """Map passages to rows, rows to indicators, and claims to entries of the model."""
    passages = _read(PASSAGES)
    rows = [dict(row.cells) for row in read_rows(ROWS)]
    dated = [[row["n"], f"“{plain(row['passage'])}”", plain(row["date_text"]), _place(row["row_id"])]
             for row in passages]  # fmt: skip
    told = [
        [
            code(row["id"]),
            row["date"][: 7 if row["precision"] == "month" else 10],
            code(row["indicator"] or row["state"]),
            plain(row["grade"]),
            ", ".join(part["n"] for part in passages if part["row_id"] == row["id"]),
            plain(row["note"]),
        ]
        for row in rows
    ]
    claims = [[row["n"], f"“{plain(row['passage'])}”", code(row["entry"])] for row in _read(CLAIMS)]
    return page(
        "Passages of the article",
        "tests/passages.csv, tests/claims.csv and the starter evidence",
        para(
            "Where each dated passage of the article went, what each row of the starter evidence stands on, and",
            "which entry of the [model](model.md) carries each claim.",
        ),
        "## Dated passages\n",
        "A passage has become a row, or stands in the model, or is background and dates no event of its own.\n",
        table(["n", "passage", "date", "place"], dated),
        "## Rows\n",
        "A date without a day means that only the month is known. *Passages* are numbers of the table above.\n",
        table(["row", "date", "indicator or state", "grade", "passages", "note"], told),
        "## Claims\n",
        table(["n", "passage", "entry of the model"], claims),
    )


def _place(text: str) -> str:
    kind, colon, rest = text.partition(": ")
    if not colon:
        return f"row {code(text)}"
    return f"{kind} {code(rest)}" if kind == "model" else plain(text)
