"""What TensorFlow recorded of a run, read as executions."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from tfmagic.runtime.tracing.step_stats import executions_of, short_device

CPU = "/job:localhost/replica:0/task:0/device:CPU:0"
GPU = "/job:localhost/replica:0/task:0/device:GPU:0"


def step_stats() -> Any:
    return tf.compat.v1.RunMetadata().step_stats


def add(recorded: Any, device: str, name: str, **fields: Any) -> Any:
    for stats in recorded.dev_stats:
        if stats.device == device:
            break
    else:
        stats = recorded.dev_stats.add(device=device)
    return stats.node_stats.add(node_name=name, **fields)


def test_time_is_that_of_the_operation_and_not_of_its_scheduling() -> None:
    recorded = step_stats()
    add(recorded, CPU, "a", all_start_nanos=1000, op_start_rel_nanos=200, op_end_rel_nanos=700, all_end_rel_micros=90)
    (one,) = executions_of(recorded)
    assert one.start_ns == 1200
    assert one.time_s == pytest.approx(500e-9)


def test_where_only_microseconds_were_recorded_they_are_taken() -> None:
    recorded = step_stats()
    add(recorded, CPU, "a", all_start_micros=3, all_end_rel_micros=90)
    (one,) = executions_of(recorded)
    assert one.start_ns == 3000
    assert one.time_s == pytest.approx(90e-6)


def test_the_type_is_that_of_the_label() -> None:
    recorded = step_stats()
    add(recorded, CPU, "a", timeline_label="a = MatMul(x, y)")
    add(recorded, CPU, "b", timeline_label="[mklcpu 2.0MB 2.0MB] b = _MklMatMul(x, y)")
    add(recorded, CPU, "c")
    assert [(one.name, one.type) for one in executions_of(recorded)] == [
        ("a", "MatMul"),
        ("b", "_MklMatMul"),
        ("c", "unknown"),
    ]


def test_the_ends_of_a_partition_are_no_operations() -> None:
    recorded = step_stats()
    for name in ("_SOURCE", "a", "_SINK"):
        add(recorded, CPU, name)
    assert [one.name for one in executions_of(recorded)] == ["a"]


def test_bytes_are_unknown_unless_they_were_counted() -> None:
    recorded = step_stats()
    add(recorded, CPU, "unknown")
    add(recorded, CPU, "none").memory_stats.SetInParent()
    add(recorded, CPU, "some").memory.add(total_bytes=12)
    assert [one.allocated_bytes for one in executions_of(recorded)] == [None, 0, 12]


def test_a_handle_is_no_output_of_any_size() -> None:
    recorded = step_stats()
    node = add(recorded, CPU, "v")
    handle = node.output.add().tensor_description
    handle.dtype = tf.resource.as_datatype_enum
    handle.allocation_description.requested_bytes = 200
    (one,) = executions_of(recorded)
    assert one.output_bytes is None
    value = node.output.add().tensor_description
    value.dtype = tf.float32.as_datatype_enum
    value.allocation_description.requested_bytes = 40
    (one,) = executions_of(recorded)
    assert one.output_bytes == 40


def test_a_gpus_kernels_are_counted_once_with_the_operation_they_are_of() -> None:
    recorded = step_stats()
    add(recorded, GPU, "dense/MatMul", timeline_label="dense/MatMul = MatMul(x, w)")
    for stream in ("14", "all"):
        add(recorded, f"{GPU}/stream:{stream}", "kernel", timeline_label="gemm_kernel @@dense/MatMul:MatMul#id=3#")
    found = [(one.name, one.type, one.device) for one in executions_of(recorded)]
    assert found == [("dense/MatMul", "MatMul", "GPU:0"), ("dense/MatMul", "MatMul", "GPU:0 stream:all")]


def test_a_stream_that_is_recorded_alone_is_kept() -> None:
    recorded = step_stats()
    add(recorded, f"{GPU}/stream:14", "kernel")
    assert [one.device for one in executions_of(recorded)] == ["GPU:0 stream:14"]


@pytest.mark.parametrize(
    ("full", "short"),
    [(CPU, "CPU:0"), ("/device:GPU:1", "GPU:1"), (f"{GPU}/stream:all", "GPU:0 stream:all"), ("/host:CPU", "host:CPU")],
)
def test_a_device_has_a_short_name(full: str, short: str) -> None:
    assert short_device(full) == short
