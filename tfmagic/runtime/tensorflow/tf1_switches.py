"""TF1 behaviour switches, kept to the room whose cell flips them.

``tf.compat.v1.disable_v2_behavior()`` stands at the top of most pasted TF1 code, and
switches the whole process: the Keras model in the next cell, or in another thread at the
same time, would stop working. While a cell runs in a room, TensorFlow's switches are
patched so that each room has its own values, in whichever threads its cells run.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import tensorflow as tf
from tensorflow.python import tf2
from tensorflow.python.compat import v2_compat
from tensorflow.python.eager import context
from tensorflow.python.framework import ops, tensor, tensor_shape
from tensorflow.python.ops import control_flow_util, control_flow_v2_toggles, resource_variables_toggle

from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

v1 = tf.compat.v1

Switches = dict[str, bool]

# The flags that disable_v2_behavior sets, and where they are.
_FLAGS: dict[str, tuple[Any, str]] = {
    "v2 shapes": (tensor_shape, "_TENSORSHAPE_V2_OVERRIDE"),
    "resource variables": (resource_variables_toggle, "_DEFAULT_USE_RESOURCE"),
    "tensor equality": (tensor.Tensor, "_USE_EQUALITY"),
    "control flow v2": (control_flow_util, "ENABLE_CONTROL_FLOW_V2"),
}
# What a cell calls, after "enable_" or "disable_", where it is defined, and what it switches.
# Eager execution has no flag here: in a graph nothing is eager, and outside a graph each
# thread has its own mode.
_SETTERS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "v2_behavior": (v2_compat, ("v2", "eager execution", *_FLAGS)),
    "eager_execution": (ops, ("eager execution",)),
    "v2_tensorshape": (tensor_shape, ("v2 shapes",)),
    "resource_variables": (resource_variables_toggle, ("resource variables",)),
    "tensor_equality": (tensor, ("tensor equality",)),
    "control_flow_v2": (control_flow_v2_toggles, ("control flow v2",)),
}
_READERS = ("resource_variables_enabled", "control_flow_v2_enabled")

_room: contextvars.ContextVar[Switches | None] = contextvars.ContextVar("tfmagic_switches", default=None)


class _Flag:
    """Replaces a flag of TensorFlow's: its truth depends on the current room; `stock` holds outside rooms."""

    def __init__(self, switch: str, stock: bool | None) -> None:  # noqa: FBT001 - as TensorFlow has it
        self.switch, self.stock = switch, stock

    def __bool__(self) -> bool:
        room = _room.get()
        # TensorFlow's flag for shapes may be None, which means: the same as TF2 behaviour.
        stock = tf2.enabled() if self.stock is None else bool(self.stock)
        return stock if room is None else room.get(self.switch, stock)


class _SwitchPatch:
    """Patches TensorFlow's switches so that each room has its own.

    The functions that switch stay patched from the first cell on. The flags are patched
    only while a cell runs, because all of TensorFlow reads them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._flags: list[_Flag] = []
        # "import tensorflow.compat.v1 as tf" makes a module of its own.
        public = [module for name, module in list(sys.modules.items()) if name.endswith(".compat.v1") and module]
        for name, (owner, switches) in _SETTERS.items():
            for verb, on in (("enable", True), ("disable", False)):
                for place in (owner, *public):
                    _replace(place, f"{verb}_{name}", self._setter(switches, on=on))
        for place in (ops, *public):
            _replace(place, "reset_default_graph", _reset_of_a_room)
        for name in _READERS:
            for place in public:
                _replace(place, name, _plain_bool)
        _replace(tf2, "enabled", _v2_enabled)
        _replace(tf2, "enable", self._setter(("v2",), on=True))
        _replace(tf2, "disable", self._setter(("v2",), on=False))

    @contextmanager
    def patched_flags(self) -> Iterator[None]:
        """Have the flags depend on the room during the block."""
        with self._lock:
            if self._inside == 0:
                for switch, (owner, name) in _FLAGS.items():
                    flag = _Flag(switch, vars(owner)[name])
                    self._flags.append(flag)
                    setattr(owner, name, flag)
            self._inside += 1
        try:
            yield
        finally:
            self.collect_changes()
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    for flag in self._flags:
                        owner, name = _FLAGS[flag.switch]
                        setattr(owner, name, flag.stock)
                    self._flags.clear()

    def collect_changes(self) -> None:
        """Store flags that were set directly, without the patched functions, for the current room."""
        room = _room.get()
        with self._lock:
            for flag in self._flags:
                owner, name = _FLAGS[flag.switch]
                value = vars(owner)[name]
                if value is flag:
                    continue
                if room is None:
                    flag.stock = value
                else:
                    room[flag.switch] = bool(value)
                setattr(owner, name, flag)

    def _setter(self, switches: tuple[str, ...], *, on: bool) -> Callable[[Any], Any]:
        def make(stock: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(stock)
            def switch(*args: Any, **options: Any) -> Any:
                room = _room.get()
                if room is None:
                    value = stock(*args, **options)
                    self.collect_changes()
                    return value
                room.update(dict.fromkeys(switches, on))
                return None

            return switch

        return make


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    stock = vars(owner).get(name)
    if stock is not None:
        setattr(owner, name, make(stock))


def _plain_bool(stock: Callable[[], Any]) -> Callable[[], bool]:
    """Return a function that gives a plain bool, even while a flag is replaced."""

    @wraps(stock)
    def enabled() -> bool:
        return bool(stock())

    return enabled


def _reset_of_a_room(stock: Callable[[], None]) -> Callable[[], None]:
    """Return a function that, in a room, is content with an empty graph: pasted code begins by clearing it."""

    @wraps(stock)
    def reset() -> None:
        if _room.get() is None or next(iter(v1.get_default_graph().get_operations()), None) is not None:
            stock()

    return reset


def _v2_enabled(stock: Callable[[], bool]) -> Callable[[], bool]:
    @wraps(stock)
    def enabled() -> bool:
        room = _room.get()
        return bool(stock()) if room is None else room.get("v2", bool(stock()))

    return enabled


def current() -> Switches:
    """Return the switches as they are for the caller."""
    eager = bool(context.default_execution_mode == context.EAGER_MODE)
    return {
        "v2": tf2.enabled(),
        "eager execution": (_room.get() or {}).get("eager execution", eager),
        "v2 shapes": isinstance(tf.TensorShape([1])[0], int),
        "resource variables": bool(v1.resource_variables_enabled()),
        "tensor equality": bool(tensor.Tensor._USE_EQUALITY),  # noqa: SLF001 - one of the flags
        "control flow v2": bool(v1.control_flow_v2_enabled()),
    }


@contextmanager
def switches_of(room: Switches) -> Iterator[None]:
    """Run a block with a room's switches; `room` is empty at first, and receives what the block switches."""
    token = _room.set(room)
    try:
        with once("switches", _SwitchPatch).patched_flags():
            yield
    finally:
        _room.reset(token)


eager_execution: Callable[[], AbstractContextManager[None]] = context.eager_mode
"""Executes eagerly during a block, also inside a ``tf.Graph``, which ``tf.init_scope`` does not leave."""
