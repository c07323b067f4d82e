"""What makes a run fit for a scheduler, and the command that prints units for schedulers."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from forecast import feeds, jobs
from forecast.base.errors import ForecastError, InputError
from forecast.base.files import make_folder, replace_file
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_model, open_project, utc_now, warn
from forecast.cli.printing import print_json, shown
from forecast.project import ledgers
from forecast.project.feeds import feeds_folder

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from forecast.jobs.notices import Notice
    from forecast.jobs.timeout import TimeLimit
    from forecast.project.project import Issue, Project


app = typer.Typer()
DAILY = "06:00"  # UTC
LOCALTIME = Path("/etc/localtime")  # the machine's time zone, by which cron goes
INTERRUPTED = 130  # what shells give for Ctrl-C
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="Stop after so long; then nothing is issued.")
]
NotifyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--notify-if",
        metavar="OUTCOME:POINTS|alarm",
        help="Exit with 10 if it moved so many percentage points since the last issue, with 11 if the alarm rings "
        "(repeatable).",
    ),
]


class Scheduler(StrEnum):
    """What runs a job every day; and, for the service, units of systemd and a container."""

    cron = "cron"
    systemd = "systemd"
    github = "github"
    service = "service"
    container = "container"


@dataclass
class Work:
    """A run under way: its limit of time, and what the log's last line will say of it."""

    limit: TimeLimit
    end: dict[str, Any] = field(default_factory=lambda: {"issued": None, "fit": None, "message": None})

    def done(self, issue: Issue) -> None:
        """Let time no longer matter, and remember what was issued and whether it is under alarm."""
        self.limit.lift()
        self.end |= {"issued": issue.issued.seq if issue.new else "same", "fit": issue.issued.fit}
        if alarm := jobs.find_alarm(issue.report):
            self.end["alarm"] = alarm

    def told(self, found: Project, issue: Issue, texts: Sequence[str], notices: tuple[Notice, ...]) -> str | None:
        """Leave word in ``moved.txt`` of an alarm and of what moved, or take it away; gives what moved.

        ``texts`` are the notices as they were given. The exit code is in `end`.
        """
        if not texts:
            return None
        moved = jobs.find_moves(notices, issue.issued, found.ledger.headings(issue.issued.model))
        alarm = jobs.find_alarm(issue.report)
        jobs.leave_word(issue.folder.parent / "moved.txt", "\n".join(filter(None, (alarm, moved))))
        if moved:
            self.end |= {"exit_code": jobs.MOVED, "moved": moved}
        if alarm and jobs.ALARM in texts:
            self.end["exit_code"] = jobs.RINGS
        return moved


@contextmanager
def unattended(found: Project, about: dict[str, Any], timeout: float | None) -> Generator[Work]:
    """Hold the project's lock and keep the time, and log beginning and end; ``about`` may change on the way."""
    log = jobs.RunLog(found.root / "reports" / "run.log", utc_now, about)
    end: dict[str, Any] = {}
    try:
        with jobs.time_limit(timeout) as limit:
            work = Work(limit)
            end = work.end
            with found.locked():
                log.add("start", rotate=True, pid=os.getpid())
                yield work
        end.setdefault("exit_code", 0)
    except BaseException as error:
        end |= {"exit_code": _exit_code(error), "message": str(error) or type(error).__name__}
        raise
    finally:
        log.add("end", seconds=round(log.seconds, 3), **end)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED
    return error.exit_code if isinstance(error, ForecastError) else 1


@app.command()
def schedule(
    scheduler: Annotated[Scheduler, typer.Argument(help="What shall run it.")],
    at: Annotated[str, typer.Option("--at", metavar="HH:MM", help="When, every day, in UTC.")] = DAILY,
    notify_if: NotifyOption = None,
    timeout: TimeoutOption = None,
    host: Annotated[str, typer.Option("--host", help="For service: the address to listen on.")] = jobs.HOST,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65535, help="For service and container: the port to listen on.")
    ] = jobs.PORT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Write the files there; not for cron.")
    ] = None,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print what makes cron, systemd or GitHub run this project every day, or keeps its service running.

    Where the project has feeds they are pulled before each run, which follows even if the pull failed.

    `service` is for systemd: the server and its worker; `container` is a file from which an image is built.

    Example: `forecast schedule cron --at 06:00 --timeout 3600`
    """
    if output is not None and scheduler is Scheduler.cron:
        msg = "--output is for files; cron takes its line from `crontab -e`"
        raise InputError(msg)
    address = jobs.Address(host, port)
    if scheduler in {Scheduler.service, Scheduler.container}:
        if at != DAILY or notify_if or timeout is not None:
            msg = (
                "--at, --notify-if and --timeout are for a run every day; the service makes the runs that are asked for"
            )
            raise InputError(msg)
        files = _service(scheduler, address, project)
    else:
        if address != jobs.Address():
            msg = f"--host and --port are for the service; {scheduler} runs the project once a day"
            raise InputError(msg)
        files = _units(scheduler, at, notify_if or [], timeout, project, model)
    if output is not None:
        _write(output, files)
    if as_json:
        print_json({"files": files, "folder": shown(output) if output else None})
    elif output is not None:
        print("\n".join(shown(output / name) for name in files))
    else:
        print(jobs.together(files) if len(files) > 1 else next(iter(files.values())), end="")


def _units(
    scheduler: Scheduler, at: str, notify_if: list[str], timeout: float | None, project: Path, model: str | None
) -> dict[str, str]:
    """Give the scheduler's files, after everything that its runs will be given was checked."""
    found, of = open_model(project, model)
    jobs.read_notices(notify_if, of.spec.outcomes)
    jobs.check_timeout(timeout)
    options: list[str] = ["--model", of.spec.name]
    options += [part for text in notify_if for part in ("--notify-if", text)]
    options += ["--timeout", f"{timeout:g}"] if timeout is not None else []
    folder = feeds_folder(found.root, of)
    job = jobs.Job(
        _program(), found.root, of.spec.name, tuple(options), jobs.read_time(at), timeout,
        pulls=bool(feeds.feed_files(folder)), network=feeds.downloads(folder),
        remote=ledgers.ledger_place(found.root).address is not None,
    )  # fmt: skip
    _warn_of_variable(scheduler, job.name)
    match scheduler:
        case Scheduler.cron:
            return {"crontab": jobs.cron_line(job, utc=_in_utc())}
        case Scheduler.systemd:
            return jobs.systemd_files(job, found.root.owner())
        case _:
            repository = next((path for path in (found.root, *found.root.parents) if (path / ".git").exists()), None)
            warn(jobs.missing_wheel(repository or found.root))
            return jobs.github_files(job, repository)


def _service(scheduler: Scheduler, address: jobs.Address, project: Path) -> dict[str, str]:
    """Give the files that keep the service of a project running."""
    if scheduler is Scheduler.container:
        if address.host != jobs.HOST:
            msg = "a container listens on every address of its own; --publish says where it is reached"
            raise InputError(msg)
        return {"Containerfile": jobs.container_file(address.port)}
    root = open_project(project).root
    _warn_of_variable(scheduler, jobs.unit_name(root))
    return jobs.service_files(
        _program(), root, address, root.owner(), remote=ledgers.ledger_place(root).address is not None
    )


def _warn_of_variable(scheduler: Scheduler, name: str) -> None:
    """Say that what the shell knows of the ledger the scheduler does not, which would begin another one in a file."""
    if os.environ.get(ledgers.VARIABLE):
        places = {Scheduler.cron: "as a line of the crontab", Scheduler.github: "as a secret of the repository"}
        place = places.get(scheduler, f"in /etc/{name}.env")
        warn([f"{ledgers.VARIABLE} says here where the ledger is; give it {place} too, or write it into forecast.toml"])


def _program() -> tuple[str, ...]:
    """Give the absolute path of the program that runs now, or how Python runs it."""
    for path in (Path(sys.argv[0]), Path(sys.executable).with_name("forecast")):
        if path.name.startswith("forecast") and path.is_file() and os.access(path, os.X_OK):
            return (str(path.absolute()),)
    return (sys.executable, "-c", "from forecast.cli import main; main()")


def _in_utc() -> bool:
    """Whether this machine's clock shows UTC, summer and winter, whatever zone the shell (TZ) is set to."""
    try:
        with LOCALTIME.open("rb") as file:
            zone = ZoneInfo.from_file(file)
    except (OSError, ValueError):  # a machine that says nothing shows UTC
        return True
    year = utc_now().year
    return all(not dt.datetime(year, month, 1, tzinfo=zone).utcoffset() for month in range(1, 13))


def _write(folder: Path, files: dict[str, str]) -> None:
    make_folder(folder)
    for name, text in files.items():
        replace_file(folder / name, text.encode())
