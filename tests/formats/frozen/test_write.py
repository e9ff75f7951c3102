"""Models saved as a frozen ``.pb``: ends by name for whoever imports it, and nothing that is no constant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, run_cell, save_linear_v1, save_v2
from keras_networks import DRAWN, TABLES, trained
from reference_keras import assert_close
from reference_tensorflow import by_import, record_of, same

from tfmagic import models
from tfmagic.errors import SaveError
from tfmagic.formats.frozen import write as frozen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
COARSE = {"mixed_precision": 1e-2, "half": 1e-2, "brain_half": 5e-2}
X = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)


def everywhere(model: Any, file: Path, inputs: dict[str, Any]) -> None:
    """Assert that a frozen graph answers as the model does, under the same names, imported plainly and by tfmagic."""
    answers = model.run(inputs)
    same(answers, by_import(file, inputs, answers))
    back = models.add("back", file, replace=True)
    same(answers, back.run(inputs))
    assert {end.name for end in back.signature().inputs} == {end.name for end in model.signature().inputs}
    assert {end.name for end in back.signature().outputs} == set(answers)
    definition = v1.GraphDef.FromString(file.read_bytes())
    assert not any(node.name.startswith("tfmagic_") for node in definition.node)


@pytest.mark.parametrize("reference", [False, True])
def test_variables_of_either_kind_become_constants(tmp_path: Path, reference: bool) -> None:  # noqa: FBT001
    model = models.add("net", save_linear_v1(tmp_path / "net", 2.5, -1.0, reference=reference))
    everywhere(model, model.save(tmp_path / "net.pb"), {"x": X})
    assert record_of(model)["variables"] == 2


def test_renamed_ends_are_the_operations_of_the_file(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "net"), inputs="rows=x", outputs="y_1=y")
    everywhere(model, model.save(tmp_path / "net.pb"), {"rows": X})


NAMES = """
import tensorflow as tf
v1 = tf.compat.v1
a = v1.placeholder(tf.float32, [None, 2], "a")
b = v1.placeholder(tf.float32, [None, 2], "scope/b")
w = v1.get_variable("y", initializer=2.0)
values, indices = tf.math.top_k(a * w, 1, name="top")
logits = tf.add(a, b, name="x")
probs = tf.nn.softmax(logits, name="probs")
"""


def test_every_end_has_its_name_whatever_else_has_it(tmp_path: Path) -> None:
    # The output y is no operation y: that is a variable. x is an operation, and an input; logits is consumed.
    outputs = {"y": "top:0", "where": "top:1", "logits": "x:0", "probs": "probs:0", "same": "a:0"}
    add_cell("net", NAMES, inputs={"x": "a:0", "b": "scope/b:0"}, outputs=outputs)
    everywhere(models.net, models.net.save(tmp_path / "net.pb"), {"x": X, "b": 2 * X})


def test_an_output_that_stands_already_keeps_its_operation(tmp_path: Path) -> None:
    file = models.add("net", save_linear_v1(tmp_path / "net")).save(tmp_path / "net.pb")
    definition = v1.GraphDef.FromString(file.read_bytes())
    assert {node.name: node.op for node in definition.node}["y"] == "AddV2"


def test_a_tensor_inside_the_graph_can_be_an_input(tmp_path: Path) -> None:
    add_cell(
        "net",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 2], "x")
        unused = v1.get_variable("unused", initializer=3.0)
        w = v1.get_variable("w", initializer=2.0)
        middle = tf.multiply(x, unused, "middle")
        y = tf.identity(middle * w, "y")
        """,
        inputs="start=middle:0",
        outputs="y",
    )
    file = models.net.save(tmp_path / "net.pb")
    everywhere(models.net, file, {"start": X})
    assert record_of(models.net)["notes"] == ["without 1 variable that its outputs do not need"]


def test_loops_conditions_and_functions_take_constants(tmp_path: Path) -> None:
    w = tf.Variable([2.0, 3.0])

    def run(x: Any) -> Any:
        @tf.function
        def inner(a: Any, by: Any) -> Any:
            return a * by + tf.gather(w, [0])

        turns = tf.while_loop(lambda i, _: i < 3, lambda i, a: (i + 1, inner(a, w[1])), [0, x])[1]
        return {"y": tf.cond(tf.reduce_sum(x) > 0, lambda: turns + w, lambda: turns - w)}

    model = models.add("net", save_v2(tmp_path / "net", run, tf.TensorSpec([None, 2], name="x"), w=w))
    for sign in (1, -1):
        everywhere(model, model.save(tmp_path / f"net{sign}.pb"), {"x": sign * np.abs(X)})


@pytest.mark.parametrize("kind", ["v1.disable_control_flow_v2()", "v1.enable_control_flow_v2()"])
def test_loops_of_a_cell_take_constants(tmp_path: Path, kind: str) -> None:
    add_cell(
        "net",
        f"""
        import tensorflow as tf
        v1 = tf.compat.v1
        {kind}
        x = v1.placeholder(tf.float32, [None, 2], "x")
        w = v1.get_variable("w", initializer=[2.0, 3.0])
        y = tf.identity(tf.while_loop(lambda i, a: i < 3, lambda i, a: (i + 1, a * w), [0, x])[1], "y")
        """,
        inputs="x",
        outputs="y",
    )
    everywhere(models.net, models.net.save(tmp_path / "net.pb"), {"x": X})


def test_what_may_be_left_out_still_may(tmp_path: Path) -> None:
    add_cell(
        "net",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None, 2], "x")
        rate = v1.placeholder_with_default(2.0, [], "inner/rate")
        w = v1.get_variable("w", initializer=2.0)
        y = tf.identity(x * rate * w, "y")
        """,
        inputs={"x": "x:0", "rate": "inner/rate:0"},
        outputs="y",
    )
    file = models.net.save(tmp_path / "net.pb")
    everywhere(models.net, file, {"x": X})
    everywhere(models.net, file, {"x": X, "rate": np.float32(7)})


@pytest.mark.parametrize("make", DRAWN, ids=lambda make: make.__name__)
def test_every_kind_of_keras_model(tmp_path: Path, make: Callable[[], Any]) -> None:
    network, given = make()
    trained(network)
    model = models.add("net", network)
    answers = model.run(given)
    file = model.save(tmp_path / "net.pb")
    plain = by_import(file, given, answers)
    same(models.add("back", file, frozen=True).run(given), plain)
    thawed = models.add("thawed", file).run(given)
    assert_close([thawed[name] for name in plain], plain.values())
    copy = models.add("copy", network, copy=True)
    same(by_import(copy.save(tmp_path / "copy.pb"), given, answers), plain)
    # TensorFlow folds constants into one another, which changes the last bits.
    names = sorted(answers)
    assert_close([plain[name] for name in names], [answers[name] for name in names], COARSE.get(make.__name__, 1e-4))


def test_what_is_only_counted_on_is_left_out_and_said(tmp_path: Path) -> None:
    x = keras.Input((7, 2), name="x")
    network = keras.Model(x, keras.layers.GRU(3, dropout=0.5)(x))
    rows = np.random.default_rng(1).normal(size=(4, 7, 2)).astype(np.float32)
    copy = models.add("net", network, copy=True)
    network.export(str(tmp_path / "folder"), verbose=False)
    folder = models.add("folder", tmp_path / "folder")
    for model in (copy, folder):
        (name,) = (end.name for end in model.signature().inputs)
        everywhere(model, model.save(tmp_path / f"{model.name}.pb"), {name: rows})
        assert "without what it writes to 1 variable when it runs" in record_of(model)["notes"]


def test_an_embedding_inside_a_function_takes_its_table_as_a_constant(tmp_path: Path) -> None:
    network = keras.Sequential([keras.Input((3,), dtype="int32", name="x"), keras.layers.Embedding(5, 2)])
    network.export(str(tmp_path / "folder"), verbose=False)
    model = models.add("net", tmp_path / "folder")
    (name,) = (end.name for end in model.signature().inputs)
    everywhere(model, model.save(tmp_path / "net.pb"), {name: np.array([[0, 1, 4]], np.int32)})


def test_a_live_functions_weights_of_the_moment(tmp_path: Path) -> None:
    w = tf.Variable(3.0)
    function = tf.function(lambda x: {"y": x * w}, input_signature=[tf.TensorSpec([None, 2], name="x")])
    model = models.add("net", function)
    w.assign(4.0)
    everywhere(model, model.save(tmp_path / "net.pb"), {"x": X})
    w.assign(5.0)
    np.testing.assert_array_equal(models.back(X), 4 * X)


def test_a_frozen_graph_is_frozen_again(tmp_path: Path) -> None:
    model = models.add("net", frozen_linear(tmp_path / "net.pb"), outputs="answer=y")
    everywhere(model, model.save(tmp_path / "again.pb"), {"x": X})
    model.save(tmp_path / "net.pb", replace=True)
    assert models.add("net", tmp_path / "net.pb", outputs="answer=y").run(X) is not None


def refused(model: Any, tmp_path: Path, why: str) -> None:
    present = sorted(tmp_path.iterdir())
    with pytest.raises(SaveError, match=why):
        model.save(tmp_path / "refused.pb")
    assert sorted(tmp_path.iterdir()) == present


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_tables_are_refused(tmp_path: Path, make: Callable[[], Any]) -> None:
    network, _ = make()
    refused(models.add("net", network), tmp_path, r"net has (a table|tables) or other state.*save it as a folder")
    models.net.save(tmp_path / "folder")
    folder = models.add("folder", tmp_path / "folder")
    refused(folder, tmp_path, r"folder has a table or other state \(HashTableV2\), which a .pb cannot hold")


def test_a_model_that_writes_to_its_variables_is_refused(tmp_path: Path) -> None:
    calls = tf.Variable(0)

    def count(x: Any) -> Any:
        calls.assign_add(1)
        return {"y": x, "calls": calls.read_value()}

    save_v2(tmp_path / "net", count, tf.TensorSpec([None], name="x"), calls=calls)
    refused(
        models.add("net", tmp_path / "net"),
        tmp_path,
        r"net writes to a variable when it runs .*AssignAddV.* that its outputs depend on",
    )
    add_cell(
        "cell",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [], "x")
        w = v1.get_variable("w", initializer=2.0, use_resource=False)
        y = tf.identity(v1.assign_add(w, x), "y")
        """,
    )
    refused(models.cell, tmp_path, r"cell writes to a variable when it runs .*AssignAdd\) that its outputs depend on")


def test_a_variable_without_a_value_is_refused(tmp_path: Path) -> None:
    add_cell(
        "half",
        """
        import tensorflow as tf
        v1 = tf.compat.v1
        x = v1.placeholder(tf.float32, [None], "x")
        first = v1.placeholder(tf.float32, [], "first")
        w = v1.get_variable("w", initializer=first)
        y = tf.identity(x * w, "y")
        """,
        inputs="x",
        outputs="y",
    )
    refused(models.half, tmp_path, r"half cannot be frozen: its variable 'w' has no value yet")
    run_cell(models.half, "session.run(w.initializer, {first: 2.0})")
    everywhere(models.half, models.half.save(tmp_path / "half.pb"), {"x": np.array([1, 2], np.float32)})


def test_names_that_operations_cannot_have_are_refused(tmp_path: Path) -> None:
    add_cell("net", NAMES, inputs={"my rows": "a:0"}, outputs={"y": "top:0"})
    refused(models.net, tmp_path, r"net: 'my rows' cannot name an operation, .*--inputs or --outputs")
    add_cell("same", NAMES, inputs={"a": "a:0", "b": "scope/b:0"}, outputs={"a": "probs:0"})
    refused(models.same, tmp_path, r"same: an input and an output are both called 'a'.*--outputs")


def test_more_than_two_gigabytes_are_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "LARGEST_BYTES", 7)
    model = models.add("net", save_linear_v1(tmp_path / "net"))
    refused(model, tmp_path, r"net has 0\.0 GB of weights, and a .pb cannot hold more than 2 GB: save it as a folder")


def test_a_keras_model_that_counts_when_it_is_called(tmp_path: Path) -> None:
    x = keras.Input((2,), name="x")
    network = keras.Model(x, keras.layers.BatchNormalization()(keras.layers.Dense(3)(x)))
    network.compile("sgd", "mse")
    network.fit(X, np.ones((5, 3)), verbose=0)
    copy = models.add("net", network, copy=True)
    everywhere(copy, copy.save(tmp_path / "net.pb"), {"x": X})
