"""Whether another way to make a call gives the same answers, also to numbers that did not come yet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from tfmagic.concurrency.cancel_scope import check_cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Call = Callable[..., list[Any]]

_FLOATS = frozenset("efd")
_ODD = (math.nan, math.inf, -math.inf)


def as_usual(usual: Call, other: Call, values: Sequence[np.ndarray], *, is_long: bool = False) -> Call | None:
    """Return another call if it gives the same to within rounding, guarded where it does not for odd numbers.

    Parameters
    ----------
    usual, other
        The calls, which change nothing.
    values
        Inputs as they come; random ones and odd ones of their shapes are tried as well.
    is_long
        Whether a call takes its time. It is guarded at once then, which costs it nothing.

    Returns
    -------
    callable or None
        The other call, that call with a guard (`where_finite`), or None where it gives something else.
    """
    plain = _random(values)
    if not _alike(usual, other, [values, plain] if plain else [values]):
        return None
    is_same = plain is None or (not is_long and _alike(usual, other, _odd(plain)))
    return other if is_same else where_finite(other, usual)


def _alike(usual: Call, other: Call, examples: Iterable[Sequence[np.ndarray]]) -> bool:
    """Return whether they give the same for those that the usual one takes, of which there must be some."""
    compared = 0
    for example in examples:
        check_cancelled()
        try:
            expected = usual(*example)
        except Exception:  # noqa: BLE001, S112 - there are graphs that refuse what is out of their range
            continue
        try:
            found = other(*example)
        except Exception:  # noqa: BLE001 - whatever it raises, it is not the same
            return False
        if not _same_results(expected, found):
            return False
        compared += 1
    return compared > 0


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


def _random(values: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Return random inputs of these shapes; None where there are no real numbers among them."""
    if not any(value.dtype.kind == "f" and value.size for value in values):
        return None
    random = np.random.default_rng(0)
    return [
        random.normal(size=value.shape).astype(value.dtype) if value.dtype.kind == "f" else value for value in values
    ]


def _odd(plain: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
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


def _same_results(expected: Sequence[Any], found: Sequence[Any]) -> bool:
    return all(
        one.dtype == other.dtype and one.shape == other.shape and (_same(one, other) or _near(one, other))
        for one, other in zip(map(np.asarray, expected), map(np.asarray, found), strict=True)
    )


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.all(one == other)) if one.dtype == object else one.tobytes() == other.tobytes()


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    return one.dtype.kind in "fc" and bool(np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True))
