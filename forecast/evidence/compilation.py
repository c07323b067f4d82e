"""Ledger rows, model and date compiled to `Evidence`: cells on the weekly grid."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.base import prose
from forecast.base.clock import DAYS_PER_YEAR, month_end
from forecast.base.shown import Shown, ShownTable, cell_shown
from forecast.engine.arrays import ASSESSMENT, COUNTED, COVERED, OBSERVABLE, SELECTIVE, Cells
from forecast.evidence.counts import count_cells
from forecast.evidence.grid import Grid
from forecast.evidence.observables import Cell, record_cells
from forecast.evidence.stories import settle_stories
from forecast.ledger.admiralty import CREDIBLE, credibility
from forecast.ledger.rows import Count, Coverage, Entry, Observation, last_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from forecast.evidence.stories import Telling
    from forecast.theory.statespace import StateSpace


KIND_NAMES = {
    COVERED: "covered", SELECTIVE: "selective", ASSESSMENT: "assessment", OBSERVABLE: "observable", COUNTED: "counted",
}  # fmt: skip


@dataclass(frozen=True, repr=False)
class Evidence(Shown):
    """What is known as of a date, as arrays on the grid, which ends at ``until``: later only where rows are supposed.

    ``cells`` is what the kernels read; ``cell_names`` (N,) names each cell, ``rows`` (N,) holds the ids of the rows in
    it. ``left_out`` lists visible rows that say nothing to this model, with the reason.
    """

    as_of: dt.date
    until: dt.date
    cells: Cells
    cell_names: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: tuple[tuple[str, str], ...]
    newest: dt.date | None
    hash: str

    @property
    def steps(self) -> int:
        """T, the number of steps up to ``until``."""
        return self.cells.years.size

    @property
    def used(self) -> tuple[str, ...]:
        """Ids of all rows that stand in some cell, sorted."""
        return tuple(sorted({row for rows in self.rows for row in rows}))

    def _said(self) -> tuple[str, ...]:
        cells, rows = prose.count(len(self.cell_names), "cell"), prose.count(len(self.used), "row")
        silent = f"; {prose.count(len(self.left_out), 'row')} left out" if self.left_out else ""
        return (f"as of {self.as_of}, {cells} from {rows}{silent}, version {self.hash}",)

    def _shown_table(self) -> ShownTable:
        """Show the newest first."""
        named = zip(self.cell_names, self.rows, strict=True)
        return ShownTable(["cell", "rows"], [[name, cell_shown(rows)] for name, rows in named][::-1])


def compile_evidence(
    space: StateSpace, entries: Iterable[Entry], as_of: dt.date, supposed: Sequence[Entry] = (),
    until: dt.date | None = None,
) -> Evidence:  # fmt: skip
    """Compile ledger rows for the model of ``space`` as known on ``as_of``.

    The order of ``entries`` matters only for states of one stage that have one date and were reported on one day: the
    last of them counts.

    ``supposed`` rows are taken as known, whenever they are dated. Behind ``as_of`` the grid runs on to the last of
    them (or to ``until``, if that is later), first to the end of the running step; there nothing else is said, but that
    what a supposed row puts on record was not on record before.

    Raises
    ------
    InputError
        If ``as_of`` lies before the model's start.

    """
    until = max([until or as_of, as_of, *map(last_day, supposed)])
    grid = Grid(space, as_of, until)
    visible = [entry for entry in entries if entry.reported_on <= as_of]
    coverage = [entry for entry in visible if isinstance(entry, Coverage)]
    observations = [entry for entry in visible if isinstance(entry, Observation) and entry.date <= as_of]
    ahead = [entry for entry in supposed if isinstance(entry, Coverage)]
    wanted = [entry for entry in supposed if isinstance(entry, Observation)]
    known, left_out = _known(space, [*observations, *wanted], [*coverage, *ahead])
    counts = [entry for entry in (*visible, *supposed) if isinstance(entry, Count)]
    counted, uncounted = count_cells(space, counts, grid)
    observables, record_ids = record_cells(space, known, grid, {row.id for row in wanted})
    others = [row for row in known if row.id not in record_ids]
    tellings = settle_stories(space, others)
    covered = _covered_days(space, coverage, ahead, as_of, grid.elapsed)
    cells, silent, again = _cells(space, tellings, covered, grid)
    cells += observables + counted
    left_out += uncounted
    cells.sort(key=lambda cell: (cell.step, cell.stage, cell.kind, cell.indicator, cell.observed, cell.rows))
    told = {telling.id for telling in tellings}
    left_out += [
        (row.id, f"dated to the month, and its best day, {row.date}, is after {as_of}; give an earlier best day")
        for row in visible
        if isinstance(row, Observation) and row.date > as_of
    ]
    left_out += [(row.id, "its story counts once, as another row") for row in others if row.id not in told]
    left_out += [(row, "a one-off that had already happened") for row in silent]
    left_out += [
        (row, f"no news: {first} told of it within {space.spec.model.episode_days} days") for row, first in again
    ]
    newest = max((row.date for row in known), default=None)
    return _evidence(space, as_of, until, grid.days, cells, tuple(sorted(left_out)), newest)


def _known(
    space: StateSpace, observations: Sequence[Observation], coverage: Sequence[Coverage]
) -> tuple[list[Observation], list[tuple[str, str]]]:
    known: list[Observation] = []
    left_out: list[tuple[str, str]] = []
    for row in observations:
        if row.indicator is not None and row.indicator not in space.indicators:
            left_out.append((row.id, f"the model has no indicator {row.indicator!r}"))
        elif row.state is not None and row.state not in space.stage_states:
            left_out.append((row.id, f"the model has no state {row.state!r}"))
        elif row.date < space.spec.model.start:
            left_out.append((row.id, f"before the model's start on {space.spec.model.start}"))
        elif credibility(row.grade) == 0:
            left_out.append((row.id, f"graded {row.grade}: neither its source nor its news can be judged"))
        else:
            known.append(row)
    left_out += [
        (row.id, f"the model has no indicator {row.indicator!r}")
        for row in coverage
        if row.indicator not in ("*", *space.indicators)
    ]
    return known, left_out


# Coverage and cells.


def _covered_days(
    space: StateSpace, coverage: Iterable[Coverage], supposed: Iterable[Coverage], as_of: dt.date, elapsed: int
) -> NDArray[np.bool_]:
    """(I, days): whether each indicator was watched systematically on each day; nothing within the reporting lag.

    Who looked for everything looked for what the vocabulary had on the day.
    """
    had = space.indicator_since[:, None] <= np.arange(elapsed)
    covered = np.zeros((len(space.indicators), elapsed), dtype=np.bool_)
    header = space.spec.model
    last = (as_of - header.start).days - header.reporting_lag_days
    for row, end in [*((row, last) for row in coverage), *((row, elapsed) for row in supposed)]:
        first = max((row.from_ - header.start).days, 0)
        days = slice(first, max(min((row.to - header.start).days, end) + 1, 0))
        if row.indicator == "*":
            covered[:, days] |= had[:, days]
        elif row.indicator in space.indicators:
            covered[space.indicators.index(row.indicator), days] = True
    return covered


def _cells(
    space: StateSpace, tellings: Sequence[Telling], covered: NDArray[np.bool_], grid: Grid
) -> tuple[list[Cell], list[str], list[tuple[str, str]]]:
    open_steps = np.ones((len(space.indicators), grid.days.size), dtype=np.bool_)
    closed: set[int] = set()
    seen: dict[tuple[int, int], list[Telling]] = defaultdict(list)
    cells: list[Cell] = []
    silent: list[str] = []
    told: dict[int, list[Telling]] = defaultdict(list)
    again: list[tuple[str, str]] = []
    for telling in tellings:
        step = grid.step(telling.day)
        if telling.indicator < 0:
            # who is right less often than chance is not taken at the contrary of his word
            value = (max(telling.weight, 1.0 / len(space.states[telling.stage])), 0.0, 0.0)
            cells.append(Cell(step, ASSESSMENT, telling.stage, -1, (), value, float(telling.state), (telling.id,)))
            continue
        if telling.indicator in closed:
            silent.append(telling.id)
            continue
        first = None if telling.distinct else _told_before(space, told[telling.indicator], telling)
        if covered[telling.indicator, telling.day]:
            seen[telling.indicator, step].append(telling)
        elif first is not None:
            again.append((telling.id, first.id))
        else:
            quiet = () if telling.distinct else told
            quiet = {i for i in quiet if _told_before(space, told[i], telling) is not None}
            cells.append(_selective(space, telling, covered, closed | quiet, step))
        if first is None:
            told[telling.indicator].append(telling)
        _close_and_open(space, telling, closed, open_steps, step)
    _blank_months(space, [row for row in tellings if row.id not in silent], open_steps, grid)
    exposed = np.add.reduceat(covered, grid.ends - grid.days, axis=1, dtype=np.int64)
    covered_steps: list[list[int]] = np.argwhere(exposed).tolist()
    for indicator, step in covered_steps:
        if open_steps[indicator, step] or (indicator, step) in seen:
            exposure = float(exposed[indicator, step]) / DAYS_PER_YEAR
            cells.append(_covered(space, indicator, step, exposure, seen.get((indicator, step), [])))
    return cells, silent, again


def _told_before(space: StateSpace, rows: list[Telling], telling: Telling) -> Telling | None:
    """Give the one of ``rows`` of an indicator that makes ``telling`` no news: as credible, and in its episode.

    Rows come in the order of their days, so those whose episode is over are dropped from ``rows``.
    """
    since = telling.day - space.spec.model.episode_days
    rows[:] = [row for row in rows if row.day > since]
    return next((row for row in rows if row.weight >= telling.weight), None)


def _selective(space: StateSpace, telling: Telling, covered: NDArray[np.bool_], closed: set[int], step: int) -> Cell:
    """Compare a telling with what it was chosen from: the kinds that the vocabulary had when it happened.

    A kind that joined later was looked up afterwards, so it is compared with the others that joined later.
    """
    had = space.indicator_since <= telling.day
    alike = (space.indicator_stage == telling.stage) & (had == had[telling.indicator])
    group = tuple(int(i) for i in np.flatnonzero(alike) if not covered[i, telling.day] and i not in closed)
    value = (telling.weight, 0.0, 0.0)
    return Cell(step, SELECTIVE, telling.stage, -1, group, value, float(telling.indicator), (telling.id,))


def _covered(space: StateSpace, indicator: int, step: int, exposure: float, seen: Sequence[Telling]) -> Cell:
    weight = 1.0 - float(np.prod([1.0 - telling.weight for telling in seen])) if seen else 0.0
    before = _false_report(space, indicator, exposure)
    odds = before / (1.0 - before)
    stage = int(space.indicator_stage[indicator])
    rows = tuple(sorted(telling.id for telling in seen))
    return Cell(step, COVERED, stage, indicator, (), (0.0, exposure, odds), weight, rows)


# False reports: whoever grades a row does not know the state, so a row of credibility w has to be true with probability
# w over the states taken evenly. So false reports go by what true ones are on average over them, at the prior medians.


def _false_report(space: StateSpace, indicator: int, exposure: float) -> float:
    """Give p₀, the probability of an event while somebody watches for ``exposure`` years, averaged over the states."""
    rates, shares = space.median_rates([indicator])
    return float(-np.expm1(-rates[0] * exposure) @ shares)


def _false_shares(space: StateSpace, group: tuple[int, ...]) -> NDArray[np.float64]:
    """(I,) share of each indicator in all events of a ``group``, averaged over the states; 0 outside the group."""
    shares = np.zeros(len(space.indicators))
    rates, phases = space.median_rates(group)
    shares[list(group)] = rates / rates.sum(axis=0) @ phases
    return shares


def _close_and_open(
    space: StateSpace, telling: Telling, closed: set[int], open_steps: NDArray[np.bool_], step: int
) -> None:
    """Apply what a credible row does to one-offs: it closes its own indicator and opens those it resets."""
    if telling.weight < CREDIBLE:
        return
    name = space.indicators[telling.indicator]
    for k, row in enumerate(space.spec.indicators.values()):
        if row.reset_by == name and k in closed:
            closed.discard(k)
            open_steps[k, step + 1 :] = True
    if not space.spec.indicators[name].repeats:
        closed.add(telling.indicator)
        open_steps[telling.indicator, step + 1 :] = False


def _blank_months(space: StateSpace, tellings: Sequence[Telling], open_steps: NDArray[np.bool_], grid: Grid) -> None:
    """Leave the other steps of a month unsaid where a row is dated only to the month."""
    start = space.spec.model.start
    told = {(telling.indicator, grid.step(telling.day)) for telling in tellings}
    for telling in tellings:
        if not telling.month or telling.indicator < 0:
            continue
        first, last = telling.date.replace(day=1), month_end(telling.date)
        steps = range(
            grid.step(max((first - start).days, 0)), grid.step(min((last - start).days, grid.elapsed - 1)) + 1
        )
        for step in steps:
            if (telling.indicator, step) not in told:
                open_steps[telling.indicator, step] = False


def _evidence(  # noqa: PLR0913, PLR0917 - all are needed
    space: StateSpace,
    as_of: dt.date,
    until: dt.date,
    days: NDArray[np.int64],
    cells: Sequence[Cell],
    left_out: tuple[tuple[str, str], ...],
    newest: dt.date | None,
) -> Evidence:
    groups = sorted({cell.group for cell in cells if cell.group})
    available = np.zeros((len(groups), len(space.indicators)), dtype=np.int64)
    for g, group in enumerate(groups):
        available[g, list(group)] = 1
    what = [(c.step, c.kind, c.stage, c.indicator, groups.index(c.group) if c.group else -1) for c in cells]
    arrays = Cells(
        years=days / DAYS_PER_YEAR,
        what=np.array(what, dtype=np.int64).reshape(-1, 5),
        value=np.array([cell.value for cell in cells], dtype=np.float64).reshape(-1, 3),
        observed=np.array([cell.observed for cell in cells], dtype=np.float64),
        available=available,
        false=np.array([_false_shares(space, group) for group in groups]).reshape(available.shape),
        in_set=np.concatenate([space.in_phases(k, space.observable(k)) for k in range(len(space.stages))]).astype(
            np.int64
        ),
    )
    digest = hashlib.sha256(as_of.isoformat().encode())
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    names = tuple(_cell_name(space, cell) for cell in cells)
    rows = tuple(cell.rows for cell in cells)
    return Evidence(as_of, until, arrays, names, rows, left_out, newest, digest.hexdigest()[:12])


def _cell_name(space: StateSpace, cell: Cell) -> str:
    if cell.kind == COVERED:
        what = space.indicators[cell.indicator]
    elif cell.kind == SELECTIVE:
        what = cell.rows[0]
    elif cell.kind == COUNTED:
        what = space.channels[cell.indicator - len(space.indicators)]
    elif cell.kind == ASSESSMENT:
        what = f"{space.stages[cell.stage]}, {cell.rows[0]}"
    else:
        what = space.stages[cell.stage]
    return f"{cell.step}: {KIND_NAMES[cell.kind]} {what}"
