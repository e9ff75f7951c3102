"""The devices of this process: what TensorFlow calls them, what they are, and what their allocators report."""

from __future__ import annotations

import contextlib
import platform
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.process import once
from tfmagic.runtime.memory.policy import has_taken_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

_CPU_INFO = Path("/proc/cpuinfo")


class DeviceRecord(TypedDict):
    """One logical device. None stands for what is not known.

    Attributes
    ----------
    name
        As a model asks for it: ``CPU:0``.
    kind
        ``CPU``, ``GPU`` or another type of TensorFlow's.
    physical
        The physical device that it is a part of; several may share one.
    description
        What that is: the processor's or the card's name.
    memory_limit_bytes
        What the allocator may take. TensorFlow has no such limit on a CPU.
    used_bytes, peak_bytes
        What the allocator reports; the CPU's does not under the policy "return".
    """

    name: str
    kind: str
    physical: str | None
    description: str | None
    memory_limit_bytes: int | None
    used_bytes: int | None
    peak_bytes: int | None


class _Found:
    """The devices as they were made, which they are once a process."""

    def __init__(self) -> None:
        self.devices = list(_found())

    def records(self) -> list[DeviceRecord]:
        return [_reported(device) for device in self.devices]


def devices() -> list[DeviceRecord]:
    """Return the logical devices; none before TensorFlow has made its devices, and this does not make them."""
    return once("devices", _Found).records() if has_taken_memory() else []


def _found() -> Iterator[DeviceRecord]:
    import tensorflow as tf

    parts: dict[str, list[str]] = {}
    described: dict[str, str | None] = {}
    for physical in tf.config.list_physical_devices():
        short = ":".join(physical.name.rsplit(":", 2)[1:])
        described[short] = _description(physical)
        several = None
        with contextlib.suppress(ValueError, RuntimeError):
            several = tf.config.get_logical_device_configuration(physical)
        parts.setdefault(physical.device_type, []).extend([short] * max(1, len(several or ())))
    limits = _limits()
    for logical in tf.config.list_logical_devices():
        number = int(logical.name.rpartition(":")[2])
        name = f"{logical.device_type}:{number}"
        among = parts.get(logical.device_type, [])
        physical_name = among[number] if number < len(among) else None
        yield {
            "name": name,
            "kind": logical.device_type,
            "physical": physical_name,
            "description": described.get(physical_name or ""),
            "memory_limit_bytes": limits.get(name),
            "used_bytes": None,
            "peak_bytes": None,
        }


def _reported(device: DeviceRecord) -> DeviceRecord:
    import tensorflow as tf

    with contextlib.suppress(ValueError, tf.errors.OpError):
        reported = tf.config.experimental.get_memory_info(device["name"])
        # All zeros is what is given where nothing is counted.
        if any(reported.values()):
            return {**device, "used_bytes": int(reported["current"]), "peak_bytes": int(reported["peak"])}
    return device


def _limits() -> dict[str, int]:
    """Return what each device's allocator may take; of a CPU, TensorFlow gives a number that is no limit."""
    if not _has_others_than_cpus():
        return {}
    from tfmagic.runtime.session.kernel_session import KernelSession

    return {
        device.name.partition("/device:")[2]: int(device.memory_limit_bytes)
        for device in KernelSession().list_devices()
        if device.device_type != "CPU" and device.memory_limit_bytes > 0
    }


def _has_others_than_cpus() -> bool:
    import tensorflow as tf

    return any(device.device_type != "CPU" for device in tf.config.list_logical_devices())


def _description(physical: object) -> str | None:
    import tensorflow as tf

    if getattr(physical, "device_type", "") == "CPU":
        with contextlib.suppress(OSError):
            for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        return platform.processor() or None
    with contextlib.suppress(ValueError, RuntimeError, tf.errors.OpError):
        name = tf.config.experimental.get_device_details(physical).get("device_name")
        return None if name is None else str(name)
    return None
