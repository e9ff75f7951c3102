"""Calls of a graph model that repeat an earlier call with other arrays: they are only checked, and run.

Other inputs are converted or refused by the usual path.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.execution.signature.feeds import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.signature import TensorSpec


# A person who presses Stop does not notice so short a wait.
SHORT_S = 0.1
# So many times as much is still taken for short.
_AS_SHORT = 4


class FastCall:
    """Calls that give the same inputs by name, and fetch the same outputs, as an earlier request.

    `backend` refers weakly to that request's backend, which may be gone. Calls with inputs of up to `short_bytes` are
    known to end soon; it is -1 while nothing is known, and where only the values of the inputs tell.
    """

    __slots__ = ("_input_names", "_inputs", "_takes_one", "backend", "feeds", "fetches", "names", "short_bytes")

    def __init__(self, request: Request) -> None:
        given = [spec for spec, _ in request.given()]
        self.backend = weakref.ref(request.backend)
        self.feeds = tuple(str(spec.tensor) for spec in given)
        self.fetches = request.backend.compiled_fetches(self.feeds, tuple(tensor for _, tensor in request.fetches))
        self.names = tuple(name for name, _ in request.fetches)
        self._inputs = tuple(_expected(spec) for spec in given)
        self._input_names = {spec.name for spec in given}
        self.short_bytes = -1
        self._takes_one = len(given) == 1 and len(request.signature.inputs) == 1

    def arrays(self, value: Any, inputs: Mapping[str, Any]) -> list[np.ndarray] | None:
        """Return the arrays to feed; None where the usual path has to check the inputs of ``Model.run``."""
        if self._takes_one and not inputs and type(value) is np.ndarray:
            (expected,) = self._inputs
            return [value] if _fits(value, *expected[1:]) else None
        if type(value) is dict and not inputs:
            inputs = value
        elif value is not MISSING:
            return None
        if inputs.keys() != self._input_names:
            return None
        arrays = []
        for name, dtype, rank, sizes in self._inputs:
            array = inputs[name]
            if type(array) is not np.ndarray or not _fits(array, dtype, rank, sizes):
                return None
            arrays.append(array)
        return arrays

    def is_short(self, arrays: Sequence[np.ndarray]) -> bool:
        """Return whether a call with these arrays is known to end soon."""
        size_bytes: int = arrays[0].nbytes if len(arrays) == 1 else sum([array.nbytes for array in arrays])
        return size_bytes <= self.short_bytes

    def note_latency(self, size_bytes: int, latency_s: float) -> None:
        """Learn from a call how long others take."""
        self.short_bytes = _AS_SHORT * size_bytes if latency_s < SHORT_S else -1


def _fits(array: np.ndarray, dtype: np.dtype[Any], rank: int | None, sizes: tuple[tuple[int, int], ...]) -> bool:
    if array.dtype != dtype:
        return False
    if rank is None:
        return True
    shape = array.shape
    if len(shape) != rank:
        return False
    for axis, size in sizes:  # noqa: SIM110 - a generator takes longer than the rest of this
        if shape[axis] != size:
            return False
    return True


def _expected(spec: TensorSpec) -> tuple[str, np.dtype[Any], int | None, tuple[tuple[int, int], ...]]:
    """Return an input's name, dtype, rank (None for any), and axes with a fixed size."""
    shape = spec.shape
    sizes = () if shape is None else tuple((axis, size) for axis, size in enumerate(shape) if size is not None)
    return spec.name, np.dtype(spec.dtype), None if shape is None else len(shape), sizes


def fast_call(request: Request, fetch: object) -> FastCall | None:
    """Return how to repeat a call that gave a result; None where each such call needs the usual path.

    `fetch` is its argument: a name of the room may mean another tensor next time.
    """
    signature = request.signature
    if request.backend.graph is None or not request.fetches:
        return None
    if fetch is not None and any(signature.output(name) is None for name, _ in request.fetches):
        return None
    given = [spec for spec, _ in request.given()]
    if any(spec.tensor is None or not _is_plain(spec.dtype) for spec in given):
        return None
    fed = {str(spec.tensor) for spec in given}
    tensors = [tensor for _, tensor in request.fetches]
    if fed.intersection(tensors) or len(set(tensors)) < len(tensors):
        return None
    return FastCall(request)


def _is_plain(dtype: str | None) -> bool:
    """Return whether this is one of NumPy's own dtypes of numbers."""
    try:
        return dtype is not None and np.dtype(dtype).kind in "biufc"
    except TypeError:
        return False
