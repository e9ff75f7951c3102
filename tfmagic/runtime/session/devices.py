"""The devices of this process: their names, their hardware, and what their allocators report."""

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
        The name of the processor or the card.
    memory_limit_bytes
        The allocator's limit. TensorFlow has no such limit on a CPU.
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


def devices() -> list[DeviceRecord]:
    """Return the logical devices; none before TensorFlow has made them, which this does not cause."""
    # TensorFlow makes its devices once a process.
    known = once("devices", lambda: list(_logical_devices())) if has_taken_memory() else []
    return [_with_memory(device) for device in known]


def only_device() -> list[str] | None:
    """Return the one device that everything runs on; None where there are several, or before TensorFlow has looked."""
    if not has_taken_memory():
        return None
    return once("only device", _only_device) or None


def _only_device() -> list[str]:
    import tensorflow as tf

    # Of the physical ones: listing the logical ones would make those of eager execution, which a session does without.
    physical = tf.config.list_physical_devices()
    parts = [part for device in physical for part in tf.config.get_logical_device_configuration(device) or (None,)]
    return [f"{device.device_type}:0" for device in physical] if len(parts) == 1 else []


def _logical_devices() -> Iterator[DeviceRecord]:
    import tensorflow as tf

    physical_names: dict[str, list[str]] = {}
    descriptions: dict[str, str | None] = {}
    for physical in tf.config.list_physical_devices():
        short = ":".join(physical.name.rsplit(":", 2)[1:])
        descriptions[short] = _description(physical)
        parts = None
        with contextlib.suppress(ValueError, RuntimeError):
            parts = tf.config.get_logical_device_configuration(physical)
        physical_names.setdefault(physical.device_type, []).extend([short] * max(1, len(parts or ())))
    limits = _limits()
    for logical in tf.config.list_logical_devices():
        number = int(logical.name.rpartition(":")[2])
        name = f"{logical.device_type}:{number}"
        candidates = physical_names.get(logical.device_type, [])
        physical_name = candidates[number] if number < len(candidates) else None
        yield {
            "name": name,
            "kind": logical.device_type,
            "physical": physical_name,
            "description": descriptions.get(physical_name or ""),
            "memory_limit_bytes": limits.get(name),
            "used_bytes": None,
            "peak_bytes": None,
        }


def _with_memory(device: DeviceRecord) -> DeviceRecord:
    import tensorflow as tf

    with contextlib.suppress(ValueError, tf.errors.OpError):
        reported = tf.config.experimental.get_memory_info(device["name"])
        # TensorFlow reports zeros where nothing is counted.
        if any(reported.values()):
            return {**device, "used_bytes": int(reported["current"]), "peak_bytes": int(reported["peak"])}
    return device


def _limits() -> dict[str, int]:
    """Return each allocator's limit; not of CPUs, whose number in TensorFlow is no limit."""
    import tensorflow as tf

    if all(device.device_type == "CPU" for device in tf.config.list_logical_devices()):
        return {}
    from tfmagic.runtime.session.kernel_session import KernelSession

    return {
        device.name.partition("/device:")[2]: int(device.memory_limit_bytes)
        for device in KernelSession().list_devices()
        if device.device_type != "CPU" and device.memory_limit_bytes > 0
    }


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
