"""Parking while the model runs: it is refused, or the other waits, and nothing is lost."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, save_linear_v1
from parked_models import files, frozen_wide, parked_trained
from trained_cells import EAGER, LINEAR, NAMES, X

from tfmagic import models, session
from tfmagic.concurrency.cancel_scope import CancelScope
from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")


def test_a_model_that_runs_or_is_stopping_is_not_parked() -> None:
    inside, go = threading.Event(), threading.Event()

    def hold(value: Any) -> Any:
        inside.set()
        go.wait(30)
        return value

    code = "x = tf.compat.v1.placeholder(tf.float32, [], 'x')\ny = tf.compat.v1.py_func(hold, [x], tf.float32)"
    model = add_cell("net", code, {"tf": tf, "hold": hold}, inputs="x", outputs="y").model
    came: list[float] = []
    scope = CancelScope()
    thread = threading.Thread(target=scope.context().run, args=(lambda: came.append(float(model(2.0))),), daemon=True)
    thread.start()
    assert inside.wait(30)
    with pytest.raises(ModelStateError, match="net is running, and only an idle model can be parked"):
        model.park()
    assert model.parking.park_if_idle() is False
    scope.cancel()
    with pytest.raises(ModelStateError, match="net is stopping, and only an idle"):
        model.park()
    go.set()
    thread.join(30)
    assert came == [2.0]
    assert model.park()["outcome"] == "parked"


KINDS: dict[str, Callable[[Path], Any]] = {
    "trained cell": lambda _: parked_trained()[0],
    "file": lambda folder: models.add("net", save_linear_v1(folder / "saved")),
    "constants": lambda folder: models.add("net", frozen_wide(folder / "wide.pb"), frozen=True),
    "eager cell": lambda _: add_cell("net", EAGER, NAMES, eager=True).model,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_four_threads_get_right_answers_while_another_parks_and_wakes(  # noqa: C901 - what each thread does
    kind: str, tmp_path: Path
) -> None:
    model = KINDS[kind](tmp_path)
    before = model(X)
    ended, wrong = threading.Event(), list[Any]()
    answers, parks, chance = [0], [0], random.Random(2)  # noqa: S311 - for a test

    def ask() -> None:
        while not ended.is_set():
            try:
                given = model(X)
            except BaseException as error:  # noqa: BLE001 - looked at at the end
                wrong.append(error)
                return
            if not np.array_equal(given, before):
                wrong.append(given)
            answers[0] += 1
            # Else some run is always under way, and parking always refused.
            time.sleep(chance.random() * 0.02)

    def park() -> None:
        count = 0
        while not ended.is_set():
            count += 1
            try:
                parks[0] += model.park()["outcome"] == "parked"
                if count % 2:
                    model.wake()
            except ModelStateError as error:
                if "running" not in str(error):
                    wrong.append(error)
            except BaseException as error:  # noqa: BLE001 - looked at at the end
                wrong.append(error)
                return

    threads = [threading.Thread(target=work, daemon=True) for work in (ask, ask, ask, ask, park)]
    for thread in threads:
        thread.start()
    ended.wait(2.5)
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for good"
    assert wrong == []
    assert answers[0] > 0
    assert parks[0] > 0, answers
    model.park()
    assert np.array_equal(model(X), before)
    assert len(files(tmp_path)) == 0


@pytest.mark.slow
def test_training_in_one_thread_loses_no_step_to_parking_in_another() -> None:
    model = add_cell(
        "net", "n = tf.compat.v1.get_variable('n', initializer=0)\none = n.assign_add(1)\ny = tf.identity(n)", NAMES
    ).model
    one = model.names["one"]
    ended = threading.Event()

    def park() -> None:
        while not ended.is_set():
            model.parking.park_if_idle()

    thread = threading.Thread(target=park, daemon=True)
    thread.start()
    for count in range(1, 301):
        assert int(session.run(one)) == count
    ended.set()
    thread.join(30)
    assert not thread.is_alive()


def doing_to_net(method: str) -> Callable[[], Any]:
    return lambda: getattr(models["net"], method)()  # noqa: PLW0108 - the model of that name changes


@pytest.mark.slow
def test_dropping_while_others_park_and_call_ends_in_clear_errors(
    tmp_path: Path,
) -> None:
    ended, wrong = threading.Event(), list[BaseException]()

    def doing(act: Callable[[], Any]) -> Callable[[], None]:
        def go_on() -> None:
            while not ended.is_set():
                try:
                    act()
                except (ModelStateError, KeyError):
                    continue
                except BaseException as error:  # noqa: BLE001 - looked at at the end
                    wrong.append(error)
                    return

        return go_on

    def add() -> None:
        model = add_cell("net", LINEAR, NAMES, replace=True).model
        model(X)
        models.drop("net")

    acts = [lambda: models["net"](X), doing_to_net("park"), doing_to_net("wake"), add]
    threads = [threading.Thread(target=doing(act), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    ended.wait(3)
    ended.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread waits for good"
    assert wrong == []
    models.drop(all=True)
    assert files(tmp_path) == []
