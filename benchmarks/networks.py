"""The networks that loading and calling are measured with; ``python -m benchmarks.networks FOLDER`` writes them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

NETWORKS = {"small": (64,), "large": (64,), "deep": (96, 96, 3)}
"""Input shapes: 64-128-64-10, a few large matrices (100 MB of weights), and MobileNetV2 (262 variables, 14 MB)."""

WRITTEN = ("large", "deep")
"""Those that loading is measured with."""


def network(name: str) -> Any:
    """Return a network with random weights."""
    import keras

    keras.utils.set_random_seed(0)
    if name == "deep":
        return keras.applications.MobileNetV2(weights=None, input_shape=NETWORKS[name])
    widths = [128, 64] if name == "small" else [2000] * 7
    layers = [keras.layers.Dense(width, activation="relu") for width in widths]
    return keras.Sequential([keras.Input(NETWORKS[name]), *layers, keras.layers.Dense(10, activation="softmax")])


def write(folder: Path) -> None:
    """Write each network that loading is measured with in each format."""
    import tensorflow as tf

    v1 = tf.compat.v1
    for name in WRITTEN:
        model = network(name)
        model.save(folder / f"{name}.keras")
        model.save(folder / f"{name}.h5")
        model.export(folder / f"{name}_v2", verbose=False)
        from tfmagic import models

        copy = models.add(name, model, copy=True)
        signature = copy.signature()
        x, y = (copy.graph.get_tensor_by_name(ends[0].tensor) for ends in (signature.inputs, signature.outputs))
        values = {variable.path: variable.numpy() for variable in model.variables}
        with v1.Session(graph=copy.graph) as session, copy.graph.as_default():
            for variable in v1.global_variables():
                variable.load(values[variable.op.name], session)
            v1.saved_model.simple_save(session, str(folder / f"{name}_v1"), {"x": x}, {"y": y})
            frozen = v1.graph_util.convert_variables_to_constants(session, copy.graph.as_graph_def(), [y.op.name])
        (folder / f"{name}.pb").write_bytes(frozen.SerializeToString())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
