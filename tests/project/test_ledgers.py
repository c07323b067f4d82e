"""Where a project's ledger is, is decided in one place; on PostgreSQL a project does what it does on a file."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from databases import address, drop, new_schema, run_sql
from entries import NOW, issued, refusal
from projects import call, fresh
from year import START, issued_tiny, lay_out, run

import forecast
from forecast.base.errors import BusyError, LedgerError
from forecast.ledger.postgres import PostgresLedger
from forecast.ledger.sqlite import SqliteLedger
from forecast.project.doctor import examine
from forecast.project.ledgers import FILE, KEPT, ledger_place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def schema() -> Iterator[str]:
    """Name a schema for a project."""
    name = new_schema()
    yield name
    drop([name])


def is_there(schema: str) -> bool:
    """Whether the database has a schema."""
    return (schema,) in run_sql("SELECT nspname FROM pg_namespace")


def text_of(schema: str) -> str:
    """Give the address of a schema as a project file has it."""
    return f"{address()}{'&' if '?' in address() else '?'}schema={schema}"


def on_postgres(root: Path, schema: str) -> Path:
    """Let a project keep its ledger in a schema."""
    path = root / "forecast.toml"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f'{before}\nledger = "{text_of(schema)}"\n', encoding="utf-8")
    return root


@pytest.fixture
def project(tmp_path: Path, schema: str) -> Path:
    """Give a copy of the project that has issued once, its ledger copied to PostgreSQL and its file gone."""
    root = tmp_path / "project"
    shutil.copytree(issued_tiny(), root)
    done = call("ledger", "copy", "data/ledger.db", text_of(schema), cwd=root)
    assert done.code == 0, done.err
    for path in (root / "data").glob("ledger.db*"):
        path.unlink()
    return on_postgres(root, schema)


# Where it is.


def test_the_variable_wins_over_the_project_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without either it is the file; an empty variable is none; a wrong address says who gave it."""
    lay_out(tmp_path)
    assert ledger_place(tmp_path) == (tmp_path / FILE, None, None)
    (tmp_path / "forecast.toml").write_text('ledger = "postgresql://host/db?schema=of_file"\n')
    assert ledger_place(tmp_path).name == "postgresql+psycopg://host/db?schema=of_file"
    monkeypatch.setenv("FORECAST_LEDGER", "")
    assert ledger_place(tmp_path).kept == tmp_path / KEPT
    monkeypatch.setenv("FORECAST_LEDGER", "postgresql://host/db?schema=of_variable")
    assert ledger_place(tmp_path).name == "postgresql+psycopg://host/db?schema=of_variable"
    monkeypatch.setenv("FORECAST_LEDGER", "sqlite:///x.db")
    assert refusal(lambda: ledger_place(tmp_path)).startswith("the variable FORECAST_LEDGER: 'sqlite' is no kind of")
    monkeypatch.delenv("FORECAST_LEDGER")
    (tmp_path / "forecast.toml").write_text("ledger = 3\n")
    assert "ledger: needs the address of a database" in refusal(lambda: ledger_place(tmp_path))


def test_no_password_is_told(tmp_path: Path) -> None:
    """A command that fails names the address without it, and so does the log of runs."""
    lay_out(tmp_path)
    secret = "battery-staple"  # noqa: S105 - of nobody
    login = f"desk:{secret}"
    (tmp_path / "forecast.toml").write_text(f'ledger = "postgresql://{login}@127.0.0.1:1/db"\n')
    for command in (("log",), ("run",), ("verify",), ("doctor",), ("fits", "list")):
        done = call(*command, cwd=tmp_path)
        assert done.code == 2
        assert "desk:***@127.0.0.1:1/db" in done.out + done.err
        assert secret not in done.out + done.err
    assert secret not in (tmp_path / "reports" / "run.log").read_text()


# What a project does there.


def without_moments(data: Any) -> Any:
    """Leave out when something was computed."""
    if isinstance(data, dict):
        return {key: without_moments(value) for key, value in data.items() if key not in MOMENTS}
    return [without_moments(value) for value in data] if isinstance(data, list) else data


MOMENTS = {"issued_at", "created_at", "made", "seconds"}


def test_a_run_gives_the_same_report(tmp_path: Path, schema: str) -> None:
    """The same rows give the same forecast, report and archive, number by number, on either ledger."""
    roots = [tmp_path / "file", tmp_path / "database"]
    for root in roots:
        lay_out(root)
    on_postgres(roots[1], schema)
    shutil.copytree(issued_tiny() / "data" / "tiny", roots[0] / "data" / "tiny")  # the fit is there already
    shutil.copytree(issued_tiny() / "data" / "tiny", roots[1] / "data" / "tiny")
    for root in roots:
        done = call("observe", "shot", "--date", str(START), "--source", "Press", "--grade", "B2", cwd=root)
        assert done.code == 0, done.err
        done = run(root, START)
        assert done.code == 0, done.err
    assert not (roots[1] / FILE).exists()
    ledgers = [forecast.open(root).ledger for root in roots]
    assert isinstance(ledgers[1], PostgresLedger)
    (first,), (second,) = (ledger.forecasts() for ledger in ledgers)
    assert without_moments(json.loads(first.content)) == without_moments(json.loads(second.content))
    assert (first.evidence_hash, first.watermark, first.fit) == (second.evidence_hash, second.watermark, second.fit)
    assert [ledger.verify() for ledger in ledgers] == [(), ()]
    names = [sorted(path.name for path in (root / "reports" / "tiny" / str(START)).iterdir()) for root in roots]
    assert names[0] == names[1]


@pytest.mark.usefixtures("no_pictures")
def test_what_is_copied_goes_on(project: Path) -> None:
    """A run on the copied ledger finds that nothing is new, and its fits, reports and archive are sound."""
    done = run(project, START)
    assert (done.code, done.err) == (0, "")
    assert "nothing new to issue" in done.out
    assert call("verify", cwd=project).code == 0
    assert len(json.loads(call("fits", "list", "--json", cwd=project).out)) == 1
    assert not (project / FILE).exists()
    assert (project / "data" / "ledger.head").exists()


def test_no_ledger_is_begun_beside_reports(project: Path, schema: str) -> None:
    """Where reports were issued and the database holds nothing, the message names all three ways out."""
    run_sql(f'DROP SCHEMA "{schema}" CASCADE')
    (project / "data" / "ledger.head").unlink(missing_ok=True)
    message = refusal(lambda: forecast.open(project).ledger, LedgerError)
    assert "holds no ledger, but reports/tiny/2025-01-08 was issued from one; correct the address, copy" in message
    assert not is_there(schema)


def test_the_doctor_looks_and_makes_nothing(project: Path, schema: str) -> None:
    """It tells rows, size and archive; of a project that has not begun it says so, and no schema is made."""
    says = [finding.says for finding in examine(project, None, NOW)]
    assert any(text.startswith("sound: ") and "MB" in text for text in says)
    assert "archive: 1 issued forecast; the last is of tiny as of 2025-01-08" in says
    run_sql(f'DROP SCHEMA "{schema}" CASCADE')
    shutil.rmtree(project / "reports")
    found = examine(project, None, NOW)
    assert any(finding.says.startswith("not begun") for finding in found)
    assert not is_there(schema)


def test_the_doctor_says_who_serves_and_who_may_what(project: Path, schema: str) -> None:
    """Address without password, versions, what this role may do, and who holds the locks, on any machine."""

    def told(*, fault: bool = False) -> str:
        return "\n".join(one.says for one in examine(project, None, NOW) if fault in {one.fault, False})

    role = new_schema()
    place = ledger_place(project)
    run_sql(f"CREATE ROLE {role} LOGIN PASSWORD 'battery-staple'")
    try:
        owner = place.open()
        assert isinstance(owner, PostgresLedger)
        user = owner.address.url.username
        says = told()
        assert re.search(rf"^postgresql\+psycopg://.*schema={schema}: PostgreSQL \d+\.\d+, schema 5 of the ledger$",
                         says, re.MULTILINE)  # fmt: skip
        assert f"the role {user} could change rows" in says
        assert "nobody is writing\n" in says
        assert "the server's lock of runs is held by nobody" in says
        with owner.run_lock(), owner.transaction():
            busy = told()
        assert re.search(rf"^{user}(, since [\d :-]+ UTC| at \S+, since .*) is writing$", busy, re.MULTILINE)
        assert f"the server's lock of runs is held by {user}" in busy
        login = owner.address.url.set(username=role, password="battery-staple").update_query_dict({"schema": schema})  # noqa: S106 - of a test
        text = login.render_as_string(hide_password=False)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FORECAST_LEDGER", text)
            owner.grant(role)
            says = told()
            assert f"the role {role} may read and add rows, and change none" in says
            assert "battery-staple" not in says
            run_sql(f"REVOKE INSERT ON {schema}.entries FROM {role}")
            assert f"the role {role} may only read, so that nothing can be recorded" in told(fault=True)
    finally:
        run_sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.usefixtures("no_pictures")
def test_one_run_on_all_machines(project: Path, tmp_path: Path) -> None:
    """While a project holds its lock, a copy of its folder, with a lock of its own, gives way at once with 4."""
    other = shutil.copytree(project, tmp_path / "elsewhere")
    with forecast.open(project).locked() as _, forecast.open(other).ledger.reading():
        done = run(other, START)
        assert done.code == 4
        assert "another run holds the lock" in done.err
        with pytest.raises(BusyError):
            forecast.open(other).write_report({})
    assert run(other, START).code == 0


@pytest.mark.usefixtures("no_pictures")
def test_a_killed_run_is_cleared_up(project: Path) -> None:
    """The report of the last issue is written again by the next run."""
    report = project / "reports" / "tiny" / str(START) / "forecast.json"
    report.unlink()
    assert run(project, START).code == 0
    assert report.exists()


def test_rights_are_for_a_server(tmp_path: Path, schema: str) -> None:
    """`forecast ledger grant` lets a role in, and refuses where the ledger is a file."""
    root = fresh(tmp_path)
    assert "is a file, to which the system gives rights" in call("ledger", "grant", "x", cwd=root).err
    on_postgres(root, schema)
    role = new_schema()
    run_sql(f"CREATE ROLE {role} LOGIN")
    try:
        done = call("ledger", "grant", role, cwd=root)
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith(f": {role} may read and add rows, and change none\n")
    finally:
        run_sql(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_backup_is_a_file(project: Path, tmp_path: Path) -> None:
    """`forecast backup` writes a ledger that opens without a server."""
    done = call("backup", str(tmp_path / "backup.db"), cwd=project)
    assert (done.code, done.err) == (0, "")
    kept = SqliteLedger.open(tmp_path / "backup.db")
    assert kept.head() == forecast.open(project).ledger.head()
    assert [row.model for row in kept.forecasts()] == [issued(model="tiny").model]
