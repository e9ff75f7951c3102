"""Where a fed value goes in a run: from operation to operation, into functions and out of them again.

`fed_values` asks two questions of it. Each is an `Analysis`, which says what an operation does with the value.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tfmagic.graphdef.op_types import BRANCHES, FUNCTION_CALLS, LOOPS
from tfmagic.graphdef.walk import data_inputs, functions_called, is_control, output_index, producer, takes_functions
from tfmagic.runtime.graph.operations import operations_behind
from tfmagic.runtime.tensorflow.private import registered_operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

# A search for each feed is exact; the time for many would grow with the square of the graph.
_FEW = 8

VALUE, SHAPE = 1, 2
"""How a tensor depends on the fed value: its elements alone, or its shape as well. 0 is not at all."""


class Operation(NamedTuple):
    """An operation of a graph or function: how many inputs it has, and which functions it calls."""

    name: str
    kind: str
    inputs: int
    functions: tuple[str, ...]


@dataclass
class _Body:
    """The operations of a function.

    Consumers of each operation or argument are given with the input's position and the output's number, returned
    values with the output's number and the place among the results. TF1 conditions are given with what they run.
    """

    arguments: list[str]
    consumers: dict[str, list[tuple[Operation, int, int]]]
    returned: dict[str, list[tuple[int, int]]]
    conditional: dict[str, list[str]]


class Analysis(Protocol):
    """A property of a fed value that operations give it."""

    through_conditions: bool
    """Whether whatever a condition chooses depends on the condition's input, in its shape, too."""

    at_loop_condition: bool
    """Whether the value has the property once the condition of a ``While`` depends on it."""

    def at(self, operation: Operation, position: int, dependence: int) -> bool:
        """Return whether the value has the property once it is this input of an operation."""

    def of_results(self, operation: Operation, position: int, dependence: int) -> int:
        """Return how the results of an operation depend on the value as this input."""


class _Tensor(NamedTuple):
    """An output of an operation or an argument of a function; all outputs where it is None. ``""`` is the graph."""

    body: str
    name: str
    output: int | None


class _Result(NamedTuple):
    """A result of a function."""

    function: str
    place: int


@dataclass
class _Search:
    """The tensors that were reached from feeds, and the calls and returns on the way.

    `sources` has, for each tensor and result, where its value came from; None where nobody will ask.
    """

    analysis: Analysis
    sources: defaultdict[_Tensor | _Result, list[_Tensor | _Result]] | None = None
    dependences: dict[_Tensor, int] = field(default_factory=dict)
    waiting: list[_Tensor] = field(default_factory=list)
    callers: defaultdict[str, set[tuple[str, Operation]]] = field(default_factory=lambda: defaultdict(set))
    returned: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def reach(self, tensor: _Tensor, dependence: int, source: _Tensor | _Result | None) -> None:
        if dependence:
            self.note(tensor, source)
        if dependence > self.dependences.get(tensor, 0):
            self.dependences[tensor] = dependence
            self.waiting.append(tensor)

    def note(self, reached: _Tensor | _Result, source: _Tensor | _Result | None) -> None:
        """Note where a value came from."""
        if self.sources is not None and source is not None:
            self.sources[reached].append(source)


class Dataflow:
    """The ways that values can take in a ``tf.Graph``, in runs with these fetches; without any, in all operations."""

    def __init__(self, graph: Any, fetches: Iterable[str] | None) -> None:
        self._graph = graph
        self._running = None if fetches is None else operations_behind(graph, fetches)
        self._library: dict[str, Any] | None = None
        self._bodies: dict[str, _Body] = {}
        self._operations: dict[str, Operation] = {}
        self._places: dict[str, dict[str, list[int]]] = {}
        self._control_consumers: defaultdict[str, list[str]] | None = None

    def holding(self, analysis: Analysis, feeds: Sequence[str]) -> set[str]:
        """Return the fed tensors whose values have the property; of many, also some whose values may have it."""
        few = feeds if len(feeds) <= _FEW else self._candidates(analysis, feeds)
        if len(few) > _FEW:
            return set(few)
        return {feed for feed in few if any(self._found(_Search(analysis), [self._fed(feed)]))}

    def _candidates(self, analysis: Analysis, feeds: Sequence[str]) -> list[str]:
        """Return the fed tensors that lead to where any of their values has the property, by one search for all.

        A value that enters a function may come out at a call that another value has reached, so these may be too many.
        """
        sources: defaultdict[_Tensor | _Result, list[_Tensor | _Result]] = defaultdict(list)
        fed = {feed: self._fed(feed) for feed in feeds}
        waiting: list[_Tensor | _Result] = list(self._found(_Search(analysis, sources), fed.values()))
        behind: set[_Tensor | _Result] = set()
        while waiting:
            reached = waiting.pop()
            if reached not in behind:
                behind.add(reached)
                waiting.extend(sources[reached])
        return [feed for feed, tensor in fed.items() if tensor in behind]

    def _fed(self, feed: str) -> _Tensor:
        tensor = self._graph.as_graph_element(feed)
        return _Tensor("", tensor.op.name, tensor.value_index)

    def _found(self, search: _Search, fed: Iterable[_Tensor]) -> Iterator[_Tensor]:
        """Give the tensors at which fed values have the property."""
        for tensor in fed:
            search.reach(tensor, VALUE, None)
        while search.waiting:
            tensor = search.waiting.pop()
            for consumer in self._consumers(tensor):
                if self._enter(search, tensor, *consumer):
                    yield tensor
            if tensor.body and self._return(search, tensor):
                yield tensor
            if search.analysis.through_conditions:
                for name in self._conditional(tensor):
                    search.reach(_Tensor(tensor.body, name, None), SHAPE, tensor)

    def _enter(self, search: _Search, tensor: _Tensor, operation: Operation, position: int) -> bool:
        """Follow a value into an operation."""
        analysis, dependence = search.analysis, search.dependences[tensor]
        results = _Tensor(tensor.body, operation.name, None)
        if not operation.functions:
            if analysis.at(operation, position, dependence):
                return True
            search.reach(results, analysis.of_results(operation, position, dependence), tensor)
            return False
        if operation.kind in BRANCHES and position == 0:
            search.reach(results, SHAPE if analysis.through_conditions else 0, tensor)
            return False
        if operation.kind in LOOPS:
            # A loop can end before its first round.
            search.reach(_Tensor(tensor.body, operation.name, position), dependence, tensor)
        is_known = self._is_known_call(operation)
        if not is_known:
            # Any of its functions may get any input, and the operation may keep it.
            if analysis.at(operation, position, dependence):
                return True
            dependence = analysis.of_results(operation, position, dependence)
            search.reach(results, dependence, tensor)
        place = position - (operation.kind in BRANCHES)
        for name in operation.functions:
            self._call(search, (tensor.body, operation), name)
            arguments = self._body(name).arguments
            for argument in arguments[place : place + 1] if is_known else arguments:
                search.reach(_Tensor(name, argument, None), dependence, tensor)
        return False

    def _call(self, search: _Search, caller: tuple[str, Operation], name: str) -> None:
        if caller not in search.callers[name]:
            search.callers[name].add(caller)
            for index in list(search.returned[name]):
                self._leave(search, caller, name, index)

    def _return(self, search: _Search, tensor: _Tensor) -> bool:
        """Follow a value out of a function to its callers."""
        dependence, returned = search.dependences[tensor], search.returned[tensor.body]
        found = False
        for output, index in self._body(tensor.body).returned.get(tensor.name, ()):
            if tensor.output not in {None, output}:
                continue
            search.note(_Result(tensor.body, index), tensor)
            if returned.get(index, 0) < dependence:
                returned[index] = dependence
                for caller in list(search.callers[tensor.body]):
                    found |= self._leave(search, caller, tensor.body, index)
        return found

    def _leave(self, search: _Search, caller: tuple[str, Operation], name: str, index: int) -> bool:
        """Follow one result of a function to one of its callers."""
        body, operation = caller
        dependence, result = search.returned[name][index], _Result(name, index)
        is_known = self._is_known_call(operation)
        if operation.kind in LOOPS and name == operation.functions[0]:
            return search.analysis.at_loop_condition
        if operation.kind in LOOPS or not is_known:
            # A loop's result is an argument of the next round. An unknown call may hand it to any function again.
            for function in operation.functions:
                arguments = self._body(function).arguments
                for argument in arguments[index : index + 1] if is_known else arguments:
                    search.reach(_Tensor(function, argument, None), dependence, result)
        search.reach(_Tensor(body, operation.name, index if is_known else None), dependence, result)
        return False

    def _is_known_call(self, operation: Operation) -> bool:
        """Return whether it is known which of its inputs a function gets, and what becomes of its results."""
        return operation.kind in FUNCTION_CALLS or operation.kind in self._functions()

    def _conditional(self, tensor: _Tensor) -> list[str]:
        """Return the operations that a TF1 condition runs or not: they wait for the branch, without its value."""
        if tensor.body:
            return self._body(tensor.body).conditional.get(tensor.name, [])
        op = self._graph.get_operation_by_name(tensor.name)
        if not _is_branch(op.type, op.inputs[0].op.type if op.inputs else None):
            return []
        if self._control_consumers is None:
            self._control_consumers = defaultdict(list)
            for consumer in self._graph.get_operations() if self._running is None else self._running:
                for before in consumer.control_inputs:
                    self._control_consumers[before.name].append(consumer.name)
        return self._control_consumers[tensor.name]

    def _functions(self) -> dict[str, Any]:
        if self._library is None:
            library = self._graph.as_graph_def().library
            self._library = {function.signature.name: function for function in library.function}
        return self._library

    def _consumers(self, tensor: _Tensor) -> Iterator[tuple[Operation, int]]:
        if tensor.body:
            for operation, position, output in self._body(tensor.body).consumers.get(tensor.name, ()):
                if tensor.output in {None, output}:
                    yield operation, position
            return
        outputs = self._graph.get_operation_by_name(tensor.name).outputs
        for output in outputs if tensor.output is None else outputs[tensor.output : tensor.output + 1]:
            for op in output.consumers():
                if self._running is None or op in self._running:
                    operation = self._operation(op)
                    yield from ((operation, place) for place in self._places[op.name][output.name])

    def _operation(self, op: Any) -> Operation:
        """Return an operation, and note which of its inputs each tensor is."""
        operation = self._operations.get(op.name)
        if operation is None:
            # The message of an operation is copied from C++: a constant's has its whole value.
            if takes_functions(op) or registered_operation(op.type) is None:
                operation = _operation_of(op.node_def, self._functions())
            else:
                operation = Operation(op.name, op.type, len(op.inputs), ())
            self._operations[op.name] = operation
            places: defaultdict[str, list[int]] = defaultdict(list)
            for place, given in enumerate(op.inputs):
                places[given.name].append(place)
            self._places[op.name] = places
        return operation

    def _body(self, name: str) -> _Body:
        if name not in self._bodies:
            self._bodies[name] = _body_of(self._functions()[name], self._functions())
        return self._bodies[name]


def _operation_of(node: Any, library: Mapping[str, Any]) -> Operation:
    """Return the operation of a ``NodeDef``, which may call functions of the library."""
    functions = tuple(functions_called(node, library))
    if node.op in LOOPS and len(functions) > 1:
        # The condition first.
        functions = node.attr["cond"].func.name, node.attr["body"].func.name
    return Operation(node.name, node.op, len(data_inputs(node)), functions)


def _is_branch(kind: str, input_kind: str | None) -> bool:
    """Return whether the operations that wait for this one are those of a TF1 condition's branch."""
    return kind == "Switch" or (kind == "Identity" and input_kind == "Switch")


def _body_of(function: Any, library: Mapping[str, Any]) -> _Body:
    """Return the operations of a ``FunctionDef``."""
    kinds = {node.name: node.op for node in function.node_def}
    consumers: defaultdict[str, list[tuple[Operation, int, int]]] = defaultdict(list)
    returned: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)

    def source(edge: str) -> tuple[str, int]:
        name, index = producer(edge), output_index(edge)
        if kinds.get(name) in library:
            # A function called as an operation: its outputs have the function's names.
            results = [result.name for result in library[kinds[name]].signature.output_arg]
            output = edge.split(":")[1]
            index = results.index(output) if output in results else index
        return name, index

    for node in function.node_def:
        operation = _operation_of(node, library)
        for position, edge in enumerate(data_inputs(node)):
            name, index = source(edge)
            consumers[name].append((operation, position, index))
    for place, result in enumerate(function.signature.output_arg):
        name, index = source(function.ret[result.name])
        returned[name].append((index, place))
    conditional: defaultdict[str, list[str]] = defaultdict(list)
    branches = {
        node.name
        for node in function.node_def
        if _is_branch(node.op, kinds.get(producer(node.input[0])) if node.input else None)
    }
    for node in function.node_def:
        for edge in node.input:
            if is_control(edge) and producer(edge) in branches:
                conditional[producer(edge)].append(node.name)
    return _Body([argument.name for argument in function.signature.input_arg], consumers, returned, conditional)
