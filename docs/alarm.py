"""Find the limit of the conflict alarm: how often it rings where the model is right; writes ``docs/alarm.md``.

Worlds are drawn from the reference model: parameters from the prior, a hidden path, reports. In each the alarm is
checked every week for two years. Nothing contradicts the model there, so whatever rings is a false alarm; the limit is
the one at which there is one in two years. Then the same worlds go wrong in known ways. It takes some eight minutes.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np

from forecast.answers import alarm
from forecast.answers.alarm import FUTURES, SAME, SEED, WEEKS, tail_of
from forecast.engine.arrays import ASSESSMENT, COVERED, SELECTIVE, Cells, steps_between
from forecast.engine.blocks import Blocks, Draws, split
from forecast.engine.evaluation import evaluate
from forecast.engine.gradient import transition_tables
from forecast.engine.pareto import Weights
from forecast.engine.simulate import REPORT_MIX, choose, simulate_paths, simulate_start
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.model import Model
from forecast.inference.reweighting import Posterior
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

HERE = Path(__file__).parent
MODEL = HERE.parent / "models" / "russia_azerbaijan.toml"
ROWS = HERE.parent / "data" / "russia_azerbaijan" / "observations.csv"
CHECKS = 104  # two years of weeks
WORLDS = (150, 300)  # of either kind, in which the parameters are known
UNCERTAIN = 12  # worlds in which they are not
CANDIDATES = 200  # draws that the parameters may be one of, where they are not known
SMALL = {"DRAWS": 64, "FUTURES": 250}  # fewer than the package's, for the same
BROKEN = 60  # worlds that go wrong, of each kind
ONSET = 30  # full weeks before they do
LIMITS = np.arange(1, 201) / 2000  # the tails are multiples of a two-thousandth
SHOWN = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.07, 0.1)
COVERED_WORLD, TOLD_WORLD = "everything watched", "told selectively"
KINDS = (COVERED_WORLD, TOLD_WORLD)
FULL_WEEK = 7

type Bend = Callable[[Floats, StateSpace], Floats]  # (states, I) rates of what really happens, from those of the model


@cache
def reference() -> StateSpace:
    """Read the article's model."""
    return StateSpace(load_spec(MODEL))


@cache
def told_a_week() -> dict[str, float]:
    """How many rows about each stage the article's data have in a week."""
    space = reference()
    with ROWS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    stage_of = dict(zip(space.indicators, (space.stages[k] for k in space.indicator_stage), strict=True))
    counts = Counter(stage_of.get(row["indicator"]) or row["state"].partition(".")[0] for row in rows)
    last = max(dt.date.fromisoformat(row["reported_on"]) for row in rows)
    weeks = ((last - space.spec.model.start).days + 1) / FULL_WEEK
    return {stage: counts[stage] / weeks for stage in space.stages}


# A world.


@dataclass(frozen=True)
class World:
    """One draw, and a ledger that it gave rise to; ``weeks`` whole weeks long."""

    space: StateSpace
    draw: Draws
    kind: str
    weeks: int
    rows: tuple[Observation, ...]
    seen: Cells  # as known when all is known
    told: Cells  # as known when nothing was watched systematically
    lag: int  # weeks from a day to when its coverage counts

    def cells(self, first: int, last: int, now: int) -> Cells:
        """Give the cells of steps ``first`` to ``last`` as known at the end of step ``now`` (not included)."""
        turn = min(max(now - self.lag, first), last) if self.kind == COVERED_WORLD else first
        old, new = steps_between(self.seen, first, turn), steps_between(self.told, turn, last)
        moved = new.what + np.array([turn - first, 0, 0, 0, 0])
        return new._replace(
            years=np.concatenate([old.years, new.years]), what=np.concatenate([old.what, moved]),
            value=np.concatenate([old.value, new.value]), observed=np.concatenate([old.observed, new.observed]),
        )  # fmt: skip

    def entries(self) -> tuple[Entry, ...]:
        """Give all rows, and the coverage if there is any."""
        return (*self.rows, *([self.coverage] if self.kind == COVERED_WORLD else []))

    @property
    def coverage(self) -> Coverage:
        """Say that everything was watched all the time."""
        start = self.space.spec.model.start
        return Coverage(id="all", indicator="*", from_=start, to=self.day(self.weeks), reported_on=start, source="-")

    def day(self, weeks: int) -> dt.date:
        """Give the last day of so many weeks."""
        return self.space.spec.model.start + dt.timedelta(days=FULL_WEEK * weeks - 1)


def one_rate(log_lambda: Floats, space: StateSpace) -> list[Floats]:
    """(n, I of the stage) rates of each stage's indicators in each of its states."""
    found: list[Floats] = []
    for stage, n in enumerate(space.sizes):
        own = np.flatnonzero(space.indicator_stage == stage)
        found.append(
            np.exp(np.array([log_lambda[space.emission_offset[k] : space.emission_offset[k] + n] for k in own])).T
        )
    return found


def as_it_is(rates: Floats, _space: StateSpace) -> Floats:
    """Change nothing."""
    return rates


def simulate_world(  # noqa: PLR0913 - what a world is made of
    rng: np.random.Generator, space: StateSpace, draw: Draws, kind: str, weeks: int, *, bend: Bend = as_it_is,
    onset: int | None = None, hold: tuple[str, str] | None = None,
) -> World:  # fmt: skip
    """Simulate a hidden path and what is reported of it; from ``onset`` on, rates are bent or a stage is held."""
    chain, median = chain_of(space), space.indicator_median
    years = np.full(weeks, FULL_WEEK / 365.25)
    path = simulate_paths(rng, chain, years, draw.log_rate, simulate_start(rng, chain, draw.start))[0]
    usual = one_rate(draw.log_lambda[0], space)
    bent = [bend(part, space) for part in usual]
    if hold is not None and onset is not None:
        path[onset:, space.stages.index(hold[0])] = space.state(".".join(hold))[1]
    rows: list[Observation] = []
    closed: set[int] = set()
    for week in range(weeks):
        rates = usual if onset is None or week < onset else bent
        own = [np.flatnonzero(space.indicator_stage == stage) for stage in range(len(space.stages))]
        now = np.empty(len(space.indicators))
        for stage, k in enumerate(own):
            now[k] = rates[stage][path[week, stage]]
        found = _watched if kind == COVERED_WORLD else _told
        here = sorted((int(rng.integers(FULL_WEEK)), i, w) for i, w in found(rng, space, now, median, closed))
        for day, i, w in here:
            rows.append(_row(space, len(rows), week, day, w, indicator=space.indicators[i]))
            _close(space, i, closed)
    return _world(space, draw, kind, weeks, rows + _records(space, path, len(rows)))


def _watched(
    rng: np.random.Generator, space: StateSpace, rate: Floats, median: Floats, closed: set[int]
) -> list[tuple[int, float]]:
    """Give what is seen in a week in which everything is watched, each sighting with its credibility."""
    years = FULL_WEEK / 365.25
    grades, mix = np.array(list(REPORT_MIX)), np.array(list(REPORT_MIX.values()))
    false = mix * (1 - grades) / grades
    odds = np.expm1(median * years)
    happens = rng.random(len(space.indicators)) < -np.expm1(-rate * years)
    believed = rng.random(rate.size) < odds * false.sum()
    return [
        (int(i), float(rng.choice(grades, p=mix if happens[i] else false / false.sum())))
        for i in np.flatnonzero(happens | believed)
        if i not in closed
    ]


def _told(
    rng: np.random.Generator, space: StateSpace, rate: Floats, median: Floats, closed: set[int]
) -> list[tuple[int, float]]:
    """Give what is told in a week, as often as in the article's data, each with its credibility."""
    found: list[tuple[int, float]] = []
    for stage, mean in enumerate(told_a_week().values()):
        open_ = [k for k in np.flatnonzero(space.indicator_stage == stage) if k not in closed]
        for _ in range(rng.poisson(mean)):
            w = float(rng.choice(list(REPORT_MIX), p=list(REPORT_MIX.values())))
            share = w * rate[open_] / rate[open_].sum() + (1 - w) * median[open_] / median[open_].sum()
            found.append((int(rng.choice(open_, p=share)), w))
    return found


def _close(space: StateSpace, seen: int, closed: set[int]) -> None:
    """Close a one-off that was seen, and open those that it resets; all grades of the mix are credible enough."""
    for k, row in enumerate(space.spec.indicators.values()):
        if row.reset_by == space.indicators[seen]:
            closed.discard(k)
    if not space.spec.indicators[space.indicators[seen]].repeats:
        closed.add(seen)


def _row(space: StateSpace, number: int, week: int, day: int, w: float, **what: str) -> Observation:
    date = space.spec.model.start + dt.timedelta(days=FULL_WEEK * week + day)
    grade = next(name for name, value in CREDIBILITY.items() if value == w)
    return Observation(
        id=f"{number:04d}", date=date, reported_on=date, source="-", grade=grade, **what,
    )  # fmt: skip


def _records(space: StateSpace, path: Ints, first: int) -> list[Observation]:
    """Put on record when a stage enters and leaves its observable set."""
    rows: list[Observation] = []
    for stage, name in enumerate(space.stages):
        inside = space.observable(stage)
        was = False
        for week, state in enumerate(path[:, stage]):
            if inside[state] != was:
                label = space.spec.stages[name].states[state]
                number = first + len(rows)
                rows.append(_row(space, number, week, FULL_WEEK - 1, max(REPORT_MIX), state=f"{name}.{label}"))
            was = bool(inside[state])
    return rows


def _world(space: StateSpace, draw: Draws, kind: str, weeks: int, rows: list[Observation]) -> World:
    header = space.spec.model
    end = header.start + dt.timedelta(days=FULL_WEEK * weeks - 1)
    told = compile_evidence(space, rows, end).cells
    world = World(space, draw, kind, weeks, tuple(rows), told, told, -(-header.reporting_lag_days // FULL_WEEK))
    if kind == TOLD_WORLD:
        return world
    later = end + dt.timedelta(days=FULL_WEEK * world.lag)
    seen = steps_between(compile_evidence(space, world.entries(), later).cells, 0, weeks)
    return World(space, draw, kind, weeks, tuple(rows), seen, told, world.lag)


# The alarm where the parameters are known.


class Known:
    """One draw: what `forecast.answers.alarm.tail_of` does, for a thousand futures at once."""

    def __init__(self, space: StateSpace, draw: Draws) -> None:
        """Take the first of the draws."""
        self.space, self.chain, self.draw = space, chain_of(space), draw
        self.blocks = Blocks(self.chain, draw)
        self.rate = np.exp(draw.log_lambda[0])
        self._moves: dict[float, Floats] = {}
        self._state = np.array(list(np.ndindex(*space.sizes)))  # (K, L)

    def move(self, years: float) -> Floats:
        """(K, K) transition probabilities of one step."""
        if years not in self._moves:
            tables = transition_tables(self.chain, self.draw.log_rate[0], years)
            flat = np.concatenate([table.ravel() for table in tables])
            self._moves[years] = np.prod(flat[self.chain.pairs], axis=0)
        return self._moves[years]

    def tail(self, cells: Cells, now: Floats, rng: np.random.Generator) -> float:
        """Give the mid-p probability of a score as low as that of ``cells``, from the present states ``now`` (K,)."""
        states = self._state[choose(rng, np.repeat(now[None], FUTURES, axis=0))]
        log_rate = np.repeat(self.draw.log_rate, FUTURES, axis=0)
        path = simulate_paths(rng, self.chain, cells.years, log_rate, states)
        others = self.scores(cells, self.reports(rng, cells, path), now)
        score = float(self.scores(cells, cells.observed[None], now)[0])
        same = np.abs(others - score) <= SAME * max(1.0, abs(score))
        return float(((others < score) & ~same).mean() + same.mean() / 2)

    def reports(self, rng: np.random.Generator, cells: Cells, path: Ints) -> Floats:
        """(F, N) what could have been reported on each of the paths (F, T, L)."""
        reports = np.empty((len(path), len(cells.what)))
        step, kind, stage, indicator, group = cells.what.T
        here = np.flatnonzero(kind == COVERED)
        state = path[:, step[here], stage[here]]
        expected = self.rate[self.chain.emission_offset[indicator[here]] + state] * cells.value[here, 1]
        grades, mix = np.array(list(REPORT_MIX)), np.array(list(REPORT_MIX.values()))
        false = mix * (1 - grades) / grades
        chance, rest = rng.random(expected.shape), np.exp(-expected)
        happened = chance >= rest
        believed = chance < rest * (cells.value[here, 2] * false.sum())
        graded = np.zeros(expected.shape)
        for which, shares in ((happened, mix), (believed, false / false.sum())):
            graded[which] = rng.choice(grades, size=int(which.sum()), p=shares)
        reports[:, here] = graded
        in_set = np.split(cells.in_set, np.cumsum(self.chain.sizes)[:-1])
        for k in np.flatnonzero(kind != COVERED):
            state = path[:, step[k], stage[k]]
            if kind[k] == SELECTIVE:
                told = np.flatnonzero(cells.available[group[k]])
                shares = self._shares(cells, k)[told]  # (told, n)
                reports[:, k] = told[choose(rng, shares.T[state])]
            elif kind[k] == ASSESSMENT:
                msg = "no world has assessments"
                raise NotImplementedError(msg)
            else:
                reports[:, k] = in_set[stage[k]][state]
        return reports

    def _shares(self, cells: Cells, k: int) -> Floats:
        """(I, n) likelihood of each telling that selective cell ``k`` could hold, in each state of its stage."""
        _, _, stage, _, group = cells.what[k]
        w, told = cells.value[k, 0], np.flatnonzero(cells.available[group])
        rates = np.zeros((cells.median.size, self.chain.sizes[stage]))
        for s in range(self.chain.sizes[stage]):
            rates[told, s] = self.rate[self.chain.emission_offset[told] + s]
        median = np.where(cells.available[group] == 1, cells.median, 0.0)
        return w * rates / rates.sum(axis=0) + (1 - w) * (median / median.sum())[:, None]

    def scores(self, cells: Cells, reports: Floats, now: Floats) -> Floats:
        """(F,) log-probability of each row of ``reports``, up to the same constants as the package's."""
        sizes, offsets = self.chain.sizes, np.concatenate([[0], np.cumsum(self.chain.sizes)])
        log_like = np.zeros((cells.years.size, offsets[-1], len(reports)))
        silence = np.zeros(log_like.shape[:2])
        for k, (step, kind, stage, indicator, _) in enumerate(cells.what):
            span = slice(offsets[stage], offsets[stage + 1])
            if kind == COVERED:
                first = self.chain.emission_offset[indicator]
                quiet = -self.rate[first : first + sizes[stage]] * cells.value[k, 1]
                silence[step, span] += quiet
                seen = np.flatnonzero(reports[:, k])
                if seen.size:
                    w, absent, odds = reports[seen, k], np.exp(quiet)[:, None], cells.value[k, 2]
                    log_like[step, span, seen] += (
                        np.log(w * (1 - absent) + (1 - w) * odds * absent) - quiet[:, None]
                    ).T
            elif kind == SELECTIVE:
                log_like[step, span] += np.log(self._shares(cells, k)[reports[:, k].astype(int)]).T
            else:
                agrees = cells.in_set[span][:, None] == reports[:, k].astype(int)
                log_like[step, span] += np.where(agrees, 0.0, -np.inf)
        log_like += silence[:, :, None]
        total, vector = np.zeros(len(reports)), np.repeat(now[:, None], len(reports), axis=1)
        for t, years in enumerate(cells.years):
            joint = sum(log_like[t, offsets[stage] + self._state[:, stage]] for stage in range(sizes.size))
            top = joint.max(axis=0)
            vector = (self.move(float(years)).T @ vector) * np.exp(joint - np.where(np.isfinite(top), top, 0.0))
            mass = vector.sum(axis=0)
            with np.errstate(divide="ignore"):
                total += np.log(mass) + np.where(np.isfinite(top), top, 0.0)
            vector /= np.where(mass > 0, mass, 1.0)
        return total


def tails_if_known(world: World, checks: Sequence[int]) -> list[float]:
    """Check the alarm at the ends of weeks, with the parameters known."""
    known = Known(world.space, world.draw)
    path = evaluate(known.blocks, world.seen, path="filtered").path
    assert path is not None  # noqa: S101 - asked for
    found: list[float] = []
    for last in checks:
        first = last - WEEKS
        settled = max(first - world.lag, 0)
        start = split(path[:, settled - 1]) if settled else None
        now = evaluate(known.blocks, world.cells(settled, first, first), start=start).now[0]
        found.append(known.tail(world.cells(first, last, last), now, np.random.default_rng(SEED)))
    return found


def tails_if_not(world: World, candidates: Draws, checks: Sequence[int]) -> list[float]:
    """Check it with the package's own function, where only the evidence says which of the draws is the true one."""
    anchor = Anchor(world.space, PRIOR, lambda: candidates)
    found: list[float] = []
    with mock.patch.multiple(alarm, **SMALL):
        for last in checks:
            first = last - WEEKS
            before = _posterior(anchor, compile_evidence(world.space, world.entries(), world.day(first)))
            found.append(tail_of(before, world.cells(first, last, last), np.random.default_rng(SEED))[2])
    return found


def _posterior(anchor: Anchor, evidence: Evidence) -> Posterior:
    """Weight the draws by their likelihood: they are all there can be, so there is no tail to smooth."""
    evaluation = evaluate(anchor.blocks, evidence.cells)
    weights = np.exp(evaluation.log_likelihood - evaluation.log_likelihood.max())
    return Posterior(anchor.space, evidence, anchor, evaluation, Weights(weights / weights.sum(), None))


# Contradictions.


def tenth(rates: Floats, _space: StateSpace) -> Floats:
    """Everything happens a tenth as often."""
    return rates / 10


def tenfold(rates: Floats, _space: StateSpace) -> Floats:
    """Everything happens ten times as often."""
    return rates * 10


def rain(rates: Floats, space: StateSpace) -> Floats:
    """Let happen, in all states of relations, what happens in confrontation too."""
    states = space.spec.stages["relations"].states
    own = sum(row.stage == "relations" for row in space.spec.indicators.values())
    if rates.shape != (len(states), own):
        return rates
    return np.maximum(rates, rates[states.index("confrontation")])


def noise(rates: Floats, _space: StateSpace) -> Floats:
    """States make no difference: each indicator is as likely as any other."""
    return np.full_like(rates, rates.mean())


class Broken(NamedTuple):
    """A way in which the model is wrong from some week on."""

    label: str
    bend: Bend
    hold: tuple[str, str] | None = None


CONTRADICTIONS = (
    Broken("none: the model is right", as_it_is),
    Broken(
        "relations are in cooperation and seen to be, and indicators of confrontation rain", rain,
        ("relations", "cooperation"),
    ),
    Broken("the model's base rates are ten times too high", tenth),
    Broken("the model's base rates are ten times too low", tenfold),
    Broken("indicators do not depend on the states, and all are equally frequent", noise),
)  # fmt: skip


# Counting.


def runs(tails: Floats, limits: Floats) -> Ints:
    """(W, limits) how many runs of checks under each limit there are in each world; ``tails`` (W, checks)."""
    under = tails[:, :, None] < limits
    begins = under.copy()
    begins[:, 1:] &= ~under[:, :-1]
    return begins.sum(axis=1)


def mean_and_error(counts: Ints) -> tuple[Floats, Floats]:
    """Mean over worlds, and its standard error."""
    return counts.mean(axis=0), counts.std(axis=0, ddof=1) / math.sqrt(len(counts))


def pick(draws: Draws, k: int) -> Draws:
    """Give one draw."""
    return Draws(*(part[k : k + 1] for part in draws))


def prior_draws(space: StateSpace) -> Draws:
    """Draw from the model's own prior."""
    with tempfile.TemporaryDirectory() as folder:
        evidence = compile_evidence(space, [], space.spec.model.start)
        return Model(space.spec).prior(1, Path(folder), evidence).blocks.draws


def last_weeks() -> range:
    """Give the weeks at the ends of which the alarm is checked."""
    return range(WEEKS + 1, WEEKS + 1 + CHECKS)


def known_job(task: tuple[int, str, Draws]) -> list[float]:
    """Two years of one world, with the parameters known."""
    seed, kind, draw = task
    world = simulate_world(np.random.default_rng(seed), reference(), draw, kind, last_weeks()[-1])
    return tails_if_known(world, last_weeks())


def uncertain_job(task: tuple[int, str, Draws]) -> list[float]:
    """Two years of one world, whose parameters are one of many draws."""
    seed, kind, draws = task
    rng = np.random.default_rng(seed)
    world = simulate_world(rng, reference(), pick(draws, int(rng.integers(draws.size))), kind, last_weeks()[-1])
    return tails_if_not(world, draws, last_weeks())


def broken_job(task: tuple[int, str, Draws, int]) -> list[float]:
    """Weeks after the onset of a contradiction."""
    seed, kind, draw, which = task
    broken = CONTRADICTIONS[which]
    rng = np.random.default_rng(seed)
    world = simulate_world(
        rng, reference(), draw, kind, ONSET + WEEKS, bend=broken.bend, onset=ONSET, hold=broken.hold
    )  # fmt: skip
    return tails_if_known(world, range(ONSET + 1, ONSET + WEEKS + 1))


def main() -> None:
    """Simulate, count, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the worlds, for a quick look")
    share = parser.parse_args().share
    draws = prior_draws(reference())
    rng = np.random.default_rng(SEED)
    sizes = [max(2, round(share * size)) for size in (*WORLDS, UNCERTAIN, BROKEN)]
    order = iter(rng.permutation(draws.size))
    known, uncertain, broken = {}, {}, {}
    with ProcessPoolExecutor() as pool:
        for which, kind in enumerate(KINDS):
            tasks = [(1000 * which + k, kind, pick(draws, next(order))) for k in range(sizes[which])]
            known[kind] = np.array(list(pool.map(known_job, tasks)))
        for which, kind in enumerate(KINDS):
            some = Draws(*(part[rng.choice(draws.size, CANDIDATES, replace=False)] for part in draws))
            tasks = [(5000 + 1000 * which + k, kind, some) for k in range(sizes[2])]
            uncertain[kind] = np.array(list(pool.map(uncertain_job, tasks)))
        for which, kind in enumerate(KINDS):
            for n in range(len(CONTRADICTIONS)):
                jobs = [(9000 + 1000 * which + k, kind, pick(draws, k), n) for k in range(sizes[3])]
                broken[kind, n] = np.array(list(pool.map(broken_job, jobs)))
    (HERE / "alarm.md").write_text(text(known, uncertain, broken), encoding="utf-8")


def crossing(means: Floats) -> float:
    """Give the limit at which the expected number of false alarms first reaches 1."""
    k = int(np.argmax(means >= 1))
    if means[k] < 1:
        return float(LIMITS[-1])
    below = means[k - 1] if k else 0.0
    left = LIMITS[k - 1] if k else 0.0
    return float(left + (LIMITS[k] - left) * (1 - below) / (means[k] - below))


def text(
    known: dict[str, Floats], uncertain: dict[str, Floats], broken: dict[tuple[str, int], Floats]
) -> str:  # fmt: skip
    """Write the document."""
    curves = {kind: mean_and_error(runs(tails, LIMITS)) for kind, tails in known.items()}
    others = {kind: mean_and_error(runs(tails, LIMITS)) for kind, tails in uncertain.items()}
    found = {kind: crossing(curve[0]) for kind, curve in curves.items()}
    boot = np.random.default_rng(SEED)
    errors = {
        kind: np.std([
            crossing(runs(tails[boot.integers(len(tails), size=len(tails))], LIMITS).mean(axis=0)) for _ in range(200)
        ])
        for kind, tails in known.items()
    }  # fmt: skip
    worse = min(found, key=found.__getitem__)
    limit = float(f"{found[worse]:.2g}")
    if limit != alarm.LIMIT:
        print(f"forecast.answers.alarm.LIMIT is {alarm.LIMIT:g} and should be {limit:g}")
    at = int(np.argmin(np.abs(LIMITS - limit)))
    rows = [
        f"| {LIMITS[k]:g} | " + " | ".join(
            f"{curve[kind][0][k]:.2f} ± {curve[kind][1][k]:.2f}" for curve in (curves, others) for kind in KINDS
        ) + " |"
        for k in sorted({*(round(2000 * limit) - 1 for limit in SHOWN), at})
    ]  # fmt: skip
    power: list[str] = []
    for n, wrong in enumerate(CONTRADICTIONS):
        cells: list[str] = []
        for kind in KINDS:
            under = broken[kind, n] < limit
            for rings in (under[:, WEEKS // 2 - 1 : WEEKS // 2].any(axis=1), under[:, -1], under.any(axis=1)):
                p = rings.mean()
                cells.append(f"{p:.0%} ± {math.sqrt(p * (1 - p) / rings.size):.0%}")
        power.append(f"| {wrong.label} | " + " | ".join(cells) + " |")
    rate = sum(told_a_week().values())
    worlds = " and ".join(str(len(known[kind])) for kind in KINDS)
    heads = [f"{kind}, {when}" for kind in KINDS for when in (f"at {WEEKS // 2}", f"at {WEEKS}", "at any")]
    kinds = " | ".join(KINDS)
    limits = ", ".join(f"{found[kind]:.4f} ± {errors[kind]:.4f} ({kind})" for kind in KINDS)
    return f"""\
# The limit of the conflict alarm

Written by `python docs/alarm.py`, which takes some eight minutes on two processors.

The alarm rings where the tail, the probability that the model gives to weeks as surprising as the last {WEEKS}, falls
below a limit. Even if the model is right that happens now and then. The limit is such that it happens once in two years
of weekly checks. Checks that follow each other share most of their weeks, so alarms come in runs: consecutive checks
under the limit count as one alarm.

## Where the model is right

Worlds are drawn from the reference model: parameters from the prior, a hidden path, and reports of it in two ways.

- *{COVERED_WORLD}*: every indicator is watched every day; sightings are graded, and false ones occur, as the
  likelihood says. As in the model, coverage counts after {reference().spec.model.reporting_lag_days} days; until then a
  sighting is a row that somebody told.
- *{TOLD_WORLD}*: {rate:.2f} rows a week, as in the article's data, spread over the stages as there; which indicator a
  row tells of depends on the state.

In both, a deal is on record while it is in force. The alarm is checked at the end of each of {CHECKS} weeks, the first
time after {WEEKS + 1}. *Known*: the true parameters are known, in {worlds} worlds. *Learned*: they are one of
{CANDIDATES} draws from the prior, and the reports have to tell which, in {len(uncertain[worse])} worlds of each kind;
there the predictive distribution is made of {SMALL["DRAWS"]} draws and {SMALL["FUTURES"]} futures, so it is coarser.

False alarms in two years, with standard errors over worlds:

| limit | known: {kinds.replace("| ", "| known: ")} | learned: {kinds.replace("| ", "| learned: ")} |
| --- | --- | --- | --- | --- |
{chr(10).join(rows)}

With the parameters known, one false alarm in two years is expected at a limit of
{limits}.
The worse of the two is *{worse}*. **The limit is {limit:g}.**

## Where it is wrong

Other worlds, {len(broken[worse, 0])} of each kind, go wrong after {ONSET} weeks; the parameters before that are known.
How often the alarm rings at the check {WEEKS // 2} weeks later, at the check {WEEKS} weeks later, when the wrong weeks
fill its window, and at any of the {WEEKS} checks until then:

| what is wrong | {" | ".join(heads)} |
| --- | --- | --- | --- | --- | --- | --- |
{chr(10).join(power)}

What the alarm cannot notice:

- The score is a probability, and that nothing is seen is the most probable of all reports. A world that is quieter than
  the model scores well and never rings.
- Where reports are told selectively, nobody can say how often something should have been told. Rates that are wrong
  alike for all indicators leave no trace there.
- So few rows say little: told selectively, even gross contradictions seldom ring within eight weeks. Silence of the
  alarm is no proof that the model is right.
"""


if __name__ == "__main__":
    main()
