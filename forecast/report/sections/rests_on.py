"""What links and probabilities rest on, in a report: shares of prior, history and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import figure, on_day, percents
from forecast.report.table_cells import Table
from forecast.report.views import given_words

if TYPE_CHECKING:
    from collections.abc import Mapping


HEADS = ("on the file", "on history", "on reports")
TOGETHER = "rests on file / history / reports, %"  # the three in one cell
IN_PERCENT = "in these shares, in percent"
SHARES = ("prior", "history", "reports")


def link_shares(data: Mapping[str, Any]) -> dict[str, str]:
    """Write the shares of each link by its name, as `TOGETHER` heads them; none where the model has no history."""
    part: Mapping[str, Any] = data.get("rests_on") or {}
    return {row["name"]: " / ".join(_cells(row)) for row in part["links"]} if part.get("history") else {}


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [str(share) for share in percents([row[name] for name in SHARES])]


def shares_by_condition(data: Mapping[str, Any]) -> dict[tuple[str, str | None], str]:
    """Write the shares of each probability at the longest horizon by outcome and condition; none without a history."""
    part: Mapping[str, Any] = data.get("rests_on") or {}
    return {
        (row["outcome"], row["given"]): " / ".join(_cells(row))
        for row in part.get("numbers", ()) if part["history"]
    }  # fmt: skip


def rests_on_table(data: Mapping[str, Any]) -> Table:
    """Table of what outcomes and conditions at the longest horizon rest on; without rows where there is no history."""
    part = data["rests_on"]
    rows = part["numbers"] if part["history"] else []
    dates = {row["date"] for row in rows if row["date"]}
    return Table(
        f"Probabilities{''.join(f' on {on_day(date)}' for date in dates)} by the model file alone, with the history of "
        f"other countries, and with the reports; what is known of each (its log odds) rests on them {IN_PERCENT}",
        ["probability of", "file alone", "with history", "with reports", *HEADS],
        [
            [
                data["model"]["outcomes"][row["outcome"]]["label"]
                + (f", {given_words(row['given'])}" if row["given"] else ""),
                *(figure(row[name]["mean"], row[name]["mcse"]) for name in ("alone", "informed", "now")),
                *_cells(row),
            ]
            for row in rows
        ],
    )
