"""A live object as a SavedModel folder: its signatures under their names, and the object itself with them."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SaveError
from tfmagic.model.eager_mode import named_outputs
from tfmagic.model.names import names_an_operation
from tfmagic.model.sources.live_ends import require_known, unknown_input
from tfmagic.model.sources.live_root import all_variables, root_of
from tfmagic.model.sources.live_shapes import with_known_shapes
from tfmagic.model.written import Written
from tfmagic.runtime.behaviour import eagerly
from tfmagic.runtime.quiet import without_warnings
from tfmagic.runtime.values import checksum

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tfmagic.model.eager_mode import EagerMode
    from tfmagic.model.signature import Signature, TensorSpec


class LiveFolder:
    """A live object that is to be written; what can be wrong with it shows when this is made.

    Parameters
    ----------
    mode
        How the object is called.
    default
        The default signature's name.

    Raises
    ------
    SaveError
        When the default signature cannot be traced.
    """

    def __init__(self, mode: EagerMode, default: str) -> None:
        self._mode = mode
        self._default = default
        self._notes: list[str] = []
        self._functions: dict[str, Any] = {}
        signatures = {name: with_known_shapes(mode, signature) for name, signature in mode.signatures.items()}
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
        label = self._mode.room.label
        with eagerly(), without_warnings():
            root = root_of(self._mode, self._functions)
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
        checksums = {name: checksum(value) for name, value in self._mode.values()}
        used = {id(variable.handle) for one in self._functions.values() for variable in one.variables}
        variables = all_variables(self._mode).values()
        unused = sum(1 for one in variables if id(one.handle) not in used)
        signature = self._mode.signatures[self._default]
        return Written(signature, len(variables), unused, checksums, tuple(self._notes))

    def _traced(self, signature: Signature) -> Any:
        """Return a signature as a function of TensorFlow's, with inputs and outputs of its names."""
        mode, label = self._mode, self._mode.room.label
        require_known(label, signature)
        inputs = signature.required
        left_out = [spec.name for spec in signature.inputs if spec.optional]
        specs = [_spec(label, spec) for spec in inputs]

        def run(*given: Any) -> dict[str, Any]:
            own = {spec.tensor or spec.name: value for spec, value in zip(inputs, given, strict=True)}
            outputs = named_outputs(mode.invoke(signature.name, own), [spec.tensor for spec in signature.outputs])
            names = {spec.tensor: spec.name for spec in signature.outputs}
            return {names.get(name, name): value for name, value in outputs.items() if value is not None}

        concrete = _concrete(label, signature.name, run, specs)
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


def _concrete(label: str, signature: str, run: Callable[..., Any], specs: list[tf.TensorSpec]) -> Any:
    with eagerly(), without_warnings():
        try:
            try:
                return tf.function(run, autograph=False).get_concrete_function(*specs)
            except tf.errors.OperatorNotAllowedInGraphError:
                # Python that branches on a tensor, in a plain __call__.
                return tf.function(run, autograph=True).get_concrete_function(*specs)
        except Exception as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            reason = lines[-1][:200] if lines else type(error).__name__
            msg = f"{label} cannot be saved, for its signature {signature!r} cannot be made a graph ({reason})"
            raise SaveError(msg) from error
