"""Updates: exact where nothing is approximate, the same in any order, and shut where they cannot be trusted."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from arviz_stats.base.array import array_stats
from hypothesis import given
from hypothesis import strategies as st
from oracle import derived
from projects import AS_OF
from worlds import SEEDS, World, compile_rows, draw_values, draws_of, small_world

from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.engine.pareto import equal_weights, k_hat_limit, smooth_weights
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.containment import contains
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.reweighting import reweigh, update
from forecast.inference.trust import gate
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.estimate import Estimate, Quantity
from forecast.quantities.forecast import Forecast
from forecast.quantities.from_draws import RAREST, Answers, estimates, sayable

if TYPE_CHECKING:
    from collections.abc import Callable

    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace

DAY = dt.timedelta(days=1)


def many(world: World, size: int, seed: int = 1) -> Draws:
    """Draw from the prior of a small world."""
    rng = np.random.default_rng(seed)
    return draws_of(world.space, [derived(world.spec, draw_values(world.spec, rng)) for _ in range(size)])


@pytest.fixture(scope="module")
def prior_draws(reference: StateSpace) -> Draws:
    """Draw 2,000 times from the prior of the article's model."""
    rng = np.random.default_rng(4)
    values = [derived(reference.spec, draw_values(reference.spec, rng, of_prior=True)) for _ in range(2000)]
    return draws_of(reference, values)


@pytest.fixture(scope="module")
def prior(reference: StateSpace, prior_draws: Draws) -> Anchor:
    """Give the prior of the article's model as an anchor."""
    return Anchor(reference, PRIOR, lambda: prior_draws)


def no_fit() -> Anchor:
    """Fail: no fit is expected."""
    pytest.fail("a fit was asked for")


# Weights.


@pytest.mark.parametrize("size", [100, 1000, 4000])
@pytest.mark.parametrize("spread", [0.05, 0.5, 2.0, 6.0])
@pytest.mark.parametrize("efficiency", [1.0, 0.6])
def test_smoothing_is_arviz_s(rng: np.random.Generator, size: int, spread: float, efficiency: float) -> None:
    """Weights and k-hat equal ArviZ's, which takes minus the log ratios."""
    for noise in (rng.standard_normal(size), rng.standard_t(3, size)):
        found = smooth_weights(spread * noise, efficiency)
        log_weights, k_hat = array_stats.psislw(-spread * noise, r_eff=efficiency)
        np.testing.assert_allclose(found.values, np.exp(log_weights), rtol=1e-9, atol=1e-300)
        assert found.k_hat == pytest.approx(k_hat, abs=1e-10)


def test_constant_ratios_change_nothing() -> None:
    """Where all ratios are the same, whatever they are, all weights are equal and there is no k-hat."""
    for level in (0.0, -800.0, 3.5):
        found = smooth_weights(np.full(500, level))
        np.testing.assert_array_equal(found.values, equal_weights(500).values)
        assert found.k_hat is None
        assert found.ess == pytest.approx(500)


def test_impossible_draws_weigh_nothing(rng: np.random.Generator) -> None:
    """A draw with a likelihood of zero has no weight, and the others keep theirs."""
    ratios = rng.standard_normal(1000)
    ratios[::3] = -np.inf
    found = smooth_weights(ratios)
    assert (found.values[::3] == 0).all()
    assert found.values.sum() == pytest.approx(1)
    assert np.isfinite(found.k_hat or 0.0)


def test_too_few_draws_are_refused() -> None:
    """A handful of draws has no tail to look at."""
    with pytest.raises(ValueError, match="too few"):
        smooth_weights(np.arange(20.0))


@pytest.mark.parametrize(("seed", "spread"), [(0, 500.0), (3, 350.0), (5, 500.0)])
def test_ratios_beyond_a_float_are_out_of_reach(seed: int, spread: float) -> None:
    """Draws that evidence rules out by hundreds of nats give weights, and a k-hat that says what they are worth."""
    found = smooth_weights(np.random.default_rng(seed).normal(0.0, spread, 4000))
    assert found.values.sum() == pytest.approx(1)
    assert found.k_hat is not None
    assert found.k_hat > 50


@given(st.floats(0.2, 3.0), st.integers(0, 2**32 - 1))
def test_weights_sum_to_one_and_keep_their_order(spread: float, seed: int) -> None:
    """Weights are positive, sum to one, and a larger ratio never weighs less."""
    ratios = spread * np.random.default_rng(seed).standard_normal(400)
    weights = smooth_weights(ratios).values
    assert weights.sum() == pytest.approx(1)
    assert (weights > 0).all()
    assert (np.diff(weights[np.argsort(ratios)]) >= -1e-15).all()


# Exactness.


@pytest.mark.parametrize("seed", [2, 9, 31])
def test_no_change_is_the_anchor_to_the_last_digit(seed: int) -> None:
    """Updating to the anchor's own evidence weighs all draws alike, whether it is found to be the same or not."""
    world = small_world(seed)
    draws = many(world, 300)
    own = Anchor(world.space, "a", lambda: draws, cells=world.evidence.cells, efficiency=0.7)
    same = reweigh(own, world.evidence)
    np.testing.assert_array_equal(same.weights.values, np.full(300, 1 / 300))
    assert same.weights.k_hat is None
    again = reweigh(own, compile_rows(world.space, [*world.coverage[::-1], *world.rows[::-1]], world.as_of))
    assert again.forecast() == same.forecast()
    assert smooth_weights(same.evaluation.log_likelihood - own.log_likelihood).k_hat is None


@pytest.mark.parametrize("seed", SEEDS[::4])
def test_weights_are_likelihood_ratios(seed: int) -> None:
    """From the prior each draw weighs by its likelihood; from an anchor by the ratio of two."""
    world = small_world(seed)
    draws = many(world, 200)
    prior = Anchor(world.space, PRIOR, lambda: draws)
    empty = compile_rows(world.space, [], world.as_of)
    own = Anchor(world.space, "a", lambda: draws, cells=empty.cells)
    first, second = reweigh(prior, world.evidence), reweigh(own, world.evidence)
    assert (prior.log_likelihood == 0).all()
    ratio = second.evaluation.log_likelihood - own.log_likelihood
    np.testing.assert_allclose(ratio, first.evaluation.log_likelihood - reweigh(prior, empty).evaluation.log_likelihood)
    np.testing.assert_allclose(second.weights.values, smooth_weights(ratio).values)


def row(indicator: str, day: dt.date, **more: object) -> Observation:
    """Give a sighting."""
    common = {"date": day, "reported_on": day, "source": "Test", "grade": "A1", "id": f"{indicator}-{day}"}
    return Observation(indicator=indicator, **(common | more))


NEWS = (
    row("presidents_meeting", AS_OF - 3 * DAY),
    row("cyberattack", AS_OF - 2 * DAY),
    row("arms_purchase_from_russia", AS_OF - 1 * DAY),
)


def known(reference: StateSpace, rows: list[Entry]) -> Evidence:
    """Compile rows as of the article's date."""
    return compile_evidence(reference, rows, AS_OF)


def test_order_and_batches_do_not_matter(reference: StateSpace, article_rows: list[Entry], prior_draws: Draws) -> None:
    """All at once, one by one in any order, and after a detour over a row that is withdrawn: the same numbers."""
    anchor = Anchor(reference, "a", lambda: prior_draws, cells=known(reference, article_rows).cells)
    whole = reweigh(anchor, known(reference, [*article_rows, *NEWS])).forecast()
    for order in ((0, 1, 2), (2, 0, 1)):
        rows = list(article_rows)
        for k in order:
            rows.append(NEWS[k])
            found = reweigh(anchor, known(reference, rows)).forecast()
        assert found == whole
    gone = reweigh(anchor, known(reference, article_rows)).forecast()
    assert gone.trust.k_hat is None
    assert gone != whole


class Toy:
    """One indicator, watched for 20 weeks, in a world that cannot move from a state that is known."""

    def __init__(self, rng: np.random.Generator) -> None:
        """Draw the indicator's rate."""
        world = small_world(9)
        self.space = world.space
        self.name = next(name for name, one in world.spec.indicators.items() if one.repeats)
        self.indicator = self.space.indicators.index(self.name)
        self.log_rate = rng.normal(1.0, 1.0, 1200)
        size = self.log_rate.size
        self.draws = Draws(
            np.full((size, len(self.space.rate_names)), -800.0),  # nothing ever moves
            np.zeros((size, len(self.space.emission_names))),
            np.zeros((size, int(self.space.sizes.sum()))),
        )
        self.draws.start[:, self.space.stage_offset[:-1]] = 1.0
        self.draws.log_lambda[:, self.space.emission_offset[self.indicator]] = self.log_rate
        self.header = world.spec.model
        self.as_of = self.header.start + dt.timedelta(days=7 * 20 - 1)

    def update(self, seen: tuple[int, ...]) -> Posterior:
        """See the indicator in some of the weeks, graded A1."""
        start = self.header.start
        watched = Coverage(id="c", indicator=self.name, from_=start, to=self.as_of, reported_on=start, source="Test")
        rows = [row(self.name, start + dt.timedelta(days=7 * k + 1), reported_on=self.as_of) for k in seen]
        evidence = compile_evidence(self.space, [watched, *rows], self.as_of)
        return reweigh(Anchor(self.space, PRIOR, lambda: self.draws), evidence)

    def log_likelihood(self, seen: tuple[int, ...]) -> np.ndarray:
        """Say in closed form what each draw makes of it: a binomial with credibility, up to a constant."""
        w, rate = credibility("A1"), np.exp(self.log_rate)
        value = np.zeros_like(rate)
        for k in range(20):
            lagging = max(0, 7 * (k + 1) - (7 * 20 - self.header.reporting_lag_days))
            exposure = max(7 - lagging, 0) / 365.25
            states = slice(*self.space.emission_offset[self.indicator : self.indicator + 2])
            before = -np.expm1(-self.space.emission_median[states] * exposure).mean()
            absent, odds = np.exp(-rate * exposure), before / (1 - before)
            value += np.log(w * (1 - absent) + (1 - w) * odds * absent) if k in seen else -rate * exposure
        return value


def test_toy_equals_its_closed_form(rng: np.random.Generator) -> None:
    """With a known state the log-likelihood is the closed form's, and so, within its error, is the posterior mean."""
    toy, seen = Toy(rng), (1, 4, 5)
    found, expected = toy.update(seen), toy.log_likelihood(seen)
    np.testing.assert_allclose(np.diff(found.evaluation.log_likelihood - expected), 0, atol=1e-9)
    grid = np.linspace(-5, 7, 20_001)
    toy.log_rate = grid
    density = toy.log_likelihood(seen) - (grid - 1.0) ** 2 / 2
    density = np.exp(density - density.max())
    mean = float(grid @ density / density.sum())
    values, weights = toy.draws.log_lambda[:, toy.space.emission_offset[toy.indicator]], found.weights.values
    error = np.sqrt(np.square(weights * (values - weights @ values)).sum())
    assert abs(weights @ values - mean) < 4 * error
    assert error < 0.05


def test_a_sighting_raises_its_indicator_s_rate(rng: np.random.Generator) -> None:
    """The sign of the weights is right: the more often an indicator is seen, the more frequent it is held to be."""
    toy = Toy(rng)
    means = [toy.update(seen).weights.values @ toy.log_rate for seen in ((), (3,), (3, 7), tuple(range(12)))]
    assert means == sorted(means)
    assert means[1] > means[0] + 0.2


# The gate.


def quantity(mean: float, mcse: float) -> Quantity:
    """Give a number with its error."""
    return Quantity("deal", "at", None, 4, AS_OF, Estimate(mean, mean, mean, mcse))


@pytest.mark.parametrize(
    ("mean", "mcse", "open_"),
    [
        (0.5, 0.0099, True), (0.5, 0.0101, False), (0.06, 0.0099, True), (0.94, 0.0101, False),
        (0.04, 0.0037, True), (0.04, 0.0040, False), (0.96, 0.0037, True), (0.96, 0.0040, False),
        (0.004, 0.0009, True), (0.004, 0.0011, False), (0.0, 0.0, True), (1.0, 0.0, True),
        (0.5, float("nan"), False), (0.0, float("nan"), False),
    ],
)  # fmt: skip
def test_gate_looks_at_every_error(prior: Anchor, mean: float, mcse: float, open_: bool) -> None:  # noqa: FBT001
    """Errors above 0.01, or in the tails above 0.1 in log-odds and 0.001, shut the gate, and the reason names it."""
    found = gate(prior, equal_weights(2000), [quantity(0.3, 0.001), quantity(mean, mcse)])
    assert found.trusted is open_
    assert found.trusted or "deal on 2026-01-08" in found.reasons[0]


def test_gate_looks_at_k_hat(prior: Anchor) -> None:
    """The limit is min(1 − 1 / log₁₀ S, 0.7), and a k-hat above it shuts the gate."""
    assert k_hat_limit(100) == pytest.approx(0.5)
    assert k_hat_limit(4000) == pytest.approx(0.7)
    for k_hat, open_ in ((0.69, True), (0.71, False), (0.698, False), (float("inf"), False), (float("nan"), False)):
        weights = dataclasses.replace(equal_weights(4000), k_hat=k_hat)
        assert gate(prior, weights, [quantity(0.3, 0.001)]).trusted is open_, "the prior has 2,000 draws"


def test_a_condition_that_is_nearly_impossible_shuts_no_gate(prior: Anchor) -> None:
    """Of what would follow something of 0.2 %, from few draws that allow it, nothing is said; the rest is trusted."""
    date = AS_OF + 28 * DAY
    keys = (("deal", "at", None, 4, date), ("confrontation", "given", "deal", 4, date))
    share = np.linspace(0.0, 1.0, 2000)
    allows = np.where(np.arange(2000) % 50 == 0, 0.1, 0.0)
    asked = Answers(keys, np.stack([0.3 + 0.01 * share, allows * share]), np.stack([np.ones(2000), allows]))
    weights = equal_weights(2000)
    assert asked.whole[1].mean() == pytest.approx(0.002)
    every = gate(prior, weights, estimates(asked, weights.values, 1.0))
    assert "of confrontation on 2026-02-05 given deal" in every.reasons[0]
    said = estimates(sayable(asked, weights.values), weights.values, 1.0)
    assert [one.key for one in said] == [keys[0]]
    assert gate(prior, weights, said).trusted


def test_what_is_said_of_conditions_begins_at_one_in_a_hundred(prior: Anchor, reference: StateSpace) -> None:
    """By the weighted probability of the condition; what has no condition is always said, however unlikely."""
    found = reweigh(prior, compile_evidence(reference, [], AS_OF))
    whole = dict(zip(found.answers.names, found.answers.whole @ found.weights.values, strict=True))
    said = {one.key for one in found.quantities}
    assert said == {key for key, chance in whole.items() if chance >= RAREST}
    assert {key for key in whole if key[2] is None} <= said
    assert any(key not in said for key in whole)
    assert any(key[2] is not None for key in said)


def test_a_bad_fit_keeps_the_gate_shut(reference: StateSpace, prior_draws: Draws) -> None:
    """What is wrong with the draws is wrong with every number from them."""
    anchor = Anchor(reference, "a", lambda: prior_draws, complaints=["9 divergent transitions"])
    found = gate(anchor, equal_weights(2000), [quantity(0.3, 0.001)])
    assert found.reasons == ("9 divergent transitions",)


# Containment.


def test_what_contains_what(reference: StateSpace, article_rows: list[Entry]) -> None:
    """More rows, later dates and more coverage contain what was known before; less, other or changed rows do not."""
    base = known(reference, article_rows).cells
    watched = Coverage(
        id="c", indicator="presidents_meeting", from_=AS_OF - 90 * DAY, to=AS_OF, reported_on=AS_OF, source="T"
    )
    week = compile_evidence(reference, article_rows, AS_OF + 7 * DAY).cells
    more = known(reference, [*article_rows, NEWS[1]]).cells
    fewer = known(reference, article_rows[:-4]).cells
    assert contains(base, None)
    assert contains(base, base)
    assert contains(week, base)
    assert not contains(base, week)
    assert contains(more, base)
    assert not contains(more, week)
    assert not contains(base, more)
    assert not contains(fewer, base)
    assert contains(known(reference, [*article_rows, watched]).cells, base), "what was told was seen by who looked"
    assert not contains(base, known(reference, [*article_rows, watched]).cells)
    changed = [dataclasses.replace(r, grade="D4") if r.id == article_rows[-1].id else r for r in article_rows]
    assert not contains(known(reference, changed).cells, base)


def test_a_day_later_contains_a_running_week(reference: StateSpace, article_rows: list[Entry]) -> None:
    """Within a week each later day contains the earlier one, with coverage running on over rows told before."""
    watched = Coverage(
        id="c", indicator="*", from_=AS_OF - 30 * DAY, to=AS_OF + 30 * DAY, reported_on=AS_OF - 30 * DAY, source="T"
    )
    rows = [watched, *article_rows]
    days = [compile_evidence(reference, rows, AS_OF + k * DAY).cells for k in range(9)]
    for k in range(8):
        assert contains(days[k + 1], days[k])
        assert not contains(days[k], days[k + 1])


# The choice.


class Recorder:
    """Stands for the prior and for a fit, and counts how often each is asked."""

    def __init__(self, space: StateSpace, draws: Callable[[int], Draws]) -> None:
        """Take ``draws`` of a given number."""
        self.space, self.draws = space, draws
        self.asked: list[int] = []
        self.fits = 0

    def prior(self, count: int) -> Anchor:
        """Give draws from the prior."""
        self.asked.append(count)
        found = self.draws(max(count, 300))
        return Anchor(self.space, PRIOR, lambda: found)

    def fit(self) -> Anchor:
        """Give something that stands for a fit."""
        self.fits += 1
        found = self.draws(500)
        return Anchor(self.space, "fit", lambda: found)


def test_the_richest_contained_anchor_is_taken(
    reference: StateSpace, prior_draws: Draws, article_rows: list[Entry]
) -> None:
    """Of nested evidence the richest is taken, what is not contained is left, and no fit is made."""
    some, most = known(reference, article_rows[:20]), known(reference, article_rows[:-1])
    anchors = [
        Anchor(reference, name, lambda: prior_draws, cells=evidence.cells)
        for name, evidence in {
            "none": known(reference, []),
            "some": some,
            "most": most,
            "more": known(reference, [*article_rows, NEWS[0]]),
        }.items()
    ]
    target = known(reference, article_rows)
    found = update(target, anchors, None, no_fit, refit="never")
    assert found.anchor.name == "most"
    exact = update(most, anchors, None, no_fit, refit="never")
    assert exact.anchor.name == "most"
    assert exact.weights.k_hat is None


def test_removing_evidence_is_the_last_resort(
    reference: StateSpace, prior_draws: Draws, article_rows: list[Entry]
) -> None:
    """An anchor that knows too much is taken only if nothing else can be trusted and the gate lets it."""
    target = known(reference, article_rows)
    wide = Recorder(reference, lambda count: Draws(*(part[:count] for part in prior_draws)))
    knows_more = Anchor(reference, "more", lambda: prior_draws, cells=known(reference, [*article_rows, NEWS[1]]).cells)
    contained = Anchor(reference, "empty", lambda: prior_draws, cells=known(reference, []).cells)
    weak = reweigh(contained, target)
    assert not weak.trust.trusted, "the prior must not be enough, or the test shows nothing"
    found = update(target, [contained, knows_more], wide.prior, wide.fit)
    assert found.anchor.name == ("more" if reweigh(knows_more, target).trust.trusted else "fit")
    never = update(target, [contained], wide.prior, wide.fit, refit="never")
    assert never.anchor.name == "empty"
    assert not never.trust.trusted
    always = update(target, [contained], wide.prior, wide.fit, refit="always")
    assert always.anchor.name == "fit"


def test_more_prior_draws_are_tried_where_they_are_enough() -> None:
    """A prior whose error is a little too large is drawn from again, with about as many draws as are needed."""
    world = small_world(9)
    recorder = Recorder(world.space, lambda count: many(world, count))
    found = update(world.evidence, [], recorder.prior, recorder.fit)
    few = reweigh(recorder.prior(300), world.evidence)
    assert few.trust.trusted is (len(recorder.asked) == 2), "asked at first, perhaps again, and by this test"
    assert found.trust.trusted
    assert recorder.fits == 0


# Results.


def test_round_trips(prior: Anchor, reference_evidence: Evidence) -> None:
    """A forecast goes through JSON text without loss, and its table holds every number."""
    found = reweigh(prior, reference_evidence).forecast()
    assert Forecast.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    frame = found.to_frame()
    assert list(frame.columns) == [
        "outcome", "kind", "given", "horizon_weeks", "date", "mean", "low", "high", "mcse",
    ]  # fmt: skip
    assert frame["mean"].tolist() == [q.estimate.mean for q in found.quantities]
    assert frame["horizon_weeks"].isna().sum() == 5


def test_unknown_numbers_are_refused(prior: Anchor, reference_evidence: Evidence) -> None:
    """Asking for what was not forecast names the nearest outcome, or what there is."""
    found = reweigh(prior, reference_evidence).forecast()
    with pytest.raises(InputError, match="did you mean 'confrontation'"):
        found.probability("confrontatoin")
    with pytest.raises(InputError, match="at 4; at 13; at 26; at 52"):
        found.probability("deal", weeks=5)


def test_a_forecast_that_was_read_back_cannot_be_asked(prior: Anchor, reference_evidence: Evidence) -> None:
    """Numbers alone cannot answer what if; the error says how to get some that can."""
    found = reweigh(prior, reference_evidence).forecast()
    with pytest.raises(InputError, match=r"project\.update"):
        found.what_if("cyberattack")


def test_notebooks_show_a_table(prior: Anchor, reference_evidence: Evidence) -> None:
    """The HTML of a forecast holds every outcome, and says when it is not to be trusted."""
    found = reweigh(prior, reference_evidence).forecast()
    html = found._repr_html_()
    assert html.count("<tr>") == 1 + 2 * 5
    assert ("Not to be trusted" in html) is not found.trust.trusted
    evil = dataclasses.replace(found, model="<script>")
    assert "<script>" not in evil._repr_html_()
