"""The contract bites: a sound ledger passes it, and one with a planted fault fails the test that is about it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from places import TESTS

if TYPE_CHECKING:
    from pathlib import Path

FAULTY = '''
import time
from contract import LedgerContract
from forecast.ledger.issued import Added
from forecast.ledger.sqlite import SqliteLedger

OPENING = """
from forecast.ledger.sqlite import SqliteLedger
ledger = SqliteLedger.open(place / "ledger.db")
"""

class Contract(LedgerContract):
    OPENING = OPENING
    def open(self, place):
        return self.kind.open(place / "ledger.db")

class IgnoresTheWatermark(SqliteLedger):
    def entries(self, dataset, *, as_of=None, watermark=None):
        return super().entries(dataset, as_of=as_of)

class IgnoresTheDay(SqliteLedger):
    def entries(self, dataset, *, as_of=None, watermark=None):
        return super().entries(dataset, watermark=watermark)

class KeepsTheFirstContent(SqliteLedger):
    def add(self, dataset, entries, *, now):
        known = {row.id for row in self.entries(dataset)}
        added = super().add(dataset, [row for row in entries if row.id not in known], now=now)
        return added._replace(superseded=tuple(row.id for row in entries if row.id in known))

class RetractsFromToday(SqliteLedger):
    def retract(self, dataset, row_id, *, reason, now, reported_on=None):
        super().retract(dataset, row_id, reason=reason, now=now, reported_on=reported_on or now.date())

class AddsOneByOne(SqliteLedger):
    def add(self, dataset, entries, *, now):
        found = [super(AddsOneByOne, self).add(dataset, [row], now=now) for row in entries]
        return Added(*(sum(part, ()) for part in zip(*found))) if found else Added()

class SeedsWithoutALock(SqliteLedger):
    def seed_once(self, dataset, read, *, now):
        if self.watermark(dataset):
            return Added()
        rows = read()
        time.sleep(0.2)
        return self.add(dataset, rows, now=now)

class ForgetsOlderIssues(SqliteLedger):
    def forecasts(self, model=None):
        return super().forecasts(model)[-1:]

class LetsARuleStand(SqliteLedger):
    def resolutions(self, model=None):
        return tuple(row for row in super().resolutions(model) if row.how == "rule")

class LogsOldestFirst(SqliteLedger):
    def log(self, dataset, limit=20):
        return super().log(dataset, limit)[::-1]

class TestSound(Contract):
    kind = SqliteLedger
class TestIgnoresTheWatermark(Contract):
    kind = IgnoresTheWatermark
class TestIgnoresTheDay(Contract):
    kind = IgnoresTheDay
class TestKeepsTheFirstContent(Contract):
    kind = KeepsTheFirstContent
class TestRetractsFromToday(Contract):
    kind = RetractsFromToday
class TestAddsOneByOne(Contract):
    kind = AddsOneByOne
class TestSeedsWithoutALock(Contract):
    kind = SeedsWithoutALock
class TestForgetsOlderIssues(Contract):
    kind = ForgetsOlderIssues
class TestLetsARuleStand(Contract):
    kind = LetsARuleStand
class TestLogsOldestFirst(Contract):
    kind = LogsOldestFirst
'''
FOUND_BY = {
    "IgnoresTheWatermark": "test_a_watermark_shows_what_was_recorded",
    "IgnoresTheDay": "test_as_of_shows_what_the_public_could_know",
    "KeepsTheFirstContent": "test_the_last_of_many_contents_is_in_force",
    "RetractsFromToday": "test_a_mistake_never_was",
    "AddsOneByOne": "test_one_id_with_two_contents_writes_nothing",
    "SeedsWithoutALock": "test_some_that_seed_at_once_do_it_once",
    "ForgetsOlderIssues": "test_issued_forecasts_are_kept",
    "LetsARuleStand": "test_an_analyst_stands_against_the_rule",
    "LogsOldestFirst": "test_the_log_is_newest_first",
}


def test_each_planted_fault_is_found(tmp_path: Path) -> None:
    """Of one test for each fault, a sound ledger passes all, and the faulty one fails its own."""
    (tmp_path / "test_faulty.py").write_text(FAULTY, encoding="utf-8")
    shared = [str(folder) for folder in (TESTS.parent, TESTS / "oracles", TESTS / "ledger")]
    chosen = [f"test_faulty.py::Test{name}::{test}" for name, test in FOUND_BY.items()]
    chosen += [f"test_faulty.py::TestSound::{test}" for test in FOUND_BY.values()]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rA", "-p", "no:cacheprovider", *chosen],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": os.pathsep.join(shared), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    told = set(re.findall(r"^(PASSED|FAILED) \S+::Test(\w+)::(\w+)", done.stdout, flags=re.MULTILINE))
    assert told == {("FAILED", name, test) for name, test in FOUND_BY.items()} | {
        ("PASSED", "Sound", test) for test in FOUND_BY.values()
    }
