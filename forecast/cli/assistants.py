"""The command that serves assistants by the Model Context Protocol."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from forecast import service
from forecast.base.errors import InputError
from forecast.cli.options import HERE, ProjectOption, open_project, utc_now

app = typer.Typer()
HOST, PORT = "127.0.0.1", 8765


@app.command()
def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve over HTTP with tokens, instead of over a pipe.")] = False,
    host: Annotated[
        str, typer.Option("--host", help="With --http: the interface to listen at (the default: this machine alone).")
    ] = HOST,
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="With --http: the port.")] = PORT,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="With --http: another name by which requests may call this server."),
    ] = None,
    project: ProjectOption = HERE,
) -> None:
    """Serve assistants: they may ask for forecasts and propose sightings, and change nothing.

    Over a pipe an assistant starts it and is trusted as the user is. With `--http` each request bears a token of the
    ledger, of scope read, or write to propose. It answers until it is told to end (Ctrl-C).

    Example: `forecast mcp --http --port 8765`
    """
    found = open_project(project)
    if not http:
        if host != HOST or port != PORT or name:
            msg = "--host, --port and --name go with --http; without it an assistant speaks through a pipe"
            raise InputError(msg)
        service.serve_stdio(found, utc_now)
        return

    def tell(address: str) -> None:
        print(f"forecast: serving assistants at {address}; Ctrl-C ends it", file=sys.stderr)

    service.serve_http(found, utc_now, host, port, name or (), on_ready=tell)
