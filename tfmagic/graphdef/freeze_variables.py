"""A graph's variables turned into constants, also inside its branches, loops and functions.

TensorFlow's own ``convert_variables_to_constants`` leaves a gather inside a function
as it is, and all references in TF1's loops; such a graph fails when it runs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.graphdef.op_types import FORWARDS, LOOPS, VARIABLES
from tfmagic.graphdef.walk import (
    CALLS,
    call_arguments,
    call_target_names,
    call_targets,
    data_inputs,
    free_name,
    output_index,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    import numpy as np

_RESOURCE = tf.resource.as_datatype_enum


@dataclass(frozen=True)
class _Handle:
    """The variable that a resource stands for: its dtype, and its shape as a serialized message."""

    dtype: int
    shape: bytes


_Handles = tuple[_Handle | None, ...]
"""The handle that each argument of a function is, None for a value."""


class VariableFreezer:
    """Turns a graph's variables, or `only` these, into constants: first the operations that use them, then values."""

    def __init__(
        self, label: str, definition: Any, *, only: Container[str] | None = None, suffix: str = "of_constants"
    ) -> None:
        self.label = label
        self._definition = definition
        self._only = only
        self._suffix = suffix
        self.functions = {function.signature.name: function for function in definition.library.function}
        self._names: dict[tuple[str, _Handles], str] = {}
        self._copies: Counter[str] = Counter()
        self._outputs: dict[tuple[str, _Handles], list[_Handle | None]] = {}

    def convert(self) -> None:
        """Have every operation take values, from placeholders; a `SaveError` where it needs the variable itself."""
        _Body(self, self._definition.node, {}).convert()
        for node in self._definition.node:
            if node.op in VARIABLES and self.freezes(node.name):
                dtype, shape = node.attr["dtype"].type, node.attr["shape"].shape.SerializeToString()
                _replace(node, "Placeholder", dtype=dtype)
                node.attr["shape"].shape.ParseFromString(shape)
            elif node.op.startswith("Ref") and node.op.removeprefix("Ref") in FORWARDS:
                # TF1's variables were handed on by reference.
                node.op = node.op.removeprefix("Ref")

    def insert(self, values: Iterable[tuple[str, np.ndarray]]) -> None:
        """Replace the placeholders by constants of these values, consumed one by one."""
        nodes = {node.name: node for node in self._definition.node}
        for name, value in values:
            dtype = nodes[name].attr["dtype"].type
            _replace(nodes[name], "Const", dtype=dtype)
            nodes[name].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype, value.shape))

    def freezes(self, name: str) -> bool:
        """Return whether a variable becomes a constant."""
        return self._only is None or name in self._only

    def outputs_of(self, name: str, arguments: Sequence[_Handle | None]) -> list[_Handle | None]:
        """Return which variables a function gives back, for these arguments."""
        key = (name, tuple(arguments))
        if key not in self._outputs:
            function = self.functions[name]
            body = self._body_of(function, arguments)
            self._outputs[key] = [body.handle(function.ret[output.name]) for output in function.signature.output_arg]
        return self._outputs[key]

    def converted(self, name: str, arguments: Sequence[_Handle | None]) -> str:
        """Return the name of the copy of a function that takes values for these arguments."""
        key = (name, tuple(arguments))
        if key not in self._names:
            number = self._copies[name]
            self._copies[name] += 1
            self._names[key] = f"{name}_{self._suffix}" + (f"_{number}" if number else "")
            outputs = self.outputs_of(name, arguments)
            function = self._definition.library.function.add()
            function.CopyFrom(self.functions[name])
            function.signature.name = self._names[key]
            self._body_of(function, arguments).convert()
            _retype(function, arguments, outputs)
        return self._names[key]

    def _body_of(self, function: Any, arguments: Sequence[_Handle | None]) -> _Body:
        names = [argument.name for argument in function.signature.input_arg]
        return _Body(self, function.node_def, dict(zip(names, arguments, strict=True)), function.ret)


class _Body:
    """The operations of a graph; or of a function, with its arguments and the edges that it returns."""

    def __init__(
        self, freezer: VariableFreezer, nodes: Any, arguments: Mapping[str, _Handle | None], returns: Any = None
    ) -> None:
        self._freezer = freezer
        self._container = nodes
        self._nodes = {node.name: node for node in nodes}
        self._arguments = arguments
        self._returns = returns
        self._is_function = returns is not None
        self._handles: dict[str, _Handle | None] = {}

    def handle(self, edge: str) -> _Handle | None:
        """Return the variable that an input is the handle of, None for a value."""
        name, _, output = edge.partition(":")
        if not output and name in self._arguments:
            return self._arguments[name]
        key = f"{name}:{output}"
        if key not in self._handles:
            # A TF1 loop comes back here: its first input decides.
            self._handles[key] = None
            self._handles[key] = self._find(self._nodes[name], output)
        return self._handles[key]

    def _find(self, node: Any, output: str) -> _Handle | None:
        if node.op == "VarHandleOp":
            handle = _Handle(node.attr["dtype"].type, node.attr["shape"].shape.SerializeToString())
            return handle if self._freezer.freezes(node.name) else None
        if node.op in FORWARDS:
            is_value = node.op != "Merge" or output in {"", "0", "output:0"}
            return self.handle(node.input[0]) if node.attr["T"].type == _RESOURCE and is_value else None
        if node.op in LOOPS:
            return self.handle(node.input[output_index(output)]) if any(self._inputs(node)) else None
        names = call_target_names(node, self._freezer.functions)
        if not names or not any(self._inputs(node)):
            return None
        outputs = self._freezer.outputs_of(names[0], [self.handle(edge) for edge in call_arguments(node)])
        if node.op in CALLS or not self._is_function:
            return outputs[output_index(output)]
        results = [result.name for result in self._freezer.functions[names[0]].signature.output_arg]
        return outputs[results.index(output.partition(":")[0])]

    def _inputs(self, node: Any) -> list[_Handle | None]:
        return [self.handle(edge) for edge in data_inputs(node)]

    def convert(self) -> None:
        """Have every operation that takes a variable take its value."""
        inputs = {name: self._inputs(node) for name, node in self._nodes.items()}
        prefix = "output:" if self._is_function else ""
        outputs = {
            name: [self.handle(f"{name}:{prefix}{index}") for index in range(len(node.attr["Tout"].list.type))]
            for name, node in self._nodes.items()
            if node.op in CALLS and node.op not in LOOPS and any(inputs[name])
        }
        reads = set()
        for name, node in self._nodes.items():
            if any(inputs[name]):
                if node.op == "ReadVariableOp":
                    reads.add(name)
                self._convert(node, inputs[name], outputs.get(name, []))
        if self._is_function:
            self._rename_outputs(reads)

    def _convert(self, node: Any, inputs: list[_Handle | None], outputs: list[_Handle | None]) -> None:
        first = inputs[0]
        _discard(node.attr, "_output_shapes")
        if node.op in CALLS:
            self._convert_call(node, inputs, outputs)
        elif node.op in self._freezer.functions:
            node.op = self._freezer.converted(node.op, inputs)
        elif first is not None and node.op in FORWARDS:
            node.attr["T"].type = first.dtype
        elif first is not None and node.op == "ReadVariableOp":
            _replace(node, "Identity", T=first.dtype)
        elif first is not None and node.op == "VariableShape":
            _replace(node, "Shape", T=first.dtype, out_type=node.attr["out_type"].type or tf.int32.as_datatype_enum)
        elif first is not None and node.op == "ResourceGatherNd":
            _replace(node, "GatherNd", Tparams=first.dtype, Tindices=node.attr["Tindices"].type)
        elif first is not None and node.op == "ResourceGather":
            self._convert_gather(node, first)
        else:
            msg = (
                f"{self._freezer.label} cannot be frozen: its operation {node.name!r} ({node.op}) needs a variable, "
                "and a .pb has constants alone: save it as a folder instead"
            )
            raise SaveError(msg)

    def _convert_gather(self, node: Any, handle: _Handle) -> None:
        axis = node.attr["batch_dims"].i
        indices = node.attr["Tindices"].type
        _replace(node, "GatherV2", Tparams=handle.dtype, Tindices=indices, Taxis=tf.int32.as_datatype_enum)
        node.attr["batch_dims"].i = axis
        controls = list(node.input[2:])
        del node.input[2:]
        constant = self._container.add(name=free_name(f"{node.name}/axis", self._nodes), op="Const")
        constant.attr["dtype"].type = tf.int32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(axis, tf.int32, []))
        node.input.extend([f"{constant.name}:output:0" if self._is_function else constant.name, *controls])

    def _convert_call(self, node: Any, inputs: list[_Handle | None], outputs: list[_Handle | None]) -> None:
        call = CALLS[node.op]
        arguments = inputs[call.inputs_before :]
        for index, handle in enumerate(arguments):
            if handle is not None:
                node.attr[call.types].list.type[index] = handle.dtype
                if node.op in LOOPS and node.attr["output_shapes"].list.shape:
                    node.attr["output_shapes"].list.shape[index].ParseFromString(handle.shape)
        for index, handle in enumerate(outputs):
            if handle is not None:
                node.attr["Tout"].list.type[index] = handle.dtype
        if any(outputs):
            _discard(node.attr, "output_shapes")
        for target in call_targets(node, self._freezer.functions):
            target.name = self._freezer.converted(target.name, arguments)

    def _rename_outputs(self, reads: set[str]) -> None:
        """Rename the outputs of reads: what was ``value`` is ``output`` of an ``Identity``."""
        renamed = {f"{name}:value:0": f"{name}:output:0" for name in reads}
        for node in self._nodes.values():
            for index, edge in enumerate(node.input):
                node.input[index] = renamed.get(edge, edge)
        for name, edge in list(self._returns.items()):
            self._returns[name] = renamed.get(edge, edge)


def _replace(node: Any, op: str, **types: int) -> None:
    node.op = op
    node.attr.clear()
    for name, dtype in types.items():
        node.attr[name].type = dtype


def _retype(function: Any, inputs: Sequence[_Handle | None], outputs: Sequence[_Handle | None]) -> None:
    for arguments, handles in ((function.signature.input_arg, inputs), (function.signature.output_arg, outputs)):
        for argument, handle in zip(arguments, handles, strict=True):
            if handle is not None:
                argument.type = handle.dtype
    for index, handle in enumerate(inputs):
        if handle is not None and index in function.arg_attr:
            _discard(function.arg_attr[index].attr, "_output_shapes")
    _discard(function.attr, "_input_shapes")


def _discard(attributes: Any, name: str) -> None:
    if name in attributes:
        del attributes[name]
