"""Tables and texts on terminals of any width, in pipes, and where signs cannot be shown."""

from __future__ import annotations

import datetime as dt
import re
import shlex
import subprocess
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from projects import PROGRAM, call, environment, issued_once, process

from forecast.answers.drivers import Driver
from forecast.cli import questions, rivals, signs, track_record
from forecast.cli.tables import print_table
from forecast.ledger.issued import Resolution

if TYPE_CHECKING:
    from pathlib import Path

HEADS = ("", "points", "log-odds", "states")
ROWS = (
    ("Dushanbe (9 Oct 2025) (not to be trusted)", "−30", "−1.52", "stalled 0, advancing 0, truce +20, cooperation +10"),
    ("Sputnik release", "−2", "too rare", "truce 0"),
    ("19 smaller\tones", "0", "", ""),
)
TOTAL = ("all together", "−32", "−1.49", "")


@pytest.fixture(scope="module")
def issued() -> Path:
    """Give a project with one forecast; it is only read here."""
    return issued_once()[0]


def drawn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int | None) -> str:
    """Print the table on a terminal of so many columns, or into a pipe."""
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    print_table(HEADS, ROWS, "What moved it", TOTAL)
    return capsys.readouterr().out


# The table.


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_a_table_fits_its_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is too wide or ends in blanks, every word is there, numbers are whole and stand below each other."""
    out = drawn(capsys, monkeypatch, columns)
    lines = out.splitlines()
    assert max(map(len, lines)) <= columns
    assert all(line == line.rstrip() for line in lines)
    words = re.findall(r"\S+", out)
    assert {word for row in (HEADS, *ROWS, TOTAL) for cell in row for word in cell.split()} <= set(words)
    ends = {re.search(r"−(30|2|32)(?= |$)", line).end() for line in lines if re.search(r"−(30|2|32)(?= |$)", line)}  # pyright: ignore[reportOptionalMemberAccess]
    assert len(ends) == 1
    assert out.startswith("What moved it\n")


def test_a_wide_terminal_has_a_line_a_row(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all fits there is one block: title, heads, rows and, last, the total."""
    lines = drawn(capsys, monkeypatch, 120).splitlines()
    assert len(lines) == 2 + len(ROWS) + 1
    assert lines[-1].split() == ["all", "together", "−32", "−1.49"]


def test_columns_that_do_not_fit_follow_in_a_block(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block begins with the first column, so that a row can be found again; a total of nothing is left out."""
    first, second = drawn(capsys, monkeypatch, 50).removesuffix("\n").split("\n\n")
    for block in (first, second):
        assert "Dushanbe (9 Oct" in block
        assert "Sputnik release" in block
    assert "points" in first
    assert "states" not in first
    assert "states" in second
    assert ("all together" in first, "all together" in second) == (True, False)


def test_a_pipe_gets_whole_cells_between_tabs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line a row with as many cells as there are heads, nothing cut or padded, and no total to be counted twice."""
    title, *lines = drawn(capsys, monkeypatch, None).removesuffix("\n").split("\n")
    assert title == "What moved it"
    rows = [tuple(line.split("\t")) for line in lines]
    assert rows == [HEADS, *ROWS[:2], ("19 smaller ones", *ROWS[2][1:])]


def test_wide_signs_are_counted_as_they_are_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Chinese sign takes two columns; the block after it still fits."""
    monkeypatch.setenv("COLUMNS", "40")
    print_table(("", "a", "b"), [("和平" * 6, "1" * 10, "2" * 10)])
    shown = capsys.readouterr().out
    assert "1" * 10 in shown
    assert "2" * 10 in shown


# Totals.


def test_what_moved_a_forecast_ends_with_the_sum(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shares add up to the change; what holds a forecast up is each story without the others and does not."""
    monkeypatch.setenv("COLUMNS", "100")
    rows = [
        Driver(
            what=name, kind="story", date=None, rows=(), difference=size, mcse=0.002, log_odds=10 * size,
            log_odds_mcse=0.0, stages={}, trusted=True,
        )
        for name, size in (("one", 0.10), ("two", -0.04), ("three", 0.0))
    ]  # fmt: skip
    questions._print_drivers("What moved it", rows, total=["all together", *questions._moved(rows), ""])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[-1] == ["all", "together", "+6", "+0.60"]
    assert [line[0] for line in lines[2:]] == ["one", "two", "1", "all"]
    questions._print_drivers("What holds it up", rows, lambda _: "+7")
    shown = capsys.readouterr().out
    assert "all together" not in shown
    assert ["one", "+7", "+1.00"] in [line.split() for line in shown.splitlines()]


def test_answers_are_counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of answers ends with how many there are of each, those besides the table among them."""
    monkeypatch.setenv("COLUMNS", "100")
    day = dt.date(2026, 2, 5)
    rows = [
        Resolution(
            model="doves", outcome=f"outcome_{k}", date=day, answer="yes" if k % 3 else "no", how="rule", reason="",
            as_of=day, frozen=None, model_hash="", recorded_at=dt.datetime(2026, 3, 1, tzinfo=dt.UTC),
        )
        for k in range(45)
    ]  # fmt: skip
    track_record._print_answers(rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].split() == ["45", "answers", "30", "yes,", "15", "no"]
    assert lines[-1] == "… 5 more (--json has all)"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_path_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each week has its date in every block, both probabilities of an outcome stay together, and weeks are counted."""
    monkeypatch.setenv("COLUMNS", str(columns))
    outcomes = ["deal", "strategic_victory", "confrontation", "cooperation", "truce"]
    weeks = [
        SimpleNamespace(
            as_of=dt.date(2026, 1, day),
            probability=lambda _, weeks=None: SimpleNamespace(mean=0.25 if weeks else 0.14, mcse=0.001),
        )
        for day in (1, 8)
    ]
    rivals._print_path(SimpleNamespace(forecasts=weeks, fits=0), outcomes, 26)  # pyright: ignore[reportArgumentType]
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    assert out.count("14% → 25%") == 2 * len(outcomes)
    assert out.count("2026-01-08") == (2 if columns == 60 else 1)
    assert out.count("2 forecasts") == 1
    assert out.startswith("Probability now → 26 weeks on\n")


def test_spells_are_counted_and_their_years_summed(issued: Path) -> None:
    """The history of a unit ends with its spells and their years."""
    lines = call("history", "--unit", "azerbaijan", cwd=issued, columns=400).out.splitlines()
    table = lines[1 : lines.index("")]
    years = [float(re.search(r"\d+\.\d", line)[0]) for line in table[1:]]  # pyright: ignore[reportOptionalSubscript]
    assert table[-1].split() == ["1", "unit", str(len(table) - 2), "spells", f"{years[-1]:.1f}"]
    assert years[-1] == pytest.approx(sum(years[:-1]), abs=0.05 * len(years))


def test_the_log_says_whether_there_is_more(issued: Path) -> None:
    """It ends with how many rows there are, or that older ones are left."""
    assert call("log", "--limit", "3", cwd=issued, columns=80).out.endswith("\nthe newest 3 rows; --limit shows more\n")
    assert call("log", "--limit", "36", cwd=issued, columns=80).out.endswith("\n36 rows in all\n")


# Commands.


@pytest.mark.parametrize("command", ["show", "log", "history", "indicators --stage peace"])
@pytest.mark.parametrize("columns", [60, 80, 120, 200])
def test_commands_keep_to_the_terminal(command: str, columns: int, issued: Path) -> None:
    """No line that is laid out is wider than the terminal or ends in blanks."""
    lines = call(*command.split(), cwd=issued, columns=columns).out.splitlines()
    assert all(line == line.rstrip() for line in lines)
    keys = re.compile(r"[a-z_]+: |    [a-z]+: points to")  # one line each in the list of indicators, for grep
    assert max(len(line) for line in lines if not keys.match(line)) <= columns


@pytest.mark.parametrize("command", ["show", "log", "history", "indicators"])
def test_what_is_piped_is_whole_and_not_padded(command: str, issued: Path) -> None:
    """A pipe gets no blanks for looks at the ends of lines, and no colour."""
    out = call(command, cwd=issued).out
    assert "\x1b" not in out
    assert not re.search(r" +$", out, flags=re.MULTILINE)


def test_a_piped_log_has_a_line_a_row(issued: Path) -> None:
    """The text of a row is not cut, and five cells stand between tabs."""
    head, *rows = call("log", "--limit", "36", cwd=issued).out.splitlines()
    assert head.split("\t") == ["row", "recorded", "action", "id", "about"]
    assert [len(row.split("\t")) for row in rows] == [5] * 36
    assert all(not row.endswith("…") for row in rows)


@pytest.mark.parametrize("command", ["show", "show --json", "log", "history", "indicators", "--help"])
def test_a_reader_that_stops_is_no_error(command: str, issued: Path) -> None:
    """Output that nobody reads to its end (`| head`) gives no traceback and no other exit code."""
    program = f"{shlex.join([*PROGRAM, *command.split()])}; echo $? >&2"
    done = subprocess.run(
        ["/bin/sh", "-c", f"({program}) | head -c 1"],
        cwd=issued, env=environment(), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert len(done.stdout) == 1
    assert done.stderr == "0\n"


# Signs.


def test_a_minus_stays_a_minus_where_there_is_only_ascii(issued: Path) -> None:
    """Signs that the package prints have one that is like them; what is printed has no question mark for them."""
    variables = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = process("show", cwd=issued, **variables)
    assert done.code == 0
    assert done.out.isascii()
    assert re.search(r"\d% \(\d+-\d+\)", done.out)
    assert "?" not in done.out
    wrong = process("observe", "x", "--date", "–", "--source", "−1", "--grade", "A1", cwd=issued, **variables)
    assert wrong.code == 2
    assert wrong.err.isascii()


@pytest.mark.parametrize(
    ("text", "encoding", "shown"),
    [
        ("−30 ± 2", "ascii", "-30 +/- 2"),
        ("−30 ± 2", "latin-1", "-30 ± 2"),
        ("2–16 → ½ …", "ascii", "2-16 -> 1/2 ..."),
        ("Əliyev, Türkiyə, Ilıca, e\u0301té", "ascii", "Eliyev, Turkiye, Ilica, ete"),
        ("Минск 和平 \udcff", "ascii", "????? ?? ?"),
        ("\udcff", "utf-8", "?"),
    ],
)
def test_what_cannot_be_encoded_becomes_what_is_like_it(text: str, encoding: str, shown: str) -> None:
    """Dashes, arrows and letters with marks have a likeness in ASCII; what has none is a question mark."""
    assert text.encode(encoding, errors=signs.NAME).decode(encoding) == shown
