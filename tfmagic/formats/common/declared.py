"""What a file declares, held against what it contains and the memory that can be had, before anything is allocated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tfmagic.core.naming import in_words
from tfmagic.core.units import counted, size_text
from tfmagic.errors import SourceError
from tfmagic.graphdef.declared_sizes import (
    declared_constants,
    declared_in_functions,
    declared_variables,
    large_tensors,
    uncountable,
)
from tfmagic.runtime.graph.operations import operations_behind
from tfmagic.runtime.memory.malloc import rss_bytes
from tfmagic.runtime.memory.process_memory import available_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tfmagic.graphdef.declared_sizes import DeclaredTensor

LARGEST_MESSAGE_BYTES = 2**31 - 1
"""No message of protocol buffers, and so no graph, can be larger."""

# There is always room for so much.
_SMALL_BYTES = 1 << 26


def obtainable_bytes() -> int:
    """Return how much memory this process could have at most: what is free, and what it could park or give back."""
    return available_bytes() + rss_bytes()


def check_obtainable(what: str, size_bytes: int) -> None:
    """Raise a `SourceError` where `what` takes more memory than there is; it says who takes it."""
    # Asking the system takes longer than adding a small model.
    if size_bytes > _SMALL_BYTES and size_bytes > (there := obtainable_bytes()):
        msg = (
            f"{what} takes {size_text(size_bytes)} of memory, and this kernel can have {size_text(there)} at most: "
            "load it on a larger machine, or have it written again with smaller shapes"
        )
        raise SourceError(msg)


def check_declared(model: str, path: object, definition: Any, contained: Callable[[], int]) -> None:
    """Refuse a graph whose constants are far larger than the file, or whose values no memory can hold.

    `contained` returns the size of the file.
    """
    if (tensor := uncountable(definition)) is not None:
        where = f"{in_words(tensor.name)!r}, {tensor.op}"
        msg = f"{model}: a tensor of {path} has more elements than can be counted ({where}): it may be damaged"
        raise SourceError(msg)
    constants = declared_constants(definition)
    declared = sum(constant.size_bytes for constant in constants)
    if declared > LARGEST_MESSAGE_BYTES and declared - (contained_bytes := contained()) > LARGEST_MESSAGE_BYTES:
        largest = max(constants, key=lambda constant: constant.size_bytes)
        msg = (
            f"{model}: {path} contains {size_text(contained_bytes)}, and its constants would take "
            f"{size_text(declared)} of memory ({_described(largest)}): it may be damaged"
        )
        raise SourceError(msg)
    values = declared + sum(variable.size_bytes for variable in declared_variables(definition))
    _check_values(f"{model}: what {path} declares in variables and constants", values)
    for tensor in declared_in_functions(definition):
        _check_tensor(model, path, tensor)


def refusals(path: object, definition: Any, contained: Callable[[], int]) -> list[str]:
    """Return why a graph would be refused for what it declares; nothing for one that would not."""
    try:
        check_declared(str(path), path, definition, contained)
    except SourceError as error:
        return [f"add refuses it: {str(error).removeprefix(f'{path}: ')}"]
    return []


def check_tensors_fit(model: str, path: object, graph: Any, roots: Iterable[str]) -> None:
    """Refuse a graph in which these tensors or operations need a tensor that is larger than all memory."""
    large = large_tensors(graph, LARGEST_MESSAGE_BYTES)
    if large:
        for op in operations_behind(graph, roots):
            if op.name in large:
                _check_tensor(model, path, large[op.name])


def _check_tensor(model: str, path: object, tensor: DeclaredTensor) -> None:
    if tensor.size_bytes > LARGEST_MESSAGE_BYTES:
        _check_values(f"{model}: a tensor of {path} ({_described(tensor)})", tensor.size_bytes)


def _check_values(what: str, size_bytes: int) -> None:
    """Check what may be in the memory of a GPU, whose size is not known here."""
    if size_bytes > _SMALL_BYTES and size_bytes > obtainable_bytes() and not tf.config.list_physical_devices("GPU"):
        check_obtainable(what, size_bytes)


def _described(tensor: DeclaredTensor) -> str:
    return f"{in_words(tensor.name)!r}, {tensor.op}, {counted(tensor.elements, 'element')}"
