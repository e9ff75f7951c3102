"""When native sessions open and close, and who may call."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf
from factories import printed, scale_graph, variable_graph

from tfmagic import open_session, session
from tfmagic.errors import UninitialisedVariableError
from tfmagic.runtime.session.hosted_graph import hosted

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def test_close_frees_every_graph_and_the_next_run_opens_again() -> None:
    _, x, y = scale_graph(2.0)
    graph, w = variable_graph(1.0)
    session.run([y, w.initializer], {x: X})
    native = session.open(graph)
    session.close()
    assert session.open_graphs() == []
    with pytest.raises(RuntimeError, match="closed"):
        native.run(w)
    np.testing.assert_array_equal(session.run(y, {x: X}), 2 * X)
    with pytest.raises(UninitialisedVariableError, match="'w'"):
        session.run(w)


def test_close_of_a_closed_session_is_no_error() -> None:
    _, x, y = scale_graph(2.0)
    session.run(y, {x: X})
    assert len(session.open_graphs()) == 1
    for _ in range(2):
        session.close()
        assert session.open_graphs() == []
    np.testing.assert_array_equal(session.run(y, {x: X}), 2 * X)


def test_a_hosted_graph_is_filled_each_time_it_opens() -> None:
    graph, w = variable_graph(5.0)
    filled: list[object] = []

    def fill(native: object) -> None:
        filled.append(native)
        native.run(w.initializer)  # type: ignore[attr-defined]

    session.host(graph, "net", fill=fill)
    assert session.run(w) == 5.0
    session.close()
    assert session.run(w) == 5.0
    assert len(filled) == 2
    session.evict(graph)


def test_a_fill_that_fails_leaves_the_graph_closed() -> None:
    graph, w = variable_graph(5.0)

    def fill(_: object) -> None:
        msg = "no values"
        raise LookupError(msg)

    session.host(graph, "net", fill=fill)
    for _ in range(2):
        with pytest.raises(LookupError, match="no values"):
            session.run(w)
    assert hosted(graph).opened is None
    session.evict(graph)


def test_an_anonymous_graph_is_collected_with_its_native_session() -> None:
    graph, x, y = scale_graph(2.0)
    session.run(y, {x: X})
    session.call(graph, (x.name,), (y.name,), [X])
    graph_gone, native_gone = weakref.ref(graph), weakref.ref(session.open(graph))
    del graph, x, y
    gc.collect()
    assert graph_gone() is None
    assert native_gone() is None
    assert session.open_graphs() == []


def test_open_session_closes_what_it_opened() -> None:
    _, x, y = scale_graph(2.0)
    with open_session() as opened:
        assert opened is session
        assert v1.get_default_session() is session
        opened.run(y, {x: X})
        assert opened.open_graphs() == [y.graph]
    assert v1.get_default_session() is None
    assert session.open_graphs() == []


def test_open_session_closes_also_when_its_body_raises() -> None:
    _, x, y = scale_graph(2.0)

    def body() -> None:
        with open_session() as opened:
            opened.run(y, {x: X})
            msg = "in the body"
            raise LookupError(msg)

    with pytest.raises(LookupError, match="in the body"):
        body()
    assert session.open_graphs() == []
    assert v1.get_default_session() is None


def test_open_session_inside_a_live_session_closes_only_what_it_first_ran() -> None:
    _, w = variable_graph(1.0)
    session.run(w.initializer)
    _, x, y = scale_graph(2.0)
    with open_session() as outer:
        _, x2, y2 = scale_graph(3.0)
        outer.run(y2, {x2: X})
        with open_session() as inner:
            inner.run([y, y2, w], {x: X, x2: X})
        assert y.graph not in session.open_graphs()
        assert y2.graph in session.open_graphs()
    assert session.open_graphs() == [w.graph]
    assert session.run(w) == 1.0


def test_a_block_in_one_thread_leaves_alone_what_another_opens() -> None:
    _, w = variable_graph(1.0)

    def elsewhere() -> None:
        session.run(w.initializer)

    with open_session():
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert session.run(w) == 1.0


def test_many_threads_run_many_graphs_and_open_each_once() -> None:
    graphs = [scale_graph(float(factor)) for factor in range(6)]
    opened: list[object] = []
    for graph, _, _ in graphs:
        session.host(graph, f"model{len(opened)}", fill=opened.append)
    wrong: list[object] = []
    start = threading.Barrier(12)

    def work(seed: int) -> None:
        start.wait()
        for turn in range(30):
            factor = (seed + turn) % 6
            graph, x, y = graphs[factor]
            if turn % 2:
                value = session.run([y, y.op], {x: X})[0]
            else:
                (value,) = session.call(graph, (x.name,), (y.name,), [X])
            if not np.array_equal(value, factor * X):
                wrong.append((factor, value))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(opened) == 6
    for graph, _, _ in graphs:
        session.evict(graph)


@pytest.mark.slow
def test_no_thread_of_a_further_graph_stays() -> None:
    code = """
        import os
        import time
        import tensorflow as tf
        from tfmagic import session

        def run():
            with tf.Graph().as_default():
                x = tf.compat.v1.placeholder(tf.float32, [None])
                session.run(tf.reduce_sum(x), {x: [1.0] * 100})

        def threads_that_stay(most):
            # A thread that has ended is in the list until the system has taken its stack.
            for _ in range(300):
                if len(os.listdir("/proc/self/task")) <= most:
                    break
                time.sleep(0.01)
            return len(os.listdir("/proc/self/task"))

        run()
        before = threads_that_stay(0)
        for _ in range(20):
            run()
        print(before, threads_that_stay(before), len(session.open_graphs()) > 0)
    """
    before, after, _ = printed(code)[-1].split()
    assert before == after
