"""Feed files: every fault is named with its line, its key and what is allowed; templates of every kind can be used."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

import pytest
from coded_events import ACLED, GDELT, PLAIN, POLECAT, UCDP, feed_of

from forecast.base.errors import InputError
from forecast.feeds.blank import blank_feed
from forecast.feeds.feed_file import KINDS, FeedFileError, load_feed, require_channels, require_own_channels
from forecast.feeds.selection import watched

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", [GDELT, UCDP, ACLED, POLECAT, PLAIN])
def test_a_feed_file_is_read(text: str, tmp_path: Path) -> None:
    """What is not said is as it is with the kind of source."""
    feed = feed_of(text, tmp_path)
    kind = KINDS[feed.feed.kind]
    assert (feed.every, feed.lag_days, feed.exposure) == (kind.every, kind.lag_days, kind.exposure)


def _without(text: str, line: str) -> str:
    assert line in text
    return text.replace(line, "")


FAULTS = {
    "a kind that there is not": (GDELT.replace('"gdelt"', '"gdlt"'), 3, "feed.kind: 'gdlt' is not allowed"),
    "no licence": (_without(GDELT, 'license = "none"\n'), 2, "feed.license: is missing"),
    "a key by another name": (GDELT.replace("license", "licence"), 6, "feed.licence: is not a known key; did you mean"),
    "folder and address": (
        GDELT.replace('folder = "files"', 'folder = "files"\nurl = "https://example.org"'), 2, "feed: give one of",
    ),
    "an address without the moment": (
        GDELT.replace('folder = "files"', 'url = "https://example.org/a.zip"'), 5,
        "feed.url: a file comes every 15 minutes, so its address needs {stamp}",
    ),
    "an address with a part that is none": (
        GDELT.replace('folder = "files"', 'url = "https://example.org/{stump}.zip"'), 5, "feed.url: {stump} is no",
    ),
    "an address of releases": (
        ACLED.replace('folder = "files"', 'url = "https://example.org/a.csv"'), 5, "feed.url: releases come under",
    ),
    "a selection of everything": (
        _without(GDELT, 'between = [["RUS", "AZE"]]\n'), 10, "channels.hostility: selects every event there is",
    ),
    "a pair of three": (GDELT.replace('"RUS", "AZE"]', '"RUS", "AZE", "UKR"]'), 11, "channels.hostility.between.1st"),
    "a list that is text": (GDELT.replace('["11", "12"]', '"11"'), 12, "codes: needs a list in square"),
    "a name that is none": (GDELT.replace("channels.hostility", "channels.Hostility"), 10, "is not a name"),
    "a day that is none": (GDELT.replace("from = 2025-12-01", 'from = "soon"'), 9, "window.from: needs a date"),
    "a plain table without columns": (
        re.sub(r"\[columns\].*?(?=\[channels)", "", PLAIN, flags=re.DOTALL), 1, "[columns]: a plain table needs it",
    ),
    "columns of a source that has its own": (
        GDELT + '[columns]\nday = "a"\ncode = "b"\n', 17, "[columns]: gdelt has columns of its own",
    ),
    "coverage by the news": (
        GDELT + '[coverage]\nindicators = ["entry_ban"]\n', 17, "[coverage]: gdelt counts what is in the news",
    ),
    "coverage of what is not looked for": (
        UCDP.replace('indicators = ["mass_air_strikes"]', 'indicators = ["food_ban"]'), 15, "[coverage]: say under",
    ),
    "nothing to read for": (GDELT[: GDELT.index("[channels")], 1, "[channels] or [sightings]: without either"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_line_its_key_and_a_remedy(name: str, tmp_path: Path) -> None:
    """Whoever mistypes a feed file is told where and what."""
    text, line, said = FAULTS[name]
    with pytest.raises(FeedFileError) as caught:
        feed_of(text, tmp_path)
    faults = dict(zip(caught.value.faults, caught.value.places, strict=True))
    (fault,) = (fault for fault in faults if said in fault)
    assert faults[fault].rpartition(":")[2] == str(line)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Two faults of two tables are two lines of one message."""
    with pytest.raises(FeedFileError, match="2 faults"):
        feed_of(GDELT.replace('"gdelt"', "3") + "x = 1\n", tmp_path)


def test_what_no_model_has_is_a_fault_with_the_nearest_name(tmp_path: Path) -> None:
    """A channel or indicator that no model of the dataset knows is named with its line."""
    feed = feed_of(GDELT, tmp_path)
    with pytest.raises(FeedFileError) as caught:
        require_channels(tmp_path / "coded.toml", feed, ["hostilities"], ["entry_ban"])
    (fault,) = caught.value.faults
    assert fault == "channels.hostility: no model of this dataset has such a channel; did you mean 'hostilities'?"
    assert caught.value.places[0].endswith("coded.toml:10")
    require_channels(tmp_path / "coded.toml", feed, ["hostility"], ["entry_ban"])


def test_two_feeds_cannot_count_one_channel(tmp_path: Path) -> None:
    """A week of a channel has one count, so it has one feed."""
    feed = feed_of(GDELT, tmp_path)
    with pytest.raises(InputError, match="is counted by the feeds 'a' and 'b'"):
        require_own_channels({"a": feed, "b": feed})


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_a_feed_file_once_a_channel_is_chosen(kind: str, tmp_path: Path) -> None:
    """With its examples no longer commented out a template has no fault; as it is, it asks for a channel alone."""
    text = blank_feed(kind, "mine", 'a "folder"', dt.date(2025, 12, 1))
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FeedFileError) as caught:
        load_feed(path)
    assert [fault.partition(":")[0] for fault in caught.value.faults] == ["[channels] or [sightings]"]
    path.write_text(re.sub(r"(?m)^# (?=\[(?:channels|sightings|coverage)|\w+ = [\[\d])", "", text), encoding="utf-8")
    feed = load_feed(path)
    assert feed.channels
    assert feed.feed.folder == 'a "folder"'


def test_an_address_is_taken_for_one() -> None:
    """What begins with https is an address, all else a folder; names and kinds that are none are refused."""
    address = "https://example.org/{stamp}.zip"
    assert f'url = "{address}"' in blank_feed("gdelt", "g", address, dt.date(2025, 1, 1))
    with pytest.raises(InputError, match="'My feed' is not a name"):
        blank_feed("gdelt", "My feed", "x", dt.date(2025, 1, 1))
    with pytest.raises(InputError, match="no kind of feed 'icews'"):
        blank_feed("icews", "x", "x", dt.date(2025, 1, 1))


def test_other_codes_need_no_other_reading(tmp_path: Path) -> None:
    """Files have to be read again for other actors or an earlier beginning, not for other codes."""
    feed = feed_of(GDELT, tmp_path)
    assert watched(feed_of(GDELT.replace('["11", "12"]', '["19"]'), tmp_path)) == watched(feed)
    for old, new in (('"AZE"]]', '"GEO"]]'), ("from = 2025-12-01", "from = 2025-11-01")):
        assert watched(feed_of(GDELT.replace(old, new), tmp_path)) != watched(feed)
