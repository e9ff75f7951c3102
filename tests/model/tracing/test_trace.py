"""Traces: where the time of one run went, and the file that Perfetto reads."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import control_flow, printed, v1

from tfmagic import models
from tfmagic.errors import DestinationError, ModelStateError, PathTakenError
from tfmagic.execution.backends import graph as graph_backend
from tfmagic.model.tracing.trace import Trace
from tfmagic.runtime.tracing.step_stats import Execution, RunProfile

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

X = np.ones((100, 64), np.float32)


def network(name: str = "net") -> Any:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 64], "x")
        w = v1.get_variable("w", initializer=np.ones((64, 32), np.float32))
        tf.nn.relu(tf.matmul(x, w, name="product"), name="y")
    return models.add(name, graph)


def eager_network(name: str = "live") -> Any:
    module = tf.Module()
    module.w = tf.Variable(np.ones((64, 32), np.float32))
    return models.add(name, tf.function(lambda x: tf.nn.relu(tf.matmul(x, module.w, name="product"))))


def operation(trace: Trace | None, name: str) -> Any:
    assert trace is not None
    return next(record for record in trace.operations if record["name"].endswith(name))


def test_a_traced_run_gives_its_result_and_keeps_the_trace() -> None:
    net = network()
    assert net.trace is None
    result = net.run(X, trace=True)
    np.testing.assert_array_equal(result["y"], np.full((100, 32), 64))
    assert isinstance(net.trace, Trace)
    assert net.trace.model == "net"
    kept = net.trace
    net.run(X)
    assert net.trace is kept
    net.run(X, trace=True)
    assert net.trace is not kept


def test_every_operation_has_type_device_time_and_bytes() -> None:
    net = network()
    net.run(X, trace=True)
    product = operation(net.trace, "product")
    assert "MatMul" in product["type"]
    assert product["device"] == "CPU:0"
    assert product["count"] == 1
    assert product["time_s"] > 0
    assert product["output_bytes"] == 100 * 32 * 4
    assert product["allocated_bytes"] == 100 * 32 * 4
    reading = operation(net.trace, "ReadVariableOp")
    assert reading["output_bytes"] == 64 * 32 * 4
    assert reading["allocated_bytes"] == 0


def test_the_longest_comes_first_and_the_shares_add_up() -> None:
    net = network()
    net.run(X, trace=True)
    times = [record["time_s"] for record in net.trace.operations]
    assert times == sorted(times, reverse=True)
    assert sum(record["share"] for record in net.trace.operations) == pytest.approx(1)
    assert sum(times) > 0
    assert net.trace.wall_s > 0


def test_a_trace_is_one_run_and_a_training_step_is_made_once() -> None:
    graph = tf.Graph()
    with graph.as_default():
        w = v1.get_variable("w", initializer=1.0)
        tf.identity(v1.placeholder(tf.float32, [], "x"), name="y")
        step = w.assign_add(1.0, name="step", read_value=False)
        assert step.name == "step"
        with tf.control_dependencies([step]):
            tf.identity(w.read_value(), name="now")
    net = models.add("net", graph, inputs="x", outputs="y,now")
    assert net.run(0.0, fetch="now", trace=True)["now"] == 2
    assert net.record()["calls"] == 1


def test_an_operation_of_a_loop_is_counted() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        # As TF1 code has it: the operations of the loop are the graph's own.
        with control_flow(v2=False):
            _, y = v1.while_loop(lambda i, _: i < 7, lambda i, y: (i + 1, tf.multiply(y, 2.0, name="twice")), [0, x])
        tf.identity(y, name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    assert net.run(1.0, trace=True)["y"] == 128
    assert operation(net.trace, "twice")["count"] == 7


def test_each_device_has_its_totals() -> None:
    lines = printed("""
        import numpy as np, tensorflow as tf
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from tfmagic import models
        v1 = tf.compat.v1
        graph = tf.Graph()
        with graph.as_default():
            x = v1.placeholder(tf.float32, [None], "x")
            with tf.device("CPU:1"):
                z = tf.add(x, x, name="there")
            with tf.device("CPU:0"):
                tf.multiply(z, z, name="y")
        net = models.add("net", graph)
        net.run(np.ones(3), trace=True)
        where = {record["name"]: record["device"] for record in net.trace.operations}
        print(where["there"], where["y"])
        for record in sorted(net.trace.devices, key=lambda record: record["device"]):
            print(record["device"], record["operations"] > 0, record["time_s"] > 0)
        live = models.add("live", tf.function(lambda x: x + 1))
        live.run(np.float32(1), trace=True)
        print({record["device"] for record in live.trace.operations})
    """)
    assert lines == ["CPU:1 CPU:0", "CPU:0 True True", "CPU:1 True True", "{None}"]


def test_the_record_is_plain_data() -> None:
    net = network()
    net.run(X, trace=True)
    record = json.loads(json.dumps(net.trace.record()))
    assert (record["model"], record["mode"]) == ("net", "graph")
    assert record["operations"][0]["name"] == net.trace.operations[0]["name"]
    assert [device["device"] for device in record["devices"]] == ["CPU:0"]
    assert record["rest"] is None
    assert record["shown"] == len(record["operations"])


def executions(count: int) -> list[Execution]:
    return [Execution(f"op{number}", "Add", "CPU:0", number, (count - number) / 1000, 10, 5) for number in range(count)]


def test_what_is_not_among_the_first_twenty_is_put_together() -> None:
    record = Trace("net", "graph", RunProfile(1.0, executions(25))).record()
    assert record["shown"] == 20
    rest = record["rest"]
    assert rest is not None
    assert rest["count"] == 5
    assert rest["time_s"] == pytest.approx(sum(range(1, 6)) / 1000)
    assert (rest["type"], rest["device"]) == ("Add", "CPU:0")
    assert (rest["allocated_bytes"], rest["output_bytes"]) == (50, 25)


def test_what_was_not_recorded_is_none_and_no_zero() -> None:
    unknown = Execution("a", "Add", None, 0, 0.5)
    trace = Trace("net", "eager", RunProfile(1.0, [unknown, Execution("b", "Add", "CPU:0", 1, 0.1, 4, None)]))
    first, second = trace.operations
    assert (first["device"], first["allocated_bytes"], first["output_bytes"]) == (None, None, None)
    assert (second["allocated_bytes"], second["output_bytes"]) == (4, None)
    assert trace.devices[0] == {"device": None, "operations": 1, "time_s": 0.5, "allocated_bytes": None}


def test_a_failed_run_leaves_the_former_trace() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.debugging.check_numerics(v1.placeholder(tf.float32, [], "x"), "bad", name="y")
    net = models.add("net", graph)
    net.run(1.0, trace=True)
    kept = net.trace
    with pytest.raises(tf.errors.InvalidArgumentError):
        net.run(np.nan, trace=True)
    assert net.trace is kept


def test_a_traced_run_has_a_deadline_too() -> None:
    assert network().run(X, trace=True, timeout=60)["y"].shape == (100, 32)


# -- eager ------------------------------------------------------------------------------


def test_an_eager_run_shows_what_its_functions_run() -> None:
    live = eager_network()
    live.run(X)
    result = live.run(X, trace=True)
    np.testing.assert_array_equal(next(iter(result.values())), np.full((100, 32), 64))
    assert live.trace.mode == "eager"
    assert any("MatMul" in record["type"] for record in live.trace.operations)
    assert all(record["time_s"] > 0 for record in live.trace.operations[:3])
    # The profiler does not tell what an operation took.
    assert {record["allocated_bytes"] for record in live.trace.operations} == {None}
    assert {record["output_bytes"] for record in live.trace.operations} == {None}
    assert {record["device"] for record in live.trace.operations} == {"CPU:0"}


def test_an_eager_run_shows_its_own_operations_by_type() -> None:
    keras = pytest.importorskip("keras")
    live = models.add(
        "live", keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    )
    live.run(X)
    live.run(X, trace=True)
    product = operation(live.trace, "MatMul")
    assert (product["type"], product["count"]) == ("MatMul", 2)


def test_an_eager_trace_leaves_out_what_ran_before_it_and_in_other_threads() -> None:
    live = eager_network()
    live.run(X)
    end = threading.Event()

    def other() -> None:
        while not end.is_set():
            tf.math.erfinv(tf.constant(0.5))

    thread = threading.Thread(target=other)
    thread.start()
    try:
        live.run(X, trace=True)
    finally:
        end.set()
        thread.join()
    assert not any(record["type"] == "Erfinv" for record in live.trace.operations)


def test_an_eager_trace_beside_another_profile_is_refused(tmp_path: Path) -> None:
    live = eager_network()
    tf.profiler.experimental.start(str(tmp_path))
    try:
        with pytest.raises(ModelStateError, match="TensorFlow's profiler, which is at work already"):
            live.run(X, trace=True)
    finally:
        tf.profiler.experimental.stop(save=False)
    assert live.run(X, trace=True)


# -- saved ------------------------------------------------------------------------------


def events(file: Path) -> list[dict[str, Any]]:
    found = json.loads(file.read_text())["traceEvents"]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("make", [network, eager_network])
def test_a_saved_trace_is_what_perfetto_and_chrome_read(make: Any, tmp_path: Path) -> None:
    model = make()
    model.run(X)
    model.run(X, trace=True)
    saved = model.trace.save(tmp_path / "trace.json")
    assert saved == tmp_path / "trace.json"
    complete = [event for event in events(saved) if event["ph"] == "X"]
    assert len(complete) >= len(model.trace.operations)
    for event in complete:
        assert event["ts"] > 0
        assert event["dur"] >= 0
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["name"]
    assert any("MatMul" in event["name"] for event in complete)
    named = {event["args"]["name"] for event in events(saved) if event["ph"] == "M" and event["name"] == "process_name"}
    assert any("CPU:0" in name for name in named)


def test_a_trace_can_be_saved_twice(tmp_path: Path) -> None:
    net = network()
    net.run(X, trace=True)
    first, second = net.trace.save(tmp_path / "a.json"), net.trace.save(tmp_path / "b.json")
    assert first.read_text() == second.read_text()


def test_without_tensorflows_timeline_the_events_are_drawn_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph_backend, "chrome_trace", lambda _: None)
    net = network()
    net.run(X, trace=True)
    complete = [event for event in events(net.trace.save(tmp_path / "a.json")) if event["ph"] == "X"]
    assert len(complete) == sum(record["count"] for record in net.trace.operations)
    assert {event["args"]["name"] for event in complete} == {record["name"] for record in net.trace.operations}
    longest = max(complete, key=lambda event: event["dur"])
    assert longest["dur"] == pytest.approx(net.trace.operations[0]["time_s"] * 1e6)


def test_events_that_overlap_are_drawn_side_by_side(tmp_path: Path) -> None:
    overlapping = [Execution(name, "Add", "CPU:0", start, 10e-9) for name, start in (("a", 0), ("b", 5), ("c", 12))]
    drawn = events(Trace("net", "graph", RunProfile(1.0, overlapping)).save(tmp_path / "trace.json"))
    lane = {event["args"]["name"]: event["tid"] for event in drawn if event["ph"] == "X"}
    assert lane["a"] == lane["c"] != lane["b"]


def test_an_existing_file_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    file.write_text("mine")
    trace = Trace("net", "graph", RunProfile(1.0, executions(2)))
    with pytest.raises(PathTakenError, match=r"trace\.json .*replace=True") as refused:
        trace.save(str(file))
    assert isinstance(refused.value, FileExistsError)
    assert file.read_text() == "mine"
    trace.save(file, replace=True)
    assert len([event for event in events(file) if event["ph"] == "X"]) == 2


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DestinationError) as refused:
        Trace("net", "graph", RunProfile(1.0, executions(2))).save(tmp_path / "none" / "trace.json")
    assert "\n" not in str(refused.value)


def test_a_trace_says_what_it_is() -> None:
    assert repr(Trace("net", "graph", RunProfile(1.5, executions(2)))) == "<trace of net: 2 operations in 1.5 s>"
