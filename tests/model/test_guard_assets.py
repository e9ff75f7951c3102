"""A model may read the assets that it brought along, and nothing that only looks like one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf

from tfmagic import models
from tfmagic.errors import UnsafeSourceError
from tfmagic.model.guard import Guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
raw = tf.raw_ops


def reads(path: Any) -> Any:
    return tf.io.read_file(path)


def through_a_function(path: Any) -> Any:
    return tf.function(lambda p: tf.io.read_file(tf.identity(p)))(path)


def through_a_branch(path: Any) -> Any:
    return tf.cond(tf.constant(True), lambda: tf.io.read_file(path), lambda: tf.constant("none"))  # noqa: FBT003


def beside_another_path(path: Any) -> Any:
    return tf.io.read_file(raw.IdentityN(input=[path, tf.constant("/etc/hostname")])[1])


def joined_to_another_path(path: Any) -> Any:
    return tf.io.read_file(tf.strings.join([path, "/../../secret"]))


def from_the_elements_of_a_dataset(path: Any) -> Any:
    dataset = tf.data.Dataset.from_tensors("/etc/hostname").map(
        lambda other: tf.io.read_file(tf.where(tf.strings.length(path) < 0, path, other)), num_parallel_calls=2
    )
    return dataset.get_single_element()


def element_with_the_asset_captured(path: Any) -> Any:
    dataset = tf.data.Dataset.from_tensors("/etc/hostname").map(
        lambda other: (tf.io.read_file(other), path), num_parallel_calls=2
    )
    return dataset.get_single_element()[0]


def in_the_second_round_of_a_loop(path: Any) -> Any:
    text = tf.constant("")
    rounds = tf.while_loop(
        lambda turn, _, __: turn < 2,
        lambda turn, now, _: (turn + 1, tf.constant("/etc/hostname"), tf.io.read_file(now)),
        [tf.constant(0), path, text],
        shape_invariants=[tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([])],
    )
    return rounds[2]


def check(build: Callable[[Any], Any], *, fed: bool) -> None:
    graph = tf.Graph()
    with graph.as_default():
        asset = v1.placeholder_with_default("/etc/hostname", [], "asset")
        end = tf.identity(build(asset), name="y")
    library = graph.as_graph_def().library.function
    Guard("net", graph, library, ["asset:0"], fed=fed).check([end.name])


@pytest.mark.parametrize("build", [reads, through_a_function, through_a_branch])
def test_an_asset_that_is_fed_may_be_read(build: Callable[[Any], Any]) -> None:
    check(build, fed=True)


@pytest.mark.parametrize(
    "build",
    [
        beside_another_path,
        joined_to_another_path,
        from_the_elements_of_a_dataset,
        element_with_the_asset_captured,
        in_the_second_round_of_a_loop,
    ],
)
def test_another_path_that_comes_along_with_it_is_refused(build: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsafeSourceError, match=r"ReadFile.*reads files other than the model's own assets"):
        check(build, fed=True)


@pytest.mark.parametrize("build", [reads, through_a_function, through_a_branch])
def test_where_no_asset_is_fed_its_default_is_no_asset(build: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsafeSourceError, match="ReadFile"):
        check(build, fed=False)


class Reading(tf.Module):
    """Reads its asset in its signature, from the variable that a SavedModel keeps the path in."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = tf.saved_model.Asset(str(file))

    @tf.function(input_signature=[])
    def text(self) -> dict[str, Any]:
        return {"text": tf.io.read_file(self.file.asset_path)}


def test_a_signature_may_read_the_models_own_asset(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("brought along")
    module = Reading(file)
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=module.text)
    file.unlink()
    model = models.add("net", tmp_path / "net")
    assert model() == b"brought along"


def variable_graph(*, second_handle: bool = False, second_value: bool = False) -> tuple[Any, str]:
    graph = tf.Graph()
    with graph.as_default():
        asset = v1.placeholder(tf.string, [], "asset")
        handle = raw.VarHandleOp(dtype=tf.string, shape=[], shared_name="path", name="path")
        raw.AssignVariableOp(resource=handle, value=asset)
        if second_value:
            raw.AssignVariableOp(resource=handle, value=tf.constant("/etc/hostname"))
        if second_handle:
            raw.VarHandleOp(dtype=tf.string, shape=[], shared_name="path", name="other")
        end = tf.io.read_file(raw.ReadVariableOp(resource=handle, dtype=tf.string))
    return graph, end.name


def test_a_variable_that_only_ever_holds_an_asset_may_be_read() -> None:
    graph, end = variable_graph()
    Guard("net", graph, [], ["asset:0"]).check([end])


@pytest.mark.parametrize("how", ["second_handle", "second_value"])
def test_a_variable_that_may_hold_another_path_may_not(how: str) -> None:
    graph, end = variable_graph(**{how: True})
    with pytest.raises(UnsafeSourceError, match="ReadFile"):
        Guard("net", graph, [], ["asset:0"]).check([end])
