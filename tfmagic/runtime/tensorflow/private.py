"""Every private name of TensorFlow that the runtime uses, each with a public fallback.

One place to look when a TensorFlow release moves something; ``tests/`` has a test
for each name that fails when it goes, so that the slower fallback never becomes
the usual way unnoticed.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

v1 = tf.compat.v1


def session_interface() -> type:
    """Return ``SessionInterface``, which ``Saver.save`` wants a session to be.

    It is the base of the public ``tf.compat.v1.Session``; where it is not found
    there, ``object`` serves everything but ``Saver``.
    """
    for base in v1.Session.__mro__:
        if base.__name__ == "SessionInterface":
            found: type = base
            return found
    return object


def devices_are_made() -> bool:
    """Return whether TensorFlow has made its eager devices, from when on it takes memory.

    Where the private name has gone the answer is no: what then comes too late is
    not said.
    """
    try:
        from tensorflow.python.eager import context

        made: Any = context.context_safe()
        handle = None if made is None else made._context_handle  # noqa: SLF001
    except (ImportError, AttributeError):
        return False
    return handle is not None


def eager_config() -> Any:
    """Return the ``ConfigProto`` that ``tf.config`` has come to, logical devices included.

    ``context().config`` is what ``tf.compat.v1.Session(config=None)`` itself uses.
    The fallback knows the thread counts and soft placement, not logical devices.
    """
    try:
        from tensorflow.python.eager import context

        config = context.context().config
        chosen = context.context()._soft_device_placement  # noqa: SLF001
    except (ImportError, AttributeError):
        config = chosen = None
    derived = v1.ConfigProto()
    if config is not None:
        derived.CopyFrom(config)
        # Unless someone chose, the property says what holds for the calling thread's
        # mode: True when eager, False inside a graph. A process has one answer.
        derived.allow_soft_placement = True if chosen is None else chosen
        return derived
    derived.inter_op_parallelism_threads = tf.config.threading.get_inter_op_parallelism_threads()
    derived.intra_op_parallelism_threads = tf.config.threading.get_intra_op_parallelism_threads()
    derived.allow_soft_placement = tf.config.get_soft_device_placement()
    return derived


def variable_from(definition: Any) -> Any:
    """Return the Python variable of a ``VariableDef`` whose operations are in the default graph.

    ``import_meta_graph`` does it so. The public ``Variable.from_proto`` makes a
    reference variable of a resource, which cannot be trained.
    """
    try:
        from tensorflow.python.framework import ops

        made = ops.get_from_proto_function(v1.GraphKeys.GLOBAL_VARIABLES)(definition)
    except (ImportError, AttributeError, TypeError):
        made = v1.Variable.from_proto(definition)
    return made


# Of CallableOptions: what is called runs in the thread that calls.
_IN_THIS_THREAD = -1


def run_once(native: Any, targets: Sequence[str], feeds: Mapping[str, Any], *, in_this_thread: bool = False) -> None:
    """Run operations that will not run again, and leave nothing of them in the session.

    ``Session.run`` keeps the pruned graph and its executors of everything that it
    ever ran; a callable gives them back when it is released.

    Parameters
    ----------
    native
        A ``tf.compat.v1.Session``.
    targets
        Names of operations, or of tensors to evaluate.
    feeds
        Arrays or texts by tensor name.
    in_this_thread
        Do without the process's pool, whose threads may all be stuck.
    """
    make = getattr(native, "_make_callable_from_options", None)
    if make is None:
        native.run([native.graph.as_graph_element(name) for name in targets], dict(feeds))
        return
    from tensorflow.core.protobuf import config_pb2

    operations = [name.split(":")[0] for name in targets]
    values = [np.array(value, dtype=object) if isinstance(value, str) else value for value in feeds.values()]
    options = config_pb2.CallableOptions(feed=feeds, target=operations)
    if in_this_thread:
        options.run_options.inter_op_thread_pool = _IN_THIS_THREAD
    make(options)(*values)


def fetch_once(native: Any, fetches: Sequence[str]) -> list[np.ndarray]:
    """Return the values of tensors that will not be fetched again, and leave nothing in the session.

    They are evaluated in the thread that asks: those of the process's pool may all be
    stuck in a run that is to be stopped.

    Parameters
    ----------
    native
        A ``tf.compat.v1.Session``.
    fetches
        Tensor names.
    """
    make = getattr(native, "_make_callable_from_options", None)
    if make is None:
        return list(native.run([native.graph.as_graph_element(name) for name in fetches]))
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(fetch=fetches)
    options.run_options.inter_op_thread_pool = _IN_THIS_THREAD
    return list(make(options)())


def native_callable(
    native: Any, feeds: Sequence[str], fetches: Sequence[str], *, in_this_thread: bool = False
) -> Callable[..., Any]:
    """Return a function of arrays in the order of `feeds` that gives those of `fetches`.

    ``Session._make_callable_from_options`` prepares the pruned graph once, where
    the public ``make_callable`` goes through ``Session.run`` at every call (four
    times slower on a small network).

    Parameters
    ----------
    native
        A ``tf.compat.v1.Session``.
    feeds, fetches
        Tensor names (``"x:0"``), all of the session's graph.
    in_this_thread
        Run the operations in the thread that calls, and not in the process's pool.
    """
    make = getattr(native, "_make_callable_from_options", None)
    if make is None:
        graph = native.graph
        return native.make_callable(  # type: ignore[no-any-return]
            [graph.as_graph_element(name) for name in fetches],
            feed_list=[graph.as_graph_element(name) for name in feeds],
        )
    from tensorflow.core.protobuf import config_pb2

    options = config_pb2.CallableOptions(feed=feeds, fetch=fetches)
    if in_this_thread:
        options.run_options.inter_op_thread_pool = _IN_THIS_THREAD
    return make(options)  # type: ignore[no-any-return]


def callable_once(
    native: Any, call_options: Any, run_options: Any, run_metadata: Any
) -> Callable[[list[Any]], list[Any]] | None:
    """Return what makes one run of a session, and lets go of what is prepared for it.

    ``Session.run`` keeps that for the life of the session. None without the private names.

    Parameters
    ----------
    native
        A ``tf.compat.v1.Session``.
    call_options
        The ``CallableOptions`` of the run, without options of the run itself.
    run_options, run_metadata
        Buffers of TensorFlow's C interface, as ``Session._do_run`` gets them; None for none.
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
        made = make(native, call_options)
        return list(run(session, made._handle, values, run_metadata))  # noqa: SLF001

    return once


def unfinalize(graph: Any) -> None:
    """Have a finalized graph take operations again; where the private name has gone, it stays finalized."""
    again = getattr(graph, "_unsafe_unfinalize", None)
    if callable(again):
        again()


def xspace(data: bytes) -> Any:
    """Return a profile that ``tf.profiler.experimental`` wrote, as an ``XSpace`` message.

    TensorFlow writes the file and gives no public way to read it. Without the
    message's class there is a profile of nothing, and so a trace without operations.
    """
    try:
        from tensorflow.tsl.profiler.protobuf import xplane_pb2
    except ImportError:
        from types import SimpleNamespace

        return SimpleNamespace(planes=())
    read = xplane_pb2.XSpace()
    read.ParseFromString(data)
    return read


def chrome_trace(step_stats: Any) -> str | None:
    """Return ``StepStats`` as Chrome's trace JSON, drawn by TensorFlow's own timeline; None where that has gone."""
    try:
        from tensorflow.python.client.timeline import Timeline
    except ImportError:
        return None
    return str(Timeline(step_stats).generate_chrome_trace_format(show_memory=True))


def traces_of(function: Any) -> list[Any]:
    """Return the ``ConcreteFunction`` s that a ``tf.function`` has been traced to so far.

    Without TensorFlow's own list of them, which saving a module goes through, none.
    """
    listed = getattr(function, "_list_all_concrete_functions", None)
    return list(listed()) if callable(listed) else []


def library_of(graph: Any) -> Any:
    """Return the ``FunctionDefLibrary`` of a graph, without a copy of the graph's constants.

    Without the private name the graph is copied, and its constants with it.
    """
    definition = v1.GraphDef()
    try:
        graph._copy_functions_to_graph_def(definition, 0)  # noqa: SLF001
    except AttributeError:
        definition = graph.as_graph_def()
    return definition.library


@contextmanager
def collected_graphs() -> Iterator[list[Any]]:
    """Collect the partition graphs of functions that are first run in the block; the list is filled at its end.

    It is what ``tf.summary.trace_on`` switches, for the whole process. Without the
    private names none are collected.
    """
    found: list[Any] = []
    try:
        from tensorflow.python.eager import context

        here = context.context()
        here.enable_graph_collection()
    except (ImportError, AttributeError):
        yield found
        return
    try:
        yield found
    finally:
        found.extend(here.export_run_metadata().partition_graphs)
        here.disable_graph_collection()


_manager: ContextVar[Any] = ContextVar("tfmagic_cancellation", default=None)


class Cancellation:
    """Ends the functions that run eagerly in its blocks, between two of their operations.

    TensorFlow's ``CancellationManagerContext`` is one for the whole process, and
    would end what another thread runs as well; here each block has its own. Where
    the private names are gone, a function runs to its end.
    """

    def __init__(self) -> None:
        try:
            from tensorflow.python.eager import cancellation

            self._manager = cancellation.CancellationManager()
            _know_blocks(cancellation)
        except (ImportError, AttributeError):
            self._manager = None

    def cancel(self) -> None:
        """End what runs in the block, from any thread."""
        if self._manager is not None:
            self._manager.start_cancel()

    @contextmanager
    def block(self) -> Iterator[None]:
        """Run a block whose functions can be ended."""
        token = _manager.set(self._manager)
        try:
            yield
        finally:
            _manager.reset(token)


def _know_blocks(cancellation: Any) -> None:
    """Have TensorFlow ask for the block's manager, from the first one on."""
    stock = cancellation.context
    if getattr(stock, "knows_blocks", False):
        return

    def context() -> Any:
        manager = _manager.get()
        return stock() if manager is None else manager

    context.knows_blocks = True  # type: ignore[attr-defined]  # so that it is put there once
    cancellation.context = context


def unwaiting_session(native: Any) -> bool:
    """Have a session close without waiting for its runs; return whether that could be done.

    ``tf.compat.v1.Session`` puts ``TF_NewSessionRef`` around what ``TF_NewSession``
    gives; it is the former that waits. Who does without it must not delete the
    session while it runs. Where the private names have moved, it stays as it is.

    Parameters
    ----------
    native
        A ``tf.compat.v1.Session`` that has just been made.
    """
    if not all(hasattr(tf.compat.v1.Session, name) for name in ("_do_call", "_make_callable_from_options")):
        # Then nobody knows whether it runs.
        return False
    try:
        from tensorflow.python.client import pywrap_tf_session as client

        options = client.TF_NewSessionOptions(target=None, config=native._config)  # noqa: SLF001
        try:
            with native.graph._c_graph.get() as graph:  # noqa: SLF001
                made = client.TF_NewSession(graph, options)
        finally:
            client.TF_DeleteSessionOptions(options)
        former, native._session = native._session, made  # noqa: SLF001
        client.TF_DeleteSession(former)
    except (ImportError, AttributeError, TypeError):
        return False
    return True


def delete_session(native: Any) -> None:
    """Free what a session holds that was closed and does not run; once, whoever comes first."""
    from tensorflow.python.client import pywrap_tf_session as client

    with native._delete_lock:  # noqa: SLF001
        made, native._session = native._session, None  # noqa: SLF001
    if made is not None:
        client.TF_DeleteSession(made)


def registered_gradients() -> dict[str, Any]:
    """Return TensorFlow's registry of gradients, to be changed; empty where the private name has gone."""
    try:
        from tensorflow.python.framework import ops

        found: dict[str, Any] = ops.gradient_registry._registry  # noqa: SLF001
    except (ImportError, AttributeError):
        return {}
    return found


def registered_kernels() -> list[Any]:
    """Return the ``KernelDef`` of every kernel that is registered in this process.

    There is no public name for them; where the private one has gone there are none, and
    a library that defines an operation again is refused whatever its kernels are for.
    """
    try:
        from tensorflow.python.framework import kernels
    except ImportError:
        return []
    return list(kernels.get_all_registered_kernels().kernel)


def registered_operation(name: str) -> Any:
    """Return the ``OpDef`` under which an operation is registered, None where there is none."""
    try:
        from tensorflow.python.framework import op_def_registry
    except ImportError:
        return None
    return op_def_registry.get(name)


def kernels_and_operations(before: bytes, after: bytes, operations: bytes) -> tuple[list[Any], list[Any]]:
    """Return the ``KernelDef`` that `after` has and `before` has not, and the ``OpDef`` of a serialized list."""
    from collections import Counter

    from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

    first = Counter(one.SerializeToString() for one in kernel_def_pb2.KernelList.FromString(before).kernel)
    fresh = []
    for one in kernel_def_pb2.KernelList.FromString(after).kernel:
        text = one.SerializeToString()
        if first[text]:
            first[text] -= 1
        else:
            fresh.append(one)
    return fresh, list(op_def_pb2.OpList.FromString(operations).op)
