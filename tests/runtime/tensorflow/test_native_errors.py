"""What fails in native code at a run is one line, which names the model; the whole message is in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell

from tfmagic import models
from tfmagic.errors import InputError, MissingPathError, SourceError
from tfmagic.runtime.native_log.log import native_log

if TYPE_CHECKING:
    from pathlib import Path

CELL = """
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, None, "x")
    product = tf.matmul(x, tf.ones([2, 2]), name="product")
    checked = tf.debugging.check_numerics(x, "no number", name="checked")
    huge = tf.zeros(tf.cast(x, tf.int32) * 1_000_000, name="huge")
    python = v1.py_func(lambda value: 1 / 0, [x], tf.float32, name="python")
    picked = tf.gather([1.0, 2.0], tf.cast(x, tf.int32), name="picked")
"""
FAILURES = {
    "product": (np.ones([3, 3], np.float32), tf.errors.InvalidArgumentError, "Matrix size-incompatible"),
    "checked": (np.array([np.nan], np.float32), tf.errors.InvalidArgumentError, "no number"),
    "huge": (np.array([2000, 2000], np.float32), tf.errors.ResourceExhaustedError, "more memory than there is"),
    "python": (np.array([1], np.float32), tf.errors.UnknownError, "ZeroDivisionError: division by zero"),
    "picked": (np.array([7], np.float32), tf.errors.InvalidArgumentError, "is not in [0, 2)"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("options", [{}, {"trace": True}, {"timeout": 60.0}])
def test_a_native_failure_is_one_line_that_names_the_model(name: str, options: dict[str, Any]) -> None:
    value, kind, said = FAILURES[name]
    model = add_cell("net", CELL, {"tf": tf}, inputs="x", outputs="product").model
    with pytest.raises(kind) as caught:
        model.run(value, fetch=name, **options)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("net: ")
    assert said in line
    assert f"operation {name}" in line
    assert "Error: net: " in model.last_error


def test_a_failure_in_a_cell_and_what_the_log_keeps_of_it() -> None:
    native_log()
    model = add_cell("net", CELL, {"tf": tf}, inputs="x", outputs="product").model
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        run_cell(model, "session.run(product, {x: [[1.0]]})")
    assert len(str(caught.value).splitlines()) == 1
    kept = [entry for entry in native_log().record()["entries"] if entry["model"] == "net"]
    assert any("Detected at node" in entry["text"] for entry in kept)


def test_a_live_function_too() -> None:
    model = models.add("net", tf.function(lambda x: tf.reshape(x, tf.cast(x, tf.int32))))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        model(np.array([7, 7], np.float32))
    assert str(caught.value).startswith("net: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("key", [1, None, (1, 2), b"x", 2.5])
def test_a_mapping_whose_keys_are_no_names(key: Any) -> None:
    model = add_cell("net", CELL, {"tf": tf}, inputs="x", outputs="product").model
    with pytest.raises(InputError, match="a mapping gives inputs by name"):
        model({key: 2})


def test_a_working_folder_that_was_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = add_cell("net", CELL, {"tf": tf}, inputs="x", outputs="product").model
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for path in ("x.pb", "x", "../x.keras"):
        with pytest.raises(MissingPathError, match="the working folder has been removed"):
            models.add("other", path)
        with pytest.raises(MissingPathError, match="the working folder has been removed"):
            models.inspect(path)
        with pytest.raises(MissingPathError, match="the working folder has been removed"):
            model.save(path)
    assert model.save(tmp_path / "saved").is_dir()


def test_a_layer_that_is_too_large_says_memory() -> None:
    code = "w = tf.compat.v1.get_variable('w', [10**6, 10**7])\ny = tf.identity(w[0, :2], name='y')"
    (note,) = add_cell("net", code, {"tf": tf}).model.notes
    assert "40000 GB is more memory than there is" in note


def test_what_was_made_without_eager_execution_is_refused_in_one_line() -> None:
    # As after tf.compat.v1.disable_eager_execution().
    with tf.Graph().as_default():
        module = tf.Module()
        module.w = tf.Variable(2.0)
        module.__class__ = type("Scale", (tf.Module,), {"__call__": lambda self, x: x * self.w})
    for copy in (False, True):
        with pytest.raises(SourceError, match=r"disable_eager_execution.*restart the kernel"):
            models.add("net", module, copy=copy)


def test_odd_entries_in_a_collection_are_passed_over(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as own:
        w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
        y = tf.matmul(v1.placeholder(tf.float32, [None, 2], "x"), w, name="y")
        own.run(w.initializer)
        saver = v1.train.Saver()
        for collection in ("local_variables", "metric_variables", "trainable_variables"):
            graph.add_to_collection(collection, y)
            graph.add_to_collection(collection, y.op)
        saver.save(own, str(tmp_path / "net"))
    assert models.add("net", tmp_path / "net.meta")([[1.0, 2.0]]).tolist() == [[3.0]]
