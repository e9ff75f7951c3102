"""Names a frozen graph's operations after its signature: a graph alone has no other way to tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.naming import first_repeated, names_an_operation
from tfmagic.errors import SaveError
from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.graphdef.walk import free_name, is_control, producer, redirect_inputs

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import Signature, TensorSpec


class SignatureRenaming:
    """Gives a signature's inputs and outputs their names in two steps, before and after a graph is frozen."""

    def __init__(self, label: str, graph: Any, signature: Signature) -> None:
        self._graph = graph
        self._signature = signature
        self._inputs: dict[str, Any] = {}
        names = [spec.name for spec in (*signature.inputs, *signature.outputs)]
        illegal = next((name for name in names if not names_an_operation(name)), None)
        if illegal is not None:
            msg = (
                f"{label}: {illegal!r} cannot name an operation, as the ends of a .pb do: "
                "give it another name with --inputs or --outputs, or save it as a folder"
            )
            raise SaveError(msg)
        twice = first_repeated(names)
        if twice is not None:
            msg = (
                f"{label}: an input and an output are both called {twice!r}, which a .pb cannot tell apart: "
                "give one another name with --outputs, or save it as a folder"
            )
            raise SaveError(msg)
        self._tensors = {spec.name: _full(str(spec.tensor)) for spec in (*signature.inputs, *signature.outputs)}

    @property
    def outputs(self) -> list[str]:
        """The operations that the outputs come from."""
        return list(dict.fromkeys(producer(self._tensors[spec.name]) for spec in self._signature.outputs))

    def detach_inputs(self, definition: Any) -> None:
        """Make every input a placeholder, also where it is a tensor in the middle of the graph."""
        nodes = {node.name: node for node in definition.node}
        replaced: dict[str, str] = {}
        for spec in self._signature.inputs:
            tensor = self._tensors[spec.name]
            name, _, index = tensor.partition(":")
            if tensor not in replaced and (nodes[name].op not in PLACEHOLDERS or index != "0"):
                placeholder = _placeholder(definition, free_name(spec.name, nodes), spec)
                nodes[placeholder.name] = placeholder
                replaced[tensor] = f"{placeholder.name}:0"
        if replaced:
            _rewire(definition, replaced)
        self._tensors = {name: replaced.get(tensor, tensor) for name, tensor in self._tensors.items()}
        for spec in self._signature.inputs:
            self._inputs[spec.name] = nodes[producer(self._tensors[spec.name])]
        # Copies: nodes that no output needs are removed before `attach`.
        self._inputs = {name: type(node).FromString(node.SerializeToString()) for name, node in self._inputs.items()}

    def attach(self, definition: Any) -> dict[str, str]:
        """Give inputs and outputs their names, and return the new name of each operation that was renamed."""
        present = {node.name for node in definition.node}
        for node in self._inputs.values():
            if node.name not in present:
                definition.node.append(node)
        input_names = {node.name: name for name, node in self._inputs.items()}
        nodes = {node.name: node for node in definition.node}
        outputs = {spec.name: self._tensors[spec.name] for spec in self._signature.outputs}
        used = {_full(edge) for node in nodes.values() for edge in node.input}
        outputs = {
            name: tensor
            for name, tensor in outputs.items()
            if tensor in used or not self._has_its_name(name, tensor, nodes)
        }
        wanted = {*input_names.values(), *outputs}
        new_names = dict(input_names)
        taken = {*nodes, *wanted}
        for name in nodes:
            if name in wanted and name not in input_names:
                new_names[name] = free_name(name, taken)
                taken.add(new_names[name])
        for node in definition.node:
            node.name = new_names.get(node.name, node.name)
        redirect_inputs(definition.node, new_names)
        types = {spec.name: spec.dtype for spec in self._signature.outputs}
        for name, tensor in outputs.items():
            op, _, index = tensor.partition(":")
            identity = definition.node.add(name=name, op="Identity")
            identity.input.append(_edge(f"{new_names.get(op, op)}:{index}"))
            identity.attr["T"].type = tf.as_dtype(types[name]).as_datatype_enum
        return new_names

    def _has_its_name(self, name: str, tensor: str, nodes: dict[str, Any]) -> bool:
        """Return whether an output has its name already."""
        if tensor != f"{name}:0" or nodes[name].op in {"Const", *PLACEHOLDERS}:
            return False
        return len(self._graph.get_operation_by_name(name).outputs) == 1


def _placeholder(definition: Any, name: str, spec: TensorSpec) -> Any:
    node = definition.node.add(name=name, op="Placeholder")
    node.attr["dtype"].type = tf.as_dtype(spec.dtype).as_datatype_enum
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(spec.shape).as_proto())
    return node


def _rewire(definition: Any, places: dict[str, str]) -> None:
    """Connect the consumers of one tensor to another."""
    for node in definition.node:
        for index, edge in enumerate(node.input):
            if not is_control(edge) and _full(edge) in places:
                node.input[index] = _edge(places[_full(edge)])


def _full(tensor: str) -> str:
    """Return ``op:0`` for ``op``."""
    return tensor if ":" in tensor else f"{tensor}:0"


def _edge(tensor: str) -> str:
    """Return ``op`` for ``op:0``, as an input is written in a graph."""
    return tensor.removesuffix(":0")
