"""Cells that run in a model's room."""

from __future__ import annotations

import textwrap
import traceback

import pytest
import tensorflow as tf
from factories import add_cell, run_cell
from scaling_cells import LINEAR, TF, linear

from tfmagic import models, session
from tfmagic.errors import ForeignTensorError, TfMagicError, UnknownNameError


def test_the_same_names_in_three_rooms_and_the_notebook_never_meet() -> None:
    notebook = {"tf": tf, "x": "the notebook's", "w": 5}
    rooms = [
        add_cell(name, LINEAR.replace("2.0", f"{value}.0"), notebook).model
        for name, value in zip("abc", (1, 2, 3), strict=True)
    ]
    for room in rooms:
        run_cell(room, "w.assign(w * 10.0).eval()", notebook)
    assert [float(room([1.0])[0]) for room in rooms] == [10.0, 20.0, 30.0]
    assert notebook == {"tf": tf, "x": "the notebook's", "w": 5}
    assert len({id(room.names["w"]) for room in rooms}) == 3


def test_training_in_a_later_cell_keeps_old_values_and_initialises_new_variables() -> None:
    model = linear()
    code = """
        target = tf.compat.v1.placeholder(tf.float32, [None])
        loss = tf.reduce_mean((y - target) ** 2)
        train = tf.compat.v1.train.AdamOptimizer(0.5).minimize(loss)
    """
    run_cell(model, code, TF)
    run_cell(model, "for _ in range(60): session.run(train, {x: [1.0, 2.0], target: [7.0, 14.0]})", TF)
    assert abs(float(model([1.0])[0]) - 7) < 0.5
    before = float(run_cell(model, "w.eval()"))
    run_cell(model, "v = tf.Variable(3.0)\nz = y + v", TF)
    assert float(run_cell(model, "w.eval()")) == before
    assert model.run(x=[0.0], fetch="z").z.tolist() == [3.0]


def test_pasted_tf1_code_with_its_own_session_trains_the_rooms_variables() -> None:
    model = linear()
    code = """
        with tf.compat.v1.Session() as sess:
            sess.run(tf.compat.v1.global_variables_initializer())
            sess.run(w.assign(50.0))
    """
    run_cell(model, code, TF)
    assert model([1.0]).tolist() == [50.0]


def test_disable_v2_behavior_in_a_cell_stays_in_its_room() -> None:
    code = "tf.compat.v1.disable_v2_behavior()\n" + textwrap.dedent(LINEAR)
    model = linear("old", code)
    assert tf.executing_eagerly()
    assert not run_cell(model, "tf.executing_eagerly()", TF)
    assert model([1.0]).tolist() == [2.0]
    assert float(tf.constant(1.0) + 1.0) == 2.0


def test_functions_classes_comprehensions_decorators_and_await() -> None:
    model = linear()
    code = """
        import asyncio
        import functools

        @functools.lru_cache
        def scaled(factor):
            return y * factor

        class Holder:
            inner = [w for _ in range(2)]
            def both(self):
                return [scaled(f) for f in (1.0, 2.0)]

        async def later():
            await asyncio.sleep(0)
            return Holder().both()

        pair = await later()
        [float(v[0]) for v in session.run(pair, {x: [1.0]})]
    """
    assert run_cell(model, code, TF) == [2.0, 4.0]


def test_an_object_of_another_loop_gives_a_clear_error() -> None:
    import asyncio

    loop = asyncio.new_event_loop()
    notebook = {"tf": tf, "future": loop.create_future()}
    with pytest.raises(TfMagicError, match="a room's cell awaits on a new event loop"):
        run_cell(linear(), "await future", notebook)
    loop.close()


def test_what_is_bound_in_a_room() -> None:
    model = linear()
    bound = run_cell(model, "(session, graph, this)")
    assert bound == (session, model.graph, model)
    assert "session" not in model.names
    assert run_cell(model, "tf.compat.v1.get_default_graph() is graph", TF)
    assert run_cell(model, "tf.compat.v1.get_default_session() is session", TF)


def test_the_last_expression_is_the_value() -> None:
    model = linear()
    assert run_cell(model, "a = 3\na + 1") == 4
    assert run_cell(model, "a = 3") is None
    assert run_cell(model, "") is None


def test_an_error_shows_the_cells_own_line() -> None:
    model = linear()
    with pytest.raises(ZeroDivisionError) as caught:
        run_cell(model, "before = 1\nwrong = before / 0\n")
    assert "wrong = before / 0" in "".join(traceback.format_exception(caught.value))
    assert model.names["before"] == 1


def test_a_tensor_of_another_room_is_refused_with_both_named() -> None:
    one, two = linear("one"), linear("two")
    notebook = {"tf": tf, "theirs": one.names["y"]}
    with pytest.raises(ForeignTensorError, match=r"is a tensor of model 'one'.*this cell runs in model 'two'"):
        run_cell(two, "theirs.eval({theirs.op.inputs[0]: [1.0]})", notebook)
    with pytest.raises(ForeignTensorError, match=r"is a tensor of model 'one'.*this cell runs in model 'two'"):
        run_cell(two, "theirs.op.run()", notebook)
    with pytest.raises(ForeignTensorError) as caught:
        run_cell(two, "mixed = y + theirs", notebook)
    assert "model 'one'" in str(caught.value)
    assert "model 'two'" in str(caught.value)
    with pytest.raises(ForeignTensorError, match=r"model 'one'.*model 'two'"):
        run_cell(two, "session.run(y, {theirs: [1.0]})", notebook)
    assert two([1.0]).tolist() == [2.0]


def test_session_run_in_a_room_takes_tensors_of_another() -> None:
    one, two = linear("one"), linear("two", LINEAR.replace("2.0", "5.0"))
    notebook = {"theirs": one.names["y"], "theirs_x": one.names["x"]}
    given = run_cell(two, "session.run([y, theirs], {x: [1.0], theirs_x: [1.0]})", notebook)
    assert [value.tolist() for value in given] == [[5.0], [2.0]]


def test_reset_default_graph_in_a_room_is_explained() -> None:
    with pytest.raises(ForeignTensorError, match="reset_default_graph cannot clear"):
        run_cell(linear(), "tf.compat.v1.reset_default_graph()", TF)


def test_an_unknown_name_of_a_room_offers_the_nearest() -> None:
    model = linear("net", LINEAR + "\n    losses = [1.0]\n")
    assert model.names["losses"] == [1.0]
    with pytest.raises(UnknownNameError, match=r"the room of net has no name 'lossse' \(did you mean 'losses'\?\)"):
        model.names["lossse"]


def test_an_eager_models_cell_runs_eagerly_in_its_room() -> None:
    module = tf.Module()
    module.w = tf.Variable(2.0)
    function = tf.function(lambda x: module.w * x)
    model = models.add("live", function)
    assert float(run_cell(model, "value = this.live(tf.constant(3.0)) + 1.0\nvalue.numpy()", TF)) == 7.0
    assert list(model.names) == ["value"]
