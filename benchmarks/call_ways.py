"""TensorFlow's and Keras's own ways to call a network, NumPy to NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.called import Call, Called

# Of CallableOptions: what is called runs in the thread that calls.
CALLER, POOL = -1, 0


def session_run(network: Called) -> Call:
    """Call the SavedModel with ``Session.run``."""
    session, (feed, fetch) = _loaded(network)
    x, y = session.graph.get_tensor_by_name(feed), session.graph.get_tensor_by_name(fetch)
    return lambda batch: session.run(y, {x: batch})


def make_callable(network: Called) -> Call:
    """Call the SavedModel with ``Session.make_callable``."""
    session, (feed, fetch) = _loaded(network)
    x, y = session.graph.get_tensor_by_name(feed), session.graph.get_tensor_by_name(fetch)
    call: Call = session.make_callable(y, [x])
    return call


def raw_of_variables(network: Called, pool: int) -> Call:
    """Call the SavedModel with TensorFlow's raw callable."""
    session, ends = _loaded(network)
    return _raw(session, *ends, pool)


def raw_of_constants(network: Called) -> Call:
    """Call the frozen graph with TensorFlow's raw callable, in the thread that calls."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        tf.import_graph_def(network.frozen.graph.as_graph_def(), name="")
    session = tf.compat.v1.Session(graph=graph)
    return _raw(session, network.frozen.inputs[0].name, network.frozen.outputs[0].name, CALLER)


def function(network: Called) -> Call:
    """Call a ``tf.function`` of the Keras model."""
    import tensorflow as tf

    call = tf.function(lambda x: network.live(x, training=False))
    return lambda batch: call(tf.constant(batch)).numpy()


def concrete_function(network: Called) -> Call:
    """Call its concrete function."""
    import tensorflow as tf

    return lambda batch: _only(network.concrete(tf.constant(batch))).numpy()


def signature(network: Called) -> Call:
    """Call the signature that ``tf.saved_model.load`` gives."""
    import tensorflow as tf

    loaded = tf.saved_model.load(network.path)
    call = loaded.signatures["serving_default"]
    (name,) = call.structured_input_signature[1]
    # The signature holds its variables by weak references only.
    return lambda batch, _held=loaded: _only(call(**{name: tf.constant(batch)})).numpy()  # type: ignore[misc]


def keras_call(network: Called) -> Call:
    """Call the Keras model itself."""
    return lambda batch: network.live(batch, training=False).numpy()


def keras_predict_on_batch(network: Called) -> Call:
    """Call the Keras model's ``predict_on_batch``."""
    call: Call = network.live.predict_on_batch
    return call


def keras_predict(network: Called) -> Call:
    """Call the Keras model's ``predict``, with all of it as one batch."""
    return lambda batch: network.live.predict(batch, batch_size=len(batch), verbose=0)


RAW: dict[str, Callable[[Called], Call]] = {
    "TensorFlow's raw callable, caller's thread": lambda network: raw_of_variables(network, CALLER),
    "TensorFlow's raw callable, pool": lambda network: raw_of_variables(network, POOL),
    "TensorFlow's raw callable, frozen, caller's thread": raw_of_constants,
}
WAYS: dict[str, Callable[[Called], Call]] = {
    **RAW,
    "Session.run": session_run,
    "Session.make_callable": make_callable,
    "tf.function": function,
    "a concrete function": concrete_function,
    "tf.saved_model signature": signature,
    "keras model(x)": keras_call,
    "keras predict_on_batch": keras_predict_on_batch,
    "keras predict": keras_predict,
}
"""What prepares each, by what a person would call it."""


def _loaded(network: Called) -> tuple[Any, tuple[str, str]]:
    """Return a session of the SavedModel, and the names of the tensors to feed and to fetch."""
    import tensorflow as tf

    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta = tf.compat.v1.saved_model.load(session, ["serve"], network.path)
    ends = meta.signature_def["serving_default"]
    return session, (_only(ends.inputs).name, _only(ends.outputs).name)


def _raw(session: Any, feed: str, fetch: str, pool: int) -> Call:
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=[feed], fetch=[fetch])
    options.run_options.inter_op_thread_pool = pool
    call = session._make_callable_from_options(options)  # noqa: SLF001
    # The callable does not keep its session.
    return lambda batch, _held=session: call(batch)[0]  # type: ignore[misc]


def _only(found: Any) -> Any:
    """Return the only output, whatever it is wrapped in."""
    values: Sequence[Any] = list(found.values()) if hasattr(found, "values") else [found]
    (value,) = values
    return value
