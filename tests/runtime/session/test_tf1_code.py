"""TF1's session interface: what code written for ``tf.compat.v1.Session`` calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph, variable_graph

from tfmagic import session
from tfmagic.errors import ForeignTensorError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def test_saver_saves_and_restores_through_it(tmp_path: Path) -> None:
    graph, w = variable_graph(1.0)
    with graph.as_default():
        session.run(w.initializer)
        session.run(w.assign(7.0))
        path = v1.train.Saver().save(session, str(tmp_path / "ckpt"))
    session.close()
    other, again = variable_graph(1.0)
    with other.as_default():
        v1.train.Saver().restore(session, path)
        assert session.run(again) == 7.0


def test_eval_and_op_run_use_it_as_the_default_session() -> None:
    graph, w = variable_graph(3.0)
    _, x, y = scale_graph(2.0)
    with session.as_default(), graph.as_default():
        w.initializer.run()
        assert w.eval() == 3.0
        assert (w * 2.0).eval() == 6.0
    with session.as_default(), y.graph.as_default():
        np.testing.assert_array_equal(y.eval({x: X}), 2 * X)
    assert v1.get_default_session() is None


def test_graph_is_the_default_graph_of_the_moment() -> None:
    graph, _, _ = scale_graph(2.0)
    with graph.as_default():
        assert session.graph is graph
        assert [node.name for node in session.graph_def.node] == ["x", "Const", "y"]
    assert session.graph is not graph
    assert session.sess_str == ""


def test_partial_run_goes_on_where_it_stopped() -> None:
    graph = tf.Graph()
    with graph.as_default():
        a, b = v1.placeholder(tf.float32, []), v1.placeholder(tf.float32, [])
        total = a + 1.0
        product = total * b
    handle = session.partial_run_setup([total, product], [a, b])
    assert session.partial_run(handle, total, {a: 2.0}) == 3.0
    assert session.partial_run(handle, product, {b: 10.0}) == 30.0


def test_partial_run_of_two_graphs_is_refused() -> None:
    _, x1, y1 = scale_graph(2.0)
    _, x2, y2 = scale_graph(3.0)
    with pytest.raises(ForeignTensorError, match="these fetches are of 2"):
        session.partial_run_setup([y1, y2], [x1, x2])


def test_make_callable_takes_values_in_the_order_of_its_feeds() -> None:
    _, x1, y1 = scale_graph(2.0)
    _, x2, y2 = scale_graph(3.0)
    call = session.make_callable({"one": y1, "two": y2}, [x2, x1])
    given = call(X, 10 * X)
    np.testing.assert_array_equal(given["one"], 20 * X)
    np.testing.assert_array_equal(given["two"], 3 * X)
    with pytest.raises(TypeError, match="takes 2 values, one for each feed; 1 came"):
        call(X)
    with pytest.raises(TypeError, match="accept_options=True"):
        call(X, X, options=v1.RunOptions())
    metadata = v1.RunMetadata()
    with_options = session.make_callable(y1, [x1], accept_options=True)
    with_options(X, options=v1.RunOptions(output_partition_graphs=True), run_metadata=metadata)
    assert metadata.partition_graphs


def test_list_devices_names_the_devices_of_the_process() -> None:
    names = [device.name for device in session.list_devices()]
    assert "/job:localhost/replica:0/task:0/device:CPU:0" in names


def test_config_is_a_copy() -> None:
    session.config.inter_op_parallelism_threads = 99
    assert session.config.inter_op_parallelism_threads != 99


def test_repr_says_what_is_open() -> None:
    graph, x, y = scale_graph(2.0)
    session.host(graph, "net")
    session.run(y, {x: X})
    assert repr(session) == "<KernelSession, 1 graph open: model 'net'>"
    session.evict(graph)


def test_a_prepared_call_gives_what_run_gives() -> None:
    graph, x, y = scale_graph(2.0)
    (given,) = session.call(graph, (x.name,), (y.name,), [X])
    np.testing.assert_array_equal(given, session.run(y, {x: X}))


def test_monitored_hooks_and_global_step_work_in_it() -> None:
    graph = tf.Graph()
    with graph.as_default(), session.as_default():
        step = v1.train.get_or_create_global_step()
        count = v1.assign_add(step, 1)
        session.run(v1.global_variables_initializer())
        session.run(count)
        assert v1.train.global_step(session, step) == 1
