"""Reports of a project: written beside the archive, whole or not at all, with an index of every issue."""

from __future__ import annotations

import json
from contextlib import contextmanager, nullcontext, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from forecast import jobs, report
from forecast.base.errors import ForecastError
from forecast.base.files import clear_drafts, make_folder, published, replace_file
from forecast.project.ledgers import ledger_place
from forecast.project.starter import starter_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from forecast.jobs.lock import RunLock
    from forecast.ledger.protocol import Ledger
    from forecast.record.post_mortem import PostMortem


REPORT_DATA = "forecast.json"
RESOLVED = "resolved"  # folder of the pages of resolved questions, beside those of the issues
REPORT_FILES = ("report.*", "*.svg", REPORT_DATA)  # names that files of a report have, in this version or another


class Reports:
    """The folder ``reports`` of the project at ``root``; what it shows is in the archive of ``ledger()``."""

    def __init__(self, root: Path, ledger: Callable[[], Ledger]) -> None:
        """Point at a project; its ledger is opened when it is needed."""
        self.root = root
        self._ledger = ledger

    @property
    def folder(self) -> Path:
        """Where the reports are."""
        return self.root / "reports"

    def folder_of(self, data: Mapping[str, Any]) -> Path:
        """Folder of one report, ``<model>/<as-of>``."""
        return self.folder / data["model"]["name"] / data["forecast"]["as_of"]

    @cached_property
    def _lock(self) -> RunLock:
        return jobs.RunLock(self.folder / "run.lock")

    @contextmanager
    def locked(self, now: dt.datetime) -> Generator[None]:
        """Be the one that writes, from ``now`` on; `BusyError` at once if another run is, on any machine.

        What a killed run left half done is cleared up first.
        """
        with self._lock.held(now) as first, ledger_place(self.root).run_lock() if first else nullcontext():
            if first:
                self.recover()
            yield

    @contextmanager
    def ready(self, data: dict[str, Any], words: str | None = None) -> Generator[Path]:
        """Write a report beside its place, and put it there when the block has done its work.

        So what cannot be written is never issued, and what is to be seen has been issued.

        Raises
        ------
        InputError
            If the report cannot be rendered or written; the last one stays as it was.

        """
        folder = self.folder_of(data)
        self._index()  # a faulty template is found before anything is issued
        with published(folder, report.render_files(data, self._templates, words), REPORT_FILES):
            yield folder
        self.write_index()

    def write(self, data: dict[str, Any], words: str | None = None) -> Path:
        """Write a report to its folder; what other files of a report are there is deleted.

        Terms for probabilities, ``words``, may follow the numbers (icd203).
        """
        with self.ready(data, words) as folder:
            return folder

    def write_post_mortems(self, found: Sequence[PostMortem]) -> list[Path]:
        """Write a page for each question looked back at, ``<model>/resolved/…``, and list them in the index.

        Raises
        ------
        InputError
            If one cannot be rendered or written.

        """
        pages: dict[Path, bytes] = {}
        for one in found:
            data = one.to_dict()
            path = self.folder / one.model / RESOLVED / report.post_mortem_name(data)
            pages[path] = report.render_post_mortem(data, self._templates).encode()
        for path, content in pages.items():
            make_folder(path.parent)
            replace_file(path, content)
        self.write_index()
        return list(pages)

    def write_index(self) -> Path:
        """Write ``index.html``, which lists every model and issue.

        Raises
        ------
        InputError
            If it cannot be rendered or written.

        """
        path = self.folder / "index.html"
        make_folder(path.parent)
        replace_file(path, self._index())
        return path

    def recover(self) -> None:
        """Clear up after a killed run: drafts, and the report of the last issue if it was not written."""
        clear_drafts(self.root)
        with suppress(ForecastError):  # whatever is wrong, the run that comes now meets it or does not need it
            if not ledger_place(self.root).begun():
                return
            issued = self._ledger().latest_forecast()
            if issued is None:
                return
            data = json.loads(issued.content)
            try:
                shown = json.loads((self.folder_of(data) / REPORT_DATA).read_bytes())
            except (OSError, ValueError, RecursionError):
                shown = None
            if shown != data:
                self.write(data)

    @property
    def _templates(self) -> list[Path]:
        """Folders of the templates: the project's own, and for what it lacks those that come with the package."""
        return [root / "reports" / "templates" for root in (self.root, starter_folder())]

    def _index(self) -> bytes:
        models = report.index_data(self._ledger().headings())
        for model in models:
            pages = (self.folder / model["name"] / RESOLVED).glob("*.html")
            model["resolved"] = sorted((f"{model['name']}/{RESOLVED}/{path.name}" for path in pages), reverse=True)
        return report.render_index(models, self._templates).encode()
