# ruff: noqa: T201 - a command: what it prints is what it is for
"""Try many mutants of every source: ``python -m faults.soak --count 5000`` (``make soak``)."""

from __future__ import annotations

import argparse
import collections
import contextlib
import gc
import importlib
import os
import pkgutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.trial import Outcome


def outcomes(kind: str, folder: Path, seeds: range, workers: int, *, most_s: float | None = None) -> Iterator[Outcome]:
    """Give the outcome of each mutant of a kind; good models are in the folder."""
    # Each worker imports TensorFlow once and forks for each mutant.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_prepare) as pool:
        source = next(folder.glob(f"{kind}/*"))
        arguments = [(kind, str(source), seed, most_s) for seed in seeds]
        yield from pool.map(_outcome, arguments, chunksize=8)


def _write(folder: Path, kinds: list[str]) -> None:
    """Write a good model of each kind, each in a folder of its own."""
    from faults.sources import SOURCES

    for kind in kinds:
        place = folder / f"{kind} parts"
        place.mkdir()
        path = SOURCES[kind](place)
        (folder / kind).mkdir()
        path.rename(folder / kind / path.name)


def _prepare() -> None:
    """Import everything before the first fork, and leave it out of the collections of the children."""
    import keras  # noqa: F401 - before the fork, once
    import tensorflow  # noqa: F401, ICN001 - before the fork, once

    import tfmagic

    for module in pkgutil.walk_packages(tfmagic.__path__, f"{tfmagic.__name__}."):
        importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _outcome(arguments: tuple[str, str, int, float | None]) -> Outcome:
    from faults.trial import MOST_S, try_mutant

    kind, source, seed, most_s = arguments
    return try_mutant(kind, Path(source), seed, most_s=most_s or MOST_S)


def main(words: list[str]) -> int:
    """Try mutants, print what was tried and what failed, and return 1 if any has."""
    from faults.mutants import KINDS

    parser = argparse.ArgumentParser(prog="python -m faults.soak", description="Try mutants of every kind of source.")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all without")
    parser.add_argument("--count", type=int, default=5000, help="how many mutants of each (5000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--details", type=int, default=3, help="how many faults of one sort to show whole (3)")
    asked = parser.parse_args(words)
    kinds = asked.kinds or list(KINDS)
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_good_models(folder, kinds)
        for kind in kinds:
            began_s = time.monotonic()
            seeds = range(asked.first, asked.first + asked.count)
            faults: dict[str, list[Outcome]] = collections.defaultdict(list)
            refused = 0
            for outcome in outcomes(kind, folder, seeds, asked.workers):
                refused += outcome.fault is None and bool(outcome.detail)
                if outcome.fault is not None:
                    faults[outcome.fault].append(outcome)
                    if len(faults[outcome.fault]) <= asked.details:
                        print(f"  {kind} {outcome.seed}: {outcome.fault}: {outcome.detail}", flush=True)
            count = sum(map(len, faults.values()))
            failed += count
            named = ", ".join(f"{len(found)} {fault}" for fault, found in faults.items()) or "none"
            taken_s = time.monotonic() - began_s
            print(
                f"{kind}: tried {len(seeds)}, refused {refused}, failed: {named} ({taken_s:.0f} s)",
                flush=True,
            )
    return 1 if failed else 0


def write_good_models(folder: Path, kinds: list[str]) -> None:
    """Write the good models in another process, whose TensorFlow has threads."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(_write, folder, kinds).result()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
