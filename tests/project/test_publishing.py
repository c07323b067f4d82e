"""The report's files: what is written, when, and what survives a fault or a kill; on a small model, quick to fit."""

from __future__ import annotations

import datetime as dt
import json
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from forking import forked
from places import TEMPLATES
from projects import NOW, PROGRAM, archived, call, environment
from year import COMPILED, MODEL, SHORT, START, issued_tiny

import forecast
from forecast.base import files as publish
from forecast.base.errors import InputError
from forecast.inference.settings import Settings
from forecast.report.page import render_files

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from forecast.project.project import Issue
    from forecast.quantities.estimate import Policy

REPORT = f"reports/tiny/{START}"
LATER = str(START + dt.timedelta(days=1))
OBSERVE = ("observe", "march", "--date", LATER, "--source", "Press", "--grade", "A1")  # known after the forecast's day
RUN = ("run", "--as-of", str(START), *SHORT)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy of a project with one forecast, and templates of its own."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    shutil.copytree(TEMPLATES, root / "reports" / "templates")
    return root


def run(root: Path, refit: Policy = "auto") -> Issue:
    """Do the main job as the issued project's run did it; no fit is needed where the evidence is the same."""
    project = forecast.open(root)
    settings = Settings(draws=2000, tune=200, chains=2)
    return project.run(project.model(), START, settings, now=NOW, accept_bad=True, refit=refit)


def written(root: Path) -> dict[str, bytes]:
    """Give the files in the report's folder."""
    return {path.name: path.read_bytes() for path in (root / REPORT).iterdir()}


@pytest.mark.usefixtures("no_pictures")
def test_a_new_row_gives_a_new_issue_and_its_retraction_another(root: Path) -> None:
    """A row is fitted and issued; withdrawing it issues the old numbers again, so that the last issue is in force."""
    (old,) = archived(root)
    new = call("observe", "march", "--date", str(START), "--source", "Press", "--grade", "A1", cwd=root).out.split()[1]
    second = run(root, refit="always")
    assert second.new
    assert second.issued.fit != old.fit
    assert new in {row["id"] for row in second.report["evidence"]["rows"]}
    assert call("retract", new, "--reason", "misquoted", cwd=root).code == 0
    third = run(root)
    assert third.new
    assert third.issued.fit == old.fit
    assert third.report["forecast"] == json.loads(old.content)["forecast"]
    assert forecast.open(root).track_record.latest() == third.report
    assert not run(root).new
    assert len(archived(root)) == 3


@pytest.mark.usefixtures("no_pictures")
def test_a_corrected_source_is_issued(root: Path) -> None:
    """A correction that moves no number still shows in a new issue, from the same fit."""
    (old,) = archived(root)
    (row,) = json.loads(old.content)["evidence"]["rows"]
    columns = "id,indicator,state,date,source,grade"
    cells = f"{row['id']},shot,,{START},Press television,B2"
    (root / "corrected.csv").write_text(f"{columns}\n{cells}\n", encoding="utf-8")
    assert "superseded" in call("import", "corrected.csv", cwd=root).out
    again = run(root)
    assert again.new
    assert again.issued.fit == old.fit
    assert "Press television" in (root / REPORT / "report.md").read_text(encoding="utf-8")


def test_a_second_run_issues_nothing_and_writes_the_same_bytes(root: Path) -> None:
    """Running again on the same evidence archives nothing and writes the very same report."""
    before = written(root)
    shutil.rmtree(root / REPORT)
    again = run(root)
    assert not again.new
    assert written(root) == before
    assert {"report.html", "report.md", "forecast.json"} < set(before)
    assert len(archived(root)) == 1


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize(
    "change",
    [('label = "tension"', 'label = "Tension"'), ("horizons_weeks = [1, 2", "horizons_weeks = [1, 3")],
    ids=["a label", "a horizon"],
)
def test_what_changes_the_report_alone_is_issued_without_a_fit(root: Path, change: tuple[str, str]) -> None:
    """A model file whose words or horizons have changed gives a new forecast from the same fit."""
    path = root / MODEL
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change, 1), encoding="utf-8")
    fits = sorted(root.glob("data/*/fits/*"))
    assert run(root).new
    assert sorted(root.glob("data/*/fits/*")) == fits


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("name", ["report.md", "forecast.json"])
def test_a_failed_write_leaves_the_last_good_report(root: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the last report stays as it was, nothing is issued, and no draft is left."""
    before = written(root)
    assert call(*OBSERVE, cwd=root).code == 0
    path = root / MODEL
    path.write_text(path.read_text(encoding="utf-8").replace('title = "', 'title = "New: ', 1), encoding="utf-8")
    write = publish._write

    def full(file: Path, content: bytes) -> None:
        if name in file.name:
            raise OSError(28, "No space left on device")
        write(file, content)

    monkeypatch.setattr(publish, "_write", full)
    with pytest.raises(InputError, match="No space left on device"):
        run(root)
    assert written(root) == before
    assert len(archived(root)) == 1
    monkeypatch.undo()
    assert run(root).new


@pytest.mark.usefixtures("no_pictures")
def test_a_report_folder_in_the_way_is_said(root: Path) -> None:
    """A file where the report's folder should be is one clear error, and nothing is issued."""
    shutil.rmtree(root / "reports" / "tiny")
    (root / "reports" / "tiny").write_text("in the way")
    path = root / MODEL
    path.write_text(path.read_text(encoding="utf-8").replace('title = "', 'title = "New: ', 1), encoding="utf-8")
    done = call(*RUN, cwd=root)
    assert done.code == 2
    assert re.fullmatch(r"forecast: \S+: the report cannot be written \(.*\); check .*\n", done.err)
    assert len(archived(root)) == 1


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("bad", ["# {{ model.title }", "{{ nothing }}", "{{ model.name + 1 }}"])
def test_a_faulty_template_is_named(root: Path, bad: str) -> None:
    """A template with a fault is one clear error, and the last good report stays."""
    before = written(root)
    (root / "reports/templates/report.md.jinja").write_text(bad)
    done = call(*RUN, cwd=root)
    assert done.code == 2
    assert "report.md.jinja" in done.err
    assert "template is faulty" in done.err
    assert written(root) == before


def test_a_template_that_a_project_lacks_is_that_of_the_package(root: Path) -> None:
    """One of its own is used beside those that come with the package; the bytes are the same as with all of them."""
    before = written(root)
    (root / "reports/templates/report.md.jinja").unlink()
    (root / "reports/templates/index.html.jinja").unlink()
    assert call("report", cwd=root).code == 0
    assert written(root) == before
    (root / "reports/templates/report.md.jinja").write_text("{{ model.name }}")
    assert call("report", cwd=root).code == 0
    assert written(root)["report.md"] == b"tiny"


def _killed(root: Path, when: Callable[[float], bool]) -> None:
    """Kill a run at the moment that ``when`` (given the seconds since it began) is true, or let it end."""
    began = time.monotonic()
    process = forked([*PROGRAM, *RUN], cwd=root, env=environment(), first=COMPILED)
    while process.poll() is None:
        if when(time.monotonic() - began):
            process.kill()
            break
        time.sleep(0.0005)
    process.wait(60)


def test_a_killed_run_leaves_nothing_half_done(root: Path, rng: np.random.Generator) -> None:
    """A run killed while it writes a fit or its report, or at any moment, leaves whole reports of issued forecasts.

    The forecast can be shown after each, and the next run does what was left to do.
    """
    path = root / MODEL
    original = path.read_text(encoding="utf-8")
    fits = root / "data" / "tiny" / "fits"
    (fit,) = fits.glob(f"{archived(root)[-1].fit}.nc")
    whole: list[dict[str, bytes]] = []  # what each issue's report holds
    moments: list[Callable[[float], bool]] = [
        lambda _: any(fits.glob(".*.part")) or any(fits.glob(fit.name)),
        lambda _: any((root / REPORT).glob(".report.html.*.draft")),
        lambda _: any((root / REPORT).glob(".forecast.json.*.draft")),
        *((lambda spent, limit=float(limit): spent > limit) for limit in rng.uniform(0.3, 4.0, 1)),
    ]
    for k, moment in enumerate(moments):
        path.write_text(original.replace('title = "', f'title = "Number {k}: ', 1), encoding="utf-8")
        if k == 0:
            shutil.move(fit, root / fit.name)
        _killed(root, moment)
        if k == 0:
            shutil.move(root / fit.name, fit)
        new = [json.loads(issued.content) for issued in archived(root)[len(whole) :]]
        whole += [render_files(content, [root / "reports/templates"]) for content in new]
        shown = {name: text for name, text in written(root).items() if not name.startswith(".")}
        assert {"report.html", "report.md", "forecast.json"} < set(shown)
        assert all(any(files.get(name) == text for files in whole) for name, text in shown.items())
        assert call("show", cwd=root).code == 0
    path.write_text(original.replace('title = "', 'title = "Last: ', 1), encoding="utf-8")
    last = run(root)
    assert last.new
    assert json.loads(written(root)["forecast.json"]) == last.report
