"""``inputs`` and ``outputs``: each kind of source takes other names for its ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, save_linear_v1, save_v2
from google.protobuf import text_format

from tfmagic import models
from tfmagic.errors import SourceError, TfMagicError
from tfmagic.execution.room.cell import Cell
from tfmagic.execution.signature.options import Options
from tfmagic.formats.cell_source import EagerCellSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
A = np.array([[1, 2], [3, 4]], np.float32)
B = np.array([[5, 6], [7, 8]], np.float32)
SPECS = [tf.TensorSpec([None, 2], tf.float32, name="a"), tf.TensorSpec([None, 2], tf.float32, name="b")]

# Each makes a source of two inputs, a and b, and two outputs, a + 10 b and a - b, and
# says what these are called by themselves.
INPUTS = {"left": "a", "right": "b"}


def graph() -> Any:
    with tf.Graph().as_default() as made:
        a, b = (v1.placeholder(tf.float32, [None, 2], name) for name in "ab")
        ten = v1.get_variable("ten", initializer=10.0)
        tf.add(a, b * ten, name="total")
        tf.subtract(a, b, name="gap")
    return made


def frozen_definition() -> Any:
    with tf.Graph().as_default() as made:
        a, b = (v1.placeholder(tf.float32, [None, 2], name) for name in "ab")
        tf.add(a, b * 10.0, name="total")
        tf.subtract(a, b, name="gap")
    return made.as_graph_def()


def both(a: Any, b: Any) -> dict[str, Any]:
    return {"total": a + 10.0 * b, "gap": a - b}


def network() -> Any:
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    total = keras.layers.Add(name="total")([a, keras.layers.Rescaling(10.0)(b)])
    return keras.Model([a, b], [total, keras.layers.Subtract(name="gap")([a, b])])


class Module(tf.Module):
    @tf.function(input_signature=SPECS)
    def __call__(self, a: Any, b: Any) -> Any:
        return both(a, b)


def frozen_file(folder: Path) -> Any:
    (folder / "net.pb").write_bytes(frozen_definition().SerializeToString())
    return folder / "net.pb"


def text_file(folder: Path) -> Any:
    (folder / "net.pbtxt").write_text(text_format.MessageToString(frozen_definition()))
    return folder / "net.pbtxt"


def checkpoint(folder: Path) -> Any:
    made = graph()
    with made.as_default(), v1.Session() as native:
        native.run(v1.global_variables_initializer())
        v1.train.Saver().save(native, str(folder / "net"))
    return folder / "net"


def saved_model_v1(folder: Path) -> Any:
    made = graph()
    with made.as_default(), v1.Session() as native:
        native.run(v1.global_variables_initializer())
        ends = [{name: made.get_tensor_by_name(f"{name}:0") for name in names} for names in ("ab", ("total", "gap"))]
        v1.saved_model.simple_save(native, str(folder / "net"), *ends)
    return folder / "net"


def saved_model_v2(folder: Path) -> Any:
    return save_v2(folder / "net", both, *SPECS)


def keras_file(folder: Path) -> Any:
    network().save(folder / "net.keras")
    return folder / "net.keras"


def hdf_file(folder: Path) -> Any:
    network().save(folder / "net.h5")
    return folder / "net.h5"


KINDS: dict[str, Callable[[Path], Any]] = {
    "a SavedModel of v1": saved_model_v1,
    "a SavedModel of v2": saved_model_v2,
    "a .keras file": keras_file,
    "an .h5 file": hdf_file,
    "a frozen graph": frozen_file,
    "a text graph": text_file,
    "a checkpoint": checkpoint,
    "a GraphDef": lambda _: frozen_definition(),
    "a tf.Graph": lambda _: graph(),
    "a Keras model": lambda _: network(),
    "a tf.Module": lambda _: Module(),
    "a tf.function": lambda _: tf.function(both, input_signature=SPECS),
    "a ConcreteFunction": lambda _: tf.function(both).get_concrete_function(*SPECS),
}
LIVE = ["a GraphDef", "a tf.Graph", "a Keras model", "a tf.Module", "a tf.function", "a ConcreteFunction"]
CASES = [*((kind, False) for kind in KINDS), *((kind, True) for kind in LIVE)]
# Where an object of its own knows its outputs only once it was called.
UNTOLD = {("a tf.Module", False), ("a tf.function", False)}
# Graphs that declare no ends have those that are named.
UNDECLARED = {"a frozen graph", "a text graph", "a checkpoint", "a GraphDef", "a tf.Graph"}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_all_ends_can_be_renamed(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    made = KINDS[kind](tmp_path)
    model = models.add("net", made, inputs=INPUTS, outputs={"sum": "total", "difference": "gap"}, copy=copied)
    assert [spec.name for spec in model.signature().inputs] == ["left", "right"]
    # Crossed on the way, the answer would be another.
    given = model.run(left=A, right=B)
    assert sorted(given) == ["difference", "sum"]
    np.testing.assert_array_equal(given.sum, A + 10 * B)
    np.testing.assert_array_equal(given.difference, A - B)
    np.testing.assert_array_equal(model.run({"right": B, "left": A}, fetch="difference").difference, A - B)
    with pytest.raises(TfMagicError, match="net"):
        model.run(a=A, b=B)


@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_names_can_be_swapped(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    model = models.add("net", KINDS[kind](tmp_path), inputs={"a": "b", "b": "a"}, copy=copied)
    given = model.run(a=B, b=A)
    np.testing.assert_array_equal(given.total, A + 10 * B)
    np.testing.assert_array_equal(given.gap, A - B)


@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_one_end_can_be_renamed_and_the_others_stay(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    made = KINDS[kind](tmp_path)
    if kind in UNDECLARED:
        model = models.add("net", made, outputs="sum=total", copy=copied)
        assert list(model.run(a=A, b=B)) == ["sum"]
        return
    model = models.add("net", made, inputs="left=a", outputs="sum=total", copy=copied)
    given = model.run(left=A, b=B)
    assert sorted(given) == ["gap", "sum"]
    np.testing.assert_array_equal(given.sum, A + 10 * B)


@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_an_input_that_is_not_there_is_refused_with_near_names(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    made = KINDS[kind](tmp_path)
    with pytest.raises(SourceError, match=r"net.*'c'.*(there (are|is): |did you mean)") as caught:
        models.add("net", made, inputs="left=c", copy=copied)
    assert "\n" not in str(caught.value)
    assert len(models) == 0


@pytest.mark.parametrize(("kind", "copied"), [case for case in CASES if case not in UNTOLD])
def test_an_output_that_is_not_there_is_refused_with_near_names(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    made = KINDS[kind](tmp_path)
    with pytest.raises(SourceError, match=r"net.*'totl'.*did you mean 'total'") as caught:
        models.add("net", made, outputs="sum=totl", copy=copied)
    assert "\n" not in str(caught.value)
    assert len(models) == 0


@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_two_ends_cannot_get_one_name(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    made = KINDS[kind](tmp_path)
    with pytest.raises(SourceError, match="'same' twice"):
        models.add("net", made, inputs="same=a,same=b", copy=copied)
    if kind not in UNDECLARED:
        with pytest.raises(SourceError, match="net: two inputs would be called 'b': rename the other one too"):
            models.add("net", made, inputs="b=a", copy=copied)
    assert len(models) == 0


@pytest.mark.parametrize(("kind", "copied"), CASES)
def test_an_input_cannot_get_two_names(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    with pytest.raises(SourceError, match=r"net: input 'a(:0)?' gets two names"):
        models.add("net", KINDS[kind](tmp_path), inputs="one=a,two=a", outputs="total,gap", copy=copied)


@pytest.mark.parametrize(("kind", "copied"), [case for case in CASES if case[0] not in UNDECLARED])
def test_two_outputs_cannot_get_one_name_either(tmp_path: Path, kind: str, copied: bool) -> None:  # noqa: FBT001
    with pytest.raises(SourceError, match=r"net: two outputs would (be called 'gap'|have one name)"):
        models.add("net", KINDS[kind](tmp_path), outputs="gap=total", copy=copied).run(a=A, b=B)


@pytest.mark.parametrize("kind", ["a tf.Module", "a tf.function"])
def test_an_output_that_only_a_call_tells_is_missed_by_the_call(kind: str, tmp_path: Path) -> None:
    model = models.add("net", KINDS[kind](tmp_path), outputs="sum=totl")
    with pytest.raises(SourceError, match=r"net gave no output 'totl' to rename \(did you mean 'total'\?\)"):
        model.run(a=A, b=B)


def test_the_outputs_of_a_subclassed_model_that_was_never_called_are_renamed() -> None:
    class Net(keras.Model):
        def call(self, rows: Any) -> Any:
            return {"total": rows + 1.0, "gap": rows - 1.0}

    given = models.add("net", Net(), inputs="x=rows", outputs="sum=total").run(x=A)
    assert sorted(given) == ["gap", "sum"]
    np.testing.assert_array_equal(given["sum"], A + 1)
    network = keras.Sequential([keras.layers.Dense(2)])
    assert list(models.add("other", network, outputs="y=output").run(A)) == ["y"]


def test_a_cells_ends_are_renamed_by_its_own_names() -> None:
    code = """
        one = tf.compat.v1.placeholder(tf.float32, [None])
        two = tf.compat.v1.placeholder(tf.float32, [None])
        total = one + two * 10.0
    """
    model = add_cell("net", code, {"tf": tf}, inputs="left=one,right=two", outputs="sum=total").model
    assert model.run(left=[1.0], right=[2.0]).sum.tolist() == [21.0]


@pytest.mark.parametrize("copied", [False, True])
def test_an_eager_cells_ends_are_renamed(copied: bool) -> None:  # noqa: FBT001
    source = EagerCellSource(Cell("made", "<cell of renaming>"), {"made": Module()})
    options = Options.checked(inputs=INPUTS, outputs={"sum": "total"}, copy=copied)
    if copied:
        with pytest.raises(SourceError, match="net: --copy is for live objects"):
            models.admit("net", source, options)
        return
    given = models.admit("net", source, options).model.run(left=A, right=B)
    np.testing.assert_array_equal(given["sum"], A + 10 * B)


def test_only_the_default_signature_is_renamed(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "net")
    model = models.add("net", tmp_path / "net", inputs="rows=x")
    assert [spec.name for spec in model.signature().inputs] == ["rows"]
