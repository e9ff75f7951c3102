"""``KernelSession``: the one session of a process, which runs any graph.

A native session is bound to one graph, so that models of several graphs cannot share one.
Here each graph has its own native session behind one facade, all made from one frozen
``ConfigProto``. The process shares the heavy parts (libraries, thread pools, allocators):
a further graph costs 0.23 ms, 70 KB and no thread.
"""

from __future__ import annotations

import math
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NoReturn

import tensorflow as tf

from tfmagic.concurrency.cancel_scope import current_scope
from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.concurrency.entry_point import entry_point, hide_own_frames, trim_traceback
from tfmagic.concurrency.workers import workers
from tfmagic.core.process import once
from tfmagic.errors import ForeignTensorError, NoCopyError
from tfmagic.runtime.calls.prepared_call import Preparation
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.config import SessionConfig
from tfmagic.runtime.session.fetches import (
    callable_of,
    distinct_graphs,
    feeds_by_graph,
    fetch_names,
    graph_of,
    leaves,
    own_feeds,
    replace_leaves,
)
from tfmagic.runtime.session.graph_sessions import GraphSessions
from tfmagic.runtime.session.hosted_graph import Fill, closing_what_opens, hosted, label_of
from tfmagic.runtime.tensorflow.private import session_interface

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Self

    import numpy as np

    from tfmagic.runtime.session.open_graph import OpenGraph

v1 = tf.compat.v1

# Time for the measurements of `choose_executor`, beside the time for folding.
_TRIAL_S = 1.0


class KernelSession(session_interface()):  # type: ignore[misc]  # a base that is looked up
    """The session of this process: TF1's session interface for tensors of any graph.

    Every call of the class gives the same object.

    Parameters
    ----------
    config
        A ``tf.compat.v1.ConfigProto`` laid over what ``tf.config`` says. It can be
        given until the first graph runs, and is frozen from then on.

    Raises
    ------
    ConfigError
        When another configuration is in force; the message says what differs.

    Notes
    -----
    Safe to use from several threads. Native sessions open when a graph is first
    run, and again after `close`.
    """

    _config: SessionConfig
    _sessions: GraphSessions

    @hide_own_frames
    def __new__(cls, config: Any = None) -> Self:
        """Return the process's session, made by the first call."""
        session: Self = once("session", cls._make)
        if config is not None:
            session._config.request(config)
        return session

    @classmethod
    def _make(cls) -> Self:
        session: Self = object.__new__(cls)
        session._config = SessionConfig()
        session._sessions = GraphSessions(session._config)
        session._entered = threading.local()
        return session

    @hide_own_frames
    def run(
        self,
        fetches: Any,
        feed_dict: Mapping[Any, Any] | None = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
        """Run operations and evaluate tensors, of one graph or of several at once.

        Parameters
        ----------
        fetches
            Tensors, operations, variables or names, in any structure that
            ``tf.compat.v1.Session.run`` takes. Names are looked up in the
            default graph.
        feed_dict
            Values by tensor, of any of the fetched graphs.
        options, run_metadata
            ``RunOptions`` and ``RunMetadata``; with several graphs the metadata
            of each is merged into the one given.

        Returns
        -------
        object
            The same structure, with arrays for tensors and None for operations.

        Raises
        ------
        ForeignTensorError
            When a feed belongs to a graph of which nothing is fetched.
        UninitialisedVariableError
            When a variable was read that has no value yet.
        ModelStateError
            While an interrupted run of one of these graphs has not ended.
        """
        feeds = dict(feed_dict or {})
        default = v1.get_default_graph()
        elements = leaves(fetches)
        graphs = distinct_graphs([graph_of(element, default) for element in elements])
        by_graph = feeds_by_graph(feeds, graphs, default)
        if len(graphs) == 1:
            (graph,) = graphs
            return workers().call(self._run, graph, fetches, feeds, options, run_metadata)
        if not graphs:
            return workers().call(self._run, default, fetches, feeds, options, None)

        def run_each() -> Any:
            values: dict[int, list[Any]] = {}
            for graph in graphs:
                fetched = [leaf for leaf in elements if graph_of(leaf, default) is graph]
                metadata = None if run_metadata is None else v1.RunMetadata()
                values[id(graph)] = self._run(graph, fetched, by_graph[id(graph)], options, metadata)
                if metadata is not None:
                    run_metadata.MergeFrom(metadata)
            return replace_leaves(fetches, lambda leaf: values[id(graph_of(leaf, default))].pop(0))

        return workers().call(run_each)

    def call(
        self,
        graph: Any,
        feeds: tuple[str, ...],
        fetches: tuple[str, ...],
        values: Sequence[np.ndarray],
        *,
        metadata: Any = None,
    ) -> list[np.ndarray]:
        """Run a prepared call, for arrays of exactly the tensors' dtypes.

        `metadata` is a ``RunMetadata`` for a full trace of the run and its partition graphs.
        """
        record, cancel_scope = hosted(graph), current_scope()

        def use(opened: OpenGraph) -> list[np.ndarray]:
            if cancel_scope is not None:
                cancel_scope.check()
            deadline = None if cancel_scope is None else cancel_scope.native_deadline
            if metadata is None and deadline is None:
                return opened.prepared(feeds, fetches)(values)
            record.history.note(fetches, prepared=True)
            options = _run_options(deadline)
            if metadata is not None:
                options.trace_level = _trace_level(opened.native)
                options.output_partition_graphs = True
            fed = dict(zip(feeds, values, strict=True))
            for index in opened.kept_feeds(feeds, fetches):
                fed[feeds[index]] = fed[feeds[index]].copy()
            # The options of a prepared call are fixed, so this run needs Session.run.
            return list(opened.native.run(list(fetches), fed, options, metadata))

        results: list[np.ndarray] = self._sessions.run(graph, use)
        return results

    def choose_executor(
        self,
        graph: Any,
        feeds: tuple[str, ...],
        fetches: tuple[str, ...],
        batches: Sequence[Sequence[np.ndarray]],
    ) -> None:
        """Find the fastest executor of a prepared call, by running it with each batch of values."""
        self._sessions.run(graph, lambda opened: opened.prepared(feeds, fetches).choose_executor(batches, _TRIAL_S))

    def prepare(self, graph: Any) -> None:
        """Initialise variables that were added to `graph`; Ctrl-C in a notebook returns at once."""
        workers().call(self._sessions.run, graph, lambda _: None)

    def cancel(self, graph: Any) -> bool:
        """End the runs of `graph` and keep its variables; if these could not be read, return False.

        The variables then have the values of the source.
        """
        return hosted(graph).cancel(graph, self._config.freeze)

    @property
    def config(self) -> Any:
        """A copy of the ``ConfigProto`` in force, or of the one that would be if a graph ran now."""
        return self._config.copy()

    @property
    def is_frozen(self) -> bool:
        """Whether the configuration is in force for the life of the process."""
        return self._config.is_frozen

    @property
    def has_opened(self) -> bool:
        """Whether any native session was ever opened."""
        return self._sessions.has_opened

    def list_devices(self) -> list[Any]:
        """Return the devices that graphs run on, as TF1's."""
        with NativeSession(graph=tf.Graph(), config=self._config.freeze()) as native:
            return list(native.list_devices())

    def open_graphs(self) -> list[Any]:
        """Return the graphs that have a native session."""
        return self._sessions.open_graphs()

    def hosted_graphs(self) -> list[Any]:
        """Return the graphs that `host` has named."""
        return self._sessions.named_graphs()

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        """Refuse to be copied or pickled: a process has one session."""
        msg = "the session cannot be copied or pickled: a process has one, tfmagic.session, which runs any graph"
        error = NoCopyError(msg)
        trim_traceback(error)
        raise error

    def __repr__(self) -> str:
        """Show the open graphs."""
        names = sorted(label_of(graph) for graph in self.open_graphs())
        graphs = "1 graph" if len(names) == 1 else f"{len(names)} graphs"
        return f"<KernelSession, {graphs} open{': ' + ', '.join(names) if names else ''}>"

    def host(
        self,
        graph: Any,
        label: str,
        *,
        fill: Fill | None = None,
        prepare: Fill | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        """Give `graph` a name for messages, and define how its variables get their values.

        `fill` is called with each native session that opens for the graph, `prepare` before each run.
        """
        record = hosted(graph)
        record.label, record.fill, record.prepare = label, fill, prepare
        record.preparation = preparation or Preparation()
        self._sessions.add(graph)

    def open(self, graph: Any) -> Any:
        """Return the native session of `graph`, opened and filled if need be."""
        return self._sessions.open(graph).native

    def native(self, graph: Any) -> AbstractContextManager[Any]:
        """Give the native session of `graph` for reading and writing its variables, opened if need be.

        `ModelStateError` if another thread closes it meanwhile.
        """
        return self._sessions.native(graph)

    @entry_point
    def evict(self, graph: Any) -> None:
        """Close the native session of `graph` and forget its name."""
        self._sessions.evict(graph)

    @entry_point
    def close(self) -> None:
        """Free every graph's variables; the next run opens the session again.

        A model of the registry comes back with the weights of its source.
        """
        self._sessions.close()

    @property
    def graph(self) -> Any:
        """The current default graph, in which names are looked up."""
        return v1.get_default_graph()

    @property
    def graph_def(self) -> Any:
        """The default graph as a ``GraphDef``."""
        return self.graph.as_graph_def(add_shapes=True)

    @property
    def sess_str(self) -> str:
        """The target, which is always this process."""
        return ""

    def as_default(self) -> AbstractContextManager[Any]:
        """Return a context in which ``t.eval()`` and ``op.run()`` use this session."""
        context: AbstractContextManager[Any] = v1.Session.as_default(self)
        return context

    def make_callable(
        self,
        fetches: Any,
        feed_list: Sequence[Any] | None = None,
        accept_options: bool = False,  # noqa: FBT001, FBT002 - TF1's signature
    ) -> Callable[..., Any]:
        """Return a function of the values of `feed_list` that runs `fetches`, as TF1's."""
        return callable_of(self.run, fetches, feed_list, accept_options=accept_options)

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        """Set up a run in parts of one graph, as TF1's."""
        return self._native_of_parts(fetches).partial_run_setup(fetches, feeds)

    def partial_run(self, handle: Any, fetches: Any, feed_dict: Any = None) -> Any:
        """Continue a run in parts, as TF1's."""
        native = self._native_of_parts(fetches)
        # Each part could keep its feeds: the parts before may have left operations to run.
        feeds = own_feeds(feed_dict or {}, native.graph, lambda names: tuple(range(len(names))))
        return native.partial_run(handle, fetches, feeds)

    def _native_of_parts(self, fetches: Any) -> Any:
        default = v1.get_default_graph()
        graphs = distinct_graphs([graph_of(leaf, default) for leaf in leaves(fetches)])
        if len(graphs) != 1:
            msg = f"a run in parts is of one graph, these fetches are of {len(graphs)}"
            raise ForeignTensorError(msg)
        native = self.open(graphs[0])
        # The parts may write to variables.
        hosted(graphs[0]).history.note_assignment()
        return native

    def __enter__(self) -> Self:
        """Make this the default session; see `tfmagic.open_session` for what leaving closes."""
        stack = ExitStack()
        stack.enter_context(closing_what_opens())
        stack.enter_context(self.as_default())
        if not hasattr(self._entered, "stacks"):
            self._entered.stacks = []
        self._entered.stacks.append(stack)
        return self

    def __exit__(self, *raised: object) -> None:
        """Close the graphs that were first run inside the block."""
        self._entered.stacks.pop().close()

    @defer_interrupts
    def _run(self, graph: Any, fetches: Any, feeds: Any, options: Any, metadata: Any) -> Any:
        record = hosted(graph)

        def use(opened: OpenGraph) -> Any:
            names = fetch_names(fetches, graph)
            record.history.note(names)
            fed = own_feeds(feeds, graph, lambda given: opened.kept_feeds(given, names))
            results = opened.native.run(fetches, fed, options, metadata)
            if names is None:
                # TensorFlow ran a kind of fetch that we do not know. With a wrong name it would not have run.
                record.history.note_assignment()
            return results

        # The default graph and session are thread-local, and this may be a worker.
        with graph.as_default(), self.as_default():
            return self._sessions.run(graph, use)


def _run_options(deadline: float | None) -> Any:
    """Return ``RunOptions`` under which a native run ends between two operations after a deadline."""
    if deadline is None:
        return v1.RunOptions()
    left_s = max(0.0, deadline - time.monotonic())
    # A little late: an error before the deadline would count as an error of the graph.
    return v1.RunOptions(timeout_in_ms=math.ceil(left_s * 1000) + 1)


def _trace_level(native: Any) -> int:
    """Return the highest useful trace level: on CPUs, a full trace only adds a warning of the profiler."""
    accelerated = any(device.device_type != "CPU" for device in native.list_devices())
    level: int = v1.RunOptions.FULL_TRACE if accelerated else v1.RunOptions.SOFTWARE_TRACE
    return level
