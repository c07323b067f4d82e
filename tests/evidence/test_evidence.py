"""Rows become cells by the rules of docs/method.md, whatever their order and history."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from typing import TYPE_CHECKING

import numpy as np
import oracle
import oracle_cells
import pytest
from kernels import filter_draws
from worlds import SEEDS, World, compile_rows, credibility_of, small_world

from forecast.base.errors import InputError
from forecast.engine import arrays, emissions
from forecast.engine.arrays import ASSESSMENT, COVERED, OBSERVABLE, SELECTIVE, Cells
from forecast.evidence.compilation import Evidence, compile_evidence
from forecast.evidence.grid import step_days
from forecast.evidence.hypothetical import closed_one_offs, imagined_silence
from forecast.ledger.rows import Coverage, Observation
from forecast.ledger.sqlite import SqliteLedger
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.engine.blocks import Draws
    from forecast.ledger.rows import Entry

NOW = dt.datetime(2026, 1, 8, 12, 30, tzinfo=dt.UTC)
MIX = {0.96: 0.2, 0.8: 0.5, 0.6: 0.3}


def entries(world: World) -> list[Observation | Coverage]:
    """All rows of a world."""
    return [*world.rows, *world.coverage]


def engine_emissions(world: World, cells: Cells, draws: Draws, k: int) -> np.ndarray:
    """(T, K) likelihood of each joint state under the engine's cells; its scale differs from step to step."""
    emission, scale = stage_emissions(world, cells, draws, k)
    del scale
    joint = np.ones((emission.shape[0], world.space.size))
    for z, states in enumerate(np.ndindex(*world.space.sizes)):
        for stage, s in enumerate(states):
            joint[:, z] *= emission[:, world.space.stage_offset[stage] + s]
    return joint


def stage_emissions(world: World, cells: Cells, draws: Draws, k: int) -> tuple[np.ndarray, float]:
    """(T, Σn) likelihood of each state of each stage, and the logarithm of what was divided out of it."""
    chain = chain_of(world.space)
    rate = np.exp(draws.log_lambda[k])
    offset = arrays.stage_offsets(chain.sizes)
    sums = emissions.told_sums(chain, cells, rate)
    density = emissions.cell_densities(chain, cells, rate, sums, offset)
    emission, _, scale, _ = emissions.emissions(chain, cells, rate, density, offset)
    return emission, scale


def assert_same(one: Evidence, other: Evidence) -> None:
    """Two evidences agree in hash, arrays and names."""
    assert one.hash == other.hash
    for name, a, b in zip(Cells._fields, one.cells, other.cells, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
    assert (one.cell_names, one.rows, one.left_out) == (other.cell_names, other.rows, other.left_out)


# Against the oracle.


@pytest.mark.parametrize("seed", SEEDS)
def test_emissions_equal_the_oracle(seed: int) -> None:
    """The likelihood of each state in each step is, up to a constant of the step, that of the literal reading."""
    world = small_world(seed)
    for k, p in enumerate(world.parameters):
        expected = oracle.emissions(world.spec, p, world.rows, world.coverage, world.as_of, credibility_of)
        found = engine_emissions(world, world.evidence.cells, world.draws, k)
        possible = expected.max(axis=1, keepdims=True) > 0
        expected = np.where(possible, expected, 1)
        found = np.where(possible, found, 1)
        np.testing.assert_allclose(
            found / found.max(axis=1, keepdims=True), expected / expected.max(axis=1, keepdims=True), rtol=0, atol=1e-10
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_are_those_of_the_oracle(seed: int) -> None:
    """The engine has exactly the cells of the literal reading: step, kind, indicator, exposure and credibility."""
    world = small_world(seed)
    read = oracle.cells(world.spec, world.rows, world.coverage, world.as_of, credibility_of)
    expected = []
    for cell in (cell for here in read for cell in here):
        match cell:
            case oracle.Covered():
                w = 1 - math.prod(1 - v for v in cell.stories) if cell.stories else 0.0
                expected.append((cell.step, COVERED, cell.stage, cell.indicator, cell.days, round(w, 12)))
            case oracle.Selective():
                expected.append((cell.step, SELECTIVE, cell.stage, cell.indicator, sorted(cell.among), cell.w))
            case oracle.Assessment():
                w = max(cell.w, 1 / len(world.spec.stages[cell.stage].states))  # less than chance says nothing
                expected.append((cell.step, ASSESSMENT, cell.stage, cell.state, 0, w))
            case oracle.Record():
                inside = set(cell.allowed) == set(world.spec.stages[cell.stage].observable)
                expected.append((cell.step, OBSERVABLE, cell.stage, "", 0, float(inside)))
    found = [_read_back(world, k) for k in range(len(world.evidence.cell_names))]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))


def _read_back(world: World, k: int) -> tuple[object, ...]:
    cells, space = world.evidence.cells, world.space
    step, kind, stage, indicator, group = (int(n) for n in cells.what[k])
    (w, exposure, _), seen = cells.value[k].tolist(), float(cells.observed[k])
    name = space.stages[stage]
    if kind == COVERED:
        return step, kind, name, space.indicators[indicator], round(exposure * 365.25), round(seen, 12)
    if kind == SELECTIVE:
        among = sorted(np.array(space.indicators)[cells.available[group] == 1].tolist())
        return step, kind, name, space.indicators[int(seen)], among, w
    if kind == ASSESSMENT:
        return step, kind, name, space.states[stage][int(seen)], 0, w
    return step, kind, name, "", 0, seen


def test_worlds_touch_every_rule() -> None:
    """Every rule of the method is exercised by some of the random worlds, so agreement says something."""
    found: dict[str, int] = {}

    def count(feature: str, here: object) -> None:
        found[feature] = found.get(feature, 0) + bool(here)

    for seed in SEEDS:
        world = small_world(seed)
        cells, reasons = world.evidence.cells, " ".join(reason for _, reason in world.evidence.left_out)
        kind, seen = cells.what[:, 1], cells.observed
        spec, known = world.spec, [row for row in world.rows if row.reported_on <= world.as_of >= row.date]
        exposure = np.round(cells.value[:, 1] * 365.25)
        covered_rows = [len(rows) for rows, k in zip(world.evidence.rows, kind, strict=True) if k == COVERED]
        stories: dict[str, set[str | None]] = {}
        for row in known:
            if row.story:
                stories.setdefault(row.story, set()).add(row.indicator)
        count("covered and silent", ((kind == COVERED) & (seen == 0)).any())
        count("covered and seen with w < 1", ((kind == COVERED) & (seen > 0) & (seen < 1)).any())
        count("two stories in one covered cell", max(covered_rows, default=0) > 1)
        count("step covered in part", ((kind == COVERED) & (exposure < 7)).any())
        count("selective", (kind == SELECTIVE).any())
        count("some indicators watched while another was told", _partly_available(world))
        count("assessment", (kind == ASSESSMENT).any())
        count("record begins", ((kind == OBSERVABLE) & (seen == 1)).any())
        count("record ends", _record_ends(world))
        count("one-off that had happened", "one-off" in reasons)
        count("story counted once", "counts once" in reasons)
        count("story over several indicators", any(len(names) > 1 for names in stories.values()))
        count("distinct row of a story", any(row.distinct and row.story for row in known))
        count("unknown indicator", "no indicator" in reasons)
        count("unknown state", "no state" in reasons)
        count("before the start", "before the model's start" in reasons)
        count("not yet reported", any(row.reported_on > world.as_of >= row.date for row in world.rows))
        count("still to happen", any(row.date > world.as_of for row in world.rows))
        count("no credibility", any(credibility_of(row) == 0 for row in known))
        count("dated to a month", any(row.precision == "month" for row in known))
        count("last step in part", step_days(world.space, world.as_of)[-1] < 7)
        count("last step in full", step_days(world.space, world.as_of)[-1] == 7)
        count("three stages", len(world.space.stages) == 3)
        count(
            "effect on two conditions", any(len(e.when) > 1 for s in spec.stages.values() for e in s.effects.values())
        )
        count("start on some states only", any((world.space.start_weights(k) == 0).any() for k in range(2)))
        count("coverage reported late", any(row.reported_on > world.as_of for row in world.coverage))
        count("closed, opened and seen in one covered step", _reopened(world))
    assert {feature for feature, times in found.items() if times < 2} == set()
    assert len(found) == 27


def _partly_available(world: World) -> bool:
    cells = world.evidence.cells
    stage = world.space.indicator_stage
    return any(
        0 < cells.available[group].sum() < (stage == level).sum()
        for _, kind, level, _, group in cells.what
        if kind == SELECTIVE
    )


def _record_ends(world: World) -> bool:
    cells = world.evidence.cells
    return bool((np.diff(cells.observed[cells.what[:, 1] == OBSERVABLE]) < 0).any())


def _reopened(world: World) -> bool:
    read = (world.rows, world.coverage, world.as_of, credibility_of)
    for here in oracle.cells(world.spec, *read):
        for cell in here:
            if isinstance(cell, oracle.Covered) and cell.stories:
                began = world.spec.model.start + dt.timedelta(days=7 * cell.step)
                told = oracle_cells._count_stories(
                    world.spec,
                    oracle_cells._records(
                        world.spec,
                        oracle_cells._usable(world.spec, world.rows, world.as_of, credibility_of),
                        credibility_of,
                    )[1],
                    credibility_of,
                )
                if cell.indicator in oracle_cells._read(world.spec, [row for row in told if row.date < began])[1]:
                    return True
    return False


# Cells are probabilities.


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cell_sums_to_one(seed: int) -> None:
    """Over everything that could have been reported instead, the engine's likelihood of each state sums to one."""
    world = small_world(seed)
    cells = world.evidence.cells
    for k in range(cells.what.shape[0]):
        kind, stage = int(cells.what[k, 1]), int(cells.what[k, 2])
        states = slice(world.space.stage_offset[stage], world.space.stage_offset[stage + 1])
        total = np.zeros(world.space.sizes[stage])
        for observed, factor, expected in _alternatives(world, k):
            changed = _single(cells, k, observed)
            emission, scale = stage_emissions(world, changed, world.draws, 0)
            likelihood = factor * emission[0, states] * np.exp(scale)
            if expected is not None:
                np.testing.assert_allclose(likelihood, expected, rtol=1e-10, atol=1e-12)
            total += likelihood
        np.testing.assert_allclose(total, 1, rtol=0, atol=1e-10, err_msg=world.evidence.cell_names[k] + str(kind))


# Episodes.


def _told(name: str, day: int, grade: str, **more: str) -> Observation:
    date = dt.date(2025, 12, 1) + dt.timedelta(days=day)
    return Observation(
        id=f"{name}-{day}-{grade}", indicator=name, date=date, reported_on=date, source="x", grade=grade, **more
    )


def test_a_campaign_says_what_its_first_row_says(reference: StateSpace) -> None:
    """Twenty equal rows within three weeks have the cells of one; those left out say of which row they are no news."""
    as_of = dt.date(2026, 1, 8)
    for name in ("media_voice_threat", "arrests_in_russia", "arms_purchase_from_russia"):
        campaign = [_told(name, day, "C2") for day in range(20)]
        once, often = (compile_evidence(reference, rows, as_of) for rows in (campaign[:1], campaign))
        for field, one, other in zip(Cells._fields, once.cells, often.cells, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=field)
        assert len(often.left_out) == 19
        assert dict(often.left_out)[campaign[-1].id] == f"no news: {campaign[0].id} told of it within 84 days"


def test_news_is_what_is_more_credible_or_late_enough(reference: StateSpace) -> None:
    """A better row counts beside the first, a worse one does not, and after the episode anyone tells news again."""
    name = "media_voice_threat"
    rows = [_told(name, *row) for row in ((0, "C4"), (2, "B2"), (3, "C2"), (30, "B3"), (85, "B3"), (86, "B2"))]
    found = compile_evidence(reference, rows, dt.date(2026, 2, 26))
    assert {row for cell in found.rows for row in cell} == {rows[k].id for k in (0, 1, 5)}
    after = compile_evidence(reference, [rows[0], rows[3]], dt.date(2026, 2, 26))
    assert len(after.used) == 2


def test_what_is_no_news_is_not_what_others_were_chosen_from(reference: StateSpace) -> None:
    """In an episode the indicator leaves the set that the next telling is compared with; for a better row it is in."""
    first, other = _told("media_voice_threat", 0, "C2"), _told("arrests_in_russia", 5, "C2")
    told = reference.indicators.index("media_voice_threat")
    for grade, inside in (("C2", 0), ("A1", 1)):
        found = compile_evidence(reference, [first, dataclasses.replace(other, grade=grade)], dt.date(2026, 1, 8))
        group = found.cells.what[found.rows.index((other.id,)), 4]
        assert found.cells.available[group, told] == inside


def _single(cells: Cells, k: int, observed: float) -> Cells:
    what = cells.what[k : k + 1].copy()
    what[0, 0] = 0
    return cells._replace(
        what=what, value=cells.value[k : k + 1], observed=np.array([float(observed)]), years=cells.years[:1]
    )


def _alternatives(world: World, k: int) -> list[tuple[float, float, list[float] | None]]:
    """List what cell ``k`` could have held, the factor to a probability, and that probability by the oracle."""
    cells, space, p = world.evidence.cells, world.space, world.parameters[0]
    _, kind, stage, indicator, group = (int(n) for n in cells.what[k])
    name = space.stages[stage]
    if kind == COVERED:
        days = round(cells.value[k, 1] * 365.25)
        cell = oracle.Covered(0, name, space.indicators[indicator], days, ())
        reports = oracle.enumerate_reports(world.spec, p, cell, MIX)
        return [(report.w, report.factor, list(report.probability.values())) for report in reports]
    if kind == SELECTIVE:
        w = float(cells.value[k, 0])
        among = tuple(np.array(space.indicators)[cells.available[group] == 1].tolist())
        cell = oracle.Selective(0, name, among[0], among, w)
        reports = oracle.enumerate_reports(world.spec, p, cell, {w: 1.0})
        position = space.indicators.index
        return [(position(str(r.indicator)), r.factor, list(r.probability.values())) for r in reports]
    if kind == ASSESSMENT:
        return [(s, 1.0, None) for s in range(len(space.states[stage]))]
    return [(0, 1.0, None), (1, 1.0, None)]


# Rows that change nothing.


def test_rows_without_credibility_are_no_rows() -> None:
    """Leaving out the rows of w = 0 leaves evidence, path and likelihood exactly as they were."""
    changed = 0
    for seed in SEEDS:
        world = small_world(seed)
        believed = [row for row in world.rows if credibility_of(row) > 0]
        changed += len(believed) < len(world.rows)
        without = compile_rows(world.space, [*believed, *world.coverage], world.as_of)
        assert without.hash == world.evidence.hash
        assert without.rows == world.evidence.rows
    assert changed > 20


def test_order_of_rows_does_not_matter(rng: np.random.Generator) -> None:
    """Shuffled rows give the identical evidence."""
    for seed in SEEDS:
        world = small_world(seed)
        rows = entries(world)
        shuffled = [rows[k] for k in rng.permutation(len(rows))]
        assert_same(compile_rows(world.space, shuffled, world.as_of), world.evidence)


@pytest.mark.parametrize("seed", [1, 5, 8])
def test_history_of_the_ledger_does_not_matter(seed: int, tmp_path: Path, rng: np.random.Generator) -> None:
    """Split imports, an import twice over, and a row added and retracted leave the identical evidence."""
    world = small_world(seed)
    rows = entries(world)
    order = rng.permutation(len(rows))
    first, second = [rows[k] for k in order[:9]], [rows[k] for k in order[5:]]
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    ledger.add("split", first, now=NOW)
    name = next(name for name, indicator in world.spec.indicators.items() if indicator.repeats)
    day = world.as_of - dt.timedelta(days=4)
    wrong = Observation(id="wrong", indicator=name, date=day, reported_on=day, source="rumour", grade="A1")
    ledger.add("split", [wrong], now=NOW)
    ledger.add("split", second, now=NOW)
    with_wrong = compile_rows(world.space, ledger.entries("split"), world.as_of)
    assert with_wrong.hash != world.evidence.hash, "the row to be retracted changes nothing, so the test shows nothing"
    ledger.retract("split", "wrong", reason="it was a rumour", now=NOW)
    ledger.add("whole", rows, now=NOW)
    for dataset in ("split", "whole"):
        assert_same(compile_rows(world.space, ledger.entries(dataset), world.as_of), world.evidence)
        seen = ledger.entries(dataset, as_of=world.as_of)
        assert compile_rows(world.space, seen, world.as_of).hash == world.evidence.hash


def test_who_coded_a_row_does_not_matter(reference: StateSpace, article_rows: list[Entry]) -> None:
    """Nor the language of its source: the evidence is the same to the last digit, and so is its hash."""
    told = [
        dataclasses.replace(row, coded_by="assistant", language="az") if isinstance(row, Observation) else row
        for row in article_rows
    ]
    plain, named = (compile_evidence(reference, rows, dt.date(2026, 1, 8)) for rows in (article_rows, told))
    for field, one, other in zip(Cells._fields, plain.cells, named.cells, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=field)
    assert dataclasses.replace(named, cells=plain.cells) == plain


def test_superseded_row_counts_as_its_last_version(tmp_path: Path) -> None:
    """A corrected row gives the evidence of the corrected row alone."""
    world = small_world(1)
    row = next(row for row in world.rows if row.id in world.evidence.used and row.indicator)
    draft = dataclasses.replace(row, grade="D4" if row.grade != "D4" else "B2")
    ledger = SqliteLedger.open(tmp_path / "ledger.db")
    ledger.add("d", [draft if other is row else other for other in entries(world)], now=NOW)
    assert compile_rows(world.space, ledger.entries("d"), world.as_of).hash != world.evidence.hash
    ledger.add("d", [row], now=NOW)
    assert_same(compile_rows(world.space, ledger.entries("d"), world.as_of), world.evidence)


# What is told about rows.


def test_every_row_is_used_or_listed() -> None:
    """Each visible row with some credibility stands in a cell or is left out with a reason, never both."""
    for seed in SEEDS:
        world = small_world(seed)
        visible = {
            row.id
            for row in world.rows
            if row.reported_on <= world.as_of and row.date <= world.as_of and credibility_of(row) > 0
        }
        used, left_out = set(world.evidence.used), [row for row, _ in world.evidence.left_out]
        ids = {row.id for row in world.rows}
        assert used | (set(left_out) & ids & visible) == visible
        assert not used & set(left_out)
        assert len(left_out) == len(set(left_out))


def test_date_before_the_start_is_refused(reference: StateSpace) -> None:
    """A forecast as of a date before the model's start is an error that names the start."""
    with pytest.raises(InputError, match="2024-12-18") as caught:
        compile_evidence(reference, [], dt.date(2024, 12, 17))
    assert "2024-12-17" in str(caught.value)


def test_first_days(reference: StateSpace) -> None:
    """The first day has one step of one day; days add up on the grid."""
    assert step_days(reference, dt.date(2024, 12, 18)).tolist() == [1]
    assert step_days(reference, dt.date(2024, 12, 24)).tolist() == [7]
    assert step_days(reference, dt.date(2024, 12, 25)).tolist() == [7, 1]


def test_hash_knows_the_date(reference: StateSpace) -> None:
    """The same rows as of another date are other evidence."""
    hashes = {compile_evidence(reference, [], dt.date(2025, 1, day)).hash for day in range(1, 15)}
    assert len(hashes) == 14


# Single rules, by hand, where the random worlds are thin.


def sighting(row_id: str, indicator: str, date: dt.date, **changes: object) -> Observation:
    """One row of the article's model that was reported at once."""
    base = Observation(id=row_id, indicator=indicator, date=date, reported_on=date, source="APA", grade="B2")
    return dataclasses.replace(base, **changes)


def watch(first: dt.date, last: dt.date, indicator: str = "*") -> Coverage:
    """One coverage that was reported on its last day."""
    return Coverage(id="w", indicator=indicator, from_=first, to=last, reported_on=last, source="us")


def covered_cells(evidence: Evidence, name: str) -> list[tuple[int, str]]:
    """List steps and rows of the cells of one indicator."""
    cells = zip(evidence.cells.what[:, 0].tolist(), evidence.cell_names, evidence.rows, strict=True)
    return [(step, ",".join(rows)) for step, title, rows in cells if title.endswith(f"covered {name}")]


def test_nothing_is_expected_within_the_reporting_lag(reference: StateSpace) -> None:
    """Coverage counts for days up to the lag before the forecast's date, and no further."""
    as_of = dt.date(2025, 3, 11)  # 84 days: twelve full steps; the lag is 14 days
    evidence = compile_evidence(reference, [watch(dt.date(2025, 1, 1), as_of, "entry_ban")], as_of)
    assert [step for step, _ in covered_cells(evidence, "entry_ban")] == list(range(2, 10))


def test_story_counts_once_at_its_first_date(reference: StateSpace) -> None:
    """Two rows of one story about one stage count as the more credible one, on the earlier one's day."""
    first, second = dt.date(2025, 2, 3), dt.date(2025, 2, 20)
    rows = [
        sighting("a", "entry_ban", first, story="s", grade="D4"),
        sighting("b", "cyberattack", second, story="s", grade="A1"),
        sighting("c", "peace_plan_presented", second, story="s", grade="C3"),
        sighting("d", "demand_refused", second, story="s", grade="C3", distinct=True),
    ]
    evidence = compile_evidence(reference, rows, dt.date(2025, 3, 11))
    where = {rows[0]: int(cell[0]) for cell, rows in zip(evidence.cells.what, evidence.rows, strict=True) if rows}
    assert where == {"b": 6, "c": 9, "d": 9}
    assert evidence.left_out == (("a", "its story counts once, as another row"),)


def test_month_row_leaves_the_rest_of_its_month_unsaid(reference: StateSpace) -> None:
    """A row dated to a month takes the covered cells of all other steps that touch the month, except seen ones."""
    as_of = dt.date(2025, 6, 3)
    month = sighting("m", "entry_ban", dt.date(2025, 3, 12), precision="month")
    seen = sighting("s", "entry_ban", dt.date(2025, 3, 20))
    cover = watch(dt.date(2025, 2, 5), dt.date(2025, 4, 29))
    evidence = compile_evidence(reference, [month, seen, cover], as_of)
    found = dict(covered_cells(evidence, "entry_ban"))
    touching = {step for step in range(7, 19) if step in range(10, 15)}  # 26 February to 1 April
    assert found == {step: "" for step in range(7, 19) if step not in touching} | {12: "m", 13: "s"}


@pytest.mark.parametrize(("best", "counts"), [(11, ["m"]), (12, []), (31, [])])
def test_a_month_row_that_does_not_count_is_named(reference: StateSpace, best: int, counts: list[str]) -> None:
    """Public already, but with a best day that is yet to come, it is left out with the reason and the remedy."""
    as_of, day = dt.date(2025, 3, 11), dt.date(2025, 3, best)
    row = dataclasses.replace(sighting("m", "entry_ban", day, precision="month"), reported_on=dt.date(2025, 3, 4))
    evidence = compile_evidence(reference, [row], as_of)
    reason = f"dated to the month, and its best day, {day}, is after {as_of}; give an earlier best day"
    assert evidence.left_out == (() if counts else (("m", reason),))
    assert list(evidence.used) == counts


# What the vocabulary had on the day.


def told_among(evidence: Evidence, row_id: str) -> set[int]:
    """Find the indicators that a selective row is compared with."""
    (group,) = (
        what[4]
        for what, rows in zip(evidence.cells.what.tolist(), evidence.rows, strict=True)
        if what[1] == SELECTIVE and row_id in rows
    )
    return set(np.flatnonzero(evidence.cells.available[group]).tolist())


def test_a_row_is_compared_with_what_the_vocabulary_had_on_its_day(reference: StateSpace) -> None:
    """Before an indicator joined, choices were among the others; looked up afterwards, it is compared with its like."""
    joined = dt.date(2026, 1, 9)
    rows = [
        sighting("before", "entry_ban", joined - dt.timedelta(days=1)),
        sighting("late", "food_ban", joined - dt.timedelta(days=1)),
        sighting("after", "cyberattack", joined),
        sighting("new", "energy_cut", joined + dt.timedelta(days=1)),
    ]
    evidence = compile_evidence(reference, rows, dt.date(2026, 2, 1))
    mine = {k for k, row in enumerate(reference.spec.indicators.values()) if row.stage == "relations"}
    added = {k for k, row in enumerate(reference.spec.indicators.values()) if row.since} & mine
    assert added
    assert told_among(evidence, "before") == mine - added
    assert told_among(evidence, "late") == added
    no_news = {reference.indicators.index(name) for name in ("entry_ban", "food_ban")}
    assert told_among(evidence, "after") == mine - no_news
    assert told_among(evidence, "new") == mine - no_news - {reference.indicators.index("cyberattack")}


def test_watching_everything_does_not_reach_back(reference: StateSpace) -> None:
    """Coverage of everything covers an indicator from the day it joined on; coverage by name covers what it says."""
    as_of = dt.date(2026, 3, 31)
    joined = (dt.date(2026, 1, 9) - reference.spec.model.start).days // 7
    everything = compile_evidence(reference, [watch(dt.date(2025, 12, 3), dt.date(2026, 2, 24))], as_of)
    assert covered_cells(everything, "entry_ban")[0][0] == 50
    assert covered_cells(everything, "food_ban")[0][0] == joined
    named = compile_evidence(reference, [watch(dt.date(2025, 12, 3), dt.date(2026, 2, 24), "food_ban")], as_of)
    assert covered_cells(named, "food_ban")[0][0] == 50


def test_what_has_not_joined_has_not_happened(reference: StateSpace) -> None:
    """Who imagines that everybody looks imagines it of every indicator, of those too that join later."""
    assert closed_one_offs(reference, [], dt.date(2025, 6, 1)) == set()
    silence = imagined_silence(reference, [], dt.date(2025, 6, 1), dt.date(2025, 6, 15))
    assert set(silence.what[:, 3].tolist()) == set(range(len(reference.indicators)))


def test_added_indicators_leave_the_article_as_it_was(
    reference: StateSpace, reference_evidence: Evidence, article_rows: list[Observation], reference_prior: Draws
) -> None:
    """The article's rows have the same likelihood, to the last digit, as in a model without the added indicators."""
    indicators = {name: row for name, row in reference.spec.indicators.items() if not row.since}
    small = StateSpace(reference.spec.model_copy(update={"indicators": indicators}))
    evidence = compile_evidence(small, article_rows, reference_evidence.as_of)
    kept = [k for k, name in enumerate(reference.emission_names) if name.split("|")[0] in indicators]
    draws = reference_prior._replace(log_lambda=np.ascontiguousarray(reference_prior.log_lambda[:, kept]))
    before = filter_draws(chain_of(small), evidence.cells, draws)
    now = filter_draws(chain_of(reference), reference_evidence.cells, reference_prior)
    np.testing.assert_array_equal(now.log_likelihood, before.log_likelihood)
    np.testing.assert_array_equal(now.now, before.now)
    added = [row.since is not None for row in reference.spec.indicators.values()]
    assert not reference_evidence.cells.available[:, added].any()
