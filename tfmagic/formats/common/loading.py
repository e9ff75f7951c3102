"""What the sources that read a graph from a file share."""

from __future__ import annotations

import re
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError, TfMagicError
from tfmagic.execution.room.variables import table_initialisers_of, variables_of
from tfmagic.formats.common.wrong_file import wrong_file
from tfmagic.graphdef.walk import bodies
from tfmagic.runtime.tensorflow.native_errors import essence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.signature import Signature

v1 = tf.compat.v1

_UNREGISTERED = re.compile(r"(?:Op type not registered '|No op named '?)([^' ]*)")


@contextmanager
def reading(model: str, path: Path, part: str) -> Iterator[None]:
    """Turn any error while `path` is read into a `SourceError` of one line that names the file and the part."""
    try:
        yield
    except (TfMagicError, MemoryError):
        raise
    except tf.errors.ResourceExhaustedError as error:
        msg = f"{model}: {part} of {path} cannot be loaded ({essence(error)})"
        raise SourceError(msg) from error
    except Exception as error:
        # A damaged file can fail in any way: the parser's DecodeError, KeyError
        # and ValueError of the import, each of TensorFlow's own errors.
        custom = _UNREGISTERED.search(str(error))
        # A flipped bit in an operation's name is damage: it looks like a custom operation with impossible letters.
        if custom is not None and custom[1].isidentifier():
            msg = (
                f"{model}: {path} needs the custom operation {custom[1]!r}, which is not loaded: load its library "
                "first (%tf_runtime load OPS.so, in a script tf.load_op_library), or name outputs that do not need it "
                "(--outputs)"
            )
        else:
            if (wrong := wrong_file(model, path)) is not None:
                raise wrong from error
            reason = "".join(character if character.isprintable() else "?" for character in _reason(error))
            reason = reason if len(reason) <= 200 else reason[:199] + "…"
            msg = f"{model}: {part} of {path} cannot be read, it may be damaged ({reason})"
        raise SourceError(msg) from error


def _reason(error: Exception) -> str:
    """Return the line of a message that says what went wrong: in TensorFlow's, the one after ``Node:``."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    nodes = [at for at, line in enumerate(lines) if line.startswith("Node:")]
    if nodes and nodes[-1] + 1 < len(lines):
        return lines[nodes[-1] + 1]
    return lines[0] if lines else type(error).__name__


def check_constants(graph_def: Any) -> None:
    """Raise a `ValueError` for a constant whose tensor has another dtype than its node says."""
    # TensorFlow does not check this, and ends the process when it infers shapes.
    for nodes in bodies(graph_def):
        for node in nodes:
            if node.op == "Const" and node.attr["value"].tensor.dtype != node.attr["dtype"].type:
                msg = f"constant {node.name!r} is of another dtype than it says"
                raise ValueError(msg)


def detached_functions(functions: Iterable[Any]) -> list[Any]:
    """Return copies of ``FunctionDef`` messages: a part would keep its whole message, with all weights, alive."""
    return [type(function).FromString(function.SerializeToString()) for function in functions]


def import_meta_graph(meta: Any, *, clear_devices: bool = False) -> None:
    """Import a ``MetaGraphDef`` into the default graph, and add nothing; only its devices may be changed."""
    has_saver = bool(meta.saver_def.restore_op_name)
    if not has_saver:
        # To a graph that has no Saver, TensorFlow would add one.
        saver = meta.saver_def
        saver.filename_tensor_name = saver.save_tensor_name = saver.restore_op_name = "none"
    try:
        v1.train.import_meta_graph(meta, clear_devices=clear_devices)
    finally:
        if not has_saver:
            meta.ClearField("saver_def")


def bind_signature_names(room: Room, signature: Signature) -> None:
    """Give a loaded model's room its inputs and outputs as Python names."""
    for spec in (*signature.outputs, *signature.inputs):
        if spec.name.isidentifier() and spec.tensor is not None:
            room.namespace[spec.name] = room.graph.get_tensor_by_name(spec.tensor)


def filling_all(room: Room, fill: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a fill that then initialises what was added to the graph since it was loaded."""
    return fill_and_initialise(room, fill, [*variables_of(room.graph), *table_initialisers_of(room.graph)])


def fill_and_initialise(
    room: Room, fill: Callable[[Any], None] | None = None, filled: Sequence[Any] = ()
) -> Callable[[Any], None]:
    """Return a fill that then initialises what has no value yet; `filled` is not even looked at."""
    initialiser = room.initialiser

    def fill_all(native: Any) -> None:
        if fill is not None:
            fill(native)
        if initialiser is not None:
            initialiser.forget()
            initialiser.skip(filled)
            initialiser(native)

    return fill_all


def new_graph(device: str | None, build: Callable[[], Any]) -> Any:
    """Return a fresh graph, in which `build` was called with the device."""
    graph = tf.Graph()
    with graph.as_default(), nullcontext() if device is None else tf.device(device):
        build()
    return graph


def graph_of(definition: Any, device: str | None, op_list: Any = None) -> Any:
    """Return a fresh graph of a ``GraphDef``; a device that is asked for replaces those in the definition."""
    if device is not None:
        for node in definition.node:
            node.device = ""
    return new_graph(device, lambda: tf.import_graph_def(definition, name="", producer_op_list=op_list))
