"""How the functions of a graph call one another, looked through before TensorFlow reads the graph.

TensorFlow follows every call while it imports a graph, and again when it first runs.
It counts nothing: a function that calls itself, or calls nested too deep, overflow its
stack and end the process. Measured with TensorFlow 2.21: it imports chains of 3,000 calls
and dies of 3,060 in a thread with a stack of 8 MB, the usual one. With 2 MB, which threads
have where the stack is unlimited, it imports 600 and dies of 618.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

DEEPEST = 250
"""Calls in one another that are taken; models that people make have a handful, or some dozens."""

MOST_CALLS = 10_000_000
"""Calls in all that are taken, each followed wherever it is made. TensorFlow needs 12 µs for one."""

_SHOWN = 4


def check_calls(model: str, what: object, nodes: Iterable[Any], library: Any) -> None:
    """Refuse a graph over whose function calls TensorFlow would end the process, or never end.

    Only what the nodes reach counts: TensorFlow does not follow the rest.

    Parameters
    ----------
    model
        The model's name, for messages.
    what
        The file or object, for messages.
    nodes
        The ``NodeDef`` s of the graph.
    library
        Its ``FunctionDefLibrary``.

    Raises
    ------
    SourceError
        When a function calls itself, directly or through others, or calls are nested
        too deep, or are too many.
    """
    if not library.function:
        return
    functions = {function.signature.name: function for function in library.function}
    gradients = {gradient.function_name: gradient.gradient_func for gradient in library.gradient}
    deepest, many = _measured(model, what, _calls(nodes, functions, gradients), functions, gradients)
    if deepest > DEEPEST:
        msg = (
            f"{model}: the function calls of {what} are nested {deepest} deep, over which TensorFlow may end the "
            f"kernel: expected at most {DEEPEST}; write the model again with fewer functions in one another"
        )
        raise SourceError(msg)
    if many > MOST_CALLS:
        msg = (
            f"{model}: the functions of {what} call one another {_about(many)} times in all, which TensorFlow would "
            f"follow one by one: expected at most {MOST_CALLS:,}; write the model again with fewer calls"
        )
        raise SourceError(msg)


def check_calls_of(model: str, what: object, graph: Any, library: Any) -> None:
    """Do as `check_calls` for a live graph of TensorFlow's and its library of functions."""
    if library.function:
        names = {function.signature.name for function in library.function}
        takes_functions: dict[str, bool] = {}
        for op in graph.get_operations():
            if op.type not in takes_functions:
                takes_functions[op.type] = op.type in names or any("func" in one.type for one in op.op_def.attr)
        nodes = (op.node_def for op in graph.get_operations() if takes_functions[op.type])
        check_calls(model, what, nodes, library)


def functions_named(node: Any) -> Iterator[str]:
    """Give the names of the functions that a node may call: its operation, and all that its attributes name."""
    yield node.op
    waiting = [node.attr]
    while waiting:
        for value in waiting.pop().values():
            kind = value.WhichOneof("value")
            if kind == "func":
                named = [value.func]
            elif kind == "list":
                named = value.list.func
            else:
                continue
            for function in named:
                yield function.name
                # A function can be handed functions of its own.
                waiting.append(function.attr)


def _measured(
    model: str, what: object, roots: Counter[str], functions: dict[str, Any], gradients: dict[str, str]
) -> tuple[int, int]:
    """Return how deep calls are nested, and how many they are when each is followed.

    Every function is looked at once, however many ways lead to it, and without
    recursion in Python, which ends earlier than TensorFlow's.
    """
    depths: dict[str, int] = {}
    sizes: dict[str, int] = {}
    calls = {"": roots}
    # What is being looked through, each called by the one before it. No function is called "".
    path = {"": iter(roots)}
    while path:
        name = next(reversed(path))
        called = next(path[name], None)
        if called is None:
            del path[name]
            own = calls.pop(name)
            depths[name] = 1 + max((depths[one] for one in own), default=0)
            sizes[name] = 1 + sum(sizes[one] * times for one, times in own.items())
        elif called in path:
            raise _circle(model, what, [*list(path)[list(path).index(called) :], called])
        elif called not in depths:
            calls[called] = _calls(functions[called].node_def, functions, gradients)
            path[called] = iter(calls[called])
    return depths[""] - 1, sizes[""] - 1


def _calls(nodes: Iterable[Any], functions: Container[str], gradients: dict[str, str]) -> Counter[str]:
    """Return the functions that these nodes call, and how often."""
    found: Counter[str] = Counter()
    for node in nodes:
        # A constant calls nothing, and its value may be large.
        if node.op == "Const":
            continue
        for name in functions_named(node):
            if name in functions:
                found[name] += 1
            if node.op == "SymbolicGradient" and gradients.get(name) in functions:
                found[gradients[name]] += 1
    return found


def _circle(model: str, what: object, names: list[str]) -> SourceError:
    shown = names if len(names) <= _SHOWN + 1 else [*names[:_SHOWN], "…", names[-1]]
    way = " > ".join(name if name.isprintable() and len(name) <= 100 else ascii(name[:100]) for name in shown)
    return SourceError(
        f"{model}: a function of {what} calls itself ({way}), over which TensorFlow may end the kernel: "
        "write the model again with a loop (tf.while_loop) in its place"
    )


def _about(number: int) -> str:
    return f"{number:,}" if number < 10**15 else f"10^{len(str(number)) - 1}"
