"""What has moved, and a ringing alarm, are told by exit code and file."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from projects import archived, call, strict_json
from unattended import NEXT, NOW, lines, observe
from year import START, run

from forecast.base.errors import InputError
from forecast.inference.trust import gate_side
from forecast.jobs.notices import find_moves, read_notices
from forecast.ledger.issued import Issued

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.usefixtures("no_pictures")


def content(as_of: dt.date, at: dict[int, float], outcome: str = "tension", now: float = 0.1) -> str:
    """Build what the archive holds of a forecast: probabilities by days ahead."""

    def row(kind: str, day: int, mean: float) -> dict[str, Any]:
        estimate = {"mean": mean, "low": mean / 2, "high": (1 + mean) / 2, "mcse": 0.001}
        date = str(as_of + dt.timedelta(days=day))
        weeks = day // 7 or None
        return {"outcome": outcome, "kind": kind, "date": date, "horizon_weeks": weeks, "estimate": estimate}

    rows = [row("already", 0, now), *(row("at", day, mean) for day, mean in at.items())]
    return json.dumps({"forecast": {"quantities": rows}})


def issue(seq: int, as_of: dt.date, at: dict[int, float], **changes: Any) -> Issued:
    """Build an issue."""
    return Issued(
        seq=seq, model="tiny", as_of=as_of, issued_at=NOW, evidence_hash="", model_hash="", fit="", watermark=1,
        content=content(as_of, at, **changes),
    )  # fmt: skip


def moved(points: float, *issues: Issued) -> str | None:
    """Say what moved with the last of some issues."""
    return find_moves(read_notices([f"tension:{points}"], ["tension"]), issues[-1], issues)


DAY = dt.date(2026, 1, 8)


def test_the_greatest_move_is_said_in_one_line() -> None:
    """Of all horizons that moved enough the greatest is named, with its date, both numbers and both days."""
    old = issue(1, DAY, {28: 0.2, 182: 0.19})
    new = issue(2, DAY, {28: 0.25, 182: 0.31})
    wanted = "2026-01-08 tension on 9 Jul 2026 rose by 12 points to 31% (was 19% on 2026-01-08)"
    assert moved(12, old, new) == wanted
    assert moved(12.1, old, new) is None
    assert moved(3, new, dataclasses.replace(old, seq=3)) == wanted.replace("rose", "fell").replace(
        "31% (was 19%", "19% (was 31%"
    )


def test_an_earlier_issue_is_read_between_its_horizons() -> None:
    """The same calendar date is compared: between horizons on a straight line, and not beyond the last."""
    week = dt.timedelta(weeks=1)
    old = issue(1, DAY, {28: 0.2, 84: 0.8})
    middle = issue(2, DAY + week, {49: 0.5, 84: 0.99})  # 56 days after DAY, half-way; then beyond
    assert moved(0.001, old, middle) is None
    told = moved(1, old, issue(2, DAY + week, {49: 0.515}))
    assert told == "2026-01-15 tension on 5 Mar 2026 rose by 2 points to 52% (was 50% on 2026-01-08)"
    before_the_first = moved(1, old, issue(2, DAY + week, {7: 0.5}))
    assert before_the_first is not None
    assert "was 15% on" in before_the_first  # half-way from 10 % now to 20 % at 28 days


def test_the_issue_before_is_that_of_the_latest_earlier_date() -> None:
    """A back-dated issue in between is not compared with, and a repeated run compares with what it did at first."""
    first, back = issue(1, DAY, {28: 0.2}), issue(2, DAY - dt.timedelta(days=30), {56: 0.9})
    new = issue(3, DAY + dt.timedelta(days=1), {27: 0.4})
    told = moved(10, first, back, new)
    assert told is not None
    assert "by 20 points" in told
    assert (
        find_moves(read_notices(["tension:10"], ["tension"]), new, (first, back, new, issue(4, DAY, {28: 0.4}))) == told
    )
    assert moved(0.1, first) is None
    assert moved(0.1, first, back) is None


def test_several_outcomes_stand_in_one_line() -> None:
    """Each outcome that moved enough has its part; one that the earlier issue did not know has none."""
    old, new = issue(1, DAY, {28: 0.2}), issue(2, DAY, {28: 0.4})
    other = [json.loads(content(DAY, {28: mean}, outcome="war"))["forecast"]["quantities"] for mean in (0.5, 0.3)]
    texts = [json.loads(row.content) for row in (old, new)]
    for text, rows in zip(texts, other, strict=True):
        text["forecast"]["quantities"] += rows
    old, new = (dataclasses.replace(row, content=json.dumps(text)) for row, text in zip((old, new), texts, strict=True))
    notices = read_notices(["tension:5", "war:20", "peace:1"], ["tension", "war", "peace"])
    told = find_moves(notices, new, (old, new))
    assert told is not None
    assert "\n" not in told
    assert re.findall(r"(\w+) on 5 Feb 2026 (\w+) by 20 points", told) == [("tension", "rose"), ("war", "fell")]


@pytest.mark.parametrize("text", ["tension", "tension:", "tension:0", "tension:-3", "tension:nan", "tension:101", ":5"])
def test_a_faulty_notice_is_refused(text: str) -> None:
    """What is no outcome with a number of points above 0 is refused with an example."""
    with pytest.raises(InputError, match=r"--notify-if .* such as tension:10"):
        read_notices([text], ["tension", "war"])


def test_a_move_is_told_by_the_exit_code_and_a_file(root: Path) -> None:
    """A run after which an outcome moved ends with 10 and leaves word, however often it is called; then it goes."""
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    notify = ("--notify-if", "tension:0.5")
    done = run(root, NEXT, *notify)
    assert done.code == 10
    assert done.err == ""
    assert re.fullmatch(
        rf"{NEXT} tension on \d+ \w+ 2025 rose by [\d.]+ points to \d+% \(was \d+% on {START}\)\n", word.read_text()
    )
    assert done.out.endswith(f"\nmoved: {word.read_text()}")
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["moved"]) == (10, word.read_text().strip())
    before = word.read_bytes()
    again = run(root, NEXT, *notify, "--json")
    assert again.code == 10
    assert strict_json(again.out)["forecast"]["as_of"] == str(NEXT)
    assert word.read_bytes() == before
    assert len(archived(root)) == 2
    assert run(root, NEXT, "--notify-if", "tension:100").code == 0
    assert not word.exists()


def test_the_first_issue_has_nothing_to_compare_with(root: Path) -> None:
    """Without an earlier issue a notice gives 0 and no file."""
    done = run(root, START, "--notify-if", "tension:0.0001")
    assert done.code == 0
    assert not (root / "reports" / "tiny" / "moved.txt").exists()


def test_a_ringing_alarm_is_hidden_nowhere(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the terminal of every command, the log, the notify file and the JSON, with an exit code if asked for."""
    monkeypatch.setattr("forecast.answers.alarm.LIMIT", 1.1)  # it always rings
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    done = run(root, NEXT, "--notify-if", "alarm")
    assert (done.code, done.err) == (11, "")
    report = strict_json(call("show", "--json", cwd=root).out)
    told = " ".join(report["alarm"]["sentences"])
    assert report["alarm"]["rings"] is True
    assert told.startswith("Alarm: since ")
    assert word.read_text() == f"{NEXT} {told}\n"
    assert (lines(root)[-1]["exit_code"], lines(root)[-1]["alarm"]) == (11, f"{NEXT} {told}")
    day = ("--as-of", str(NEXT))
    for command in (("run", *day), ("update", *day), ("show",)):
        shown_ = call(*command, cwd=root).out
        assert shown_.startswith("Alarm: since "), command
        assert told in " ".join(shown_.split())
    assert "Alarm: since " in call("update", *day, "--json", cwd=root).err
    assert "Alarm: since " in (root / "reports" / "index.html").read_text(encoding="utf-8")


def test_an_alarm_that_nobody_asked_about_does_not_change_the_exit_code(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another notice it stands in the file and before what moved, which has its code; alone it is 11."""
    monkeypatch.setattr("forecast.answers.alarm.LIMIT", 1.1)
    word = root / "reports" / "tiny" / "moved.txt"
    observe(root, "shot", NEXT)
    assert run(root, NEXT, "--notify-if", "tension:100").code == 0
    assert word.read_text().startswith(f"{NEXT} Alarm: since ")
    assert run(root, NEXT, "--notify-if", "tension:0.5").code == 10
    assert [line.split()[1] for line in word.read_text().splitlines()] == ["Alarm:", "tension"]
    assert run(root, NEXT, "--notify-if", "tension:0.5", "--notify-if", "alarm").code == 11
    assert run(root, NEXT).code == 0


def test_silence_is_no_notice(root: Path) -> None:
    """Who asks about the alarm gets 0 and no file while it does not ring."""
    assert run(root, START, "--notify-if", "alarm").code == 0
    assert not (root / "reports" / "tiny" / "moved.txt").exists()
    assert "alarm" not in lines(root)[-1]


def test_report_and_command_give_one_alarm(root: Path) -> None:
    """The tail that was issued is what `forecast alarm` says of the same evidence, whatever draws are at hand now."""
    observe(root, "shot", NEXT)
    assert run(root, NEXT).code == 0
    issued = strict_json(call("show", "--json", cwd=root).out)["alarm"]
    weeks = ("--weeks", str(issued["weeks"]))
    for refit in ("auto", "never"):
        asked = strict_json(call("alarm", *weeks, "--as-of", str(NEXT), "--refit", refit, "--json", cwd=root).out)
        assert asked == issued


def test_an_alarm_that_could_not_be_trusted_is_looked_at_again(root: Path) -> None:
    """Unless nothing may be fitted: then it is what was issued, which says so and ends with 3."""
    observe(root, "shot", NEXT)
    with pytest.MonkeyPatch.context() as patch:
        doubt = lambda *parts: dataclasses.replace(gate_side(*parts), reasons=("too few draws",))  # noqa: E731
        patch.setattr("forecast.answers.alarm.gate_side", doubt)
        assert run(root, NEXT).code == 0
    issued = strict_json(call("show", "--json", cwd=root).out)["alarm"]
    assert issued["trust"]["trusted"] is False
    ask = ("alarm", "--weeks", str(issued["weeks"]), "--as-of", str(NEXT), "--json")
    as_issued, anew = (call(*ask, "--refit", refit, cwd=root) for refit in ("never", "auto"))
    assert (as_issued.code, strict_json(as_issued.out)) == (3, issued)
    assert (anew.code, strict_json(anew.out)["trust"]["trusted"]) == (0, True)


@pytest.mark.parametrize(("text", "told"), [("tensoin:5", "did you mean 'tension'"), ("tension:0", "above 0")])
def test_a_wrong_notice_stops_a_run_before_it_begins(root: Path, text: str, told: str) -> None:
    """An unknown outcome or a bad number is bad input, and nothing is issued."""
    done = run(root, NEXT, "--notify-if", text)
    assert done.code == 2
    assert told in done.err
    assert len(archived(root)) == 1
