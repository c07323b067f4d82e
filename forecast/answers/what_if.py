"""Suppositions: the forecast beside the same one if rows were seen or states forced."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast import theory
from forecast.base.errors import InputError, nearest, read_date
from forecast.engine.arrays import OBSERVABLE, Cells, steps_between
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.filtering import Evaluation, evaluate
from forecast.engine.onward import Onward
from forecast.engine.pareto import Weights, smooth_weights
from forecast.engine.summaries import difference_errors
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.evidence.hypothetical import supposed_count
from forecast.inference.reweighting import Posterior, reweigh
from forecast.inference.trust import gate
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Count, Coverage, Observation, last_day, with_id
from forecast.quantities.estimate import Change
from forecast.quantities.forecast import WhatIf
from forecast.quantities.from_draws import Answers, answers, ask, estimates, horizons_of, possible, sayable
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats
    from forecast.engine.propagate import Ahead
    from forecast.evidence.compilation import Evidence
    from forecast.evidence.stories import Told
    from forecast.inference.anchor import Anchor
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Policy
    from forecast.theory.statespace import StateSpace


SUPPOSED = "supposed"


class _Future(NamedTuple):
    """The states of every draw at a later date, and what is needed to say whether an outcome was entered on the way.

    ``log_mass`` (S,) is the log-probability of what is supposed on the way. ``waiting`` holds for each outcome the
    states of paths that have never been in it, with the share of such paths (S,), and the share (S,) of those that
    were in it at the beginning.
    """

    states: Floats
    log_mass: Floats
    waiting: list[tuple[Floats, Floats, Floats]]


@dataclass(frozen=True)
class Asker:
    """A posterior with the rows it was made from; ``refit`` gives an anchor fitted to supposed evidence."""

    posterior: Posterior
    entries: tuple[Entry, ...]
    refit: Callable[[Evidence], Anchor]

    def what_if(
        self, seen: Sequence[str], not_seen: Mapping[str, dt.date | str], *, on: dt.date | str | None, grade: str,
        refit: Policy,
    ) -> WhatIf:  # fmt: skip
        """Suppose rows; see `forecast.quantities.forecast.Forecast.what_if`."""
        here = self.posterior
        space, as_of = here.space, here.evidence.as_of
        rows = supposed_rows(space, as_of, seen, not_seen, on=on, grade=grade, entries=self.entries)
        evidence = compile_evidence(space, self.entries, as_of, rows)
        _require_told(space, evidence, rows)
        words = tuple(_words(row) for row in rows)
        found = None
        if refit != "always":
            found = self._compare(words, evidence.until, _suppose(here.anchor, evidence))
        if found is None or (refit == "auto" and not found.trust.trusted):
            found = self._compare(words, evidence.until, _suppose(self.refit(evidence), evidence))
        return found

    def do(self, states: Mapping[str, str], *, on: dt.date | str | None, hold: bool) -> WhatIf:
        """Force states; see `forecast.quantities.forecast.Forecast.do`."""
        here = self.posterior
        space, as_of = here.space, here.evidence.as_of
        date, forced = forced_states(space, as_of, states, on=on)
        _require_no_record(here, date, forced)
        future = _force(space, self._idle(date), forced)
        blocks = here.anchor.blocks
        if hold:
            held = np.isin(space.rate_table[:, 0], [space.stages.index(stage) for stage in states])
            rates = np.where(held, -np.inf, blocks.draws.log_rate)
            blocks = Blocks(chain_of(space), Draws(rates, *blocks.draws[1:]))
        found = _read(space, as_of, date, ask(space, blocks, horizons_of(space, as_of, date), Onward), future)
        words = tuple(
            f"{stage} is made {state} on {date}{' and held there' if hold else ''}" for stage, state in states.items()
        )
        return self._compare(words, date, _Supposed(here.anchor, here.weights, found))

    def _idle(self, until: dt.date) -> _Future:
        """Let the present run on to a date without news."""
        here = self.posterior
        nothing = compile_evidence(here.space, (), here.evidence.as_of, until=until)
        cells = steps_between(nothing.cells, here.evidence.steps, nothing.steps)
        return _advance(here.anchor.blocks, here.space, cells, here.evaluation.states)

    def _before(self, until: dt.date) -> Answers:
        """Answer as the forecast does, on the grid that ``until`` cuts: a cut step moves numbers a little by itself."""
        here = self.posterior
        as_of = here.evidence.as_of
        if until == as_of:
            return here.answers
        ahead = here.anchor.ahead(horizons_of(here.space, as_of, until))
        return _read(here.space, as_of, until, ahead, self._idle(until))

    def _compare(self, words: tuple[str, ...], until: dt.date, after: _Supposed) -> WhatIf:
        before, plain = self.posterior, self._before(until)
        plain, supposed = sayable(plain, before.weights.values), sayable(after.answers, after.weights.values)
        old = {row: k for k, row in enumerate(plain.names)}
        names = [name for name in supposed.names if name in old]
        mine = _pick(plain, [old[name] for name in names])
        theirs = _pick(supposed, [supposed.names.index(name) for name in names])
        if until == before.evidence.as_of:  # what is published
            published = {row.key: row for row in before.quantities}
            first = tuple(published[name] for name in names)
        else:
            first = estimates(mine, before.weights.values, before.anchor.efficiency)
        second = estimates(theirs, after.weights.values, after.anchor.efficiency)
        if after.anchor is before.anchor:
            moved = difference_errors(*theirs[1:], after.weights.values, *mine[1:], before.weights.values)
            errors = (moved / math.sqrt(before.anchor.efficiency)).tolist()
        else:
            errors = [None] * len(names)
        return WhatIf(
            model=before.space.spec.name,
            as_of=before.evidence.as_of,
            supposed=words,
            changes=tuple(map(Change.of, first, second, errors)),
            trust=gate(after.anchor, after.weights, second),
        )


class _Supposed(NamedTuple):
    anchor: Anchor
    weights: Weights
    answers: Answers


def _pick(found: Answers, rows: list[int]) -> Answers:
    return Answers(tuple(found.names[k] for k in rows), found.part[rows], found.whole[rows])


# Suppositions.


def supposed_rows(  # noqa: PLR0913 - all that a supposition may say
    space: StateSpace, as_of: dt.date, seen: Sequence[str], not_seen: Mapping[str, dt.date | str], *,
    on: dt.date | str | None, grade: str, entries: Sequence[Entry] | None = None,
) -> tuple[Told, ...]:  # fmt: skip
    """Give rows for what is supposed; see `forecast.quantities.forecast.Forecast.what_if`.

    A week's count is taken among as many as the last ones in ``entries``; without these only names are checked.

    Raises
    ------
    InputError
        If a name, a date or the grade makes no sense. No forecast is needed to find out.

    """
    given = as_of if on is None else read_date(on, "on")
    if not seen and not not_seen:
        msg = "nothing is supposed; name an indicator or a state that is seen, or an indicator that is not"
        raise InputError(msg)
    credibility(grade)
    rows: list[Told] = []
    for text in seen:
        if "=" in text:
            rows.append(supposed_count(space, entries, as_of, text, SUPPOSED))
            continue
        name, _, day = text.partition("@")
        date = read_date(day, f"the date of {name!r}") if day else given
        _require_since_start(space, name, date)
        if "." in name:
            _require_name(name, space.stage_states, "state")
        else:
            _require_indicator(space, name, states=space.stage_states)
        row = Observation(
            indicator=None if "." in name else name,
            state=name if "." in name else None,
            date=date,
            reported_on=as_of,
            source=SUPPOSED,
            grade=grade,
            note=f"{len(rows)}",  # so that two of a kind are two
        )
        rows.append(with_id(row))
    for name, day in not_seen.items():
        through = read_date(day, f"the date of {name!r}")
        if name != "*":
            _require_indicator(space, name, "*")
        _require_since_start(space, name, through)
        if through <= as_of:
            msg = f"{name!r} not seen through {through}: give a date after {as_of}, the date of the forecast"
            raise InputError(msg)
        first = as_of + dt.timedelta(days=1)
        rows.append(with_id(Coverage(indicator=name, from_=first, to=through, reported_on=as_of, source=SUPPOSED)))
    last = max(map(last_day, rows))
    _require_horizons(space, as_of, max(as_of, last))
    return tuple(rows)


def _require_name(name: str, known: Sequence[str], what: str) -> None:
    if name not in known:
        msg = f"the model has no {what} {name!r}; {nearest(name, known)}"
        raise InputError(msg)


def _require_indicator(space: StateSpace, name: str, *more: str, states: Sequence[str] = ()) -> None:
    rows = space.spec.indicators
    if name not in rows:
        words = {key: theory.words_of(row) for key, row in rows.items()}
        msg = f"the model has no indicator {name!r}; {theory.suggested(name, words, *more, states=states)}"
        raise InputError(msg)


def _require_since_start(space: StateSpace, name: str, date: dt.date) -> None:
    if date < space.spec.model.start:
        msg = f"{name!r} on {date}: the model starts on {space.spec.model.start}; give a date from then on"
        raise InputError(msg)


def _require_told(space: StateSpace, evidence: Evidence, rows: Sequence[Told]) -> None:
    """Make sure that every supposed row says something."""
    reasons = dict(evidence.left_out)
    silent = not (evidence.cells.what[:, 0] >= step_days(space, evidence.as_of).size).any()
    for row in rows:
        reason = reasons.get(row.id)
        if isinstance(row, Coverage) and silent:
            reason = "by then nothing more is expected of it"
        if reason:
            msg = f"to suppose that {_words(row)} changes nothing: {reason}"
            raise InputError(msg)


def _words(row: Told) -> str:
    if isinstance(row, Coverage):
        what = "no indicator" if row.indicator == "*" else f"no {row.indicator}"
        return f"{what} is seen through {row.to}"
    if isinstance(row, Count):
        return f"{row.count:,} of {row.exposure:,g} are counted as {row.channel} from {row.from_} to {row.to}"
    if row.state:
        return f"{row.state} is reported on {row.date} ({row.grade})"
    return f"{row.indicator} is seen on {row.date} ({row.grade})"


# Evaluation.


def _suppose(anchor: Anchor, evidence: Evidence) -> _Supposed:
    """Weight an anchor's draws to evidence that may reach behind ``as_of``."""
    if evidence.until == evidence.as_of:
        now = reweigh(anchor, evidence)
        return _Supposed(anchor, now.weights, now.answers)
    space, blocks = anchor.space, anchor.blocks
    steps = step_days(space, evidence.as_of).size
    now = possible(space, evidence, evaluate(blocks, steps_between(evidence.cells, 0, steps)))
    future = _advance(blocks, space, steps_between(evidence.cells, steps, evidence.steps), now.states)
    found = Evaluation(now.log_likelihood + future.log_mass, future.states, None)
    possible(space, evidence, found)
    weights = smooth_weights(found.log_likelihood - anchor.log_likelihood, anchor.efficiency)
    horizons = horizons_of(space, evidence.as_of, evidence.until)
    return _Supposed(anchor, weights, _read(space, evidence.as_of, evidence.until, anchor.ahead(horizons), future))


def _require_horizons(space: StateSpace, as_of: dt.date, until: dt.date) -> None:
    if not horizons_of(space, as_of, until).full.size:
        msg = f"{until} lies behind the last horizon of the forecast; suppose something earlier"
        raise InputError(msg)


def _advance(blocks: Blocks, space: StateSpace, cells: Cells, states: Floats) -> _Future:
    """Take ``states`` through the steps of ``cells``, of which there may be none."""
    found = evaluate(blocks, cells, start=states)
    log_mass = found.log_likelihood
    waiting: list[tuple[Floats, Floats, Floats]] = []
    for row in space.spec.outcomes.values():
        inside = space.members(row.states)
        outside = states * ~inside[:, None]
        share_inside = _share(blocks, cells, states * inside[:, None], None, log_mass)[1]
        waiting.append((*_share(blocks, cells, outside, ~inside, log_mass), share_inside))
    return _Future(np.nan_to_num(found.states), log_mass, waiting)


def _share(
    blocks: Blocks, cells: Cells, states: Floats, allowed: NDArray[np.bool_] | None, log_mass: Floats
) -> tuple[Floats, Floats]:
    """Where some paths lead, as probabilities, and their share (S,) of all paths that what is supposed leaves."""
    found = evaluate(blocks, cells, start=states, allowed=allowed)
    with np.errstate(invalid="ignore"):
        share = np.exp(found.log_likelihood - log_mass)
    return np.nan_to_num(found.states), np.nan_to_num(share)


def _read(space: StateSpace, as_of: dt.date, until: dt.date, ahead: Ahead, future: _Future) -> Answers:
    """Answer from states at ``until``; *reached* counts from ``as_of``.

    Behind ``as_of`` the states now are unknown, and beginnings on the way there are not followed: *already* and *after*
    are left out.
    """
    found = answers(space, as_of, ahead, future.states)
    part = found.part.copy()
    for m, (outcome, (states, share, inside)) in enumerate(zip(space.spec.outcomes, future.waiting, strict=True)):
        later = ahead.read(states).reached[:, m]
        rows = [k for k, name in enumerate(found.names) if name[:2] == (outcome, "reached")]
        part[rows] = np.maximum(1.0 - inside - share * (1.0 - later), 0.0)
    kept = [k for k, name in enumerate(found.names) if until == as_of or name[1] in {"at", "reached", "given"}]
    return _pick(found._replace(part=part), kept)


# Force.


def forced_states(
    space: StateSpace, as_of: dt.date, states: Mapping[str, str], *, on: dt.date | str | None
) -> tuple[dt.date, dict[int, int]]:
    """Give the date, and the stage and state indices, of what is done; see `forecast.quantities.forecast.Forecast.do`.

    Raises
    ------
    InputError
        If a name or the date makes no sense. No forecast is needed to find out.

    """
    date = as_of if on is None else read_date(on, "on")
    if not states:
        msg = "nothing is done; name a stage and the state to force it into"
        raise InputError(msg)
    if date < as_of:
        msg = f"what is done on {date} lies before {as_of}, the date of the forecast; the past cannot be changed"
        raise InputError(msg)
    _require_horizons(space, as_of, date)
    forced: dict[int, int] = {}
    for stage, state in states.items():
        _require_name(stage, space.stages, "stage")
        _require_name(f"{stage}.{state}", space.stage_states, "state")
        level, index = space.state(f"{stage}.{state}")
        forced[level] = index
    return date, forced


def _require_no_record(here: Posterior, date: dt.date, forced: Mapping[int, int]) -> None:
    """Make sure that nothing on record on the very day is undone."""
    space = here.space
    for level, index in forced.items():
        observable = space.observable(level)
        if date == here.evidence.as_of and _on_record(here.evidence.cells, level) and not observable[index]:
            stage, state = space.stages[level], space.states[level][index]
            names = ", ".join(name for name, shown in zip(space.states[level], observable, strict=True) if shown)
            msg = f"{stage} cannot be made {state} on {date}: that day it is on record as {names}; choose a later date"
            raise InputError(msg)


def _on_record(cells: Cells, stage: int) -> bool:
    """Whether a stage is on record in its observable set at the last step."""
    last = (cells.what[:, 0] == cells.years.size - 1) & (cells.what[:, 2] == stage) & (cells.what[:, 3] < 0)
    return bool((cells.observed[last & (cells.what[:, 1] == OBSERVABLE)] == 1).any())


def _force(space: StateSpace, future: _Future, forced: Mapping[int, int]) -> _Future:
    waiting: list[tuple[Floats, Floats, Floats]] = []
    for (states, share, inside), row in zip(future.waiting, space.spec.outcomes.values(), strict=True):
        moved = _collapse(space, states, forced) * ~space.members(row.states)[:, None]
        left = moved.sum(axis=1, keepdims=True)
        shares = np.divide(moved, left, out=np.zeros_like(moved), where=left > 0)
        waiting.append((shares, share * left[:, 0].ravel()[: share.size], inside))
    return _Future(_collapse(space, future.states, forced), future.log_mass, waiting)


def _collapse(space: StateSpace, states: Floats, forced: Mapping[int, int]) -> Floats:
    """Move all probability (blocks, K, BLOCK) into the forced states, whatever the other stages are.

    What is in the state already stays in its phase; the rest enters the first.
    """
    cube = states.reshape(len(states), *space.sizes, -1).copy()
    for stage, state in forced.items():
        inside = space.in_phases(stage, np.arange(len(space.states[stage])) == state)
        phases = np.moveaxis(cube, stage + 1, 0)
        phases[np.flatnonzero(inside)[0]] += phases[~inside].sum(axis=0)
        phases[~inside] = 0.0
    return cube.reshape(states.shape)
