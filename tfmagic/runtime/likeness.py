"""Whether another way to make a call gives the same answers, also to numbers that did not come yet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Call = Callable[..., list[Any]]

_FLOATS = frozenset("efd")
_ODD = (math.nan, math.inf, -math.inf)


def alike(usual: Call, other: Call, values: Sequence[np.ndarray], *, exactly: bool) -> bool:
    """Return whether two calls give the same for these inputs, for random ones and for odd ones of their shapes.

    Parameters
    ----------
    usual, other
        The calls, which change nothing.
    values
        Inputs as they come.
    exactly
        Whether to the last bit; else as far as the order of sums goes.
    """
    for example in (values, *_examples(values)):
        try:
            expected = usual(*example)
        except Exception:
            if example is values:
                raise
            continue
        try:
            found = other(*example)
        except Exception:  # noqa: BLE001 - whatever it raises, it is not the same
            return False
        if not _same_results(expected, found, exactly=exactly):
            return False
    return True


def where_finite(call: Call, otherwise: Call) -> Call:
    """Return a call whose results are those of another where these, or the inputs, have what is no finite number.

    Parameters
    ----------
    call, otherwise
        Two ways to make it.
    """

    def guarded(*values: np.ndarray) -> list[Any]:
        if all(map(_is_finite, values)):
            results = call(*values)
            if all(map(_is_finite, results)):
                return results
        return otherwise(*values)

    return guarded


def _examples(values: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    if not any(value.dtype.kind == "f" and value.size for value in values):
        return
    random = np.random.default_rng(0)
    plain = [
        random.normal(size=value.shape).astype(value.dtype) if value.dtype.kind == "f" else value for value in values
    ]
    yield plain
    for odd in _ODD:
        example = [value.copy() for value in plain]
        for value in example:
            if value.dtype.kind == "f":
                # Not all of it: what nothing comes of hides what would.
                value.flat[::7] = odd
        yield example


def _is_finite(array: Any) -> bool:
    kind = array.dtype.char if isinstance(array, np.ndarray) else ""
    # A fifth of the time of isfinite for a small array; where it overflows that has the last word.
    if kind and kind in "fd" and math.isfinite(np.vdot(array, array)):
        return True
    return kind not in _FLOATS or bool(np.isfinite(array).all())


def _same_results(expected: Sequence[Any], found: Sequence[Any], *, exactly: bool) -> bool:
    return all(
        one.dtype == other.dtype
        and one.shape == other.shape
        and (_same(one, other) or (not exactly and _near(one, other)))
        for one, other in zip(map(np.asarray, expected), map(np.asarray, found), strict=True)
    )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.all(one == other)) if one.dtype == object else one.tobytes() == other.tobytes()


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype.kind in "fc" and bool(np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True))
