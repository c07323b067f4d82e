"""The conflict alarm: uniform where the model is right, loud where it is contradicted, and seldom a false one."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import oracle
import oracle_cells
import pytest
from places import DOCS
from scipy import stats
from small_models import tiny_spec
from worlds import draw_values, draws_of

from benchmarks.alarm.__main__ import last_weeks
from benchmarks.alarm.document import runs
from benchmarks.alarm.tails import Known, tails_if_known
from benchmarks.alarm.worlds import KINDS, pick, simulate_world
from benchmarks.alarm.worlds import reference as reference_space
from forecast.answers import alarm
from forecast.answers.alarm import LIMIT, WEEKS, Alarm, raise_alarm, tail_of
from forecast.base.errors import InputError
from forecast.engine.arrays import steps_between
from forecast.engine.blocks import Draws, split
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import Weights
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells
    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec

DAY = dt.timedelta(days=1)
START = dt.date(2025, 1, 1)
QUIET = ("per_year = [3, 12]\nspread", "per_year = [0.7, 2]\nspread")
BUSY = ("per_year = [3, 12]\nspread", "per_year = [15, 40]\nspread")
W = {"A1": 0.96, "B2": 0.81, "C3": 0.56}
GRADES = {0.96: "A1", 0.81: "B2", 0.56: "C3"}
MIX = {0.96: 0.2, 0.81: 0.5, 0.56: 0.3}


def busy_spec() -> ModelSpec:
    """Give the tiny model with more to be seen."""
    return tiny_spec(a=BUSY)


def quiet_spec() -> ModelSpec:
    """Give the tiny model with less to be seen."""
    return tiny_spec(a=QUIET)


def parameters(size: int, seed: int, spec: ModelSpec | None = None) -> list[oracle.Parameters]:
    """Draw near the prior."""
    spec, rng = spec or busy_spec(), np.random.default_rng(seed)
    return [oracle.derived(spec, draw_values(spec, rng)) for _ in range(size)]


def last_day(weeks: int) -> dt.date:
    """Give the last day of so many weeks."""
    return START + (7 * weeks - 1) * DAY


def told_by(  # noqa: PLR0913 - what a world is made of
    p: oracle.Parameters, weeks: int, rng: np.random.Generator, *, times: float = 1.0, first: int = 0,
    spec: ModelSpec | None = None,
) -> list[Observation]:  # fmt: skip
    """Simulate what is seen, along a path of the oracle's chain; from week ``first`` on, so many ``times`` as often."""
    spec = spec or busy_spec()
    states = oracle.joint_states(spec)
    move = oracle.transition_matrix(spec, p, 7)
    now = int(rng.choice(len(states), p=oracle.initial(spec, p)))
    rows, closed = [], set()
    for week in range(weeks):
        now = int(rng.choice(len(states), p=move[now]))
        here = dict(zip(spec.stages, states[now], strict=True))
        for name, indicator in spec.indicators.items():
            rate = math.exp(p.log_lambda[name, here[indicator.stage]]) * (times if week >= first else 1.0)
            happens = rng.random() < -math.expm1(-rate * 7 / 365.25)
            before = oracle_cells._seen_before(spec, oracle.Covered(0, indicator.stage, name, 7, ()))
            odds = before / (1 - before)
            wrong = {w: share * odds * (1 - w) / w for w, share in MIX.items()}
            if name in closed or not (happens or rng.random() < sum(wrong.values())):
                continue
            source = MIX if happens else wrong
            w = float(rng.choice(list(source), p=np.array(list(source.values())) / sum(source.values())))
            date = START + (7 * week + int(rng.integers(7))) * DAY
            rows.append(sighting(name, date, GRADES[w]))
            if not indicator.repeats:
                closed.add(name)
    return rows


def sighting(name: str, date: dt.date, grade: str = "A1") -> Observation:
    """Make a row."""
    return Observation(
        id=f"{name}-{date}", indicator=name, date=date, reported_on=date, source="us", grade=grade
    )  # fmt: skip


def watched(weeks: int) -> Coverage:
    """Watch everything."""
    return Coverage(id="c", indicator="*", from_=START, to=last_day(weeks), reported_on=START, source="us")


def posterior(space: StateSpace, draws: Draws, evidence: Evidence) -> Posterior:
    """Weight draws by their likelihood, exactly."""
    anchor = Anchor(space, PRIOR, lambda: draws)
    evaluation = evaluate(anchor.blocks, evidence.cells)
    weights = np.exp(evaluation.log_likelihood - evaluation.log_likelihood.max())
    return Posterior(space, evidence, anchor, evaluation, Weights(weights / weights.sum(), None))


def check(  # noqa: PLR0913 - what a check depends on
    draws: list[oracle.Parameters], rows: list[Observation], weeks: int, *, cover: bool = True, window: int = WEEKS,
    spec: ModelSpec | None = None,
) -> Alarm:  # fmt: skip
    """Raise the alarm over the last weeks."""
    space = StateSpace(spec or busy_spec())
    entries: list[Entry] = [*rows, *([watched(weeks)] if cover else [])]
    before = compile_evidence(space, [row for row in entries if row.reported_on <= last_day(weeks - window)],
                              last_day(weeks - window))  # fmt: skip
    return raise_alarm(
        posterior(space, draws_of(space, draws), before), compile_evidence(space, entries, last_day(weeks))
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make fewer futures."""
    monkeypatch.setattr(alarm, "DRAWS", 64)
    monkeypatch.setattr(alarm, "FUTURES", 200)


# Where the model is right.


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_tails_of_a_right_model_are_uniform() -> None:
    """In 110 worlds, whose parameters are one of the draws, the tail is uniform.

    Kolmogorov-Smirnov with a false alarm of 10⁻⁴; the scores are nearly continuous. The mean of a mid-p tail is a half.
    """
    draws, rng = parameters(4, 1), np.random.default_rng(2)
    tails = []
    for _ in range(110):
        p = draws[int(rng.integers(4))]
        tails.append(check(draws, told_by(p, 12, rng), 12).tail)
    assert stats.kstest(tails, "uniform").pvalue > 1e-4
    assert abs(np.mean(tails) - 0.5) < 3.9 * math.sqrt(1 / 12 / len(tails))


@pytest.mark.usefixtures("quick")
def test_false_alarms_are_as_rare_as_the_limit_says() -> None:
    """In worlds of selective rows alone, which are coarse, the tail is below 10 % in 10 % at most (binomial 10⁻⁴)."""
    draws, rng = parameters(4, 3), np.random.default_rng(4)
    tails = []
    for _ in range(110):
        rows = told_by(draws[int(rng.integers(4))], 12, rng)
        tails.append(check(draws, rows, 12, cover=False).tail)
    assert np.sum(np.array(tails) < 0.1) <= stats.binom.isf(1e-4, len(tails), 0.1)
    assert np.sum(np.array(tails) > 0.9) <= stats.binom.isf(1e-4, len(tails), 0.1)


# Where it is wrong.


@pytest.mark.usefixtures("quick")
def test_a_flood_of_reports_rings() -> None:
    """If all is seen 25 times as often as the draws say, the alarm rings in more than 80 % of 40 worlds."""
    spec = quiet_spec()
    draws, rng = parameters(4, 5, spec), np.random.default_rng(6)
    floods = [told_by(draws[k % 4], 12, rng, times=25, first=4, spec=spec) for k in range(40)]
    found = [check(draws, rows, 12, spec=spec) for rows in floods]
    assert sum(one.rings for one in found) > 32
    one = next(one for one in found if one.rings)
    assert one.score < one.expected
    assert "contradicts the model" in one.sentences[0]
    assert "Do not rely" in one.sentences[1]


@pytest.mark.usefixtures("quick")
def test_other_states_than_the_model_can_reach_ring() -> None:
    """If the model holds that nothing ever moves, and the reports of the other state rain, it rings."""
    rows = [sighting(name, last_day(5 + k), "A1") for k in range(7) for name in ("shot", "march")]
    spec, before = quiet_spec(), [sighting("pact", last_day(2))]
    (p,) = parameters(1, 7, spec)
    stuck = replace(
        p,
        log_rate=dict.fromkeys(p.log_rate, -9.0),
        start={**p.start, "near": {"calm": 0.999, "tense": 0.001}},
    )
    assert check([stuck, stuck], [*before, *rows], 12, spec=spec).rings
    assert not check([stuck, stuck], before, 12, spec=spec).rings


# The score.


@pytest.mark.usefixtures("quick")
def test_score_is_the_log_probability_of_what_was_observed() -> None:
    """It is log of the mean over draws of p(all) / p(before), by all paths, up to what draws are sampled."""
    spec, draws, rng = busy_spec(), parameters(1, 8), np.random.default_rng(9)
    rows = told_by(draws[0], 6, rng)
    found = check([draws[0], draws[0]], rows, 6, window=3)

    def total(weeks: int) -> float:
        here = [row for row in rows if row.date <= last_day(weeks)]
        emission = oracle.emissions(spec, draws[0], here, [watched(weeks)], last_day(weeks), lambda row: W[row.grade])
        moves = [oracle.transition_matrix(spec, draws[0], 7)] * weeks
        return float(np.log(oracle._grown(oracle.initial(spec, draws[0]), moves, emission)[1].sum()))

    assert found.score == pytest.approx(total(6) - total(3), abs=1e-9)
    assert found.weeks == 3
    assert found.since == last_day(3)
    cells = oracle.cells(spec, rows, [watched(6)], last_day(6), lambda row: W[row.grade])
    assert found.cells == sum(len(here) for here in cells[3:])


def test_the_tail_is_that_of_an_enumeration(monkeypatch: pytest.MonkeyPatch) -> None:
    """One week with one selective row of three indicators: score and tail follow from their probabilities alone."""
    monkeypatch.setattr(alarm, "DRAWS", 8)  # they are all the same
    space, (p,) = StateSpace(busy_spec()), parameters(1, 10)
    draws = draws_of(space, [p, p])
    day = last_day(3)
    before = posterior(space, draws, compile_evidence(space, [], last_day(2)))
    now = before.evaluation.now[0] @ oracle.transition_matrix(busy_spec(), p, 7)
    near = {
        s: sum(now[k] for k, z in enumerate(oracle.joint_states(busy_spec())) if z[0] == s) for s in ("calm", "tense")
    }
    names = ("shot", "march", "pact")
    rates = {(name, s): math.exp(p.log_lambda[name, s]) for name in names for s in near}
    share = {name: sum(near[s] * rates[name, s] / sum(rates[n, s] for n in names) for s in near) for name in names}
    false = {
        name: oracle_cells._told_before(space.spec, oracle.Selective(0, "near", name, names, 0.96)) for name in names
    }
    chance = {name: 0.96 * share[name] + 0.04 * false[name] for name in names}
    for name in names:
        found = raise_alarm(before, compile_evidence(space, [sighting(name, day)], day))
        assert found.score == pytest.approx(math.log(chance[name]), abs=1e-9)
        tail = sum(c for c in chance.values() if c < chance[name] - 1e-9) + chance[name] / 2
        # a thousand futures: within 5 standard errors
        assert found.tail == pytest.approx(tail, abs=5 * math.sqrt(tail * (1 - tail) / 1000) + 1e-9)
        assert found.expected == pytest.approx(sum(c * math.log(c) for c in chance.values()), abs=0.1)


def test_nothing_observed_is_no_reason_for_alarm() -> None:
    """Without anything to score the tail is a half, and the sentence says so."""
    found = check(parameters(2, 11), [], 12, cover=False)
    assert (found.cells, found.tail, found.score, found.rings) == (0, 0.5, 0.0, False)
    assert found.sentences == ("Since 28 Jan 2025, nothing was observed that could contradict the model.",)


@pytest.mark.parametrize("window", [0, -1, -8])
def test_no_weeks_between_is_refused(window: int) -> None:
    """The evidence has to reach behind that of the posterior."""
    space, draws = StateSpace(busy_spec()), draws_of(StateSpace(busy_spec()), parameters(2, 12))
    before = posterior(space, draws, compile_evidence(space, [], last_day(12)))
    with pytest.raises(InputError, match="no week has passed since 2025-03-25") as caught:
        raise_alarm(before, compile_evidence(space, [], last_day(12 + window)))
    assert caught.value.exit_code == 2


@pytest.mark.usefixtures("quick")
def test_alarm_is_the_same_each_time_and_plain_json() -> None:
    """Nothing but the evidence and the draws decides."""
    draws = parameters(3, 13)
    rows = told_by(draws[0], 12, np.random.default_rng(14))
    first, second = check(draws, rows, 12), check(draws, rows, 12)
    assert first == second
    content = json.loads(json.dumps(first.to_dict(), allow_nan=False))
    assert content["limit"] == LIMIT
    assert content["rings"] is first.rings
    assert content["since"] == "2025-01-28"
    assert content["sentences"] == list(first.sentences)


@pytest.mark.parametrize("tail", [0.001, 0.05, 0.5])
def test_an_alarm_from_untrusted_draws_says_so(tail: float) -> None:
    """So does its silence; from sound draws neither does."""
    found = replace(check(parameters(2, 15), [], 12, cover=False), tail=tail, cells=3)
    sound, doubtful = (replace(found, trust=replace(found.trust, reasons=why)) for why in ((), ("k-hat 1.2",)))
    assert doubtful.sentences == (
        *sound.sentences, "This comes from draws that failed their checks and may be wrong: k-hat 1.2.",
    )  # fmt: skip
    assert Alarm.from_dict(json.loads(json.dumps(doubtful.to_dict()))) == doubtful


@pytest.mark.parametrize(("tail", "rings"), [(LIMIT - 1e-6, True), (LIMIT, False), (0.5, False), (0.0, True)])
def test_it_rings_below_the_limit(tail: float, *, rings: bool) -> None:
    """The limit itself is no alarm."""
    found = replace(check(parameters(2, 15), [], 12, cover=False), tail=tail, cells=3)
    assert found.rings is rings
    assert ("what was observed contradicts the model:" in found.sentences[0]) is rings


# The limit.


def known_and_cells(kind: str, draws: Draws) -> tuple[Any, Any, Cells, np.ndarray]:
    """Simulate a year of the reference model; the last weeks' cells and the states before."""
    one = pick(draws, 3)
    world = simulate_world(np.random.default_rng(5), reference_space(), one, kind, 50)
    cells = world.cells(42, 50, 50)
    now = np.random.default_rng(6).dirichlet(np.ones(world.space.size))
    return world, Known(world.space, one), cells, now


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_reads_cells_as_the_package_does(reference_prior: Draws, kind: str) -> None:
    """The cells that it pieces together are the compiled ones, and its scores those of the package."""
    world, known, cells, now = known_and_cells(kind, reference_prior)
    whole = compile_evidence(world.space, world.entries(), world.day(50)).cells
    compiled = steps_between(whole, 42, 50)

    def content(some: Cells) -> list[list[float]]:
        return sorted(np.column_stack([some.what[:, :4], some.value, some.observed]).tolist())

    assert content(cells) == content(compiled)
    score = known.scores(cells, cells.observed[None], now)[0]
    level = evaluate(known.blocks, compiled, start=split(now[None])).log_likelihood[0]
    assert score == pytest.approx(level, abs=1e-9)
    first = world.cells(0, 42, 42)
    earlier = compile_evidence(world.space, world.entries(), world.day(42)).cells
    assert content(first) == content(earlier)


@pytest.mark.parametrize("kind", KINDS)
def test_the_script_finds_the_tails_of_the_package(reference_prior: Draws, kind: str) -> None:
    """With the parameters known its tails are `tail_of`'s, within what a thousand futures allow (5 standard errors)."""
    world, known, cells, now = known_and_cells(kind, reference_prior)
    draws = Draws(*(np.repeat(part, 2, axis=0) for part in world.draw))
    before = posterior(world.space, draws, compile_evidence(world.space, [], world.day(42)))
    before = replace(before, evaluation=replace(before.evaluation, states=split(np.repeat(now[None], 2, axis=0))))
    mine = known.tail(cells, now, np.random.default_rng(7))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alarm, "DRAWS", 2)
        theirs = tail_of(before, cells, np.random.default_rng(8))[2].mean
    assert mine == pytest.approx(theirs, abs=5 * math.sqrt(2 * 0.25 / 1000))


def test_the_fewer_draws_have_weight_the_larger_is_the_error(
    reference_prior: Draws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Futures of one draw are no independent ones; where a single draw has all the weight nothing is known."""
    monkeypatch.setattr(alarm, "DRAWS", 200)
    monkeypatch.setattr(alarm, "FUTURES", 200)
    world, _, cells, now = known_and_cells(KINDS[0], reference_prior)
    before = posterior(world.space, reference_prior, compile_evidence(world.space, [], world.day(42)))
    states = split(np.repeat(now[None], reference_prior.size, axis=0))
    errors: list[float] = []
    for heavy in (50, 8, 1):
        weights = np.zeros(50)
        weights[:heavy] = 1 / heavy
        some = replace(before, evaluation=replace(before.evaluation, states=states), weights=Weights(weights, 0.5))
        errors.append(tail_of(some, cells, np.random.default_rng(3))[2].mcse)
    assert errors[0] >= 0.5 / 50
    assert errors[1] > 2 * errors[0]
    assert errors[2] >= 0.5


def test_runs_are_counted_once() -> None:
    """Consecutive checks under a limit are one alarm; the limit itself is not under it."""
    tails = np.array([[0.01, 0.01, 0.5, 0.02, 0.5, 0.01], [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    assert runs(tails, np.array([0.01, 0.02, 0.03, 0.9])).tolist() == [[0, 2, 3, 1], [0, 0, 0, 1]]


def test_the_document_gives_the_limit() -> None:
    """What docs/alarm.md says is what the package uses, with the command that wrote it."""
    text = (DOCS / "alarm.md").read_text(encoding="utf-8")
    (said,) = re.findall(r"\*\*The limit is ([\d.]+)\.\*\*", text)
    assert float(said) == LIMIT
    assert float(f"{LIMIT:.2g}") == LIMIT
    assert "python -m benchmarks.alarm" in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_false_alarms_in_two_years_are_few(reference: StateSpace, kind: str) -> None:
    """Two years of weekly checks where the model is right ring at most once, by simulation.

    The worlds are the script's, with parameters drawn by other code. The mean number of alarms may exceed 1 by three
    standard errors; that the limit is not idle, it must reach 0.3.
    """
    rng = np.random.default_rng(20)
    size = {"everything watched": 12, "told selectively": 35}[kind]
    counts = []
    for k in range(size):
        draw = draws_of(reference, [oracle.derived(reference.spec, draw_values(reference.spec, rng, of_prior=True))])
        world = simulate_world(np.random.default_rng(100 + k), reference, draw, kind, last_weeks()[-1])
        tails = np.array([tails_if_known(world, last_weeks())])
        counts.append(int(runs(tails, np.array([LIMIT]))[0, 0]))
    mean, error = np.mean(counts), max(np.std(counts, ddof=1), 1.0) / math.sqrt(size)
    assert mean < 1 + 3 * error, counts
    assert mean > 0.3 - 3 * error, counts
