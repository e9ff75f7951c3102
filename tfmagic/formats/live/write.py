"""A live object as a SavedModel folder: its signatures under their names, and the object itself."""

from __future__ import annotations

import inspect
import keyword
from typing import TYPE_CHECKING, Any, cast

import tensorflow as tf

from tfmagic.core.naming import names_an_operation
from tfmagic.errors import SaveError, SourceError
from tfmagic.formats.common.written import Writer, Written
from tfmagic.formats.live.shapes import require_known, unknown_input, with_known_shapes
from tfmagic.formats.live.trace_to_graph import concrete_function, outputs_of_call
from tfmagic.formats.saved_model.write import GraphFolder
from tfmagic.runtime.state.variables_io import checksum
from tfmagic.runtime.tensorflow.python_log import suppressed_warnings
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.signature.signature import Signature, TensorSpec
    from tfmagic.formats.common.written import ModelToWrite


def folder_writer(model: ModelToWrite) -> Writer:
    """Return what writes a model as a SavedModel."""
    if model.backend.graph is None:
        return LiveFolder(cast("EagerBackend", model.backend), model.signature)
    return GraphFolder(model)


class LiveFolder(Writer):
    """Writes a live object as a SavedModel; a default signature that cannot be traced is a `SaveError`."""

    def __init__(self, backend: EagerBackend, default: str) -> None:
        self._backend = backend
        self._default = default
        self._notes: list[str] = []
        self._functions: dict[str, Any] = {}
        signatures = {name: with_known_shapes(backend, signature) for name, signature in backend.signatures.items()}
        unknown = [name for name, signature in signatures.items() if name != default and unknown_input(signature)]
        if unknown:
            listed = ", ".join(repr(name) for name in unknown)
            self._notes.append(f"without its signature {listed}: no call of it has shown yet what it takes")
        for name, signature in signatures.items():
            if name in unknown:
                continue
            try:
                self._functions[name] = self._traced(signature)
            except SaveError as error:
                if name == default:
                    raise
                self._notes.append(f"without its signature {name!r}: {error}")

    def __call__(self, folder: Path) -> Written:
        """Write the SavedModel into an empty folder."""
        label = self._backend.room.label
        with eager_execution(), suppressed_warnings():
            root = root_of(self._backend, self._functions)
            try:
                tf.saved_model.save(root, str(folder), signatures=self._functions)
            except AssertionError as error:
                # A function captured a table or variable that the object does not lead to.
                if "untracked" not in str(error):
                    raise
                msg = (
                    f"{label} cannot be saved: it uses a variable or table that is no attribute of it; "
                    "put both into a tf.Module, and add that"
                )
                raise SaveError(msg) from error
        checksums = {name: checksum(value) for name, value in self._backend.values()}
        used = {id(variable.handle) for function in self._functions.values() for variable in function.variables}
        variables = all_variables(self._backend).values()
        unused = sum(1 for variable in variables if id(variable.handle) not in used)
        signature = self._backend.signatures[self._default]
        return Written(signature, len(variables), unused, checksums, tuple(self._notes))

    def _traced(self, signature: Signature) -> Any:
        """Return a signature as a concrete function with the signature's names for inputs and outputs."""
        label = self._backend.room.label
        require_known(label, signature)
        left_out = [spec.name for spec in signature.inputs if spec.optional]
        specs = [_spec(label, spec) for spec in signature.required]

        def run(*given: Any) -> dict[str, Any]:
            names = {spec.tensor: spec.name for spec in signature.outputs}
            outputs = outputs_of_call(self._backend, signature, given)
            return {names.get(name, name): value for name, value in outputs.items()}

        try:
            with eager_execution(), suppressed_warnings():
                concrete = concrete_function(run, specs)
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[-1][:200] if lines else type(error).__name__
            msg = f"{label} cannot be saved: its signature {signature.name!r} cannot be made a graph ({reason})"
            raise SaveError(msg) from error
        if not all(isinstance(output, tf.Tensor) for output in concrete.structured_outputs.values()):
            msg = f"{label}: signature {signature.name!r} gives sparse or ragged tensors, which no signature can"
            raise SaveError(msg)
        if left_out:
            self._notes.append(f"without inputs that may be left out: {', '.join(left_out)}")
        return concrete


def _spec(label: str, spec: TensorSpec) -> tf.TensorSpec:
    if not names_an_operation(spec.name) or keyword.iskeyword(spec.name):
        msg = (
            f"{label} cannot be saved with an input called {spec.name!r}, which TensorFlow cannot name in a "
            f"SavedModel: add it with another name for it, --inputs NAME={spec.name}"
        )
        raise SaveError(msg)
    return tf.TensorSpec(spec.shape, spec.dtype, name=spec.name)


def root_of(backend: EagerBackend, functions: Mapping[str, Any]) -> Any:
    """Return what ``tf.saved_model.save`` writes.

    A module is written itself, so that its own functions come along. For a Keras model it is a module with all
    variables by path (``weights["dense/kernel"]``), the optimizer's too; for a function, with what the function uses.
    """
    if backend.saveable is not None:
        return backend.saveable
    root = tf.Module()
    root.weights = all_variables(backend)
    # A function may have captured what the object does not list, such as the state of a random generator.
    root.captured = [variable for function in functions.values() for variable in function.variables]
    root.resources = list(_resources(backend.live))
    return root


def all_variables(backend: EagerBackend) -> dict[str, Any]:
    """Return an object's variables of TensorFlow by name; a compiled Keras model's optimizer is included."""
    variables = dict(backend.named_variables())
    optimizer = getattr(backend.live, "optimizer", None)
    for variable in getattr(optimizer, "variables", None) or ():
        variables.setdefault(getattr(variable, "path", variable.name), variable)
    # A Keras variable holds one of TensorFlow's.
    return {name: own if isinstance(own, tf.Variable) else own.value for name, own in variables.items()}


def state_of(backend: EagerBackend) -> Iterator[tuple[str, np.ndarray]]:
    """Give the values of an object's variables, and the columns of its tables."""
    yield from backend.values()
    for index, resource in enumerate(_resources(backend.live)):
        if hasattr(resource, "export"):
            try:
                with eager_execution():
                    columns = [column.numpy() for column in resource.export()]
            except (tf.errors.AbortedError, tf.errors.FailedPreconditionError) as error:
                msg = (
                    f"{backend.room.label} has a table that was never filled, as after a load from .h5, which keeps no "
                    "vocabulary: save the model as .keras, and add that"
                )
                raise SourceError(msg) from error
            yield from zip((f"table {index} keys", f"table {index} values"), columns, strict=True)


def _resources(live: Any) -> Iterator[Any]:
    """Give the tables and similar resources that an object leads to."""
    trackable = tf.__internal__.tracking.Trackable
    function = getattr(live, "python_function", None)
    roots = [live] if function is None else _used_by(function)
    seen: set[int] = set()
    for root in roots:
        if isinstance(root, trackable):
            for resource in tf.train.TrackableView(root).descendants():
                if isinstance(resource, tf.saved_model.experimental.TrackableResource) and id(resource) not in seen:
                    seen.add(id(resource))
                    yield resource


def _used_by(function: Any) -> list[Any]:
    """Return the objects outside of a Python function that it uses."""
    try:
        names = inspect.getclosurevars(inspect.unwrap(function))
    except TypeError:
        return []
    bound = getattr(function, "__self__", None)
    return [*names.nonlocals.values(), *names.globals.values(), *([] if bound is None else [bound])]
