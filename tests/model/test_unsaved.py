"""What a drop and a reset name: every model that has learnt something which goes with it, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, run_cell, save_linear_v1, save_v2
from tensorflow.python.client.session import register_session_run_conversion_functions
from trained_cells import EAGER, EAGER_TRAIN, LINEAR, NAMES, TRAIN, X, linear

from tfmagic import models, session
from tfmagic.core.events import events
from tfmagic.model.lifecycle import training
from tfmagic.model.reset import reset
from tfmagic.model.unsaved import is_unsaved

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("parks_here")]

v1 = tf.compat.v1
DOUBLE_BY_NAME = """
    (w, *_) = [op for op in graph.get_operations() if op.type == "VarHandleOp"]
    value = tf.raw_ops.ReadVariableOp(resource=w.outputs[0], dtype=tf.float32)
    session.run(tf.raw_ops.AssignVariableOp(resource=w.outputs[0], value=2.0 * value))
"""
LOOK = """
    (x,), (y,) = this.signature().inputs, this.signature().outputs
    session.run(graph.get_tensor_by_name(y.tensor), {x.tensor: np.ones((1, 2))})
"""


def named() -> list[str]:
    unsaved = models.drop(all=True)["unsaved"]
    assert len(models) == 0
    return unsaved


def network() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input([2], name="x"), keras.layers.Dense(1, name="y")])


def saved_v2(folder: Path) -> Path:
    w = tf.Variable([[2.0], [3.0]])
    return save_v2(folder, lambda x: {"y": tf.matmul(x, w)}, tf.TensorSpec([None, 2], tf.float32, name="x"), w=w)


def keras_file(file: Path) -> Path:
    network().save(file)
    return file


def live_graph() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.matmul(x, v1.get_variable("w", [2, 1], initializer=v1.random_normal_initializer()), name="y")
    return graph


KINDS: dict[str, Callable[[Path], Any]] = {
    "cell": lambda _: linear().model,
    "v1": lambda folder: models.add("net", save_linear_v1(folder / "v1")),
    "v2": lambda folder: models.add("net", saved_v2(folder / "v2")),
    "keras": lambda folder: models.add("net", keras_file(folder / "net.keras")),
    "copy": lambda _: models.add("net", network(), copy=True),
    "live graph": lambda _: models.add("net", live_graph()),
}


def test_a_reset_names_it_too() -> None:
    add_cell("other", LINEAR, NAMES)
    run_cell(linear().model, TRAIN, NAMES)
    assert reset(models)["unsaved"] == ["net"]
    assert len(models) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_is_named(kind: str, tmp_path: Path) -> None:
    model = KINDS[kind](tmp_path)
    before = model(X)
    run_cell(model, DOUBLE_BY_NAME, NAMES)
    assert not np.array_equal(model(X), before)
    assert named() == ["net"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_only_called_and_looked_at_is_not_named_and_its_weights_are_not_read(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = KINDS[kind](tmp_path)
    model(X)
    model.run(X, timeout=60)
    run_cell(model, LOOK, NAMES)
    monkeypatch.setattr(training, "checksums", lambda _: pytest.fail("a weight was read"))
    model.save(tmp_path / "saved")
    assert named() == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_after_its_training_is_not_named(kind: str, tmp_path: Path) -> None:
    model = KINDS[kind](tmp_path)
    run_cell(model, DOUBLE_BY_NAME, NAMES)
    model.save(tmp_path / "saved")
    model(X)
    assert named() == []


@pytest.mark.parametrize("first", ["", DOUBLE_BY_NAME])
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_trained_after_it_was_saved_is_named(kind: str, first: str, tmp_path: Path) -> None:
    model = KINDS[kind](tmp_path)
    run_cell(model, first, NAMES)
    model.save(tmp_path / "saved")
    run_cell(model, DOUBLE_BY_NAME, NAMES)
    assert named() == ["net"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trained", [False, True])
def test_parking_makes_no_difference_and_a_reset_wakes_nothing(kind: str, *, trained: bool, tmp_path: Path) -> None:
    model = KINDS[kind](tmp_path)
    model.park()
    model.wake()
    if trained:
        run_cell(model, DOUBLE_BY_NAME, NAMES)
    model.park()
    model.wake()
    model.park()
    # The log keeps the last thousand events, so how many there are of a kind says nothing.
    before = events().records()
    known = {id(event) for event in before}
    assert named() == ["net"] * trained
    assert "woken" not in [event["kind"] for event in events().records() if id(event) not in known]


def test_a_training_step_of_an_optimizer_is_named() -> None:
    run_cell(linear().model, TRAIN, NAMES)
    assert named() == ["net"]


def test_a_trained_model_that_came_back_from_its_source_is_not_named(tmp_path: Path) -> None:
    for kind in ("v1", "copy"):
        model = KINDS[kind](tmp_path)
        run_cell(model, DOUBLE_BY_NAME, NAMES)
        session.close()
        model(X)
        assert named() == []


def test_a_table_that_was_filled_is_named_until_it_is_saved(tmp_path: Path) -> None:
    code = """
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
        x = tf.compat.v1.placeholder(tf.int64, [None], "x")
        y = tf.identity(table.lookup(x), "y")
    """
    fill = "session.run(table.insert(tf.constant([{}], tf.int64), tf.constant([2.0])))"
    model = add_cell("net", code, NAMES).model
    run_cell(model, fill.format(1), NAMES)
    model.save(tmp_path / "saved")
    assert not is_unsaved(model)
    model.park()
    assert not is_unsaved(model)
    run_cell(model, fill.format(2), NAMES)
    model.park()
    assert named() == ["net"]


TABLES = """
    v1 = tf.compat.v1
    w = v1.get_variable("w", initializer=2.0)
    table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
    pairs = tf.lookup.KeyValueTensorInitializer(tf.constant([1], tf.int64), tf.constant([2.0]))
    known = tf.lookup.StaticHashTable(pairs, 0.0)
    x = v1.placeholder(tf.int64, [None], "x")
    y = tf.identity(w * table.lookup(x) + known.lookup(x), "y")
"""


@pytest.mark.parametrize("parked", [False, True])
def test_empty_tables_and_those_of_its_source_are_nothing_that_it_has_learnt(*, parked: bool) -> None:
    model = add_cell("net", TABLES, NAMES, inputs="x", outputs="y").model
    # Which writes, so that the values are looked at.
    run_cell(model, "session.run(w.assign(1.0 * w))", NAMES)
    assert model.lifecycle.backend.may_be_trained
    if parked:
        model.park()
    assert named() == []


def test_a_constant_graph_is_never_named(tmp_path: Path) -> None:
    models.add("net", frozen_linear(tmp_path / "net.pb"))(X)
    assert named() == []


def test_a_model_that_was_never_built_is_not_named_and_not_built(tmp_path: Path) -> None:
    models.add("net", save_linear_v1(tmp_path / "v1"), lazy=True)
    assert named() == []


def test_a_copy_that_was_synced_is_as_safe_as_its_object() -> None:
    live = network()
    model = models.add("net", live, copy=True)
    run_cell(model, DOUBLE_BY_NAME, NAMES)
    model.sync()
    assert not is_unsaved(model)
    run_cell(model, DOUBLE_BY_NAME, NAMES)
    assert named() == ["net"]


def test_a_live_object_is_the_notebooks_and_is_not_named() -> None:
    live = network()
    model = models.add("net", live)
    live.compile(optimizer="sgd", loss="mse")
    live.fit(X, np.zeros((2, 1), np.float32), verbose=0)
    model(X)
    assert named() == []


@pytest.mark.parametrize("parked", [False, True])
def test_a_live_object_of_a_cell_is_named_when_it_was_trained_and_not_saved_since(
    *, parked: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = add_cell("net", EAGER, NAMES, eager=True).model
    said = []

    def look() -> bool:
        if parked:
            model.park()
            with monkeypatch.context() as patched:
                patched.setattr(type(model.lifecycle), "build", lambda _: pytest.fail("woken"))
                return is_unsaved(model)
        return is_unsaved(model)

    said.append(look())
    run_cell(model, TRAINED, NAMES)
    said.append(look())
    model.save(tmp_path / "saved")
    said.append(look())
    run_cell(model, TRAINED, NAMES)
    said.append(look())
    assert said == [False, True, False, True]


# Without an optimizer, which only its cell may make if it is to be parked.
TRAINED = "this.live.layers[-1].kernel.assign_add(tf.ones((2, 1)))"


def test_an_object_whose_layers_are_numbered_on_when_it_wakes_is_as_safe_as_it_was(tmp_path: Path) -> None:
    model = add_cell("net", EAGER.replace('name="y", ', ""), NAMES, eager=True).model
    run_cell(model, TRAINED, NAMES)
    model.save(tmp_path / "saved")
    names = [one["name"] for one in model.variables]
    model.park()
    model.wake()
    assert [one["name"] for one in model.variables] != names
    assert not is_unsaved(model)


def test_an_eager_training_is_named() -> None:
    run_cell(add_cell("net", EAGER, NAMES, eager=True).model, EAGER_TRAIN, NAMES)
    assert named() == ["net"]


@pytest.mark.parametrize("saved", [False, True])
def test_what_stayed_of_a_cell_that_was_run_again_is_named_unless_it_was_saved(*, saved: bool, tmp_path: Path) -> None:
    run_cell(linear().model, TRAIN, NAMES)
    if saved:
        models.net.save(tmp_path / "saved")
    linear()
    assert list(models) == ["net", "net~1"]
    assert named() == ([] if saved else ["net~1"])


def test_saving_what_stayed_of_a_cell_is_enough(tmp_path: Path) -> None:
    run_cell(linear().model, TRAIN, NAMES)
    linear()
    models["net~1"].save(tmp_path / "saved")
    assert named() == []


def test_what_was_carried_over_is_named() -> None:
    run_cell(linear().model, DOUBLE_BY_NAME, NAMES)
    linear(keep=True)
    assert named() == ["net"]


def test_a_run_in_parts_counts_since_nobody_knows_what_it_writes(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "v1"))
    code = """
        handle = session.partial_run_setup([graph.get_tensor_by_name("y:0")], [graph.get_tensor_by_name("x:0")])
        session.partial_run(handle, graph.get_tensor_by_name("y:0"), {"x:0": X})
    """
    run_cell(model, code, {**NAMES, "X": X})
    assert named() == ["net"]


FETCHES = {
    "a tensor": "written",
    "an operation": "written.op",
    "a name": "written.name",
    "an operation's name in a dict": "{'one': [written.op.name]}",
    "a sparse tensor": "tf.sparse.from_dense(written)",
    "a ragged tensor": "tf.RaggedTensor.from_tensor(written)",
}


@pytest.mark.parametrize("fetch", FETCHES)
def test_whatever_is_fetched_counts_where_it_writes(fetch: str) -> None:
    model = models.add("net", live_graph())
    run_cell(model, "w = tf.compat.v1.global_variables()[0]", NAMES)
    run_cell(model, f"written = w + 0.0\nsession.run({FETCHES[fetch]})", NAMES)
    assert not is_unsaved(model)
    run_cell(model, f"written = tf.compat.v1.assign(w, 2.0 * w)\nsession.run({FETCHES[fetch]})", NAMES)
    assert named() == ["net"]


class Doubling:
    """What the session runs though it is neither tensor, operation nor variable."""

    def __init__(self, variable: Any) -> None:
        self.graph, self.doubled = variable.graph, variable.assign(2.0 * variable)


def test_a_fetch_that_tensorflow_was_taught_counts_since_nobody_knows_what_it_writes() -> None:
    register_session_run_conversion_functions(Doubling, lambda one: ([one.doubled], lambda values: values[0]))
    model = models.add("net", live_graph())
    run_cell(model, "session.run(Doubling(tf.compat.v1.global_variables()[0]))", {**NAMES, "Doubling": Doubling})
    assert named() == ["net"]


def test_a_name_that_is_not_there_is_no_training(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "v1"))
    with pytest.raises((KeyError, ValueError)):
        run_cell(model, "session.run('nothing')", NAMES)
    run_cell(model, "session.run('y:0', {'x:0': X})", {**NAMES, "X": X})
    assert named() == []
