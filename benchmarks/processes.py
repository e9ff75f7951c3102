"""Fresh processes for readings, and what the present one has of memory, threads and files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def printed_by(module: str, *arguments: str) -> str:
    """Return what a module prints that is run in a process of its own.

    Raises
    ------
    RuntimeError
        When it fails, with the end of what it had to say of that.
    """
    # With bytecode written, as of every installed package: compiling tfmagic anew in each process is no part of a load.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)  # noqa: S603
    if done.returncode:
        msg = f"{module} {' '.join(arguments)} ended with {done.returncode}: {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return done.stdout


def memory_mb(field: str = "VmRSS") -> float:
    """Return a line of ``/proc/self/status`` in MB: ``VmRSS`` now, ``VmHWM`` at most (Linux)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / 1e6


def forget_peak() -> None:
    """Have ``VmHWM`` begin again from what there is now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
