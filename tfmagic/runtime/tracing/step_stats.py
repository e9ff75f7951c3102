"""What ran when, on which device: read from what TensorFlow recorded of one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterator

# "matmul = _MklMatMul(x, w)", after what the allocators took where there was any.
_LABEL = re.compile(r"(?P<name>\S+) = (?P<type>\w+)\(")
# A GPU's kernels are recorded once by stream and again under this one.
_ALL_STREAMS = "/stream:all"
_OPERATION_OF_KERNEL = re.compile(r"@@(?P<name>[^#:]+)(:(?P<type>[^#]+))?#")
_HANDLES = {tf.resource.as_datatype_enum, tf.variant.as_datatype_enum}


@dataclass(frozen=True)
class Execution:
    """One execution of an operation. None stands for what was not recorded.

    Attributes
    ----------
    name, type
        The operation's; of one that was called eagerly, its type is its name too.
    device
        Where it ran: ``CPU:0``, or a GPU's streams, ``GPU:0 stream:all``.
    start_ns
        When it began, on a clock of its own.
    time_s
        How long it took.
    allocated_bytes
        What it took from the allocator.
    output_bytes
        The size of its outputs, which may have been allocated before.
    lane
        Executions of one lane follow or enclose one another.
    """

    name: str
    type: str
    device: str | None
    start_ns: int
    time_s: float
    allocated_bytes: int | None = None
    output_bytes: int | None = None
    lane: str = ""


def executions_of(step_stats: Any) -> Iterator[Execution]:
    """Give the executions that the ``StepStats`` of a run with a full trace have recorded."""
    devices = [stats.device for stats in step_stats.dev_stats]
    for stats in step_stats.dev_stats:
        if _is_a_repetition(stats.device, devices):
            continue
        for node in stats.node_stats:
            if node.node_name in {"_SOURCE", "_SINK"}:
                continue
            yield _execution(node, short_device(stats.device))


def peak_of(step_stats: Any) -> int | None:
    """Return the most that a run had taken from the allocators at one time, in bytes; None where none has counted.

    Of several devices the peaks are added, though they may not have been reached together.
    """
    total: int | None = None
    for stats in step_stats.dev_stats:
        taken = sorted(
            (record.alloc_micros, record.alloc_bytes)
            for node in stats.node_stats
            for used in node.memory
            for record in used.allocation_records
        )
        if not taken:
            continue
        held = peak = 0
        for _, count in taken:
            held += count
            peak = max(peak, held)
        total = (total or 0) + peak
    return total


def _execution(node: Any, device: str) -> Execution:
    label = _LABEL.search(node.timeline_label)
    kernel = _OPERATION_OF_KERNEL.search(node.timeline_label)
    name = kernel["name"] if kernel is not None else node.node_name
    kind = label["type"] if label is not None else kernel and kernel["type"]
    nanoseconds = node.op_end_rel_nanos - node.op_start_rel_nanos
    # Set for whatever ran on the host, also where it took nothing.
    counted = node.HasField("memory_stats") or bool(node.memory)
    outputs = [output.tensor_description for output in node.output]
    return Execution(
        name=name,
        type=kind or "unknown",
        device=device,
        start_ns=(node.all_start_nanos or node.all_start_micros * 1000) + node.op_start_rel_nanos,
        time_s=(nanoseconds if nanoseconds > 0 else node.all_end_rel_micros * 1000) / 1e9,
        allocated_bytes=sum(used.total_bytes for used in node.memory) if counted else None,
        output_bytes=_size(outputs) if outputs else None,
    )


def _size(tensors: list[Any]) -> int | None:
    """Return the bytes of the values; a handle has none of its own."""
    values = [tensor for tensor in tensors if tensor.dtype not in _HANDLES]
    return sum(tensor.allocation_description.requested_bytes for tensor in values) if values else None


def _is_a_repetition(device: str, devices: list[str]) -> bool:
    before, stream, _ = device.partition("/stream:")
    return bool(stream) and not device.endswith(_ALL_STREAMS) and before + _ALL_STREAMS in devices


def short_device(device: str) -> str:
    """Return ``CPU:0`` for ``/job:localhost/replica:0/task:0/device:CPU:0``, and what follows it."""
    _, found, short = device.partition("/device:")
    return (short if found else device).strip("/").replace("/", " ")
