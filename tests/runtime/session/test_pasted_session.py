"""``tf.compat.v1.Session()`` inside a room is the room's session."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph, variable_graph

from tfmagic import session
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.pasted_session import PastedSession, session_redirect

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def test_leaving_it_closes_nothing_and_trained_variables_stay() -> None:
    graph, w = variable_graph(1.0)
    with graph.as_default(), session_redirect().active():
        with v1.Session() as pasted:
            assert isinstance(pasted, v1.Session)
            pasted.run(v1.global_variables_initializer())
            pasted.run(w.assign_add(4.0))
            assert w.eval() == 5.0
        pasted.close()
        assert pasted.run(w) == 5.0
    assert session.run(w) == 5.0


def test_interactive_session_is_the_rooms_too() -> None:
    graph, w = variable_graph(1.0)
    with graph.as_default(), session.as_default(), session_redirect().active():
        pasted = v1.InteractiveSession()
        w.initializer.run()
        assert w.eval() == 1.0
        pasted.close()
    assert session.run(w) == 1.0


def test_names_callables_and_partial_runs_are_of_its_graph() -> None:
    graph, _, _ = scale_graph(2.0)
    other, _, _ = scale_graph(3.0)
    with other.as_default(), session_redirect().active():
        pasted = v1.Session(graph=graph)
        assert pasted.graph is graph
        assert pasted.sess_str == ""
        assert [node.name for node in pasted.graph_def.node] == ["x", "Const", "y"]
        np.testing.assert_array_equal(pasted.run("y:0", {"x:0": X}), 2 * X)
        np.testing.assert_array_equal(pasted.make_callable("y:0", ["x:0"])(X), 2 * X)
        handle = pasted.partial_run_setup(["y:0"], ["x:0"])
        np.testing.assert_array_equal(pasted.partial_run(handle, "y:0", {"x:0": X}), 2 * X)
        assert [one.name for one in pasted.list_devices()] == [one.name for one in session.list_devices()]
        with pasted.as_default(), graph.as_default():
            np.testing.assert_array_equal(graph.get_tensor_by_name("y:0").eval({"x:0": X}), 2 * X)


def test_saver_accepts_it(tmp_path: object) -> None:
    graph, w = variable_graph(1.0)
    with graph.as_default(), session_redirect().active(), v1.Session() as pasted:
        pasted.run(w.initializer)
        path = v1.train.Saver().save(pasted, f"{tmp_path}/ckpt")
        pasted.run(w.assign(9.0))
        v1.train.Saver().restore(pasted, path)
    assert session.run(w) == 1.0


def test_a_config_is_set_aside_with_a_warning() -> None:
    graph, _ = variable_graph(1.0)
    with (
        graph.as_default(),
        session_redirect().active(),
        pytest.warns(UserWarning, match="configuration stays in force"),
    ):
        v1.Session(config=v1.ConfigProto(allow_soft_placement=True))


def test_sessions_of_other_threads_and_after_the_room_are_stock_ones() -> None:
    graph, w = variable_graph(1.0)
    elsewhere: list[object] = []

    def work() -> None:
        with v1.Session(graph=graph) as stock:
            elsewhere.append(type(stock))

    with graph.as_default(), session_redirect().active():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert type(v1.Session()) is PastedSession
        assert type(NativeSession(graph=graph)) is NativeSession
    assert elsewhere == [v1.Session]
    with v1.Session(graph=graph) as stock:
        assert type(stock) is v1.Session
        stock.run(w.initializer)
    assert vars(v1.Session.__mro__[1])["__init__"].__qualname__ == "BaseSession.__init__"


def test_rooms_within_rooms_keep_the_detour_until_the_last_is_left() -> None:
    graph, _ = variable_graph(1.0)
    with graph.as_default(), session_redirect().active():
        with session_redirect().active():
            assert type(v1.Session()) is PastedSession
        assert type(v1.Session()) is PastedSession
