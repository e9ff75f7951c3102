"""A signature of a graph as a frozen ``.pb``: variables become constants, named like the signature."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError, SourceError
from tfmagic.execution.room.variables import bytes_of
from tfmagic.formats.common.loading import fill_and_initialise
from tfmagic.formats.common.written import LARGEST_BYTES, Writer, Written, check_size, counted, definition_to_write
from tfmagic.formats.frozen.read import read_graph
from tfmagic.formats.frozen.rename_tensors import SignatureRenaming
from tfmagic.formats.frozen.thawing import merge_thawed, thawed_in
from tfmagic.formats.live.shapes import require_known, with_known_shapes
from tfmagic.formats.live.trace_to_graph import TablesError, trace_to_graph
from tfmagic.graphdef.drop_writes import drop_writes
from tfmagic.graphdef.freeze_variables import VariableFreezer
from tfmagic.graphdef.prune import keep_only, variable_nodes
from tfmagic.graphdef.walk import bodies
from tfmagic.runtime.state.variables_io import checksum, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.backends.graph import GraphBackend
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.written import ModelToWrite

v1 = tf.compat.v1

_INSTEAD = "save it as a folder instead"
# Operations that hold state other than numbers.
_HOLDS = re.compile(r".*(HashTable|Queue|Iterator|StackV2|Barrier|Reader(V2)?$|Lookup.*Handle)")


class FrozenFile(Writer):
    """Writes the default signature as a frozen graph; a live object is traced to a graph first."""

    def __init__(self, model: ModelToWrite) -> None:
        self._is_traced = model.backend.graph is None
        self._backend: Any = model.backend
        if self._is_traced:
            self._backend = _traced(self._backend, model.signature)
        self._signature = self._backend.signatures[model.signature]
        self._label = self._backend.room.label
        self._ends = SignatureRenaming(self._label, self._backend.graph, self._signature)
        self._constants: dict[str, str] = {}

    def __call__(self, file: Path) -> Written:
        """Write the file."""
        try:
            return self._write(file)
        except RecursionError:
            # Nested functions are followed by nested Python calls, which have a limit.
            msg = f"{self._label}: its functions are nested too deep for a frozen graph: {_INSTEAD}"
            raise SaveError(msg) from None
        finally:
            if self._is_traced:
                self._backend.close()

    def _write(self, file: Path) -> Written:
        definition = definition_to_write(self._backend, [self._signature])
        total = len(variable_nodes(definition))
        self._ends.detach_inputs(definition)
        keep_only(definition, self._ends.outputs)
        dropped = drop_writes(self._label, definition, self._ends.outputs)
        keep_only(definition, self._ends.outputs)
        _refuse_state(self._label, definition)
        names = variable_nodes(definition)
        nodes = [self._backend.graph.get_operation_by_name(name) for name in names]
        size = sum(bytes_of(op.get_attr("shape"), op.get_attr("dtype")) or 0 for op in nodes)
        if size > LARGEST_BYTES:
            weights = f"{self._label} has {size / 1e9:.1f} GB of weights"
            msg = f"{weights}, and a .pb cannot hold more than 2 GB: {_INSTEAD}"
            raise SaveError(msg)
        constants = VariableFreezer(self._label, definition)
        thawed = thawed_in(definition)
        constants.convert()
        merge_thawed(definition, thawed)
        keep_only(definition, self._ends.outputs)
        new_names = self._ends.attach(definition)
        _check_it_imports(self._label, definition)
        constant = {name: thawed.get(name, name) for name in names}
        self._constants = {name: new_names.get(old, old) for name, old in constant.items()}
        checksums: dict[str, int] = {}

        def values() -> Iterator[tuple[str, np.ndarray]]:
            # A live object's values come from the object: a session would hold them a second time.
            present = None if self._backend.live_values is None or not self._is_traced else self._backend.live_values()
            for name, value in self._backend.values(names) if present is None else present:
                if name in self._constants:
                    checksums[name] = checksum(value)
                    yield self._constants[name], value

        constants.insert(values())
        missing = next((name for name in names if name not in checksums), None)
        if missing is not None:
            msg = f"{self._label} cannot be frozen: its variable {missing!r} has no value yet"
            raise SaveError(msg)
        check_size(self._label, definition)
        file.write_bytes(definition.SerializeToString())
        unused = total - len(checksums)
        notes = [f"without {counted(unused)} that its outputs do not need"] if unused else []
        if dropped:
            notes.append(f"without what it writes to {counted(len(dropped))} when it runs")
        return Written(_as_named(self._signature), len(checksums), 0, checksums, tuple(notes))

    def refill_from(self, file: Path) -> None:
        """Fill the model's later native sessions from the file that it was written to."""
        if not self._is_traced:
            self._backend.set_fill(_fill_from(file, self._backend.room, self._constants))


def _fill_from(file: Path, room: Room, constants: Mapping[str, str]) -> Callable[[Any], None]:
    """Return a fill from the ``.pb`` that was written of a graph; `constants` has the constant of each variable."""
    slim = read_graph(room.label, file)
    variables = {constant: variable for variable, constant in constants.items()}
    nodes = [(index, node) for index, node in enumerate(slim.definition.node) if node.name in variables]
    large = {index: variables[node.name] for index, node in nodes if index in slim.removed_bytes}
    small = {
        variables[node.name]: tf.make_ndarray(node.attr["value"].tensor) for index, node in nodes if index not in large
    }
    slim.release_definition()

    def values() -> Iterator[tuple[str, np.ndarray]]:
        for name, value in small.items():
            yield name, value.copy()
        for index, value in slim.values(large):
            yield large[index], value

    def fill(native: Any) -> None:
        values_of(room.graph).write(native, values())

    # Variables that no output needs are not in the file: they get their initial values.
    return fill_and_initialise(room, fill)


def _traced(backend: Any, name: str) -> GraphBackend:
    """Return a live object's signature as a graph with the present weights."""
    label = backend.room.label
    signature = with_known_shapes(backend, backend.signatures[name])
    require_known(label, signature)
    single = copy(backend)
    single.signatures = {name: signature}
    try:
        return trace_to_graph(single)[0]
    except TablesError as error:
        msg = f"{label} has tables or other state that is no variable, which a .pb cannot hold: {_INSTEAD}"
        raise SaveError(msg) from error
    except SourceError as error:
        msg = f"{label} cannot be frozen: {error}"
        raise SaveError(msg) from error


def _as_named(signature: Signature) -> Signature:
    """Return the signature with the tensor names of the file."""
    inputs, outputs = (
        tuple(replace(spec, tensor=f"{spec.name}:0") for spec in side) for side in (signature.inputs, signature.outputs)
    )
    return replace(signature, inputs=inputs, outputs=outputs)


def _refuse_state(label: str, definition: Any) -> None:
    for depth, nodes in enumerate(bodies(definition)):
        for node in nodes:
            if _HOLDS.match(node.op) or (depth and node.op == "VarHandleOp"):
                msg = f"{label} has a table or other state ({node.op}), which a .pb cannot hold: {_INSTEAD}"
                raise SaveError(msg)


def _check_it_imports(label: str, definition: Any) -> None:
    """Refuse a graph in which an operation needs a variable where there is a constant now."""
    try:
        with tf.Graph().as_default():
            tf.import_graph_def(definition, name="")
    except (ValueError, tf.errors.OpError) as error:
        reason = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        msg = f"{label} cannot be frozen, an operation needs a variable itself ({reason[-1][:200]}): {_INSTEAD}"
        raise SaveError(msg) from error
