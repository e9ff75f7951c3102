"""``%%tf_run`` trains, evaluates and inspects the room's variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

FIT = """
%%tf_model fit --inputs x --outputs y
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None], name="x")
target = v1.placeholder(tf.float32, [None], name="target")
w = v1.get_variable("w", initializer=0.0)
y = tf.identity(x * w, name="y")
loss = tf.reduce_mean((y - target) ** 2)
step = v1.train.GradientDescentOptimizer(0.05).minimize(loss)
"""
"""A model with one weight that training brings to 3."""


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with the model ``fit``."""
    kernel.ok(FIT)
    return kernel


def weight(kernel: Kernel) -> float:
    """Return the room's weight, as a call of the model sees it."""
    kernel.ok("r = %tf_run fit [1]")
    return float(kernel.value("round(float(r[0]), 3)"))


def test_session_run_trains_the_model_that_tf_run_calls(kernel: Kernel) -> None:
    assert weight(kernel) == 0
    kernel.ok("""
        %%tf_run fit -o losses
        losses = [session.run([loss, step], {x: [1, 2], target: [3, 6]})[0] for _ in range(50)]
    """)
    assert weight(kernel) == 3
    assert kernel.value("len(losses), bool(losses[0] > 1 and losses[-1] < 1e-6)") == "(50, True)"


def test_op_run_and_eval_use_the_rooms_session(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_run fit
        for _ in range(50):
            step.run({x: [1, 2], target: [3, 6]})
    """)
    assert kernel.ok("%%tf_run fit\nround(float(w.eval()), 3)").text == "3.0"
    assert kernel.ok("%%tf_run fit\ny.eval({x: [2]}).round(3).tolist()").text == "[6.0]"
    assert weight(kernel) == 3


def test_the_notebooks_data_train_the_model(kernel: Kernel) -> None:
    kernel.ok("import numpy as np\nX = np.array([1.0, 2.0]); truth = 3 * X")
    kernel.ok("%%tf_run fit\nfor _ in range(50): step.run({x: X, target: truth})")
    assert weight(kernel) == 3


def test_new_variables_are_initialised_and_old_ones_keep_their_values(kernel: Kernel) -> None:
    kernel.ok("%%tf_run fit\nw.load(7.0, session)")
    kernel.ok("""
        %%tf_run fit
        extra = v1.get_variable("extra", initializer=0.5)
        shifted = tf.add(y, extra, name="shifted")
    """)
    assert kernel.ok("%tf_run fit [1] --fetch shifted").text == "array([7.5], dtype=float32)"
    assert kernel.ok("%%tf_run fit\nsession.run([w, extra])").text == "[np.float32(7.0), np.float32(0.5)]"


def test_a_new_variable_can_be_used_in_the_cell_that_makes_it(kernel: Kernel) -> None:
    kernel.ok("%%tf_run fit\nw.load(7.0, session)")
    cell = "%%tf_run fit\nadded = v1.get_variable('added', initializer=1.5)\nsession.run([added, w])"
    assert kernel.ok(cell).text == "[np.float32(1.5), np.float32(7.0)]"


def test_a_new_optimiser_trains_on_from_the_present_weights(kernel: Kernel) -> None:
    kernel.ok("%%tf_run fit\nw.load(2.9, session)")
    kernel.ok("""
        %%tf_run fit
        adam = v1.train.AdamOptimizer(0.01).minimize(loss, var_list=[w])
        first = session.run(loss, {x: [1, 2], target: [3, 6]})
        for _ in range(100):
            session.run(adam, {x: [1, 2], target: [3, 6]})
    """)
    assert kernel.ok("%%tf_run fit\nround(float(first), 3)").text == "0.025"
    assert abs(weight(kernel) - 3) < 0.02


PASTED = """
%%tf_run fit
with tf.compat.v1.Session() as sess:
    sess.run(tf.compat.v1.global_variables_initializer())
    for _ in range(50):
        sess.run(step, feed_dict={x: [1, 2], target: [3, 6]})
    print(round(float(sess.run(w)), 3), round(float(w.eval()), 3))
"""


def test_a_pasted_session_is_the_rooms_and_leaving_it_closes_nothing(kernel: Kernel) -> None:
    assert kernel.ok(PASTED).stdout == "3.0 3.0\n"
    assert weight(kernel) == 3
    assert kernel.ok("%%tf_run fit\nround(float(session.run(w)), 3)").text == "3.0"


@pytest.mark.parametrize(
    "cell",
    [
        "sess = tf.compat.v1.Session()\nsess.run(step, FEED)\nsess.close()",
        "sess = tf.compat.v1.InteractiveSession()\nsess.run(step, FEED)\nsess.close()",
        "with tf.compat.v1.Session(graph=graph) as sess: sess.run(step, FEED)",
        "with tf.compat.v1.Session() as sess: step.run(FEED)",
        "with tf.compat.v1.Session().as_default(): step.run(FEED)",
        "with graph.as_default(), v1.Session(graph=tf.compat.v1.get_default_graph()) as s: s.run(step, FEED)",
    ],
)
def test_every_form_of_a_pasted_session_trains_the_rooms_variables(kernel: Kernel, cell: str) -> None:
    kernel.ok("%%tf_run fit\n" + cell.replace("FEED", "{x: [1, 2], target: [3, 6]}"))
    assert weight(kernel) == 0.75


def test_a_whole_pasted_script_that_disables_v2_leaves_the_notebook_eager(kernel: Kernel) -> None:
    kernel.ok("""
        %%tf_model old
        import tensorflow.compat.v1 as tf
        tf.disable_v2_behavior()
        x = tf.placeholder(tf.float32, [None], name="x")
        t = tf.placeholder(tf.float32, [None], name="t")
        w = tf.Variable(0.0)
        y = tf.multiply(x, w, name="y")
        step = tf.train.GradientDescentOptimizer(0.05).minimize(tf.reduce_mean((y - t) ** 2))
    """)
    kernel.ok("""
        %%tf_run old
        import tensorflow.compat.v1 as tf
        tf.disable_v2_behavior()
        with tf.Session() as sess:
            sess.run(tf.global_variables_initializer())
            for _ in range(50):
                sess.run(step, {x: [1, 2], t: [3, 6]})
    """)
    kernel.ok("r = %tf_run old x=[1] --fetch y")
    assert kernel.value("round(float(r[0]), 3)") == "3.0"
    kernel.ok("import tensorflow as tf")
    assert kernel.value("tf.executing_eagerly(), int(tf.constant(2) + 3)") == "(True, 5)"
    kernel.ok("import keras\nnet = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])")
    kernel.ok("net.compile('sgd', 'mse'); history = net.fit(tf.ones([4, 1]), tf.ones([4, 1]), verbose=0)")


def test_outside_a_room_a_session_is_tensorflows_own(kernel: Kernel) -> None:
    kernel.ok(PASTED)
    kernel.ok("import tensorflow as tf")
    assert kernel.value("type(tf.compat.v1.Session(graph=tf.Graph())).__name__") == "'Session'"


def test_training_one_room_leaves_another_as_it_was(kernel: Kernel) -> None:
    kernel.ok(FIT.replace("fit", "other", 1))
    kernel.ok("%%tf_run other\nfor _ in range(50): step.run({x: [1, 2], target: [3, 6]})")
    assert weight(kernel) == 0
    assert kernel.ok("%%tf_run other\nround(float(w.eval()), 3)").text == "3.0"


def test_a_saver_saves_and_restores_the_rooms_variables(kernel: Kernel) -> None:
    kernel.ok("%%tf_run fit\nw.load(7.0, session)\nsaver = v1.train.Saver([w])\nsaver.save(session, './kept')")
    kernel.ok("%%tf_run fit\nw.load(1.0, session)")
    kernel.ok("%%tf_run fit\nsaver.restore(session, './kept')")
    assert weight(kernel) == 7
