"""A command that is named is read alone, and is the same that it is among all."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from forecast.cli.app import GROUPS, app, application

WHOLE = typer.main.get_command(app)
PLAIN = (str, int, float, list, tuple, type(None))
NAMES = sorted(getattr(WHOLE, "commands", {}))


def test_there_are_commands() -> None:
    """The whole knows commands of every part, and all groups."""
    assert len(NAMES) > 40
    assert set(GROUPS) < set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_command_alone_is_the_one_among_all(name: str) -> None:
    """Each command is found by its name, without the others, with the same help, arguments and options."""
    alone = typer.main.get_command(application(name))
    assert list(getattr(alone, "commands", {})) == [name]
    assert described(alone.commands[name]) == described(WHOLE.commands[name])
    assert described(alone, parts=False) == described(WHOLE, parts=False)


def described(command: Any, *, parts: bool = True) -> dict[str, Any]:
    """Say what a command, and if ``parts`` each of its commands, does and takes."""
    takes = [{key: value for key, value in vars(row).items() if isinstance(value, PLAIN)} for row in command.params]
    found = {"help": command.help, "takes": takes}
    below = getattr(command, "commands", {}) if parts else {}
    return found | {name: described(one) for name, one in below.items()}


@pytest.mark.parametrize("word", ["", "--help", "--version", "shwo", "list", "app"])
def test_any_other_word_gets_the_whole(word: str) -> None:
    """What is no command is answered by what knows all of them, so that the nearest is named."""
    assert application(word) is app
