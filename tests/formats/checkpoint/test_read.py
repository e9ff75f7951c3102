"""v1 checkpoints with their ``.meta`` graph: found by any of their files, restored, and trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow, run_cell
from tf1_checkpoints import T, X, build, by_plain_tensorflow, saved, train

from tfmagic import models, session
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1


def added(prefix: Any, **options: Any) -> Any:
    """Add a checkpoint of the network of `build`, for its answer and not for its loss."""
    return models.add("net", prefix, **{"outputs": "y", **options})


KINDS = {
    "resource variables": build,
    "reference variables": lambda: build(reference=True),
    "partitioned variables": lambda: build(parts=2),
    "partitioned reference variables": lambda: build(reference=True, parts=2),
    "an optimizer with slots": lambda: build(optimizer="Adam"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_and_trains_on_as_in_plain_tensorflow(tmp_path: Path, kind: str) -> None:
    prefix = saved(tmp_path / "net", KINDS[kind])
    model = added(prefix)
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?, 2)"]
    assert [str(spec) for spec in model.signature().outputs] == ["y float32 (?, 1)"]
    np.testing.assert_array_equal(model(X), by_plain_tensorflow(prefix)[0])
    code = """
        (operation,) = graph.get_collection("train_op")
        (loss,) = graph.get_collection("losses_of_mine")
        [float(session.run([loss, operation], {"x:0": X, "target:0": T})[0]) for _ in range(5)]
    """
    losses = run_cell(model, code, {"X": X, "T": T})
    after, expected = by_plain_tensorflow(prefix, 5)
    assert losses == expected
    np.testing.assert_array_equal(model(X), after)
    assert run_cell(model, "session.run(tf.compat.v1.train.get_global_step())", {"tf": tf}) == 8
    # The training is the room's: opened anew, it begins with the file.
    session.close()
    np.testing.assert_array_equal(model(X), by_plain_tensorflow(prefix)[0])


@pytest.mark.parametrize("part", ["", ".meta", ".index", ".data-00000-of-00001"])
def test_any_of_its_files_is_the_checkpoint(tmp_path: Path, part: str) -> None:
    prefix = saved(tmp_path / "net")
    model = added(f"{prefix}{part}")
    np.testing.assert_array_equal(model(X), by_plain_tensorflow(prefix)[0])
    assert added(prefix) is model
    assert model.record()["kind"] == "checkpoint"


def test_a_folder_means_the_latest_in_it_and_says_which(tmp_path: Path) -> None:
    def twice() -> Any:
        return v1.train.Saver(max_to_keep=2)

    with tf.Graph().as_default(), v1.Session() as native:
        build()
        writer = twice()
        native.run(v1.global_variables_initializer())
        for step in (3, 7):
            train(native, step)
            writer.save(native, str(tmp_path / "net"), global_step=step)
    model = added(tmp_path)
    np.testing.assert_array_equal(model(X), by_plain_tensorflow(tmp_path / "net-7")[0])
    assert any("net-7" in note for note in model.notes)
    old = models.add("old", tmp_path / "net-3", outputs="y")
    np.testing.assert_array_equal(old(X), by_plain_tensorflow(tmp_path / "net-3")[0])


def test_a_folder_that_was_moved(tmp_path: Path) -> None:
    saved(tmp_path / "first" / "net")
    expected = by_plain_tensorflow(tmp_path / "first" / "net")[0]
    (tmp_path / "first").rename(tmp_path / "second")
    np.testing.assert_array_equal(added(tmp_path / "second")(X), expected)


def test_a_newer_latest_renews_the_model(tmp_path: Path) -> None:
    saved(tmp_path / "net", steps=1, global_step=1)
    first = added(tmp_path)
    assert added(tmp_path) is first
    saved(tmp_path / "net", steps=4, global_step=4)
    second = added(tmp_path)
    assert second is not first
    np.testing.assert_array_equal(second(X), by_plain_tensorflow(tmp_path / "net-4")[0])


def test_a_step_in_the_name_is_part_of_it(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "model.ckpt", global_step=12)
    assert prefix.name == "model.ckpt-12"
    np.testing.assert_array_equal(added(prefix)(X), by_plain_tensorflow(prefix)[0])


def test_an_untrained_graph_has_no_other_ends_either(tmp_path: Path) -> None:
    def make() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.matmul(x, v1.get_variable("w", [2, 2]), name="y")

    prefix = saved(tmp_path / "net", make, steps=0)
    assert list(models.add("net", prefix).run(X)) == ["y"]


def test_the_ends_of_a_graph_in_training_are_those_of_its_loss(tmp_path: Path) -> None:
    def make() -> None:
        build(optimizer="Adam")
        (loss,) = v1.get_collection("losses_of_mine")
        v1.summary.scalar("shown", loss)
        v1.summary.merge_all()
        tf.train.ExponentialMovingAverage(0.9).apply(v1.trainable_variables())

    model = added(saved(tmp_path / "net", make), outputs=None)
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?, 2)", "target float32 (?, 1)"]
    assert [str(spec) for spec in model.signature().outputs] == ["loss float32 ()"]


@pytest.mark.parametrize("sharded", [True, False])
def test_a_saver_of_any_name_and_kind_leaves_no_ends(tmp_path: Path, sharded: bool) -> None:  # noqa: FBT001
    prefix = saved(tmp_path / "net", saver=lambda: v1.train.Saver(name="keeper", sharded=sharded))
    assert [spec.name for spec in added(prefix, outputs=None).signature().outputs] == ["loss"]
    np.testing.assert_array_equal(added(prefix)(X), by_plain_tensorflow(prefix)[0])


def test_two_savers_leave_no_ends(tmp_path: Path) -> None:
    def both() -> Any:
        v1.train.Saver(name="first")
        return v1.train.Saver(name="second")

    model = added(saved(tmp_path / "net", saver=both), outputs=None)
    assert [spec.name for spec in model.signature().outputs] == ["loss"]
    assert [spec.name for spec in model.signature().inputs] == ["x", "target"]


def test_a_saver_of_some_variables_leaves_the_others_to_their_initialisers(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net", saver=lambda: v1.train.Saver(v1.trainable_variables()[:1]))
    model = added(prefix)
    with tf.Graph().as_default(), v1.Session() as native:
        saver = v1.train.import_meta_graph(f"{prefix}.meta")
        native.run(v1.global_variables_initializer())
        saver.restore(native, str(prefix))
        np.testing.assert_array_equal(model(X), native.run("y:0", {"x:0": X}))


def test_variables_that_were_saved_under_other_keys(tmp_path: Path) -> None:
    def renaming() -> Any:
        return v1.train.Saver({f"old/{one.op.name}": one for one in v1.global_variables()})

    prefix = saved(tmp_path / "net", saver=renaming)
    np.testing.assert_array_equal(added(prefix)(X), by_plain_tensorflow(prefix)[0])


def test_swapped_keys_are_restored_as_they_were_saved(tmp_path: Path) -> None:
    def make() -> None:
        x = v1.placeholder(tf.float32, [], "x")
        a, b = v1.get_variable("a", initializer=2.0), v1.get_variable("b", initializer=5.0)
        tf.subtract(x * a, b, name="y")

    def swapping() -> Any:
        a, b = v1.global_variables()
        return v1.train.Saver({"b": a, "a": b})

    assert float(models.add("net", saved(tmp_path / "net", make, saver=swapping, steps=0))(10.0)) == 15.0


def test_a_graph_that_was_exported_without_a_saver(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    with tf.Graph().as_default() as graph:
        build()
        v1.train.export_meta_graph(f"{prefix}.meta", graph=graph)
    model = added(prefix)
    np.testing.assert_array_equal(model(X), by_plain_tensorflow(prefix)[0])
    assert [spec.name for spec in added(prefix, outputs=None).signature().outputs] == ["loss"]


def test_a_graph_without_collections(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    expected = by_plain_tensorflow(prefix)[0]
    with tf.Graph().as_default() as graph:
        build()
        v1.train.export_meta_graph(f"{prefix}.meta", graph=graph, collection_list=[])
    np.testing.assert_array_equal(added(prefix)(X), expected)


def test_tables_are_filled(tmp_path: Path) -> None:
    def make() -> None:
        words = v1.placeholder(tf.string, [None], "words")
        initialiser = tf.lookup.KeyValueTensorInitializer(["red", "green"], [0, 1])
        ids = tf.lookup.StaticHashTable(initialiser, 2).lookup(words)
        tf.gather(v1.get_variable("weights", [3], initializer=v1.random_normal_initializer()), ids, name="y")

    prefix = saved(tmp_path / "net", make, steps=0)
    words = np.array(["green", "blue"], object)
    with tf.Graph().as_default(), v1.Session() as native:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(native, str(prefix))
        native.run(v1.tables_initializer())
        expected = native.run("y:0", {"words:0": words})
    model = added(prefix)
    np.testing.assert_array_equal(model(words), expected)
    session.close()
    np.testing.assert_array_equal(model(words), expected)


def test_control_flow_of_tf1(tmp_path: Path) -> None:
    def make() -> None:
        x = v1.placeholder(tf.float32, [], "x")
        w = v1.get_variable("w", initializer=2.0)
        _, y = v1.while_loop(lambda i, _: i < 3, lambda i, v: [i + 1, v * w], [0, x])
        tf.identity(v1.cond(y > 0, lambda: y, lambda: -y), name="y")

    with control_flow(v2=False):
        prefix = saved(tmp_path / "net", make, steps=0)
    model = models.add("net", prefix, outputs="y")
    assert (float(model(1.0)), float(model(-1.0))) == (8.0, 8.0)


def test_signatures_of_the_file_are_the_models(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    meta = v1.MetaGraphDef()
    meta.ParseFromString((tmp_path / "net.meta").read_bytes())
    with tf.Graph().as_default() as graph:
        v1.train.import_meta_graph(meta)
        ends = {
            "inputs": {"features": v1.saved_model.build_tensor_info(graph.get_tensor_by_name("x:0"))},
            "outputs": {"score": v1.saved_model.build_tensor_info(graph.get_tensor_by_name("y:0"))},
        }
    meta.signature_def["serving_default"].CopyFrom(v1.saved_model.build_signature_def(**ends))
    (tmp_path / "net.meta").write_bytes(meta.SerializeToString())
    assert list(models.add("net", prefix).run(features=X)) == ["score"]


def test_ends_can_be_named(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "net")
    model = models.add("net", prefix, inputs="rows=x,wanted=target", outputs="loss,hidden=dense/Relu:0")
    given = model.run(rows=X, wanted=T)
    assert list(given) == ["loss", "hidden"]
    assert given.hidden.shape == (3, 4)
    with pytest.raises(SourceError, match=r"net: there is no tensor 'los' \(did you mean 'loss'\?\)"):
        models.add("net", prefix, outputs="los")
    assert models.net is model


def test_a_checkpoint_can_be_looked_at(tmp_path: Path) -> None:
    record = models.inspect(saved(tmp_path / "net"))
    assert record["kind"] == "checkpoint"
    assert (record["variables"], record["weights_bytes"]) == (3, 4 * (8 + 4) + 8)


# -- what can be wrong with it -----------------------------------------------------------------
