"""Parts of a report that ask the forecast: what moved it, what to watch, what if, what it rests on."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.answers.alarm import WEEKS
from forecast.answers.matrix import find_matrix
from forecast.answers.sensitivity import watched_throughout
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.engine.onward import Onward
from forecast.engine.propagate import Ahead, Questions
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.evidence.stories import stories, story_name
from forecast.inference.between import Between
from forecast.inference.reweighting import reweigh
from forecast.ledger.rows import Observation
from forecast.quantities.from_draws import Answers, estimates
from forecast.report.flow import ahead_at, flows
from forecast.theory.assumptions import assumption_label, assumptions, bases
from forecast.theory.indicators import GRADES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from forecast.answers.forecast import LiveForecast
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Policy, Quantity
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


USUAL_WEEKS = 26
DECISIVE = "decisive"
WIDTH = 0.02  # Monte Carlo error of a point in a line about the past
WATCHED = 8  # weeks through which the watch-list looks


def lead_outcome(spec: ModelSpec) -> str:
    """Name the outcome that a report explains: the first one of the last stage."""
    last = list(spec.stages)[-1]
    return next((name for name, row in spec.outcomes.items() if last in row.states), next(iter(spec.outcomes)))


def usual_weeks(spec: ModelSpec) -> int:
    """Give the horizon that a report speaks of: 26 weeks, or else the longest."""
    horizons = spec.model.horizons_weeks
    return USUAL_WEEKS if USUAL_WEEKS in horizons else max(horizons)


def brief(
    asked: LiveForecast, last: Mapping[str, Any] | None, refit: Policy, rivals: Mapping[str, Posterior]
) -> dict[str, Any]:
    """Gather the parts of a report that explain the forecast; ``last`` is the report before it.

    ``refit`` says whether a fit may be made for the alarm, where no draws reach what was known some weeks ago.
    ``rivals`` are other theories of the same evidence.
    """
    found, spec = asked.posterior, asked.posterior.space.spec
    lead, weeks = lead_outcome(spec), usual_weeks(spec)
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(_of_these_draws, asked, lead, weeks, last, rivals)
        alarm = alarm_part(asked, "never" if refit == "never" else "auto")  # may make a fit for what follows to use
        drivers = _drivers(asked, lead, weeks)
        what_if = _what_ifs(asked, weeks)
        sensitivity = asked.moved(lead, weeks=weeks, without=(), refit="never", quick=True).to_dict()
        covered = _covered(asked)
        return {
            "lead": lead,
            "lead_weeks": weeks,
            "events": _events(found.space, asked.entries),
            "drivers": drivers,
            "what_if": what_if,
            "sensitivity": sensitivity,
            "covered": covered,
            "alarm": alarm,
            "assumptions": _assumptions(spec),
            **others.result(),
        }


def _of_these_draws(
    asked: LiveForecast, lead: str, weeks: int, last: Mapping[str, Any] | None, rivals: Mapping[str, Posterior]
) -> dict[str, Any]:
    """Gather what is asked of the forecast's own draws and the prior's: it can be done beside what looks for others.

    Each alone leaves a processor idle half the time. What looks for other draws is done one after the other, for which
    of two equally good ones is taken depends on their order.
    """
    rules = asked.rules().to_dict()
    watched = asked.watch(lead, weeks=weeks, ahead=min(WATCHED, weeks))
    return {
        "known": _known(asked, weeks, last),
        **flows(asked.posterior, weeks),
        "reached": _reached(asked.posterior),
        "watch": watched.to_dict(),
        "matrix": find_matrix(asked.posterior, asked.entries, watched, rivals).to_dict(),
        "rests_on": asked.rests_on(refit="never").to_dict(),
        "rules": rules["rows"],
        "rules_together": rules["together"],
        "rules_said": rules["sentences"],
        "sources": asked.sources(weeks=weeks).to_dict(),
    }


def _known(asked: LiveForecast, weeks: int, last: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Probability of each outcome now and after ``weeks``, at the end of each past week, from what was known then.

    What an earlier report says of the same evidence under the same model is taken over. Nothing is fitted for a line in
    a picture: the draws of the forecast are weighted to each week, else these with the prior's, or those. A week out of
    their reach is marked as not trusted, and tried again when the forecast has other draws.
    """
    space = asked.posterior.space
    spec, version = space.spec, f"{space.spec.hash} {weeks}"
    versions = {True: version, False: f"{version} {asked.posterior.anchor.name}"}  # by whether it is trusted
    kept = {row["evidence"]: row for row in (last or {}).get("known", []) if row["version"] == versions[row["trusted"]]}
    line = _Line(space, weeks)
    own = asked.posterior.anchor
    anchors = [lambda: own, cache(lambda: Between(asked.prior(), own)), asked.prior]
    rows: list[dict[str, Any]] = []
    for day in np.cumsum(step_days(space, asked.posterior.evidence.as_of)).tolist():
        date = spec.model.start + dt.timedelta(days=day - 1)
        evidence = compile_evidence(space, asked.known(date, None), date)
        row = kept.get(evidence.hash)
        if row is None:
            if evidence.hash == asked.posterior.evidence.hash:  # what is published
                shown, trusted = [row for row in asked.posterior.quantities if _in_line(row, weeks)], True
            else:
                shown, trusted = _past_week(evidence, line, anchors)
            row = {
                "date": date.isoformat(),
                "evidence": evidence.hash,
                "version": versions[trusted],
                "outcomes": _now_and_then(spec, shown),
                "trusted": trusted,
            }
        rows.append(row)
    return rows


def _in_line(row: Quantity, weeks: int) -> bool:
    return row.kind == "already" or (row.kind, row.horizon_weeks) == ("at", weeks)


def _past_week(
    evidence: Evidence, line: _Line, anchors: Sequence[Callable[[], Anchor]]
) -> tuple[Sequence[Quantity], bool]:
    """Weight to what was known then the first draws that reach it, or else the first, and say whether any do."""
    tried: list[tuple[Quantity, ...]] = []
    for give in anchors:
        found = reweigh(give(), evidence)
        tried.append(line.of(found))
        if _drawable(found, tried[-1]):
            return tried[-1], True
    return tried[0], False


class _Line:
    """What a line about the past shows, and nothing else: every outcome on the day, and so many weeks later."""

    def __init__(self, space: StateSpace, weeks: int) -> None:
        """Ask for the horizon of so many ``weeks``."""
        self._space, self._weeks = space, weeks
        self._masks = np.array([space.members(row.states) for row in space.spec.outcomes.values()])
        self._ahead: dict[tuple[Any, ...], Ahead] = {}

    def of(self, found: Posterior) -> tuple[Quantity, ...]:
        """Estimate it; what the draws say of every state is kept for the next of their weeks."""
        as_of, blocks = found.evidence.as_of, found.anchor.blocks
        horizons = ahead_at(self._space, as_of, [self._weeks])
        none = self._masks[:0]
        asked = Questions(at=self._masks, reached=none, outcome=none, begins=none, later=np.zeros(0, dtype=np.int64))
        key = (found.anchor, *horizons[:-1], *horizons.full.tolist())
        ahead = self._ahead.setdefault(key, Ahead(blocks, horizons, asked))
        then, now = ahead.read(found.evaluation.states).at[0], self._masks.astype(float) @ found.evaluation.now.T
        names = list(self._space.spec.outcomes)
        date = as_of + dt.timedelta(weeks=self._weeks)
        keys = [(name, "already", None, None, as_of) for name in names]
        keys += [(name, "at", None, self._weeks, date) for name in names]
        part = np.concatenate([now, then])
        answers = Answers(tuple(keys), part, np.ones_like(part))
        return estimates(answers, found.weights.values, found.anchor.efficiency)


def _drawable(found: Posterior, shown: Sequence[Quantity]) -> bool:
    """Whether draws reach the evidence, with errors that are no wider than a line."""
    sound = found.reached and not found.anchor.complaints
    return sound and all(row.estimate.mcse <= WIDTH for row in shown)


def _now_and_then(spec: ModelSpec, shown: Sequence[Quantity]) -> dict[str, Any]:
    wanted = {"already": "now", "at": "then"}
    outcomes: dict[str, Any] = {name: {} for name in spec.outcomes}
    for row in shown:
        outcomes[row.outcome][wanted[row.kind]] = asdict(row.estimate)
    return outcomes


def _reached(found: Posterior) -> dict[str, Any]:
    """Probability by week that an outcome that nobody could miss has begun, with its 90 % interval over draws."""
    space, as_of = found.space, found.evidence.as_of
    spec = space.spec
    names = [
        name for name, row in spec.outcomes.items()
        if all(set(states) <= set(spec.stages[stage].observable) for stage, states in row.states.items())
    ]  # fmt: skip
    if not names:
        return {}
    weeks = list(range(1, max(spec.model.horizons_weeks) + 1))
    masks = np.array([space.members(spec.outcomes[name].states) for name in names])
    asked = Questions(
        at=masks[:0], reached=masks, outcome=masks[:0], begins=masks[:0], later=np.zeros(0, dtype=np.int64)
    )
    part = Onward(found.anchor.blocks, ahead_at(space, as_of, weeks), asked).read(found.evaluation.states).reached
    curves: dict[str, Any] = {}
    for m, name in enumerate(names):
        rows = np.ascontiguousarray(part[:, m])
        dates = [as_of + dt.timedelta(weeks=week) for week in weeks]
        keys = tuple((name, "reached", None, week, date) for week, date in zip(weeks, dates, strict=True))
        curve = estimates(Answers(keys, rows, np.ones_like(rows)), found.weights.values, found.anchor.efficiency)
        curves[name] = [
            {"date": date.isoformat(), **asdict(row.estimate)} for date, row in zip(dates, curve, strict=True)
        ]
    return curves


def _events(space: StateSpace, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Stories to mark on a time axis: when, what, the stages that they speak of, and their rows."""
    found: list[dict[str, Any]] = []
    for rows in stories(space, entries).values():
        seen = [row for row in rows if isinstance(row, Observation)]
        if not seen:
            continue
        what, date = story_name(space, rows)
        of = {
            space.spec.indicators[row.indicator].stage if row.indicator else (row.state or "").partition(".")[0]
            for row in seen
        }
        found.append({"date": date.isoformat(), "what": what, "stages": sorted(of), "rows": [row.id for row in seen]})
    return sorted(found, key=lambda event: (event["date"], event["what"]))


def _drivers(asked: LiveForecast, lead: str, weeks: int) -> dict[str, Any]:
    """Account for the change since the last issue; where there is none, since four weeks ago."""
    evidence = asked.posterior.evidence
    start = asked.posterior.space.spec.model.start
    since = max(evidence.as_of - dt.timedelta(weeks=4), start)
    try:
        return asked.drivers(lead, weeks=weeks, since="last", refit="never").to_dict() | {"since_issue": True}
    except InputError:
        return asked.drivers(lead, weeks=weeks, since=since, refit="never").to_dict() | {"since_issue": False}


def _what_ifs(asked: LiveForecast, weeks: int) -> list[dict[str, Any]]:
    """Say what every outcome would be if a decisive indicator were seen today, or a record made of what can be."""
    spec = asked.posterior.space.spec
    names = {name: row.label for name, row in spec.indicators.items() if row.grade == DECISIVE}
    names |= {
        f"{stage}.{row.observable[0]}": f"On record: {prose.spoken(row.observable[0])}"
        for stage, row in spec.stages.items() if row.observable
    }  # fmt: skip
    found: list[dict[str, Any]] = []
    for name, label in names.items():
        try:
            answer = asked.what_if(name, refit="never")
        except InputError:  # a one-off that has happened
            continue
        changes = [row for row in answer.changes if row.kind == "at" and row.horizon_weeks == weeks]
        outcomes = {
            row.outcome: {"after": row.after.mean, "difference": row.difference, "mcse": row.mcse} for row in changes
        }
        found.append({"name": name, "label": label, "outcomes": outcomes, "trusted": answer.trust.trusted})
    return found


def _covered(asked: LiveForecast) -> dict[str, Any] | None:
    """Forecast as if somebody had looked for everything from the beginning, so that silence speaks.

    That is far from what is known, so that it may need a fit of its own, which nothing else of a report rests on: there
    is none where no draws at hand reach it. `sensitivity` makes that fit.
    """
    found = asked.posterior
    watch = watched_throughout(found.space, found.evidence.as_of)
    there = asked.brought(compile_evidence(found.space, [*asked.entries, watch], found.evidence.as_of), "never")
    if not there.trust.trusted:
        return None
    return {
        "quantities": [
            {**asdict(row), "date": row.date.isoformat() if row.date else None}
            for row in there.quantities if row.kind in {"already", "at"}
        ],
        "trust": there.trust.to_dict(),
    }  # fmt: skip


def alarm_part(asked: LiveForecast, refit: Policy) -> dict[str, Any] | None:
    """Give the conflict alarm; none in the first weeks of a model."""
    weeks = min(WEEKS, asked.posterior.evidence.steps - 1)
    return asked.alarm(weeks=weeks, refit=refit).to_dict() if weeks > 0 else None


def _assumptions(spec: ModelSpec) -> list[dict[str, Any]]:
    """List every entry of the model file that has a basis, with its numbers and its reasons."""
    numbers = assumptions(spec)
    grades = dict(zip(GRADES, spec.priors.grades.medians, strict=True))
    rows: dict[str, dict[str, Any]] = {}
    for key, basis in bases(spec):
        blank = {"label": assumption_label(spec, key), "interval": None, "points_to": None, "medians": None}
        row = rows.setdefault(key, {"key": key, **blank, "basis": []})
        row["basis"].append(basis.model_dump(mode="json", exclude_none=True))
        row["interval"] = list(numbers[key]) if key in numbers else None
        if key.startswith("indicators."):
            indicator = spec.indicators[key.removeprefix("indicators.")]
            row |= {"points_to": list(indicator.points_to), "grade": indicator.grade, "class": indicator.class_}
        if key == "priors.grades":
            row["medians"] = grades
    return list(rows.values())
