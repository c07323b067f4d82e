"""Units for schedulers that run a project every day: a line for cron, a service and a timer, a GitHub workflow."""

from __future__ import annotations

import datetime as dt
import json
import re
import shlex
from dataclasses import dataclass
from importlib.metadata import distribution, version
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from forecast.base.errors import InputError
from forecast.jobs.notices import MOVED, RINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


DISTRIBUTION = "scenario-cascade"
PINNED = ("pymc", "pytensor", "nutpie", "numba", "numpy")  # they decide the draws
PULL_SECONDS = 3600  # after which systemd ends a pull; the next goes on with it
GRACE_SECONDS = 60  # after --timeout, until systemd ends a run that does not end itself
CACHED = (  # what analysts decided stays as it is in the repository
    "**/data/*/fits", "**/data/*/feeds/*/**", "!**/data/*/feeds/*/rejected.csv", "!**/data/*/feeds/proposals/**",
)  # fmt: skip
ONLINE = "After=network-online.target\nWants=network-online.target\n"  # of a service that needs the network
QUARTERS = 15  # minutes; every time zone is a number of these from UTC


@dataclass(frozen=True)
class Job:
    """What is run every day ``at`` a time, UTC: ``program`` with ``options``, for a model of the folder ``project``.

    All paths are absolute; ``timeout`` is that of the options, in seconds. Where it ``pulls``, the project's feeds are
    brought up to date before, over the ``network`` if one of them has an address; the run follows even if that failed.
    The ledger is ``remote`` where it is no file of the project: then both need the network, and variables that say who
    they are there.
    """

    program: tuple[str, ...]
    project: Path
    model: str
    options: tuple[str, ...]
    at: dt.time
    timeout: float | None = None
    pulls: bool = False
    network: bool = False
    remote: bool = False

    @property
    def pull(self) -> tuple[str, ...]:
        """The words of the command that brings the feeds up to date."""
        return (*self.program, "feed", "pull", "--project", str(self.project), "--model", self.model)

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the command."""
        return (*self.program, "run", "--project", str(self.project), *self.options)

    @property
    def name(self) -> str:
        """A name for the units."""
        return unit_name(self.project)


def unit_name(project: Path) -> str:
    """Give the name by which the units of a project begin."""
    return "forecast-" + (re.sub(r"[^A-Za-z0-9_]+", "-", project.name).strip("-") or "project")


def read_time(text: str) -> dt.time:
    """Read ``HH:MM``; `InputError` if it is no time of day."""
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text, re.ASCII):
        return dt.time.fromisoformat(text)
    msg = f"--at {text!r} is no time of day; write it as 06:00 (UTC)"
    raise InputError(msg)


def require_plain(scheduler: str, words: Sequence[str], forbidden: str) -> None:
    """Make sure that every word can be written in a unit."""
    for word in words:
        found = re.search(forbidden, word)
        if found or not word.isprintable():
            what = repr(found[0]) if found else "a character that cannot be printed"
            msg = f"{word!r}: {what} cannot stand in a unit of {scheduler}; give the folder another name"
            raise InputError(msg)


# cron.


def cron_line(job: Job, *, utc: bool) -> str:
    """Give the line for `crontab -e`.

    cron goes by the machine's time zone, with its summer time. Where that is not ``utc``, the line looks every quarter
    of an hour, the same minutes in every zone, whether it is time.
    """
    require_plain("cron", job.command, r"\\")  # crons differ in what becomes of two
    command = shlex.join(job.command)
    if job.pulls:
        command = f"{{ {shlex.join(job.pull)}; {command}; }}"
    if utc:
        when = f"{job.at.minute} {job.at.hour} * * *"
    else:
        minutes = ",".join(str(minute) for minute in range(job.at.minute % QUARTERS, 60, QUARTERS))
        when = f"{minutes} * * * *"
        command = f'test "$(date -u +%H:%M)" != {job.at:%H:%M} || {command}'
    return f"{when} {command.replace('%', r'\%')}\n"


# systemd.


def systemd_files(job: Job, user: str) -> dict[str, str]:
    """Give a service, run by ``user``, and its timer, by file name; and a service that pulls feeds before it.

    That one alone may reach the network, and one that fails or hangs stops no run.
    """
    require_plain("systemd", job.command, r"[\r\n]")
    limit = "infinity" if job.timeout is None else f"{job.timeout + GRACE_SECONDS:.0f}"
    pull = f"{job.name}-pull.service"
    before = f"# A pull that failed stops no run.\nWants={pull}\nAfter={pull}\n" if job.pulls else ""
    service = f"""\
[Unit]
Description=Forecast of the model {job.model}
{ONLINE if job.remote else ""}{before}
[Service]
Type=oneshot
User={user}
# The colon: nothing is replaced by variables of the environment.
ExecStart=:{systemd_words(job.command)}
{_who(job)}TimeoutStartSec={limit}
# Exit code {MOVED}: done, and an outcome has moved; {RINGS}: done, and the alarm rings (--notify-if).
SuccessExitStatus={MOVED} {RINGS}
{walls(job.name, job.project, job.command, network=job.remote)}"""
    timer = f"""\
[Unit]
Description=Every day at {job.at:%H:%M} UTC: {job.name}.service

[Timer]
OnCalendar=*-*-* {job.at:%H:%M}:00 UTC
# A day on which the machine was off is made up for.
Persistent=yes

[Install]
WantedBy=timers.target
"""
    pulled = {pull: _pull_service(job, user)} if job.pulls else {}
    return {**pulled, f"{job.name}.service": service, f"{job.name}.timer": timer}


def _pull_service(job: Job, user: str) -> str:
    network = job.network or job.remote
    return f"""\
[Unit]
Description=Feeds for the model {job.model}
{ONLINE if network else ""}
[Service]
Type=oneshot
User={user}
# The colon: nothing is replaced by variables of the environment.
ExecStart=:{systemd_words(job.pull)}
{_who(job)}TimeoutStartSec={PULL_SECONDS}
{walls(job.name, job.project, job.pull, network=network)}"""


def _who(job: Job) -> str:
    return variables(job.name, "FORECAST_LEDGER, PGPASSFILE") if job.remote else ""


def variables(name: str, such: str) -> str:
    """Give the lines of a service that read variables, ``such`` as these, from a file of its own."""
    return f"# Variables, if there is such a file: {such}.\nEnvironmentFile=-/etc/{name}.env\n"


def walls(name: str, project: Path, command: Sequence[str], *, network: bool = False) -> str:
    """Give the lines of a service that keep its ``command`` from everything but the project, and from the network."""
    temporary = any({"tmp"} & {*PurePath(word).parts[1:3]} for word in command)
    return f"""\
# Compiled code and temporary files go here, for everything but the project is read-only.
CacheDirectory={name}
Environment=TMPDIR=%C/{name} NUMBA_CACHE_DIR=%C/{name}/numba
Environment=PYTENSOR_FLAGS=base_compiledir=%C/{name}/pytensor XDG_CACHE_HOME=%C/{name}
ReadWritePaths={systemd_words([str(project)])}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp={"no" if temporary else "yes"}
PrivateDevices=yes
{"RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6" if network else "PrivateNetwork=yes"}
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
# Not MemoryDenyWriteExecute: the model is compiled while the program runs.
"""


def systemd_words(words: Sequence[str]) -> str:
    """Quote words: backslashes and quotes escaped, and specifiers doubled."""
    return " ".join('"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"' for word in words)


# GitHub.


def _is_source(root: Path) -> bool:
    """Whether the repository holds this package's source beside the project."""
    return (root / "pins.txt").is_file() and (root / "pyproject.toml").is_file()


def _requirement(extra: str = "") -> str:
    """Give what pip installs this package from, with an ``extra`` such as ``[feeds]``.

    That is where it was installed from, if a runner can get it from there. A file or folder of this machine it cannot
    get; then it is a wheel in the repository.
    """
    origin: dict[str, Any] = json.loads(distribution(DISTRIBUTION).read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if not url:
        return f"{DISTRIBUTION}{extra}=={version(DISTRIBUTION)}"
    if url.startswith("file:"):
        return f"wheels/{DISTRIBUTION.replace('-', '_')}-{version(DISTRIBUTION)}-py3-none-any.whl{extra}"
    if source := origin.get("vcs_info"):
        url = f"{source['vcs']}+{url}@{source['commit_id']}"
    return f"{DISTRIBUTION}{extra} @ {url}"


def missing_wheel(root: Path) -> list[str]:
    """Say what a workflow in the repository ``root`` still needs: this package, if it was installed from a file."""
    wheel = _requirement()
    if _is_source(root) or not wheel.endswith(".whl") or "@" in wheel or (root / wheel).is_file():
        return []
    told = f"{DISTRIBUTION} was installed from this machine, where GitHub cannot get it; commit its wheel as {wheel}"
    return [f"{told} (in the source: python -m pip wheel --no-deps .)"]


_SECRETS = """\
        # Secrets of the repository; a FORECAST_LEDGER that is not there leaves the address to forecast.toml.
        env:
          FORECAST_LEDGER: ${{ secrets.FORECAST_LEDGER }}
          PGPASSWORD: ${{ secrets.PGPASSWORD }}
"""
_FILE = """\
      # The next run needs the archive in the ledger, to compare with and to be scored. Pull before you record a row,
      # for the ledger is one file.
      - name: Keep the report and the archive
"""
_REMOTE = """\
      # The archive is in PostgreSQL; what is known here of the head of its chain is kept, so that an older copy put in
      # its place is noticed.
      - name: Keep the report and the head of the ledger
"""


def github_files(job: Job, repository: Path | None) -> dict[str, str]:
    """Give a workflow, by file name; the project lies in the working tree ``repository``, or is one."""
    root = repository or job.project
    folder = job.project.relative_to(root).as_posix()
    require_plain("GitHub", (folder, *job.options), r"\$\{\{|[\r\n]")
    command = shlex.join(("forecast", "run", "--project", folder, *job.options))
    pinned = " ".join(f"{name}=={version(name)}" for name in PINNED)
    extras = ",".join(name for name, wanted in (("feeds", job.pulls), ("postgres", job.remote)) if wanted)
    extra = f"[{extras}]" if extras else ""
    source = f"--constraint pins.txt {shlex.quote(f'.{extra}')}"
    wanted = source if _is_source(root) else f"{shlex.quote(_requirement(extra))} {pinned}"
    secrets = _SECRETS if job.remote else ""
    cached, pull = '"**/data/*/fits"', ""
    if job.pulls:
        pull = f"""\
      # A pull that failed stops no run: the report says how old each feed is.
      - name: Pull feeds
        continue-on-error: true
{secrets}        run: {shlex.join(("forecast", "feed", "pull", "--project", folder, "--model", job.model))}
"""
        cached = "|\n" + "\n".join(f"            {path}" for path in CACHED)
    here, moved = shlex.quote(folder), shlex.quote(f"reports/{job.model}/moved.txt")
    kept = "data/ledger.head" if job.remote else "data/ledger.db data/ledger.db.head"
    minutes = 60 if job.timeout is None else int(job.timeout // 60) + 15
    workflow = f"""\
# Put this file into .github/workflows/ of the repository that holds the project.
name: {job.name}

on:
  schedule:
    - cron: "{job.at.minute} {job.at.hour} * * *"  # UTC
  workflow_dispatch:

permissions:
  contents: write

# One run at a time; none is cancelled half-way.
concurrency:
  group: {job.name}
  cancel-in-progress: false

jobs:
  forecast:
    runs-on: ubuntu-latest
    timeout-minutes: {minutes}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - name: Install
        run: python -m pip install {wanted}
      # {"Fits and what is kept of feeds" if job.pulls else "Fits"} can be made again, so they are only cached.
      - uses: actions/cache@v4
        with:
          path: {cached}
          key: {job.name}-${{{{ github.run_id }}}}
          restore-keys: {job.name}-
{pull}\
      # Exit code {MOVED}: done, and an outcome has moved; {RINGS}: done, and the alarm rings (--notify-if).
      - name: Forecast
        id: forecast
{secrets}        run: |
          code=0
          {command} || code=$?
          echo "code=$code" >> "$GITHUB_OUTPUT"
          test "$code" -eq 0 || test "$code" -eq {MOVED} || test "$code" -eq {RINGS}
      # Reports are committed and not uploaded: artifacts are deleted after 90 days.
{_REMOTE if job.remote else _FILE}        run: |
          git config user.name "github-actions[bot]"
          git config user.email "41898282+github-actions[bot]@users.noreply.github.com"
          cd {here}
          git add --force --all -- reports {kept} ':(exclude)reports/run.lock'
          git diff --cached --quiet || git commit --message "Forecast of $(date -u +%F)"
          git push
      - name: Say what moved
        if: steps.forecast.outputs.code == '{MOVED}' || steps.forecast.outputs.code == '{RINGS}'
        run: |
          cd {here}
          sed 's/^/::warning::/' {moved}
          cat {moved} >> "$GITHUB_STEP_SUMMARY"
"""
    return {f"{job.name}.yml": workflow}


def together(files: dict[str, str]) -> str:
    """Put files into one text, each under its name as a comment."""
    return "\n".join(f"# {name}\n{text}" for name, text in files.items())
