"""Small Keras models of many kinds, each with inputs for it by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Case = tuple[Any, dict[str, Any]]
"""A model, and inputs for it by name."""

layers = keras.layers


def rows(*shape: int, seed: int = 0) -> Any:
    """Return random numbers of a shape."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole_numbers(*shape: int, below: int) -> Any:
    """Return random whole numbers of a shape."""
    return np.random.default_rng(1).integers(0, below, shape).astype(np.int32)


def functional() -> Case:
    x = keras.Input((8,), name="x")
    hidden = layers.Dropout(0.5)(layers.Dense(16, activation="relu")(x))
    return keras.Model(x, layers.Dense(3, activation="softmax")(hidden)), {"x": rows(4, 8)}


def sequential() -> Case:
    return (
        keras.Sequential([keras.Input((8,), name="x"), layers.Dense(4, activation="gelu"), layers.Dense(2)]),
        {"x": rows(4, 8)},
    )


def convolutional() -> Case:
    x = keras.Input((16, 16, 3), name="x")
    y = layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same", use_bias=False)(x))
    y = layers.MaxPool2D()(layers.DepthwiseConv2D(3)(layers.ReLU()(y)))
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(y))), {"x": rows(2, 16, 16, 3)}


def any_size() -> Case:
    x = keras.Input((None, None, 3), name="x")
    return keras.Model(x, layers.GlobalMaxPool2D()(layers.Conv2D(4, 3)(x))), {"x": rows(2, 9, 7, 3)}


def adapted_normalization() -> Case:
    normalization = layers.Normalization()
    normalization.adapt(3 * rows(100, 8, seed=5) + 1)
    x = keras.Input((8,), name="x")
    return keras.Model(x, layers.Dense(2)(normalization(x))), {"x": rows(4, 8)}


def inverted_normalization() -> Case:
    normalization = layers.Normalization(axis=None, invert=True)
    normalization.adapt(3 * rows(100, 8, seed=5) + 1)
    x = keras.Input((8,), name="x")
    return keras.Model(x, layers.Dense(2)(normalization(x))), {"x": rows(4, 8)}


def given_normalization() -> Case:
    x = keras.Input((3,), name="x")
    normalization = layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])
    return keras.Model(x, layers.Dense(2)(normalization(x))), {"x": rows(4, 3)}


def recurrent() -> Case:
    x = keras.Input((7,), dtype="int32", name="x")
    y = layers.LSTM(6, return_sequences=True, dropout=0.2)(layers.Embedding(20, 5)(x))
    return keras.Model(x, layers.Dense(2)(layers.Bidirectional(layers.GRU(4))(y))), {"x": whole_numbers(4, 7, below=20)}


def masked() -> Case:
    x = keras.Input((7,), dtype="int32", name="x")
    y = layers.LSTM(6)(layers.Embedding(20, 5, mask_zero=True)(x))
    return keras.Model(x, y), {"x": whole_numbers(4, 7, below=3)}


def attention() -> Case:
    x = keras.Input((7, 8), name="x")
    y = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
    return keras.Model(x, layers.LayerNormalization()(x + y)), {"x": rows(4, 7, 8)}


def adapted_discretization() -> Case:
    bins = layers.Discretization(num_bins=4)
    bins.adapt(rows(100, 1, seed=5))
    x = keras.Input((1,), name="x")
    y = layers.CategoryEncoding(4, output_mode="one_hot")(bins(x))
    return keras.Model(x, layers.Dense(2)(y)), {"x": rows(9, 1)}


def given_discretization() -> Case:
    x = keras.Input((1,), name="x")
    return keras.Model(x, layers.Discretization(bin_boundaries=[-0.5, 0.0, 0.5])(x)), {"x": rows(9, 1)}


def several_in_and_out_by_name() -> Case:
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    y = layers.Concatenate()([a, b])
    network = keras.Model({"b": b, "a": a}, {"z": layers.Dense(2)(y), "k": layers.Dense(3)(y)})
    return network, {"a": rows(4, 3), "b": rows(4, 4)}


def several_in_and_out_in_a_row() -> Case:
    zed, bed = keras.Input((3,), name="zed"), keras.Input((3,), name="bed")
    y = layers.Subtract()([zed, bed])
    network = keras.Model([zed, bed], [layers.Dense(2, name="one")(y), layers.Dense(2, name="two")(y)])
    return network, {"zed": rows(4, 3), "bed": rows(4, 3, seed=2)}


def shared_layer() -> Case:
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    shared = layers.Dense(4)
    return keras.Model([a, b], layers.Subtract()([shared(a), shared(b)])), {"a": rows(4, 3), "b": rows(4, 3, seed=2)}


def nested() -> Case:
    inside = keras.Input((3,))
    inner = keras.Model(inside, layers.Dense(4, activation="tanh")(inside), name="inner")
    again = keras.Sequential([keras.Input((4,)), layers.Dense(5), layers.BatchNormalization()], name="again")
    x = keras.Input((3,), name="x")
    return keras.Model(x, layers.Dense(2)(again(inner(x)))), {"x": rows(4, 3)}


def nested_twice() -> Case:
    inside = keras.Input((3,))
    inner = keras.Model(inside, layers.Dense(4, activation="tanh")(inside), name="inner")
    a, b = keras.Input((3,), name="a"), keras.Input((3,), name="b")
    return keras.Model([a, b], layers.Subtract()([inner(a), inner(b)])), {"a": rows(4, 3), "b": rows(4, 3, seed=2)}


def mixed_precision() -> Case:
    x = keras.Input((8,), name="x")
    y = layers.Dense(4, dtype="mixed_float16", activation="relu")(x)
    return keras.Model(x, layers.Dense(2, dtype="mixed_bfloat16")(y)), {"x": rows(4, 8)}


def half() -> Case:
    x = keras.Input((8,), dtype="float16", name="x")
    return keras.Model(x, layers.Dense(2, dtype="float16")(x)), {"x": rows(4, 8).astype(np.float16)}


def brain_half() -> Case:
    x = keras.Input((8,), dtype="bfloat16", name="x")
    given = tf.cast(rows(4, 8), tf.bfloat16).numpy()
    return keras.Model(x, layers.Dense(2, dtype="bfloat16")(x)), {"x": given}


def double() -> Case:
    x = keras.Input((8,), dtype="float64", name="x")
    return keras.Model(x, layers.Dense(2, dtype="float64")(x)), {"x": rows(4, 8).astype(np.float64)}


def quantized() -> Case:
    x = keras.Input((8,), name="x")
    network = keras.Sequential([x, layers.Dense(16), layers.Dense(4)])
    network.quantize("int8")
    return network, {"x": rows(4, 8)}


def images() -> Case:
    x = keras.Input((8, 8, 3), name="x")
    y = layers.GaussianNoise(0.1)(layers.RandomRotation(0.1)(layers.RandomFlip()(x)))
    y = layers.CenterCrop(2, 2)(layers.Resizing(4, 4)(layers.Rescaling(1 / 255.0)(y)))
    return keras.Model(x, layers.Flatten()(y)), {"x": 255 * rows(2, 8, 8, 3)}


def operations() -> Case:
    x = keras.Input((8,), name="x")
    y = keras.ops.sin(x) * 2.0 + keras.ops.mean(x, axis=-1, keepdims=True)
    return keras.Model(x, keras.ops.where(y > 0, y, -y)[:, ::2]), {"x": rows(4, 8)}


def hashed_text() -> Case:
    x = keras.Input((2,), dtype="string", name="x")
    return keras.Model(x, layers.Hashing(7)(x)), {"x": np.array([["a", "x"], ["c", "b"]], object)}


def input_as_output() -> Case:
    x = keras.Input((2,), name="x")
    return keras.Model(x, [x, layers.Dense(2)(x)]), {"x": rows(4, 2)}


def one_output_twice() -> Case:
    x = keras.Input((2,), name="x")
    y = layers.Dense(2)(x)
    return keras.Model(x, [y, y]), {"x": rows(4, 2)}


def nested_outputs() -> Case:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    outputs = {"s": [layers.Dense(2)(a), layers.Dense(3)(b)], "t": {"u": layers.Add()([a, b])}}
    return keras.Model({"a": a, "b": b}, outputs), {"a": rows(4, 2), "b": rows(4, 2, seed=2)}


def called_like_a_weight() -> Case:
    x = keras.Input((2,), name="kernel")
    return keras.Model(x, layers.Dense(2, name="Identity")(x)), {"kernel": rows(4, 2)}


def scalars() -> Case:
    x = keras.Input((), name="x")
    return keras.Model(x, x * 2.0), {"x": rows(4)}


def truth() -> Case:
    x = keras.Input((2,), dtype="bool", name="x")
    return keras.Model(x, keras.ops.logical_not(x)), {"x": np.array([[True, False], [True, True]])}


def pixels() -> Case:
    x = keras.Input((2,), dtype="uint8", name="x")
    return keras.Model(x, layers.Rescaling(1 / 255.0)(x)), {"x": np.array([[1, 200], [0, 255]], np.uint8)}


def large() -> Case:
    x = keras.Input((1200,), name="x")
    # More than is read at once, with little ones before and behind.
    y = layers.Dense(3)(layers.Dense(8)(layers.Dense(4000)(layers.Dense(1200)(layers.Rescaling(0.1)(x)))))
    return keras.Model(x, y), {"x": rows(2, 1200)}


def stateful() -> Case:
    x = keras.Input(batch_shape=(4, 7, 3), name="x")
    return keras.Model(x, layers.LSTM(5, stateful=True)(x)), {"x": rows(4, 7, 3)}


def looked_up_words() -> Case:
    x = keras.Input((2,), dtype="string", name="x")
    words = layers.StringLookup(vocabulary=["a", "b", "c"])
    given = np.array([["a", "x"], ["c", "b"]], object)
    return keras.Model(x, layers.Embedding(5, 3)(words(x))), {"x": given}


def looked_up_numbers() -> Case:
    x = keras.Input((2,), dtype="int64", name="x")
    numbers = layers.IntegerLookup(vocabulary=[10, 20, 30])
    return keras.Model(x, layers.Embedding(5, 3)(numbers(x))), {"x": np.array([[10, 7], [30, 20]])}


def vectorized_text() -> Case:
    text = layers.TextVectorization(max_tokens=20, output_sequence_length=4)
    text.adapt(["the cat sat", "on the mat"])
    x = keras.Input((), dtype="string", name="x")
    given = np.array(["the cat", "mat dog on"], object)
    return keras.Model(x, layers.Embedding(20, 3)(text(x))), {"x": given}


DRAWN: tuple[Callable[[], Case], ...] = (
    functional,
    sequential,
    convolutional,
    any_size,
    adapted_normalization,
    inverted_normalization,
    recurrent,
    masked,
    attention,
    adapted_discretization,
    given_discretization,
    several_in_and_out_by_name,
    several_in_and_out_in_a_row,
    shared_layer,
    nested,
    nested_twice,
    mixed_precision,
    half,
    brain_half,
    double,
    quantized,
    images,
    operations,
    hashed_text,
    one_output_twice,
    nested_outputs,
    called_like_a_weight,
    scalars,
    truth,
    pixels,
    large,
)
"""Those that are drawn into a graph without being made whole first."""

WHOLE: tuple[Callable[[], Case], ...] = (given_normalization, stateful)
"""Those with tensors of their own, or a state that is made as they are called."""

TABLES: tuple[Callable[[], Case], ...] = (looked_up_words, looked_up_numbers, vectorized_text)
"""Those with vocabularies."""


def trained(network: Any) -> Any:
    """Return the network with numbers in all its weights that no initialiser gives."""
    for at, variable in enumerate(network.weights):
        if "float" in variable.dtype and not any(word in variable.path for word in ("normalization", "scale")):
            variable.assign(tf.cast(0.3 * rows(*variable.shape, seed=at), variable.dtype))
        elif variable.path.endswith(("gamma", "beta", "moving_mean", "moving_variance")):
            variable.assign(np.abs(rows(*variable.shape, seed=at)) + 0.1)
    return network


def saved_with(file: Path, layer: Any) -> Any:
    """Write a model with one layer of a class of the test's own, and return what Keras loads."""
    x = keras.Input((2,), name="x")
    trained(keras.Model(x, layers.Dense(2, name="dense")(layer(x)))).save(file)
    return keras.models.load_model(file, custom_objects={type(layer).__name__: type(layer)}, compile=False)
