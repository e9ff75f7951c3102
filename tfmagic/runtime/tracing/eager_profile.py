"""Executions of eager operations, read from a profile of the process during a block.

Eager calls leave no ``RunMetadata``. TensorFlow's profiler sees them, and the operations
inside a ``tf.function``, on all threads. Only executions during the block count, and of
those that Python began only the block's own thread's.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import ModelStateError
from tfmagic.runtime.tensorflow.private import xspace
from tfmagic.runtime.tracing.step_stats import Execution, short_device

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARK = "tfmagic_block"
_GPU = "/device:GPU:"


@contextmanager
def profiled() -> Iterator[list[Execution]]:
    """Profile a block into the yielded list; `ModelStateError` while the process's one profiler is at work."""
    executions: list[Execution] = []
    with tempfile.TemporaryDirectory(prefix="tfmagic-") as folder:
        try:
            tf.profiler.experimental.start(folder)
        except tf.errors.AlreadyExistsError:
            msg = "a trace of eager calls needs TensorFlow's profiler, which is at work already: end that profile first"
            raise ModelStateError(msg) from None
        try:
            with tf.profiler.experimental.Trace(_MARK):
                yield executions
        finally:
            tf.profiler.experimental.stop()
            for file in sorted(Path(folder).rglob("*.xplane.pb")):
                executions.extend(executions_in(xspace(file.read_bytes())))


def executions_in(space: Any) -> Iterator[Execution]:
    """Yield the executions in a profile (an ``XSpace``) that began during the marked block."""
    events = [_Event(plane, line, event) for plane in space.planes for line in plane.lines for event in line.events]
    mark = next((event for event in events if event.name == _MARK), None)
    if mark is None:
        return
    devices = tf.config.list_logical_devices()
    # Of host operations; not known if there are several possible ones.
    device = short_device(devices[0].name) if len(devices) == 1 else None
    call: _Event | None = None
    for event in events:
        if not mark.start_ns <= event.start_ns <= mark.end_ns:
            continue
        if event.plane.startswith(_GPU):
            gpu = short_device(event.plane.split(" ")[0])
            yield Execution(event.operation or event.name, "kernel", gpu, event.start_ns, event.time_s, lane=event.line)
        elif event.kind:
            # Inside a function, on whichever thread: "dense/MatMul:MatMul".
            name = event.name.rpartition(":")[0] or event.kind
            yield Execution(name, event.kind, device, event.start_ns, event.time_s, lane=event.line)
        elif event.line != mark.line:
            continue
        elif event.eager:
            # Begun from Python; the event of its kernel follows.
            call = event
        elif event.name == "EagerKernelExecute" and call is not None:
            yield Execution(call.eager, call.eager, device, event.start_ns, event.time_s, lane=event.line)
            call = None


class _Event:
    """One event of a profile."""

    def __init__(self, plane: Any, line: Any, event: Any) -> None:
        metadata = plane.event_metadata[event.metadata_id]
        stats = {plane.stat_metadata[stat.metadata_id].name: _value(plane, stat) for stat in event.stats}
        self.plane: str = plane.name
        self.line = f"{line.name} {line.id}"
        self.name: str = metadata.name
        # Set by the profiler for an operation inside a function.
        self.kind: str = metadata.display_name if metadata.name.endswith(f":{metadata.display_name}") else ""
        # The call of a function is no operation itself.
        self.eager: str = "" if stats.get("is_func") else str(stats.get("eager_op", ""))
        self.operation = str(stats.get("tf_op", "")).partition(":")[0]
        self.start_ns: int = line.timestamp_ns + event.offset_ps // 1000
        self.end_ns: int = self.start_ns + event.duration_ps // 1000
        self.time_s: float = event.duration_ps / 1e12


def _value(plane: Any, stat: Any) -> Any:
    which = stat.WhichOneof("value")
    if which == "ref_value":
        return plane.stat_metadata[stat.ref_value].name
    return getattr(stat, which) if which else None
