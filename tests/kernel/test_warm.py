"""``%tf_model add … --warm`` in a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.interrupting import interrupted

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

MODEL = """
import numpy as np, tensorflow as tf
v1 = tf.compat.v1
graph = tf.Graph()
with graph.as_default():
    x = v1.placeholder(tf.float32, [None, 4], "x")
    tf.nn.relu(x @ v1.get_variable("w", initializer=np.ones((4, 3), np.float32)), name="y")
"""


def test_nothing_is_said_but_what_was_added_and_the_log_has_no_warning(kernel: Kernel) -> None:
    kernel.ok("%load_ext tfmagic\nimport tfmagic")
    kernel.ok(MODEL)
    warnings = "tfmagic.snapshot()['log']['warnings']"
    before = kernel.value(warnings)
    added = kernel.ok("%tf_model add net graph --outputs y --warm")
    assert added.stdout + added.stderr == ""
    assert kernel.value("'libpywrap_tflite_common' in open('/proc/self/maps').read()") == "True", "or nothing spoke"
    assert kernel.value(warnings) == before


def test_a_warmed_model_is_warmed_again_when_it_is_woken(kernel: Kernel) -> None:
    kernel.ok(f"%load_ext tfmagic\n{MODEL}")
    kernel.ok("%tf_model add net graph --outputs y --warm")
    prepared = "len(__import__('tfmagic').models.net.record()['prepared'])"
    assert kernel.value(prepared) == "1"
    parked = kernel.ok("%tf_model park net").text
    assert "it was warmed: %tf_model wake net warms it again, a run alone does not" in parked
    assert kernel.value(prepared) == "0"
    assert kernel.ok("%tf_model wake net").text.endswith("; warmed again")
    assert kernel.value(prepared) == "1"
    assert kernel.ok("%tf_model add net graph --outputs y --warm").text == "net: unchanged, kept, and warmed"


def test_several_models_of_a_line_may_have_commas_between_them(kernel: Kernel) -> None:
    kernel.ok(f"%load_ext tfmagic\n{MODEL}")
    for name in ("one", "two", "three"):
        kernel.ok(f"%tf_model add {name} graph --outputs y --copy")
    said = kernel.ok("%tf_model park one,two").text
    assert said.count(": parked") == 2
    assert kernel.refused("%tf_model drop one,twos").startswith("there is no model 'twos'")
    assert kernel.ok("%tf_model drop one, two three").text.startswith("dropped: one, two, three (")


ENDLESS = """
import threading, time
import numpy as np, tensorflow as tf
from tfmagic import models, session
v1 = tf.compat.v1

def lasting():
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 4], "x")
        rounds = v1.get_variable("rounds", initializer=np.int64(10**15))
        v1.assign(rounds, 1, name="end")
        done = tf.while_loop(lambda i: i < rounds, lambda i: (i + 1,), [np.int64(0)])[0]
        tf.multiply(x, tf.cast(done, tf.float32), name="y")
    return graph

net = lasting()

def tell():
    "Touch the file once the model runs, which is when Stop is pressed."
    while not any(thread.name == "tfmagic-run" for thread in threading.enumerate()):
        time.sleep(0.01)
    time.sleep(0.5)
    open("started", "w").close()
"""


def test_stop_ends_the_warming_of_a_model_that_is_being_added(kernel: Kernel) -> None:
    kernel.ok(f"%load_ext tfmagic\n{ENDLESS}")
    cell = "threading.Thread(target=tell).start()\n%tf_model add lasting net --outputs y --warm"
    assert interrupted(kernel, cell).ename == "KeyboardInterrupt"
    assert "no models" in kernel.ok("%tf_model list").text.lower()
    kernel.ok("%tf_model add lasting net --outputs y")
    kernel.ok("session.run(net.get_operation_by_name('end'))")
    assert kernel.value("float(models.lasting(np.ones((1, 4), 'f4')).sum())") == "4.0"


def test_a_loop_that_depends_on_values_is_neither_warmed_nor_tried_in_a_call(kernel: Kernel) -> None:
    kernel.ok(
        """%load_ext tfmagic
import numpy as np, tensorflow as tf
from tfmagic import models

class Halve(tf.Module):
    def __init__(self):
        self.w = tf.Variable(tf.fill([4], 0.7))

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x):
        return tf.while_loop(lambda a: tf.norm(a) > 0.5, lambda a: (a * self.w,), [x])[0]

net = Halve()
tf.saved_model.save(net, "halve", signatures=net.__call__.get_concrete_function())
x = np.ones((1, 4), "f4")"""
    )
    added = kernel.ok("%tf_model add a halve --warm").text
    assert "it has a loop whose length depends on the values of its inputs" in added
    kernel.ok("for _ in range(60): models.a(x)")
    kernel.ok("for _ in range(60):\n    %tf_run a x -o y")
    again = kernel.ok("%tf_model add a halve --warm").text
    assert again == "a: unchanged, kept, not warmed (%tf_model show a says why)"
    assert "not warmed: it has a loop" in kernel.ok("%tf_model show a").text
