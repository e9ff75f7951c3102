"""TensorFlow's errors about graphs, in terms of the models' names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import ForeignTensorError, ModelStateError
from tfmagic.runtime.session.hosted_graph import label_of

if TYPE_CHECKING:
    from types import TracebackType

    from tfmagic.errors import TfMagicError

v1 = tf.compat.v1

# The functions of TensorFlow in whose frames the two graphs can be found.
_EVALUATORS = {"_eval_using_default_session", "_run_using_default_session"}
_REFUSES = "Graph is finalized"
_MIXED = re.compile(r'Tensor\("(?P<theirs>[^"]+)".*must be from the same graph as Tensor\("(?P<ours>[^"]+)"', re.DOTALL)
_ADDRESS = re.compile(r"Graph object at (0x[0-9a-f]+)")


def explained(error: BaseException, known: list[Any], here: Any) -> BaseException:
    """Return the error to raise for one that a room's cell raised: one that names the models, else the same error.

    `known` are the graphs that have names, `here` is the room's own graph, None in eager mode.
    """
    better: TfMagicError | None = None
    if isinstance(error, RuntimeError):
        better = _finalized(error, here)
    elif isinstance(error, ValueError):
        better = _evaluated_elsewhere(error, here) or _mixed(error, known, here)
    elif isinstance(error, AssertionError) and "reset_default_graph" in str(error):
        msg = (
            "a room has a graph of its own, which reset_default_graph cannot clear: take that line "
            "out (a %%tf_model cell begins with an empty graph each time it runs)"
        )
        better = ForeignTensorError(msg)
    if better is None:
        _add_hint(error)
        return error
    return better.with_traceback(error.__traceback__)


def _add_hint(error: BaseException) -> None:
    """Add a note where TensorFlow 2 has elsewhere what TF1 code looks for."""
    if not isinstance(error, AttributeError) or error.obj is not tf:
        return
    missing = str(error.name)
    if hasattr(v1, missing):
        error.add_note(f"TensorFlow 2 has it as tf.compat.v1.{missing}: begin with import tensorflow.compat.v1 as tf")


def _finalized(error: RuntimeError, here: Any) -> ModelStateError | None:
    """Return the error for a room's finalized graph, to which nothing can be added."""
    # By its text: some tracebacks lack TensorFlow's frames.
    if here is None or not here.finalized or _REFUSES not in str(error):
        return None
    msg = (
        f"the graph of {label_of(here)} is finalized (graph.finalize() and MonitoredTrainingSession do that), "
        "so a cell cannot add operations to it: add them in the cell that builds the graph, and run that again"
    )
    return ModelStateError(msg)


def _evaluated_elsewhere(error: ValueError, here: Any) -> ForeignTensorError | None:
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_name in _EVALUATORS:
            subject = frame.f_locals.get("tensors", frame.f_locals.get("operation"))
            graph = frame.f_locals.get("graph")
            if graph is not None and graph is not here:
                name = getattr(subject, "name", subject)
                msg = (
                    f"{name!r} is a tensor of {label_of(graph)}, and this cell runs in {label_of(here)}: "
                    "session.run(…) runs tensors of any graph, and %%tf_run of the other model evaluates it there"
                )
                return ForeignTensorError(msg)
        trace = trace.tb_next
    return None


def _mixed(error: ValueError, known: list[Any], here: Any) -> ForeignTensorError | None:
    tensors = _MIXED.search(str(error))
    if tensors is None:
        return None
    named = {hex(id(graph)): label_of(graph) for graph in [*known, here] if isinstance(graph, tf.Graph)}
    labels = [named.get(address, "a graph that is no model") for address in _ADDRESS.findall(str(error))]
    if len(labels) < 2:
        return None
    msg = (
        f"{tensors['theirs']!r} is a tensor of {labels[0]} and {tensors['ours']!r} of {labels[1]}: one operation "
        "takes tensors of one graph; run the one and feed its value to the other"
    )
    return ForeignTensorError(msg)
