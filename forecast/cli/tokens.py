"""Commands about the tokens of a service: make, list, revoke."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from forecast.base.sanitise import one_line
from forecast.cli.options import HERE, JsonOption, ProjectOption, open_project, utc_now
from forecast.cli.printing import print_json, print_lines
from forecast.cli.tables import print_table

app = typer.Typer(help="Tokens of a service: who may read, write, administer.", no_args_is_help=True)


class Scope(StrEnum):
    """What a token is good for; each may do what those before it may."""

    read = "read"
    write = "write"
    admin = "admin"


@app.command()
def new(
    person: Annotated[str, typer.Argument(help="The person or program who will use it.")],
    scope: Annotated[Scope, typer.Option("--scope", help="What it is good for.")] = Scope.read,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once: the ledger keeps its digest alone.

    Example: `forecast token new ada --scope write`
    """
    made, text = open_project(project).ledger.tokens.make(person, scope.value, utc_now())
    if as_json:
        print_json(asdict(made) | {"token": text})
        return
    print(text)
    told = f"{made.id}, for {made.person} to {made.scope}. It is shown only now and kept nowhere: hand it over where "
    print_lines([f"{told}nobody else reads it. forecast token revoke {made.id} makes it good for nothing."])


@app.command("list")
def list_tokens(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """List all tokens in the order in which they were made; none can be used from what is shown.

    Example: `forecast token list`
    """
    tokens = open_project(project).ledger.tokens.every()
    if as_json:
        print_json([asdict(one) for one in tokens])
        return
    if not tokens:
        print("There is no token yet; `forecast token new PERSON` makes one.")
        return
    rows = [
        [one.id, one.person, one.scope, _moment(one.made_at), one.made_by, _moment(one.revoked_at)] for one in tokens
    ]
    print_table(["id", "person", "scope", "made (UTC)", "made by", "revoked (UTC)"], rows)


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")


@app.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="ID", help="The token, as `forecast token list` names it.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a token good for nothing; it stays on record.

    Example: `forecast token revoke 7f3a9c10`
    """
    gone = open_project(project).ledger.tokens.revoke(name, utc_now())
    if as_json:
        print_json(asdict(gone))
        return
    print(one_line(f"{gone.id}, of {gone.person}, is good for nothing from now on"))
