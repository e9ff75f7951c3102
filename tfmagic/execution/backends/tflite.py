"""Calls that TensorFlow's interpreter for small networks makes, with neither a session nor an executor.

LiteRT, which TensorFlow brings along as ``tf.lite``, begins a call in a microsecond, where a session takes ten.
It knows fewer operations, works for one caller at a time and cannot be stopped: what it does not take, or
what would take long, goes on being run by the session.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.graphdef.prune import keep_only
from tfmagic.runtime.native_log.stderr_filter import stderr_filter, without_lines
from tfmagic.runtime.startup.importing import LITE_IS_SOUND
from tfmagic.runtime.tensorflow.python_log import suppressed_warnings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Call = Callable[..., list[Any]]
    Shapes = list[tuple[int, ...]]

# Of these it means what TensorFlow means, for every value.
_KNOWN = frozenset(
    {
        *("Placeholder", "Const", "Identity", "NoOp", "PartitionedCall", "StatefulPartitionedCall"),
        *("MatMul", "BiasAdd", "Add", "AddV2", "Sub", "Mul", "Square", "Neg", "Rsqrt", "Sqrt", "Exp"),
        *("Relu", "Relu6", "LeakyRelu", "Elu", "Sigmoid", "Tanh", "Softmax"),
        *("Conv2D", "DepthwiseConv2dNative", "FusedBatchNormV3", "MaxPool", "AvgPool", "Mean", "Pad"),
        *("Reshape", "Squeeze", "ExpandDims", "ConcatV2", "Shape", "StridedSlice", "Pack"),
    }
)
# A run is not to take longer than that, for nothing can end it.
_LONG_S = 0.05
_MOST_VALUES = 250_000
_ODD = (math.nan, math.inf, -math.inf, 1e30, 1e-40)


class Lite:
    """Makes calls of inputs of one shape after the other; other calls are passed on.

    Parameters
    ----------
    content
        The network, as its converter writes it.
    otherwise
        Makes the calls that this does not: those from other threads meanwhile, of
        shapes that change from call to call, of nothing, of very much.

    Attributes
    ----------
    weights_bytes
        The size of its constants: in the file, and as they lie in memory to be multiplied.

    Raises
    ------
    ValueError, RuntimeError
        When it cannot be read.
    """

    def __init__(self, content: bytes, otherwise: Call) -> None:
        self._interpreter = _interpreter(content)
        self._inputs = [one["index"] for one in self._interpreter.get_input_details()]
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]
        self._otherwise = otherwise
        self._free = threading.Lock()
        self._shapes: Shapes | None = None
        self._asked: Shapes | None = None
        self._most_values = _MOST_VALUES
        self.weights_bytes = 2 * len(content)

    def call(self, *values: np.ndarray) -> list[Any]:
        """Run it with these arrays, in the order of the feeds."""
        if not self._free.acquire(blocking=False):
            return self._otherwise(*values)
        try:
            results = self.made(values)
        finally:
            self._free.release()
        # What failed fails there again, in TensorFlow's words.
        return self._otherwise(*values) if results is None else results

    def made(self, values: Sequence[np.ndarray]) -> list[Any] | None:
        """Return what comes of these; None where the call is to be made otherwise. No other may be under way."""
        shapes = [value.shape for value in values]
        if shapes != self._shapes and not self._turned_to(shapes):
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
        # Of a value that is no number each of TensorFlow's own ways makes something else.
        return results if all(np.isfinite(result).all() for result in results) else None

    def close(self) -> None:
        """Give back what it holds; while it is in the middle of a call, that goes with it."""
        if self._free.acquire(blocking=False):
            self._interpreter, self._shapes, self._most_values = None, None, 0
            self._free.release()

    def _turned_to(self, shapes: Shapes) -> bool:
        """Make ready for inputs of these shapes, where they seem to stay; return whether it is."""
        sizes = [math.prod(shape) for shape in shapes]
        is_repeated, self._asked = shapes == self._asked, shapes
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


def lite(definition: Any, feeds: Sequence[str], fetches: Sequence[str], otherwise: Call) -> Lite | None:
    """Return what calls a graph of constants so; None where that cannot be, or gives other answers.

    Parameters
    ----------
    definition
        The operations, with no variables; what is not needed is taken out of it.
    feeds, fetches
        Tensor names.
    otherwise
        Makes the same call.
    """
    if _interpreter_class() is None:
        return None
    keep_only(definition, [*feeds, *fetches])
    shapes = _shapes(definition, feeds)
    bodies = [definition.node, *(function.node_def for function in definition.library.function)]
    known = {*_KNOWN, *(one.signature.name for one in definition.library.function)}
    if shapes is None or not all(_is_known(node, known) for nodes in bodies for node in nodes):
        return None
    try:
        with suppressed_warnings(), warnings.catch_warnings():
            # It is to be had from another package one day.
            warnings.simplefilter("ignore")
            made = Lite(_converted(definition, feeds, fetches), otherwise)
        return made if all(_agree(made, otherwise, *example) for example in _examples(shapes)) else None
    except Exception:  # noqa: BLE001 - whatever it is that it cannot take, the call stays as it was
        return None


def _is_known(node: Any, known: Iterable[str]) -> bool:
    # What was put on another device is meant to run there.
    return node.op in known and (not node.device or "CPU" in node.device.upper())


def _shapes(definition: Any, feeds: Sequence[str]) -> list[list[int | None]] | None:
    """Return the shapes of the inputs, None for a size that is free; None if one is not of numbers, or of any rank."""
    inputs = {f"{node.name}:0": node.attr for node in definition.node if node.op == "Placeholder"}
    attributes = [inputs.get(name) for name in feeds]
    found = [None if one is None or one["dtype"].type != tf.float32 else one["shape"].shape for one in attributes]
    if not found or any(one is None or one.unknown_rank for one in found):
        return None
    return [[dim.size if dim.size >= 0 else None for dim in one.dim] for one in found if one is not None]


def _interpreter_class() -> Any:
    """Return the class whose objects make the calls; None where none is known to be sound.

    The interpreter of TensorFlow 2.17 and 2.18 damages the process's memory in some networks, such as a
    convolutional one with a global average. ``ai_edge_litert`` brings an interpreter of its own.
    """
    if tuple(int(part) for part in tf.__version__.split(".")[:2]) in LITE_IS_SOUND:
        return tf.lite.Interpreter
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        return None
    return Interpreter


def _interpreter(content: bytes) -> Any:
    # A thread of its own for each further core, for every network anew, would be many.
    made = _interpreter_class()(model_content=content, num_threads=1)
    # At the first one in a process.
    with stderr_filter(without_lines(rb"INFO: Created TensorFlow Lite XNNPACK delegate for CPU\.")):
        made.allocate_tensors()
    return made


def _converted(definition: Any, feeds: Sequence[str], fetches: Sequence[str]) -> bytes:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(definition, name="")
    inputs, outputs = ([graph.get_tensor_by_name(name) for name in names] for names in (feeds, fetches))
    # It warns of what its own Python half has set.
    with stderr_filter(without_lines(rb"W.* tf_tfl_flatbuffer_helpers\.cc:\d+\] Ignored .*")):
        return bytes(tf.compat.v1.lite.TFLiteConverter(definition, inputs, outputs).convert())


def _examples(shapes: Sequence[Sequence[int | None]]) -> Iterable[tuple[list[np.ndarray], bool]]:
    """Give inputs to be answered alike, of two sizes, and whether they are ordinary numbers."""
    random = np.random.default_rng(0)
    for free in (1, 3):
        sizes = [[free if size is None else size for size in shape] for shape in shapes]
        plain = [random.normal(size=size).astype(np.float32) for size in sizes]
        yield plain, True
        for odd in _ODD:
            values = [value.copy() for value in plain]
            for value in values:
                value.flat[::7] = odd
            yield values, False


def _agree(made: Lite, otherwise: Call, values: list[np.ndarray], is_plain: bool) -> bool:  # noqa: FBT001 - of a pair
    expected = otherwise(*values)
    # A shape is turned to when it comes a second time.
    found = made.made(values) or made.made(values)
    if found is None:
        return not is_plain
    return all(
        one.dtype == other.dtype
        and one.shape == other.shape
        and np.allclose(one, other, rtol=1e-4, atol=1e-6, equal_nan=True)
        for one, other in zip(map(np.asarray, expected), map(np.asarray, found), strict=True)
    )
