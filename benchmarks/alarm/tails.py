"""How rare the alarm finds the last weeks of a world: with its parameters known, or with draws they may be one of."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from forecast.answers import alarm
from forecast.answers.alarm import FUTURES, SAME, SEED, WEEKS, tail_of
from forecast.engine.arrays import ASSESSMENT, COVERED, SELECTIVE
from forecast.engine.blocks import Blocks, split
from forecast.engine.filtering import evaluate
from forecast.engine.gradient import transition_tables
from forecast.engine.pareto import Weights
from forecast.engine.simulate import REPORT_MIX, choose, simulate_paths
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.alarm.worlds import World
    from forecast.engine.arrays import Cells, Floats, Ints
    from forecast.engine.blocks import Draws
    from forecast.evidence.compilation import Evidence
    from forecast.theory.statespace import StateSpace

SMALL = {"DRAWS": 64, "FUTURES": 250}  # fewer than the package's, for the same


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
        rates = np.zeros((cells.available.shape[1], self.chain.sizes[stage]))
        for s in range(self.chain.sizes[stage]):
            rates[told, s] = self.rate[self.chain.emission_offset[told] + s]
        return w * rates / rates.sum(axis=0) + (1 - w) * cells.false[group][:, None]

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
            found.append(tail_of(before, world.cells(first, last, last), np.random.default_rng(SEED))[2].mean)
    return found


def _posterior(anchor: Anchor, evidence: Evidence) -> Posterior:
    """Weight the draws by their likelihood: they are all there can be, so there is no tail to smooth."""
    evaluation = evaluate(anchor.blocks, evidence.cells)
    weights = np.exp(evaluation.log_likelihood - evaluation.log_likelihood.max())
    return Posterior(anchor.space, evidence, anchor, evaluation, Weights(weights / weights.sum(), None))
