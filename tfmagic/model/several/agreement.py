"""How far two outputs agree: differences of numbers, equal classes, equal text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

# So many values are looked at together: of large outputs no second copy is made.
_AT_ONCE = 1_000_000


class AgreementRecord(TypedDict):
    """How far an output agrees with another of the same shape. None stands for what makes no sense for it.

    Attributes
    ----------
    largest, mean
        The largest and the mean absolute difference, of numbers of which one is
        fractional. Values that are NaN in only one of the two are left out.
    nan_apart
        How many values are NaN in only one of the two.
    values
        How many values there are.
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


def agreement(one: np.ndarray | np.generic, other: np.ndarray | np.generic) -> AgreementRecord:
    """Return how far two arrays (or single values) of the same shape agree."""
    one, other = np.asarray(one), np.asarray(other)
    record: AgreementRecord = {
        "largest": None,
        "mean": None,
        "nan_apart": 0,
        "values": int(one.size),
        "same_argmax": None,
        "equal": None,
    }
    if not one.size:
        return record
    if is_fractional(one) or is_fractional(other):
        record["largest"], record["mean"], record["nan_apart"] = _differences(one, other)
    else:
        record["equal"] = _equal(one, other) / one.size
    if are_scores(one) and are_scores(other):
        record["same_argmax"] = float(np.mean(same_class(one, other)))
    return record


def is_number(array: np.ndarray) -> bool:
    """Return whether an array holds numbers (or truths), and no text."""
    return array.dtype.kind in "biufc" or is_fractional(array)


def is_fractional(array: np.ndarray) -> bool:
    """Return whether an array holds floats or complex numbers, also of dtypes that NumPy does not know."""
    return array.dtype.kind in "fc" or (array.dtype.kind == "V" and "float" in array.dtype.name)


def are_scores(array: np.ndarray) -> bool:
    """Return whether an array may hold scores of classes: rows of several floats."""
    return is_fractional(array) and array.dtype.kind != "c" and array.ndim >= 2 and array.shape[-1] > 1


def same_class(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return for each row of scores whether both have their largest at the same place.

    A row with NaN has no largest: it is the same as another only where that one has
    NaN at the same places.
    """
    found = [_same_class(a, b) for a, b in zip(_pieces(one), _pieces(other), strict=True)]
    return np.concatenate(found) if found else np.zeros(0, bool)


def classes(scores: np.ndarray) -> np.ndarray:
    """Return the place of the largest score in each row; -1 in a row with NaN."""
    found = [np.where(np.isnan(piece).any(-1), -1, piece.argmax(-1)) for piece in _pieces(scores)]
    return np.concatenate(found) if found else np.zeros(0, int)


def _same_class(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    missing, missing_too = np.isnan(one), np.isnan(other)
    without = missing.any(-1) | missing_too.any(-1)
    alike: np.ndarray = (missing == missing_too).all(-1) & without
    same: np.ndarray = (one.argmax(-1) == other.argmax(-1)) & ~without
    found: np.ndarray = same | alike
    return found


def _pieces(scores: np.ndarray) -> Iterator[np.ndarray]:
    """Give the rows of scores some at a time, as floats that NumPy knows."""
    width = scores.shape[-1]
    rows = scores.reshape(-1, width)
    step = max(1, _AT_ONCE // width)
    for start in range(0, len(rows), step):
        yield _known(rows[start : start + step])


def _differences(one: np.ndarray, other: np.ndarray) -> tuple[float | None, float | None, int]:
    largest, total, counted, apart = 0.0, 0.0, 0, 0
    a, b = one.reshape(-1), other.reshape(-1)
    for start in range(0, a.size, _AT_ONCE):
        here, there = _known(a[start : start + _AT_ONCE]), _known(b[start : start + _AT_ONCE])
        missing = np.isnan(here), np.isnan(there)
        apart += int(np.count_nonzero(missing[0] != missing[1]))
        kept = ~(missing[0] | missing[1])
        # NaN in both is no difference, and neither is the same infinity.
        counted += int(np.count_nonzero(missing[0] == missing[1]))
        here, there = here[kept], there[kept]
        with np.errstate(invalid="ignore", over="ignore"):
            difference = np.where(here == there, 0.0, np.abs(here - there))
        if difference.size:
            largest = max(largest, float(difference.max()))
            total += float(difference.sum())
    return (largest, total / counted, apart) if counted else (None, None, apart)


def _equal(one: np.ndarray, other: np.ndarray) -> int:
    """Return how many values are equal, text and bytes of the same letters counted as such."""
    if is_number(one):
        return int(np.count_nonzero(one == other))
    pairs = zip(one.reshape(-1), other.reshape(-1), strict=True)
    return sum(_bytes(here) == _bytes(there) for here, there in pairs)


def _bytes(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def _known(array: np.ndarray) -> np.ndarray:
    """Return numbers in a dtype that all of NumPy's functions take, wide enough for a difference."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
