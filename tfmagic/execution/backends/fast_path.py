"""Calls of a graph model whose inputs are what its signature takes: looked at in a microsecond, and run.

A call that was made once need not be understood again. What does not fit goes the
long way, where every value is converted or refused with words.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.execution.signature.feeds import MISSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.execution.backends.request import Request
    from tfmagic.execution.signature.signature import TensorSpec


class FastCall:
    """The calls that give the same inputs by name, and want the same outputs.

    Parameters
    ----------
    request
        The first of them.

    Attributes
    ----------
    backend : weakref.ref
        How the model ran then; it may go.
    feeds, fetches
        The tensors.
    names
        What the results are called.
    """

    __slots__ = ("_inputs", "_named", "_only", "backend", "feeds", "fetches", "names")

    def __init__(self, request: Request) -> None:
        given = [spec for spec, _ in request.given()]
        self.backend = weakref.ref(request.backend)
        self.feeds = tuple(str(spec.tensor) for spec in given)
        tensors = tuple(tensor for _, tensor in request.fetches)
        self.fetches = (
            tensors if request.backend.compiled is None else request.backend.compiled.fetches(self.feeds, tensors)
        )
        self.names = tuple(name for name, _ in request.fetches)
        self._inputs = tuple(_looked_for(spec) for spec in given)
        self._named = {spec.name for spec in given}
        self._only = len(given) == 1 and len(request.signature.inputs) == 1

    def arrays(self, value: Any, inputs: Mapping[str, Any]) -> list[np.ndarray] | None:
        """Return the arrays to feed; None where the inputs are to be looked at more closely.

        Parameters
        ----------
        value, inputs
            As for ``Model.run``.
        """
        if self._only and not inputs and type(value) is np.ndarray:
            (looked_for,) = self._inputs
            return [value] if _fits(value, *looked_for[1:]) else None
        if type(value) is dict and not inputs:
            inputs = value
        elif value is not MISSING:
            return None
        if inputs.keys() != self._named:
            return None
        arrays = []
        for name, dtype, rank, sizes in self._inputs:
            array = inputs[name]
            if type(array) is not np.ndarray or not _fits(array, dtype, rank, sizes):
                return None
            arrays.append(array)
        return arrays


Looked = tuple[str, np.dtype[Any], int | None, tuple[tuple[int, int], ...]]
"""An input's name, dtype, rank (None for any), and axes with a fixed size."""


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


def _looked_for(spec: TensorSpec) -> Looked:
    shape = spec.shape
    sizes = () if shape is None else tuple((axis, size) for axis, size in enumerate(shape) if size is not None)
    return spec.name, np.dtype(spec.dtype), None if shape is None else len(shape), sizes


def fast_call(request: Request, fetch: object) -> FastCall | None:
    """Return how calls like this one are made without looking at them closely; None where each has to be.

    Parameters
    ----------
    request
        A call that came to a result.
    fetch
        What it was asked to fetch: a name of the room may mean another tensor next time.
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
    """Return whether this is a dtype of NumPy's own, of numbers."""
    try:
        return dtype is not None and np.dtype(dtype).kind in "biufc"
    except TypeError:
        return False
