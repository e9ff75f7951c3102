"""``with tf.compat.v1.Session() as sess:`` inside a room gives the room's session.

Pasted TF1 code creates a session, and would train private copies of the variables without
a word. So a session that is created in the thread of a room's cell becomes a `PastedSession`:
it runs its graph through the kernel's session, and closes nothing.
"""

from __future__ import annotations

import threading
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.core.process import once
from tfmagic.runtime.graph.native_session import NativeSession
from tfmagic.runtime.session.kernel_session import KernelSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

v1 = tf.compat.v1


class PastedSession(tf.compat.v1.Session):
    """The result of ``tf.compat.v1.Session(...)`` inside a room, for the requested or the default graph."""

    def __init__(self, graph: Any) -> None:
        # The base class would open a native session. It reads these attributes.
        self._graph, self._add_shapes, self._target = graph, True, ""
        self._closed, self._session = True, None
        self._entered: list[ExitStack] = []

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Run `fetches` in the kernel's session; names are looked up in this graph."""
        with self._graph.as_default():
            return KernelSession().run(fetches, feed_dict, options, run_metadata)

    def make_callable(
        self,
        fetches: Any,
        feed_list: Any = None,
        accept_options: bool = False,  # noqa: FBT001, FBT002 - TF1's signature
    ) -> Any:
        """Return a function of the values of `feed_list`, as TF1's."""
        call = KernelSession().make_callable(fetches, feed_list, accept_options)

        def in_graph(*values: Any, **options: Any) -> Any:
            with self._graph.as_default():
                return call(*values, **options)

        return in_graph

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        """Set up a run in parts, as TF1's."""
        with self._graph.as_default():
            return KernelSession().partial_run_setup(fetches, feeds)

    def partial_run(self, handle: Any, fetches: Any, feed_dict: Any = None) -> Any:
        """Continue a run in parts, as TF1's."""
        with self._graph.as_default():
            return KernelSession().partial_run(handle, fetches, feed_dict)

    def list_devices(self) -> list[Any]:
        """Return the devices of the process."""
        return KernelSession().list_devices()

    def close(self) -> None:
        """Do nothing: the room continues."""

    @defer_interrupts
    def __enter__(self) -> Self:
        """Make this session and its graph the defaults."""
        stack = ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(self.as_default())
        self._entered.append(stack)
        session_redirect().entered.append(stack)
        return self

    @defer_interrupts
    def __exit__(self, *raised: object) -> None:
        """Leave the contexts; nothing is closed."""
        stack = self._entered.pop()
        if stack in session_redirect().entered:
            session_redirect().entered.remove(stack)
        stack.close()

    def __del__(self) -> None:
        """Do nothing: there is no native session to end."""


class _SessionRedirect:
    """Replaces the constructors of TF1's sessions in the threads of room cells."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rooms = 0
        self._here = threading.local()
        self._classes = [v1.Session.__mro__[1], v1.InteractiveSession]
        self._originals: list[Callable[..., None]] = []

    @property
    def entered(self) -> list[ExitStack]:
        """The contexts of pasted sessions that this thread is in."""
        if not hasattr(self._here, "entered"):
            self._here.entered = []
        entered: list[ExitStack] = self._here.entered
        return entered

    @contextmanager
    def active(self) -> Iterator[None]:
        """Redirect sessions that this thread creates during the block."""
        with self._lock:
            self._rooms += 1
            if self._rooms == 1:
                self._originals = [cls.__init__ for cls in self._classes]
                for cls, original in zip(self._classes, self._originals, strict=True):
                    cls.__init__ = self._constructor(original)
        outer = getattr(self._here, "inside", False)
        self._here.inside = True
        before = len(self.entered)
        try:
            yield
        finally:
            # An interrupt may have come before the cell left a session.
            while len(self.entered) > before:
                self.entered.pop().close()
            self._here.inside = outer
            with self._lock:
                self._rooms -= 1
                if not self._rooms:
                    for cls, original in zip(self._classes, self._originals, strict=True):
                        cls.__init__ = original

    def _constructor(self, original: Callable[..., None]) -> Callable[..., None]:
        def __init__(session: Any, target: str = "", graph: Any = None, config: Any = None) -> None:  # noqa: N807
            is_native = isinstance(session, NativeSession)
            if target or is_native or not getattr(self._here, "inside", False):
                original(session, target, graph, config)
                return
            if config is not None:
                warnings.warn(
                    "inside a room Session(config=...) is the room's session, and the kernel's "
                    "one configuration stays in force (tfmagic.session.config)",
                    stacklevel=3,
                )
            session.__class__ = PastedSession
            PastedSession.__init__(session, v1.get_default_graph() if graph is None else graph)

        return __init__


def session_redirect() -> _SessionRedirect:
    """Return the process's redirect."""
    return once("pasted sessions", _SessionRedirect)
