"""The machine and its environment: processor, memory, disk, variables."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import TypedDict

import psutil

from tfmagic.runtime.libraries.environment import settings
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.memory.process_memory import available_bytes, container_limit
from tfmagic.runtime.state.spill_directory import park_directory

_CPU_INFO = Path("/proc/cpuinfo")


class ParkFolderRecord(TypedDict):
    """The folder in which models are parked, why nothing can be written there, and what its disk has free."""

    folder: str
    error: str | None
    free_bytes: int | None


class MachineRecord(TypedDict):
    """The machine. None stands for what is not known.

    `avx` is what TensorFlow's packages for x86-64 need; the limit is the container's, and
    `available_bytes` within it. `variables` are those of the environment that TensorFlow,
    Keras and the loader read; none that may hold a secret.
    """

    processor: str | None
    architecture: str
    cores: int | None
    avx: bool | None
    memory_bytes: int
    available_bytes: int
    limit_bytes: int | None
    limit_used_bytes: int | None
    park: ParkFolderRecord
    variables: dict[str, str]


def machine_record() -> MachineRecord:
    """Return what the machine has now."""
    name, flags = _processor()
    limit, used = container_limit()
    return {
        "processor": name,
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "avx": None if flags is None or not is_x86() else "avx" in flags,
        "memory_bytes": int(psutil.virtual_memory().total),
        "available_bytes": available_bytes(),
        "limit_bytes": limit,
        "limit_used_bytes": used,
        "park": _park(park_directory().parent),
        "variables": _variables(),
    }


def is_x86() -> bool:
    """Return whether this processor is of the kind that needs AVX."""
    return platform.machine().lower() in {"x86_64", "amd64"}


def _processor() -> tuple[str | None, set[str] | None]:
    try:
        lines = _CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or None, None
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in reversed(lines))}
    flags = facts.get("flags")
    return facts.get("model name"), None if flags is None else set(flags.split())


def _park(folder: Path) -> ParkFolderRecord:
    """Try to write where models are parked; where that folder is missing, in its nearest parent."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    error, free = None, None
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"tfmagic")
        free = shutil.disk_usage(there).free
    except OSError as failed:
        error = failed.strerror or str(failed)
    return {"folder": str(folder), "error": error, "free_bytes": free}


def _variables() -> dict[str, str]:
    ours = memory_policy().record()["variables"]
    named = {
        setting["name"]: setting["value"]
        for setting in settings()
        if setting["value"] is not None and ours.get(setting["name"]) != setting["value"]
    }
    more = {
        name: os.environ[name] for name in ("KERAS_BACKEND", "KERAS_HOME", "TF_USE_LEGACY_KERAS") if name in os.environ
    }
    return dict(sorted({**named, **more}.items()))
