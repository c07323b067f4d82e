"""Pictures of reports, drawn once: drawing them takes most of the time that a report takes."""

from __future__ import annotations

import json
from contextlib import contextmanager
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


@contextmanager
def drawn_once() -> Iterator[None]:
    """Draw a specification once, however many reports have the picture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "vega_to_svg", _once(DRAW))
        patch.setattr(vl_convert, "vegalite_to_vega", _once(COMPILE))
        yield
