"""Projects of these tests share what is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from projects import compiled_once

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _compiled_once() -> Iterator[None]:
    """Compile each version of a model once for all these tests."""
    with compiled_once():
        yield
