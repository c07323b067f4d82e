"""The models of a project, without the rest of it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from year import lay_out

from forecast.base.errors import InputError
from forecast.project.models import Models

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def models(tmp_path: Path) -> Models:
    """Give the models of a project with one."""
    lay_out(tmp_path)
    return Models(tmp_path, lambda: dt.datetime(2026, 1, 8, 12, tzinfo=dt.UTC))


def test_a_model_is_read_once(models: Models) -> None:
    """It is found by its name, and without one where it is alone; each time the same object."""
    assert models.names == ("tiny",)
    assert models.get("tiny") is models.get() is models.get("tiny")
    assert models.default == "tiny"


def test_an_unknown_name_is_refused(models: Models) -> None:
    """The message has the nearest name."""
    with pytest.raises(InputError, match="did you mean 'tiny'"):
        models.get("tyny")


def test_the_vocabulary_is_that_of_the_files(models: Models) -> None:
    """Rows may name the indicators and states of the models, until today."""
    found = models.vocabulary("tiny", dt.date(2025, 2, 1))
    assert found.indicators.keys() == {"shot", "march", "pact", "flood"}
    assert found.states["near"] == ("calm", "tense")
    assert found.today == dt.date(2025, 2, 1)
