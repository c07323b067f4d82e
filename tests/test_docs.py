"""The documents: generated ones are up to date, every command is documented, and the guide runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from docs import build, check_quotes
from docs.builder.commands import commands_of
from docs.builder.markdown import plain
from forecast import jobs
from forecast.base.errors import EXIT_CODES, BusyError, ForecastError, OutOfTimeError, UntrustworthyError
from forecast.cli.app import app
from forecast.cli.schedules import INTERRUPTED

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SLOW = "prior.md"


def _blocks(text: str) -> list[tuple[str, str]]:
    """Give the shell and Python blocks of a Markdown text in order."""
    return re.findall(r"^```(sh|python)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", [*sorted(build.PAGES.keys() - {SLOW}), pytest.param(SLOW, marks=pytest.mark.slow)])
def test_generated_documents_are_up_to_date(name: str) -> None:
    """A generated document or schema is what the model file, the rows and the code give now."""
    assert build.out_of_date([name]) == [], "run `make docs`"


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md", "docs/errors.md"])
def test_exit_codes_are_the_same_everywhere(name: str) -> None:
    """Every table of exit codes says what the package says of each."""
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == EXIT_CODES


def test_every_exit_code_is_explained() -> None:
    """Those of errors and of notices are in the table, and the guide says of each what to do."""
    given = {ForecastError.exit_code, jobs.MOVED, jobs.RINGS, INTERRUPTED, 0}
    given |= {kind.exit_code for kind in (UntrustworthyError, BusyError, OutOfTimeError)}
    assert given == EXIT_CODES.keys()
    guide = (DOCS / "guide.md").read_text(encoding="utf-8")
    assert {int(code) for code in re.findall(r"^\| (\d+) \| .+ \| .+ \|$", guide, flags=re.MULTILINE)} == given


def test_check_names_what_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --check the script writes nothing, names each stale document and gives 1; after writing it gives 0."""
    monkeypatch.setattr(build, "DOCS", tmp_path)
    monkeypatch.setattr(build, "PAGES", {"a.md": lambda: "new\n", "b.md": lambda: "same\n", "c.md": lambda: "none\n"})
    monkeypatch.setattr(build.out_of_date, "__defaults__", (("a.md", "b.md", "c.md"),))
    (tmp_path / "a.md").write_text("old\n")
    (tmp_path / "b.md").write_text("same\n")
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    assert build.main() == 1
    printed = capsys.readouterr().out
    assert [name for name in ("a.md", "b.md", "c.md") if name in printed] == ["a.md", "c.md"]
    assert (tmp_path / "a.md").read_text() == "old\n"
    monkeypatch.setattr(sys, "argv", ["build.py"])
    assert build.main() == 0
    monkeypatch.setattr(sys, "argv", ["build.py", "--check"])
    assert build.main() == 0


@pytest.mark.parametrize("text", ["a | b", "<script>x</script>", "*a* _b_ [c](d)", "line\nbreak", "`a|b`"])
def test_text_from_files_cannot_break_a_table(text: str) -> None:
    """Text from a file stays in its cell: no bare pipe, tag, emphasis, link or line break is left."""
    shown = plain(text)
    assert not re.search(r"(?<!\\)[|*_\[\]]|<|>|\n", shown)


def test_every_command_is_documented() -> None:
    """Each command and each of its options stands in the command reference, with an example."""
    group = typer.main.get_command(app)
    sections = dict(re.findall(r"(?ms)^## forecast ([^\n]+)\n(.*?)(?=^## )", (DOCS / "cli.md").read_text()))
    commands = commands_of(group)
    assert set(sections) == set(commands)
    for name, command in commands.items():
        assert "Example:\n\n```sh\nforecast " in sections[name]
        missing = [
            opt
            for param in command.params
            if param.param_type_name == "option"
            for opt in param.opts
            if opt not in sections[name]
        ]
        assert missing == []


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in the documents leads to a file of the tree."""
    broken = [
        f"{path.name}: {target}"
        for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
        for target in re.findall(r"(?<!\\)\]\(([^)#\s]+)", path.read_text())
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_readme_names_the_two_commands() -> None:
    """The README says how to make the report and how to run the tests."""
    text = (ROOT / "README.md").read_text()
    assert "make report" in text
    assert "make test" in text


def test_quotations_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that holds every quotation passes whatever its quotation marks, and one that lacks one fails."""
    found = [quote for _, quote in check_quotes.quotes()]
    assert len(found) > 100
    article = tmp_path / "article.txt"
    monkeypatch.setattr(sys, "argv", ["check_quotes.py", str(article)])
    article.write_text("\n".join(found).replace("“", '"').replace("’", "'"))
    assert check_quotes.main() == 0
    article.write_text("\n".join(quote for quote in found if found[0] not in quote))
    assert check_quotes.main() == 1


@pytest.mark.slow
@pytest.mark.parametrize("page", ["README.md", "docs/guide.md"])
def test_the_commands_of_a_page_work(page: str, tmp_path: Path) -> None:
    """Every shell and Python block runs, in order, in one new folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    blocks = _blocks((ROOT / page).read_text())
    if page == "README.md":  # what it shows works in a new project
        blocks.insert(0, ("sh", "forecast init ."))
    assert {language for language, _ in blocks} == {"sh", "python"}
    for language, block in blocks:
        command = ["bash", "-euc", block] if language == "sh" else [sys.executable, "-c", block]
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
