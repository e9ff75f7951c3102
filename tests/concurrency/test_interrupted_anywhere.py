"""Ctrl-C at any moment of tfmagic's own, one after the other: everything that was begun is ended."""

from __future__ import annotations

import gc
import random
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, frozen_linear, run_cell

import tfmagic
from tfmagic import models, session
from tfmagic.concurrency import deferral as interrupts
from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.concurrency.runs import wait_until
from tfmagic.concurrency.workers import workers
from tfmagic.core.process import once
from tfmagic.model.memory.budget import budget
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.session.pasted_session import session_redirect
from tfmagic.runtime.state.spill_directory import park_directory
from tfmagic.runtime.tensorflow import tf1_switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
OURS = str(Path(tfmagic.__file__).parent)
X = np.array([[1.0, 2.0]], np.float32)
CELL = """
    x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
    w = tf.compat.v1.get_variable("w", initializer=2.0)
    y = x * w
"""
# So many moments of each command are tried; there are some thousand.
MOMENTS = 16


class Doubling(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": 2.0 * x}


class Interrupting:
    """Counts the moments at which Python looks for a signal in tfmagic, and sends one at one of them.

    These are where a function begins, and where a call of a built-in one has ended.
    """

    def __init__(self, at: int | None) -> None:
        self.moments = 0
        self._at = at

    def __enter__(self) -> Self:
        sys.setprofile(self._event)
        return self

    def __exit__(self, *raised: object) -> None:
        sys.setprofile(None)

    def _event(self, frame: Any, event: str, _argument: Any) -> None:
        if event in {"call", "c_return"} and frame.f_code.co_filename.startswith(OURS):
            self.moments += 1
            if self.moments == self._at:
                signal.raise_signal(signal.SIGINT)


@pytest.fixture(autouse=True)
def _as_in_a_kernel() -> Iterator[None]:
    workers().interactive = True
    yield
    workers().dismiss()
    budget().choose("")


def trained() -> None:
    """Leave the models as each command is to find them."""
    models.drop(all=True)
    add_cell("made", CELL, {"tf": tf})
    models.add("live", Doubling())
    models.add("frozen", "frozen.pb")


@pytest.fixture(autouse=True)
def _beside_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen_linear(tmp_path / "frozen.pb", 2.0, 0.0)
    monkeypatch.chdir(tmp_path)


def again() -> None:
    run_cell(models.made, "session.run(w.assign(3.0))")
    add_cell("made", CELL, {"tf": tf})


COMMANDS: dict[str, Callable[[], Any]] = {
    "add a file": lambda: models.add("other", "frozen.pb"),
    "add a live object": lambda: models.add("other", Doubling()),
    "add a cell": lambda: add_cell("other", CELL, {"tf": tf}),
    "train a cell's model and run the cell again": again,
    "replace": lambda: models.add("frozen", Doubling(), replace=True),
    "warm": lambda: models.add("other", "frozen.pb", warm=True),
    "drop": lambda: models.drop("made", "live"),
    "call a graph": lambda: models.made(X),
    "run a graph": lambda: models.made.run_stoppable(X),
    "run a live object": lambda: models.live.run_stoppable(X),
    "call a live object": lambda: models.live(X),
    "run a cell": lambda: run_cell(
        models.made, "v = tf.compat.v1.get_variable('v', [2])\nsession.run(y, {x: [[1.0, 2.0]]})", {"tf": tf}
    ),
    "run TF1 code": lambda: run_cell(
        models.made, "tf.compat.v1.disable_v2_behavior()\nwith tf.compat.v1.Session() as own: own.run(w)", {"tf": tf}
    ),
    "await in a cell": lambda: run_cell(models.made, "import asyncio\nawait asyncio.sleep(0)\nsession.run(w)"),
    "run a live object's cell": lambda: run_cell(models.live, "this.live(np.zeros([1, 2], np.float32))", {"np": np}),
    "stop": lambda: (models.made.stop(), models.made.stop(now=True)),
    "list": lambda: list(models.records()),
    "run in the session": lambda: session.run(models.made.names["w"]),
    "close the session": session.close,
    "park and wake": lambda: (models.made.park(), models.frozen.park(), models.made.wake(), models.frozen(X)),
    "set a budget": lambda: budget().choose("10MB"),
}


def left_over() -> list[str]:
    """Return what an interrupted command has left half done."""
    here = [thread for thread in threading.enumerate() if thread.name == "tfmagic-run"]
    wrong = {
        "interrupts are not what they were": signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        or not interrupts._mask().enabled,
        "a graph or session was left as the default one": not tf.executing_eagerly()
        or v1.get_default_session() is not None,
        "the command's context was left": current_scope() is not None or tf1_switches._room.get() is not None,
        "a redirect was left": session_redirect()._rooms or once("switches", tf1_switches._SwitchPatch)._inside,
        "a name is still being added": models._adding,
        "a worker was lost": not wait_until(lambda: len(workers()._idle) >= sum(map(is_alive, here)), 10),
    }
    return [what for what, is_so in wrong.items() if is_so] + [what for name in models for what in half_done(name)]


def is_alive(thread: threading.Thread) -> bool:
    return thread.is_alive()


def half_done(name: str) -> Iterator[str]:
    """Give what is wrong with a model."""
    model = models[name]
    if not wait_until(lambda: model.lifecycle.command_lock._holder is None and not len(model.lifecycle.cells), 10):
        yield f"{name} is in use"
    backend = model.lifecycle.backend
    if backend is not None and not wait_until(lambda: not backend.running, 10):
        yield f"{name} is {model.state}"
    factors = (2, 3) if name.startswith("made") else (2,)
    answer = next(iter(model.run(X).values()))
    if not any(np.array_equal(answer, factor * X) for factor in factors):
        yield f"{name} answers {answer}"


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_interrupted_anywhere_leaves_nothing_half_done(command: str) -> None:
    work = COMMANDS[command]
    trained()
    with Interrupting(None) as counting:
        work()
    chance = random.Random(command)  # noqa: S311 - for a test
    moments = sorted(chance.sample(range(1, counting.moments + 1), min(MOMENTS, counting.moments)))
    interrupted = 0
    for at in moments:
        trained()
        try:
            with Interrupting(at):
                work()
        except KeyboardInterrupt:
            interrupted += 1
        assert left_over() == [], f"moment {at} of {counting.moments}"
    assert interrupted > 0
    gc.collect()
    labels = {hosted(graph).label for graph in session.hosted_graphs()}
    assert labels <= set(models)


# The trained model of a graph, and of an object that its cell made.
LEARNT: dict[str, Callable[[], Any]] = {
    "graph": lambda: (add_cell("made", CELL, {"tf": tf}), run_cell(models.made, "session.run(w.assign(5.0))")),
    "object": lambda: (
        add_cell("made", OBJECT, {"tf": tf}, eager=True),
        run_cell(models.made, "this.live.w.assign(5.0)"),
    ),
}
OBJECT = """
    class Own(tf.Module):
        def __init__(self):
            self.w = tf.Variable(2.0)
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def __call__(self, x):
            return {"y": x * self.w}
    Own()
"""


@pytest.mark.parametrize("interactive", [True, False])
@pytest.mark.parametrize("kind", LEARNT)
def test_no_weights_are_lost_when_parking_or_waking_is_interrupted_anywhere(
    kind: str, tmp_path: Path, *, interactive: bool
) -> None:
    park_directory().choose(str(tmp_path))
    workers().interactive = interactive

    def park() -> None:
        models.made.park()
        models.made.wake()

    def nothing_is_left() -> bool:
        return not [one for one in tmp_path.glob("parked-*/*") if one.name != "in-use" and one.suffix != ".gone"]

    def begin() -> None:
        models.drop(all=True)
        LEARNT[kind]()

    begin()
    with Interrupting(None) as counting:
        park()
    chance = random.Random(kind)  # noqa: S311 - for a test
    interrupted = 0
    for at in sorted(chance.sample(range(1, counting.moments + 1), min(40, counting.moments))):
        begin()
        try:
            with Interrupting(at):
                park()
        except KeyboardInterrupt:
            interrupted += 1
        assert wait_until(lambda: models.made.lifecycle.command_lock._holder is None, 10)
        assert np.array_equal(models.made(X), 5 * X), f"moment {at} of {counting.moments}"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        models.drop("made")
        # Nothing is left on the disk of a park that was not to be; a worker may be removing it at this moment.
        assert wait_until(nothing_is_left, 5), f"moment {at} of {counting.moments}"
    assert interrupted > 0
    park_directory().choose("")
