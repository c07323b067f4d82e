"""The drawing library is put together once on a machine; what is kept and broken is not used."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from forecast.base.errors import InputError
from forecast.report import drawing_library as library
from forecast.report.drawing_library import Library, kept_library

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = "window.vegaEmbed = 'é';"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the library elsewhere, and know of none; no process puts it together."""
    monkeypatch.setattr(library, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(library, "_started", lambda: None)
    return _begin_anew(monkeypatch, SCRIPT)


def _begin_anew(monkeypatch: pytest.MonkeyPatch, script: str | None) -> Path:
    """Forget what this process has read; from now on ``script`` is what putting together gives, or it fails."""
    monkeypatch.setattr(Library, "_read", [])
    monkeypatch.setattr(library, "_bundled", lambda: script or pytest.fail("it was put together again"))
    return kept_library()


def test_what_is_kept_is_not_put_together_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process reads what the first has kept."""
    assert Library().text() == SCRIPT
    assert place.exists()
    _begin_anew(monkeypatch, None)
    assert Library().text() == SCRIPT


@pytest.mark.parametrize("kept", [b"", b"\xff\n", b"0" * 64 + b"\n" + SCRIPT.encode(), SCRIPT.encode()])
def test_what_is_broken_is_not_used(place: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes) -> None:
    """What is not whole is put together again, and put in its place."""
    place.parent.mkdir(parents=True)
    place.write_bytes(kept)
    assert Library().text() == SCRIPT
    _begin_anew(monkeypatch, None)
    assert Library().text() == SCRIPT


def test_where_nothing_may_be_written_it_is_put_together_each_time(place: Path) -> None:
    """A place that cannot be made keeps nobody from a page."""
    place.parents[1].mkdir(parents=True, exist_ok=True)
    place.parent.write_text("a file where the folder would be")
    assert Library().text() == SCRIPT


def test_a_script_that_would_end_its_element_is_refused_and_not_kept(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could stand in no page."""
    _begin_anew(monkeypatch, "'</script>'")
    with pytest.raises(InputError, match="cannot stand in a page"):
        Library().text()
    assert not place.exists()
