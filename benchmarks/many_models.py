"""Many models: a thousand small ones beside sessions made by hand, and the tenth beside a tenth kernel."""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

from benchmarks.figures import Figure
from benchmarks.further_model import BATCH, FROZEN, frozen_by_hand
from benchmarks.kernels import kernel
from benchmarks.processes import memory_mb, printed_by
from benchmarks.ten_models import OURS, START, THEIRS, run

if TYPE_CHECKING:
    from jupyter_client.blocking.client import BlockingKernelClient

COUNT = 1000
READINGS = 3
LAST = 9
WHAT = "1,000 small models added and run once"


def figures() -> list[Figure]:
    """Return the figures; ours and the peer's take turns."""
    return [*_thousand(), *_tenth()]


def _thousand() -> list[Figure]:
    readings: dict[str, list[dict[str, float]]] = {"tfmagic": [], "by hand": []}
    for _ in range(READINGS):
        for way, found in readings.items():
            found.append(json.loads(printed_by("benchmarks.many_models", way).splitlines()[-1]))
    best = {
        key: statistics.median(one[key] for one in readings["by hand"]) for key in ("time", "memory", "new threads")
    }
    rows = []
    for way, found in readings.items():
        ours = way == "tfmagic"
        rows += [
            Figure(
                f"{WHAT}, {way}: {key}", unit, [one[key] for one in found], f"≤ {share * best[key]:.3g}" if ours else ""
            )
            for key, unit, share in (("time", "s", 1.0), ("memory", "MB", 1.2), ("new threads", "", 1.0))
        ]
    return rows


def _one_thousand(way: str) -> dict[str, float]:
    """Add and run a thousand models in this process."""
    from tfmagic import models

    kept: list[Any] = []

    def ours(at: int) -> Any:
        model = models.add(f"m{at}", FROZEN)
        return model, model(BATCH)

    add = ours if way == "tfmagic" else frozen_by_hand
    # What happens once a process is over.
    kept.extend(add(at) for at in range(COUNT, COUNT + 3))
    gc.collect()
    before_mb, threads, began = memory_mb(), psutil.Process().num_threads(), time.perf_counter()
    kept.extend(add(at) for at in range(COUNT))
    took_s = time.perf_counter() - began
    gc.collect()
    new = psutil.Process().num_threads() - threads
    return {"time": took_s, "memory": memory_mb() - before_mb, "new threads": new}


def _tenth() -> list[Figure]:
    ours_s, ours_mb, theirs_s, theirs_mb = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        printed_by("benchmarks.ten_models", folder)
        paths = [str(Path(folder) / f"m{at}") for at in range(LAST + 1)]
        weights_mb = sum(one.stat().st_size for one in Path(paths[LAST]).rglob("variables*")) / 1e6
        for _ in range(READINGS):
            with ExitStack() as running:
                one = running.enter_context(kernel())
                run(one, START + OURS)
                for at in range(LAST):
                    run(one, _added(at, paths))
                before_mb, began = _own_mb(one), time.perf_counter()
                answer = run(one, _added(LAST, paths))
                ours_s.append(time.perf_counter() - began)
                ours_mb.append(max(0.0, _own_mb(one) - before_mb - weights_mb))
                began = time.perf_counter()
                another = running.enter_context(kernel())
                theirs = run(another, START + THEIRS.format(path=paths[LAST]) + "print(call(x).tolist())")
                theirs_s.append(time.perf_counter() - began)
                theirs_mb.append(_own_mb(another) - weights_mb)
                np.testing.assert_allclose(json.loads(answer), json.loads(theirs), 1e-3, 1e-6)
    ratios_s = [mine / other for mine, other in zip(ours_s, theirs_s, strict=True)]
    ratios_mb = [mine / other for mine, other in zip(ours_mb, theirs_mb, strict=True)]
    return [
        Figure("the tenth model, added and run in its cell", "s", ours_s),
        Figure("a tenth kernel, to its first answer", "s", theirs_s),
        Figure("the tenth model's time over the kernel's", "times", ratios_s, "≤ 0.01"),
        Figure("the tenth model: memory of its own over its weights", "MB", ours_mb),
        Figure("a tenth kernel: memory of its own over the model's weights", "MB", theirs_mb),
        Figure("the tenth model's memory over the kernel's", "times", ratios_mb, "≤ 0.01"),
    ]


def _added(at: int, paths: list[str]) -> str:
    return f"model = models.add('m{at}', {paths[at]!r})\nprint(model(x).tolist())"


def _own_mb(client: BlockingKernelClient) -> float:
    """Return the memory that no other process has, and that would be free without this kernel."""
    pid = int(run(client, "import os\nprint(os.getpid())"))
    return float(psutil.Process(pid).memory_full_info().uss) / 1e6


if __name__ == "__main__":
    print(json.dumps(_one_thousand(sys.argv[1])))
