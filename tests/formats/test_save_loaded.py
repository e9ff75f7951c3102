"""Models of files saved again: every kind of source, as a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, run_cell, save_linear_v1, save_v2
from reference_tensorflow import by_loader_1, by_loader_2, record_of, same

from tfmagic import models, session
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


def everywhere(model: Any, folder: Path, inputs: dict[str, Any], signature: str | None = None) -> None:
    """Assert that a saved model answers from its folder as it does here, in plain TensorFlow and in tfmagic."""
    answers = model.run(inputs, signature=signature)
    name = signature or model.default_signature
    same(answers, by_loader_1(folder, inputs, name))
    same(answers, by_loader_2(folder, inputs, name))
    same(answers, models.add("back", folder, replace=True).run(inputs, signature=name))


class Many(tf.Module):
    """A table with a file, a state, and several signatures."""

    def __init__(self, words: Path) -> None:
        self.w = tf.Variable(np.arange(4, dtype=np.float32).reshape(2, 2))
        self.calls = tf.Variable(0)
        kind = tf.lookup.TextFileIndex
        begin = tf.lookup.TextFileInitializer(str(words), tf.string, kind.WHOLE_LINE, tf.int64, kind.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(begin, -1)

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def times(self, x: Any) -> Any:
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: x @ self.w, lambda: x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
    def ids(self, words: Any) -> Any:
        self.calls.assign_add(1)
        return {"ids": self.table.lookup(words), "calls": self.calls.read_value()}


def save_many(tmp_path: Path) -> Path:
    (tmp_path / "words.txt").write_text("red\ngreen\n")
    module = Many(tmp_path / "words.txt")
    module.times(tf.ones([1, 2]))
    tf.saved_model.save(module, str(tmp_path / "many"), {"serving_default": module.times, "ids": module.ids})
    (tmp_path / "words.txt").unlink()
    return tmp_path / "many"


def test_all_signatures_of_a_v2_saved_model_with_tables_and_state(tmp_path: Path) -> None:
    model = models.add("many", save_many(tmp_path), inputs="rows=x", outputs="answer=y")
    words = np.array(["green", "pink"], object)
    model.run(words, signature="ids")
    folder = model.save(tmp_path / "again")
    everywhere(model, folder, {"rows": X})
    want = {"ids": np.array([1, -1]), "calls": np.int32(2)}
    # Each of them counts on from the one call that was made here.
    same(want, by_loader_1(folder, {"words": words}, "ids"))
    same(want, by_loader_2(folder, {"words": words}, "ids"))
    same(want, models.add("back", folder, replace=True).run(words, signature="ids"))
    assert [file.name for file in (folder / "assets").iterdir()] == ["words.txt"]
    # Where the words were on this machine is no value of the model's.
    values = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    assert all(values.get_variable_to_dtype_map()[name] != tf.string for name in values.get_variable_to_shape_map())


def test_a_saved_copy_is_of_itself_and_can_be_saved_again(tmp_path: Path) -> None:
    first = models.add("first", save_many(tmp_path)).save(tmp_path / "one")
    second = models.add("second", first).save(tmp_path / "two")
    everywhere(models.second, second, {"x": X})
    same(models.first.run({"x": X}), models.second.run({"x": X}))


@pytest.mark.parametrize("reference", [False, True])
def test_a_v1_saved_model_with_renamed_ends(tmp_path: Path, reference: bool) -> None:  # noqa: FBT001
    source = save_linear_v1(tmp_path / "net", 2.5, -1.0, reference=reference)
    model = models.add("net", source, inputs="rows=x", outputs="answer=y")
    everywhere(model, model.save(tmp_path / "again"), {"rows": X})


def test_weights_that_a_cell_has_changed_are_those_that_are_saved(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net", 2.0, 1.0))
    run_cell(
        model,
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        step = v1.train.GradientDescentOptimizer(0.1).minimize(tf.reduce_sum(y))
        session.run(step, {x: [[1, 2]]})
        """,
    )
    folder = model.save(tmp_path / "again")
    assert not np.array_equal(model(X), 2 * X + 1)
    everywhere(model, folder, {"x": X})


def test_a_keras_export_says_which_of_its_variables_were_never_loaded(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    network.export(str(tmp_path / "net"), verbose=False)
    model = models.add("net", tmp_path / "net")
    folder = model.save(tmp_path / "again")
    (name,) = (spec.name for spec in model.signature().inputs)
    everywhere(model, folder, {name: X})
    (note,) = record_of(model)["notes"]
    assert note.startswith("without ")
    assert note.endswith(" of its own file that nothing of it uses")


def test_a_frozen_graph_becomes_a_folder(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"))
    folder = model.save(tmp_path / "again")
    everywhere(model, folder, {"x": X})
    assert record_of(model)["variables"] == 0
    assert not (folder / "variables").exists()


def save_checkpoint(tmp_path: Path) -> Path:
    with tf.Graph().as_default(), v1.Session() as plain:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 3], initializer=v1.glorot_uniform_initializer(seed=3))
        loss = tf.reduce_sum(tf.identity(x @ w, "y"))
        train = v1.train.AdamOptimizer(0.1).minimize(loss, global_step=v1.train.get_or_create_global_step())
        plain.run(v1.global_variables_initializer())
        plain.run(train, {x: X})
        return type(tmp_path)(v1.train.Saver().save(plain, str(tmp_path / "model.ckpt")))


def test_a_checkpoint_becomes_a_folder_with_its_optimizer(tmp_path: Path) -> None:
    model = models.add("net", save_checkpoint(tmp_path), outputs="y")
    folder = model.save(tmp_path / "again")
    everywhere(model, folder, {"x": X})
    saved = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    before = tf.train.load_checkpoint(str(tmp_path / "model.ckpt"))
    assert {"w/Adam", "w/Adam_1", "global_step", "beta1_power"} <= set(saved.get_variable_to_shape_map())
    for name in before.get_variable_to_shape_map():
        np.testing.assert_array_equal(saved.get_tensor(name), before.get_tensor(name))


def test_a_keras_file_becomes_a_folder(tmp_path: Path) -> None:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="my-b")
    network = keras.Model([a, b], {"sum": keras.layers.Dense(3)(a) + keras.layers.Dense(3)(b), "b": b})
    network.save(tmp_path / "net.keras")
    model = models.add("net", tmp_path / "net.keras", inputs="first=a")
    everywhere(model, model.save(tmp_path / "again"), {"first": X, "my-b": X + 1})


def test_a_table_that_only_its_own_operation_restores(tmp_path: Path) -> None:
    class Memory(tf.Module):
        def __init__(self) -> None:
            self.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -1)
            self.table.insert(["a"], tf.constant([5], tf.int64))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "words")])
        def find(self, words: Any) -> Any:
            return {"found": self.table.lookup(words)}

    module = Memory()
    tf.saved_model.save(module, str(tmp_path / "net"), module.find)
    model = models.add("net", tmp_path / "net")
    assert "loaded whole" in model.notes[0]
    folder = model.save(tmp_path / "again")
    everywhere(model, folder, {"words": np.array(["a", "b"], object)})
    assert model.save(tmp_path / "net", replace=True)
    session.close()
    np.testing.assert_array_equal(model(["a", "b"]), [5, -1])


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_saved_over_its_own_folder_it_comes_back_as_it_was_saved(tmp_path: Path, kind: str) -> None:
    if kind == "v1":
        model = models.add("net", save_linear_v1(tmp_path / "net", 2.0, 1.0))
    else:
        w = tf.Variable(2.0, name="w")
        save_v2(tmp_path / "net", lambda x: {"y": x * w + 1.0}, tf.TensorSpec([None, 2], name="x"), w=w)
        model = models.add("net", tmp_path / "net")
    run_cell(
        model,
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        w = [op for op in graph.get_operations() if op.type == "VarHandleOp"][0]
        more = v1.get_variable("more", initializer=1.0)
        change = [tf.raw_ops.AssignVariableOp(resource=w.outputs[0], value=10.0), more.assign(3.0)]
        session.run(change)
        """,
    )
    answer = model(X)
    assert model.save(tmp_path / "net", replace=True) == tmp_path / "net"
    session.close()
    np.testing.assert_array_equal(model(X), answer)
    assert run_cell(model, "session.run(more)") == 3.0
    same({"y": answer}, by_loader_2(tmp_path / "net", {"x": X}))
    # Run All: the same line finds the folder as the model left it.
    assert models.add("net", tmp_path / "net") is model
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_saved_over_its_own_folder_with_tables_it_comes_back(tmp_path: Path) -> None:
    model = models.add("many", save_many(tmp_path))
    words = np.array(["green", "pink"], object)
    model.run(words, signature="ids")
    model.save(tmp_path / "many", replace=True)
    session.close()
    same({"ids": np.array([1, -1]), "calls": np.int32(2)}, model.run(words, signature="ids"))
    again = model.save(tmp_path / "again")
    same({"ids": np.array([1, -1]), "calls": np.int32(3)}, by_loader_2(again, {"words": words}, "ids"))


def test_a_version_saved_beside_the_others_is_the_one_that_is_loaded_next(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "net" / "1", 2.0, 1.0)
    model = models.add("net", tmp_path / "net")
    run_cell(model, "session.run(graph.get_collection('variables')[0].assign(5.0))")
    model.save(tmp_path / "net" / "2")
    np.testing.assert_array_equal(models.add("net", tmp_path / "net")(X), 5 * X + 1)
    with pytest.raises(SaveError, match=r"is a folder that is no SavedModel \(there is: 1, 2\)"):
        model.save(tmp_path / "net", replace=True)


def test_a_lazy_model_is_built_to_be_saved(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"), lazy=True)
    assert model.state == "parked"
    everywhere(model, model.save(tmp_path / "again"), {"x": X})
