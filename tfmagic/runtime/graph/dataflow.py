"""Where a fed value goes in a run: from operation to operation, into functions and out of them again.

Two questions are answered by it. A fed array that stays in a variable, a queue or a table
must be copied first (`kept_feeds`). A model with a loop that goes on for as long as its
inputs say must not be run on made-up ones (`loops_on_values`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import tensorflow as tf

from tfmagic.graphdef.op_types import ALLOCATES_OUTPUT
from tfmagic.runtime.graph.output_shapes import LIKE, TELLS_SHAPE, says_shape
from tfmagic.runtime.tensorflow.private import registered_operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

VALUE, SHAPE = 1, 2
"""What of a tensor depends on the fed value: its elements alone, or its shape as well."""

_BRANCHES = {"If", "StatelessIf", "Case", "StatelessCase"}
_WHILES = {"While", "StatelessWhile"}
_CALLS = {"PartitionedCall", "StatefulPartitionedCall"} | _BRANCHES | _WHILES
# An einsum that changes nothing gives its input back.
_MAKES_MEMORY = (ALLOCATES_OUTPUT - {"Einsum"}) | TELLS_SHAPE | LIKE
# Stateful operations, or readers of what is stateful, that keep none of their inputs.
_KEEPS_NOTHING = frozenset(
    {
        *("Assert", "Print", "PrintV2", "ReadVariableOp", "VariableShape", "VarIsInitializedOp"),
        *("ResourceGather", "ResourceGatherNd", "LookupTableFind", "LookupTableFindV2", "LookupTableSizeV2"),
        *("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "RandomShuffle"),
        *("RandomGamma", "RandomPoissonV2", "Multinomial", "ParameterizedTruncatedNormal"),
        *(f"TensorArray{verb}{version}" for verb in ("Read", "Gather", "Size") for version in ("", "V2", "V3")),
    }
)
# A Python function may put away the array that it gets.
_RUNS_PYTHON = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
# As long as their input lets them: they ask a dataset for its elements until it has no more.
_GOES_THROUGH = frozenset(
    {
        *("ReduceDataset", "DatasetToSingleElement", "DatasetToTFRecord", "SaveDataset", "SaveDatasetV2"),
        *("DatasetCardinality", "DistributedSave", "GetElementAtIndex", "InitializeTableFromDataset"),
    }
)
# What an iterator gives is in no edge of the graph, nor how often it is asked.
_LOOPS_ALWAYS = frozenset({"LoopCond", "MakeIterator", "MultiDeviceIteratorInit"})
# The first, the last and the step: how often its function is called.
_LIMITS_OF_FOR = 3


class _Node(NamedTuple):
    """An operation of a graph or of a function."""

    name: str
    kind: str
    takes: int
    functions: tuple[str, ...]


class _Question(Protocol):
    """What is asked about the way of a value."""

    through_choice: bool
    """Whether what a condition chooses counts as made of the condition."""

    def ends(self, node: _Node, position: int, mark: int) -> bool:
        """Return whether the answer is yes once the value comes into this operation."""

    def passes(self, node: _Node, position: int, mark: int) -> int:
        """Return what an operation's results have of an input; 0 for nothing."""

    loop_ends: bool
    """Whether the answer is yes once the condition of a ``While`` depends on the value."""


class _Kept:
    through_choice = loop_ends = False

    def ends(self, node: _Node, position: int, mark: int) -> bool:
        del position, mark
        return _may_keep(node.kind)

    def passes(self, node: _Node, position: int, mark: int) -> int:
        del position
        # What it gives has memory of its own.
        return 0 if node.kind in _MAKES_MEMORY else mark


class _Loops:
    through_choice = loop_ends = True

    def ends(self, node: _Node, position: int, mark: int) -> bool:
        if node.kind == "For":
            return position < _LIMITS_OF_FOR
        return node.kind in _LOOPS_ALWAYS or (mark == SHAPE and node.kind in _GOES_THROUGH)

    def passes(self, node: _Node, position: int, mark: int) -> int:
        if node.kind in TELLS_SHAPE:
            return VALUE if mark == SHAPE else 0
        if node.kind in LIKE:
            return SHAPE if mark == SHAPE else 0
        return SHAPE if says_shape(node.kind, position, node.takes) else mark


def _may_keep(kind: str) -> bool:
    """Return whether an operation of this type may hold on to the memory of what it is given."""
    if kind in _KEEPS_NOTHING:
        return False
    known = registered_operation(kind)
    if known is None or kind in _RUNS_PYTHON:
        return True
    holders = (tf.resource.as_datatype_enum,)
    return bool(known.is_stateful or any(one.is_ref or one.type in holders for one in known.input_arg))


class _End(NamedTuple):
    """What an operation or an argument gives; all of it where `output` is None."""

    body: str
    name: str
    output: int | None


@dataclass
class _Body:
    """The operations of a function: who takes what, what is given back, and what a TF1 condition has run or not."""

    arguments: list[str]
    consumers: dict[str, list[tuple[_Node, int, int]]]
    returned: dict[str, list[tuple[int, int]]]
    chosen: dict[str, list[str]]


@dataclass
class _Walk:
    question: _Question
    marks: dict[_End, int] = field(default_factory=dict)
    waiting: list[_End] = field(default_factory=list)
    sites: defaultdict[str, set[tuple[str, _Node]]] = field(default_factory=lambda: defaultdict(set))
    given_back: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def mark(self, end: _End, mark: int) -> None:
        if mark > self.marks.get(end, 0):
            self.marks[end] = mark
            self.waiting.append(end)


class Dataflow:
    """The ways that values can take in the runs that fetch these tensors.

    Every step looks at each input of each operation twice at most, so that it takes
    time in proportion to the size of the graph.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    fetches
        Names of tensors and operations; None for all that the graph has.
    """

    def __init__(self, graph: Any, fetches: Iterable[str] | None) -> None:
        self._graph = graph
        self._runs = None if fetches is None else operations_behind(graph, fetches)
        self._library: dict[str, Any] | None = None
        self._bodies: dict[str, _Body] = {}
        self._waiting: defaultdict[str, list[str]] | None = None

    def answers(self, question: _Question, feed: str) -> bool:
        """Return whether the answer is yes for the value of one fed tensor."""
        walk = _Walk(question)
        tensor = self._graph.as_graph_element(feed)
        walk.mark(_End("", tensor.op.name, tensor.value_index), VALUE)
        while walk.waiting:
            end = walk.waiting.pop()
            if any(self._enters(walk, end, *taken) for taken in self._consumers(end)):
                return True
            if end.body and self._returns(walk, end):
                return True
            if question.through_choice:
                for name in self._body(end.body).chosen.get(end.name, ()) if end.body else self._chosen_by(end.name):
                    walk.mark(_End(end.body, name, None), SHAPE)
        return False

    # -- one step ------------------------------------------------------------------

    def _enters(self, walk: _Walk, end: _End, node: _Node, position: int) -> bool:
        """Follow a value into an operation; return whether that ends the walk."""
        mark = walk.marks[end]
        everything = _End(end.body, node.name, None)
        if not node.functions:
            if walk.question.ends(node, position, mark):
                return True
            walk.mark(everything, walk.question.passes(node, position, mark))
            return False
        if node.kind in _BRANCHES and position == 0:
            walk.mark(everything, SHAPE if walk.question.through_choice else 0)
            return False
        if node.kind in _WHILES:
            # A loop may be left before its first round.
            walk.mark(_End(end.body, node.name, position), mark)
        is_plain = self._is_plain(node)
        if not is_plain:
            # Which function gets which input is not known of it, and it may keep them as well.
            if walk.question.ends(node, position, mark):
                return True
            mark = walk.question.passes(node, position, mark)
            walk.mark(everything, mark)
        at = position - (node.kind in _BRANCHES)
        for name in node.functions:
            self._calls(walk, (end.body, node), name)
            arguments = self._body(name).arguments
            for argument in arguments[at : at + 1] if is_plain else arguments:
                walk.mark(_End(name, argument, None), mark)
        return False

    def _calls(self, walk: _Walk, site: tuple[str, _Node], name: str) -> None:
        if site not in walk.sites[name]:
            walk.sites[name].add(site)
            for index in list(walk.given_back[name]):
                self._comes_out(walk, site, name, index)

    def _returns(self, walk: _Walk, end: _End) -> bool:
        """Follow a value out of a function to whoever has called it; return whether that ends the walk."""
        mark, given_back = walk.marks[end], walk.given_back[end.body]
        for place, index in self._body(end.body).returned.get(end.name, ()):
            if end.output in {None, place} and given_back.get(index, 0) < mark:
                given_back[index] = mark
                if any(self._comes_out(walk, site, end.body, index) for site in list(walk.sites[end.body])):
                    return True
        return False

    def _comes_out(self, walk: _Walk, site: tuple[str, _Node], name: str, index: int) -> bool:
        body, node = site
        mark = walk.given_back[name][index]
        if node.kind in _WHILES:
            if name == node.functions[0]:
                return walk.question.loop_ends
            for one in node.functions:
                for argument in self._body(one).arguments[index : index + 1]:
                    walk.mark(_End(one, argument, None), mark)
        if self._is_plain(node):
            walk.mark(_End(body, node.name, index), mark)
            return False
        # What becomes of a result is not known either: it may be an input of the next call.
        walk.mark(_End(body, node.name, None), mark)
        for one in node.functions:
            for argument in self._body(one).arguments:
                walk.mark(_End(one, argument, None), mark)
        return False

    # -- what there is ----------------------------------------------------------------

    def _is_plain(self, node: _Node) -> bool:
        """Return whether it is known which of its inputs a function gets, and what becomes of its results."""
        return node.kind in _CALLS or node.kind in self._functions()

    def _chosen_by(self, name: str) -> list[str]:
        """Return what a TF1 condition has run or not: it waits for the branch, and takes nothing from it."""
        op = self._graph.get_operation_by_name(name)
        if not _is_branch(op.type, op.inputs[0].op.type if op.inputs else None):
            return []
        if self._waiting is None:
            self._waiting = defaultdict(list)
            for one in self._graph.get_operations() if self._runs is None else self._runs:
                for before in one.control_inputs:
                    self._waiting[before.name].append(one.name)
        return self._waiting[name]

    def _functions(self) -> dict[str, Any]:
        if self._library is None:
            self._library = {one.signature.name: one for one in self._graph.as_graph_def().library.function}
        return self._library

    def _consumers(self, end: _End) -> Iterator[tuple[_Node, int]]:
        if end.body:
            for node, position, place in self._body(end.body).consumers.get(end.name, ()):
                if end.output in {None, place}:
                    yield node, position
            return
        outputs = self._graph.get_operation_by_name(end.name).outputs
        for tensor in outputs if end.output is None else outputs[end.output : end.output + 1]:
            for op in tensor.consumers():
                if self._runs is None or op in self._runs:
                    node = self._node_of(op)
                    for position, given in enumerate(op.inputs):
                        if given is tensor:
                            yield node, position

    def _node_of(self, op: Any) -> _Node:
        named: list[Any] = []
        if any("func" in one.type for one in op.op_def.attr):
            for attribute in op.op_def.attr:
                if "func" in attribute.type:
                    value = op.get_attr(attribute.name)
                    named.extend(value if isinstance(value, (list, tuple)) else [value])
        elif registered_operation(op.type) is None and op.type in self._functions():
            return _Node(op.name, op.type, len(op.inputs), (op.type,))
        names = tuple(one.name for one in named if one.name in self._functions()) if named else ()
        return _Node(op.name, op.type, len(op.inputs), _in_order(op.type, names, op.get_attr))

    def _body(self, name: str) -> _Body:
        made = self._bodies.get(name)
        if made is None:
            made = self._bodies[name] = _body_of(self._functions()[name], self._functions())
        return made


def _in_order(kind: str, names: tuple[str, ...], attribute: Callable[[str], Any]) -> tuple[str, ...]:
    """Return the functions of a call; of a loop the condition first."""
    if kind in _WHILES and len(names) > 1:
        return attribute("cond").name, attribute("body").name
    return names


def _is_branch(kind: str, before: str | None) -> bool:
    """Return whether a TF1 condition has whatever waits for an operation run or not."""
    return kind == "Switch" or (kind == "Identity" and before == "Switch")


def _function_of(node: Any, attribute: str) -> Any:
    return node.attr[attribute].func


def _body_of(function: Any, library: dict[str, Any]) -> _Body:
    consumers: dict[str, list[tuple[_Node, int, int]]] = {}
    returned: dict[str, list[tuple[int, int]]] = {}
    calls: dict[str, _Node] = {}
    nodes = []
    for node in function.node_def:
        values = node.attr.values()
        named = [one.name for value in values for one in (value.func, *value.list.func) if one.name in library]
        names = (node.op,) if node.op in library else tuple(named)
        edges = [edge for edge in node.input if not edge.startswith("^")]
        made = _Node(node.name, node.op, len(edges), _in_order(node.op, names, partial(_function_of, node)))
        nodes.append((made, edges))
        if names:
            calls[node.name] = made

    def source(edge: str) -> tuple[str, int]:
        name, _, rest = edge.partition(":")
        output, _, number = rest.partition(":")
        index = int(number) if number.isdigit() else 0
        called = calls.get(name)
        if called is not None and called.kind in library:
            # Called as an operation: its results have the names that the function gives them.
            given = [one.name for one in library[called.kind].signature.output_arg]
            index = given.index(output) if output in given else index
        return name, index

    for made, edges in nodes:
        for position, edge in enumerate(edges):
            name, index = source(edge)
            consumers.setdefault(name, []).append((made, position, index))
    for index, argument in enumerate(function.signature.output_arg):
        name, place = source(function.ret[argument.name])
        returned.setdefault(name, []).append((place, index))
    return _Body([one.name for one in function.signature.input_arg], consumers, returned, _chosen_in(function))


def _chosen_in(function: Any) -> dict[str, list[str]]:
    """Return what the TF1 conditions in a function have run or not, by the operation that it waits for."""
    kinds = {node.name: node.op for node in function.node_def}
    branches = set()
    for node in function.node_def:
        before = node.input[0].partition(":")[0] if node.input else ""
        if _is_branch(node.op, kinds.get(before)):
            branches.add(node.name)
    chosen: dict[str, list[str]] = {}
    for node in function.node_def:
        for edge in node.input:
            if edge.startswith("^") and edge[1:] in branches:
                chosen.setdefault(edge[1:], []).append(node.name)
    return chosen


def operations_behind(graph: Any, fetches: Iterable[str]) -> set[Any]:
    """Return the operations that run for these fetches."""
    elements = [graph.as_graph_element(name) for name in fetches]
    waiting = [one if isinstance(one, tf.Operation) else one.op for one in elements]
    seen: set[Any] = set()
    while waiting:
        op = waiting.pop()
        if op not in seen:
            seen.add(op)
            waiting.extend(op.control_inputs)
            waiting.extend(tensor.op for tensor in op.inputs)
    return seen


def constants_of(operations: Iterable[Any]) -> int:
    """Return the size in bytes of the constants among operations, where a frozen graph has its weights.

    From dtype and shape; text counts for nothing, as it has no fixed size.
    """
    ends = (op.outputs[0] for op in operations if op.type == "Const")
    return sum((end.shape.num_elements() or 0) * end.dtype.size for end in ends if end.dtype != tf.string)


def kept_feeds(graph: Any, feeds: Sequence[str], fetches: Sequence[str] | None) -> tuple[int, ...]:
    """Return which fed arrays could become the memory of something that outlasts the run.

    TensorFlow takes an aligned array as it is. A variable to which it is assigned then
    shares it with the caller, and changes when the caller changes the array.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    feeds, fetches
        Names of the tensors that are fed, and of the tensors and operations that are fetched.

    Returns
    -------
    tuple of int
        Their places in `feeds`. Texts are none of them: TensorFlow copies each.
    """
    flow = Dataflow(graph, fetches)
    numbers = (index for index, name in enumerate(feeds) if graph.as_graph_element(name).dtype != tf.string)
    return tuple(index for index in numbers if flow.answers(_Kept(), feeds[index]))


def loops_on_values(graph: Any, feeds: Sequence[str], fetches: Sequence[str] | None) -> bool:
    """Return whether a loop goes on for as long as the values of these inputs say, not their shapes alone.

    Parameters
    ----------
    graph, feeds, fetches
        As for `kept_feeds`.
    """
    flow = Dataflow(graph, fetches)
    return any(flow.answers(_Loops(), name) for name in feeds)
