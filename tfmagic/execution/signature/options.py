"""The options of ``add``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tfmagic.core.naming import first_repeated
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from tfmagic.runtime.calls.prepared_call import Executor

_SHORT_DEVICE = re.compile(r"^(?P<kind>[a-z]+)(:(?P<index>\d+))?$", re.IGNORECASE)
_FULL_DEVICE = re.compile(r"^(/[a-z_]+:[^/]+)+$", re.IGNORECASE)

EXECUTORS = ("caller", "pool")
"""Whose thread runs the operations: the caller's, or one of TensorFlow's own."""

TensorNames = Mapping[str, str] | Sequence[str] | str | None
"""Named tensors of a graph: ``{"name": "op:0"}``, ``["a", "b=op:0"]`` or ``"a,b=op:0"``."""


@dataclass(frozen=True)
class Options:
    """The options of ``add``, checked; None stands for what was not said.

    ``inputs`` and ``outputs`` are pairs of a name and the tensor that gets it; ``device`` is TensorFlow's full form
    (``/device:CPU:0``). ``unsafe`` lets a file run Python and touch other files, ``copy`` gives a live object its own
    graph, and ``frozen`` keeps all constants constant. ``objects`` has the classes and functions of a Keras file
    that are not Keras's own, by name; without it they come from the notebook. ``executor`` is whose thread runs the
    operations, and ``compile`` is for XLA.
    """

    signature: str | None = None
    tags: tuple[str, ...] | None = None
    inputs: tuple[tuple[str, str], ...] | None = None
    outputs: tuple[tuple[str, str], ...] | None = None
    device: str | None = None
    unsafe: bool = False
    copy: bool = False
    objects: Mapping[str, Any] | None = None
    frozen: bool = False
    executor: Executor | None = None
    compile: bool = False

    @classmethod
    def checked(
        cls,
        *,
        signature: str | None = None,
        tags: str | Sequence[str] | None = None,
        inputs: TensorNames = None,
        outputs: TensorNames = None,
        device: str | None = None,
        unsafe: bool = False,
        copy: bool = False,
        objects: Any = None,
        frozen: bool = False,
        executor: str | None = None,
        compile: bool = False,  # noqa: A002 - as the magic's --compile
    ) -> Options:
        """Return the options, each in its one form."""
        if executor is not None and executor not in EXECUTORS:
            msg = f"{executor!r} is no executor: expected {' or '.join(EXECUTORS)}, or none for what is the quickest"
            raise SourceError(msg)
        return cls(
            signature=signature,
            tags=None if tags is None else tuple(_listed(tags)),
            inputs=_named_tensors("inputs", inputs),
            outputs=_named_tensors("outputs", outputs),
            device=None if device is None else full_device(device),
            unsafe=unsafe,
            copy=copy,
            objects=None if objects is None else named_objects(objects),
            frozen=frozen,
            executor=cast("Executor | None", executor),
            compile=compile,
        )


def named_objects(objects: Any) -> dict[str, Any]:
    """Return classes and functions by name, from a mapping, a list of them, or a single one."""
    if isinstance(objects, Mapping):
        return {str(name): value for name, value in objects.items()}
    classes = list(objects) if isinstance(objects, (list, tuple, set)) else [objects]
    nameless = next((value for value in classes if not hasattr(value, "__name__")), None)
    if nameless is not None or not classes:
        kind = "nothing" if not classes else f"an object of {type(nameless).__name__}"
        msg = f"--objects takes the classes of a Keras file, as [MyLayer] or {{'MyLayer': MyLayer}}: it got {kind}"
        raise SourceError(msg)
    return {value.__name__: value for value in classes}


def full_device(device: str) -> str:
    """Return TensorFlow's full form of ``cpu``, ``gpu`` or ``gpu:1``."""
    short = _SHORT_DEVICE.match(device)
    if short is not None:
        full = f"/device:{short['kind'].upper()}:{short['index'] or 0}"
    elif _FULL_DEVICE.match(device):
        full = device
    else:
        msg = f"{device!r} is no device: expected cpu, gpu, gpu:1, or TensorFlow's form, /device:GPU:1"
        raise SourceError(msg)
    kind = re.search(r"device:([a-z_]+)", full, re.IGNORECASE)
    if kind is not None:
        import tensorflow as tf

        # Not the logical ones: listing those starts every device.
        here = sorted({"CPU", *(str(physical.device_type) for physical in tf.config.list_physical_devices())})
        # A GPU that is not here is allowed: its operations are placed elsewhere.
        if kind[1].upper() not in {*here, "GPU"}:
            listed = ", ".join(name.lower() for name in here)
            msg = (
                f"{device!r} is no device: expected cpu, gpu, gpu:1, or TensorFlow's form (this machine has: {listed})"
            )
            raise SourceError(msg)
    return full


def missing_device(device: str | None) -> list[str]:
    """Return a note where a GPU was asked for that this machine lacks."""
    import tensorflow as tf

    if device is None or "GPU" not in device.upper() or tf.config.list_physical_devices("GPU"):
        return []
    return ["there is no GPU here, it runs on the CPU"]


def _listed(words: str | Sequence[str]) -> list[str]:
    parts = words.split(",") if isinstance(words, str) else list(words)
    return [part.strip() for part in parts if part.strip()]


def _named_tensors(which: str, tensors: TensorNames) -> tuple[tuple[str, str], ...] | None:
    if tensors is None:
        return None
    if isinstance(tensors, Mapping):
        pairs = [(str(name), str(where)) for name, where in tensors.items()]
    else:
        pairs = []
        for part in _listed(tensors):
            name, equals, where = part.partition("=")
            if equals and not where.strip():
                msg = f"--{which}: {part!r} names no tensor: expected NAME=op:0, or the tensor's name alone"
                raise SourceError(msg)
            name = name.strip()
            pairs.append((name.split(":")[0].split("/")[-1], name) if not equals else (name, where.strip()))
    if not pairs:
        msg = f"--{which} names nothing: expected NAME=op:0, with commas between several"
        raise SourceError(msg)
    names = [name for name, _ in pairs]
    twice = first_repeated(names)
    if twice is not None:
        msg = f"--{which} names {twice!r} twice: give each tensor a name of its own, as NAME=op:0"
        raise SourceError(msg)
    return tuple(pairs)
