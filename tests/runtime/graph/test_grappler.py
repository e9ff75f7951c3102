"""What TensorFlow's optimizer is spared: it goes once over a small graph of a file, and that changes no answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, save_v2
from keras_networks import DRAWN, rows, trained

from tfmagic import models, session
from tfmagic.runtime.graph.grappler import calls_no_function, needs_one_iteration, without_idle_passes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

v1 = tf.compat.v1
ONE = 1
WEIGHTS = np.linspace(0.1, 1, 9, dtype=np.float32).reshape(3, 3)


def rounds(model: Any) -> int:
    """Return what a model's native session was told; 0 is TensorFlow's own choice, which is two."""
    native = session.open(model.graph)
    return int(native._config.graph_options.rewrite_options.meta_optimizer_iterations)


def test_a_small_graph_of_a_file_is_gone_over_once(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"))
    model(np.ones((1, 2), np.float32))
    assert rounds(model) == ONE


def test_a_graph_that_may_grow_is_not() -> None:
    add_cell("net", "x = tf.compat.v1.placeholder(tf.float32, [None, 2], 'x')\ny = x * 2", {"tf": tf}, outputs="y")
    model = models.net
    model(np.ones((1, 2), np.float32))
    assert needs_one_iteration(model.graph)
    assert calls_no_function(model.graph)
    assert rounds(model) == 0


def test_one_that_calls_functions_is_not(tmp_path: Path) -> None:
    spec = tf.TensorSpec([None, 2], name="x")
    model = models.add("net", save_v2(tmp_path / "net", lambda x: {"y": 2 * x}, spec))
    model(np.ones((1, 2), np.float32))
    assert not calls_no_function(model.graph)
    assert rounds(model) == 0


def test_one_whose_branches_are_functions_calls_them() -> None:
    with tf.Graph().as_default() as graph:
        tf.cond(v1.placeholder(tf.bool, []), lambda: 1.0, lambda: 2.0)
    assert any(operation.type.endswith("If") for operation in graph.get_operations())
    assert not calls_no_function(graph)


def test_one_with_a_function_for_an_operation_as_tf1_wrote_it_calls_it() -> None:
    with tf.Graph().as_default() as graph:
        double = tf.function(lambda x: 2 * x, autograph=False)
        double(v1.placeholder(tf.float32, []))
    definition = graph.as_graph_def()
    (call,) = (node for node in definition.node if node.op == "PartitionedCall")
    call.op = call.attr["f"].func.name
    for attribute in list(call.attr):
        del call.attr[attribute]
    with tf.Graph().as_default() as old:
        tf.import_graph_def(definition, name="")
    assert not calls_no_function(old)


def test_many_operations_are_no_small_graph_and_are_gone_over_as_often_as_ever() -> None:
    with tf.Graph().as_default() as graph:
        for _ in range(64):
            tf.constant(1)
        assert needs_one_iteration(graph)
        tf.constant(1)
    assert not needs_one_iteration(graph)
    told = without_idle_passes(v1.ConfigProto(), graph).graph_options.rewrite_options
    assert told.disable_tfg_optimizer
    assert (told.meta_optimizer_iterations, told.memory_optimization) == (0, told.DEFAULT_MEM_OPT)


def test_who_has_chosen_is_left_alone() -> None:
    chosen = v1.ConfigProto()
    chosen.graph_options.rewrite_options.meta_optimizer_iterations = 2
    assert without_idle_passes(chosen, tf.Graph()).graph_options.rewrite_options.meta_optimizer_iterations == 2
    assert (
        without_idle_passes(v1.ConfigProto(), tf.Graph()).graph_options.rewrite_options.meta_optimizer_iterations == ONE
    )


def test_what_finds_nothing_in_a_small_graph_is_off(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"))
    model(np.ones((1, 2), np.float32))
    native = session.open(model.graph)
    told = native._config.graph_options.rewrite_options
    assert told.disable_tfg_optimizer
    assert (told.function_optimization, told.implementation_selector) == (told.OFF, told.OFF)
    # What fuses operations decides which kernels run, and so the answer's last bits.
    assert (told.remapping, told.constant_folding, told.layout_optimizer) == (told.DEFAULT,) * 3


@pytest.fixture
def loops_are_operations() -> Iterator[None]:
    """Have loops and branches built of Enter, Switch and Merge, as TF1 did."""
    v1.disable_control_flow_v2()
    yield
    v1.enable_control_flow_v2()


@pytest.mark.usefixtures("loops_are_operations")
def test_loops_and_branches_of_operations_give_the_same_answer() -> None:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        looped = v1.while_loop(lambda i, _: i < 5, lambda i, y: (i + 1, tf.sin(y * 1.5) + x), (tf.constant(0), x))[1]
        y = v1.cond(tf.reduce_sum(looped) > 0, lambda: tf.exp(looped), lambda: looped @ tf.constant(WEIGHTS))
    assert {"Enter", "Switch", "Merge"} <= {operation.type for operation in graph.get_operations()}
    assert needs_one_iteration(graph)
    for given in (WEIGHTS, -WEIGHTS):
        answers = []
        for config in (v1.ConfigProto(), without_idle_passes(v1.ConfigProto(), graph)):
            with v1.Session(graph=graph, config=config) as session:
                answers.append(session.run([y, looped], {x: given}))
        for stock, once in zip(*answers, strict=True):
            np.testing.assert_array_equal(once, stock, strict=True)


def deep() -> tuple[Any, dict[str, Any]]:
    """A network of more than a thousand operations."""
    network = keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), alpha=0.35, classes=10)
    return network, {network.inputs[0].name: rows(2, 32, 32, 3)}


def scaled_convolution() -> tuple[Any, dict[str, Any]]:
    """A scale behind a bias of zeros: without that, the second time puts it into the weights."""
    x = keras.Input((16, 16, 3), name="x")
    y = keras.layers.BatchNormalization()(keras.layers.Conv2D(8, 3)(x))
    return keras.Model(x, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(y))), {"x": rows(2, 16, 16, 3)}


def swish() -> tuple[Any, dict[str, Any]]:
    """Two operations that the second time makes one."""
    x = keras.Input((8,), name="x")
    return keras.Model(x, keras.layers.Dense(3)(keras.layers.Dense(16, activation="swish")(x))), {"x": rows(4, 8)}


@pytest.mark.slow
@pytest.mark.parametrize("make", [*DRAWN, deep, scaled_convolution, swish], ids=lambda make: make.__name__)
def test_what_is_spared_changes_no_bit_and_no_operation_that_runs(tmp_path: Path, make: Callable[[], Any]) -> None:
    network, given = make()
    if make in DRAWN:
        trained(network)
    file = models.add("net", network).save(tmp_path / "net.pb")
    definition = v1.GraphDef.FromString(file.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    fetches = [f"{end.name}:0" for end in models.net.signature().outputs]
    feeds = {f"{name}:0": value for name, value in given.items()}
    answers, operations = [], []
    for config in (v1.ConfigProto(), without_idle_passes(v1.ConfigProto(), graph)):
        metadata = v1.RunMetadata()
        with v1.Session(graph=graph, config=config) as session:
            options = v1.RunOptions(output_partition_graphs=True)
            answers.append(session.run(fetches, feeds, options, metadata))
        operations.append(Counter(node.op for part in metadata.partition_graphs for node in part.node))
    for stock, once in zip(*answers, strict=True):
        np.testing.assert_array_equal(once, stock, strict=True)
    assert operations[0] == operations[1]
