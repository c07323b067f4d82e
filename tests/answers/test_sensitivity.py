"""Sensitivity: every change equals the forecast of the changed file or the changed rows, and what cannot matter, 0."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import math
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import oracle
import pytest
from oracle import derived
from priors import Scene, edited, moved_values, w
from projects import AS_OF, NOW, fitted_once, strict_json
from scipy import stats
from small_models import PLAIN
from worlds import anchor_of, draws_of, moving_of, values_of

import forecast
from forecast.answers import sensitivity as sensitivity_module
from forecast.answers.sensitivity import FEW, NEAREST, OfFit, find_sensitivity, regraded
from forecast.answers.target import Question
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.inference.shifted_prior import grades_moved
from forecast.ledger.admiralty import CREDIBILITY, credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.theory.assumptions import CHANNELS, assumptions
from forecast.theory.indicators import GRADES
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from forecast.answers.sensitivity import Sensitivity, Shift
    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Parameters
    from forecast.ledger.rows import Entry
    from forecast.quantities.forecast import Forecast
    from forecast.theory.spec import ModelSpec

DAY = dt.timedelta(days=1)
START = dt.date(2024, 1, 1)
INTERVAL_90 = 3.2897


@pytest.fixture
def no_scaling() -> Iterator[None]:
    """Leave out what ArviZ does, which takes long and needs many different draws."""
    with mock.patch.object(sensitivity_module, "_scaling", return_value=()):
        yield


def look(  # noqa: PLR0913 - what there is to look at
    anchor: Anchor, parameters: Parameters, rows: Sequence[Entry], as_of: dt.date, *, outcome: str = "very_tense",
    weeks: int | None = None, without: Sequence[str] = (), prior: Anchor | None = None,
    bring: Callable[[Evidence], Posterior] | None = None, log_prior: dict[str, np.ndarray] | None = None,
    informed: dict[str, float] | None = None, few: int | None = None,
) -> Sensitivity:  # fmt: skip
    """Look at a forecast from draws of any kind."""
    found = reweigh(anchor, compile_evidence(anchor.space, rows, as_of))
    of_fit = OfFit(parameters, log_prior or {}, 1, informed or {})
    question = Question(anchor.space, outcome, weeks, as_of)
    bring = bring or (lambda evidence: reweigh(anchor, evidence))
    return find_sensitivity(question, found, rows, of_fit, prior or anchor, bring, without, few=few)


# Against the oracle.


def prior_sd(interval: tuple[float, float]) -> float:
    """Give the standard deviation on the log scale."""
    return math.log(interval[1] / interval[0]) / INTERVAL_90


def worse(grade: str, step: int) -> str:
    """Grade a row a step worse or better, from a table written out: F and 6 stay, and so do the ends."""
    letters = {1: dict(zip("ABCDEF", "BCDEEF", strict=True)), -1: dict(zip("ABCDEF", "AABCDF", strict=True))}
    digits = {1: dict(zip("123456", "234556", strict=True)), -1: dict(zip("123456", "112346", strict=True))}
    return letters[step][grade[0]] + digits[step][grade[1]]


def expected(scene: Scene, shift: Shift, weeks: int, outcome: str, *, up: bool = False) -> float | None:
    """Let the oracle forecast with the change of ``shift`` made to the file or to the rows; not of grades."""
    spec, values = scene.spec, scene.values
    rows, coverage, as_of, _ = scene.rest
    if shift.kind in {"rate", "effect", "class"}:
        old = assumptions(spec)[shift.name]
        factor = math.exp(prior_sd(old) * (1 if up else -1))
        intervals = {shift.name: (old[0] * factor, old[1] * factor)}
        values = [moved_values(spec, one, intervals) for one in values]
        spec = parse_spec(edited(scene.text, intervals), where="changed")
    elif shift.kind == "grade":
        return None
    elif shift.kind == "credibility":
        step = 1 if shift.name == "stricter" else -1
        rows = [dataclasses.replace(row, grade=worse(row.grade, step)) for row in rows]
    elif shift.kind == "coverage":
        start = spec.model.start
        coverage = [*coverage, Coverage(id="x", indicator="*", from_=start, to=as_of, reported_on=as_of, source="x")]
    elif shift.kind == "source":
        rows = [row for row in rows if row.source != shift.name]
        coverage = [row for row in coverage if row.source != shift.name]
    else:
        gone = shift.name.removeprefix("coverage ")
        rows = [row for row in rows if not (row.id == gone or (row.story == gone and not row.distinct))]
        coverage = [row for row in coverage if row.id != gone]
    rest = (rows, coverage, as_of, w)
    both = [derived(spec, one) for one in values]
    levels = np.array([oracle.log_likelihood(spec, p, *rest) for p in both])
    states = scene.spec.outcomes[outcome].states
    each = [oracle.forecast_at(spec, p, *rest, states, weeks) for p in both]
    weights = np.exp(levels - levels.max())
    return float(weights @ each / weights.sum())


@pytest.mark.usefixtures("no_scaling")
@pytest.mark.parametrize("seed", [0, 5, 8])
def test_every_change_is_the_forecast_of_what_was_changed(seed: int) -> None:
    """Rates, effects, classes, credibility, coverage, sources and stories: the probability is the oracle's."""
    scene = Scene(seed)
    rows, coverage, as_of, _ = scene.rest
    rows = tuple(dataclasses.replace(row, source=f"paper {k % 3}") for k, row in enumerate(rows))
    scene.rest = (rows, coverage, as_of, w)
    scene.entries = tuple(row for row in (*rows, *coverage) if row.reported_on <= as_of)
    assert scene.possible
    weeks, outcome = 1, ["outcome", "condition", "both"][seed % 3]
    found = look(scene.anchor, scene.parameters, scene.entries, as_of, outcome=outcome, weeks=weeks)
    here = expected(scene, dataclasses.replace(found.shifts[0], kind="source", name="nobody"), weeks, outcome)
    assert found.now.mean == pytest.approx(here, abs=1e-9)
    counts: dict[str, int] = {}
    told: set[str] = set()
    for shift in found.shifts:
        wanted = expected(scene, shift, weeks, outcome, up=shift.name in told)  # each assumption down, and then up
        if shift.kind in {"rate", "effect", "class"}:
            assert ("×0." in shift.change) == (shift.name not in told)
        told.add(shift.name)
        assert shift.difference == pytest.approx(shift.probability - found.now.mean, abs=1e-12)
        counts[shift.kind] = counts.get(shift.kind, 0) + 1
        if wanted is not None:
            assert shift.probability == pytest.approx(wanted, abs=1e-9), shift
    kinds = {"rate": ".transitions.", "effect": ".effects.", "class": "priors.classes."}
    for kind, part in kinds.items():
        assert counts.get(kind, 0) == 2 * sum(part in key for key in assumptions(scene.spec))
    sources = {row.source for row in scene.entries}
    assert {shift.name for shift in found.shifts if shift.kind == "source"} == sources
    assert counts["grade"] == 8 + 2 * (scene.spec.priors.diagnosticity is not None)
    assert (counts["credibility"], counts["coverage"]) == (2, 1)
    assert counts["story"] >= 3


@pytest.mark.parametrize("seed", [0, 3, 5, 8, 13, 21])
def test_prior_only_is_the_theory_alone(seed: int) -> None:
    """Without evidence, not even that nothing was on record, the forecast is the chain's own from its start."""
    scene = Scene(seed)
    as_of = scene.rest[2]
    if not scene.possible:
        pytest.skip("the rows are impossible")
    with mock.patch.object(sensitivity_module, "_scaling", return_value=()):
        found = look(
            scene.anchor, scene.parameters, scene.entries, as_of, outcome="outcome", weeks=2, without=["somebody"]
        )
    inside = np.array(
        [
            all(
                oracle.among(scene.spec, s, state[list(scene.spec.stages).index(s)], allowed)
                for s, allowed in scene.spec.outcomes["outcome"].states.items()
            )
            for state in oracle.joint_states(scene.spec)
        ]
    )
    each: list[float] = []
    for one in scene.values:
        p = derived(scene.spec, one)
        here = oracle.initial(scene.spec, p)
        ahead = oracle.horizon_steps(scene.spec, oracle.elapsed_days(scene.spec, as_of), 14)
        for days in [*oracle.steps(scene.spec, as_of), *ahead]:
            here = here @ oracle.transition_matrix(scene.spec, p, days)
        each.append(float(here[inside].sum()))
    assert found.prior_only.mean == pytest.approx(np.mean(each), abs=1e-12)


# What cannot matter.


def plain_rows() -> list[Entry]:
    """Give a few rows of two sources, with a story."""
    told = [("a", 5, "A", ""), ("e", 12, "B", "talks"), ("c", 25, "A", "talks"), ("d", 31, "B", ""), ("b", 33, "A", "")]
    rows: list[Entry] = [
        Observation(
            id=f"r{k}", indicator=name, date=START + at * DAY, reported_on=START + at * DAY, source=source, grade="B2",
            story=story,
        )
        for k, (name, at, source, story) in enumerate(told)
    ]  # fmt: skip
    span = {"from_": START + 14 * DAY, "to": START + 34 * DAY, "reported_on": START + 34 * DAY}
    return [*rows, Coverage(id="w", indicator="*", source="C", **span)]


@cache
def plain(size: int = 300, seed: int = 1, text: str = PLAIN) -> tuple[ModelSpec, Anchor, Parameters]:
    """Draw from the prior of the model in sight."""
    spec = parse_spec(text, where="plain")
    values = values_of(spec, size, seed)
    return spec, anchor_of(StateSpace(spec), values), moving_of(spec, values)


@pytest.mark.usefixtures("no_scaling")
def test_what_cannot_matter_makes_no_difference() -> None:
    """The stage behind the outcome's, of which nothing is told, and a class of no indicator: exactly zero."""
    _, anchor, parameters = plain()
    found = look(anchor, parameters, plain_rows(), START + 37 * DAY)
    silent = [row for row in found.shifts if row.name.startswith("stages.after.") or row.name == "priors.classes.idle"]
    assert len(silent) == 2 * 3
    for row in silent:
        assert abs(row.difference) <= 1e-12
        assert row.mcse <= 1e-12
    for kind in ("rate", "effect", "class", "grade", "credibility", "coverage", "source", "story"):
        assert any(abs(row.difference) > 1e-5 for row in found.shifts if row.kind == kind), kind


@pytest.mark.usefixtures("no_scaling")
def test_the_way_out_of_where_nobody_comes_makes_no_difference() -> None:
    """The rate out of a state that cannot be reached changes nothing, though it stands in the file."""
    spec, _, _ = plain()
    down = spec.stages["down"]
    moves = tuple(move for move in down.transitions if move.to != "lost")
    cut = spec.model_copy(update={"stages": {**spec.stages, "down": down.model_copy(update={"transitions": moves})}})
    values = values_of(cut, 200, 1)
    found = look(anchor_of(StateSpace(cut), values), moving_of(cut, values), plain_rows(), START + 37 * DAY)
    out = [row for row in found.shifts if row.name == "stages.down.transitions.lost>calm"]
    assert len(out) == 2
    assert all(abs(row.difference) <= 1e-12 for row in out)
    assert any(abs(row.difference) > 1e-4 for row in found.shifts if row.name == "stages.down.transitions.tense>calm")


@pytest.mark.usefixtures("no_scaling")
def test_rows_that_say_nothing_make_no_difference() -> None:
    """A source all of whose rows belong to another model can be left out without any change."""
    _, anchor, parameters = plain()
    alien = Observation(
        id="x", indicator="elsewhere", date=START + DAY, reported_on=START + DAY, source="Z", grade="A1"
    )
    found = look(anchor, parameters, [*plain_rows(), alien], START + 37 * DAY)
    (row,) = [row for row in found.shifts if row.name == "Z"]
    assert row.kind == "source"
    assert abs(row.difference) <= 1e-12
    assert not [row for row in found.shifts if row.name == "x"]


@pytest.mark.usefixtures("no_scaling")
def test_grades_move_by_a_standard_deviation_of_their_increment() -> None:
    """Each grade down and up by the standard deviation of its Beta increment, the grades above with it."""
    spec, anchor, parameters = plain()
    rows, as_of = plain_rows(), START + 37 * DAY
    found = look(anchor, parameters, rows, as_of)
    here = reweigh(anchor, compile_evidence(anchor.space, rows, as_of))
    question = Question(anchor.space, "very_tense", None, as_of)
    c = spec.priors.grades.concentration
    spread = 2 * stats.beta(c, c).std()
    shifts = [row for row in found.shifts if row.kind == "grade"]
    for shift, (grade, sign) in zip(shifts, itertools.product(GRADES, (-1, 1)), strict=True):
        there = grades_moved(here, parameters, rows, grade, sign * spread)
        part = question.read(there.blocks, there.evaluation.states, as_of)
        assert shift.name == f"priors.grades.{grade}"
        assert shift.probability == pytest.approx(float(part[0] @ there.weights.values), abs=1e-12)


# Evidence.


def test_grades_move_one_step() -> None:
    """A letter and a digit each a step; F, 6 and the ends of the scale stay; rows change in nothing else."""
    row = plain_rows()[0]
    for grade, step in itertools.product(CREDIBILITY, (1, -1)):
        there = regraded(dataclasses.replace(row, grade=grade), step)
        assert there == dataclasses.replace(row, grade=worse(grade, step))
    watch = plain_rows()[-1]
    assert regraded(watch, 1) is watch
    assert [worse(grade, 1) for grade in ("A1", "E5", "F6", "F3", "D6")] == ["B2", "E5", "F6", "F4", "E6"]


def test_stricter_grading_never_believes_more() -> None:
    """Credibility falls or stays with a step worse, and rises or stays with a step better, for all 36 grades.

    The table is not monotone in the letters as they stand, for F (nobody knows) lies above E, and 6 above 5: that is
    why F and 6 have to stay where they are.
    """
    row = plain_rows()[0]
    for grade in CREDIBILITY:
        here = dataclasses.replace(row, grade=grade)
        down, up = (credibility(regraded(here, step).grade) for step in (1, -1))
        assert down <= credibility(grade) <= up
        if grade[0] in "ABCD" and grade[1] in "1234":
            assert down < credibility(grade)
    assert credibility("F1") > credibility("E1")
    assert credibility("A6") > credibility("A5")


@pytest.mark.usefixtures("no_scaling")
def test_leaving_out_a_source_is_compiling_without_it() -> None:
    """Each source and story left out is the forecast of what remains; naming some gives just those."""
    _, anchor, parameters = plain()
    rows, as_of = plain_rows(), START + 37 * DAY
    found = look(anchor, parameters, rows, as_of)
    question = Question(anchor.space, "very_tense", None, as_of)
    groups = {("source", name): {row.id for row in rows if row.source == name} for name in "ABC"}
    groups |= {("story", f"r{k}"): {f"r{k}"} for k in (0, 3, 4)} | {("story", "talks"): {"r1", "r2"}}
    groups |= {("story", "coverage w"): {"w"}}
    assert {(row.kind, row.name) for row in found.shifts if row.kind in {"source", "story"}} == set(groups)
    for row in found.shifts:
        if row.kind in {"source", "story"}:
            rest = [one for one in rows if one.id not in groups[row.kind, row.name]]
            wanted = question.ask(reweigh(anchor, compile_evidence(anchor.space, rest, as_of)))
            assert row.probability == pytest.approx(float(wanted.mean[0]), abs=1e-12)
            assert row.change.endswith(" left out")
    some = look(anchor, parameters, rows, as_of, without=["talks", "B"])
    assert [(row.kind, row.name) for row in some.shifts if row.kind in {"source", "story"}] == [
        ("source", "B"), ("story", "talks"),
    ]  # fmt: skip
    assert [row for row in some.shifts if row.kind not in {"source", "story"}] == [
        row for row in found.shifts if row.kind not in {"source", "story"}
    ]


@pytest.mark.parametrize(("name", "nearest"), [("talk", "talks"), ("coverage v", "coverage w"), ("r33", "r3")])
def test_what_cannot_be_left_out_is_named(name: str, nearest: str) -> None:
    """An unknown source or story is refused with the nearest name, before anything is computed."""
    _, anchor, parameters = plain()
    with pytest.raises(InputError, match=rf"no source and no story is called '{name}'; did you mean '{nearest}"):
        look(anchor, parameters, plain_rows(), START + 37 * DAY, without=["A", name])


@pytest.mark.usefixtures("no_scaling")
def test_out_of_reach_is_brought_or_told() -> None:
    """Evidence that the draws do not reach is asked of others; a moved model cannot be, and its change says so."""
    _, anchor, parameters = plain()
    _, other, _ = plain(400, 9)
    asked: list[Evidence] = []

    def bring(evidence: Evidence) -> Posterior:
        asked.append(evidence)
        return reweigh(other, evidence)

    rows, as_of = plain_rows(), START + 37 * DAY
    found = look(anchor, parameters, rows, as_of, bring=bring)
    question = Question(anchor.space, "very_tense", None, as_of)
    again = [row for row in found.shifts if row.refitted]
    assert len(again) == len(asked) > 0
    for row, evidence in zip(again, asked, strict=True):
        assert row.kind in {"credibility", "coverage", "source", "story"}
        there = question.ask(reweigh(other, evidence)).quantity.estimate
        assert row.probability == pytest.approx(there.mean, abs=1e-12)
        assert row.mcse == pytest.approx(math.hypot(found.now.mcse, there.mcse))
    shut = sum(not row.trusted for row in found.shifts)
    assert shut > 0
    are = "is" if shut == 1 else "are"
    assert found.sentences[-1] == f"{shut} of {len(found.shifts)} changes {are} out of reach of these draws."


@pytest.mark.usefixtures("no_scaling")
@pytest.mark.slow
def test_errors_are_as_large_as_the_scatter() -> None:
    """Over many sets of draws each difference scatters as its stated error says; draws in common cancel."""
    spec = parse_spec(PLAIN, where="plain")
    space, sets, size = StateSpace(spec), 24, 120
    values = values_of(spec, sets * size, 17)
    pool, moving = draws_of(space, [derived(spec, one) for one in values]), moving_of(spec, values)
    rows: list[Sensitivity] = []
    for k in range(sets):
        part = slice(k * size, (k + 1) * size)
        draws = Draws(*(array[part] for array in pool))
        parameters = type(moving)(
            {key: array[part] for key, array in moving.values.items()}, moving.grade[part], moving.departure[part],
            moving.history, moving.history_log_rate[part], moving.counted[part],
        )  # fmt: skip
        anchor = Anchor(space, "prior", lambda draws=draws: draws)
        rows.append(look(anchor, parameters, plain_rows(), START + 37 * DAY, weeks=2))
    ratios: list[float] = []
    for shifts in zip(*(one.shifts for one in rows), strict=True):
        assert len({(row.kind, row.name, row.change) for row in shifts}) == 1
        scatter = np.std([row.difference for row in shifts], ddof=1)
        stated = math.sqrt(np.mean([row.mcse**2 for row in shifts]))
        if stated > 1e-9:
            ratios.append(float(scatter / stated))
    assert len(ratios) > 30
    assert 0.8 < np.median(ratios) < 1.25
    assert min(ratios) > 0.5
    assert max(ratios) < 1.8


@pytest.mark.usefixtures("no_scaling")
def test_a_part_of_the_draws_tells_differences_within_their_error() -> None:
    """A quarter of the draws moves them as all do, within 4 stated errors; what it cannot tell to a point all do.

    What is no move is read off all draws, and so is where the forecast stands.
    """
    spec = parse_spec(PLAIN, where="plain")
    space, size = StateSpace(spec), 2000
    values = values_of(spec, size, 18)
    draws = draws_of(space, [derived(spec, one) for one in values])
    anchor = Anchor(space, "prior", lambda: draws)
    asked = (anchor, moving_of(spec, values), plain_rows(), START + 37 * DAY)
    whole, part = look(*asked, weeks=2), look(*asked, weeks=2, few=500)
    assert (part.now, part.prior_only, part.links) == (whole.now, whole.prior_only, whole.links)
    ratios: list[float] = []
    for row, few in zip(whole.shifts, part.shifts, strict=True):
        assert (few.kind, few.name, few.change) == (row.kind, row.name, row.change)
        assert few.probability == pytest.approx(part.now.mean + few.difference, abs=1e-12)
        if row == few:
            continue
        assert row.kind in {"rate", "effect", "grade", "class"}
        assert few.trusted
        assert row.mcse < few.mcse + 1e-12
        assert few.mcse <= NEAREST
        if few.mcse > 1e-9:
            ratios.append((few.difference - row.difference) / few.mcse)
    assert len(ratios) > 10
    assert max(map(abs, ratios)) < 4


@pytest.mark.usefixtures("no_scaling")
def test_links_compare_posterior_with_prior() -> None:
    """Narrowing is about 1 for what evidence says nothing of, and only rates and effects are links."""
    spec, anchor, parameters = plain(3000)
    found = look(anchor, parameters, plain_rows(), START + 37 * DAY)
    narrowing = {row.name: row.narrowing for row in found.links}
    assert list(narrowing) == [key for key in assumptions(spec) if key.startswith("stages.")]
    assert narrowing["stages.after.transitions.no>yes"] == pytest.approx(1, abs=0.1)
    assert {row.rests_on for row in found.links} <= {
        "rests on the prior", "rests mostly on the prior", "is narrowed by the evidence",
    }  # fmt: skip


@pytest.mark.usefixtures("no_scaling")
def test_links_of_a_model_with_a_history_rest_on_one_of_three() -> None:
    """What evidence says nothing of rests on the prior, or where that had narrowed it, on the history; all counted."""
    spec, anchor, parameters = plain(3000)
    names = [".".join(key.split(".", 3)[1::2]) for key in assumptions(spec) if key.startswith("stages.")]
    halved = {key: 0.3 * values for key, values in parameters.values.items()}
    for values, history, most in (
        (parameters.values, 1.0, "prior"),
        (halved, 0.3, "history"),
        (halved, 1.0, "reports"),
    ):
        informed = dict.fromkeys(names, history)
        found = look(
            anchor, dataclasses.replace(parameters, values=values), plain_rows(), START + 37 * DAY, informed=informed
        )
        told = {row.name: row.rests_on for row in found.links}
        assert told["stages.after.transitions.no>yes"] == f"rests mostly on the {most}"
        assert any(line.startswith(f"Of its {len(names)} links ") for line in found.sentences)


def test_scaling_finds_what_matters() -> None:
    """ArviZ is asked about the prior, the likelihood and each group; what cannot matter has less than what does."""
    spec, anchor, parameters = plain(800)
    keys = {"down": "stages.down.effects.pressed", "after": "stages.after.transitions.no>yes"}
    log_prior: dict[str, np.ndarray] = {}
    for name, key in keys.items():
        low, high = np.log(assumptions(spec)[key])
        score = (parameters.values[key] - (low + high) / 2) / ((high - low) / INTERVAL_90)
        log_prior[name] = -0.5 * score**2
    found = look(anchor, parameters, plain_rows(), START + 37 * DAY, log_prior=log_prior)
    index = {row.factor: row.index for row in found.scaling}
    assert list(index) == ["prior", "likelihood", "prior of down", "prior of after"]
    assert all(0 <= one < 1 for one in index.values())
    assert index["prior of down"] > 0.04 > index["prior of after"]


# A real fit.


@pytest.fixture(scope="module")
def fitted() -> Forecast:
    """Give the forecast of a fitted project, which is not changed."""
    return forecast.open(fitted_once()).update(as_of=AS_OF, now=NOW)


@pytest.fixture(scope="module")
def of_the_fit(fitted: Forecast) -> Sensitivity:
    """Look at it once; moves that a part of the draws tells well enough are read off that."""

    def find(*arguments: Any) -> Sensitivity:
        return find_sensitivity(*arguments[:-1], FEW)

    with mock.patch("forecast.answers.forecast.find_sensitivity", find):
        return fitted.sensitivity("confrontation", weeks=13, without=["Dushanbe"], refit="never")


def test_a_fit_is_looked_at(of_the_fit: Sensitivity, fitted: Forecast) -> None:
    """From a project: all assumptions about what was told, the story that was named, and numbers that JSON can hold.

    Some moves of a rate go where the history is all but impossible, and no weights reach there.
    """
    found = of_the_fit
    published = fitted.probability("confrontation", weeks=13)
    assert dataclasses.astuple(found.now) == pytest.approx(dataclasses.astuple(published), abs=1e-12)
    spec = forecast.open(fitted_once()).model().spec
    of_rows = [key for key in assumptions(spec) if not key.startswith(CHANNELS)]  # nothing was counted
    keys = [*of_rows, *(f"priors.grades.{grade}" for grade in GRADES)]
    moved = [row.name for row in found.shifts if row.kind in {"rate", "effect", "class", "grade"}]
    assert moved == [key for key in keys for _ in range(2)]
    assert [row.name for row in found.shifts if row.kind in {"source", "story"}] == ["Dushanbe"]
    assert sum(row.trusted for row in found.shifts) > 0.8 * len(found.shifts)
    content = strict_json(json.dumps(found.to_dict(), allow_nan=False))
    assert content["sentences"] == list(found.sentences)
    assert len(found.to_frame()) == len(found.shifts)
    assert all(row.index >= 0 for row in found.scaling)
    assert [row.factor for row in found.scaling][:2] == ["prior", "likelihood"]


def test_a_fit_s_sentences_read(of_the_fit: Sensitivity) -> None:
    """Each is one sentence with a number of the right sign."""
    first, *rest = of_the_fit.sentences
    assert first.startswith("For 9 Apr 2026, confrontation stands at ")
    for text in rest:
        assert text.endswith(".")
        assert "  " not in text
        assert "_" not in text
    told = {row.change: row for row in of_the_fit.shifts}
    clauses = [text for text in rest if text.startswith("With ")]
    assert clauses
    for text in clauses:
        (row,) = [row for change, row in told.items() if text.startswith(f"With {change}, confrontation would ")]
        assert " would fall by " not in text or row.difference < 0
        assert " would rise by " not in text or row.difference > 0


def test_an_unknown_name_is_refused_at_the_door(fitted: Forecast) -> None:
    """The public way names the nearest too."""
    with pytest.raises(InputError, match="no source and no story is called 'dushambe'; did you mean 'Dushanbe'"):
        fitted.sensitivity("confrontation", without=["dushambe"], refit="never")
