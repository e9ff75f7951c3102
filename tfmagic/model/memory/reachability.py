"""Which objects reach some target objects through references.

The search goes forward: it costs the objects that it looks through, not all objects of the
process. It runs no code of the person's: no attribute, no hash, no comparison.
"""

from __future__ import annotations

import gc
import sys
import time
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_OBJECTS, _MOST_S = 200_000, 1.0
_LONG = 1000
_LEAVES = (str, bytes, bytearray, int, float, complex, type(None), range, np.generic, type, ModuleType, CodeType)
# Every eager tensor refers to it, and it to many objects of TensorFlow's.
_CONTEXT = ("tensorflow.python.eager.context", "Context")
# A person's class may have a metaclass that would answer in its place.
_MRO, _MODULE, _NAME = (type.__dict__[name].__get__ for name in ("__mro__", "__module__", "__name__"))
_VARS = vars(ModuleType)["__dict__"].__get__


class SearchLimitError(Exception):
    """The search has looked at as many objects, or taken as long, as it may."""


class Reachability:
    """Whether objects reach any of `targets`, without going through `boundary`; remembered between questions."""

    def __init__(self, targets: Sequence[object], boundary: Iterable[object]) -> None:
        self._reaching = {id(target) for target in targets}
        self._not_reaching = {id(value) for value in boundary}
        for module in list(sys.modules.values()):
            if issubclass(type(module), ModuleType):
                self._not_reaching.add(id(_VARS(module)))
        own = list(vars(sys.modules.get("_tfmagic_process", object)).values())
        self._not_reaching.update(id(value) for value in own)
        # By id, for a metaclass may have a hash of its own.
        self._is_leaf_class: dict[int, bool] = {}
        # Keeps temporary objects: once they are freed, others could get their ids.
        self._kept: list[Any] = []
        self._objects_left, self._until = _MOST_OBJECTS, time.monotonic() + _MOST_S

    def reaches(self, root: Any, most: int = _MOST_OBJECTS) -> bool:
        """Return whether an object is a target or reaches one.

        SearchLimitError says that this is not known after `most` objects, or at the limit of all searches.
        """
        if id(root) in self._reaching:
            return True
        parents = {id(root): 0}
        layer = [] if self._is_leaf(root) or id(root) in self._not_reaching else [root]
        while layer:
            next_layer: list[Any] = []
            for parent in layer:
                self._objects_left, most = self._objects_left - 1, most - 1
                if min(self._objects_left, most) < 0 or time.monotonic() > self._until:
                    raise SearchLimitError
                for child in self._referents(parent):
                    key = id(child)
                    if key in self._reaching:
                        # So do all objects on the path: other searches can end there.
                        ancestor = id(parent)
                        while ancestor:
                            self._reaching.add(ancestor)
                            ancestor = parents[ancestor]
                        return True
                    if key not in parents and key not in self._not_reaching and not self._is_leaf(child):
                        parents[key] = id(parent)
                        next_layer.append(child)
            layer = next_layer
            self._kept.append(layer)
        self._not_reaching.update(parents)
        return False

    def _is_leaf(self, value: object) -> bool:
        kind = type(value)
        is_leaf = self._is_leaf_class.get(id(kind))
        if is_leaf is None:
            self._kept.append(kind)
            is_leaf = issubclass(kind, _LEAVES) or _module_and_name(kind) == _CONTEXT
            self._is_leaf_class[id(kind)] = is_leaf
        return is_leaf

    def _referents(self, value: Any) -> list[Any]:
        kind = type(value)
        referents: list[Any]
        if kind is FunctionType:
            return [*(value.__closure__ or ()), value.__defaults__, value.__kwdefaults__, value.__dict__]
        if issubclass(kind, np.ndarray):
            if not np.ndarray.dtype.__get__(value).hasobject:
                return []
            # As a plain array: a subclass must not run code.
            referents = np.asarray(value).ravel().tolist()
            self._kept.append(referents)
            # A view shows only a part of its base.
            base = np.ndarray.base.__get__(value)
            return [base] if len(referents) > _LONG and _are_leaves(referents) else [base, *referents]
        if kind is list and len(value) > _LONG and _are_leaves(value):
            return []
        referents = gc.get_referents(value)
        if kind is FrameType:
            return [part for part in referents if part is not value.f_back and part is not value.f_globals]
        return [] if len(referents) > _LONG and kind is not list and _are_leaves(referents) else referents


def class_names(value: object) -> list[tuple[str, str]]:
    """Return the module and the name of an object's class and of each of its bases."""
    return [_module_and_name(base) for base in _MRO(type(value))]


def _module_and_name(kind: type) -> tuple[str, str]:
    module = _MODULE(kind)
    return (module if type(module) is str else ""), _NAME(kind)


def _are_leaves(values: list[Any]) -> bool:
    """Return whether none of many objects refers to others, as in a long list of numbers."""
    sample = values[:: len(values) // 100 + 1]
    if any(gc.is_tracked(value) or issubclass(type(value), np.ndarray) for value in sample):
        return False
    referents = gc.get_referents(*values)
    # Tuples of numbers are not tracked either, after the first collection.
    return not referents or (not any(map(gc.is_tracked, values)) and _are_leaves(referents))
