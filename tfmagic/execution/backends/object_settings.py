"""The settings of a live object: attributes other than variables that can decide its results."""

from __future__ import annotations

import sys
from functools import cache, partial
from types import BuiltinFunctionType, FunctionType, MethodType, SimpleNamespace
from typing import Any

import numpy as np
import tensorflow as tf

from tfmagic.runtime.state.variables_io import checksum
from tfmagic.runtime.tensorflow.tf1_switches import eager_execution

_LIBRARIES = {"keras", "tf_keras", "tensorflow"}
_NUMBERS_AND_TEXT = (bool, int, float, complex, str, bytes, bytearray, slice, range)
_PLAIN = (*_NUMBERS_AND_TEXT, np.generic, np.dtype, tf.DType, tf.TensorShape)
_CONTAINERS = (dict, list, tuple, partial, MethodType)
# Attributes that Keras and TensorFlow set, and that decide results or lead to other layers.
_COUNTED = {"_layers", "_self_tracked_trackables", "_dtype_policy"}
# Attributes that compile(), fit(), evaluate() and predict() set on a Keras model.
_TRAINING_ATTRIBUTES = {"optimizer", "loss", "history", "compiled_loss", "compiled_metrics", "_pss_evaluation_shards"}
_TRAINING_ATTRIBUTES.update(f"stop_{act}" for act in ("training", "evaluating", "predicting"))
_TRAINING_PREFIXES = ("_self_", "_compile")


def settings_of(live: Any) -> dict[tuple[int, str], int | None]:
    """Return a checksum of each setting of a live object, and of the layers and modules in it.

    The keys are pairs: the ``id`` of a layer or module, and an attribute's name. Attributes that are empty or
    cannot be read are left out. None stands for a tensor of a graph, which a call has left there.
    A ``tf.function`` and the like have no settings. No array and no object is kept.
    """
    return _SettingsWalk(live).settings


class _SettingsWalk:
    """A walk through an object that visits each layer, module, list and array once."""

    def __init__(self, live: Any) -> None:
        self.settings: dict[tuple[int, str], int | None] = {}
        # With the objects, so that no new object gets one of these ids meanwhile.
        self._checksums: dict[int, tuple[Any, int | None]] = {}
        has_settings = _is_module(live) or isinstance(live, tf.__internal__.tracking.AutoTrackable)
        self._pending = [live] if has_settings else []
        self._visited = {id(live)}
        self._has_graph_tensor = False
        with eager_execution():
            while self._pending:
                self._visit(self._pending.pop())

    def _visit(self, module: Any) -> None:
        ignored = _bookkeeping(type(module))
        for name, value in list(vars(module).items()):
            if name in ignored or (name.startswith(_TRAINING_PREFIXES) and name not in _COUNTED):
                continue
            if _is_own_method(module, name, value):
                # Keras 2 sets it when it saves a layer.
                continue
            self._has_graph_tensor = False
            number = self._checksum(value)
            if number is not None or self._has_graph_tensor:
                self.settings[id(module), name] = None if self._has_graph_tensor else number

    def _checksum(self, value: Any) -> int | None:
        """Return a number that changes with a value; None for a value that is empty or cannot be read."""
        try:
            return None if value is None else self._checksum_of_readable(value)
        except Exception:  # noqa: BLE001 - the person's object: an attribute that cannot be read is left out
            return None

    def _checksum_of_readable(self, value: Any) -> int | None:
        if isinstance(value, _PLAIN):
            # As text: 1, 1.0 and True are equal, but give results of other dtypes.
            return hash((type(value).__name__, repr(value)))
        if _is_module(value):
            if id(value) not in self._visited:
                self._visited.add(id(value))
                self._pending.append(value)
            return hash(("module", id(value)))
        if id(value) not in self._checksums:
            # For a value that contains itself.
            self._checksums[id(value)] = value, 0
            self._checksums[id(value)] = value, self._checksum_of_parts(value)
        return self._checksums[id(value)][1]

    def _checksum_of_parts(self, value: Any) -> int | None:
        if isinstance(value, np.ndarray):
            return hash((str(value.dtype), checksum(value)))
        if tf.is_tensor(value):
            return self._checksum_of_tensor(value)
        if isinstance(value, (set, frozenset)):
            return hash(frozenset(self._checksum(part) for part in value)) if value else None
        parts = _parts(value)
        if parts is not None:
            kind = next(container for container in _CONTAINERS if isinstance(value, container))
            return hash((kind.__name__, *(self._checksum(part) for part in parts))) if parts else None
        return self._checksum_of_object(value)

    def _checksum_of_tensor(self, value: Any) -> int | None:
        if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
            return self._checksum(tf.nest.flatten(value, expand_composites=True))
        if not isinstance(value, tf.Tensor):
            # A variable: its value is no setting.
            return None
        if not hasattr(value, "numpy"):
            self._has_graph_tensor = True
            return None
        # Without `_checksums`, which would keep the copy.
        return self._checksum_of_parts(np.asarray(value.numpy()))

    def _checksum_of_object(self, value: Any) -> int | None:
        kind = type(value)
        if isinstance(value, (FunctionType, BuiltinFunctionType, type)):
            return hash((value.__module__, value.__qualname__, id(value)))
        if hasattr(value, "compute_dtype"):
            return hash((kind.__qualname__, str(value.name), str(value.compute_dtype), str(value.variable_dtype)))
        if hasattr(value, "__dict__") and _is_users_class(kind):
            return hash((kind.__qualname__, self._checksum(dict(vars(value)))))
        return hash((kind.__qualname__, id(value))) if callable(value) else None


def _parts(value: Any) -> list[Any] | None:
    """Return the parts of a container; None for anything else."""
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    return [value.__func__, value.__self__] if isinstance(value, MethodType) else None


def _is_module(value: Any) -> bool:
    """Return whether this is a layer, a model, an operation of a Keras model, or a module."""
    keras = sys.modules.get("keras")
    return isinstance(value, tf.Module) or (keras is not None and isinstance(value, keras.Operation))


def _is_own_method(module: Any, name: str, value: Any) -> bool:
    # Not by isinstance: an object may raise when it is asked for its class.
    is_bound = type(value) is MethodType and value.__self__ is module
    return is_bound and value.__func__ is getattr(type(module), name, None)


def _is_users_class(kind: type) -> bool:
    """Return whether objects of a class are a person's plain data, and no part of a library."""
    packages = {_package(base) for base in kind.__mro__}
    return kind is SimpleNamespace or not (packages & _LIBRARIES or _package(kind) in sys.stdlib_module_names)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _bookkeeping(kind: type) -> set[str]:
    """Return the attributes of Keras and TensorFlow that change when an object is called, built or trained."""
    bases = [
        base for base in kind.__mro__ if _package(base) in _LIBRARIES and base.__name__ in {"Layer", "Model", "Module"}
    ]
    return _TRAINING_ATTRIBUTES.union(*map(_attributes_of_new, bases)) - _COUNTED


@cache
def _attributes_of_new(kind: type) -> frozenset[str]:
    try:
        # With a name, so that the automatic names of the person's layers stay the same.
        return frozenset(vars(kind(name="bare")))
    except Exception:  # noqa: BLE001 - another version's class: then fewer attributes are left out
        return frozenset()
