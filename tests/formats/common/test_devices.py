"""Graphs that were made for devices of other machines, or for those that this one lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import printed, save_linear_v1, save_v2
from tensorflow.core.protobuf import saved_model_pb2

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2]], np.float32)
PLACES = [
    *("/job:ps/task:0", "/job:worker/replica:0/task:1/device:GPU:0", "/job:localhost/replica:0/task:3"),
    *("/device:GPU:7", "/gpu:1", "/device:CPU:9", "/device:TPU:0", "/job:worker/device:CPU:0"),
]


def nodes_of(message: Any) -> list[Any]:
    library = message.library.function
    return [*message.node, *(node for function in library for node in function.node_def)]


def made_elsewhere(kind: str, folder: Path, place: str) -> Any:
    """Return a source whose operations ask for a device."""
    if kind in {"SavedModel", "functions"}:
        if kind == "SavedModel":
            path = save_linear_v1(folder / "net", 2.0, 1.0)
        else:
            path = save_v2(folder / "net", lambda x: {"y": 2.0 * x + 1.0}, tf.TensorSpec([None, 2], tf.float32, "x"))
        message = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
        for node in nodes_of(message.meta_graphs[0].graph_def):
            node.device = place
        (path / "saved_model.pb").write_bytes(message.SerializeToString())
        return path
    with tf.Graph().as_default() as graph, v1.Session() as native:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        factor: Any = v1.get_variable("w", initializer=2.0) if kind == "checkpoint" else 2.0
        tf.add(x * factor, 1.0, name="y")
        if kind == "checkpoint":
            native.run(v1.global_variables_initializer())
            v1.train.Saver().save(native, str(folder / "net"))
    if kind == "frozen graph":
        definition = graph.as_graph_def()
        for node in definition.node:
            node.device = place
        return definition
    meta = v1.MetaGraphDef.FromString((folder / "net.meta").read_bytes())
    for node in meta.graph_def.node:
        node.device = place
    (folder / "net.meta").write_bytes(meta.SerializeToString())
    return folder / "net"


@pytest.mark.parametrize("kind", ["frozen graph", "checkpoint", "SavedModel", "functions"])
@pytest.mark.parametrize("place", PLACES)
def test_it_is_placed_on_what_is_here_and_says_so(tmp_path: Path, kind: str, place: str) -> None:
    if "GPU:0" in place and tf.config.list_physical_devices("GPU") and "job" not in place:
        pytest.skip("this GPU is here")
    model = models.add("net", made_elsewhere(kind, tmp_path, place))
    np.testing.assert_array_equal(model(X), 2 * X + 1)
    assert f"made for {place}, not here: TensorFlow places those operations on what is here" in model.notes
    models.add("net", made_elsewhere(kind, tmp_path / "other", place), device="cpu", replace=True)
    assert not any("made for" in note for note in models.net.notes)


@pytest.mark.parametrize("place", ["/device:CPU:0", "/job:localhost/replica:0/task:0/device:CPU:0", ""])
def test_a_device_that_is_here_is_kept(place: str, tmp_path: Path) -> None:
    model = models.add("net", made_elsewhere("frozen graph", tmp_path, place))
    assert {op.device for op in model.graph.get_operations()} == {place}
    assert not any("made for" in note for note in model.notes)


@pytest.mark.parametrize("place", ["/device:GPU:7", "/job:ps/task:0/device:GPU:7"])
def test_without_soft_placement(tmp_path: Path, place: str) -> None:
    (tmp_path / "net.pb").write_bytes(made_elsewhere("frozen graph", tmp_path, place).SerializeToString())
    code = """
        import sys, tensorflow as tf
        tf.config.set_soft_device_placement(False)
        from tfmagic import models
        model = models.add("net", sys.argv[1])
        print(model([[1.0, 2.0]]).tolist(), model.notes)
    """
    assert printed(code, str(tmp_path / "net.pb")) == [
        f"[[3.0, 5.0]] ('made for {place}, not here: TensorFlow places those operations on what is here',)"
    ]
