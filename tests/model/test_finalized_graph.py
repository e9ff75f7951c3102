"""A model whose graph is finalized does all that others do; only a cell that adds operations is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell, save_linear_v1
from trained_cells import LINEAR, NAMES, TRAIN, X, linear

from tfmagic import compare, models, session
from tfmagic.errors import ModelStateError
from tfmagic.model.reset import reset

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")

v1 = tf.compat.v1
FINALIZE = "\n    v1.get_default_graph().finalize()\n"
GROW = "k = tf.compat.v1.get_variable('k', [], initializer=tf.compat.v1.ones_initializer())\ngraph.finalize()"
MONITORED = """
    step = v1.train.GradientDescentOptimizer(0.01).minimize(tf.reduce_sum(y), v1.train.get_or_create_global_step())
    with v1.train.MonitoredTrainingSession(hooks=[v1.train.StopAtStepHook(last_step=3)]) as mine:
        while not mine.should_stop():
            mine.run(step, {x: [[1.0, 2.0]]})
"""


def built_finalized() -> Any:
    return linear(LINEAR + FINALIZE).model


def grown_and_finalized() -> Any:
    model = linear().model
    run_cell(model, GROW, NAMES)
    return model


def trained_as_tutorials_do() -> Any:
    model = linear().model
    run_cell(model, MONITORED, NAMES)
    return model


def built_as_tutorials_do() -> Any:
    return linear(LINEAR + MONITORED, outputs="y").model


def live_graph() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.matmul(x, v1.get_variable("w", [2, 1], initializer=v1.ones_initializer()), name="y")
    graph.finalize()
    return graph


def live() -> Any:
    return models.add("net", live_graph())


WAYS: list[Callable[[], Any]] = [built_finalized, grown_and_finalized, trained_as_tutorials_do, built_as_tutorials_do]


@pytest.mark.slow
@pytest.mark.parametrize("make", [*WAYS, live])
def test_a_finalized_model_does_all_that_others_do(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    # TensorFlow itself opens the graph again when a MonitoredTrainingSession ends.
    finalized = model.graph.finalized
    answer = model(X)
    np.testing.assert_array_equal(model.run(X, trace=True).y, answer)
    assert model.park()["outcome"] == "parked"
    np.testing.assert_array_equal(model(X), answer)
    session.run(model.graph.get_collection("variables"))
    np.testing.assert_array_equal(run_cell(model, "session.run(y, {x: [[1, 2], [3, 4]]})"), answer)
    model.save(tmp_path / "net")
    model.save(tmp_path / "net.pb")
    np.testing.assert_array_equal(models.add("folder", tmp_path / "net")(X), answer)
    np.testing.assert_array_equal(models.add("frozen", tmp_path / "net.pb")(X), answer)
    assert compare(["net", "folder"], X).record()["models"]
    assert model.graph.finalized is finalized
    assert [one["name"] for one in models.drop("net")["models"]] == ["net"]
    assert "net" not in models


def test_monitored_training_goes_as_in_plain_tensorflow() -> None:
    model = built_as_tutorials_do()
    # Three steps of a hundredth of the gradient, which is the input.
    np.testing.assert_allclose(session.run(model.names["w"]), [[1 - 0.03], [1 - 0.06]], rtol=1e-6)
    assert session.run(v1.train.get_global_step(model.graph)) == 3


@pytest.mark.parametrize("make", [*WAYS, live])
def test_reset_drops_a_finalized_model_and_all_others(make: Callable[[], Any]) -> None:
    make()
    models.add("other", tf.function(lambda x: x))
    assert sorted(one["name"] for one in reset(models)["models"]) == ["net", "other"]
    assert list(models) == []
    assert session.open_graphs() == []


def test_a_finalized_room_is_built_again_and_keeps_what_it_learnt() -> None:
    trained = linear().model
    run_cell(trained, TRAIN + "    graph.finalize()", NAMES)
    learnt = trained(X)
    assert linear().previous == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), learnt)
    run_cell(models.net, TRAIN + "    graph.finalize()", NAMES)
    assert linear(keep=True).previous["carried"] == 2
    np.testing.assert_array_equal(models.net(X), learnt)


@pytest.mark.parametrize(
    "cell", ["z = tf.constant(1.0)", "v1.get_variable('z', [], initializer=v1.ones_initializer())", "w.assign(w * 2.0)"]
)
def test_a_cell_that_adds_operations_is_refused_in_one_line(cell: str) -> None:
    model = built_finalized()
    with pytest.raises(ModelStateError, match=r"the graph of model 'net' is finalized .* run that again$") as caught:
        run_cell(model, cell, {**NAMES, "v1": v1})
    assert len(str(caught.value).splitlines()) == 1
    assert model(X).shape == (2, 1)


def test_another_finalized_graph_is_no_fault_of_the_rooms() -> None:
    model = linear().model
    with pytest.raises(RuntimeError) as caught:
        run_cell(model, "with other.as_default(): tf.constant(1.0)", {**NAMES, "other": live_graph()})
    assert not isinstance(caught.value, ModelStateError)


@pytest.mark.slow
def test_a_finalized_copy_is_synced_warmed_and_saved_as_a_keras_file(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input([2]), keras.layers.Dense(3000), keras.layers.Dense(1)])
    model = models.add("net", network, copy=True)
    run_cell(model, "graph.finalize()")
    network.set_weights([weight + 1.0 for weight in network.get_weights()])
    model.sync()
    assert models.add("net", network, copy=True, warm=True) is model
    model.save(tmp_path / "net.keras")
    np.testing.assert_allclose(
        keras.models.load_model(tmp_path / "net.keras").predict(X, verbose=0), model(X), rtol=1e-5
    )


@pytest.mark.slow
def test_a_finalized_graph_is_compiled_and_copied() -> None:
    expected = [[3.0], [7.0]]
    assert models.add("compiled", live_graph(), compile=True)(X).tolist() == expected
    assert models.add("copied", live_graph(), copy=True)(X).tolist() == expected


def test_a_finalized_graph_that_a_session_of_the_persons_uses_goes_on_there() -> None:
    graph = live_graph()
    with v1.Session(graph=graph) as own:
        own.run(graph.get_operation_by_name("w/Assign"))
        model = models.add("net", graph)
        model.park()
        assert model(X).tolist() == own.run("y:0", {"x:0": X}).tolist() == [[3.0], [7.0]]
        models.drop("net")
        assert own.run("y:0", {"x:0": X}).tolist() == [[3.0], [7.0]]
    assert graph.finalized


def test_a_loaded_model_that_was_finalized_in_a_cell(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "saved"))
    run_cell(model, "graph.finalize()")
    session.close()
    assert model.park()["outcome"] == "parked"
    np.testing.assert_array_equal(model(X), 2 * X + 1)


LEFT_OPEN = {
    "name scope": "v1.name_scope('left').__enter__()",
    "device": "graph.device('/job:nowhere/device:GPU:7').__enter__()",
    "control dependencies": "graph.control_dependencies([tf.print('no')]).__enter__()",
    "default graph": "tf.Graph().as_default().__enter__()",
    "session": "v1.InteractiveSession()",
    "initializer": "v1.get_variable('bad', initializer=lambda: tf.debugging.check_numerics([np.nan], 'no'))",
}


@pytest.mark.slow
@pytest.mark.parametrize("left", LEFT_OPEN)
def test_whatever_a_cell_leaves_open_the_model_runs_saves_and_drops(left: str, tmp_path: Path) -> None:
    ends: dict[str, Any] = {"inputs": "x", "outputs": "y"}
    model = add_cell("net", f"{LINEAR}    {LEFT_OPEN[left]}\n", NAMES, **ends).model
    answer = model(X)
    run_cell(model, "k = tf.compat.v1.get_variable('k', initializer=2.0)\nsession.run(k.assign(3.0))", NAMES)
    model.park()
    np.testing.assert_array_equal(model(X), answer)
    model.save(tmp_path / "net")
    assert [one["name"] for one in models.drop("net")["models"]] == ["net"]
    assert session.open_graphs() == []
