"""Keras models saved as ``.keras``: loaded by Keras itself, optimizer and all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell, save_linear_v1
from keras_networks import DRAWN, TABLES, trained
from reference_keras import assert_close, assert_same, eager_answer
from reference_tensorflow import record_of, same

from tfmagic import models, session
from tfmagic.errors import SaveError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)


def compiled() -> Any:
    network = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, name="last")])
    network.compile(keras.optimizers.Adam(0.05), "mse")
    network.fit(X, X[:, :3], verbose=0, batch_size=6)
    return network


@pytest.mark.parametrize("make", [*DRAWN, *TABLES], ids=lambda make: make.__name__)
def test_keras_reads_every_kind_back(tmp_path: Path, make: Callable[[], Any]) -> None:
    network, given = make()
    trained(network)
    file = models.add("net", network).save(tmp_path / "net.keras")
    assert_same(eager_answer(keras.models.load_model(file), given), eager_answer(network, given))


def test_training_goes_on_from_the_file_as_from_the_model(tmp_path: Path) -> None:
    network = compiled()
    model = models.add("net", network)
    file = model.save(tmp_path / "net.keras")
    record = record_of(model)
    assert (record["variables"], record["for_training"]) == (2 + 6, 6)
    again = keras.models.load_model(file)
    for one in (network, again):
        one.fit(X, X[:, :3], verbose=0, shuffle=False, epochs=3)
    mine, theirs = ([*one.weights, *one.optimizer.variables] for one in (network, again))
    assert_same([variable.numpy() for variable in mine], [variable.numpy() for variable in theirs])


def test_a_copy_writes_its_own_weights_and_leaves_the_object_alone(tmp_path: Path) -> None:
    network = compiled()
    before = [variable.numpy() for variable in network.weights]
    model = models.add("net", network, copy=True)
    model.lifecycle.built_backend().assign(
        [(name, np.zeros_like(value)) for name, value in list(model.lifecycle.built_backend().values())]
    )
    again = keras.models.load_model(model.save(tmp_path / "net.keras"))
    np.testing.assert_array_equal(np.array(again(X)), np.zeros((6, 3)))
    assert_same([variable.numpy() for variable in network.weights], before)
    same(models.add("back", tmp_path / "net.keras").run(X), model.run(X))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_keras_file_is_written_again_with_what_was_learnt(tmp_path: Path, suffix: str) -> None:
    network = compiled()
    network.save(tmp_path / f"net{suffix}")
    model = models.add("net", tmp_path / f"net{suffix}")
    run_cell(
        model,
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        more = v1.get_variable("more", initializer=2.0)
        step = v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(last))
        session.run(step, {x: X})
        """,
        {"X": X},
    )
    again = keras.models.load_model(model.save(tmp_path / "again.keras"))
    assert record_of(model)["notes"] == ["without 1 variable that the Keras model does not have"]
    assert_close([np.array(again(X))], [model(X)])
    assert not np.array_equal(np.array(again(X)), np.array(network(X)))
    same(models.add("back", tmp_path / "again.keras").run(X), model.run(X))


def test_saved_over_its_own_file_it_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    compiled().save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras")
    model.lifecycle.built_backend().assign(
        [(name, 2 * value) for name, value in list(model.lifecycle.built_backend().values())]
    )
    answer = model(X)
    model.save(tmp_path / "net.keras", replace=True)
    session.close()
    np.testing.assert_array_equal(model(X), answer)
    assert models.add("net", tmp_path / "net.keras") is model


def test_renamed_ends_keep_their_names_in_the_file_and_it_says_so(tmp_path: Path) -> None:
    model = models.add("net", compiled(), inputs="rows=x")
    model.save(tmp_path / "net.keras")
    assert record_of(model)["notes"] == ["its inputs and outputs have Keras's own names in it"]
    assert [end.name for end in models.add("back", tmp_path / "net.keras").signature().inputs] == ["x"]


def refused(model: Any, tmp_path: Path, why: str) -> None:
    with pytest.raises(SaveError, match=why):
        model.save(tmp_path / "refused.keras")
    assert not (tmp_path / "refused.keras").exists()
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]


def vocabulary() -> Any:
    ends = keras.Input([], dtype="string")
    return keras.Model(ends, keras.layers.StringLookup(vocabulary=["a", "b"])(ends))


def test_a_copy_with_a_table_is_refused_for_its_table(tmp_path: Path) -> None:
    vocabulary().save(tmp_path / "net.keras")
    refused(models.add("net", tmp_path / "net.keras"), tmp_path, r"^net has a table, .*save it as a folder$")
    refused(models.add("copy", vocabulary(), copy=True), tmp_path, r"^copy has a table, .*save it as a folder$")


def test_an_h5_file_without_its_vocabulary_is_refused(tmp_path: Path) -> None:
    layer = keras.layers.TextVectorization(output_sequence_length=3)
    layer.adapt(["a b", "c"])
    ends = keras.Input([], dtype="string")
    keras.Model(ends, keras.layers.Embedding(9, 2)(layer(ends))).save(tmp_path / "net.h5")
    with pytest.raises(SourceError, match=r"^net has a table that was never filled, .*save the model as \.keras"):
        models.add("net", tmp_path / "net.h5")


def test_what_is_no_keras_model_is_refused_and_told_what_it_is(tmp_path: Path) -> None:
    add_cell("cell", "import tensorflow as tf\ny = tf.identity(tf.compat.v1.placeholder(tf.float32, name='x'))")
    refused(models.cell, tmp_path, r"^.keras holds Keras models; cell is a cell: save it as a folder or .pb$")
    folder = models.add("folder", save_linear_v1(tmp_path / "net"))
    refused(folder, tmp_path, r"folder is a SavedModel: save it as a folder or .pb")
    function = models.add("function", tf.function(lambda x: x))
    refused(function, tmp_path, r"function is a tf.function: save it as")


def test_a_layer_and_a_model_without_weights_are_refused(tmp_path: Path) -> None:
    refused(models.add("layer", keras.layers.Dense(3)), tmp_path, r"layer is a layer: .*put it into a keras.Model")
    network = keras.Sequential([keras.layers.Dense(3)])
    model = models.add("net", network)
    refused(model, tmp_path, r"net has not been built, so it has no weights to save: run it once \(%tf_run net …\)")
    network.build((None, 4))
    assert model.save(tmp_path / "net.keras").exists()
