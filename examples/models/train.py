"""Train the three small models that ship beside this script.

They stand for what a data scientist finds in a project's folder: a frozen graph in the
TensorFlow 1 format of 2019, and two numbered SavedModel versions of its successor, the
first written the TensorFlow 1 way, the second by TensorFlow 2. All three read 8 x 8
images of handwritten digits (scikit-learn's bundled set, pixels scaled to 0..1) as
``pixels`` (float32, [None, 64]) and answer with ``probs`` (float32, [None, 10]).

Run ``python examples/models/train.py`` to make them again, or with ``--into FOLDER`` to
write them elsewhere.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEED = 0
PIXELS, CLASSES = 64, 10
tf1 = tf.compat.v1


@dataclass(frozen=True)
class Digits:
    """The digits, split the same way wherever the examples use them."""

    train_pixels: NDArray[np.float32]
    test_pixels: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_labels: NDArray[np.int64]

    @classmethod
    def load(cls) -> Digits:
        """Load the digits with a quarter of them held out."""
        digits = load_digits()
        pixels = (digits.data / 16).astype(np.float32)
        return cls(*train_test_split(pixels, digits.target, test_size=0.25, random_state=SEED, stratify=digits.target))

    def batches(self, epochs: int, size: int = 50) -> Iterator[tuple[Any, Any]]:
        """Yield shuffled training batches, the same ones at every call."""
        order = np.random.default_rng(SEED)
        for _ in range(epochs):
            for rows in np.array_split(order.permutation(len(self.train_labels)), 1347 // size):
                yield self.train_pixels[rows], self.train_labels[rows]


def train_in_session(digits: Digits, hidden: int, epochs: int, *, session: Any) -> tuple[Any, Any]:
    """Build and train a dense network the TensorFlow 1 way, in the session's graph.

    Parameters
    ----------
    digits : Digits
        What to learn.
    hidden : int
        Units of a hidden layer; 0 for none (softmax regression).
    epochs : int
        Passes over the training digits.
    session : tf.compat.v1.Session
        Where to train; its graph is the default graph.

    Returns
    -------
    tuple of tf.Tensor
        The placeholder ``pixels`` and the tensor ``probs``.
    """
    glorot = tf1.glorot_uniform_initializer(seed=SEED)
    pixels = tf1.placeholder(tf.float32, [None, PIXELS], name="pixels")
    labels = tf1.placeholder(tf.int64, [None], name="labels")

    def dense(name: str, x: Any, units: int) -> Any:
        # Reference variables, as graphs of that time have them.
        with tf1.variable_scope(name, use_resource=False):
            weights = tf1.get_variable("weights", [x.shape[1], units], initializer=glorot)
            biases = tf1.get_variable("biases", [units], initializer=tf1.zeros_initializer())
            return tf.matmul(x, weights) + biases

    x = tf.nn.relu(dense("hidden", pixels, hidden)) if hidden else pixels
    logits = dense("softmax", x, CLASSES)
    probs = tf.nn.softmax(logits, name="probs")
    loss = tf1.losses.sparse_softmax_cross_entropy(labels, logits)
    step = tf1.train.GradientDescentOptimizer(0.2).minimize(loss)

    session.run(tf1.global_variables_initializer())
    for batch, answers in digits.batches(epochs):
        session.run(step, {pixels: batch, labels: answers})
    return pixels, probs


def freeze_regression(digits: Digits, path: Path) -> None:
    """Write the frozen graph of 2019: softmax regression, weights as constants."""
    with tf.Graph().as_default() as graph, tf1.Session() as session:
        train_in_session(digits, hidden=0, epochs=10, session=session)
        frozen = tf1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(add_shapes=True), ["probs"])
    path.write_bytes(frozen.SerializeToString(deterministic=True))


def save_version_1(digits: Digits, folder: Path) -> None:
    """Write version 1: one small hidden layer, saved the TensorFlow 1 way."""
    with tf.Graph().as_default(), tf1.Session() as session:
        pixels, probs = train_in_session(digits, hidden=16, epochs=30, session=session)
        tf1.saved_model.simple_save(session, str(folder), {"pixels": pixels}, {"probs": probs})


class Convolutional(tf.Module):
    """Version 2: one convolution over the image, then a dense layer."""

    def __init__(self) -> None:
        super().__init__(name="digits")
        init = tf.keras.initializers.GlorotUniform(seed=SEED)
        self.kernel = tf.Variable(init([3, 3, 1, 16]), name="kernel")
        self.bias = tf.Variable(tf.zeros([16]), name="bias")
        self.weights = tf.Variable(init([4 * 4 * 16, CLASSES]), name="weights")
        self.biases = tf.Variable(tf.zeros([CLASSES]), name="biases")

    def logits(self, pixels: Any) -> Any:
        """Compute the scores of the ten digits before the softmax."""
        x = tf.reshape(pixels, [-1, 8, 8, 1])
        x = tf.nn.relu(tf.nn.conv2d(x, self.kernel, 1, "SAME") + self.bias)
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        return tf.matmul(tf.reshape(x, [-1, 4 * 4 * 16]), self.weights) + self.biases

    @tf.function(input_signature=[tf.TensorSpec([None, PIXELS], tf.float32, name="pixels")])
    def probs(self, pixels: Any) -> dict[str, Any]:
        """Answer with the probability of each digit."""
        return {"probs": tf.nn.softmax(self.logits(pixels))}


def save_version_2(digits: Digits, folder: Path) -> None:
    """Write version 2: a convolutional network, saved by TensorFlow 2."""
    net = Convolutional()
    optimizer = tf.keras.optimizers.Adam(0.01)

    @tf.function
    def step(batch: Any, answers: Any) -> None:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(answers, net.logits(batch))
            loss = tf.reduce_mean(losses)
        variables = net.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    optimizer.build(net.trainable_variables)
    for batch, answers in digits.batches(epochs=25):
        step(tf.constant(batch), tf.constant(answers))
    tf.saved_model.save(net, str(folder), signatures={"serving_default": net.probs})


def main() -> None:
    """Train and write all three, replacing what is there."""
    parser = argparse.ArgumentParser(description="Train the models of the examples.")
    parser.add_argument("--into", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    into: Path = parser.parse_args().into
    tf.config.experimental.enable_op_determinism()
    tf.keras.utils.set_random_seed(SEED)

    digits = Digits.load()
    versions = into / "digits"
    shutil.rmtree(versions, ignore_errors=True)
    versions.mkdir(parents=True)
    freeze_regression(digits, into / "digits_2019.pb")
    save_version_1(digits, versions / "1")
    save_version_2(digits, versions / "2")
    for path in sorted(p for p in into.rglob("*") if p.is_file() and p.name != "train.py"):
        print(f"{path.stat().st_size:8,} bytes  {path.relative_to(into)}")


if __name__ == "__main__":
    main()
