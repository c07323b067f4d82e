"""Feeds of a dataset: its feed files, and their ways into the ledger."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING

from forecast import feeds, jobs
from forecast.base.clock import local_day
from forecast.base.errors import InputError
from forecast.base.files import make_folder, replace_file

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from forecast.feeds.download import Downloaded
    from forecast.feeds.health import FeedAge, Health
    from forecast.feeds.pull import Feed, Pulled
    from forecast.feeds.suggestions import Suggestion, Verdict
    from forecast.inference.model import Model
    from forecast.ledger.check import Vocabulary
    from forecast.ledger.issued import Added
    from forecast.project.dataset import Dataset


FOLDER = "feeds"


def feeds_folder(root: Path, model: Model) -> Path:
    """Folder of the feed files of a model's dataset, in the project at ``root``."""
    return root / "data" / model.spec.model.dataset / FOLDER


class Feeds:
    """The feeds in ``data/<dataset>/feeds/``."""

    def __init__(self, dataset: Dataset, locked: Callable[[], AbstractContextManager[None]]) -> None:
        """Point at the feeds of a dataset; ``locked()`` holds the project's lock."""
        self.dataset = dataset
        self._locked = locked
        self.folder = dataset.folder / FOLDER

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the feed files, sorted."""
        return tuple(feeds.feed_files(self.folder))

    @cached_property
    def _today(self) -> dt.date:
        return local_day(self.dataset.now)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return self.dataset.vocabulary()

    def get(self, name: str) -> Feed:
        """Read a feed; `FeedFileError` if its file has faults, `InputError` if there is none."""
        _require_own_name(name, self.folder)
        path = feeds.find_feed(self.folder, name)
        file = feeds.load_feed(path)
        known = self._vocabulary
        feeds.require_channels(path, file, known.channels, known.indicators)
        return feeds.Feed(name=name, path=path, file=file)

    def chosen(self, name: str | None = None) -> tuple[Feed, ...]:
        """Read one feed, or all whose files are good; errors are those of `get` where there is none such.

        Two feeds that count one channel are an error too.
        """
        if name is None and not self.names:
            msg = f"{self.folder}: there is no feed; `forecast feed add` writes the file of one"
            raise InputError(msg)
        listed = {name: self.get(name)} if name else self.listed()
        found = {key: feed for key, feed in listed.items() if not isinstance(feed, InputError)}
        if not found:
            raise next(one for one in listed.values() if isinstance(one, InputError))
        feeds.require_own_channels({key: feed.file for key, feed in found.items()})
        return tuple(found.values())

    def faults(self) -> list[str]:
        """Say what is wrong with the files of feeds; they stop no other feed."""
        return [str(one) for one in self.listed().values() if isinstance(one, InputError)]

    def listed(self) -> dict[str, Feed | InputError]:
        """Every feed, or the fault of its file."""
        found: dict[str, Feed | InputError] = {}
        for name in self.names:
            try:
                found[name] = self.get(name)
            except InputError as error:
                found[name] = error
        return found

    def add(self, kind: str, name: str, where: str) -> Path:
        """Write a new feed file from the template of its kind; `InputError` if there is one of that name."""
        _require_own_name(name, self.folder)
        text = feeds.blank_feed(kind, name, where, self._vocabulary.start)
        path = self.folder / f"{name}.toml"
        if path.exists():
            msg = f"{path}: is there already; choose another name, or edit it"
            raise InputError(msg)
        make_folder(self.folder)
        replace_file(path, text.encode())
        return path

    def pull(self, name: str | None = None, *, dry_run: bool = False) -> tuple[Pulled, ...]:
        """Bring one feed, or all, up to date; a ``dry_run`` downloads and records nothing.

        The project's lock is held to take files in, and not while they are downloaded, which can take long; two pulls
        do not download one feed at once. `BusyError` if another process holds what is needed; what was downloaded stays
        for the next pull.
        """
        log, dataset, now = self.dataset.ledger, self.dataset.name, self.dataset.now
        chosen = self.chosen(name)
        got = {} if dry_run else {feed.name: self._downloaded(feed) for feed in chosen if feed.file.feed.url}
        with nullcontext() if dry_run else self._locked():
            return tuple(
                feeds.pull_feed(
                    feed, log, dataset, now=now, today=self._today, downloaded=got.get(feed.name), dry_run=dry_run
                )
                for feed in chosen
            )

    def _downloaded(self, feed: Feed) -> Downloaded:
        with jobs.RunLock(feed.files / ".lock").held(self.dataset.now):
            return feeds.download_feed(feed, self.dataset.now)

    def verify(self, name: str | None = None) -> tuple[Health, ...]:
        """Say how one feed, or each, does."""
        return tuple(feeds.check_feed(feed, self._today) for feed in self.chosen(name))

    def ages(self, as_of: dt.date | None = None) -> tuple[FeedAge, ...]:
        """Say how old each feed was on a day, today by default."""
        return feeds.feed_ages(self.chosen(), as_of or self._today) if self.names else ()

    def suggestions(self, name: str | None = None) -> tuple[Suggestion, ...]:
        """List the events of one feed, or of all, that wait for a decision, the newest first.

        What programs proposed is a feed of its own, `feeds.PROPOSALS`.
        """
        entries = self.dataset.entries()
        found = [*feeds.open_proposals(self._proposals, entries)] if name in {None, feeds.PROPOSALS} else []
        for feed in self._suggesting(name, lonely=self._proposals.is_dir()):
            found += feeds.suggest_sightings(feed.name, feed.file, feed.store(), entries)
        return tuple(sorted(found, key=lambda one: one.day, reverse=True))

    @property
    def _proposals(self) -> Path:
        return self.folder / feeds.PROPOSALS

    def _suggesting(self, name: str | None, *, lonely: bool) -> tuple[Feed, ...]:
        """Give the feeds whose events are meant; proposals may be ``lonely``, without a feed that can be read."""
        if name == feeds.PROPOSALS:
            return ()
        if name is None and lonely and all(isinstance(one, InputError) for one in self.listed().values()):
            return ()
        return self.chosen(name)

    def propose(self, cells: Mapping[str, str], coded_by: str) -> tuple[Suggestion, bool]:
        """Let a sighting that a program proposes wait for an analyst; give it, and whether it is new.

        ``cells`` are those of `feeds.read_proposal`. Nothing is written into the ledger. `InputError` if it cannot be
        used, is recorded or was rejected, or too many wait.
        """
        one = feeds.read_proposal(cells, coded_by, self._vocabulary, self._today)
        return feeds.keep_proposal(self._proposals, one, self.dataset.entries())

    def accept(self, name: str, event: str, indicator: str | None, verdict: Verdict) -> Added:
        """Make a row of a suggestion."""
        file = None if name == feeds.PROPOSALS else self.get(name).file
        one = feeds.find_suggestion(self.suggestions(name), event, indicator)
        row = feeds.accept_suggestion(one, file, verdict, self._vocabulary)
        return self.dataset.ledger.add(self.dataset.name, [row], now=self.dataset.now)

    def reject(self, name: str, event: str, indicator: str | None, reason: str) -> Suggestion:
        """Remember that a suggestion is no sighting."""
        one = feeds.find_suggestion(self.suggestions(name), event, indicator)
        folder = self._proposals if name == feeds.PROPOSALS else self.get(name).folder
        feeds.reject_suggestion(one, folder, reason, self._today)
        return one


def _require_own_name(name: str, folder: Path) -> None:
    """Make sure that a feed is not called as what programs propose is."""
    if name == feeds.PROPOSALS:
        msg = f"{folder}: {name!r} is the feed of what programs propose and has no file; give yours another name"
        raise InputError(msg)
