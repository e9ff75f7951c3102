"""A room: the graph and the names of one model, and the cells that run in it."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.errors import TfMagicError
from tfmagic.execution.room.graph_errors import explained
from tfmagic.execution.room.namespace import Names, Namespace
from tfmagic.execution.room.variables import Initialiser
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.session.pasted_session import session_redirect
from tfmagic.runtime.tensorflow.tf1_switches import Switches, eager_execution, switches_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        """Run a cell, and return the value of its last expression or None.

        The notebook's names are behind the room's own, and `bound` is there for the time of the run. A cell that used
        another model's tensor raises a `ForeignTensorError` that names both models; any other error is the cell's own.
        """
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
                raise
            raise better from None
        else:
            return value
        finally:
            self.namespace.claim_new()
            self.namespace.take_back(keep_for_functions=True)
            self.namespace.unbind()

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
            # tf.device(None) would hide the devices that an outer block asked for.
            if self.device is not None:
                stack.enter_context(tf.device(self.device))
            yield

    def _initialise(self) -> None:
        """Give what the cell added its initial values; what has values keeps them."""
        # Not while an interrupted run goes on: the next run does it first.
        if self.graph is not None and hosted(self.graph).runs.stopping_since is None:
            KernelSession().prepare(self.graph)
