"""A room: the graph and the names of one model, and the cells that run in it."""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.errors import ForeignTensorError, ModelStateError, TfMagicError, UnknownNameError
from tfmagic.execution.room.namespace import Names, Namespace
from tfmagic.execution.room.training_loops import training_loops_of
from tfmagic.execution.room.variables import Initialiser
from tfmagic.runtime.session.hosted_graph import hosted, label_of
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.session.pasted_session import session_redirect
from tfmagic.runtime.tensorflow.native_errors import in_one_line
from tfmagic.runtime.tensorflow.tf1_switches import Switches, eager_execution, switches_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from tfmagic.execution.room.cell import Cell


class Room:
    """The graph and the Python names of one model. The graph is None in eager mode; `device` is for what cells add."""

    def __init__(self, label: str, graph: Any = None, device: str | None = None) -> None:
        self.label = label
        self.graph = graph
        self.device = device
        self.namespace = Namespace()
        self.names = Names(label, self.namespace)
        self.initialiser = Initialiser(graph) if graph is not None else None
        self.names_at_build: frozenset[str] = frozenset()
        self._switches: Switches = {}

    def note_built(self) -> None:
        """Note the names that building the model has made: cells add others later."""
        self.names_at_build = frozenset(self.names)

    @defer_interrupts
    def run(self, cell: Cell, notebook: Mapping[str, Any], bound: Mapping[str, Any]) -> Any:
        """Run a cell, and return its last expression's value or None; `bound` has names for the time of the run."""
        self.namespace.bind(self.bound(bound))
        self.namespace.lend(notebook)
        try:
            value = cell.run(self.namespace, self.entered)
            self._initialise()
        except Exception as error:
            # The operations that the cell added before it failed are in the graph, and may be fetched.
            with suppress(tf.errors.OpError, TfMagicError):
                self._initialise()
            better = explained(error, KernelSession().hosted_graphs(), self.graph)
            if better is error:
                in_one_line(error, self.label)
                raise
            raise better from None
        else:
            return value
        finally:
            self.namespace.end_run()

    def bound(self, more: Mapping[str, Any]) -> dict[str, Any]:
        """Return the names that a cell has beside the room's own: ``session``, ``graph``, and `more`."""
        names = {"session": KernelSession(), **more}
        return names if self.graph is None else {**names, "graph": self.graph}

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Make the room's graph, session and device the current ones of this thread."""
        with ExitStack() as stack:
            stack.enter_context(switches_of(self._switches))
            if self.graph is None:
                stack.enter_context(eager_execution())
            else:
                stack.enter_context(self.graph.as_default())
                stack.enter_context(KernelSession().as_default())
                stack.enter_context(session_redirect().active())
                stack.enter_context(training_loops_of(self))
            # tf.device(None) would hide the devices that an outer block asked for.
            if self.device is not None:
                stack.enter_context(tf.device(self.device))
            yield

    def _initialise(self) -> None:
        """Give what the cell added its initial values; what has values keeps them."""
        # Not while an interrupted run goes on: the next run does it first.
        if self.graph is not None and hosted(self.graph).runs.stopping_since is None:
            KernelSession().prepare(self.graph)


v1 = tf.compat.v1

# The functions of TensorFlow in whose frames the two graphs can be found.
_EVALUATORS = {"_eval_using_default_session", "_run_using_default_session"}
_REFUSES = "Graph is finalized"
_MIXED = re.compile(r'Tensor\("(?P<theirs>[^"]+)".*must be from the same graph as Tensor\("(?P<ours>[^"]+)"', re.DOTALL)
# Of TensorFlow's lazy loader of Keras.
_KERAS_2 = re.compile(r"`(?P<name>\w+)` is not available with Keras 3")
_ADDRESS = re.compile(r"Graph object at (0x[0-9a-f]+)")


def explained(error: BaseException, known: list[Any], here: Any) -> BaseException:
    """Return an error that names the models of the `known` graphs and of the room's own (`here`), else the same one."""
    better: TfMagicError | None = None
    if isinstance(error, RuntimeError):
        # By its text: some tracebacks lack TensorFlow's frames.
        if here is not None and here.finalized and _REFUSES in str(error):
            msg = (
                f"the graph of {label_of(here)} is finalized (graph.finalize() and MonitoredTrainingSession do that), "
                "so a cell cannot add operations to it: add them in the cell that builds the graph, and run that again"
            )
            better = ModelStateError(msg)
    elif isinstance(error, ValueError):
        better = _evaluated_elsewhere(error, here) or _mixed(error, known, here)
    elif isinstance(error, AssertionError) and "reset_default_graph" in str(error):
        msg = (
            "a room has a graph of its own, which reset_default_graph cannot clear: take that line "
            "out (a %%tf_model cell begins with an empty graph each time it runs)"
        )
        better = ForeignTensorError(msg)
    elif isinstance(error, AttributeError) and (gone := _KERAS_2.search(str(error))):
        msg = (
            f"{gone['name']!r} is one of Keras 2's, as all of tf.layers and tf.nn.rnn_cell: restart the kernel, run "
            "import os; os.environ['TF_USE_LEGACY_KERAS'] = '1' before TensorFlow is imported, "
            "and have tf_keras installed (%pip install tf_keras)"
        )
        better = UnknownNameError(msg)
    if better is None:
        # TensorFlow 2 has elsewhere what TF1 code looks for.
        if isinstance(error, AttributeError) and error.obj is tf and hasattr(v1, str(error.name)):
            error.add_note(
                f"TensorFlow 2 has it as tf.compat.v1.{error.name}: begin with import tensorflow.compat.v1 as tf"
            )
        return error
    return better.with_traceback(error.__traceback__)


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
