"""One kernel, started as a person's is; what the cells need is written into its folder once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel.cells import SAVE_TO_DISK
from kernel.harness import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = """
import keras, numpy as np, tensorflow as tf
v1 = tf.compat.v1

def two_to_one():
    x = keras.Input((2,), name="x")
    made = keras.Model(x, keras.layers.Dense(1, name="y", use_bias=False)(x))
    made.set_weights([np.full((2, 1), 2.0)])
    return made

two_to_one().save("net.keras")
two_to_one().save("old.h5")
two_to_one().export("exported")
with tf.Graph().as_default() as graph, v1.Session() as native:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    w = v1.get_variable("w", initializer=2.0)
    y = tf.reduce_sum(x * w, 1, keepdims=True, name="y")
    native.run(v1.global_variables_initializer())
    v1.train.Saver().save(native, "ckpt/model", global_step=7)
    v1.saved_model.simple_save(native, "simple", {"x": x}, {"y": y})
    fixed = v1.graph_util.convert_variables_to_constants(native, graph.as_graph_def(), ["y"])
tf.io.write_graph(fixed, ".", "frozen.pb", as_text=False)
with open("frozen.pbtxt", "w") as text:
    text.write(str(fixed))
live = two_to_one()
module = tf.Module()
module.w = tf.Variable(2.0)
module.answer = tf.function(lambda x: tf.reduce_sum(x * module.w, 1, keepdims=True),
                            input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
function = tf.function(lambda x: tf.reduce_sum(x * 2.0, 1, keepdims=True),
                       input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
concrete = function.get_concrete_function()
definition = fixed
"""


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path_factory.mktemp("contract"), by_itself=True)
    loaded = kernel.ok("%load_ext tfmagic")
    assert (loaded.stdout, loaded.stderr, loaded.results) == ("", "", [])
    kernel.ok(SAVE_TO_DISK)
    kernel.ok(FILES)
    yield kernel
    kernel.stop()


@pytest.fixture
def kernel(running: Kernel) -> Kernel:
    """The kernel, without models."""
    running.ok("%tf_model drop --all")
    return running
