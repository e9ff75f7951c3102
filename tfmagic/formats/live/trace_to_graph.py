"""A live object moved into a graph of its own: the same operations, with weights of its own.

A function is traced for each signature, and its graph is imported with a new
variable in the place of each one that it captured. The answers are the same to
the last bit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.execution.backends.copied_values import Taken
from tfmagic.execution.backends.eager import EagerBackend, named_outputs
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.inference import tensor_spec
from tfmagic.execution.signature.signature import Signature
from tfmagic.formats.common.fed_variables import Held, hold
from tfmagic.formats.common.loading import filling, name_the_ends
from tfmagic.formats.live.shapes import with_known_shapes
from tfmagic.runtime.state.variables_io import values_of
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tfmagic.execution.signature.signature import TensorSpec


class TablesError(SourceError):
    """A live object with tables, which are no variables and cannot be moved one by one."""


@dataclass
class _Traced:
    """A signature of a live object as a graph."""

    signature: Signature
    concrete: Any
    outputs: list[str]


def moved(eager: EagerBackend, default: str | None = None) -> tuple[GraphBackend, dict[str, Any], list[str]]:
    """Return the graph mode of a live object that is now called eagerly.

    Parameters
    ----------
    eager
        How it is called.
    default
        The signature that it must have; others that cannot be made a graph, such as
        functions that no data says the shapes of, are left out. All of them if None.

    Returns
    -------
    tuple
        The mode, the object's variables by their new names, and what there is to
        say.

    Raises
    ------
    SourceError
        When a signature cannot be made a graph.
    """
    label, device = eager.room.label, eager.room.device

    def present() -> Iterator[tuple[str, np.ndarray]]:
        for name, variable in holders.moved.items():
            with eager_execution():
                # A copy: what numpy() gives can be the live variable's own memory.
                value = np.array(variable.numpy())
            yield name, value

    taken = Taken(eager, present)
    traced, notes = [], []
    for signature in eager.signatures.values():
        try:
            traced.append(_trace(eager, with_known_shapes(eager, signature)))
        except SourceError as error:
            if default is None or signature.name == default:
                raise
            notes.append(f"without its signature {signature.name!r}: {str(error).removeprefix(f'{label}: ')}")
    taken.note_graph()
    graph = tf.Graph()
    with graph.as_default(), tf.device(device):
        by_prefix = {"" if at == 0 else f"{one.signature.name}/": one for at, one in enumerate(traced)}
        holders = _Holders(label, graph, eager.named_variables(), by_prefix)
        signatures = {one.signature.name: _imported(graph, one, holders, prefix) for prefix, one in by_prefix.items()}
    room = Room(label, graph, device)
    name_the_ends(room, next(iter(signatures.values())))
    fill = filling(room, lambda native: values_of(graph).write(native, taken.values()))
    backend = GraphBackend(room, signatures, fill, present=taken.values)
    backend.taken = taken
    return backend, holders.moved, notes


def _trace(eager: EagerBackend, signature: Signature) -> _Traced:
    label = eager.room.label
    inputs = signature.required
    specs = [tf.TensorSpec(spec.shape, _dtype(label, spec), name=op_name(spec.name)) for spec in inputs]
    names: list[str] = []

    def run(*given: Any) -> list[Any]:
        own = {spec.tensor or spec.name: value for spec, value in zip(inputs, given, strict=True)}
        outputs = named_outputs(eager.invoke(signature.name, own), [spec.tensor for spec in signature.outputs])
        outputs = {name: value for name, value in outputs.items() if value is not None}
        names[:] = list(outputs)
        return list(outputs.values())

    try:
        concrete = _concrete(run, specs)
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


def _reason(error: Exception) -> str:
    """Return the line of a message that says what went wrong; Keras says first where, and last with what."""
    lines = [re.sub(r"\x1b\[[\d;]*m", "", line).strip() for line in str(error).splitlines()]
    where = ("Exception encountered", "in user code:", "File ")
    telling = [line for line in lines if line and not line.startswith(where)]
    return telling[0][:200] if telling else type(error).__name__


def _concrete(run: Any, specs: Sequence[Any]) -> Any:
    try:
        return tf.function(run, autograph=False).get_concrete_function(*specs)
    except tf.errors.OperatorNotAllowedInGraphError as refused:
        # Python that branches on a tensor, in a plain __call__.
        try:
            return tf.function(run, autograph=True).get_concrete_function(*specs)
        except Exception:  # noqa: BLE001 - it tells of generated code, and the first one of what the person wrote
            raise refused from None


def _dtype(label: str, spec: TensorSpec) -> str:
    if spec.dtype is None:
        msg = (
            f"{label}: a copy needs the dtype and shape of input {spec.name!r}, which this object does not tell: "
            "give its function an input_signature, or call the Keras model once"
        )
        raise SourceError(msg)
    return spec.dtype


def op_name(name: str) -> str:
    """Return the nearest to a name that an operation can have."""
    made = re.sub(r"[^A-Za-z0-9_.\-/]", "_", name)
    return made if re.match(r"[A-Za-z0-9.]", made) else f"x{made}"


def _imported(graph: Any, traced: _Traced, holders: _Holders, prefix: str) -> Signature:
    concrete = traced.concrete
    inner, captured = concrete.graph, concrete.captured_inputs
    placeholders = concrete.inputs[: len(concrete.inputs) - len(captured)]
    internal = concrete.inputs[len(placeholders) :]
    held = {mine.name: holders.of(theirs) for mine, theirs in zip(internal, captured, strict=True)}
    # What these are called in the graph is not to be known: a variable may have taken the name.
    wanted = [*placeholders, *concrete.outputs, *inner.control_outputs]
    made = tf.import_graph_def(
        inner.as_graph_def(),
        name=prefix.rstrip("/"),
        input_map=held,
        return_elements=[one.name for one in wanted],
    )
    fed, ends = made[: len(placeholders)], made[len(placeholders) : len(placeholders) + len(concrete.outputs)]
    effects = made[len(placeholders) + len(ends) :]
    if effects:
        # What a function does besides its outputs, such as counting calls, it does at each run.
        with graph.control_dependencies(effects):
            ends = [tf.identity(end) for end in ends]
    starts = dict(zip((spec.name for spec in traced.signature.required), fed, strict=True))
    return drawn(traced.signature, starts, dict(zip(traced.outputs, ends, strict=True)))


def drawn(signature: Signature, starts: Mapping[str, Any], ends: Mapping[str, Any]) -> Signature:
    """Return the signature that an object's own becomes in a graph.

    Parameters
    ----------
    signature
        The object's.
    starts
        Placeholders by input name.
    ends
        Tensors by what the object calls its outputs.
    """
    known = {spec.tensor: spec.name for spec in signature.outputs}
    return Signature(
        signature.name,
        tuple(tensor_spec(name, tensor) for name, tensor in starts.items()),
        tuple(tensor_spec(known.get(own, own), tensor) for own, tensor in ends.items()),
    )


class _Holders:
    """New variables in a graph, one for each live variable that was captured.

    Parameters
    ----------
    label
        The model's name.
    graph
        The default graph.
    named
        The object's variables by name.
    traced
        The functions that captured them, with what the names of their operations
        will begin with in the graph.

    Attributes
    ----------
    moved : dict
        The live variables by the name of the new one.
    """

    def __init__(self, label: str, graph: Any, named: dict[str, Any], traced: Mapping[str, _Traced]) -> None:
        self._label, self._graph = label, graph
        known = {id(one.handle): (name, one) for name, one in named.items() if hasattr(one, "handle")}
        found: dict[int, tuple[str, Any, Any]] = {}
        for one in traced.values():
            captured = {id(tensor) for tensor in one.concrete.captured_inputs}
            for live in one.concrete.graph.variables:
                if id(live.handle) in captured:
                    name, theirs = known.get(id(live.handle), (live.name.split(":")[0], live))
                    found[id(live.handle)] = (name, theirs, live)
        # The names that the imported operations are to keep.
        taken = {f"{prefix}{op.name}" for prefix, one in traced.items() for op in one.concrete.graph.get_operations()}
        held = []
        for name, theirs, live in found.values():
            own = _free(op_name(name), taken)
            taken.add(own)
            # A layer of Keras's can have been frozen since its variable was made.
            held.append(Held(own, live.dtype, live.shape, theirs.trainable))
        made = hold(graph, held)
        self._constant = _free("captured", taken)
        self.moved = {one.name: live for one, (_, _, live) in zip(held, found.values(), strict=True)}
        self._taken: dict[int, Any] = dict(zip(found, (one.handle for one in made), strict=True))

    def of(self, captured: Any) -> Any:
        """Return what stands in the graph for a value that a function has captured."""
        if id(captured) not in self._taken:
            if captured.dtype in {tf.resource, tf.variant}:
                msg = f"{self._label} has tables or other state that is no variable, which cannot be copied"
                raise TablesError(msg)
            self._taken[id(captured)] = tf.constant(captured.numpy(), name=self._constant)
        return self._taken[id(captured)]


def _free(name: str, taken: Collection[str]) -> str:
    number, one = 0, name
    while one in taken:
        number += 1
        one = f"{name}_{number}"
    return one
