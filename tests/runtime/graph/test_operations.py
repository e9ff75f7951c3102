"""Whether a run could change what a graph holds is told from its operations."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow

from tfmagic.runtime.graph.operations import adding_to, may_write

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


v1 = tf.compat.v1


def variable(*, reference: bool = False) -> Any:
    return v1.get_variable("w", initializer=tf.constant([1.0, 2.0]), use_resource=not reference)


def deep(inner: Callable[[], Any]) -> Any:
    """Return what a function gives that calls another, which calls `inner`."""
    first = tf.function(inner, autograph=False)
    return tf.function(lambda: first() + 0.0, autograph=False)()


def loop(inner: Callable[[], Any], *, functional: bool) -> Any:
    def body(count: Any) -> Any:
        with tf.control_dependencies([inner()]):
            return count + 1

    with control_flow(v2=functional):
        return tf.while_loop(lambda count: count < 3, body, [tf.constant(0)])


def chosen(inner: Callable[[], Any]) -> Any:
    with control_flow(v2=True):
        return tf.cond(v1.placeholder(tf.bool, []), inner, lambda: tf.constant([0.0, 0.0]))


def after(operation: Any) -> Any:
    with tf.control_dependencies([operation]):
        return tf.identity(1.0)


def mapped(inner: Callable[[], Any]) -> Any:
    body = tf.function(lambda x: x + inner()[0], autograph=False).get_concrete_function(tf.TensorSpec([], tf.float32))
    body.add_to_graph(v1.get_default_graph())
    return tf.raw_ops.MapDefun(
        arguments=[tf.constant([1.0, 2.0])],
        captured_inputs=body.captured_inputs,
        output_types=[tf.float32],
        output_shapes=[[]],
        f=body,
    )[0]


def optimised(make: Callable[[], Any], *, reference: bool) -> Any:
    w = variable(reference=reference)
    return after(make().minimize(tf.reduce_sum(w * w), var_list=[w]))


def sparse(*, reference: bool) -> Any:
    w = variable(reference=reference)
    return v1.scatter_update(w, [0], [5.0])


def table() -> Any:
    return tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)


def counter() -> Any:
    return v1.get_variable("n", initializer=0, use_resource=True)


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: v1.train.GradientDescentOptimizer(0.1),
    "adam": lambda: v1.train.AdamOptimizer(0.1),
    "momentum": lambda: v1.train.MomentumOptimizer(0.1, 0.9),
    "ftrl": lambda: v1.train.FtrlOptimizer(0.1),
    "rmsprop": lambda: v1.train.RMSPropOptimizer(0.1, centered=True),
}
WRITES: dict[str, Callable[[], Any]] = {
    "assign": lambda: variable().assign([3.0, 4.0]),
    "assign to a reference": lambda: variable(reference=True).assign([3.0, 4.0]),
    "add": lambda: variable().assign_add([3.0, 4.0]),
    "slice": lambda: variable()[0].assign(1.0),
    "slice of a reference": lambda: variable(reference=True)[:1].assign([1.0]),
    "scatter": lambda: sparse(reference=False),
    "scatter into a reference": lambda: sparse(reference=True),
    "scatter nd": lambda: variable().scatter_nd_add([[0]], [1.0]),
    "count up": lambda: tf.raw_ops.ResourceCountUpTo(resource=counter().handle, limit=3, T=tf.int32),
    "initialise": lambda: after(variable().initializer),
    "control": lambda: after(variable().assign([3.0, 4.0])),
    "behind arithmetic": lambda: tf.exp(variable().assign([3.0, 4.0]) * 2.0),
    "function": lambda: deep(lambda: shared().assign([3.0, 4.0]).read_value()),
    "while": lambda: loop(lambda: shared().assign([3.0, 4.0]), functional=True),
    "while of TF1": lambda: loop(lambda: shared().assign([3.0, 4.0]), functional=False),
    "if": lambda: chosen(lambda: shared().assign([3.0, 4.0]).read_value()),
    "map": lambda: mapped(lambda: shared().assign([3.0, 4.0]).read_value()),
    "random": lambda: tf.random.Generator.from_seed(1).normal([2]),
    "insert": lambda: after(table().insert(tf.constant([1], tf.int64), tf.constant([2.0]))),
    "remove": lambda: after(table().remove(tf.constant([1], tf.int64))),
    **{
        f"{name}{' by reference' * reference}": partial(optimised, make, reference=bool(reference))
        for name, make in OPTIMIZERS.items()
        for reference in (0, 1)
    },
}
READS: dict[str, Callable[[], Any]] = {
    "read": lambda: variable() * 2.0,
    "read a reference": lambda: variable(reference=True) * 2.0,
    "random": lambda: tf.random.normal([2]),
    "stateless random": lambda: tf.random.stateless_normal([2], [1, 2]),
    "scatter of tensors": lambda: tf.tensor_scatter_nd_update(variable(), [[0]], [5.0]),
    "scatter nd": lambda: tf.scatter_nd([[0]], [5.0], [3]),
    "gather": lambda: tf.gather(variable(), [0]),
    "function": lambda: deep(lambda: shared() * 3.0),
    "while": lambda: loop(lambda: shared() * 2.0, functional=True),
    "while of TF1": lambda: loop(lambda: shared() * 2.0, functional=False),
    "if": lambda: chosen(lambda: shared() * 2.0),
    "map": lambda: mapped(lambda: shared() * 2.0),
    "look up": lambda: table().lookup(tf.constant([1], tf.int64)),
    "gradient": lambda: tf.gradients(shared() ** 2, [shared()])[0],
}


def shared() -> Any:
    with v1.variable_scope(v1.get_variable_scope(), reuse=v1.AUTO_REUSE):
        return variable()


@pytest.fixture(name="graph", autouse=True)
def _graph() -> Any:
    with tf.Graph().as_default() as one:
        yield one


def made(make: Callable[[], Any], *, before: bool) -> tuple[Any, str]:
    if before:
        shared()
    return v1.get_default_graph(), tf.convert_to_tensor(make()).name


NEEDS_ONE = ("function", "while", "if", "map", "gradient")


@pytest.mark.parametrize("kind", WRITES)
def test_what_writes_is_told(kind: str) -> None:
    graph, name = made(WRITES[kind], before=kind.startswith(NEEDS_ONE))
    assert may_write(graph, [name])


@pytest.mark.parametrize("kind", READS)
def test_what_only_reads_is_told(kind: str) -> None:
    graph, name = made(READS[kind], before=kind.startswith(NEEDS_ONE))
    assert not may_write(graph, [name])


def test_only_what_is_fetched_counts(graph: Any) -> None:
    w = variable()
    read, written = tf.identity(w * 2.0), w.assign([5.0, 6.0])
    assert not may_write(graph, [read.name])
    assert may_write(graph, [read.name, tf.convert_to_tensor(written).name])
    assert not may_write(graph, [])


def test_an_operation_that_tensorflow_does_not_have_counts_as_writing() -> None:
    from tfmagic.runtime.graph.operations import _writes

    assert _writes("MyOwnOp")
    assert not _writes("MatMul")
    assert not _writes("_Arg")


def test_a_loop_of_functions_that_call_each_other_ends(graph: Any) -> None:
    function = tf.function(lambda x: x + 1.0)
    assert not may_write(graph, [function(function(tf.constant(np.float32(1)))).name])


def test_a_finalized_graph_takes_operations_in_the_block_and_is_finalized_again() -> None:
    graph = tf.Graph()
    graph.finalize()
    with adding_to(graph):
        with adding_to(graph):
            tf.constant(1.0, name="inner")
        tf.constant(2.0, name="outer")
    assert graph.finalized
    assert [op.name for op in graph.get_operations()] == ["inner", "outer"]
    with graph.as_default(), pytest.raises(RuntimeError, match="finalized"):
        tf.constant(3.0)


def test_a_graph_that_is_not_finalized_stays_so() -> None:
    graph = tf.Graph()
    with adding_to(graph):
        tf.constant(1.0)
    assert not graph.finalized


def test_an_error_in_the_block_leaves_a_finalized_graph_finalized() -> None:
    graph = tf.Graph()
    graph.finalize()
    with pytest.raises(LookupError), adding_to(graph):
        raise LookupError
    assert graph.finalized


def test_two_threads_that_add_at_once_both_can() -> None:
    graph, inside, end = tf.Graph(), threading.Event(), threading.Event()
    graph.finalize()

    def hold() -> None:
        with adding_to(graph):
            inside.set()
            end.wait(60)
            tf.constant(1.0, name="late")

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert inside.wait(60)
    with adding_to(graph):
        tf.constant(1.0, name="early")
    assert not graph.finalized
    end.set()
    thread.join(60)
    assert graph.finalized
    assert {op.name for op in graph.get_operations()} == {"early", "late"}


LEFT_OPEN: dict[str, Callable[[Any, Any], AbstractContextManager[Any]]] = {
    "name scope": lambda graph, _: graph.name_scope("left"),
    "device": lambda graph, _: graph.device("/job:nowhere/device:GPU:7"),
    "control dependencies": lambda graph, op: graph.control_dependencies([op]),
    "colocation": lambda graph, op: graph.colocate_with(op),
}


@pytest.mark.parametrize("left", LEFT_OPEN)
def test_what_was_left_open_does_not_reach_what_is_added(left: str) -> None:
    graph = tf.Graph()
    with graph.as_default(), ExitStack() as stack:
        theirs = tf.constant(1.0, name="theirs").op
        stack.enter_context(LEFT_OPEN[left](graph, theirs))
        with adding_to(graph):
            mine = tf.constant(2.0, name="mine").op
        after = tf.constant(2.0, name="after").op
    assert (mine.name, mine.device, mine.control_inputs, mine.colocation_groups()) == ("mine", "", [], [b"loc:@mine"])
    # The person's own operations are where they were to be.
    assert (after.name, after.device, after.control_inputs, after.colocation_groups()) != (
        *("after", "", []),
        [b"loc:@after"],
    )


def test_what_is_added_lies_beside_the_operation_it_belongs_to() -> None:
    graph = tf.Graph()
    with graph.as_default(), tf.device("CPU:0"):
        theirs = tf.constant(1.0, name="theirs").op
    with adding_to(graph, beside=theirs):
        mine = tf.constant(2.0).op
    assert mine.colocation_groups() == [b"loc:@theirs"]
