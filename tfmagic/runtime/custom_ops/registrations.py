"""What an op library registers with TensorFlow, and whether that is registered already."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.errors import OpLibraryError
from tfmagic.runtime.tensorflow.private import kernels_and_operations, registered_kernels, registered_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tfmagic.runtime.libraries.duplicates import DuplicateRecord

_SCRIPT = Path(__file__).with_name("probe.py")
_PATIENCE_S = 120.0
_OTHER_BUILD = ("undefined symbol", "symbol not found", "version `")


class OpRecord(TypedDict):
    """An operation.

    Attributes
    ----------
    name
        As a graph has it.
    inputs, outputs
        Each as ``name: type``.
    devices
        For what the library has kernels of it.
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

    def names(self) -> list[str]:
        """Return the names of its operations."""
        return [one.name for one in self.operations]

    def of_others(self) -> list[str]:
        """Return the operations that it has kernels for and did not register."""
        return sorted({one.op for one in self.kernels} - set(self.names()))

    def records(self) -> list[OpRecord]:
        """Return its operations as plain data."""
        return [
            {
                "name": one.name,
                "inputs": [_argument(arg) for arg in one.input_arg],
                "outputs": [_argument(arg) for arg in one.output_arg],
                "devices": sorted({kernel.device_type for kernel in self.kernels if kernel.op == one.name}),
            }
            for one in self.operations
        ]


def tried(file: str, tensorflow: Sequence[str]) -> Registrations:
    """Load a library in a process of its own, and return what it registers.

    Parameters
    ----------
    file
        The library.
    tensorflow
        TensorFlow's libraries, the one that the others need first.

    Raises
    ------
    OpLibraryError
        When it cannot be loaded, or ends the process that loads it.
    """
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
                timeout=_PATIENCE_S,
                check=False,
                # It is to register, and to leave the GPU alone.
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""},
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{file} was not loaded: in a process of its own it had not come back after {_PATIENCE_S:.0f} s"
            raise OpLibraryError(msg) from error
        if done.returncode < 0:
            msg = f"{file} was not loaded: it ends the process that loads it ({_signal(-done.returncode)})"
            raise OpLibraryError(msg)
        if done.returncode or not answer.is_file():
            said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no answer"]
            msg = f"{file} was not loaded: it could not be tried in a process of its own ({said[-1]})"
            raise OpLibraryError(msg)
        found: dict[str, str] = json.loads(answer.read_text(encoding="utf-8"))
    if "error" in found:
        raise OpLibraryError(_said(file, found["error"]))
    kernels, operations = kernels_and_operations(*(b64decode(found[part]) for part in ("before", "after", "ops")))
    return Registrations(operations, kernels)


def check(file: str, found: Registrations, whose: Callable[[str], str]) -> None:
    """Refuse what would register a kernel a second time, or another operation of the same name.

    A second kernel for another device or type is fine, and so is an operation that
    both define alike.

    Parameters
    ----------
    file
        The library.
    found
        What it registers.
    whose
        Gives the library that an operation came with, for the message.

    Raises
    ------
    OpLibraryError
        When it would.
    """
    mine = {one.op for one in found.kernels}
    all_kernels = registered_kernels()
    there = [one for one in all_kernels if one.op in mine]
    for kernel in found.kernels:
        if any(_collide(kernel, other) for other in there):
            raise OpLibraryError(_refusal(file, kernel.op, whose(kernel.op)))
    for operation in found.operations:
        other = registered_operation(operation.name)
        if other is not None and (not all_kernels or _bare(other) != _bare(operation)):
            raise OpLibraryError(_refusal(file, operation.name, whose(operation.name)))


def registered_twice(paths: Sequence[str]) -> list[DuplicateRecord]:
    """Return the operations that have a kernel registered twice, as only a second library can have done."""
    counts = Counter(one.SerializeToString() for one in registered_kernels())
    twice = {one.op for one in registered_kernels() if counts[one.SerializeToString()] > 1}
    return [
        {
            "kind": "operation",
            "name": name,
            "paths": [path for path in paths if _mentions(path, name)],
            "why": (
                f"{name} is registered by two libraries: every new kernel of it fails "
                '("Multiple OpKernel registrations match") until the kernel is restarted and one of them is loaded'
            ),
        }
        for name in sorted(twice)
    ]


def _mentions(path: str, name: str) -> bool:
    try:
        return name.encode() in Path(path).read_bytes()
    except OSError:
        return False


def _collide(one: Any, other: Any) -> bool:
    """Return whether TensorFlow could not tell two kernels apart."""
    if any(getattr(one, part) != getattr(other, part) for part in ("op", "device_type", "label", "priority")):
        return False
    allowed = {each.name: set(each.allowed_values.list.type) for each in other.constraint}
    return all(
        set(each.allowed_values.list.type) & allowed[each.name] for each in one.constraint if each.name in allowed
    )


def _bare(operation: Any) -> bytes:
    """Return an operation without its descriptions."""
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


def _said(file: str, error: str) -> str:
    line = error.strip().splitlines()[0] if error.strip() else "no reason given"
    if any(part in line for part in _OTHER_BUILD):
        import tensorflow as tf

        return (
            f"{file} was built for another TensorFlow, this is {tf.__version__} ({line.removeprefix(f'{file}: ')}): "
            "build it anew with tf.sysconfig.get_compile_flags() and tf.sysconfig.get_link_flags()"
        )
    return f"{file} cannot be loaded: {line.removeprefix(f'{file}: ')}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _argument(argument: Any) -> str:
    if argument.type:
        import tensorflow as tf

        kind = str(tf.dtypes.as_dtype(argument.type).name)
    else:
        kind = str(argument.type_attr or argument.type_list_attr)
    many = f"{argument.number_attr} * " if argument.number_attr else ""
    return f"{argument.name}: {many}{kind}"
