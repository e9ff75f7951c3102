"""Measure everything and print it; ``--write`` keeps the page in ``benchmarks/results``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import Figure, machine, table

BENCHMARKS = {
    "load_ext": "Loading the extension",
    "further_model": "A further small model",
    "calls": "One call of a small network, batch 1",
    "sources": "Loading each kind of file, and the first answer from it",
    "memory": "Memory: what is given back, what is kept",
    "panel": "The panel: what it costs a cell that trains, and its snapshot",
}
RESULTS = Path(__file__).parent / "results" / "figures.md"


def in_fresh_processes(name: str) -> list[Figure]:
    """Return the figures of one benchmark, each case from a process that has done nothing else."""
    cases = getattr(importlib.import_module(f"benchmarks.{name}"), "CASES", None)
    if cases is None:
        return in_a_fresh_process(name)
    return [figure for case in cases for figure in in_a_fresh_process(name, case)]


def in_a_fresh_process(name: str, *case: str) -> list[Figure]:
    """Return the figures of one benchmark or case."""
    program = [sys.executable, "-m", "benchmarks", "--only", name, *case]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return [Figure(**figure) for figure in json.loads(done.stdout.splitlines()[-1])]


def main(arguments: list[str]) -> int:
    """Run all benchmarks, or the one after ``--only``, whose figures are printed as JSON."""
    if arguments[:1] == ["--only"]:
        found: list[Figure] = importlib.import_module(f"benchmarks.{arguments[1]}").figures(*arguments[2:])
        print(json.dumps([vars(figure) for figure in found]))
        return 0
    parts = [f"# Figures\n\nOn {machine()}. Medians, with the smallest and the largest reading."]
    print(parts[0], flush=True)
    for name, title in BENCHMARKS.items():
        parts.append(table(title, in_fresh_processes(name)))
        print(f"\n{parts[-1]}", flush=True)
    if "--write" in arguments:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
        print(f"\nwritten to {RESULTS.relative_to(Path.cwd())}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
