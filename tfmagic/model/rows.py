"""The rows of an input: how many there are, and some of them, without copying the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.errors import InputError
from tfmagic.model.inputs import checked
from tfmagic.runtime.behaviour import eagerly

if TYPE_CHECKING:
    from tfmagic.model.signature import TensorSpec


class Rows:
    """An input of which some rows at a time are fed.

    Parameters
    ----------
    model
        The model's name, for messages.
    spec
        The input.
    value
        What was given for it. An array, tensor, table or column is taken as it is,
        and each part of it is checked and converted when it is asked for; anything
        else becomes one array now.

    Attributes
    ----------
    count : int or None
        How many rows there are; None for a single value, which has none.

    Raises
    ------
    InputError
        For a structure, and for what does not fit the input.
    """

    def __init__(self, model: str, spec: TensorSpec, value: Any) -> None:
        self.spec = spec
        self._model = model
        self._value = value if _can_be_sliced(value) else checked(model, spec, value)
        if not _can_be_sliced(self._value):
            msg = (
                f"{model}: input {spec.name!r} is a {type(value).__name__}, which has no rows to split: "
                "give an array, or run it without batches"
            )
            raise InputError(msg)
        shape = self._value.shape
        self.count: int | None = int(shape[0]) if len(shape) else None

    def some(self, start: int, stop: int) -> Any:
        """Return the checked array of the rows from `start` up to `stop`.

        Raises
        ------
        InputError
            When they do not fit the input.
        """
        value = self._value
        if isinstance(value, np.ndarray):
            part = value[start:stop]
        elif hasattr(value, "iloc"):
            part = value.iloc[start:stop]
        else:
            # Also where a graph is the current one, in which slicing would add an operation.
            with eagerly():
                part = value[start:stop]
        return checked(self._model, self.spec, part)

    def whole(self) -> Any:
        """Return the checked array of all that was given."""
        return checked(self._model, self.spec, self._value)


def _can_be_sliced(value: Any) -> bool:
    """Return whether rows can be taken without looking at all of them."""
    if isinstance(value, np.ndarray):
        return True
    pandas, tensorflow = sys.modules.get("pandas"), sys.modules.get("tensorflow")
    if pandas is not None and isinstance(value, (pandas.DataFrame, pandas.Series)):
        return True
    # Of tensors only those that have a value; sparse and ragged ones have no plain rows.
    return tensorflow is not None and isinstance(value, tensorflow.Tensor) and hasattr(value, "numpy")
