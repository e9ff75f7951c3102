"""What a person can say about a source when a model is added."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from tfmagic.errors import SourceError

_SHORT_DEVICE = re.compile(r"^(?P<kind>[a-z]+)(:(?P<index>\d+))?$", re.IGNORECASE)
_FULL_DEVICE = re.compile(r"^(/[a-z_]+:[^/]+)+$", re.IGNORECASE)

Executor = Literal["caller", "pool"]
EXECUTORS = ("caller", "pool")
"""Whose thread runs the operations: the caller's, or one of TensorFlow's own."""

TensorNames = Mapping[str, str] | Sequence[str] | str | None
"""Ends of a graph: ``{"name": "op:0"}``, ``["a", "b=op:0"]`` or ``"a,b=op:0"``."""


@dataclass(frozen=True)
class Options:
    """The options of ``add``, checked.

    Attributes
    ----------
    signature
        The default signature; None for the source's own.
    tags
        The tag set of a SavedModel; None for ``serve``, or the only one.
    inputs, outputs
        Tensor by the name that the end is to have, as sorted pairs; None to
        infer, or to keep the source's names.
    device
        TensorFlow's full form (``/device:CPU:0``); None for no request.
    unsafe
        Whether a file may run Python and touch other files.
    copy
        Whether a live object gets a graph of its own instead of being shared.
    objects
        The classes and functions of a Keras file that are not Keras's own, by
        name; None for those of the notebook.
    frozen
        Whether all constants of a frozen graph stay constants.
    executor
        ``caller`` or ``pool``: whose thread runs the operations; None for what is the quickest.
    compile
        Whether XLA makes machine code of its calls.
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
        return cls(
            signature=signature,
            tags=None if tags is None else tuple(_listed(tags)),
            inputs=_ends("inputs", inputs),
            outputs=_ends("outputs", outputs),
            device=None if device is None else full_device(device),
            unsafe=unsafe,
            copy=copy,
            objects=None if objects is None else named_objects(objects),
            frozen=frozen,
            executor=None if executor is None else _executor(executor),
            compile=compile,
        )


def _executor(executor: str) -> Executor:
    if executor not in EXECUTORS:
        msg = f"{executor!r} is no executor: expected {' or '.join(EXECUTORS)}, or none for what is the quickest"
        raise SourceError(msg)
    return cast("Executor", executor)


def named_objects(objects: Any) -> dict[str, Any]:
    """Return classes and functions by name: of a mapping, of a list of them, or of one."""
    if isinstance(objects, Mapping):
        return {str(name): one for name, one in objects.items()}
    found = list(objects) if isinstance(objects, (list, tuple, set)) else [objects]
    nameless = next((one for one in found if not hasattr(one, "__name__")), None)
    if nameless is not None or not found:
        what = "nothing" if not found else f"an object of {type(nameless).__name__}"
        msg = f"--objects takes the classes of a Keras file, as [MyLayer] or {{'MyLayer': MyLayer}}: it got {what}"
        raise SourceError(msg)
    return {one.__name__: one for one in found}


def full_device(device: str) -> str:
    """Return TensorFlow's full form of ``cpu``, ``gpu`` or ``gpu:1``."""
    short = _SHORT_DEVICE.match(device)
    full = device if _FULL_DEVICE.match(device) else None
    if short is not None:
        full = f"/device:{short['kind'].upper()}:{short['index'] or 0}"
    if full is not None:
        _check_kind(device, full)
        return full
    msg = f"{device!r} is no device: expected cpu, gpu, gpu:1, or TensorFlow's form, /device:GPU:1"
    raise SourceError(msg)


def _check_kind(device: str, full: str) -> None:
    """Refuse a kind of device that is none; a GPU that is not here is only placed elsewhere."""
    named = re.search(r"device:([a-z_]+)", full, re.IGNORECASE)
    if named is None:
        return
    import tensorflow as tf

    # Not the logical ones: listing those starts every device.
    here = sorted({"CPU", *(str(one.device_type) for one in tf.config.list_physical_devices())})
    if named[1].upper() not in {*here, "GPU"}:
        listed = ", ".join(kind.lower() for kind in here)
        msg = f"{device!r} is no device: expected cpu, gpu, gpu:1, or TensorFlow's form (this machine has: {listed})"
        raise SourceError(msg)


def missing_device(device: str | None) -> list[str]:
    """Return a note where a device was asked for that this machine lacks."""
    import tensorflow as tf

    if device is None or "GPU" not in device.upper() or tf.config.list_physical_devices("GPU"):
        return []
    return ["there is no GPU here, it runs on the CPU"]


def _listed(words: str | Sequence[str]) -> list[str]:
    parts = words.split(",") if isinstance(words, str) else list(words)
    return [part.strip() for part in parts if part.strip()]


def _ends(which: str, ends: TensorNames) -> tuple[tuple[str, str], ...] | None:
    if ends is None:
        return None
    if isinstance(ends, Mapping):
        pairs = [(str(name), str(where)) for name, where in ends.items()]
    else:
        pairs = []
        for part in _listed(ends):
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
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        msg = f"--{which} names {twice!r} twice: give each end a name of its own, as NAME=op:0"
        raise SourceError(msg)
    return tuple(pairs)
