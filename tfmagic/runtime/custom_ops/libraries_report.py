"""What is known of each loaded file, as plain data."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.runtime.custom_ops.libraries import op_libraries
from tfmagic.runtime.libraries.environment import settings
from tfmagic.runtime.libraries.gpu import gpu_record
from tfmagic.runtime.libraries.resident import resident_sizes
from tfmagic.runtime.libraries.shared_objects import BASELINE
from tfmagic.runtime.libraries.timeline import libraries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.runtime.custom_ops.libraries import OpLibraryRecord
    from tfmagic.runtime.libraries.duplicates import DuplicateRecord
    from tfmagic.runtime.libraries.environment import SettingRecord
    from tfmagic.runtime.libraries.files import LoadedFile
    from tfmagic.runtime.libraries.gpu import GpuRecord
    from tfmagic.runtime.libraries.packages import Distribution
    from tfmagic.runtime.libraries.shared_objects import Counters, Passed
    from tfmagic.runtime.libraries.timeline import CountersRecord, Libraries

_VERSION = re.compile(r"\.so\.(\d[\d.]*)$|\.(\d[\d.]*)\.dylib$")
_TWO_INTEL_OPENMPS = "KMP_DUPLICATE_LIB_OK"


class LibraryRecord(TypedDict):
    """One shared object. None stands for what is not known.

    Attributes
    ----------
    name
        The name under which it was asked for, such as ``libz.so.1``.
    version
        Its own: what it says to threadpoolctl, else what its file name ends in.
    path
        The file, links followed.
    package, package_version
        The installed package that the file belongs to.
    size_bytes
        On disk; None when the file has gone.
    resident_bytes
        In memory, when it was sampled.
    occasion
        What it came with: ``import of tensorflow``, ``model NAME``, ``custom op``,
        ``other``, or ``there before tfmagic``.
    at_s
        When it was first seen, in seconds since the epoch.
    since_load
        Whether it came after the baseline.
    of_tensorflow
        Whether it is TensorFlow's own file or came with its import.
    threads
        For a library with a thread pool that threadpoolctl knows: its kind, and how
        many threads it uses.
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
    """An occasion, such as a model that was built, and what was loaded with it.

    Attributes
    ----------
    occasion
        Which.
    began_s, ended_s
        When, in seconds since the epoch.
    before, after
        The loader's counters; equal where nothing was loaded.
    brought
        Paths of what came with it.
    since
        Paths of what has come after it, and is still there.
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
        The platform's call by which they were listed.
    counters, counters_at_load
        The loader's counters, now and at the baseline; None where it has none.
    loaded_at_s
        When the baseline was taken.
    since_load, gone_since_load
        Paths of what has come since, and of what has gone.
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


def libraries_record(of: Libraries | None = None, *, anew: bool = True) -> LibrariesRecord:
    """Return everything that is known of the libraries, as plain data.

    Parameters
    ----------
    of
        Whose; by default the process's.
    anew
        Whether resident sizes are sampled now (tens of milliseconds); else they are
        those of the last time, and the record says how old.
    """
    present = of or libraries()
    portrait, samples = present.catalog, resident_sizes()
    if anew or samples.at_s is None:
        samples.sample()
    files = portrait.files(present.present())
    pools = _thread_pools()
    records = [_record(one, portrait.owner(one.path), pools) for one in files]
    paths = [one.path for one in files]
    return {
        "call": present.objects.call,
        "counters": counters_record(present.counters()),
        "counters_at_load": counters_record(present.at_load),
        "loaded_at_s": present.loaded_at_s,
        "since_load": [one["path"] for one in records if one["since_load"]],
        "gone_since_load": [one.shared_object.path for one in list(present.gone)],
        "libraries": records,
        "resident_at_s": samples.at_s,
        "resident_age_s": None if samples.at_s is None else max(0.0, time.time() - samples.at_s),
        "occasions": [_occasion(one, files) for one in present.passed()],
        "duplicates": portrait.duplicates(files) + op_libraries().duplicates(),
        "settings": settings(paths),
        "gpu": gpu_record(paths, _gpus_in_use()),
        "op_libraries": op_libraries().records(),
    }


def counters_record(counters: Counters | None) -> CountersRecord | None:
    """Return the loader's counters as plain data."""
    return None if counters is None else {"loads": counters.loads, "unloads": counters.unloads}


def _record(file: LoadedFile, owner: Distribution | None, pools: dict[str, dict[str, Any]]) -> LibraryRecord:
    pool = pools.get(file.path, {})
    suffix = _VERSION.search(file.path)
    try:
        size: int | None = os.stat(file.path).st_size  # noqa: PTH116 - once for each of hundreds of files
    except OSError:
        size = None
    return {
        "name": Path(file.arrival.shared_object.path).name,
        "version": pool.get("version") or (next(filter(None, suffix.groups())) if suffix else None),
        "path": file.path,
        "package": None if owner is None else owner.name,
        "package_version": None if owner is None else owner.version,
        "size_bytes": size,
        "resident_bytes": resident_sizes().of(file.path),
        "occasion": file.phase,
        "at_s": file.arrival.at_s,
        "since_load": file.arrival.phase != BASELINE,
        "of_tensorflow": file.of_tensorflow,
        "threads": f"{pool['user_api']}, {pool['num_threads']} threads" if pool else None,
    }


def _occasion(passed: Passed, files: Sequence[LoadedFile]) -> OccasionRecord:
    return {
        "occasion": passed.what,
        "began_s": passed.began_s,
        "ended_s": passed.ended_s,
        "before": counters_record(passed.before),
        "after": counters_record(passed.after),
        "brought": [one.path for one in files if one.arrival.phase == passed.what],
        "since": [one.path for one in files if one.arrival.at_s > passed.ended_s],
    }


def _thread_pools() -> dict[str, dict[str, Any]]:
    """Return what threadpoolctl knows of libraries with thread pools, by path; nothing where it is not installed."""
    # Importing threadpoolctl sets it, and child processes would inherit it.
    allowed = os.environ.get(_TWO_INTEL_OPENMPS)
    try:
        from threadpoolctl import threadpool_info

        if allowed is None:
            os.environ.pop(_TWO_INTEL_OPENMPS, None)
        return {os.path.realpath(str(one["filepath"])): one for one in threadpool_info()}
    except Exception:  # noqa: BLE001 - another package's look at every library: whatever it stumbles over, the rest is told
        return {}


def _gpus_in_use() -> list[str] | None:
    from tfmagic.runtime.memory.policy import has_taken_memory

    if not has_taken_memory():
        return None
    import tensorflow as tf

    return [one.name.removeprefix("/device:") for one in tf.config.list_logical_devices("GPU")]
