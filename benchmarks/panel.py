"""What the panel costs a cell that trains and how fresh it stays meanwhile, and what a snapshot takes."""

from __future__ import annotations

import json
import os
import time
from itertools import pairwise
from queue import Empty
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure
from benchmarks.kernels import kernel
from benchmarks.processes import printed_by

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_client.blocking.client import BlockingKernelClient

PAIRS = int(os.environ.get("TFMAGIC_BENCHMARK_PAIRS", "20"))
CHUNK_S = float(os.environ.get("TFMAGIC_BENCHMARK_CHUNK_S", "5"))
PATIENCE_S = 1800.0
OPEN = "%load_ext tfmagic\nimport tensorflow\npanel = %tf_panel\npanel"
WAYS = {"fit": "a Keras fit", "loop": "a loop of session.run"}
BUSY = {"python": "a loop in Python", "native": "one run in TensorFlow", "fit": "a Keras fit"}
BUSY_S = 30.0
LIMITS = {10: "≤ 1 ms", 1000: "≤ 5 ms"}


def _run(client: BlockingKernelClient, code: str) -> tuple[str, list[float]]:
    """Run a cell as a front end does, taking all that is sent; return what it printed, and when snapshots came."""
    request = client.execute(code, allow_stdin=False)
    printed, came_s, deadline = "", [], time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            message = client.get_iopub_msg(timeout=1)
        except Empty:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg":
            # On its way to the page the snapshot is made text and read again, as it is here.
            sent = json.loads(json.dumps(content["data"])).get("content", {})
            if isinstance(sent, dict) and sent.get("kind") == "snapshot":
                came_s.append(time.monotonic())
        elif message["parent_header"].get("msg_id") != request:
            continue
        elif kind == "stream" and content["name"] == "stdout":
            printed += content["text"]
        elif kind == "error":
            raise RuntimeError("\n".join(content["traceback"]))
        elif kind == "status" and content["execution_state"] == "idle":
            return printed, came_s
    msg = f"the kernel was not done within {PATIENCE_S:g} s"
    raise RuntimeError(msg)


def _in_a_kernel(way: str) -> dict[str, Any]:
    with kernel() as client:
        _run(client, OPEN)
        code = f"from benchmarks.panel_ways import in_turns\nin_turns(panel, {way!r}, {PAIRS}, {CHUNK_S})"
        printed, came_s = _run(client, code)
    got: dict[str, Any] = json.loads(printed.splitlines()[-1])
    open_s = sum(one["wall_s"] for one in got["open"])
    if len(came_s) < open_s:
        msg = f"only {len(came_s)} snapshots came in the {open_s:.0f} s that the panel was open: nothing is measured"
        raise RuntimeError(msg)
    return got


def _training(way: str) -> list[Figure]:
    got, what = _in_a_kernel(way), WAYS[way]
    wall, processor = _more(got, "wall_s"), _more(got, "processor_s")
    alone = [one["wall_s"] / got["epochs"] * 1e3 for one in got["closed"]]
    total = sum(one["wall_s"] for one in got["open"]) / sum(one["wall_s"] for one in got["closed"])
    return [
        Figure(f"{what}, the panel open: slower by, pair by pair", "%", wall, "≤ 1 %"),
        Figure(f"{what}, all {len(wall)} pairs together", "%", [(total - 1) * 100]),
        Figure(f"{what}, the panel open: more processor time by, pair by pair", "%", processor),
        Figure(f"{what}, without: an epoch of 64 steps", "ms", alone),
        Figure(f"{what}: processor time of a look, one a second", "ms", [one * 1e3 for one in got["look"]]),
    ]


def _more(got: dict[str, Any], key: str) -> list[float]:
    return [(one[key] / other[key] - 1) * 100 for one, other in zip(got["open"], got["closed"], strict=True)]


def _busy() -> list[Figure]:
    figures = []
    for way, what in BUSY.items():
        with kernel() as client:
            _run(client, OPEN)
            _, came_s = _run(client, f"from benchmarks.panel_ways import busy\nbusy(panel, {way!r}, {BUSY_S})")
        # The first comes as the page begins to look.
        gaps_s = [late - early for early, late in pairwise(came_s[1:])]
        if not gaps_s:
            msg = f"no snapshots came in the {BUSY_S:.0f} s of {what}: nothing is measured"
            raise RuntimeError(msg)
        figures.append(Figure(f"from one snapshot to the next while a cell runs, {what}", "s", gaps_s, "≤ 1.2 s"))
    return figures


def _snapshot() -> list[Figure]:
    figures = []
    for count, limit in LIMITS.items():
        got = json.loads(printed_by("benchmarks.panel_ways", str(count)).splitlines()[-1])
        what = f"tfmagic.snapshot() of {count:,} models"
        figures.append(Figure(what, "ms", got["still"], limit))
        figures.append(Figure(f"{what}, all of which have run since the last", "ms", got["changed"]))
    return figures


CASES: dict[str, Callable[[], list[Figure]]] = {
    "fit": lambda: _training("fit"),
    "loop": lambda: _training("loop"),
    "busy": _busy,
    "snapshot": _snapshot,
}


def figures(case: str) -> list[Figure]:
    """Return the figures of one case."""
    return CASES[case]()
