"""Score the history's spells, a unit left out at a time, and its durations; and the rivals on the same history.

Writes the figures, ``docs/history.md`` and ``docs/rivals.md``. It takes some ten minutes on two processors. The figures
are kept beside this module, and `docs.build` sets them out.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.history.rivals import rivals_on_history
from benchmarks.history.study import TASKS, durations_scored, effects_of_victory, scored
from docs.builder.history import FIGURES, history_page
from docs.builder.places import DOCS, MODEL, spec_of
from docs.builder.rivals import rivals_page


def main() -> None:
    """Run everything, write."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        effects = pool.submit(effects_of_victory)
        durations = pool.submit(durations_scored)
        found = {
            "version": spec_of(MODEL).hash,
            "scored": list(pool.map(scored, TASKS)),
            "effects": effects.result(),
            "durations": durations.result(),
        }
    with TemporaryDirectory() as folder:
        found["rivals"] = rivals_on_history(Path(folder))
    write(found)
    (DOCS / "history.md").write_text(history_page(), encoding="utf-8")
    (DOCS / "rivals.md").write_text(rivals_page(), encoding="utf-8")


def write(found: dict[str, Any]) -> None:
    """Keep the figures, to six digits."""
    rounded = json.loads(json.dumps(found), parse_float=lambda text: float(f"{float(text):.6g}"))
    FIGURES.write_text(json.dumps(rounded, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
