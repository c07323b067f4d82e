"""``cli.md``: the reference of the command line, from the commands themselves."""

from __future__ import annotations

import re
from typing import Any

import typer.main

from docs.builder.markdown import code, page, plain, table
from forecast.base.errors import EXIT_CODES
from forecast.cli.app import app


def cli_page() -> str:
    """Write the reference of the command line from the commands themselves."""
    group = typer.main.get_command(app)
    commands = commands_of(group)
    index = [
        [f"[`forecast {name}`](#forecast-{name.replace(' ', '-')})", _help(command)[0]]
        for name, command in commands.items()
    ]
    return page(
        "Command line",
        "the commands themselves",
        f"{plain(group.help)}\n",
        table(["command", "what it does"], index),
        *(_command(name, command) for name, command in commands.items()),
        "## Exit codes\n",
        table(
            ["code", "meaning"],
            [[code, meaning] for code, meaning in EXIT_CODES.items()],
        ),
        "Messages about errors go to standard error. `--json` prints JSON and nothing else to standard output.\n",
    )


def commands_of(group: Any, before: str = "") -> dict[str, Any]:  # noqa: ANN401 - click's
    """Give every command by its name; one of a group within as ``group name``."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= (
            commands_of(command, f"{before}{name} ") if hasattr(command, "commands") else {f"{before}{name}": command}
        )
    return found


def _help(command: object) -> tuple[str, str]:
    """Split a command's help into its text and its example."""
    text, _, example = str(getattr(command, "help", "")).partition("Example: ")
    return re.sub(r"\s+", " ", text).strip(), example.strip().strip("`")


def _command(name: str, command: object) -> str:
    text, example = _help(command)
    params = list(getattr(command, "params", []))
    usage = [f"forecast {name}"]
    rows = []
    for param in params:
        if param.param_type_name == "argument":
            shown = param.name.upper() + ("..." if param.nargs == -1 else "")
            usage.append(shown if param.required else f"[{shown}]")
        else:
            kind = "" if param.is_flag else f" {param.metavar or ('N' if isinstance(param.default, int) else 'TEXT')}"
            shown = ", ".join(opt + kind for opt in param.opts)
            if param.required:
                usage.append(param.opts[0] + kind)
        rows.append([f"`{shown}`", plain(param.help or ""), _default(param)])
    if any(param.param_type_name == "option" and not param.required for param in params):
        usage.append("[OPTIONS]")
    parts = [f"## forecast {name}\n", f"{text}\n", f"```text\n{' '.join(usage)}\n```\n"]
    parts += [table(["argument or option", "meaning", "default"], rows), f"Example:\n\n```sh\n{example}\n```\n"]
    return "\n".join(parts)


def _default(param: object) -> str:
    if getattr(param, "required", False):
        return "required"
    value = getattr(param, "default", None)
    least = getattr(param, "min", None)
    shown = "" if value in (None, "", False) else code(str(value))
    return f"{shown} (at least {least})" if least is not None else shown
