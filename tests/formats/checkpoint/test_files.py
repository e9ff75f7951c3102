"""Which files belong to a checkpoint: a graph that was written once for many, and the first format of ``Saver``."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import refused
from tf1_checkpoints import X, by_plain_tensorflow, saved

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a folder with the graph, as a training leaves it, and three checkpoints: ``y = step * x``."""
    folder = tmp_path / "run"
    with tf.Graph().as_default(), v1.Session() as native:
        w = v1.get_variable("w", initializer=0.0)
        tf.multiply(v1.placeholder(tf.float32, [None], "x"), w, name="y")
        saver = v1.train.Saver()
        for step in range(3):
            w.load(float(step), native)
            saver.save(native, str(folder / "model.ckpt"), global_step=step, write_meta_graph=step == 0)
    return folder


def factor(source: Any, **options: Any) -> float:
    model = models.add("net", source, replace=True, **options)
    answer: float = model([1.0]).tolist()[0]
    return answer


def test_a_graph_that_was_written_once_is_that_of_each_checkpoint(run: Path) -> None:
    assert factor(run) == 2
    assert any("its graph is that of model.ckpt-0.meta" in note for note in models.net.notes)
    assert [factor(run / f"model.ckpt-{step}") for step in range(3)] == [0, 1, 2]
    assert factor(run / "model.ckpt-1.index") == 1
    assert factor(run / "model.ckpt-0.meta") == 0
    record = models.inspect(run / "model.ckpt-1")
    assert (record["variables"], record["weights_bytes"]) == (1, 4)
    namespace: dict[str, Any] = {}
    factor(run / "model.ckpt-1")
    exec(models.net.python(), namespace)  # noqa: S102 - the code that is shown
    assert namespace["net"](np.ones(1, np.float32))["y"].tolist() == [1]


def test_a_graph_without_values_of_its_own_means_the_latest(run: Path) -> None:
    (run / "model.ckpt-0.meta").rename(run / "graph.meta")
    assert factor(run) == factor(run / "graph.meta") == 2
    assert factor(run / "model.ckpt-1") == 1


def test_of_several_graphs_it_is_the_last_that_was_written_before(run: Path) -> None:
    meta = v1.MetaGraphDef.FromString((run / "model.ckpt-0.meta").read_bytes())
    next(node for node in meta.graph_def.node if node.op == "Mul").op = "Sub"
    (run / "model.ckpt-1.meta").write_bytes(meta.SerializeToString())
    assert [factor(run / f"model.ckpt-{step}") for step in range(3)] == [0, 0, -1]
    (run / "model.ckpt-0.meta").rename(run / "one.meta")
    (run / "model.ckpt-1.meta").rename(run / "two.meta")
    models.drop("net")
    refused(run, r"has no graph of its own, and its folder has several: one\.meta, two\.meta \(copy the one that fits")


def test_a_folder_with_one_checkpoint_needs_no_file_that_names_it(run: Path) -> None:
    (run / "checkpoint").unlink()
    for file in [*run.glob("model.ckpt-1.*"), *run.glob("model.ckpt-2.*")]:
        file.unlink()
    assert factor(run) == 0


def test_a_model_follows_a_graph_that_is_written_again(run: Path) -> None:
    models.add("net", run)
    assert models.add("net", run) is models.net
    meta = v1.MetaGraphDef.FromString((run / "model.ckpt-0.meta").read_bytes())
    next(node for node in meta.graph_def.node if node.op == "Mul").op = "AddV2"
    (run / "model.ckpt-0.meta").write_bytes(meta.SerializeToString())
    assert models.add("net", run)([1.0]).tolist() == [3]


def first_format(*, sharded: bool) -> Any:
    return v1.train.Saver(write_version=v1.train.SaverDef.V1, sharded=sharded)


@pytest.mark.parametrize("sharded", [False, True], ids=["one file", "shards"])
def test_the_first_format(tmp_path: Path, sharded: bool) -> None:  # noqa: FBT001
    folder = tmp_path / "net"
    saved(folder / "m.ckpt", saver=lambda: first_format(sharded=sharded), global_step=2)
    values = v1.train.latest_checkpoint(str(folder))
    with tf.Graph().as_default(), v1.Session() as native:
        v1.train.import_meta_graph(str(folder / "m.ckpt-2.meta")).restore(native, values)
        expected = native.run("y:0", {"x:0": X})
    part = "m.ckpt-2-00000-of-00001" if sharded else "m.ckpt-2"
    for source in (folder, folder / "m.ckpt-2", folder / "m.ckpt-2.meta", folder / part):
        model = models.add("net", source, outputs="y", replace=True)
        np.testing.assert_array_equal(model(X), expected)
    assert [spec.name for spec in models.add("all", folder).signature().outputs] == ["loss"]
    record = models.inspect(folder)
    assert record["variables"] == 3
    assert record["disk_bytes"] > 1000
    models.net.park()
    np.testing.assert_array_equal(models.net(X), expected)


def test_a_file_of_the_first_format_without_its_graph_says_so(tmp_path: Path) -> None:
    saved(tmp_path / "m.ckpt", saver=lambda: first_format(sharded=False))
    (tmp_path / "m.ckpt.meta").unlink()
    refused(tmp_path / "m.ckpt", r"has no graph: there is no m\.ckpt\.meta beside it")


def test_the_oldest_way_to_restore(tmp_path: Path) -> None:
    """As the graphs before TensorFlow 1.0 have it: an operation for each variable."""
    prefix = saved(tmp_path / "m.ckpt", saver=lambda: first_format(sharded=False))
    expected = by_plain_tensorflow(prefix)[0]
    meta = v1.MetaGraphDef.FromString((tmp_path / "m.ckpt.meta").read_bytes())
    with tf.Graph().as_default() as graph:
        v1.train.import_meta_graph(meta, clear_devices=True)
        with tf.name_scope("old"):
            path = v1.placeholder_with_default("model", [], "Const")
            assigned = [
                one.assign(tf.raw_ops.Restore(file_pattern=path, tensor_name=one.op.name, dt=one.dtype.base_dtype)).op
                for one in v1.global_variables()
            ]
            done = tf.group(*assigned, name="restore_all")
        meta.graph_def.CopyFrom(graph.as_graph_def())
    meta.saver_def.filename_tensor_name, meta.saver_def.restore_op_name = path.name, done.name
    (tmp_path / "m.ckpt.meta").write_bytes(meta.SerializeToString())
    shutil.rmtree(tmp_path / "checkpoint", ignore_errors=True)
    np.testing.assert_array_equal(models.add("net", prefix, outputs="y")(X), expected)
