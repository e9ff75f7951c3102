"""Troubles of the machine and the environment: GPU, memory, disk, variables, libraries."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from tfmagic.checkup.troubles.trouble import Trouble, trouble
from tfmagic.core.units import size_text
from tfmagic.runtime.memory.policy import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tfmagic.checkup.machine import MachineRecord
    from tfmagic.checkup.report import Report

ROOM_BYTES = 1_000_000_000
"""The memory that TensorFlow and a small model need: the import alone takes 0.5 GB."""

DISK_BYTES = 500_000_000
"""Below this, parking is likely to find no room."""


def troubles(report: Report) -> list[Trouble]:
    """Return what is wrong with the machine and the environment."""
    machine = report["machine"]
    of_machine = [] if machine is None else [*_memory(machine), *_park(machine), *_policy(machine, report)]
    return [*_gpu(report), *of_machine, *_duplicates(report)]


def _gpu(report: Report) -> Iterator[Trouble]:
    gpu = report["gpu"]
    if gpu is None or not gpu["device_files"] or gpu["in_use"] != []:
        return
    remedy = list(gpu["advice"])
    if any("CUDA_VISIBLE_DEVICES" in reason for reason in gpu["reasons"]):
        remedy.append("unset CUDA_VISIBLE_DEVICES")
    yield trouble(
        "gpu-not-used",
        f"A GPU is here ({', '.join(gpu['device_files'])}), and {gpu['answer']}.",
        *(remedy or ["%tf_runtime log"]),
    )


def _memory(machine: MachineRecord) -> Iterator[Trouble]:
    limit, free = machine["limit_bytes"], machine["available_bytes"]
    if limit is not None and limit < ROOM_BYTES:
        what = (
            f"The container may use {size_text(limit)} of memory, and importing TensorFlow alone takes 500 MB: "
            "give it 2 GB or more, or the kernel dies without a word."
        )
        yield trouble("memory-limit", what)
    elif free < ROOM_BYTES:
        what = (
            f"Memory is short: {size_text(free)} can be had, and importing TensorFlow alone takes 500 MB. "
            "Close what you do not need (each other kernel with TensorFlow has as much), "
            "and let %config TfMagic.memory_budget = 'auto' park what is idle."
        )
        yield trouble("memory-short", what, "jupyter server list")


def _park(machine: MachineRecord) -> Iterator[Trouble]:
    park = machine["park"]
    elsewhere = "%config TfMagic.park_directory = '/a/folder/with/room'"
    if park["error"] is not None:
        what = f"Nothing can be written to {park['folder']}, where models are parked ({park['error']})."
        yield trouble("park-directory", what, elsewhere)
    elif park["free_bytes"] is not None and park["free_bytes"] < DISK_BYTES:
        what = f"The disk of {park['folder']}, where models are parked, has {size_text(park['free_bytes'])} left."
        yield trouble("park-directory", what, elsewhere)


def _policy(machine: MachineRecord, report: Report) -> Iterator[Trouble]:
    gpu = report["gpu"]
    on_gpu = gpu is not None and bool(gpu["device_files"])
    for name, wanted in SETTINGS.items():
        value = machine["variables"].get(name)
        if value is None or value.lower() in {wanted, {"1": "true", "true": "1"}.get(wanted)}:
            continue
        if on_gpu or "GPU" not in name:
            what = (
                f"{name}={shlex.quote(value)} was set outside, and tfmagic leaves it so: memory of what is dropped "
                "stays with the process (the policy is in force partly). Take it out, and restart the kernel."
            )
            yield trouble("memory-policy", what, f"unset {name}")


def _duplicates(report: Report) -> Iterator[Trouble]:
    """Yield second copies that an environment variable brought in; those that packages carry do no harm."""
    trial = report["trial"]
    if trial is None or trial["duplicates"] is None:
        return
    for variable, brought in (trial["through"] or {}).items():
        twice = [duplicate for duplicate in trial["duplicates"] if not set(brought).isdisjoint(duplicate["paths"])]
        if twice:
            paths = "; ".join(f"{duplicate['name']} from {' and '.join(duplicate['paths'])}" for duplicate in twice)
            what = (
                f"{variable} brings in a second copy of libraries that are here already: {paths}. Each copy has memory "
                "and settings of its own, and what one has made crashes in the other."
            )
            yield trouble("library-twice", what, f"unset {variable}")
