"""TF1's session interface, on top of a ``run`` that takes any graph."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import ForeignTensorError
from tfmagic.runtime.session.fetches import graph_of, in_order, leaves, own_feeds
from tfmagic.runtime.session.hosted_graph import hosted
from tfmagic.runtime.tensorflow.private import session_interface

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

v1 = tf.compat.v1


class Tf1Interface(session_interface()):  # type: ignore[misc]  # a base that is looked up
    """What ``tf.compat.v1.Session`` offers besides ``run``, and ``Saver`` and ``eval`` look for."""

    @abstractmethod
    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Run operations and evaluate tensors."""

    @abstractmethod
    def open(self, graph: Any) -> Any:
        """Return the native session of `graph`, opened if it was not."""

    @property
    def graph(self) -> Any:
        """The current default graph, which is where names are looked up."""
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
        keys = list(feed_list or [])

        def run(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
            if len(values) != len(keys):
                msg = f"this callable takes {len(keys)} values, one for each feed; {len(values)} came"
                raise TypeError(msg)
            feeds = dict(zip(keys, values, strict=True))
            if not accept_options and (options is not None or run_metadata is not None):
                msg = "this callable takes no options: make it with accept_options=True"
                raise TypeError(msg)
            return self.run(fetches, feeds, options, run_metadata)

        return run

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        """Set up a run in parts of one graph, as TF1's."""
        return self._only(fetches).partial_run_setup(fetches, feeds)

    def partial_run(self, handle: Any, fetches: Any, feed_dict: Any = None) -> Any:
        """Go on with a run in parts, as TF1's."""
        native = self._only(fetches)
        # Each part could keep what it is fed: nobody looks at what the parts before it have left to run.
        fed = own_feeds(feed_dict or {}, native.graph, lambda names: tuple(range(len(names))))
        return native.partial_run(handle, fetches, fed)

    def _only(self, fetches: Any) -> Any:
        default = v1.get_default_graph()
        graphs = in_order([graph_of(leaf, default) for leaf in leaves(fetches)])
        if len(graphs) != 1:
            msg = f"a run in parts is of one graph, these fetches are of {len(graphs)}"
            raise ForeignTensorError(msg)
        # Nobody looks at what each part fetches.
        native = self.open(graphs[0])
        hosted(graphs[0]).history.note_assignment()
        return native
