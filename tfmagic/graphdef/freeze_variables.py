"""A graph's variables made constants, wherever it hands them on: to branches, loops and functions.

TensorFlow's own ``convert_variables_to_constants`` leaves a gather inside of a
function as it is, and all references of TF1's loops; the graph then fails when it
is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.graphdef.functions import CALLS, LOOPS, PASSES_ON, arguments_of, called_by, names_called, number_of

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    import numpy as np

_RESOURCE = tf.resource.as_datatype_enum
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}


@dataclass(frozen=True)
class _Kind:
    """What a variable's handle stands for."""

    dtype: int
    shape: bytes


class Constants:
    """Makes the variables of a graph constants.

    Parameters
    ----------
    label
        The model's name, for messages.
    definition
        The graph, which is changed. Its only resources are variables of its own,
        not of its functions'.
    only
        The variables to make constants; all if None.
    suffix
        What the names of functions end in that take values.
    """

    def __init__(
        self,
        label: str,
        definition: Any,
        *,
        only: Container[str] | None = None,
        suffix: str = "of_constants",
    ) -> None:
        self._label = label
        self._definition = definition
        self._only = only
        self._suffix = suffix
        self.functions = {one.signature.name: one for one in definition.library.function}
        self._made: dict[tuple[str, tuple[_Kind | None, ...]], str] = {}
        self._given: dict[tuple[str, tuple[_Kind | None, ...]], list[_Kind | None]] = {}

    def make_room(self) -> None:
        """Have every operation take values, for which placeholders stand where the variables were.

        Raises
        ------
        SaveError
            Where an operation does something with a variable that it cannot do
            with a constant.
        """
        _Body(self, self._definition.node, {}, inside=False).convert()
        for node in self._definition.node:
            if node.op in _VARIABLES and self.holds(node.name):
                dtype, shape = node.attr["dtype"].type, node.attr["shape"].shape.SerializeToString()
                _become(node, "Placeholder", dtype=dtype)
                node.attr["shape"].shape.ParseFromString(shape)
            elif node.op.startswith("Ref") and node.op.removeprefix("Ref") in PASSES_ON:
                # TF1's variables were handed on by reference.
                node.op = node.op.removeprefix("Ref")

    def put(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Put the values in their places, consumed one by one."""
        nodes = {node.name: node for node in self._definition.node}
        for name, value in values:
            dtype = nodes[name].attr["dtype"].type
            _become(nodes[name], "Const", dtype=dtype)
            nodes[name].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))

    def holds(self, name: str) -> bool:
        """Return whether a variable becomes a constant."""
        return self._only is None or name in self._only

    def outputs_of(self, name: str, kinds: Sequence[_Kind | None]) -> list[_Kind | None]:
        """Return which outputs of a function are variables, for arguments of these kinds."""
        key = (name, tuple(kinds))
        if key not in self._given:
            function = self.functions[name]
            body = self._body_of(function, kinds)
            self._given[key] = [body.kind(function.ret[output.name]) for output in function.signature.output_arg]
        return self._given[key]

    def converted(self, name: str, kinds: Sequence[_Kind | None]) -> str:
        """Return the name of a function that takes values where this one takes variables."""
        key = (name, tuple(kinds))
        if key not in self._made:
            number = sum(1 for known, _ in self._made if known == name)
            self._made[key] = f"{name}_{self._suffix}" + (f"_{number}" if number else "")
            outputs = self.outputs_of(name, kinds)
            function = self._definition.library.function.add()
            function.CopyFrom(self.functions[name])
            function.signature.name = self._made[key]
            self._body_of(function, kinds).convert()
            _retype(function, kinds, outputs)
        return self._made[key]

    def _body_of(self, function: Any, kinds: Sequence[_Kind | None]) -> _Body:
        arguments = [argument.name for argument in function.signature.input_arg]
        body = _Body(self, function.node_def, dict(zip(arguments, kinds, strict=True)), inside=True)
        body.returns = function.ret
        return body

    def refuse(self, node: Any) -> SaveError:
        """Return the error for an operation that needs a variable itself."""
        return SaveError(
            f"{self._label} cannot be frozen: its operation {node.name!r} ({node.op}) needs a variable, and a .pb has "
            "constants alone: save it as a folder instead"
        )


class _Body:
    """The operations of a graph, or of a function, that may take variables.

    Parameters
    ----------
    constants
        What knows the functions.
    nodes
        The operations.
    arguments
        For a function the kinds of its arguments.
    inside
        Whether this is a function, in which edges have another form.
    """

    def __init__(
        self, constants: Constants, nodes: Any, arguments: Mapping[str, _Kind | None], *, inside: bool
    ) -> None:
        self._constants = constants
        self._container = nodes
        self._nodes = {node.name: node for node in nodes}
        self._arguments = arguments
        self._inside = inside
        self._known: dict[str, _Kind | None] = {}
        self.returns: Any = {}

    def kind(self, edge: str) -> _Kind | None:
        """Return what variable an input is the handle of, None for one that is none."""
        name, _, output = edge.partition(":")
        if not output and name in self._arguments:
            return self._arguments[name]
        key = f"{name}:{output}"
        if key not in self._known:
            # A loop comes back here: what it begins with decides.
            self._known[key] = None
            self._known[key] = self._find(self._nodes[name], output)
        return self._known[key]

    def _find(self, node: Any, output: str) -> _Kind | None:
        if node.op == "VarHandleOp":
            kind = _Kind(node.attr["dtype"].type, node.attr["shape"].shape.SerializeToString())
            return kind if self._constants.holds(node.name) else None
        if node.op in PASSES_ON:
            of_value = node.op != "Merge" or output in {"", "0", "output:0"}
            return self.kind(node.input[0]) if node.attr["T"].type == _RESOURCE and of_value else None
        if node.op in LOOPS:
            return self.kind(node.input[number_of(output)]) if self._takes_variables(node) else None
        names = names_called(node, self._constants.functions)
        if not names or not self._takes_variables(node):
            return None
        outputs = self._constants.outputs_of(names[0], [self.kind(edge) for edge in arguments_of(node)])
        if node.op in CALLS:
            return outputs[number_of(output)]
        results = [one.name for one in self._constants.functions[names[0]].signature.output_arg]
        return outputs[results.index(output.partition(":")[0]) if self._inside else number_of(output)]

    def _kinds(self, node: Any) -> list[_Kind | None]:
        return [self.kind(edge) for edge in node.input if not edge.startswith("^")]

    def _takes_variables(self, node: Any) -> bool:
        return any(kind is not None for kind in self._kinds(node))

    def convert(self) -> None:
        """Have every operation that takes a variable take its value."""
        kinds = {name: self._kinds(node) for name, node in self._nodes.items()}
        outputs = {
            name: [self.kind(f"{name}:{self._way(at)}") for at in range(len(node.attr["Tout"].list.type))]
            for name, node in self._nodes.items()
            if node.op in CALLS and node.op not in LOOPS and any(kinds[name])
        }
        reads = set()
        for name, node in self._nodes.items():
            if any(kinds[name]):
                if node.op == "ReadVariableOp":
                    reads.add(name)
                self._convert(node, kinds[name], outputs.get(name, []))
        if self._inside:
            self._rename_outputs(reads)

    def _way(self, output: int) -> str:
        return f"output:{output}" if self._inside else str(output)

    def _convert(self, node: Any, kinds: list[_Kind | None], outputs: list[_Kind | None]) -> None:
        first = kinds[0]
        _forget(node.attr, "_output_shapes")
        if node.op in CALLS:
            self._convert_call(node, kinds, outputs)
        elif node.op in self._constants.functions:
            node.op = self._constants.converted(node.op, kinds)
        elif first is not None and node.op in PASSES_ON:
            node.attr["T"].type = first.dtype
        elif first is not None and node.op == "ReadVariableOp":
            _become(node, "Identity", T=first.dtype)
        elif first is not None and node.op == "VariableShape":
            _become(node, "Shape", T=first.dtype, out_type=node.attr["out_type"].type or tf.int32.as_datatype_enum)
        elif first is not None and node.op == "ResourceGatherNd":
            _become(node, "GatherNd", Tparams=first.dtype, Tindices=node.attr["Tindices"].type)
        elif first is not None and node.op == "ResourceGather":
            self._convert_gather(node, first)
        else:
            raise self._constants.refuse(node)

    def _convert_gather(self, node: Any, kind: _Kind) -> None:
        axis = node.attr["batch_dims"].i
        indices = node.attr["Tindices"].type
        _become(node, "GatherV2", Tparams=kind.dtype, Tindices=indices, Taxis=tf.int32.as_datatype_enum)
        node.attr["batch_dims"].i = axis
        controls = list(node.input[2:])
        del node.input[2:]
        made = self._container.add(name=_free(f"{node.name}/axis", self._nodes), op="Const")
        made.attr["dtype"].type = tf.int32.as_datatype_enum
        made.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(axis, tf.int32, []))
        node.input.extend([f"{made.name}:output:0" if self._inside else made.name, *controls])

    def _convert_call(self, node: Any, kinds: list[_Kind | None], outputs: list[_Kind | None]) -> None:
        first, types, _ = CALLS[node.op]
        given = kinds[first:]
        for at, kind in enumerate(given):
            if kind is not None:
                node.attr[types].list.type[at] = kind.dtype
                if node.op in LOOPS and node.attr["output_shapes"].list.shape:
                    node.attr["output_shapes"].list.shape[at].ParseFromString(kind.shape)
        for at, kind in enumerate(outputs):
            if kind is not None:
                node.attr["Tout"].list.type[at] = kind.dtype
        if any(outputs):
            _forget(node.attr, "output_shapes")
        for function in called_by(node, self._constants.functions):
            function.name = self._constants.converted(function.name, given)

    def _rename_outputs(self, reads: set[str]) -> None:
        """Have what takes the value of a read take the output of what stands in its place."""
        for node in self._nodes.values():
            for index, edge in enumerate(node.input):
                node.input[index] = _renamed(edge, reads)
        for name, edge in list(self.returns.items()):
            self.returns[name] = _renamed(edge, reads)


def _renamed(edge: str, reads: set[str]) -> str:
    name, _, output = edge.partition(":")
    return f"{name}:output:0" if name in reads and output == "value:0" else edge


def _become(node: Any, op: str, **types: int) -> None:
    node.op = op
    node.attr.clear()
    for name, dtype in types.items():
        node.attr[name].type = dtype


def _retype(function: Any, kinds: Sequence[_Kind | None], outputs: Sequence[_Kind | None]) -> None:
    for arguments, some in ((function.signature.input_arg, kinds), (function.signature.output_arg, outputs)):
        for argument, kind in zip(arguments, some, strict=True):
            if kind is not None:
                argument.type = kind.dtype
    for at, kind in enumerate(kinds):
        if kind is not None and at in function.arg_attr:
            _forget(function.arg_attr[at].attr, "_output_shapes")
    _forget(function.attr, "_input_shapes")


def _forget(attributes: Any, name: str) -> None:
    if name in attributes:
        del attributes[name]


def _free(name: str, taken: Mapping[str, Any]) -> str:
    number, made = 0, name
    while made in taken:
        number += 1
        made = f"{name}_{number}"
    return made
