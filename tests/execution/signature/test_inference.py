"""The ends of graphs that declare none, where more is in them than the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import add_cell

from tfmagic import models
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

v1 = tf.compat.v1


def graph_with(more: Callable[[Any], Any]) -> Any:
    """Return a graph with ``y = w * x``, and whatever `more` adds, called with ``y``."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        more(tf.multiply(x, v1.get_variable("w", initializer=2.0), name="y"))
    return graph


def ends_of(graph: Any, **options: Any) -> tuple[list[str], list[str]]:
    signature = models.add("net", graph, **options).signature()
    return [spec.name for spec in signature.inputs], [spec.name for spec in signature.outputs]


def nested_saver(_: Any) -> Any:
    with tf.name_scope("outer"):
        return v1.train.Saver(name="keeper")


@pytest.mark.parametrize(
    "more",
    [
        lambda _: v1.train.Saver(),
        lambda _: [v1.train.Saver(), v1.train.Saver(name="other")],
        lambda _: v1.train.Saver(sharded=True),
        nested_saver,
        lambda y: v1.summary.scalar("mean", tf.reduce_mean(y)) is None or None,
    ],
    ids=["a saver", "two savers", "a sharded saver", "a saver in a scope", "a summary"],
)
def test_what_saves_and_shows_is_no_end(more: Callable[[Any], Any]) -> None:
    inputs, outputs = ends_of(graph_with(more))
    assert inputs == ["x"]
    assert outputs in (["y"], ["Mean"])


def test_what_only_a_summary_consumes_is_an_output() -> None:
    def more(y: Any) -> None:
        v1.summary.histogram("shown", y)
        v1.summary.merge_all()

    assert ends_of(graph_with(more)) == (["x"], ["y"])


def test_a_scope_that_only_looks_like_a_savers_is_the_models() -> None:
    assert ends_of(graph_with(lambda y: tf.negative(y, name="save/negative"))) == (["x"], ["save/negative"])


def test_a_saver_in_a_cell_is_no_end() -> None:
    code = """
        x = tf.compat.v1.placeholder(tf.float32, [None])
        w = tf.compat.v1.get_variable("w", initializer=2.0)
        y = x * w
        saver = tf.compat.v1.train.Saver()
    """
    signature = add_cell("net", code, {"tf": tf}).model.signature()
    assert [spec.name for spec in signature.outputs] == ["y"]


def test_a_graph_that_only_saves_has_no_output() -> None:
    with tf.Graph().as_default() as graph:
        v1.get_variable("w", initializer=2.0)
        v1.train.Saver()
    with pytest.raises(SourceError, match="net: no output could be made out"):
        models.add("net", graph)


def test_a_graph_without_any_tensor_has_no_output() -> None:
    with tf.Graph().as_default() as graph:
        tf.raw_ops.NoOp(name="nothing")
    with pytest.raises(SourceError, match="net: the graph has no output, none of its operations returns a tensor"):
        models.add("net", graph)


def test_such_ends_can_still_be_named() -> None:
    _, outputs = ends_of(graph_with(lambda _: v1.train.Saver()), inputs="x", outputs="kept=save/control_dependency")
    assert outputs == ["kept"]


def of_two() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x, scale = v1.placeholder(tf.float32, [None], "x"), v1.placeholder(tf.float32, [], "scale")
        tf.identity(tf.multiply(x, scale, name="scaled"), "y")
        tf.negative(x, name="z")
    return graph


def test_inputs_that_do_not_suffice_for_an_output_are_refused_at_once() -> None:
    with pytest.raises(SourceError, match=r"output 'y' needs 'scale' too.*--inputs a=x:0,scale$"):
        models.add("net", of_two(), inputs="a=x", outputs="y")
    with pytest.raises(SourceError, match="output 'y' needs 'scale', 'x' too"):
        models.add("net", of_two(), inputs="a=z", outputs="y")
    assert len(models) == 0


def test_outputs_that_are_not_named_are_those_for_which_the_inputs_suffice() -> None:
    assert ends_of(of_two(), inputs="a=x") == (["a"], ["z"])
    assert ends_of(of_two(), inputs="a=scaled") == (["a"], ["y"])


def test_an_input_with_a_default_need_not_be_named() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, v1.placeholder_with_default(2.0, [], "scale"), name="y")
    assert ends_of(graph, inputs="x", outputs="y") == (["x"], ["y"])
