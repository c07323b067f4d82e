"""The track record: scores are what a hand would compute."""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pytest
from track import AS_OF, EDGE, FOUR, LAG, MODEL, World, issue, later, rows_of, scored

from forecast.record.scores import Scored, score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.ledger.issued import Resolution
    from forecast.record.questions import Stated


def record(pairs: Iterable[tuple[Stated, Resolution]], issues: int = 1) -> Any:
    """Score pairs."""
    pairs = list(pairs)
    return score("m", issues, [said for said, _ in pairs], {row.question: row for _, row in pairs})


def month(k: int) -> dt.date:
    """Give the first day of the k-th month after the first."""
    return dt.date(2026 + k // 12, 1 + k % 12, 1)


def test_scores_are_those_of_a_hand() -> None:
    """Three questions of which one came true, one void, one settled; persistence with 0.05; one issue before."""
    start, later_issue = dt.date(2025, 12, 1), dt.date(2026, 3, 31)
    found = record(
        [
            scored(0.25, "no", date=month(0), as_of=start),
            scored(0.5, "yes", date=month(1), as_of=start, before=0.25),
            scored(1.0, "no", date=month(5), as_of=later_issue, prior=0.3),
            scored(0.9, "void", date=month(4), as_of=start),
            scored(0.9, "no", date=month(6), as_of=start, met_now=True),
        ]
    )
    (part,) = found.parts
    total = part.total
    assert (found.resolved, found.void, total.questions, total.yes, total.clusters) == (3, 1, 3, 1, 2)
    assert total.brier == pytest.approx((0.0625 + 0.25 + 1) / 3, abs=1e-12)
    logs = (-math.log(0.75), -math.log(0.5), -math.log(EDGE))
    assert total.log == pytest.approx(sum(logs) / 3, abs=1e-9)
    assert part.pulled == 1
    assert any("pulled in by half a simulated path" in line for line in part.sentences)
    persistence, alone, last = total.against
    assert (alone.name, alone.questions, alone.brier) == ("prior only", 1, pytest.approx(0.09))
    naive = (0.05**2, 0.95**2, 0.05**2)
    assert persistence.brier == pytest.approx(sum(naive) / 3, abs=1e-12)
    assert persistence.log == pytest.approx((-2 * math.log(0.95) - math.log(0.05)) / 3, abs=1e-12)
    each = np.array([0.0625, 0.25, 1.0]) - naive
    assert persistence.brier_difference == pytest.approx(each.mean(), abs=1e-12)
    one, other = (each[:2] - each.mean()).sum(), each[2] - each.mean()  # two questions of one issue are one cluster
    assert persistence.brier_error == pytest.approx(math.sqrt(2 * (one**2 + other**2)) / 3, abs=1e-12)
    assert (last.name, last.questions, last.clusters, last.brier_error) == ("last issue repeated", 1, 1, None)
    assert last.brier_difference == pytest.approx(0.25 - 0.75**2, abs=1e-12)
    assert found.settled == 1
    assert "1 more (20%) void, 1 more left out, for their rule was met at issue already" in found.sentences[0]
    frame = found.to_frame()
    assert list(frame["answer"]) == ["no", "yes", "no", "void", "no"]
    assert frame["settled"].tolist() == [False, False, False, False, True]
    assert frame["brier"].tolist()[:3] == pytest.approx([0.0625, 0.25, 1.0])
    assert all(map(math.isnan, frame["brier"].tolist()[3:]))
    assert math.isnan(frame["last_issue_repeated"].tolist()[0])
    assert list(frame.columns)[-3:] == ["persistence", "prior_only", "last_issue_repeated"]
    assert frame["prior_only"].tolist()[2] == 0.3


@pytest.mark.slow
def test_scores_are_those_of_scoringrules() -> None:
    """Its import takes seconds, so the two lines are our own; on 50 random questions they are the same."""
    rng = np.random.default_rng(5)
    p, y = rng.uniform(0.01, 0.99, 50), (rng.random(50) < 0.4).astype(float)
    start = dt.date(2025, 12, 1)
    rows = [
        scored(a, "yes" if b else "no", date=month(k), as_of=start) for k, (a, b) in enumerate(zip(p, y, strict=True))
    ]
    frame = record(rows).to_frame()
    import scoringrules  # noqa: PLC0415 - slow to import

    np.testing.assert_allclose(frame["brier"], scoringrules.brier_score(y, p, backend="numpy"), rtol=1e-12)
    np.testing.assert_allclose(frame["log"], scoringrules.log_score(y, p, backend="numpy"), rtol=1e-12)


def test_outcomes_and_horizons_are_scored_apart() -> None:
    """Each group has its own mean, and all of them together the total."""
    start = dt.date(2025, 12, 1)
    found = record(
        [
            scored(0.1, "no", date=month(1), as_of=start),
            scored(0.3, "no", date=month(3), as_of=start, weeks=13),
            scored(0.6, "yes", date=month(1), as_of=start, outcome="truce"),
        ]
    )
    groups = {(row.outcome, row.kind, row.horizon_weeks): row.brier for row in found.parts[0].groups}
    assert groups == {
        ("deal", "at", 4): pytest.approx(0.01),
        ("deal", "at", 13): pytest.approx(0.09),
        ("truce", "at", 4): pytest.approx(0.16),
    }
    assert found.parts[0].total.brier == pytest.approx(0.26 / 3)
    assert found.parts[0].total.clusters == 1


def test_only_live_issues_measure_skill() -> None:
    """One issued late, or before the rule was frozen, is retrospective fit, and is told apart."""
    start = dt.date(2025, 12, 1)
    day = dt.timedelta(days=1)
    found = record(
        [
            scored(0.1, "no", date=month(1), as_of=start, issued_on=start + day),
            scored(0.2, "no", date=month(2), as_of=start, issued_on=start + 2 * day),
            scored(0.3, "no", date=month(3), as_of=start, frozen=start + day),
            scored(0.4, "no", date=month(4), as_of=start, frozen=None),
        ]
    )
    skill, fit = found.parts
    assert (skill.name, skill.total.questions, skill.total.brier) == ("skill", 1, pytest.approx(0.01))
    assert (fit.name, fit.total.questions) == ("retrospective fit", 3)
    assert [row.live for row in found.scored] == [True, False, False, False]
    assert skill.sentences[0].startswith("Skill, of forecasts issued live:")
    assert fit.sentences[0].startswith("Retrospective fit, not skill:")


def test_few_clusters_conclude_nothing() -> None:
    """Seven quarters say so however many questions there are; eight with a clear lead say better, or worse."""

    def pairs(quarters: int, p: float, result: str = "yes") -> Any:
        return [
            scored(p + k / 100, result, date=month(3 * k) + dt.timedelta(days=30 + j), as_of=month(3 * k))
            for k in range(quarters)
            for j in range(5)
        ]

    def lead(quarters: int, p: float) -> Any:
        return record(pairs(quarters, p)).parts[0].total.against[0]

    few, many, level = lead(7, 0.8), lead(8, 0.8), lead(8, 0.015)
    assert (few.questions, few.clusters, few.verdict) == (35, 7, "open")
    assert "with fewer than 8 clusters nothing can be concluded" in few.sentence
    assert (many.clusters, many.verdict) == (8, "better")
    assert "better than persistence, −0." in many.sentence
    few, many = (record(pairs(quarters, 0.8)).parts[0] for quarters in (7, 8))
    assert ("of 7 clusters, so nothing can be concluded" in " ".join(few.sentences), few.few) == (True, True)
    assert ("nothing can be concluded" in " ".join(many.sentences), many.few) == (False, False)
    assert level.verdict == "level"
    assert record(pairs(8, 0.5, "no")).parts[0].total.against[0].verdict == "worse"


def test_the_error_counts_what_is_repeated_once() -> None:
    """Asking each question ten times over leaves the error as it was; as if independent it would shrink threefold."""
    rng = np.random.default_rng(7)
    draws = [(float(rng.uniform()), "yes" if rng.uniform() < 0.5 else "no") for _ in range(12)]

    def error(times: int) -> float:
        rows = [
            scored(p, result, date=month(3 * k) + dt.timedelta(days=30 + j), as_of=month(3 * k) + dt.timedelta(days=j))
            for k, (p, result) in enumerate(draws)
            for j in range(times)
        ]
        return record(rows).parts[0].total.against[0].brier_error

    assert error(10) == pytest.approx(error(1), rel=1e-9)
    each = [(p - (result == "yes")) ** 2 - (0.05 - (result == "yes")) ** 2 for p, result in draws]
    assert error(1) == pytest.approx(np.std(each, ddof=1) / math.sqrt(12), rel=1e-9)


def test_a_rival_that_is_as_good_is_told_apart_as_seldom_as_promised() -> None:
    """In 400 records of 12 clusters, whose questions share their luck, about a tenth of verdicts are wrong."""
    rng = np.random.default_rng(13)
    wrong = 0
    with mock.patch("forecast.record.calibration.RESAMPLES", 2):
        for _ in range(400):
            rows = []
            for k in range(12):
                result, p = ("yes" if rng.random() < 0.5 else "no"), float(rng.uniform(0.1, 0.9))
                begin = month(3 * k)
                rows += [
                    scored(p, result, date=begin + dt.timedelta(days=30 + j), as_of=begin, before=1 - p)
                    for j in range(6)
                ]
            verdict = next(
                row.verdict for row in record(rows).parts[0].total.against if row.name == "last issue repeated"
            )
            assert verdict in {"better", "worse", "level"}
            wrong += verdict != "level"
    assert abs(wrong / 400 - 0.1) < 3 * math.sqrt(0.1 * 0.9 / 400)


def test_rivals_are_scored_where_they_were_asked_the_same(world: World) -> None:
    """Of the same day, by the same rule, and not late; questions of one model alone count for that one only."""
    texts = {**world.texts, "deal": "Another rule."}
    world.issue(AS_OF, {("deal", "at", 4): 0.2, ("deal", "by", 4): 0.5, ("truce", "at", 4): 0.7})
    world.issue(later(1), {("deal", "at", 4): 0.3})
    world.issue(later(2), {("deal", "at", 4): 0.3})
    rows = rows_of(AS_OF, {("deal", "at", 4): 0.6, ("deal", "at", 13): 0.5})
    archive = world.project.ledger.archive
    archive(issue(world.texts, AS_OF, rows, model="doves"))
    archive(issue(texts, later(1), rows_of(later(1), {("deal", "at", 4): 0.9}), model="doves"))
    late = rows_of(later(2), {("deal", "at", 4): 0.9})
    archive(issue(world.texts, later(2), late, model="doves", issued=later(20)))
    world.deal(later(3))
    world.resolve(later(40) + LAG, model=MODEL)
    frame = world.project.score(MODEL).to_frame()
    assert frame["doves"].notna().sum() == 1
    beside = frame[frame["doves"].notna()].iloc[0]
    assert (beside["outcome"], beside["kind"], beside["probability"], beside["doves"]) == ("deal", "at", 0.2, 0.6)
    (part,) = world.project.score(MODEL).parts
    rival = next(row for row in part.total.against if row.name == "doves")
    assert (rival.questions, rival.brier) == (1, pytest.approx(0.16))
    assert rival.brier_difference == pytest.approx(0.64 - 0.16)


# The command line and the report.


def test_a_scored_question_knows_its_cluster() -> None:
    """Its issue with those of the quarter, whatever they ask and of what dates; another quarter or year is another."""
    keys = [
        Scored(said, {}, result).cluster
        for as_of, date, name in (
            (dt.date(2026, 1, 1), dt.date(2026, 1, 29), "deal"), (dt.date(2026, 1, 1), dt.date(2026, 12, 31), "truce"),
            (dt.date(2026, 3, 31), dt.date(2026, 12, 31), "deal"), (dt.date(2026, 4, 1), dt.date(2026, 4, 29), "deal"),
            (dt.date(2027, 1, 1), dt.date(2027, 1, 29), "deal"),
        )
        for said, result in [scored(0.5, "no", date=date, outcome=name, as_of=as_of)]
    ]  # fmt: skip
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3


def test_one_issue_is_one_cluster_however_much_it_asks() -> None:
    """Five outcomes at and by four horizons, of which some exclude each other, conclude nothing and have no error."""
    asked = [
        scored(0.3, "yes" if name == "truce" else "no", date=AS_OF + weeks * LAG / 2, outcome=name, as_of=AS_OF)
        for name in ("deal", "strategic_victory", "truce", "confrontation", "cooperation") for weeks in (4, 13, 26, 52)
    ]  # fmt: skip
    (part,) = record(asked).parts
    (persistence,) = part.total.against
    assert (part.total.questions, part.total.clusters, part.few) == (20, 1, True)
    assert (persistence.brier_error, persistence.verdict) == (None, "open")


def test_what_was_settled_at_issue_is_no_skill(world: World) -> None:
    """A rule that was met on the day of the forecast is answered, told and left out of every score."""
    world.issue(AS_OF, {**FOUR, ("truce", "by", 4): 1.0}, now=["truce"])
    world.see("presidents_meeting", later(-3))
    world.see("detainees_released", later(-2))
    world.resolve(later(60))
    found = world.project.score(MODEL)
    assert (found.resolved, found.settled, len(found.scored)) == (2, 1, 3)
    assert {row.outcome for part in found.parts for row in part.groups} == {"deal"}
    assert found.to_dict()["settled"] == 1
    alone = record([scored(0.9, "yes", as_of=AS_OF, met_now=True)])
    assert (alone.parts, alone.state) == (
        (),
        "0 questions resolved, 1 more left out, for their rule was met at issue already",
    )
