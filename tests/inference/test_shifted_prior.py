"""Draws moved to other priors: what a changed model file would say, by the oracle and by sampling its prior."""

from __future__ import annotations

import datetime as dt
import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import oracle
import pytest
from oracle import derived
from priors import COPIES, Interval, Scene, Values, edited, moved_values
from scipy import stats
from small_models import PLAIN
from worlds import anchor_of, draws_of, moving_of, values_of

from forecast.answers.target import Question, Reading
from forecast.base.errors import InputError
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.inference.shifted_prior import grades_moved, moved, posterior_shift, prior_shift
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.assumptions import assumptions
from forecast.theory.indicators import GRADES
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Parameters
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec


# The changed file: edited as text, and read again.


def some(spec: ModelSpec, which: str, rng: np.random.Generator) -> dict[str, Interval]:
    """Choose intervals to change: in their middle, in their width, or both."""
    known = assumptions(spec)
    groups = {
        "rate": [key for key in known if ".transitions." in key],
        "effect": [key for key in known if ".effects." in key],
        "class": [key for key in known if key.startswith("priors.")],
    }
    groups["wider"] = groups["narrower"] = list(known)
    if which == "several":
        chosen = [
            str(rng.choice(keys)) for name, keys in groups.items() if keys and name in {"rate", "effect", "class"}
        ]
        chosen += [str(rng.choice(groups["wider"]))]
    else:
        chosen = [str(rng.choice(groups[which]))] if groups[which] else []
    found: dict[str, Interval] = {}
    for key in chosen:
        low, high = known[key]
        middle, half = np.sqrt(low * high), np.sqrt(high / low)
        if which in {"rate", "effect", "class", "several"}:
            middle *= float(rng.uniform(0.4, 2.5))
        if which == "wider" or (which == "several" and rng.random() < 0.5):
            half **= 1.7
        if which == "narrower":
            half **= 0.4
        found[key] = float(middle / half), float(middle * half)
    return found


@pytest.mark.parametrize("which", ["rate", "effect", "class", "wider", "narrower", "several"])
@pytest.mark.parametrize("seed", [0, 3, 5, 8, 13, 21])
def test_moved_draws_are_those_of_a_changed_file(seed: int, which: str) -> None:
    """Log ratios, derived arrays and present states are those of the edited file under draws moved by hand."""
    scene = Scene(seed, own=seed % 2 == 1)
    intervals = some(scene.spec, which, np.random.default_rng([seed, len(which)]))
    if not scene.possible or not intervals:
        pytest.skip("the rows are impossible, or there is no effect")
    found = scene.moved(intervals)
    changed, there, ratios = scene.wanted(intervals)
    assert found.space.spec == changed
    size = len(scene.values)
    np.testing.assert_allclose(found.log_ratios[:size], ratios, atol=1e-9)
    wanted = draws_of(StateSpace(changed), there)
    for name, part in wanted._asdict().items():
        np.testing.assert_allclose(getattr(found.blocks.draws, name)[:size], part, atol=1e-12)
    np.testing.assert_allclose(found.blocks.rate[0, :, 0], np.exp(wanted.log_rate[0]))
    np.testing.assert_allclose(found.blocks.emission[0, :, 0], np.exp(wanted.log_lambda[0]))
    now = [oracle.filtered(changed, p, *scene.rest)[-1] for p in there]
    np.testing.assert_allclose(found.evaluation.now[:size], now, atol=1e-9)
    weights = np.exp(ratios - ratios.max())
    np.testing.assert_allclose(found.weights.values[:size] * COPIES, weights / weights.sum(), atol=1e-9)


def test_a_class_changes_the_odds_of_false_reports() -> None:
    """The constants of the file move with it: the evidence is compiled anew, and that matters."""
    scene = next(one for one in map(Scene, range(40)) if one.possible and one.found().evidence.cells.value[:, 2].any())
    intervals = {f"priors.classes.{name}": (60.0, 90.0) for name in scene.spec.priors.classes}
    found = scene.moved(intervals)
    _, there, ratios = scene.wanted(intervals)
    np.testing.assert_allclose(found.log_ratios[:2], ratios, atol=1e-9)
    stale = [oracle.log_likelihood(scene.spec, p, *scene.rest) for p in there]
    assert np.abs(ratios - stale).min() > 1e-3


@pytest.mark.parametrize("seed", [0, 3, 8, 13])
def test_moving_by_nothing_changes_nothing(seed: int) -> None:
    """Intervals as they are leave every draw and every weight as it is, to the last digit."""
    scene = Scene(seed)
    if not scene.possible:
        pytest.skip("the rows are impossible")
    here = scene.found()
    for intervals in ({}, assumptions(scene.spec)):
        found = scene.moved(intervals)
        assert found.space.spec == scene.spec
        for name in ("log_rate", "log_lambda", "start"):
            np.testing.assert_array_equal(getattr(found.blocks.draws, name), getattr(scene.anchor.blocks.draws, name))
        np.testing.assert_array_equal(found.log_ratios, here.evaluation.log_likelihood - scene.anchor.log_likelihood)
        np.testing.assert_array_equal(found.weights.values, here.weights.values)
    for grade in GRADES:
        same = grades_moved(here, scene.parameters, scene.entries, grade, 0.0)
        np.testing.assert_allclose(same.weights.values, here.weights.values, atol=1e-15)
        np.testing.assert_array_equal(same.blocks.draws.log_lambda, scene.anchor.blocks.draws.log_lambda)


@pytest.mark.parametrize("new", [(0.4, 0.3), (-1.0, 1.5), (0.2, 0.8)])
@pytest.mark.parametrize("told", [0.2, 1.0, 30.0])
def test_a_normal_posterior_moves_to_that_of_the_other_prior(new: tuple[float, float], told: float) -> None:
    """Draws of it, moved as one that has learned, need no weights: the likelihood loses what the prior gains."""
    old, at = (0.2, 0.8), 1.1  # prior; the likelihood's mean, of precision ``told``
    precision = old[1] ** -2 + told
    draws = stats.norm.ppf((np.arange(500) + 0.5) / 500)
    draws /= draws.std()
    values = (old[0] * old[1] ** -2 + at * told) / precision + draws * precision**-0.5
    shift, gain = posterior_shift(values, old, new)
    there = values + shift[:, 0]
    likelihood = -0.5 * told * ((there - at) ** 2 - (values - at) ** 2)
    wanted = stats.norm(new[0], new[1]), stats.norm(*old)
    evidence = [stats.norm(part.mean(), np.sqrt(part.var() + 1 / told)).logpdf(at) for part in wanted]
    np.testing.assert_allclose(gain + likelihood, evidence[0] - evidence[1], atol=1e-9)
    stretched = (new[1] ** -2 + told) ** -0.5 * precision**0.5
    np.testing.assert_allclose(gain, wanted[0].logpdf(there) - wanted[1].logpdf(values) + np.log(stretched), atol=1e-9)


def test_one_that_learned_nothing_moves_with_its_prior() -> None:
    """Draws that are as wide as the prior, or wider, go where the new prior is, and gain nothing."""
    old, new = (0.2, 0.8), (1.0, 0.3)
    draws = stats.norm.ppf((np.arange(500) + 0.5) / 500)
    values = 0.2 + 0.8 * draws / draws.std()
    shift, gain = posterior_shift(values, old, new)
    np.testing.assert_allclose(shift, prior_shift(values, old, new), atol=1e-9)
    np.testing.assert_allclose(gain, 0.0, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 3, 8])
def test_there_and_back_is_the_identity(seed: int) -> None:
    """Draws moved to another file and, from there, to the first one are where they were."""
    scene = Scene(seed)
    if not scene.possible:
        pytest.skip("the rows are impossible")
    intervals = some(scene.spec, "several", np.random.default_rng(seed))
    there = scene.moved(intervals)
    values = [moved_values(scene.spec, one, intervals) for one in scene.values]
    turns = np.arange(COPIES * len(values)) % len(values)
    moving = moving_of(there.space.spec, values)
    parameters = type(moving)(
        {key: part[turns] for key, part in moving.values.items()}, moving.grade[turns], moving.departure[turns],
        moving.history, moving.history_log_rate[turns], moving.counted[turns],
    )  # fmt: skip
    anchor = Anchor(there.space, "there", lambda: there.blocks.draws)
    home = {key: interval for key, interval in assumptions(scene.spec).items() if key in intervals}
    back = moved(reweigh(anchor, there.evidence), parameters, scene.entries, home)
    assert back.space.spec == scene.spec
    for name in ("log_rate", "log_lambda", "start"):
        np.testing.assert_allclose(
            getattr(back.blocks.draws, name), getattr(scene.anchor.blocks.draws, name), atol=1e-12
        )
    np.testing.assert_allclose(back.log_ratios, scene.found().evaluation.log_likelihood, atol=1e-9)


def test_what_makes_no_sense_is_refused() -> None:
    """An unknown key is named with the nearest one, and an interval that is none too."""
    scene = Scene(0)
    with pytest.raises(InputError, match=r"priors\.classes\.slov: .* did you mean 'priors\.classes\.slow'"):
        scene.moved({"priors.classes.slov": (1.0, 2.0)})
    with pytest.raises(InputError, match=r"priors\.classes\.slow: .*0 < lo < hi"):
        scene.moved({"priors.classes.slow": (2.0, 1.0)})


# Grades.


class Beside(NamedTuple):
    """The model in sight with draws from its prior, reweighted to rows."""

    spec: ModelSpec
    values: list[Values]
    found: Posterior
    parameters: Parameters
    entries: list[Entry]


def rows_of(space: StateSpace) -> list[Entry]:
    """Give a few sightings, one span of coverage and an assessment."""
    start, day = space.spec.model.start, dt.timedelta(days=1)
    rows: list[Entry] = [
        Observation(
            id=f"r{k}", indicator=name, date=start + at * day, reported_on=start + at * day, source="T", grade="B2"
        )
        for k, (name, at) in enumerate([("a", 5), ("e", 12), ("c", 25), ("d", 31), ("b", 33)])
    ]
    rows.append(
        Coverage(
            id="w", indicator="*", from_=start + 14 * day, to=start + 34 * day, reported_on=start + 34 * day, source="T"
        )
    )
    return rows


@cache
def beside(text: str = PLAIN, size: int = 3000, seed: int = 1) -> Beside:
    """Draw from the prior of the model in ``text``."""
    spec = parse_spec(text, where="plain")
    space = StateSpace(spec)
    values = values_of(spec, size, seed)
    rows = rows_of(space)
    evidence = compile_evidence(space, rows, spec.model.start + dt.timedelta(days=37))
    return Beside(spec, values, reweigh(anchor_of(space, values), evidence), moving_of(spec, values), rows)


@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("step", [-0.9, -0.3, 0.3, 1.5])
def test_moved_grades_are_those_of_other_medians(grade: str, step: float) -> None:
    """The medians are those of the file with the increment longer, and the draws those of the same Beta draws there."""
    here = beside()
    found = grades_moved(here.found, here.parameters, here.entries, grade, step)
    k = GRADES.index(grade)
    old = np.log([2, 4, 10, 30])
    increments = np.diff(old, prepend=0.0)
    increments[k] *= 1 + step
    medians = np.exp(np.cumsum(increments))
    assert found.space.spec.priors.grades.medians == pytest.approx(tuple(medians), rel=1e-12)
    text = PLAIN
    for name, value in zip(GRADES, medians.tolist(), strict=True):
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value!r}", text)
        assert count == 1
    changed = parse_spec(text, where="changed")
    wanted = draws_of(StateSpace(changed), [derived(changed, one) for one in here.values[:200]])
    np.testing.assert_allclose(found.blocks.draws.log_lambda[:200], wanted.log_lambda, atol=1e-12)
    np.testing.assert_array_equal(found.blocks.draws.log_rate, here.found.anchor.blocks.draws.log_rate)
    again = reweigh(Anchor(StateSpace(changed), "again", lambda: found.blocks.draws), found.evidence)
    np.testing.assert_allclose(found.log_ratios, again.evaluation.log_likelihood, atol=1e-9)


@pytest.mark.parametrize("grade", GRADES)
@pytest.mark.parametrize("step", [-0.99, -0.3, 2.0])
def test_the_order_of_grades_holds_in_every_draw(grade: str, step: float) -> None:
    """Weak stays below moderate, strong and decisive in each moved draw, and above nothing at all."""
    here = beside()
    moved_ = grades_moved(here.found, here.parameters, here.entries, grade, step)
    names = list(moved_.space.emission_names)
    each = []
    for row, inside, outside in (
        ("e", "tense", "calm"),
        ("b", "low", "high"),
        ("a", "high", "low"),
        ("c", "tense", "calm"),
    ):
        lift = (
            moved_.blocks.draws.log_lambda[:, names.index(f"{row}|{inside}")]
            - moved_.blocks.draws.log_lambda[:, names.index(f"{row}|{outside}")]
        )
        each.append(lift / here.parameters.departure[:, list(here.spec.indicators).index(row)])
    steps = np.diff(np.array(each), axis=0, prepend=0.0)
    assert (steps > 0).all()
    medians = np.median(np.exp(each), axis=1)
    assert medians == pytest.approx(moved_.space.spec.priors.grades.medians, rel=0.15)


# By sampling: what moved draws are, and what they say.

CHANGED: dict[str, Interval] = {
    "stages.down.transitions.calm>tense": (0.2, 0.9),
    "stages.down.effects.pressed": (1.1, 3.0),
    "priors.classes.slow": (0.5, 1.6),
    "stages.up.transitions.low>high": (1.0, 2.0),
}


def test_moved_prior_draws_have_the_changed_prior() -> None:
    """Each derived number of moved draws is distributed as under fresh draws from the edited file's prior."""
    here = beside()
    found = moved(here.found, here.parameters, [], CHANGED)
    fresh = beside(edited(PLAIN, CHANGED), 3000, 2)
    draws, others = found.blocks.draws, fresh.found.anchor.blocks.draws
    least, before = 1.0, 1.0
    for name in ("log_rate", "log_lambda"):
        for k in range(getattr(draws, name).shape[1]):
            one, two = getattr(draws, name)[:, k], getattr(others, name)[:, k]
            least = min(least, stats.ks_2samp(one, two).pvalue)
            unmoved = getattr(here.found.anchor.blocks.draws, name)[:, k]
            before = min(before, stats.ks_2samp(unmoved, two).pvalue)
    assert least > 1e-4
    assert before < 1e-20
    k = found.space.rate_names.index("down.calm>tense|low")
    quantiles = np.exp(np.quantile(draws.log_rate[:, k], [0.05, 0.5, 0.95]))
    assert quantiles == pytest.approx([0.2, np.sqrt(0.2 * 0.9), 0.9], rel=0.08)


@pytest.mark.parametrize("key", [None, *CHANGED])
def test_moved_draws_forecast_as_the_changed_file_does(key: str | None) -> None:
    """The forecast of moved, weighted draws agrees with fresh draws from the changed prior within four errors."""
    intervals = CHANGED if key is None else {key: CHANGED[key]}
    here = beside()
    fresh = beside(edited(PLAIN, intervals), 3000, 3)
    found = moved(here.found, here.parameters, rows_of(here.found.space), intervals)
    as_of = here.found.evidence.as_of
    question = Question(here.found.space, "very_tense", 8, as_of, stages=True)
    part = question.read(found.blocks, found.evaluation.states, as_of)
    one = Reading(question.key, part, found.weights, here.found.anchor)
    two = Question(fresh.found.space, "very_tense", 8, as_of, stages=True).ask(fresh.found)
    assert found.weights.k_hat is not None
    assert found.weights.k_hat < 0.7
    for k, name in enumerate(question.names):
        error = 0.0
        for reading in (one, two):
            weights, values = reading.weights.values, reading.part[k]
            error += np.square(weights * (values - weights @ values)).sum()
        assert abs(one.mean[k] - two.mean[k]) <= 4 * np.sqrt(error) + 1e-12, name
    if key is None:
        was = question.ask(here.found).quantity.estimate
        assert abs(two.mean[0] - was.mean) > 4 * np.hypot(was.mcse, two.quantity.estimate.mcse)
