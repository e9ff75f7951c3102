"""TF1 behaviour that a room switches stays in that room."""

from __future__ import annotations

import contextvars
import threading

import numpy as np
import pytest
import tensorflow as tf

from tfmagic.runtime.tensorflow.tf1_switches import Switches, current, switches_of

v1 = tf.compat.v1

SWITCHED = {
    "v2",
    "eager execution",
    "v2 shapes",
    "resource variables",
    "tensor equality",
    "control flow v2",
}


def test_disable_v2_behavior_is_undone_at_the_end_and_done_again_at_the_next_start() -> None:
    before = current()
    assert set(before) == SWITCHED
    room: Switches = {}
    with tf.Graph().as_default(), switches_of(room):
        v1.disable_v2_behavior()
        assert not any(current().values())
    assert current() == before
    assert tf.executing_eagerly()
    assert not any(room.values())
    with tf.Graph().as_default(), switches_of(room):
        assert not any(current().values())
        v1.enable_resource_variables()
    assert current() == before
    assert room["resource variables"]


@pytest.mark.parametrize(
    ("switch", "off"),
    [
        ("v2 shapes", v1.disable_v2_tensorshape),
        ("resource variables", v1.disable_resource_variables),
        ("tensor equality", v1.disable_tensor_equality),
        ("control flow v2", v1.disable_control_flow_v2),
    ],
)
def test_each_switch_is_kept_by_itself(switch: str, off: object) -> None:
    before = current()
    room: Switches = {}
    with switches_of(room):
        off()  # type: ignore[operator]
        assert current() == {**before, switch: False}
    assert current() == before
    assert room == {switch: False}


def test_behaviour_is_given_back_when_the_block_raises() -> None:
    before = current()

    def body() -> None:
        with tf.Graph().as_default(), switches_of({}):
            v1.disable_v2_behavior()
            msg = "in the cell"
            raise LookupError(msg)

    with pytest.raises(LookupError):
        body()
    assert current() == before


def test_two_rooms_keep_their_own() -> None:
    old: Switches = {}
    new: Switches = {}
    with switches_of(old):
        v1.disable_resource_variables()
    with switches_of(new):
        assert v1.resource_variables_enabled()
    with switches_of(old):
        assert not v1.resource_variables_enabled()


def test_two_threads_in_two_rooms_at_once_have_a_behaviour_each() -> None:
    before = current()
    switched, looked = threading.Event(), threading.Event()
    found: dict[str, Switches] = {}

    def old() -> None:
        with tf.Graph().as_default(), switches_of({}):
            v1.disable_v2_behavior()
            switched.set()
            looked.wait(60)
            found["old"] = current()

    thread = threading.Thread(target=old)
    thread.start()
    assert switched.wait(10)
    with tf.Graph().as_default(), switches_of({}):
        found["new"] = current()
        assert "ResourceVariable" in type(v1.get_variable("v", [2])).__name__
    found["none"] = current()
    assert tf.constant(1) == tf.constant(1)
    assert tf.data.Dataset.range(3).reduce(np.int64(0), lambda a, b: a + b).numpy() == 3
    looked.set()
    thread.join()
    assert found["new"] == found["none"] == before
    assert not any(found["old"].values())
    assert current() == before


def test_switches_count_wherever_they_are_called_from() -> None:
    before = current()
    import tensorflow.compat.v1 as tf1
    from tensorflow.compat.v1 import disable_v2_behavior

    for disable in (tf1.disable_v2_behavior, disable_v2_behavior, v1.disable_v2_behavior):
        with tf.Graph().as_default(), switches_of({}):
            disable()
            assert not any(current().values())
            assert type(v1.get_variable("v", [2])).__name__ == "RefVariable"
        assert current() == before


def test_a_rooms_behaviour_holds_in_the_threads_of_its_command_alone() -> None:
    found: list[bool] = []

    def look() -> None:
        found.append(v1.resource_variables_enabled())

    with switches_of({}):
        v1.disable_resource_variables()
        context = contextvars.copy_context()
        for thread in (threading.Thread(target=context.run, args=(look,)), threading.Thread(target=look)):
            thread.start()
            thread.join()
    assert found == [False, True]


def test_a_switch_outside_of_every_room_is_the_whole_process_s() -> None:
    before = current()
    inside, go = threading.Event(), threading.Event()

    def room() -> None:
        with switches_of({}):
            inside.set()
            go.wait(60)

    thread = threading.Thread(target=room)
    thread.start()
    assert inside.wait(60)
    try:
        v1.disable_tensor_equality()
        assert current() == {**before, "tensor equality": False}
        go.set()
        thread.join()
        assert current() == {**before, "tensor equality": False}
    finally:
        v1.enable_tensor_equality()
    assert current() == before
    assert tf.Tensor._USE_EQUALITY is True
