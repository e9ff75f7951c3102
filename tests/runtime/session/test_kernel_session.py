"""``KernelSession.run``: tensors of any graph, in any structure."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph, variable_graph

from tfmagic import session
from tfmagic.errors import ForeignTensorError, UninitialisedVariableError

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


class Pair(NamedTuple):
    first: Any
    second: Any


def test_runs_a_graph_it_has_never_seen() -> None:
    _, x, y = scale_graph(2.0)
    np.testing.assert_array_equal(session.run(y, {x: X}), 2 * X)


def test_runs_tensors_of_several_graphs_in_one_call_each_fed_its_own() -> None:
    _, x1, y1 = scale_graph(2.0)
    _, x2, y2 = scale_graph(3.0)
    one, two, again = session.run([y1, y2, y1], {x1: X, x2: 10 * X})
    np.testing.assert_array_equal(one, 2 * X)
    np.testing.assert_array_equal(two, 30 * X)
    np.testing.assert_array_equal(again, one)


def test_same_variable_name_in_two_graphs_is_two_variables() -> None:
    _, w1 = variable_graph(1.0)
    _, w2 = variable_graph(2.0)
    session.run([w1.initializer, w2.initializer])
    with w1.graph.as_default():
        session.run(w1.assign(10.0))
    assert session.run([w1, w2]) == [10.0, 2.0]


@pytest.mark.parametrize("several", [False, True])
def test_nested_structures_come_back_as_they_were(several: bool) -> None:  # noqa: FBT001
    _, x1, y1 = scale_graph(2.0)
    _, x2, y2 = scale_graph(3.0) if several else (None, x1, y1)
    asked = {
        "dict": {"a": y1, "b": [y2, (y1,)]},
        "ordered": OrderedDict([("z", y2), ("a", y1)]),
        "named": Pair(y1, {"deep": y2}),
        "operation": y1.op,
        "empty": [],
    }
    given = session.run(asked, {x1: X, x2: X})
    assert list(given) == list(asked)
    assert type(given["ordered"]) is OrderedDict
    assert list(given["ordered"]) == ["z", "a"]
    assert type(given["named"]) is Pair
    assert type(given["dict"]["b"][1]) is tuple
    assert given["operation"] is None
    assert given["empty"] == []
    np.testing.assert_array_equal(given["named"].second["deep"], 3 * X if several else 2 * X)
    np.testing.assert_array_equal(given["dict"]["a"], 2 * X)


@pytest.mark.parametrize("several", [False, True])
def test_classes_in_the_manner_of_attrs_come_back_as_they_were(several: bool) -> None:  # noqa: FBT001
    class Both:
        __attrs_attrs__ = (SimpleNamespace(name="left"), SimpleNamespace(name="right"))

        def __init__(self, left: Any, right: Any) -> None:
            self.left, self.right = left, right

    graph, x1, y1 = scale_graph(2.0)
    with graph.as_default():
        other = y1 + 1.0
    _, x2, y2 = scale_graph(3.0) if several else (graph, x1, other)
    given = session.run(Both(y1, y2), {x1: X, x2: X})
    assert type(given) is Both
    np.testing.assert_array_equal(given.left, 2 * X)
    np.testing.assert_array_equal(given.right, 3 * X if several else 2 * X + 1)


def test_a_name_is_looked_up_in_the_default_graph() -> None:
    _, _, y1 = scale_graph(2.0)
    graph, _, _ = scale_graph(3.0)
    with graph.as_default():
        np.testing.assert_array_equal(session.run("y:0", {"x:0": X}), 3 * X)
        assert session.run("y", {"x:0": X}) is None
        named, foreign = session.run(["y:0", y1], {"x:0": X, y1.op.inputs[0]: X})
    np.testing.assert_array_equal(named, 3 * X)
    np.testing.assert_array_equal(foreign, 2 * X)


def test_a_name_that_is_not_there_is_tensorflows_own_error() -> None:
    graph, _, _ = scale_graph(3.0)
    with graph.as_default(), pytest.raises(ValueError, match="nothing_such"):
        session.run("nothing_such:0")


def test_options_and_metadata_are_passed_on_and_those_of_several_graphs_merged() -> None:
    _, x1, y1 = scale_graph(2.0, "first")
    _, x2, y2 = scale_graph(3.0, "second")
    options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
    alone = v1.RunMetadata()
    session.run(y1, {x1: X}, options=options, run_metadata=alone)
    both = v1.RunMetadata()
    session.run([y1, y2], {x1: X, x2: X}, options=options, run_metadata=both)
    seen = {node.name for part in alone.partition_graphs for node in part.node}
    assert "first" in seen
    seen_both = {node.name for part in both.partition_graphs for node in part.node}
    assert {"first", "second"} <= seen_both
    assert both.step_stats.dev_stats


def test_feeding_a_graph_of_which_nothing_is_fetched_is_refused_with_both_named() -> None:
    graph, _, y = scale_graph(2.0)
    other, x2, _ = scale_graph(3.0)
    session.host(graph, "one")
    session.host(other, "two")
    with pytest.raises(ForeignTensorError, match=r"'x:0' is a tensor of model 'two'.*fetches only from model 'one'"):
        session.run(y, {x2: X})
    session.evict(graph)
    session.evict(other)


def test_an_eager_value_is_refused_with_what_to_do() -> None:
    with pytest.raises(ForeignTensorError, match=r"eager value.*\.numpy\(\)"):
        session.run(tf.constant(1.0))
    with pytest.raises(ForeignTensorError, match="eager value"):
        session.run(tf.Variable(1.0))


@pytest.mark.parametrize("what", [3, None, object()])
def test_what_cannot_be_fetched_is_refused_as_session_run_does(what: object) -> None:
    with pytest.raises(TypeError, match="cannot run"):
        session.run(what)


@pytest.mark.parametrize("resource", [True, False])
def test_a_variable_never_initialised_is_named(resource: bool) -> None:  # noqa: FBT001
    graph = tf.Graph()
    with graph.as_default():
        variable = v1.get_variable("layer/weights", [2], use_resource=resource)
        total = tf.reduce_sum(variable)
    session.host(graph, "net")
    with pytest.raises(UninitialisedVariableError, match=r"'layer/weights' of model 'net' was never initialised"):
        session.run(total)
    with pytest.raises(UninitialisedVariableError, match="'layer/weights' of model 'net'"):
        session.call(graph, (), (total.name,), [])
    session.evict(graph)


def test_ragged_and_sparse_values_are_fetched_and_fed() -> None:
    graph = tf.Graph()
    with graph.as_default():
        ragged = tf.ragged.constant([[1], [2, 3]])
        sparse = v1.sparse_placeholder(tf.float32, [2, 2])
        dense = tf.sparse.to_dense(sparse)
    value, given = session.run([ragged, dense], {sparse: v1.SparseTensorValue([[0, 1]], [5.0], [2, 2])})
    assert value.to_list() == [[1], [2, 3]]
    np.testing.assert_array_equal(given, [[0, 5], [0, 0]])


def test_an_empty_fetch_gives_the_empty_structure() -> None:
    graph, _, _ = scale_graph(2.0)
    with graph.as_default():
        assert session.run([]) == []
        assert session.run({"none": []}) == {"none": []}
