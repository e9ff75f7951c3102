"""What running a graph changes beside what it returns, told from its operations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.graphdef.op_types import WRITES
from tfmagic.runtime.graph.dataflow import operations_behind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


_CHANGES_TABLES = re.compile(r"LookupTable(Insert|Import|Remove)")


_ADVANCES = re.compile(
    r"(Stage|Unstage)$|(Ordered)?Map(Stage|Unstage|Clear)|StageClear|Queue(Enqueue|Dequeue|Close)|Barrier"
    r"|(Multi[Dd]evice)?IteratorGetNext|MakeIterator|Reader(Read|Reset|Restore)|.*Accumulator(Apply|Take)"
    r"|Print(V2)?$|(Eager)?PyFunc|Write\w*(Summary|File)"
)
# Of each node where it runs: a function that is made anew begins anew.
_DRAWS = re.compile(
    r"Random(Uniform|StandardNormal|Shuffle$|Gamma$|Poisson|Crop)|(Parameterized)?TruncatedNormal|Multinomial"
    r"|\w+CandidateSampler|SampleDistortedBoundingBox|Skipgram"
)


def may_write(graph: Any, fetches: Iterable[str]) -> bool:
    """Return whether a run that fetches these tensors could change what the graph holds.

    An operation that TensorFlow itself does not have could do anything, so it counts.

    Parameters
    ----------
    graph
        A ``tf.Graph``.
    fetches
        Names of tensors and operations.
    """
    return any(_writes(kind) for kind in _kinds(graph, fetches))


def felt_afterwards(graph: Any, fetches: Iterable[str], *, anew: bool = False) -> str | None:
    """Return the type of an operation that goes on from run to run though it writes to no variable; None without.

    What comes next out of a queue, an iterator or a generator of random numbers is
    then another than it would have been, or somebody reads what was printed.

    Parameters
    ----------
    graph, fetches
        As for `may_write`.
    anew
        Whether it is a function that was made for this run: it has generators of its own.
    """
    return next(
        (kind for kind in _kinds(graph, fetches) if _ADVANCES.match(kind) or (not anew and _DRAWS.match(kind))),
        None,
    )


def _kinds(graph: Any, fetches: Iterable[str]) -> Iterator[str]:
    """Give the types of the operations that run, those of called functions in the place of the calls."""
    seen = operations_behind(graph, fetches)
    kinds = {op.type: op for op in seen}
    yield from filter(_is_known, kinds)
    # What is not known may be a function of the graph's library.
    if all(_is_known(op.type) and not any("func" in one.type for one in op.op_def.attr) for op in kinds.values()):
        return
    definition = graph.as_graph_def()
    library = {one.signature.name: one for one in definition.library.function}
    names = {op.name for op in seen}
    nodes = [node for node in definition.node if node.name in names]
    passed: set[str] = set()
    while nodes:
        node = nodes.pop()
        called = _called(node, library)
        if not called:
            yield node.op
        for name in set(called) - passed:
            passed.add(name)
            nodes.extend(library[name].node_def)


def _called(node: Any, library: Mapping[str, Any]) -> list[str]:
    """Return the functions that an operation could call: itself, or any that it names."""
    if node.op in library:
        return [node.op]
    named = [one for value in node.attr.values() for one in (value.func, *value.list.func)]
    return [one.name for one in named if one.name in library]


def _is_known(kind: str) -> bool:
    return hasattr(tf.raw_ops, kind) or kind.startswith("_")


def _writes(kind: str) -> bool:
    return not _is_known(kind) or bool(WRITES.match(kind) or _CHANGES_TABLES.match(kind))
