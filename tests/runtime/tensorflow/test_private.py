"""Every private name of TensorFlow that the runtime uses, and what is used where one has gone.

A test here that fails after an update of TensorFlow says which name has moved; the
fallback beside it says what still works then.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from factories import scale_graph
from tensorflow.core.protobuf import config_pb2
from tensorflow.python import tf2
from tensorflow.python.client import pywrap_tf_session as client
from tensorflow.python.eager import cancellation, context

from tfmagic import session
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.tensorflow import private
from tfmagic.runtime.tensorflow.private import (
    Cancellation,
    callable_once,
    delete_session,
    eager_config,
    make_close_immediate,
    native_callable,
    session_interface,
    traces_of,
)
from tfmagic.runtime.tensorflow.tf1_switches import _FLAGS, _SETTERS

if TYPE_CHECKING:
    import pytest

v1 = tf.compat.v1
X = np.array([1, 2], np.float32)


def test_session_interface_is_a_base_of_the_public_session() -> None:
    interface = session_interface()
    assert interface.__name__ == "SessionInterface"
    assert isinstance(session, interface)


def test_without_session_interface_object_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        pass

    # Not the tests' own v1: after tf_keras was imported that is another module.
    monkeypatch.setattr(private.v1, "Session", Session)
    assert session_interface() is object


def test_a_finalized_graph_can_be_opened_again() -> None:
    graph = tf.Graph()
    graph.finalize()
    private.unfinalize(graph)
    assert not graph.finalized


def test_a_graph_that_cannot_be_opened_again_stays_finalized(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = tf.Graph()
    graph.finalize()
    monkeypatch.setattr(graph, "_unsafe_unfinalize", None)
    private.unfinalize(graph)
    assert graph.finalized


def test_the_eager_context_has_a_config_and_soft_placement() -> None:
    assert isinstance(context.context().config, v1.ConfigProto)
    assert hasattr(context.context(), "_soft_device_placement")


def test_eager_config_is_the_same_inside_and_outside_a_graph() -> None:
    outside = eager_config()
    with tf.Graph().as_default():
        inside = eager_config()
    assert inside == outside
    assert outside.allow_soft_placement


def test_without_the_eager_context_the_public_functions_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> Any:
        raise AttributeError

    monkeypatch.setattr(context, "context", gone)
    monkeypatch.setattr(tf.config.threading, "get_inter_op_parallelism_threads", lambda: 5)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: 4)
    monkeypatch.setattr(tf.config, "get_soft_device_placement", lambda: True)
    derived = eager_config()
    assert (derived.inter_op_parallelism_threads, derived.intra_op_parallelism_threads) == (5, 4)
    assert derived.allow_soft_placement


def test_the_native_session_prepares_callables_from_options() -> None:
    graph, x, y = scale_graph(2.0)
    with v1.Session(graph=graph) as native:
        assert callable(native._make_callable_from_options)
        call = native_callable(native, (x.name,), (y.name,))
        np.testing.assert_array_equal(call(X)[0], 2 * X)


def test_without_it_the_public_make_callable_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x, y = scale_graph(2.0)
    monkeypatch.setattr(v1.Session.__mro__[1], "_make_callable_from_options", None)
    with v1.Session(graph=graph) as native:
        call = native_callable(native, (x.name,), (y.name, x.name))
        doubled, same = call(X)
    np.testing.assert_array_equal(doubled, 2 * X)
    np.testing.assert_array_equal(same, X)


def test_a_call_that_is_made_once_runs_under_the_options_of_the_run() -> None:
    graph, x, y = scale_graph(2.0)
    options = config_pb2.CallableOptions(feed=[x.name], fetch=[y.name])
    run_options = client.TF_NewBufferFromString(v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE).SerializeToString())
    with v1.Session(graph=graph) as native:
        once = callable_once(native, 1, options, run_options, None)
        assert once is not None
        np.testing.assert_array_equal(once([X])[0], 2 * X)
    assert options.run_options.trace_level == v1.RunOptions.FULL_TRACE


def test_without_its_names_session_run_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, x, y = scale_graph(2.0)
    monkeypatch.delattr(client, "TF_SessionRunCallable")
    with v1.Session(graph=graph) as native:
        assert callable_once(native, 1, config_pb2.CallableOptions(feed=[x.name], fetch=[y.name]), None, None) is None


def test_what_a_rooms_behaviour_switches_is_there() -> None:
    assert tf2.enabled()
    assert callable(tf2.enable)
    assert callable(tf2.disable)
    assert context.default_execution_mode == context.EAGER_MODE
    assert context.EAGER_MODE != context.GRAPH_MODE
    assert isinstance(tf.Tensor._USE_EQUALITY, bool)


def test_the_constructors_that_pasted_sessions_detour_are_there() -> None:
    base = v1.Session.__mro__[1]
    assert base.__name__ == "BaseSession"
    assert v1.InteractiveSession.__mro__[1] is base
    assert "__init__" in vars(base)
    assert "__init__" in vars(v1.InteractiveSession)


def test_eager_tensors_are_told_from_symbolic_ones() -> None:
    assert isinstance(tf.constant(1), tf.__internal__.EagerTensor)
    with tf.Graph().as_default():
        assert not isinstance(tf.constant(1), tf.__internal__.EagerTensor)


def test_the_traces_of_a_function_are_still_listed() -> None:
    function = tf.function(lambda x: x + 1)
    assert traces_of(function) == []
    function(tf.constant(1.0))
    function(tf.constant([1]))
    kinds = {trace.function_type.parameters["x"].type_constraint.dtype for trace in traces_of(function)}
    assert kinds == {tf.float32, tf.int32}
    # The fallback: of what cannot list them there are none.
    assert traces_of(print) == []


def test_a_session_that_does_not_wait_can_be_made() -> None:
    graph, x, y = scale_graph(2.0)
    native = v1.Session(graph=graph)
    assert make_close_immediate(native)
    np.testing.assert_array_equal(native.run(y, {x: X}), 2 * X)
    native.close()
    delete_session(native)
    assert native._session is None


def test_without_it_a_session_waits_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(client, "TF_NewSession")
    graph, x, y = scale_graph(2.0)
    with NativeSession(graph=graph) as native:
        np.testing.assert_array_equal(native.run(y, {x: X}), 2 * X)
    assert native._session is not None


@tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
def endless(x: Any) -> Any:
    while x > 0.0:
        x += 1.0
    return x


def test_functions_are_cancelled_in_their_own_block_alone() -> None:
    cancellations = [Cancellation(), Cancellation()]
    came: dict[int, BaseException] = {}

    def run(number: int) -> None:
        try:
            with cancellations[number].block():
                endless(1.0)
        except tf.errors.CancelledError as error:
            came[number] = error

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    cancellations[0].cancel()
    threads[0].join(30)
    time.sleep(0.3)
    assert set(came) == {0}
    assert threads[1].is_alive()
    cancellations[1].cancel()
    threads[1].join(30)
    assert set(came) == {0, 1}
    assert float(endless(0.0)) == 0.0


def test_without_cancellation_managers_functions_run_to_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cancellation, "CancellationManager")
    made = Cancellation()
    with made.block():
        made.cancel()
        assert float(endless(0.0)) == 0.0


def test_what_behaviours_are_switched_by_is_there() -> None:
    for switch, (owner, name) in _FLAGS.items():
        assert name in vars(owner), switch
    for name, (owner, _) in _SETTERS.items():
        for verb in ("enable", "disable"):
            assert callable(getattr(owner, f"{verb}_{name}"))
            assert callable(getattr(v1, f"{verb}_{name}"))


def test_kernels_and_operations_are_those_that_tensorflow_has() -> None:
    kernels = {(one.op, one.device_type) for one in private.registered_kernels()}
    assert {("MatMul", "CPU"), ("AddV2", "CPU")} <= kernels
    assert len(kernels) > 1000
    operation = private.registered_operation("MatMul")
    assert [one.name for one in operation.input_arg] == ["a", "b"]
    assert private.registered_operation("NoSuchOperation") is None


def test_kernels_that_came_are_told_from_those_that_were_there() -> None:
    from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

    one, other = (kernel_def_pb2.KernelDef(op=name, device_type="CPU") for name in ("One", "Other"))
    before = kernel_def_pb2.KernelList(kernel=[one]).SerializeToString()
    after = kernel_def_pb2.KernelList(kernel=[one, other, one]).SerializeToString()
    ops = op_def_pb2.OpList(op=[op_def_pb2.OpDef(name="Other")]).SerializeToString()
    kernels, operations = private.kernels_and_operations(before, after, ops)
    # The second registration of one that was there is one that came.
    assert [kernel.op for kernel in kernels] == ["Other", "One"]
    assert [operation.name for operation in operations] == ["Other"]
