"""Every probability that was ever issued, as a table and as files."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from forecast import base
from forecast.base.errors import InputError
from forecast.base.files import replace_file
from forecast.base.sanitise import csv_text, inert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd

    from forecast.ledger.issued import Issued


ARCHIVE_TYPES = {
    "issue": "int64", "issued_at": "datetime64[us, UTC]", "as_of": "datetime64[ms]", "model": "string",
    "model_hash": "string", "fit": "string", "evidence_hash": "string", "watermark": "int64", "outcome": "string",
    "kind": "string", "given": "string", "horizon_weeks": "Int64", "date": "datetime64[ms]", "mean": "float64",
    "low": "float64", "high": "float64", "mcse": "float64", "trusted": "bool",
}  # fmt: skip
NOTHING = "nothing has been issued yet; run `forecast run`"


# The table.


def archive_table(issues: Iterable[Issued]) -> pd.DataFrame:
    """Tidy: one row an issue and quantity, in the order of issue, with the columns and types of `ARCHIVE_TYPES`.

    ``issue`` is the number in the archive; ``mean``, ``low``, ``high`` (90 % interval) and ``mcse`` are probabilities;
    ``given``, ``horizon_weeks`` and ``date`` are missing where a quantity has none.
    """
    rows = [row for issued in issues for row in _archive_rows(issued)]
    return base.frame(rows, columns=list(ARCHIVE_TYPES), **ARCHIVE_TYPES)


def _archive_rows(issued: Issued) -> Iterator[dict[str, Any]]:
    forecast = json.loads(issued.content)["forecast"]
    common = {
        "issue": issued.seq,
        "issued_at": issued.issued_at,
        "as_of": issued.as_of,
        "model": issued.model,
        "model_hash": issued.model_hash,
        "fit": issued.fit,
        "evidence_hash": issued.evidence_hash,
        "watermark": issued.watermark,
        "trusted": forecast["trust"]["trusted"],
    }
    for row in forecast["quantities"]:
        yield {**common, **row, **row["estimate"]}


def write_archive(table: pd.DataFrame, path: Path) -> None:
    """Write `archive_table`'s table to a .csv or .parquet file, whole or not at all.

    In CSV, text that a spreadsheet would execute stands behind an apostrophe; numbers are written exactly.

    Raises
    ------
    InputError
        If there is no row, the name ends otherwise, Parquet is not installed or the file cannot be written.

    """
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        msg = f"{path}: {path.suffix!r} is not a format for the archive; use .csv or .parquet"
        raise InputError(msg)
    if table.empty:
        raise InputError(NOTHING)
    replace_file(path, _parquet(table, path) if suffix == ".parquet" else _archive_csv(table).encode())


def _archive_csv(table: pd.DataFrame) -> str:
    columns: list[list[Any]] = [table[name].to_list() for name in ARCHIVE_TYPES]
    return csv_text([list(ARCHIVE_TYPES), *([_cell(value) for value in row] for row in zip(*columns, strict=True))])


def _cell(value: object) -> str:
    """Text of a cell that no spreadsheet runs."""
    text = base.cell_text(value)
    return inert(text) if isinstance(value, str) else text


def _parquet(table: pd.DataFrame, path: Path) -> bytes:
    target = io.BytesIO()
    try:
        table.to_parquet(target, engine="pyarrow", index=False)
    except ImportError as error:
        msg = f"{path}: needs the extra for Parquet: pip install 'scenario-cascade[parquet]', or use .csv"
        raise InputError(msg) from error
    return target.getvalue()
