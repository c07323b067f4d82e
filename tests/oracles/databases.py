"""A PostgreSQL server for tests: one that is named, or one that is started from installed binaries, and stopped."""

from __future__ import annotations

import functools
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import sqlalchemy as sa
from filelock import FileLock
from needs import NAMED, require
from projects import shared

from forecast.ledger.address import read_address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from forecast.ledger.address import Address

HBA = "local all guarded scram-sha-256\nlocal all all trust\n"
QUICK = ("fsync=off", "full_page_writes=off", "max_connections=200")
SESSION = "FORECAST_TESTS_SESSION"  # a variable: the process that ends when the session does
# Where that process is killed, nothing else would stop its servers.
WATCH = """
while kill -0 $1 && kill -0 $2; do sleep 1; done
kill -0 $1 && exit
if [ "$(head -n 1 $3/data/postmaster.pid)" = $2 ]; then kill -QUIT $2; sleep 1; rm -rf $3; fi
"""
DURABLE = ("fsync=on", "wal_sync_method=fdatasync")


class Server:
    """A cluster of its own in a new folder, on a socket there; as root it runs as another user, as it must."""

    def __init__(self, settings: Iterable[str] = QUICK) -> None:
        """Lay the cluster out; it is not started."""
        self.binaries = Path(require("postgresql")).parent
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        self.data = self.home / "data"
        self._as: dict[str, object] = {}
        if os.geteuid() == 0:
            user = _unprivileged()
            os.chown(self.home, user.pw_uid, user.pw_gid)
            self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._call(
            "initdb", "--pgdata", self.data, "--username", "owner", "--auth", "trust", "--encoding", "UTF8",
            "--locale", "C", "--no-sync",
        )  # fmt: skip
        (self.data / "pg_hba.conf").write_text(HBA)
        lines = ["listen_addresses=''", f"unix_socket_directories='{self.home}'", "logging_collector=off", *settings]
        with (self.data / "postgresql.conf").open("a") as file:
            file.write("\n".join(lines) + "\n")

    @property
    def address(self) -> str:
        """The address of its owner."""
        return f"postgresql+psycopg://owner@/postgres?host={self.home}"

    def start(self) -> int:
        """Start it, and give its process when it answers."""
        command = [str(self.binaries / "postgres"), "-D", str(self.data)]
        with (self.home / "log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                **self._as,
            )  # fmt: skip
        self.process = process
        session = os.environ.get(SESSION, str(os.getpid()))
        watcher = subprocess.Popen(
            ["sh", "-c", WATCH, "watch", session, str(process.pid), str(self.home)],  # noqa: S607
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        watcher.returncode = 0  # it ends by itself
        ready = [str(self.binaries / "pg_isready"), "--quiet", "--host", str(self.home)]
        for _ in range(600):
            if subprocess.run(ready, check=False).returncode == 0:
                return process.pid
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError((self.home / "log").read_text())

    def kill(self) -> None:
        """Kill the server with all that serve its clients, as a machine that loses power; its files stay."""
        pid = self.process.pid
        children = _children(pid)
        for one in (pid, *children):
            with suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)
        self.process.wait()
        for one in children:
            while _is_there(one):
                time.sleep(0.005)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """Stop it, and remove its folder."""
        stop(self.process.pid, self.home)
        self.process.returncode = 0

    def _call(self, name: str, *arguments: object) -> None:
        command = [str(self.binaries / name), *map(str, arguments)]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, check=False, **self._as)
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)


def stop(pid: int, home: Path) -> None:
    """Stop the server ``pid`` at once, and remove its folder."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
        for _ in range(200):
            if not _is_there(pid):
                break
            time.sleep(0.02)
        else:
            os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    shutil.rmtree(home, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    message = "there is neither a user postgres nor nobody, and root may not run a server"
    raise RuntimeError(message)


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "--parent", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607
    return [int(line) for line in found.stdout.split()]


# One for all tests of a session.


@functools.cache
def address() -> str:
    """Give the address of a database in which schemas may be made: the one that is named, or of a server of our own.

    The first process of a session that asks starts it for all; the session stops it (`stop_shared`).
    """
    if named := os.environ.get(NAMED):
        return named
    require("postgresql")
    note = shared() / "postgresql.json"
    with FileLock(shared() / "postgresql.lock"):
        if not note.exists():
            server = Server()
            note.write_text(json.dumps([server.start(), str(server.home), server.address]))
            server.process.returncode = 0  # it is the session's from here on, and outlives this process
        return json.loads(note.read_text())[2]


def stop_shared(folder: Path) -> None:
    """Stop the server that the processes of a session share, if one of them has started it."""
    with suppress(FileNotFoundError):
        pid, home, _ = json.loads((folder / "postgresql.json").read_text())
        stop(pid, Path(home))


def address_in(schema: str, of: str | None = None) -> Address:
    """Give the address of a ledger in a schema."""
    base = of or address()
    return read_address(f"{base}{'&' if '?' in base else '?'}schema={schema}", "test")


def new_schema() -> str:
    """Name a schema that is not there yet."""
    return f"test_{uuid4().hex[:16]}"


def run_sql(*statements: str, of: str | None = None) -> list[tuple[object, ...]]:
    """Run statements one by one, as another program would; gives the rows of the last."""
    engine = sa.create_engine(read_address(of or address(), "test").url, poolclass=sa.pool.NullPool)
    found: list[tuple[object, ...]] = []
    with engine.connect() as connection:
        for statement in statements:
            done = connection.exec_driver_sql(statement)
            found = [tuple(row) for row in done] if done.returns_rows else []
        connection.commit()
    return found


def drop(schemas: Iterable[str]) -> None:
    """Remove schemas with all that is in them, from a server that stays."""
    for name in () if (shared() / "postgresql.json").exists() else schemas:
        run_sql(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
