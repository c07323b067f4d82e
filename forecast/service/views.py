"""What the parts of the live page show: present numbers beside the last issue's, in the report's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2

from forecast import report
from forecast.base import prose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from forecast.ledger.issued import Issue
    from forecast.service.desk import Desk, Standing


PICTURES = ("cascade", "known")  # of the last issue


def environment() -> jinja2.Environment:
    """Give the templates of the page; every text is escaped, and what is missing is a fault."""
    found = jinja2.Environment(
        loader=jinja2.PackageLoader("forecast.service"), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {"day": _day, "spoken": prose.spoken, "percent": _percent, "points": _points}
    return found


def _day(value: object) -> str:
    return prose.on_day(str(value))


def _percent(estimate: Mapping[str, float]) -> str:
    return prose.figure(estimate["mean"], estimate["mcse"])


def _points(row: Mapping[str, Any]) -> str:
    return prose.points(row["difference"], row["mcse"]) or "less than a point"


def titles(standing: Standing) -> dict[str, str]:
    """Give the short title of each outcome."""
    outcomes = standing.model.spec.outcomes
    return {name: report.short_title(name, {"short": row.short}) for name, row in outcomes.items()}


def now(standing: Standing) -> dict[str, Any]:
    """Give a card for each outcome at the horizon that reports speak of, the likeliest first."""
    spec = standing.model.spec
    weeks, said = report.usual_weeks(spec), titles(standing)
    rows = [row for row in standing.forecast.quantities if row.kind == "at" and row.horizon_weeks == weeks]
    date = next(row.date for row in rows)
    before = standing.before
    tones = {name: k for k, name in enumerate(spec.outcomes)}
    states = {name: {"states": row.states} for name, row in spec.outcomes.items()}
    named = [{"outcome": row.outcome} for row in sorted(rows, key=lambda one: -one.estimate.mean)]
    together = report.exclusive_with(named, report.lead_outcome(spec), states)
    cards: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda one: -one.estimate.mean):
        issued = before.said(row.outcome, date) if before and date else None
        one = row.estimate
        cards.append(
            {
                "outcome": row.outcome, "tone": tones[row.outcome], "title": said[row.outcome],
                "said": prose.figure(one.mean, one.mcse),
                "interval": f"{prose.figure(one.low)} to {prose.figure(one.high)}",
                "issued": prose.figure(issued.mean, issued.mcse) if issued else None,
            }
        )  # fmt: skip
    sets = [[card for card in cards if (card["outcome"] in together) is inside] for inside in (True, False)]
    return {"rests_on": standing.stamp, "weeks": weeks, "date": date, "sets": [one for one in sets if one]}


def history(desk: Desk, standing: Standing) -> dict[str, Any]:
    """Name the pictures of the last issue."""
    issue = standing.issue
    if issue is None:
        return {"issue": None}
    drawn = _drawn(desk, issue)
    shown = {name: {"takeaway": drawn[name][1], "alt": drawn[name][2]} for name in PICTURES if name in drawn}
    return {"issue": issue.seq, "as_of": issue.as_of, "pictures": shown, "model": issue.model}


def picture(desk: Desk, standing: Standing, name: str) -> str | None:
    """Draw a picture of the last issue; None if it has none of this name."""
    issue = standing.issue
    if issue is None or name not in PICTURES:
        return None
    drawn = _drawn(desk, issue)
    return drawn[name][0] if name in drawn else None


def _drawn(desk: Desk, issue: Issue) -> dict[str, tuple[str, str, str]]:
    """Give each picture of an issue, its takeaway and what it shows, drawn once."""

    def draw() -> dict[str, tuple[str, str, str]]:
        charts, _ = report.legible(desk.project.track_record.whole(issue))
        there = [(name, charts[name]) for name in PICTURES if name in charts]
        return {name: (one.svg(), one.takeaway, one.alt) for name, one in there}

    return desk.kept(("pictures", issue.seq), draw, turn="long", lasting=True)
