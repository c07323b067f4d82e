"""The main job by itself: rows, a fitter and a folder of reports in; an archived forecast and its report out."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from projects import call
from year import MODEL, SHORT, START, issued_tiny

from forecast import report
from forecast.base.errors import InputError, UntrustworthyError
from forecast.inference.fitter import Fitter
from forecast.inference.model import Model
from forecast.inference.settings import Sampling, Settings
from forecast.ledger.rows import Observation
from forecast.ledger.sqlite import SqliteLedger
from forecast.project.dataset import Snapshot
from forecast.project.judgements import JudgementRecord
from forecast.project.reports import Reports
from forecast.project.run import run
from forecast.record.scores import score
from forecast.report import page
from forecast.theory.modelfile import load_spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.project.run import Issue

NOW = dt.datetime(2025, 1, 9, tzinfo=dt.UTC)


pytestmark = pytest.mark.usefixtures("no_pictures")


class Job(NamedTuple):
    """What a run brings together, of a folder in which the first forecast was issued."""

    root: Path
    ledger: SqliteLedger
    model: Model

    def run(self, *, accept_bad: bool = True, on_issue: Callable[[], None] = lambda: None) -> Issue:
        """Do the main job; no new fit is made."""
        sampling = Sampling(Settings(draws=2000, tune=200, chains=2), accept_bad, lambda _: None, None)
        fits = self.root / "data" / "tiny" / "fits"
        mark = self.ledger.watermark("tiny")
        fitter = Fitter(self.model, fits, lambda _: set(), sampling, mark, NOW)
        return run(
            Snapshot(self.ledger, "tiny", mark), fitter, Reports(self.root, lambda: self.ledger),
            lambda: score("tiny", len(self.ledger.forecasts()), (), {}), START, refit="never", on_issue=on_issue,
            judged=tuple,
        )  # fmt: skip

    def see(self) -> None:
        """Record a sighting that was public by then."""
        row = Observation(id="new", indicator="march", date=START, reported_on=START, source="Wire", grade="B2")
        self.ledger.add("tiny", [row], now=NOW)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Give a copy that may be changed."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    return Job(root, SqliteLedger.open(root / "data" / "ledger.db"), Model(load_spec(root / MODEL)))


def test_the_same_evidence_issues_nothing(job: Job) -> None:
    """The forecast that is there is given back, and its report is written again."""
    shutil.rmtree(job.root / "reports")
    found = job.run(on_issue=lambda: pytest.fail("something is issued"))
    assert not found.new
    assert [found.issued] == list(job.ledger.headings())
    (issued,) = job.ledger.forecasts()
    assert json.loads((found.folder / "forecast.json").read_bytes()) == found.report == json.loads(issued.content)


def test_terms_follow_the_numbers_of_a_report_that_is_rendered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run --words` passes them through: the page is not rendered without them first."""
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    rendered: list[str | None] = []

    def render(data: dict[str, Any], templates: Sequence[Path], words: str | None = None) -> dict[str, bytes]:
        rendered.append(words)
        return page.render_files(data, templates, words)

    monkeypatch.setattr(report, "render_files", render)
    done = call("run", "--as-of", str(START), "--refit", "never", "--accept-bad-fit", "--words", "icd203", cwd=root)
    assert done.code == 0, done.err
    assert rendered == ["icd203"]
    assert "in words of ICD 203" in done.out


def test_a_rival_whose_fit_is_at_hand_stands_in_the_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its column says how many times likelier a story was under it; no fit is made, and a faulty file is passed.

    What is said of analysts stands in the track record.
    """
    monkeypatch.setattr(JudgementRecord, "pooled", lambda _, model: (f"Analysts pooled of {model}.",))
    root = Path(shutil.copytree(issued_tiny(), tmp_path / "project"))
    text = (root / MODEL).read_text(encoding="utf-8")
    (root / "models" / "faulty.toml").write_text("[model]\n", encoding="utf-8")
    (root / "models" / "rival.toml").write_text(text.replace('name = "tiny"', 'name = "rival"'), encoding="utf-8")
    again = ("run", "--model", "tiny", "--as-of", str(START), "--refit", "never", "--accept-bad-fit", "--json")
    row = ("--date", str(START), "--source", "Wire", "--grade", "B2", "--model", "tiny")
    assert call("observe", "march", *row, cwd=root).code == 0
    alone = call(*again, cwd=root)
    assert alone.code == 0, alone.err
    assert json.loads(alone.out)["matrix"]["rivals"] == []
    assert call("fit", "--model", "rival", "--as-of", str(START), *SHORT, cwd=root).code == 0
    assert call("observe", "shot", *row, cwd=root).code == 0
    fits = sorted((root / "data" / "tiny" / "fits").iterdir())
    found = call(*again, cwd=root)
    assert found.code == 0, found.err
    assert json.loads(found.out)["track"]["sentences"][-1] == "Analysts pooled of tiny."
    matrix = json.loads(found.out)["matrix"]
    assert matrix["rivals"] == ["rival"]
    told = [row["rivals"]["rival"] for row in matrix["rows"] if row["kind"] == "story" and row["rivals"]]
    assert told
    assert all(0.2 < factor < 5 for factor in told)  # it is the same theory under another name, by other draws
    assert sorted((root / "data" / "tiny" / "fits").iterdir()) == fits
    page = (root / "reports" / "tiny" / str(START) / "report.html").read_text(encoding="utf-8")
    assert "A rival theory (rival) has a column of its own" in page


def test_new_evidence_is_issued(job: Job) -> None:
    """When all is ready but nothing issued, the caller is told; then archive, folder and result say the same."""
    job.see()
    seen: list[int] = []
    found = job.run(on_issue=lambda: seen.append(len(job.ledger.forecasts())))
    assert (found.new, seen, len(job.ledger.forecasts())) == (True, [1], 2)
    assert job.ledger.latest_forecast("tiny") == found.issued
    assert json.loads((found.folder / "forecast.json").read_bytes()) == found.report == json.loads(found.issued.content)
    assert found.issued.watermark == job.ledger.watermark("tiny")


def test_who_stops_a_run_in_time_issues_nothing(job: Job) -> None:
    """An error of the caller when all is ready leaves archive and reports as they were."""
    job.see()
    before = {path: path.read_bytes() for path in (job.root / "reports").rglob("*") if path.is_file()}

    def stop() -> None:
        msg = "stopped"
        raise InputError(msg)

    with pytest.raises(InputError, match="stopped"):
        job.run(on_issue=stop)
    assert len(job.ledger.forecasts()) == 1
    assert {path: path.read_bytes() for path in (job.root / "reports").rglob("*") if path.is_file()} == before


def test_numbers_that_cannot_be_trusted_are_not_issued(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless that is accepted, the reason and what to do are said."""
    for name in ("MAX_MCSE", "MAX_LOG_ODDS_MCSE", "SMALL_MCSE"):
        monkeypatch.setattr(f"forecast.inference.trust.{name}", 1e-9)
    job.see()
    told = "of 'tiny' as of 2025-01-08 cannot be trusted: .*Monte Carlo error .*--accept-bad-fit"
    with pytest.raises(UntrustworthyError, match=told):
        job.run(accept_bad=False)
    assert len(job.ledger.forecasts()) == 1


def test_what_changed_is_told_since_an_issue_of_no_later_date(job: Job) -> None:
    """An issue that was dated back knows nothing of one about a later day, though that was issued before it."""
    (issued,) = job.ledger.forecasts()
    data = json.loads(issued.content)
    data["forecast"]["as_of"] = str(START + dt.timedelta(weeks=4))
    later = replace(issued, as_of=START + dt.timedelta(weeks=4), evidence_hash="x", content=json.dumps(data))
    job.ledger.archive(later)
    job.see()
    found = job.run()
    assert found.new
    assert found.report["changes"]["since"] == str(START)
    assert not any(" ago" in line for line in found.report["health"]["sentences"])
