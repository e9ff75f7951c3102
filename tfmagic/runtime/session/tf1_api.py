"""The parts of TF1's session interface that do more than ``run``: callables, and runs in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import ForeignTensorError
from tfmagic.runtime.session.fetches import distinct_graphs, graph_of, leaves, own_feeds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

v1 = tf.compat.v1


def callable_of(
    run: Callable[..., Any], fetches: Any, feed_list: Sequence[Any] | None, *, accept_options: bool
) -> Callable[..., Any]:
    """Return a function of the values of `feed_list` that runs `fetches`, as ``Session.make_callable`` does."""
    keys = list(feed_list or [])

    def call(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
        if len(values) != len(keys):
            msg = f"this callable takes {len(keys)} values, one for each feed; {len(values)} came"
            raise TypeError(msg)
        if not accept_options and (options is not None or run_metadata is not None):
            msg = "this callable takes no options: make it with accept_options=True"
            raise TypeError(msg)
        return run(fetches, dict(zip(keys, values, strict=True)), options, run_metadata)

    return call


def only_graph(fetches: Any) -> Any:
    """Return the graph of a run in parts; `ForeignTensorError` if its fetches are of several graphs, or none."""
    default = v1.get_default_graph()
    graphs = distinct_graphs([graph_of(leaf, default) for leaf in leaves(fetches)])
    if len(graphs) != 1:
        msg = f"a run in parts is of one graph, these fetches are of {len(graphs)}"
        raise ForeignTensorError(msg)
    return graphs[0]


def partial_run(native: Any, handle: Any, fetches: Any, feed_dict: Any) -> Any:
    """Run one part in a native session."""
    # Each part could keep its feeds: nobody knows what the earlier parts have left to run.
    feeds = own_feeds(feed_dict or {}, native.graph, lambda names: tuple(range(len(names))))
    return native.partial_run(handle, fetches, feeds)
