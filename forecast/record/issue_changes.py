"""Archived report data set beside each other: what an earlier issue says of a later one's dates."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

from forecast.answers.baseline import Baseline
from forecast.quantities.estimate import Estimate
from forecast.record.questions import on_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.ledger.issued import Issue


def _series(report: Mapping[str, Any], outcome: str) -> list[Mapping[str, Any]]:
    """List what was said of an outcome now and at the horizons, in the order of dates."""
    rows = [
        row for row in report["forecast"]["quantities"]
        if row["outcome"] == outcome and row["kind"] in {"already", "at"}
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row["date"])


def last_date(report: Mapping[str, Any], outcome: str) -> dt.date | None:
    """Give the last day that was spoken of; None if the outcome was not."""
    rows = _series(report, outcome)
    return dt.date.fromisoformat(rows[-1]["date"]) if rows else None


def issued_of(report: Mapping[str, Any], outcome: str, date: dt.date) -> Estimate | None:
    """Read what was issued of a day, on a straight line between horizons; None where nothing was."""
    rows = _series(report, outcome)
    days = [dt.date.fromisoformat(row["date"]).toordinal() for row in rows]
    wanted = date.toordinal()
    if not rows or not days[0] <= wanted <= days[-1]:
        return None

    def at(name: str) -> float:
        return on_line(days, [row["estimate"][name] for row in rows], wanted)

    return Estimate(at("mean"), at("low"), at("high"), at("mcse"))


def baseline(issued: Issue) -> Baseline:
    """Give an issued forecast as the beginning of a change; what it published is read when it is asked."""
    published = issued.published
    return Baseline(
        as_of=issued.as_of,
        model_hash=issued.model_hash,
        evidence_hash=issued.evidence_hash,
        fit=issued.fit,
        watermark=issued.watermark,
        said=lambda outcome, date: issued_of(published.report, outcome, date),
        until=lambda outcome: last_date(published.report, outcome),
        alarm=lambda: published.report.get("alarm"),
    )


def changes_since(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Say what changed from one report to the next: probabilities of the same dates, rows, assumptions, the model."""
    quantities: list[dict[str, Any]] = []
    for row in after["forecast"]["quantities"]:
        if row["kind"] != "at":
            continue
        was = issued_of(before, row["outcome"], dt.date.fromisoformat(row["date"]))
        if was is not None:
            now = row["estimate"]
            quantities.append(
                {
                    "outcome": row["outcome"], "horizon_weeks": row["horizon_weeks"], "date": row["date"],
                    "before": was.mean, "before_mcse": was.mcse, "after": now["mean"], "after_mcse": now["mcse"],
                    "difference": now["mean"] - was.mean,
                    "mcse": math.hypot(was.mcse, now["mcse"]),
                }
            )  # fmt: skip
    old, new = ({row["id"]: row for row in one["evidence"]["rows"]} for one in (before, after))
    said = [{row["key"]: _said(row) for row in one.get("assumptions", [])} for one in (before, after)]
    return {
        "since": before["forecast"]["as_of"],
        "issued_at": before["issued_at"],
        "quantities": quantities,
        "rows": {
            "added": sorted(new.keys() - old.keys()),
            "corrected": sorted(name for name in new.keys() & old.keys() if _said(new[name]) != _said(old[name])),
            "gone": sorted(old.keys() - new.keys()),
        },
        "assumptions": sorted(
            key for key in said[0].keys() | said[1].keys() if said[0] and said[0].get(key) != said[1].get(key)
        ),
        "model": [before["model"]["hash"], after["model"]["hash"]],
        "versions": {
            name: [before["fit"]["versions"].get(name), version]
            for name, version in after["fit"]["versions"].items()
            if before["fit"]["versions"].get(name) != version
        },
    }


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row or an assumption says, without what the forecast made of it and what it is called."""
    return {key: value for key, value in row.items() if key not in {"left_out", "label"}}
