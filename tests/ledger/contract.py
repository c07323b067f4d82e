"""What every ledger does, as tests: an implementation is tested by a subclass that says how one is opened.

Nothing here knows how rows are kept. ``seq`` need not be without gaps, so marks are asked for and never counted.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from entries import LINK, NOW, REPORT, answer, counted, day, delivered, issued, refusal, sighting, watch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecast.base.errors import ForecastError, InputError
from forecast.ledger.issued import Added
from forecast.ledger.rows import Count, Observation, make_id, with_id

if TYPE_CHECKING:
    from forecast.ledger.protocol import Ledger

__all__ = ["PROLOGUE", "LedgerContract", "ids"]

PROLOGUE = """
import datetime as dt, json, os, sys, time
from pathlib import Path
from forecast.ledger.rows import Observation
NOW = dt.datetime(2026, 1, 8, tzinfo=dt.UTC)
def row(name):
    date = dt.date(2025, 2, 20)
    return Observation(id=name, indicator="cyberattack", date=date, reported_on=date, source="APA", grade="B2")
place = Path(sys.argv[1])
"""
WRITER = """
for k in range(100):
    assert ledger.add("d", [row(f"{sys.argv[2]}-{k}")], now=NOW).new
print(json.dumps([began, time.monotonic()]))
"""
WAIT = """
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
"""

STEPS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers(0, 6)), max_size=12
)  # (id, 0 = retract or the content, days)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
TEXTS = st.tuples(TEXT.filter(bool), TEXT, TEXT, TEXT)
# Each subclass calls the same function with an instance of its own.
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


def ids(ledger: Ledger, **known: object) -> list[str]:
    """Give the ids in force, in order."""
    return [entry.id for entry in ledger.entries("caucasus", **known)]


def _broken() -> list[Observation]:
    msg = "the reader broke"
    raise RuntimeError(msg)


def _together(count: int, act: object) -> None:
    """Let threads act at once, each with its number; what one raises is raised here."""
    ready, failed = threading.Barrier(count), []

    def one(k: int) -> None:
        ready.wait()
        try:
            act(k)
        except Exception as error:  # noqa: BLE001 - a thread would swallow it
            failed.append(error)

    threads = [threading.Thread(target=one, args=(k,)) for k in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


class LedgerContract:
    """The contract of `forecast.ledger.protocol.Ledger`; a subclass gives `open` and `OPENING`."""

    OPENING: ClassVar[str]  # lines of a program that bind ``ledger`` to the ledger of the folder ``place``

    def open(self, place: Path) -> Ledger:
        """Open the ledger that belongs to a folder; the first time there is none yet."""
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Give the folder to which the ledger of a test belongs."""
        return tmp_path / "project"

    @pytest.fixture
    def ledger(self, place: Path) -> Ledger:
        """Open an empty ledger."""
        return self.open(place)

    # Adding.

    def test_what_is_added_is_given_back(self, ledger: Ledger, place: Path) -> None:
        """Every field of both kinds survives, for whoever opens it later, and a state stands where an indicator could.

        An earlier opening sees it too.
        """
        told = {"story": "raid", "note": "line\nline ' \"", "coded_by": "GDELT", "language": "az-Latn"}
        full = sighting("f", distinct=True, precision="month", **told)
        assessed = sighting("s", indicator=None, state="relations.truce")
        earlier = self.open(place)
        assert ledger.add("caucasus", [full, assessed, watch()], now=NOW) == Added(new=("f", "s", "w"))
        assert ledger.entries("caucasus") == (full, assessed, watch())
        assert earlier.entries("caucasus") == self.open(place).entries("caucasus") == ledger.entries("caucasus")

    def test_entries_come_by_date_then_report_then_record(self, ledger: Ledger) -> None:
        """Of one day the first reported comes first, of one report the first recorded; a correction keeps its place."""
        rows = [sighting("b"), watch("e", from_=day(2, 20)), sighting("a"), sighting("c", date=day(1, 5))]
        ledger.add("caucasus", [*rows, sighting("d", reported_on=day(2, 21))], now=NOW)
        assert ids(ledger) == ["c", "d", "b", "a", "e"]
        ledger.add("caucasus", [sighting("b", grade="A1")], now=NOW)
        assert ids(ledger) == ["c", "d", "b", "a", "e"]

    def test_adding_again_changes_nothing(self, ledger: Ledger) -> None:
        """Equal content under a known id is unchanged, and no row is written."""
        rows = [sighting("a"), watch()]
        ledger.add("caucasus", rows, now=NOW)
        before = ledger.watermark("caucasus")
        assert ledger.add("caucasus", rows, now=NOW) == Added(unchanged=("a", "w"))
        assert ledger.watermark("caucasus") == before > 0
        assert len(ledger.log("caucasus")) == 2

    def test_other_content_supersedes(self, ledger: Ledger) -> None:
        """The last content of an id is in force, and the earlier one stays on record."""
        ledger.add("caucasus", [sighting("a"), sighting("b")], now=NOW)
        mark = ledger.watermark("caucasus")
        mended = sighting("a", grade="A1")
        other = sighting("c", source="Report")
        assert ledger.add("caucasus", [mended, sighting("b"), other], now=NOW) == Added(("c",), ("a",), ("b",))
        assert ledger.entries("caucasus", watermark=mark) == (sighting("a"), sighting("b"))
        assert ledger.entries("caucasus")[0] == mended
        assert ledger.watermark("caucasus") > mark

    def test_the_last_of_many_contents_is_in_force(self, ledger: Ledger) -> None:
        """However often an id is corrected, and also if the last content is that of the first."""
        for note in ("one", "two", "three", "one"):
            ledger.add("caucasus", [sighting("a", note=note)], now=NOW)
            assert ledger.entries("caucasus") == (sighting("a", note=note),)
        assert len(ledger.log("caucasus")) == 4

    @pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Observation) if f.name != "id"])
    def test_every_field_is_content(self, ledger: Ledger, field: str) -> None:
        """A change of any one field supersedes."""
        other = {
            "indicator": None,
            "state": "x.y",
            "date": day(1, 1),
            "precision": "month",
            "reported_on": day(3, 3),
            "distinct": True,
        }
        changed = sighting("a", **{field: other.get(field, "other")})
        ledger.add("caucasus", [sighting("a")], now=NOW)
        assert ledger.add("caucasus", [changed], now=NOW).superseded == ("a",)
        assert ledger.entries("caucasus") == (changed,)

    def test_rows_without_an_id_are_added_once(self, ledger: Ledger) -> None:
        """Adding is idempotent for them as well."""
        added = ledger.add("caucasus", [sighting("")], now=NOW)
        assert added.new == (make_id(sighting()),)
        assert ledger.add("caucasus", [sighting("")], now=NOW).unchanged == added.new

    def test_rows_for_which_one_id_is_made_are_both_kept(self, ledger: Ledger) -> None:
        """Also if one was corrected or withdrawn: the later one has a longer id, by which it is known again."""
        same = {"date": day(1, 13), "reported_on": day(1, 13), "grade": "B2", "story": "the march", "note": ""}
        first, second = (
            dataclasses.replace(sighting(""), indicator="march", source=f"writer {source}", url="", **same)
            for source in ("0, row 114", "2, row 30")
        )
        made, long = make_id(first), make_id(second, 32)
        assert make_id(second) == made, "look for another pair"
        assert ledger.add("caucasus", [first], now=NOW).new == (made,)
        assert ledger.add("caucasus", [second], now=NOW) == Added(new=(long,))
        assert ids(ledger) == [made, long]
        assert ledger.add("caucasus", [first], now=NOW).unchanged == (made,)
        assert ledger.add("caucasus", [second], now=NOW).unchanged == (long,)
        corrected = dataclasses.replace(first, id=made, note="mended")
        assert ledger.add("caucasus", [corrected], now=NOW).superseded == (made,)
        assert ledger.add("caucasus", [second], now=NOW).unchanged == (long,)
        assert ledger.add("caucasus", [first], now=NOW).superseded == (made,), "what it was before it may be again"
        ledger.retract("caucasus", made, reason="denied", now=NOW)
        ledger.retract("caucasus", long, reason="denied", now=NOW)
        assert ledger.add("caucasus", [second], now=NOW).new == (long,)

    def test_one_id_with_two_contents_writes_nothing(self, ledger: Ledger) -> None:
        """An ambiguous batch is refused whole; the same row twice is one row."""
        batch = [sighting("z"), sighting("a"), sighting("a", note="other")]
        assert "two rows have the id 'a'" in refusal(lambda: ledger.add("caucasus", batch, now=NOW))
        assert ledger.watermark("caucasus") == 0
        assert ledger.add("caucasus", [sighting("a"), sighting("a")], now=NOW).new == ("a",)

    def test_a_failure_in_mid_transaction_leaves_nothing(self, ledger: Ledger) -> None:
        """The row before the one that fails is undone."""
        batch = [sighting("a"), sighting("b", source=None), sighting("c", note="\ud800")]
        assert refusal(lambda: ledger.add("caucasus", batch, now=NOW), ForecastError)
        assert ledger.watermark("caucasus") == 0
        with pytest.raises(RuntimeError, match="the reader broke"):
            ledger.seed_once("caucasus", _broken, now=NOW)
        assert ledger.watermark("caucasus") == 0
        assert ledger.add("caucasus", [sighting("a")], now=NOW).new == ("a",)

    @pytest.mark.parametrize("now", [NOW.replace(tzinfo=None), NOW.astimezone(dt.timezone(dt.timedelta(hours=4)))])
    def test_the_moment_of_recording_is_utc(self, ledger: Ledger, now: dt.datetime) -> None:
        """A naive time, or that of another zone, is refused, also when there would be nothing to write."""
        assert "must be in UTC" in refusal(lambda: ledger.add("caucasus", [], now=now))
        ledger.add("caucasus", [sighting()], now=NOW)
        assert "must be in UTC" in refusal(lambda: ledger.retract("caucasus", "a", reason="wrong", now=now))
        assert ids(ledger) == ["a"]

    def test_datasets_are_apart(self, ledger: Ledger) -> None:
        """An id of one dataset is unknown in another, and so is its retraction; one watermark is not the other's."""
        ledger.add("caucasus", [sighting("a")], now=NOW)
        mark = ledger.watermark("caucasus")
        ledger.add("baltic", [sighting("a", note="other")], now=NOW)
        ledger.retract("baltic", "a", reason="wrong", now=NOW)
        assert ledger.entries("caucasus") == (sighting("a"),)
        assert ledger.entries("baltic") == ()
        assert ledger.watermark("caucasus") == mark < ledger.watermark("baltic")
        assert ledger.watermark("none") == 0

    # Replay.

    def test_as_of_shows_what_the_public_could_know(self, ledger: Ledger) -> None:
        """A row shows from the day it was reported, that day included; coverage likewise."""
        ledger.add("caucasus", [sighting("a"), watch("w")], now=NOW)
        assert ids(ledger, as_of=day(2, 21)) == []
        assert ids(ledger, as_of=day(2, 22)) == ["a"]
        assert ids(ledger, as_of=day(4, 1)) == ["a"]
        assert ids(ledger, as_of=day(4, 2)) == ["a", "w"]

    def test_a_watermark_shows_what_was_recorded(self, ledger: Ledger) -> None:
        """Rows written after it do not show, whatever day they are about."""
        marks = [0]
        for name, reported in (("a", day(5, 1)), ("b", day(3, 1)), ("c", day(4, 1))):
            ledger.add("caucasus", [sighting(name, reported_on=reported)], now=NOW)
            marks.append(ledger.watermark("caucasus"))
        assert marks == sorted(set(marks))
        assert [ids(ledger, watermark=mark) for mark in marks] == [[], ["a"], ["b", "a"], ["b", "c", "a"]]
        assert ids(ledger, watermark=marks[2], as_of=day(4, 1)) == ["b"]

    def test_a_correction_shows_from_its_own_report_on(self, ledger: Ledger) -> None:
        """Before the correction was public, the earlier content is what was known."""
        later = sighting("a", grade="A1", reported_on=day(5, 1))
        ledger.add("caucasus", [sighting("a")], now=NOW)
        ledger.add("caucasus", [later], now=NOW)
        assert ledger.entries("caucasus", as_of=day(4, 30)) == (sighting("a"),)
        assert ledger.entries("caucasus", as_of=day(5, 1)) == (later,)

    def test_a_revised_count_supersedes(self, ledger: Ledger) -> None:
        """A channel has one count for a week; as of a day it is the one that was known then, and none is not zero."""
        revised = counted(count=0, reported_on=day(4, 1))
        ledger.add("caucasus", [counted(), delivered()], now=NOW)
        later = counted(from_=day(3, 10), to=day(3, 16), reported_on=day(4, 1))
        added = ledger.add("caucasus", [revised, later], now=NOW)
        assert (added.new, added.superseded) == (("hostile_acts-2025-03-10",), ("hostile_acts-2025-03-03",))
        kept = with_id(delivered())
        assert ledger.entries("caucasus", as_of=day(3, 31)) == (with_id(counted()), kept)
        assert ledger.entries("caucasus", as_of=day(3, 9)) == ()
        assert [row.count for row in ledger.entries("caucasus") if isinstance(row, Count)] == [0, 40]
        first, second = (row.summary for row in ledger.log("caucasus", 9)[:-3:-1])
        assert first == "hostile_acts 2025-03-03 to 2025-03-09: 40 of 120,000, GDELT"
        assert "1,000 read, 40 kept, 2 faulty, 0 repeated" in second

    def test_a_mistake_never_was(self, ledger: Ledger) -> None:
        """A retraction without a date withdraws the row, with its corrections, on every day."""
        ledger.add("caucasus", [sighting("a"), sighting("b")], now=NOW)
        ledger.add("caucasus", [sighting("a", reported_on=day(5, 1))], now=NOW)
        mark = ledger.watermark("caucasus")
        ledger.retract("caucasus", "a", reason="another country", now=NOW)
        for date in (day(2, 22), day(4, 30), day(5, 1), None):
            assert ids(ledger, as_of=date) == ["b"]
        assert ids(ledger, watermark=mark) == ["b", "a"]

    def test_a_dated_retraction_is_known_from_that_day(self, ledger: Ledger) -> None:
        """Until the public learned that it was false, the row was part of what was known."""
        ledger.add("caucasus", [sighting("a")], now=NOW)
        ledger.retract("caucasus", "a", reason="denied", now=NOW, reported_on=day(6, 1))
        assert ids(ledger, as_of=day(5, 31)) == ["a"]
        assert ids(ledger, as_of=day(6, 1)) == ids(ledger) == []

    def test_a_row_comes_back_when_it_is_added_again(self, ledger: Ledger) -> None:
        """After a retraction even equal content is new; withdrawing it again does not reach into its earlier life."""
        ledger.add("caucasus", [sighting("a")], now=NOW)
        ledger.retract("caucasus", "a", reason="denied", now=NOW, reported_on=day(6, 1))
        again = sighting("a", reported_on=day(8, 1))
        assert ledger.add("caucasus", [again], now=NOW).new == ("a",)
        assert ledger.entries("caucasus") == (again,)
        ledger.retract("caucasus", "a", reason="denied again", now=NOW)
        assert ids(ledger, as_of=day(5, 31)) == ["a"]
        assert ids(ledger, as_of=day(8, 1)) == []

    def test_a_retraction_says_what_is_wrong(self, ledger: Ledger) -> None:
        """Unknown (with the nearest), already retracted, in the future, without a reason: each is refused."""
        ledger.add("caucasus", [sighting("cyberattack-1"), sighting("b")], now=NOW)
        ledger.retract("caucasus", "b", reason="wrong", now=NOW)
        mark = ledger.watermark("caucasus")
        for row_id, reason, reported_on, message in (
            ("cyberatack-1", "wrong", None, "no row 'cyberatack-1' in 'caucasus'; did you mean 'cyberattack-1'?"),
            ("nosuch", "wrong", None, "no row 'nosuch' in 'caucasus'; `forecast log` shows the ids."),
            ("b", "wrong", None, "'b' in 'caucasus' is already retracted"),
            ("cyberattack-1", " ", None, "needs a reason"),
            ("cyberattack-1", "wrong", dt.date(2026, 1, 10), "which is in the future"),
        ):
            act = lambda i=row_id, r=reason, d=reported_on: ledger.retract(  # noqa: E731
                "caucasus", i, reason=r, now=NOW, reported_on=d
            )
            assert message in refusal(act)
        assert ledger.watermark("caucasus") == mark

    @settings(SETTINGS, max_examples=8)
    @given(STEPS)
    def test_replay_equals_a_plain_fold(self, steps: list[tuple[str, int, int]]) -> None:
        """For any history, watermark and day, the entries are those of a naive replay of the log."""
        self.replay(steps)

    @pytest.mark.slow
    @settings(SETTINGS, max_examples=300)
    @given(STEPS)
    def test_replay_equals_a_plain_fold_whatever_happened(self, steps: list[tuple[str, int, int]]) -> None:
        """The same for many histories."""
        self.replay(steps)

    def replay(self, steps: list[tuple[str, int, int]]) -> None:
        """Add and withdraw rows in these steps, and hold the ledger against a naive replay after each of them."""
        with tempfile.TemporaryDirectory() as folder:
            ledger = self.open(Path(folder))
            history: list[tuple[str, Observation | None, dt.date]] = []
            marks = [0]
            for row_id, content, days in steps:
                reported = day(3, 1) + dt.timedelta(days)
                row = sighting(row_id, note=str(content), reported_on=reported) if content else None
                if row:
                    if ledger.add("caucasus", [row], now=NOW).unchanged:
                        continue
                else:
                    try:
                        ledger.retract("caucasus", row_id, reason="wrong", now=NOW, reported_on=reported)
                    except InputError:
                        continue
                history.append((row_id, row, reported))
                marks.append(ledger.watermark("caucasus"))
            for written, mark in enumerate(marks):
                for days in range(-1, 7):
                    as_of = day(3, 1) + dt.timedelta(days)
                    known: dict[str, Observation] = {}
                    for row_id, row, reported in history[:written]:
                        if reported <= as_of and row:
                            known[row_id] = row
                        elif reported <= as_of:
                            known.pop(row_id, None)
                    expected = sorted(known.values(), key=lambda row: row.reported_on)
                    assert list(ledger.entries("caucasus", as_of=as_of, watermark=mark)) == expected

    @settings(SETTINGS, max_examples=20)
    @given(TEXTS, st.booleans())
    def test_any_text_survives(self, texts: tuple[str, str, str, str], distinct: bool) -> None:  # noqa: FBT001
        """Any Unicode comes back as it was, quotes and line ends included."""
        self.survives(texts, distinct=distinct)

    @pytest.mark.slow
    @SETTINGS
    @given(TEXTS, st.booleans())
    def test_any_of_many_texts_survives(self, texts: tuple[str, str, str, str], distinct: bool) -> None:  # noqa: FBT001
        """The same of many more texts."""
        self.survives(texts, distinct=distinct)

    def survives(self, texts: tuple[str, str, str, str], *, distinct: bool) -> None:
        """Add a row with these texts, ask for it, and add it again."""
        row_id, source, story, note = texts
        row = sighting(row_id, source=source, story=story, note=note, distinct=distinct)
        with tempfile.TemporaryDirectory() as folder:
            ledger = self.open(Path(folder))
            ledger.add(note, [row], now=NOW)
            assert ledger.entries(note) == (row,)
            assert ledger.add(note, [row], now=NOW).unchanged == (row_id,)

    # The log, the seed.

    def test_the_log_is_newest_first(self, ledger: Ledger) -> None:
        """Each record says when, what and whether a later row replaced it; the limit does not hide a later row."""
        ledger.add("caucasus", [sighting("a", coded_by="GDELT", language="az"), watch()], now=NOW)
        ledger.add("baltic", [sighting("a")], now=NOW)
        ledger.add("caucasus", [sighting("b", indicator=None, state="x.y")], now=NOW + dt.timedelta(seconds=1))
        ledger.retract("caucasus", "a", reason="denied", now=NOW + dt.timedelta(seconds=2))
        records = ledger.log("caucasus")
        assert [(r.action, r.id, r.superseded) for r in records] == [
            ("retract", "a", False),
            ("add", "b", False),
            ("add", "w", False),
            ("add", "a", True),
        ]
        assert [r.seq for r in records] == sorted({r.seq for r in records}, reverse=True)
        assert records[0].seq == ledger.watermark("caucasus")
        assert [r.recorded_at for r in records] == [NOW + dt.timedelta(seconds=s) for s in (2, 1, 0, 0)]
        assert [r.summary for r in records] == [
            "retracted: denied",
            "x.y on 2025-02-20, B2, APA",
            "* watched 2025-03-01 to 2025-03-31, our own reading",
            "cyberattack on 2025-02-20, B2, APA (az), coded by GDELT",
        ]
        assert ledger.log("caucasus", limit=2) == records[:2]

    def test_a_dataset_is_seeded_once(self, ledger: Ledger) -> None:
        """A dataset with any row, even one that is retracted, is not seeded again."""
        assert ledger.seed_once("caucasus", lambda: [sighting("a")], now=NOW).new == ("a",)
        ledger.retract("caucasus", "a", reason="wrong", now=NOW)
        assert ledger.seed_once("caucasus", _broken, now=NOW) == Added()
        assert ledger.entries("caucasus") == ()

    def test_some_that_seed_at_once_do_it_once(self, ledger: Ledger) -> None:
        """The seed is read inside the write transaction, by the first of them only."""
        read: list[int] = []

        def seed(_: int) -> None:
            ledger.seed_once("caucasus", lambda: read.append(1) or [sighting("a"), sighting("b")], now=NOW)

        _together(4, seed)
        assert read == [1]
        assert ids(ledger) == ["a", "b"]

    # The archive.

    def test_issued_forecasts_are_kept(self, ledger: Ledger, place: Path) -> None:
        """The one issued last is the latest, whatever day it is about; models are apart unless none is named."""
        assert ledger.latest_forecast() is None
        first = ledger.archive(issued())
        second = ledger.archive(issued(as_of=day(5, 1)))
        rival = ledger.archive(issued(model="rival"))
        assert (first, second) == (issued(seq=first.seq), issued(seq=second.seq, as_of=day(5, 1)))
        assert 0 < first.seq < second.seq < rival.seq
        assert ledger.latest_forecast("theory") == second
        assert ledger.latest_forecast() == rival
        assert ledger.latest_forecast("none") is None
        assert ledger.forecasts("theory") == (first, second)
        assert ledger.forecasts() == self.open(place).forecasts() == (first, second, rival)
        assert "must be in UTC" in refusal(lambda: ledger.archive(issued(issued_at=NOW.replace(tzinfo=None))))
        assert len(ledger.forecasts()) == 3

    def test_an_issue_twice_is_two_issues(self, ledger: Ledger) -> None:
        """The archive replaces nothing, not even by the same."""
        first, second = ledger.archive(issued()), ledger.archive(issued())
        assert ledger.forecasts() == (first, second)
        assert first.seq < second.seq

    def test_headings_are_issues_without_their_reports(self, ledger: Ledger, place: Path) -> None:
        """They come as issues do, after a number if one is given, with the short part of each report."""
        first = ledger.archive(issued(content=REPORT))
        second = ledger.signed("ada").archive(issued(as_of=day(5, 1)))
        rival = ledger.archive(issued(model="rival", content=REPORT))
        found = ledger.headings()
        for heading, whole in zip(found, (first, second, rival), strict=True):
            assert not hasattr(heading, "content")
            names = {
                "seq",
                "model",
                "as_of",
                "issued_at",
                "evidence_hash",
                "model_hash",
                "fit",
                "watermark",
                "recorded_by",
            }
            assert {name: getattr(heading, name) for name in names} == {name: getattr(whole, name) for name in names}
            assert heading.published == whole.published
            assert ledger.forecast(heading.seq) == whole
        assert [row.seq for row in ledger.headings("theory")] == [first.seq, second.seq]
        assert ledger.headings(since_seq=first.seq) == self.open(place).headings(since_seq=first.seq) == found[1:]
        assert ledger.headings("theory", rival.seq) == ledger.headings("none") == ()
        assert ledger.forecast(rival.seq + 1) is None
        report = json.loads(REPORT)
        assert found[0].published.model == report["model"]
        assert found[0].published.report == {key: report[key] for key in ("model", "forecast", "lead", "alarm")}
        assert found[0].published.rules == [("peace", "at", 4, "2025-06-29", 0.25, False, 0.5)]
        assert (found[1].published.report, found[1].published.rules) == ({"model": {}}, [])
        assert ledger.verify() == ()

    def test_a_long_report_takes_little_room(self, ledger: Ledger) -> None:
        """It is compressed, and given back to the last character."""
        text = json.dumps({"rows": [{"number": k, "what": "☃ – a row like any other"} for k in range(5000)]})
        assert ledger.archive(issued(content=text)) == ledger.forecasts()[0]
        assert ledger.forecasts()[0].content == text
        assert ledger.verify() == ()

    # Answers.

    def test_answers_are_kept(self, ledger: Ledger, place: Path) -> None:
        """What is recorded is given back, by model, in the order of recording; a bad moment records none of several."""
        rows = [answer(), answer(since=day(5, 25), url=LINK, how="analyst", frozen=day(6, 1))]
        recorded = ledger.resolve(rows)
        assert recorded == tuple(
            dataclasses.replace(row, seq=kept.seq) for row, kept in zip(rows, recorded, strict=True)
        )
        assert 0 < recorded[0].seq < recorded[1].seq
        assert ledger.resolutions("m") == ledger.resolutions() == self.open(place).resolutions() == recorded
        assert ledger.resolutions("other") == ()
        naive = answer(date=day(6, 3), recorded_at=NOW.replace(tzinfo=None))
        assert "UTC" in refusal(lambda: ledger.resolve([answer(date=day(6, 2)), naive]))
        assert ledger.resolutions() == recorded

    def test_an_analyst_stands_against_the_rule(self, ledger: Ledger) -> None:
        """And against another analyst only until that one has answered; the same again is not recorded."""
        by_hand = {"how": "analyst", "reason": "seen", "url": LINK}
        steps = [
            (answer(), True),
            (answer(answer="no", **by_hand), True),
            (answer(answer="yes", as_of=day(7, 20)), False),
            (answer(answer="no", **by_hand), False),
            (answer(answer="void", **by_hand), True),
            (answer(answer="void", **{**by_hand, "reason": "a better reason"}), True),
        ]
        marks: list[int] = []
        for row, new in steps:
            recorded = ledger.resolve([row])
            assert bool(recorded) is new
            marks += [one.seq for one in recorded]
        assert marks == sorted(set(marks))
        (last,) = ledger.resolutions()
        assert (last.seq, last.answer, last.reason) == (marks[-1], "void", "a better reason")

    def test_a_rule_answers_from_the_newest_rows(self, ledger: Ledger) -> None:
        """A rule supersedes itself on what was public the same day or later, never on what was public before."""
        ledger.resolve([answer(answer="no", as_of=day(7, 1))])
        assert ledger.resolve([answer(answer="yes", as_of=day(6, 30))]) == ()
        assert [row.answer for row in ledger.resolutions()] == ["no"]
        assert len(ledger.resolve([answer(answer="yes", as_of=day(7, 1))])) == 1
        assert [row.answer for row in ledger.resolutions()] == ["yes"]

    # Several at once.

    @pytest.mark.parametrize("trials", [6, pytest.param(25, marks=pytest.mark.slow)])
    def test_many_that_create_at_once_share_one_ledger(self, trials: int, tmp_path: Path) -> None:
        """Nobody takes a ledger that another is just creating for something else, and every row is there."""
        for trial in range(trials):
            place = tmp_path / str(trial)
            _together(6, lambda k, place=place: self.open(place).add("caucasus", [sighting(str(k))], now=NOW))
            assert sorted(ids(self.open(place))) == list("012345")

    def test_two_writers_lose_nothing(self, place: Path) -> None:
        """Two processes that create one ledger and write a hundred rows each, one by one, end with two hundred rows."""
        program = PROLOGUE + WAIT + self.OPENING + WRITER
        writers = [
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", program, str(place), name],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for name in ("left", "right")
        ]  # fmt: skip
        for writer in writers:
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        outputs = [writer.communicate(timeout=60)[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0, 0]
        spans = [json.loads(output) for output in outputs]
        ledger = self.open(place)
        expected = {f"{name}-{k}" for name in ("left", "right") for k in range(100)}
        assert {entry.id for entry in ledger.entries("d")} == expected
        assert len({row.seq for row in ledger.log("d", limit=300)}) == 200
        assert max(begin for begin, _ in spans) < min(end for _, end in spans), "the two never met"
