"""Read and write the values of a graph's variables through a native session.

This works for any graph, also one that was read from a file and has no Python variables:
the operations that hold the values are found in the graph, and operations that read and
write them are added under ``tfmagic_values/`` when they are first needed.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.runtime.graph.operations import adding_to
from tfmagic.runtime.tensorflow.private import fetch_once, run_once

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

v1 = tf.compat.v1

OURS = "tfmagic_"
"""Begins the name of everything that tfmagic adds to a graph for its own use."""

SCOPE = f"{OURS}values"
"""The name scope of what this module adds to a graph."""

# Other operations with state, which start empty.
_START_EMPTY = ("Queue", "Stack", "Barrier", "Mutex", "Reader", "Iterator")
_RESOURCE = "VarHandleOp"
_ATTRIBUTE = "_tfmagic_values"
_creation_lock = threading.Lock()

# Bytes read or written in one run: many small variables together, but never a second copy of all large ones.
_PORTION_BYTES = 16_000_000


class Values:
    """Reads and writes the variables of one ``tf.Graph``."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._making = threading.RLock()
        # By the function that made it and the variable: the names of what was added to the graph.
        self._added: dict[tuple[Callable[[Any], Any], str], Any] = {}

    def names(self) -> list[str]:
        """Return the variables' names, each once: the names of the operations that hold the values."""
        return list(self._variable_ops())

    def read(self, native: Any, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and value of each initialised variable, in portions; of all variables if `names` is None."""
        variables = self._variable_ops()
        wanted = [name for name in (variables if names is None else names) if name in variables]
        has_value = fetch_once(native, [self._add(_probe, name) for name in wanted]) if wanted else []
        for portion in self._portions(name for name, has in zip(wanted, has_value, strict=True) if has):
            readers = [self._add(_reader, name) for name in portion]
            for name, value in zip(portion, fetch_once(native, readers), strict=True):
                # A scalar text comes as bytes.
                yield name, np.array(value, object) if isinstance(value, bytes) else np.asarray(value)

    def write(self, native: Any, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Give variables their values; `KeyError` for a variable that the graph does not have.

        The pairs are consumed one by one. A value may become the variable's own memory (TensorFlow aliases an
        aligned buffer), so nobody may write to it or use it again.
        """
        writer = Writer(self, native)
        for name, value in values:
            writer.put(name, value)
        writer.flush()

    def use_assignment(self, name: str, fed: str, assign: str) -> None:
        """Assign a variable by an operation that the graph already has: feed a tensor, run the operation."""
        self._added[_writer, name] = (fed, assign)

    def write_portion(self, native: Any, values: dict[str, np.ndarray]) -> None:
        """Give variables their values in one run."""
        writers = [self._add(_writer, name) for name in values]
        feeds = {fed: value for (fed, _), value in zip(writers, values.values(), strict=True)}
        run_once(native, [assign for _, assign in writers], feeds, in_this_thread=True)

    def _variable_ops(self) -> dict[str, Any]:
        """Return the operations that hold the values; the first, where one variable has several."""
        by_storage: dict[tuple[str, str], Any] = {}
        for op in self._graph.get_operations():
            if op.type in VARIABLES and op.get_attr("dtype") not in {tf.resource, tf.variant}:
                container, shared = op.get_attr("container"), op.get_attr("shared_name")
                by_storage.setdefault((container.decode(), shared.decode() or op.name), op)
        return {op.name: op for op in by_storage.values()}

    def _portions(self, names: Iterable[str]) -> Iterator[list[str]]:
        portion: list[str] = []
        size = 0
        for name in names:
            op = self._graph.get_operation_by_name(name)
            elements = tf.TensorShape(op.get_attr("shape")).num_elements()
            portion.append(name)
            size += _PORTION_BYTES if elements is None else elements * (op.get_attr("dtype").base_dtype.size or 8)
            if size >= _PORTION_BYTES:
                yield portion
                portion, size = [], 0
        if portion:
            yield portion

    def _add(self, make: Callable[[Any], Any], name: str) -> Any:
        """Add operations for a variable to the graph, the first time, and return their names."""
        with self._making:
            if (make, name) not in self._added:
                op = self._graph.get_operation_by_name(name)
                with adding_to(self._graph, beside=op), self._graph.name_scope(f"{SCOPE}/"):
                    self._added[make, name] = make(op)
            return self._added[make, name]


class Writer:
    """Takes values of variables one by one, and writes them in portions to a native session."""

    def __init__(self, values: Values, native: Any) -> None:
        self._values, self._native = values, native
        self._portion: dict[str, np.ndarray] = {}
        self._size = 0

    def put(self, name: str, value: np.ndarray) -> None:
        """Take a value, which nobody may use again: it may become the variable's own memory."""
        self._portion[name] = value
        self._size += value.nbytes
        if self._size >= _PORTION_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write the values that are still waiting."""
        portion, self._portion, self._size = self._portion, {}, 0
        if portion:
            self._values.write_portion(self._native, portion)


def _reader(op: Any) -> Any:
    if op.type == _RESOURCE:
        return tf.raw_ops.ReadVariableOp(resource=op.outputs[0], dtype=op.get_attr("dtype")).name
    # A copy: later runs write to a reference's memory in place, whoever holds it.
    return tf.raw_ops.DeepCopy(x=op.outputs[0]).name


def _probe(op: Any) -> Any:
    if op.type == _RESOURCE:
        return tf.raw_ops.VarIsInitializedOp(resource=op.outputs[0]).name
    return tf.raw_ops.IsVariableInitialized(ref=op.outputs[0]).name


def _writer(op: Any) -> tuple[str, str]:
    """Return the names of the tensor to feed and the operation to run."""
    fed = v1.placeholder(op.get_attr("dtype"), None)
    if op.type == _RESOURCE:
        return fed.name, tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=fed).name
    return fed.name, tf.raw_ops.Assign(ref=op.outputs[0], value=fed, validate_shape=False).op.name


def holds_only_variables(graph: Any, *, beside: Container[str] = ()) -> bool:
    """Return whether a native session of the graph needs nothing but variables, apart from operations `beside`."""
    return not any(_needs_a_value(op) and op.name not in beside for op in graph.get_operations())


def _needs_a_value(op: Any) -> bool:
    if op.type in VARIABLES or op.type == "Placeholder" or op.inputs or not op.outputs:
        return False
    if op.outputs[0].dtype.base_dtype != tf.resource and "Table" not in op.type:
        return False
    return not any(kind in op.type for kind in _START_EMPTY)


def values_of(graph: Any) -> Values:
    """Return the `Values` of a graph, created at the first call."""
    with _creation_lock:
        if not hasattr(graph, _ATTRIBUTE):
            setattr(graph, _ATTRIBUTE, Values(graph))
        values: Values = getattr(graph, _ATTRIBUTE)
        return values


def checksum(value: np.ndarray) -> int:
    """Return a number that changes with the array."""
    if value.dtype == object:
        return hash((value.shape, tuple(value.flat)))
    return zlib.crc32(np.ascontiguousarray(value).view(np.uint8).reshape(-1).data, hash(value.shape) & 0xFFFFFFFF)


def checksums(values: Iterable[tuple[str, np.ndarray]]) -> dict[str, int]:
    """Return the checksum of each value by name."""
    return {name: checksum(value) for name, value in values}
