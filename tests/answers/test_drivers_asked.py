"""Drivers asked of a forecast: since when, of what, and what cannot be asked."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import oracle
import pytest
from accounts import DAY, EARLY, LATE, SIZE, START, adds_up, known, plain, plain_anchor
from oracle import derived
from worlds import values_of

from forecast.answers.forecast import LiveForecast
from forecast.base.errors import InputError
from forecast.inference.reweighting import reweigh
from forecast.ledger.issued import Issued
from forecast.record.issue_changes import baseline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry


class Fitter:
    """Stands for the one that brings other draws, of which there are none."""

    def __init__(self, anchor: Anchor) -> None:
        """Know one anchor."""
        self._anchor = anchor

    def anchors(self) -> list[Anchor]:
        """List it."""
        return [self._anchor]

    def update(self, evidence: Evidence, refit: str, *, prior: bool) -> Posterior:
        """Take the same draws again."""
        assert (refit, prior) == ("never", True)
        return reweigh(self._anchor, evidence)


def asked(
    rows: Sequence[Entry], day: int, issued: Sequence[Issued] = (), marks: Mapping[int, int] | None = None
) -> LiveForecast:
    """Give a forecast that can be asked; ``marks`` says how many rows were in the ledger at a watermark."""
    anchor = plain_anchor()

    def entries(date: dt.date, mark: int | None) -> tuple[Entry, ...]:
        upto = len(rows) if mark is None else (marks or {})[mark]
        return tuple(row for row in rows[:upto] if row.reported_on <= date)

    end = known(anchor, rows, day)
    baselines = [baseline(one) for one in issued]
    return LiveForecast.of(end.posterior, end.entries, Fitter(anchor), entries, lambda: baselines)


def issue(day: int, rows: Sequence[Entry], watermark: int = 1, **more: object) -> Issued:
    """Give what was issued from the same draws."""
    end = known(plain_anchor(), rows, day)
    moment = dt.datetime(2024, 2, 20, tzinfo=dt.UTC)
    common = {
        "model": "plain", "as_of": end.as_of, "issued_at": moment, "evidence_hash": end.posterior.evidence.hash,
        "model_hash": plain().spec.hash, "fit": "prior", "watermark": watermark, "content": "{}",
    }  # fmt: skip
    return Issued(**(common | more))


def test_nothing_has_happened() -> None:
    """With the same rows on the same day there is nothing to explain."""
    with pytest.raises(InputError, match=r"^nothing to explain yet: nothing was recorded and no time has passed since"):
        asked(EARLY, 30).drivers("very_tense", weeks=None, since=START + 30 * DAY, refit="never")


def test_since_may_not_lie_ahead() -> None:
    """A day after the forecast's is refused with both dates; a text that is no day with what a day looks like."""
    ask = asked(EARLY, 30)
    with pytest.raises(InputError, match=r"since 2024-02-01: that is later than 2024-01-31, the day of the forecast"):
        ask.drivers("very_tense", weeks=None, since=START + 31 * DAY, refit="never")
    with pytest.raises(InputError, match=r"since 'yesterday' is not a date; write it as 2026-01-08"):
        ask.drivers("very_tense", weeks=None, since="yesterday", refit="never")


def test_no_other_forecast_was_issued() -> None:
    """Without one, or with only this very one, or one of a later day, the message says what to do."""
    here = issue(30, EARLY)
    for issued in ([], [here], [issue(33, EARLY)]):
        with pytest.raises(InputError, match=r"no other forecast of 'plain' has been issued; name a day \(--since\)"):
            asked(EARLY, 30, issued).drivers("very_tense", weeks=None, since="last", refit="never")


def test_unknown_outcomes_and_horizons_are_named() -> None:
    """Outcome and horizon are checked, with what would be right."""
    ask = asked(EARLY, 30)
    with pytest.raises(InputError, match="no outcome 'very_tens'; did you mean 'very_tense'"):
        ask.drivers("very_tens", weeks=None, since="2024-01-20", refit="never")
    with pytest.raises(InputError, match="3 weeks: the horizons of model 'plain' are 2, 8"):
        ask.drivers("very_tense", weeks=3, since="2024-01-20", refit="never")


def test_since_the_last_issue_or_a_day() -> None:
    """The last issued forecast that says something else is the beginning, with the rows that it knew."""
    rows = [*EARLY, *LATE]
    marks = {1: 4, 2: 5, 3: 6}
    issued = [issue(22, rows[:4], 1), issue(24, rows[:6], 3), issue(36, rows)]
    found = asked(rows, 36, issued, marks).drivers("very_tense", weeks=2, since="last", refit="never")
    assert found.since == START + 24 * DAY
    assert found.before.mean == pytest.approx(forecast_then(rows[:6], 24, found.date), abs=1e-9)
    adds_up(found)
    assert {row.rows for row in found.moved} == {("l2",), ("lc",), ("l3",), ("l4",), ()}
    by_day = asked(rows, 36).drivers("very_tense", weeks=2, since=START + 24 * DAY, refit="never")
    assert by_day.moved == found.moved
    assert by_day.before.mean == pytest.approx(found.before.mean, abs=1e-12)


def forecast_then(rows: Sequence[Entry], day: int, date: dt.date) -> float:
    """Forecast a date that need not be whole weeks ahead, from each draw's chain by itself."""
    end = known(plain_anchor(), rows, day)
    values = values_of(plain().spec, SIZE, 1)
    now = end.posterior.evaluation.now
    tense = np.array([state[1] == "tense" for state in oracle.joint_states(plain().spec)])
    total = 0.0
    for k in range(SIZE):
        p = derived(plain().spec, values[k])
        here = now[k]
        pieces = oracle.horizon_steps(plain().spec, day + 1, (date - end.as_of).days)
        moves = {days: oracle.transition_matrix(plain().spec, p, days) for days in pieces}
        for days in pieces:
            here = here @ moves[days]
        total += end.posterior.weights.values[k] * here[tense].sum()
    return total


def test_another_model_s_forecast_is_read_between_its_horizons() -> None:
    """What another version issued of a day between two of its horizons lies on a line; behind them nothing is."""

    def at(kind: str, day: int, mean: float) -> dict[str, object]:
        date = (START + day * DAY).isoformat()
        estimate = {"mean": mean, "low": mean / 2, "high": mean / 2 + 0.5, "mcse": 0.002}
        return {"outcome": "very_tense", "kind": kind, "date": date, "estimate": estimate}

    rows = [at("already", 22, 0.2), at("at", 36, 0.3), at("at", 64, 0.6), at("reached", 36, 0.9)]
    content = json.dumps({"forecast": {"quantities": rows}})
    issued = [issue(22, EARLY, 1, model_hash="another", content=content)]
    ask = asked([*EARLY, *LATE], 36, issued, {1: 5})
    found = ask.drivers("very_tense", weeks=2, since="last", refit="never")
    adds_up(found)
    assert found.before.mean == pytest.approx(0.3 + (0.6 - 0.3) * 14 / 28, abs=1e-12)
    assert found.before.mcse == pytest.approx(0.002)
    assert {row.kind for row in found.moved} >= {"model", "time", "story"}
    with pytest.raises(InputError, match="says nothing of 'very_tense' on 2024-04-02; ask for a day until 2024-03-05"):
        ask.drivers("very_tense", weeks=8, since="last", refit="never")
