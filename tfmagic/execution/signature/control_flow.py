"""Loops and branches in a graph: which of its values they carry, and which they only leave over.

A loop has an end for each value that it carries, its counter included, though the model may use only one of them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tfmagic.graphdef.op_types import BRANCHES, LOOPS, VARIABLES
from tfmagic.graphdef.walk import data_inputs, producer
from tfmagic.runtime.tensorflow.private import library_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Container, Iterable, Mapping

_EXITS, _MERGES, _SWITCHES = {"Exit", "RefExit"}, {"Merge", "RefMerge"}, {"Switch", "RefSwitch"}
_ENTERS, _NEXTS = {"Enter", "RefEnter"}, {"NextIteration", "RefNextIteration"}
_CALLS = BRANCHES | LOOPS
_HELD = VARIABLES | {"ReadVariableOp"}
_CARRY = _EXITS | LOOPS
# By type, the input with the rows that a loop has collected.
_STACKS = {
    **dict.fromkeys(("TensorListStack", "TensorListConcat", "TensorListConcatV2"), 0),
    **dict.fromkeys(("TensorArrayGatherV3", "TensorArrayGatherV2", "TensorArrayGather"), 2),
    **dict.fromkeys(("TensorArrayConcatV3", "TensorArrayConcatV2", "TensorArrayConcat"), 1),
}
LENGTHS = {"TensorArraySizeV3", "TensorArraySizeV2", "TensorArraySize", "TensorListLength"}
_AUTOMATIC_IDENTITY = re.compile(r"(?P<scope>.+)/Identity(_\d+)?$")
_MOST_STEPS = 5_000_000
_NUMBERED = re.compile(r"/_\d+$")


def group_of(op: Any) -> str:
    """Return what tells the results of one loop or branch from those of others; other operations are one each."""
    if op.type == "Identity":
        named = _AUTOMATIC_IDENTITY.match(op.name)
        source = op.inputs[0].op
        if named is not None and source.type in _CALLS and source.name == named["scope"]:
            return str(source.name)
        lowered = source.type in _EXITS | _MERGES and named is not None
        return group_of(source) if named and lowered and source.name.startswith(f"{named['scope']}/") else str(op.name)
    if op.type in _EXITS and op.inputs[0].op.type in _SWITCHES:
        return f"the loop of {op.inputs[0].op.inputs[1].name}"
    if op.type in _MERGES and not _of_loop(op):
        return f"the branch of {_NUMBERED.sub('', op.name).rpartition('/')[0]}"
    if op.type in _STACKS:
        # The rows that a loop has collected: its list of tensors, or the flow of its array.
        rows = op.inputs[_STACKS[op.type]].op
        return group_of(rows) if rows.type in {"Identity", *_EXITS, *LOOPS} else str(op.name)
    return str(op.name)


def _of_loop(merge: Any) -> bool:
    return any(tensor.op.type in _ENTERS | _NEXTS for tensor in merge.inputs)


def inside_control_flow(operations: list[Any]) -> set[str]:
    """Return the operations in TF1's loops and branches, whose values nobody can fetch."""
    if not any(op.type in _SWITCHES | _ENTERS for op in operations):
        return set()
    depths: dict[str, int] = {}
    inside: set[str] = set()
    pivots = pivots_of(operations)
    for op in operations:
        before = [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        depth = max((depths.get(other.name, 0) for other in before if other.type not in _NEXTS), default=0)
        if op.type in _EXITS or (op.type in _MERGES and not _of_loop(op)):
            depth -= 1
        elif op.type in _ENTERS or (op.type in _SWITCHES and op.inputs[1].op.type != "LoopCond"):
            depth += 1
        depths[op.name] = max(depth, 0)
        if depth > 0 or op.name in pivots:
            inside.add(op.name)
    return inside


def pivots_of(operations: list[Any]) -> set[str]:
    """Return the operations that only tell which branch has run."""
    pivots: set[str] = set()
    # Operations come after their inputs. Branches of branches can be thousands in a row, too many for recursion.
    for op in operations:
        if op.type in _MERGES:
            is_pivot = all(tensor.op.name in pivots for tensor in op.inputs)
        else:
            is_pivot = op.type == "Identity" and _is_chosen(op)
        if is_pivot:
            pivots.add(op.name)
    return pivots


def _is_chosen(op: Any) -> bool:
    given = op.inputs[0]
    switches = given.consumers() if op.name.endswith("/pred_id") else [given.op]
    return any(switch.type in _SWITCHES and _chooses_itself(switch) for switch in switches)


def _chooses_itself(switch: Any) -> bool:
    value, predicate = switch.inputs
    return bool(value.name == predicate.name)


def carried_by_value(
    graph: Any, operations: list[Any], inputs: list[Any], bound: Collection[str]
) -> Callable[[Any], bool]:
    """Return whether a tensor is no count of a loop's rounds: only the number of rounds depends on the inputs."""
    loops = [op for op in operations if op.type in LOOPS]
    if not inputs or not (loops or any(op.type in _EXITS for op in operations)):
        return lambda _: True
    library = {function.signature.name: function for function in library_of(graph).function} if loops else {}
    functions = {op.name: library.get(op.get_attr("body").name) for op in loops}
    bodies = {op.name: _Body(functions[op.name]) for op in loops if _fits(functions[op.name], op)}
    reached: set[str] = set()
    waiting = list(inputs)
    while waiting:
        tensor = waiting.pop()
        if tensor.name not in reached:
            reached.add(tensor.name)
            for op in tensor.consumers():
                if op.name in bodies:
                    positions = {index for index, given in enumerate(op.inputs) if given.name == tensor.name}
                    waiting.extend(op.outputs[index] for index in bodies[op.name].results_of(positions))
                elif op.type not in _SWITCHES or op.inputs[0].name == tensor.name:
                    waiting.extend(op.outputs)

    def is_result(tensor: Any) -> bool:
        of_loop = tensor.op.type in _EXITS | LOOPS or group_of(tensor.op) != tensor.op.name
        return not of_loop or tensor.name in bound or tensor.name in reached

    return is_result


def _fits(function: Any, loop: Any) -> bool:
    """Return whether a function can be the body of a loop; a damaged file can name any other, or none."""
    return (
        function is not None
        and len(function.signature.input_arg) == len(function.signature.output_arg) == len(loop.outputs)
        and all(result.name in function.ret for result in function.signature.output_arg)
    )


class _Body:
    """The body of a loop: which of its arguments the results of a round depend on."""

    def __init__(self, function: Any) -> None:
        arguments = [argument.name for argument in function.signature.input_arg]
        returned = [function.ret[result.name] for result in function.signature.output_arg]
        self._nodes = {node.name: node for node in function.node_def}
        # In a larger body each result may depend on each argument.
        every = set(range(len(arguments))) if len(returned) * len(self._nodes) > _MOST_STEPS else None
        self._sources = [every or self._arguments_behind(edge, arguments) for edge in returned]
        self._changed = [not self._passes_on(edge, name) for edge, name in zip(returned, arguments, strict=True)]

    def results_of(self, positions: set[int]) -> list[int]:
        """Return the results that depend on the arguments at these positions, without those that stay as they are."""
        ends_up = set(positions)
        while more := {index for index, given in enumerate(self._sources) if given & ends_up} - ends_up:
            ends_up |= more
        return [index for index in sorted(ends_up) if self._changed[index]]

    def _arguments_behind(self, edge: str, arguments: list[str]) -> set[int]:
        places = {name: index for index, name in enumerate(arguments)}
        behind = _names_behind([edge], self._nodes)
        return {places[name] for name in behind if name in places}

    def _passes_on(self, edge: str, argument: str) -> bool:
        name = producer(edge)
        seen: set[str] = set()
        # A damaged body can go in circles.
        while name not in seen and name in self._nodes and self._nodes[name].op == "Identity":
            seen.add(name)
            name = producer(next(iter(self._nodes[name].input), ""))
        return name == argument


def _names_behind(edges: Iterable[str], nodes: Mapping[str, Any]) -> set[str]:
    """Return the nodes and arguments that carry values to these edges."""
    behind: set[str] = set()
    waiting = [producer(edge) for edge in edges]
    while waiting:
        name = waiting.pop()
        if name not in behind:
            behind.add(name)
            waiting.extend(producer(edge) for edge in (data_inputs(nodes[name]) if name in nodes else ()))
    return behind


def beside_a_loop(operations: list[Any]) -> Callable[[Any], bool]:
    """Return whether a tensor is no more than what a recurrent layer leaves over, of which others use another result.

    Keras makes the outputs of a layer for every way to ask for them, and those of its cell for their shapes.
    """
    loops = [op.name if op.type in LOOPS else op.name.rpartition("/")[0] for op in operations if op.type in _CARRY]
    layers = {loop.rpartition("/")[0] for loop in loops} - {""}
    used: defaultdict[str, set[str]] = defaultdict(set)
    for op in operations if layers else ():
        # What saves variables uses them, too.
        for layer in _layers_of(op.name, layers) if op.type not in _HELD else ():
            consumers = (other.name for tensor in op.outputs for other in tensor.consumers())
            # Gradients use a layer from the inside.
            if any(not name.startswith(f"{layer}/") and "gradients/" not in name for name in consumers):
                used[layer].add(op.name)

    # Operations come after their inputs: one pass finds what depends on a result that is used outside.
    for op in operations if used else ():
        for layer in _layers_of(op.name, used):
            if any(tensor.op.name in used[layer] for tensor in op.inputs):
                used[layer].add(op.name)
    return lambda tensor: all(tensor.op.name in used[layer] for layer in _layers_of(tensor.op.name, used))


def _layers_of(name: str, layers: Container[str]) -> list[str]:
    parts = name.split("/")
    return [layer for end in range(1, len(parts)) if (layer := "/".join(parts[:end])) in layers]
