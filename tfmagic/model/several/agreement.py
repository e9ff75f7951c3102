"""How far two outputs agree: differences of numbers, equal classes, equal text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# Large outputs are compared this many values at a time, so that no full copy is made.
_CHUNK = 1_000_000


class AgreementRecord(TypedDict):
    """How far an output agrees with another of the same shape. None stands for a measure that does not apply.

    Attributes
    ----------
    largest, mean
        The largest and the mean absolute difference, if one of the outputs has floats.
        Values that are NaN in only one of the two are left out.
    nan_apart
        How many values are NaN in only one of the two.
    same_argmax
        The share of rows whose largest value is at the same place.
    equal
        The share of equal values.
    """

    largest: float | None
    mean: float | None
    nan_apart: int
    values: int
    same_argmax: float | None
    equal: float | None


def agreement(first: np.ndarray | np.generic, second: np.ndarray | np.generic) -> AgreementRecord:
    """Return how far two arrays (or single values) of the same shape agree."""
    first, second = np.asarray(first), np.asarray(second)
    record: AgreementRecord = {
        "largest": None,
        "mean": None,
        "nan_apart": 0,
        "values": int(first.size),
        "same_argmax": None,
        "equal": None,
    }
    if not first.size:
        return record
    if is_fractional(first) or is_fractional(second):
        record["largest"], record["mean"], record["nan_apart"] = _differences(first, second)
    else:
        record["equal"] = _equal_values(first, second) / first.size
    if are_scores(first) and are_scores(second):
        record["same_argmax"] = float(np.mean(same_class(first, second)))
    return record


def is_number(array: np.ndarray) -> bool:
    """Return whether an array holds numbers or booleans."""
    return array.dtype.kind in "biufc" or is_fractional(array)


def is_fractional(array: np.ndarray) -> bool:
    """Return whether an array holds floats or complex numbers, also of dtypes from ml_dtypes."""
    return array.dtype.kind in "fc" or (array.dtype.kind == "V" and "float" in array.dtype.name)


def are_scores(array: np.ndarray) -> bool:
    """Return whether an array may hold scores of classes: rows of several floats."""
    return is_fractional(array) and array.dtype.kind != "c" and array.ndim >= 2 and array.shape[-1] > 1


def same_class(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return for each row of scores whether both have their largest at the same place.

    A row with NaN has no largest: it is the same as a row with NaN at the same places only.
    """
    chunks = []
    for one, other in zip(_float_chunks(first), _float_chunks(second), strict=True):
        missing, other_missing = np.isnan(one), np.isnan(other)
        some_missing = missing.any(-1) | other_missing.any(-1)
        alike = (missing == other_missing).all(-1) & some_missing
        chunks.append(alike | ((one.argmax(-1) == other.argmax(-1)) & ~some_missing))
    return np.concatenate(chunks) if chunks else np.zeros(0, bool)


def classes(scores: np.ndarray) -> np.ndarray:
    """Return the place of the largest score in each row; -1 for a row with NaN."""
    chunks = [np.where(np.isnan(chunk).any(-1), -1, chunk.argmax(-1)) for chunk in _float_chunks(scores)]
    return np.concatenate(chunks) if chunks else np.zeros(0, int)


def _float_chunks(scores: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows of scores, some at a time, in a dtype that NumPy knows."""
    width = scores.shape[-1]
    rows = scores.reshape(-1, width)
    step = max(1, _CHUNK // width)
    for start in range(0, len(rows), step):
        yield _widened(rows[start : start + step])


def _differences(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None, int]:
    """Return the largest and the mean absolute difference, and how many values are NaN in only one of both."""
    largest, total, counted, nan_apart = 0.0, 0.0, 0, 0
    first, second = first.reshape(-1), second.reshape(-1)
    for start in range(0, first.size, _CHUNK):
        one, other = _widened(first[start : start + _CHUNK]), _widened(second[start : start + _CHUNK])
        missing, other_missing = np.isnan(one), np.isnan(other)
        nan_apart += int(np.count_nonzero(missing != other_missing))
        # NaN in both is no difference, and neither is the same infinity.
        counted += int(np.count_nonzero(missing == other_missing))
        present = ~(missing | other_missing)
        one, other = one[present], other[present]
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.where(one == other, 0.0, np.abs(one - other))
        if difference.size:
            largest = max(largest, float(difference.max()))
            total += float(difference.sum())
    return (largest, total / counted, nan_apart) if counted else (None, None, nan_apart)


def _equal_values(first: np.ndarray, second: np.ndarray) -> int:
    """Return how many values are equal; text equals its bytes."""
    if is_number(first):
        return int(np.count_nonzero(first == second))
    pairs = zip(first.reshape(-1), second.reshape(-1), strict=True)
    return sum(_bytes(one) == _bytes(other) for one, other in pairs)


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _widened(array: np.ndarray) -> np.ndarray:
    """Return numbers in a dtype that every NumPy function takes, wide enough for a difference."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
