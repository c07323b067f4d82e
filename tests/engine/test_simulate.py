"""Simulated paths and reports occur as often as transition tables and likelihood cells say."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from scipy import stats
from worlds import SEEDS, World, small_world

from forecast.engine.arrays import ASSESSMENT, COVERED, OBSERVABLE, SELECTIVE, Cells
from forecast.engine.simulate import REPORT_MIX, simulate_counts, simulate_paths, simulate_reports, simulate_start
from forecast.theory.statespace import chain_of

TIMES = 1500
CHOSEN = (0, 5, 9, 23, 31, 34)


def draws_of(world: World, times: int) -> list[np.ndarray]:
    """Repeat the first draw of a world."""
    return [np.repeat(part[:1], times, axis=0) for part in world.draws]


def reports_of(rng: np.random.Generator, world: World, cells: Cells, *draws: np.ndarray) -> np.ndarray:
    """(S, N) reports from the start of the model on."""
    log_rate, log_lambda, start = draws
    chain = chain_of(world.space)
    return simulate_reports(rng, chain, cells, log_rate, log_lambda, simulate_start(rng, chain, start))


def joint(world: World, states: np.ndarray) -> np.ndarray:
    """Give the numbers of the joint states of paths (…, L)."""
    return np.ravel_multi_index(tuple(np.moveaxis(states, -1, 0)), tuple(world.space.sizes))


def assert_frequencies(counts: np.ndarray, probabilities: np.ndarray, tests: int, what: str) -> None:
    """Compare counts of a multinomial with its probabilities: two-sided, false alarm 10⁻⁶ over all ``tests`` counts."""
    total = counts.sum()
    assert probabilities.sum() == pytest.approx(1, abs=1e-9)
    for count, p in zip(counts, probabilities, strict=True):
        tail = 0.5e-6 / tests
        low, high = stats.binom.ppf(tail, total, min(p, 1)), stats.binom.isf(tail, total, min(p, 1))
        assert low <= count <= high, f"{what}: {count} of {total}, expected {p * total:.1f}"


@pytest.mark.parametrize("seed", CHOSEN)
def test_paths_follow_the_chain(seed: int, rng: np.random.Generator) -> None:
    """The states at the end of the last step are as frequent as the chain says (false alarm below 10⁻⁶ a world)."""
    world = small_world(seed)
    years = world.evidence.cells.years
    log_rate, _, start = draws_of(world, TIMES)
    chain = chain_of(world.space)
    paths = simulate_paths(rng, chain, years, log_rate, simulate_start(rng, chain, start))
    assert paths.shape == (TIMES, years.size, len(world.space.stages))
    expected = oracle.initial(world.spec, world.parameters[0])
    for days in oracle.steps(world.spec, world.as_of):
        expected = expected @ oracle.transition_matrix(world.spec, world.parameters[0], days)
    counts = np.bincount(joint(world, paths[:, -1]), minlength=world.space.size)
    assert_frequencies(counts, expected, world.space.size, "last step")


def marginals(world: World) -> np.ndarray:
    """(T, K) probability of each joint state at the end of each step before any evidence."""
    now, rows = oracle.initial(world.spec, world.parameters[0]), []
    for days in oracle.steps(world.spec, world.as_of):
        now = now @ oracle.transition_matrix(world.spec, world.parameters[0], days)
        rows.append(now)
    return np.array(rows)


def report_probabilities(world: World, k: int) -> dict[float, np.ndarray]:
    """List what cell ``k`` can hold, with its probability in each state of the stage, by the oracle."""
    cells, space, p = world.evidence.cells, world.space, world.parameters[0]
    _, kind, stage, indicator, group = (int(n) for n in cells.what[k])
    name = space.stages[stage]
    w = float(cells.value[k, 0])
    if kind == COVERED:
        days = round(cells.value[k, 1] * 365.25)
        reports = oracle.enumerate_reports(
            world.spec, p, oracle.Covered(0, name, space.indicators[indicator], days, ()), REPORT_MIX
        )
        return {report.w: np.array(list(report.probability.values())) for report in reports}
    if kind == SELECTIVE:
        among = tuple(np.array(space.indicators)[cells.available[group] == 1].tolist())
        reports = oracle.enumerate_reports(world.spec, p, oracle.Selective(0, name, among[0], among, w), {w: 1.0})
        position = space.indicators.index
        return {float(position(str(r.indicator))): np.array(list(r.probability.values())) for r in reports}
    if kind == ASSESSMENT:
        first, last = space.stage_offset[stage : stage + 2]
        states = space.phase_state[first:last]
        return {float(s): np.where(states == s, w, (1 - w) / states.max()) for s in range(states.max() + 1)}
    inside = space.in_phases(stage, space.observable(stage)).astype(float)
    return {0.0: 1 - inside, 1.0: inside}


@pytest.mark.parametrize("seed", CHOSEN)
def test_reports_follow_the_cells(seed: int, rng: np.random.Generator) -> None:
    """Every cell's reports are as frequent as its likelihood says (false alarm below 10⁻⁶ a world)."""
    world = small_world(seed)
    cells = world.evidence.cells
    reports = reports_of(rng, world, cells, *draws_of(world, TIMES))
    by_step = marginals(world).reshape(-1, *world.space.sizes)
    for k, (step, _, stage, *_) in enumerate(cells.what):
        axes = tuple(axis for axis in range(len(world.space.sizes)) if axis != stage)
        of_state = by_step[step].sum(axis=axes)
        possible = {value: float(of_state @ row) for value, row in report_probabilities(world, k).items()}
        counts = np.array([(reports[:, k] == value).sum() for value in possible])
        assert counts.sum() == TIMES, f"{world.evidence.cell_names[k]}: {set(reports[:, k]) - set(possible)}"
        tests = cells.observed.size * len(possible)
        assert_frequencies(counts, np.array(list(possible.values())), tests, world.evidence.cell_names[k])


def test_chosen_worlds_have_every_kind_of_cell() -> None:
    """The worlds simulated above have cells of each kind, and covered cells in which false reports arise."""
    kinds = set().union(*(set(small_world(seed).evidence.cells.what[:, 1].tolist()) for seed in CHOSEN))
    assert kinds == {COVERED, SELECTIVE, ASSESSMENT, OBSERVABLE}


def test_what_was_observed_is_not_read(rng: np.random.Generator) -> None:
    """Reports do not depend on those that were observed."""
    world = small_world(SEEDS[9])
    cells = world.evidence.cells
    blank: Cells = cells._replace(observed=np.full_like(cells.observed, np.nan))
    state = rng.bit_generator.state
    first = reports_of(rng, world, cells, *draws_of(world, 5))
    rng.bit_generator.state = state
    np.testing.assert_array_equal(first, reports_of(rng, world, blank, *draws_of(world, 5)))


def test_reports_of_one_cell_and_step_share_the_hidden_path(rng: np.random.Generator) -> None:
    """If nothing can move, the observable set is on record in all steps or in none, as often as the start says."""
    world = small_world(9)
    cells = world.evidence.cells
    log_rate, log_lambda, start = draws_of(world, 300)
    record = np.flatnonzero(cells.what[:, 1] == OBSERVABLE)
    frozen = np.full_like(log_rate, -800.0)
    stage = int(cells.what[record[0], 2])
    inside = world.space.observable(stage)
    mixed = start.copy()
    first, last = world.space.stage_offset[stage : stage + 2]
    mixed[:, first:last] = 1 / inside.size
    reports = reports_of(rng, world, cells, frozen, log_lambda, mixed)[:, record]
    assert (reports == reports[:, :1]).all()
    # two-sided, false alarm 10⁻⁶
    low, high = (stats.binom.ppf(q, 300, inside.mean()) for q in (5e-7, 1 - 5e-7))
    assert low <= reports[:, 0].sum() <= high


def test_counts_are_as_many_as_rates_and_states_say(rng: np.random.Generator) -> None:
    """The mean count of each indicator in each step is its rate in the states (within 6 standard errors)."""
    world = small_world(9)
    space, chain = world.space, chain_of(world.space)
    years = np.array([0.3, 0.02, 1.1])
    log_rate, log_lambda, start = draws_of(world, 4000)
    path = simulate_paths(rng, chain, years, log_rate, simulate_start(rng, chain, start))
    counts = simulate_counts(rng, chain, space.indicator_stage, years, log_lambda, path)
    assert counts.shape == (4000, 3, len(space.indicators))
    for k, stage in enumerate(space.indicator_stage):
        rate = np.exp(log_lambda[0, space.emission_offset[k] :])[path[:, :, stage]] * years
        error = np.sqrt(rate.sum(axis=0)) + 1e-9
        assert (np.abs(counts[:, :, k].sum(axis=0) - rate.sum(axis=0)) < 6 * error).all()


def test_rates_beyond_counting_are_counted(rng: np.random.Generator) -> None:
    """A prior may draw a rate that no sampler can count; it gives very many."""
    world = small_world(3)
    space, chain = world.space, chain_of(world.space)
    log_rate, log_lambda, start = draws_of(world, 5)
    years = np.full(3, 7 / 365.25)
    path = simulate_paths(rng, chain, years, log_rate, simulate_start(rng, chain, start))
    counts = simulate_counts(rng, chain, space.indicator_stage, years, np.full_like(log_lambda, 80.0), path)
    assert counts.min() > 1e6
