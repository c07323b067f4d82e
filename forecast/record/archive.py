"""Every probability that was ever issued, as a table and as files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from forecast import base, quantities
from forecast.base.errors import InputError, nearest
from forecast.base.files import replace_file
from forecast.base.sanitise import csv_text, inert

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd

    from forecast.ledger.issued import Issue


ARCHIVE_TYPES = {
    "issue": "int64", "issued_at": "datetime64[us, UTC]", "as_of": "datetime64[ms]", "model": "string",
    "model_hash": "string", "fit": "string", "evidence_hash": "string", "watermark": "int64", "outcome": "string",
    "kind": "string", "given": "string", "horizon_weeks": "Int64", "date": "datetime64[ms]", "mean": "float64",
    "low": "float64", "high": "float64", "mcse": "float64", "likelihood": "string", "trusted": "bool",
}  # fmt: skip
NOTHING = "nothing has been issued yet; run `forecast run`"


# Issues.


def last_issues[One: Issue](
    issues: Iterable[One], model: str | None = None, since: dt.date | None = None
) -> tuple[One, ...]:
    """Choose the last issue of each model and date, by model and date; ``issues`` are in the order of issue.

    Raises
    ------
    InputError
        If nothing has been issued, or nothing of ``model``, or nothing as of ``since`` or later.

    """
    last = {(row.model, row.as_of): row for row in issues}
    if not last:
        raise InputError(NOTHING)
    of_model = {key: row for key, row in last.items() if model in {None, row.model}}
    if not of_model:
        msg = f"no forecast of a model {model!r} has been issued; {nearest(str(model), {name for name, _ in last})}"
        raise InputError(msg)
    chosen = [row for _, row in sorted(of_model.items()) if since is None or row.as_of >= since]
    if not chosen:
        msg = f"no forecast as of {since} or later has been issued; the last is as of {max(day for _, day in of_model)}"
        raise InputError(msg)
    return tuple(chosen)


def issue_as_of[One: Issue](issues: Iterable[One], model: str | None = None, as_of: dt.date | None = None) -> One:
    """Choose the issue made last, of ``model`` or of any, as of a day or of any.

    Raises
    ------
    InputError
        If there is none.

    """
    found = last_issues(issues, model)
    of_day = [row for row in found if as_of in {None, row.as_of}]
    if not of_day:
        days = [row.as_of for row in found]
        msg = f"no forecast as of {as_of} has been issued; there are {min(days)} to {max(days)}"
        raise InputError(msg)
    return max(of_day, key=lambda row: row.seq)


# The table.


def archive_table(issues: Iterable[Issue]) -> pd.DataFrame:
    """Tidy: one row an issue and quantity, in the order of issue, with the columns and types of `ARCHIVE_TYPES`.

    ``issue`` is the number in the archive; ``mean``, ``low``, ``high`` (90 % interval) and ``mcse`` are probabilities;
    ``given``, ``horizon_weeks`` and ``date`` are missing where a quantity has none. ``likelihood`` is the machine tag
    of the mean, in words of estimative probability.
    """
    rows = [row for issued in issues for row in _archive_rows(issued)]
    return base.frame(rows, columns=list(ARCHIVE_TYPES), **ARCHIVE_TYPES)


def _archive_rows(issued: Issue) -> Iterator[dict[str, Any]]:
    forecast = issued.published.report["forecast"]
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
        yield {**common, **row, **row["estimate"], "likelihood": quantities.likelihood_tag(row["estimate"]["mean"])}


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
