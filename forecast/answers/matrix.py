"""Diagnosticity matrix: how many times likelier each story, and each sighting to come, is under each hypothesis.

It is the table of an analysis of competing hypotheses, with likelihoods in its cells instead of marks. Hypotheses are
the states of a stage, and, where they are asked for, rival theories.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.base import prose
from forecast.base.clock import DAYS_PER_YEAR
from forecast.base.shown import Shown
from forecast.engine.arrays import ASSESSMENT, COUNTED, COVERED, SELECTIVE, cells_at
from forecast.engine.emissions import cell_densities_of_draws
from forecast.engine.filtering import evaluate
from forecast.evidence.stories import stories, story_name
from forecast.ledger.rows import Observation
from forecast.quantities.estimate import FORMAT, Trust
from forecast.quantities.shares import quantiles
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from forecast.answers.watch import WatchList
    from forecast.engine.arrays import Cells, Floats
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


COMING = 10  # indicators that are looked ahead to
SAYS_NOTHING = 1.1  # states under which it is less than so many times likelier than under any other are alike
SAID = 3  # rows that become sentences
SILENT = 8  # weeks over which silence is taken together
STORY, TO_COME = "story", "coming"


@dataclass(frozen=True)
class Factor:
    """How many times likelier a row is under a state than on average over its stage's states, each counted alike.

    ``mean`` over draws, ``low`` and ``high`` are the ends of its 90 % interval; 0 rules the state out.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class MatrixRow:
    """One line: a story on record (``kind`` story), or an indicator that may be seen (coming).

    ``factors`` has one entry for each state of ``stage``. ``rivals`` holds how many times likelier a story was under a
    rival theory than under this one, given all that is known beside it. ``notes`` say what was counted once, graded
    down or says nothing. ``apart`` is the largest of the factors divided by the smallest, infinite where a state is
    ruled out.
    """

    kind: str
    what: str
    stage: str
    date: dt.date | None
    rows: tuple[str, ...]
    factors: Mapping[str, Factor]
    rivals: Mapping[str, float]
    notes: tuple[str, ...]

    @property
    def apart(self) -> float:
        """How far the row tells the states apart."""
        return _apart(self.factors)


@dataclass(frozen=True, repr=False)
class Matrix(Shown):
    """Stories in force and indicators to come against the states of each stage, the most telling first.

    ``outcome`` is what the indicators to come tell most about when somebody looks for them until ``until``.
    """

    model: str
    as_of: dt.date
    outcome: str
    until: dt.date
    stages: Mapping[str, tuple[str, ...]]
    rows: tuple[MatrixRow, ...]
    rivals: tuple[str, ...]
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """The most telling rows in words, and how many tell nothing."""
        told = [row for row in self.rows if row.kind == STORY]
        events: dict[tuple[str, dt.date | None], list[MatrixRow]] = {}
        for row in told:
            if row.rows:  # what was looked for and not seen is no event
                events.setdefault((row.what, row.date), []).append(row)
        silent = [its for its in events.values() if all(row.apart < SAYS_NOTHING for row in its)]
        lines = [_said(row) for row in told[:SAID] if row.apart >= SAYS_NOTHING]
        lines += [_said(row) for row in self.rows if row.kind == TO_COME][:1]
        if silent:
            verb = "tells" if len(silent) == 1 else "tell"
            of = f"{len(silent)} of {prose.count(len(events), 'event')} on record {verb} nothing"
            lines.append(f"{of}: not counted, or as likely under every state.")
        for name in self.rivals:
            total = math.fsum(math.log(row.rivals[name]) for row in told if name in row.rivals)
            lines.append(
                f"Taken one by one, the events were {prose.multiple(math.exp(total))} as likely under {name} as under "
                f"{self.model}."
            )
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a line and state; columns kind, what, stage, date, state, mean, low, high, notes."""
        rows = [
            {
                "kind": row.kind, "what": row.what, "stage": row.stage, "date": row.date, "state": state,
                **asdict(one), "notes": "; ".join(row.notes),
            }
            for row in self.rows
            for state, one in row.factors.items()
        ]  # fmt: skip
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "outcome": self.outcome,
            "until": self.until.isoformat(),
            "stages": {name: list(states) for name, states in self.stages.items()},
            "rows": [
                {
                    **asdict(row), "date": row.date.isoformat() if row.date else None, "rows": list(row.rows),
                    "notes": list(row.notes),
                }
                for row in self.rows
            ],
            "rivals": list(self.rivals),
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }  # fmt: skip


def _said(row: MatrixRow) -> str:
    """Say what a line speaks for."""
    best = max(row.factors, key=lambda state: row.factors[state].mean)
    out = [prose.spoken(state) for state, one in row.factors.items() if one.mean == 0]
    if out:
        return f"{row.what} rules out {prose.listed(out)}."
    least = min(row.factors, key=lambda state: row.factors[state].mean)
    factor = prose.multiple(row.apart).removeprefix("×")
    would = "would be" if row.kind == TO_COME else "is"
    return f"{row.what} {would} {factor} times likelier under {prose.spoken(best)} than under {prose.spoken(least)}."


def find_matrix(
    found: Posterior, entries: Sequence[Entry], watched: WatchList, rivals: Mapping[str, Posterior]
) -> Matrix:
    """Set stories and the first of the ``watched`` indicators against the states of their stages.

    ``rivals`` are posteriors of other theories on the same evidence.
    """
    space = found.space
    told = _stories(found, entries, rivals)
    coming = [_coming(found, row.indicator, row.label, watched) for row in watched.rows[:COMING]]
    told.sort(key=lambda row: (-row.apart, row.date or dt.date.min, row.what))
    return Matrix(
        model=space.spec.name,
        as_of=found.evidence.as_of,
        outcome=watched.outcome,
        until=watched.until,
        stages={name: row.states for name, row in space.spec.stages.items()},
        rows=(*told, *coming),
        rivals=tuple(rivals),
        trust=found.trust,
    )


def _stories(found: Posterior, entries: Sequence[Entry], rivals: Mapping[str, Posterior]) -> list[MatrixRow]:
    """One line for each story and stage of which a cell tells."""
    space, evidence = found.space, found.evidence
    likelihood = _densities(found, evidence.cells)
    certain = _densities(found, _believed(evidence.cells))
    reasons, by_id = dict(evidence.left_out), {row.id: row for row in entries}
    lines: list[MatrixRow] = []
    for group in stories(space, entries).values():
        ids = {row.id for row in group if isinstance(row, Observation)}
        if not ids:
            continue
        cells = np.array([bool(ids & set(rows)) for rows in evidence.rows], dtype=np.bool_)
        what, date = story_name(space, group)
        if not cells.any():
            lines += _unread(space, what, date, group, reasons)
        for stage in np.unique(evidence.cells.what[cells, 2]).tolist():
            here = cells & (evidence.cells.what[:, 2] == stage)
            rows = sorted({row for k in np.flatnonzero(here) for row in evidence.rows[k]})
            factors = _factors(found, stage, likelihood[:, here].prod(axis=1))
            full = _factors(found, stage, certain[:, here].prod(axis=1))
            beside = sorted({row for row in rows if row not in ids})
            notes = (
                *_left_out(ids, reasons),
                *(_graded(by_id[row], factors, full) for row in rows if row in ids),
                *(["no other kind could have been told: it is compared with nothing"] * _alone(evidence.cells, here)),
                *([f"read together with {prose.listed(beside)}"] if beside else []),
                *(["tells the states hardly apart"] if _apart(factors) < SAYS_NOTHING else []),
            )
            lines.append(
                MatrixRow(
                    STORY, what, space.stages[stage], date, tuple(rows), factors,
                    _likelier(found, rivals, space.stages[stage], ids),
                    tuple(note for note in notes if note),
                )
            )  # fmt: skip
    return [*lines, *_silence(found, likelihood), *_counts(found, likelihood)]


def _alone(cells: Cells, here: NDArray[np.bool_]) -> bool:
    """Whether one of the cells is told from a set with nothing else in it."""
    groups = cells.what[here & (cells.what[:, 1] == SELECTIVE), 4]
    return bool((cells.available[groups].sum(axis=1) == 1).any())


def _unread(
    space: StateSpace, what: str, date: dt.date, group: Sequence[Entry], reasons: Mapping[str, str]
) -> list[MatrixRow]:
    """Give the line of a story of which no row counts; none if it is not yet known."""
    ids = tuple(sorted(row.id for row in group))
    first = next(row for row in group if isinstance(row, Observation))
    notes = _left_out(ids, reasons)
    if not notes:
        return []
    stage = space.spec.indicators[first.indicator].stage if first.indicator else (first.state or "").partition(".")[0]
    same = dict.fromkeys(space.spec.stages[stage].states, Factor(1.0, 1.0, 1.0))
    return [MatrixRow(STORY, what, stage, date, ids, same, {}, tuple(notes))]


def _silence(found: Posterior, likelihood: Floats) -> list[MatrixRow]:
    """One line for each stage of which something was looked for in the last weeks, and not seen."""
    space, evidence = found.space, found.evidence
    what = evidence.cells.what
    quiet = (what[:, 1] == COVERED) & (evidence.cells.observed == 0.0) & (what[:, 0] >= evidence.steps - SILENT)
    date = evidence.as_of - dt.timedelta(weeks=SILENT)
    return [
        MatrixRow(
            STORY, f"Looked for and not seen, last {SILENT} weeks", space.stages[stage], date, (),
            _factors(found, stage, likelihood[:, quiet & (what[:, 2] == stage)].prod(axis=1)), {}, (),
        )
        for stage in np.unique(what[quiet, 2]).tolist()
    ]  # fmt: skip


def _counts(found: Posterior, likelihood: Floats) -> list[MatrixRow]:
    """One line for each channel that was counted in the last weeks."""
    space, evidence = found.space, found.evidence
    what = evidence.cells.what
    late = (what[:, 1] == COUNTED) & (what[:, 0] >= evidence.steps - SILENT)
    date = evidence.as_of - dt.timedelta(weeks=SILENT)
    lines: list[MatrixRow] = []
    for k in np.unique(what[late, 3]).tolist():
        name = space.channels[k - len(space.indicators)]
        channel, here = space.spec.channels[name], late & (what[:, 3] == k)
        rows = tuple(row for cell in np.flatnonzero(here) for row in evidence.rows[cell])
        factors = _factors(found, space.stages.index(channel.stage), likelihood[:, here].prod(axis=1))
        notes = ("tells the states hardly apart",) if _apart(factors) < SAYS_NOTHING else ()
        label = f"“{channel.label}”, counted in the last {SILENT} weeks"
        lines.append(MatrixRow(STORY, label, channel.stage, date, rows, factors, {}, notes))
    return lines


def _left_out(ids: Iterable[str], reasons: Mapping[str, str]) -> list[str]:
    """Say how many rows of a story do not count, by why."""
    counts = Counter(reasons[row] for row in ids if row in reasons)
    return [f"{prose.count(many, 'row')} not counted: {reason}" for reason, many in sorted(counts.items())]


def _graded(row: Entry, factors: Mapping[str, Factor], full: Mapping[str, Factor]) -> str:
    """Say how much the grade of a row has taken off, nothing where that is nothing."""
    if not isinstance(row, Observation):
        return ""
    was, now = (one if math.isinf(one) else prose.number(one) for one in (_apart(full), _apart(factors)))
    if was == now:
        return ""
    certain = "it would rule a state out" if was == math.inf else f"×{was}"
    return f"graded {row.grade}: tells them ×{now} apart, {certain} if certain"


def _apart(factors: Mapping[str, Factor]) -> float:
    means = [one.mean for one in factors.values()]
    return max(means) / min(means) if min(means) > 0 else math.inf


def _believed(cells: Cells) -> Cells:
    """Give the same cells, as if every row were certain."""
    kind, value, observed = cells.what[:, 1], cells.value.copy(), cells.observed.copy()
    value[(kind == SELECTIVE) | (kind == ASSESSMENT), 0] = 1.0
    observed[(kind == COVERED) & (observed > 0.0)] = 1.0
    return cells._replace(value=value, observed=observed)


def _densities(found: Posterior, cells: Cells) -> Floats:
    """(S, N, n) likelihood of each cell in each phase of its stage, under each draw, up to a constant."""
    return cell_densities_of_draws(chain_of(found.space), cells, np.exp(found.anchor.blocks.draws.log_lambda))


def _factors(found: Posterior, stage: int, likelihood: Floats) -> dict[str, Factor]:
    """Factors of the states of a stage from (S, n_max) likelihoods in its phases."""
    space = found.space
    name, here = space.stages[stage], space.of_stage(stage)
    of_state = space.phase_state[here]
    states = space.spec.stages[name].states
    phases = likelihood[:, : of_state.size]
    share = space.phase_share[here]
    of_states = np.stack(
        [phases[:, of_state == k] @ (share[of_state == k] / share[of_state == k].sum()) for k in range(len(states))],
        axis=1,
    )
    mean = of_states.mean(axis=1, keepdims=True)
    ratio = np.divide(of_states, mean, out=np.ones_like(of_states), where=mean > 0)
    weights = found.weights.values
    factors: dict[str, Factor] = {}
    for k, state in enumerate(states):
        low, _, high = quantiles(ratio[:, k], weights)
        factors[state] = Factor(float(weights @ ratio[:, k]), low, high)
    return factors


def _coming(found: Posterior, indicator: str, label: str, watched: WatchList) -> MatrixRow:
    """Say under which state an indicator would be seen by somebody who looks, if the state lasts as long."""
    space = found.space
    k = space.indicators.index(indicator)
    years = (watched.until - watched.as_of).days / DAYS_PER_YEAR
    rates = np.exp(found.anchor.blocks.draws.log_lambda[:, space.emission_offset[k] : space.emission_offset[k + 1]])
    stage = int(space.indicator_stage[k])
    return MatrixRow(
        TO_COME, label, space.stages[stage], None, (), _factors(found, stage, -np.expm1(-rates * years)), {}, ()
    )  # fmt: skip


def _likelier(found: Posterior, rivals: Mapping[str, Posterior], stage: str, ids: set[str]) -> dict[str, float]:
    """How many times likelier what a story says of a stage was under each rival, given the rest of what is known."""
    if not rivals:
        return {}
    here = _log_chance(found, stage, ids)
    return {name: math.exp(_log_chance(rival, stage, ids) - here) for name, rival in rivals.items()}


def _log_chance(found: Posterior, stage: str, ids: set[str]) -> float:
    """Log of the probability of that given the rest of the evidence, up to a constant that all theories share."""
    cells, rows = found.evidence.cells, found.evidence.rows
    about = cells.what[:, 2] == found.space.stages.index(stage)
    told = np.array([bool(ids & set(names)) for names in rows], dtype=np.bool_)
    without = evaluate(found.anchor.blocks, cells_at(cells, ~(told & about))).log_likelihood
    some = found.weights.values > 0
    gone = without[some] - found.evaluation.log_likelihood[some]
    return -float(np.logaddexp.reduce(np.log(found.weights.values[some]) + gone))
