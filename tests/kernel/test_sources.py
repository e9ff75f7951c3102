"""``%tf_model add`` of every kind of source, by path and by object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from factories import printed, save_linear_v1
from keras_networks import functional

from kernel.cells import EAGER, EAGER_TRAIN, LINE, SAVE_TO_DISK

if TYPE_CHECKING:
    from pathlib import Path

    from kernel.harness import Kernel

pytestmark = pytest.mark.kernel

MAKE = """
import keras, numpy as np, tensorflow as tf
v1 = tf.compat.v1

def two_to_one():
    x = keras.Input((2,), name="x")
    made = keras.Model(x, keras.layers.Dense(1, name="y", use_bias=False)(x))
    made.set_weights([np.full((2, 1), 2.0)])
    return made

two_to_one().save("net.keras")
two_to_one().save("old.h5")
tf.io.write_graph(graph, ".", "plus.pbtxt", as_text=True)
with tf.Graph().as_default() as trained, v1.Session() as native:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    w = v1.get_variable("w", initializer=2.0)
    tf.reduce_sum(x * w, 1, keepdims=True, name="y")
    native.run(v1.global_variables_initializer())
    v1.train.Saver().save(native, "ckpt/model", global_step=7)
del graph, trained, native, x, w
"""

OBJECTS = """
live = two_to_one()
module = tf.Module()
module.w = tf.Variable(2.0)
module.answer = tf.function(lambda x: tf.reduce_sum(x * module.w, 1, keepdims=True),
                            input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
function = tf.function(lambda x: tf.reduce_sum(x * 2.0, 1, keepdims=True),
                       input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
concrete = function.get_concrete_function()
with tf.Graph().as_default() as graph:
    x = v1.placeholder(tf.float32, [None, 2], "x")
    tf.reduce_sum(x * 2.0, 1, keepdims=True, name="y")
definition = graph.as_graph_def()
"""

SIX = "array([[6.]], dtype=float32)"


@pytest.fixture
def kernel(kernel: Kernel) -> Kernel:
    """A kernel with a file of each kind, and what makes an object of each."""
    (kernel.folder / "plus.pb").unlink(missing_ok=True)
    kernel.ok(SAVE_TO_DISK)
    kernel.ok("import shutil; shutil.rmtree('ckpt', ignore_errors=True)")
    kernel.ok(MAKE)
    return kernel


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("net.keras", "Keras file"),
        ("old.h5", "Keras file"),
        ("ckpt", "checkpoint"),
        ("ckpt/model-7", "checkpoint"),
        ("ckpt/model-7.meta", "checkpoint"),
        ('"ckpt/model-7.index"', "checkpoint"),
    ],
)
def test_files(kernel: Kernel, path: str, kind: str) -> None:
    said = kernel.ok(f"%tf_model add net {path}").text
    assert f"net added: {kind} {path}" in said
    assert "x float32 (?, 2) -> y float32 (?, 1)" in said
    assert kernel.ok("%tf_run net [[1, 2]]").text == SIX
    assert kernel.ok(f"%tf_model add net {path}").text == "net: unchanged, kept"
    page = kernel.ok(f"%tf_model show {path}").text
    assert f"kind      {kind}" in page or kind in page
    assert kernel.ok("%tf_model show net").text.startswith("net")


def test_text_graphs(kernel: Kernel) -> None:
    assert "net added: frozen graph plus.pbtxt" in kernel.ok("%tf_model add net plus.pbtxt").text
    assert kernel.ok("%tf_run net [1, 2]").text == "array([2., 3.], dtype=float32)"


@pytest.mark.parametrize("name", ["live", "module", "function", "concrete", "graph", "definition"])
@pytest.mark.parametrize("option", ["", " --copy"])
def test_objects(kernel: Kernel, name: str, option: str) -> None:
    kernel.ok(OBJECTS)
    said = kernel.ok(f"%tf_model add net {name}{option}").text
    assert said.startswith("net added: a copy of the " if option else "net added: ")
    answer = kernel.ok("%tf_run net [[1, 2]] -o answer\nimport tfmagic")
    assert not answer.results
    assert kernel.value("np.asarray(answer).tolist()") == "[[6.0]]"
    mode = "graph" if option or name in {"graph", "definition"} else "eager"
    assert kernel.value("tfmagic.models.net.mode") == repr(mode)
    assert kernel.ok(f"%tf_model add net {name}{option}").text == "net: unchanged, kept"


def test_a_copy_keeps_its_weights_until_it_is_synced(kernel: Kernel) -> None:
    kernel.ok(OBJECTS)
    kernel.ok("%tf_model add net live --copy\n%tf_model add shared live")
    kernel.ok("live.compile('sgd', 'mse'); live.fit(np.ones((4, 2)), np.zeros((4, 1)), verbose=0);")
    kernel.ok("live.set_weights([np.full((2, 1), 5.0)])")
    assert kernel.ok("%tf_run net [[1, 2]]").text == SIX
    assert kernel.ok("%tf_run shared [[1, 2]]").text == "array([[15.]], dtype=float32)"
    assert kernel.ok("%tf_model sync net").text == "net: took the present values of 1 variable"
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[15.]], dtype=float32)"
    assert "shared is no copy of a live object, it shares its weights" in kernel.refused("%tf_model sync shared")
    assert "a model's name was expected" in kernel.refused("%tf_model sync")
    assert "there is no model 'nett'" in kernel.refused("%tf_model sync nett")


def test_options_that_are_for_other_sources(kernel: Kernel) -> None:
    kernel.ok(OBJECTS)
    assert "--copy is for live objects" in kernel.refused("%tf_model add net net.keras --copy")
    assert "--objects is for Keras files" in kernel.refused("%tf_model add net live --objects [int]")
    assert "--objects takes the classes" in kernel.refused("%tf_model add net net.keras --objects 7")
    assert "raised NameError" in kernel.refused("%tf_model add net net.keras --objects [Missing]")
    assert "is no Python expression" in kernel.refused("%tf_model add net net.keras --objects [7,,]")
    assert "']' is missing" in kernel.refused("%tf_model add net net.keras --objects [Missing")
    assert "there is no option --keep" in kernel.refused("%tf_model add net net.keras --keep")
    assert "there is no option --eager" in kernel.refused("%tf_model add net net.keras --eager")
    assert "there is no option --copy" in kernel.refused("%%tf_model net --copy\n1")


SCALED = """
class Scaled(keras.layers.Layer):
    def __init__(self, factor=2.0, **more):
        super().__init__(**more)
        self.factor = factor

    def call(self, x):
        return x * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}

"""
SAVE_SCALED = """
x = keras.Input((2,), name="x")
keras.Model(x, Scaled(3.0, name="y")(x)).save("own.SUFFIX")
del x
"""
TRIPLED = "array([[3., 6.]], dtype=float32)"


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_the_notebooks_own_class(kernel: Kernel, suffix: str) -> None:
    kernel.ok(SCALED + SAVE_SCALED.replace("SUFFIX", suffix))
    add = f"%tf_model add net own.{suffix}"
    kernel.ok(add)
    assert kernel.ok("%tf_run net [[1, 2]]").text == TRIPLED
    assert kernel.ok(add).text == "net: unchanged, kept"
    # The cell that defines it run again, with another body.
    kernel.ok(SCALED.replace("return x * self.factor", "return x * self.factor * 10.0"))
    assert kernel.ok(add).text.startswith("net renewed")
    assert kernel.ok("%tf_run net [[1, 2]]").text == "array([[30., 60.]], dtype=float32)"


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_class_under_another_name_is_given(kernel: Kernel, suffix: str) -> None:
    kernel.ok(SCALED + SAVE_SCALED.replace("SUFFIX", suffix) + "Mine = Scaled\ndel Scaled")
    said = kernel.refused(f"%tf_model add net own.{suffix}")
    assert "needs 'Scaled', which is no part of Keras: run the cell that defines it first" in said
    assert "--objects" in said
    for given in ("[Mine]", "{'Scaled': Mine}", "Mine", '"[Mine]"'):
        kernel.ok(f"%tf_model add net own.{suffix} --objects {given}")
        assert kernel.ok("%tf_run net [[1, 2]]").text == TRIPLED
        kernel.ok("%tf_model drop net")


def test_code_in_a_file_needs_unsafe(kernel: Kernel) -> None:
    kernel.ok("""
        x = keras.Input((2,), name="x")
        keras.Model(x, keras.layers.Lambda(lambda v: v * 3.0, output_shape=(2,), name="y")(x)).save("code.keras")
        del x
    """)
    assert "carries Python code (a Lambda layer)" in kernel.refused("%tf_model add net code.keras")
    kernel.ok("%tf_model add net code.keras --unsafe")
    assert kernel.ok("%tf_run net [[1, 2]]").text == TRIPLED


@pytest.mark.parametrize(
    "line",
    [
        "%tf_model add net gs://bucket/net.keras",
        '%tf_model add net "hf://someone/model"',
        "%tf_model add net s3://bucket/ckpt/model-7.meta",
        "%tf_model show gs://bucket/net.keras",
    ],
)
def test_what_is_on_another_machine(kernel: Kernel, line: str) -> None:
    assert "download it first" in kernel.refused(line)


def test_another_keras_backend_is_refused_in_one_line(tmp_path: Path) -> None:
    # Which Keras cannot be imported on here, and need not be: what has nothing to do with it goes on.
    functional()[0].save(tmp_path / "net.keras")
    save_linear_v1(tmp_path / "line")
    code = """
        import sys
        from IPython.core.error import UsageError
        from IPython.core.interactiveshell import InteractiveShell
        shell = InteractiveShell.instance()
        shell.run_line_magic("cd", "-q " + sys.argv[1])
        shell.run_line_magic("load_ext", "tfmagic")
        try:
            shell.run_line_magic("tf_model", "add net net.keras")
        except UsageError as error:
            print(error)
        shell.run_line_magic("tf_model", "add line line")
        print(shell.run_line_magic("tf_run", "line [[1, 2]]").tolist())
    """
    *_, said, _, _, answer = printed(code, str(tmp_path), KERAS_BACKEND="numpy", IPYTHONDIR=str(tmp_path))
    assert answer == "[[3.0, 5.0]]"
    assert said == (
        "net: Keras runs on numpy here, and tfmagic needs it on TensorFlow: "
        "set KERAS_BACKEND=tensorflow before Keras is imported"
    )


NOTEBOOK = [
    "%load_ext tfmagic",
    SAVE_TO_DISK,
    "import shutil; shutil.rmtree('ckpt', ignore_errors=True)",
    MAKE,
    OBJECTS,
    "%tf_model add file net.keras",
    "%tf_model add old old.h5",
    "%tf_model add text plus.pbtxt",
    "%tf_model add ckpt ckpt",
    "%tf_model add shared live",
    "%tf_model add copied live --copy",
    "%tf_model add definition definition",
    EAGER,
    EAGER_TRAIN,
    LINE,
    "%%tf_run line\nsession.run(w.assign(9.0))",
    "%tf_run line [[1, 2]] -o trained",
    "names = ('file', 'old', 'ckpt', 'shared', 'copied')\n"  # noqa: ISC004 - the lines of one cell
    "[float(np.asarray(tfmagic.models[name]([[1, 2]])).sum()) for name in names] + trained.tolist()",
]


def test_run_all_twice_with_every_source(kernel: Kernel) -> None:
    kernel.ok("import tfmagic")
    first = [kernel.ok(cell).text for cell in NOTEBOOK]
    assert first[-1] == "[6.0, 6.0, 6.0, 6.0, 6.0, [9.0, 18.0]]"
    names = kernel.value("list(tfmagic.models)")
    second = [kernel.ok(cell).text for cell in NOTEBOOK]
    assert second[-1] == first[-1]
    again = kernel.value("[name for name in tfmagic.models if not name.endswith('~1')]")
    assert again == names
    assert kernel.value("sorted(name for name in tfmagic.models if name.endswith('~1'))") == "['line~1', 'net~1']"
    third = [kernel.ok(cell).text for cell in NOTEBOOK]
    assert third[-1] == first[-1]
    assert kernel.value("len(tfmagic.models)") == str(len(eval(names)) + 2)  # noqa: S307 - a list of names
