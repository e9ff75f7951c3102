"""Networks that are put together by chance: recurrent, attention, masks, control flow, several outputs, state."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, WIDTH = 5, 4


@dataclass(frozen=True)
class Architecture:
    """A Keras model that nobody has trained, with what makes rows for it."""

    seed: int
    model: Any
    rows: Callable[[int], np.ndarray]
    text: str


@keras.saving.register_keras_serializable("tfmagic_tests")
class Loop(keras.layers.Layer):
    """Doubles each row while its sum is small: a loop whose length depends on the values."""

    def call(self, x: Any) -> Any:
        return tf.while_loop(lambda y: tf.reduce_max(tf.abs(y)) < 4.0, lambda y: (y * 2.0 + 0.1,), [x])[0]


@keras.saving.register_keras_serializable("tfmagic_tests")
class Branch(keras.layers.Layer):
    """Takes one of two branches, by the values."""

    def call(self, x: Any) -> Any:
        return tf.cond(tf.reduce_sum(x) > 0.0, lambda: tf.nn.relu(x), lambda: x - 1.0)


@keras.saving.register_keras_serializable("tfmagic_tests")
class Mapped(keras.layers.Layer):
    """Maps a function over rows."""

    def call(self, x: Any) -> Any:
        return tf.map_fn(tf.sort, x)


def _steps(chance: random.Random) -> list[tuple[str, Callable[[Any], Any]]]:
    """Return layers that take and give sequences."""
    layers = keras.layers
    return [
        ("lstm", layers.LSTM(WIDTH, return_sequences=True)),
        ("gru", layers.GRU(WIDTH, return_sequences=True)),
        ("both ways", layers.Bidirectional(layers.SimpleRNN(3, return_sequences=True))),
        ("convolution", layers.Conv1D(WIDTH, 3, padding="same", activation="tanh")),
        ("attention", lambda x: layers.MultiHeadAttention(2, 3)(x, x)),
        ("normalised", layers.LayerNormalization()),
        ("batch normalised", layers.BatchNormalization()),
        ("dropout", layers.Dropout(0.5)),
        ("residual", lambda x: layers.Add()([x, layers.Dense(int(x.shape[-1]), activation="relu")(x)])),
        ("noise", layers.GaussianNoise(0.3)),
        ("mapped", Mapped()),
        ("branch", Branch()),
        ("loop", Loop()),
        ("dense", layers.Dense(chance.choice((2, 5)), activation="gelu")),
    ]


def architecture(seed: int) -> Architecture:
    """Return the architecture of that seed; its weights are of that seed, too."""
    keras.utils.set_random_seed(seed)
    chance = random.Random(seed)  # noqa: S311 - the same for the same seed
    names = []
    if chance.random() < 0.3:
        ends = keras.Input((STEPS,), dtype="int32", name="x")
        value = keras.layers.Embedding(11, WIDTH, mask_zero=chance.random() < 0.5)(ends)
        names.append("embedding")

        def rows(count: int) -> np.ndarray:
            return np.random.default_rng(count).integers(0, 11, (count, STEPS)).astype(np.int32)

    else:
        ends = keras.Input((STEPS, WIDTH), name="x")
        value = ends
        if chance.random() < 0.2:
            value = keras.layers.Masking()(value)
            names.append("masked")

        def rows(count: int) -> np.ndarray:
            return np.random.default_rng(count).standard_normal((count, STEPS, WIDTH)).astype(np.float32)

    for _ in range(chance.choice((1, 2, 3))):
        name, layer = chance.choice(_steps(chance))
        value = layer(value)
        names.append(name)
    value = chance.choice((keras.layers.GlobalAveragePooling1D(), keras.layers.LSTM(3), keras.layers.Flatten()))(value)
    outputs = {"y": keras.layers.Dense(2, name="y")(value)}
    if chance.random() < 0.3:
        outputs["probability"] = keras.layers.Dense(3, activation="softmax", name="probability")(value)
    return Architecture(seed, keras.Model(ends, outputs), rows, ", ".join(names))
