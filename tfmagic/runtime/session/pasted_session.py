"""``with tf.compat.v1.Session() as sess:`` inside a room is the room's session.

TF1 code that was pasted into a cell makes a session of its own, and would train
private copies of the variables without a word. While a room's cell runs, a
session that is made in the cell's thread is this one instead: it runs its graph
through the kernel's session, and leaving it closes nothing.
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
    from contextlib import AbstractContextManager
    from typing import Self

v1 = tf.compat.v1


class PastedSession(tf.compat.v1.Session):
    """What ``tf.compat.v1.Session(...)`` gives inside a room.

    Parameters
    ----------
    graph
        The graph asked for, or the default graph at the time.
    """

    def __init__(self, graph: Any) -> None:
        self.adopt(graph)

    def adopt(self, graph: Any) -> None:
        """Take `graph`; called where a stock session's constructor would open a native one."""
        # _closed and _session are what BaseSession.__del__ looks at.
        self._graph, self._closed, self._session = graph, True, None
        self._entered: list[ExitStack] = []

    @property
    def graph(self) -> Any:
        """The graph that this session runs."""
        return self._graph

    @property
    def graph_def(self) -> Any:
        """That graph as a ``GraphDef``."""
        return self._graph.as_graph_def(add_shapes=True)

    @property
    def sess_str(self) -> str:
        """The target, which is always this process."""
        return ""

    def run(
        self,
        fetches: Any,
        feed_dict: Any = None,
        options: Any = None,
        run_metadata: Any = None,
    ) -> Any:
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
        """Go on with a run in parts, as TF1's."""
        with self._graph.as_default():
            return KernelSession().partial_run(handle, fetches, feed_dict)

    def list_devices(self) -> list[Any]:
        """Return the devices of the process."""
        return KernelSession().list_devices()

    def as_default(self) -> AbstractContextManager[Any]:
        """Return a context in which ``t.eval()`` uses this session."""
        context: AbstractContextManager[Any] = super().as_default()
        return context

    def close(self) -> None:
        """Close nothing: the room goes on."""

    @defer_interrupts
    def __enter__(self) -> Self:
        """Make this session and its graph the default ones."""
        stack = ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(self.as_default())
        self._entered.append(stack)
        detour().entered.append(stack)
        return self

    @defer_interrupts
    def __exit__(self, *raised: object) -> None:
        """Leave the contexts; nothing is closed."""
        stack = self._entered.pop()
        if stack in detour().entered:
            detour().entered.remove(stack)
        stack.close()

    def __del__(self) -> None:
        """Hold no native session, so there is none to end."""


class _Detour:
    """The constructors of TF1's sessions, and the threads in which they are ours."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rooms = 0
        self._here = threading.local()
        self._classes = [v1.Session.__mro__[1], v1.InteractiveSession]
        self._stock: list[Callable[..., None]] = []

    @property
    def entered(self) -> list[ExitStack]:
        """What this thread has entered of pasted sessions, and not left yet."""
        if not hasattr(self._here, "entered"):
            self._here.entered = []
        entered: list[ExitStack] = self._here.entered
        return entered

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take the detour in this thread for as long as the block lasts."""
        with self._lock:
            self._rooms += 1
            if self._rooms == 1:
                self._install()
        outer = getattr(self._here, "inside", False)
        self._here.inside = True
        before = len(self.entered)
        try:
            yield
        finally:
            # What an interrupt came between: entered, and never left.
            while len(self.entered) > before:
                self.entered.pop().close()
            self._here.inside = outer
            with self._lock:
                self._rooms -= 1
                if not self._rooms:
                    self._remove()

    def _install(self) -> None:
        self._stock = [cls.__init__ for cls in self._classes]
        for cls, stock in zip(self._classes, self._stock, strict=True):
            cls.__init__ = self._constructor(stock)

    def _remove(self) -> None:
        for cls, stock in zip(self._classes, self._stock, strict=True):
            cls.__init__ = stock

    def _constructor(self, stock: Callable[..., None]) -> Callable[..., None]:
        def __init__(session: Any, target: str = "", graph: Any = None, config: Any = None) -> None:  # noqa: N807
            ours = isinstance(session, NativeSession)
            if target or ours or not getattr(self._here, "inside", False):
                stock(session, target, graph, config)
                return
            if config is not None:
                warnings.warn(
                    "inside a room Session(config=...) is the room's session, and the kernel's "
                    "one configuration stays in force (tfmagic.session.config)",
                    stacklevel=3,
                )
            session.__class__ = PastedSession
            session.adopt(v1.get_default_graph() if graph is None else graph)

        return __init__


def detour() -> _Detour:
    """Return the process's detour."""
    return once("pasted sessions", _Detour)
