"""The track record by itself: a ledger and models are all that it needs."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import track
from entries import LINK
from places import MODEL as FILE
from track import AS_OF, FOUR, MODEL, later, noon

from forecast.base.errors import InputError
from forecast.ledger.rows import Observation
from forecast.ledger.sqlite import SqliteLedger
from forecast.project.models import Models
from forecast.project.track_record import TrackRecord

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

    from forecast.inference.model import Model
    from forecast.ledger.rows import Entry

DEAL = Observation(
    id="signed", state="peace.fresh_deal", date=later(3), reported_on=later(3), source="Wire", grade="A1"
)
STILL = Observation(
    id="holds", state="peace.settled_deal", date=later(28), reported_on=later(29), source="Wire", grade="A1"
)
CLOSED = later(28) + track.LAG


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Give the reference model's file."""
    (tmp_path / "models").mkdir()
    shutil.copy(FILE, tmp_path / "models")
    return Models(tmp_path, lambda: track.noon(later(0)))


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    """Give a ledger without rows."""
    return SqliteLedger.open(tmp_path / "ledger.db")


def issue(ledger: SqliteLedger, models: Models, as_of: dt.date, **more: Any) -> None:
    """Archive a forecast."""
    texts = {name: row.resolution for name, row in models.get().spec.outcomes.items()}
    ledger.archive(track.issue(texts, as_of, track.rows_of(as_of, FOUR), **more))


def rows(_model: Model, day: dt.date) -> tuple[Entry, ...]:
    """Give what was public on a day."""
    return tuple(row for row in (DEAL, STILL) if row.reported_on <= day)


def test_reports_are_found_by_model_and_day(ledger: SqliteLedger, models: Models) -> None:
    """The last of all, of a model, or as of a day; what is not there is said with what is."""
    record = TrackRecord(ledger, models)
    with pytest.raises(InputError, match="this project has no forecast yet"):
        record.latest()
    with pytest.raises(InputError, match=f"model '{MODEL}' has no forecast yet"):
        record.latest(MODEL)
    with pytest.raises(InputError, match="there is no model 'russia'"):
        record.latest("russia")
    issue(ledger, models, AS_OF)
    issue(ledger, models, later(7))
    contents = [json.loads(row.content) for row in ledger.forecasts()]
    assert record.latest() == record.latest(MODEL) == record.report(MODEL, None) == contents[1]
    assert record.report(MODEL, AS_OF) == contents[0]
    with pytest.raises(InputError, match=f"as of {later(1)}; there are {AS_OF} to {later(7)}"):
        record.report(MODEL, later(1))


def test_rows_that_are_given_answer_what_has_closed(ledger: SqliteLedger, models: Models) -> None:
    """Open questions wait; answers are recorded once; they score what was issued."""
    record = TrackRecord(ledger, models)
    issue(ledger, models, AS_OF)
    found = record.resolve(None, CLOSED, noon(CLOSED), rows)
    assert {(row.since, row.date, row.answer) for row in found.recorded} == {
        (None, later(28), "yes"), (AS_OF, later(28), "yes")
    }  # fmt: skip
    assert (found.answered, found.open, found.left) == (2, 2, ())
    assert record.resolve(MODEL, CLOSED, noon(CLOSED), rows).recorded == ()
    score = record.score()
    assert (score.resolved, score.issues) == (2, 1)
    assert score.parts[0].total.brier == pytest.approx((0.8**2 + 0.75**2) / 2)


def test_no_rows_are_asked_for_what_has_not_closed(ledger: SqliteLedger, models: Models) -> None:
    """A day in the future is refused, and a model that is not there."""
    record = TrackRecord(ledger, models)
    issue(ledger, models, AS_OF)

    def none(_model: Model, _day: dt.date) -> tuple[Entry, ...]:
        pytest.fail("rows were asked for")

    assert record.resolve(None, later(5), noon(later(5)), none).recorded == ()
    with pytest.raises(InputError, match=f"give a day until today, {later(5)}"):
        record.resolve(None, later(6), noon(later(5)), none)
    with pytest.raises(InputError, match="there is no model 'russia'"):
        record.resolve("russia", later(5), noon(later(5)), none)


def test_an_issued_model_whose_file_is_gone_is_left_to_hand(ledger: SqliteLedger, models: Models) -> None:
    """Its questions are named as those that no rule answers, and its record can be read still."""
    record = TrackRecord(ledger, models)
    issue(ledger, models, AS_OF, model="doves")
    found = record.resolve("doves", CLOSED, noon(CLOSED), rows)
    assert found.recorded == ()
    assert {(row.model, row.kind) for row in found.left} == {("doves", "at"), ("doves", "by")}
    assert record.score("doves").issues == 1


def test_an_answer_by_hand_is_recorded_once(ledger: SqliteLedger, models: Models) -> None:
    """It needs a question that was asked; the very same again is refused."""
    record = TrackRecord(ledger, models)
    issue(ledger, models, AS_OF)
    how: dict[str, Any] = {
        "answer": "no",
        "reason": "Denied",
        "url": LINK,
        "since": None,
        "now": noon(CLOSED),
        "entries": rows,
    }
    told = record.overrule(models.get(), "deal", later(28), **how)
    assert (told.answer, told.reason) == ("no", "Denied")
    with pytest.raises(InputError, match=r"has this very answer already"):
        record.overrule(models.get(), "deal", later(28), **how)
    with pytest.raises(InputError, match=r"deal"):
        record.overrule(models.get(), "deal", later(27), **how)
    assert len(ledger.resolutions()) == 1


def test_every_probability_is_in_the_table(ledger: SqliteLedger, models: Models) -> None:
    """Without an issue the table is empty."""
    assert TrackRecord(ledger, models).table().empty
