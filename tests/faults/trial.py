"""What a mutant does to a kernel: each is added, run, saved and dropped in a forked process with limits.

The parent imports TensorFlow and starts none of its threads, so that it can fork.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import shutil
import signal
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from faults.mutants import mutant

Fault = Literal["death", "hang", "memory", "long error", "foreign error", "changed"]

MOST_S = 10.0
"""Processor and waiting time of one trial, in seconds, on a machine that does nothing else."""
MOST_MB = 2000.0
MOST_LINES = 5
MOST_VALUES = 1_000_000
"""Of one input that is fed."""
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Outcome:
    """What came of one mutant; `fault` is None where tfmagic took it, or refused it in a few lines."""

    kind: str
    seed: int
    fault: Fault | None
    detail: str
    peak_mb: float
    taken_s: float


def try_mutant(kind: str, source: Path, seed: int, *, most_s: float = MOST_S) -> Outcome:
    """Try one mutant in a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="tfmagic-mutant-"))
    try:
        path = mutant(kind, source, folder, seed)
        return _tried(kind, path, seed, folder, most_s)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(kind: str, path: Path, seed: int, folder: Path, most_s: float) -> Outcome:
    reading, writing = os.pipe()
    began_s = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _in_child(path, folder, writing)
    os.close(writing)
    try:
        line, is_late, peak_mb = _report(reading, child, began_s, most_s)
    finally:
        os.close(reading)
    _, status = os.waitpid(child, 0)
    taken_s = time.monotonic() - began_s
    report: dict[str, Any] = json.loads(line) if line.endswith("}") else {}
    peak_mb = max(peak_mb, report.get("peak_mb", 0.0))
    fault: Fault | None = report.get("fault")
    detail = report.get("detail", "")
    if is_late:
        fault, detail = "hang", f"no answer in {most_s:g} s"
    elif peak_mb > MOST_MB:
        fault, detail = "memory", f"{peak_mb:.0f} MB; {detail}"
    elif not report:
        fault, detail = (
            "death",
            f"ended with {status}" if not os.WIFSIGNALED(status) else f"signal {os.WTERMSIG(status)}",
        )
    return Outcome(kind, seed, fault, detail, peak_mb, taken_s)


def _report(reading: int, child: int, began_s: float, most_s: float) -> tuple[str, bool, float]:
    """Return what the child wrote, whether it is late, and its peak memory; a child that is late or large is killed."""
    data, peak_mb = b"", 0.0
    while True:
        ready, _, _ = select.select([reading], [], [], 0.05)
        if ready:
            chunk = os.read(reading, 65536)
            if not chunk:
                return data.decode(), False, peak_mb
            data += chunk
        peak_mb = max(peak_mb, _rss_mb(child))
        is_late = time.monotonic() - began_s > most_s
        if is_late or peak_mb > 2 * MOST_MB:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            return data.decode(), is_late, peak_mb


def _rss_mb(process: int) -> float:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * _PAGE_MB
    except (OSError, IndexError):
        return 0.0


def _in_child(path: Path, folder: Path, writing: int) -> None:
    """Do what a person would, write what came of it as JSON, and end the process."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        report = _used(path, folder)
    except BaseException as error:  # noqa: BLE001 - what came of it is the answer
        report = {"fault": "foreign error", "detail": "".join(traceback.format_exception(error))[-1500:]}
    report["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    os.write(writing, json.dumps(report).encode())
    os._exit(0)


def _used(path: Path, folder: Path) -> dict[str, Any]:
    from tfmagic import models

    details = []
    for step in (lambda: models.inspect(str(path)), lambda: _add_and_run(models, path, folder)):
        try:
            step()
        except Exception as error:  # noqa: BLE001 - each is looked at
            fault, detail = _judged(error)
            if fault is not None:
                return {"fault": fault, "detail": detail}
            details.append(detail)
    return {"fault": None, "detail": "; ".join(details)}


def _add_and_run(models: Any, path: Path, folder: Path) -> None:
    import numpy as np

    model = models.add("mutant", str(path))
    try:
        for name, signature in list(model.signatures.items())[:2]:
            feeds = {spec.name: np.zeros(_sizes(spec.shape), _numpy_dtype(spec.dtype)) for spec in signature.inputs}
            model.run(feeds, signature=name)
        model.save(str(folder / "saved"), replace=True)
    finally:
        models.drop("mutant")


def _numpy_dtype(dtype: str | None) -> Any:
    """Return a dtype for zeros, also where NumPy has no such dtype: the run is to refuse those."""
    import numpy as np

    try:
        return np.dtype(dtype or "float32")
    except TypeError:
        return np.dtype(object if dtype == "string" else "float32")


def _sizes(shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
    """Return a small shape that fits; where none fits, the run is to refuse it."""
    sizes = tuple(min(2 if size is None else size, 1000) for size in shape or ())[:8]
    return sizes if math.prod(sizes) <= MOST_VALUES else (1,) * len(sizes)


def _judged(error: Exception) -> tuple[Fault | None, str]:
    """Return what is wrong with an error, if anything, and its text."""
    import tensorflow as tf

    from tfmagic.errors import TfMagicError

    text = str(error)
    lines = len(text.splitlines())
    detail = f"{type(error).__name__}: {text}"
    if lines > MOST_LINES:
        return "long error", f"{lines} lines: {detail[:1500]}"
    if not isinstance(error, (TfMagicError, tf.errors.OpError)):
        return "foreign error", "".join(traceback.format_exception(error))[-1500:]
    return None, detail[:300]
