"""Inference of a graph's signature: placeholders are inputs, tensors that nothing consumes are outputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.naming import first_repeated
from tfmagic.errors import SourceError, did_you_mean
from tfmagic.execution.signature.needed_inputs import NeededInputs, fed_behind, has_to_be_fed, reached_from
from tfmagic.execution.signature.results import results_of
from tfmagic.execution.signature.signature import DEFAULT, Signature, TensorSpec
from tfmagic.graphdef.op_types import PLACEHOLDERS
from tfmagic.graphdef.walk import producer
from tfmagic.runtime.state.variables_io import OURS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Pairs = Mapping[str, str] | Sequence[tuple[str, str]]

_SAVES = {"Save", "SaveSlices", "SaveV2", "Restore", "RestoreSlice", "RestoreV2"}
_AUTOMATIC = re.compile(r"(.*/)?Placeholder(V2|WithDefault)?(_\d+)?$")


def tensor_spec(name: str, tensor: Any, *, optional: bool = False) -> TensorSpec:
    """Return the spec of a symbolic tensor."""
    rank = tensor.shape.rank
    shape = None if rank is None else tuple(tensor.shape.as_list())
    return TensorSpec(name, tensor.dtype.base_dtype.name, shape, tensor.name, optional=optional)


def infer(
    model: str,
    graph: Any,
    names: Mapping[str, Any],
    inputs: Pairs | None,
    outputs: Pairs | None,
    *,
    hidden: tuple[str, ...] = (),
) -> Signature:
    """Return the signature of a graph that declares none.

    `names` are Python names of a cell for its tensors. `inputs` and `outputs` have a tensor or Python name by the name
    that it gets, None to infer them. Operations whose names begin as in `hidden` are no outputs.
    """
    hidden = (OURS, *hidden, *_savers(graph))
    bound = {tensor.name: name for name, tensor in reversed(list(names.items())) if _is_tensor_of(tensor, graph)}
    if inputs is None:
        input_tensors = _placeholders(graph, bound, hidden)
    else:
        input_tensors = {name: find_tensor(model, graph, names, where) for name, where in dict(inputs).items()}
        twice = first_repeated(tensor.name for tensor in input_tensors.values())
        if twice is not None:
            msg = f"{model}: input {twice!r} gets two names: give it one"
            raise SourceError(msg)
    if outputs is None:
        output_tensors = _terminal(graph, bound, input_tensors.values(), hidden)
    else:
        output_tensors = {name: find_tensor(model, graph, names, where) for name, where in dict(outputs).items()}
    if not output_tensors:
        has_tensors = any(operation.outputs for operation in graph.get_operations())
        msg = (
            f"{model}: no output could be made out, every tensor is consumed by another: "
            "name one with --outputs NAME=op:0"
            if has_tensors
            else f"{model}: the graph has no output, none of its operations returns a tensor"
        )
        raise SourceError(msg)
    if inputs is None:
        needed = fed_behind(output_tensors.values(), {tensor.name for tensor in input_tensors.values()})
        input_tensors = {name: tensor for name, tensor in input_tensors.items() if tensor.name in needed}
    else:
        output_tensors = _sufficed(model, graph, output_tensors, input_tensors, named=outputs is not None)
    optional = {name for name, tensor in input_tensors.items() if tensor.op.type == "PlaceholderWithDefault"}
    return Signature(
        DEFAULT,
        tuple(tensor_spec(name, tensor, optional=name in optional) for name, tensor in input_tensors.items()),
        tuple(tensor_spec(name, tensor) for name, tensor in output_tensors.items()),
        NeededInputs(graph, _names(input_tensors), _names(output_tensors), input_tensors.keys() - optional),
    )


def _names(tensors: Mapping[str, Any]) -> dict[str, str]:
    return {name: tensor.name for name, tensor in tensors.items()}


def _sufficed(
    model: str, graph: Any, output_tensors: dict[str, Any], input_tensors: Mapping[str, Any], *, named: bool
) -> dict[str, Any]:
    """Return the outputs for which the inputs that were named suffice; an output that was named has to be one."""
    fed = {tensor.name: name for name, tensor in input_tensors.items()}
    unfed = {
        op.outputs[0].name: op.name
        for op in graph.get_operations()
        if has_to_be_fed(op) and op.outputs[0].name not in fed
    }
    reached = reached_from(graph, unfed, fed)
    lacking = [
        name
        for name, tensor in output_tensors.items()
        if tensor.name not in fed and (tensor.op.name in reached or tensor.name in unfed)
    ]
    if lacking and (named or len(lacking) == len(output_tensors)):
        name = lacking[0]
        tensors = sorted(fed_behind([output_tensors[name]], fed) - fed.keys())
        more = ", ".join(repr(producer(tensor)) for tensor in tensors)
        known = ",".join([*(f"{own}={tensor}" for tensor, own in fed.items()), *(producer(one) for one in tensors)])
        msg = f"{model}: output {name!r} needs {more} too, which --inputs does not name: --inputs {known}"
        raise SourceError(msg)
    left_out = set(lacking)
    return {name: tensor for name, tensor in output_tensors.items() if name not in left_out}


def find_tensor(model: str, graph: Any, names: Mapping[str, Any], where: str) -> Any:
    """Return what a person means by a Python name, or a tensor's or operation's name; of a variable its value."""
    bound = names.get(where)
    if _is_tensor_of(bound, graph):
        return bound
    if _is_variable_of(bound, graph):
        return graph.as_graph_element(bound)
    try:
        return _value(graph.get_tensor_by_name(where if ":" in where else f"{where}:0"))
    except (KeyError, ValueError):
        msg = f"{model}: there is no tensor {where!r}{did_you_mean(where, tensor_names(graph, names))}"
        raise SourceError(msg) from None


def tensor_names(graph: Any, names: Mapping[str, Any]) -> list[str]:
    """Return what `find_tensor` finds: Python names first, then each operation's name."""
    bound = [name for name, value in names.items() if _is_tensor_of(value, graph) or _is_variable_of(value, graph)]
    operations = [op for op in graph.get_operations() if op.outputs and not op.name.startswith(OURS)]
    further = [tensor.name for op in operations for tensor in op.outputs[1:]]
    return [*bound, *(op.name for op in operations), *further]


def _value(tensor: Any) -> Any:
    """Return what reads a variable's handle; any other tensor as it is."""
    if tensor.dtype != tf.resource:
        return tensor
    read = next((op for op in tensor.consumers() if op.type == "ReadVariableOp"), None)
    return tensor if read is None else read.outputs[0]


def _is_tensor_of(value: Any, graph: Any) -> bool:
    # Not tf.is_tensor: a name may be bound to anything, with any __getattr__.
    return type(value).__name__ in {"Tensor", "SymbolicTensor"} and _belongs(value, graph)


def _is_variable_of(value: Any, graph: Any) -> bool:
    return issubclass(type(value), tf.Variable) and _belongs(value, graph)


def _belongs(value: Any, graph: Any) -> bool:
    # Eager tensors and variables raise for their graph.
    return getattr(value, "graph", None) is graph


def _placeholders(graph: Any, bound: Mapping[str, str], hidden: tuple[str, ...]) -> dict[str, Any]:
    """Return the placeholders by name: a name that a person gave them, else the Python name."""
    placeholders = [op for op in graph.get_operations() if op.type in PLACEHOLDERS and not op.name.startswith(hidden)]
    # Names that a person gave go first: a Python name may equal the name of another placeholder.
    given = {op.name for op in placeholders if not _AUTOMATIC.match(op.name)}
    input_tensors: dict[str, Any] = {}
    for op in placeholders:
        name = op.name if op.name in given else bound.get(op.outputs[0].name, op.name)
        is_taken = name in input_tensors or (name in given and op.name not in given)
        input_tensors[op.name if is_taken else name] = op.outputs[0]
    return input_tensors


def _terminal(
    graph: Any, bound: Mapping[str, str], input_tensors: Iterable[Any], hidden: tuple[str, ...]
) -> dict[str, Any]:
    output_tensors: dict[str, Any] = {}
    for tensor in results_of(graph, bound, input_tensors, hidden):
        first = tensor.name.endswith(":0")
        name = bound.get(tensor.name) or (tensor.op.name if first else tensor.name)
        output_tensors[tensor.name if name in output_tensors else name] = tensor
    return output_tensors


def _savers(graph: Any) -> set[str]:
    """Return the prefixes of the operations that ``Saver`` objects of TF1 have added."""
    scopes = {op.name.rpartition("/")[0] for op in graph.get_operations() if op.type in _SAVES}
    names = {op.name for op in graph.get_operations() if op.type == "PlaceholderWithDefault"}
    return {f"{scope}/" for scope in scopes if f"{scope}/filename" in names}
