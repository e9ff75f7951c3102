"""Live objects saved as a SavedModel folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_networks import DRAWN, TABLES, trained
from reference_keras import assert_close
from reference_tensorflow import by_loader_1, by_loader_2, record_of, same

from tfmagic import models
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
COARSE = {"mixed_precision": 1e-2, "half": 1e-2, "brain_half": 5e-2}


class Scale(tf.Module):
    """Two signatures, a plain function, and one that nobody has called."""

    def __init__(self) -> None:
        self.factor = tf.Variable(2.0)
        self.unused = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": x * self.factor}

    @tf.function(input_signature=[tf.TensorSpec([None, 4], name="x"), tf.TensorSpec([], name="by")])
    def more(self, x: Any, by: Any) -> Any:
        return {"low": x - by, "high": x + by}

    @tf.function
    def free(self, z: Any) -> Any:
        return z * self.factor


def everywhere(model: Any, folder: Path, inputs: dict[str, Any], signature: str | None = None) -> None:
    """Assert that a live model's folder answers as the object does, in plain TensorFlow and in tfmagic."""
    answers = model.run(inputs, signature=signature)
    name = signature or model.default_signature
    same(answers, by_loader_1(folder, inputs, name))
    same(answers, by_loader_2(folder, inputs, name))
    same(answers, models.add("back", folder, replace=True).run(inputs, signature=name))


@pytest.mark.parametrize("make", [*DRAWN, *TABLES], ids=lambda make: make.__name__)
def test_every_kind_of_keras_model(tmp_path: Path, make: Callable[[], Any]) -> None:
    network, given = make()
    trained(network)
    model = models.add("net", network)
    folder = model.save(tmp_path / "net")
    answers = model.run(given)
    written = by_loader_1(folder, given)
    same(written, models.add("back", folder).run(given))
    # Called as functions, and called eagerly, TensorFlow takes other kernels, which differ in the last bits.
    names, within = sorted(answers), COARSE.get(make.__name__, 1e-4)
    assert sorted(written) == names
    for others in (by_loader_2(folder, given), answers):
        assert_close([written[name] for name in names], [others[name] for name in names], within)


def test_a_compiled_model_takes_its_optimizer_along(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="last")])
    network.compile("adam", "mse")
    network.fit(X, X[:, :3], verbose=0)
    model = models.add("net", network, outputs="y=last")
    folder = model.save(tmp_path / "net")
    everywhere(model, folder, {"x": X})
    record = record_of(model)
    assert record["variables"] == 2 + len(network.optimizer.variables)
    assert record["for_training"] == len(network.optimizer.variables)
    weights = tf.saved_model.load(str(folder)).weights
    for variable in (*network.weights, *network.optimizer.variables):
        np.testing.assert_array_equal(weights[variable.path].numpy(), variable.numpy())


def test_renamed_ends_are_the_signatures_in_the_folder(tmp_path: Path) -> None:
    a, b = keras.Input((4,), name="my-a"), keras.Input((2,), name="b")
    network = keras.Model([a, b], {"probs": keras.layers.Dense(3)(a), "rest": keras.layers.Dense(3)(b)})
    model = models.add("net", network, inputs="rows=b", outputs="p=probs")
    inputs = {"my-a": X, "rows": X[:, :2]}
    everywhere(model, model.save(tmp_path / "net"), inputs)
    assert set(by_loader_2(tmp_path / "net", inputs)) == {"p", "rest"}


def test_a_module_keeps_its_own_functions_beside_its_signatures(tmp_path: Path) -> None:
    module = Scale()
    model = models.add("net", module)
    folder = model.save(tmp_path / "net")
    everywhere(model, folder, {"x": X})
    everywhere(model, folder, {"x": X, "by": np.float32(0.5)}, "more")
    loaded = tf.saved_model.load(str(folder))
    np.testing.assert_array_equal(loaded(tf.constant(X))["y"], X * 2)
    np.testing.assert_array_equal(loaded.unused.numpy(), [1, 2])
    (note,) = record_of(model)["notes"]
    assert note == "without its signature 'free': no call of it has shown yet what it takes"
    assert record_of(model)["variables"] == 2
    assert record_of(model)["for_training"] == 1


def test_weights_are_those_of_the_moment(tmp_path: Path) -> None:
    module = Scale()
    model = models.add("net", module)
    model.save(tmp_path / "one")
    module.factor.assign(7.0)
    model.save(tmp_path / "two")
    np.testing.assert_array_equal(by_loader_2(tmp_path / "one", {"x": X})["y"], X * 2)
    np.testing.assert_array_equal(by_loader_2(tmp_path / "two", {"x": X})["y"], X * 7)
    module.factor.assign(0.0)
    np.testing.assert_array_equal(models.add("back", tmp_path / "two")(X), X * 7)


def called_by_tfmagic(model: Any, function: Any) -> None:
    del function
    model.run(z=X)


def called_by_itself(model: Any, function: Any) -> None:
    del model
    function(tf.constant(X))
    function(tf.constant(X[:2]))


@pytest.mark.parametrize("call", [called_by_tfmagic, called_by_itself])
def test_a_function_that_has_been_called_once_can_be_saved(tmp_path: Path, call: Any) -> None:
    w = tf.Variable(3.0)

    @tf.function
    def times(z: Any) -> Any:
        return {"y": z * w, "sum": tf.reduce_sum(z)}

    model = models.add("net", times)
    with pytest.raises(SaveError, match=r"net cannot be saved yet, for the dtype and shape of its input 'z'.*run it"):
        model.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())
    call(model, times)
    everywhere(model, model.save(tmp_path / "net"), {"z": X[:3]})
    assert record_of(model)["variables"] == 1


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.last = keras.layers.Dense(3)
        self.drop = keras.layers.Dropout(0.5)

    def call(self, rows: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002 - as Keras has it
        return {"y": self.drop(self.last(rows), training=training), "rows": [rows, 2 * rows]}


def test_a_subclassed_model_that_was_called_can_be_saved(tmp_path: Path) -> None:
    network = Subclassed()
    model = models.add("net", network)
    for path in ("net", "net.pb"):
        with pytest.raises(SaveError, match=r"net cannot be saved yet, for .* input 'rows' are not known"):
            model.save(tmp_path / path)
    network(X)
    everywhere(model, model.save(tmp_path / "net"), {"rows": X[:2]})


def test_a_function_with_a_table_that_it_names(tmp_path: Path) -> None:
    begin = tf.lookup.KeyValueTensorInitializer(["a", "b"], tf.constant([1, 2], tf.int64))
    table = tf.lookup.StaticHashTable(begin, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
    def find(words: Any) -> Any:
        return {"ids": table.lookup(words)}

    model = models.add("net", find)
    everywhere(model, model.save(tmp_path / "net"), {"words": np.array(["b", "c"], object)})


def test_a_table_that_nothing_leads_to_is_said(tmp_path: Path) -> None:
    def made() -> Any:
        begin = tf.lookup.KeyValueTensorInitializer(["a"], tf.constant([1], tf.int64))
        tables = [tf.lookup.StaticHashTable(begin, -1)]

        def keep() -> list[Any]:
            return tables

        def find(words: Any) -> Any:
            return {"ids": keep()[0].lookup(words)}

        return tf.function(find, input_signature=[tf.TensorSpec([None], tf.string, "words")])

    model = models.add("net", made())
    with pytest.raises(SaveError, match=r"net cannot be saved: it uses a variable or table that is no attribute of it"):
        model.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_a_model_of_tf_keras(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    network = tf_keras.Sequential([tf_keras.layers.Input((4,)), tf_keras.layers.Dense(3)])
    model = models.add("net", network)
    model.run(X)
    everywhere(model, model.save(tmp_path / "net"), {model.signature().required[0].name: X})
    file = model.save(tmp_path / "net.pb")
    same(models.add("back", file, replace=True).run(X), by_loader_1(tmp_path / "net", {"inputs": X}))
    with pytest.raises(SaveError, match=r"\.keras holds models of Keras 3, and net is one of tf_keras"):
        model.save(tmp_path / "net.keras")


def test_a_concrete_function_and_what_a_loader_gave(tmp_path: Path) -> None:
    w = tf.Variable(3.0)
    concrete = tf.function(lambda x: {"y": x * w}).get_concrete_function(tf.TensorSpec([None], name="x"))
    model = models.add("concrete", concrete)
    x = np.array([1, 2], np.float32)
    folder = model.save(tmp_path / "one")
    everywhere(model, folder, {"x": x})
    loaded = models.add("loaded", tf.saved_model.load(str(folder)))
    everywhere(loaded, loaded.save(tmp_path / "two"), {"x": x})


def test_what_may_be_left_out_is_left_out_and_said(tmp_path: Path) -> None:
    class Masked(keras.Model):
        def call(self, x: Any, weights: Any = None) -> Any:
            return x if weights is None else x * weights

    network = Masked()
    network(X)
    model = models.add("net", network)
    folder = model.save(tmp_path / "net")
    everywhere(model, folder, {"x": X})
    assert record_of(model)["notes"] == ["without inputs that may be left out: weights"]


def test_a_name_that_tensorflow_cannot_write_is_refused(tmp_path: Path) -> None:
    model = models.add("net", Scale(), inputs={"class": "x"})
    with pytest.raises(SaveError, match=r"with an input called 'class'.*--inputs NAME=class"):
        model.save(tmp_path / "net")
    assert not list(tmp_path.iterdir())


def test_an_object_that_cannot_be_a_graph_is_refused_in_one_line(tmp_path: Path) -> None:
    class Odd(keras.Model):
        def call(self, x: Any) -> Any:
            return x * float(tf.reduce_sum(x).numpy())

    network = Odd()
    network.run_eagerly = True
    model = models.add("net", network)
    model.run(X)
    for path in ("net", "net.pb"):
        with pytest.raises(SaveError, match=r"^net cannot be [^\n]*$"):
            model.save(tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_a_cell_that_runs_eagerly_is_saved_as_its_object(tmp_path: Path) -> None:
    from tfmagic.execution.room.cell import Cell
    from tfmagic.execution.signature.options import Options
    from tfmagic.formats.cell_source import EagerCellSource

    source = "import tensorflow as tf\nw = tf.Variable(2.0)\ntf.function(lambda x: {'y': x * w})"
    model = models.admit("net", EagerCellSource(Cell(source, "<cell net>"), {}), Options()).model
    model.run(x=X)
    everywhere(model, model.save(tmp_path / "net"), {"x": X})
