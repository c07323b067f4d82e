"""Timings of the reference model: ``python -m benchmarks.run PART [--json] [--rounds N]``, where PART is in `PARTS`.

This process imports nothing heavy, so that the peak memory of a child is the child's own. Every figure of a process is
its wall time, processor time and peak memory as the kernel counts them; rounds of what is compared alternate. Caches
lie in a temporary folder: what is called *empty* starts from nothing, what is called *warm* has run before. Behind all
that was measured comes one table: this package, others in the same run, the limit, and the last release.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.table import ROWS, table
from docs.builder.places import MODEL, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

AS_OF = "2026-01-08"
ROW = ("observe", "presidents_meeting", "--date", "2026-01-07", "--source", "Benchmark", "--grade", "C3")
PYTHON = sys.executable
HEAVY = ("pymc", "arviz", "arviz_base", "arviz_stats", "pytensor", "nutpie", "numba", "jax")


class Cost(NamedTuple):
    """What one process cost."""

    wall_s: float
    cpu_s: float
    peak_mb: float


class Bench:
    """A temporary folder with caches and projects, and the environment of the processes."""

    def __init__(self, folder: Path, rounds: int) -> None:
        """Use ``folder``; compare over ``rounds`` rounds."""
        self.folder = folder
        self.rounds = rounds
        self.projects = 0

    def environment(self, caches: str) -> dict[str, str]:
        """Give an environment with all caches of compiled code under the name ``caches``, and bytecode written.

        Without a name, the caches are those that the user has.
        """
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        if not caches:
            return kept
        place = self.folder / caches
        return {
            **kept,
            "PYTENSOR_FLAGS": f"base_compiledir={place / 'pytensor'}",
            "NUMBA_CACHE_DIR": str(place / "numba"),
        }

    def project(self) -> Path:
        """Lay out a fresh project folder."""
        self.projects += 1
        place = self.folder / f"project-{self.projects}"
        self.output([*forecast_command(), "init", str(place)], "warm")
        return place

    def cost(self, command: list[str], caches: str, **environment: str) -> Cost:
        """Run a process to its end and say what it cost."""
        with tempfile.TemporaryFile() as output:
            began = time.perf_counter()
            child = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=ROOT, env={**self.environment(caches), **environment}
            )
            _, status, used = os.wait4(child.pid, 0)
            wall = time.perf_counter() - began
            child.returncode = os.waitstatus_to_exitcode(status)
            if child.returncode:
                output.seek(0)
                sys.exit(f"{' '.join(command)} failed:\n{output.read().decode()}")
        return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def output(self, command: list[str], caches: str) -> str:
        """Run a process and give what it printed."""
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=ROOT, env=self.environment(caches)
        )
        if done.returncode:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def script(name: str) -> list[str]:
    """Give the command of another module of this folder."""
    return [PYTHON, "-m", f"benchmarks.{name}"]


def forecast_command() -> list[str]:
    """Give the installed command of this environment."""
    return [str(Path(sysconfig.get_path("scripts")) / "forecast")]


def middle(costs: list[Cost]) -> dict[str, Any]:
    """Medians over the rounds, and every wall time."""
    return {
        **{name: statistics.median(getattr(cost, name) for cost in costs) for name in Cost._fields},
        "walls": [cost.wall_s for cost in costs],
    }


def fit(bench: Bench) -> dict[str, Any]:
    """Cold process against cold process, then what happens inside ours."""
    cells, draws = bench.folder / "cells.npz", bench.folder / "draws.npz"
    bench.output([*script("reference"), str(cells)], "warm")
    model, jax_cache = str(MODEL), str(bench.folder / "jax")
    theirs = [*script("numpyro_model"), model, str(cells), str(draws)]
    keep = {"JAX_COMPILATION_CACHE_DIR": jax_cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    empty, project = fit_once(bench, "warm")
    found: dict[str, Any] = {"forecast_empty_cache": middle([empty])}
    fits = sorted((project / "data").glob("*/fits/*.nc"))
    bench.cost(theirs, "warm", **keep)  # fills JAX's cache
    costs: dict[str, list[Cost]] = {"forecast": [], "numpyro": [], "numpyro_jax_cache": []}
    for _ in range(bench.rounds):
        costs["forecast"].append(fit_once(bench, "warm")[0])
        costs["numpyro"].append(bench.cost(theirs, "warm"))
        costs["numpyro_jax_cache"].append(bench.cost(theirs, "warm", **keep))
    found |= {name: middle(values) for name, values in costs.items()}
    for column in ("wall_s", "cpu_s"):
        pairs = zip(costs["numpyro"], costs["forecast"], strict=True)
        found[f"numpyro_over_forecast_{column}"] = statistics.median(
            getattr(a, column) / getattr(b, column) for a, b in pairs
        )
    found["agreement"] = json.loads(
        bench.output([*script("agreement"), model, str(cells), str(draws), str(fits[0])], "warm")
    )
    inside = [json.loads(bench.output(script("in_process"), "warm")) for _ in range(bench.rounds)]
    found["in_process"] = {name: statistics.median(row[name] for row in inside) for name in inside[0]}
    return found


def fit_once(bench: Bench, caches: str) -> tuple[Cost, Path]:
    """Fit in a new project."""
    project = bench.project()
    return bench.cost([*forecast_command(), "fit", "-C", str(project), "--as-of", AS_OF], caches), project


def report(bench: Bench) -> dict[str, Any]:
    """Do the main job in a new project, with caches as a new and a used installation has them; then with a row more."""
    costs: dict[str, list[Cost]] = {"empty_cache": [], "warm_cache": [], "one_new_row": []}
    for k in range(bench.rounds + 1):
        project = bench.project()
        run = [*forecast_command(), "run", "-C", str(project), "--as-of", AS_OF]
        costs["warm_cache" if k else "empty_cache"].append(bench.cost(run, "report"))
        if k:
            bench.output([*forecast_command(), *ROW, "-C", str(project)], "report")
            costs["one_new_row"].append(bench.cost(run, "report"))
    return {name: middle(values) for name, values in costs.items()}


def cli(bench: Bench) -> dict[str, Any]:
    """Quick commands: wall times, and that they import nothing heavy; what asks draws may import numba."""
    project = bench.project()
    bench.cost([*forecast_command(), "run", "-C", str(project), "--as-of", AS_OF], "")
    bench.cost([*forecast_command(), *ROW, "-C", str(project)], "")
    commands = {name: [name, "-C", str(project)] for name in ("show", "log", "check")}
    commands["update"] = ["update", "-C", str(project), "--as-of", AS_OF, "--refit", "never"]
    commands["what-if"] = ["what-if", "cyberattack", "-C", str(project), "--as-of", AS_OF, "--refit", "never"]
    commands["alarm"] = ["alarm", "-C", str(project), "--as-of", AS_OF, "--refit", "never"]
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(7):
        for name, arguments in commands.items():
            costs[name].append(bench.cost([*forecast_command(), *arguments], ""))
    for name, arguments in commands.items():
        allowed = {"numba"} if name in {"update", "what-if", "alarm"} else set[str]()
        imported = bench.output([PYTHON, "-c", WATCH, *arguments], "").splitlines()[-1].split()
        if heavy := set(imported) & set(HEAVY) - allowed:
            sys.exit(f"forecast {name} imports {' '.join(sorted(heavy))}")
    return {name: middle(values) for name, values in costs.items()}


WATCH = """
import sys
from forecast.cli import main
try:
    main()
except SystemExit as error:
    if error.code:
        raise
print()
print(*{name.partition(".")[0] for name in sys.modules})
"""


def memory(bench: Bench) -> dict[str, Any]:
    """Peak memory of the main job, of a fit and of the quickest command."""
    project = bench.project()
    commands = {
        "run": ["run", "-C", str(project), "--as-of", AS_OF],
        "fit, other seed": ["fit", "-C", str(project), "--as-of", AS_OF, "--seed", "2"],
        "show": ["show", "-C", str(project)],
    }
    return {name: middle([bench.cost([*forecast_command(), *rest], "")]) for name, rest in commands.items()}


def backtest(bench: Bench) -> dict[str, Any]:
    """Back-test the article's weeks in new projects, with a fit where one is due and with one for every week."""
    found = {}
    for refit in ("auto", "always"):
        project = bench.project()
        command = [*forecast_command(), "backtest", "-C", str(project), "--as-of", AS_OF, "--refit", refit]
        found[refit] = middle([bench.cost(command, "")])
    return found | {"always_over_auto": found["always"]["wall_s"] / found["auto"]["wall_s"]}


def listed(title: str, found: dict[str, Any]) -> list[str]:
    """Lay out nested figures, a line each."""
    lines = [title]
    for name, value in found.items():
        if isinstance(value, dict) and "wall_s" in value:
            walls = ", ".join(f"{wall:.2f}" for wall in value["walls"])
            lines.append(
                f"  {name:<24} wall {value['wall_s']:7.2f} s   processor {value['cpu_s']:7.2f} s   "
                f"peak {value['peak_mb']:6.0f} MB   rounds {walls}"
            )
        elif isinstance(value, dict):
            lines += ["  " + line for line in listed(name, value)]
        else:
            lines.append(f"  {name:<56} {value:.4g}")
    return lines


def inside(name: str, *arguments: str) -> Callable[[Bench], dict[str, Any]]:
    """Give a part that one script measures by itself, with the caches that the user has."""
    return lambda bench: json.loads(bench.output([*script(name), *arguments], "").splitlines()[-1])


PARTS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "gradient": inside("gradient"),
    "fit": fit,
    "report": report,
    "cli": cli,
    "memory": memory,
    "evaluate": inside("evaluate"),
    "scaling": inside("scaling"),
    "update": inside("update"),
    "explain": inside("explain"),
    "path": inside("path", "article"),
    "path-simulated": inside("path", "simulated"),
    "backtest": backtest,
    "studies": inside("studies"),
    "archive": inside("archive", "300", "5000", "--json"),
}


def main() -> None:
    """Run the chosen parts and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=[*PARTS, "all", "table"], help="table: the parts of which the table speaks")
    parser.add_argument("--json", action="store_true", help="print JSON instead, as `released.json` keeps it")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each comparison of processes (default: 3)")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="forecast-bench-"))
    try:
        bench = Bench(folder, arguments.rounds)
        bench.output([PYTHON, "-m", "compileall", "-q", sysconfig.get_path("purelib"), str(ROOT / "forecast")], "warm")
        several = {"all": list(PARTS), "table": list(dict.fromkeys(row.own.partition(".")[0] for row in ROWS))}
        found = {name: PARTS[name](bench) for name in several.get(arguments.part, [arguments.part])}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print("\n".join(line for name, part in found.items() for line in [*listed(name, part), ""]))
        print("\n".join(table(found)))


if __name__ == "__main__":
    main()
