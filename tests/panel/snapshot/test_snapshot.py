"""The snapshot: plain, true, and as its schema says."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import psutil
import pytest
import tensorflow as tf
from factories import (
    CHECKOUT,
    add_cell,
    fresh_python,
    frozen_linear,
    printed,
    printed_from_start,
    run_cell,
    scale_graph,
    variable_graph,
)
from page_schema import check

import tfmagic
from tfmagic import models, session, snapshot
from tfmagic.panel.snapshot.memory_history import history

v1 = tf.compat.v1


def row(name: str) -> Any:
    return next(one for one in snapshot()["models"] if one["name"] == name)


@pytest.mark.slow
def test_the_schema_is_what_the_records_give() -> None:
    script = CHECKOUT / "scripts" / "make_schema.py"
    where = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, str(script), "--check"], check=True, env=where)  # noqa: S603 - our own


class Weather(TypedDict):
    """A record whose later field kernels of older releases do not send."""

    degrees: float
    wind: NotRequired[str | None]


def test_a_field_that_came_later_is_not_required() -> None:
    schema, _ = runpy.run_path(str(CHECKOUT / "scripts" / "make_schema.py"))["_object"](Weather, {})
    assert schema["required"] == ["degrees"]
    assert list(schema["properties"]) == ["degrees", "wind"]


def test_the_schema_lets_fields_through_that_a_newer_kernel_sends() -> None:
    record: dict[str, Any] = dict(snapshot())
    check({**record, "kernel": {**record["kernel"], "colour": "blue"}, "weather": "sunny"}, "Snapshot")


def test_a_snapshot_is_as_its_schema_says(tmp_path: Path) -> None:
    graph, _, _ = scale_graph(2.0)
    models.add("live", tf.function(lambda x: x + 1))
    models.add("graph", graph)
    models.add("frozen", frozen_linear(tmp_path / "net.pb"), lazy=True)
    models.graph.run(np.ones(2, np.float32), trace=True)
    check(snapshot(), "Snapshot")


def test_an_empty_snapshot_is_as_its_schema_says_and_imports_no_tensorflow() -> None:
    (line,) = printed_from_start("""
        import json, sys, tfmagic
        record = tfmagic.snapshot()
        assert "tensorflow" not in sys.modules
        print(json.dumps(record))
    """)[-1:]
    record = json.loads(line)
    check(record, "Snapshot")
    assert (record["versions"]["tensorflow"], record["devices"], record["models"]) == (None, [], [])
    assert record["session"] == {"open": False, "native_sessions": 0}


def test_numbers_go_up() -> None:
    first, second = snapshot(), snapshot()
    assert second["seq"] == first["seq"] + 1
    assert second["time_s"] >= first["time_s"]


def test_the_process_is_this_one() -> None:
    record = snapshot()
    status = Path("/proc/self/status").read_text()
    assert record["kernel"]["pid"] == os.getpid()
    assert record["kernel"]["started_s"] == psutil.Process().create_time()
    assert record["process"]["threads"] == int(re.search(r"Threads:\s+(\d+)", status)[1])  # type: ignore[index]
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]
    assert record["process"]["rss_bytes"] == pytest.approx(resident, rel=0.05)
    assert record["versions"]["tensorflow"] == tf.__version__


def test_a_models_weights_are_the_sum_of_its_arrays() -> None:
    graph = tf.Graph()
    with graph.as_default():
        v1.get_variable("a", initializer=np.ones((3, 5), np.float32))
        v1.get_variable("b", initializer=np.ones(7, np.float64))
        tf.identity(v1.placeholder(tf.float32, [], "x"), name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    assert net(1.0) == 1
    values = session.run(graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES))
    assert row("net")["weights_bytes"] == sum(value.nbytes for value in values) == 3 * 5 * 4 + 7 * 8
    assert row("net")["variables"] == 2


def test_a_row_follows_its_model() -> None:
    graph, _ = variable_graph(1.0)
    with graph.as_default():
        tf.identity(v1.placeholder(tf.float32, [], "x") * 1.0, name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    first = row("net")
    assert row("net") is first
    assert (first["calls"], first["state"], first["last_error"]) == (0, "ready", None)
    assert first["held_bytes"] == first["weights_bytes"] + first["constants_bytes"]
    net(1.0)
    assert row("net")["calls"] == 1
    assert row("net")["last_latency_s"] > 0
    with pytest.raises(tfmagic.TfMagicError):
        net("text")
    net.park()
    assert (row("net")["state"], row("net")["held_bytes"], row("net")["can_park"]) == ("parked", 0, False)
    assert row("net")["weights_bytes"] == first["weights_bytes"]
    net.wake()
    assert row("net")["state"] == "ready"
    models.drop("net")
    assert snapshot()["models"] == []


def test_variables_that_a_cell_adds_are_counted() -> None:
    add_cell("net", "import tensorflow as tf\nx = tf.compat.v1.placeholder(tf.float32, [], 'x')\ny = x * 2.0")
    assert row("net")["weights_bytes"] == 0
    run_cell(models.net, "tf.compat.v1.get_variable('more', [10])")
    assert row("net")["weights_bytes"] == 40


def test_where_a_traced_run_was_is_in_the_row() -> None:
    graph, _, _ = scale_graph(2.0)
    net = models.add("net", graph)
    assert (row("net")["devices"], row("net")["moved"], row("net")["run_peak_bytes"]) == (None, None, None)
    net(np.ones(2, np.float32))
    # Where there is one device alone, no trace is needed to know it.
    assert row("net")["runs_on"] == ["CPU:0"]
    net.run(np.ones(2, np.float32), trace=True)
    assert row("net")["runs_on"] == ["CPU:0"]
    assert [one["device"] for one in row("net")["devices"]] == ["CPU:0"]
    assert row("net")["moved"] == 0


def test_the_native_sessions_are_counted() -> None:
    graphs = [scale_graph(2.0)[0] for _ in range(3)]
    for number, graph in enumerate(graphs):
        models.add(f"m{number}", graph)(np.ones(2, np.float32))
    assert snapshot()["session"] == {"open": True, "native_sessions": 3}
    session.close()
    assert snapshot()["session"] == {"open": False, "native_sessions": 0}


@pytest.mark.slow
def test_logical_devices_say_which_physical_one_they_are_of() -> None:
    (line,) = printed("""
        import json
        import tensorflow as tf
        import tfmagic
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
        assert tfmagic.snapshot()["devices"] == []
        tf.zeros([1])
        print(json.dumps(tfmagic.snapshot()["devices"]))
    """)[-1:]
    devices = json.loads(line)
    assert [(one["name"], one["physical"]) for one in devices] == [(f"CPU:{number}", "CPU:0") for number in range(3)]
    assert all(one["memory_limit_bytes"] is None for one in devices)


@pytest.mark.slow
def test_the_cpu_share_is_that_of_the_process() -> None:
    ran = fresh_python("""
        import time, tfmagic
        clocks = lambda: (time.monotonic(), time.process_time())
        before = clocks()
        assert tfmagic.snapshot()["process"]["cpu_share"] is None
        began = clocks()
        while time.process_time() < began[1] + 1:
            pass
        ended = clocks()
        share = tfmagic.snapshot()["process"]["cpu_share"]
        after = clocks()
        least, most = (ended[1] - began[1]) / (after[0] - before[0]), (after[1] - before[1]) / (ended[0] - began[0])
        assert least - 0.02 <= share <= most + 0.02, (least, share, most)
    """)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_the_cpu_share_is_that_of_the_last_two_looks_where_these_follow_each_other_quickly() -> None:
    ran = fresh_python("""
        import time, tfmagic
        from tfmagic.panel.snapshot.sampler import sampler
        sampler().watch(lambda: None, lambda: 0.1)
        clocks = lambda: (time.monotonic(), time.process_time())
        tfmagic.snapshot()
        time.sleep(0.3)
        before = clocks()
        assert tfmagic.snapshot()["process"]["cpu_share"] < 0.5
        began = clocks()
        while time.process_time() < began[1] + 0.3:
            pass
        ended = clocks()
        share = tfmagic.snapshot()["process"]["cpu_share"]
        after = clocks()
        least, most = (ended[1] - began[1]) / (after[0] - before[0]), (after[1] - before[1]) / (ended[0] - began[0])
        assert least - 0.02 <= share <= most + 0.02, (least, share, most)
    """)
    assert ran.returncode == 0, ran.stderr


def test_the_history_is_as_its_schema_says_and_has_what_happened() -> None:
    graph, _, _ = scale_graph(2.0)
    models.add("net", graph)
    history().note(snapshot())
    models.drop("net")
    history().note(snapshot())
    record = history().record()
    check(record, "HistoryRecord")
    assert [one["kind"] for one in record["events"] if one["model"] == "net"][-2:] == ["added", "dropped"]
    assert [one["bytes"] == 0 for one in record["changes"] if one["model"] == "net"][-2:] == [False, True]


@pytest.mark.slow
def test_a_snapshot_does_not_wait_for_an_import_of_tensorflow_and_says_that_there_is_one() -> None:
    lines = printed_from_start("""
        import sys, threading, time
        import tfmagic
        importing = threading.Thread(target=lambda: __import__("tensorflow"))
        importing.start()
        meanwhile = 0
        while importing.is_alive():
            begun = "tensorflow" in sys.modules
            versions = tfmagic.snapshot()["versions"]
            meanwhile += begun and importing.is_alive() and versions["tensorflow"] is None and versions["importing"]
            time.sleep(0.1)
        versions = tfmagic.snapshot()["versions"]
        print(meanwhile > 1, versions["tensorflow"] is not None, versions["importing"])
    """)
    assert lines == ["True True False"]
