"""TF1 behaviour switched on by a cell, kept to that cell's room.

``tf.compat.v1.disable_v2_behavior()`` stands at the top of most TF1 code that was
pasted from somewhere, and switches the whole process: the Keras model in the next
cell, or in another thread at the same time, would stop working. While a cell runs
in a room, TensorFlow asks here instead: what a room has switched holds for its own
cells, in whichever thread they run, and for nobody else.
"""

from __future__ import annotations

import contextvars
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.python import tf2
from tensorflow.python.eager import context
from tensorflow.python.framework import tensor_shape
from tensorflow.python.ops import control_flow_util, resource_variables_toggle

from tfmagic.runtime.detour import Detour
from tfmagic.runtime.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

v1 = tf.compat.v1

Behaviour = dict[str, bool]

_room: contextvars.ContextVar[Behaviour | None] = contextvars.ContextVar("tfmagic_behaviour", default=None)


class _Asked:
    """Stands in for a flag of TensorFlow's: true or false by the room in whose cell it is asked."""

    def __init__(self, switch: str, stock: Callable[[], bool]) -> None:
        self._switch, self._stock = switch, stock

    def __bool__(self) -> bool:
        room = _room.get()
        return self._stock() if room is None else room.get(self._switch, self._stock())


def _flag(switch: str) -> Callable[[Any], _Asked]:
    def make(stock: Any) -> _Asked:
        # TensorFlow's own flag for shapes may be None, which means as everything else.
        return _Asked(switch, lambda: tf2.enabled() if stock is None else bool(stock))

    return make


def _reader(switch: str) -> Callable[[Any], Any]:
    def make(stock: Callable[[], bool]) -> Callable[[], bool]:
        return lambda: bool(_Asked(switch, stock))

    return make


# The flags that disable_v2_behavior sets, and who reads them. Eager execution is not
# among them: inside a graph nothing is eager, and outside of one a thread has its own.
_FLAGS = {
    "v2 shapes": (tensor_shape, "_TENSORSHAPE_V2_OVERRIDE"),
    "resource variables": (resource_variables_toggle, "_DEFAULT_USE_RESOURCE"),
    "tensor equality": (tf.Tensor, "_USE_EQUALITY"),
    "control flow v2": (control_flow_util, "ENABLE_CONTROL_FLOW_V2"),
}
_READERS = {"v2": (tf2, "enabled")}

# What a cell calls to switch, without its "enable_" or "disable_".
_SETTERS = {
    "v2_behavior": ("v2", "eager execution", *_FLAGS),
    "eager_execution": ("eager execution",),
    "v2_tensorshape": ("v2 shapes",),
    "resource_variables": ("resource variables",),
    "tensor_equality": ("tensor equality",),
    "control_flow_v2": ("control flow v2",),
}


def _setter(switches: tuple[str, ...], on: bool) -> Callable[[Any], Any]:  # noqa: FBT001 - one of a table
    def make(stock: Callable[..., Any]) -> Callable[..., Any]:
        def switch(*args: Any, **options: Any) -> Any:
            room = _room.get()
            if room is None:
                return stock(*args, **options)
            room.update(dict.fromkeys(switches, on))
            return None

        return switch

    return make


def _detour() -> Detour:
    def made() -> Detour:
        flags = [(owner, name, _flag(switch)) for switch, (owner, name) in _FLAGS.items()]
        readers = [(owner, name, _reader(switch)) for switch, (owner, name) in _READERS.items()]
        setters = [
            (v1, f"{verb}_{name}", _setter(switches, on))
            for name, switches in _SETTERS.items()
            for verb, on in (("enable", True), ("disable", False))
        ]
        answers = [(v1, "resource_variables_enabled", _plain), (v1, "control_flow_v2_enabled", _plain)]
        return Detour([*flags, *readers, *setters, *answers])

    return once("behaviour", made)


def _plain(stock: Callable[[], Any]) -> Callable[[], bool]:
    """Return a function that gives a plain bool, whatever stands in for the flag."""
    return lambda: bool(stock())


def current() -> Behaviour:
    """Return each switch and whether it is on, for who asks."""
    return {
        "v2": tf2.enabled(),
        "eager execution": bool(_Asked("eager execution", partial(_eager))),
        "v2 shapes": isinstance(tf.TensorShape([1])[0], int),
        "resource variables": bool(v1.resource_variables_enabled()),
        "tensor equality": bool(getattr(tf.Tensor, "_USE_EQUALITY", True)),
        "control flow v2": bool(v1.control_flow_v2_enabled()),
    }


def _eager() -> bool:
    return bool(context.default_execution_mode == context.EAGER_MODE)


@contextmanager
def behaviour_of(room: Behaviour) -> Iterator[None]:
    """Run a block with a room's switches, and nobody else with them.

    Parameters
    ----------
    room
        The room's switches; empty at first. What the block switches is noted here.
    """
    token = _room.set(room)
    try:
        with _detour().taken():
            yield
    finally:
        _room.reset(token)


@contextmanager
def eagerly() -> Iterator[None]:
    """Run a block eagerly, also inside a graph, and put the thread's mode back after it.

    ``tf.init_scope`` does not leave a ``tf.Graph``, only a function's.
    """
    with context.eager_mode():
        yield
