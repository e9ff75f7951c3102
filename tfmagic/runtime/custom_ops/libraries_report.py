"""The record of the process's libraries: the timeline joined with files, settings, GPU and custom ops."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.core.process import once
from tfmagic.runtime.custom_ops.libraries import op_libraries
from tfmagic.runtime.libraries.environment import settings
from tfmagic.runtime.libraries.files import duplicates
from tfmagic.runtime.libraries.gpu import gpu_record
from tfmagic.runtime.libraries.packages import owner_of
from tfmagic.runtime.libraries.shared_objects import BASELINE, mapped_files
from tfmagic.runtime.libraries.timeline import libraries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.custom_ops.libraries import OpLibraryRecord
    from tfmagic.runtime.libraries.environment import SettingRecord
    from tfmagic.runtime.libraries.files import DuplicateRecord, LoadedFile
    from tfmagic.runtime.libraries.gpu import GpuRecord
    from tfmagic.runtime.libraries.packages import Distribution
    from tfmagic.runtime.libraries.shared_objects import CountersRecord, FinishedPhase
    from tfmagic.runtime.libraries.timeline import Libraries

_VERSION = re.compile(r"\.so\.(\d[\d.]*)$|\.(\d[\d.]*)\.dylib$")
_TWO_INTEL_OPENMPS = "KMP_DUPLICATE_LIB_OK"


class LibraryRecord(TypedDict):
    """One shared object. None stands for what is not known.

    Attributes
    ----------
    name
        The name under which it was loaded, such as ``libz.so.1``.
    version
        What it tells threadpoolctl, or else the end of its file name.
    path
        The file, with links followed.
    package, package_version
        The installed package that the file belongs to.
    size_bytes
        Size on disk; None if the file is gone.
    resident_bytes
        Size in memory at the last sample.
    occasion
        The phase in which it came: ``import of tensorflow``, ``model NAME``, ``custom op``,
        ``other``, or ``there before tfmagic``.
    at_s
        When it was first seen, in seconds since the epoch.
    since_load
        Whether it came after the baseline.
    of_tensorflow
        Whether it is TensorFlow's own file or came with its import.
    threads
        Kind and thread count of its thread pool, if threadpoolctl knows it.
    """

    name: str
    version: str | None
    path: str
    package: str | None
    package_version: str | None
    size_bytes: int | None
    resident_bytes: int | None
    occasion: str
    at_s: float
    since_load: bool
    of_tensorflow: bool
    threads: str | None


class OccasionRecord(TypedDict):
    """A phase, such as the build of a model, and what was loaded in it.

    Attributes
    ----------
    occasion
        The phase's name.
    began_s, ended_s
        In seconds since the epoch.
    before, after
        The loader's counters; equal if nothing was loaded.
    brought
        Paths of the libraries that came in it.
    since
        Paths of the libraries that have come after it and are still loaded.
    """

    occasion: str
    began_s: float
    ended_s: float
    before: CountersRecord | None
    after: CountersRecord | None
    brought: list[str]
    since: list[str]


class LibrariesRecord(TypedDict):
    """Everything that is known of the process's shared objects.

    Attributes
    ----------
    call
        The platform's call that listed them.
    counters, counters_at_load
        The loader's counters, now and at the baseline; None where it has none.
    loaded_at_s
        When the baseline was taken.
    since_load, gone_since_load
        Paths of the libraries loaded since then, and of those unloaded.
    resident_at_s, resident_age_s
        When resident sizes were sampled, and how long ago.
    op_libraries
        The custom op libraries that were loaded through tfmagic.
    """

    call: str
    counters: CountersRecord | None
    counters_at_load: CountersRecord | None
    loaded_at_s: float
    since_load: list[str]
    gone_since_load: list[str]
    libraries: list[LibraryRecord]
    resident_at_s: float | None
    resident_age_s: float | None
    occasions: list[OccasionRecord]
    duplicates: list[DuplicateRecord]
    settings: list[SettingRecord]
    gpu: GpuRecord
    op_libraries: list[OpLibraryRecord]


class _ResidentSizes:
    """Resident bytes of each mapped file at the last sample, whose time is ``at_s`` (seconds since the epoch).

    The kernel walks every page table for a sample: tens of milliseconds in which the process can map nothing. So one
    is taken on request only. ``at_s`` is None before the first, and where psutil cannot tell.
    """

    def __init__(self) -> None:
        self.at_s: float | None = None
        self.by_path: dict[str, int] = {}

    def sample(self) -> None:
        if files := mapped_files():
            self.by_path, self.at_s = {file.path: file.rss for file in files}, time.time()


def libraries_record(timeline: Libraries | None = None, *, sample: bool = True) -> LibrariesRecord:
    """Return what is known of a timeline's libraries; without `sample`, with the resident sizes of the last sample."""
    timeline = timeline or libraries()
    sizes = once("resident libraries", _ResidentSizes)
    if sample or sizes.at_s is None:
        sizes.sample()
    files = timeline.files()
    pools = _thread_pools()
    records = [
        _record(file, owner_of(file.path), pools.get(file.path, {}), sizes.by_path.get(file.path)) for file in files
    ]
    paths = [file.path for file in files]
    return {
        "call": timeline.objects.call,
        "counters": timeline.objects.counters(),
        "counters_at_load": timeline.at_load,
        "loaded_at_s": timeline.loaded_at_s,
        "since_load": [record["path"] for record in records if record["since_load"]],
        "gone_since_load": [loaded.shared_object.path for loaded in list(timeline.gone)],
        "libraries": records,
        "resident_at_s": sizes.at_s,
        "resident_age_s": None if sizes.at_s is None else max(0.0, time.time() - sizes.at_s),
        "occasions": [_phase_record(phase, files) for phase in timeline.finished()],
        "duplicates": duplicates(file.loaded.header for file in files) + op_libraries().duplicates(),
        "settings": settings(paths),
        "gpu": gpu_record(paths, _gpus_in_use()),
        "op_libraries": op_libraries().records(),
    }


def _record(
    file: LoadedFile, owner: Distribution | None, pool: dict[str, Any], resident_bytes: int | None
) -> LibraryRecord:
    suffix = _VERSION.search(file.path)
    try:
        size: int | None = os.stat(file.path).st_size  # noqa: PTH116 - once for each of hundreds of files
    except OSError:
        size = None
    return {
        "name": Path(file.loaded.shared_object.path).name,
        "version": pool.get("version") or (next(filter(None, suffix.groups())) if suffix else None),
        "path": file.path,
        "package": None if owner is None else owner.name,
        "package_version": None if owner is None else owner.version,
        "size_bytes": size,
        "resident_bytes": resident_bytes,
        "occasion": file.phase,
        "at_s": file.loaded.at_s,
        "since_load": file.loaded.phase != BASELINE,
        "of_tensorflow": file.of_tensorflow,
        "threads": f"{pool['user_api']}, {pool['num_threads']} threads" if pool else None,
    }


def _phase_record(phase: FinishedPhase, files: Sequence[LoadedFile]) -> OccasionRecord:
    return {
        "occasion": phase.name,
        "began_s": phase.began_s,
        "ended_s": phase.ended_s,
        "before": phase.before,
        "after": phase.after,
        "brought": [file.path for file in files if file.loaded.phase == phase.name],
        "since": [file.path for file in files if file.loaded.at_s > phase.ended_s],
    }


def _thread_pools() -> dict[str, dict[str, Any]]:
    """Return threadpoolctl's report on libraries with thread pools, by path; nothing if it is not installed."""
    # Importing threadpoolctl sets the variable, and child processes would inherit it.
    allowed = os.environ.get(_TWO_INTEL_OPENMPS)
    try:
        from threadpoolctl import threadpool_info

        if allowed is None:
            os.environ.pop(_TWO_INTEL_OPENMPS, None)
        return {os.path.realpath(str(pool["filepath"])): pool for pool in threadpool_info()}
    except Exception:  # noqa: BLE001 - another package looks at every library: if it fails, the rest is still reported
        return {}


def gpu_here() -> GpuRecord:
    """Return whether TensorFlow uses a GPU, and if not, why."""
    return gpu_record([file.path for file in libraries().files()], _gpus_in_use())


def _gpus_in_use() -> list[str] | None:
    from tfmagic.runtime.memory.policy import has_taken_memory

    if not has_taken_memory():
        return None
    import tensorflow as tf

    return [device.name.removeprefix("/device:") for device in tf.config.list_logical_devices("GPU")]
