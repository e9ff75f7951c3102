"""Traces a live object into a separate graph with its own variables.

A function is traced for each signature, and its graph is imported with a new variable for each one that it captured.
The results are the same to the last bit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.execution.backends.copied_values import CopiedValues
from tfmagic.execution.backends.eager import EagerBackend, named_outputs
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import tensor_spec
from tfmagic.execution.signature.signature import Signature
from tfmagic.formats.common.fed_variables import FedVariable, add_fed_variables
from tfmagic.formats.common.loading import bind_signature_names, filling_all
from tfmagic.formats.live.shapes import with_known_shapes
from tfmagic.graphdef.walk import free_name
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tfmagic.execution.signature.signature import TensorSpec


class TablesError(SourceError):
    """A live object with tables, which cannot be copied one by one as variables can."""


@dataclass
class _Traced:
    """A signature of a live object as a graph."""

    signature: Signature
    concrete: Any
    outputs: list[str]


def trace_to_graph(eager: EagerBackend, default: str | None = None) -> tuple[GraphBackend, dict[str, Any], list[str]]:
    """Return a live object's graph backend, its variables by their graph names, and notes on signatures left out."""
    # Without a default, all signatures must be traced.
    label, device = eager.room.label, eager.room.device

    def present() -> Iterator[tuple[str, np.ndarray]]:
        for name, variable in variables.live.items():
            with eager_execution():
                # A copy: what numpy() gives can be the live variable's own memory.
                value = np.array(variable.numpy())
            yield name, value

    copied_values = CopiedValues(eager.live, eager.named_variables, present)
    traced, notes = [], []
    for signature in eager.signatures.values():
        try:
            traced.append(_trace(eager, with_known_shapes(eager, signature)))
        except SourceError as error:
            if default is None or signature.name == default:
                raise
            notes.append(f"without its signature {signature.name!r}: {str(error).removeprefix(f'{label}: ')}")
    copied_values.note_traced()
    graph = tf.Graph()
    with graph.as_default(), tf.device(device):
        by_prefix = {"" if at == 0 else f"{function.signature.name}/": function for at, function in enumerate(traced)}
        variables = _CopiedVariables(label, graph, eager.named_variables(), by_prefix)
        imported = [_imported(graph, function, variables, prefix) for prefix, function in by_prefix.items()]
        signatures = {signature.name: signature for signature in imported}
    room = Room(label, graph, device)
    bind_signature_names(room, imported[0])
    fill = filling_all(room, lambda native: values_of(graph).write(native, copied_values.values()))
    backend = GraphBackend(room, signatures, fill)
    backend.live_values, backend.copied_values = copied_values.values, copied_values
    return backend, variables.live, notes


def _trace(eager: EagerBackend, signature: Signature) -> _Traced:
    label = eager.room.label
    inputs = signature.required
    specs = [tf.TensorSpec(spec.shape, _dtype(label, spec), name=op_name(spec.name)) for spec in inputs]
    names: list[str] = []

    def run(*given: Any) -> list[Any]:
        outputs = outputs_of_call(eager, signature, given)
        names[:] = list(outputs)
        return list(outputs.values())

    try:
        concrete = concrete_function(run, specs)
    except SourceError:
        raise
    except Exception as error:
        msg = (
            f"{label}: signature {signature.name!r} cannot be made a graph ({_reason(error)}): it runs only as a live "
            "object, added without --copy (keras.models.load_model gives the object of a Keras file)"
        )
        raise SourceError(msg) from error
    if len(concrete.outputs) != len(names):
        msg = (
            f"{label}: signature {signature.name!r} gives sparse or ragged tensors, which only a live object can, "
            "added without --copy (keras.models.load_model gives the object of a Keras file)"
        )
        raise SourceError(msg)
    return _Traced(signature, concrete, names)


def outputs_of_call(eager: EagerBackend, signature: Signature, values: Sequence[Any]) -> dict[str, Any]:
    """Call a live object with tensors in the order of the required inputs; return outputs by its own names."""
    given = {spec.tensor or spec.name: value for spec, value in zip(signature.required, values, strict=True)}
    outputs = named_outputs(eager.call_object(signature.name, given), [spec.tensor for spec in signature.outputs])
    return {name: value for name, value in outputs.items() if value is not None}


def _reason(error: Exception) -> str:
    """Return the line of a message that says what went wrong, after the lines that say where."""
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line).strip() for line in str(error).splitlines()]
    where = ("Exception encountered", "in user code:", "File ")
    telling = [line for line in lines if line and not line.startswith(where)]
    return telling[0][:200] if telling else type(error).__name__


def concrete_function(run: Any, specs: Sequence[Any]) -> Any:
    """Trace a function; with autograph only where its Python branches on a tensor."""
    try:
        return tf.function(run, autograph=False).get_concrete_function(*specs)
    except tf.errors.OperatorNotAllowedInGraphError as refused:
        try:
            return tf.function(run, autograph=True).get_concrete_function(*specs)
        except Exception:  # noqa: BLE001 - it is about generated code, and the first error about the person's own
            raise refused from None


def _dtype(label: str, spec: TensorSpec) -> str:
    if spec.dtype is None:
        msg = (
            f"{label}: a copy needs the dtype and shape of input {spec.name!r}, as one dense tensor: give its function "
            "an input_signature of tf.TensorSpec, or call the Keras model once (sparse, ragged and nested inputs work "
            "without --copy)"
        )
        raise SourceError(msg)
    return spec.dtype


def op_name(name: str) -> str:
    """Return the nearest valid name of an operation."""
    elements = re.sub(r"[^A-Za-z0-9_.\-/]", "_", name)
    return elements if re.match(r"[A-Za-z0-9.]", elements) else f"x{elements}"


def _imported(graph: Any, traced: _Traced, variables: _CopiedVariables, prefix: str) -> Signature:
    concrete = traced.concrete
    inner, captured = concrete.graph, concrete.captured_inputs
    count = len(concrete.inputs) - len(captured)
    placeholders, internal = concrete.inputs[:count], concrete.inputs[count:]
    input_map = {inner_tensor.name: variables.of(value) for inner_tensor, value in zip(internal, captured, strict=True)}
    # Their names in the graph are not known: a variable may have the name.
    wanted = [*placeholders, *concrete.outputs, *inner.control_outputs]
    elements = tf.import_graph_def(
        inner.as_graph_def(),
        name=prefix.rstrip("/"),
        input_map=input_map,
        return_elements=[tensor.name for tensor in wanted],
    )
    fed, outputs = elements[:count], elements[count : count + len(concrete.outputs)]
    effects = elements[count + len(outputs) :]
    if effects:
        # Side effects, such as counting calls, happen at each run.
        with graph.control_dependencies(effects):
            outputs = [tf.identity(tensor) for tensor in outputs]
    inputs = dict(zip((spec.name for spec in traced.signature.required), fed, strict=True))
    return signature_in_graph(traced.signature, inputs, dict(zip(traced.outputs, outputs, strict=True)))


def signature_in_graph(signature: Signature, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Signature:
    """Return an object's signature in a graph, for its tensors by input name, and by the object's output names."""
    known = {spec.tensor: spec.name for spec in signature.outputs}
    return Signature(
        signature.name,
        tuple(tensor_spec(name, tensor) for name, tensor in inputs.items()),
        tuple(tensor_spec(known.get(own, own), tensor) for own, tensor in outputs.items()),
    )


class _CopiedVariables:
    """New variables in the default graph for the live ones that traced functions captured, in ``live`` by name."""

    def __init__(self, label: str, graph: Any, named: dict[str, Any], traced: Mapping[str, _Traced]) -> None:
        self._label = label
        # `traced` has the functions by the prefix that their operations get in the graph.
        known = {
            id(variable.handle): (name, variable) for name, variable in named.items() if hasattr(variable, "handle")
        }
        captured: dict[int, tuple[str, Any, Any]] = {}
        for function in traced.values():
            handles = {id(tensor) for tensor in function.concrete.captured_inputs}
            for live in function.concrete.graph.variables:
                handle = id(live.handle)
                if handle in handles:
                    captured[handle] = (*known.get(handle, (live.name.split(":")[0], live)), live)
        # The imported operations keep these names.
        graphs = [(prefix, function.concrete.graph) for prefix, function in traced.items()]
        names = {f"{prefix}{op.name}" for prefix, inner in graphs for op in inner.get_operations()}
        variables = []
        for name, own, live in captured.values():
            variables.append(FedVariable(free_name(op_name(name), names), live.dtype, live.shape, own.trainable))
            names.add(variables[-1].name)
        handles_in_graph = [variable.handle for variable in add_fed_variables(graph, variables)]
        self._constant = free_name("captured", names)
        self.live = {new.name: live for new, (_, _, live) in zip(variables, captured.values(), strict=True)}
        self._in_graph: dict[int, Any] = dict(zip(captured, handles_in_graph, strict=True))

    def of(self, captured: Any) -> Any:
        """Return the graph's tensor for a value that a function has captured."""
        if id(captured) not in self._in_graph:
            if captured.dtype in {tf.resource, tf.variant}:
                msg = f"{self._label} has tables or other state that is no variable, which cannot be copied"
                raise TablesError(msg)
            self._in_graph[id(captured)] = tf.constant(captured.numpy(), name=self._constant)
        return self._in_graph[id(captured)]
