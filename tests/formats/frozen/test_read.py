"""Frozen graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, write_frozen

from tfmagic import models
from tfmagic.errors import InputError, MissingPathError, SourceError, UninitialisedVariableError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
X = np.array([[1, 2], [3, 4]], np.float32)


def two_ends(file: Path) -> Path:
    def build() -> None:
        left = v1.placeholder(tf.float32, [None], "left")
        right = v1.placeholder(tf.float32, [None], "right")
        unused = v1.placeholder(tf.float32, [], "unused")
        hidden = tf.multiply(left, 2.0, name="tower/hidden")
        tf.add(hidden, right, name="tower/total")
        tf.negative(left, name="opposite")
        assert unused is not None

    return write_frozen(file, build)


def test_ends_are_inferred_and_the_answer_is_plain_tensorflows(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb", 3.0, 0.5)
    model = models.add("net", str(file))
    definition = v1.GraphDef.FromString(file.read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(definition, name="")
        plain = session.run("y:0", {"x:0": X})
    np.testing.assert_array_equal(model(X), plain)
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?, 2)"]
    assert [spec.name for spec in model.signature().outputs] == ["y"]


def test_what_nothing_consumes_is_an_output_and_a_placeholder_that_none_uses_no_input(tmp_path: Path) -> None:
    model = models.add("net", two_ends(tmp_path / "net.pb"))
    assert [spec.name for spec in model.signature().inputs] == ["left", "right"]
    assert [spec.name for spec in model.signature().outputs] == ["tower/total", "opposite"]
    given = model.run(left=[1.0], right=[5.0])
    assert given["tower/total"].tolist() == [7.0]


def test_outputs_that_need_none_of_the_missing_inputs_are_given(tmp_path: Path) -> None:
    model = models.add("net", two_ends(tmp_path / "net.pb"))
    assert list(model.run(left=[1.0])) == ["opposite"]
    with pytest.raises(InputError, match=r"net needs input 'left' \(float32 \(\?,\)\): give left=…"):
        model.run(right=[1.0])
    with pytest.raises(InputError, match="net needs input 'right'"):
        model.run(left=[1.0], fetch="tower/total")


@pytest.mark.parametrize("as_text", [True, False])
def test_ends_are_named_with_inputs_and_outputs(tmp_path: Path, as_text: bool) -> None:  # noqa: FBT001
    file = two_ends(tmp_path / "net.pb")
    if as_text:
        model = models.add("net", file, inputs="a=left:0, right", outputs="h=tower/hidden, tower/total")
    else:
        outputs = {"h": "tower/hidden:0", "total": "tower/total"}
        model = models.add("net", file, inputs={"a": "left", "right": "right"}, outputs=outputs)
    assert [spec.name for spec in model.signature().inputs] == ["a", "right"]
    assert [spec.name for spec in model.signature().outputs] == ["h", "total"]
    assert model.run(a=[3.0], fetch="h").h.tolist() == [6.0]


def test_an_end_that_is_not_there_offers_the_nearest(tmp_path: Path) -> None:
    file = two_ends(tmp_path / "net.pb")
    with pytest.raises(SourceError, match=r"net: there is no tensor 'tower/hiden' \(did you mean 'tower/hidden'\?\)"):
        models.add("net", file, outputs="h=tower/hiden")
    with pytest.raises(SourceError, match="there is no tensor 'left:3'"):
        models.add("net", file, inputs="a=left:3")
    assert len(models) == 0


def test_an_input_may_be_any_tensor_in_the_middle(tmp_path: Path) -> None:
    model = models.add("net", two_ends(tmp_path / "net.pb"), inputs="h=tower/hidden,right", outputs="tower/total")
    assert model(h=[1.0], right=[2.0]).tolist() == [3.0]
    with pytest.raises(InputError, match="net needs input 'h'"):
        model(right=[2.0])


def test_side_results_of_an_operation_are_no_outputs(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 3], "x")
        tf.add(tf.math.top_k(x, 1)[0], 1.0, name="y")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build))
    assert [spec.name for spec in model.signature().outputs] == ["y"]


def test_any_tensor_can_be_fetched_by_name(tmp_path: Path) -> None:
    model = models.add("net", two_ends(tmp_path / "net.pb"))
    given = model.run(left=[2.0], fetch=["tower/hidden", "opposite"])
    assert (given["tower/hidden"].tolist(), given.opposite.tolist()) == ([4.0], [-2.0])
    near = r"net has no output or tensor 'oposite' \(did you mean 'opposite'\?\); its outputs are: tower/total"
    with pytest.raises(SourceError, match=near):
        model.run(left=[2.0], fetch="oposite")
    with pytest.raises(SourceError, match=r"there is no tensor 'tower/hidden:7'"):
        model.run(left=[2.0], fetch="tower/hidden:7")


def test_a_placeholder_with_a_default_may_be_left_out(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        factor = v1.placeholder_with_default(10.0, [], "factor")
        tf.multiply(x, factor, name="y")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build))
    assert model([1.0]).tolist() == [10.0]
    assert model(x=[1.0], factor=3.0).tolist() == [3.0]
    assert [spec.optional for spec in model.signature().inputs] == [False, True]


def test_a_graph_with_functions_and_control_flow(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.int32, [], "x")
        # A loop makes functions in the graph's library.
        tf.identity(tf.while_loop(lambda i: i < x, lambda i: i * 2, [tf.constant(1)])[0], name="y")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build), outputs="y")
    assert int(model(100)) == 128


def test_variables_that_are_not_frozen_are_noted_and_named_when_read(tmp_path: Path) -> None:
    def build() -> None:
        x = v1.placeholder(tf.float32, [None], "x")
        tf.multiply(x, v1.get_variable("w", initializer=tf.constant(2.0)), name="y")

    model = models.add("net", write_frozen(tmp_path / "net.pb", build), outputs="y")
    assert model.notes == ("1 variables of this graph are not frozen, and the file has no values for them",)
    with pytest.raises(UninitialisedVariableError, match="variable 'w' of model 'net' was never initialised"):
        model([1.0])


def test_a_graph_in_which_everything_is_consumed_asks_for_an_output(tmp_path: Path) -> None:
    def build() -> None:
        v1.placeholder(tf.float32, [None], "x")

    with pytest.raises(SourceError, match=r"no output could be made out.*--outputs NAME=op:0"):
        models.add("net", write_frozen(tmp_path / "net.pb", build))


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    file = tmp_path / "net.pb"
    with pytest.raises(MissingPathError, match="there is nothing at"):
        models.add("net", file)
    file.write_bytes(b"")
    with pytest.raises(SourceError, match=r"net.pb is empty \(0 bytes\): copy or download it again"):
        models.add("net", file)
    assert len(models) == 0


def test_an_operation_of_a_library_that_is_not_loaded_is_named(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    definition = v1.GraphDef.FromString(file.read_bytes())
    next(node for node in definition.node if node.name == "y").op = "MyCustomAdd"
    file.write_bytes(definition.SerializeToString())
    with pytest.raises(SourceError, match=r"needs the custom operation 'MyCustomAdd'.*tf\.load_op_library"):
        models.add("net", file)


def test_a_device_of_the_machine_that_wrote_it_gives_way(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    definition = v1.GraphDef.FromString(file.read_bytes())
    for node in definition.node:
        node.device = "/job:trainer/replica:7/task:3/device:GPU:5"
    file.write_bytes(definition.SerializeToString())
    model = models.add("net", file, device="cpu")
    np.testing.assert_array_equal(model(X), 2 * X + 1)
    assert {op.device for op in model.graph.get_operations()} == {"/device:CPU:0"}
