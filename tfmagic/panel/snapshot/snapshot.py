"""The snapshot: one plain record of the runtime and the models, which every view draws.

Its JSON Schema is ``snapshot.schema.json`` beside this file, made from the records by
``scripts/make_schema.py``.
"""

from __future__ import annotations

import itertools
import os
import platform
import time
from importlib import metadata
from typing import TYPE_CHECKING, TypedDict

import psutil

from tfmagic.core.modules import imported, is_coming
from tfmagic.core.process import once
from tfmagic.core.running_cells import running_cells
from tfmagic.model.memory.budget import HOST, budget
from tfmagic.model.registry import the_models
from tfmagic.panel.snapshot.sampler import sampler
from tfmagic.runtime.libraries.timeline import libraries
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.memory.process_memory import ProcessMemoryRecord, process_memory
from tfmagic.runtime.native_log.log import native_log
from tfmagic.runtime.session.devices import devices
from tfmagic.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.model.record import ModelRow
    from tfmagic.panel.snapshot.sampler import SamplerRecord
    from tfmagic.runtime.libraries.timeline import LibrariesSummary
    from tfmagic.runtime.memory.policy import PolicyRecord
    from tfmagic.runtime.native_log.entries import LogSummary
    from tfmagic.runtime.session.devices import DeviceRecord

SCHEMA = 1
"""Raised when a field goes or changes its meaning; a new field is no new version."""

# The time between two readings: long enough to be exact, and at most two ticks.
_CPU_AGE_S = 0.5
_CPU_TICKS = 2


class KernelRecord(TypedDict):
    """Whose snapshot it is. None stands for what is not known.

    Attributes
    ----------
    pid
        The process.
    started_s
        When it began, in seconds since the epoch.
    cell_since_s
        When the cell that is running began; None between cells.
    """

    pid: int
    started_s: float | None
    cell_since_s: float | None


class VersionsRecord(TypedDict):
    """What is installed; None for what is not imported yet.

    Attributes
    ----------
    importing
        Whether TensorFlow is being imported at this moment, which takes seconds.
    """

    tfmagic: str
    python: str
    tensorflow: str | None
    keras: str | None
    importing: bool


class ProcessRecord(ProcessMemoryRecord):
    """What the process uses. None stands for what is not known.

    Attributes
    ----------
    rss_bytes, private_bytes, shared_bytes, limit_bytes, limit_used_bytes, available_bytes, free_in_malloc_bytes
        As in `ProcessMemoryRecord`.
    threads
        All of them, TensorFlow's own included.
    cpu_share
        Processor seconds a second since the last look: 1.0 is one core.
    """

    threads: int
    cpu_share: float | None


class BudgetRecord(TypedDict):
    """What the models may take together.

    Attributes
    ----------
    text
        As it was set; empty for no limit.
    limits
        In bytes by device, with ``""`` for the memory that all share.
    """

    text: str
    limits: dict[str, int]


class SessionRecord(TypedDict):
    """The one session.

    Attributes
    ----------
    open
        Whether it has any native session.
    native_sessions
        One for each graph that was run and is not parked.
    """

    open: bool
    native_sessions: int


class Snapshot(TypedDict):
    """Everything that a view draws, at one time.

    Attributes
    ----------
    schema
        The version of this record.
    seq
        Grows by one with each snapshot of a process.
    time_s
        Seconds since the epoch.
    """

    schema: int
    seq: int
    time_s: float
    kernel: KernelRecord
    versions: VersionsRecord
    process: ProcessRecord
    policy: PolicyRecord
    budget: BudgetRecord
    session: SessionRecord
    devices: list[DeviceRecord]
    libraries: LibrariesSummary
    log: LogSummary
    sampler: SamplerRecord
    models: list[ModelRow]


class _Meter:
    """What the process has counted since the last snapshot."""

    def __init__(self) -> None:
        self.numbers: Iterator[int] = itertools.count(1)
        self.process = psutil.Process()
        self.started_s = self.process.create_time()
        self._at_s: float | None = None
        self._cpu_s = 0.0
        self._share: float | None = None

    def cpu_share(self) -> float | None:
        now_s, cpu_s = time.monotonic(), time.process_time()
        if self._at_s is None:
            self._at_s, self._cpu_s = now_s, cpu_s
        elif now_s - self._at_s >= min(_CPU_AGE_S, _CPU_TICKS * sampler().interval_s):
            self._share = (cpu_s - self._cpu_s) / (now_s - self._at_s)
            self._at_s, self._cpu_s = now_s, cpu_s
        return self._share


def snapshot() -> Snapshot:
    """Return the runtime and the models as they are now, as plain data.

    Nothing is built, run or waited for, and TensorFlow is not imported.
    """
    meter = once("meter", _Meter)
    the_budget = budget()
    return {
        "schema": SCHEMA,
        "seq": next(meter.numbers),
        "time_s": time.time(),
        "kernel": {"pid": os.getpid(), "started_s": meter.started_s, "cell_since_s": running_cells().since_s},
        "versions": {
            "tfmagic": __version__,
            "python": platform.python_version(),
            "tensorflow": _version("tensorflow"),
            "keras": _version("keras"),
            "importing": is_coming("tensorflow"),
        },
        "process": {**process_memory(), "threads": meter.process.num_threads(), "cpu_share": meter.cpu_share()},
        "policy": memory_policy().record(),
        "budget": {
            "text": the_budget.text,
            "limits": {("" if device == HOST else device): limit for device, limit in the_budget.limits().items()},
        },
        "session": _session(),
        "devices": devices(),
        "libraries": libraries().summary(),
        "log": native_log().entries.summary(),
        "sampler": sampler().record(),
        "models": [model.records.row() for model in the_models().present()],
    }


def _version(name: str) -> str | None:
    module = imported(name)
    if module is None:
        return None
    version = getattr(module, "__version__", None)
    return str(version) if version is not None else metadata.version(name)


def _session() -> SessionRecord:
    if imported("tensorflow") is None:
        return {"open": False, "native_sessions": 0}
    from tfmagic.runtime.session.kernel_session import KernelSession

    graphs = len(KernelSession().open_graphs())
    return {"open": graphs > 0, "native_sessions": graphs}
