"""Counts to come: what each would teach equals the sum over every count and state; what is expected, and how wide."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from counts import CountedWorld, count_table, counted_world
from worlds import SEEDS, compile_rows

from forecast.answers.sightings import expect_sightings
from forecast.answers.target import Question
from forecast.answers.watch import BEYOND, WatchList, watch_list
from forecast.answers.what_if import supposed_rows
from forecast.engine.arrays import steps_between
from forecast.engine.blocks import Draws
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import Weights
from forecast.engine.predictive import FINE, count_densities, count_grid
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.ledger.rows import Count, Entry, with_id
from forecast.quantities.from_draws import possible
from forecast.report.sections.watch import watched_channels_table

SHARE = (0.3, 0.7)
SHIFTS = (0, 2, 5)  # days by which the weeks of machines lie behind those of the model


@cache
def world(seed: int, shift: int = 0, volume: float = 1.0) -> CountedWorld:
    """Give a counted world whose weeks begin on another day and whose volumes are ``volume`` times as large."""
    found = counted_world(seed)
    days = dt.timedelta(days=shift)
    counts = tuple(
        with_id(replace(row, id="", from_=row.from_ + days, to=row.to + days, exposure=row.exposure * volume,
                        reported_on=row.reported_on + days))
        for row in found.counts if row.to + days <= found.world.as_of
    )  # fmt: skip
    evidence = compile_rows(found.space, [*found.world.rows, *found.world.coverage, *counts], found.world.as_of)
    return replace(found, counts=counts, evidence=evidence)


def uncounted(found: CountedWorld) -> CountedWorld:
    """Give the same world in which no machine has counted."""
    evidence = compile_rows(found.space, [*found.world.rows, *found.world.coverage], found.world.as_of)
    return replace(found, counts=(), evidence=evidence)


def entries(found: CountedWorld) -> tuple[Entry, ...]:
    """All rows of a world."""
    return (*found.world.rows, *found.world.coverage, *found.counts)


def posterior(found: CountedWorld) -> Posterior:
    """Give its first two draws unequal weights."""
    draws = Draws(*(part[:2] for part in found.draws))
    anchor = Anchor(found.space, PRIOR, lambda: draws)
    evaluation = possible(found.space, found.evidence, evaluate(anchor.blocks, found.evidence.cells))
    weights = np.array(SHARE) * np.isfinite(evaluation.log_likelihood)
    return Posterior(found.space, found.evidence, anchor, evaluation, Weights(weights / weights.sum(), None))


def watched(found: CountedWorld, outcome: str, horizon: int) -> WatchList:
    """Ask for the watch-list."""
    question = Question(found.space, outcome, horizon, found.world.as_of)
    return watch_list(question, posterior(found), entries(found), 1)


def information(table: np.ndarray) -> float:
    """Mutual information of a table of probabilities, in bits."""
    independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    some = (table > 0) & (independent > 0)
    return float((table[some] * np.log2(table[some] / independent[some])).sum())


@pytest.mark.parametrize("volume", [1.0, 400.0])
@pytest.mark.parametrize("shift", SHIFTS)
@pytest.mark.parametrize("seed", SEEDS[1::5])
def test_what_a_count_teaches_is_the_sum_over_every_count(seed: int, shift: int, volume: float) -> None:
    """Chance of each count, forecast under a quiet and a loud one, and the information equal brute force."""
    found, outcome, horizon = world(seed, shift, volume), ("outcome", "condition")[seed % 2], 3
    alive = posterior(found).weights.values
    listed = watched(found, outcome, horizon)
    assert {row.channel for row in listed.channels} == {row.channel for row in found.counts}
    assert [row.gain for row in listed.channels] == sorted((row.gain for row in listed.channels), reverse=True)
    for row in listed.channels:
        usual = sorted((one for one in found.counts if one.channel == row.channel), key=lambda one: one.from_)[-8:]
        assert row.exposure == np.median([one.exposure for one in usual])
        assert found.world.as_of < row.first <= found.world.as_of + dt.timedelta(days=7)
        assert (row.first - usual[-1].from_).days % 7 == 0
        assert row.last == row.first + dt.timedelta(days=6)
        week = replace(usual[-1], from_=row.first, to=row.last, exposure=row.exposure)
        table = count_table(found, alive, week, Question(found.space, outcome, horizon, found.world.as_of))
        assert table.sum() == pytest.approx(1.0, abs=2e-5)
        chance = table.sum(axis=1)
        assert row.gain == pytest.approx(information(table), rel=1e-3, abs=1e-6)
        assert row.expected == pytest.approx(chance @ np.arange(chance.size), rel=1e-3)
        for level, count, then in ((0.05, row.quiet, row.if_quiet), (0.95, row.loud, row.if_loud)):
            exact = int(np.searchsorted(np.cumsum(chance), level))
            assert count == exact if exact < FINE else count == pytest.approx(exact, rel=2e-3, abs=1)
            assert then == pytest.approx(table[count, 1] / chance[count], abs=1e-7)


def test_worlds_are_of_all_kinds() -> None:
    """Counts of the test above tell something, of small and of large numbers, from the middle of a step as well."""
    lists = [watched(world(seed, 0, volume), "outcome", 3) for seed in SEEDS[1::5] for volume in (1.0, 400.0)]
    rows = [row for one in lists for row in one.channels]
    assert sum(row.gain > 0.003 for row in rows) >= 5
    assert sum(row.loud < FINE for row in rows) >= 5
    assert sum(row.loud > 20 * FINE for row in rows) >= 5
    assert len({(world(seed).world.as_of - world(seed).space.spec.model.start).days % 7 for seed in SEEDS[1::5]}) >= 3


def test_a_count_to_come_is_the_one_that_can_be_supposed() -> None:
    """What a loud week would do is what a supposed count of that size, week and volume does to the draws."""
    found, as_of = world(SEEDS[1], 5), world(SEEDS[1]).world.as_of
    one, question = posterior(found), Question(found.space, "outcome", 3, as_of)
    for row in watched(found, "outcome", 3).channels:
        text = f"{row.channel}={row.loud}/{row.exposure}@{row.last}"
        supposed = supposed_rows(found.space, as_of, [text], {}, on=None, grade="A1", entries=entries(found))
        ahead = compile_evidence(found.space, (), as_of, supposed)
        cells = steps_between(ahead.cells, found.evidence.steps, ahead.steps)
        after = evaluate(one.anchor.blocks, cells, start=one.evaluation.states)
        weights = one.weights.values * np.exp(after.log_likelihood)
        then = question.read(one.anchor.blocks, after.states, ahead.until)[0]
        assert then @ weights / weights.sum() == pytest.approx(row.if_loud, abs=1e-9)


def test_a_channel_that_was_never_counted_changes_nothing() -> None:
    """Without a delivery neither list nor sightings tell of channels: the same bytes as those of no channel."""
    found = world(SEEDS[1])
    silent = uncounted(found)
    listed = watched(silent, "outcome", 3)
    sightings = expect_sightings(posterior(silent), entries(silent), 2)
    assert listed.channels == sightings.channels == ()
    for one in (listed, sightings):
        assert "channels" not in one.to_dict()
        assert not any("count" in line for line in one.sentences)
    assert list(sightings.to_frame().columns) == ["indicator", "week", "expected", "chance"]
    first = found.counts[0]
    late = with_id(replace(first, id="", reported_on=found.world.as_of + dt.timedelta(days=1)))
    question = Question(found.space, "outcome", 3, found.world.as_of)
    assert watch_list(question, posterior(silent), (late,), 1).channels == ()


def test_a_week_behind_the_day_that_is_asked_about_is_left_out() -> None:
    """Of a horizon of one week a full week to come tells only if it ends by then."""
    for seed in SEEDS[1::5]:
        found = world(seed, 0)
        listed = watched(found, "outcome", 1)
        beyond = (found.world.as_of - found.space.spec.model.start).days % 7 != 6
        names = {row.channel for row in found.counts}
        assert {name for name, why in listed.left_out if why == BEYOND} == (names if beyond else set())
        assert {row.channel for row in listed.channels} == (set() if beyond else names)


def test_the_error_of_what_a_count_teaches_is_that_of_its_draws() -> None:
    """It is the slope of the numbers in the weights of the draws, by differences."""
    found = world(SEEDS[1])
    one, step = posterior(found), 1e-5
    question = Question(found.space, "outcome", 3, found.world.as_of)
    names = ("gain", "if_quiet", "if_loud")

    def numbers(share: float) -> dict[tuple[str, str], float]:
        moved = replace(one, weights=replace(one.weights, values=np.array([share, 1 - share])))
        rows = watch_list(question, moved, entries(found), 1).channels
        return {(row.channel, name): getattr(row, name) for row in rows for name in names}

    share = one.weights.values[0]
    up, down = numbers(share + step), numbers(share - step)
    spread = share * (1 - share) * np.sqrt(2) / np.sqrt(one.anchor.efficiency)
    checked = 0
    for row in watched(found, "outcome", 3).channels:
        for name in names:
            slope = (up[row.channel, name] - down[row.channel, name]) / (2 * step)
            assert getattr(row, f"{name}_mcse") == pytest.approx(abs(slope) * spread, rel=2e-3, abs=1e-9)
            checked += abs(slope) * spread > 1e-4
    assert checked >= 3


def test_counts_to_come_are_those_of_every_count() -> None:
    """Sightings have mean and 90 % interval of the next week, in numbers, table, frame and JSON."""
    found = world(SEEDS[1])
    sightings = expect_sightings(posterior(found), entries(found), 2)
    listed = {row.channel: row for row in watched(found, "outcome", 3).channels}
    frame, content = sightings.to_frame(), sightings.to_dict()
    question = Question(found.space, "outcome", 3, found.world.as_of)
    assert {row.channel for row in sightings.channels} == set(listed)
    for row in sightings.channels:
        of = listed[row.channel]
        assert (row.expected.mean, row.expected.low, row.expected.high) == (of.expected, of.quiet, of.loud)
        assert (row.first, row.last, row.exposure) == (of.first, of.last, of.exposure)
        week = replace(found.counts[0], channel=row.channel, from_=row.first, to=row.last, exposure=row.exposure)
        chance = count_table(found, posterior(found).weights.values, week, question).sum(axis=1)
        assert row.expected.any == pytest.approx(1 - chance[0], abs=1e-9)
        assert row.expected.median == np.searchsorted(np.cumsum(chance), 0.5)
        (line,) = frame[frame.indicator == row.channel].itertuples()
        assert (line.expected, line.low, line.high) == (row.expected.mean, row.expected.low, row.expected.high)
        assert content["channels"][row.channel]["mean"] == row.expected.mean
        assert any(row.label in cells[0] for cells in sightings._shown_table().rows)
        assert any(f"“{row.label}”" in line for line in sightings.sentences)


def test_a_channel_is_said_and_shown() -> None:
    """Sentences and the table of reports have its week, what is expected, and what that would do."""
    listed = watched(world(SEEDS[1]), "outcome", 3)
    first = listed.channels[0]
    assert any(f"{first.quiet:,} to {first.loud:,} are to be expected" in line for line in listed.sentences)
    table = watched_channels_table({"watch": listed.to_dict()})
    assert [row[0] for row in table.rows] == [row.label for row in listed.channels]
    assert table.rows[0][2] == f"{first.quiet:,} to {first.loud:,}"


def test_the_grid_leaves_no_count_out_and_none_twice() -> None:
    """Bins follow each other, and small counts stand for themselves."""
    bins = [pair for _, chunk in zip(range(12), count_grid(), strict=False) for pair in zip(*chunk, strict=True)]
    assert bins[0] == (0.0, 1.0)
    assert all(first + width == following for (first, width), (following, _) in pairwise(bins))
    assert all(width == 1 for first, width in bins if first < 2 * FINE)
    assert all(width <= first / FINE for first, width in bins if first >= 2 * FINE)


def test_densities_of_many_draws_are_those_of_scipy() -> None:
    """More draws than a block holds, small and large dispersion; the sums are those under the weights."""
    from scipy.stats import nbinom  # noqa: PLC0415 - an oracle

    rng = np.random.default_rng(1)
    mean, size = rng.gamma(1.0, 40.0, (150, 2)), rng.gamma(0.5, 20.0, 150) + 0.05
    weights, counts = rng.random((3, 150, 2)), np.array([0.0, 1.0, 7.0, 500.0])
    found, sums = count_densities(counts, mean, size, weights)
    n = size[:, None, None]
    expected = nbinom.pmf(counts, n, n / (n + mean[:, :, None]))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    np.testing.assert_allclose(sums, np.einsum("wsg,sgn->wn", weights, expected), rtol=1e-9)


def test_volumes_are_those_of_the_last_weeks() -> None:
    """A volume of long ago moves nothing: the median is over the last eight."""
    found = world(SEEDS[1])
    name = found.counts[0].channel
    old = [
        Count(channel=name, from_=day, to=day + dt.timedelta(days=6), count=1, exposure=1e6, reported_on=day,
              source="a machine")
        for day in (found.space.spec.model.start - dt.timedelta(weeks=k) for k in range(1, 20))
    ]  # fmt: skip
    question = Question(found.space, "outcome", 3, found.world.as_of)
    many = [row for row in found.counts if row.channel == name]
    rows = watch_list(question, posterior(found), (*map(with_id, old), *entries(found)), 1).channels
    (row,) = (row for row in rows if row.channel == name)
    recent = [one.exposure for one in sorted([*old, *many], key=lambda one: one.from_)[-8:]]
    assert row.exposure == np.median(recent)
