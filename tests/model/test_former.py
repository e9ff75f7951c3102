"""A cell that is run again: what its model had learnt stays as ``NAME~1``, or in the variables with ``keep``."""

from __future__ import annotations

import gc
import tempfile
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from making import add_cell, run_cell

from tfmagic import models, session
from tfmagic.errors import ModelStateError, NameTakenError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = {"tf": tf, "keras": keras, "np": np}
X = np.array([[1, 2], [3, 4]], np.float32)

LINEAR = """
    v1 = tf.compat.v1
    x = v1.placeholder(tf.float32, [None, 2], "x")
    w = v1.get_variable("w", [2, 1], initializer=v1.ones_initializer())
    b = v1.get_variable("b", [1], initializer=v1.zeros_initializer())
    y = tf.add(tf.matmul(x, w), b, name="y")
"""
TRAIN = """
    target = tf.compat.v1.placeholder(tf.float32, [None, 1], "target")
    loss = tf.reduce_mean((y - target) ** 2)
    step = tf.compat.v1.train.AdamOptimizer(0.1).minimize(loss)
    for _ in range(5):
        session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})
"""
EAGER = """
    layer = keras.layers.Dense(1, name="y", kernel_initializer="ones")
    network = keras.Sequential([keras.Input((2,), name="x"), layer])
    network
"""
EAGER_TRAIN = """
    network.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    network.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made in these tests."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    models.drop(all=True)
    gc.collect()
    assert kept_in(tmp_path) == []


def kept_in(folder: Path) -> list[Path]:
    """Return what is kept there; AutoGraph writes files of its own."""
    return [one for one in folder.iterdir() if one.is_dir()]


def linear(code: str = LINEAR, **options: Any) -> Any:
    return add_cell("net", code, NAMES, **options)


def trained_linear() -> Any:
    """Return the answer of a model of that cell that was trained."""
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    return model(X)


def test_an_untrained_one_leaves_nothing() -> None:
    linear()
    models.net(X)
    admission = linear()
    assert (admission.outcome, admission.former) == ("renewed", None)
    assert list(models) == ["net"]


def test_what_was_trained_stays_under_another_name() -> None:
    before = trained_linear()
    admission = linear()
    assert admission.former == {"name": "net~1", "carried": 0}
    assert list(models) == ["net", "net~1"]
    np.testing.assert_array_equal(models.net(X), [[3], [7]])
    np.testing.assert_array_equal(models["net~1"](X), before)
    assert models["net~1"].record()["kind"] == "former training"
    np.testing.assert_array_equal(models["net~1"].run(x=X).y, before)


def test_it_is_on_disk_until_it_is_run(folder: Path) -> None:
    before = trained_linear()
    linear()
    assert models["net~1"].record()["weights_bytes"] is None
    assert len(session.open_graphs()) == 1
    assert len(kept_in(folder)) == 1
    np.testing.assert_array_equal(models["net~1"](X), before)
    session.close()
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_there_is_one_generation(folder: Path) -> None:
    first = trained_linear()
    linear()
    run_cell(models.net, TRAIN.replace("range(5)", "range(9)"), NAMES)
    second = models.net(X)
    assert linear().former == {"name": "net~1", "carried": 0}
    assert list(models) == ["net", "net~1"]
    np.testing.assert_array_equal(models["net~1"](X), second)
    assert not np.allclose(first, second)
    gc.collect()
    assert len(kept_in(folder)) == 1


def test_an_untrained_rerun_leaves_the_generation_before() -> None:
    before = trained_linear()
    linear()
    linear()
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_dropping_it_removes_its_folder(folder: Path) -> None:
    trained_linear()
    linear()
    models["net~1"](X)
    models.drop("net~1")
    assert kept_in(folder) == []
    assert list(models) == ["net"]


def test_dropping_the_model_leaves_its_former_training() -> None:
    before = trained_linear()
    linear()
    models.drop("net")
    np.testing.assert_array_equal(models["net~1"](X), before)


@pytest.mark.parametrize("code", [LINEAR + "\n    1 / 0", "a = 1", LINEAR + "\n    y.missing"])
def test_a_failing_cell_leaves_the_trained_model(folder: Path, code: str) -> None:
    before = trained_linear()
    with pytest.raises((ZeroDivisionError, SourceError, AttributeError)):
        linear(code)
    with pytest.raises((ZeroDivisionError, SourceError, AttributeError)):
        linear(code, keep=True)
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert kept_in(folder) == []
    assert len(session.hosted_graphs()) == 1


def test_where_it_cannot_be_kept_the_model_stays_as_it_was(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = trained_linear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises((ModelStateError, OSError)):
        linear()
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert len(session.hosted_graphs()) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_an_interrupt_while_it_is_kept_leaves_the_model_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    from tfmagic.model.model import Model

    before = trained_linear()

    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Model, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            linear()
    gc.collect()
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert len(session.hosted_graphs()) == 1


def test_another_source_under_the_name_needs_replace_and_keeps_nothing() -> None:
    trained_linear()
    with pytest.raises(NameTakenError):
        models.add("net", tf.function(lambda x: x))
    models.add("net", tf.function(lambda x: x), replace=True)
    assert list(models) == ["net"]


def test_the_name_is_nobodys_to_add() -> None:
    with pytest.raises(NameTakenError, match="'net~1' cannot be a model's name"):
        models.add("net~1", tf.function(lambda x: x))


def test_values_are_what_counts_and_not_that_somebody_ran() -> None:
    model = linear().model
    run_cell(model, "session.run(w.assign(w + 0.0))", NAMES)
    assert linear().former is None
    run_cell(models.net, "session.run(w.assign(w + 1.0))", NAMES)
    run_cell(models.net, "session.run(w.assign(w - 1.0))", NAMES)
    assert linear().former is None


def test_text_and_whole_numbers_are_learnt_too() -> None:
    seen = "seen = v1.get_variable('seen', initializer=0)"
    word = "word = v1.get_variable('word', initializer='a')"
    code = f"{LINEAR}\n    {seen}\n    {word}"
    linear(code, outputs="y")
    assert linear(code, outputs="y").former is None
    run_cell(models.net, "session.run(word.assign('b'))", NAMES)
    assert linear(code, outputs="y").former == {"name": "net~1", "carried": 0}
    run_cell(models.net, "session.run(seen.assign(3))", NAMES)
    assert linear(code, outputs="y").former == {"name": "net~1", "carried": 0}


# -- keep -----------------------------------------------------------------------


def plain_training() -> Any:
    """Return the answer of the model after a training that leaves no variables of an optimiser."""
    model = linear().model
    run_cell(model, TRAIN.replace("AdamOptimizer", "GradientDescentOptimizer").replace("0.1", "0.01"), NAMES)
    return model(X)


def test_keep_carries_the_weights_over() -> None:
    before = plain_training()
    admission = linear(keep=True)
    assert admission.former == {"name": None, "carried": 2}
    assert list(models) == ["net"]
    np.testing.assert_array_equal(models.net(X), before)
    assert admission.model is models.net


def test_what_was_carried_is_still_what_was_learnt() -> None:
    before = plain_training()
    linear(keep=True)
    assert linear().former == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), before)
    np.testing.assert_array_equal(models.net(X), [[3], [7]])


def test_what_does_not_fit_is_not_carried_and_stays_aside() -> None:
    before = plain_training()
    wider = LINEAR.replace("[2, 1]", "[2, 3]")
    admission = linear(wider, keep=True)
    assert admission.former == {"name": "net~1", "carried": 1}
    np.testing.assert_array_equal(models["net~1"](X), before)
    assert models.net(X).shape == (2, 3)
    bias = models["net~1"].run(X, fetch="b" if "b" in models["net~1"].graph.get_operations() else None)
    assert bias
    assert float(run_cell(models.net, "session.run(b)", NAMES)[0]) != 0
    assert run_cell(models.net, "session.run(w).tolist()", NAMES) == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("change", [('"w"', '"v"'), ("[1], init", "[1], tf.float64, init")])
def test_another_name_or_dtype_is_another_variable(change: tuple[str, str]) -> None:
    plain_training()
    code = LINEAR.replace(*change)
    if "float64" in change[1]:
        code = code.replace("tf.matmul(x, w), b", "tf.matmul(x, w), tf.cast(b, tf.float32)")
    assert linear(code, keep=True).former == {"name": "net~1", "carried": 1}


def test_the_variables_of_an_optimiser_are_carried_where_the_new_cell_has_them() -> None:
    code = LINEAR + TRAIN.partition("for _")[0]
    linear(code, outputs="y")
    loop = "for _ in range(5):\n    session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})"
    run_cell(models.net, loop, NAMES)
    # What ten steps in one go give: five, the cell run again, and five more.
    assert linear(code, outputs="y", keep=True).former == {"name": None, "carried": 8}
    run_cell(models.net, loop, NAMES)
    in_two = models.net(X)
    add_cell("whole", code, NAMES, outputs="y")
    run_cell(models.whole, loop.replace("5)", "10)"), NAMES)
    np.testing.assert_array_equal(in_two, models.whole(X))


def test_keep_without_anything_before_is_no_error() -> None:
    assert linear(keep=True).former is None


def test_a_kept_value_is_a_copy() -> None:
    code = """
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 512], "x")
        w = v1.get_variable("w", [512, 512], initializer=v1.ones_initializer())
        y = tf.matmul(x, w, name="y")
        grow = w.assign_add(tf.ones_like(w))
    """
    linear(code, outputs="y")
    run_cell(models.net, "session.run(grow.op)", NAMES)
    old = models.net
    ones = np.ones((1, 512), np.float32)
    linear(code, outputs="y", keep=True)
    assert models.net is not old
    run_cell(models.net, "session.run(grow.op)", NAMES)
    assert set(models.net(ones).flat) == {512.0 * 3}


# -- eager cells ------------------------------------------------------------------


def test_an_eager_cell_keeps_its_training_too() -> None:
    add_cell("net", EAGER, NAMES, eager=True)
    assert add_cell("net", EAGER, NAMES, eager=True).former is None
    run_cell(models.net, EAGER_TRAIN, NAMES)
    before = models.net(X)
    assert add_cell("net", EAGER, NAMES, eager=True).former == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models.net(X), [[3], [7]])
    np.testing.assert_allclose(models["net~1"](X), before, rtol=1e-6)
    assert models["net~1"].mode == "graph"


def test_an_eager_cell_carries_its_weights_over() -> None:
    add_cell("net", EAGER, NAMES, eager=True)
    run_cell(models.net, EAGER_TRAIN, NAMES)
    before = models.net(X)
    # Keras names the layer anew each time, as the second of its kind in this process, and the third.
    names = [variable.path for variable in models.net.live.variables]
    admission = add_cell("net", EAGER.replace(', name="y"', ""), NAMES, eager=True, keep=True)
    assert admission.former == {"name": "net~1", "carried": 0}
    models.drop("net~1")
    add_cell("net", EAGER, NAMES, eager=True)
    run_cell(models.net, EAGER_TRAIN, NAMES)
    assert add_cell("net", EAGER, NAMES, eager=True, keep=True).former == {"name": None, "carried": 2}
    np.testing.assert_array_equal(models.net(X), before)
    assert len(names) == 2


TWO_LAYERS = """
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    network
"""


def test_layers_that_keras_names_are_carried_in_their_order() -> None:
    keras.layers.Dense(1)  # whatever was made before
    add_cell("net", TWO_LAYERS, NAMES, eager=True)
    first, second = (layer.name for layer in models.net.live.layers)
    run_cell(models.net, "network.set_weights([w + 1.0 for w in network.get_weights()])", NAMES)
    weights = models.net.live.get_weights()
    assert add_cell("net", TWO_LAYERS, NAMES, eager=True, keep=True).former == {"name": None, "carried": 4}
    assert [layer.name for layer in models.net.live.layers] != [first, second]
    for one, other in zip(models.net.live.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_name_that_is_there_goes_before_a_number_that_is_counted() -> None:
    code = """
        module = tf.Module()
        module.a, module.b = (tf.Variable([value], name=name) for name, value in PAIRS)
        module.f = tf.function(lambda x: x * module.a + module.b, input_signature=[tf.TensorSpec([1], name="x")])
        module
    """
    add_cell("net", code, {**NAMES, "PAIRS": [("part_1", 1.0), ("part_2", 2.0)]}, eager=True)
    run_cell(models.net, "module.a.assign([10.0])\nmodule.b.assign([20.0])", NAMES)
    # part_1 is gone, and part_2 is not to get what it had learnt.
    add_cell("net", code, {**NAMES, "PAIRS": [("part_2", 2.0), ("other", 3.0)]}, eager=True, keep=True)
    assert [float(one.numpy()[0]) for one in (models.net.live.a, models.net.live.b)] == [20, 3]
    assert "net~1" in models


def test_a_module_of_an_eager_cell() -> None:
    code = """
        module = tf.Module()
        module.w = tf.Variable(2.0)
        module.f = tf.function(lambda x: x * module.w, input_signature=[tf.TensorSpec([None], name="x")])
        module
    """
    add_cell("net", code, NAMES, eager=True)
    run_cell(models.net, "module.w.assign(9.0)", NAMES)
    assert add_cell("net", code, NAMES, eager=True).former == {"name": "net~1", "carried": 0}
    assert models["net~1"]([1.0]).tolist() == [9]
    assert models.net([1.0]).tolist() == [2]


def test_from_a_graph_to_an_eager_cell_the_training_stays_aside() -> None:
    before = trained_linear()
    assert add_cell("net", EAGER, NAMES, eager=True).former == {"name": "net~1", "carried": 0}
    np.testing.assert_array_equal(models["net~1"](X), before)


def test_a_lazily_built_one_that_never_ran_has_learnt_nothing() -> None:
    from tfmagic.model.cell import Cell
    from tfmagic.model.options import Options
    from tfmagic.model.sources.cell import CellSource

    def source() -> CellSource:
        return CellSource(Cell("x = tf.compat.v1.placeholder(tf.float32, [])\ny = x * 2.0", "<lazy>"), NAMES)

    models.admit("net", source(), Options.checked(), lazy=True)
    assert models.admit("net", source(), Options.checked()).former is None
