"""Models and graphs that tests are made of, and a fresh Python to run code in."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from forking.process import can_fork, run

from tfmagic.runtime.memory.policy import SETTINGS

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

v1 = tf.compat.v1
CHECKOUT = Path(__file__).resolve().parents[1]
_PATIENCE_S = 240


def fresh_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a Python of its own, with this checkout's tfmagic."""
    return subprocess.run(  # noqa: S603 - the test's own code
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        cwd="/",
        env=_surroundings(environment),
    )


def _surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    # Without what this process has set for its own TensorFlow, which may not have read it yet.
    own = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return {**own, "PYTHONPATH": f"{CHECKOUT}", "TF_CPP_MIN_LOG_LEVEL": "3", **environment}


def ready_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Do as `fresh_python`, with TensorFlow imported, unless the environment asks for another way of importing it."""
    surroundings = _surroundings(environment)
    if not can_fork(surroundings):
        return fresh_python(code, *arguments, **environment)
    words = ("-c", textwrap.dedent(code), *arguments)
    return run(words, cwd="/", env=surroundings, timeout=_PATIENCE_S)


def printed(code: str, *arguments: str, **environment: str) -> list[str]:
    """Run `code` as `ready_python` does; it must end well. Return the lines it printed."""
    return _lines(ready_python(code, *arguments, **environment))


def printed_from_start(code: str, *arguments: str, **environment: str) -> list[str]:
    """Do as `printed`, with a Python that has imported nothing."""
    return _lines(fresh_python(code, *arguments, **environment))


def _lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout.splitlines()


def scale_graph(factor: float, name: str = "y") -> tuple[Any, Any, Any]:
    """Return a graph with ``y = factor * x`` for a vector, and the two tensors."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        y = tf.multiply(x, tf.constant(factor), name=name)
    return graph, x, y


class InterruptedAt:
    """What a model's run calls: it returns what it was given, but the call of a number interrupts the main thread.

    That call ends only when `go` is set, so the interrupt cannot come too late.
    """

    def __init__(self, number: int, go: threading.Event) -> None:
        self._number, self._go = number, go
        self._calls = itertools.count(1)

    def __call__(self, value: Any) -> Any:
        if next(self._calls) == self._number:
            os.kill(os.getpid(), signal.SIGINT)
            self._go.wait(30)
        return value


def variable_graph(start: float) -> tuple[Any, Any]:
    """Return a graph with one scalar variable ``w``, and the variable."""
    graph = tf.Graph()
    with graph.as_default():
        variable = v1.get_variable("w", initializer=tf.constant(start))
    return graph, variable


def save_linear_v1(folder: Path, factor: float = 2.0, offset: float = 1.0, *, reference: bool = False) -> Path:
    """Write a v1 SavedModel with ``simple_save``: ``y = factor * x + offset`` for rows of two."""
    graph = tf.Graph()
    with graph.as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=tf.constant(factor), use_resource=not reference)
        b = v1.get_variable("b", initializer=tf.constant(offset), use_resource=not reference)
        y = tf.add(x * w, b, name="y")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(folder), {"x": x}, {"y": y})
    return folder


def save_v2(folder: Path, function: Callable[..., Any], *specs: Any, **tracked: Any) -> Path:
    """Write a v2 SavedModel whose only signature is `function` with these input specs."""
    module = tf.Module()
    for name, value in tracked.items():
        setattr(module, name, value)
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    tf.saved_model.save(module, str(folder), signatures=concrete)
    return folder


def write_frozen(file: Path, build: Callable[[], Any]) -> Path:
    """Write the graph that `build` makes as a frozen ``.pb``."""
    graph = tf.Graph()
    with graph.as_default():
        build()
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


def frozen_linear(file: Path, factor: float = 2.0, offset: float = 1.0) -> Path:
    """Write ``y = factor * x + offset`` for rows of two, frozen."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.add(x * tf.constant(factor, name="factor"), tf.constant(offset, name="offset"), name="y")

    return write_frozen(file, build)


def add_cell(
    name: str,
    code: str,
    notebook: Mapping[str, Any] | None = None,
    *,
    eager: bool = False,
    keep: bool = False,
    replace: bool = False,
    **options: Any,
) -> Any:
    """Register the model that a ``%%tf_model`` cell builds, and return what came of it."""
    from tfmagic import models
    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.cell_source import CellSource, EagerCellSource

    text = textwrap.dedent(code)
    # One file name a text: linecache keeps the first text that came under a name.
    cell = Cell(text, f"<cell {name} {abs(hash(text))}>")
    source = (EagerCellSource if eager else CellSource)(cell, {} if notebook is None else notebook)
    return models.admit(name, source, Options.checked(**options), keep=keep, replace=replace)


def run_cell(model: Any, code: str, notebook: Mapping[str, Any] | None = None) -> Any:
    """Run a ``%%tf_run`` cell in a model's room, and return its last expression's value."""
    from tfmagic.execution.room.cell import Cell

    source = textwrap.dedent(code)
    return model.execute(
        Cell(source, f"<cell in {model.name} {abs(hash(source))}>"), {} if notebook is None else notebook
    )


@contextmanager
def control_flow(*, v2: bool) -> Iterator[None]:
    """Build loops and branches as TF1 or TF2 has it, and afterwards as before."""
    before = v1.control_flow_v2_enabled()
    (v1.enable_control_flow_v2 if v2 else v1.disable_control_flow_v2)()
    try:
        yield
    finally:
        (v1.enable_control_flow_v2 if before else v1.disable_control_flow_v2)()


def refused(source: Any, match: str, kind: type[Exception] = ValueError, **options: Any) -> None:
    """Add a source that has to be refused in one line, and to leave nothing behind."""
    from tfmagic import models, session

    with pytest.raises(kind, match=match) as caught:
        models.add("net", source, **options)
    said = str(caught.value)
    assert len(said.splitlines()) == 1, said
    assert said.isprintable(), said
    assert len(models) == 0
    assert session.hosted_graphs() == session.open_graphs() == []


def save_module(module: Any, path: Path) -> Path:
    """Write a module as a SavedModel whose only signature is its call."""
    tf.saved_model.save(module, str(path), signatures=module.__call__.get_concrete_function())
    return path
