"""What a graph writes to variables when it runs, taken out where its outputs need none of it.

A recurrent layer with dropout counts its random numbers on at every call, also
where it draws none. Of a constant nobody can count on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.graphdef.functions import LOOPS, PASSES_ON, arguments_of, name_of, names_called, number_of
from tfmagic.graphdef.op_types import WRITES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_RESOURCE = tf.resource.as_datatype_enum
_VARIABLES = {"VarHandleOp", "VariableV2", "Variable"}


@dataclass
class _Touched:
    """Variables that are read and written: by name, or by the place of an argument."""

    reads: set[Any] = field(default_factory=set)
    writes: set[Any] = field(default_factory=set)


class Effects:
    """Takes out of a graph what it writes to variables.

    Parameters
    ----------
    label
        The model's name, for messages.
    definition
        The graph, which is changed, and its functions with it.

    Attributes
    ----------
    dropped : set of str
        The variables that it would write to.
    """

    def __init__(self, label: str, definition: Any) -> None:
        self._label = label
        self._definition = definition
        self._functions = {one.signature.name: one for one in definition.library.function}
        self._known: dict[str, _Touched] = {}
        self.dropped: set[str] = set()

    def drop(self, outputs: Sequence[str]) -> None:
        """Take it out.

        Parameters
        ----------
        outputs
            The operations whose values count.

        Raises
        ------
        SaveError
            When one of them depends on a variable that is written to.
        """
        scope = _Scope(self, self._definition.node, outputs, {})
        self.dropped = {name for name in scope.touched.writes if name is not None}
        if scope.touched.writes:
            scope.cut()

    def of_function(self, name: str) -> _Touched:
        """Return the places of the arguments that a function reads and writes, and take the writing out of it."""
        if name not in self._known:
            self._known[name] = _Touched()
            function = self._functions[name]
            places = {one.name: at for at, one in enumerate(function.signature.input_arg) if one.type == _RESOURCE}
            arguments = {one.name: places.get(one.name) for one in function.signature.input_arg}
            scope = _Scope(self, function.node_def, [name_of(edge) for edge in function.ret.values()], arguments)
            self._known[name] = scope.touched
            if scope.touched.writes:
                kept = scope.cut()
                function.control_ret.clear()
                del function.signature.control_output[:]
                for index in range(len(function.node_def) - 1, -1, -1):
                    if function.node_def[index].name not in kept:
                        del function.node_def[index]
        return self._known[name]

    def touched_by(self, node: Any, handle: Any) -> _Touched:
        """Return what an operation reads and writes of the variables that `handle` tells of its inputs."""
        touched = _Touched()
        names = names_called(node, self._functions)
        if names:
            given = [handle(edge) for edge in arguments_of(node)]
            for one in map(self.of_function, names):
                touched.reads |= {given[at] for at in one.reads} - {None}
                touched.writes |= {given[at] for at in one.writes}
            return touched
        if node.op in PASSES_ON or node.op.startswith("Ref"):
            return touched
        found = {handle(edge) for edge in node.input if not edge.startswith("^")} - {None}
        if WRITES.match(node.op):
            # Of an unknown one where none is found: a write it is in any case.
            touched.writes = found or {None}
        else:
            touched.reads = found
        return touched

    def refuse(self, node: Any) -> SaveError:
        """Return the error for an operation whose writing cannot be taken out."""
        return SaveError(
            f"{self._label} writes to a variable when it runs ({node.name}, {node.op}) that its outputs depend on, and "
            "a .pb has constants alone: save it as a folder instead"
        )

    def calls(self, node: Any) -> bool:
        """Return whether an operation calls a function, out of which the writing is taken by itself."""
        return bool(names_called(node, self._functions))


class _Scope:
    """The operations of a graph, or of a function.

    Parameters
    ----------
    effects
        What knows the functions.
    nodes
        The operations.
    outputs
        Those whose values count.
    arguments
        For a function the place of each argument that is a variable, None for others.
    """

    def __init__(
        self, effects: Effects, nodes: Iterable[Any], outputs: Sequence[str], arguments: Mapping[str, int | None]
    ) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._arguments = arguments
        self._values = self._behind(outputs, controls=False)
        self.touched = _Touched()
        self._writers: set[str] = set()
        writing: list[Any] = []
        for name, node in self._nodes.items():
            one = effects.touched_by(node, self._variable)
            if name in self._values:
                self.touched.reads |= one.reads
            if one.writes:
                writing.append((node, one.writes))
                self.touched.writes |= one.writes
                if name not in self._values:
                    self._writers.add(name)
                elif not effects.calls(node):
                    raise effects.refuse(node)
        for node, writes in writing:
            if writes & self.touched.reads:
                raise effects.refuse(node)

    def cut(self) -> set[str]:
        """Have nothing wait for what is written, and return the operations that are still needed."""
        late = self._after(self._writers)
        waited_for: list[str] = []
        for name in self._values:
            node = self._nodes[name]
            for index in range(len(node.input) - 1, -1, -1):
                edge = node.input[index]
                if edge.startswith("^"):
                    if name_of(edge) in late:
                        del node.input[index]
                    else:
                        waited_for.append(name_of(edge))
        return self._values | self._behind(waited_for, controls=True)

    def _after(self, names: Iterable[str]) -> set[str]:
        """Return the operations that wait for these in any way, themselves included."""
        consumers: dict[str, list[str]] = {}
        for name, node in self._nodes.items():
            for edge in node.input:
                consumers.setdefault(name_of(edge), []).append(name)
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting.extend(consumers.get(name, ()))
        return found

    def _behind(self, names: Iterable[str], *, controls: bool) -> set[str]:
        found: set[str] = set()
        waiting = [name for name in names if name in self._nodes]
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                edges = [edge for edge in self._nodes[name].input if controls or not edge.startswith("^")]
                waiting.extend(name_of(edge) for edge in edges if name_of(edge) in self._nodes)
        return found

    def _variable(self, edge: str) -> Any:
        """Return the variable that an input is, by name or as the place of an argument; None if it is none."""
        seen: set[str] = set()
        while True:
            name = name_of(edge)
            if name in self._arguments:
                return self._arguments[name]
            if name not in self._nodes or name in seen:
                return None
            seen.add(name)
            node = self._nodes[name]
            if node.op in _VARIABLES:
                return name
            if node.op in LOOPS:
                edge = node.input[number_of(edge)]
            elif (node.op in PASSES_ON and node.attr["T"].type == _RESOURCE) or node.op.startswith("Ref"):
                edge = node.input[0]
            else:
                return None
