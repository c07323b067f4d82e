# pyright: reportUnknownMemberType=false
# Jinja2's filters are untyped.
"""Reports: one table of plain JSON, rendered to Markdown and to text; whatever is shown comes from it alone."""

from __future__ import annotations

import datetime as dt
import re
import textwrap
import unicodedata
from dataclasses import asdict
from itertools import batched
from typing import TYPE_CHECKING, Any

from forecast.errors import InputError
from forecast.ledger import Coverage, Observation, credibility
from forecast.result import LEARNED_LITTLE, percent, spread
from forecast.tables import tables
from forecast.words import number, spoken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from jinja2 import Environment

    from forecast.evidence import Evidence
    from forecast.fit import FitRecord, Learned
    from forecast.ledger import Entry
    from forecast.result import Change, Forecast, WeekPath
    from forecast.spec import Conditional, ModelSpec

__all__ = [
    "FORMAT",
    "forecast_data",
    "one_line",
    "render_changes",
    "render_markdown",
    "render_template",
    "render_text",
    "report_data",
    "same_report",
]

FORMAT = 1
TEMPLATE = "report.md.jinja"
READABLE = 100  # columns of running text
STALE_WEEKS = 4


def forecast_data(
    spec: ModelSpec, evidence: Evidence, learned: Iterable[Learned], forecast: Forecast, *, watched: bool
) -> dict[str, Any]:
    """Gather what the terminal shows of a forecast, issued or not, as plain JSON types."""
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
                    "resolution": row.resolution,
                    "states": {stage: list(states) for stage, states in row.states.items()},
                }
                for name, row in spec.outcomes.items()
            },
            "stages": {name: {"label": row.label, "states": list(row.states)} for name, row in spec.stages.items()},
        },
        "issued_at": None,
        "forecast": forecast.to_dict(),
        "conditionals": [_conditional(spec, row, {one.name: one for one in learned}) for row in spec.conditionals],
        "notes": _notes(spec, evidence, forecast, watched=watched),
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
        **forecast_data(spec, evidence, fit.learned, forecast, watched=bool(coverage)),
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


# Words and numbers.


def one_line(text: object) -> str:
    """Text from the ledger or a model file in one line, without characters that control a terminal or its direction."""
    line = re.sub(r"\s+", " ", str(text)).strip()
    return "".join(char for char in line if unicodedata.category(char) not in {"Cc", "Cs"} and char not in DIRECTIONS)


DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # they reorder what follows


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def _day(text: str) -> str:
    date = dt.date.fromisoformat(text)
    return f"{date.day} {date:%b %Y}"


def _views(data: Mapping[str, Any]) -> dict[str, Any]:
    """Quantities by outcome and horizon, as the renderings want them."""
    quantities = data["forecast"]["quantities"]
    by: dict[tuple[str, str, str | None, int | None], Any] = {
        (row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities
    }
    weeks = sorted({row["horizon_weeks"] for row in quantities if row["kind"] == "at"})
    dates = {row["horizon_weeks"]: row["date"] for row in quantities if row["kind"] == "at"}
    return {"by": by, "weeks": weeks, "dates": dates}


# Markdown.


def _inert(text: object) -> str:
    """Text from outside as Markdown that means itself, in one line."""
    escaped = re.sub(r"([\\`*{}\[\]#|~$])", r"\\\1", one_line(text))
    escaped = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)  # inside a word it is inert already
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _link(row: Mapping[str, Any]) -> str:
    label, url = _inert(row["source"]), one_line(row["url"])
    if not url.lower().startswith(("http://", "https://")):
        return label
    target = url.translate({ord(char): f"%{ord(char):02X}" for char in "<>()[]|\"'\\` "} | {ord("&"): "&amp;"})
    return f"[{label}]({target})"


def render_markdown(
    data: Mapping[str, Any], templates: Sequence[Path], pictures: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """Render ``report.md`` with the template ``report.md.jinja`` of the first of the folders ``templates`` that has it.

    ``pictures`` give the ``file``, the ``takeaway`` and the ``alt`` text of each picture that stands beside it.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    import jinja2  # noqa: PLC0415 - only where a report is written

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - Markdown: every text from outside goes through `inert`
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(inert=_inert, link=_link)
    return render_template(environment, TEMPLATE, data, pictures=pictures or {})


def render_template(environment: Environment, template: str, data: Mapping[str, Any], **more: object) -> str:
    """Fill a template with the report data, their tables and what is ``more``; what the data lack is none.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    import jinja2  # noqa: PLC0415

    environment.filters.update(
        percent=percent, spread=spread, day=_day, number=_number, spoken=spoken, one_line=one_line
    )
    environment.filters["interval"] = _interval
    try:
        dates = data["path"]["dates"]
        months = [k for k, date in enumerate(dates) if date[:7] != "".join(dates[k + 1 : k + 2])[:7]]
        whole = dict.fromkeys(PARTS) | {**data, **_views(data), "months": months, "tables": tables(data), **more}
        return environment.get_template(template).render(**whole)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, OSError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        where = f"reports/templates/{template}{line}"
        msg = f"{where}: the template is faulty ({error}); mend it, or delete it, and the package's own is used"
        raise InputError(msg) from error


PARTS = (  # of a report of today that older ones may lack
    "alarm", "assumptions", "cascade", "changes", "covered", "drivers", "events", "headline", "health", "known", "lead",
    "lead_weeks", "reached", "rules", "sensitivity", "track", "watch", "what_if",
)  # fmt: skip


def _interval(pair: Sequence[float]) -> str:
    return f"{number(pair[0])} to {number(pair[1])}"


# Text.


def render_text(data: Mapping[str, Any], width: int) -> str:
    """Render the forecast for a terminal that is ``width`` columns wide."""
    model, found = data["model"], _views(data)
    by, weeks, prose = found["by"], found["weeks"], min(width, READABLE)
    lines = textwrap.wrap(one_line(model["title"]), prose)
    rules = data.get("rules") or ()
    scored = " A rule counts what anybody can see, and is what gets scored." if rules else ""
    lines += textwrap.wrap(
        f"As of {_day(data['forecast']['as_of'])}, {_issued(data['issued_at'])}. Brackets hold 90 % intervals.{scored}",
        prose,
    )
    groups: list[_Group] = [
        (
            outcome["label"],
            [
                ("on the day", [spread(by[name, "already", None, None]), *_cells(by, (name, "at", None), weeks)]),
                ("reached by it", ["", *_cells(by, (name, "reached", None), weeks)]),
                *_rule(rules, name, weeks),
            ],
        )
        for name, outcome in model["outcomes"].items()
    ]
    heads = [("now", ""), *((f"{week} weeks", _day(found["dates"][week])) for week in weeks)]
    lines += ["", *_grid(heads, groups, width)]
    if data["conditionals"]:
        lines += ["", "If", *_grid([(f"{week} weeks",) for week in weeks], _conditions(data, by, weeks), width)]
    if any(row["rests_on_prior"] for row in data["conditionals"]):
        words = "* rests on the prior: the evidence has hardly touched this link, the number repeats the theory"
        lines += textwrap.wrap(words, prose, subsequent_indent="  ")
    for note in data["notes"]:
        lines += ["", *textwrap.wrap(f"Note: {one_line(note)}", prose, subsequent_indent="  ")]
    return "\n".join(lines)


def _issued(moment: str | None) -> str:
    return f"issued {moment[:16].replace('T', ' ')} UTC" if moment else "not issued"


def render_changes(changes: Sequence[Change], labels: Mapping[str, str], width: int) -> str:
    """Render what moved at each horizon, with the difference in percentage points; ``labels`` name the outcomes."""
    heads = dict.fromkeys((f"{row.horizon_weeks} weeks", _day(str(row.date))) for row in changes if row.kind == "at")
    groups: dict[str, dict[str, list[str]]] = {name: {} for name in labels.values()}
    for row in changes:
        words = {"at": "on the day", "reached": "reached by it"}.get(row.kind)
        if words:
            groups[labels[row.outcome]].setdefault(words, []).append(_move(row))
    return "\n".join(_grid(list(heads), [(label, list(rows.items())) for label, rows in groups.items()], width))


def _move(row: Change) -> str:
    points = f"{100 * row.difference:+.0f}"
    return f"{percent(row.before.mean)} → {percent(row.after.mean)} ({points if points not in {'+0', '-0'} else '±0'})"


_Group = tuple[str, list[tuple[str, list[str]]]]  # an outcome's label; its rows, each with a label and a cell a column


def _cells(by: Mapping[Any, Any], key: tuple[str, str, str | None], weeks: Sequence[int]) -> list[str]:
    return [spread(by[*key, week]) if (*key, week) in by else "" for week in weeks]


def _rule(rules: Sequence[Mapping[str, Any]], outcome: str, weeks: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """Say how likely the rule of an outcome is to be met; forecasts that were not issued and old ones do not tell."""
    rows = {row["horizon_weeks"]: row for row in rules if (row["outcome"], row["kind"]) == (outcome, "by")}
    if rows:
        now = "met" if next(iter(rows.values()))["met_now"] else "not met"
        estimates = [rows[week]["estimate"] for week in weeks]
        yield "rule met by", [now, *(percent(one["mean"]) for one in estimates)]


def _conditions(data: Mapping[str, Any], by: Mapping[Any, Any], weeks: Sequence[int]) -> list[_Group]:
    groups: dict[str, list[tuple[str, list[str]]]] = {}
    for row in data["conditionals"]:
        name, given = row["outcome"], row["given"]
        words, star = given.replace("_", " "), " *" if row["rests_on_prior"] else ""
        rows = groups.setdefault(data["model"]["outcomes"][name]["label"], [])
        after = next((by[key] for key in by if key[:3] == (name, "after", given)), None)
        if after is None:
            rows.append((f"given {words}{star}", _cells(by, (name, "given", given), weeks)))
        else:
            rows.append((f"{words} began{star}: {spread(after)}", []))
    return list(groups.items())


def _grid(heads: Sequence[tuple[str, ...]], groups: Sequence[_Group], width: int) -> Iterator[str]:
    """Lay out rows under their group's label, in as many blocks of columns as ``width`` asks for."""
    rows = [row for _, part in groups for row in part]
    column = 2 + max(len(text) for texts in (*heads, *(cells for _, cells in rows)) for text in texts)
    labels = 4 + max(len(label) for label, cells in rows if cells)  # two blanks before, two after
    first = min(labels, max(width + 2 - column * len(heads), 4))
    for block in batched(range(len(heads)), max((width + 2 - first) // column, 1)):
        yield from [""] if block[0] else []
        for line in zip(*(heads[k] for k in block), strict=True):
            yield (" " * first + "".join(text.ljust(column) for text in line)).rstrip()
        for label, part in groups:
            yield from textwrap.wrap(one_line(label), width)
            for name, cells in part:
                if cells or not block[0]:
                    yield from _grid_row(name, "".join(cells[k].ljust(column) for k in block if cells), first, width)


def _grid_row(name: str, values: str, first: int, width: int) -> Iterator[str]:
    if values and len(name) + 4 <= first:
        yield (f"  {name}".ljust(first) + values).rstrip()
        return
    yield from textwrap.wrap(name, width, initial_indent="  ", subsequent_indent="    ")
    if values:
        yield (" " * first + values).rstrip()
