"""Cells that several tests begin with."""

from __future__ import annotations

LINE = """
%%tf_model line
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None, 2], name="x")
w = v1.get_variable("w", initializer=2.0)
y = tf.identity(x * w, name="y")
"""
"""A model that doubles: x float32 (?, 2) -> y."""

PAIR = """
%%tf_model pair
import tensorflow as tf
v1 = tf.compat.v1
a = v1.placeholder(tf.float32, [None], name="a")
b = v1.placeholder(tf.float32, [None], name="b")
total = tf.add(a, b, name="total")
gap = tf.subtract(a, b, name="gap")
"""
"""A model of two inputs and two outputs."""

SCALE = """
import tensorflow as tf

class Scale(tf.Module):
    def __init__(self, factor):
        self.factor = tf.Variable(factor)
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def scaled(self, x):
        return {"y": x * self.factor}
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def halves(self, x):
        return {"low": x / 2, "high": x - x / 2}

def save(factor, folder):
    made = Scale(factor)
    tf.saved_model.save(made, folder, {"serving_default": made.scaled, "halves": made.halves})
"""
"""A module and how it is saved."""

SAVE_TO_DISK = f"""
{SCALE}
save(2.0, "scales/1")
save(3.0, "scales/10")
with tf.Graph().as_default() as graph:
    x = tf.compat.v1.placeholder(tf.float32, [None], name="x")
    tf.identity(x + 1.0, name="y")
tf.io.write_graph(graph, ".", "plus.pb", as_text=False)
"""
"""Writes two versions of a SavedModel, ``scales``, and a frozen graph, ``plus.pb``."""

HELD = """
%%tf_model held --inputs x --outputs y
import pathlib, threading
import tensorflow as tf
v1 = tf.compat.v1
release = threading.Event()

def hold(value):
    pathlib.Path("started").touch()
    release.wait()
    return value

x = v1.placeholder(tf.float32, [], name="x")
w = v1.get_variable("w", initializer=5.0)
y = tf.identity(v1.py_func(hold, [x], tf.float32) + w, name="y")
"""
"""A model whose native run ends only when the room's ``release`` is set."""

STUCK = """
%%tf_model stuck --inputs x --outputs y
import pathlib
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [], name="x")
started = v1.py_func(lambda value: (pathlib.Path("started").touch(), value)[1], [x], tf.float32)
with tf.control_dependencies([started]):
    y = v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="y")
"""
"""A model whose native run never ends by itself."""

EAGER = """
%%tf_model net --eager
import keras
network = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, kernel_initializer="ones", name="y")])
network
"""
"""A Keras model of two inputs that adds them."""

EAGER_TRAIN = """
%%tf_run net
import numpy as np
network.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
network.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0);
"""
"""Trains it."""
