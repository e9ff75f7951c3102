"""What the models, the process and the devices use of memory, in one record."""

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


class ModelMemoryRecord(TypedDict):
    """What one model uses. None stands for what is not known.

    Attributes
    ----------
    weights_bytes, constants_bytes
        Its variables, and the constants in its graph; of a parked one what they take
        when it is there.
    held_bytes
        What it takes of these now: nothing while it is parked.
    grew_bytes
        By how much the process grew when it was built.
    run_peak_bytes
        What a run takes beside the weights, from the last traced one.
    peak_awaits_trace
        Whether that is not known yet, and a traced run would tell.
    """

    name: str
    state: str
    weights_bytes: int | None
    constants_bytes: int | None
    held_bytes: int
    grew_bytes: int | None
    run_peak_bytes: int | None
    peak_awaits_trace: bool


class MemoryRecord(TypedDict):
    """Everything that is known of memory."""

    policy: PolicyRecord
    process: ProcessMemoryRecord
    devices: list[DeviceRecord]
    models: list[ModelMemoryRecord]
    budget: str
    budget_limits: dict[str, int]


def memory_record() -> MemoryRecord:
    """Return what is used now."""
    the_budget = budget()
    limits = the_budget.limits()
    return {
        "policy": memory_policy().record(),
        "process": process_memory(sample_now=True),
        "devices": devices(),
        "models": [_model(record) for record in the_models().records()],
        "budget": the_budget.text,
        "budget_limits": {("" if device == HOST else device): limit for device, limit in limits.items()},
    }


def _model(record: ModelRecord) -> ModelMemoryRecord:
    return {
        "name": record["name"],
        "state": record["state"],
        "weights_bytes": record["weights_bytes"],
        "constants_bytes": record["constants_bytes"],
        "held_bytes": record["held_bytes"],
        "grew_bytes": record["grew_bytes"],
        "run_peak_bytes": record["run_peak_bytes"],
        "peak_awaits_trace": record["peak_awaits_trace"],
    }
