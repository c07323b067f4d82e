"""Every key of a model file is explained, with an example that is good, and the page and the schema hold them all."""

from __future__ import annotations

import functools
import tomllib
from typing import Annotated, Any

import pytest
from pydantic import Field, TypeAdapter

from docs.builder.model_file import TABLES, Key, keys, model_file_page, toml
from forecast.theory import spec
from forecast.theory.spells import Spell
from forecast.theory.tables import Table

KEYS = [(name, key) for name, of in TABLES.items() for key in keys(of)]


def _kinds(of: type[Table]) -> set[type[Table]]:
    return {kind for direct in of.__subclasses__() for kind in (direct, *_kinds(direct))}


def test_every_table_has_its_section() -> None:
    """No table of the specification is left out of the page."""
    assert spec.ModelSpec in TABLES.values()
    assert {kind for kind in _kinds(Table) if kind.__module__.startswith("forecast.theory")} == set(TABLES.values())
    assert not issubclass(Spell, Table)


@pytest.mark.parametrize(("table", "key"), KEYS, ids=[f"{name} {key.name}" for name, key in KEYS])
def test_every_key_is_explained_with_an_example_that_is_good(table: str, key: Key) -> None:
    """The example on the page is TOML that the specification takes for this key."""
    assert key.field.description
    head = f"| `{key.name}` | {key.field.description} |"
    (line,) = (row for row in _section(table).splitlines() if row.startswith(head))
    example = line.rsplit(" | ", 1)[1].removesuffix(" |").strip("`")
    value = tomllib.loads(f"value = {example}")["value"]
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[key.field.annotation, Field(), *key.field.metadata])
    assert adapter.validate_python(value) is not None
    assert toml(value) == example


@functools.cache
def _page() -> str:
    return model_file_page()


def _section(table: str) -> str:
    head = f"`{table}`" if table.startswith("[") else table
    return _page().split(f"\n## {head}\n")[1].split("\n## ")[0]


def test_a_changed_description_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is made from the fields: another description is another page."""
    field = spec.Header.model_fields["title"]
    monkeypatch.setattr(field, "description", "Another one.")
    assert "| `title` | Another one. |" in model_file_page()
