"""Interrupts at random moments, in the middle of any verb, leave a registry that can be used."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from kernel.cells import SAVE_TO_DISK

if TYPE_CHECKING:
    from kernel.harness import Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

ROUNDS = 60
LONGEST_S = 60.0

SETUP = """
import os, pathlib, signal, threading, time
import keras, numpy as np, tensorflow as tf
from IPython.core.error import UsageError
from tfmagic import models, session
from tfmagic.errors import TfMagicError
from tfmagic.concurrency.runs import wait_until

shell = get_ipython()
v1 = tf.compat.v1
keras.utils.set_random_seed(1)
X = np.array([[1.0, 2.0]], np.float32)

class Times(tf.Module):
    def __init__(self, factor):
        self.factor = tf.Variable(factor)
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def __call__(self, x):
        return {"y": x * self.factor}

module, other_module = Times(2.0), Times(3.0)
live = keras.Sequential([keras.Input([2]), keras.layers.Dense(2, use_bias=False)])
live.layers[0].set_weights([np.eye(2, dtype=np.float32) * 2.0])
live.save("live.keras")
built = tf.Graph()
with built.as_default():
    x = v1.placeholder(tf.float32, [None, 2], name="x")
    tf.identity(x * v1.get_variable("w", initializer=2.0), name="y")

# %%tf_model cells that give their input times two, and an endless output.
CELL = '''
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None, 2], name="x")
w = v1.get_variable("w", initializer=2.0)
u = v1.get_variable("u", initializer=tf.zeros([200, 200]))
step = tf.group(u.assign(u @ u + 1.0))
stuck = v1.FIFOQueue(1, [tf.float32], shapes=[[]]).dequeue(name="stuck")
y = tf.identity(x * w, name="y")
'''
ENDS = "--inputs x --outputs y"

def line(text):
    magic, _, rest = text.partition(" ")
    shell.run_line_magic(magic.lstrip("%"), rest)

def cell(text, body):
    magic, _, rest = text.partition(" ")
    shell.run_cell_magic(magic.lstrip("%"), rest, body)

def refused(error):
    "Whether an error is one that the moment explains: what was to be used is not there, or still stopping."
    known = ("there is no model", "still stopping", "is taken by", "has nothing", "there is something at")
    return isinstance(error, (UsageError, TfMagicError)) and any(part in str(error) for part in known)

def struck(delay, command, *args):
    "Run a command, interrupt it after a while if it is still running, and return what came of it."
    lock, going, running = threading.Lock(), threading.Event(), [True]
    def strike():
        going.wait()
        time.sleep(delay)
        with lock:
            if running[0]:
                os.kill(os.getpid(), signal.SIGINT)
    thread = threading.Thread(target=strike, daemon=True)
    thread.start()
    outcome = "done"
    try:
        try:
            going.set()
            command(*args)
        except (UsageError, TfMagicError) as error:
            if not refused(error):
                raise
            outcome = f"refused: {error}"
        finally:
            with lock:
                running[0] = False
    except KeyboardInterrupt:
        with lock:
            running[0] = False
        outcome = "interrupted"
    return outcome

def usable():
    "What is wrong after a command; empty where nothing is."
    wrong = []
    for name in list(models):
        model = models[name]
        if model.state == "stopping":
            line(f"tf_model stop {name} --now")
        if model.state not in {"ready", "parked"}:
            wrong.append(f"{name} is {model.state}")
            continue
        given = next(iter(model.run(X).values()))
        if not any(np.array_equal(given, factor * X) for factor in (2.0, 3.0)):
            wrong.append(f"{name} answers {given.tolist()}")
        # What was interrupted may be ending in its thread.
        if not wait_until(lambda: model.command_lock._holder is None, 60):
            wrong.append(f"the turn of {name} is not given back")
    kept = models["kept"].mode_now().values()
    if {name: value.tobytes() for name, value in kept} != KEPT:
        wrong.append("the weights of kept have changed")
    line("tf_model add fresh scales/1")
    if not np.array_equal(models.fresh(X), 2.0 * X):
        wrong.append("fresh does not answer")
    line("tf_model drop fresh")
    if models._adding:
        wrong.append(f"still being added: {models._adding}")
    if tf.executing_eagerly() is not True or v1.get_default_session() is not None or v1.get_default_graph() is built:
        wrong.append("a graph or session was left as the default one")
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        wrong.append(f"the interrupt's handler was left: {signal.getsignal(signal.SIGINT)}")
    return wrong
"""

KEPT = """
get_ipython().run_cell_magic("tf_model", f"kept {ENDS}", CELL)
get_ipython().run_cell_magic("tf_run", "kept", "session.run(u.assign(tf.random.stateless_normal([200, 200], [1, 2])))")
KEPT = {name: value.tobytes() for name, value in models["kept"].mode_now().values()}
"""

COMMANDS = [
    *[
        ("line", f"tf_model add {name}")
        for name in (
            "saved scales/1",
            "saved scales/10 --replace",
            "saved scales/1 --replace --warm",
            "lazy scales/1 --lazy --replace",
            "file live.keras",
            "file live.keras --replace --outputs y=dense",
            "module module",
            "module other_module --replace",
            "copied module --copy",
            "live live",
            "graph built",
        )
    ],
    *[("line", f"tf_run {name} X") for name in ("saved", "lazy", "file", "module", "copied", "live", "graph", "made")],
    *[
        ("line", f"tf_model drop {name}")
        for name in ("saved", "lazy", "module", "live copied", "graph", "made", "file")
    ],
    ("line", "tf_model list"),
    ("line", "tf_model show made"),
    ("line", "tf_model save made made_saved --replace"),
    ("line", "tf_model stop made"),
    ("line", "tf_run made --fetch stuck"),
    *2 * [("cell", "tf_model made {ENDS}", "{CELL}")],
    *3 * [("cell", "tf_run made", "while True: session.run(step)")],
    (
        "cell",
        "tf_run made",
        "for number in range(20): v1.Variable(float(number)); session.run(step)",
    ),
    ("cell", "tf_run made", "session.run(stuck)"),
    ("cell", "tf_run live", "for _ in range(500): this.live(X)"),
]


@pytest.mark.parametrize("seed", [1])
def test_interrupts_at_random_moments_leave_a_registry_that_can_be_used(kernel: Kernel, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - for a test
    kernel.ok(SAVE_TO_DISK)
    kernel.ok(SETUP)
    kernel.ok(KEPT)
    assert kernel.value("usable()") == "[]"
    deadline = time.monotonic() + LONGEST_S
    outcomes: list[str] = []
    for number in range(ROUNDS):
        if time.monotonic() > deadline:
            break
        how, *words = chance.choice(COMMANDS)
        arguments = ", ".join(f'f"""{word}"""' for word in words)
        delay = chance.uniform(0.0, 0.15)
        outcomes.append(kernel.value(f"struck({delay}, {how}, {arguments})"))
        said = f"round {number}: {words} after {delay:.3f} s: {outcomes[-1]}"
        assert kernel.value("usable()") == "[]", said
        kernel.ok("%tf_model list")
    assert len(outcomes) >= ROUNDS // 3
    # How many depends on how busy the machine is; that there are some is what makes this a test.
    assert sum("interrupted" in outcome for outcome in outcomes) >= 3
    assert kernel.value("threading.active_count() < 30") == "True"
    kernel.ok("import gc\ngc.collect()")
    left = "sum(1 for model in models.values() if model.graph is not None) == len(session.hosted_graphs())"
    assert kernel.value(left) == "True"
