"""TensorFlow's own session of one graph, which can be closed while it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.graph.dataflow import constants_of, operations_behind
from tfmagic.runtime.tensorflow.private import callable_once, delete_session, make_close_immediate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

# As TensorFlow says it.
_CLOSED = "Attempted to use a closed Session."
# Of what is prepared, so many stay; beside the newest, only while they hold no more than this.
_MOST_KEPT = 32
_NEWEST_KEPT = 4
_MOST_KEPT_BYTES = 32_000_000
COPIES = 2
"""How often each executor has a constant: as a tensor, and in its own graph's node.

Measured: 60 calls of a graph with 3.84 MB of constants took 463 to 530 MB.
"""

_Set = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""What a run is given, what it fetches and what it runs besides, by name."""


class NativeSession(tf.compat.v1.Session):
    """A ``tf.compat.v1.Session`` whose ``close`` does not wait for its runs.

    Stock ``close`` cancels the runs and waits until they have ended, with Python's
    lock held: an operation that cannot be cancelled stops the whole kernel, and one
    that is Python itself (``py_func``) stops it for good. Here ``close`` cancels and
    returns. What the session holds is freed at once if nothing runs, else when the
    last run has ended.

    Stock ``run`` also keeps what it has prepared for each set of feeds and fetches until the
    session is closed, and every constant of the graph with it. Here the most recent sets stay.

    Parameters
    ----------
    graph, config
        As TensorFlow's.
    """

    def __init__(self, graph: Any = None, config: Any = None) -> None:
        self._uses: dict[object, None] = {}
        self._calls: dict[_Set, tuple[Callable[..., list[Any]], int]] = {}
        self._stock: dict[_Set, int] = {}
        self._keeping = threading.Lock()
        if not hasattr(tf.compat.v1.Session, "_make_callable_from_options"):
            # Who looks for it is to find that it has gone.
            self.__dict__["_make_callable_from_options"] = None
        super().__init__(graph=graph, config=config)
        self._unwaiting = make_close_immediate(self)

    def close(self) -> None:
        """Cancel the runs, and free what the session holds as soon as none is left."""
        token = object()
        # A use like others: a run that ends meanwhile must not free what is being closed.
        self._uses[token] = None
        try:
            # A callable's __del__ releases the native one, and must find its session open.
            self._calls.clear()
            super().close()
        finally:
            self._uses.pop(token, None)
        self._free()

    @property
    def kept_bytes(self) -> int:
        """The size of the constants that it holds for the sets of feeds and fetches that were run."""
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
        """Run what ``run`` has taken apart; `handle` is of a run in parts, the last two are C's buffers or None."""
        feeds = [reference.deref() for reference in feed_dict]
        is_plain = handle is None and all(tensor.dtype != tf.resource for tensor in feeds)
        if is_plain and getattr(self, "_make_callable_from_options", None) is not None:
            names = (_names(feeds), _names(fetch_list), _names(target_list))
            if options is None and run_metadata is None:
                return self._do_call(self._prepared(names), *feed_dict.values())
            # Options are part of what is prepared, and a deadline differs from run to run.
            once = None if self._may_stay(names) else callable_once(self, _call_options(names), options, run_metadata)
            if once is not None:
                return self._do_call(once, list(feed_dict.values()))
        return super()._do_run(handle, target_list, fetch_list, feed_dict, options, run_metadata)

    def _prepared(self, names: _Set) -> Callable[..., list[Any]]:
        """Return what runs a set; those that were not used for longest go when there are too many."""
        with self._keeping:
            found = self._calls.pop(names, None)
            if found is not None:
                self._calls[names] = found
                return found[0]
        made = self._make_callable_from_options(_call_options(names)), self._size_of(names)
        with self._keeping:
            while self._calls and not is_room([size for _, size in self._calls.values()]):
                del self._calls[next(iter(self._calls))]
            self._calls[names] = made
        return made[0]

    def _may_stay(self, names: _Set) -> bool:
        """Return whether TensorFlow may prepare a set itself, of which it lets go only when the session is closed."""
        with self._keeping:
            if names not in self._stock and is_room(self._stock.values()):
                self._stock[names] = self._size_of(names)
            return names in self._stock

    def _size_of(self, names: _Set) -> int:
        return COPIES * constants_of(operations_behind(self.graph, (*names[1], *names[2])))

    def _do_call(self, fn: Any, *args: Any) -> Any:
        """Run; every kind of run of a session comes through here."""
        return self._used(super()._do_call, fn, *args)

    def _make_callable_from_options(self, callable_options: Any) -> Callable[..., Any]:
        """Prepare a call; what it gives is used for every run of that call."""
        prepared = self._used(super()._make_callable_from_options, callable_options)

        uses = self._uses

        def call(*values: Any, **options: Any) -> Any:
            # As `_used`, which would be one more call of the few that make up a short run's time.
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
        # First counted, then looked at: who closes does it the other way round.
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
        if self._unwaiting and self._closed and not self._uses:
            delete_session(self)


def _names(elements: Iterable[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in elements)


def is_room(sizes: Collection[int]) -> bool:
    """Return whether a session may keep one more of what is prepared, beside others that hold so many bytes each."""
    return len(sizes) < _NEWEST_KEPT or (len(sizes) < _MOST_KEPT and sum(sizes) <= _MOST_KEPT_BYTES)


def _call_options(names: _Set) -> Any:
    """Return the ``CallableOptions`` of a set."""
    from tensorflow.core.protobuf import config_pb2

    feeds, fetches, targets = names
    return config_pb2.CallableOptions(feed=feeds, fetch=fetches, target=targets)
