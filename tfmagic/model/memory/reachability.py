"""Which of a person's objects lead to some others.

The search goes forward, so that what it costs is the size of what is looked
through, not of everything that the process holds. Nothing of the person's is
called: no attribute, no hash, no comparison.
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

_OBJECTS, _SECONDS = 200_000, 1.0
_CLOSED = (str, bytes, bytearray, int, float, complex, type(None), range, np.generic, type, ModuleType, CodeType)
# Every eager tensor leads to it, and it to much that is TensorFlow's own.
_CONTEXT = ("tensorflow.python.eager.context", "Context")
# A person's class may have a metaclass that would answer in its place.
_MRO, _MODULE, _NAME = (type.__dict__[name].__get__ for name in ("__mro__", "__module__", "__name__"))
_VARS = vars(ModuleType)["__dict__"].__get__


class EnoughError(Exception):
    """The search has cost what it may."""


class Reach:
    """What leads to any of some objects, learned while it is asked.

    Parameters
    ----------
    targets
        The objects.
    ends
        Others that are not looked into.
    """

    def __init__(self, targets: Sequence[object], ends: Iterable[object]) -> None:
        self._leading = {id(target) for target in targets}
        self._innocent = {id(one) for one in ends}
        for module in list(sys.modules.values()):
            if issubclass(type(module), ModuleType):
                self._innocent.add(id(_VARS(module)))
        self._innocent.update(id(one) for one in list(vars(sys.modules.get("_tfmagic_process", object)).values()))
        # By id, for a metaclass may have a hash of its own.
        self._closed: dict[int, bool] = {}
        # What was made on the way: freed too early, its id would be another's.
        self._made: list[Any] = []
        self._left, self._until = _OBJECTS, time.monotonic() + _SECONDS

    def leads(self, root: Any, share: int = _OBJECTS) -> bool:
        """Say whether an object is a target or leads to one.

        Raises
        ------
        EnoughError
            When `share` objects were looked at, or all that may be in all, and it is not known.
        """
        if id(root) in self._leading:
            return True
        parents = {id(root): 0}
        layer = [] if self._is_closed(root) or id(root) in self._innocent else [root]
        while layer:
            below: list[Any] = []
            for one in layer:
                self._left, share = self._left - 1, share - 1
                if min(self._left, share) < 0 or time.monotonic() > self._until:
                    raise EnoughError
                for child in self._referents(one):
                    key = id(child)
                    if key in self._leading:
                        # All on the way lead there, too: others that meet it need not go on.
                        found = id(one)
                        while found:
                            self._leading.add(found)
                            found = parents[found]
                        return True
                    if key not in parents and key not in self._innocent and not self._is_closed(child):
                        parents[key] = id(one)
                        below.append(child)
            layer = below
            self._made.append(layer)
        self._innocent.update(parents)
        return False

    def _is_closed(self, one: object) -> bool:
        kind = type(one)
        closed = self._closed.get(id(kind))
        if closed is None:
            self._made.append(kind)
            closed = issubclass(kind, _CLOSED) or _home(kind) == _CONTEXT
            self._closed[id(kind)] = closed
        return closed

    def _referents(self, one: Any) -> list[Any]:
        kind = type(one)
        found: list[Any]
        if kind is FunctionType:
            return [*(one.__closure__ or ()), one.__defaults__, one.__kwdefaults__, one.__dict__]
        if issubclass(kind, np.ndarray):
            if not np.ndarray.dtype.__get__(one).hasobject:
                return []
            # Of a subclass, no code may run.
            found = np.asarray(one).ravel().tolist()
            self._made.append(found)
            # A view may show a part only.
            whole = np.ndarray.base.__get__(one)
            return [whole] if len(found) > 1000 and _are_leaves(found) else [whole, *found]
        if kind is list and len(one) > 1000 and _are_leaves(one):
            return []
        found = gc.get_referents(one)
        if kind is FrameType:
            return [part for part in found if part is not one.f_back and part is not one.f_globals]
        return [] if len(found) > 1000 and kind is not list and _are_leaves(found) else found


def lineage(value: object) -> list[tuple[str, str]]:
    """Return the module and the name of an object's class and of each of its bases."""
    return [_home(base) for base in _MRO(type(value))]


def _home(kind: type) -> tuple[str, str]:
    module = _MODULE(kind)
    return (module if type(module) is str else ""), _NAME(kind)


def _are_leaves(many: list[Any]) -> bool:
    """Say whether nothing is below any of many objects: a list of numbers is not to be gone through one by one."""
    some = many[:: len(many) // 100 + 1]
    if any(gc.is_tracked(one) or issubclass(type(one), np.ndarray) for one in some):
        return False
    below = gc.get_referents(*many)
    # Tuples of numbers are not tracked either, once they were collected.
    return not below or (not any(map(gc.is_tracked, many)) and _are_leaves(below))
