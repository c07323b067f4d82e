"""Generate docs/errors.md: what a new user gets wrong, and the message each gets, from really running the commands.

Run ``python -m docs.errors`` to write it, with ``--check`` to learn whether it is out of date.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import shlex
import sqlite3
import sys
import textwrap
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from docs.builder.cases import NOW, Case, opened, run_cases
from docs.builder.places import DOCS
from forecast.base.errors import EXIT_CODES
from forecast.engine.arrays import Cells
from forecast.engine.blocks import Draws
from forecast.inference.fit import Chains, Fit, fit_id
from forecast.inference.fit_files import save_fit
from forecast.inference.settings import Diagnostics, Settings
from forecast.ledger.issued import Issued

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from docs.builder.cases import Result

PAGE = DOCS / "errors.md"
AS_OF = dt.date(2026, 1, 8)
MODEL = "models/russia_azerbaijan.toml"
RIVAL = "models/doves.toml"
OBSERVE = ("forecast", "observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Press service")
RUN = ("forecast", "run", "--as-of", "2026-01-08")


FEED = """\
[feed]
kind = "plain"
title = "Border incidents"
url = "http://example.org/{date}.csv"
licence = "none"

[window]
from = 2025-12-01

[columns]
day = "date"

[sightings.force_shown]
codes = ["shots"]
"""
SOUND_FEED = """\
[feed]
kind = "plain"
title = "Border incidents"
folder = "files"
license = "none"
[window]
from = 2025-12-01
[columns]
id = "id"
day = "date"
code = "what"
place = "where"
[sightings.force_shown]
places = ["Dagestan"]
"""


# Ways to go wrong.


def _fed(root: Path) -> None:
    """Pull a feed with one event that may be a sighting."""
    folder = root / "data" / "russia_azerbaijan" / "feeds"
    for path in folder.glob("*.toml"):
        path.unlink()
    _write("data/russia_azerbaijan/feeds/borders.toml", SOUND_FEED)(root)
    _write(
        "data/russia_azerbaijan/feeds/files/day-2025-12-02.csv", "id,date,what,where\n1,2025-12-02,drill,Dagestan\n"
    )(root)
    project, model = opened(root)
    project.feeds(model, now=NOW).pull("borders")


def _write(name: str, content: str | bytes) -> Callable[[Path], object]:
    def write(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


def _replaced(*pairs: tuple[str, str]) -> Callable[[Path], None]:
    """Put other words into the model file."""

    def replace(root: Path) -> None:
        path = root / MODEL
        text = path.read_text(encoding="utf-8")
        for right, wrong in pairs:
            if right not in text:
                msg = f"{MODEL} does not hold {right!r} any more; choose another fault"
                raise ValueError(msg)
            text = text.replace(right, wrong, 1)
        path.write_text(text, encoding="utf-8")

    return replace


def _many_stages(root: Path) -> None:
    """Put nine more stages with two states each behind the others."""
    judged = 'basis = [{ kind = "judgement", note = "An example" }]'
    stages = [
        f"""
[stages.more_{k}]
label = "More"
states = ["no", "yes"]
start = {{ no = 1 }}
transitions = [{{ from = "no", to = "yes", per_year = [1, 2], {judged} }}]
{judged}
"""
        for k in range(9)
    ]
    path = root / MODEL
    path.write_text(path.read_text(encoding="utf-8") + "".join(stages), encoding="utf-8")


def _second_model(root: Path) -> None:
    (root / "forecast.toml").unlink()
    text = (root / MODEL).read_text(encoding="utf-8").replace('name = "russia_azerbaijan"', 'name = "rival"', 1)
    (root / "models" / "rival.toml").write_text(text, encoding="utf-8")


def _older_ledger(root: Path) -> None:
    """Record a row, and put the ledger of before back."""
    project, model = opened(root)
    path = root / "data" / "ledger.db"
    project.dataset(model, now=NOW)
    before = path.read_bytes()
    cells = {"indicator": "presidents_meeting", "date": "2026-01-07", "source": "Press service", "grade": "A1"}
    project.observe(model, cells, "observation", now=NOW)
    path.write_bytes(before)


def _ledger_at(address: str) -> Callable[[Path], object]:
    return _write("forecast.toml", f'model = "russia_azerbaijan"\nledger = "{address}"\n')


def _no_rows(root: Path) -> None:
    for path in root.glob("data/*/*.csv"):
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")


def _closed_folder(root: Path) -> None:
    for path in (root, root / "data"):
        path.chmod(0o555)
    (root / "data" / "ledger.db").chmod(0o444)


def _other_database(root: Path) -> None:
    for path in (root / "data").glob("ledger.db*"):
        path.unlink()
    with closing(sqlite3.connect(root / "data" / "ledger.db")) as database:
        database.execute("CREATE TABLE recipes (title TEXT)")
        database.commit()


def _fit_file(root: Path, *, careful: bool = False) -> Path:
    """Path of the fit that `RUN` looks for, or of the one that takes its place if it is bad."""
    settings = Settings().careful if careful else Settings()
    project, model = opened(root)
    evidence = model.evidence(project.entries(model, now=NOW, as_of=AS_OF), AS_OF)
    return root / "data" / model.spec.model.dataset / "fits" / f"{fit_id(model.space, evidence, settings)}.nc"


def _corrupted_fit(root: Path) -> None:
    path = _fit_file(root)
    path.parent.mkdir()
    path.write_bytes(b"half a file")


def _put_fit(root: Path, *, model_hash: str | None = None, min_ess: float = 2000.0, careful: bool = False) -> None:
    """Put a fit where `RUN` looks for one, without sampling."""
    path = _fit_file(root, careful=careful)
    _, model = opened(root)
    arrays = {name: (("chain", "draw", name + "_axis"), np.zeros((4, 2, 3))) for name in Draws._fields}
    fit = Fit(
        id=path.stem,
        model=model.spec.name,
        model_hash=model_hash or model.spec.hash,
        evidence_hash="",
        as_of=AS_OF,
        watermark=1,
        settings=Settings().careful if careful else Settings(),
        diagnostics=Diagnostics(0, 1.0, "transition_log_rate", min_ess, "departure_scale", 1.0, 2000.0, 1.0),
        learned=(),
        versions={},
        created_at="2026-01-09T00:00:00+00:00",
        space=model.space,
        cells=Cells(*(np.zeros((0,)) for _ in Cells._fields)),
        draws=Draws(*(np.zeros((8, 3)) for _ in Draws._fields)),
        chains=lambda: Chains(xr.Dataset(arrays), None),
    )
    save_fit(fit, path.parent)


def _changed_fit(root: Path) -> None:
    """Change one byte of a fit."""
    _put_fit(root)
    path = _fit_file(root)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _other_fit(root: Path) -> None:
    _put_fit(root, model_hash="0123456789ab")


def _bad_fit(root: Path) -> None:
    _put_fit(root, min_ess=231.0)
    _put_fit(root, min_ess=262.0, careful=True)


def _unprojected(root: Path) -> None:
    (root / "models").rename(root / "theories")


def _no_model(root: Path) -> None:
    for path in (root / "models").glob("*.toml"):
        path.unlink()


def _issue(root: Path) -> None:
    """Archive a forecast that asks whether there will be a deal, truce or confrontation some weeks later."""
    project, model = opened(root)
    asked = [("deal", "at", 4), ("deal", "by", 4), ("deal", "by", 13), ("truce", "at", 13), ("confrontation", "at", 13)]
    rules = [
        {
            "outcome": name, "kind": kind, "horizon_weeks": weeks, "date": str(AS_OF + dt.timedelta(weeks=weeks)),
            "estimate": {"mean": 0.05, "mcse": 0.001}, "met_now": False,
        }
        for name, kind, weeks in asked
    ]  # fmt: skip
    outcomes = {name: {"resolution": row.resolution} for name, row in model.spec.outcomes.items()}
    quantities = [
        {"outcome": name, "kind": "at", "horizon_weeks": 4, "estimate": {"mean": 0.05}} for name in model.spec.outcomes
    ]
    forecast = {"quantities": quantities, "trust": {"trusted": True}}
    content = {"model": {"outcomes": outcomes}, "forecast": forecast, "rules": rules}
    project.ledger.archive(
        Issued(
            model=model.spec.name, as_of=AS_OF, issued_at=NOW, evidence_hash="", model_hash="", fit="", watermark=1,
            content=json.dumps(content),
        )
    )  # fmt: skip


FAULTY_ROWS = """\
indicator,state,date,source,grade,url
presidents_meeting,,2026-01-07,Press service,A1,
presidents_meting,,2026-01-07,Press service,A1,
presidents_meeting,relations.truce,07.01.2026,,A9,press.example
"""

TOO_LITTLE = """\
[stages.hospitals]
states = ["calm", "full"]
transitions = [{ from = "calm", to = "full", per_year = [0.5, 4] }]

[indicators.beds_free]
stage = "hospitals"
points_to = ["calm"]

[outcomes.full_wards]
states = { hospitals = ["full"] }
"""

FAULTY_RIVAL = """\
extends = "russia_azerbaijan"
drop = ["stages.relations.effects.setback_spares_truse"]

[model]
name = "doves"
titel = "A deal comes sooner"

[[stages.peace.transitions]]
from = "closing"
to = "fresh_deal"
per_year = [1, 16]

[stages.relations.effects.victory_brings_cooperation]
times = [2.5, 1]
basis = [{ kind = "judgement", note = "A guess" }]
"""


def _answered(outcome: str, weeks: int, answer: str, since: dt.date | None = None) -> Callable[[Path], object]:
    """Archive a forecast and answer one of its questions by hand."""

    def give(root: Path) -> None:
        _issue(root)
        opened(root)[0].overrule(
            outcome, AS_OF + dt.timedelta(weeks=weeks), since=since, answer=answer, reason="As all say", url=LINK,
            now=dt.datetime(2026, 6, 1, tzinfo=dt.UTC),
        )  # fmt: skip

    return give


YES = ("--answer", "yes", "--reason", "As the press has it", "--url", "https://example.org/so")
ANSWER = ("--answer", "void", "--reason", "The text is disputed", "--url")
LINK = "https://example.org/why"

HUB = {
    "rounds": [
        {
            "round_id_from_variable": True,
            "round_id": "reference_date",
            "model_tasks": [
                {
                    "task_ids": {
                        "reference_date": {"required": None, "optional": ["2026-01-08"]},
                        "target": {"required": ["deal"], "optional": None},
                        "horizon": {"required": [2], "optional": [4]},
                        "location": {"required": ["AZ"], "optional": None},
                    },
                    "output_type": {"pmf": {"output_type_id": {"required": ["war", "peace"]}, "is_required": True}},
                    "target_metadata": [{"target_id": "deal", "target_keys": {"target": "deal"}}],
                }
            ],
        }
    ]
}


def _hub(root: Path) -> None:
    """Archive a forecast, beside a hub that asks for something else."""
    _issue(root)
    _write("hub/hub-config/tasks.json", json.dumps(HUB))(root)


CASES = (
    Case("An indicator by another name", (*OBSERVE[:2], "fruit_embargo", *OBSERVE[3:], "--grade", "A1")),
    Case("An indicator that is not in the model", (*OBSERVE[:2], "presidents_meting", *OBSERVE[3:], "--grade", "A1")),
    Case("A date in the future", (*OBSERVE[:4], "2999-01-01", *OBSERVE[5:], "--grade", "A1")),
    Case("A date before the model's start", (*OBSERVE[:4], "2024-01-01", *OBSERVE[5:], "--grade", "A1")),
    Case("A grade that is none", (*OBSERVE, "--grade", "Z9")),
    Case("A language by its name", (*OBSERVE, "--grade", "A1", "--language", "Azerbaijani")),
    Case(
        "A CSV file that is not UTF-8",
        ("forecast", "import", "rows.csv"),
        _write("rows.csv", "indicator,date,source,grade\npresidents_meeting,2026-01-07,Müsavat,A1\n".encode("latin-1")),
    ),
    Case(
        "A model file with four faults",
        ("forecast", "check", MODEL),
        _replaced(
            ("per_year = [1.5, 8]", "per_year = [8, 1.5]"),
            ('grade = "decisive"', 'grade = "certain"'),
            ('points_to = ["truce"]', 'points_to = ["truse"]'),
            ('observable = "peace"', 'observable = "piece"'),
        ),
    ),
    Case(
        "A model file with faulty phases",
        ("forecast", "check", MODEL),
        _replaced(
            ('confrontation = ["acute", "lingering"]', 'confrontation = ["acute", "truce"], cooperation = 1'),
            ('fresh_deal = ["signed", "young"]', 'fresh_deal = ["young", "signed"]'),
        ),
    ),
    Case(
        "A model file with numbers out of range",
        ("forecast", "check", MODEL),
        _replaced(
            ("start = 2024-12-18", "start = 1492-10-12"),
            ("reporting_lag_days = 14", "reporting_lag_days = 14.5"),
            ("horizons_weeks = [4, 13, 26, 52]", "horizons_weeks = [4, 13, 5200]"),
            ("start = { stalled = 8, advancing = 2 }", "start = { stalled = inf, advancing = 2 }"),
            ("per_year = [1.5, 8]", "per_year = [1.5, 1e300]"),
        ),
    ),
    Case("A model with more joint states than a machine can hold", ("forecast", "check", MODEL), _many_stages),
    Case(
        "A model file with a number of 5,000 digits",
        ("forecast", "check", MODEL),
        _replaced(("reporting_lag_days = 14", f"reporting_lag_days = {'1' * 5000}")),
    ),
    Case(
        "A model file with a thousand lists in one another",
        ("forecast", "check", MODEL),
        _replaced(("reporting_lag_days = 14", f"reporting_lag_days = {'[' * 1000}{']' * 1000}")),
    ),
    Case(
        "A forecast as of a day too far from the model's start",
        RUN,
        _replaced(("start = 2024-12-18", "start = 1900-12-18")),
    ),
    Case(
        "A rival with four faults",
        ("forecast", "check", RIVAL),
        _write(RIVAL, FAULTY_RIVAL),
        "A model file that extends another is merged with it before it is checked.",
    ),
    Case(
        "A rival of a model that is not there",
        ("forecast", "check", RIVAL),
        _write(RIVAL, FAULTY_RIVAL.replace("azerbaijan", "azerbajan", 1)),
    ),
    Case(
        "An empty ledger",
        ("forecast", "show"),
        _no_rows,
        "The starter rows hold nothing but their header. `forecast log` says that there are no rows, `forecast run` "
        "works: every number is the prior of the model file, as a note says. Before that there is nothing to show.",
        seeded=False,
    ),
    Case(
        "A folder that may not be written",
        (*OBSERVE, "--grade", "A1"),
        _closed_folder,
        "The project's files belong to somebody else.",
        privileged=False,
    ),
    Case("A corrupted fit file", RUN, _corrupted_fit),
    Case(
        "Another model's fit",
        RUN,
        _other_fit,
        "A fit is found by its name, and a file was copied over it.",
    ),
    Case("A fit with a changed byte", ("forecast", "verify"), _changed_fit),
    Case("No project folder", ("forecast", "log"), _unprojected),
    Case("A project without a model", ("forecast", "run"), _no_model),
    Case("Several models and none named", RUN, _second_model),
    Case(
        "A project file that names a model that is not there",
        ("forecast", "run"),
        _write("forecast.toml", 'model = "russia_azerbajan"\n'),
    ),
    Case(
        "A project file with two faults", ("forecast", "run"), _write("forecast.toml", 'modle = "supply"\nmodel = 3\n')
    ),
    Case("A model that is not there", (*RUN, "--model", "russia_azerbajan")),
    Case(
        "A model file that is not TOML",
        ("forecast", "check", MODEL),
        _write(MODEL, '[model]\nname = "russia_azerbaijan\n'),
    ),
    Case("A file with several faulty rows", ("forecast", "import", "rows.csv"), _write("rows.csv", FAULTY_ROWS)),
    Case(
        "Equal rows in one file",
        ("forecast", "import", "rows.csv"),
        _write("rows.csv", FAULTY_ROWS.splitlines(keepends=True)[0] + 2 * FAULTY_ROWS.splitlines(keepends=True)[1]),
    ),
    Case(
        "Cells that a spreadsheet spoiled",
        ("forecast", "import", "rows.csv"),
        _write(
            "rows.csv",
            "id,indicator,date,source,grade,story,state\n"
            "1.9E+18,presidents_meeting,2025-02-29,Wire,A1,#N/A,\n,presidents_meeting,25/03/2025,Wire,A1,None,\n",
        ),
    ),
    Case(
        "Somebody else's layout",
        ("forecast", "import", "acled.csv"),
        _write("acled.csv", "event_id_cnty,event_date,event_type,actor1\nAZE1,2026-01-05,Protests,Protesters\n"),
    ),
    Case("Correcting a row that is not there", (*OBSERVE, "--grade", "A1", "--id", "dushanbe-meting")),
    Case("A file that is not there", ("forecast", "import", "sightings.csv")),
    Case(
        "A feed file with faults",
        ("forecast", "feed", "pull", "borders"),
        _write("data/russia_azerbaijan/feeds/borders.toml", FEED),
    ),
    Case("A feed that is not there", ("forecast", "feed", "pull", "gdlt")),
    Case("A feed called as proposals are", ("forecast", "feed", "add", "plain", "proposals", "--from", "files")),
    Case("A port for a pipe", ("forecast", "mcp", "--port", "9000")),
    Case(
        "A sighting without a grade",
        ("forecast", "feed", "suggest", "borders", "--accept", "1"),
        _fed,
        "What a machine proposes has no grade and no story of its own.",
    ),
    Case("A forecast as of a day before the model's start", (*RUN[:3], "2024-06-01")),
    Case("A forecast as of a day to come", (*RUN[:3], "2999-01-01")),
    Case("A day that is no date", (*RUN[:3], "8.1.2026")),
    Case("A notice about an outcome that is not in the model", (*RUN, "--notify-if", "confrontatoin:10")),
    Case("A notice without a number", (*RUN, "--notify-if", "confrontation")),
    Case("A limit of no time", (*RUN, "--timeout", "0")),
    Case("A unit for a time that is none", ("forecast", "schedule", "cron", "--at", "25:00")),
    Case("Withdrawing a row that is not there", ("forecast", "retract", "dushanbe-meting", "--reason", "misquoted")),
    Case(
        "An answer to a question that no forecast asks",
        ("forecast", "resolve", "deal", "--date", "2026-02-06", *ANSWER, LINK),
        _issue,
    ),
    Case(
        "An answer about an outcome that is not in the model",
        ("forecast", "resolve", "dael", "--date", "2026-02-05", *ANSWER, LINK),
        _issue,
    ),
    Case(
        "An answer that nobody can check",
        ("forecast", "resolve", "deal", "--date", "2026-02-05", *ANSWER, "heard it"),
        _issue,
    ),
    Case(
        "An answer that contradicts another",
        ("forecast", "resolve", "deal", "--date", "2026-02-05", "--since", "2026-01-08", *YES),
        _answered("deal", 13, "no", AS_OF),
        "What is so by February is so by April.",
    ),
    Case(
        "Two outcomes of which one at most can hold",
        ("forecast", "resolve", "truce", "--date", "2026-04-09", *YES),
        _answered("confrontation", 13, "yes"),
    ),
    Case("An answer without a reason", ("forecast", "resolve", "deal", "--date", "2026-02-05", "--answer", "no")),
    Case("Answers as of a day to come", ("forecast", "resolve", "--as-of", "2999-01-01")),
    Case(
        "A judgement that is no probability",
        ("forecast", "judge", "record", "deal", "--weeks", "4", "--probability", "35"),
        _issue,
    ),
    Case(
        "A judgement of a question that no forecast asks",
        ("forecast", "judge", "record", "dael", "--weeks", "4", "--probability", "35%"),
        _issue,
    ),
    Case(
        "A judgement without a date",
        ("forecast", "judge", "record", "deal", "--probability", "35%"),
        _issue,
    ),
    Case(
        "A judgement after the fact",
        ("forecast", "judge", "record", "deal", "--date", "2026-02-05", "--probability", "99%"),
        _issue,
        "Its date has come.",
    ),
    Case("A token that is not there", ("forecast", "token", "revoke", "7f3a9c10")),
    Case("A hub that asks for something else", ("forecast", "export-hub", "hub"), _hub),
    Case("A hub without tasks", ("forecast", "export-hub", "mine", "--hub", "hub"), _issue),
    Case("A picture of too few answers", ("forecast", "score", "--output", "track.svg"), _issue),
    Case("A ledger that is another program's database", ("forecast", "log"), _other_database, seeded=False),
    Case("A ledger that is no database", ("forecast", "log"), _write("data/ledger.db", "rows\n" * 1000), seeded=False),
    Case("An older copy of the ledger put back", ("forecast", "verify"), _older_ledger, seeded=False),
    Case(
        "A ledger in another kind of database",
        ("forecast", "log"),
        _ledger_at("mysql://desk@db.example.org/forecasts"),
        seeded=False,
    ),
    Case(
        "A ledger on a server that does not answer",
        ("forecast", "log"),
        _ledger_at("postgresql+psycopg://desk@127.0.0.1:1/forecasts?schema=caucasus"),
        seeded=False,
    ),
    Case("A ledger copied into one with rows", ("forecast", "ledger", "copy", "data/ledger.db", "data/ledger.db")),
    Case("Roles for a ledger that is a file", ("forecast", "ledger", "grant", "analyst")),
    Case(
        "A backup over a file that is there", ("forecast", "backup", "backup.db"), _write("backup.db", "another"),
    ),
    Case("A fit that is not there", ("forecast", "fits", "export", "0123456789ab", "fit.nc"), seeded=False),
    Case("A fit in another format", ("forecast", "fits", "export", "0123456789ab", "fit.csv"), seeded=False),
    Case("A project where there is one", ("forecast", "init", ".")),
    Case("A new model of no stages", ("forecast", "init", "epidemic", "--blank")),
    Case(
        "A new model with faulty stages",
        ("forecast", "init", "epidemic", "--blank", "--stage", "outbreak=local", "--stage", "hôpitaux=calm,full"),
    ),
    Case("A name that no model has", ("forecast", "check", "russia_azerbajan")),
    Case(
        "A model file that says too little",
        ("forecast", "check", "models/epidemic.toml"),
        _write("models/epidemic.toml", TOO_LITTLE),
        "The dates have no default, nor a rule that nothing could meet.",
    ),
    Case(
        "An outcome frozen in the future",
        ("forecast", "check", MODEL),
        _replaced(("\nfrozen = 2026-01-09", "\nfrozen = 2999-01-01")),
        "No forecast would ever count as a test of skill.",
    ),
    Case(
        "A fit that cannot be trusted",
        RUN,
        _bad_fit,
        "Exit code 3. It is the second one: a fit that fails its checks is made again, twice as long. Both are kept, "
        "so that accepting the first costs no time.",
        exit_code=3,
    ),
)  # fmt: skip

INTRODUCTION = f"""\
# Wrong inputs and their messages

<!-- Made by docs/errors.py, which runs the commands; do not edit. -->

Every error says where, what was found and what to do, in one message on standard error, and changes nothing. Each
command below was run in a new project made by `forecast init`, which is called PROJECT here, on the day TODAY.

| exit code | meaning |
| --- | --- |
{"\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())}
"""


def page(results: list[Result]) -> str:
    """Render the document."""
    parts = [INTRODUCTION]
    for result in results:
        case = result.case
        parts.append(f"## {case.name}\n")
        if case.told:
            parts.append(f"{textwrap.fill(case.told, 118)}\n")
        parts.append(f"```console\n$ {shlex.join(case.command)}\n{result.stderr.rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the document, or check it."""
    parser = argparse.ArgumentParser(description="Write docs/errors.md.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if it is out of date")
    check = parser.parse_args().check
    results = run_cases(CASES)
    wrong = [r.case.name for r in results if r.exit_code != r.case.exit_code or not r.kept or "Traceback" in r.stderr]
    for name in wrong:
        print(f"{name}: not the exit code it should have, a traceback, or something was lost")
    text = page(results)
    if not check and not wrong:
        PAGE.write_text(text, encoding="utf-8")
    elif check and (not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text):
        print("docs/errors.md is out of date; run `python -m docs.errors`")
        return 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
