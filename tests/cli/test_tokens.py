"""Commands about tokens: shown once, listed without secrets, revoked for good."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from projects import call, fresh, strict_json

import forecast

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "eve\x1b[2J\u202e\nline two"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a new project."""
    return fresh(tmp_path)


def test_a_token_is_shown_once_and_works(root: Path) -> None:
    """The first line is the token and nothing else; its secret is in no file of the ledger and in no list."""
    done = call("token", "new", "ada", cwd=root)
    assert done.code == 0
    text, *told = done.out.splitlines()
    assert "shown only now" in " ".join(told)
    found = forecast.open(root).ledger.tokens.find(text)
    assert (found.person, found.scope, found.revoked_at) == ("ada", "read", "")
    secret = text.split("_", 2)[2]
    assert secret not in call("token", "list", cwd=root).out + call("token", "list", "--json", cwd=root).out
    with closing(sqlite3.connect(root / "data" / "ledger.db")) as raw:
        assert secret not in "\n".join(raw.iterdump())


def test_a_revoked_token_is_good_for_nothing(root: Path) -> None:
    """It stays in the list with the moment; to revoke it twice, or one that is not there, is refused."""
    made = strict_json(call("token", "new", "night job", "--scope", "write", "--json", cwd=root).out)
    assert made["scope"] == "write"
    tokens = forecast.open(root).ledger.tokens
    assert tokens.find(made["token"]) is not None
    gone = strict_json(call("token", "revoke", made["id"], "--json", cwd=root).out)
    assert gone["revoked_at"]
    assert tokens.find(made["token"]) is None
    (listed,) = strict_json(call("token", "list", "--json", cwd=root).out)
    assert listed == gone
    again = call("token", "revoke", made["id"], cwd=root)
    assert (again.code, again.out) == (2, "")
    assert "was revoked at" in again.err
    assert "there is no token 'nobody'" in call("token", "revoke", "nobody", cwd=root).err


def test_a_wrong_scope_or_no_name_is_refused(root: Path) -> None:
    """Nothing is made."""
    assert call("token", "new", "ada", "--scope", "root", cwd=root).code == 2
    assert "needs a name" in call("token", "new", " ", cwd=root).err
    assert "no token yet" in call("token", "list", cwd=root).out


@pytest.mark.parametrize("columns", [None, 80])
def test_a_hostile_name_is_inert(root: Path, columns: int | None) -> None:
    """It can move no cursor, turn no direction and begin no line."""
    made = call("token", "new", HOSTILE, cwd=root, columns=columns)
    name = forecast.open(root).ledger.tokens.every()[0].id
    shown = made.out + call("token", "list", cwd=root, columns=columns).out
    shown += call("token", "revoke", name, cwd=root, columns=columns).out
    assert not {"\x1b", "\u202e"} & set(shown)
    assert not any(line.startswith("line two") for line in shown.splitlines())
