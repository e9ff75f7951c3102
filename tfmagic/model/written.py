"""What was written of a model, and what was not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.model.signature import Signature


@dataclass(frozen=True)
class Written:
    """What a model's file or folder holds.

    Attributes
    ----------
    signature
        The default one, under the names that it has in the file.
    variables
        How many variables.
    for_training
        How many of them no signature uses.
    checksums
        What tells whether a value has changed since, by the variable's name.
    notes
        What there is to say of what is not in it.
    """

    signature: Signature
    variables: int
    for_training: int
    checksums: Mapping[str, int]
    notes: tuple[str, ...] = ()


def counted(variables: int) -> str:
    """Return ``1 variable`` or ``3 variables``."""
    return "1 variable" if variables == 1 else f"{variables} variables"
