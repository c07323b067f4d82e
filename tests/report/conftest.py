"""What tests of reports share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import vl_convert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DRAW, COMPILE = vl_convert.vega_to_svg, vl_convert.vegalite_to_vega
drawn: dict[tuple[Callable[..., Any], str], Any] = {}


def _once(make: Callable[..., Any]) -> Callable[..., Any]:
    def made(spec: Any) -> Any:
        key = make, json.dumps(spec)
        if key not in drawn:
            drawn[key] = make(spec)
        return drawn[key]

    return made


@pytest.fixture(scope="module", autouse=True)
def _drawn_once() -> Iterator[None]:
    """Draw a specification once, however many reports have the picture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "vega_to_svg", _once(DRAW))
        patch.setattr(vl_convert, "vegalite_to_vega", _once(COMPILE))
        yield


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw every time, where it is tried that a picture comes out the same."""
    monkeypatch.setattr(vl_convert, "vega_to_svg", DRAW)
    monkeypatch.setattr(vl_convert, "vegalite_to_vega", COMPILE)
