"""TF1 behaviour switched on by a cell, kept to that cell's room.

``tf.compat.v1.disable_v2_behavior()`` stands at the top of most TF1 code that was
pasted from somewhere, and turns eager execution off for the whole process: the
Keras model in the next cell would stop working. What a room switches is undone
when its cell ends, and done again when its next cell begins.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import tensorflow as tf
from tensorflow.python import tf2
from tensorflow.python.eager import context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

v1 = tf.compat.v1


def _eager() -> bool:
    return bool(context.default_execution_mode == context.EAGER_MODE)


def _set_eager(on: bool) -> None:  # noqa: FBT001 - one of a table of setters
    # The public enable_eager_execution refuses once any graph exists.
    context.default_execution_mode = context.EAGER_MODE if on else context.GRAPH_MODE


def _either(enable: Callable[[], None], disable: Callable[[], None]) -> Callable[[bool], None]:
    return lambda on: enable() if on else disable()


# What disable_v2_behavior switches, each with how to read and how to set it.
_SWITCHES: dict[str, tuple[Callable[[], bool], Callable[[bool], None]]] = {
    "v2": (tf2.enabled, _either(tf2.enable, tf2.disable)),
    "eager execution": (_eager, _set_eager),
    "v2 shapes": (
        lambda: isinstance(tf.TensorShape([1])[0], int),
        _either(v1.enable_v2_tensorshape, v1.disable_v2_tensorshape),
    ),
    "resource variables": (
        v1.resource_variables_enabled,
        _either(v1.enable_resource_variables, v1.disable_resource_variables),
    ),
    "tensor equality": (
        lambda: bool(getattr(tf.Tensor, "_USE_EQUALITY", True)),
        _either(v1.enable_tensor_equality, v1.disable_tensor_equality),
    ),
    "control flow v2": (
        v1.control_flow_v2_enabled,
        _either(v1.enable_control_flow_v2, v1.disable_control_flow_v2),
    ),
}

Behaviour = dict[str, bool]


def current() -> Behaviour:
    """Return each switch and whether it is on."""
    return {name: read() for name, (read, _) in _SWITCHES.items()}


def switch_to(wanted: Behaviour) -> None:
    """Set the switches that differ from `wanted`."""
    for name, on in wanted.items():
        read, write = _SWITCHES[name]
        if read() != on:
            write(on)


@contextmanager
def behaviour_of(room: Behaviour) -> Iterator[None]:
    """Run a block with a room's switches, and give the process its own back after it.

    Parameters
    ----------
    room
        The room's switches; empty at first. What the block switches is noted here.
    """
    before = current()
    switch_to(room)
    try:
        yield
    finally:
        room.update(current())
        switch_to(before)


@contextmanager
def eagerly() -> Iterator[None]:
    """Run a block eagerly, also inside a graph, and put the thread's mode back after it.

    ``tf.init_scope`` does not leave a ``tf.Graph``, only a function's.
    """
    with context.eager_mode():
        yield
