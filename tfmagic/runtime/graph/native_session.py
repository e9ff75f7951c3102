"""A session of one graph that can be closed while it runs."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deep_stack import on_deep_stack
from tfmagic.runtime.graph.operations import constants_of, operations_behind
from tfmagic.runtime.tensorflow.private import callable_once, delete_session, make_close_immediate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

# TensorFlow's own words.
_CLOSED = "Attempted to use a closed Session."
# How many prepared sets stay, and how many of them whatever they hold.
_MOST_KEPT = 32
_NEWEST_KEPT = 4
_MOST_KEPT_BYTES = 32_000_000
COPIES = 2
"""How often each prepared set has a constant: as a tensor, and in the node of its own graph.

Measured: 60 calls of a graph with 3.84 MB of constants took 463 to 530 MB.
"""

_Set = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""The names of a run's feeds, fetches and targets."""


class NativeSession(tf.compat.v1.Session):
    """A ``tf.compat.v1.Session`` whose ``close`` does not wait for its runs, and which bounds its caches.

    TensorFlow's ``close`` cancels the runs and waits for their end while it holds Python's lock: an operation that
    cannot be cancelled blocks the whole kernel, and a Python operation (``py_func``) blocks it forever. Here ``close``
    cancels and returns. The session's memory is freed at once if nothing runs, else at the end of the last run.

    TensorFlow's ``run`` prepares each set of feeds and fetches once, and keeps it with a copy of every constant until
    the session is closed. Here the most recent sets stay.
    """

    def __init__(self, graph: Any = None, config: Any = None) -> None:
        self._uses: dict[object, None] = {}
        self._calls: dict[_Set, tuple[Callable[..., list[Any]], int]] = {}
        self._stock: dict[_Set, int] = {}
        self._keeping = threading.Lock()
        if not hasattr(tf.compat.v1.Session, "_make_callable_from_options"):
            # For hasattr: this TensorFlow does not have it.
            self.__dict__["_make_callable_from_options"] = None
        super().__init__(graph=graph, config=config)
        self._unwaiting = make_close_immediate(self)

    def close(self) -> None:
        """Cancel the runs, and free what the session holds as soon as none is left."""
        token = object()
        # Counted as a use: a run that ends meanwhile must not free the session.
        self._uses[token] = None
        try:
            # Another thread may be adding up their sizes.
            with self._keeping:
                calls, self._calls = self._calls, {}
            # A callable's __del__ releases the native one, and must find its session open.
            calls.clear()
            super().close()
        finally:
            self._uses.pop(token, None)
        self._free()

    @property
    def kept_bytes(self) -> int:
        """The size of the constants in the prepared sets."""
        with self._keeping:
            return sum(size for _, size in self._calls.values()) + sum(self._stock.values())

    def _do_run(  # noqa: PLR0917 - TensorFlow's signature
        self,
        handle: Any,
        target_list: list[Any],
        fetch_list: list[Any],
        feed_dict: dict[Any, Any],
        options: Any,
        run_metadata: Any,
    ) -> Any:
        """Run the elements of a ``run``; `handle` belongs to a partial run, the last two are C buffers or None."""
        feeds = [reference.deref() for reference in feed_dict]
        is_plain = handle is None and all(tensor.dtype != tf.resource for tensor in feeds)
        if is_plain and getattr(self, "_make_callable_from_options", None) is not None:
            names = (_names(feeds), _names(fetch_list), _names(target_list))
            if options is None and run_metadata is None:
                return self._do_call(self._prepared(names), *feed_dict.values())
            # Options are part of a prepared set, and a deadline differs from run to run.
            call_options = _call_options(names)
            once = None if self._keeps(names) else callable_once(self, self._nodes, call_options, options, run_metadata)
            if once is not None:
                return self._do_call(once, list(feed_dict.values()))
        run = super()._do_run
        return on_deep_stack(self._nodes, run, handle, target_list, fetch_list, feed_dict, options, run_metadata)

    @property
    def _nodes(self) -> int:
        return int(self.graph.version)

    def _prepared(self, names: _Set) -> Callable[..., list[Any]]:
        """Return the callable of a set, prepared if need be; the least recently used sets make room."""
        with self._keeping:
            prepared = self._calls.pop(names, None)
            if prepared is not None:
                self._calls[names] = prepared
                return prepared[0]
        prepared = self._make_callable_from_options(_call_options(names)), self._size_of(names)
        with self._keeping:
            while self._calls and not may_keep_another([size for _, size in self._calls.values()]):
                del self._calls[next(iter(self._calls))]
            self._calls[names] = prepared
        return prepared[0]

    def _keeps(self, names: _Set) -> bool:
        """Return whether TensorFlow may prepare and keep a set until the session is closed."""
        with self._keeping:
            if names not in self._stock and may_keep_another(self._stock.values()):
                self._stock[names] = self._size_of(names)
            return names in self._stock

    def _size_of(self, names: _Set) -> int:
        return COPIES * constants_of(operations_behind(self.graph, (*names[1], *names[2])))

    def _do_call(self, fn: Any, *args: Any) -> Any:
        """Run; TensorFlow calls this for every kind of run."""
        return self._used(super()._do_call, fn, *args)

    def _make_callable_from_options(self, callable_options: Any) -> Callable[..., Any]:
        make, uses = super()._make_callable_from_options, self._uses
        prepared = self._used(on_deep_stack, self._nodes, make, callable_options)
        prepared.__class__ = _CountedCallable

        def call(*values: Any, **options: Any) -> Any:
            # The body of `_used`: a call would be a part of a short run's time.
            token = object()
            uses[token] = None
            try:
                if self._closed:
                    raise RuntimeError(_CLOSED)
                return prepared(*values, **options)
            finally:
                uses.pop(token, None)
                if self._closed:
                    self._free()

        return call

    def _used(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        token = object()
        # Count, then look whether it is closed: `close` does both in the other order.
        self._uses[token] = None
        try:
            if self._closed:
                raise RuntimeError(_CLOSED)
            return call(*args, **options)
        finally:
            self._uses.pop(token, None)
            if self._closed:
                self._free()

    def _free(self) -> None:
        # The end of the process frees all, and TensorFlow's modules may be gone by then.
        if self._unwaiting and self._closed and not self._uses and not sys.is_finalizing():
            delete_session(self)


class _CountedCallable(tf.compat.v1.Session._Callable):  # noqa: SLF001 - it has no public name
    """A prepared callable whose release counts as a use: another thread must not free the session meanwhile."""

    def __del__(self) -> None:
        session, token = self._session, object()
        session._uses[token] = None  # noqa: SLF001 - of this module
        try:
            super().__del__()
        finally:
            session._uses.pop(token, None)  # noqa: SLF001
            if session._closed:  # noqa: SLF001
                session._free()  # noqa: SLF001


def _names(elements: Iterable[Any]) -> tuple[str, ...]:
    return tuple(element.name for element in elements)


def may_keep_another(sizes: Collection[int]) -> bool:
    """Return whether a session may keep one more prepared set beside others of so many bytes each."""
    return len(sizes) < _NEWEST_KEPT or (len(sizes) < _MOST_KEPT and sum(sizes) <= _MOST_KEPT_BYTES)


def _call_options(names: _Set) -> Any:
    """Return the ``CallableOptions`` of a set."""
    from tensorflow.core.protobuf import config_pb2

    feeds, fetches, targets = names
    return config_pb2.CallableOptions(feed=feeds, fetch=fetches, target=targets)
