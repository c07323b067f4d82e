"""Commands about where the ledger is kept: copy it to another place, and let roles of a database use it."""

from __future__ import annotations

from typing import Annotated

import typer

from forecast.base import prose
from forecast.cli.options import HERE, JsonOption, ProjectOption
from forecast.cli.printing import print_json
from forecast.project import ledgers

app = typer.Typer(
    help="Where the ledger is kept: copy it between a file and PostgreSQL, let roles use it.", no_args_is_help=True
)


@app.command()
def copy(
    source: Annotated[str, typer.Argument(help="A file, or an address: postgresql+psycopg://…", metavar="FROM")],
    target: Annotated[str, typer.Argument(help="Where to; a ledger there must be empty.", metavar="TO")],
    as_json: JsonOption = False,
) -> None:
    """Copy a ledger into an empty one, with every row, its number and the chain, and prove that they are equal.

    Example: `forecast ledger copy data/ledger.db "postgresql+psycopg://desk@db.example.org/forecasts?schema=caucasus"`
    """
    copied = ledgers.copy_ledger(source, target)
    if as_json:
        print_json({"rows": copied.rows, "head": copied.head._asdict()})
        return
    rows = [f"{name} {count:,}" for name, count in copied.rows.items()]
    print(f"copied: {prose.listed(rows)}")
    print(f"both are sound, with {prose.count(copied.head.links, 'link')}, and end in {copied.head.digest}")


@app.command()
def grant(
    role: Annotated[str, typer.Argument(help="A role of the server that holds the project's ledger.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Let a role of PostgreSQL read the ledger and add rows to it, but not change or delete any.

    Example: `forecast ledger grant analyst`
    """
    name = ledgers.grant(project.resolve(), role)
    if as_json:
        print_json({"ledger": name, "role": role})
    else:
        print(f"{name}: {role} may read and add rows, and change none")
