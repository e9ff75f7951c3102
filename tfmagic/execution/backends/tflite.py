"""Calls by LiteRT, TensorFlow's interpreter for small networks, without a session or an executor.

LiteRT (``tf.lite``) begins a call in a microsecond, where a session takes ten. It knows fewer
operations, serves one caller at a time and cannot be stopped. The session runs all other calls,
and those that would take long.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.graphdef.op_types import PARTITIONED_CALLS
from tfmagic.graphdef.prune import keep_only
from tfmagic.graphdef.walk import bodies
from tfmagic.runtime.calls.equivalence import NON_FINITE, examples_with, random_like, same_results
from tfmagic.runtime.native_log.stderr_filter import stderr_filter, without_lines
from tfmagic.runtime.startup.importing import LITE_IS_SOUND
from tfmagic.runtime.tensorflow.python_log import suppressed_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Call = Callable[..., list[Any]]
    Shapes = list[tuple[int, ...]]

# Nothing ends a conversion, whose time grows with the square: 2.2 s for 5,000 nodes in a row, 9 s for 10,000.
_MOST_NODES = 5_000
# LiteRT gives the results of TensorFlow for these, for every value.
_SUPPORTED = PARTITIONED_CALLS | {
    *("Placeholder", "Const", "Identity", "NoOp"),
    *("MatMul", "BiasAdd", "Add", "AddV2", "Sub", "Mul", "Square", "Neg", "Rsqrt", "Sqrt", "Exp"),
    *("Relu", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Softmax"),
    *("Conv2D", "DepthwiseConv2dNative", "FusedBatchNormV3", "MaxPool", "AvgPool", "Mean", "Pad"),
    *("Reshape", "Squeeze", "ExpandDims", "ConcatV2", "Shape", "StridedSlice", "Pack"),
}
# No run may take longer, since nothing can end it.
_LONG_S = 0.05
_MOST_VALUES = 250_000
_EXTREMES = (*NON_FINITE, 1e30, 1e-40)


class LiteCall:
    """Runs a network by LiteRT, for inputs of one shape at a time; `otherwise` makes all other calls.

    These are simultaneous calls of other threads, calls whose shapes change each time, and calls
    with empty or very large inputs. `weights_bytes` is the size of the constants: in the converted
    network, and packed for multiplication.
    """

    def __init__(self, content: bytes, otherwise: Call) -> None:
        self._interpreter = _interpreter(content)
        self._inputs = [details["index"] for details in self._interpreter.get_input_details()]
        self._outputs = [details["index"] for details in self._interpreter.get_output_details()]
        self._otherwise = otherwise
        self._free = threading.Lock()
        self._shapes: Shapes | None = None
        self._last_shapes: Shapes | None = None
        self._most_values = _MOST_VALUES
        self.weights_bytes = 2 * len(content)

    def call(self, *values: np.ndarray) -> list[Any]:
        """Run it with these arrays, in the order of the feeds."""
        if not self._free.acquire(blocking=False):
            return self._otherwise(*values)
        try:
            results = self.invoke(values)
        finally:
            self._free.release()
        # An error is raised again there, with TensorFlow's message.
        return self._otherwise(*values) if results is None else results

    def invoke(self, values: Sequence[np.ndarray]) -> list[Any] | None:
        """Return LiteRT's results; None where `otherwise` must make the call. One thread at a time may call it."""
        shapes = [value.shape for value in values]
        if shapes != self._shapes and not self._resize(shapes):
            return None
        interpreter = self._interpreter
        began = time.perf_counter()
        try:
            for index, value in zip(self._inputs, values, strict=True):
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            results = [interpreter.get_tensor(index) for index in self._outputs]
        except (RuntimeError, ValueError):
            return None
        if time.perf_counter() - began > _LONG_S:
            self._most_values, self._shapes = sum(value.size for value in values) - 1, None
        # TensorFlow's kernels give other results for NaN and infinity.
        return results if all(np.isfinite(result).all() for result in results) else None

    def close(self) -> None:
        """Free the interpreter; during a call, its end frees it."""
        if self._free.acquire(blocking=False):
            self._interpreter, self._shapes, self._most_values = None, None, 0
            self._free.release()

    def _resize(self, shapes: Shapes) -> bool:
        """Allocate tensors for inputs of these shapes, at the first call or when they come twice in a row."""
        sizes = [math.prod(shape) for shape in shapes]
        is_repeated, self._last_shapes = shapes == self._last_shapes, shapes
        if 0 in sizes or sum(sizes) > self._most_values or not (is_repeated or self._shapes is None):
            return False
        self._shapes = None
        try:
            for index, shape in zip(self._inputs, shapes, strict=True):
                self._interpreter.resize_tensor_input(index, shape, strict=True)
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError):
            self._most_values = 0
            return False
        self._shapes = shapes
        return True


def lite_call(definition: Any, feeds: Sequence[str], fetches: Sequence[str], otherwise: Call) -> LiteCall | None:
    """Return a call of a graph without variables by LiteRT; None where it cannot run it, or gives other results.

    Nodes that the call does not need are deleted from `definition`. `otherwise` makes the same call.
    """
    if _interpreter_class() is None:
        return None
    keep_only(definition, [*feeds, *fetches])
    if len(definition.node) > _MOST_NODES:
        return None
    shapes = _shapes(definition, feeds)
    supported = _SUPPORTED | {function.signature.name for function in definition.library.function}
    if shapes is None or not all(_runs(node, supported) for nodes in bodies(definition) for node in nodes):
        return None
    try:
        with suppressed_warnings(), warnings.catch_warnings():
            # TensorFlow warns that LiteRT will move to another package.
            warnings.simplefilter("ignore")
            call = LiteCall(_converted(definition, feeds, fetches), otherwise)
        return call if all(_agree(call, otherwise, shapes, rows) for rows in (1, 3)) else None
    except Exception:  # noqa: BLE001 - the session runs what LiteRT cannot run
        return None


def _runs(node: Any, supported: frozenset[str]) -> bool:
    # An operation with another device is meant to run there.
    return node.op in supported and (not node.device or "CPU" in node.device.upper())


def _shapes(definition: Any, feeds: Sequence[str]) -> list[list[int | None]] | None:
    """Return the shapes of the inputs, None for a free size; None unless all are float32 of a fixed rank."""
    placeholders = {f"{node.name}:0": node.attr for node in definition.node if node.op == "Placeholder"}
    attributes = [placeholders[name] for name in feeds if name in placeholders]
    shapes = [each["shape"].shape for each in attributes if each["dtype"].type == tf.float32]
    if not feeds or len(shapes) < len(feeds) or any(shape.unknown_rank for shape in shapes):
        return None
    return [[dim.size if dim.size >= 0 else None for dim in shape.dim] for shape in shapes]


def lite_is_missing() -> bool:
    """Return whether there is no interpreter here that is known to work, or nothing that converts to it."""
    return _interpreter_class() is None or getattr(tf, "lite", None) is None


def _interpreter_class() -> Any:
    """Return the interpreter class; None where none is known to work.

    The package ``ai_edge_litert`` comes first: TensorFlow is giving its own up. That of TensorFlow 2.17 and 2.18
    corrupts the process's memory with some networks, such as a convolutional one with a global average.
    """
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        release = tuple(int(part) for part in tf.__version__.split(".")[:2])
        return getattr(getattr(tf, "lite", None), "Interpreter", None) if release in LITE_IS_SOUND else None
    return Interpreter


def _interpreter(content: bytes) -> Any:
    # Each network would start its own threads.
    interpreter = _interpreter_class()(model_content=content, num_threads=1)
    # The first interpreter of a process logs this line.
    with stderr_filter(without_lines(rb"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.")):
        interpreter.allocate_tensors()
    return interpreter


def _converted(definition: Any, feeds: Sequence[str], fetches: Sequence[str]) -> bytes:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    inputs, outputs = ([graph.get_tensor_by_name(name) for name in names] for names in (feeds, fetches))
    # The converter warns of options that its Python part has set.
    with stderr_filter(without_lines(rb"W.* tf_tfl_flatbuffer_helpers\.cc:\d+\] Ignored .*")):
        return bytes(tf.compat.v1.lite.TFLiteConverter(definition, inputs, outputs).convert())


def _agree(call: LiteCall, otherwise: Call, shapes: Sequence[Sequence[int | None]], rows: int) -> bool:
    """Return whether LiteRT gives the same results, for inputs whose free sizes are `rows`."""
    sizes = [[rows if size is None else size for size in shape] for shape in shapes]
    random = random_like([np.empty(size, np.float32) for size in sizes])
    if random is None:
        return False
    for number, values in enumerate([random, *examples_with(_EXTREMES, random)]):
        # New shapes are accepted the second time.
        results = call.invoke(values) or call.invoke(values)
        if results is None:
            # The session runs inputs that are not finite.
            if number == 0:
                return False
        elif not same_results(otherwise(*values), results, rtol=1e-4, atol=1e-6):
            return False
    return True
