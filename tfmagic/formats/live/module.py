"""Live ``tf.Module`` objects, and what ``tf.saved_model.load`` gives."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.errors import SourceError
from tfmagic.execution.backends.eager import EagerBackend
from tfmagic.execution.signature.signature import DEFAULT, default_among
from tfmagic.formats.live.base import SharedSource, with_names
from tfmagic.formats.live.function import check_function, is_function, signature_and_call

if TYPE_CHECKING:
    from tfmagic.execution.room.room import Room
    from tfmagic.execution.signature.options import Options


class ModuleSource(SharedSource):
    """A live ``tf.Module``, or an object that ``tf.saved_model.load`` gave."""

    kind = "tf.Module"

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a module, or has signatures as a loaded one has."""
        return isinstance(live, (tf.Module, tf.__internal__.tracking.AutoTrackable))

    def connect(self, room: Room, options: Options) -> EagerBackend:
        """Find what can be called: ``signatures``, ``__call__``, and each ``tf.function``."""
        model, live = room.label, self.live
        functions = callables_of(live)
        if not functions:
            msg = f"{model}: this {type(live).__name__} has no __call__, no tf.function and no signatures to run"
            raise SourceError(msg)
        for function in functions.values():
            check_function(model, function)
        signatures_and_calls = {
            name: signature_and_call(name, function, _described(live, function)) for name, function in functions.items()
        }
        signatures = {name: signature for name, (signature, _) in signatures_and_calls.items()}
        default = default_among(model, signatures, options.signature)
        calls = {name: call for name, (_, call) in signatures_and_calls.items()}
        signatures[default], calls[default] = with_names(model, signatures[default], calls[default], options)
        backend = EagerBackend(room, live, signatures, calls, lambda: _variables(live))
        backend.saveable = live
        return backend

    def fingerprint(self) -> object:
        """Return the object's identity, and the names of its functions."""
        return id(self.live), tuple(callables_of(self.live))


def callables_of(live: Any) -> dict[str, Any]:
    """Return the functions that can be called, the default one as ``serving_default``."""
    functions = dict(getattr(live, "signatures", None) or {})
    if DEFAULT not in functions and callable(live):
        call = live.__call__
        functions[DEFAULT] = call
    for name in sorted({*vars(type(live)), *vars(live)}):
        if not name.startswith("_") and is_function(function := _attribute(live, name)):
            functions.setdefault(name, function)
    return functions


def _attribute(live: Any, name: str) -> Any:
    try:
        return getattr(live, name, None)
    except Exception:  # noqa: BLE001 - a property may raise anything, such as a model's shape before it is built
        return None


def _described(live: Any, function: Any) -> Any:
    """Return what has a function's arguments: ``call`` of a ``tf_keras`` model, whose ``__call__`` takes anything."""
    if is_function(function) or not hasattr(live, "call"):
        return function
    kinds = {parameter.kind for parameter in inspect.signature(function).parameters.values()}
    return live.call if kinds <= {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} else function


def _variables(live: Any) -> list[Any]:
    variables = getattr(live, "variables", None)
    if callable(variables) or variables is None:
        return [value for value in vars(live).values() if isinstance(value, tf.Variable)]
    return list(variables)
