"""How long ``%load_ext tfmagic`` takes, beside IPython's own ``autoreload`` and TensorFlow's import."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.figures import Figure

OURS, THEIRS, TENSORFLOW = "%load_ext tfmagic", "%load_ext autoreload", "import tensorflow"
PAIRS = 15
_PROGRAM = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_cell({cell!r}).raise_error()
print((time.perf_counter() - began) * 1e3)
"""


def _reading(cell: str) -> float:
    program = _PROGRAM.format(cell=cell)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout.split()[-1])


def figures() -> list[Figure]:
    """Return the figures; each reading is from a fresh process, and the two extensions take turns."""
    for cell in (OURS, THEIRS, TENSORFLOW):
        _reading(cell)  # finds cold files
    pairs = [(_reading(OURS), _reading(THEIRS)) for _ in range(PAIRS)]
    return [
        Figure(OURS, "ms", [ours for ours, _ in pairs]),
        Figure(f"{THEIRS} (IPython's own)", "ms", [theirs for _, theirs in pairs]),
        Figure(f"{OURS} over {THEIRS}, pair by pair", "times", [ours / theirs for ours, theirs in pairs], "≤ 2"),
        Figure(TENSORFLOW, "ms", [_reading(TENSORFLOW) for _ in range(3)]),
    ]
