"""Measure, and print the figures: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.call_chart import bars, drawn
from benchmarks.figures import Figure, machine, table

BENCHMARKS = {
    "load_ext": "Loading the extension",
    "further_model": "A further small model",
    "calls": "Calls, NumPy to NumPy",
    "ten_models": "Ten models called in turn",
    "many_models": "A thousand models, and a tenth",
    "sources": "Loading each kind of file, and the first answer from it",
    "graph_size": "Graphs of a thousand to a hundred thousand nodes",
    "memory": "Memory: what is given back, what is kept",
    "panel": "The panel: what it costs a cell that trains, and its snapshot",
}
RESULTS = Path(__file__).parent / "results" / "figures.md"
CHART = Path(__file__).parent.parent / "docs" / "pictures" / "calls.svg"


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


def kept(page: str) -> dict[str, str]:
    """Return the tables of a page as it was written before, by title."""
    tables = page.split("\n\n### ")[1:]
    return {text.partition("\n")[0]: f"### {text.rstrip()}" for text in tables}


def _shown(path: Path) -> str:
    return str(path.relative_to(Path(__file__).parent.parent))


def main(arguments: list[str]) -> int:
    """Measure what is asked for, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure tfmagic beside its peers.")
    parser.add_argument("what", nargs="*", metavar="WHAT", help=f"of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"put the tables into {_shown(RESULTS)}, and draw that of calls as {_shown(CHART)}",
    )
    parser.add_argument("--rounds", type=int, help="how many turns each way to call has, where ways take turns (15)")
    parser.add_argument("--only", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.only:
        found: list[Figure] = importlib.import_module(f"benchmarks.{asked.only[0]}").figures(*asked.only[1:])
        print(json.dumps([vars(figure) for figure in found]))
        return 0
    if asked.rounds is not None:
        if asked.rounds < 1:
            parser.error(f"expected --rounds of 1 or more, got {asked.rounds}")
        os.environ["TFMAGIC_BENCHMARK_ROUNDS"] = str(asked.rounds)
    if unknown := [name for name in asked.what if name not in BENCHMARKS]:
        parser.error(f"expected {', '.join(BENCHMARKS)}, got {', '.join(unknown)}")
    head = f"# Figures\n\nOn {machine()}. Medians, with the smallest and the largest reading."
    print(head, flush=True)
    tables = kept(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    for name in asked.what or BENCHMARKS:
        title = BENCHMARKS[name]
        tables[title] = table(title, in_fresh_processes(name))
        print(f"\n{tables[title]}", flush=True)
    if asked.write:
        RESULTS.parent.mkdir(exist_ok=True)
        in_order = [tables[title] for title in BENCHMARKS.values() if title in tables]
        RESULTS.write_text("\n\n".join([head, *in_order]) + "\n", encoding="utf-8")
        print(f"\nwritten to {_shown(RESULTS)}")
        if "calls" in (asked.what or BENCHMARKS):
            CHART.write_text(drawn(bars(tables[BENCHMARKS["calls"]]), machine()), encoding="utf-8")
            print(f"drawn as {_shown(CHART)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
