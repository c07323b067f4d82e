# pyright: reportUnknownMemberType=false
# Jinja2's filters are untyped.
"""Reports: one `ReportData` of plain JSON, rendered to Markdown; whatever is shown comes from it alone."""

from __future__ import annotations

import datetime as dt
import html
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from forecast.ledger import Observation, credibility

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from forecast.evidence import Evidence
    from forecast.fit import Fit
    from forecast.ledger import Entry
    from forecast.predict import Forecast
    from forecast.spec import Conditional, ModelSpec

__all__ = ["FORMAT", "percent", "render_markdown", "report_data", "spread", "views"]

FORMAT = 1
LEARNED_LITTLE = 0.8  # a link whose standard deviation kept this share of the prior's rests on the prior
STALE_WEEKS = 4


def report_data(  # noqa: PLR0913 - everything a report shows
    spec: ModelSpec, evidence: Evidence, entries: Iterable[Entry], fit: Fit, forecast: Forecast, *,
    issued_at: dt.datetime,
) -> dict[str, Any]:  # fmt: skip
    """Gather all that a report shows, as plain JSON types; it is archived as it is, and rendering reads only it."""
    used = set(evidence.used)
    left_out = dict(evidence.left_out)
    rows = [row for row in entries if isinstance(row, Observation) and row.id in used | set(left_out)]
    learned = {row.name: row for row in fit.learned}
    return {
        "format": FORMAT,
        "model": {
            "name": spec.name,
            "title": spec.model.title,
            "description": spec.model.description,
            "hash": spec.hash,
            "outcomes": {
                name: {"label": row.label, "resolution": row.resolution} for name, row in spec.outcomes.items()
            },
            "stages": {name: {"label": row.label, "states": list(row.states)} for name, row in spec.stages.items()},
        },
        "issued_at": issued_at.isoformat(timespec="seconds"),
        "forecast": forecast.to_dict(),
        "conditionals": [_conditional(spec, row, learned) for row in spec.conditionals],
        "learned": [asdict(row) for row in fit.learned],
        "fit": {
            "id": fit.id,
            "created_at": fit.created_at,
            "settings": asdict(fit.settings),
            "diagnostics": asdict(fit.diagnostics),
            "complaints": fit.diagnostics.complaints(fit.settings),
            "versions": fit.versions,
        },
        "evidence": {
            "hash": evidence.hash,
            "watermark": fit.watermark,
            "newest": evidence.newest.isoformat() if evidence.newest else None,
            "rows": [_row(spec, row, left_out.get(row.id)) for row in rows],
            "left_out": [list(pair) for pair in evidence.left_out if pair[0] not in {row.id for row in rows}],
        },
        "notes": _notes(spec, evidence, fit),
    }


def _conditional(spec: ModelSpec, conditional: Conditional, learned: Mapping[str, Any]) -> dict[str, Any]:
    """Say whether the link behind a conditional number rests on the prior.

    The links are the effects on the outcome's stages that can hold under the condition, or, for ``given_no``, that
    depend on the same stages; the number rests on the prior if on average they kept their width.
    """
    name = conditional.given or conditional.given_no or conditional.after or ""
    condition = spec.outcomes[name].states
    links = [
        f"{stage}.{label}"
        for stage in spec.outcomes[conditional.outcome].states
        for label, effect in spec.stages[stage].effects.items()
        if set(effect.when) & set(condition) and (conditional.given_no or _compatible(effect.when, condition))
    ]
    narrowing = sum(learned[link].narrowing for link in links) / len(links) if links else 1.0
    return {
        "outcome": conditional.outcome,
        "given": conditional.condition,
        "links": links,
        "narrowing": narrowing,
        "rests_on_prior": narrowing > LEARNED_LITTLE,
    }


def _compatible(when: Mapping[str, tuple[str, ...]], condition: Mapping[str, tuple[str, ...]]) -> bool:
    return all(set(states) & set(condition.get(stage, states)) for stage, states in when.items())


def _row(spec: ModelSpec, row: Observation, left_out: str | None) -> dict[str, Any]:
    indicator = spec.indicators.get(row.indicator) if row.indicator else None
    return {
        "id": row.id,
        "date": row.date.isoformat(),
        "precision": row.precision,
        "reported_on": row.reported_on.isoformat(),
        "what": indicator.label if indicator else row.indicator or row.state,
        "name": row.indicator or row.state,
        "points_to": [f"{indicator.stage}.{state}" for state in indicator.points_to] if indicator else [],
        "source": row.source,
        "url": row.url,
        "grade": row.grade,
        "credibility": credibility(row.grade),
        "story": row.story,
        "note": row.note,
        "left_out": left_out,
    }


def _notes(spec: ModelSpec, evidence: Evidence, fit: Fit) -> list[str]:
    notes: list[str] = []
    if not evidence.used or evidence.newest is None:
        notes.append("There is no evidence: every number below is the prior, carried forward.")
    elif (weeks := (evidence.as_of - evidence.newest).days // 7) >= STALE_WEEKS:
        silent = [row.label.lower() for row in spec.stages.values() if row.observable]
        also = (
            f" Nothing recorded there means: no change on record in {', '.join(silent)} until then." if silent else ""
        )
        notes.append(f"The newest row is {weeks} weeks older than the date of the forecast.{also}")
    complaints = fit.diagnostics.complaints(fit.settings)
    if complaints:
        notes.append(f"The fit did not pass its checks and was accepted by hand: {'; '.join(complaints)}.")
    return notes


# Rendering.


def percent(value: float) -> str:
    """Round a probability for readers: whole percent, and never 0 or 100 for what is not certain."""
    if value in (0.0, 1.0):
        return f"{value:.0%}"
    if value < 0.005:  # noqa: PLR2004 - rounds to 0 %
        return "<1%"
    if value > 0.995:  # noqa: PLR2004 - rounds to 100 %
        return ">99%"
    return f"{value:.0%}"


def spread(estimate: Mapping[str, float]) -> str:
    """Mean and 90 % interval in percent: ``18% (5–41)``."""
    low, high = (percent(estimate[key]).rstrip("%") for key in ("low", "high"))
    mean = percent(estimate["mean"])
    return mean if low == high == mean.rstrip("%") else f"{mean} ({low}–{high})"


def _inert(text: object) -> str:
    """Text from the ledger or a model file as inert Markdown in one line."""
    line = re.sub(r"\s+", " ", str(text)).strip()
    escaped = html.escape(line, quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", escaped)


def _link(row: Mapping[str, Any]) -> str:
    label = _inert(row["source"])
    url = str(row["url"])
    if not url.lower().startswith(("http://", "https://")):
        return label
    target = url.translate({ord(char): f"%{ord(char):02X}" for char in "<>()|\"'\\` "})
    return f"[{label}]({target})"


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def _day(text: str) -> str:
    date = dt.date.fromisoformat(text)
    return f"{date.day} {date:%b %Y}"


def render_markdown(data: Mapping[str, Any], templates: Path) -> str:
    """Render ``report.md`` with the template ``report.md.jinja`` of the folder ``templates``."""
    import jinja2  # noqa: PLC0415 - only where a report is written

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown: every text from outside goes through `inert`
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=percent, spread=spread, inert=_inert, link=_link, day=_day, number=_number)
    return environment.get_template("report.md.jinja").render(**data, **views(data))


def views(data: Mapping[str, Any]) -> dict[str, Any]:
    """Quantities by outcome and horizon, and a thinned path, as the templates want them."""
    quantities = data["forecast"]["quantities"]
    by: dict[tuple[str, str, str | None, int | None], Any] = {
        (row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities
    }
    weeks = sorted({row["horizon_weeks"] for row in quantities if row["kind"] == "at"})
    dates = {row["horizon_weeks"]: row["date"] for row in quantities if row["kind"] == "at"}
    path = data["forecast"]["path"]
    last = len(path["dates"]) - 1
    months = [k for k in range(last) if path["dates"][k][:7] != path["dates"][k + 1][:7]]
    return {"by": by, "weeks": weeks, "dates": dates, "months": [*months, last], "path": path}
