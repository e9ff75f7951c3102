"""``Model.python``: from which file a model's plain code is to load it, if any has its present weights."""

from __future__ import annotations

import builtins
from dataclasses import replace
from typing import TYPE_CHECKING

from tfmagic.core.paths import stamp
from tfmagic.errors import SaveError, SourceError
from tfmagic.execution.backends.graph import GraphBackend
from tfmagic.execution.signature.options import Options
from tfmagic.formats.common.written import Format
from tfmagic.formats.frozen.read import FrozenSource
from tfmagic.formats.keras.read import KerasFileSource
from tfmagic.formats.saved_model.code import saved_model_code
from tfmagic.formats.saved_model.meta_graph import SERVE, chosen_meta_graph, signatures_of
from tfmagic.graphdef.prune import reached, variable_nodes
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.tables import read_tables, tables_of
from tfmagic.runtime.state.variables_io import checksum, values_of

if TYPE_CHECKING:
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.written import Saved
    from tfmagic.model.lifecycle.lifecycle import Lifecycle


# What the code imports, and what it calls the outputs.
_TAKEN = frozenset({"np", "tf", "keras", "numpy", "outputs", "inputs"})


def python_of(model: Lifecycle) -> str:
    """Return plain TensorFlow code that gives a model's answers.

    Parameters
    ----------
    model
        The model; one that was added lazily is built first.

    Raises
    ------
    SaveError
        When no file has its present weights; it says what to type.
    """
    backend = model.built_backend()
    signature = model.signature()
    with backend.reserved():
        changed = _changed_since_read(model, backend, signature)
        if changed is None:
            code = model.source.python(_function_name(model), signature, model.options)
            if code is not None:
                return code
        saved = model.saved
        if saved is not None and _is_as_saved(backend, saved):
            return _code_of_saved(model, saved)
    name = model.name
    if saved is not None:
        path = f'"{saved.path}"' if " " in str(saved.path) else saved.path
        msg = (
            f"{name} has changed since it was saved, or {saved.path} has: save it again "
            f"(%tf_model save {name} {path} --replace), then show {name} --python prints code that loads it"
        )
        raise SaveError(msg)
    msg = (
        f"{name} {changed or 'is only in this notebook'}: save it first (%tf_model save {name} ./{name}), "
        f"then show {name} --python prints code that loads it"
    )
    raise SaveError(msg)


def _changed_since_read(model: Lifecycle, backend: Backend, signature: Signature) -> str | None:
    """Return what keeps the model's own file from giving its answers, None where nothing does."""
    source = model.source
    if source.where is None or not isinstance(backend, GraphBackend):
        return "is only in this notebook"
    try:
        unchanged = source.fingerprint() == model.fingerprint
    except SourceError:
        unchanged = False
    if not unchanged:
        return f"was read from {source.where}, which has changed since"
    present = _weights_behind(backend, signature)
    # Read once more, beside the model: for a moment the weights are there twice.
    fresh = source.build(model.name, model.options).backend if present else backend
    try:
        if fresh is not backend:
            fresh.open()
        same = not present or (isinstance(fresh, GraphBackend) and _weights_behind(fresh, signature) == present)
    finally:
        if fresh is not backend:
            fresh.close()
    return None if same else f"was trained since it was read from {source.where}"


def _weights_behind(backend: GraphBackend, signature: Signature) -> list[int]:
    """Return a number for each variable that a signature's outputs depend on, in the order of the graph."""
    if not values_of(backend.graph).names():
        return []
    definition = backend.graph.as_graph_def()
    ends = [str(spec.tensor) for spec in backend.signatures[signature.name].outputs]
    used = reached(definition, ends)
    names = [name for name in variable_nodes(definition) if name in used]
    return [checksum(value) for _, value in backend.values(names)]


def _is_as_saved(backend: Backend, saved: Saved) -> bool:
    """Return whether the saved files are those that were written, and the weights still those that are in them."""
    if not saved.path.exists() or stamp(saved.path) != saved.stamp:
        return False
    then = dict(saved.written.checksums)
    now = {name: checksum(value) for name, value in backend.values(list(then))}
    if isinstance(backend, GraphBackend):
        graph = backend.graph
        columns = read_tables(graph, KernelSession().open(graph), tables_of(graph))
        now |= {name: checksum(column) for name, column in columns}
    return all(name in now and now[name] == number for name, number in then.items())


def _code_of_saved(model: Lifecycle, saved: Saved) -> str:
    name, signature, device = _function_name(model), saved.written.signature, model.options.device
    if saved.format is Format.FOLDER:
        meta = chosen_meta_graph(model.name, saved.path, (SERVE,))
        signature = signatures_of(meta)[0][signature.name]
        own = [spec.name for spec in signature.inputs], [spec.name for spec in signature.outputs]
        return saved_model_code(name, saved.path, (SERVE,), signature, own=own, device=device)
    if saved.format is Format.FROZEN:
        return FrozenSource(saved.path, str(saved.path)).python(name, signature, Options(device=device))
    options = replace(Options(device=device, unsafe=model.options.unsafe), objects=model.options.objects)
    return KerasFileSource(saved.path, str(saved.path)).python(name, signature, options)


def _function_name(model: Lifecycle) -> str:
    """Return what the function is called: the model's name, unless that is taken or has a ``~`` in it."""
    name = model.name.replace("~", "_")
    return f"{name}_model" if name in _TAKEN or hasattr(builtins, name) else name
