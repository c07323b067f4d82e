"""What tests of reports share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import vl_convert
from pictures import COMPILE, DRAW, drawn_once

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", autouse=True)
def _drawn_once() -> Iterator[None]:
    """Draw a specification once, however many reports have the picture."""
    with drawn_once():
        yield


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw every time, where it is tried that a picture comes out the same."""
    monkeypatch.setattr(vl_convert, "vega_to_svg", DRAW)
    monkeypatch.setattr(vl_convert, "vegalite_to_vega", COMPILE)
