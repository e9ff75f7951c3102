"""Operations of tfmagic's own come into a graph whatever state it is in, and leave it in that state."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic.runtime.graph.additions import adding_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

v1 = tf.compat.v1


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
