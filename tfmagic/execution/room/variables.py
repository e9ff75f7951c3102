"""The variables of a graph: which are new, how to initialise them, and their size."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import tensorflow as tf

from tfmagic.concurrency.long_waits import said_if_long
from tfmagic.graphdef.op_types import VARIABLES
from tfmagic.runtime.graph.operations import adding_to, constants_of
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.tensorflow.native_errors import essence
from tfmagic.runtime.tensorflow.private import run_once
from tfmagic.runtime.tracing.step_stats import short_device

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

v1 = tf.compat.v1

_COLLECTIONS = (v1.GraphKeys.GLOBAL_VARIABLES, v1.GraphKeys.LOCAL_VARIABLES, v1.GraphKeys.METRIC_VARIABLES)


class VariableRecord(TypedDict):
    """One variable; ``device`` is where it was asked to be. None stands for what is not fixed, or was not asked for."""

    name: str
    dtype: str
    shape: list[int | None] | None
    size_bytes: int | None
    device: str | None


@dataclass(frozen=True)
class Weights:
    """The size of variables, the largest first, and constants; None where a variable's shape is not fixed."""

    variables: int
    variables_bytes: int | None
    constants_bytes: int
    by_variable: tuple[VariableRecord, ...] = ()

    @property
    def total_bytes(self) -> int | None:
        """Variables and constants together; None where a shape is not fixed."""
        return None if self.variables_bytes is None else self.variables_bytes + self.constants_bytes

    @property
    def known_bytes(self) -> int:
        """The part of the total that is known."""
        return (self.variables_bytes or 0) + self.constants_bytes

    def bytes_on(self, device: str) -> int:
        """Return the known bytes on a device (``CPU:0``); ``""`` is for what asked for no device, and for constants."""
        sizes = (record["size_bytes"] or 0 for record in self.by_variable if (record["device"] or "") == device)
        return sum(sizes) + (0 if device else self.constants_bytes)

    @property
    def devices(self) -> set[str]:
        """The devices that were asked for, with ``""`` for none."""
        return {record["device"] or "" for record in self.by_variable} | {""}


def variables_of(graph: Any) -> list[Any]:
    """Return the variables that code has made in `graph`, each once."""
    # A file's collection, or code, may have anything in it.
    variables = (
        variable
        for collection in _COLLECTIONS
        for variable in graph.get_collection(collection)
        if isinstance(variable, tf.Variable) or (hasattr(variable, "initializer") and hasattr(variable, "op"))
    )
    return list({id(variable): variable for variable in variables}.values())


def table_initialisers_of(graph: Any) -> list[Any]:
    """Return the operations that fill the tables of `graph`."""
    collected = graph.get_collection(v1.GraphKeys.TABLE_INITIALIZERS)
    operations = (one.op if isinstance(one, tf.Tensor) else one for one in collected)
    return [op for op in operations if isinstance(op, tf.Operation) and op.graph is graph]


def bytes_of(shape: Any, dtype: Any) -> int | None:
    """Return the size of a tensor in bytes, None where its shape is not fixed."""
    elements = tf.TensorShape(shape).num_elements()
    size = tf.as_dtype(dtype).base_dtype.size
    return None if elements is None or not size else elements * int(size)


def weights_of(graph: Any) -> Weights:
    """Return the size of a graph's variables and constants; text has no fixed size and counts for nothing."""
    # Handles are counted, not collections: a graph from a file may have variables in no collection.
    records = [
        variable_record(op.name, op.get_attr("dtype"), op.get_attr("shape"), op.device)
        for op in graph.get_operations()
        if op.type in VARIABLES
    ]
    return weighed(records, constants_of(graph.get_operations()))


def variable_record(name: str, dtype: Any, shape: Any, device: str) -> VariableRecord:
    """Return a variable as plain data."""
    shape = tf.TensorShape(shape)
    return {
        "name": name,
        "dtype": tf.as_dtype(dtype).base_dtype.name,
        "shape": None if shape.rank is None else shape.as_list(),
        "size_bytes": bytes_of(shape, dtype),
        "device": short_device(device) or None,
    }


def weighed(records: Iterable[VariableRecord], constants_bytes: int = 0) -> Weights:
    """Return the size of variables together."""
    ordered = sorted(records, key=lambda record: -(record["size_bytes"] or 0))
    sizes = [record["size_bytes"] for record in ordered if record["dtype"] != "string"]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    return Weights(len(ordered), total, constants_bytes, tuple(ordered))


class Initialiser:
    """Initialises what is added to a graph, never what has a value; ``failed`` has what it could not, and why.

    ``initialised`` has the names of the variables that have got their initial values here since the graph was opened.
    """

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._seen: set[int] = set()
        self._kept: list[Any] = []
        self._version = -1
        self._initialising = threading.RLock()
        self.failed: dict[str, str] = {}
        self.initialised: set[str] = set()
        self._probes: dict[str, str] = {}
        # Table initialisers, by name, that the model's outputs do without.
        self.unneeded: frozenset[str] = frozenset()

    def forget(self) -> None:
        """Look at every variable again: the native session is a new one."""
        self._seen.clear()
        self._kept.clear()
        self._version = -1
        self.failed.clear()
        self.initialised.clear()

    def skip(self, present: Iterable[Any]) -> None:
        """Count variables or tables as initialised."""
        for variable in present:
            self._seen.add(id(variable))
            # Kept, so that no other object gets the same id.
            self._kept.append(variable)

    def __call__(self, native: Any) -> None:
        """Initialise new variables and tables in `native`."""
        # Called before every run: a graph that has not grown has nothing new.
        if self._graph.version == self._version:
            return
        # One thread at a time: a variable that another has just initialised may be trained by now.
        with self._initialising:
            new = [variable for variable in variables_of(self._graph) if id(variable) not in self._seen]
            tables = [op for op in table_initialisers_of(self._graph) if id(op) not in self._seen]
            with self._graph.as_default():
                self._initialise(native, new)
                for op in tables:
                    self._fill(native, op.name)
            self.skip([*new, *tables])
            self._version = self._graph.version

    def _fill(self, native: Any, name: str) -> None:
        try:
            with self._said_if_long(name):
                run_once(native, [name], {})
        except tf.errors.OpError as error:
            if name not in self.unneeded:
                raise
            self.failed[name] = essence(error)

    def _initialise(self, native: Any, variables: list[Any]) -> None:
        if not variables:
            return
        initialised = native.run([self._probe(variable) for variable in variables])
        waiting = [variable for variable, done in zip(variables, initialised, strict=True) if not done]
        self.initialised.update(str(variable.op.name) for variable in waiting)
        # An initial value may read another variable: all together if that works, else one by one
        # for as long as some succeed.
        try:
            if waiting:
                with self._said_if_long(waiting[0].initializer.name):
                    run_once(native, [variable.initializer.name for variable in waiting], {})
        except tf.errors.OpError:
            while waiting:
                failed_again = [variable for variable in waiting if not self._initialise_one(native, variable)]
                if len(failed_again) == len(waiting):
                    break
                waiting = failed_again

    def _said_if_long(self, operation: str) -> AbstractContextManager[None]:
        return said_if_long(hosted(self._graph).name, f"the initialiser {operation!r}")

    def _probe(self, variable: Any) -> str:
        """Return the name of the operation that tells whether a variable has a value; it is made once."""
        name = str(variable.op.name)
        if name not in self._probes:
            with adding_to(self._graph):
                self._probes[name] = str(v1.is_variable_initialized(variable).name)
        return self._probes[name]

    def _initialise_one(self, native: Any, variable: Any) -> bool:
        try:
            with self._said_if_long(variable.initializer.name):
                run_once(native, [variable.initializer.name], {})
        except tf.errors.OpError as error:
            self.failed[variable.op.name] = essence(error)
            return False
        self.failed.pop(variable.op.name, None)
        return True
