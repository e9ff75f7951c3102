"""A parked model takes no tensor memory, keeps its name, and comes back bit for bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell, save_linear_v1, save_v2
from parked_models import FILES, OTHERS, assert_parked, files, frozen_wide, live_graph
from trained_cells import LINEAR, NAMES, TRAIN, X, linear

from tfmagic import models, session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")


@pytest.mark.slow
@pytest.mark.parametrize("kind", FILES)
def test_an_untouched_file_is_not_written_and_answers_the_same(kind: str, tmp_path: Path) -> None:
    path, options = FILES[kind](tmp_path)
    model = models.add("net", path, **options)
    signature, before = model.signature(), model(X)
    for _ in range(3):
        model.run(X)
    for _ in range(2):
        record = model.park()
        assert (record["outcome"], record["written_bytes"], record["notes"]) == ("parked", 0, [])
        assert files(tmp_path) == []
        assert_parked(model)
        assert list(models) == ["net"]
        assert models.records()[0]["signatures"]
        assert np.array_equal(model(X), before)
        assert model.state == "ready"
        assert model.signature() == signature


@pytest.mark.parametrize("kind", OTHERS)
def test_other_sources_are_written_where_they_have_weights_and_answer_the_same(kind: str, tmp_path: Path) -> None:
    model = OTHERS[kind]()
    before = model(X)
    record = model.park()
    assert record["outcome"] == "parked"
    assert record["freed_bytes"] == model.lifecycle.backend.weights().variables_bytes
    if record["freed_bytes"]:
        assert [file.stat().st_size for file in files(tmp_path)] == [record["written_bytes"]]
    assert_parked(model)
    assert np.array_equal(model(X), before)
    assert files(tmp_path) == []
    assert model.state == "ready"


def test_parking_twice_and_waking_twice_say_so() -> None:
    model = linear().model
    assert [model.park()["outcome"] for _ in range(2)] == ["parked", "already"]
    assert [model.wake()["outcome"] for _ in range(2)] == ["woken", "already"]


ADAM = TRAIN.replace("range(5)", "range(3)")
MORE = "for _ in range(4): session.run(step, {x: [[1, 2], [3, 4]], target: [[5], [6]]})"
EVERY = "session.run({one.name: one for one in tf.compat.v1.global_variables()})"


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["AdamOptimizer(0.1)", "MomentumOptimizer(0.01, 0.9)", "RMSPropOptimizer(0.1)"])
def test_training_goes_on_as_if_it_had_never_been_parked(optimizer: str) -> None:
    train = ADAM.replace("AdamOptimizer(0.1)", optimizer)
    ended: list[dict[str, Any]] = []
    for parks in (True, False):
        model = linear(replace=True).model
        run_cell(model, train, NAMES)
        if parks:
            assert model.park()["written_bytes"] > 0
        run_cell(model, MORE, NAMES)
        ended.append(run_cell(model, EVERY, NAMES))
        models.drop("net")
    parked, never = ended
    assert len(parked) > 2
    assert parked.keys() == never.keys()
    for name, value in parked.items():
        assert np.array_equal(value, never[name]), name


def test_names_and_objects_of_the_room_stay() -> None:
    model = linear().model
    run_cell(model, TRAIN + "    notes = {'mine': [1, 2]}", NAMES)
    notes, names = model.names["notes"], list(model.names)
    assert model.park()["notes"] == []
    assert list(model.names) == names
    assert model.names["notes"] is notes
    assert run_cell(model, "float(session.run(loss, {x: [[1, 2]], target: [[5]]}))", NAMES) >= 0


def test_weights_that_a_file_model_was_given_are_written(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "saved", 2.0, 0.0)
    model = models.add("net", tmp_path / "saved")
    run_cell(model, "session.run(tf.compat.v1.global_variables()[0].assign(7.5))", NAMES)
    before = model(X)
    for _ in range(2):
        # The second time nothing has run since, and yet the file does not give these.
        assert model.park()["written_bytes"] > 0
        assert np.array_equal(model(X), before)


def test_a_signature_that_counts_its_calls_is_written(tmp_path: Path) -> None:
    count = tf.Variable(0.0)

    def counted(x: Any) -> Any:
        return {"y": x * 0.0 + count.assign_add(1.0)}

    save_v2(tmp_path / "counting", counted, tf.TensorSpec([None], tf.float32, name="x"), count=count)
    model = models.add("net", tmp_path / "counting")
    assert model.park()["written_bytes"] == 0
    assert [float(model([1.0])[0]) for _ in range(3)] == [1.0, 2.0, 3.0]
    assert model.park()["written_bytes"] > 0
    assert float(model([1.0])[0]) == 4.0


def test_a_variable_with_no_value_yet_has_none_when_it_wakes() -> None:
    model = add_cell("net", LINEAR, NAMES).model
    run_cell(model, "late = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=[2], shared_name='late')", NAMES)
    run_cell(model, "made = tf.raw_ops.VarIsInitializedOp(resource=late)", NAMES)
    model.park()
    assert run_cell(model, "bool(session.run(made))", NAMES) is False
    assert model(X).tolist() == [[3], [7]]


def test_everything_that_runs_its_graph_wakes_it() -> None:
    graph = live_graph()
    model = models.add("net", graph)
    weight = graph.get_tensor_by_name("w/Read/ReadVariableOp:0")
    before = session.run(weight)

    def evaluated() -> Any:
        with graph.as_default(), session.as_default():
            return weight.eval()

    ways: dict[str, Callable[[], Any]] = {
        "run": lambda: session.run(weight),
        "eval": evaluated,
        "fetch": lambda: model.run(fetch="w/Read/ReadVariableOp")["w/Read/ReadVariableOp"],
        "cell": lambda: run_cell(model, "session.run(w)", {"w": weight}),
        "value": lambda: dict(model.lifecycle.built_backend().values())["w"],
    }
    for name, way in ways.items():
        assert model.park()["outcome"] == "parked", name
        assert np.array_equal(way(), before), name
        assert model.state == "ready", name


def test_looking_at_it_wakes_nothing(tmp_path: Path) -> None:
    model = models.add("net", frozen_wide(tmp_path / "wide.pb"), frozen=True)
    model.park()
    linear_model = add_cell("other", LINEAR, NAMES).model
    linear_model.park()
    assert "parked" in repr(model)
    assert [one["state"] for one in models.records()] == ["parked", "parked"]
    assert models.records()[0]["signatures"]
    assert model.stop()["outcome"] == linear_model.stop()["outcome"] == "idle"
    linear_model.stop(now=True)
    assert session.open_graphs() == []
    assert [model.state, linear_model.state] == ["parked", "parked"]
