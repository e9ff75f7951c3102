"""Models to park, and what there is of them when they are parked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from factories import frozen_linear, run_cell, save_linear_v1, write_frozen
from trained_cells import NAMES, TRAIN, X, linear

from tfmagic import models, session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


v1 = tf.compat.v1
# More than stays with a graph as constants.
WIDE = 800_000


def files(folder: Path) -> list[Path]:
    # What has lost its name is being removed at this moment.
    return [file for file in folder.glob("parked/parked-*/*") if file.name != "in-use" and file.suffix != ".gone"]


def random_network() -> Any:
    keras.utils.set_random_seed(3)
    return keras.Sequential([keras.Input([2], name="x"), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(1)])


class Linear(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[2.0], [np.pi]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": tf.matmul(x, self.w)}


def saved_v2(folder: Path) -> Path:
    module = Linear()
    tf.saved_model.save(module, str(folder / "v2"), signatures=module.__call__)
    return folder / "v2"


def keras_file(folder: Path) -> Path:
    random_network().save(folder / "net.keras")
    return folder / "net.keras"


def checkpoint(folder: Path) -> Path:
    from tf1_checkpoints import saved

    return saved(folder / "ckpt" / "net")


def live_graph() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", [2, 1], initializer=v1.random_normal_initializer())
        tf.matmul(x, w, name="y")
    return graph


def frozen_wide(file: Path, number: float = 1.0) -> Path:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.reduce_sum(tf.matmul(x, tf.constant(np.full((2, WIDE), number, np.float32))), axis=1, name="y")

    return write_frozen(file, build)


FILES: dict[str, Callable[[Path], tuple[Path, dict[str, Any]]]] = {
    "v1": lambda folder: (save_linear_v1(folder / "v1", 2.5), {}),
    "v1 by reference": lambda folder: (save_linear_v1(folder / "v1", 2.5, reference=True), {}),
    "v2": lambda folder: (saved_v2(folder), {}),
    "frozen": lambda folder: (frozen_linear(folder / "net.pb", 2.5), {}),
    "thawed": lambda folder: (frozen_wide(folder / "wide.pb"), {}),
    "kept frozen": lambda folder: (frozen_wide(folder / "wide.pb"), {"frozen": True}),
    "keras": lambda folder: (keras_file(folder), {}),
    "checkpoint": lambda folder: (checkpoint(folder), {"inputs": "x", "outputs": "y"}),
}
OTHERS: dict[str, Callable[[], Any]] = {
    "cell": lambda: linear().model,
    "copy of keras": lambda: models.add("net", random_network(), copy=True),
    "copy of a module": lambda: models.add("net", Linear(), copy=True),
    "live graph": lambda: models.add("net", live_graph()),
    "graph def": lambda: models.add("net", live_graph_def(), inputs="x", outputs="y"),
}


def live_graph_def() -> Any:
    graph = tf.Graph()
    with graph.as_default():
        tf.multiply(v1.placeholder(tf.float32, [None, 2], "x"), 3.25, name="y")
    return graph.as_graph_def()


def assert_parked(model: Any) -> None:
    assert model.state == "parked"
    assert model.lifecycle.backend is None or session.open_graphs() == []
    (record,) = [one for one in models.records() if one["name"] == model.name]
    assert record["state"] == "parked"


def parked_trained() -> tuple[Any, Any]:
    model = linear().model
    run_cell(model, TRAIN, NAMES)
    before = model(X)
    assert model.park()["written_bytes"] > 0
    return model, before
