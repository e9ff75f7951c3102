"""The memory of the process, the devices and the models, in one record."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from tfmagic.model.memory.budget import HOST, budget
from tfmagic.model.registry import the_models
from tfmagic.runtime.memory.policy import memory_policy
from tfmagic.runtime.memory.process_memory import process_memory
from tfmagic.runtime.session.devices import devices

if TYPE_CHECKING:
    from tfmagic.model.record import ModelRecord
    from tfmagic.runtime.memory.policy import PolicyRecord
    from tfmagic.runtime.memory.process_memory import ProcessMemoryRecord
    from tfmagic.runtime.session.devices import DeviceRecord


class MemoryRecord(TypedDict):
    """The memory of the process, the devices and the models; `budget_limits` are by device, ``""`` for the host."""

    policy: PolicyRecord
    process: ProcessMemoryRecord
    devices: list[DeviceRecord]
    models: list[ModelRecord]
    budget: str
    budget_limits: dict[str, int]


def memory_record() -> MemoryRecord:
    """Return the memory in use now."""
    return {
        "policy": memory_policy().record(),
        "process": process_memory(sample_now=True),
        "devices": devices(),
        "models": the_models().records(),
        "budget": budget().text,
        "budget_limits": {("" if device == HOST else device): limit for device, limit in budget().limits().items()},
    }
