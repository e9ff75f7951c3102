"""Threads that do everything at once with a few models: every answer is right, and nobody waits for good."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, run_cell, save_linear_v1

from tfmagic import models, session
from tfmagic.errors import ModelStateError, NameTakenError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.array([[1.0, 2.0]], np.float32)
CELL = """
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
    w = tf.compat.v1.get_variable("w", initializer=2.0)
    y = x * w
"""
# What a command may say when another has just dropped or renewed its model.
EXPECTED = (ModelStateError, NameTakenError, UnknownNameError)


class Hammer:
    """Threads that do one thing each, over and over, until the time is up."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._threads: list[threading.Thread] = []
        self.surprises: list[BaseException] = []
        self.done: dict[str, int] = {}

    def swing(self, name: str, work: Callable[[], None], *, disturbs: bool = False) -> None:
        """Have a thread do this; one that `disturbs` ends on time, so that each of the others has its turn."""
        self.done[name] = 0

        def go_on() -> None:
            while self._goes_on(disturbs=disturbs and self.done[name] > 0) and not self.surprises:
                try:
                    work()
                except EXPECTED:
                    continue
                except BaseException as error:  # noqa: BLE001 - looked at at the end
                    self.surprises.append(error)
                    return
                self.done[name] += 1

        self._threads.append(threading.Thread(target=go_on, name=name, daemon=True))

    def _goes_on(self, *, disturbs: bool) -> bool:
        # On a busy machine it takes longer until each has had its turn.
        now = time.monotonic()
        return now < self._end or (not disturbs and not all(self.done.values()) and now < self._end + 40)

    def strike(self) -> None:
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), f"{thread.name} waits for good"
        if self.surprises:
            raise self.surprises[0]
        assert all(self.done.values()), self.done


def answers(name: str, *factors: float) -> Callable[[], None]:
    def ask() -> None:
        given = next(iter(models[name].run(X).values()))
        assert any(np.array_equal(given, factor * X) for factor in factors), (name, given)

    return ask


def test_everything_at_once(tmp_path: Path) -> None:
    frozen_linear(tmp_path / "frozen.pb", 2.0, 0.0)
    save_linear_v1(tmp_path / "saved", 2.0, 0.0)
    live = keras.Sequential([keras.Input([2]), keras.layers.Dense(2, use_bias=False)])
    live.layers[0].set_weights([2.0 * np.eye(2, dtype=np.float32)])
    chance = random.Random(1)  # noqa: S311 - for a test

    def add_all() -> None:
        models.add("frozen", tmp_path / "frozen.pb")
        models.add("saved", tmp_path / "saved")
        models.add("live", live)
        add_cell("made", CELL, {"tf": tf})

    def count() -> None:
        before = run_cell(models.made, "float(session.run(w))")
        inside = run_cell(
            models.made,
            "got = float(session.run(w))\nsession.run(w.assign(got + 1.0))\nsession.run(w.assign(got))\ngot",
        )
        assert (before, inside) == (2.0, 2.0)

    def drop() -> None:
        time.sleep(0.05)
        models.drop(*chance.sample(["frozen", "saved", "live", "made"], 2))

    def look() -> None:
        for record in models.records():
            # A run or cell that a drop or a close has cancelled may take a moment to end.
            assert record["state"] in {"ready", "running", "stopping", "parked", "dropped"}, record
        session.open_graphs()

    def add_one() -> None:
        models.add("saved", tmp_path / "saved")

    def close() -> None:
        time.sleep(0.2)
        session.close()

    add_all()
    hammer = Hammer(4.0)
    for name in ("frozen", "saved", "live"):
        hammer.swing(f"run {name}", answers(name, 2.0))
    # In the middle of a cell of another thread it is three.
    hammer.swing("run made", answers("made", 2.0, 3.0))
    hammer.swing("cells", count)
    hammer.swing("more cells", count)
    hammer.swing("add", add_all)
    hammer.swing("add too", add_one)
    hammer.swing("drop", drop, disturbs=True)
    hammer.swing("look", look)
    hammer.swing("close", close, disturbs=True)
    hammer.strike()
    add_all()
    for name in ("frozen", "saved", "live", "made"):
        answers(name, 2.0)()


def test_runs_of_one_graph_model_are_made_at_the_same_time() -> None:
    both = threading.Barrier(2)

    def meet(value: Any) -> Any:
        both.wait(20)
        return value

    code = "x = tf.compat.v1.placeholder(tf.float32, [], name='x')\n    y = tf.compat.v1.py_func(meet, [x], tf.float32)"
    model = add_cell("net", f"\n    {code}\n", {"tf": tf, "meet": meet}, inputs="x", outputs="y").model
    came: list[float] = []
    threads = [
        threading.Thread(target=lambda number=number: came.append(float(model(number)))) for number in (1.0, 2.0)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(came) == [1.0, 2.0]


def test_calls_of_one_live_object_are_made_one_after_the_other() -> None:
    class Alone(tf.Module):
        def __init__(self) -> None:
            self.inside = self.most = 0

        def __call__(self, x: Any) -> Any:
            self.inside += 1
            self.most = max(self.most, self.inside)
            time.sleep(0.01)
            self.inside -= 1
            return x

    module = Alone()
    model = models.add("net", module)
    threads = [threading.Thread(target=lambda: model(1.0)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (module.most, module.inside) == (1, 0)


def test_variables_that_two_threads_find_new_are_initialised_once() -> None:
    for _ in range(10):
        model = add_cell("net", CELL, {"tf": tf}).model
        with model.graph.as_default():
            counter = tf.compat.v1.get_variable("counter", initializer=0.0)
            up = counter.assign_add(1.0)
        begin = threading.Barrier(4)

        def step(up: Any = up, begin: Any = begin) -> None:
            begin.wait(60)
            session.run(up)

        threads = [threading.Thread(target=step) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert float(session.run(counter)) == 4.0
        models.drop("net")


@pytest.mark.parametrize("switched", [False, True])
def test_cells_of_two_rooms_at_once_keep_their_graphs_names_and_behaviour(switched: bool) -> None:  # noqa: FBT001 - a parameter
    both = threading.Barrier(2)
    notebook = {"tf": tf, "both": both}
    kinds = {"old": "RefVariable" if switched else "ResourceVariable", "new": "ResourceVariable"}
    code = """
        for number in range(20):
            both.wait(20)
            mine = tf.compat.v1.get_variable(f"v{number}", initializer=float(number))
            assert mine.graph is graph, (mine.graph, graph)
            assert tf.compat.v1.get_default_session() is session
            with tf.compat.v1.Session() as own:
                assert own.graph is graph
        type(mine).__name__, this.name, sum(session.run(tf.compat.v1.global_variables()))
    """
    came: dict[str, Any] = {}
    errors: list[BaseException] = []

    def run(name: str) -> None:
        try:
            if name == "old" and switched:
                run_cell(models[name], "tf.compat.v1.disable_v2_behavior()", notebook)
            came[name] = run_cell(models[name], code, notebook)
        except BaseException as error:  # noqa: BLE001 - looked at below
            errors.append(error)
            both.abort()

    for name in kinds:
        add_cell(name, CELL, {"tf": tf})
    threads = [threading.Thread(target=run, args=(name,)) for name in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    for name, kind in kinds.items():
        assert came[name] == (kind, name, 192.0)
        assert sorted(models[name].names) == ["mine", "number", "own", "w", "x", "y"]
    assert tf.executing_eagerly()
