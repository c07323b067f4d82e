"""What every ledger does for people and their jobs: signed rows, judgements, tokens, a queue."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading
from typing import TYPE_CHECKING

import pytest
from entries import NOW, answer, day, issued, refusal, sighting

from forecast.ledger.jobs import SILENT
from forecast.ledger.judgements import Judgement

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.ledger.jobs import Job
    from forecast.ledger.protocol import Ledger


def judgement(**changes: object) -> Judgement:
    """One judgement, with changes."""
    base = Judgement(
        analyst="ada", model="theory", outcome="peace", date=day(6, 1), probability=0.25, blind=True, recorded_at=NOW
    )
    return dataclasses.replace(base, **changes)


class PeopleContract:
    """A part of the contract of `forecast.ledger.protocol.Ledger`; `contract.LedgerContract` gives the fixtures."""

    # Who wrote it.

    def test_every_row_says_who_recorded_it(self, ledger: Ledger, place: Path) -> None:
        """Rows, retractions, issues, answers, judgements and tokens; where nobody was named, nobody is."""
        ada = ledger.signed("ada")
        ada.add("caucasus", [sighting("a"), sighting("b")], now=NOW)
        ledger.add("caucasus", [sighting("c")], now=NOW)
        ledger.signed("bob").retract("caucasus", "a", reason="false", now=NOW)
        assert [row.by for row in ledger.log("caucasus")] == ["bob", "", "ada", "ada"]
        assert ada.archive(issued()).recorded_by == "ada" == self.open(place).latest_forecast().recorded_by
        (told,) = ada.resolve([answer()])
        assert (told.recorded_by, ledger.resolutions()[0].recorded_by) == ("ada", "ada")
        assert ada.judgements.add(judgement()).recorded_by == ledger.judgements.every()[0].recorded_by == "ada"
        assert ada.tokens.make("night", "read", NOW)[0].made_by == ledger.tokens.every()[0].made_by == "ada"
        assert ledger.verify() == ()

    def test_who_wrote_is_no_part_of_what_is_written(self, ledger: Ledger) -> None:
        """The same row by somebody else is unchanged, and the same answer no new one."""
        ledger.signed("ada").add("caucasus", [sighting()], now=NOW)
        assert ledger.signed("bob").add("caucasus", [sighting()], now=NOW).unchanged == ("a",)
        ledger.signed("ada").resolve([answer()])
        assert ledger.signed("bob").resolve([answer()]) == ()

    # Judgements.

    def test_judgements_are_revised_and_stay(self, ledger: Ledger, place: Path) -> None:
        """All are given in the order of recording, every field as it was, those of one model where one is named."""
        first, later = judgement(note="a hunch"), judgement(probability=0.5, blind=False, since=day(5, 1))
        other = judgement(model="rival", probability=1.0)
        kept = [ledger.judgements.add(one) for one in (first, later, other)]
        assert [row.seq for row in kept] == sorted({row.seq for row in kept})
        assert [dataclasses.replace(row, seq=0) for row in kept] == [first, later, other]
        assert self.open(place).judgements.every() == tuple(kept)
        assert ledger.judgements.every("theory") == tuple(kept[:2])

    @pytest.mark.parametrize(
        ("change", "fault"),
        [
            ({"probability": 1.5}, "from 0 to 1"),
            ({"probability": float("nan")}, "from 0 to 1"),
            ({"analyst": " "}, "say whose it is"),
        ],
    )
    def test_a_judgement_without_sense_is_refused(self, ledger: Ledger, change: dict[str, object], fault: str) -> None:
        """Nothing is recorded of it."""
        assert fault in refusal(lambda: ledger.judgements.add(judgement(**change)))
        assert ledger.judgements.every() == ()

    # Tokens.

    def test_a_token_is_found_until_it_is_revoked(self, ledger: Ledger, place: Path) -> None:
        """By its text alone, which no row holds; a revoked one stays on record."""
        made, text = ledger.tokens.make("ada", "write", NOW)
        other, _ = ledger.tokens.make("night", "read", NOW)
        assert self.open(place).tokens.find(text) == made
        assert text.rsplit("_", 1)[1] not in repr(ledger.tokens.every())
        for wrong in (
            "",
            "fc",
            text[:-1],
            text + "x",
            text.replace(made.id, other.id),
            f"fc_{made.id}_",
            "fc_0_x\ud800",
        ):
            assert ledger.tokens.find(wrong) is None
        gone = ledger.tokens.revoke(made.id, NOW)
        assert gone.revoked_at
        assert ledger.tokens.find(text) is None
        assert ledger.tokens.every() == (gone, other)

    def test_what_cannot_be_revoked_is_said(self, ledger: Ledger) -> None:
        """An id that nobody has, and one that is revoked already."""
        made, _ = ledger.tokens.make("ada", "admin", NOW)
        assert "there is no token 'x'" in refusal(lambda: ledger.tokens.revoke("x", NOW))
        ledger.tokens.revoke(made.id, NOW)
        assert "was revoked at" in refusal(lambda: ledger.tokens.revoke(made.id, NOW))
        assert "needs a name" in refusal(lambda: ledger.tokens.make(" ", "read", NOW))

    # The queue.

    def test_a_job_is_asked_taken_and_ended(self, ledger: Ledger) -> None:
        """Its state, its stage and what came of it are there for whoever asks; the chain knows nothing of it."""
        head = ledger.head()
        job = ledger.signed("ada").jobs.ask("theory", day(6, 1), "{}", NOW)
        assert (job.state, job.asked_by) == ("queued", "ada")
        taken = ledger.jobs.take("w", NOW)
        assert (taken.seq, taken.state, taken.worker) == (job.seq, "running", "w")
        assert ledger.jobs.take("w", NOW) is None
        ledger.jobs.tell(taken, NOW, stage="sampling", done=10, total=40)
        assert (ledger.jobs.get(job.seq).stage, ledger.jobs.get(job.seq).done) == ("sampling", 10)
        ledger.jobs.end(taken, NOW, issue=3)
        assert (ledger.jobs.get(job.seq).state, ledger.jobs.get(job.seq).issue) == ("done", 3)
        ledger.jobs.ask("theory", day(6, 2), "{}", NOW)
        ledger.jobs.end(ledger.jobs.take("w", NOW), NOW, message="no space")
        assert [(row.state, row.message) for row in ledger.jobs.last()] == [("failed", "no space"), ("done", None)]
        assert ledger.jobs.get(99) is None
        assert (ledger.head(), ledger.verify()) == (head, ())

    def test_what_is_asked_twice_is_done_once(self, ledger: Ledger) -> None:
        """As long as it has not begun; another day, or other settings, are another job."""
        first = ledger.jobs.ask("theory", day(6, 1), "{}", NOW)
        assert ledger.jobs.ask("theory", day(6, 1), "{}", NOW) == first
        assert ledger.jobs.ask("theory", day(6, 2), "{}", NOW).seq != first.seq
        ledger.jobs.take("w", NOW)
        assert ledger.jobs.ask("theory", day(6, 1), "{}", NOW).seq != first.seq

    def test_the_job_of_a_dead_worker_is_taken_again(self, ledger: Ledger) -> None:
        """What it says after all is not heard."""
        ledger.jobs.ask("theory", day(6, 1), "{}", NOW)
        dead = ledger.jobs.take("dead", NOW)
        later = NOW + SILENT
        assert ledger.jobs.take("alive", later) is None
        ledger.jobs.tell(dead, later, stage="sampling")
        assert ledger.jobs.take("alive", later + SILENT) is None
        taken = ledger.jobs.take("alive", later + SILENT + dt.timedelta(seconds=1))
        assert (taken.seq, taken.worker) == (dead.seq, "alive")
        ledger.jobs.end(dead, later, issue=1)
        assert ledger.jobs.get(dead.seq).state == "running"

    def test_no_job_is_taken_twice(self, ledger: Ledger, place: Path) -> None:
        """Of workers that ask at once, each gets another."""
        for k in range(1, 13):
            ledger.jobs.ask("theory", day(6, k), "{}", NOW)
        ready, taken = threading.Barrier(4), list[int]()

        def work(name: str) -> None:
            own = self.open(place)
            ready.wait()
            found: Job | None = own.jobs.take(name, NOW)
            while found is not None:
                taken.append(found.seq)
                found = own.jobs.take(name, NOW)

        threads = [threading.Thread(target=work, args=(f"w{k}",)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(row.seq for row in ledger.jobs.last())
