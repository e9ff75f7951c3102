"""What a graph writes to variables, when it is frozen: left out where no output needs it, refused where one does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, save_v2
from reference_tensorflow import by_import, record_of, same

from tfmagic import models
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.array([1, 2], np.float32)
SPEC = tf.TensorSpec([None], name="x")


def counted_beside(x: Any, w: Any, calls: Any) -> Any:
    calls.assign_add(1.0)
    return {"y": x * w}


def counted_in_a_branch(x: Any, w: Any, calls: Any) -> Any:
    return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: counted_beside(x, w, calls)["y"], lambda: x)}


def counted_by_a_function(x: Any, w: Any, calls: Any) -> Any:
    @tf.function
    def inner(a: Any) -> Any:
        return counted_beside(a, w, calls)["y"]

    return {"y": inner(inner(x))}


@pytest.mark.parametrize("function", [counted_beside, counted_in_a_branch, counted_by_a_function])
def test_a_count_that_no_output_reads_is_left_out_and_said(tmp_path: Path, function: Callable[..., Any]) -> None:
    w, calls = tf.Variable(3.0), tf.Variable(0.0)
    folder = save_v2(tmp_path / "net", lambda x: function(x, w, calls), SPEC, w=w, calls=calls)
    live = tf.function(lambda x: function(x, w, calls), input_signature=[SPEC])
    for model in (models.add("folder", folder), models.add("copy", live, copy=True), models.add("live", live)):
        file = model.save(tmp_path / f"{model.name}.pb")
        assert "without what it writes to 1 variable when it runs" in record_of(model)["notes"]
        same(model.run(X), by_import(file, {"x": X}, ["y"]))


def reads_what_it_counted(x: Any, w: Any, calls: Any) -> Any:
    calls.assign_add(1.0)
    return {"y": x * w + calls}


def counts_what_it_has_read(x: Any, w: Any, calls: Any) -> Any:
    y = x * w + calls
    calls.assign_add(1.0)
    return {"y": y}


def counts_in_a_function_what_another_reads(x: Any, w: Any, calls: Any) -> Any:
    @tf.function
    def count(a: Any) -> Any:
        calls.assign_add(1.0)
        return a * w

    @tf.function
    def read(a: Any) -> Any:
        return a + calls

    return {"y": read(count(x))}


def adds_up_in_a_loop(x: Any, w: Any, calls: Any) -> Any:
    def body(i: Any, a: Any) -> Any:
        calls.assign_add(1.0)
        return i + 1, a * w + calls

    return {"y": tf.while_loop(lambda i, _: i < 3, body, [0, x])[1]}


@pytest.mark.parametrize(
    "function",
    [reads_what_it_counted, counts_what_it_has_read, counts_in_a_function_what_another_reads, adds_up_in_a_loop],
)
def test_a_variable_that_an_output_reads_and_a_run_writes_is_refused(
    tmp_path: Path, function: Callable[..., Any]
) -> None:
    w, calls = tf.Variable(3.0), tf.Variable(0.0)
    folder = save_v2(tmp_path / "net", lambda x: function(x, w, calls), SPEC, w=w, calls=calls)
    live = tf.function(lambda x: function(x, w, calls), input_signature=[SPEC])
    for model in (models.add("folder", folder), models.add("live", live)):
        with pytest.raises(SaveError, match=r"writes to a variable when it runs .* that its outputs depend on"):
            model.save(tmp_path / "refused.pb")
    assert not (tmp_path / "refused.pb").exists()


def test_random_numbers_of_a_generator_are_refused(tmp_path: Path) -> None:
    generator = tf.random.Generator.from_seed(1)
    model = models.add("net", tf.function(lambda x: {"y": x + generator.normal([])}, input_signature=[SPEC]))
    with pytest.raises(SaveError, match=r"net (writes to a variable|has tables or other state)"):
        model.save(tmp_path / "net.pb")


@pytest.mark.parametrize("reference", [False, True])
def test_an_update_that_is_only_waited_for(tmp_path: Path, reference: bool) -> None:  # noqa: FBT001
    add_cell(
        "net",
        f"""
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0, use_resource={not reference})
        mean = v1.get_variable("mean", initializer=0.0, use_resource={not reference})
        with tf.control_dependencies([mean.assign(tf.reduce_mean(x)).op, tf.debugging.assert_non_negative(x)]):
            y = tf.multiply(x, w, "y")
        """,
        inputs="x",
        outputs="y",
    )
    file = models.net.save(tmp_path / "net.pb")
    assert record_of(models.net)["notes"] == [
        "without 1 variable that its outputs do not need",
        "without what it writes to 1 variable when it runs",
    ]
    same(models.net.run(X), by_import(file, {"x": X}, ["y"]))
    # What checks the input stays.
    with pytest.raises(tf.errors.InvalidArgumentError):
        by_import(file, {"x": -X}, ["y"])
