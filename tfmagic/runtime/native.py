"""TensorFlow's own session of one graph, which can be closed while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.runtime.private import delete_session, unwaiting_session

if TYPE_CHECKING:
    from collections.abc import Callable

# As TensorFlow says it.
_CLOSED = "Attempted to use a closed Session."


class NativeSession(tf.compat.v1.Session):
    """A ``tf.compat.v1.Session`` whose ``close`` does not wait for its runs.

    Stock ``close`` cancels the runs and waits until they have ended, with Python's
    lock held: an operation that cannot be cancelled stops the whole kernel, and one
    that is Python itself (``py_func``) stops it for good. Here ``close`` cancels and
    returns. What the session holds is freed at once if nothing runs, else when the
    last run has ended.

    Parameters
    ----------
    graph, config
        As TensorFlow's.
    """

    def __init__(self, graph: Any = None, config: Any = None) -> None:
        self._uses: dict[object, None] = {}
        if not hasattr(tf.compat.v1.Session, "_make_callable_from_options"):
            # Who looks for it is to find that it has gone.
            self.__dict__["_make_callable_from_options"] = None
        super().__init__(graph=graph, config=config)
        self._unwaiting = unwaiting_session(self)

    def close(self) -> None:
        """Cancel the runs, and free what the session holds as soon as none is left."""
        token = object()
        # A use like others: a run that ends meanwhile must not free what is being closed.
        self._uses[token] = None
        try:
            super().close()
        finally:
            self._uses.pop(token, None)
        self._free()

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
