"""How long ``%load_ext tfmagic`` takes, beside other extensions and TensorFlow's import."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.figures import Figure

_PROGRAM = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
began = time.perf_counter()
shell.run_cell({cell!r}).raise_error()
print((time.perf_counter() - began) * 1e3)
"""


def _readings(cell: str, runs: int) -> list[float]:
    program = _PROGRAM.format(cell=cell)
    readings = []
    for run in range(runs + 1):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
        if run:  # the first one finds cold files
            readings.append(float(done.stdout.split()[-1]))
    return readings


def figures() -> list[Figure]:
    """Return the figures; each reading is from a fresh process."""
    return [
        Figure("%load_ext tfmagic", "ms", _readings("%load_ext tfmagic", 7), "< 150 ms"),
        Figure("%load_ext autoreload (IPython's own)", "ms", _readings("%load_ext autoreload", 7)),
        Figure("import tensorflow", "ms", _readings("import tensorflow", 3)),
    ]
