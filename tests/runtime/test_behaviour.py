"""TF1 behaviour that a room switches stays in that room."""

from __future__ import annotations

import pytest
import tensorflow as tf

from tfmagic.runtime.behaviour import Behaviour, behaviour_of, current

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
    room: Behaviour = {}
    with tf.Graph().as_default(), behaviour_of(room):
        v1.disable_v2_behavior()
        assert not any(current().values())
    assert current() == before
    assert tf.executing_eagerly()
    assert not any(room.values())
    with tf.Graph().as_default(), behaviour_of(room):
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
    room: Behaviour = {}
    with behaviour_of(room):
        off()  # type: ignore[operator]
        assert current() == {**before, switch: False}
    assert current() == before
    assert room == {switch: False}


def test_behaviour_is_given_back_when_the_block_raises() -> None:
    before = current()

    def body() -> None:
        with tf.Graph().as_default(), behaviour_of({}):
            v1.disable_v2_behavior()
            msg = "in the cell"
            raise LookupError(msg)

    with pytest.raises(LookupError):
        body()
    assert current() == before


def test_two_rooms_keep_their_own() -> None:
    old: Behaviour = {}
    new: Behaviour = {}
    with behaviour_of(old):
        v1.disable_resource_variables()
    with behaviour_of(new):
        assert v1.resource_variables_enabled()
    with behaviour_of(old):
        assert not v1.resource_variables_enabled()
