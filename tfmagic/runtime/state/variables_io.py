"""The values of a graph's variables: read from a native session, and written to one.

Any graph will do, also one that was read from a file and has no Python variables:
the operations that hold the values are found, and what reads and writes them is
added under ``tfmagic_values/`` when it is first needed.
"""

from __future__ import annotations

import threading
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.runtime.graph.additions import adding_to
from tfmagic.runtime.tensorflow.private import fetch_once, run_once

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

v1 = tf.compat.v1

OURS = "tfmagic_"
"""What the names of everything begin with that tfmagic adds to a graph for its own use."""

SCOPE = f"{OURS}values"
"""The name scope of what is added to a graph here."""

# What is held beside variables and begins with nothing in it.
_BEGIN_EMPTY = ("Queue", "Stack", "Barrier", "Mutex", "Reader", "Iterator")
_ATTRIBUTE = "_tfmagic_values"
_birth = threading.Lock()

# So many bytes are read or written at once: many small variables in one run, and of
# large ones no second copy of all.
_AT_ONCE_BYTES = 16_000_000


class Values:
    """Reads and writes the variables of one graph.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._making = threading.RLock()
        self._readers: dict[str, str] = {}
        self._writers: dict[str, tuple[str, str]] = {}
        self._probes: dict[str, str] = {}

    def names(self) -> list[str]:
        """Return the variables' names, each once: those of the operations that hold the values."""
        return list(self._holders())

    def read(self, native: Any, names: Iterable[str] | None = None) -> Iterator[tuple[str, np.ndarray]]:
        """Give name and value of each variable that has a value, a few at a time.

        Parameters
        ----------
        native
            An open native session of the graph.
        names
            Which variables; all if None.
        """
        holders = self._holders()
        wanted = [name for name in (holders if names is None else names) if name in holders]
        ready = self._initialised(native, wanted)
        for some in self._in_portions(ready):
            readers = [self._reader(name) for name in some]
            for name, value in zip(some, fetch_once(native, readers), strict=True):
                # A scalar text comes as bytes.
                yield name, np.array(value, object) if isinstance(value, bytes) else np.asarray(value)

    def write(self, native: Any, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Give variables their values.

        Parameters
        ----------
        native
            An open native session of the graph.
        values
            Pairs of name and value, consumed one by one. A value may become the
            variable's own memory (TensorFlow aliases an aligned buffer), so it must
            not be written to or used again.

        Raises
        ------
        KeyError
            For a variable that the graph does not have.
        """
        writer = self.writer(native)
        for name, value in values:
            writer.put(name, value)
        writer.flush()

    def writer(self, native: Any) -> Writer:
        """Return what takes values one by one and writes them a few at a time."""
        return Writer(self, native)

    def adopt(self, name: str, fed: str, assign: str) -> None:
        """Use an assignment that the graph has already.

        Parameters
        ----------
        name
            The variable's name.
        fed, assign
            The tensor that takes the value, and the operation that assigns it.
        """
        self._writers[name] = (fed, assign)

    def write_at_once(self, native: Any, values: dict[str, np.ndarray]) -> None:
        """Give variables their values in one run."""
        ends = [self._writer(name) for name in values]
        feeds = {fed: value for (fed, _), value in zip(ends, values.values(), strict=True)}
        run_once(native, [assign for _, assign in ends], feeds, in_this_thread=True)

    # -- inside ----------------------------------------------------------------

    def _holders(self) -> dict[str, Any]:
        """Return the operations that hold the values, of several for one variable the first."""
        found: dict[tuple[str, str], Any] = {}
        for op in self._graph.get_operations():
            if op.type in VARIABLES and op.get_attr("dtype") not in {tf.resource, tf.variant}:
                container, shared = op.get_attr("container"), op.get_attr("shared_name")
                found.setdefault((container.decode(), shared.decode() or op.name), op)
        return {op.name: op for op in found.values()}

    def _initialised(self, native: Any, names: Sequence[str]) -> list[str]:
        if not names:
            return []
        made = fetch_once(native, [self._probe(name) for name in names])
        return [name for name, done in zip(names, made, strict=True) if bool(done)]

    def _in_portions(self, names: Iterable[str]) -> Iterator[list[str]]:
        portion: list[str] = []
        size = 0
        for name in names:
            op = self._graph.get_operation_by_name(name)
            elements = tf.TensorShape(op.get_attr("shape")).num_elements()
            portion.append(name)
            size += _AT_ONCE_BYTES if elements is None else elements * (op.get_attr("dtype").base_dtype.size or 8)
            if size >= _AT_ONCE_BYTES:
                yield portion
                portion, size = [], 0
        if portion:
            yield portion

    def _reader(self, name: str) -> str:
        return str(self._made(self._readers, name, lambda op: _read(op).name))

    def _probe(self, name: str) -> str:
        return str(self._made(self._probes, name, lambda op: _probe(op).name))

    def _writer(self, name: str) -> tuple[str, str]:
        made: tuple[str, str] = self._made(self._writers, name, _writer)
        return made

    def _made(self, known: dict[str, Any], name: str, make: Any) -> Any:
        with self._making:
            if name not in known:
                holder = self._graph.get_operation_by_name(name)
                with adding_to(self._graph, beside=holder), self._graph.name_scope(f"{SCOPE}/"):
                    known[name] = make(holder)
            return known[name]


class Writer:
    """Takes the values of variables one by one, and writes them in portions.

    Parameters
    ----------
    values
        What writes.
    native
        An open native session of the graph.
    """

    def __init__(self, values: Values, native: Any) -> None:
        self._values, self._native = values, native
        self._waiting: dict[str, np.ndarray] = {}
        self._size = 0

    def put(self, name: str, value: np.ndarray) -> None:
        """Take a value, which must not be used again: it may become the variable's own memory."""
        self._waiting[name] = value
        self._size += value.nbytes
        if self._size >= _AT_ONCE_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is still waiting."""
        waiting, self._waiting, self._size = self._waiting, {}, 0
        if waiting:
            self._values.write_at_once(self._native, waiting)


def _is_resource(op: Any) -> bool:
    return bool(op.type == "VarHandleOp")


def _read(op: Any) -> Any:
    if not _is_resource(op):
        # A copy: later runs write to a reference's memory in place, whoever looks at it.
        return tf.raw_ops.DeepCopy(x=op.outputs[0])
    return tf.raw_ops.ReadVariableOp(resource=op.outputs[0], dtype=op.get_attr("dtype"))


def _probe(op: Any) -> Any:
    if _is_resource(op):
        return tf.raw_ops.VarIsInitializedOp(resource=op.outputs[0])
    return tf.raw_ops.IsVariableInitialized(ref=op.outputs[0])


def _writer(op: Any) -> tuple[str, str]:
    """Return the names of what is fed and of what is run."""
    fed = v1.placeholder(op.get_attr("dtype"), None)
    if _is_resource(op):
        made = tf.raw_ops.AssignVariableOp(resource=op.outputs[0], value=fed)
        return fed.name, made.name
    return fed.name, tf.raw_ops.Assign(ref=op.outputs[0], value=fed, validate_shape=False).op.name


def holds_only_variables(graph: Any, *, beside: Container[str] = ()) -> bool:
    """Return whether its variables are all that a native session of `graph` has to be given.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    beside
        The operations of which it is known that they need not be looked at.
    """
    return not any(_has_to_be_given(op) and op.name not in beside for op in graph.get_operations())


def _has_to_be_given(op: Any) -> bool:
    if op.type in VARIABLES or op.type == "Placeholder" or op.inputs or not op.outputs:
        return False
    if op.outputs[0].dtype.base_dtype != tf.resource and "Table" not in op.type:
        return False
    return not any(kind in op.type for kind in _BEGIN_EMPTY)


def values_of(graph: Any) -> Values:
    """Return what reads and writes the variables of `graph`, made at the first call."""
    made: Values | None = getattr(graph, _ATTRIBUTE, None)
    if made is None:
        with _birth:
            made = getattr(graph, _ATTRIBUTE, None)
            if made is None:
                made = Values(graph)
                setattr(graph, _ATTRIBUTE, made)
    return made


def checksum(value: np.ndarray) -> int:
    """Return a number that tells whether an array has changed."""
    if value.dtype == object:
        return hash((value.shape, tuple(value.flat)))
    return zlib.crc32(np.ascontiguousarray(value).view(np.uint8).reshape(-1).data, hash(value.shape) & 0xFFFFFFFF)


def numbered(values: Iterable[tuple[str, np.ndarray]]) -> dict[str, int]:
    """Return a number for each value, by name, which tells whether it has changed."""
    return {name: checksum(value) for name, value in values}
