"""Figures with their units, as a person reads them."""

from __future__ import annotations

UNKNOWN = "unknown"
"""Shown for an unknown figure; never a zero."""


def size_text(count: int) -> str:
    """Return a size in bytes as ``26.6 MB`` (powers of ten)."""
    return _in_units(count, "B", "kB", "MB", "GB")


def bytes_text(count: int | None) -> str:
    """Return a size in bytes that may be unknown."""
    return UNKNOWN if count is None else size_text(count)


def seconds_text(seconds: float | None) -> str:
    """Return a duration in seconds as ``1.2 ms``; a dash where there was none yet."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash for no figure, as tables have it
    return _in_units(seconds * 1e6, "µs", "ms", "s")


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word: ``1 message``, ``3 messages``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _in_units(figure: float, unit: str, *larger_units: str) -> str:
    """Return a figure to three digits, in the first unit, each 1000 times the one before, that keeps it under 1000."""
    for larger in larger_units:
        if figure < 999.5:
            break
        figure, unit = figure / 1000, larger
    return f"{figure:.3g} {unit}" if figure < 999.5 else f"{figure:.0f} {unit}"
