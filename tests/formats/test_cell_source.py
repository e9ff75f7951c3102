"""Models that a cell builds: rooms, their names, and their ends."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from factories import add_cell, run_cell
from scaling_cells import LINEAR, TF, linear

from tfmagic import models, session
from tfmagic.errors import SourceError, UninitialisedVariableError


def test_ends_have_the_names_that_the_cell_gave_them() -> None:
    model = linear()
    assert [str(spec) for spec in model.signature().inputs] == ["x float32 (?,)"]
    assert [spec.name for spec in model.signature().outputs] == ["y"]
    assert model([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert sorted(model.names) == ["w", "x", "y"]


def test_an_error_while_building_leaves_the_former_room() -> None:
    model = linear()
    former = session.hosted_graphs()
    with pytest.raises(ZeroDivisionError):
        add_cell("net", LINEAR + "\n    1 / 0\n", TF)
    with pytest.raises(ZeroDivisionError):
        add_cell("other", LINEAR + "\n    1 / 0\n", TF)
    with pytest.raises(SyntaxError):
        add_cell("net", "x = = 1", TF)
    assert models.net is model
    assert list(models) == ["net"]
    assert model([1.0]).tolist() == [2.0]
    assert session.hosted_graphs() == former


def test_a_cell_that_runs_again_rebuilds_its_room() -> None:
    first = linear()
    graph = weakref.ref(first.graph)
    admission = add_cell("net", LINEAR.replace("2.0", "3.0"), TF)
    assert admission.outcome == "renewed"
    assert models.net([1.0]).tolist() == [3.0]
    del first
    gc.collect()
    assert graph() is None


@pytest.mark.parametrize("code", ["", "a = 1", "with tf.Graph().as_default(): y = tf.constant(1.0)"])
def test_a_cell_that_builds_nothing_is_refused(code: str) -> None:
    with pytest.raises(SourceError, match="net: this cell added nothing to the room's graph"):
        linear(code=code)
    assert len(models) == 0


def test_ends_can_be_named() -> None:
    code = LINEAR + "\n    probabilities = tf.nn.sigmoid(y)\n"
    model = add_cell("net", code, TF, inputs="features=x", outputs="logits=y,p=probabilities").model
    assert sorted(model.run(features=[0.0])) == ["logits", "p"]
    with pytest.raises(SourceError, match=r"net: there is no tensor 'yy' \(did you mean 'y'\?\)"):
        add_cell("net", code, TF, outputs="yy")


def test_a_variable_that_cannot_be_initialised_is_noted_and_named_when_read() -> None:
    code = """
        start = tf.compat.v1.placeholder(tf.float32, [], "start")
        late = tf.compat.v1.get_variable("late", initializer=start * 2.0)
        x = tf.compat.v1.placeholder(tf.float32, [None])
        y = x * late
    """
    model = add_cell("net", code, TF, inputs="x", outputs="y").model
    assert "variable 'late' is not initialised yet" in model.notes[0]
    with pytest.raises(UninitialisedVariableError, match="variable 'late' of model 'net' was never initialised"):
        model([1.0])
    run_cell(model, "session.run(late.initializer, {start: 4.0})")
    assert model([1.0]).tolist() == [8.0]


def test_initial_values_that_read_one_another() -> None:
    code = """
        a = tf.compat.v1.get_variable("a", initializer=2.0)
        b = tf.compat.v1.get_variable("b", initializer=a * 3.0)
        x = tf.compat.v1.placeholder(tf.float32, [])
        y = x * b
    """
    assert float(linear(code=code)(1.0)) == 6.0


def test_close_of_the_session_gives_first_values_again() -> None:
    model = linear()
    run_cell(model, "session.run(w.assign(9.0))")
    session.close()
    assert model([1.0]).tolist() == [2.0]


def test_any_name_of_the_room_can_be_fetched() -> None:
    model = linear(code=LINEAR + "\n    hidden = y * 2.0\n    z = hidden + 1.0\n")
    given = model.run(x=[1.0], fetch=["hidden", "w"])
    assert given.hidden.tolist() == [4.0]
    assert np.isclose(given.w, 2.0)
