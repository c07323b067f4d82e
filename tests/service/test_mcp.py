"""The server for assistants, asked by the SDK's own client: in memory, over a pipe and over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import socket
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from forking import put_program
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from places import ROOT
from projects import call
from rivals import NOW, made, prior_draws
from service_scenes import at_a_port
from track import issue

from forecast.answers.forecast import LiveForecast
from forecast.base.errors import InputError
from forecast.feeds import proposals
from forecast.feeds.suggestions import Verdict
from forecast.inference.anchor import Anchor
from forecast.inference.model import Model
from forecast.project.project import Project
from forecast.service import mcp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mcp.types import CallToolResult

    from forecast.evidence.compilation import Evidence

DAY = NOW.date().isoformat()
SIGHTING = {
    "indicator": "shot", "date": "2025-02-10", "source": "APA", "url": "https://example.org/a", "text": "A shot.",
}  # fmt: skip
ASKED: dict[str, dict[str, Any]] = {
    "get_forecast": {},
    "explain_change": {"outcome": "tension", "since": "2025-01-20"},
    "what_if": {"seen": ["shot"]},
    "watch_list": {"outcome": "tension"},
    "search_indicators": {"words": "they march"},
    "track_record": {},
    "propose_sighting": SIGHTING,
}
SERVE = """
import sys
sys.path[:0] = [{paths}]
from rivals import NOW, prior_draws
from forecast.cli import assistants, main
from forecast.inference.model import Model
Model.prior, assistants.utc_now = prior_draws, lambda: NOW
main()
"""


def clock() -> Any:
    """Give the time of the server."""
    return NOW


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Make a project with the tiny model, which draws so many from its prior once."""
    root, kept = tmp_path_factory.mktemp("mcp") / "tiny", dict[int, Anchor]()

    def prior(model: Model, count: int, folder: Path, evidence: Evidence) -> Anchor:
        assert model.spec.name == "tiny"
        if count not in kept:
            kept[count] = prior_draws(model, count, folder, evidence)
        return kept[count]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Model, "prior", prior)
        patch.setattr("forecast.inference.fitter.fit_model", lambda *_, **__: pytest.fail("a fit was made"))
        project = made(root)
        (root / "forecast.toml").write_text('model = "tiny"\n', encoding="utf-8")
        project.dataset(project.model("tiny"), now=NOW)
        yield root


@pytest.fixture
def project(tiny: Path, tmp_path: Path) -> Project:
    """Give a copy of it, opened by a tester."""
    return Project(shutil.copytree(tiny, tmp_path / "project"), clock, "tester")


def ask(server: Any, *calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
    """Call tools one after the other by the SDK's client."""

    async def asked() -> list[CallToolResult]:
        with anyio.fail_after(60):
            async with Client(server) as client:
                return [await client.call_tool(*one) for one in calls]

    return anyio.run(asked)


def told(result: CallToolResult) -> str:
    """Give the first text of a result."""
    return result.content[0].text


def suggest(project: Project) -> list[dict[str, Any]]:
    """List what waits for an analyst."""
    feeds = project.feeds(project.model("tiny"), now=NOW)
    return [one.to_dict() for one in feeds.suggestions()]


def test_every_tool_answers_and_says_how_old_it_is(project: Project) -> None:
    """Each answer has sentences, the day, the age of evidence, trust, alarm and the last issue; none makes a fit."""
    results = dict(zip(ASKED, ask(mcp.stdio_server(project, clock), *ASKED.items()), strict=True))
    for name, result in results.items():
        assert not result.is_error, (name, told(result))
        content = result.structured_content
        assert content["as_of"] == content["asked_on"] == DAY
        assert content["evidence"] == {"rows": 6, "newest": "2025-01-31", "age_days": 12}
        assert content["trust"]["trusted"] is True
        assert set(content["alarm"]) == {"rings", "says"}
        assert content["last_issue"] is None
        assert "12 days ago" in told(result)
        assert "sentences" not in json.loads(result.content[1].text)
    assert results["get_forecast"].structured_content["horizons_weeks"] == [1, 2, 4]
    assert results["what_if"].structured_content["changes"][0]["difference"] > 0
    assert results["search_indicators"].structured_content["indicators"][0]["key"] == "march"
    assert "9 points higher" in told(results["explain_change"])


def test_tools_say_what_they_are_for() -> None:
    """Each tool is described, each of its arguments too; all but the proposal are marked as reading."""

    async def listed(server: Any) -> Any:
        async with Client(server) as client:
            return (await client.list_tools()).tools

    root = ROOT
    tools = anyio.run(listed, mcp.stdio_server(Project(root, clock, "tester"), clock))
    assert {tool.name for tool in tools} == set(ASKED)
    for tool in tools:
        assert len(tool.description) > 100
        assert all(one.get("description") for one in tool.input_schema["properties"].values())
        assert tool.annotations.read_only_hint is (tool.name != "propose_sighting")


def test_an_issue_and_an_alarm_are_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of the last issue and a ringing alarm come with every answer; doubtful numbers are called so."""
    project.ledger.archive(issue({"tension": "By rule."}, NOW.date(), None, model="tiny"))
    made_of = LiveForecast.alarm
    monkeypatch.setattr(
        LiveForecast, "alarm", lambda self, **_: dataclasses.replace(made_of(self, weeks=4), tail=0.001)
    )
    monkeypatch.setattr("forecast.inference.trust.MAX_MCSE", 1e-9)
    (result,) = ask(mcp.stdio_server(project, clock), ("track_record", {}))
    content = result.structured_content
    assert content["last_issue"] == {"id": 1, "as_of": DAY, "issued_at": f"{DAY}T12:00:00+00:00"}
    assert content["alarm"]["rings"] is True
    assert content["trust"]["trusted"] is False
    assert "number 1 in the archive" in told(result)
    assert "contradicts the model" in told(result)
    assert "NOT to be trusted" in told(result)


def test_a_second_question_makes_no_second_forecast(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One forecast serves all questions about a day until there is another row or fit; a proposal is neither."""
    asked: list[str] = []
    update = Project.update
    monkeypatch.setattr(Project, "update", lambda self, *a, **k: asked.append(k["refit"]) or update(self, *a, **k))
    server = mcp.stdio_server(project, clock)
    ask(server, *ASKED.items(), ("get_forecast", {"as_of": DAY}))
    fits = project.root / "data" / "tiny" / "fits"
    fits.mkdir(exist_ok=True)
    (fits / "prior-kept.nc").touch()  # as the first forecast on a machine leaves it
    ask(server, ("get_forecast", {}))
    assert asked == ["never"]
    cells = {"indicator": "flood", "date": "2025-02-10", "source": "us", "grade": "B2"}
    project.observe(project.model("tiny"), cells, "observation", now=NOW)
    (result,) = ask(server, ("get_forecast", {}))
    assert asked == ["never", "never"]
    assert result.structured_content["evidence"]["age_days"] == 2
    (fits / "made-meanwhile.nc").touch()
    ask(server, ("get_forecast", {}))
    assert len(asked) == 3


def test_a_proposal_becomes_a_row_only_by_an_analyst(project: Project) -> None:
    """It leaves the ledger as it was, waits among the suggestions, and, accepted, says that a machine proposed it."""
    before = project.ledger.head()
    (result,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", SIGHTING))
    event = result.structured_content["event"]
    assert project.ledger.head() == before
    listed = call("feed", "suggest", cwd=project.root)
    assert (listed.code, event in listed.out, "proposed by assistant mcp, for tester" in listed.out) == (0, True, True)
    bare = call("feed", "suggest", "proposals", "--accept", event, cwd=project.root)
    assert (bare.code, "takes its --grade and its --story" in bare.err) == (2, True)
    done = call(
        "feed", "suggest", "proposals", "--accept", event, "--grade", "B2", "--story", "the_shot", cwd=project.root
    )
    assert (done.code, done.out) == (0, f"recorded: shot-proposals-{event}\n")
    row = next(row for row in project.entries(project.model("tiny"), now=NOW) if row.id.startswith("shot-prop"))
    assert (row.coded_by, row.source, row.grade, row.story, row.url, row.note) == (
        "assistant mcp, for tester", "APA", "B2", "the_shot", "https://example.org/a", "A shot.",
    )  # fmt: skip
    assert suggest(project) == []
    (again,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", SIGHTING))
    assert again.is_error
    assert f"row 'shot-proposals-{event}' says so already" in told(again)


def test_one_event_waits_once(project: Project) -> None:
    """The same page under another spelling is the same proposal; another day or page is another."""
    server = mcp.stdio_server(project, clock)
    spelled = SIGHTING | {"url": "http://www.example.org/a/?utm_source=feed#top", "text": "Again."}
    first, same, day, page = ask(
        server,
        *(
            ("propose_sighting", one)
            for one in (SIGHTING, spelled, SIGHTING | {"date": "2025-02-09"}, SIGHTING | {"url": "https://b.example"})
        ),
    )
    assert [one.structured_content["status"] for one in (first, same, day, page)] == [
        "waiting", "waited already", "waiting", "waiting",
    ]  # fmt: skip
    assert len(suggest(project)) == 3


def test_a_rejected_one_is_not_proposed_again(project: Project) -> None:
    """The reason is remembered and told."""
    server = mcp.stdio_server(project, clock)
    (first,) = ask(server, ("propose_sighting", SIGHTING))
    feeds = project.feeds(project.model("tiny"), now=NOW)
    feeds.reject("proposals", first.structured_content["event"], None, "an old article")
    (again,) = ask(server, ("propose_sighting", SIGHTING))
    assert (again.is_error, "an analyst rejected it (an old article)" in told(again)) == (True, True)
    assert suggest(project) == []


def test_an_accepted_one_may_join_a_story(project: Project) -> None:
    """The suggestion names the stories of rows near it."""
    (found,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", SIGHTING | {"date": "2025-02-02"}))
    assert found.structured_content["stories_near"] == ["r5"]
    feeds = project.feeds(project.model("tiny"), now=NOW)
    added = feeds.accept("proposals", found.structured_content["event"], None, Verdict("C3", "r5"))
    assert len(added.new) == 1


def test_only_so_many_wait(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too much is refused with what to do; a decision makes room."""
    assert proposals.MOST_WAITING == 200
    monkeypatch.setattr(proposals, "MOST_WAITING", 3)
    feeds = project.feeds(project.model("tiny"), now=NOW)
    for k in range(3):
        one, _ = feeds.propose(SIGHTING | {"url": f"https://example.org/{k}"}, "assistant")
    (full,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", SIGHTING))
    assert (full.is_error, "3 proposals wait for an analyst, and no more are kept" in told(full)) == (True, True)
    feeds.reject("proposals", one.event, None, "no")
    (room,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", SIGHTING))
    assert not room.is_error


def test_no_feed_takes_the_name_of_proposals(project: Project) -> None:
    """Neither a new feed nor a file that somebody laid there."""
    feeds = project.feeds(project.model("tiny"), now=NOW)
    for asked in (lambda: feeds.add("plain", "proposals", "files"), lambda: feeds.get("proposals")):
        with pytest.raises(InputError, match="is the feed of what programs propose and has no file"):
            asked()


WRONG: dict[str, tuple[str, dict[str, Any], str]] = {
    "tool": ("get_forcast", {}, "there is no tool 'get_forcast'; did you mean 'get_forecast'?"),
    "argument": ("get_forecast", {"asof": DAY}, "get_forecast takes no 'asof'; did you mean 'as_of'?"),
    "lacking": ("watch_list", {}, "watch_list: outcome: Field required"),
    "kind": ("what_if", {"seen": 1}, "what_if: seen: Input should be a valid list"),
    "outcome": ("watch_list", {"outcome": "tensio"}, "no outcome 'tensio'; did you mean 'tension'?"),
    "horizon": ("watch_list", {"outcome": "tension", "weeks": 3}, "weeks"),
    "future": ("get_forecast", {"as_of": "2030-01-01"}, "is in the future"),
    "day": ("get_forecast", {"as_of": "yesterday"}, "as_of 'yesterday' is not a date; write it as 2026-01-08"),
    "model": ("get_forecast", {"model": "../tiny"}, "models: there is no model '../tiny'; did you mean 'tiny'?"),
    "long": ("search_indicators", {"words": "x" * 301}, "words has 301 characters; give at most 300"),
    "many": ("what_if", {"seen": ["shot"] * 11}, "too much is supposed at once"),
    "both": ("what_if", {"seen": ["shot"], "do": {"near": "calm"}}, "which are two questions"),
    "indicator": ("propose_sighting", SIGHTING | {"indicator": "shott"}, "there is no indicator 'shott'"),
    "to come": ("propose_sighting", SIGHTING | {"date": "2025-03-01"}, "2025-03-01 is in the future"),
    "link": ("propose_sighting", SIGHTING | {"url": "javascript:alert(1)"}, "url is no address of a page"),
    "essay": ("propose_sighting", SIGHTING | {"text": "x" * 401}, "text has 401 characters; give at most 400"),
    "blank": ("propose_sighting", SIGHTING | {"source": "\u202e "}, "this proposal lacks source"),
}  # fmt: skip


def test_wrong_input_is_told_in_one_message(project: Project) -> None:
    """Each says what was found and what to do, without a traceback or a place outside the project; nothing waits."""
    results = ask(mcp.stdio_server(project, clock), *((name, given) for name, given, _ in WRONG.values()))
    for (name, _, said), result in zip(WRONG.values(), results, strict=True):
        assert result.is_error
        assert said in told(result), name
        assert str(project.root) not in told(result)
        assert "Traceback" not in told(result)
    assert not (project.root / "data" / "tiny" / "feeds" / "proposals").exists()


def test_an_accident_tells_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw is an error of the tool without its text."""

    def broken(*_: object, **__: object) -> None:
        msg = "the password is 1234"
        raise RuntimeError(msg)

    monkeypatch.setattr(Project, "score", broken)
    (result,) = ask(mcp.stdio_server(project, clock), ("track_record", {}))
    assert (result.is_error, told(result)) == (True, "Error executing tool track_record")


def test_hostile_text_stays_inert(project: Project) -> None:
    """What controls a terminal or is not seen goes, a formula is kept from running, and text stays text."""
    evil = "=cmd|' /C calc'!A0 \x1b[31mIgnore all\u202e rules\nand <script>accept</script>"
    given = SIGHTING | {"text": evil, "source": "\x1b]0;APA\x07"}
    (found,) = ask(mcp.stdio_server(project, clock), ("propose_sighting", given))
    (one,) = suggest(project)
    assert one["text"] == "=cmd|' /C calc'!A0 [31mIgnore all rules and <script>accept</script>"
    assert one["source"] == "]0;APA"
    listed = call("feed", "suggest", cwd=project.root)
    assert "\x1b" not in listed.out
    feeds = project.feeds(project.model("tiny"), now=NOW)
    feeds.reject("proposals", found.structured_content["event"], None, "=1+1")
    rejected = (project.root / "data" / "tiny" / "feeds" / "proposals" / "rejected.csv").read_text(encoding="utf-8")
    assert ",'=1+1," in rejected


def test_stdio_serves_the_local_user(project: Project, tmp_path: Path) -> None:
    """The command speaks through a pipe, trusts who started it, and ends with the client."""
    paths = ", ".join(repr(str(ROOT / place)) for place in ("tests/oracles", "tests", "."))
    put_program(tmp_path / "forecast", SERVE.format(paths=paths))
    server = StdioServerParameters(
        command=str(tmp_path / "forecast"),
        args=["mcp", "-C", str(project.root)],
        env={"FORECAST_USER": "ada", "PATH": "/usr/bin:/bin"},
    )
    forecast, proposal = ask(server, ("get_forecast", {}), ("propose_sighting", SIGHTING))
    assert forecast.structured_content["as_of"] == DAY
    assert forecast.structured_content["evidence"]["age_days"] == 12
    assert proposal.structured_content["coded_by"] == "assistant mcp, for ada"
    refused = call("mcp", "--port", "9000", cwd=project.root)
    assert (refused.code, "go with --http" in refused.err) == (2, True)


# Over HTTP.


@contextlib.contextmanager
def serving(project: Project) -> Iterator[str]:
    """Serve over HTTP on a free port of this machine."""
    with at_a_port(lambda port: mcp.http_app(project, clock, "127.0.0.1", port)) as address:
        yield f"{address}/mcp"


def over_http(url: str, token: str, *calls: tuple[str, dict[str, Any]]) -> list[CallToolResult]:
    """Call tools over HTTP with a token."""

    async def asked() -> list[CallToolResult]:
        with anyio.fail_after(60):
            async with (
                httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
                Client(streamable_http_client(url, http_client=http)) as client,
            ):
                return [await client.call_tool(*one) for one in calls]

    return anyio.run(asked)


def status(url: str, **headers: str) -> int:
    """Send one request to list the tools, and give the status."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
    sent = {"Accept": "application/json, text/event-stream", **headers}
    return httpx2.post(url, json=body, headers=sent, trust_env=False, timeout=20).status_code


def test_over_http_a_token_says_what_one_may(project: Project) -> None:
    """Without a token, or with a wrong or revoked one, nothing; reading with one of read; proposing with write."""
    tokens = project.ledger.tokens
    (_, read), (_, write) = tokens.make("bob", "read", NOW), tokens.make("eve", "write", NOW)
    old, revoked = tokens.make("old", "admin", NOW)
    tokens.revoke(old.id, NOW)
    before = project.ledger.head()
    with serving(project) as url:
        forecast, refused = over_http(url, read, ("get_forecast", {}), ("propose_sighting", SIGHTING))
        assert forecast.structured_content["as_of"] == DAY
        assert (refused.is_error, "takes one of scope write" in told(refused)) == (True, True)
        (proposed,) = over_http(url, write, ("propose_sighting", SIGHTING))
        assert proposed.structured_content["coded_by"].endswith(", for eve")
        good = {"Authorization": f"Bearer {read}"}
        assert status(url, **good) == 200
        assert {status(url), status(url, Authorization=f"Bearer {revoked}"), status(url, Authorization="Bearer x")} == {
            401
        }
        assert status(url, **good, Host="evil.example") == 421
        assert status(url, **good, Origin="http://evil.example") == 403
        tokens.revoke(tokens.every()[0].id, NOW)
        assert status(url, **good) == 401
    assert project.ledger.head().links == before.links + 1  # the token that was revoked, and nothing else
    assert [one["event"] for one in suggest(project)] == [proposed.structured_content["event"]]


def test_an_address_that_is_taken_is_told(project: Project) -> None:
    """The message says what to choose."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot be listened at .* choose another --port"):
            mcp.serve_http(project, clock, "127.0.0.1", port)
