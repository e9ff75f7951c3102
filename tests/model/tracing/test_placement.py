"""Where operations and variables are: what was asked for, and what a run's own partition graphs say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import printed, scale_graph, variable_graph

from tfmagic import models, session
from tfmagic.model.running.placement_probe import placement
from tfmagic.runtime.tracing.partition_graphs import requested_devices, was_moved

if TYPE_CHECKING:
    from tfmagic.model.tracing.placement import PlacementRecord

v1 = tf.compat.v1

TWO_DEVICES = """
    import json
    import numpy as np
    import tensorflow as tf
    from tfmagic import models, session
    from tfmagic.model.running.placement_probe import placement
    v1 = tf.compat.v1
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
"""
GRAPH = """
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 3], "x")
        with tf.device("/cpu:1"):
            w = v1.get_variable("w", initializer=np.ones((3, 2), np.float32))
            unused = v1.get_variable("unused", initializer=np.ones(5, np.float32))
            product = tf.matmul(x, w, name="product")
        with tf.device("/gpu:0"):
            tf.nn.relu(product, name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
"""


def by_name(records: Any) -> dict[str, Any]:
    return {one["name"]: one for one in records}


def two_devices(code: str) -> PlacementRecord:
    record: PlacementRecord = json.loads(
        printed(TWO_DEVICES + code + "\n    print(json.dumps(placement(net.caller)))")[-1]
    )
    return record


@pytest.mark.slow
def test_operations_are_where_the_partition_graphs_have_them() -> None:
    code = (
        GRAPH
        + """
    metadata = v1.RunMetadata()
    with v1.Session(graph=graph, config=v1.ConfigProto(device_count={"CPU": 2}, allow_soft_placement=True)) as own:
        own.run(w.initializer)
        options = v1.RunOptions(output_partition_graphs=True)
        own.run("y:0", {"x:0": np.ones((1, 3))}, options, metadata)
    print(json.dumps({
        node.name: node.device[-5:] for part in metadata.partition_graphs for node in part.node if node.op[0] != "_"
    }))
"""
    )
    lines = printed(TWO_DEVICES + code + "\n    print(json.dumps(placement(net.caller)))")
    native, record = json.loads(lines[-2]), json.loads(lines[-1])
    assert native["y"] == "CPU:0"
    found = {one["name"]: one["actual"] for one in record["operations"]}
    assert {name: found.get(name) for name in native} == native


@pytest.mark.slow
def test_soft_placement_that_moved_something_is_pointed_out() -> None:
    record = two_devices(GRAPH)
    operations, variables = by_name(record["operations"]), by_name(record["variables"])
    assert (operations["y"]["requested"], operations["y"]["actual"], operations["y"]["moved"]) == (
        "GPU:0",
        "CPU:0",
        True,
    )
    assert record["operations"][0]["name"] == "y"
    assert (operations["product"]["actual"], operations["product"]["moved"]) == ("CPU:1", False)
    assert (variables["w"]["actual"], variables["w"]["moved"]) == ("CPU:1", False)
    # No run of this signature has it.
    assert (variables["unused"]["requested"], variables["unused"]["actual"]) == ("CPU:1", None)
    assert record["moved"] == 1


@pytest.mark.slow
def test_devices_have_their_operations_variables_bytes_and_time() -> None:
    record = two_devices(GRAPH)
    devices = {one["device"]: one for one in record["devices"] or ()}
    assert set(devices) == {"CPU:0", "CPU:1"}
    assert (devices["CPU:1"]["variables"], devices["CPU:1"]["bytes"]) == (1, 24)
    assert (devices["CPU:0"]["variables"], devices["CPU:0"]["bytes"]) == (0, 0)
    assert sum(one["share"] or 0 for one in devices.values()) == pytest.approx(1)
    assert sum(one["operations"] for one in devices.values()) == record["total"]


@pytest.mark.slow
def test_a_live_object_is_where_its_function_ran() -> None:
    record = two_devices("""
    class Net(tf.Module):
        def __init__(self):
            with tf.device("/cpu:1"):
                self.w = tf.Variable(tf.ones([3, 2]), name="w")
        @tf.function(input_signature=[tf.TensorSpec([None, 3], name="x")])
        def __call__(self, x):
            with tf.device("/cpu:1"):
                product = tf.matmul(x, self.w, name="product")
            with tf.device("/gpu:0"):
                return tf.nn.relu(product, name="y")
    net = models.add("net", Net())
    """)
    operations = {one["name"].rpartition("/")[2]: one for one in record["operations"]}
    assert (operations["product"]["requested"], operations["product"]["actual"]) == ("CPU:1", "CPU:1")
    assert (operations["y"]["actual"], operations["y"]["moved"]) == ("CPU:0", True)
    assert [one["actual"] for one in record["variables"]] == ["CPU:1"]


def test_nothing_is_told_from_the_request_alone() -> None:
    graph, x, _ = scale_graph(2.0)
    net = models.add("net", graph, device="cpu", copy=True)
    assert net.caller.placement is None
    net(np.ones(2, np.float32))
    assert net.caller.placement is None
    net.run(np.ones(2, np.float32), trace=True)
    record = placement(net.caller)
    assert record["known_from"] == "its last traced run"
    assert {one["actual"] for one in record["operations"]} == {"CPU:0"}
    del x


def test_a_model_that_a_run_would_change_is_not_run_on_zeros() -> None:
    graph, _ = variable_graph(1.0)
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        (w,) = v1.global_variables()
        tf.identity(v1.assign_add(w, x), name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    before = net.names
    record = placement(net.caller)
    assert record["known_from"] is None
    assert record["note"] == (
        "net is not run on zeros: a run changes its variables; %tf_run net INPUTS --trace tells with inputs of yours"
    )
    assert net.calls == 0
    assert net.names == before
    net.run(1.0, trace=True)
    assert placement(net.caller)["known_from"] == "its last traced run"


def test_a_run_on_zeros_is_called_one() -> None:
    graph, _, _ = scale_graph(2.0)
    for name, source in (("graph", graph), ("live", tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([])]))):
        assert placement(models.add(name, source).caller)["known_from"] == "one run on zeros"


class Counting(tf.Module):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = tf.Variable(0.0)

    @tf.function(input_signature=[tf.TensorSpec([], name="x")])
    def __call__(self, x: Any) -> Any:
        self.calls.assign_add(1.0)
        return x + self.calls


def test_a_live_object_that_a_call_would_change_is_not_run() -> None:
    live = Counting()
    net = models.add("net", live)
    record = placement(net.caller)
    assert record["known_from"] is None
    assert "a run changes its variables" in str(record["note"])
    assert float(live.calls) == 0


def test_inputs_of_no_known_shape_are_said() -> None:
    net = models.add("net", tf.function(lambda x: x + 1))
    assert "the shape of its input 'x' is not known" in str(placement(net.caller)["note"])


def test_so_many_operations_as_asked_for_and_how_many_there_are() -> None:
    graph, _, _ = scale_graph(2.0)
    record = placement(models.add("net", graph).caller, most=1)
    assert (len(record["operations"]), record["shown"]) == (1, 1)
    assert record["total"] > 1


def test_a_function_that_is_called_asks_for_its_devices_under_the_name_of_the_call() -> None:
    graph = tf.Graph()
    with graph.as_default():

        @tf.function
        def inner(x: Any) -> Any:
            with tf.device("/gpu:1"):
                return tf.multiply(x, 2.0, name="twice")

        inner(v1.placeholder(tf.float32, [], "x"))
    asked = requested_devices(graph)
    assert [device for name, device in asked.items() if name.endswith("/twice")] == ["/device:GPU:1"]


@pytest.mark.parametrize(
    ("asked", "device", "elsewhere"),
    [
        ("/gpu:0", "CPU:0", True),
        ("/device:CPU:1", "CPU:0", True),
        ("/cpu:*", "CPU:1", False),
        ("/job:localhost", "CPU:1", False),
        ("/job:worker/device:CPU:0", "CPU:0", True),
        ("", "CPU:0", False),
        (None, "CPU:0", False),
        ("/gpu:0", None, False),
        ("/gpu:0", "GPU:0 stream:all", False),
    ],
)
def test_elsewhere_is_what_breaks_a_request(asked: str | None, device: str | None, elsewhere: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert was_moved(asked, device) is elsewhere


def drawing(graph: tf.Graph) -> None:
    with graph.as_default():
        tf.identity(v1.placeholder(tf.float32, [], "x") + tf.random.uniform([], seed=5), name="y")


def test_a_look_does_not_advance_a_models_random_numbers() -> None:
    one, other = tf.Graph(), tf.Graph()
    drawing(one)
    drawing(other)
    looked_at, left_alone = models.add("looked_at", one), models.add("left_alone", other)
    assert "would advance its RandomUniform, and change what the next run gives" in str(
        placement(looked_at.caller)["note"]
    )
    assert float(looked_at(0.0)) == float(left_alone(0.0))


def test_a_look_takes_nothing_out_of_a_queue() -> None:
    graph = tf.Graph()
    with graph.as_default():
        queue = v1.FIFOQueue(2, [tf.float32], [[]])
        put, left = queue.enqueue([7.0]), queue.size()
        tf.identity(queue.dequeue() + v1.placeholder(tf.float32, [], "x"), name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    session.run(put)
    assert "would advance its QueueDequeueV2, and change what the next run gives" in str(placement(net.caller)["note"])
    assert session.run(left) == 1


def test_a_look_takes_nothing_from_an_iterator_of_a_live_object() -> None:
    numbers = iter(tf.data.Dataset.range(3))
    net = models.add("net", tf.function(lambda x: x + next(numbers), input_signature=[tf.TensorSpec([], tf.int64)]))
    assert "would advance its IteratorGetNext, and change what the next run gives" in str(placement(net.caller)["note"])
    assert int(next(numbers)) == 0


def test_a_live_object_that_draws_is_looked_at_and_draws_what_it_would_have() -> None:
    def drawn() -> Any:
        tf.random.set_seed(1)
        return tf.function(lambda x: x + tf.random.uniform([], seed=3), input_signature=[tf.TensorSpec([])])

    expected = float(drawn()(tf.constant(0.0)))
    net = models.add("net", drawn())
    assert placement(net.caller)["known_from"] is not None
    assert float(net(0.0)) == expected


def test_a_look_does_not_wake_a_parked_model() -> None:
    graph, _, _ = scale_graph(2.0)
    net = models.add("net", graph)
    net.park()
    assert placement(net.caller)["note"] == "it is parked; %tf_model wake net brings it back"
    assert net.state == "parked"


def test_the_variables_of_a_live_keras_model_are_where_they_are() -> None:
    net = models.add("net", tf.keras.Sequential([tf.keras.Input([4]), tf.keras.layers.Dense(2)]))
    record = placement(net.caller)
    assert [one["actual"] for one in record["variables"]] == ["CPU:0", "CPU:0"]
    assert [(one["variables"], one["bytes"]) for one in record["devices"] or ()] == [(2, (4 * 2 + 2) * 4)]


@pytest.mark.slow
def test_a_live_object_is_looked_at_on_the_device_that_it_was_added_for() -> None:
    record = two_devices("""
    net = models.add("net", tf.function(lambda x: x + 1, input_signature=[tf.TensorSpec([])]), device="cpu:1")
    """)
    assert [one["actual"] for one in record["operations"] if one["type"] == "AddV2"] == ["CPU:1"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cond", "case"])
def test_what_control_flow_asks_for_is_known_and_what_was_moved_is_pointed_out(kind: str) -> None:
    record = two_devices(f"""
    kind = {kind!r}
    v1.enable_control_flow_v2()
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [], "x")
        def on(device):
            def product():
                with tf.device(device):
                    return tf.atan(x, name="product")
            return product
        if kind == "cond":
            y = v1.cond(x > 1.0, on("/cpu:1"), on("/gpu:0"))
        else:
            y = tf.switch_case(tf.cast(x, tf.int32), [on("/cpu:1"), on("/gpu:0")])
        tf.identity(y, name="y")
    net = models.add("net", graph, inputs="x", outputs="y")
    """)
    found = {one["requested"]: one for one in record["operations"] if one["type"] == "Atan"}
    assert (found["CPU:1"]["actual"], found["CPU:1"]["moved"]) == ("CPU:1", False)
    assert (found["GPU:0"]["actual"], found["GPU:0"]["moved"]) == ("CPU:0", True)
    assert record["moved"] == 1
