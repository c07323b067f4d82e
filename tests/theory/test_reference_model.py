"""The article's model behaves as the article says, and its content is all there."""

from __future__ import annotations

import csv
import datetime as dt
import math
import tomllib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kernels import Numbers, numbers_of
from places import MODEL, TESTS
from scipy import special
from worlds import draws_of

from forecast.engine.blocks import Blocks, Draws
from forecast.engine.remembering import Filter
from forecast.evidence.compilation import compile_evidence
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.past import week_path
from forecast.theory.assumptions import bases
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    from forecast.evidence.compilation import Evidence
    from forecast.inference.fit import Fit
    from forecast.ledger.rows import Entry
    from forecast.quantities.past import WeekPath
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace

HERE = TESTS
INDICATORS = list(tomllib.loads(MODEL.read_text(encoding="utf-8"))["indicators"])
AS_OF = dt.date(2026, 2, 10)  # 60 full weeks of the model


# Signs point where they are said to point. No NUTS is needed: the statement is about the model, so it is looked at
# with parameters at their prior medians, and with draws of the prior weighted by the likelihood of what was seen.


def probability(space: StateSpace, entries: list[Entry], draws: Filter, inside: np.ndarray) -> float:
    """P(set now) given the entries: over prior draws, weighted by their likelihood."""
    found = draws.evaluate(compile_evidence(space, entries, AS_OF).cells)
    value, now = found.log_likelihood, found.now
    weight = np.exp(value - value.max())
    return float(weight @ now @ inside / weight.sum())


@pytest.mark.parametrize("name", INDICATORS)
@pytest.mark.parametrize("which", ["medians", "prior"])
def test_sign_speaks_for_what_it_points_to(
    reference: StateSpace, medians: Filter, many_prior: Filter, name: str, which: str
) -> None:
    """Seeing an indicator, told or in a covered week, raises its states; a covered year without it lowers them."""
    draws = medians if which == "medians" else many_prior
    indicator = reference.spec.indicators[name]
    inside = reference.members({indicator.stage: indicator.points_to})
    told_on, seen_on = AS_OF - dt.timedelta(days=1), AS_OF - dt.timedelta(days=15)
    told, seen = (
        Observation(id="x", indicator=name, date=day, reported_on=day, source="APA", grade="A1")
        for day in (told_on, seen_on)
    )
    year = AS_OF - dt.timedelta(days=365 + 14)
    watched = Coverage(id="w", indicator=name, from_=year, to=AS_OF, reported_on=AS_OF, source="us")
    nothing = probability(reference, [], draws, inside)
    silent = probability(reference, [watched], draws, inside)
    assert 0.05 < nothing < 0.95
    assert probability(reference, [told], draws, inside) > nothing + 0.02
    assert probability(reference, [watched, seen], draws, inside) > silent + 0.02
    assert silent < nothing - 0.002


@pytest.fixture(scope="module")
def medians(reference: StateSpace, reference_medians: Draws) -> Filter:
    """Filter under the one draw in which every parameter is at its prior median."""
    return Filter(Blocks(chain_of(reference), reference_medians))


@pytest.fixture(scope="module")
def many_prior(reference: StateSpace) -> Filter:
    """Draw 500 times from the prior."""
    from oracle import derived  # noqa: PLC0415
    from worlds import draw_values  # noqa: PLC0415

    rng = np.random.default_rng(11)
    values = [derived(reference.spec, draw_values(reference.spec, rng, of_prior=True)) for _ in range(500)]
    return Filter(Blocks(chain_of(reference), draws_of(reference, values)))


def test_decisive_sign_says_most(reference: StateSpace, medians: Filter) -> None:
    """Of all signs of cooperation, arms bought from Russia raise it most, told by the same source on the same day."""
    day = AS_OF - dt.timedelta(days=1)
    inside = reference.members({"relations": ("cooperation",)})
    found = {
        name: probability(
            reference,
            [Observation(id="x", indicator=name, date=day, reported_on=day, source="APA", grade="A1")],
            medians,
            inside,
        )
        for name, row in reference.spec.indicators.items()
        if row.points_to == ("cooperation",)
    }
    assert len(found) > 5
    assert max(found, key=lambda name: found[name]) == "arms_purchase_from_russia"


@pytest.mark.parametrize("name", ["arms_purchase_from_russia", "softening_to_west"])
def test_a_row_says_as_much_as_its_grade(reference: StateSpace, medians: Filter, name: str) -> None:
    """Of a decisive and of a weak indicator: the more credible the more it moves; C4 far less than A1, F6 nothing."""
    day = AS_OF - dt.timedelta(days=1)
    pointed = reference.spec.indicators[name].points_to
    inside = reference.members({"relations": pointed})

    def log_odds(*grades: str) -> float:
        rows = [
            Observation(id="x", indicator=name, date=day, reported_on=day, source="APA", grade=grade)
            for grade in grades
        ]
        return float(special.logit(probability(reference, rows, medians, inside)))

    moved = {grade: log_odds(grade) - log_odds() for grade in CREDIBILITY}
    by_credibility = sorted(CREDIBILITY, key=lambda grade: CREDIBILITY[grade])
    assert np.diff([moved[grade] for grade in by_credibility]).min() > -1e-12
    assert moved["A1"] > moved["B2"] > moved["C3"] > moved["C4"] > moved["E5"] > moved["F6"]
    assert moved["C4"] < 0.45 * moved["A1"]
    assert moved["F6"] == 0.0


@pytest.mark.parametrize("grade", ["A1", "C2", "C4"])
@pytest.mark.parametrize("weak", ["media_voice_threat", "street_protests", "economic_ties_grow"])
def test_no_number_of_weak_rows_outranks_a_decisive_one(
    reference: StateSpace, medians: Filter, weak: str, grade: str
) -> None:
    """Twenty or more of one weak indicator in a campaign say what one does, and one a week for a year less than that.

    The decisive indicator points to cooperation, so it is log odds that are compared: how far each moves its own state.
    """

    def moved(name: str, count: int, every: int, grade: str) -> float:
        inside = reference.members({"relations": reference.spec.indicators[name].points_to})
        days = [AS_OF - dt.timedelta(days=1 + every * k) for k in range(count)]
        rows: list[Entry] = [
            Observation(id=f"{k:02}", indicator=name, date=day, reported_on=day, source="APA", grade=grade)
            for k, day in enumerate(days)
        ]
        said, nothing = (probability(reference, told, medians, inside) for told in (rows, []))
        return float(special.logit(said) - special.logit(nothing))

    once, campaign = moved(weak, 1, 1, grade), [moved(weak, count, 1, grade) for count in (20, 84)]
    assert max(campaign) < once + 1e-9
    assert moved(weak, 52, 7, grade) < moved("arms_purchase_from_russia", 1, 1, "A1")


# The article's story.


@pytest.fixture(scope="module")
def forecast(reference: StateSpace, reference_evidence: Evidence, reference_fit: Fit) -> Numbers:
    """Forecast from the article's events."""
    return numbers_of(reference, reference_evidence, reference_fit.draws, reference_fit.settings.chains)


@pytest.fixture(scope="module")
def past(reference: StateSpace, reference_evidence: Evidence, reference_fit: Fit) -> WeekPath:
    """Look back from the article's last date."""
    blocks = Blocks(chain_of(reference), reference_fit.draws)
    return week_path(reference, reference_evidence, blocks, np.full(blocks.size, 1 / blocks.size))


@pytest.mark.slow
def test_sampling_is_clean(reference_fit: Fit, forecast: Numbers) -> None:
    """No divergences, R-hat below 1.01 for every parameter and quantity, bulk ESS above 1,000 for every quantity."""
    assert reference_fit.diagnostics.divergences == 0
    assert reference_fit.diagnostics.max_r_hat < 1.01
    assert forecast.max_r_hat < 1.01
    assert forecast.min_ess > 1000
    assert all(0 <= row.estimate.low <= row.estimate.mean <= row.estimate.high <= 1 for row in forecast.quantities)


def steps_between(past: WeekPath, first: dt.date, last: dt.date) -> list[int]:
    """List the steps that end from ``first`` to ``last``."""
    found = [k for k, date in enumerate(past.dates) if first <= date <= last]
    assert found
    return found


@pytest.mark.slow
def test_confrontation_by_july(past: WeekPath) -> None:
    """At the end of the step in the first week of July 2025 confrontation stands above 0.8, filtered and smoothed."""
    for k in steps_between(past, dt.date(2025, 7, 1), dt.date(2025, 7, 7)):
        assert past.filtered["relations.confrontation"][k][0] > 0.8
        assert past.smoothed["relations.confrontation"][k][0] > 0.8


@pytest.mark.slow
def test_truce_after_dushanbe(past: WeekPath) -> None:
    """Within five weeks after the meeting of 9 October 2025 the truce stands above 0.8, filtered and smoothed."""
    steps = steps_between(past, dt.date(2025, 10, 9), dt.date(2025, 11, 13))
    for path in (past.filtered, past.smoothed):
        assert max(path["relations.truce"][k][0] for k in steps) > 0.8


@pytest.mark.slow
def test_talks_advance_in_late_december(past: WeekPath) -> None:
    """At the end of the last step of December 2025 talks advance with more than 0.9, filtered and smoothed."""
    k = steps_between(past, dt.date(2025, 12, 1), dt.date(2025, 12, 31))[-1]
    assert past.filtered["peace.advancing"][k][0] > 0.88  # measured: 0.903 with a Monte Carlo error of 0.002
    assert past.smoothed["peace.advancing"][k][0] > 0.9


@pytest.mark.slow
def test_no_deal_is_on_record(forecast: Numbers) -> None:
    """Nothing is recorded, so a deal has probability 0 now, and later probabilities grow with the horizon."""
    assert forecast.probability("deal").mean == 0
    reached = [forecast.probability("deal", weeks=weeks, kind="reached").mean for weeks in (4, 13, 26, 52)]
    assert 0 < reached[0] < reached[1] < reached[2] < reached[3] < 1


@pytest.mark.slow
def test_theory_of_the_article(forecast: Numbers) -> None:
    """With a victory both are likelier at a year than without a deal, by more than the error of the draws."""
    for outcome in ("confrontation", "cooperation"):
        won = forecast.probability(outcome, weeks=52, given="strategic_victory")
        none = forecast.probability(outcome, weeks=52, given="no deal")
        assert won.mean - none.mean > 3 * math.hypot(won.mcse, none.mcse)


# Content.


def table(name: str) -> list[dict[str, str]]:
    """Read a table that lies beside the tests."""
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


TABLES = ("stages", "indicators", "channels", "outcomes")


def entries_of(spec: ModelSpec) -> set[str]:
    """Dotted keys of everything a claim can stand in."""
    found = {f"{table}.{name}" for table in TABLES for name in getattr(spec, table)}
    for name, stage in spec.stages.items():
        found |= {f"stages.{name}.transitions.{move.from_}>{move.to}" for move in stage.transitions}
        found |= {f"stages.{name}.effects.{label}" for label in stage.effects}
    found |= {f"priors.classes.{name}" for name in spec.priors.classes}
    found |= {f"priors.channels.{name}" for name in spec.priors.channels}
    found |= {f"experts.{expert.name}" for expert in spec.experts}
    return found | {"priors.grades", "priors.departure", "priors.diagnosticity"}


def test_every_dated_passage_has_its_row(reference_spec: ModelSpec, article_rows: list[Entry]) -> None:
    """Each dated passage of the article is a row of the evidence, an entry of the model, or background."""
    ids, entries = {row.id for row in article_rows}, entries_of(reference_spec)
    lost = []
    for row in table("passages.csv"):
        kind, _, rest = row["row_id"].partition(": ")
        in_model = kind == "model" and rest in entries
        if not (row["row_id"] in ids or in_model or (kind == "background" and rest.strip())):
            lost.append(row)
    assert lost == []


def test_every_row_has_its_passage(article_rows: list[Entry]) -> None:
    """No row of the evidence is without a dated passage of the article."""
    assert {row.id for row in article_rows} - {row["row_id"] for row in table("passages.csv")} == set()


def test_every_claim_has_its_entry(reference_spec: ModelSpec) -> None:
    """Each claim of the article that the model must hold names an entry that exists."""
    entries = entries_of(reference_spec)
    claims = table("claims.csv")
    assert len(claims) > 100
    assert [row for row in claims if row["entry"] not in entries] == []


def test_quotes_are_short(reference_spec: ModelSpec) -> None:
    """Every quote of the model has at most 25 words, and every entry has a basis."""
    quotes = [basis.quote for _, basis in bases(reference_spec) if basis.quote]
    quotes += [sign.quote for row in reference_spec.indicators.values() for sign in row.signs if sign.quote]
    assert len(quotes) > 150
    assert [quote for quote in quotes if len(quote.split()) > 25] == []
    assert {key for key, _ in bases(reference_spec)} == entries_of(reference_spec)


def test_names_that_were_asked_for(reference_spec: ModelSpec) -> None:
    """Stages, states, outcomes, horizons, conditionals and the decisive indicator are those of the order."""
    spec = reference_spec
    assert {name: stage.states for name, stage in spec.stages.items()} == {
        "peace": ("stalled", "advancing", "fresh_deal", "settled_deal"),
        "victory": ("open", "secured"),
        "relations": ("truce", "confrontation", "cooperation"),
    }
    assert set(spec.stages["peace"].observable) == {"fresh_deal", "settled_deal"}
    assert set(spec.outcomes) == {"deal", "strategic_victory", "confrontation", "cooperation", "truce"}
    deal = {"peace": ("fresh_deal", "settled_deal")}
    assert spec.outcomes["strategic_victory"].states == {**deal, "victory": ("secured",)}
    assert spec.model.horizons_weeks == (4, 13, 26, 52)
    arms = spec.indicators["arms_purchase_from_russia"]
    assert (arms.grade, arms.points_to) == ("decisive", ("cooperation",))
    assert [name for name, row in spec.indicators.items() if row.grade == "decisive"] == ["arms_purchase_from_russia"]
    asked = {
        (outcome, condition)
        for outcome in ("confrontation", "cooperation")
        for condition in ("strategic_victory", "no deal", "26 weeks after strategic_victory")
    }
    assert {(row.outcome, row.condition) for row in spec.conditionals} == asked


def test_fresh_deal_breaks_more_easily(reference_spec: ModelSpec) -> None:
    """At the prior medians a fresh deal collapses faster than a settled one."""
    rates = {(m.from_, m.to): np.sqrt(np.prod(m.per_year)) for m in reference_spec.stages["peace"].transitions}
    for to in ("stalled", "advancing"):
        assert rates["fresh_deal", to] > rates["settled_deal", to]


def test_evidence_holds_what_is_due(reference_evidence: Evidence, article_rows: list[Entry]) -> None:
    """The rows are observations up to 8 January 2026, all known to the model; no coverage is claimed."""
    assert all(isinstance(row, Observation) for row in article_rows)
    assert 30 <= len(article_rows) <= 40
    dates = [row.date for row in article_rows if isinstance(row, Observation)]
    assert (min(dates), max(dates)) == (dt.date(2024, 12, 25), dt.date(2026, 1, 7))
    assert max(row.reported_on for row in article_rows) == dt.date(2026, 1, 8)
    assert {reason for _, reason in reference_evidence.left_out} == {
        "its story counts once, as another row",
        "no news: executive-office told of it within 84 days",
        "no news: june-detentions told of it within 84 days",
    }


def test_terms_are_decided_at_signing_and_then_stand(reference: StateSpace, reference_medians: Draws) -> None:
    """In the week of signing terms change fast; once a deal has been signed they hardly do, either way, in a year."""
    rate = dict(zip(reference.rate_names, np.exp(reference_medians.log_rate[0]), strict=True))
    assert rate["victory.open>secured|signed"] > 5
    for phase in ("young", "settled_deal"):
        assert rate[f"victory.open>secured|{phase}"] < 0.1
        assert rate[f"victory.secured>open|{phase}"] < 0.2


def test_talks_that_close_lead_to_a_deal(reference: StateSpace, reference_medians: Draws) -> None:
    """A deal is many times as near when talks are closing, so that news of them can move it."""
    rate = dict(zip(reference.rate_names, np.exp(reference_medians.log_rate[0]), strict=True))
    assert rate["peace.closing>signed"] > 10 * rate["peace.exploring>signed"]
