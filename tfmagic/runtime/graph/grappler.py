"""Passes of TensorFlow's graph optimizer, Grappler, that a small graph from a file does not need.

Some passes work on function calls only. The pass that TensorFlow calls TFG imports the graph into MLIR to infer shapes,
which the passes after it infer again, and to move into functions what only one branch needs; then it exports a graph.
That is a fifth of the optimizer's time, and so of most of the time until the first result.

Grappler runs over a graph twice, whatever the first time has changed (``kDefaultNumberOfIterations`` in its
meta_optimizer.cc). In a small graph the second time is a fifth of the time to open it. It finds nothing more, but for a
scale behind a convolution whose bias was zeros, and the two operations of a swish. The memory pass moves only
operations that ask for it.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tfmagic.graphdef.op_types import FUNCTION_CALLS

v1 = tf.compat.v1

_FEW = 64
_FUSED_BY_THE_SECOND_TIME = {"Conv2D", "Conv3D", "DepthwiseConv2dNative", "Sigmoid"}
# The first time inlines their functions, which may be large.
_CALLS = FUNCTION_CALLS | {"SymbolicGradient", "RemoteCall"}


def calls_no_function(graph: Any) -> bool:
    """Return whether a graph calls no function, so that all its operations are its own."""
    types = {operation.type for operation in graph.get_operations()}
    # TF1 called a function with an operation of its name, which TensorFlow itself does not have.
    return not types & _CALLS and all(hasattr(tf.raw_ops, name) for name in types)


def needs_one_iteration(graph: Any) -> bool:
    """Return whether the second time of the optimizer would find nothing in a graph."""
    operations = graph.get_operations()
    return len(operations) <= _FEW and not any(op.type in _FUSED_BY_THE_SECOND_TIME for op in operations)


def without_idle_passes(config: Any, graph: Any) -> Any:
    """Return a copy of a ``ConfigProto`` without passes that are idle in a graph; the person's choices stay."""
    copy = v1.ConfigProto()
    copy.CopyFrom(config)
    options = copy.graph_options.rewrite_options
    if not calls_no_function(graph):
        return copy
    idle = {"disable_tfg_optimizer": True, "function_optimization": options.OFF, "implementation_selector": options.OFF}
    if needs_one_iteration(graph):
        idle |= {"meta_optimizer_iterations": options.ONE, "memory_optimization": options.NO_MEM_OPT}
    for field, value in idle.items():
        # Where a TensorFlow does not have a pass, there is nothing to turn off.
        if not getattr(options, field, True):
            setattr(options, field, value)
    return copy
