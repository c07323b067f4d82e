"""Downloading a feed's files: only from the address that its file names, over https, resumable and within limits.

A file is written as a hidden part and gets its name when it is whole. A part is gone on with where the server says that
the file is still the same.
"""

from __future__ import annotations

import datetime as dt
import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from forecast.base.errors import InputError
from forecast.base.files import make_folder, replace_file
from forecast.feeds.feed_file import LOCAL

try:
    import httpx
except ImportError as lacking:
    MESSAGE = "downloading feeds needs the extra for them: pip install 'scenario-cascade[feeds]'"
    raise InputError(MESSAGE) from lacking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from forecast.feeds.feed_file import FeedFile


TIMEOUT = 30.0  # seconds without a byte
AGENT = "scenario-cascade"
QUARTER = dt.timedelta(minutes=15)
MISSING = {403, 404, 410}  # what servers say of a file that is not there, or not yet
PARTIAL, WHOLE, NO_SUCH_RANGE = 206, 200, 416


class Downloaded(NamedTuple):
    """What a download gave: names of ``files``, ``bytes``, addresses that are ``missing``, and why it ``stopped``."""

    files: tuple[str, ...] = ()
    bytes: int = 0
    missing: tuple[str, ...] = ()
    stopped: str = ""


class _StoppedError(Exception):
    """Nothing more can be got now; the message says why."""


def addresses(feed: FeedFile, now: dt.datetime) -> Iterator[tuple[str, str]]:
    """Give the name and the address of each file that should be there by ``now`` (UTC), oldest first."""
    url = feed.feed.url or ""
    for moment in _moments(feed, now):
        parts = {
            "stamp": f"{moment:%Y%m%d%H%M%S}", "date": f"{moment:%Y-%m-%d}", "day": f"{moment:%Y%m%d}",
            "year": f"{moment:%Y}", "yy": f"{moment:%y}", "month": f"{moment:%m}", "m": str(moment.month),
        }  # fmt: skip
        address = url.format_map(parts)
        yield urlsplit(address).path.rpartition("/")[2] or f"{feed.feed.kind}-{parts['date']}", address


def download(feed: FeedFile, folder: Path, have: Collection[str], now: dt.datetime) -> Downloaded:
    """Get the files that are not in ``have`` or in ``folder``; what cannot be got is for the next time."""
    make_folder(folder)
    wanted = [(name, url) for name, url in addresses(feed, now) if name not in have and not (folder / name).exists()]
    files, missing, size, stopped = list[str](), list[str](), 0, ""
    limit = feed.feed.most_megabytes * 1_000_000
    with httpx.Client(
        timeout=TIMEOUT, headers={"User-Agent": AGENT}, follow_redirects=True, event_hooks={"request": [_require_safe]}
    ) as client:
        for name, url in wanted:
            if len(files) + len(missing) == feed.feed.most_files:
                stopped = f"`most_files` = {feed.feed.most_files:,} is reached; the next pull goes on"
                break
            try:
                got = _get(client, url, folder / name, limit - size)
            except _StoppedError as error:
                stopped = str(error)
                break
            except httpx.HTTPError as error:
                stopped = f"{url}: cannot be got ({str(error) or type(error).__name__}); the next pull goes on"
                break
            if got is None:
                missing.append(url)
            else:
                files.append(name)
                size += got
    return Downloaded(tuple(files), size, tuple(missing), stopped)


def _moments(feed: FeedFile, now: dt.datetime) -> Iterator[dt.datetime]:
    """Give the moments, in UTC, at which a file begins, of those that should be there."""
    first, until = feed.window.from_, feed.window.until or now.date()
    moment = dt.datetime.combine(first, dt.time(), dt.UTC)
    end = min(now, dt.datetime.combine(until + dt.timedelta(days=1), dt.time(), dt.UTC))
    lag = dt.timedelta(days=feed.lag_days)
    match feed.every:
        case "15 minutes":
            while moment + QUARTER <= end:
                yield moment
                moment += QUARTER
        case "day" | "week" as every:
            step = dt.timedelta(days=7 if every == "week" else 1)
            moment -= dt.timedelta(days=moment.weekday() if every == "week" else 0)
            while moment + step + lag <= now and moment < end:
                yield moment
                moment += step
        case _:
            moment = moment.replace(day=1)
            while (following := (moment + dt.timedelta(days=31)).replace(day=1)) + lag <= now and moment < end:
                yield moment
                moment = following


def _require_safe(request: httpx.Request) -> None:
    """Refuse what is not encrypted, also where a server leads on to it."""
    if request.url.scheme != "https" and request.url.host not in LOCAL:
        msg = f"{request.url}: is not https, and nothing is got from there; mend `feed.url`"
        raise _StoppedError(msg)


def _get(client: httpx.Client, url: str, path: Path, most: int) -> int | None:
    """Get one file and give how many bytes came; None if it is not there."""
    part, tag = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.tag")
    begun = part.stat().st_size if part.exists() and tag.exists() else 0
    headers = {"Range": f"bytes={begun}-", "If-Range": tag.read_text(encoding="ascii")} if begun else {}
    with client.stream("GET", url, headers=headers) as answer:
        if answer.status_code in MISSING:
            return None
        if answer.status_code == NO_SUCH_RANGE:
            _forget(part, tag)
            msg = f"{url}: what was got of it is no part of it any more; the next pull gets it anew"
            raise _StoppedError(msg)
        if answer.status_code not in {WHOLE, PARTIAL}:
            msg = f"{url}: the server says {answer.status_code} {answer.reason_phrase}; the next pull goes on"
            raise _StoppedError(msg)
        part_sent = answer.headers.get("Content-Range", "")
        goes_on = answer.status_code == PARTIAL and part_sent.startswith(f"bytes {begun}-")
        before = begun if goes_on else 0
        size = int(answer.headers.get("Content-Length", -1))
        if size > most:
            msg = f"{url}: its {size:,} bytes are beyond `most_megabytes` of a pull; allow more, or pull again"
            raise _StoppedError(msg)
        _remember(tag, answer)
        came = _write(answer, part, "ab" if goes_on else "wb", most)
    if 0 <= size != came and "Content-Encoding" not in answer.headers:
        msg = f"{url}: broke off after {before + came:,} of {before + size:,} bytes; the next pull goes on from there"
        raise _StoppedError(msg)
    part.replace(path)
    _forget(part, tag)
    return came


def _write(answer: httpx.Response, part: Path, mode: str, most: int) -> int:
    came = 0
    try:
        with part.open(mode) as file:
            for chunk in answer.iter_raw():
                came += len(chunk)
                if came > most:
                    msg = f"{answer.url}: is beyond `most_megabytes` of a pull; allow more, or pull again"
                    raise _StoppedError(msg)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        msg = f"{part}: cannot be written ({error.strerror}); free some space or mend its permissions"
        raise InputError(msg) from error
    return came


def _remember(tag: Path, answer: httpx.Response) -> None:
    """Keep what tells whether the file is still the same when it is gone on with; a weak tag does not."""
    mark = answer.headers.get("ETag", "")
    mark = mark if mark and not mark.startswith("W/") else answer.headers.get("Last-Modified", "")
    if mark.isascii() and mark:
        replace_file(tag, mark.encode("ascii"))
    else:
        _forget(tag)


def _forget(*paths: Path) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
