"""Initialisers of variables, tables and iterators that come with a graph: which of them its outputs need."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tfmagic.errors import UnsafeSourceError
from tfmagic.runtime.graph.operations import operations_behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tfmagic.execution.signature.signature import Signature
    from tfmagic.graphdef.guard import Guard


def unneeded_and_unsafe(guard: Guard, signature: Signature, graph: Any, begun: Sequence[Any]) -> list[Any]:
    """Return those of these variables and initialisers that are not to be run: unsafe, and no output needs them.

    An `UnsafeSourceError` is raised for one that an output needs.
    """
    filling: set[str] | None = None
    left_out = []
    for one in begun:
        initialiser = getattr(one, "initializer", one)
        try:
            guard.check([initialiser.name])
        except UnsafeSourceError:
            filling = _filling_what_is_needed(graph, signature) if filling is None else filling
            if initialiser.name in filling:
                raise
            left_out.append(one)
    return left_out


def _filling_what_is_needed(graph: Any, signature: Signature) -> set[str]:
    """Return the operations that get a variable, table or iterator that the outputs need, as initialisers do."""
    needed = operations_behind(graph, [str(spec.tensor) for spec in signature.outputs], signature.given)
    waits_for: defaultdict[str, list[Any]] = defaultdict(list)
    for op in graph.get_operations():
        for before in op.control_inputs:
            waits_for[before.name].append(op)
    filling: set[str] = set()
    waiting = [op for op in needed if _is_handle(op)]
    while waiting:
        op = waiting.pop()
        if op.name not in filling:
            filling.add(op.name)
            waiting.extend(consumer for tensor in op.outputs for consumer in tensor.consumers())
            waiting.extend(waits_for.get(op.name, ()))
    return filling


def unneeded(signature: Signature, graph: Any, initialisers: Sequence[Any]) -> frozenset[str]:
    """Return the names of the initialisers that fill nothing that the outputs need: they may fail."""
    filling = _filling_what_is_needed(graph, signature) if initialisers else set()
    return frozenset(str(one.name) for one in initialisers if one.name not in filling)


def left_out_note(left_out: Sequence[Any]) -> list[str]:
    """Return a note on initialisers that are not run."""
    if not left_out:
        return []
    names = ", ".join(repr(str(one.name)) for one in left_out[:3]) + (", …" if len(left_out) > 3 else "")
    return [f"not initialised: {names}, as that would reach out of the model and no output needs it (--unsafe does it)"]


def _is_handle(op: Any) -> bool:
    # TF1's own variables and tables are handed on by reference.
    return any(tensor.dtype.name == "resource" or tensor.dtype != tensor.dtype.base_dtype for tensor in op.outputs)
