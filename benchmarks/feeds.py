"""A day of GDELT, made up here: 96 files and 100,000 events, read, kept and counted: ``python -m benchmarks.feeds``.

Prints one JSON object: seconds and peak memory (MB) of the process that pulls, which does nothing else; files are made
before, by this one. The second pull finds everything known. ``--days N`` lays down more days.
"""

from __future__ import annotations

import argparse
import datetime as dt
import io
import json
import random
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

EVENTS, FILES = 100_000, 96
FIRST = dt.date(2025, 12, 1)
CODES = ("010", "020", "036", "042", "043", "051", "0841", "111", "112", "1241", "138", "163", "173", "190", "193")
COUNTRIES = ("USA", "RUS", "UKR", "AZE", "CHN", "DEU", "GBR", "TUR", "IRN", "FRA", "")
FEED = """
[feed]
kind = "gdelt"
title = "Made-up GDELT"
folder = "files"
license = "none"
[window]
from = 2025-12-01
[channels.hostility]
between = [["RUS", "AZE"], ["RUS", "UKR"]]
codes = ["11", "12", "13", "16", "17", "18", "19"]
"""
CHILD = """
import datetime as dt, json, resource, sys, time
from pathlib import Path
from forecast.feeds.deliveries import listed_files, take_in
from forecast.feeds.feed_file import load_feed
from forecast.feeds.store import Store
from forecast.feeds.weeks import count_weeks
folder = Path(sys.argv[1])
now = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
began = time.perf_counter()
feed, store = load_feed(folder / "gdelt.toml"), Store(folder / "gdelt")
intake = take_in(store, feed, listed_files(folder / "files"), now, now.date())
weeks = count_weeks(feed, store.taken, store.events(), now.date())
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
rows = sum(one.read for one in intake.new)
print(json.dumps({"seconds": seconds, "peak MB": peak, "new files": len(intake.new), "rows": rows,
                  "kept": sum(one.kept for one in intake.new), "refused": len(intake.refused),
                  "weeks": len(weeks.complete)}))
"""


def lay(folder: Path, day: dt.date, rng: random.Random) -> None:
    """Write the files of one day."""
    folder.mkdir(parents=True, exist_ok=True)
    number = day.toordinal() * 1_000_000
    moment = dt.datetime.combine(day, dt.time())
    for k in range(FILES):
        stamp = f"{moment + k * dt.timedelta(minutes=15):%Y%m%d%H%M%S}"
        lines: list[str] = []
        for j in range(EVENTS * k // FILES, EVENTS * (k + 1) // FILES):
            happened = day - dt.timedelta(days=rng.choice((0, 0, 0, 0, 1, 7, 30, 365)))
            code, size = rng.choice(CODES), rng.randint(1, 40)
            one, other = rng.choice(COUNTRIES), rng.choice(COUNTRIES)
            cells = [
                str(number + j), f"{happened:%Y%m%d}", f"{happened:%Y%m}", f"{happened:%Y}", f"{happened:%Y}.5",
                one, "PRESIDENT", one, "", "", "", "", "GOV", "", "", other, "COMPANY", other, "", "", "", "", "", "",
                "", "1", code, code[:3], code[:2], "3", f"{rng.uniform(-10, 10):.1f}", str(size), "1", str(size),
                f"{rng.uniform(-9, 9):.13f}", "1", "Russia", "RS", "RS", "", "60", "100", "RS", "1", "Azerbaijan", "AJ",
                "AJ", "", "40.5", "47.5", "AJ", "4", "Baku, Baki, Azerbaijan", "AJ", "AJ09", "20384", "40.3953",
                "49.8822", "-2705195", stamp, f"https://example.org/{rng.getrandbits(64):x}/a-made-up-headline-of-some-length",
            ]  # fmt: skip
            lines.append("\t".join(cells))
        with zipfile.ZipFile(packed := io.BytesIO(), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{stamp}.export.CSV", "\n".join(lines) + "\n")
        (folder / f"{stamp}.export.CSV.zip").write_bytes(packed.getvalue())


def main() -> None:
    """Make the files, pull twice, print."""
    parser = argparse.ArgumentParser(description="A day of GDELT, read and counted.")
    parser.add_argument("--days", type=int, default=1)
    days = parser.parse_args().days
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "gdelt.toml").write_text(FEED, encoding="utf-8")
        rng = random.Random(20260108)  # noqa: S311 - made-up events
        for k in range(days):
            lay(folder / "files", FIRST + dt.timedelta(days=k), rng)
        size = sum(path.stat().st_size for path in (folder / "files").iterdir()) / 1e6
        found = {"days": days, "MB zipped": size}
        for name in ("first", "again"):
            done = subprocess.run([sys.executable, "-c", CHILD, place], capture_output=True, text=True, check=True)
            found |= {f"{name}: {key}": value for key, value in json.loads(done.stdout).items()}
        found["MB kept"] = sum(path.stat().st_size for path in (folder / "gdelt").iterdir()) / 1e6
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
