"""The settings of a live object: what is no variable of it, and can decide its answers."""

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
_WHOLES = (dict, list, tuple, partial, MethodType)
# What Keras and TensorFlow give their layers and modules, and yet decides answers or leads to more of them.
_TELLING = {"_layers", "_self_tracked_trackables", "_dtype_policy"}
# What compile(), fit(), evaluate() and predict() give a Keras model.
_OF_TRAINING = {"optimizer", "loss", "history", "compiled_loss", "compiled_metrics", "_pss_evaluation_shards"}
_OF_TRAINING.update(f"stop_{act}" for act in ("training", "evaluating", "predicting"))
_OF_TRAINING_BEGIN = ("_self_", "_compile")


def settings_of(live: Any) -> dict[tuple[int, str], int | None]:
    """Return a number for each setting of a live object, and of the layers and modules in it.

    Parameters
    ----------
    live
        A Keras layer, a ``tf.Module`` or the like. Anything else, such as a
        ``tf.function``, has no settings.

    Returns
    -------
    dict
        By layer or module, and attribute. What is empty or cannot be read is left
        out. None stands for what a call has left there: a tensor of a graph. No
        array and no object is kept.
    """
    return _Walk(live).settings


class _Walk:
    """One way through an object: each layer, module, list and array is looked at once."""

    def __init__(self, live: Any) -> None:
        self.settings: dict[tuple[int, str], int | None] = {}
        # With the object itself, so that no other gets its number meanwhile.
        self._seen: dict[int, tuple[Any, int | None]] = {}
        is_one = _is_module(live) or isinstance(live, tf.__internal__.tracking.AutoTrackable)
        self._waiting = [live] if is_one else []
        self._met = {id(live)}
        self._is_of_a_call = False
        with eager_execution():
            while self._waiting:
                self._look_at(self._waiting.pop())

    def _look_at(self, module: Any) -> None:
        ignored = _bookkeeping(type(module))
        for name, value in list(vars(module).items()):
            if name in ignored or (name.startswith(_OF_TRAINING_BEGIN) and name not in _TELLING):
                continue
            if _is_own_method(module, name, value):
                # Keras 2 puts it there when it saves a layer.
                continue
            self._is_of_a_call = False
            number = self._number(value)
            if number is not None or self._is_of_a_call:
                self.settings[id(module), name] = None if self._is_of_a_call else number

    def _number(self, value: Any) -> int | None:
        """Return a number that tells whether a value has changed; None for what is empty or cannot be read."""
        try:
            return None if value is None else self._number_of(value)
        except Exception:  # noqa: BLE001 - the person's object: what cannot be read counts as nothing
            return None

    def _number_of(self, value: Any) -> int | None:
        if isinstance(value, _PLAIN):
            # As text: 1, 1.0 and True are equal, and the answers' dtypes are not.
            return hash((type(value).__name__, repr(value)))
        if _is_module(value):
            if id(value) not in self._met:
                self._met.add(id(value))
                self._waiting.append(value)
            return hash(("module", id(value)))
        if id(value) not in self._seen:
            # What leads back to itself finds this.
            self._seen[id(value)] = value, 0
            self._seen[id(value)] = value, self._number_of_whole(value)
        return self._seen[id(value)][1]

    def _number_of_whole(self, value: Any) -> int | None:
        if isinstance(value, np.ndarray):
            return hash((str(value.dtype), checksum(value)))
        if tf.is_tensor(value):
            return self._number_of_tensor(value)
        if isinstance(value, (set, frozenset)):
            return hash(frozenset(self._number(part) for part in value)) if value else None
        parts = _parts(value)
        if parts is not None:
            kind = next(one for one in _WHOLES if isinstance(value, one))
            return hash((kind.__name__, *(self._number(part) for part in parts))) if parts else None
        return self._number_of_object(value)

    def _number_of_tensor(self, value: Any) -> int | None:
        if isinstance(value, (tf.RaggedTensor, tf.SparseTensor)):
            return self._number(tf.nest.flatten(value, expand_composites=True))
        if not isinstance(value, tf.Tensor):
            # A variable: its values count for themselves.
            return None
        if not hasattr(value, "numpy"):
            self._is_of_a_call = True
            return None
        # Not noted as seen, which would keep the copy.
        return self._number_of_whole(np.asarray(value.numpy()))

    def _number_of_object(self, value: Any) -> int | None:
        kind = type(value)
        if isinstance(value, (FunctionType, BuiltinFunctionType, type)):
            return hash((value.__module__, value.__qualname__, id(value)))
        if hasattr(value, "compute_dtype"):
            return hash((kind.__qualname__, str(value.name), str(value.compute_dtype), str(value.variable_dtype)))
        if hasattr(value, "__dict__") and _is_the_persons(kind):
            return hash((kind.__qualname__, self._number(dict(vars(value)))))
        return hash((kind.__qualname__, id(value))) if callable(value) else None


def _parts(value: Any) -> list[Any] | None:
    """Return what a list or the like consists of; None for anything else."""
    if isinstance(value, dict):
        return [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple)):
        return list(value)
    if isinstance(value, partial):
        return [value.func, value.args, value.keywords]
    return [value.__func__, value.__self__] if isinstance(value, MethodType) else None


def _is_module(value: Any) -> bool:
    """Whether this is a layer or model, an operation of a Keras model, or a module."""
    keras = sys.modules.get("keras")
    return isinstance(value, tf.Module) or (keras is not None and isinstance(value, keras.Operation))


def _is_own_method(module: Any, name: str, value: Any) -> bool:
    # By its type: another object may raise when it is asked for its class.
    is_bound = type(value) is MethodType and value.__self__ is module
    return is_bound and value.__func__ is getattr(type(module), name, None)


def _is_the_persons(kind: type) -> bool:
    """Whether objects of a class are plain data of somebody, and no part of a library that counts for itself."""
    packages = {_package(one) for one in kind.__mro__}
    return kind is SimpleNamespace or not (packages & _LIBRARIES or _package(kind) in sys.stdlib_module_names)


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _bookkeeping(kind: type) -> set[str]:
    """Return the attributes of Keras's and TensorFlow's own that change when an object is called, built or trained."""
    bases = [
        one for one in kind.__mro__ if _package(one) in _LIBRARIES and one.__name__ in {"Layer", "Model", "Module"}
    ]
    return _OF_TRAINING.union(*map(_of_a_bare, bases)) - _TELLING


@cache
def _of_a_bare(kind: type) -> frozenset[str]:
    try:
        # With a name of its own, so that Keras does not number the person's layers on.
        return frozenset(vars(kind(name="bare")))
    except Exception:  # noqa: BLE001 - of another version: then there is less to leave out
        return frozenset()
