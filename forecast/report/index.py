"""The index page: every model and issue, the latest first, with a line for each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base import prose
from forecast.report.chart_marks import colours
from forecast.report.rendering import faults_of, issued_words, line_points
from forecast.report.sandbox import Sandbox, fill
from forecast.report.views import short_title

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.issued import Issue


TEMPLATE = "index.html.jinja"
SHOWN = 120  # issues of each model, the latest
WIDTH, HEIGHT = 160, 28  # of a line, in pixels


def index_data(issues: Iterable[Issue]) -> list[dict[str, Any]]:
    """Gather what the page shows of each model, that with the latest issue first: issues, and lines of probabilities.

    Pages of resolved questions, ``resolved``, are for the caller to fill in: their addresses from the index.
    ``issues`` are in the order in which they were made; of each date the last one counts.
    """
    models: dict[str, dict[Any, Issue]] = {}
    for row in issues:
        dates = models.setdefault(row.model, {})
        dates.pop(row.as_of, None)
        dates[row.as_of] = row
    found = [_model(sorted(dates.values(), key=lambda row: row.as_of)[-SHOWN:]) for dates in models.values()]
    return sorted(found, key=lambda model: model["issues"][0]["as_of"], reverse=True)


def _model(issues: Sequence[Issue]) -> dict[str, Any]:
    reports = [row.published.report for row in issues]
    last = reports[-1]
    weeks = last.get("lead_weeks") or max(row["horizon_weeks"] or 0 for row in last["forecast"]["quantities"])
    outcomes: list[dict[str, Any]] = []
    tones = colours(last["model"])
    for name, outcome in last["model"]["outcomes"].items():
        said = [_estimate(report, name, weeks) for report in reports]
        series, now = [None if one is None else one["mean"] for one in said], said[-1]
        outcomes.append(
            {
                "name": prose.spoken(name), "label": short_title(name, outcome),
                "colour": tones[name], "points": line_points(series, WIDTH, HEIGHT),
                "now": now and prose.figure(now["mean"], now.get("mcse", 0.0)),
            }
        )  # fmt: skip
    return {
        "name": last["model"]["name"],
        "title": last["model"]["title"],
        "weeks": weeks,
        "outcomes": outcomes,
        "alarm": _alarm(last),
        "resolved": [],
        "issues": [
            {
                "as_of": row.as_of.isoformat(), "day": prose.day(row.as_of),
                "issued_at": row.issued_at.isoformat(timespec="minutes").replace("T", " "),
                "issued": issued_words(row.as_of.isoformat(), row.issued_at.isoformat()),
                "headline": _headline(report),
                "alarm": bool(_alarm(report)),
            }
            for row, report in zip(issues[::-1], reports[::-1], strict=True)
        ],
    }  # fmt: skip


def _estimate(report: Mapping[str, Any], outcome: str, weeks: int) -> dict[str, float] | None:
    return next(
        (
            row["estimate"] for row in report["forecast"]["quantities"]
            if (row["outcome"], row["kind"], row["horizon_weeks"]) == (outcome, "at", weeks)
        ),
        None,
    )  # fmt: skip


def _alarm(report: Mapping[str, Any]) -> list[str]:
    """Sentences of an alarm that rings."""
    alarm = report.get("alarm")
    return alarm["sentences"] if alarm and alarm["rings"] else []


def _headline(report: Mapping[str, Any]) -> str:
    """Where the outcomes stand: the first sentence that is not about an alarm."""
    sentences = (report.get("headline") or {}).get("sentences", [])
    return next((sentence for sentence in sentences if sentence not in _alarm(report)), "")


def render_index(models: Sequence[dict[str, Any]], templates: Sequence[Path]) -> str:
    """Render ``index.html`` with the template of the first of the folders ``templates`` that has it.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    with faults_of(TEMPLATE):
        environment = Sandbox(templates, autoescape=True)
        return fill(environment, TEMPLATE, {"models": models, "width": WIDTH, "height": HEIGHT})
