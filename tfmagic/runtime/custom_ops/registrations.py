"""The operations and kernels that an op library registers, and their collisions with registered ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.errors import OpLibraryError
from tfmagic.runtime.tensorflow.private import kernels_and_operations, registered_kernels, registered_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.runtime.libraries.files import DuplicateRecord

_SCRIPT = Path(__file__).with_name("probe.py")
_TIMEOUT_S = 120.0
_OTHER_BUILD_ERRORS = ("undefined symbol", "symbol not found", "version `")


class OpRecord(TypedDict):
    """An operation.

    Attributes
    ----------
    inputs, outputs
        Each as ``name: type``.
    devices
        The devices for which the library has kernels.
    """

    name: str
    inputs: list[str]
    outputs: list[str]
    devices: list[str]


@dataclass(frozen=True)
class Registrations:
    """The operations (``OpDef``) and kernels (``KernelDef``) that a library registers."""

    operations: Sequence[Any]
    kernels: Sequence[Any]

    def kernels_for(self) -> list[str]:
        """Return the operations that it has kernels for but does not register."""
        return sorted({kernel.op for kernel in self.kernels} - {operation.name for operation in self.operations})

    def records(self) -> list[OpRecord]:
        """Return its operations as plain data."""
        return [
            {
                "name": operation.name,
                "inputs": [_argument(argument) for argument in operation.input_arg],
                "outputs": [_argument(argument) for argument in operation.output_arg],
                "devices": sorted({kernel.device_type for kernel in self.kernels if kernel.op == operation.name}),
            }
            for operation in self.operations
        ]


def probe(file: str, tensorflow: Sequence[str]) -> Registrations:
    """Return what a library registers when a separate process loads it; `tensorflow` lists TensorFlow's, in order."""
    if len(tensorflow) < 2:
        msg = (
            f"{file} cannot be tried before it is loaded: TensorFlow's libraries are not known on this platform "
            "(tf.load_op_library loads it untried)"
        )
        raise OpLibraryError(msg)
    with tempfile.TemporaryDirectory(prefix="tfmagic-") as folder:
        answer = Path(folder) / "answer.json"
        try:
            done = subprocess.run(  # noqa: S603 - this Python and our own script
                [sys.executable, "-I", "-S", str(_SCRIPT), file, str(answer), *tensorflow],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_TIMEOUT_S,
                check=False,
                # It has to register only, without touching the GPU.
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{file} was not loaded: in a process of its own it had not come back after {_TIMEOUT_S:.0f} s"
            raise OpLibraryError(msg) from error
        if done.returncode < 0:
            names = {known.value: known.name for known in signal.Signals}
            name = names.get(-done.returncode, f"signal {-done.returncode}")
            msg = f"{file} was not loaded: it ends the process that loads it ({name})"
            raise OpLibraryError(msg)
        if done.returncode or not answer.is_file():
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no answer"]
            msg = f"{file} was not loaded: it could not be tried in a process of its own ({lines[-1]})"
            raise OpLibraryError(msg)
        result: dict[str, str] = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in result:
        raise OpLibraryError(_load_error(file, result["error"]))
    kernels, operations = kernels_and_operations(*(b64decode(result[part]) for part in ("before", "after", "ops")))
    return Registrations(operations, kernels)


def refuse_collisions(file: str, registrations: Registrations, owner: Callable[[str], str]) -> None:
    """Raise `OpLibraryError` for a kernel that is registered already, or a different operation of a registered name.

    A second kernel for another device or type is fine, and so is an operation that both define alike. `owner` gives
    the library of a registered operation, for the message.
    """
    operations = {kernel.op for kernel in registrations.kernels}
    all_kernels = registered_kernels()
    registered = [kernel for kernel in all_kernels if kernel.op in operations]
    for kernel in registrations.kernels:
        if any(_collide(kernel, other) for other in registered):
            raise OpLibraryError(_refusal(file, kernel.op, owner(kernel.op)))
    for operation in registrations.operations:
        other = registered_operation(operation.name)
        if other is not None and (not all_kernels or _without_descriptions(other) != _without_descriptions(operation)):
            raise OpLibraryError(_refusal(file, operation.name, owner(operation.name)))


def registered_twice(paths: Sequence[str]) -> list[DuplicateRecord]:
    """Return the operations with a kernel that two of the libraries have registered."""
    counts = Counter(kernel.SerializeToString() for kernel in registered_kernels())
    twice = {kernel.op for kernel in registered_kernels() if counts[kernel.SerializeToString()] > 1}
    return [
        {
            "kind": "operation",
            "name": name,
            "paths": [path for path in paths if mentions(path, name)],
            "why": (
                f"{name} is registered by two libraries: every new kernel of it fails "
                '("Multiple OpKernel registrations match") until the kernel is restarted and one of them is loaded'
            ),
        }
        for name in sorted(twice)
    ]


def mentions(path: str, operation: str) -> bool:
    """Return whether a file contains an operation's name."""
    with suppress(OSError):
        return operation.encode() in Path(path).read_bytes()
    return False


def _collide(kernel: Any, other: Any) -> bool:
    """Return whether TensorFlow could not tell two kernels apart."""
    if any(getattr(kernel, part) != getattr(other, part) for part in ("op", "device_type", "label", "priority")):
        return False
    allowed = {attribute.name: set(attribute.allowed_values.list.type) for attribute in other.constraint}
    return all(
        allowed[attribute.name].intersection(attribute.allowed_values.list.type)
        for attribute in kernel.constraint
        if attribute.name in allowed
    )


def _without_descriptions(operation: Any) -> bytes:
    bare = type(operation).FromString(operation.SerializeToString())
    for part in (bare, *bare.input_arg, *bare.output_arg, *bare.attr):
        part.ClearField("description")
    bare.ClearField("summary")
    return bytes(bare.SerializeToString(deterministic=True))


def _refusal(file: str, operation: str, owner: str) -> str:
    return (
        f"{file} was not loaded: it registers {operation} again, which {owner} has registered, and every new "
        f"{operation} would fail from then on; to use this build restart the kernel and load it there, "
        "or give its operation another name"
    )


def _load_error(file: str, error: str) -> str:
    line = error.strip().splitlines()[0] if error.strip() else "no reason given"
    if any(part in line for part in _OTHER_BUILD_ERRORS):
        import tensorflow as tf

        return (
            f"{file} was built for another TensorFlow, this is {tf.__version__} ({line.removeprefix(f'{file}: ')}): "
            "build it again with tf.sysconfig.get_compile_flags() and tf.sysconfig.get_link_flags()"
        )
    return f"{file} cannot be loaded: {line.removeprefix(f'{file}: ')}"


def _argument(argument: Any) -> str:
    if argument.type:
        import tensorflow as tf

        kind = str(tf.dtypes.as_dtype(argument.type).name)
    else:
        kind = str(argument.type_attr or argument.type_list_attr)
    many = f"{argument.number_attr} * " if argument.number_attr else ""
    return f"{argument.name}: {many}{kind}"
