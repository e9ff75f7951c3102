"""What TensorFlow's optimizer need not do to a graph that is opened.

Some of its passes have nothing to work on in a graph that calls no function. What
TensorFlow calls TFG makes an MLIR module of the graph to infer shapes, which the
passes behind it do by themselves, and to move into functions what only one branch
needs; then it makes a graph of that again. That is a fifth of what the optimizer
takes, and so of most of the time until the first answer.

By itself the optimizer goes over a graph twice, whatever the first time has changed
(``kDefaultNumberOfIterations`` in its meta_optimizer.cc). In a small graph the
second time takes a fifth of the time that opening takes, and finds nothing more but a
scale behind a convolution whose bias was zeros, and the two operations of a swish.
What the optimizer does for memory moves only what asks for it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

v1 = tf.compat.v1

_FEW = 64
_FUSED_BY_THE_SECOND_TIME = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Sigmoid"}
# Their bodies are put in their place by the first time, and may be large.
_CALLS = {
    *("PartitionedCall", "StatefulPartitionedCall", "SymbolicGradient", "RemoteCall"),
    *("If", "While", "Case", "StatelessIf", "StatelessWhile", "StatelessCase"),
}


def calls_nothing(graph: Any) -> bool:
    """Return whether all that a graph does is in the graph, and not in functions."""
    types = {operation.type for operation in graph.get_operations()}
    # TF1 called a function with an operation of its name, which is none of TensorFlow's.
    return not types & _CALLS and all(hasattr(tf.raw_ops, name) for name in types)


def needs_once(graph: Any) -> bool:
    """Return whether a graph is so small, and of such operations, that once is enough."""
    operations = graph.get_operations()
    return len(operations) <= _FEW and not any(one.type in _FUSED_BY_THE_SECOND_TIME for one in operations)


def spared(config: Any, graph: Any) -> Any:
    """Return a copy of a ``ConfigProto`` that spares a graph what finds nothing in it; what was chosen is as it was."""
    copy = v1.ConfigProto()
    copy.CopyFrom(config)
    options = copy.graph_options.rewrite_options
    if not calls_nothing(graph):
        return copy
    idle = {
        "disable_tfg_optimizer": True,
        "function_optimization": options.OFF,
        "implementation_selector": options.OFF,
    }
    if needs_once(graph):
        idle |= {"meta_optimizer_iterations": options.ONE, "memory_optimization": options.NO_MEM_OPT}
    for field, value in idle.items():
        # A pass that some TensorFlow has not is off.
        if not getattr(options, field, True):
            setattr(options, field, value)
    return copy
