"""Zeros for the inputs of a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from tfmagic.execution.signature.signature import Signature


def zeros_for(model: str, signature: Signature, advice: str, rows: int = 1) -> dict[str, Any]:
    """Return an array of zeros for each input that a call needs, with size 1 for every free axis.

    Parameters
    ----------
    model
        The model's name, for messages.
    advice
        What to do instead where the shape of an input is not known.
    rows
        The size of a free first axis.

    Raises
    ------
    SourceError
        When the dtype or shape of an input is not known.
    """
    zeros: dict[str, Any] = {}
    for spec in signature.required:
        if spec.dtype is None or spec.shape is None:
            msg = f"{model} cannot be run on zeros: the shape of its input {spec.name!r} is not known; {advice}"
            raise SourceError(msg)
        shape = tuple((1 if axis else rows) if size is None else size for axis, size in enumerate(spec.shape))
        dtype = tf.as_dtype(spec.dtype).as_numpy_dtype
        zeros[spec.name] = np.full(shape, "", object) if spec.dtype == "string" else np.zeros(shape, dtype)
    return zeros
