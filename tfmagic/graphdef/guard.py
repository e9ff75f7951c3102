"""A check that a graph from a file runs no Python and touches no files.

A TensorFlow graph is a program: it can call Python functions that happen to be registered in this process, and read and
write any file. A model needs neither, except to read the assets that came with it. The guard looks through everything
that the fetches reach, before any of it runs. Every SavedModel also contains operations that save and restore it; no
signature reaches them.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tfmagic.errors import UnsafeSourceError
from tfmagic.graphdef.op_types import (
    CACHES,
    ENDS_THE_PROCESS,
    LOOPS,
    NAMES_A_FILE,
    PROTO_OPS,
    READS_FILES,
    RESTORES,
    RUNS_PYTHON,
    SAME_ELEMENTS,
    TOUCHES_FILES,
)
from tfmagic.graphdef.walk import CALLS, data_inputs, functions_in, producer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_HANDLES = frozenset({"VarHandleOp", "_VarHandlesOp", "_XlaAotOnlyVarHandleOp"})
_NEVER = {**dict.fromkeys(RUNS_PYTHON, "runs Python code"), **dict.fromkeys(ENDS_THE_PROCESS, "ends the kernel")}
# Where a value comes from: a file of the model's own, or anywhere. A constant text is "const:TEXT".
_ASSET = "asset"
_OTHER = "other"


class Guard:
    """Checks what fetches reach, before their first run.

    `library` has the ``FunctionDef`` s that the graph calls. `assets` names the tensors that are fed the paths of the
    model's own files when it is loaded; `fed` is whether the checked runs feed them, too: otherwise the file decides
    which path stands there. With `restores` these may be read as checkpoints, too.
    """

    def __init__(
        self,
        model: str,
        graph: Any,
        library: Iterable[Any],
        assets: Iterable[str],
        *,
        fed: bool = False,
        restores: bool = False,
    ) -> None:
        self._model = model
        self._graph = graph
        self._functions = {function.signature.name: function for function in library}
        self._assets = {producer(name) for name in assets}
        self._fed = fed
        self._reads = {**READS_FILES, **RESTORES} if restores else READS_FILES
        # By the tensors that are fed: what only they depend on does not run.
        self._passed: dict[frozenset[str], set[str]] = {}
        # In the order in which they were walked.
        self._walked: dict[tuple[str, tuple[str, ...]], None] = {}
        self._handles_at: tuple[int, Counter[str]] | None = None
        self._called: list[tuple[str, Sequence[str]]] = []

    def check(self, names: Iterable[str], *, given: Iterable[str] = ()) -> None:
        """Raise an `UnsafeSourceError` where these operations or tensors depend on anything unsafe.

        `given` names the tensors that the run is fed.
        """
        cut = frozenset(given)
        waiting = [self._graph.get_operation_by_name(producer(name)) for name in names if name not in cut]
        passed = self._passed.setdefault(cut, set())
        new: list[str] = []
        walked = len(self._walked)
        try:
            while waiting:
                op = waiting.pop()
                if op.name in passed:
                    continue
                new.append(op.name)
                passed.add(op.name)
                # A constant's message has its value, which may be large, and a constant calls nothing.
                if op.type != "Const":
                    self._check(op.node_def, self._label_in_graph)
                while self._called:
                    self._walk_function(*self._called.pop())
                waiting.extend(tensor.op for tensor in op.inputs if tensor.name not in cut)
                waiting.extend(op.control_inputs)
        except BaseException:
            # An interrupt, too: whatever was not checked to its end is checked again.
            passed.difference_update(new)
            for key in list(self._walked)[walked:]:
                del self._walked[key]
            self._called.clear()
            raise

    def _label_in_graph(self, name: str) -> str:
        while True:
            op = self._graph.get_operation_by_name(name)
            if op.name in self._assets:
                return _ASSET if self._fed else _OTHER
            if op.type == "ReadVariableOp":
                return _ASSET if self._holds_an_asset(op.inputs[0].op) else _OTHER
            if op.type == "Const":
                return _const_label(op.node_def)
            if op.type not in SAME_ELEMENTS or not op.inputs:
                return _OTHER
            name = str(op.inputs[0].op.name)

    def _holds_an_asset(self, handle: Any) -> bool:
        """Return whether nothing but the path of an asset is ever written to a variable."""
        # A v2 SavedModel keeps each path in a variable. The initialiser is a placeholder, which has only the value that
        # is fed.
        if handle.type != "VarHandleOp":
            return False
        written = False
        for consumer in handle.outputs[0].consumers():
            if consumer.type == "AssignVariableOp":
                source = consumer.inputs[1].op
                if source.name not in self._assets or source.type != "Placeholder":
                    return False
                written = True
            elif consumer.type not in {"ReadVariableOp", "VarIsInitializedOp"}:
                return False
        handles = self._handles()
        return written and all(handles[name] == 1 for name in _shared_names(handle.node_def))

    def _handles(self) -> Counter[str]:
        """Return how many operations stand for each resource, by its name."""
        if self._handles_at is None or self._handles_at[0] != self._graph.version:
            nodes = [op.node_def for op in self._graph.get_operations() if op.type in _HANDLES]
            nodes += [node for body in self._functions.values() for node in body.node_def if node.op in _HANDLES]
            self._handles_at = self._graph.version, Counter(name for node in nodes for name in _shared_names(node))
        return self._handles_at[1]

    def _check(self, node: Any, label: Callable[[str], str]) -> None:
        op, inputs = node.op, [producer(edge) for edge in data_inputs(node)]
        if op in _NEVER:
            self._refuse(node, _NEVER[op])
        if op in TOUCHES_FILES and op not in self._reads:
            self._refuse(node, "touches files")
        if op in self._reads:
            for index in self._reads[op]:
                if index >= len(inputs) or label(inputs[index]) != _ASSET:
                    self._refuse(node, "reads files other than the model's own assets")
        if op in CACHES and (len(inputs) <= CACHES[op] or label(inputs[CACHES[op]]) != "const:"):
            self._refuse(node, "writes a cache file")
        if op in NAMES_A_FILE and (node.attr[NAMES_A_FILE[op]].s or node.attr[NAMES_A_FILE[op]].list.s):
            self._refuse(node, "touches files")
        if op == "PrintV2" and node.attr["output_stream"].s.startswith(b"file://"):
            self._refuse(node, "writes a file")
        if op in PROTO_OPS and node.attr["descriptor_source"].s not in (b"", b"local://"):
            self._refuse(node, "touches files")
        self._check_calls(node, inputs, label)

    def _check_calls(self, node: Any, inputs: Sequence[str], label: Callable[[str], str]) -> None:
        called = [function.name for function in functions_in(node.attr)]
        first: int | None = None
        if node.op in self._functions:
            called.append(node.op)
            first = 0
        elif node.op in CALLS and node.op not in LOOPS:
            first = CALLS[node.op].inputs_before
        # Others may call with values from anywhere: a loop with those of its last round, a dataset with its elements.
        labels = [label(name) for name in inputs[first:]] if called and first is not None else ()
        # They are checked later: functions can be nested deeper than Python's stack.
        self._called.extend((function, labels) for function in called)

    def _walk_function(self, name: str, labels: Sequence[str]) -> None:
        function = self._functions.get(name)
        if function is None:
            return
        arguments = [argument.name for argument in function.signature.input_arg]
        given = list(labels)
        if len(given) != len(arguments):
            given = [_OTHER] * len(arguments)
        key = (name, tuple(given))
        if key in self._walked:
            return
        self._walked[key] = None
        label = _labels_in_body(function, dict(zip(arguments, given, strict=True)))
        for node in function.node_def:
            self._check(node, label)

    def _refuse(self, node: Any, what: str) -> None:
        msg = (
            f"{self._model}: operation {node.name!r} ({node.op}) {what} when this model runs; "
            "add it with --unsafe (unsafe=True) if you trust where the file comes from"
        )
        raise UnsafeSourceError(msg)


def _labels_in_body(function: Any, by_argument: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that tells where a value in a function's body comes from."""
    body = {node.name: node for node in function.node_def}

    known = dict(by_argument)

    def label(name: str) -> str:
        passed: dict[str, None] = {}
        while name not in known:
            node = body.get(name)
            inputs = [] if node is None else data_inputs(node)
            if node is not None and node.op == "Const":
                known[name] = _const_label(node)
            elif node is None or node.op not in SAME_ELEMENTS or not inputs or name in passed:
                # A damaged body can go in circles.
                known[name] = _OTHER
            else:
                passed[name] = None
                name = producer(inputs[0])
        known.update(dict.fromkeys(passed, known[name]))
        return known[name]

    return label


def _const_label(node: Any) -> str:
    tensor = node.attr["value"].tensor
    if len(tensor.string_val) == 1:
        return f"const:{tensor.string_val[0].decode('utf-8', 'replace')}"
    return _OTHER


def _shared_names(node: Any) -> set[str]:
    names = [name.decode("utf-8", "replace") for name in node.attr["shared_names"].list.s]
    return {*names, node.attr["shared_name"].s.decode("utf-8", "replace") or node.name}
