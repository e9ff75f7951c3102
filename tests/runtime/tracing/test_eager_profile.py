"""What ran eagerly, read from a profile."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic.errors import ModelStateError
from tfmagic.runtime.tensorflow.private import xspace
from tfmagic.runtime.tracing.eager_profile import executions_in, profiled

if TYPE_CHECKING:
    from pathlib import Path


class Plane:
    """A plane of a profile that is being made by hand."""

    def __init__(self, space: Any, name: str) -> None:
        self._plane = space.planes.add(name=name)
        self._lines: dict[str, Any] = {}

    def event(
        self, name: str, start_ns: int, end_ns: int, *, line: str = "python", kind: str = "", **stats: Any
    ) -> None:
        number = len(self._plane.event_metadata) + 1
        self._plane.event_metadata[number].name = name
        self._plane.event_metadata[number].display_name = kind
        if line not in self._lines:
            self._lines[line] = self._plane.lines.add(name=line, id=len(self._lines) + 1, timestamp_ns=1_000_000)
        event = self._lines[line].events.add(
            metadata_id=number, offset_ps=start_ns * 1000, duration_ps=(end_ns - start_ns) * 1000
        )
        for key, value in stats.items():
            at = len(self._plane.stat_metadata) + 1
            self._plane.stat_metadata[at].name = key
            stat = event.stats.add(metadata_id=at)
            if isinstance(value, str):
                stat.str_value = value
            else:
                stat.int64_value = value


@pytest.fixture
def space() -> Any:
    """A profile without anything in it."""
    return xspace(b"")


def found(space: Any) -> list[tuple[str, str, str | None]]:
    return [(one.name, one.type, one.device) for one in executions_in(space)]


def test_without_the_marked_block_there_is_nothing(space: Any) -> None:
    Plane(space, "/host:CPU").event("a:Add", 10, 20, kind="Add")
    assert found(space) == []


def test_only_what_ran_while_the_block_did_is_taken(space: Any) -> None:
    host = Plane(space, "/host:CPU")
    host.event("tfmagic_block", 100, 200)
    for name, start in (("before", 50), ("during", 150), ("after", 250)):
        host.event(f"{name}:Add", start, start + 10, line="pool", kind="Add")
    assert found(space) == [("during", "Add", "CPU:0")]


def test_a_python_call_is_one_operation_with_the_time_of_its_kernel(space: Any) -> None:
    host = Plane(space, "/host:CPU")
    host.event("tfmagic_block", 0, 1000)
    host.event("EagerExecute", 100, 400, eager_op="MatMul", is_func=0)
    host.event("EagerKernelExecute", 200, 350)
    host.event("EagerExecute", 500, 900, eager_op="__inference_f_1", is_func=1)
    host.event("EagerKernelExecute", 550, 850)
    (one,) = executions_in(space)
    assert (one.name, one.type) == ("MatMul", "MatMul")
    assert one.time_s == pytest.approx(150e-9)


def test_calls_of_other_threads_are_left_out(space: Any) -> None:
    host = Plane(space, "/host:CPU")
    host.event("tfmagic_block", 0, 1000)
    host.event("EagerExecute", 100, 400, eager_op="Add", is_func=0, line="other")
    host.event("EagerKernelExecute", 200, 350, line="other")
    assert found(space) == []


def test_a_gpus_kernels_have_their_device_and_operation(space: Any) -> None:
    Plane(space, "/host:CPU").event("tfmagic_block", 0, 1000)
    gpu = Plane(space, "/device:GPU:0 (NVIDIA)")
    gpu.event("gemm", 100, 200, line="Stream #14", tf_op="dense/MatMul:MatMul")
    gpu.event("memset", 300, 310, line="Stream #14")
    assert found(space) == [("dense/MatMul", "kernel", "GPU:0"), ("memset", "kernel", "GPU:0")]


def test_where_there_are_several_devices_it_is_unknown_which_ran_it(
    space: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = Plane(space, "/host:CPU")
    host.event("tfmagic_block", 0, 1000)
    host.event("a:Add", 10, 20, line="pool", kind="Add")
    devices = tf.config.list_logical_devices() * 2
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda: devices)
    assert found(space) == [("a", "Add", None)]


def test_a_block_is_profiled() -> None:
    function = tf.function(lambda x: tf.nn.relu(x + 1.0, name="rectified"))
    function(tf.ones([3]))
    with profiled() as executions:
        function(tf.ones([3]))
        tf.math.erf(tf.ones([3]))
    assert {"rectified", "Erf"} <= {one.name for one in executions}
    assert all(one.device == "CPU:0" and one.time_s >= 0 for one in executions)


def test_what_the_block_raises_comes_through_and_the_profile_ends() -> None:
    def fail() -> None:
        with profiled():
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    with profiled() as executions:
        tf.math.erf(tf.ones([3]))
    assert executions


def test_another_profile_is_refused_in_one_line(tmp_path: Path) -> None:
    tf.profiler.experimental.start(str(tmp_path))
    try:
        with pytest.raises(ModelStateError, match="end that profile first"), profiled():
            pass
    finally:
        tf.profiler.experimental.stop(save=False)


def test_no_file_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with profiled():
        tf.math.erf(tf.ones([3]))
    assert not list(tmp_path.iterdir())
