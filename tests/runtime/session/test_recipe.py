"""The well-known recipe, "load the libraries once and use one session for several models".

It is written in three forms: an object that holds the one session, a context
manager that yields it, a session that is started when a module is imported. Each
works with ``KernelSession`` as it is written; with TensorFlow's own session it
fails at the second model, which is the last test.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph

import tfmagic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def trained(start: float) -> tuple[Any, Any, Any]:
    """Return a graph with a variable of the one name that every model uses."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=tf.constant(start))
        y = tf.multiply(x, w, name="y")
    return graph, x, y


def test_a_singleton_object_that_holds_the_one_session() -> None:
    class SessionHolder:
        _instance: ClassVar[SessionHolder | None] = None
        session: Any

        def __new__(cls) -> SessionHolder:  # noqa: PYI034 - as the recipe has it
            if cls._instance is None:
                cls._instance = super().__new__(cls)
                cls._instance.session = tfmagic.KernelSession()
            return cls._instance

    class Model:
        def __init__(self, start: float) -> None:
            self.session = SessionHolder().session
            self.graph, self.x, self.y = trained(start)
            with self.graph.as_default():
                self.session.run(v1.global_variables_initializer())

        def predict(self, value: Any) -> Any:
            return self.session.run(self.y, feed_dict={self.x: value})

    first, second = Model(2.0), Model(3.0)
    assert first.session is second.session
    np.testing.assert_array_equal(first.predict(X), 2 * X)
    np.testing.assert_array_equal(second.predict(X), 3 * X)
    np.testing.assert_array_equal(first.predict(X), 2 * X)


def test_a_context_manager_that_yields_the_session_and_closes_it() -> None:
    @contextmanager
    def tensorflow_session() -> Iterator[Any]:
        session = tfmagic.KernelSession()
        try:
            yield session
        finally:
            session.close()

    for manager in (tensorflow_session, tfmagic.open_session):
        with manager() as session:
            graph1, x1, y1 = trained(2.0)
            graph2, x2, y2 = trained(3.0)
            for graph in (graph1, graph2):
                with graph.as_default():
                    session.run(v1.global_variables_initializer())
            np.testing.assert_array_equal(session.run(y1, {x1: X}), 2 * X)
            np.testing.assert_array_equal(session.run(y2, {x2: X}), 3 * X)
        assert tfmagic.session.open_graphs() == []


def test_a_session_started_at_import_with_nested_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared_tensorflow.py").write_text(
        "import tensorflow as tf\n"
        "import tfmagic\n"
        "session = tfmagic.KernelSession()\n"
        "def load(factor):\n"
        "    graph = tf.Graph()\n"
        "    with session.as_default(), graph.as_default():\n"
        "        x = tf.compat.v1.placeholder(tf.float32, [None], 'x')\n"
        "        w = tf.compat.v1.get_variable('w', initializer=tf.constant(factor))\n"
        "        y = tf.multiply(x, w, name='y')\n"
        "        w.initializer.run()\n"
        "    return graph\n"
        "first, second = load(2.0), load(3.0)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    shared = importlib.import_module("shared_tensorflow")
    try:
        with shared.session.as_default() as session:  # noqa: SIM117 - as the recipe has it
            with shared.first.as_default():
                np.testing.assert_array_equal(session.run("y:0", {"x:0": X}), 2 * X)
                with session.as_default(), shared.second.as_default():
                    y = session.graph.get_tensor_by_name("y:0")
                    np.testing.assert_array_equal(y.eval({"x:0": X}), 3 * X)
                np.testing.assert_array_equal(session.run("y:0", {"x:0": X}), 2 * X)
    finally:
        del sys.modules["shared_tensorflow"]


def test_the_naive_form_with_one_native_session_fails_at_the_second_graph() -> None:
    graph1, x1, y1 = scale_graph(2.0)
    _, x2, y2 = scale_graph(3.0)
    with v1.Session(graph=graph1) as session:
        np.testing.assert_array_equal(session.run(y1, {x1: X}), 2 * X)
        with pytest.raises((ValueError, TypeError), match="not an element of this graph"):
            session.run(y2, {x2: X})
