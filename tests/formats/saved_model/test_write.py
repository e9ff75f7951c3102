"""Graphs saved as a SavedModel folder: what plain TensorFlow answers from it, and goes on training with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell
from reference_tensorflow import by_loader_1, by_loader_2, record_of, same

from tfmagic import models, session
from tfmagic.errors import SaveError
from tfmagic.formats.saved_model import saver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1

X = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = np.random.default_rng(1).normal(size=6).astype(np.float32)

TRAINING = """
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None, 3], "x")
labels = v1.placeholder(tf.float32, [None], "labels")
hidden = tf.nn.relu(x @ v1.get_variable("hidden", [3, 8], initializer=v1.glorot_uniform_initializer(seed=1)))
last = v1.get_variable("last", [8, 1], initializer=v1.glorot_uniform_initializer(seed=2), use_resource=RESOURCE)
y = tf.identity(tf.squeeze(hidden @ last, 1), "y")
loss = tf.reduce_mean(tf.square(y - labels), name="loss")
seen = v1.get_variable("seen", initializer=0, trainable=False, collections=[v1.GraphKeys.LOCAL_VARIABLES])
count = seen.assign_add(1)
train = v1.train.AdamOptimizer(0.05).minimize(loss, global_step=v1.train.get_or_create_global_step())
"""


def trained(name: str, *, resource: bool, steps: int = 3) -> Any:
    """Return the model of a cell that was trained a little."""
    add_cell(name, TRAINING.replace("RESOURCE", str(resource)), inputs="x,labels", outputs="y,loss")
    for _ in range(steps):
        run_cell(models[name], "session.run([train, count], {x: X, labels: LABELS})", {"X": X, "LABELS": LABELS})
    return models[name]


def weights_of(model: Any) -> dict[str, Any]:
    return {name: np.array(value) for name, value in model.lifecycle.built_backend().values()}


@pytest.mark.parametrize("resource", [True, False])
def test_a_trained_cell_answers_the_same_from_its_folder(tmp_path: Path, resource: bool) -> None:  # noqa: FBT001
    model = trained("net", resource=resource)
    answers = model.run(x=X, labels=LABELS)
    assert model.save(tmp_path / "net") == tmp_path / "net"
    inputs = {"x": X, "labels": LABELS}
    same(answers, by_loader_1(tmp_path / "net", inputs))
    same(answers, by_loader_2(tmp_path / "net", inputs))
    back = models.add("back", tmp_path / "net")
    same(answers, back.run(inputs))
    assert [str(end) for end in back.signature().inputs] == ["labels float32 (?,)", "x float32 (?, 3)"]


@pytest.mark.parametrize("resource", [True, False])
def test_training_goes_on_from_the_folder_as_in_the_room(tmp_path: Path, resource: bool) -> None:  # noqa: FBT001
    model = trained("net", resource=resource)
    folder = model.save(tmp_path / "net")
    assert record_of(model)["variables"] == 10
    assert record_of(model)["for_training"] == 8
    with tf.Graph().as_default() as graph, v1.Session() as plain:
        v1.saved_model.load(plain, ["serve"], str(folder))
        step = graph.get_collection(v1.GraphKeys.TRAIN_OP)[0]
        for _ in range(4):
            plain.run(step, {"x:0": X, "labels:0": LABELS})
        there = {variable.op.name: plain.run(variable) for variable in v1.global_variables()}
        names = {variable.op.name for variable in v1.trainable_variables()}
        assert plain.run(v1.local_variables()) == [3]
    run_cell(model, "for _ in range(4): session.run(train, {x: X, labels: LABELS})", {"X": X, "LABELS": LABELS})
    here = {name: value for name, value in weights_of(model).items() if name != "seen"}
    assert names == {"hidden", "last"}
    assert there["global_step"] == 7
    same(here, there)


def test_a_local_variable_keeps_its_value_in_either_loader(tmp_path: Path) -> None:
    add_cell(
        "counted",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        total = v1.get_variable("total", initializer=1.0, collections=[v1.GraphKeys.LOCAL_VARIABLES])
        alone = v1.get_variable("alone", initializer=10.0, collections=[])
        session.run(alone.initializer)
        y = tf.identity(x * total + alone, "y")
        """,
    )
    run_cell(models.counted, "session.run([total.assign(5.0), alone.assign(7.0)])")
    folder = models.counted.save(tmp_path / "counted")
    x = np.array([1, 2], np.float32)
    for answers in (by_loader_1, by_loader_2):
        np.testing.assert_array_equal(answers(folder, {"x": x})["y"], 5 * x + 7)


def test_saving_changes_neither_the_graph_nor_the_weights(tmp_path: Path) -> None:
    model = trained("net", resource=True)
    before, weights = model.graph.as_graph_def(), weights_of(model)
    model.save(tmp_path / "net")
    after = [node for node in model.graph.as_graph_def().node if not node.name.startswith("tfmagic_")]
    assert [node.name for node in before.node if not node.name.startswith("tfmagic_")] == [node.name for node in after]
    same(weights, weights_of(model))


def test_nothing_of_tfmagics_own_is_in_the_folder(tmp_path: Path) -> None:
    model = trained("net", resource=False)
    weights_of(model)
    folder = model.save(tmp_path / "net")
    assert b"tfmagic" not in (folder / "saved_model.pb").read_bytes()
    assert sorted(entry.name for entry in folder.iterdir()) == ["saved_model.pb", "variables"]
    assert not any("parts" in entry.name for entry in (folder / "variables").iterdir())


def test_a_saver_of_tensorflow_works_on_what_was_loaded(tmp_path: Path) -> None:
    folder = trained("net", resource=False).save(tmp_path / "net")
    with tf.Graph().as_default() as graph, v1.Session() as plain:
        meta = v1.saved_model.load(plain, ["serve"], str(folder))
        saver = v1.train.Saver(saver_def=meta.saver_def)
        plain.run(graph.get_operation_by_name("last/Assign"))
        plain.run(v1.assign(v1.global_variables()[0], np.ones([3, 8])))
        saver.save(plain, str(tmp_path / "again"), write_meta_graph=False)
    checkpoint = tf.train.load_checkpoint(str(tmp_path / "again"))
    np.testing.assert_array_equal(checkpoint.get_tensor("hidden"), np.ones([3, 8]))
    assert checkpoint.get_tensor("global_step") == 3


def test_a_graph_that_was_saved_before_keeps_its_own_saver(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=3.0)
        tf.identity(x * w, "y")
        v1.train.Saver(name="save")
    model = models.add("net", graph, outputs="y")
    same(model.run(x=[1.0]), by_loader_2(model.save(tmp_path / "net"), {"x": np.array([1], np.float32)}))


def test_a_variable_without_a_value_is_left_out_and_said(tmp_path: Path) -> None:
    add_cell(
        "half",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        first = v1.placeholder(tf.float32, [], "first")
        late = v1.get_variable("late", initializer=first)
        w = v1.get_variable("w", initializer=2.0)
        y = tf.identity(x * w, "y")
        """,
        inputs="x",
        outputs="y",
    )
    folder = models.half.save(tmp_path / "half")
    assert record_of(models.half)["notes"] == ["without 1 variable that no value was given to yet: late"]
    x = np.array([1, 2], np.float32)
    for answers in (by_loader_1, by_loader_2):
        np.testing.assert_array_equal(answers(folder, {"x": x})["y"], 2 * x)
    np.testing.assert_array_equal(models.add("back", folder)(x), 2 * x)


def test_a_requested_device_is_not_asked_of_the_next_machine(tmp_path: Path) -> None:
    add_cell(
        "placed",
        """
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        with tf.device("/job:localhost/device:CPU:0"):
            z = tf.identity(x + 1.0, "z")
        y = tf.identity(z * 2.0, "y")
        """,
        device="gpu",
    )
    folder = models.placed.save(tmp_path / "placed")
    with tf.Graph().as_default() as graph, v1.Session() as plain:
        v1.saved_model.load(plain, ["serve"], str(folder))
        assert graph.get_operation_by_name("y").device == ""
        assert "CPU" in graph.get_operation_by_name("z").device
        assert plain.run("y:0", {"x:0": [1.0]}) == [4.0]


def test_loops_and_conditions_of_either_kind_come_back(tmp_path: Path) -> None:
    code = """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=1.5)
        turns = tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * w), [0, x])[1]
        y = tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: turns + w, lambda: turns - w), "y")
    """
    for name, kind in (("old", "v1.disable_control_flow_v2()"), ("new", "v1.enable_control_flow_v2()")):
        add_cell(name, code.replace("x = v1", f"{kind}; x = v1"), inputs="x", outputs="y")
        folder = models[name].save(tmp_path / name)
        for x in (np.array([1, 2], np.float32), np.array([-1, -2], np.float32)):
            same(models[name].run(x), by_loader_1(folder, {"x": x}))
            same(models[name].run(x), by_loader_2(folder, {"x": x}))


def test_tables_and_their_files_come_along(tmp_path: Path) -> None:
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "words.txt").write_text("red\ngreen\n" if place == "one" else "green\nblue\nred\n")
    add_cell(
        "words",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        words = v1.placeholder(tf.string, [None], "words")
        def ids(file):
            kind = tf.lookup.TextFileIndex
            begin = tf.lookup.TextFileInitializer(file, tf.string, kind.WHOLE_LINE, tf.int64, kind.LINE_NUMBER)
            return tf.lookup.StaticHashTable(begin, -1).lookup(words)
        keys = tf.lookup.KeyValueTensorInitializer(tf.constant(["red"]), tf.constant([7], tf.int64))
        one, two = tf.identity(ids(files[0]), "one"), tf.identity(ids(files[1]), "two")
        three = tf.identity(tf.lookup.StaticHashTable(keys, 0).lookup(words), "three")
        """,
        {"files": [str(tmp_path / place / "words.txt") for place in ("one", "two")]},
        outputs="one,two,three",
    )
    words = np.array(["red", "green", "pink"], object)
    answers = models.words.run(words)
    np.testing.assert_array_equal(answers["two"], [2, 0, -1])
    folder = models.words.save(tmp_path / "net")
    assert sorted(file.name for file in (folder / "assets").iterdir()) == ["words.txt", "words.txt_1"]
    for place in ("one", "two"):
        (tmp_path / place / "words.txt").unlink()
    moved = folder.rename(tmp_path / "moved")
    same(answers, by_loader_1(moved, {"words": words}))
    same(answers, by_loader_2(moved, {"words": words}))
    same(answers, models.add("back", moved).run(words))
    with pytest.raises(SaveError, match=r"words cannot be saved: the file .*/words.txt, from which one of its tables"):
        models.words.save(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_what_was_put_into_a_table_is_saved(tmp_path: Path) -> None:
    add_cell(
        "known",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        words = v1.placeholder(tf.string, [None], "words")
        table = tf.lookup.experimental.MutableHashTable(tf.string, tf.float32, 0.0)
        dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -1, empty_key=-1, deleted_key=-2)
        w = v1.get_variable("w", initializer=2.0)
        found = tf.identity(table.lookup(words) * w, "found")
        sizes = tf.identity(dense.lookup(tf.constant([4, 5], tf.int64)), "sizes")
        """,
        outputs="found,sizes",
    )
    run_cell(models.known, "session.run([table.insert(['a', 'b'], [1.0, 2.0]), dense.insert([4], [44])])")
    words = np.array(["b", "z"], object)
    answers = models.known.run(words)
    np.testing.assert_array_equal(answers["found"], [4, 0])
    folder = models.known.save(tmp_path / "known")
    same(answers, by_loader_1(folder, {"words": words}))
    same(answers, by_loader_2(folder, {"words": words}))
    same(answers, models.add("back", folder).run(words))


def test_weights_go_into_several_files_that_are_one_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saver, "_SHARD_BYTES", 100)
    model = trained("net", resource=True)
    folder = model.save(tmp_path / "net")
    assert len(list((folder / "variables").glob("variables.data-*"))) > 2
    same(model.run(x=X, labels=LABELS), by_loader_2(folder, {"x": X, "labels": LABELS}))
    assert (folder / "variables" / "variables.index").is_file()


def test_a_python_function_is_in_no_file(tmp_path: Path) -> None:
    add_cell(
        "py",
        """
        import tensorflow as tf
        x = tf.compat.v1.placeholder(tf.float32, [None], "x")
        y = tf.identity(tf.numpy_function(lambda a: a + 1, [x], tf.float32), "y")
        """,
    )
    for path in ("py", "py.pb"):
        with pytest.raises(SaveError, match=r"py cannot be saved: its operation 'PyFunc' .* Python function"):
            models.py.save(tmp_path / path)
    assert not list(tmp_path.iterdir())


def test_a_live_graph_is_saved_as_it_stands(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=3.0)
        tf.multiply(x, w, "y")
        change = w.assign(4.0)
    model = models.add("net", graph, inputs={"rows": "x:0"}, outputs={"answer": "y:0"})
    session.run(change)
    folder = model.save(tmp_path / "net")
    assert by_loader_2(folder, {"rows": np.array([2], np.float32)})["answer"] == [8.0]


def test_an_input_with_a_default_may_be_left_out_after_loading_too(tmp_path: Path) -> None:
    add_cell(
        "net",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        rate = v1.placeholder_with_default(2.0, [], "rate")
        y = tf.identity(x * rate, "y")
        """,
    )
    back = models.add("back", models.net.save(tmp_path / "net"))
    x = np.array([1, 2], np.float32)
    for model in (models.net, back):
        np.testing.assert_array_equal(model(x=x), 2 * x)
        np.testing.assert_array_equal(model(x=x, rate=3.0), 3 * x)
    rate = np.float32(5)
    np.testing.assert_array_equal(by_loader_2(tmp_path / "net", {"x": x, "rate": rate})["y"], 5 * x)


def test_a_variable_that_two_operations_hold_is_one_in_either_loader(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        one, two = (tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[], shared_name="both") for _ in range(2))
        first = tf.raw_ops.AssignVariableOp(resource=one, value=tf.constant(3.0))
        read = tf.raw_ops.ReadVariableOp(resource=two, dtype=tf.float32)
        tf.multiply(x, read, name="y")
    model = models.add("net", graph, inputs="x", outputs="y")
    session.run(first)
    folder = model.save(tmp_path / "net")
    for answers in (by_loader_1, by_loader_2):
        assert answers(folder, {"x": np.float32(2)})["y"] == 6.0
