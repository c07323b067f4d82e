"""The command line: what it prints, where, how wide, and its exit codes."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
import typer.main
from forking import forked
from projects import (
    NOW,
    PROGRAM,
    REPORT,
    RUN,
    Done,
    call,
    environment,
    fitted_once,
    fresh,
    issued_copy,
    issued_once,
    strict_json,
)
from year import leave_out_pictures

from docs.builder.commands import commands_of
from forecast.base.prose import figure
from forecast.cli.app import app, main
from forecast.cli.options import utc_now
from forecast.project.project import Project

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = commands_of(typer.main.get_command(app))
EXAMPLES = {name: re.search(r"Example: `(forecast .*?)`", command.help or "") for name, command in COMMANDS.items()}
EXAMPLE_FIT = "b4e420aee6ee"
EXAMPLE_ID = "7f3a9c10"
OBSERVE = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Press service", "--grade", "A1")
LONG = ("alarm", "backtest", "compare", "drivers", "experts", "fit", "path", "run", "sensitivity", "study")
LONG += ("update", "what-if")
SERVERS = ("serve", "mcp", "ledger copy", "ledger grant")  # are a server or need one: tests/service, tests/ledger
SILENT = ("serve", "worker", "mcp")  # go on until they are stopped, and give no result
HEAVY = ("pymc", "arviz", "arviz_stats", "pytensor", "xarray", "pandas", "numba", "nutpie")


@pytest.fixture(scope="module")
def issued() -> Path:
    """Give a project with one forecast; it is only read here."""
    return issued_once()[0]


# Help and examples.


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    """One line, and nothing else is done."""
    result = call("--version", cwd=tmp_path)
    assert result.out == f"scenario-cascade {version('scenario-cascade')}\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_eighty_columns_and_has_an_example(name: str, tmp_path: Path) -> None:
    """Every command explains itself within 80 columns, every option has a meaning, and there is an example."""
    done = call(*name.split(), "--help", cwd=tmp_path, columns=80)
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80
    if name:
        assert "Example: forecast" in done.out
        assert all(getattr(part, "help", None) for part in COMMANDS[name].params)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in LONG else ()) for name in COMMANDS if name not in SERVERS],
)
def test_examples_work(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of every command works in a project as `forecast init` makes it; those that may sample are slow.

    A good fit is there, as most of them take one. What is judged is judged on the day after the forecast.
    """
    monkeypatch.setattr("forecast.cli.judgements.utc_now", lambda: NOW)
    example = EXAMPLES[name]
    assert example
    root = issued_copy(tmp_path)
    shutil.copytree(
        fitted_once() / "data",
        root / "data",
        ignore=shutil.ignore_patterns("ledger.db*", "prior-*"),
        dirs_exist_ok=True,
    )
    (root / "sightings.csv").write_text("indicator,state,date,source,grade\ncyberattack,,2026-01-05,Report.az,C3\n")
    ledger = Project(root, utc_now).ledger
    words = example[1].replace(EXAMPLE_FIT, ledger.forecasts()[0].fit)
    if EXAMPLE_ID in words:
        words = words.replace(EXAMPLE_ID, ledger.tokens.make("ada", "read", utc_now())[0].id)
    done = call(*shlex.split(words)[1:], cwd=root)
    assert done.code == 0, done.err
    assert not done.err or name in LONG
    assert done.out


@pytest.mark.parametrize("name", LONG + SERVERS)
def test_examples_of_long_commands_parse(name: str) -> None:
    """The example of a command that samples for long, or needs a server, has only arguments that the command knows."""
    example = EXAMPLES[name]
    assert example
    words, known = shlex.split(example[1])[1:], name.split()
    assert words[: len(known)] == known
    COMMANDS[name].make_context(name, words[len(known) :])


# What is printed.


def test_a_run_is_quiet_where_there_is_no_terminal() -> None:
    """A run prints its forecast and where the report is on standard output, and nothing on standard error."""
    _, done = issued_once()
    assert done.err == ""
    assert "Russia and Azerbaijan after a peace deal in Ukraine" in done.out
    assert done.out.splitlines()[-1] == f"issued: {REPORT}/report.html"
    assert "\x1b" not in done.out


def test_a_run_shows_progress_on_a_terminal(tmp_path: Path) -> None:
    """Progress goes to standard error and only to a terminal, so standard output stays clean JSON."""
    root = issued_copy(tmp_path)
    master, slave = pty.openpty()
    shown = b""
    with (tmp_path / "out").open("wb") as out:
        done = forked(
            [*PROGRAM, *RUN, "--json"], cwd=root, env=environment(TERM="xterm-256color"), stdout=out.fileno(),
            stderr=slave,
        )  # fmt: skip
        os.close(slave)
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while part := os.read(master, 65536):
                shown += part
    os.close(master)
    assert done.wait(60) == 0
    assert b"forecasting" in shown
    assert strict_json((tmp_path / "out").read_text(encoding="utf-8"))["forecast"]["as_of"] == "2026-01-08"


@pytest.mark.parametrize("columns", [80, 120, None])
def test_show_is_as_wide_as_the_terminal(issued: Path, columns: int | None) -> None:
    """The forecast is shown with one line a row at 80 columns and more, without stray blanks."""
    done = call("show", cwd=issued, columns=columns)
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= (columns or 120)
    assert all(line == line.rstrip() for line in lines)
    assert not re.search(r"\n\n\n", done.out)
    rests = next(k for k, line in enumerate(lines) if line.startswith("What is known of the numbers"))
    rows = [line for line in lines[:rests] if line.startswith(("  on the day", "  newly by then", "  given "))]
    assert len(rows) == 2 * 5 + 4
    assert all(line.count("%") in {4, 5} for line in rows)
    rules = [line.split()[3:] for line in lines if line.startswith("  rule met by ")]
    assert [line[:2] for line in rules[:4]] == [["not", "met"]] * 4
    assert rules[4][0] == "met"
    archived = strict_json(call("show", "--json", cwd=issued).out)["rules"]
    by = [figure(row["estimate"]["mean"], row["estimate"]["mcse"]) for row in archived if row["kind"] == "by"]
    assert [cell for line in rules for cell in line if "%" in cell] == by


@pytest.mark.parametrize("columns", [40, 60])
def test_show_stays_within_a_narrow_terminal(issued: Path, columns: int) -> None:
    """On a narrow terminal the horizons stand in blocks below one another, none is lost, and no line is too wide."""
    wide, narrow = (call("show", cwd=issued, columns=width).out for width in (120, columns))
    assert max(map(len, narrow.splitlines())) <= columns
    cell = r"<?>?\d+% \(\S+\)"
    assert sorted(re.findall(cell, narrow)) == sorted(re.findall(cell, re.sub(r":\n\s+", ": ", wide)))


def test_log_keeps_ids_whole_and_texts_in_line(tmp_path: Path) -> None:
    """A hostile text cannot break a line, move the cursor or turn the direction; an id can be copied in one piece."""
    root = fresh(tmp_path)
    source = "line one\nline two \u202edesrever | `rm` <script>"
    added = strict_json(call(*OBSERVE[:-3], source, *OBSERVE[-2:], "--json", cwd=root).out)
    for columns in (80, 200):
        done = call("log", "-n", "2", cwd=root, columns=columns)
        assert added["new"][0] in done.out
        assert max(map(len, done.out.splitlines())) <= columns
        assert "line one line two desrever | `rm` <script>" in re.sub(r"\s+", " ", done.out)


def test_log_of_an_empty_ledger_says_so(tmp_path: Path) -> None:
    """An empty ledger is no error to list: a sentence says what to do, and JSON is an empty list."""
    root = fresh(tmp_path)
    for path in root.glob("data/*/*.csv"):
        path.unlink()
    done = call("log", cwd=root)
    assert done.code == 0
    assert "no rows" in done.out
    assert strict_json(call("log", "--json", cwd=root).out) == []


def test_indicators_are_found_by_words(tmp_path: Path) -> None:
    """The first lines name the best hit: what it points to, how often it was seen and what it looks like."""
    root = fresh(tmp_path)
    done = call("indicators", "leaders call", cwd=root)
    assert done.code == 0
    first, about, sign, *_ = done.out.splitlines()
    assert first == "leaders_call: The leaders of Russia and Azerbaijan speak by telephone"
    assert about.startswith("    relations: points to truce or cooperation, moderate; 0 rows in the ledger, in the voc")
    assert sign == "    - A phone call of the two presidents, whoever rang"
    found = strict_json(call("indicators", "presidents", "meeting", "--stage", "relations", "--json", cwd=root).out)
    meeting = next(row for row in found if row["key"] == "presidents_meeting")
    assert (meeting["seen"], meeting["since"], meeting["points_to"]) == (1, None, ["truce", "cooperation"])
    everything = strict_json(call("indicators", "--json", cwd=root).out)
    assert sum(row["seen"] for row in everything) > 30
    assert "No indicator is like that" in call("indicators", "xyzzy", cwd=root).out


def test_every_command_gives_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` gives valid JSON, and nothing else, on every command."""
    leave_out_pictures(monkeypatch)
    root = issued_copy(tmp_path)
    assert {name for name, command in COMMANDS.items() if "--json" in str([p.opts for p in command.params])} == set(
        COMMANDS
    ) - set(SILENT)
    given = {}
    for arguments in (
        ("init", "new"),
        ("check",),
        ("indicators", "leaders", "call", "--stage", "relations"),
        OBSERVE,
        ("cover", "*", "--from", "2025-12-01", "--to", "2025-12-31", "--source", "me"),
        ("export", "rows.xlsx"),
        ("import", "rows.xlsx"),
        ("retract", "mp-jafarov", "--reason", "misquoted", "--reported-on", "2026-01-09"),
        ("log", "-n", "3"),
        ("show",),
        ("fit", *RUN[1:]),
        RUN,
    ):
        before = (root / "data" / "ledger.db").read_bytes() if arguments[0] in {"fit", "run"} else b""
        if before:  # as it was when the forecast was issued
            for path in (root / "data").glob("ledger.db*"):
                path.unlink()
            (root / "data" / "ledger.db").write_bytes((issued_once()[0] / "data" / "ledger.db").read_bytes())
        done = call(*arguments, "--json", cwd=root)
        assert (done.code, done.err) == (0, ""), arguments
        given[arguments[0]] = strict_json(done.out)
    assert len(given["init"]["files"]) == 13
    assert [row["model"] for row in given["check"]] == ["baku_hedges", "base_rate_sceptic", "russia_azerbaijan"]
    assert len(given["observe"]["new"]) == len(given["cover"]["new"]) == 1
    assert given["export"] == {"files": ["rows.xlsx"], "rows": 38}
    assert len(given["import"]["unchanged"]) == 38
    assert given["retract"] == {"retracted": "mp-jafarov", "reported_on": "2026-01-09"}
    assert [row["action"] for row in given["log"]] == ["retract", "add", "add"]
    assert given["run"] == given["show"]
    assert given["fit"]["id"] == given["run"]["fit"]["id"]


# Exit codes.


@pytest.mark.parametrize(
    "arguments",
    [("retract",), ("log", "--limit", "0"), ("nonsense",), ("run", "--draws", "5"), ("observe", "x", "--when", "now")],
)
def test_wrong_usage_is_two(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """Wrong usage gives exit code 2 and says so on standard error."""
    done = call(*arguments, cwd=tmp_path)
    assert done.code == 2
    assert done.out == ""
    assert "Error" in done.err


def test_a_busy_ledger_is_four(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process writes for too long, the exit code is 4 and nothing was recorded; afterwards it works."""
    monkeypatch.setattr("forecast.ledger.sqlite.WAIT_SECONDS", 0.1)
    root = issued_copy(tmp_path)
    with closing(sqlite3.connect(root / "data" / "ledger.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = call(*OBSERVE, cwd=root)
        assert done.code == 4
        assert done.err.startswith("forecast: ")
        assert "try again" in done.err
        other.execute("ROLLBACK")
    assert call(*OBSERVE, cwd=root).out.startswith("recorded: presidents_meeting-2026-01-07")


@pytest.mark.parametrize(
    ("what", "grade", "says"),
    [
        ("peace.fresh_deal", "A1", "puts peace.fresh_deal on record from 2026-01-07: its grade A1 stands for"),
        ("peace.fresh_deal", "E5", "peace.fresh_deal is soft evidence: its grade E5 stands for 0.06, below ½"),
        ("peace.stalled", "A1", "ends any record of peace.fresh_deal or peace.settled_deal from 2026-01-07"),
        ("presidents_meeting", "A1", None),
    ],
)
def test_json_says_what_a_row_does_to_the_record(what: str, grade: str, says: str | None, tmp_path: Path) -> None:
    """`observe --json` carries the sentence that the text prints, and null where there is none."""
    root = fresh(tmp_path)
    row = ("observe", what, "--date", "2026-01-07", "--source", "Press service", "--grade", grade)
    told = strict_json(call(*row, "--json", cwd=root).out)
    assert told["new"]
    assert told["record"] == says if says is None else told["record"].startswith(says)
    printed = call(*row, cwd=root).out
    assert told["record"] is None or told["record"] in printed


@pytest.mark.parametrize("command", [RUN, ("fit", *RUN[1:])])
def test_an_interrupt_ends_cleanly(command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C gives one line and the exit code that shells expect."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    root = fresh(tmp_path)
    monkeypatch.setattr(Project, command[0], interrupted)
    assert call(*command, cwd=root) == Done(130, "", "forecast: interrupted\n")


def test_check_lists_the_faults_of_all_files(tmp_path: Path) -> None:
    """One check names every faulty file, not only the first."""
    root = fresh(tmp_path)
    for name in ("one", "two"):
        (root / "models" / f"{name}.toml").write_text("format = 2\n")
    done = call("check", cwd=root)
    assert done.code == 2
    assert {"one.toml", "two.toml"} <= set(re.findall(r"\w+\.toml", done.err))


# Speed.


HEAVY = {"altair", "arviz", "jinja2", "numba", "numpy", "pandas", "pymc", "scipy", "vl_convert", "xarray"}


@pytest.mark.parametrize("command", ["show", "log", "check", "indicators", "sources"])
def test_what_only_reads_loads_no_more_than_it_needs(command: str) -> None:
    """Showing a forecast, the log or a model's faults waits for no compiler, chart, template or frame."""
    code = (
        "import sys; from forecast.cli import main; sys.argv = ['forecast', sys.argv[1]]\n"
        "try: main()\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        cwd=issued_once()[0], env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "forecast" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize(("given", "used"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "3"}, "3")])
def test_products_of_matrices_take_no_processor_from_the_kernels(given: dict[str, str], used: str) -> None:
    """OpenBLAS has one thread, said before NumPy reads it, unless the environment says otherwise."""
    code = (
        "import os, sys; from forecast.cli import main; sys.argv = ['forecast', '--version']\n"
        "loaded = 'numpy' in sys.modules\n"
        "try: main()\n"
        "finally: print(os.environ['OPENBLAS_NUM_THREADS'], loaded)"
    )
    env = {name: value for name, value in environment().items() if name != "OPENBLAS_NUM_THREADS"} | given
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{used} False"


@pytest.mark.parametrize("arguments", [("log",), ("log", "-C", "/"), ("init", "new")])
def test_a_folder_that_is_gone_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """A command run where somebody deleted the folder gives one line and code 2."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    monkeypatch.setattr(sys, "argv", ["forecast", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert (
        said
        == "forecast: the folder in which this was run is gone; change to one that is there (cd) and run it again\n"
    )
