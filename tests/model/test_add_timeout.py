"""An initialiser that never ends: what is waited for is said, and ``timeout`` limits the wait."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import tensorflow as tf
from factories import add_cell

from tfmagic import models, session
from tfmagic.concurrency import long_waits
from tfmagic.core.notices import notices
from tfmagic.errors import InputError, RunTimeoutError

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1


def endless(folder: Path) -> Path:
    """Write a SavedModel whose main operation never ends."""
    with tf.Graph().as_default(), v1.Session() as own:
        x = v1.placeholder(tf.float32, [None], "x")
        w = v1.get_variable("w", initializer=2.0)
        own.run(w.initializer)
        loop = tf.while_loop(lambda i: i >= 0, lambda i: (i + 1) % 7, [tf.constant(0)], name="for_ever")
        builder = v1.saved_model.Builder(str(folder))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": x * w})
        with tf.control_dependencies([tf.convert_to_tensor(loop)]):
            begin = tf.group(name="begin")
        builder.add_meta_graph_and_variables(own, ["serve"], {"serving_default": signature}, main_op=begin)
        builder.save()
    return folder


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(notices(), "show", lines.append)
    monkeypatch.setattr(long_waits, "SAID_AFTER_S", 0.1)
    return lines


def test_a_main_operation_that_never_ends(said: list[str], tmp_path: Path) -> None:
    threads = threading.active_count()
    with pytest.raises(RunTimeoutError, match=r"^net is not added: it was not loaded within 1 s"):
        models.add("net", endless(tmp_path / "saved"), timeout=1.0)
    assert [line.partition(", which has run")[0] for line in said] == [
        "net: waiting for what it runs when it is loaded (begin)"
    ]
    assert "--timeout S" in said[0]
    assert list(models) == []
    assert session.open_graphs() == []
    assert threading.active_count() <= threads + 1


def test_a_variable_whose_initialiser_takes_long_is_named(said: list[str]) -> None:
    release = threading.Event()
    notices().show = lambda line: (said.append(line), release.set())  # type: ignore[assignment, func-returns-value]
    code = "w = v1.get_variable('w', initializer=v1.py_func(wait, [], tf.float32))\ny = tf.identity(w, name='y')"
    names = {"tf": tf, "v1": v1, "wait": lambda: (release.wait(30), tf.float32.as_numpy_dtype(1))[1]}
    add_cell("net", code, names, outputs="y")
    assert said[0].startswith("model 'net': waiting for the initialiser 'w/Assign'")


def test_a_quick_one_is_added_in_time_and_says_nothing(said: list[str]) -> None:
    assert models.add("net", tf.function(lambda x: x), timeout=60.0).state == "ready"
    assert said == []


@pytest.mark.parametrize("timeout", [0, -1, "x", float("nan")])
def test_what_is_no_timeout_is_refused(timeout: float) -> None:
    with pytest.raises(InputError, match="timeout"):
        models.add("net", tf.function(lambda x: x), timeout=timeout)
    assert list(models) == []
