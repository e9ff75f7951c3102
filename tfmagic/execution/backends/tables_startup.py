"""What a graph runs before its first call, beside the values of its variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Startup:
    """How the tables of a graph that was read from a file are filled.

    What a cell adds to the graph later is not among it: that is in the graph's
    own collections.

    Attributes
    ----------
    initialisers
        Names of the operations or tensors to run.
    assets
        Paths of the model's own files, by the tensor that is fed with each.
    unused
        How many variables the file has that nothing of it reaches, and that were
        not loaded.
    """

    initialisers: tuple[str, ...] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    unused: int = 0
