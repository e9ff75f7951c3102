"""Functions that call themselves, or one another too deep: TensorFlow ends the process over them, tfmagic refuses them.

What would end the process of the code before runs in a Python of its own.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import printed, refused, save_linear_v1
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tf1_checkpoints import saved

from tfmagic import models
from tfmagic.errors import SaveError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

v1 = tf.compat.v1
FLOAT, BOOL, INT = (one.as_datatype_enum for one in (tf.float32, tf.bool, tf.int32))

ADD_ALL = """
    import pathlib, sys
    import tensorflow as tf
    from tfmagic import models
    from tfmagic.errors import SourceError

    def message(path):
        return tf.compat.v1.GraphDef.FromString(path.read_bytes())

    for path in map(pathlib.Path, sys.argv[1:]):
        for source in (path, message(path)) if path.suffix == ".pb" else (path,):
            print("adding", path.name, flush=True)
            try:
                models.add("net", source)
                print("loaded")
            except SourceError as error:
                print(error)
        models.inspect(path)
    assert not len(models)
"""


def function(graph: Any, name: str, inside: Callable[[Any], str]) -> None:
    """Add a function of one number, with what `inside` puts into it; that gives the tensor that comes back."""
    made = graph.library.function.add()
    made.signature.name = name
    made.signature.input_arg.add(name="a", type=FLOAT)
    made.signature.output_arg.add(name="o", type=FLOAT)
    made.ret["o"] = inside(made)


def negative(made: Any) -> str:
    made.node_def.add(name="r", op="Neg", input=["a"]).attr["T"].type = FLOAT
    return "r:y:0"


def constant(nodes: Any, value: Any, name: str = "k") -> None:
    node = nodes.add(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype


def call(nodes: Any, kind: str, called: str, given: str, name: str) -> Any:
    """Add a call of a function by an operation of this kind, or by its own name."""
    inside = ":output:0" if given == "a" else ":0"
    plain = kind.removeprefix("Stateless")
    if plain in {"If", "Case"}:
        constant(nodes, True if plain == "If" else 0)
        given_too = [f"k{inside}", given]
    else:
        given_too = [given]
    node = nodes.add(name=name, op=called if kind == "operation" else kind, input=given_too)
    if kind == "operation":
        return node
    if plain == "While":
        node.attr["cond"].func.name, node.attr["body"].func.name = "never", called
        node.attr["T"].list.type.append(FLOAT)
        return node
    if plain == "If":
        node.attr["then_branch"].func.name, node.attr["else_branch"].func.name = called, "leaf"
        node.attr["Tcond"].type = BOOL
    elif plain == "Case":
        for one in (called, "leaf"):
            node.attr["branches"].list.func.add(name=one)
    else:
        node.attr["f"].func.name = called
    node.attr["Tin"].list.type.append(FLOAT)
    node.attr["Tout"].list.type.append(FLOAT)
    return node


def calls(number: int, kind: str = "PartitionedCall", *, back: bool = False, reached: bool = True) -> Any:
    """Return ``y = -x`` through functions that call one another in a row; the last may call the first."""
    graph = v1.GraphDef()
    x = graph.node.add(name="x", op="Placeholder")
    x.attr["dtype"].type = FLOAT
    x.attr["shape"].shape.SetInParent()
    if reached:
        call(graph.node, kind, "f0", "x", "y")
    else:
        graph.node.add(name="y", op="Neg", input=["x"]).attr["T"].type = FLOAT
    function(graph, "leaf", negative)
    if "While" in kind:
        function(graph, "never", negative)
        never = graph.library.function[-1]
        constant(never.node_def, [False])
        never.node_def[-1].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(False))  # noqa: FBT003
        never.signature.output_arg[0].type = BOOL
        never.ret["o"] = "k:output:0"
    for at in range(number):
        following = f"f{at + 1}" if at + 1 < number else "f0" if back else "leaf"

        def inside(made: Any, following: str = following) -> str:
            call(made.node_def, kind, following, "a", "r")
            return "r:o:0" if kind == "operation" else "r:output:0"

        function(graph, f"f{at}", inside)
    return graph


def answers(*paths: Path) -> list[str]:
    """Add all of these in a Python of their own, and return what was said to each."""
    return [line for line in printed(ADD_ALL, *map(str, paths)) if not line.startswith("adding ")]


KINDS = [
    "PartitionedCall",
    "StatefulPartitionedCall",
    "If",
    "StatelessIf",
    "Case",
    "StatelessCase",
    "While",
    "StatelessWhile",
    "operation",
]


def test_functions_that_call_themselves_are_refused_in_one_line_however_they_are_called(tmp_path: Path) -> None:
    for kind in KINDS:
        for number in (1, 2):
            graph = calls(number, kind, back=True)
            (tmp_path / f"{kind}{number}.pb").write_bytes(graph.SerializeToString())
            (tmp_path / f"{kind}{number}.pbtxt").write_text(str(graph))
    said = answers(*sorted(tmp_path.iterdir()))
    assert len(said) == len(KINDS) * 2 * 3
    assert all(" calls itself (f0 > f" in line and "may end the kernel" in line for line in said), said


def test_a_savedmodel_and_a_checkpoint_that_call_themselves_are_refused(tmp_path: Path) -> None:
    circle = calls(3, back=True)
    del circle.node[0]
    folder = save_linear_v1(tmp_path / "folder")
    message = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    (meta,) = message.meta_graphs
    next(node for node in meta.graph_def.node if node.name == "y").name = "before"
    meta.graph_def.MergeFrom(circle)
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    prefix = saved(tmp_path / "net", steps=0)
    file = prefix.with_name(f"{prefix.name}.meta")
    graph = meta_graph_pb2.MetaGraphDef.FromString(file.read_bytes())
    next(node for node in circle.node if node.name == "y").name = "called"
    graph.graph_def.MergeFrom(circle)
    file.write_bytes(graph.SerializeToString())
    said = answers(folder, file)
    assert len(said) == 2
    assert all(" calls itself (f0 > f1 > f2 > f0)" in line for line in said), said


@pytest.mark.parametrize("operation", ["MapDataset", "RemoteCall", "MapDefun", "OneShotIterator", "NotKnownHere"])
def test_any_attribute_that_names_a_function_counts_as_a_call(operation: str) -> None:
    graph = calls(2, back=True)
    for one in graph.library.function[1:]:
        one.node_def[0].op = operation
    refused(graph, "calls itself")


def test_a_function_that_is_handed_to_another_counts_as_called() -> None:
    graph = calls(2)
    graph.library.function[2].node_def[0].attr["f"].func.attr["g"].func.name = "f0"
    refused(graph, r"calls itself \(f0 > f1 > f0\)")


def test_a_gradient_that_takes_its_own_gradient_is_refused_and_one_that_calls_its_function_is_not() -> None:
    graph = calls(1)
    graph.library.gradient.add(function_name="f0", gradient_func="g")
    function(graph, "g", lambda made: call(made.node_def, "PartitionedCall", "f0", "a", "r").name + ":output:0")
    assert float(models.add("net", graph)(2.0)) == -2
    models.drop("net")
    graph.library.function[-1].node_def[0].op = "SymbolicGradient"
    graph.node[1].op = "SymbolicGradient"
    refused(graph, r"calls itself \(g > g\)")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_live_graph_or_function_that_calls_itself_is_refused(wrapped: bool) -> None:  # noqa: FBT001
    # TensorFlow takes it in, and would end the process when it runs.
    circle = calls(2, "If", back=True)
    if wrapped:
        live: Any = v1.wrap_function(
            lambda x: tf.import_graph_def(circle, {"x": x}, ["y:0"])[0], [tf.TensorSpec([], tf.float32)]
        )
        module = tf.Module()
        module.call = tf.function(lambda x: live(x) + 1, input_signature=[tf.TensorSpec([], tf.float32)])
        module.call.get_concrete_function()
        refused(module, "a function of this function calls itself")
    else:
        live = tf.Graph()
        with live.as_default():
            tf.import_graph_def(circle, name="")
    for copy in (False, True):
        refused(live, r"calls itself \(f0 > f1 > f0\)", copy=copy)


@pytest.mark.parametrize("kind", ["PartitionedCall", "operation"])
def test_a_circle_that_nothing_calls_is_let_be(kind: str) -> None:
    assert float(models.add("net", calls(2, kind, back=True, reached=False))(2.0)) == -2


def test_calls_nested_thousands_deep_are_refused_in_one_line(tmp_path: Path) -> None:
    for number in (900, 5000):
        (tmp_path / f"deep{number}.pb").write_bytes(calls(number).SerializeToString())
    said = answers(*sorted(tmp_path.iterdir()))
    assert ["901 deep" in line for line in said] == [False, False, True, True]
    assert all("are nested" in line and "expected at most 250" in line for line in said), said


@pytest.mark.parametrize(("number", "kind"), [(60, "If"), (100, "PartitionedCall"), (249, "operation")])
def test_a_model_of_many_nested_functions_runs_and_is_saved_as_a_folder(tmp_path: Path, number: int, kind: str) -> None:
    model = models.add("net", calls(number, kind), outputs="y")
    assert float(model(2.0)) == -2
    model.save(tmp_path / "folder")
    assert float(models.add("again", tmp_path / "folder")(2.0)) == -2


def test_the_deepest_that_is_taken_fits_into_the_smallest_stack_of_a_thread() -> None:
    found: list[Any] = []
    before = threading.stack_size(2 << 20)
    try:
        thread = threading.Thread(target=lambda: found.append(models.add("net", calls(249))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert [model.state for model in found] == ["ready"]


def test_functions_too_deep_for_a_frozen_graph_are_refused_in_one_line(tmp_path: Path) -> None:
    model = models.add("net", calls(249, "operation"))
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(700)
    try:
        with pytest.raises(SaveError, match="net: its functions are nested too deep for a frozen graph: save it as a"):
            model.save(tmp_path / "net.pb")
    finally:
        sys.setrecursionlimit(before)
    assert float(model(2.0)) == -2


def test_calls_that_multiply_are_refused_before_they_are_followed() -> None:
    graph = calls(60)
    for one in graph.library.function:
        if one.signature.name.startswith("f"):
            one.node_def.add().CopyFrom(one.node_def[0])
            one.node_def[1].name = "again"
    refused(graph, r"call one another 1,152,921,504,606,8\d\d,\d\d\d times|call one another 10\^18 times")


def test_thousands_of_functions_and_operations_are_looked_through() -> None:
    refused(calls(20_000), "nested 20001 deep")
    graph = calls(3)
    for at in range(20_000):
        graph.node.add(name=f"n{at}", op="PartitionedCall", input=["x"]).attr["f"].func.name = "f2"
    graph.library.function[-1].node_def[0].attr["f"].func.name = "f1"
    refused(graph, "calls itself")


def test_the_answer_through_nested_functions_is_plain_tensorflows() -> None:
    graph = calls(40, "While")
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph, name="")
        plain = session.run("y:0", {"x:0": 2.0})
    np.testing.assert_array_equal(models.add("net", graph, outputs="y")(2.0), plain)
