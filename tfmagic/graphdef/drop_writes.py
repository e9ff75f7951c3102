"""Leaving out of a graph its writes to variables, where its outputs do not need them.

A recurrent layer with dropout advances its random generator at every call, also in
inference. A frozen graph has constants only, and no generator.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.graphdef.op_types import FORWARDS, LOOPS, VARIABLES, WRITES_VARIABLES
from tfmagic.graphdef.walk import (
    ancestors,
    call_arguments,
    call_target_names,
    data_inputs,
    descendants,
    is_control,
    output_index,
    producer,
    remove_nodes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_RESOURCE = tf.resource.as_datatype_enum
_Touched = tuple[set[Any], set[Any]]
"""The variables that are read, and those that are written: by name, or by the place of an argument."""


def drop_writes(label: str, definition: Any, outputs: Iterable[str]) -> set[str]:
    """Take writes to variables out of a graph, and return the variables; a `SaveError` where `outputs` need a write."""
    graph = _Body(_Functions(label, definition), definition.node, outputs, {})
    if graph.writes:
        graph.cut()
    return {name for name in graph.writes if name is not None}


class _Functions:
    """The functions of a graph's library, each looked at once."""

    def __init__(self, label: str, definition: Any) -> None:
        self.label = label
        self._library = {function.signature.name: function for function in definition.library.function}
        self._touched: dict[str, _Touched] = {}

    def called(self, node: Any) -> list[str]:
        return call_target_names(node, self._library)

    def touched(self, name: str) -> _Touched:
        """Take the writes out of a function; return the places of the arguments that it reads and writes."""
        if name not in self._touched:
            self._touched[name] = set(), set()
            function = self._library[name]
            arguments = {
                argument.name: place if argument.type == _RESOURCE else None
                for place, argument in enumerate(function.signature.input_arg)
            }
            body = _Body(self, function.node_def, function.ret.values(), arguments)
            self._touched[name] = body.reads, body.writes
            if body.writes:
                kept = body.cut()
                function.control_ret.clear()
                del function.signature.control_output[:]
                remove_nodes(function.node_def, lambda node: node.name not in kept)
        return self._touched[name]


class _Body:
    """The operations of a graph, or of a function with the places of its arguments that are variables."""

    def __init__(
        self, functions: _Functions, nodes: Iterable[Any], outputs: Iterable[str], arguments: Mapping[str, int | None]
    ) -> None:
        self._functions = functions
        self._nodes = {node.name: node for node in nodes}
        self._arguments = arguments
        self._needed = ancestors(self._nodes, outputs, controls=False)
        self.reads: set[Any] = set()
        self.writes: set[Any] = set()
        self._writers: dict[str, set[Any]] = {}
        # By edge, so that a long row of forwarding operations is walked once.
        self._variables: dict[str, Any] = {}
        for name, node in self._nodes.items():
            reads, writes = self._touched_by(node)
            if name in self._needed:
                self.reads |= reads
            if writes:
                self._writers[name] = writes
                self.writes |= writes
        for name, writes in self._writers.items():
            # A call can be needed: the writes are taken out of its function.
            is_needed = name in self._needed and not functions.called(self._nodes[name])
            if is_needed or writes & self.reads:
                msg = (
                    f"{functions.label} writes to a variable when it runs ({name}, {self._nodes[name].op}) that its "
                    "outputs depend on, and a .pb has constants alone: save it as a folder instead"
                )
                raise SaveError(msg)

    def cut(self) -> set[str]:
        """Delete the control dependencies on writes, and return the operations that are still needed."""
        late = descendants(self._nodes, self._writers.keys() - self._needed)
        for name in self._needed:
            inputs = self._nodes[name].input
            kept = [edge for edge in inputs if not (is_control(edge) and producer(edge) in late)]
            del inputs[:]
            inputs.extend(kept)
        return ancestors(self._nodes, self._needed)

    def _touched_by(self, node: Any) -> _Touched:
        called = self._functions.called(node)
        if called:
            given = [self._variable(edge) for edge in call_arguments(node)]
            touched = [self._functions.touched(name) for name in called]
            reads, writes = (
                {given[place] if isinstance(place, int) else place for place in chain(*places)}
                for places in zip(*touched, strict=True)
            )
            return reads - {None}, writes
        if node.op in FORWARDS or node.op.startswith("Ref"):
            return set(), set()
        variables = {self._variable(edge) for edge in data_inputs(node)} - {None}
        # A write counts also where it is not known to which variable.
        return (set(), variables or {None}) if WRITES_VARIABLES.match(node.op) else (variables, set())

    def _variable(self, edge: str) -> Any:
        """Return the variable that an input is the handle of: its name, or its argument's place; None for others."""
        passed: set[str] = set()
        variable: Any = None
        while edge not in passed:
            if edge in self._variables:
                variable = self._variables[edge]
                break
            passed.add(edge)
            name = producer(edge)
            node = self._nodes.get(name)
            if node is None:
                variable = self._arguments.get(name)
                break
            if node.op in VARIABLES:
                variable = name
                break
            if node.op in LOOPS:
                edge = node.input[output_index(edge)]
            elif (node.op in FORWARDS and node.attr["T"].type == _RESOURCE) or node.op.startswith("Ref"):
                edge = node.input[0]
            else:
                break
        self._variables.update(dict.fromkeys(passed, variable))
        return variable
