"""Downloading: from the address of the feed file only, over https, gone on with where it broke off, within limits."""

from __future__ import annotations

import datetime as dt
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar

import pytest
from coded_events import GDELT, Coded, feed_of, gdelt_content, zipped
from projects import fresh

import forecast
from forecast.base.errors import BusyError
from forecast.feeds.download import addresses, download
from forecast.feeds.feed_file import FeedFileError
from forecast.jobs.lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.feeds.feed_file import FeedFile

LATER = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
NOON = dt.datetime(2025, 12, 1, 1, 5, tzinfo=dt.UTC)
STAMPS = ("20251201000000", "20251201001500", "20251201003000", "20251201004500")
NAMES = tuple(f"{stamp}.export.CSV.zip" for stamp in STAMPS)
FILES = {
    name: zipped(gdelt_content([Coded(k, "20251201", link="https://example.org/" + "a" * 5000)], stamp), "a.CSV")
    for k, (name, stamp) in enumerate(zip(NAMES, STAMPS, strict=True))
}


SIGHTING = '[sightings.entry_ban]\nsource = ["RUS"]\ntarget = ["AZE"]\ncodes = ["163"]\n'


class Server(BaseHTTPRequestHandler):
    """Serves `FILES` from memory, in parts where asked; breaks off, fails or leads elsewhere where it is told to."""

    files: ClassVar[dict[str, bytes]] = {}
    breaks: ClassVar[dict[str, int]] = {}  # bytes of a name after which the connection is cut, once
    moved: ClassVar[dict[str, str]] = {}
    tags: ClassVar[dict[str, str]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        name = self.path.rpartition("/")[2]
        asked = self.headers.get("Range", "")
        self.asked.append((name, asked))
        if name in self.moved:
            self.send_response(302)
            self.send_header("Location", self.moved[name])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if name not in self.files:
            self.send_error(404)
            return
        content, tag = self.files[name], self.tags.get(name, '"one"')
        begin = 0
        if asked and self.headers.get("If-Range") == tag:
            begin = int(asked.removeprefix("bytes=").partition("-")[0])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(content) - begin))
        self.end_headers()
        until = self.breaks.pop(name, len(content))
        self.wfile.write(content[begin:until])
        if until < len(content):
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class QuietServer(ThreadingHTTPServer):
    """Says nothing of connections that a client leaves."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """Serve on this machine."""
    Server.files, Server.breaks, Server.moved, Server.tags = dict(FILES), {}, {}, {}
    Server.asked.clear()
    with QuietServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def from_address(address: str, folder: Path, more: str = "") -> FeedFile:
    """Make a feed that downloads."""
    text = GDELT.replace('folder = "files"', f'url = "{address}/v2/{{stamp}}.export.CSV.zip"\n{more}')
    return feed_of(text, folder)


def test_every_quarter_of_an_hour_has_its_address(address: str, tmp_path: Path) -> None:
    """The files of the window that should be there by now are got, whole and under their names."""
    feed = from_address(address, tmp_path)
    assert [name for name, _ in addresses(feed, NOON)] == list(NAMES)
    got = download(feed, tmp_path / "got", (), NOON)
    assert (got.files, got.missing, got.stopped) == (NAMES, (), "")
    assert {path.name: path.read_bytes() for path in (tmp_path / "got").iterdir()} == FILES


def test_what_is_there_is_not_asked_for(address: str, tmp_path: Path) -> None:
    """Files that were taken in, or lie in the folder, are left alone; what is not there yet is counted."""
    del Server.files[NAMES[3]]
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / NAMES[1]).write_bytes(b"mine")
    got = download(from_address(address, tmp_path), tmp_path / "got", {NAMES[0]}, NOON)
    assert got.files == (NAMES[2],)
    assert [url.rpartition("/")[2] for url in got.missing] == [NAMES[3]]
    assert [name for name, _ in Server.asked] == [NAMES[2], NAMES[3]]
    assert (tmp_path / "got" / NAMES[1]).read_bytes() == b"mine"


def test_a_file_that_broke_off_is_gone_on_with(address: str, tmp_path: Path) -> None:
    """The next pull asks for the rest alone; until then no part of it has the name of a file."""
    Server.breaks = {NAMES[1]: 100}
    feed = from_address(address, tmp_path)
    first = download(feed, tmp_path / "got", (), NOON)
    assert first.files == (NAMES[0],)
    assert NAMES[1] in first.stopped
    assert [path.name for path in (tmp_path / "got").iterdir() if path.name[0] != "."] == [NAMES[0]]
    second = download(feed, tmp_path / "got", (), NOON)
    assert second.files == NAMES[1:]
    assert (NAMES[1], "bytes=100-") in Server.asked
    assert {path.name: path.read_bytes() for path in (tmp_path / "got").iterdir()} == FILES


def test_a_file_that_changed_meanwhile_is_got_anew(address: str, tmp_path: Path) -> None:
    """A part of another version is no part of this one."""
    Server.breaks = {NAMES[0]: 100}
    feed = from_address(address, tmp_path)
    download(feed, tmp_path / "got", (), NOON)
    Server.files[NAMES[0]] = FILES[NAMES[3]]
    Server.tags = {NAMES[0]: '"two"'}
    assert download(feed, tmp_path / "got", (), NOON).files == NAMES
    assert (tmp_path / "got" / NAMES[0]).read_bytes() == FILES[NAMES[3]]


def test_limits_hold(address: str, tmp_path: Path) -> None:
    """No more files than allowed are got at one pull, and none that is beyond the megabytes; the next goes on."""
    feed = from_address(address, tmp_path, "most_files = 3")
    got = download(feed, tmp_path / "got", (), NOON)
    assert got.files == NAMES[:3]
    assert "`most_files` = 3 is reached" in got.stopped
    assert download(feed, tmp_path / "got", (), NOON).files == NAMES[3:]
    Server.files[NAMES[0]] = b"0" * 1_000_001
    small = download(from_address(address, tmp_path, "most_megabytes = 1"), tmp_path / "small", (), NOON)
    assert small.files == ()
    assert "its 1,000,001 bytes are beyond `most_megabytes`" in small.stopped


def test_nothing_is_got_without_encryption(address: str, tmp_path: Path) -> None:
    """Neither a feed file nor a server can lead to plain http elsewhere."""
    with pytest.raises(FeedFileError, match="`url` needs an https address"):
        from_address("http://example.org", tmp_path)
    Server.moved = {NAMES[0]: "http://example.org/a"}
    got = download(from_address(address, tmp_path), tmp_path / "got", (), NOON)
    assert got.files == ()
    assert "http://example.org/a: is not https" in got.stopped


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Without a network what was got stays, and the reason is said."""
    got = download(from_address("http://127.0.0.1:9", tmp_path), tmp_path / "got", (), NOON)
    assert got.files == ()
    assert "cannot be got" in got.stopped


@pytest.mark.parametrize(
    ("every", "template", "names"),
    [
        ("day", "a-{date}.csv", ["a-2025-12-01.csv", "a-2025-12-02.csv"]),
        ("week", "a-{day}.csv", ["a-20251201.csv"]),
        ("month", "v{yy}_0_{m}.csv", ["v25_0_12.csv"]),
    ],
)
def test_other_paces_have_addresses_too(every: str, template: str, names: list[str], tmp_path: Path) -> None:
    """A file is asked for when its days have passed, and its lag; the last is that of the day of asking."""
    text = GDELT.replace('folder = "files"', f'url = "https://example.org/{template}"\nevery = "{every}"\nlag_days = 2')
    moments = {"day": dt.datetime(2025, 12, 5), "week": dt.datetime(2025, 12, 10), "month": dt.datetime(2026, 1, 3)}  # noqa: DTZ001
    found = [name for name, _ in addresses(feed_of(text, tmp_path), moments[every].replace(tzinfo=dt.UTC))]
    assert found == names
    assert names[-1] not in dict(addresses(feed_of(text, tmp_path), moments[every].replace(tzinfo=dt.UTC, day=2)))


def test_a_download_does_not_hold_the_lock_of_the_project(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others can run while files come; to take them in the lock is held, and one that is busy loses no file."""
    root = fresh(tmp_path)
    folder = root / "data" / "russia_azerbaijan" / "feeds"
    for path in folder.glob("*.toml"):
        path.unlink()
    text = GDELT.replace('folder = "files"', f'url = "{address}/v2/{{stamp}}.export.CSV.zip"').replace(
        "[channels", "until = 2025-12-01\n[channels", 1
    )
    (folder / "coded.toml").write_text(text.partition("[channels")[0] + SIGHTING, encoding="utf-8")
    project = forecast.open(root)
    of, lock, free = project.feeds(project.model(), now=LATER), root / "reports" / "run.lock", list[bool]()
    get = Server.do_GET

    def serve(self: Server) -> None:
        with RunLock(lock).held(NOON) as first:
            free.append(first)
        with pytest.raises(BusyError, match=r"files/\.lock: another run holds"):
            of.pull()
        get(self)

    monkeypatch.setattr(Server, "do_GET", serve)
    assert [one.downloaded.files for one in of.pull() if one.downloaded] == [NAMES]
    assert free == [True] * 96
    monkeypatch.setattr(Server, "do_GET", get)
    shutil.rmtree(folder / "coded")
    with RunLock(lock).held(NOON), pytest.raises(BusyError, match=r"run\.lock: another run holds"):
        of.pull()
    assert {path.name for path in (folder / "coded" / "files").glob("*.zip")} == set(NAMES)
    (pulled,) = of.pull()
    assert pulled.downloaded is not None
    assert (pulled.downloaded.files, len(pulled.intake.new)) == ((), len(NAMES))
