"""Several models at the same time, each on its own input."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from factories import scale_graph, v1

import tfmagic
from tfmagic import models
from tfmagic.errors import InputError, RunTimeoutError, UninitialisedVariableError, UnknownNameError
from tfmagic.execution.signature.result import Result


@pytest.fixture
def pair() -> None:
    """``one`` doubles, ``two`` has two outputs."""
    graph, _, _ = scale_graph(2.0)
    models.add("one", graph)
    graph = tf.Graph()
    with graph.as_default():
        a = v1.placeholder(tf.float32, [None], "a")
        tf.add(a, 1.0, name="more")
        tf.subtract(a, 1.0, name="less")
    models.add("two", graph)


@pytest.mark.usefixtures("pair")
def test_every_model_gets_its_own_input_and_results_come_by_name() -> None:
    results = tfmagic.run_all({"one": [1.0, 2.0], "two": {"a": [5.0]}})
    assert list(results) == ["one", "two"]
    np.testing.assert_array_equal(results["one"], [2, 4])
    assert isinstance(results["two"], Result)
    np.testing.assert_array_equal(results["two"].more, [6])


def test_nothing_to_run_gives_nothing() -> None:
    assert tfmagic.run_all({}) == {}


def test_a_model_that_takes_nothing_gets_an_empty_mapping() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.constant([7.0], name="y")
    models.add("fixed", graph, outputs="y")
    assert tfmagic.run_all({"fixed": {}})["fixed"].tolist() == [7]


def test_they_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2)

    def meet(x: Any) -> Any:
        # Were they to run one after the other, the first would wait for the second until this fails.
        meeting.wait(20)
        return x

    for name in ("one", "two"):
        graph = tf.Graph()
        with graph.as_default():
            tf.identity(v1.py_func(meet, [v1.placeholder(tf.float32, [], "x")], tf.float32), name="y")
        models.add(name, graph, inputs="x", outputs="y")
    assert tfmagic.run_all({"one": 1.0, "two": 2.0}) == {"one": 1.0, "two": 2.0}


@pytest.mark.usefixtures("pair")
def test_every_input_is_checked_before_anything_runs() -> None:
    with pytest.raises(InputError, match="two has no input 'b'"):
        tfmagic.run_all({"one": [1.0], "two": {"b": [1.0]}})
    with pytest.raises(InputError, match="two: input 'a' takes float32"):
        tfmagic.run_all({"one": [1.0], "two": [[1.0]]})
    assert models.one.record()["calls"] == 0


@pytest.mark.usefixtures("pair")
def test_an_unknown_model_is_an_error_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no model 'tow' \(did you mean 'two'\?\)"):
        tfmagic.run_all({"one": [1.0], "tow": [1.0]})


def test_what_is_no_mapping_is_refused() -> None:
    with pytest.raises(InputError, match=r"run_all takes a mapping, .*, got list"):
        tfmagic.run_all([1.0])  # type: ignore[arg-type]


def test_the_first_failure_is_raised_naming_its_model_and_others_are_noted() -> None:
    for name in ("a", "b", "c"):
        graph = tf.Graph()
        with graph.as_default():
            tf.debugging.check_numerics(v1.placeholder(tf.float32, [], "x"), f"bad in {name}", name="y")
        models.add(name, graph)
    with pytest.raises(tf.errors.InvalidArgumentError, match="bad in b") as failed:
        tfmagic.run_all({"a": 1.0, "b": np.nan, "c": np.nan})
    first, second = failed.value.__notes__
    assert first == "raised by model 'b'"
    assert second.startswith("c failed too: InvalidArgumentError: ")


def test_an_error_of_tfmagics_own_stays_one_line_and_has_the_others() -> None:
    for name in ("a", "b"):
        graph = tf.Graph()
        with graph.as_default():
            unset = v1.get_variable("unset", initializer=v1.placeholder(tf.float32, [], "z"))
            tf.add(v1.placeholder(tf.float32, [], "x"), unset, name="y")
        models.add(name, graph, inputs="x", outputs="y")
    with pytest.raises(UninitialisedVariableError) as failed:
        tfmagic.run_all({"a": 1.0, "b": 1.0})
    first, other = str(failed.value).split("; b failed too: UninitialisedVariableError: ")
    assert first.startswith("variable 'unset' of model 'a' was never initialised")
    assert other == first.replace("'a'", "'b'")
    assert "\n" not in first


def test_a_deadline_names_the_models_that_had_not_answered() -> None:
    go = threading.Event()

    def hold(x: Any) -> Any:
        go.wait(30)
        return x

    graph, _, _ = scale_graph(2.0)
    models.add("quick", graph)
    for name in ("slow", "slower"):
        models.add(name, tf.function(lambda x: tf.numpy_function(hold, [x], tf.float32)))
    go.set()
    tfmagic.run_all({"slow": np.float32(1), "quick": [1.0], "slower": np.float32(1)})  # traced and opened
    go.clear()
    try:
        with pytest.raises(RunTimeoutError, match=r"^slow and slower: no answer within 0\.5 s; slow and slower"):
            tfmagic.run_all({"slow": np.float32(1), "quick": [1.0], "slower": np.float32(1)}, timeout=0.5)
    finally:
        go.set()
    with pytest.raises(InputError, match="timeout takes a number of seconds above 0"):
        tfmagic.run_all({"quick": [1.0]}, timeout=-1)
