"""Rules: what they find in rows, and their probabilities against sums over all futures, day by day."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import oracle
import places
import pytest
from rule_sums import (
    AS_OF,
    DAY,
    RULES,
    SCENES,
    WEEK,
    compared,
    exact,
    exact_parts,
    parameters_of,
    posterior_of,
    sighting,
    silent,
    world_spec,
)

from forecast.answers import rule_probability as rules
from forecast.answers.rule_futures import Future, Kept, Known, ratio
from forecast.answers.rule_probability import find_rules, rule_probabilities
from forecast.engine.arrays import OBSERVABLE
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import equal_weights
from forecast.engine.simulate import simulate_start
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.resolution_rules import met, told
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.ledger.rows import Observation
from forecast.report import page
from forecast.report.sections.all_sections import all_tables as tables
from forecast.theory.outcomes import Rule
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.engine.blocks import Draws
    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry


# The exact sum: over states, days and events, one after the other.


# Against it.


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("outcome", RULES)
def test_the_exact_sum_is_met(scene: str, outcome: str) -> None:
    """The share of paths lies within four standard errors of the sum over all futures."""
    for row, truth in compared(scene, outcome):
        what = f"{row.kind} {row.horizon_weeks}"
        error = math.sqrt(max(truth.met * (1 - truth.met), 1e-4) / rules.PATHS)
        assert abs(row.mean - truth.met) <= 4 * error, f"{what}: {row.mean} for {truth.met}"
        assert row.mcse <= 1.1 * error
        assert row.date == AS_OF + WEEK * row.horizon_weeks * DAY
        if truth.met * (1 - truth.met) > 0.01:
            assert row.mcse == pytest.approx(error, rel=0.1)


def test_beside_a_record_stories_count_from_the_day_it_began() -> None:
    """What was told of a deal's terms before its signing does not count, what is told since does, exactly so."""
    spec = world_spec()
    p = parameters_of(spec, 6)
    only = spec.model_copy(update={"outcomes": {"floods": spec.outcomes["floods"]}})
    record = Observation(
        id="r", state="far.high", date=AS_OF - 6 * DAY, grade="A1", source="us", reported_on=AS_OF - 6 * DAY
    )
    answers: list[float] = []
    for age, counts in ((7, False), (6, True)):
        entries = [record, sighting("flood", AS_OF - age * DAY)]
        found = posterior_of(only, [p], entries, size=2000)
        past = {"flood": [age]} if counts else {}
        expected = exact_parts(only, p, found.evaluation.now[0], "floods", past, set(), recorded=True)
        assert met(found.space, entries, "floods", AS_OF) == counts
        for row in rule_probabilities(found, entries, seed=2):
            truth = expected[row.kind, row.horizon_weeks].met
            assert abs(row.mean - truth) <= 4 * math.sqrt(max(truth * (1 - truth), 1e-4) / rules.PATHS)
        answers.append(expected["by", 1].met)
    assert answers[1] > answers[0] + 0.1


def test_sides_that_are_compared_are_summed_exactly() -> None:
    """Marches must be no fewer than shots of the same fortnight: as the sum over all futures says."""
    spec = world_spec()
    clause = Rule(stories=1, of=("march",), no_fewer_than=("shot",), within_weeks=2)
    outcome = spec.outcomes["unrest"].model_copy(update={"resolves": (clause,)})
    loose = outcome.model_copy(update={"resolves": (clause.model_copy(update={"no_fewer_than": ()}),)})
    clock = spec.model.model_copy(update={"horizons_weeks": (1,)})
    p = parameters_of(spec, 4)
    seldom = replace(p, log_lambda={name: min(rate, math.log(8)) for name, rate in p.log_lambda.items()})
    entries = [sighting("shot", AS_OF), sighting("shot", AS_OF - DAY)]
    answers: list[float] = []
    for asked in (outcome, loose):
        only = spec.model_copy(update={"outcomes": {"unrest": asked}, "model": clock})
        found = posterior_of(only, [seldom], entries, size=2000)
        expected = exact(only, seldom, found.evaluation.now[0], "unrest", {"shot": [0, 1]}, set())
        for (kind, weeks), truth in expected.items():
            error = math.sqrt(max(truth * (1 - truth), 1e-4) / rules.PATHS)
            assert abs(simulated(found, entries)["unrest", kind, weeks] - truth) <= 4 * error
        answers.append(expected["by", 1])
    assert 0.005 < answers[0] < answers[1] / 5


def test_what_resets_a_one_off_may_be_a_one_off() -> None:
    """What cannot happen again resets nothing: here a march opens the way for a pact, and a shot for a march."""
    spec = world_spec(chain=True)
    pacts = spec.outcomes["pacts"].model_copy(update={"resolves": (Rule(stories=1, of=("pact",), within_weeks=1),)})
    only = spec.model_copy(update={"outcomes": {"pacts": pacts}})
    entries = [sighting("march", AS_OF - 12 * DAY), sighting("pact", AS_OF - 9 * DAY)]
    p = parameters_of(spec, 4)
    often = replace(p, log_lambda={
        name: math.log({"pact": 40, "march": 40, "shot": 6}.get(name[0], 1)) for name in p.log_lambda
    })  # fmt: skip
    found = posterior_of(only, [often], entries, size=2000)
    answers = simulated(found, entries)
    expected = exact(only, often, found.evaluation.now[0], "pacts", {"march": [12], "pact": [9]}, {"march", "pact"})
    loose = exact(world_spec(), often, found.evaluation.now[0], "pacts", {}, {"pact"})
    assert loose["by", 4] > expected["by", 4] + 0.2
    for (kind, weeks), truth in expected.items():
        error = math.sqrt(max(truth * (1 - truth), 1e-4) / rules.PATHS)
        assert abs(answers["pacts", kind, weeks] - truth) <= 4 * error


def test_the_exact_sum_is_no_empty_claim() -> None:
    """The cases are told apart: rules have probabilities well inside (0, 1), and what was seen moves them."""
    spec = world_spec()
    p, now = parameters_of(spec, 4), np.full(4, 0.25)
    pacts = {
        what: exact(spec, p, now, "pacts", {}, closed)["by", 4]
        for what, closed in (("open", set()), ("closed", {"pact"}))
    }
    assert 0.05 < pacts["closed"] < pacts["open"] - 0.1 < 0.9
    for outcome in RULES:
        answers = exact(spec, p, now, outcome, {}, set())
        assert 0.01 < answers["at", 4] < answers["by", 4] - 0.01 < 0.98


def simulated(found: Posterior, entries: Sequence[Entry], seed: int = 1) -> dict[tuple[str, str, int], float]:
    """Probabilities by outcome, kind and horizon."""
    rows = rule_probabilities(found, entries, seed=seed)
    return {(row.outcome, row.kind, row.horizon_weeks): row.mean for row in rows}


def test_where_nothing_can_happen_the_past_decides_by_day() -> None:
    """Stories in the window count until the day on which they leave it, and nothing else does."""
    spec = world_spec()
    entries = [
        sighting("shot", AS_OF), sighting("march", AS_OF - 3 * DAY), sighting("pact", AS_OF - 7 * DAY),
        sighting("shot", AS_OF - 7 * DAY),
    ]  # fmt: skip
    found = posterior_of(spec, [silent(parameters_of(spec, 2))], entries, size=2000)
    answers = simulated(found, entries)
    last = {
        "tension": 27,
        "shots": 6,
        "unrest": 3,
        "pacts": 6,
        "floods": 0,
        "both": 3,
    }  # days behind as_of on which it is met
    for (outcome, kind, weeks), probability in answers.items():
        assert probability == (last[outcome] > 0 if kind == "by" else last[outcome] >= 7 * weeks), (outcome, kind)
        day = AS_OF + WEEK * weeks * DAY
        space = found.space
        assert met(space, entries, outcome, day) == (last[outcome] >= 7 * weeks)
        assert met_between(space, entries, outcome, AS_OF, day) == (last[outcome] > 0)
        assert not met_between(space, entries, outcome, AS_OF + last[outcome] * DAY, day)


def test_a_longer_window_is_met_with_the_same_stories() -> None:
    """One day decides: a story that leaves the window on the horizon's date does not count on it, one later does."""
    spec = world_spec()
    p = silent(parameters_of(spec, 2))
    for age, there in ((7, False), (6, True)):
        entries = [sighting("pact", AS_OF - age * DAY)]
        assert simulated(posterior_of(spec, [p], entries, size=2000), entries)["pacts", "at", 1] == there
        assert met(StateSpace(spec), entries, "pacts", AS_OF + 7 * DAY) == there


def test_by_is_never_less_than_at_and_grows_and_the_seed_decides() -> None:
    """On the reference model's kind of draws, all different; the same seed gives the same rows, another does not."""
    spec = world_spec()
    found = posterior_of(spec, [parameters_of(spec, seed) for seed in range(20)], [sighting("shot", AS_OF)], size=100)
    entries = [sighting("shot", AS_OF)]
    answers = simulated(found, entries)
    assert answers == simulated(found, entries)
    assert answers != simulated(found, entries, seed=2)
    for outcome in RULES:
        by = [answers[outcome, "by", weeks] for weeks in (1, 2, 4)]
        assert by == sorted(by)
        assert all(answers[outcome, "at", weeks] <= answers[outcome, "by", weeks] for weeks in (1, 2, 4))


def test_draws_count_by_their_weights() -> None:
    """Two draws with weights 0.8 and 0.2: the sum over futures of each, mixed; a draw of weight 0 is not asked."""
    spec = world_spec()
    p = parameters_of(spec, 1)
    both = [p, replace(p, log_lambda={name: rate - 1 for name, rate in p.log_lambda.items()}), parameters_of(spec, 7)]
    size = 3000
    weights = np.resize([0.8, 0.2, 0.0], size) / (size / 3)
    only = spec.model_copy(update={"outcomes": {"unrest": spec.outcomes["unrest"]}})
    found = posterior_of(only, both, [], size=size, weights=weights)
    found.evaluation.now[2::3] = 0  # no present state: it cannot explain the evidence
    first, second = (exact(only, p, found.evaluation.now[k], "unrest", {}, set()) for k, p in enumerate(both[:2]))
    assert abs(first["by", 4] - second["by", 4]) > 0.05
    for row in rule_probabilities(found, [], seed=3):
        key = row.kind, row.horizon_weeks
        assert row.mean == pytest.approx(0.8 * first[key] + 0.2 * second[key], abs=4 * 0.5 / math.sqrt(rules.PATHS))


def test_the_error_of_draws_counts_by_efficiency_and_that_of_paths_does_not() -> None:
    """Draws that differ for sure have an error by efficiency; draws that agree have that of as many coins."""
    weights, every = np.full(400, 1 / 400), np.full(400, 10.0)
    for efficiency in (0.25, 1.0):
        _, error = ratio(np.tile([0.0, 10.0], 200), every, 10, weights, efficiency)
        assert error == pytest.approx(0.5 / math.sqrt(400 * efficiency))
    coins = np.random.default_rng(1).binomial(10, 0.5, size=400).astype(float)
    for efficiency in (0.25, 1.0):
        mean, error = ratio(coins, every, 10, weights, efficiency)
        assert mean == pytest.approx(0.5, abs=0.04)
        assert 0.95 < error / (0.5 / math.sqrt(4000)) < 1.3


def test_seeds_scatter_by_the_error_of_the_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """With draws alike the reported error is that of repetitions (a χ² of 60 seeds; false alarm below 10⁻⁴)."""
    monkeypatch.setattr(rules, "PATHS", 400)
    spec = world_spec()
    found = posterior_of(spec, [parameters_of(spec, 1)], [], size=40)
    every = [rule_probabilities(found, [], seed=seed) for seed in range(60)]
    k = next(k for k, row in enumerate(every[0]) if (row.outcome, row.kind, row.horizon_weeks) == ("unrest", "at", 2))
    scatter = np.std([rows[k].mean for rows in every], ddof=1)
    reported = math.sqrt(np.mean([rows[k].mcse ** 2 for rows in every]))
    assert 0.15 < every[0][k].mean < 0.85
    assert 0.66 < scatter / reported < 1.4


def test_what_happens_all_the_time_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rates beyond any count, as draws from a wide prior have them, give certainty and no error."""
    monkeypatch.setattr(rules, "PATHS", 100)
    spec = world_spec()
    p = parameters_of(spec, 1)
    p = replace(p, log_lambda={name: 60.0 if name[0] in {"shot", "march"} else -40.0 for name in p.log_lambda})
    answers = simulated(posterior_of(spec, [p], [], size=20), [])
    assert answers["unrest", "at", 1] == 1.0
    assert answers["pacts", "by", 4] == 0.0


BALANCE = Rule(stories=1, of=("shot", "flood"), no_fewer_than=("march", "pact"), within_weeks=2)


@pytest.mark.parametrize("clauses", [(BALANCE,), (Rule(observable="far"), BALANCE)], ids=["alone", "beside a record"])
def test_a_balance_is_simulated_as_it_is_read_off_rows(clauses: tuple[Rule, ...]) -> None:
    """What happens in simulated futures, written down beside what is on file, meets the rule on just their days."""
    spec = world_spec(step_days=1)
    row = spec.outcomes["shots"].model_copy(update={"resolves": clauses})
    loose = row.model_copy(update={"resolves": (*clauses[:-1], BALANCE.model_copy(update={"no_fewer_than": ()}))})
    only = spec.model_copy(update={"outcomes": {"balance": row, "told": loose}})
    found = posterior_of(only, [parameters_of(spec, 4)], [], size=60)
    space, draws = found.space, Kept.of(found, 1).draws
    file = [sighting("march", AS_OF - 2 * DAY), sighting("march", AS_OF - 9 * DAY), sighting("shot", AS_OF - 5 * DAY)]
    future = Future(space, draws, 12, Known(AS_OF, file, ()))
    rng = np.random.default_rng(8)
    future.run(rng, simulate_start(rng, chain_of(space), draws.start))
    told = future.met("balance")
    inside = space.members({"far": ("high",)})[future._joint]
    for draw in range(60):
        own = future._events.draw == draw
        rows = [
            sighting(future._named[what], AS_OF + (1 + int(day)) * DAY, id=f"{k}")
            for k, (day, what) in enumerate(zip(future._events.day[own], future._events.indicator[own], strict=True))
        ]
        for day in np.flatnonzero(np.diff(inside[draw], prepend=False)).tolist():
            name, date = "far.high" if inside[draw, day] else "far.low", AS_OF + (1 + day) * DAY
            rows.append(Observation(id=f"r{day}", state=name, date=date, grade="A1", source="us", reported_on=date))
        read = [met(space, [*file, *rows], "balance", AS_OF + (1 + day) * DAY) for day in range(84)]
        assert told[draw].tolist() == read
    assert 0.05 < told.mean() < future.met("told").mean() - 0.01


def test_a_model_may_have_no_rule_of_stories() -> None:
    """Then nothing is simulated but the chain: the rule is met where the chain is in the observable set."""
    spec = world_spec()
    rule = Rule(observable="far")
    far = spec.outcomes["floods"].model_copy(update={"resolves": (rule,), "states": {"far": ("high",)}})
    only = spec.model_copy(update={"outcomes": {"far": far}})
    p = parameters_of(spec, 1)
    found = posterior_of(only, [p], [], size=50)
    chance = found.evaluation.now[0] @ np.linalg.matrix_power(oracle.transition_matrix(only, p, 7), 4)
    truth = sum(share for share, state in zip(chance, oracle.joint_states(only), strict=True) if state[1] == "high")
    assert simulated(found, [])["far", "at", 4] == pytest.approx(truth, abs=2 / math.sqrt(rules.PATHS))
    assert 0.05 < truth < 0.95


# What rules find in rows.

RULE = Rule(stories=2, of=("shot", "march"), within_weeks=2)


def keys(*rows: Observation, date: dt.date = AS_OF) -> tuple[str, ...]:
    """Count."""
    return told(world_spec(), rows, RULE, date)


def test_stories_count_once_at_the_day_they_began() -> None:
    """Rows of one story are one event of the first day; distinct rows and rows without a story are their own."""
    day = AS_OF - 20 * DAY
    long = [sighting("shot", day + k * DAY, story="affair", id=f"r{k}") for k in (0, 3, 15)]
    assert keys(*long) == ()
    assert keys(*long, date=day) == keys(*long, date=day + 13 * DAY) == ("affair",)
    assert keys(*long, date=day + 14 * DAY) == keys(*long, date=day - DAY) == ()
    assert keys(*long[:2], replace(long[2], distinct=True)) == ("r15",)
    assert keys(sighting("shot", AS_OF), sighting("march", AS_OF - DAY)) == (f"march-{AS_OF - DAY}", f"shot-{AS_OF}")
    two = sighting("shot", AS_OF, story="affair"), sighting("march", AS_OF - DAY, story="affair")
    assert keys(*two) == ("affair",)
    assert keys(sighting("flood", AS_OF), sighting("pact", AS_OF, story="affair")) == ()
    assert told(world_spec(), [sighting("shot", AS_OF)], Rule(observable="far"), AS_OF) == ()


def test_a_balance_holds_where_its_side_is_told_of_as_often() -> None:
    """Equal is enough, one story of the other side more is too many, and one that has left the window is none."""
    spec = world_spec()
    rule = Rule(stories=1, of=("shot",), no_fewer_than=("march",), within_weeks=2)
    row = spec.outcomes["shots"].model_copy(update={"resolves": (rule,)})
    space = StateSpace(spec.model_copy(update={"outcomes": {"balance": row}}))
    shot, march = sighting("shot", AS_OF), sighting("march", AS_OF)
    again = sighting("march", AS_OF - DAY)
    assert met(space, [shot], "balance", AS_OF)
    assert met(space, [shot, march], "balance", AS_OF)
    assert not met(space, [shot, march, again], "balance", AS_OF)
    assert not met(space, [march], "balance", AS_OF)
    assert not met(space, [], "balance", AS_OF)
    assert met(space, [shot, march, sighting("march", AS_OF - 14 * DAY)], "balance", AS_OF)
    assert not met(space, [shot, march, sighting("march", AS_OF - 13 * DAY)], "balance", AS_OF)


def test_only_credible_rows_count_and_none_before_the_start() -> None:
    """From ½ on a grade counts; what is not credible does not date a story either."""
    graded = {grade: keys(sighting("shot", AS_OF, grade)) for grade in ("C3", "C4", "D1", "D2", "B4", "F1", "F6")}
    assert [grade for grade, found in graded.items() if found] == ["C3", "D1", "D2"]
    rumour = sighting("shot", AS_OF - 20 * DAY, "E5", story="affair")
    assert keys(rumour, sighting("shot", AS_OF, story="affair")) == ("affair",)
    start = world_spec().model.start
    assert keys(sighting("shot", start), date=start) == (f"shot-{start}",)
    assert keys(sighting("shot", start - DAY), date=start) == ()


def test_records_are_read_as_the_evidence_reads_them() -> None:
    """An observable stage is on record as the compiled evidence of that day has it, day by day."""
    spec = world_spec()
    space = StateSpace(spec)
    far = spec.outcomes["floods"].model_copy(update={"resolves": (Rule(observable="far"),)})
    space = StateSpace(spec.model_copy(update={"outcomes": {"far": far}}))
    rng, seen = np.random.default_rng(5), set()
    for _ in range(60):
        rows = [
            Observation(
                id=str(k), state=str(rng.choice(["far.high", "far.low", "near.tense"])), source="us",
                date=AS_OF - int(rng.integers(-3, 30)) * DAY, grade=str(rng.choice(["A1", "B2", "E5", "F6"])),
                reported_on=AS_OF,
            )
            for k in range(4)
        ]  # fmt: skip
        cells = compile_evidence(space, [replace(row, reported_on=row.date) for row in rows], AS_OF).cells
        last = cells.observed[cells.what[:, 1] == OBSERVABLE][-1]
        assert met(space, rows, "far", AS_OF) == bool(last)
        seen.add(bool(last))
    assert seen == {False, True}


def met_between(space: StateSpace, entries: Iterable[Entry], outcome: str, first: dt.date, last: dt.date) -> bool:
    """Whether a rule is met on at least one day after the first, up to and including the last."""
    return any(met(space, entries, outcome, first + k * DAY) for k in range(1, (last - first).days + 1))


def test_all_clauses_have_to_hold() -> None:
    """On record alone is not enough, nor are stories alone, nor stories from before the record in force."""
    space = StateSpace(world_spec())
    begun = AS_OF - 3 * DAY
    record = Observation(id="r", state="far.high", date=begun, reported_on=begun, source="us", grade="A1")
    again = replace(record, id="a", date=AS_OF, reported_on=AS_OF)
    ended = replace(again, id="e", state="far.low", date=AS_OF - DAY, reported_on=AS_OF - DAY)
    early, flood = sighting("flood", begun - DAY), sighting("flood", AS_OF)
    assert not met(space, [record, early], "floods", AS_OF)
    assert met(space, [record, replace(flood, date=begun)], "floods", AS_OF)
    assert met(space, [record, again, replace(flood, date=begun)], "floods", AS_OF)  # said again, it goes on
    assert not met(space, [record, ended, again, replace(flood, date=begun)], "floods", AS_OF)  # a new one does not
    assert not met(space, [record], "floods", AS_OF)
    assert not met(space, [flood], "floods", AS_OF)
    assert met(space, [record, flood], "floods", AS_OF)
    assert not met(space, [record, flood], "floods", AS_OF - DAY)
    assert met_between(space, [record, flood], "floods", AS_OF - DAY, AS_OF)
    assert not met_between(space, [record, flood], "floods", AS_OF - 5 * DAY, AS_OF - DAY)
    assert not met_between(space, [record, flood], "floods", AS_OF, AS_OF)


def test_the_reference_rows_meet_the_rules_as_the_model_file_says(
    reference: StateSpace, article_rows: list[Entry]
) -> None:
    """Confrontation from the closure of February and the bans of May, until truce's after the release of October."""
    start, end = reference.spec.model.start, dt.date(2026, 1, 8)
    days = [start + k * DAY for k in range((end - start).days + 1)]
    found = {name: [day for day in days if met(reference, article_rows, name, day)] for name in reference.spec.outcomes}
    calm = {day for day in days if dt.date(2025, 4, 30) <= day < dt.date(2025, 5, 15)}
    tense = {day for day in days if dt.date(2025, 2, 15) <= day < dt.date(2025, 10, 26)} - calm
    assert found == {
        "deal": [],
        "strategic_victory": [],
        "confrontation": sorted(tense),
        "cooperation": [],
        "truce": [day for day in days if day >= dt.date(2025, 10, 19)],
    }
    rule = reference.spec.outcomes["confrontation"].resolves[0]
    assert told(reference.spec, article_rows, rule, dt.date(2025, 6, 30)) == (
        "deputies-entry-ban", "media-cyberattacks", "june-detentions", "june-business-arrests", "Sputnik-raid",
    )  # fmt: skip


def test_what_was_told_of_drafts_is_no_victory(reference: StateSpace, article_rows: list[Entry]) -> None:
    """A deal is signed after a plan that favoured Moscow: the rule waits for what was signed."""
    signed = dt.date(2026, 1, 5)
    deal = Observation(id="d", state="peace.fresh_deal", date=signed, reported_on=signed, source="us", grade="A1")
    plan = [row for row in article_rows if isinstance(row, Observation) and row.indicator == "terms_favour_moscow"]
    assert plan
    assert not met(reference, [*plan, deal], "strategic_victory", signed)
    terms = replace(plan[0], id="t", story="", date=signed, reported_on=signed, grade="A1")
    assert met(reference, [*plan, deal, terms], "strategic_victory", signed)


def test_a_deal_that_favours_kyiv_more_is_no_victory(reference: StateSpace) -> None:
    """Two stories for Kyiv outweigh one for Moscow, one for each does not."""
    signed = dt.date(2026, 1, 5)
    deal = Observation(id="d", state="peace.fresh_deal", date=signed, reported_on=signed, source="us", grade="A1")
    moscow, kyiv, firm = (
        sighting(n, signed) for n in ("terms_favour_moscow", "terms_favour_kyiv", "guarantees_firmed")
    )
    assert met(reference, [deal, moscow, kyiv], "strategic_victory", signed)
    assert not met(reference, [deal, moscow, kyiv, firm], "strategic_victory", signed)


def test_the_reference_model_has_a_rule_beside_each_state(
    reference: StateSpace, reference_prior: Draws, article_rows: list[Entry], reference_evidence: Evidence,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Every outcome, kind and horizon once; a deal's rule is its state; the frame says what the rows say."""
    monkeypatch.setattr(rules, "PATHS", 5000)
    anchor = Anchor(reference, PRIOR, lambda: reference_prior)
    found = Posterior(
        reference, reference_evidence, anchor, evaluate(anchor.blocks, reference_evidence.cells),
        equal_weights(reference_prior.size),
    )  # fmt: skip
    nothing = compile_evidence(reference, (), found.evidence.as_of)
    alone = Posterior(
        reference, nothing, anchor, evaluate(anchor.blocks, nothing.cells), equal_weights(reference_prior.size)
    )
    asked = find_rules(found, article_rows, alone)
    keys = [(row.outcome, row.kind, row.horizon_weeks) for row in asked.rows]
    assert keys == [(o, k, w) for o in reference.spec.outcomes for k in ("at", "by") for w in (4, 13, 26, 52)]
    assert [name for name, yes in asked.met_now.items() if yes] == ["truce"]
    by = {(row.outcome, row.kind, row.horizon_weeks): row for row in asked.rows}
    for row in found.quantities:
        kind = {"at": "at", "reached": "by"}.get(row.kind)
        if row.outcome == "deal" and kind:
            rule = by["deal", kind, row.horizon_weeks]
            assert rule.mean == pytest.approx(row.estimate.mean, abs=4 * 0.5 / math.sqrt(rules.PATHS))
    frame, given = asked.to_frame(), asked.to_dict()
    assert frame["mean"].tolist() == [row["estimate"]["mean"] for row in given["rows"]]
    assert frame["date"].dt.strftime("%Y-%m-%d").tolist() == [row["date"] for row in given["rows"]]
    assert given["as_of"] == "2026-01-08"
    assert frame["prior"].tolist() == [row["prior"] for row in given["rows"]]
    state = {(row.outcome, row.kind, row.horizon_weeks): row.estimate.mean for row in alone.quantities}
    for row in given["rows"]:
        if (row["outcome"], row["kind"]) == ("deal", "at"):
            expected = state["deal", "at", row["horizon_weeks"]]
            assert row["prior"] == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(rules.PATHS))


# In a report.


def test_a_report_shows_rules_beside_states_and_an_older_one_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with both kinds and today's answer, and one sentence; without the part neither."""
    monkeypatch.setattr(page, "all_charts", lambda _: {})  # pictures say nothing of rules, and take long
    data = json.loads(places.REPORT.read_text(encoding="utf-8"))
    templates = [places.TEMPLATES]
    files = page.render_files(data, templates)
    for name in ("report.html", "report.md"):
        text = files[name].decode()
        assert text.count("is what gets scored") == 1
        assert text.index("reached by") < text.index("rule met on the day") < text.index("How one stage leads")
        assert text.count("rule met on some day by then") == len(data["model"]["outcomes"])
    table = tables(data)["rules"]
    assert [row[1] for row in table.rows[::2]] == ["not met", "not met", "not met", "not met", "met"]
    row = next(
        row for row in data["rules"] if (row["outcome"], row["kind"], row["horizon_weeks"]) == ("deal", "by", 52)
    )
    assert table.rows[1][-1] == f"{100 * row['estimate']['mean']:.0f}%"
    del data["rules"]
    older = page.render_files(data, templates)
    for name in ("report.html", "report.md"):
        assert "rule met" not in older[name].decode()
        assert "gets scored" not in older[name].decode()
