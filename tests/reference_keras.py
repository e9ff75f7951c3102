"""What plain TensorFlow and Keras answer, without tfmagic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

v1 = tf.compat.v1


def called(network: Any, given: Mapping[str, Any]) -> Any:
    """Call a Keras model with inputs by name, in the structure that it was made with."""
    struct = getattr(network, "_inputs_struct", None)
    if isinstance(struct, dict):
        return network(dict(given), training=False)
    if isinstance(struct, (list, tuple)) and len(struct) > 1:
        return network([given[one.name] for one in struct], training=False)
    return network(*given.values(), training=False)


def eager_answer(network: Any, given: Mapping[str, Any]) -> list[Any]:
    """Return what a Keras model gives, as arrays."""
    tensors = {name: tf.constant(value) for name, value in given.items()}
    return [value.numpy() for value in tf.nest.flatten(called(network, tensors))]


def session_answer(folder: Path, network: Any, given: Mapping[str, Any]) -> list[Any]:
    """Return what a Keras model gives in a graph that TensorFlow has saved, loaded and run in a session of its own."""
    specs = [tf.TensorSpec(_shape(network, name, value), _dtype(value), name) for name, value in given.items()]
    function = tf.function(lambda *values: called(network, dict(zip(given, values, strict=True))), autograph=False)
    return saved_answer(folder, network, function.get_concrete_function(*specs), given)


def saved_answer(folder: Path, tracked: Any, concrete: Any, given: Mapping[str, Any]) -> list[Any]:
    """Return what a concrete function gives once it is saved, loaded in a graph, and run in a session."""
    module = tf.Module()
    module.tracked = tracked
    module.captured = list(concrete.variables)
    tf.saved_model.save(module, str(folder), signatures=concrete)
    with tf.Graph().as_default(), v1.Session() as session:
        meta = v1.saved_model.load(session, ["serve"], str(folder))
        signature = meta.signature_def["serving_default"]
        feeds = {signature.inputs[name].name: value for name, value in given.items()}
        return list(session.run([signature.outputs[name].name for name in sorted(signature.outputs)], feeds))


def assert_plain(answer: Iterable[Any], folder: Path, network: Any, given: Mapping[str, Any], within: float) -> None:
    """Compare an answer to a Keras model's own, to the last bit.

    Its own is one of two: called eagerly, or in a session of TensorFlow's, whose
    graph is optimised and run by other kernels. The two differ in the last bits,
    and both are near.
    """
    answer, eager = list(answer), eager_answer(network, given)
    assert_close(answer, eager, within)
    if not _same(answer, eager):
        assert_same(answer, session_answer(folder, network, given))


def assert_same(given: Iterable[Any], expected: Iterable[Any]) -> None:
    """Compare arrays to the last bit."""
    given, expected = list(given), list(expected)
    assert _same(given, expected), (given, expected)


def assert_close(given: Iterable[Any], expected: Iterable[Any], within: float = 1e-5) -> None:
    """Compare arrays but for the last bits."""
    for one, other in zip(given, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_allclose(one.astype(np.float64), other.astype(np.float64), rtol=within, atol=within)


def _same(given: list[Any], expected: list[Any]) -> bool:
    return len(given) == len(expected) and all(
        (one.dtype, one.shape) == (other.dtype, other.shape)
        and (one.tolist() == other.tolist() if one.dtype == object else one.tobytes() == other.tobytes())
        for one, other in zip(given, expected, strict=True)
    )


def _shape(network: Any, name: str, value: Any) -> list[int | None]:
    """Return the shape of an input, with the free sizes of the network's own."""
    own = {one.name: one.shape for one in getattr(network, "inputs", None) or ()}
    return list(own.get(name, np.shape(value)))


def _dtype(value: Any) -> Any:
    """Return TensorFlow's dtype of an array; of objects, which are texts, that of text."""
    dtype = np.asarray(value).dtype
    return tf.string if dtype.kind == "O" else tf.as_dtype(dtype)
