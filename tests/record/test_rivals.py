"""Rivals and experts: scores and pools equal to what oracle and optimiser say, and refused where they must be."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING

import jsonschema
import numpy as np
import oracle
import pytest
from rivals import AS_OF, DAY, NOW, START, made
from scipy import optimize, stats
from small_models import tiny_spec
from weighted_scenes import posterior_of
from worlds import SEEDS, draw_values, draws_of, small_world

from docs.builder.schemas import COMPARISON
from forecast.answers.experts import pool_experts
from forecast.base.errors import InputError
from forecast.engine.filtering import evaluate
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import compile_history
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import Posterior, reweigh
from forecast.inference.shifted_prior import Parameters, moved
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.record.history_scores import HistoryComparison
from forecast.record.replay import Week, require_comparable, score_week
from forecast.record.rivals import compare
from forecast.record.stacking import stack
from forecast.theory.assumptions import assumptions, with_intervals
from forecast.theory.spec import Expert
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from forecast.ledger.rows import Entry
    from forecast.project.project import Project
    from forecast.record.rivals import Comparison
    from forecast.theory.spec import ModelSpec

RATE = "stages.near.transitions.calm>tense"
CLASS = "priors.classes.news"
NO_HISTORY = HistoryComparison((), (), (), ())


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


def seen(indicator: str, day: dt.date, grade: str = "A1") -> Observation:
    """Make a sighting up."""
    told = {"date": day, "reported_on": day, "source": "us", "grade": grade}
    return Observation(id=f"{indicator}-{day}", indicator=indicator, **told)


# Scores.


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_score_is_the_log_ratio_of_all_paths(seed: int) -> None:
    """A week's score is the log of the mean over weighted draws of p(now) / p(a week before), by enumeration."""
    world = small_world(seed)
    before = world.as_of - 7 * DAY
    rows = (*world.rows, *world.coverage)
    levels = np.array([
        [oracle.log_likelihood(world.spec, p, world.rows, world.coverage, day, w) for day in (before, world.as_of)]
        for p in world.parameters
    ])  # fmt: skip
    alive = np.isfinite(levels[:, 0])
    share = np.random.default_rng(seed).dirichlet((2, 2)) * alive
    if not alive.any():
        return
    share /= share.sum()
    found = posterior_of(world.space, world.draws, share, rows, before)
    score, error = score_week(found, compile_evidence(world.space, rows, world.as_of))
    ratios = np.array([math.exp(now - then) if ok else 0.0 for (then, now), ok in zip(levels, alive, strict=True)])
    mean = share @ ratios
    if mean == 0:
        assert score == -math.inf
        return
    assert score == pytest.approx(math.log(mean), abs=1e-9)
    spread = math.sqrt(float(np.square(share * (ratios - mean)).sum())) / mean
    assert error == pytest.approx(spread, abs=1e-9)


def test_weekly_scores_of_one_draw_add_up() -> None:
    """What all weeks are worth is the log-probability of all evidence, less that of the first week."""
    spec, rng = tiny_spec(), np.random.default_rng(1)
    space, p = StateSpace(spec), oracle.derived(spec, draw_values(spec, rng))
    draws = draws_of(space, [p, p])
    rows = [seen("shot", START + 9 * DAY), seen("flood", START + 16 * DAY, "C3"), seen("pact", START + 30 * DAY)]
    watch = Coverage(id="c", indicator="march", from_=START, to=START + 40 * DAY, reported_on=START, source="us")
    entries: list[Entry] = [*rows, watch]
    days = [START + (7 * k - 1) * DAY for k in range(1, 7)]
    scores = []
    for then, now in itertools.pairwise(days):
        scores.append(
            score_week(posterior_of(space, draws, (0.5, 0.5), entries, then), compile_evidence(space, entries, now))
        )
    total = [oracle.log_likelihood(spec, p, rows, [watch], day, w) for day in (days[0], days[-1])]
    assert math.fsum(score for score, _ in scores) == pytest.approx(total[1] - total[0], abs=1e-9)
    assert max(error for _, error in scores) < 1e-9


# Stacking weights.


def value(weights: np.ndarray, scores: np.ndarray, counts: np.ndarray) -> float:
    """Σ counts log Σ weights exp(scores)."""
    top = scores.max(axis=1)
    return float(counts @ (np.log(np.exp(scores - top[:, None]) @ weights) + top))


def optimum(scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Maximise over the simplex with another method."""
    size = scores.shape[1]
    density = np.exp(scores - scores.max(axis=1, keepdims=True))

    def slope(x: np.ndarray) -> np.ndarray:
        return -(counts / (density @ x)) @ density

    found = optimize.minimize(
        lambda x: -float(counts @ np.log(density @ x)), np.full(size, 1 / size), jac=slope, method="SLSQP",
        bounds=[(0, 1)] * size, constraints={"type": "eq", "fun": lambda x: x.sum() - 1, "jac": np.ones_like},
        options={"ftol": 1e-15, "maxiter": 1000},
    )  # fmt: skip
    return found.x


@pytest.mark.parametrize("seed", range(20))
def test_stacking_reaches_the_optimum(seed: int) -> None:
    """On random problems no mixture is better by more than 1e-6, and the weights are those of SLSQP."""
    rng = np.random.default_rng(seed)
    weeks, models = int(rng.integers(10, 80)), int(rng.integers(2, 5))
    scores = rng.normal(-3, 1, size=(weeks, 1)) + rng.normal(0, rng.uniform(0.5, 2), size=(weeks, models))
    counts = np.stack([np.ones(weeks), rng.dirichlet(np.ones(weeks))])
    found = stack(scores, counts)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert (found >= 0).all()
    for weights, count in zip(found, counts, strict=True):
        best = optimum(scores, count)
        assert value(weights, scores, count / count.sum()) >= value(best, scores, count / count.sum()) - 1e-6
        assert weights == pytest.approx(best, abs=0.01)


def test_models_alike_share_and_a_dominated_one_gets_nothing() -> None:
    """Two that score the same have the same weight; one that is worse every week has none."""
    rng = np.random.default_rng(3)
    one = rng.normal(-2, 1, size=(40, 1))
    found = stack(np.hstack([one, one, one - 0.5]), np.ones((1, 40)))[0]
    assert found == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)
    assert stack(np.hstack([one, one, one]), np.ones((1, 40)))[0] == pytest.approx([1 / 3] * 3, abs=1e-12)


def test_stacking_does_not_depend_on_level_or_order() -> None:
    """What all models miss alike in a week says nothing; models may come in any order; impossible is possible."""
    rng = np.random.default_rng(4)
    scores = rng.normal(0, 1, size=(30, 3))
    counts = np.ones((1, 30))
    found = stack(scores, counts)
    assert stack(scores - 500 * rng.random((30, 1)), counts) == pytest.approx(found, abs=1e-9)
    assert stack(scores[:, [2, 0, 1]], counts) == pytest.approx(found[:, [2, 0, 1]], abs=1e-9)
    scores[3, 0] = -math.inf
    assert np.isfinite(stack(scores, counts)).all()


# A comparison.


def two_posteriors(changes: Mapping[str, tuple[float, float]] | None = None) -> dict[str, Posterior]:
    """Give two models of which the second has other rates; 80 draws each."""
    found = {}
    for name, intervals in (("one", {}), ("two", changes or {})):
        spec = with_intervals(tiny_spec(), intervals)
        rng, space = np.random.default_rng(7), StateSpace(spec)
        draws = draws_of(space, [oracle.derived(spec, draw_values(spec, rng, of_prior=True)) for _ in range(80)])
        found[name] = posterior_of(space, draws, np.full(80, 1 / 80), [seen("shot", START + 9 * DAY)], AS_OF)
    return found


def weeks_of(first: np.ndarray, second: np.ndarray) -> list[Week]:
    """Make weeks up with scores of two models."""
    return [
        Week(START + 7 * k * DAY, 1, {"one": float(a), "two": float(b)}, {"one": 0.0, "two": 0.0})
        for k, (a, b) in enumerate(zip(first, second, strict=True))
    ]


def compared(first: np.ndarray, second: np.ndarray, frozen: dt.date = START) -> Comparison:
    """Compare two models with made-up scores."""
    return compare(two_posteriors({RATE: (0.5, 1.5)}), weeks_of(first, second), frozen, NO_HISTORY, 0)


def test_pool_is_the_weighted_mean() -> None:
    """Every probability of the pool that is no ratio is the mean of the models' by their stacking weights."""
    rng = np.random.default_rng(5)
    found = compared(rng.normal(0, 1, 40), rng.normal(0, 1, 40))
    assert 0.05 < found.weights["one"] < 0.95
    by_key = {name: {row.key: row.estimate for row in one.quantities} for name, one in found.forecasts.items()}
    assert any(abs(by_key["one"][key].mean - by_key["two"][key].mean) > 0.05 for key in by_key["one"])
    for row in found.pooled.quantities:
        mean = sum(weight * by_key[name][row.key].mean for name, weight in found.weights.items())
        assert row.estimate.mean == pytest.approx(mean, abs=1e-12)
        ends = [by_key[name][row.key] for name in by_key]
        assert min(one.low for one in ends) - 1e-9 <= row.estimate.low
        assert row.estimate.high <= max(one.high for one in ends) + 1e-9
    assert found.pooled.model == "one+two"


def test_bootstrap_intervals_are_sane() -> None:
    """They hold the weight, stay within 0 and 1, mirror each other for two models, and shrink with more weeks."""
    rng = np.random.default_rng(6)
    widths = []
    for size in (20, 500):
        found = compared(rng.normal(0.2, 1, size), rng.normal(0, 1, size))
        for name, (low, high) in found.intervals.items():
            assert 0 <= low <= found.weights[name] <= high <= 1
        assert found.intervals["one"][0] == pytest.approx(1 - found.intervals["two"][1], abs=1e-9)
        widths.append(found.intervals["one"][1] - found.intervals["one"][0])
    assert widths[1] < widths[0] / 2
    assert widths[0] > 0.2


def test_words_follow_the_scores() -> None:
    """A clear difference is told as such, noise is not, and weeks before the freeze are called retrospective."""
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 0.3, 40)
    clear = compared(noise + 1, rng.normal(0, 0.3, 40))
    assert clear.sentences[0].startswith("one foresaw the evidence better than two: ")
    same = compared(noise, noise + rng.normal(0, 0.3, 40))
    assert "cannot be told apart from" in same.sentences[0]
    assert "retrospective fit, not skill" not in " ".join(compared(noise, noise, START - DAY).sentences)
    late = compared(noise, noise, START + 8 * DAY).sentences[-1]
    assert late.startswith("2 of 40 weeks lie before")
    assert "retrospective fit, not skill" in late


def test_comparison_is_plain_json_and_tidy() -> None:
    """Frames and JSON hold the same numbers."""
    rng = np.random.default_rng(9)
    found = compared(rng.normal(0, 1, 12), rng.normal(0, 1, 12))
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert content["totals"] == pytest.approx(found.totals)
    assert content["totals"]["one"] == pytest.approx(sum(week.scores["one"] for week in found.weeks))
    assert len(found.scores_frame()) == 24
    assert set(found.to_frame()["model"]) == {"one", "two", "pooled"}


# What can be compared.

DIFFERENCES = {
    "datasets": ('dataset = "tiny"', 'dataset = "other"', "dataset"),
    "clocks": ("start = 2025-01-01\nstep", "start = 2025-01-02\nstep", "start"),
    "lag": ("reporting_lag_days = 0", "reporting_lag_days = 3", "reporting_lag_days"),
    "horizons": ("[1, 2, 4]", "[1, 2, 8]", "4, 8"),
    "outcomes": ('{ near = ["tense"] }', '{ near = ["calm"] }', "tension"),
    "outcome's name": ("[outcomes.tension]", "[outcomes.strain]", "strain, tension"),
    "stages": ('["low", "high"]', '["high", "low"]', "far"),
    "observables": ('states = ["calm", "tense"]', 'states = ["calm", "tense"]\nobservable = ["tense"]', "near"),
    "indicators": ("repeats = false, ", "", "pact"),
    "indicator's name": ("flood =", "flash =", "flash, flood"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_what_differs_is_named(kind: str) -> None:
    """Rivals that do not speak of the same things are refused with the kind of difference and what differs."""
    old, new, what = DIFFERENCES[kind]
    rival = tiny_spec(a=(old, new))
    word = {"lag": "clocks", "outcome's name": "outcomes", "observables": "stages", "indicator's name": "indicators"}
    for pair in ((tiny_spec(), rival), (rival, tiny_spec())):
        with pytest.raises(InputError) as caught:
            require_comparable([StateSpace(spec) for spec in pair])
        assert caught.value.exit_code == 2
        assert f"{word.get(kind, kind)} differ ({what}); rivals must agree on them" in str(caught.value)
        assert len(caught.value.faults) == 1


def test_every_difference_is_named_and_numbers_may_differ() -> None:
    """Two faults are both told; rates, grades, words and priors are what rivals differ in."""
    other = tiny_spec(a=("[1, 2, 4]", "[1, 2]"), b=('dataset = "tiny"', 'dataset = "other"'))
    with pytest.raises(InputError, match="datasets differ") as caught:
        require_comparable([StateSpace(spec) for spec in (tiny_spec(), tiny_spec(), other)])
    assert "horizons differ" in str(caught.value)
    free = tiny_spec(
        a=("per_year = [2, 8]", "per_year = [1, 2]"),
        b=('"strong"', '"weak"'),
        c=("A shot", "Shots"),
        d=("scale = 0.2", "scale = 1"),
    )
    require_comparable([StateSpace(tiny_spec()), StateSpace(free)])


# Experts.


def expert(name: str, weight: float, **priors: tuple[float, float]) -> Expert:
    """Give an expert; the intervals' keys stand under the names ``rate`` and ``news``."""
    keys = {"rate": RATE, "news": CLASS}
    content = {"name": name, "label": name, "weight": weight, "basis": [{"kind": "judgement", "note": "made up"}]}
    return Expert(**content, priors={keys[key]: interval for key, interval in priors.items()})


def pooled_scene(
    experts: Sequence[Expert], *, size: int = 60, start: int = 1, rows: Sequence[Entry] | None = None
) -> tuple[ModelSpec, list[dict], Posterior, Parameters, list[Entry]]:
    """Draw from the prior, weight to some rows, and lay the parameters out for moving."""
    spec = tiny_spec().model_copy(update={"experts": tuple(experts)})
    rng, space = np.random.default_rng(start), StateSpace(spec)
    values = [draw_values(spec, rng, of_prior=True) for _ in range(size)]
    draws = draws_of(space, [oracle.derived(spec, one) for one in values])
    entries = list(rows or [seen("shot", START + 9 * DAY), seen("flood", START + 20 * DAY, "C3")])
    found = reweigh(Anchor(space, PRIOR, lambda: draws), compile_evidence(space, entries, AS_OF))
    return spec, values, found, parameters(spec, values), entries


def parameters(spec: ModelSpec, values: Sequence[dict]) -> Parameters:
    """Lay the parameters out by the keys of `assumptions`, which are in the order of the file."""
    eta = np.array([one["eta"] for one in values])
    keys = list(assumptions(spec))
    columns = {key: eta[:, k] for k, key in enumerate(key for key in keys if ".transitions." in key)}
    columns[CLASS] = np.array([one["mu"][0] for one in values])
    none = np.zeros((len(values), 4))
    history = compile_history(StateSpace(spec))
    return Parameters(
        {key: columns[key] for key in keys}, none, none, history, np.zeros((len(values), 0)), np.zeros((len(values), 0))
    )


def own(spec: ModelSpec, one: dict, priors: Mapping[str, tuple[float, float]]) -> dict:
    """Move one draw's parameters with their priors: as far from the mean in standard deviations as before."""
    new = {key: np.array(value, dtype=float) for key, value in one.items()}
    known = assumptions(spec)
    moves = [key for key in known if ".transitions." in key]
    for key, interval in priors.items():
        (mean, sd), (to, spread) = log_normal(known[key]), log_normal(interval)
        part, k = ("mu", 0) if key == CLASS else ("eta", moves.index(key))
        new[part][k] = to + (new[part][k] - mean) / sd * spread
    return new


def test_experts_who_agree_with_the_file_change_nothing() -> None:
    """With the file's own priors, given or not, everybody's forecast and the pool is the forecast, and weights stay."""
    known = assumptions(tiny_spec())
    experts = [expert("none", 1), expert("same", 3, rate=known[RATE], news=known[CLASS])]
    _, _, found, moving, entries = pooled_scene(experts)
    said = pool_experts(found, moving, entries)
    plain = found.forecast()
    assert [one.weight for one in said.voices] == [0.25, 0.75]
    assert [one.after for one in said.voices] == pytest.approx([0.25, 0.75], abs=1e-12)
    for voice in said.voices:
        for row, other in zip(voice.forecast.quantities, plain.quantities, strict=True):
            assert row.key == other.key
            for part in ("mean", "low", "high", "mcse"):
                assert getattr(row.estimate, part) == pytest.approx(getattr(other.estimate, part), abs=1e-12)
    for row, other in zip(said.pooled.quantities, plain.quantities, strict=True):
        assert row.estimate.mean == pytest.approx(other.estimate.mean, abs=1e-12)


def test_weights_after_the_evidence_are_those_of_brute_force() -> None:
    """Each expert's weight becomes weight times the mean likelihood of the moved draws, by all paths."""
    experts = [expert("file", 2), expert("calm", 1, rate=(0.2, 1.0)), expert("busy", 1, rate=(6, 30), news=(1, 2))]
    rows = [seen("shot", START + 9 * DAY), seen("march", START + 12 * DAY, "C3"), seen("flood", START + 20 * DAY, "C3")]
    watch = Coverage(id="c", indicator="shot", from_=START, to=START + 20 * DAY, reported_on=START, source="us")
    _, values, found, moving, entries = pooled_scene(experts, size=48, rows=[*rows, watch])
    said = pool_experts(found, moving, entries)
    levels, at = [], []
    for voice in experts:
        changed = with_intervals(tiny_spec(), voice.priors)
        draws = [oracle.derived(changed, own(tiny_spec(), row, voice.priors)) for row in values]
        date = AS_OF + 7 * DAY
        ahead = [oracle.forecast_supposed(changed, p, rows, [watch], AS_OF, w, [], {}, date) for p in draws]
        log_like = [one.log_likelihood for one in ahead]
        levels.append(np.exp(log_like).mean())
        weights = np.exp(log_like) / np.exp(log_like).sum()
        at.append(float(weights @ [one.at({"near": ["tense"]}) for one in ahead]))
    odds = np.array([0.5, 0.25, 0.25]) * levels
    after = odds / odds.sum()
    assert [one.after for one in said.voices] == pytest.approx(after, abs=1e-9)
    assert np.abs(after - [0.5, 0.25, 0.25]).max() > 0.05
    means = [one.forecast.probability("tension", weeks=1).mean for one in said.voices]
    assert means == pytest.approx(at, abs=0.03)  # weights are smoothed
    pool = said.pooled.probability("tension", weeks=1).mean
    assert pool == pytest.approx(sum(a * m for a, m in zip(after, means, strict=True)), abs=1e-9)


def test_weights_do_not_depend_on_what_the_draws_were_fitted_to() -> None:
    """From draws of the posterior the weights are the same as by quadrature over the one rate that is unsure."""
    experts = [expert("file", 1), expert("calm", 1, rate=(0.5, 2.0))]
    spec = tiny_spec().model_copy(update={"experts": tuple(experts)})
    space, rows = StateSpace(spec), [seen("shot", START + 9 * DAY), seen("march", START + 30 * DAY)]
    base = draw_values(spec, np.random.default_rng(2))
    mean, sd = log_normal(assumptions(spec)[RATE])
    grid = mean + sd * np.asarray(stats.norm.ppf((np.arange(4000) + 0.5) / 4000))

    def values_at(points: np.ndarray) -> list[dict]:
        return [base | {"eta": np.array([point, *base["eta"][1:]])} for point in points]

    def levels(some: ModelSpec, values: list[dict]) -> np.ndarray:
        one = StateSpace(some)
        draws = draws_of(one, [oracle.derived(some, row) for row in values])
        anchor = Anchor(one, PRIOR, lambda: draws)
        return evaluate(anchor.blocks, compile_evidence(one, rows, AS_OF).cells).log_likelihood

    prior = np.exp(levels(spec, values_at(grid)))
    changed = with_intervals(spec, experts[1].priors)
    moved = np.exp(levels(changed, [own(spec, row, experts[1].priors) for row in values_at(grid)]))
    expected = moved.mean() / (prior.mean() + moved.mean())
    share = np.cumsum(prior) / prior.sum()
    fitted = grid[np.searchsorted(share, (np.arange(3000) + 0.5) / 3000)]
    values = values_at(fitted)
    draws = draws_of(space, [oracle.derived(spec, row) for row in values])
    evidence = compile_evidence(space, rows, AS_OF)
    found = reweigh(Anchor(space, "a fit", lambda: draws, cells=evidence.cells, as_of=AS_OF), evidence)
    said = pool_experts(found, parameters(spec, values), rows)
    assert said.voices[1].after == pytest.approx(expected, abs=1e-3)
    assert abs(expected - 0.5) > 0.02


def test_a_narrow_voice_beside_a_fit_that_has_learned_keeps_its_draws() -> None:
    """Where reports speak of a rate, its draws move as a posterior does; moved with the prior few would count."""
    narrow = (2.0, 3.0)
    spec = tiny_spec().model_copy(update={"experts": (expert("file", 1), expert("narrow", 1, rate=narrow))})
    space = StateSpace(spec)
    (mean, sd), base = log_normal(assumptions(spec)[RATE]), draw_values(spec, np.random.default_rng(2))
    fitted = mean + 1.5 * sd + 0.3 * sd * np.random.default_rng(3).standard_normal(2000)
    values = [base | {"eta": np.array([point, *base["eta"][1:]])} for point in fitted]
    draws = draws_of(space, [oracle.derived(spec, row) for row in values])
    evidence = compile_evidence(space, [seen("shot", START + 9 * DAY)], AS_OF)
    found = reweigh(Anchor(space, "a fit", lambda: draws, cells=evidence.cells, as_of=AS_OF), evidence)
    moves = [moved(found, parameters(spec, values), [], {RATE: narrow}, learned=one) for one in (False, True)]
    # the fit's likelihood stands for what it was narrowed by: the draws say it, the evidence here hardly does
    told = (0.3 * sd) ** -2 - sd**-2
    at = (mean + 1.5 * sd - mean) * (0.3 * sd) ** -2 / told + mean
    kept = []
    for one in moves:
        there = one.blocks.draws.log_rate[:, 0]
        start = draws.log_rate[:, 0]
        ratios = one.log_ratios - 0.5 * told * ((there - at) ** 2 - (start - at) ** 2)
        weights = np.exp(ratios - ratios.max())
        kept.append(float(weights.sum() ** 2 / (weights**2).sum()) / len(weights))
    assert kept[1] > 0.9
    assert kept[0] < 0.5


def test_experts_in_words() -> None:
    """They are told where they differ most, from the lowest to the highest, with what is left of their weights."""
    _, _, found, moving, entries = pooled_scene([expert("calm", 1, rate=(0.2, 1.0)), expert("wild", 1, rate=(10, 40))])
    said = pool_experts(found, moving, entries)
    assert "(calm)" in said.sentences[0]
    assert "(wild)" in said.sentences[0]
    assert said.sentences[0].index("(calm)") < said.sentences[0].index("(wild)")
    assert "was 50%" in said.sentences[-1]
    gaps = [max(e.mean for _, e in row[2]) - min(e.mean for _, e in row[2]) for row in said.spread()]
    assert gaps == sorted(gaps, reverse=True)
    json.dumps(said.to_dict(), allow_nan=False)
    assert set(said.to_frame()["expert"]) == {"calm", "wild", "pooled"}


def test_no_experts_is_refused() -> None:
    """A model without them says what to add."""
    _, _, found, moving, entries = pooled_scene([])
    with pytest.raises(InputError, match=r"no experts; add \[\[experts\]\]") as caught:
        pool_experts(found, moving, entries)
    assert caught.value.exit_code == 2


# A project.


@pytest.fixture(scope="module")
def three(rivals: Project) -> Comparison:
    """Compare all three, without any fit."""
    return rivals.compare(["tiny", "copy", "slow"], as_of=AS_OF, refit="never", now=NOW)


def test_a_renamed_copy_cannot_be_told_apart(three: Comparison) -> None:
    """It has the same scores, weeks and forecast, and half the weight of the two."""
    for week in three.weeks:
        assert week.scores["copy"] == week.scores["tiny"]
    assert three.forecasts["copy"].quantities == three.forecasts["tiny"].quantities
    assert three.weights["copy"] == pytest.approx(three.weights["tiny"], abs=1e-9)
    said = " ".join(three.sentences)
    assert "tiny cannot be told apart from copy: 0.0 ± 0.0 nats" in said
    assert "tiny, copy and slow have no history, and cannot be compared on one." in said
    jsonschema.validate(json.loads(json.dumps(three.to_dict())), COMPARISON)


def test_each_week_is_foretold_by_what_was_known_before(three: Comparison, rivals: Project) -> None:
    """Weeks are those behind the first, each scored once; without a fit each total is the log evidence of the prior."""
    assert [week.date for week in three.weeks] == [START + (7 * k - 1) * DAY for k in range(2, 7)]
    assert three.fits == 0
    assert three.as_of == AS_OF
    model = rivals.model("tiny")
    prior = model.prior(1, rivals.fits.folder(model), model.evidence([], AS_OF))
    entries = rivals.entries(model, now=NOW, as_of=AS_OF)
    levels = evaluate(prior.blocks, model.evidence(entries, AS_OF).cells).log_likelihood
    assert three.totals["tiny"] == pytest.approx(math.log(np.exp(levels).mean()), abs=0.05)
    assert sum(week.cells for week in three.weeks) == 6


def test_the_rival_that_forbids_what_happened_loses(three: Comparison) -> None:
    """Tension was reported again and again; the rival in which it hardly begins foresaw that worse."""
    assert three.totals["slow"] < three.totals["tiny"]
    assert three.weights["slow"] < 0.5
    assert three.forecasts["slow"].probability("tension").mean < three.forecasts["tiny"].probability("tension").mean
    low, high = sorted(one.probability("tension").mean for one in (three.forecasts["slow"], three.forecasts["tiny"]))
    assert low - 1e-9 <= three.pooled.probability("tension").mean <= high + 1e-9


@pytest.mark.parametrize("names", [[], ["tiny"], ["tiny", "tiny"], ["tiny", "copy", "tiny"]])
def test_fewer_than_two_models_are_refused(rivals: Project, names: list[str]) -> None:
    """A comparison needs two, and each once."""
    with pytest.raises(InputError, match="two or more different ones"):
        rivals.compare(names, as_of=AS_OF, refit="never", now=NOW)


def test_unknown_model_is_refused(rivals: Project) -> None:
    """The nearest name is offered."""
    with pytest.raises(InputError, match="slow"):
        rivals.compare(["tiny", "slwo"], as_of=AS_OF, refit="never", now=NOW)


def test_the_first_week_cannot_be_scored(rivals: Project) -> None:
    """Where no week has been foretold yet the reason is told; nothing breaks."""
    with pytest.raises(InputError, match="no week"):
        rivals.compare(["tiny", "slow"], as_of=START + 3 * DAY, refit="never", now=NOW)


@pytest.mark.slow
def test_the_same_with_the_package_s_own_prior(tmp_path: Path) -> None:
    """Compiled and drawn by the package the copy is a copy still, and the slow rival loses."""
    found = made(tmp_path).compare(["tiny", "copy", "slow"], as_of=AS_OF, refit="never", now=NOW)
    assert found.totals["copy"] == found.totals["tiny"] > found.totals["slow"]
    assert found.weights["copy"] == pytest.approx(found.weights["tiny"], abs=1e-9)
