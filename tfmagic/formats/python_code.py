"""``Model.python``: plain code that loads a model from a file that has its present weights."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

from tfmagic.core.paths import stamp
from tfmagic.errors import SaveError, SourceError
from tfmagic.execution.signature.options import Options
from tfmagic.graphdef.prune import reached, variable_nodes
from tfmagic.runtime.session.kernel_session import KernelSession
from tfmagic.runtime.state.tables import read_tables, tables_of
from tfmagic.runtime.state.variables_io import checksum, values_of

if TYPE_CHECKING:
    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.signature.signature import Signature
    from tfmagic.formats.common.written import LastSave, SourcedModel

# Names that the code itself uses.
_RESERVED = frozenset({"np", "tf", "keras", "numpy", "outputs", "inputs"})


def python_of(model: SourcedModel) -> str:
    """Return plain TensorFlow code for a model; where no file has its weights, a `SaveError` says what to type."""
    backend = model.built_backend()
    signature = model.signature()
    with backend.runs.counted():
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


def _changed_since_read(model: SourcedModel, backend: Backend, signature: Signature) -> str | None:
    """Return what keeps the model's own file from giving its answers, None where nothing does."""
    source = model.source
    if source.where is None or backend.graph is None:
        return "is only in this notebook"
    try:
        unchanged = source.fingerprint() == model.fingerprint
    except SourceError:
        unchanged = False
    if not unchanged:
        return f"was read from {source.where}, which has changed since"
    present = _weights_behind(backend, signature)
    if not present:
        return None
    # Read a second time: for a moment the weights are in memory twice.
    fresh = source.build(model.name, model.options).backend
    try:
        fresh.open()
        same = _weights_behind(fresh, signature) == present
    finally:
        fresh.close()
    return None if same else f"was trained since it was read from {source.where}"


def _weights_behind(backend: Backend, signature: Signature) -> list[int]:
    """Return a checksum of each variable that a signature's outputs depend on, in the order of the graph."""
    graph: Any = backend.graph
    if not values_of(graph).names():
        return []
    definition = graph.as_graph_def()
    outputs = [str(spec.tensor) for spec in backend.signatures[signature.name].outputs]
    used = reached(definition, outputs)
    names = [name for name in variable_nodes(definition) if name in used]
    return [checksum(value) for _, value in backend.values(names)]


def _is_as_saved(backend: Backend, saved: LastSave) -> bool:
    """Return whether the saved files are those that were written, and the weights still those that are in them."""
    if not saved.path.exists() or stamp(saved.path) != saved.stamp:
        return False
    written = dict(saved.written.checksums)
    present = {name: checksum(value) for name, value in backend.values(list(written))}
    if backend.graph is not None:
        graph = backend.graph
        columns = read_tables(graph, KernelSession().open(graph), tables_of(graph))
        present |= {name: checksum(column) for name, column in columns}
    return all(present.get(name) == number for name, number in written.items())


def _code_of_saved(model: SourcedModel, saved: LastSave) -> str:
    source = saved.source
    options = Options(device=model.options.device, unsafe=model.options.unsafe, objects=model.options.objects)
    code = source.python(_function_name(model), source.signature_in_file(saved.written.signature), options)
    if code is None:
        msg = f"there is no plain code that loads a {source.kind}: save {model.name} as a folder first"
        raise SaveError(msg)
    return code


def _function_name(model: SourcedModel) -> str:
    """Return what the function is called: the model's name, changed where Python or the code has that name already."""
    name = model.name.replace("~", "_")
    return f"{name}_model" if name in _RESERVED or hasattr(builtins, name) else name
