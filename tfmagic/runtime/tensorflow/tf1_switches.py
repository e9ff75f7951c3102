"""TF1 behaviour switched on by a cell, kept to that cell's room.

``tf.compat.v1.disable_v2_behavior()`` stands at the top of most TF1 code that was
pasted from somewhere, and switches the whole process: the Keras model in the next
cell, or in another thread at the same time, would stop working. While a cell runs
in a room, TensorFlow asks here instead: what a room has switched holds for its own
cells and for nobody else, whichever threads they run in.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from contextlib import contextmanager
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

Behaviour = dict[str, bool]

# The flags that disable_v2_behavior sets, and where they are.
_FLAGS: dict[str, tuple[Any, str]] = {
    "v2 shapes": (tensor_shape, "_TENSORSHAPE_V2_OVERRIDE"),
    "resource variables": (resource_variables_toggle, "_DEFAULT_USE_RESOURCE"),
    "tensor equality": (tensor.Tensor, "_USE_EQUALITY"),
    "control flow v2": (control_flow_util, "ENABLE_CONTROL_FLOW_V2"),
}
# What a cell calls to switch, after "enable_" or "disable_", and where it is defined.
# Eager execution has no flag here: in a graph nothing is eager, and outside of one a
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

_room: contextvars.ContextVar[Behaviour | None] = contextvars.ContextVar("tfmagic_behaviour", default=None)


class _Flag:
    """Stands in for a flag of TensorFlow's: true or false by the room in whose cell it is asked.

    Parameters
    ----------
    switch
        Its name here.
    stock
        What the flag is for everybody else.
    """

    def __init__(self, switch: str, stock: bool | None) -> None:  # noqa: FBT001 - as TensorFlow has it
        self.switch, self.stock = switch, stock

    def __bool__(self) -> bool:
        room = _room.get()
        # TensorFlow's flag for shapes may be None, which is to mean: as everything else.
        stock = tf2.enabled() if self.stock is None else bool(self.stock)
        return stock if room is None else room.get(self.switch, stock)


class _Switches:
    """TensorFlow's switches, with rooms in between.

    The functions that switch know rooms from the first cell on. The flags do only
    while a cell runs: they are asked for much else.
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
        for name in _READERS:
            for place in public:
                _replace(place, name, _plain)
        _replace(tf2, "enabled", _v2)
        _replace(tf2, "enable", self._setter(("v2",), on=True))
        _replace(tf2, "disable", self._setter(("v2",), on=False))

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Have the flags ask which room it is for as long as the block lasts."""
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
            self.look()
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    for flag in self._flags:
                        owner, name = _FLAGS[flag.switch]
                        setattr(owner, name, flag.stock)
                    self._flags.clear()

    def look(self) -> None:
        """Learn what was set past the functions here, for the one who has set it."""
        room = _room.get()
        with self._lock:
            for flag in self._flags:
                owner, name = _FLAGS[flag.switch]
                found = vars(owner)[name]
                if found is flag:
                    continue
                if room is None:
                    flag.stock = found
                else:
                    room[flag.switch] = bool(found)
                setattr(owner, name, flag)

    def _setter(self, switches: tuple[str, ...], *, on: bool) -> Callable[[Any], Any]:
        def make(stock: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(stock)
            def switch(*args: Any, **options: Any) -> Any:
                room = _room.get()
                if room is None:
                    value = stock(*args, **options)
                    self.look()
                    return value
                room.update(dict.fromkeys(switches, on))
                return None

            return switch

        return make


def _replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    stock = vars(owner).get(name)
    if stock is not None:
        setattr(owner, name, make(stock))


def _plain(stock: Callable[[], Any]) -> Callable[[], bool]:
    """Return a function that gives a plain bool, also while a flag is something else."""

    @wraps(stock)
    def told() -> bool:
        return bool(stock())

    return told


def _v2(stock: Callable[[], bool]) -> Callable[[], bool]:
    @wraps(stock)
    def enabled() -> bool:
        room = _room.get()
        return bool(stock()) if room is None else room.get("v2", bool(stock()))

    return enabled


def _switches() -> _Switches:
    return once("switches", _Switches)


def current() -> Behaviour:
    """Return each switch and whether it is on, for the one who asks."""
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
def behaviour_of(room: Behaviour) -> Iterator[None]:
    """Run a block with a room's switches, and nobody else with them.

    Parameters
    ----------
    room
        The room's switches; empty at first. What the block switches is noted here.
    """
    token = _room.set(room)
    try:
        with _switches().asking():
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
