"""Daemon threads for the calls that a person types."""

from __future__ import annotations

import contextvars
import threading
import time
from typing import TYPE_CHECKING

import pytest
import tensorflow as tf
from factories import ready_python, scale_graph

from tfmagic import session
from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.concurrency.workers import Workers, workers
from tfmagic.errors import ModelStateError
from tfmagic.runtime.session.hosted_graph import hosted

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def crew() -> Iterator[Workers]:
    """Workers of a kernel, dismissed at the end."""
    found = Workers()
    found.interactive = True
    yield found
    found.dismiss()


def test_a_script_calls_directly(crew: Workers) -> None:
    crew.interactive = False
    assert crew.call(threading.current_thread) is threading.current_thread()
    assert not workers().interactive


def test_a_kernels_main_thread_calls_through_one_daemon_that_is_used_again(crew: Workers) -> None:
    first, second = crew.call(threading.current_thread), crew.call(threading.current_thread)
    assert first is second
    assert first is not threading.current_thread()
    assert first.daemon
    assert first.name == "tfmagic-run"


def test_another_thread_than_the_main_one_calls_directly(crew: Workers) -> None:
    found: list[bool] = []

    def work() -> None:
        found.append(crew.call(threading.current_thread) is threading.current_thread())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [True]


def test_what_the_call_raises_comes_back_as_it_is(crew: Workers) -> None:
    error = LookupError("in the call")

    def fail() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        crew.call(fail)
    assert caught.value is error
    assert crew.call(lambda: 3) == 3


def test_the_call_runs_in_the_callers_context(crew: Workers) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    variable.set("the caller's")
    assert crew.call(variable.get) == "the caller's"


def test_calls_at_once_have_a_worker_each(crew: Workers) -> None:
    outer, inner = crew.call(lambda: (threading.current_thread(), crew.call_in_worker(threading.current_thread)))
    assert outer is not inner
    assert outer.daemon
    assert inner.daemon


def test_dismissed_workers_end(crew: Workers) -> None:
    thread = crew.call(threading.current_thread)
    crew.dismiss()
    thread.join(5)
    assert not thread.is_alive()
    assert crew.call(threading.current_thread) is threading.current_thread()


def test_a_graph_whose_run_was_interrupted_refuses_the_next_until_it_has_ended() -> None:
    graph, x, y = scale_graph(2.0)
    session.host(graph, "net")
    go = threading.Event()
    entered = threading.Event()

    def wait(_: object) -> None:
        entered.set()
        go.wait(10)

    record = hosted(graph)
    record.prepare = wait
    scope = CancelScope()
    thread = threading.Thread(target=scope.context().run, args=(lambda: session.run(y, {x: [1.0]}),))
    thread.start()
    entered.wait(10)
    scope.cancel()
    time.sleep(0.05)
    assert record.runs.stopping_since is not None
    with pytest.raises(ModelStateError, match=r"model 'net' is still stopping: it was interrupted 0\.\d s ago"):
        session.run(y, {x: [1.0]})
    with pytest.raises(ModelStateError, match="still stopping"):
        session.call(graph, (x.name,), (y.name,), [[1.0]])  # type: ignore[list-item]
    go.set()
    thread.join()
    record.prepare = None
    assert record.runs.stopping_since is None
    assert session.run(y, {x: [1.0]}).tolist() == [2.0]
    session.evict(graph)


@pytest.mark.slow
def test_a_native_run_that_hangs_does_not_hold_up_the_end_of_the_process() -> None:
    code = """
        import threading, time
        import tensorflow as tf
        from tfmagic import session
        from tfmagic.concurrency.workers import workers

        with tf.Graph().as_default():
            queue = tf.queue.FIFOQueue(1, [tf.float32])
            stuck = queue.dequeue()
        crew = workers()
        crew.interactive = True
        waiting = threading.Thread(target=lambda: crew.call_in_worker(lambda: session.run(stuck)), daemon=True)
        waiting.start()
        time.sleep(0.5)
        print("ends", flush=True)
    """
    done = ready_python(code)
    assert done.stdout == "ends\n"
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_cancelled_native_run_raises_in_its_caller() -> None:
    graph = tf.Graph()
    with graph.as_default():
        stuck = tf.queue.FIFOQueue(1, [tf.float32]).dequeue()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            session.run(stuck)
        except (tf.errors.OpError, ModelStateError) as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while hosted(graph).opened is None:
        time.sleep(0.01)
    time.sleep(0.2)
    session.evict(graph)
    thread.join(10)
    assert isinstance(raised[0], ModelStateError)
    assert isinstance(raised[0].__cause__, tf.errors.CancelledError)
