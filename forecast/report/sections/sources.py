"""Sources in a report: what each told, and what the lead outcomes would be without it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from forecast.base.prose import count, figure, on_day, signed_gap, spoken
from forecast.report.table_cells import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


def sources_table(data: Mapping[str, Any]) -> Table:
    """Table of sources; the cells of outcomes say where each would stand without the source."""
    part = data["sources"]
    names: list[str] = list(part["now"])
    rows = [
        [
            row["source"], count(row["rows"], "row") + _coded(row), " ".join(row["grades"]), _age(data, row),
            ", ".join(row["languages"]),
            *(_without(part["now"][name], row["without"].get(name)) for name in names),
        ]
        for row in part["rows"]
    ]  # fmt: skip
    return Table(
        f"Sources of the rows that are known, and where each outcome would stand on {on_day(part['date'])} without a "
        "source, with the difference in percentage points",
        ["source", "rows", "grades", "newest", "language", *(spoken(name) for name in names)],
        rows,
    )


def _coded(row: Mapping[str, Any]) -> str:
    """Say how many of the rows a machine has coded or proposed."""
    return f", {row['machine_coded']} machine-coded" if row["machine_coded"] else ""


def _age(data: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """Say how old the newest row is."""
    days = (dt.date.fromisoformat(data["forecast"]["as_of"]) - dt.date.fromisoformat(row["newest"])).days
    return f"{on_day(row['newest'])}, {count(days, 'day')} old"


def _without(now: Mapping[str, float], there: Mapping[str, float] | None) -> str:
    if there is None:
        return "out of reach"
    after = (there["probability"], max(there["mcse"], now["mcse"]))
    return f"{figure(*after)} ({signed_gap((now['mean'], now['mcse']), after)})"
