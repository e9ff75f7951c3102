"""Other runtimes on the same network: ONNX Runtime, LiteRT, and NumPy for what is only matrix products."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.called import Call, Called

THREADS = {"": os.cpu_count() or 1, ", one thread": 1}
"""How many threads compute, by what is said of it: all cores, and the one that small networks are quicker with."""


def onnx_runtime(network: Called) -> dict[str, Call]:
    """Return the calls of ONNX Runtime, of what tf2onnx makes of the Keras model."""
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    spec = tf.TensorSpec([None, *network.shape], tf.float32, name="x")
    written, _ = tf2onnx.convert.from_function(
        tf.function(lambda x: network.live(x, training=False)), input_signature=[spec], opset=17
    )
    definition = written.SerializeToString()

    def prepared(threads: int) -> Call:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(definition, options, providers=["CPUExecutionProvider"])
        (output,), (given,) = session.get_outputs(), session.get_inputs()
        outputs, x = [output.name], given.name
        return lambda batch: session.run(outputs, {x: batch})[0]

    return {f"ONNX Runtime{said}": prepared(threads) for said, threads in THREADS.items()}


def lite_rt(network: Called) -> dict[str, Call]:
    """Return the calls of LiteRT, of what TensorFlow's converter makes of the frozen function."""
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    # Of a function with variables it makes a file that answers NaN.
    content = tf.lite.TFLiteConverter.from_concrete_functions([network.frozen]).convert()

    def prepared(threads: int) -> Call:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        (given,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
        x, y = given["index"], output["index"]
        shape: tuple[int, ...] | None = None

        def call(batch: np.ndarray) -> Any:
            nonlocal shape
            if batch.shape != shape:
                shape = batch.shape
                interpreter.resize_tensor_input(x, shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(x, batch)
            interpreter.invoke()
            return interpreter.get_tensor(y)

        return call

    return {f"LiteRT{said}": prepared(threads) for said, threads in THREADS.items()}


def by_numpy(network: Called) -> dict[str, Call]:
    """Return the call of the same products by hand; none for a network that is more than those."""
    layers = network.live.layers
    if any(type(layer).__name__ != "Dense" for layer in layers):
        return {}
    weights: list[list[np.ndarray]] = [layer.get_weights() for layer in layers]

    def call(batch: np.ndarray) -> np.ndarray:
        x: np.ndarray = batch
        for kernel, bias in weights[:-1]:
            x = x @ kernel
            x += bias
            np.maximum(x, 0, out=x)
        kernel, bias = weights[-1]
        x = x @ kernel
        x += bias
        x -= x.max(axis=1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=1, keepdims=True)
        return x

    return {"NumPy": call}


PEERS: tuple[Callable[[Called], dict[str, Call]], ...] = (onnx_runtime, lite_rt, by_numpy)
"""What prepares the calls of each."""
