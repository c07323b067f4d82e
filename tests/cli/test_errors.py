"""Wrong inputs as a new user makes them: one clear message each, and nothing is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from forking import run_forked
from projects import made_once

from docs import errors
from docs.builder.cases import Result, run_cases

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [case.name for case in errors.CASES]


def _run_all(folder: Path) -> None:
    kept = [(row.exit_code, row.stdout, row.stderr, row.kept) for row in run_cases(errors.CASES, run_forked)]
    (folder / "results.json").write_text(json.dumps(kept), encoding="utf-8")


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """Run every case once."""
    kept = json.loads((made_once("errors", _run_all) / "results.json").read_text(encoding="utf-8"))
    return [Result(case, *row) for case, row in zip(errors.CASES, kept, strict=True)]


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_input_gets_one_clear_message(results: list[Result], name: str) -> None:
    """A wrong input gives its exit code, one message on standard error and no traceback, and nothing is lost."""
    result = results[NAMES.index(name)]
    assert result.exit_code == result.case.exit_code
    assert result.stdout == ""
    first, *rest = result.stderr.splitlines()
    assert first.startswith("forecast: ")
    assert all(line.startswith("  ") for line in rest)
    assert "Traceback" not in result.stderr
    assert result.kept


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("An indicator that is not in the model", "did you mean 'presidents_meeting'?"),
        ("A date in the future", "2999-01-01 is in the future"),
        ("A date before the model's start", "before the model's start"),
        ("A grade that is none", "use A1 to F6"),
        ("A CSV file that is not UTF-8", "line 2 is not UTF-8"),
        ("A model file with four faults", "4 faults"),
        ("A rival with four faults", "4 faults"),
        ("A rival of a model that is not there", "did you mean 'russia_azerbaijan'?"),
        ("An empty ledger", "has no forecast yet"),
        ("A folder that may not be written", "cannot be written; mend its permissions"),
        ("A corrupted fit file", "is not a readable fit"),
        ("Another model's fit", "version 0123456789ab, not from"),
    ],
)
def test_a_message_says_what_is_wrong(results: list[Result], name: str, words: str) -> None:
    """The message of each of these wrong inputs names what was found or what is allowed."""
    assert words in results[NAMES.index(name)].stderr


def test_several_faults_are_listed_together(results: list[Result]) -> None:
    """A faulty model file and a faulty file of rows list all their faults at once."""
    model = results[NAMES.index("A model file with four faults")].stderr
    assert all(word in model for word in ("per_year", "'certain'", "'truse'", "'piece'"))
    rows = results[NAMES.index("A file with several faulty rows")].stderr
    assert all(
        f"rows.csv:{place}: " in rows for place in ("3: indicator", "4: grade", "4: date", "4: url", "4: source")
    )


def test_the_document_is_up_to_date(results: list[Result]) -> None:
    """docs/errors.md holds exactly the messages that the commands give."""
    assert errors.PAGE.read_text(encoding="utf-8") == errors.page(results), "run `python -m docs.errors`"
