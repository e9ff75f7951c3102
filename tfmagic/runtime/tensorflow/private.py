"""Every private name of TensorFlow that the runtime uses, each with a public fallback.

This is the place to look when a TensorFlow release moves something. ``tests/`` has a test
for each name that fails when the name is gone, so that nobody uses the slower fallback
without noticing.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.concurrency.deep_stack import on_deep_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

v1 = tf.compat.v1


def session_interface() -> type:
    """Return the class that ``Saver.save`` requires of a session; without it, ``object`` serves everything else."""
    return next((base for base in v1.Session.__mro__ if base.__name__ == "SessionInterface"), object)


def devices_are_made() -> bool:
    """Return whether TensorFlow has made its eager devices; without the private name, never."""
    with suppress(ImportError, AttributeError):
        from tensorflow.python.eager import context

        eager_context: Any = context.context_safe()
        return eager_context is not None and eager_context._context_handle is not None  # noqa: SLF001
    return False


def eager_config() -> Any:
    """Return the ``ConfigProto`` that ``tf.config`` describes; the fallback knows no logical devices."""
    try:
        from tensorflow.python.eager import context

        config = context.context().config
        soft_placement = context.context()._soft_device_placement  # noqa: SLF001
    except (ImportError, AttributeError):
        return v1.ConfigProto(
            inter_op_parallelism_threads=tf.config.threading.get_inter_op_parallelism_threads(),
            intra_op_parallelism_threads=tf.config.threading.get_intra_op_parallelism_threads(),
            allow_soft_placement=tf.config.get_soft_device_placement(),
        )
    derived = v1.ConfigProto()
    derived.CopyFrom(config)
    # Unless somebody set it, the public property depends on the calling thread's mode:
    # True when eager, False inside a graph. A process needs one answer.
    derived.allow_soft_placement = True if soft_placement is None else soft_placement
    return derived


def variable_from(definition: Any) -> Any:
    """Return the Python variable of a ``VariableDef``; the fallback makes one of a resource untrainable."""
    try:
        from tensorflow.python.framework import ops

        return ops.get_from_proto_function(v1.GraphKeys.GLOBAL_VARIABLES)(definition)
    except (ImportError, AttributeError, TypeError):
        return v1.Variable.from_proto(definition)


# Value of CallableOptions' inter_op_thread_pool: operations run in the calling thread.
_IN_THIS_THREAD = -1


def native_callable(
    native: Any,
    feeds: Sequence[str],
    fetches: Sequence[str],
    *,
    targets: Sequence[str] = (),
    in_this_thread: bool = False,
) -> Callable[..., Any]:
    """Return a function that takes arrays in the order of `feeds`, runs `targets`, and returns the fetched arrays.

    ``Session._make_callable_from_options`` prepares the pruned graph once. The public
    ``make_callable`` goes through ``Session.run`` at every call (four times slower on a
    small network). With `in_this_thread` the process's pool is not used.
    """
    make = getattr(native, "_make_callable_from_options", None)
    if make is None:
        element = native.graph.as_graph_element
        fetched = [element(name) for name in (*fetches, *targets)]
        return native.make_callable(fetched, feed_list=[element(name) for name in feeds])  # type: ignore[no-any-return]
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches, target=targets)
    if in_this_thread:
        options.run_options.inter_op_thread_pool = _IN_THIS_THREAD
    return make(options)  # type: ignore[no-any-return]


def run_once(native: Any, targets: Sequence[str], feeds: Mapping[str, Any], *, in_this_thread: bool = False) -> None:
    """Run operations (or the operations of tensors) once, and leave nothing of them in the session.

    ``Session.run`` keeps the pruned graph and the executors of everything that it ever ran;
    a callable frees them when it is released. The threads of the process's pool may all be
    stuck: then `in_this_thread` helps.
    """
    operations = [name.split(":")[0] for name in targets]
    values = [np.array(value, dtype=object) if isinstance(value, str) else value for value in feeds.values()]
    native_callable(native, list(feeds), (), targets=operations, in_this_thread=in_this_thread)(*values)


def fetch_once(native: Any, fetches: Sequence[str]) -> list[np.ndarray]:
    """Evaluate tensors once, in the calling thread, and leave nothing of them in the session."""
    return list(native_callable(native, (), fetches, in_this_thread=True)())


def callable_once(
    native: Any, nodes: int, call_options: Any, run_options: Any, run_metadata: Any
) -> Callable[[list[Any]], list[Any]] | None:
    """Return a function for one run, which frees the prepared graph after it; None without the private names.

    ``Session.run`` keeps the prepared graph for the life of the session. `call_options` is the run's
    ``CallableOptions``, without run options, and `nodes` how many its graph has. The others are buffers of
    TensorFlow's C interface, as ``Session._do_run`` gets them; None for none.
    """
    try:
        from tensorflow.python.client import pywrap_tf_session as interface

        if run_options is not None:
            call_options.run_options.ParseFromString(interface.TF_GetBuffer(run_options))
        run = interface.TF_SessionRunCallable
        make, session = v1.Session._make_callable_from_options, native._session  # noqa: SLF001
    except (ImportError, AttributeError):
        return None

    def once(values: list[Any]) -> list[Any]:
        prepared = on_deep_stack(nodes, make, native, call_options)
        return list(run(session, prepared._handle, values, run_metadata))  # noqa: SLF001

    return once


def unfinalize(graph: Any) -> None:
    """Let a finalized graph accept operations again; without the private name it stays finalized."""
    unfinalize_graph = getattr(graph, "_unsafe_unfinalize", None)
    if callable(unfinalize_graph):
        unfinalize_graph()


def xspace(data: bytes) -> Any:
    """Return a profile that ``tf.profiler.experimental`` wrote, as an ``XSpace``; an empty one without that class."""
    try:
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    except ImportError:
        from types import SimpleNamespace

        return SimpleNamespace(planes=())
    return xplane_pb2.XSpace.FromString(data)


def chrome_trace(step_stats: Any) -> str | None:
    """Return ``StepStats`` as Chrome's trace JSON, made by TensorFlow's own timeline; None without it."""
    try:
        from tensorflow.python.client.timeline import Timeline
    except ImportError:
        return None
    return str(Timeline(step_stats).generate_chrome_trace_format(show_memory=True))


def traces_of(function: Any) -> list[Any]:
    """Return the ``ConcreteFunction`` s of a ``tf.function`` so far; none without TensorFlow's own list of them."""
    list_all = getattr(function, "_list_all_concrete_functions", None)
    return list(list_all()) if callable(list_all) else []


def library_of(graph: Any) -> Any:
    """Return the ``FunctionDefLibrary`` of a graph; the fallback copies the whole graph with its constants."""
    definition = v1.GraphDef()
    try:
        graph._copy_functions_to_graph_def(definition, 0)  # noqa: SLF001
    except (AttributeError, tf.errors.OpError):
        # Also where the process has another function of the same name: it is added to those of the process.
        definition = graph.as_graph_def()
    return definition.library


@contextmanager
def collected_graphs() -> Iterator[list[Any]]:
    """Collect the partition graphs of functions that first run in the block, for the whole process; else none."""
    graphs: list[Any] = []
    try:
        from tensorflow.python.eager import context

        eager_context = context.context()
        eager_context.enable_graph_collection()
    except (ImportError, AttributeError):
        yield graphs
        return
    try:
        yield graphs
    finally:
        graphs.extend(eager_context.export_run_metadata().partition_graphs)
        eager_context.disable_graph_collection()


_manager: ContextVar[Any] = ContextVar("tfmagic_cancellation", default=None)


class Cancellation:
    """Cancels the functions that run eagerly in its blocks, between two of their operations.

    TensorFlow's ``CancellationManagerContext`` is one for the whole process, and would
    cancel other threads' functions as well; here each block has its own manager. Without
    the private names, a function runs to its end.
    """

    def __init__(self) -> None:
        try:
            from tensorflow.python.eager import cancellation

            self._manager = cancellation.CancellationManager()
            _patch_context(cancellation)
        except (ImportError, AttributeError):
            self._manager = None

    def cancel(self) -> None:
        """Cancel the functions in the block, from any thread."""
        if self._manager is not None:
            self._manager.start_cancel()

    @contextmanager
    def block(self) -> Iterator[None]:
        """Run a block whose functions can be cancelled."""
        token = _manager.set(self._manager)
        try:
            yield
        finally:
            _manager.reset(token)


def _patch_context(cancellation: Any) -> None:
    """Have TensorFlow use the block's manager; patches once."""
    stock = cancellation.context
    if getattr(stock, "knows_blocks", False):
        return

    def context() -> Any:
        manager = _manager.get()
        return stock() if manager is None else manager

    context.knows_blocks = True  # type: ignore[attr-defined]  # marks the patch
    cancellation.context = context


def make_close_immediate(native: Any) -> bool:
    """Make a new session close without waiting for its runs; return whether that was possible.

    ``tf.compat.v1.Session`` wraps ``TF_NewSessionRef`` around the session of ``TF_NewSession``,
    and that wrapper waits. Without it, the session must not be deleted while it runs. If the
    private names have moved, the session stays as it is.
    """
    if not all(hasattr(tf.compat.v1.Session, name) for name in ("_do_call", "_make_callable_from_options")):
        # Nobody would know whether the session runs.
        return False
    try:
        from tensorflow.python.client import pywrap_tf_session as client

        options = client.TF_NewSessionOptions(target=None, config=native._config)  # noqa: SLF001
        try:
            with native.graph._c_graph.get() as graph:  # noqa: SLF001
                plain_session = client.TF_NewSession(graph, options)
        finally:
            client.TF_DeleteSessionOptions(options)
        wrapper, native._session = native._session, plain_session  # noqa: SLF001
        client.TF_DeleteSession(wrapper)
    except (ImportError, AttributeError, TypeError):
        return False
    return True


def delete_session(native: Any) -> None:
    """Free a session that is closed and does not run; safe to call twice."""
    from tensorflow.python.client import pywrap_tf_session as client

    with native._delete_lock:  # noqa: SLF001
        session, native._session = native._session, None  # noqa: SLF001
    if session is not None:
        client.TF_DeleteSession(session)


def registered_gradients() -> dict[str, Any]:
    """Return TensorFlow's own registry of gradients; an empty one without the private name."""
    with suppress(ImportError, AttributeError):
        from tensorflow.python.framework import ops

        registry: dict[str, Any] = ops.gradient_registry._registry  # noqa: SLF001
        return registry
    return {}


def registered_kernels() -> list[Any]:
    """Return the ``KernelDef`` of every kernel registered in this process; none without the private name.

    A library that defines an operation again is then refused, whatever its kernels are for.
    """
    try:
        from tensorflow.python.framework import kernels
    except ImportError:
        return []
    return list(kernels.get_all_registered_kernels().kernel)


def registered_operation(name: str) -> Any:
    """Return the registered ``OpDef`` of an operation; None if it is not registered."""
    with suppress(ImportError):
        from tensorflow.python.framework import op_def_registry

        return op_def_registry.get(name)
    return None


def kernels_and_operations(before: bytes, after: bytes, operations: bytes) -> tuple[list[Any], list[Any]]:
    """Return each ``KernelDef`` in `after` and not in `before`, and each ``OpDef`` of a serialized list."""
    from collections import Counter

    from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

    old = Counter(kernel.SerializeToString() for kernel in kernel_def_pb2.KernelList.FromString(before).kernel)
    new = []
    for kernel in kernel_def_pb2.KernelList.FromString(after).kernel:
        text = kernel.SerializeToString()
        if not old[text]:
            new.append(kernel)
        # Each registration before stands for one after.
        old[text] -= bool(old[text])
    return new, list(op_def_pb2.OpList.FromString(operations).op)
