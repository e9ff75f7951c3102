"""Memory in a real kernel: the policy, what drop says, parking, the budget, the settings."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil
import pytest
from factories import printed_from_start

from tfmagic.concurrency.runs import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

RSS = "import psutil; rss = lambda: psutil.Process().memory_info().rss"
BIG = """
%%tf_model {name}
import tensorflow as tf
v1 = tf.compat.v1
x = v1.placeholder(tf.float32, [None, 5000], name="x")
w = v1.get_variable("w", [5000, 5000], initializer=v1.ones_initializer())
y = tf.matmul(x, w, name="y")
"""
TO_TYPE = r"to let go, run:\n(    [^\n]+\n?)+"
KERAS = """
import keras
net = keras.Sequential([keras.Input([5000]), keras.layers.Dense(5000)])
"""


def typed(said: str) -> str:
    """Return the very lines that a drop says to type."""
    return dedent(said.split("to let go, run:\n")[1])


def test_dropping_gives_the_memory_back_and_says_how_much(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok(BIG.format(name="first"))
    kernel.ok("import numpy as np\n%tf_run first np.ones((1, 5000)) -o r")
    kernel.ok("%tf_model drop first")
    kernel.ok("before = rss()")
    kernel.ok(BIG.format(name="big"))
    kernel.ok("%tf_run big np.ones((1, 5000)) -o r")
    assert kernel.value("rss() - before > 95e6") == "True"
    said = kernel.ok("%tf_model drop big").text
    found = re.fullmatch(r"dropped: big \((\d+) MB given back to the system, it has \d+ MB now\)", said)
    assert found is not None, said
    assert int(found[1]) >= 98
    assert kernel.value("rss() - before < 5e6") == "True"


def test_what_the_notebook_deletes_is_gone_by_the_next_prompt(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok("import numpy as np, tfmagic\nbefore = rss()")
    kernel.ok("arrays = [np.ones(2_500_000) for _ in range(25)]\ntop = np.ones(10)")
    assert kernel.value("rss() - before > 480e6") == "True"
    kernel.ok("del arrays")
    assert kernel.value("rss() - before < 30e6") == "True"


def test_what_a_thread_frees_between_cells_goes_back(kernel: Kernel) -> None:
    kernel.ok(
        "import os, threading, time\nimport numpy as np\n"
        "arrays = [np.ones(2_500_000) for _ in range(25)]\ntop = np.ones(10)\n"
        "def free():\n    time.sleep(2)\n    arrays.clear()"
    )
    process = psutil.Process(int(kernel.value("os.getpid()")))
    kernel.ok("threading.Thread(target=free).start()")
    full = process.memory_info().rss
    assert wait_until(lambda: full - process.memory_info().rss > 450_000_000, 60)


def test_what_a_drop_says_to_type_gives_the_memory_of_a_keras_model_back(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok(KERAS)
    # Its parts refer to each other, and nothing may collect them by chance.
    kernel.ok("import gc, weakref\ngc.disable()\nseen = weakref.ref(net)")
    kernel.ok("%tf_model add live net")
    said = kernel.ok("%tf_model drop live").text
    kernel.ok("before = rss()")
    assert kernel.value("seen() is None") == "False"
    kernel.ok(typed(said))
    assert kernel.value("seen() is None") == "True"
    assert kernel.value("before - rss() > 90e6") == "True"


def test_a_live_model_that_was_compiled_and_trained_is_gone_with_its_last_name(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok("import numpy as np\nrows = np.ones((4, 5000), 'float32')")
    for name in ("first", "second"):
        kernel.ok(KERAS)
        # Plain TensorFlow keeps weights and slots, 300 MB, for as long as the process lives.
        kernel.ok("net.compile('adam', 'mse')\nhistory = net.fit(rows, rows, verbose=0)\ndel history")
        kernel.ok(f"%tf_model add {name} net")
        kernel.ok(typed(kernel.ok(f"%tf_model drop {name}").text))
        if name == "first":
            kernel.ok("before = rss()")
    assert kernel.value("rss() - before < 20e6") == "True"


def test_a_trained_model_that_was_never_added_goes_when_the_notebook_lets_go(kernel: Kernel) -> None:
    kernel.ok("import gc, weakref, numpy as np\nrows = np.ones((4, 5000), 'float32')")
    kernel.ok(KERAS)
    kernel.ok("net.compile('adam', 'mse')\nhistory = net.fit(rows, rows, verbose=0)\ndel history")
    kernel.ok("handles = [weakref.ref(one.value.handle) for one in net.variables + net.optimizer.variables]")
    kernel.ok("del net\ncollected = gc.collect()")
    assert kernel.value("[one() for one in handles if one() is not None]") == "[]"


def test_drop_names_who_still_holds_it_and_what_to_type(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok(KERAS)
    kernel.ok("%tf_model add net net")
    kernel.ok("nets = {'a': net}")
    kernel.ok("net")
    said = kernel.ok("%tf_model drop net").text
    places = [r"Out\[\d+\]", "net", r"nets\['a'\]"]
    named = "".join(rf"  {place} \(a Keras model\) still holds memory of it\n" for place in places)
    assert re.fullmatch(rf"dropped: net \([^\n]+\)\n{named}{TO_TYPE}", said), said
    kernel.ok("import weakref; gone = weakref.ref(net); before = rss()")
    kernel.ok(typed(said))
    assert kernel.value("gone() is None") == "True"
    assert kernel.value("before - rss() > 90e6") == "True"


def test_an_error_of_tfmagic_s_keeps_no_model_alive(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="big"))
    kernel.ok("import numpy as np, weakref; from tfmagic import models; gone = weakref.ref(models.big.graph)")
    kernel.refused("%tf_run big np.ones((1, 7))")
    said = kernel.ok("%tf_model drop big").text
    assert "still holds" not in said
    kernel.ok("import gc; gc.collect()")
    assert kernel.value("gone() is None") == "True"


def test_an_error_in_its_cell_is_named_with_what_lets_go(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="big"))
    kernel.ok("import gc, weakref; from tfmagic import models; gone = weakref.ref(models.big.graph)")
    kernel.run("%%tf_run big\nkept = y\nraise ValueError(y)")
    said = kernel.ok("%tf_model drop big").text
    assert re.fullmatch(
        rf"dropped: big \([^\n]+\)\n  the last traceback \(a [^\n]+\) still holds memory of it\n{TO_TYPE}", said
    ), said
    kernel.ok("gc.collect()")
    assert kernel.value("gone() is None") == "False"
    kernel.ok(typed(said))
    kernel.ok("gc.collect()")
    assert kernel.value("gone() is None") == "True"


def test_a_parked_model_takes_no_memory_and_comes_back_when_it_is_run(kernel: Kernel) -> None:
    kernel.ok(RSS)
    kernel.ok(BIG.format(name="big"))
    kernel.ok("%%tf_run big\nsession.run(w.assign(2.0 * tf.ones([5000, 5000])))[0, 0]")
    kernel.ok("before = rss()")
    said = kernel.ok("%tf_model park big").text
    assert said == "big: parked, 100 MB of variables freed (100 MB written to disk)"
    assert kernel.value("before - rss() > 95e6") == "True"
    assert "parked" in kernel.ok("%tf_model").text
    assert kernel.ok("%tf_model park big").text == "big: was parked already"
    kernel.ok("import numpy as np")
    assert kernel.ok("r = %tf_run big np.ones((1, 5000))\nr[0, 0]").text == "np.float32(10000.0)"
    assert kernel.value("models['big'].state" if False else "__import__('tfmagic').models['big'].state") == "'ready'"
    assert kernel.ok("%tf_model wake big").text == "big: was awake already"
    kernel.ok("%tf_model park big")
    assert re.fullmatch(r"big: awake, 100 MB of variables in [\d.]+ m?s", kernel.ok("%tf_model wake big").text)


def test_a_live_object_is_not_parked(kernel: Kernel) -> None:
    kernel.ok(KERAS)
    kernel.ok("%tf_model add net net")
    said = kernel.refused("%tf_model park net")
    assert said.startswith("net is yours, a live object")
    assert kernel.value("float(net(__import__('numpy').ones((1, 5000)))[0, 0]) != 0") == "True"


def test_an_eager_cell_s_model_is_parked_with_its_optimizer(kernel: Kernel) -> None:
    kernel.ok("import numpy as np; X = np.ones((8, 4), np.float32); Y = np.arange(8, dtype=np.float32)[:, None]")
    cell = """
        %%tf_model net --eager
        import keras
        made = keras.Sequential([keras.Input([4]), keras.layers.Dense(1)])
        made.compile(optimizer="adam", loss="mse")
        made.fit(X, Y, epochs=3, verbose=0)
        made
    """
    kernel.ok(cell)
    kernel.ok("%tf_run net X -o before")
    kernel.ok("%%tf_run net\nsteps = int(this.live.optimizer.iterations)")
    assert "parked" in kernel.ok("%tf_model park net").text
    kernel.ok("%tf_run net X -o after")
    assert kernel.value("(before == after).all()") == "np.True_"
    kernel.ok("%%tf_run net -o steps\nsteps = int(this.live.optimizer.iterations)")
    assert kernel.value("steps") == "3"


def test_the_budget_parks_the_least_recently_used_and_says_so(kernel: Kernel) -> None:
    kernel.ok("%config TfMagic.memory_budget = '250MB'")
    for name in ("one", "two"):
        kernel.ok(BIG.format(name=name))
    reply = kernel.ok(BIG.format(name="three"))
    assert reply.stdout == (
        "parked one, least recently used, so that three (100 MB) fits into the memory_budget of 250 MB\n"
    )
    kernel.ok("from tfmagic import models")
    assert kernel.value("[m.state for m in models.values()]") == "['parked', 'ready', 'ready']"
    kernel.ok("import numpy as np\n%tf_run one np.ones((1, 5000)) -o r")
    assert kernel.value("[m.state for m in models.values()]") == "['ready', 'parked', 'ready']"


def test_a_model_larger_than_the_budget_is_refused_before_anything_is_parked(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="one"))
    kernel.ok("%config TfMagic.memory_budget = '150MB'")
    kernel.ok("from tfmagic import models")
    said = kernel.refused(BIG.format(name="two").replace("5000", "7000"))
    assert said.startswith("two takes 196 MB, more than the whole memory_budget of 150 MB")
    assert kernel.value("[(m.name, m.state) for m in models.values()]") == "[('one', 'ready')]"


@pytest.mark.parametrize(
    ("setting", "value", "why"),
    [
        ("memory_budget", "lots", "'lots' is no size"),
        ("memory_budget", "-1GB", "'-1GB' is negative"),
        ("memory_budget", "1GB,tpu:0=1GB", "'tpu:0' is no device"),
        ("memory_policy", "keep", "memory_policy is 'return' or 'pool', got 'keep'"),
        ("trim_threshold", "much", "'much' is no size"),
        ("park_directory", "/proc/nowhere", "cannot be written to"),
        ("native_log", "on", 'native_log is "capture", "pass" or "off", not \'on\''),
    ],
)
def test_a_wrong_setting_says_why_and_changes_nothing(kernel: Kernel, setting: str, value: str, why: str) -> None:
    before = kernel.ok(f"%config TfMagic.{setting}").text
    said = kernel.run(f"%config TfMagic.{setting} = {value!r}")
    assert why in said.stderr + said.evalue + said.stdout, said
    assert kernel.ok(f"%config TfMagic.{setting}").text == before


def test_a_budget_below_what_cannot_be_parked_is_refused(kernel: Kernel) -> None:
    kernel.ok(KERAS)
    kernel.ok("%tf_model add net net")
    said = kernel.run("%config TfMagic.memory_budget = '50MB'")
    assert "is below what is loaded and cannot be parked" in said.stderr + said.stdout
    assert "net (100 MB, a live object of the notebook)" in said.stderr + said.stdout
    assert kernel.ok("%config TfMagic.memory_budget").text == "''"


def test_tf_runtime_says_what_was_set_and_what_is_used(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="big"))
    said = kernel.ok("%tf_runtime").text
    assert '"return": The memory of what is dropped goes back to the system.' in said
    assert "TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1" in said
    assert "mallopt(M_MMAP_THRESHOLD, 2147483647)" in said
    assert "unknown until a run with --trace" in kernel.ok("%tf_runtime memory").text
    kernel.ok("import numpy as np\n%tf_run big np.ones((1000, 5000)) --trace;")
    assert kernel.value("20e6 <= __import__('tfmagic').models.big.record()['run_peak_bytes'] < 45e6") == "True"
    assert kernel.refused("%tf_runtime memori") == "%tf_runtime has no 'memori' (did you mean 'memory'?)"


def test_reset_drops_everything_names_unsaved_training_and_the_kernel_goes_on(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="big"))
    kernel.ok(BIG.format(name="still"))
    kernel.ok("%%tf_run big\nsession.run(w.assign(2.0 * tf.ones([5000, 5000])))[0, 0]")
    kernel.ok(f"{RSS}\nbefore = rss()")
    said = kernel.ok("%tf_runtime reset\ngone = before - rss()").text
    gave = re.search(r"(\d+) MB given back", said)
    assert gave is not None, said
    assert abs(int(gave[1]) * 1e6 - int(kernel.value("gone"))) < 20e6
    assert said.startswith("big was trained, and not saved since\ndropped: big, still (")
    assert kernel.ok("%tf_model").text.startswith("no models yet")
    kernel.ok(BIG.format(name="big"))
    kernel.ok("import numpy as np\n%tf_run big np.ones((1, 5000)) -o r")
    kernel.ok("%%tf_run big\nsession.run(w.assign(2.0 * tf.ones([5000, 5000])))[0, 0]")
    kernel.ok("%tf_model save big ./big")
    assert kernel.ok("%tf_runtime reset").text.startswith("dropped: big (")


def test_show_lists_the_variables(kernel: Kernel) -> None:
    kernel.ok(BIG.format(name="big"))
    assert re.search(r"w +float32 +\(5000, 5000\) +100 MB", kernel.ok("%tf_model show big").text)


def test_settings_of_the_configuration_file_are_taken_over_and_a_wrong_one_is_said(tmp_path: Path) -> None:
    said = printed_from_start(
        """
        import sys
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config
        config = Config()
        config.TfMagic.memory_budget = "1.5GB"
        config.TfMagic.trim_threshold = "much"
        shell = InteractiveShell.instance(config=config)
        shell.run_line_magic("load_ext", "tfmagic")
        from tfmagic.model.memory.budget import budget
        print(budget().text, "tensorflow" in sys.modules)
        """,
        HOME=str(tmp_path),
    )
    assert said[0].startswith("c.TfMagic.trim_threshold is not taken over: trim_threshold 'much': 'much' is no size")
    assert said[-1] == "1.5GB False"
