"""Check that two ways to make a call give the same results, also for inputs that have not come yet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.concurrency.cancel_scope import check_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Call = Callable[..., list[Any]]

_FLOATS = frozenset("efd")
NON_FINITE = (math.nan, math.inf, -math.inf)


def equivalent_call(usual: Call, other: Call, values: Sequence[np.ndarray], *, is_long: bool = False) -> Call | None:
    """Return the other call if it gives the usual results to within rounding, and None if it does not.

    Both calls are made with these values, with random and with non-finite ones of the same shapes.
    If only results for non-finite values differ, `where_finite` guards the call. A long call
    is guarded without that test, which costs microseconds. Neither call may have side effects.
    """
    random = random_like(values)
    if not _agree(usual, other, [values, random] if random else [values]):
        return None
    if random is None or (not is_long and _agree(usual, other, examples_with(NON_FINITE, random))):
        return other
    return where_finite(other, usual)


def _agree(usual: Call, other: Call, examples: Iterable[Sequence[np.ndarray]]) -> bool:
    """Return whether both give the same for all examples that the usual call accepts, and it accepts any."""
    compared = 0
    for example in examples:
        check_cancelled()
        try:
            expected = usual(*example)
        except Exception:  # noqa: BLE001, S112 - some graphs refuse values out of their range
            continue
        try:
            results = other(*example)
        except Exception:  # noqa: BLE001 - any error is another result
            return False
        if not same_results(expected, results, rtol=1e-3, atol=1e-5):
            return False
        compared += 1
    return compared > 0


def where_finite(call: Call, otherwise: Call) -> Call:
    """Return `call`, with the results of `otherwise` wherever an input or a result is NaN or infinite."""

    def guarded(*values: np.ndarray) -> list[Any]:
        if all(map(_is_finite, values)):
            results = call(*values)
            if all(map(_is_finite, results)):
                return results
        return otherwise(*values)

    return guarded


def random_like(values: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Return random inputs of these shapes; None if no input has real numbers."""
    if not any(value.dtype.kind == "f" and value.size for value in values):
        return None
    random = np.random.default_rng(0)
    return [
        random.normal(size=value.shape).astype(value.dtype) if value.dtype.kind == "f" else value for value in values
    ]


def examples_with(numbers: Iterable[float], values: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield copies of these inputs, each with one of the numbers in every seventh place.

    NaN in every place would hide differences, since all results would be NaN.
    """
    for number in numbers:
        example = [value.copy() for value in values]
        for value in example:
            if value.dtype.kind == "f":
                value.flat[::7] = number
        yield example


def same_results(expected: Sequence[Any], results: Sequence[Any], *, rtol: float, atol: float) -> bool:
    """Return whether results have the same dtypes and shapes, and values that differ by rounding at most."""
    pairs = zip(map(np.asarray, expected), map(np.asarray, results), strict=True)
    return all(
        left.dtype == right.dtype
        and left.shape == right.shape
        and bool(
            np.allclose(left, right, rtol=rtol, atol=atol, equal_nan=True)
            if left.dtype.kind in "fc"
            else np.array_equal(left, right)
        )
        for left, right in pairs
    )


def _is_finite(array: Any) -> bool:
    kind = array.dtype.char if isinstance(array, np.ndarray) else ""
    # For a small array, five times as fast as isfinite, which decides if this overflows.
    if kind and kind in "fd" and math.isfinite(np.vdot(array, array)):
        return True
    return kind not in _FLOATS or bool(np.isfinite(array).all())
