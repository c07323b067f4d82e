"""Updates of a project: the policy, what is kept on disk, the command line, threads and JSON schemas."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, ValidationError
from places import ROOT
from projects import AS_OF, HASTY, MODEL, NOW, REPORT, call, copied, fitted_once, fresh, issued_once, strict_json
from year import START, issued_tiny

import forecast
from forecast.inference.fit_files import KEPT_FITS, load_record, prune_fits
from forecast.inference.settings import Settings
from forecast.ledger.issued import Issued
from forecast.ledger.rows import Observation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from forecast.answers.forecast import LiveForecast
    from forecast.project.project import Project

OBSERVE = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Press service", "--grade", "C3")


@pytest.fixture(scope="module", autouse=True)
def _fitted() -> None:
    """Fit before any test forbids it."""
    fitted_once()
    issued_tiny()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a copy of the fitted project."""
    return copied(fitted_once(), tmp_path / "project")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Give a copy of a project of a small model, for what is not about numbers of the article's."""
    return copied(issued_tiny(), tmp_path / "small")


@pytest.fixture
def project(root: Path) -> Project:
    """Open the copy."""
    return forecast.open(root)


def fits(root: Path) -> list[str]:
    """List the files of fits."""
    return sorted(path.name for path in root.glob("data/*/fits/*.nc") if not path.name.startswith("prior-"))


@pytest.fixture
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every attempt to sample fail."""
    monkeypatch.setattr("forecast.inference.fitter.fit_model", lambda *_, **__: pytest.fail("a fit was made"))


# The policy.


@pytest.mark.usefixtures("no_sampling")
def test_what_is_known_is_not_fitted_again(project: Project) -> None:
    """The same evidence gives the fit's own numbers, to the last digit, however often it is asked."""
    first, second = (project.update(as_of=AS_OF, now=NOW) for _ in range(2))
    assert first == second
    assert first == forecast.open(project.root).update("russia_azerbaijan", as_of="2026-01-08", now=NOW)
    assert first.trust.k_hat is None
    assert first.trust.trusted


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize("day", ["2027-01-08", "9999-12-31", dt.date(2026, 1, 11)])
def test_no_forecast_is_as_of_a_day_to_come(project: Project, day: dt.date | str) -> None:
    """Whatever may fit refuses it at once, and nothing is issued; a moment of the day is that day."""
    model, settings = project.model(), Settings()
    asked: list[Callable[[], object]] = [
        lambda: project.update(as_of=day, now=NOW),
        lambda: project.path(as_of=day, now=NOW),
        lambda: project.backtest(as_of=day, now=NOW),
        lambda: project.compare(["russia_azerbaijan", "baku_hedges"], as_of=day, now=NOW),
        lambda: project.fit(model, day, settings, now=NOW),
        lambda: project.run(model, day, settings, now=NOW),
    ]
    for ask in asked:
        with pytest.raises(forecast.InputError, match=r"is in the future; a forecast is as of a day that has come"):
            ask()
    assert project.ledger.forecasts() == ()
    assert project.update(as_of=dt.datetime(2026, 1, 8, 18, tzinfo=dt.UTC), now=NOW).as_of == AS_OF


@pytest.mark.usefixtures("no_sampling")
def test_a_new_row_is_an_update_and_its_retraction_undoes_it(project: Project) -> None:
    """One row more needs no fit; withdrawn again, or superseded and put back, all is as it was."""
    before = project.update(as_of=AS_OF, now=NOW)
    new = call(*OBSERVE, cwd=project.root).out.split()[1]
    after = project.update(as_of=AS_OF, now=NOW)
    assert after.trust.anchor == before.trust.anchor
    assert after.trust.k_hat is not None
    assert after.trust.trusted
    assert after.probability("confrontation").mean < before.probability("confrontation").mean
    assert call(*OBSERVE[:-1], "B2", "--id", new, cwd=project.root).code == 0
    stronger = project.update(as_of=AS_OF, now=NOW)
    assert stronger.probability("confrontation").mean < after.probability("confrontation").mean
    assert call(*OBSERVE, "--id", new, cwd=project.root).code == 0
    assert project.update(as_of=AS_OF, now=NOW) == after
    assert call("retract", new, "--reason", "misquoted", cwd=project.root).code == 0
    assert project.update(as_of=AS_OF, now=NOW) == before


@pytest.mark.usefixtures("no_sampling")
def test_who_coded_rows_moves_no_number(project: Project) -> None:
    """Corrections that name a coder and a language leave the forecast as it was, to the last digit."""
    before = project.update(as_of=AS_OF, now=NOW)
    dataset = project.dataset(project.model(), now=NOW)
    rows = [row for row in dataset.entries() if isinstance(row, Observation)]
    named = [dataclasses.replace(row, coded_by="assistant", language="az") for row in rows]
    assert len(project.ledger.add(dataset.name, named, now=NOW).superseded) == len(rows) > 30
    assert project.update(as_of=AS_OF, now=NOW) == before


def test_never_says_so_and_always_fits(root: Path, small: Path) -> None:
    """With everything withdrawn that matters most, `never` flags its numbers (exit code 3) and samples nothing."""
    done = call("update", "--as-of", "2025-11-01", "--refit", "never", "--json", cwd=root)
    content = strict_json(done.out)
    assert done.code == 3
    assert content["trust"]["reasons"]
    assert not content["trust"]["trusted"]
    assert "cannot be trusted" in done.err
    assert "--refit" in done.err
    assert len(fits(root)) == 1
    call("update", "--as-of", str(START), "--refit", "always", *HASTY, "--accept-bad-fit", cwd=small)
    assert len(fits(small)) == 2


@pytest.mark.usefixtures("no_sampling")
def test_a_fit_of_another_version_is_never_used(root: Path) -> None:
    """When a number of the model file has changed, its old fits are as if they were not there."""
    path = root / MODEL
    text = path.read_text(encoding="utf-8")
    changed = re.sub(r"per_year = \[([\d.]+),", lambda found: f"per_year = [{float(found[1]) * 0.9:g},", text, count=1)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    project = forecast.open(root)
    assert project.model().anchors(project.fits.folder(project.model())) == []


def test_a_run_without_any_fit_may_not_be_forbidden_one(tmp_path: Path) -> None:
    """`run --refit never` in a new project says that there is no fit, with exit code 3, and issues nothing."""
    root = fresh(tmp_path)
    done = call("run", "--as-of", "2026-01-08", "--refit", "never", cwd=root)
    assert done.code == 3
    assert "there is no fit of this version of the model" in done.err
    assert call("show", cwd=root).code == 2


@pytest.mark.usefixtures("no_sampling")
def test_a_damaged_fit_is_passed_over(root: Path) -> None:
    """A file that cannot be read stands in nobody's way."""
    (fit,) = root.glob("data/*/fits/[!p]*.nc")
    (fit.parent / "0123456789ab.nc").write_bytes(b"half a file")
    assert forecast.open(root).update(as_of=AS_OF, now=NOW).trust.anchor == fit.stem


def test_old_fits_go_but_not_issued_ones(small: Path) -> None:
    """Beyond the newest fits of a model the oldest are deleted, unless an issued forecast names them."""
    project = forecast.open(small)
    model = project.model()
    folder = project.fits.folder(model)
    (original,) = folder.glob("[!p]*.nc")
    names = [f"{k:012d}" for k in range(KEPT_FITS + 3)]
    for name in names:
        shutil.copy(original, folder / f"{name}.nc")
    (folder / "broken.nc").write_bytes(b"")
    (folder / f"prior-{model.spec.name}-old.nc").write_bytes(original.read_bytes())
    assert load_record(folder / f"{names[0]}.nc").model == model.spec.name
    gone = prune_fits(model.space, folder, {names[0], names[1]})
    left = {path.stem for path in folder.glob("*.nc")}
    assert set(gone).isdisjoint({names[0], names[1]})
    assert gone == (names[2], names[3])
    assert {"broken", original.stem, names[0], names[1], names[-1]} <= left
    assert f"prior-{model.spec.name}-old" not in left


def test_the_archive_s_fits_are_kept_by_the_project(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a new fit the project prunes, and tells what the archive names."""
    project = forecast.open(small)
    model = project.model()
    common = {"model": model.spec.name, "as_of": START, "issued_at": NOW, "evidence_hash": "", "watermark": 1}
    project.ledger.archive(Issued(fit="abc", model_hash="", content="{}", **common))
    told: list[set[str]] = []
    monkeypatch.setattr("forecast.inference.fitter.prune_fits", lambda _space, _folder, issued: told.append(issued))
    settings = Settings(draws=20, tune=20, chains=2)
    project.update(as_of=START, now=NOW, refit="always", settings=settings, accept_bad=True)
    assert "abc" in told[0]


# Time travel.


@pytest.mark.usefixtures("no_sampling")
def test_as_of_is_what_was_public(project: Project) -> None:
    """A row that became public later leaves an earlier forecast alone."""
    before = project.update(as_of=AS_OF, now=NOW)
    assert call(*OBSERVE, "--reported-on", "2026-01-09", cwd=project.root).code == 0
    assert project.update(as_of=AS_OF, now=NOW) == before
    later = project.update(as_of=AS_OF + dt.timedelta(days=1), now=NOW)
    assert later.probability("confrontation").mean < before.probability("confrontation").mean


@pytest.mark.slow
def test_the_whole_path_needs_few_fits(tmp_path: Path) -> None:
    """From prior draws through all 56 weeks at most 8 fits; each week equals an update as of its date."""
    project = forecast.open(fresh(tmp_path))
    found = project.path(as_of=AS_OF, now=NOW)
    assert found.fits <= 8
    assert len(found.forecasts) == 56
    assert all(one.trust.trusted for one in found.forecasts)
    assert [one.as_of for one in found.forecasts][-2:] == [dt.date(2026, 1, 6), AS_OF]
    again = forecast.open(project.root).path(as_of=AS_OF, now=NOW)
    assert again.fits == 0
    frame = found.to_frame()
    assert frame["as_of"].nunique() == 56
    html = found._repr_html_()
    assert "2026-01-06" in html
    assert "… and 36 more rows" in html
    json.dumps(found.to_dict())


# The command line.


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (("update", "--as-of", "2026-01-08"), ("not issued", "as they are", "Peace deal in force")),
        (
            ("what-if", "arms_purchase_from_russia", "--as-of", "2026-01-08"),
            ("is seen on 2026-01-08 (A1)", "k-hat", "→"),
        ),
        (
            ("what-if", "presidents_meeting@2026-01-20", "cyberattack@2026-02-03", "--as-of", "2026-01-08"),
            ("cyberattack is seen on 2026-02-03", "4 weeks"),
        ),
        (
            ("what-if", "--not-seen", "presidents_meeting@2026-06-01", "--as-of", "2026-01-08"),
            ("no presidents_meeting is seen through 2026-06-01", "26 weeks"),
        ),
        (
            ("what-if", "--do", "peace=fresh_deal", "--on", "2026-02-01", "--hold", "--as-of", "2026-01-08"),
            ("peace is made fresh_deal on 2026-02-01 and held there", "as they are"),
        ),
        ((*OBSERVE, "--update", "--as-of", "2026-01-08"), ("recorded: presidents_meeting", "before → after", "k-hat")),
    ],
)
def test_commands_show_the_move(root: Path, command: tuple[str, ...], shown: tuple[str, ...]) -> None:
    """Update, what-if and observe answer on standard output alone, within the terminal's width."""
    done = call(*command, cwd=root, columns=100)
    assert (done.code, done.err) == (0, "")
    assert all(part in " ".join(done.out.split()) for part in shown)
    assert max(map(len, done.out.splitlines())) <= 100
    assert "nan" not in done.out


@pytest.mark.usefixtures("no_sampling")
@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("what-if", "arms_purchase_from_rusia"), "did you mean 'arms_purchase_from_russia'"),
        (("what-if", "relations.war"), "the model has no state 'relations.war'"),
        (("what-if", "cyberattack@2020-01-01"), "the model starts on"),
        (("what-if", "cyberattack@soon"), "is not a date; write it as"),
        (("what-if",), "nothing is supposed"),
        (("what-if", "cyberattack", "--do", "peace=fresh_deal"), "two questions"),
        (("what-if", "cyberattack", "--grade", "Z9"), "is not an Admiralty grade"),
        (("what-if", "--not-seen", "cyberattack"), "is not NAME@DATE"),
        (("what-if", "--not-seen", "cyberattack@2025-12-01"), "give a date after 2026-01-08"),
        (("what-if", "--do", "peace"), "is not STAGE=STATE"),
        (("what-if", "--do", "peace=fresh_deal", "--on", "2026-01-01"), "the past cannot be changed"),
        (("what-if", "--do", "piece=fresh_deal"), "no stage 'piece'; did you mean 'peace'"),
        (("what-if", "cyberattack@2028-01-01"), "behind the last horizon"),
        (("path", "--weeks", "5"), "the model's horizons are 4, 13, 26, 52"),
        ((*OBSERVE,), "give it with --update"),
    ],
)
def test_wrong_questions_get_one_clear_message(root: Path, command: tuple[str, ...], message: str) -> None:
    """What makes no sense is one line that says what would, with exit code 2, and nothing is printed or recorded."""
    before = call("log", cwd=root).out
    done = call(*command, "--as-of", "2026-01-08", cwd=root)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not done.out
    assert call("log", cwd=root).out == before


def test_against_the_record(root: Path) -> None:
    """A deal that is on record cannot be undone that day."""
    assert (
        call("observe", "peace.fresh_deal", "--date", "2026-01-07", "--source", "All", "--grade", "A1", cwd=root).code
        == 0
    )
    found = forecast.open(root).update(as_of=AS_OF, now=NOW, refit="never")
    with pytest.raises(forecast.InputError, match="that day it is on record as fresh_deal, settled_deal"):
        found.do({"peace": "stalled"})


# Programs.


def schema(name: str) -> Draft202012Validator:
    """Read a published schema."""
    content = json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(content)
    return Draft202012Validator(content)


@pytest.mark.usefixtures("no_sampling")
def test_json_follows_the_schemas(root: Path, small: Path) -> None:
    """What the command line prints is what the schemas describe, and the schemas refuse what is not."""
    day, done = ("--as-of", "2026-01-08"), ("--do", "near=tense", "--on", "2025-01-12", "--refit", "never")
    for where, name, command in (
        (root, "forecast.schema.json", ("update", *day)),
        (root, "what-if.schema.json", ("what-if", "presidents_meeting", *day)),
        (small, "what-if.schema.json", ("what-if", *done, "--as-of", str(START))),
    ):
        content = strict_json(call(*command, "--json", cwd=where).out)
        schema(name).validate(content)
        rows = content["quantities"] if "quantities" in content else content["changes"]
        rows[0]["outcome"] = 3
        with pytest.raises(ValidationError):
            schema(name).validate(content)


def test_report_data_follow_their_schema() -> None:
    """The ``forecast.json`` of a report is what its schema describes; what lacks a part or has another is refused."""
    report = json.loads((issued_once()[0] / REPORT / "forecast.json").read_text(encoding="utf-8"))
    found = schema("report.schema.json")
    found.validate(report)
    for name in ("forecast", "cascade", "headline", "evidence"):
        with pytest.raises(ValidationError):
            found.validate({key: value for key, value in report.items() if key != name})
    with pytest.raises(ValidationError):
        found.validate(report | {"other": 1})


@pytest.mark.usefixtures("no_sampling")
def test_several_threads_see_the_same(small: Path) -> None:
    """Threads that update and ask at once get what one alone gets."""
    project = forecast.open(small)

    def update() -> LiveForecast:
        return project.update(as_of=START, now=NOW, refit="never", accept_bad=True)

    ask: tuple[Callable[[], Any], ...] = (
        update,
        lambda: update().what_if("march"),
        lambda: update().what_if("shot", on="2025-01-13"),
        lambda: update().do({"near": "tense"}, on="2025-01-12"),
    )
    with ThreadPoolExecutor(8) as pool:
        many = [pool.submit(question) for _ in range(2) for question in ask]
        answers = [one.result() for one in many]
    alone = [question() for question in ask]
    assert all(answer == alone[k % len(ask)] for k, answer in enumerate(answers))


@pytest.mark.usefixtures("no_sampling")
def test_what_if_is_a_tidy_table(project: Project) -> None:
    """The table of a what-if has one row a quantity; the page of a notebook shows it, escaped."""
    found = project.update(as_of=AS_OF, now=NOW).what_if("arms_purchase_from_russia", on="2026-01-08")
    frame = found.to_frame()
    assert list(frame.columns) == [
        "outcome", "kind", "given", "horizon_weeks", "date", "before", "after", "difference", "mcse",
    ]  # fmt: skip
    np.testing.assert_allclose(frame["after"] - frame["before"], frame["difference"])
    change = found.change("cooperation", weeks=26)
    assert change.difference == change.after.mean - change.before.mean
    assert change.difference > 0.1
    html = found._repr_html_()
    assert "arms_purchase_from_russia is seen" in html
    assert html.count("<tr>") == 11
    with pytest.raises(forecast.InputError, match="did you mean"):
        found.change("cooperatin")
