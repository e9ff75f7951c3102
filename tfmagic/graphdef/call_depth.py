"""How deep a graph's functions call one another, checked before TensorFlow imports the graph.

TensorFlow follows every call while it imports a graph, and again in the first run. It has no limit: a function that
calls itself, or calls nested too deep, overflow its stack and end the process. Measured with TensorFlow 2.21: it
imports chains of 3,000 calls and dies of 3,060 in a thread with the usual stack of 8 MB. Threads have 2 MB where the
stack is unlimited: there it imports 600 and dies of 618.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tfmagic.core.naming import in_words
from tfmagic.errors import SourceError
from tfmagic.graphdef.walk import functions_named, takes_functions

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

DEEPEST = 250
"""The deepest nesting of calls that is accepted; people's models have a handful, or some dozens."""

MOST_CALLS = 10_000_000
"""The most calls that are accepted, counted as TensorFlow follows them: one by one, in 12 µs each."""

_SHOWN = 4


def check_calls(model: str, what: object, nodes: Iterable[Any], library: Any) -> None:
    """Raise a `SourceError` where functions that nodes call are recursive, nested too deep or called too often."""
    if not library.function:
        return
    functions = {function.signature.name: function for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}
    deepest, count = _measure(model, what, _calls(nodes, functions, gradients), functions, gradients)
    if deepest > DEEPEST:
        msg = (
            f"{model}: the function calls of {what} are nested {deepest} deep, over which TensorFlow may end the "
            f"kernel: expected at most {DEEPEST}; write the model again with fewer functions in one another"
        )
        raise SourceError(msg)
    if count > MOST_CALLS:
        times = f"{count:,}" if count < 10**15 else f"10^{len(str(count)) - 1}"
        msg = (
            f"{model}: the functions of {what} call one another {times} times in all, which TensorFlow "
            f"would follow one by one: expected at most {MOST_CALLS:,}; write the model again with fewer calls"
        )
        raise SourceError(msg)


def check_calls_of(model: str, what: object, graph: Any, library: Any) -> None:
    """Check a live ``tf.Graph`` and its library of functions, as `check_calls` does."""
    if library.function:
        names = {function.signature.name for function in library.function}
        may_call: dict[str, bool] = {}
        for op in graph.get_operations():
            if op.type not in may_call:
                may_call[op.type] = op.type in names or takes_functions(op)
        nodes = (op.node_def for op in graph.get_operations() if may_call[op.type])
        check_calls(model, what, nodes, library)


def _measure(
    model: str, what: object, roots: Counter[str], functions: dict[str, Any], gradients: dict[str, str]
) -> tuple[int, int]:
    """Return how deep calls are nested, and how many there are when each is followed."""
    # Nothing recurses: Python's stack ends before TensorFlow's.
    depths: dict[str, int] = {}
    sizes: dict[str, int] = {}
    calls = {"": roots}
    # The functions on the way down, each called by the one before. "" is the graph.
    path = {"": iter(roots)}
    while path:
        name = next(reversed(path))
        called = next(path[name], None)
        if called is None:
            del path[name]
            callees = calls.pop(name)
            depths[name] = 1 + max((depths[callee] for callee in callees), default=0)
            sizes[name] = 1 + sum(sizes[callee] * times for callee, times in callees.items())
        elif called in path:
            names = [*list(path)[list(path).index(called) :], called]
            shown = names if len(names) <= _SHOWN + 1 else [*names[:_SHOWN], "…", names[-1]]
            way = " > ".join(in_words(name) for name in shown)
            msg = (
                f"{model}: a function of {what} calls itself ({way}), over which TensorFlow may end the kernel: "
                "write the model again with a loop (tf.while_loop) in its place"
            )
            raise SourceError(msg)
        elif called not in depths:
            calls[called] = _calls(functions[called].node_def, functions, gradients)
            path[called] = iter(calls[called])
    return depths[""] - 1, sizes[""] - 1


def _calls(nodes: Iterable[Any], functions: Container[str], gradients: dict[str, str]) -> Counter[str]:
    """Return the functions that these nodes call, and how often."""
    calls: Counter[str] = Counter()
    for node in nodes:
        # A constant calls nothing, and its value may be large.
        if node.op == "Const":
            continue
        for name in functions_named(node):
            if name in functions:
                calls[name] += 1
            if node.op == "SymbolicGradient" and gradients.get(name) in functions:
                calls[gradients[name]] += 1
    return calls
