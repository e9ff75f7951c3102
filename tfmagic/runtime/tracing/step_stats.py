"""What TensorFlow recorded of one run: executions of operations, read from step statistics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

# "matmul = _MklMatMul(x, w)"; a note about allocated memory may precede it.
_LABEL = re.compile(r"(?P<name>\S+) = (?P<type>\w+)\(")
# A GPU's kernels are recorded once by stream and again under this name.
_ALL_STREAMS = "/stream:all"
_OPERATION_OF_KERNEL = re.compile(r"@@(?P<name>[^#:]+)(:(?P<type>[^#]+))?#")
_HANDLES = {tf.resource.as_datatype_enum, tf.variant.as_datatype_enum}


@dataclass(frozen=True)
class Execution:
    """One execution of an operation. None stands for what was not recorded.

    An eager operation's name is its type too. The device is like ``CPU:0`` or ``GPU:0 stream:all``, and ``start_ns``
    can only be compared within a run. ``allocated_bytes`` came from the allocator; outputs may have been allocated
    before. Executions of one lane follow or enclose one another.
    """

    name: str
    type: str
    device: str | None
    start_ns: int
    time_s: float
    allocated_bytes: int | None = None
    output_bytes: int | None = None
    lane: str = ""


@dataclass(frozen=True)
class RunProfile:
    """What TensorFlow recorded of one run.

    ``chrome`` gives the run as Chrome's JSON, where TensorFlow can draw it. ``peak_bytes`` is the most memory that the
    run took at one time, beside the weights; None where unknown. ``partition_graphs`` are the graphs that the run was
    cut into, one a device; none for a live object.
    """

    wall_s: float
    executions: Sequence[Execution]
    chrome: Callable[[], str | None] = lambda: None
    peak_bytes: int | None = None
    partition_graphs: Sequence[Any] = ()


def executions_of(step_stats: Any) -> Iterator[Execution]:
    """Yield the executions in the ``StepStats`` of a run with a full trace."""
    devices = [stats.device for stats in step_stats.dev_stats]
    for stats in step_stats.dev_stats:
        if _is_a_repetition(stats.device, devices):
            continue
        for node in stats.node_stats:
            if node.node_name in {"_SOURCE", "_SINK"}:
                continue
            yield _execution(node, short_device(stats.device))


def peak_of(step_stats: Any) -> int | None:
    """Return the most bytes that a run held at one time, added up over devices; None where none has counted."""
    total: int | None = None
    for stats in step_stats.dev_stats:
        allocations = sorted(
            (record.alloc_micros, record.alloc_bytes)
            for node in stats.node_stats
            for used in node.memory
            for record in used.allocation_records
        )
        if not allocations:
            continue
        held = peak = 0
        for _, count in allocations:
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
    # Set for everything that ran on the host, even if it took no memory.
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
    """Return the bytes of the values; handles do not count."""
    values = [tensor for tensor in tensors if tensor.dtype not in _HANDLES]
    return sum(tensor.allocation_description.requested_bytes for tensor in values) if values else None


def _is_a_repetition(device: str, devices: list[str]) -> bool:
    before, stream, _ = device.partition("/stream:")
    return bool(stream) and not device.endswith(_ALL_STREAMS) and before + _ALL_STREAMS in devices


def short_device(device: str) -> str:
    """Return ``CPU:0`` for ``/job:localhost/replica:0/task:0/device:CPU:0``, and keep what follows."""
    _, separator, short = device.partition("/device:")
    return (short if separator else device).strip("/").replace("/", " ")
