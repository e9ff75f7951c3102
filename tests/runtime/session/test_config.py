"""The one configuration: derived from ``tf.config``, frozen at the first run."""

from __future__ import annotations

import json

import pytest
import tensorflow as tf
from factories import printed, scale_graph

from tfmagic import KernelSession, session
from tfmagic.errors import ConfigError
from tfmagic.runtime.session.config import derive_config, differences

v1 = tf.compat.v1


def test_another_config_after_the_first_run_is_an_error_that_says_what_differs() -> None:
    _, x, y = scale_graph(2.0)
    session.run(y, {x: [1.0]})
    asked = session.config
    asked.inter_op_parallelism_threads = 77
    asked.gpu_options.per_process_gpu_memory_fraction = 0.25
    with pytest.raises(ConfigError, match=r"inter_op_parallelism_threads is \d+, not 77") as caught:
        KernelSession(asked)
    assert "gpu_options.per_process_gpu_memory_fraction is 0.0, not 0.25" in str(caught.value)
    assert session.config.inter_op_parallelism_threads != 77


def test_the_config_in_force_may_be_given_again() -> None:
    _, x, y = scale_graph(2.0)
    session.run(y, {x: [1.0]})
    assert KernelSession(session.config) is session
    assert KernelSession(v1.ConfigProto()) is session


@pytest.mark.parametrize("wrong", [{"allow_soft_placement": True}, "cpu", v1.RunOptions()])
def test_what_is_no_config_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigError, match=r"is a tf\.compat\.v1\.ConfigProto, not a"):
        KernelSession(wrong)


def test_differences_name_nested_and_repeated_fields() -> None:
    one, two = v1.ConfigProto(), v1.ConfigProto()
    one.gpu_options.allow_growth = True
    one.device_count["CPU"] = 3
    one.session_inter_op_thread_pool.add().num_threads = 2
    found = " ".join(differences(one, two))
    assert "gpu_options.allow_growth is False, not True" in found
    assert "device_count" in found
    assert "session_inter_op_thread_pool" in found
    assert differences(two, v1.ConfigProto()) == []


def test_what_is_asked_for_is_laid_over_what_tf_config_says() -> None:
    asked = v1.ConfigProto(log_device_placement=True)
    merged = derive_config(asked)
    assert merged.log_device_placement
    assert merged.allow_soft_placement == derive_config().allow_soft_placement


@pytest.mark.slow
def test_logical_devices_and_threads_of_tf_config_count_and_are_frozen_by_the_first_run() -> None:
    code = """
        import json
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
        tf.config.threading.set_inter_op_parallelism_threads(3)
        tf.config.threading.set_intra_op_parallelism_threads(2)

        import tfmagic
        from tfmagic import KernelSession, session
        from tfmagic.errors import ConfigError

        # Before the first run a config may still be given, and another instead of it.
        KernelSession(tf.compat.v1.ConfigProto(log_device_placement=True))
        KernelSession(tf.compat.v1.ConfigProto(operation_timeout_in_ms=60_000))
        with tf.Graph().as_default():
            with tf.device("/CPU:2"):
                x = tf.compat.v1.placeholder(tf.float32, [None])
                y = tf.nn.softplus(x)
            metadata = tf.compat.v1.RunMetadata()
            options = tf.compat.v1.RunOptions(output_partition_graphs=True)
            session.run(y, {x: [1.0]}, options, metadata)
        try:
            KernelSession(tf.compat.v1.ConfigProto(operation_timeout_in_ms=1))
        except ConfigError as error:
            refused = str(error)
        placed = {node.op: node.device for part in metadata.partition_graphs for node in part.node}
        config = session.config
        print(json.dumps({
            "devices": sorted(device.name for device in session.list_devices()),
            "placed": placed["Softplus"],
            "threads": [config.inter_op_parallelism_threads, config.intra_op_parallelism_threads],
            "first": config.log_device_placement,
            "second": config.operation_timeout_in_ms,
            "refused": refused,
        }))
    """
    found = json.loads(printed(code)[-1])
    assert [name.rsplit("/", 1)[1] for name in found["devices"]] == ["device:CPU:0", "device:CPU:1", "device:CPU:2"]
    assert found["placed"].endswith("CPU:2")
    assert found["threads"] == [3, 2]
    assert not found["first"]
    assert found["second"] == 60_000
    assert "operation_timeout_in_ms is 60000, not 1" in found["refused"]
