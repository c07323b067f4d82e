"""Report data of a forecast: all that a report shows, as plain JSON types."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.estimate import LEARNED_LITTLE
from forecast.report.feed_notes import feed_notes

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from forecast.evidence.compilation import Evidence
    from forecast.inference.settings import FitRecord, Learned
    from forecast.ledger.rows import Entry
    from forecast.quantities.forecast import Forecast
    from forecast.quantities.past import WeekPath
    from forecast.theory.outcomes import Conditional
    from forecast.theory.spec import ModelSpec


FORMAT = 1
STALE_WEEKS = 4


def forecast_data(
    spec: ModelSpec, evidence: Evidence, learned: Iterable[Learned], forecast: Forecast, *, entries: Iterable[Entry]
) -> dict[str, Any]:
    """Gather what the terminal shows of a forecast, issued or not, as plain JSON types."""
    entries = tuple(entries)
    watched = any(isinstance(row, Coverage) and row.from_ <= evidence.as_of for row in entries)
    return {
        "format": FORMAT,
        "model": {
            "name": spec.name,
            "title": spec.model.title,
            "description": spec.model.description,
            "hash": spec.hash,
            "outcomes": {
                name: {
                    "label": row.label,
                    **({"short": row.short} if row.short else {}),
                    "resolution": row.resolution,
                    "resolves": [rule.model_dump(mode="json", exclude_defaults=True) for rule in row.resolves],
                    "frozen": row.frozen.isoformat(),
                    "states": {stage: list(states) for stage, states in row.states.items()},
                }
                for name, row in spec.outcomes.items()
            },
            "stages": {name: {"label": row.label, "states": list(row.states)} for name, row in spec.stages.items()},
        },
        "issued_at": None,
        "forecast": forecast.to_dict(),
        "conditionals": [_conditional(spec, row, {one.name: one for one in learned}) for row in spec.conditionals],
        "notes": [
            *_notes(spec, evidence, forecast, watched=watched),
            *feed_notes(spec, entries, evidence.as_of),
        ],
    }


def report_data(  # noqa: PLR0913, PLR0917 - everything a report shows
    spec: ModelSpec, evidence: Evidence, entries: Iterable[Entry], fit: FitRecord, forecast: Forecast,
    path: WeekPath, *, watermark: int, issued_at: dt.datetime,
) -> dict[str, Any]:  # fmt: skip
    """Gather all that a report shows, as plain JSON types; it is archived as it is, and rendering reads only it."""
    entries = tuple(entries)
    used = set(evidence.used)
    left_out = dict(evidence.left_out)
    rows = [row for row in entries if isinstance(row, Observation) and row.id in used | set(left_out)]
    coverage = [row for row in entries if isinstance(row, Coverage) and row.from_ <= evidence.as_of]
    return {
        **forecast_data(spec, evidence, fit.learned, forecast, entries=entries),
        "issued_at": issued_at.isoformat(timespec="seconds"),
        "path": path.to_dict(),
        "learned": [asdict(row) for row in fit.learned],
        "fit": {
            "id": fit.id,
            "as_of": fit.as_of.isoformat(),
            "created_at": fit.created_at,
            "settings": asdict(fit.settings),
            "diagnostics": asdict(fit.diagnostics),
            "versions": fit.versions,
        },
        "evidence": {
            "hash": evidence.hash,
            "watermark": watermark,
            "newest": evidence.newest.isoformat() if evidence.newest else None,
            "rows": [_row(spec, row, left_out.get(row.id)) for row in rows],
            "coverage": [_watched(spec, row, left_out.get(row.id)) for row in coverage],
        },
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
    narrowing = sum(learned[link].narrowing for link in links) / len(links) if links and learned else 1.0
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
        **{name: value for name in ("coded_by", "language") if (value := getattr(row, name))},
    }


def _watched(spec: ModelSpec, row: Coverage, left_out: str | None) -> dict[str, Any]:
    indicator = spec.indicators.get(row.indicator)
    return {
        "id": row.id,
        "from": row.from_.isoformat(),
        "to": row.to.isoformat(),
        "reported_on": row.reported_on.isoformat(),
        "what": indicator.label if indicator else "every indicator" if row.indicator == "*" else row.indicator,
        "name": row.indicator,
        "source": row.source,
        "url": row.url,
        "note": row.note,
        "left_out": left_out,
    }


def _notes(spec: ModelSpec, evidence: Evidence, forecast: Forecast, *, watched: bool) -> list[str]:
    notes: list[str] = []
    silent = [row.label[:1].lower() + row.label[1:] for row in spec.stages.values() if row.observable]
    if evidence.newest is None and not watched:
        notes.append(
            "There is no row to go by: every number is the prior of the model file, carried forward"
            + (f", with nothing on record in {', '.join(silent)}." if silent else ".")
        )
    elif evidence.newest and (weeks := (evidence.as_of - evidence.newest).days // 7) >= STALE_WEEKS:
        notes.append(
            f"The newest row is {weeks} weeks older than the date of the forecast."
            + (f" That nothing was recorded since is read as: no change in {', '.join(silent)}." if silent else "")
        )
    if not forecast.trust.trusted:
        reasons = "; ".join(forecast.trust.reasons)
        notes.append(f"These numbers did not pass their checks and were accepted by hand: {reasons}.")
    return notes


def same_report(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two reports say the same, whenever they were issued and whatever was recorded that does not matter.

    ``other`` may lack what explains the forecast: it follows from the rest.
    """

    def content(data: Mapping[str, Any]) -> dict[str, Any]:
        evidence = {key: value for key, value in data["evidence"].items() if key != "watermark"}
        return {key: data.get(key) for key in other} | {"issued_at": None, "evidence": evidence}

    return content(one) == content(other)
