"""``model-file.md``: every key of a model file, from the specification."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from docs.builder.markdown import code, page, para, table
from forecast.theory.blank import blank_model
from forecast.theory.channels import Channel, ChannelClass
from forecast.theory.indicators import (
    ClassPrior,
    DeparturePrior,
    DiagnosticityPrior,
    GradePrior,
    Indicator,
    Priors,
    Sign,
)
from forecast.theory.outcomes import Conditional, Outcome, Rule
from forecast.theory.spec import Expert, Header, ModelSpec
from forecast.theory.stages import Effect, Stage, Transition, Units
from forecast.theory.tables import NO_BASIS, Basis, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

BLANK_DAY = dt.date(2026, 1, 8)
BLANK_STAGES = {"outbreak": ("local", "spreading"), "hospitals": ("calm", "strained", "full")}
TABLES: dict[str, type[BaseModel]] = {
    "The file": ModelSpec, "[model]": Header, "[sources.NAME]": Source, "[stages.NAME]": Stage,
    "[[stages.NAME.transitions]]": Transition, "[stages.NAME.effects.NAME]": Effect, "[stages.NAME.units]": Units,
    "[indicators.NAME]": Indicator, "[[indicators.NAME.signs]]": Sign, "[channels.NAME]": Channel,
    "[outcomes.NAME]": Outcome, "[[outcomes.NAME.resolves]]": Rule, "[[conditionals]]": Conditional, "[priors]": Priors,
    "[priors.classes.NAME]": ClassPrior, "[priors.grades]": GradePrior, "[priors.departure]": DeparturePrior,
    "[priors.diagnosticity]": DiagnosticityPrior, "[priors.channels.NAME]": ChannelClass,
    "[[experts]]": Expert, "[[….basis]]": Basis,
}  # fmt: skip


class Key(NamedTuple):
    """One key of a table."""

    name: str
    field: FieldInfo
    schema: dict[str, Any]

    @property
    def example(self) -> Any:  # noqa: ANN401 - TOML
        """The value of its example."""
        (value,) = self.field.examples or ()
        return value


def keys(of: type[BaseModel]) -> Iterator[Key]:
    """Every key of a table, in the order of the specification."""
    schema = of.model_json_schema(by_alias=True)["properties"]
    for name, field in of.model_fields.items():
        yield Key(field.alias or name, field, schema[field.alias or name])


def model_file_page() -> str:
    """Write the reference of the model file."""
    return page(
        "The model file",
        "the specification in forecast/theory",
        para(
            "A model file states a theory in [TOML](https://toml.io). It lies in `models/` of a project and is called",
            "as the model is. Only what the tables below call *required* must be there; what a file leaves out has the",
            "default, and a file that writes the default out is the same model.",
        ),
        para(
            "*Name* is lower-case letters, digits and `_`, a letter first. *Interval* is two numbers `[low, high]`",
            "that the value lies between with 90 % probability, above 0, the lower one first.",
        ),
        "## A small one\n",
        para(
            "`forecast init epidemic --blank` writes this file, for stages and states that it asks for or is given.",
            "`forecast check` takes the path of a model file anywhere, or the name of a model of the project, and",
            "names every fault with its file, line and key.",
        ),
        f"```toml\n{blank_model('epidemic', BLANK_STAGES, BLANK_DAY)}```\n",
        "## In an editor\n",
        para(
            "`forecast init` puts `model.schema.json` beside the model files, and their first line names it:",
            "`#:schema ./model.schema.json`. Editors that use Taplo (in VS Code the extension *Even Better TOML*) then",
            "complete keys, explain them and mark faults as you write, without a network. Names that lead nowhere are",
            "found by `forecast check` only.",
        ),
        *(part for name, of in TABLES.items() for part in _section(name, of)),
        "## A file that extends another\n",
        para(
            "With `extends` a file holds only what it changes, and nothing is required but what is new; the",
            "[guide](guide.md#rival-theories) tells how files are merged. One more key is allowed there: `drop`, a",
            'list of dotted keys that are left out of the other file, such as `["indicators.wards_full"]`.',
        ),
    )


def _section(name: str, of: type[BaseModel]) -> list[str]:
    rows = [
        [code(key.name), str(key.field.description), _kind(key.schema), _default(key), f"`{toml(key.example)}`"]
        for key in keys(of)
    ]
    return [
        f"## {f'`{name}`' if name.startswith('[') else name}\n",
        table(["key", "meaning", "type and range", "default", "example"], rows),
    ]


def _kind(schema: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one for each kind
    """Say what a value is, and its range."""
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"] if part != {"type": "null"})
    if "$ref" in schema:
        return "table"
    if "const" in schema or "enum" in schema:
        return " or ".join(f"`{toml(value)}`" for value in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "array" if schema.get("maxItems") == 2 and schema["items"].get("type") == "number":  # noqa: PLR2004
            return f"interval, {_number(schema['items']['minimum'])} to {_number(schema['items']['maximum'])}"
        case "array":
            return f"list of {_plural(_kind(schema['items']))}{_size(schema, 'Items')}"
        case "object":
            inner = next(iter(schema.get("patternProperties", {"": schema.get("additionalProperties")}).values()))
            return f"table of {_plural(_kind(inner))}, by name{_size(schema, 'Properties')}"
        case "string" if schema.get("format") == "date":
            return "date"
        case "string":
            return "name" if "pattern" in schema else "text"
        case "integer" | "number" as kind:
            return f"{'whole number' if kind == 'integer' else 'number'}{_range(schema)}"
        case _:
            return "true or false"


def _plural(kind: str) -> str:
    first, *rest = kind.split(" ", 1)
    many = {"name": "names", "text": "texts", "table": "tables", "list": "lists", "interval,": "intervals,"}
    if kind.startswith("whole number"):
        return kind.replace("number", "numbers", 1)
    return " ".join([many.get(first, f"{first}s" if first == "number" else first), *rest])


def _size(schema: Mapping[str, Any], what: str) -> str:
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if least and most:
        return f"; {least} to {most} of them"
    return f"; {least} or more" if least else f"; at most {most}" if most else ""


def _range(schema: Mapping[str, Any]) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        return f", above {_number(schema['exclusiveMinimum'])}, at most {_number(most)}"
    return f", {_number(least)} to {_number(most)}"


def _number(value: float | None) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def _default(key: Key) -> str:
    if key.field.is_required():
        return "without the key the name of the file" if key.field is Header.model_fields["name"] else "**required**"
    if key.field.default is NO_BASIS:
        return "a judgement without a reason, which `forecast check` counts"
    value = key.schema.get("default")
    if "Without" in (key.field.description or ""):
        return "see there"
    if value in (None, "", [], {}):
        return "none"
    return "as below" if isinstance(value, dict) else f"`{toml(value)}`"


def toml(value: Any) -> str:  # noqa: ANN401 - TOML
    """Write a value as TOML, in one line."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            rows = cast("dict[str, Any]", value).items()
            return "{ " + ", ".join(f"{_name(key)} = {toml(item)}" for key, item in rows) + " }"
        case list() | tuple():
            return "[" + ", ".join(toml(item) for item in cast("list[Any]", value)) + "]"
        case float() if value.is_integer():
            return str(int(value))
        case _:
            return str(value)


def _name(key: str) -> str:
    return key if key.isidentifier() else f'"{key}"'
