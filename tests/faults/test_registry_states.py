"""The registry against a plain model of what must hold: add, run, train, park, wake, drop, renew, budget, Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import tensorflow as tf
from factories import run_cell
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tfmagic import models
from tfmagic.errors import NameTakenError, UnknownNameError
from tfmagic.model.memory.budget import budget

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

v1 = tf.compat.v1
X = np.array([[1.0, 2.0]], np.float32)
NAMES = st.sampled_from(("a", "b", "c"))
FACTORS = st.sampled_from((2.0, 3.0))
# An array of ones would become a constant of the graph, one more at each step.
TRAIN = "session.run(graph.get_collection('variables')[0].assign_add(tf.ones([20_000])))"
# Short enough to fall into most commands, or before and after one.
DELAYS = st.floats(0.0, 0.03)


def write_saved_model(path: Path, factor: float) -> None:
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        weight = v1.get_variable("w", initializer=tf.fill([20_000], factor))
        y = tf.identity(x * weight[0], name="y")
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, str(path), {"x": x}, {"y": y})


class Registry(RuleBasedStateMachine):
    """`weights` is the plain model: what each name's weight must be. `sources` has the factor in its file."""

    @initialize()
    def begin(self) -> None:
        models.drop(all=True)
        budget().choose("")
        self.folder = Path(tempfile.mkdtemp())
        self.weights: dict[str, float] = {}
        self.sources: dict[str, float] = {}
        for factor in (2.0, 3.0):
            write_saved_model(self.folder / f"{factor:g}", factor)

    def teardown(self) -> None:
        models.drop(all=True)
        budget().choose("")
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    @rule(name=NAMES, factor=FACTORS, replace=st.booleans(), lazy=st.booleans())
    def add(self, name: str, factor: float, *, replace: bool, lazy: bool) -> None:
        path = str(self.folder / f"{factor:g}")
        if name in self.sources and self.sources[name] != factor and not replace:
            with pytest.raises(NameTakenError):
                models.add(name, path)
            return
        is_kept = self.sources.get(name) == factor
        models.add(name, path, replace=replace, lazy=lazy)
        if not is_kept:
            self.sources[name], self.weights[name] = factor, factor

    @precondition(lambda self: self.weights)
    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        np.testing.assert_array_equal(models[name](X), X * self.weights[name])

    @precondition(lambda self: self.weights)
    @rule(data=st.data())
    def train(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        run_cell(models[name], TRAIN, {"tf": tf})
        self.weights[name] += 1.0

    @precondition(lambda self: self.weights)
    @rule(data=st.data())
    def park(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        models[name].park()
        assert models[name].state == "parked"

    @precondition(lambda self: self.weights)
    @rule(data=st.data())
    def wake(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        models[name].wake()
        assert models[name].state == "ready"

    @precondition(lambda self: self.weights)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        models.drop(name)
        del self.weights[name], self.sources[name]

    @rule(name=NAMES)
    def drop_unknown(self, name: str) -> None:
        if name in self.weights:
            return
        with pytest.raises(UnknownNameError):
            models.drop(name)

    @precondition(lambda self: self.weights)
    @rule(data=st.data(), now=st.booleans())
    def stop(self, data: st.DataObject, *, now: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        models[name].stop(now=now)

    @rule(limit=st.sampled_from(("", "100KB", "200KB", "1GB")))
    def set_budget(self, limit: str) -> None:
        budget().choose(limit)

    @precondition(lambda self: self.weights)
    @rule(data=st.data(), delay_s=DELAYS, command=st.sampled_from(("run", "park", "wake", "drop")))
    def interrupt(self, data: st.DataObject, delay_s: float, command: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.weights)))
        commands: dict[str, Callable[[], object]] = {
            "run": lambda: models[name](X),
            "park": models[name].park,
            "wake": models[name].wake,
            "drop": lambda: models.drop(name),
        }
        timer = threading.Timer(delay_s, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            commands[command]()
            timer.join()
        except KeyboardInterrupt:
            timer.join()
        if name not in models:
            assert command == "drop"
            del self.weights[name], self.sources[name]

    @invariant()
    def names_and_answers_hold(self) -> None:
        if not hasattr(self, "weights"):
            return
        assert {name for name in models if "~" not in name} == set(self.weights)
        for name, weight in self.weights.items():
            np.testing.assert_array_equal(models[name](X), X * weight)


TestRegistry = Registry.TestCase
TestRegistry.settings = settings(
    max_examples=int(os.environ.get("TFMAGIC_STATEFUL_EXAMPLES", "12")),
    stateful_step_count=25,
    deadline=None,
    derandomize="TFMAGIC_STATEFUL_EXAMPLES" not in os.environ,
    database=None,
    # To shrink a story takes minutes, in which a worker that says nothing is taken for lost.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
