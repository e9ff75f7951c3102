"""What plain TensorFlow answers from a file: the measure for everything that tfmagic writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

v1 = tf.compat.v1
DEFAULT = "serving_default"


def by_loader_2(folder: Path, inputs: Mapping[str, Any], signature: str = DEFAULT) -> dict[str, Any]:
    """Return the answers of ``tf.saved_model.load``."""
    function = tf.saved_model.load(str(folder)).signatures[signature]
    outputs = function(**{name: tf.constant(value) for name, value in inputs.items()})
    return {name: value.numpy() for name, value in outputs.items()}


def by_loader_1(folder: Path, inputs: Mapping[str, Any], signature: str = DEFAULT) -> dict[str, Any]:
    """Return the answers of TF1's loader and session."""
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(folder))
        ends = meta.signature_def[signature]
        fetches = {name: info.name for name, info in ends.outputs.items()}
        answers: dict[str, Any] = session.run(
            fetches, {ends.inputs[name].name: value for name, value in inputs.items()}
        )
        return answers


def by_import(file: Path, inputs: Mapping[str, Any], outputs: Any) -> dict[str, Any]:
    """Return the answers of ``import_graph_def`` and a session, by the names of the ends."""
    definition = v1.GraphDef()
    definition.ParseFromString(file.read_bytes())
    assert not [node.name for node in definition.node if node.op in {"VarHandleOp", "VariableV2"}]
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    with v1.Session(graph=graph) as session:
        answers: dict[str, Any] = session.run(
            {name: f"{name}:0" for name in outputs}, {f"{name}:0": value for name, value in inputs.items()}
        )
        return answers


def same(answers: Mapping[str, Any], others: Mapping[str, Any]) -> None:
    """Assert that two models give the same outputs, to the last bit."""
    assert set(answers) == set(others)
    for name, answer in answers.items():
        np.testing.assert_array_equal(answer, others[name], err_msg=name, strict=True)


def record_of(model: Any) -> dict[str, Any]:
    """Return what was said of the file that a model was last saved to."""
    assert model.saved is not None
    return dict(model.saved.record())
