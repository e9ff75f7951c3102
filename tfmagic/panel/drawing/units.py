"""Figures with their units, as a person reads them."""

from __future__ import annotations

from tfmagic.core.units import size_text

UNKNOWN = "unknown"
"""Shown for an unknown figure; never a zero."""


def bytes_text(count: int | None) -> str:
    """Return a size in bytes as ``26.6 kB`` (powers of ten)."""
    return UNKNOWN if count is None else size_text(count)


def peak_text(count: int | None, *, awaits_trace: bool) -> str:
    """Return the peak of a run; where it is unknown, whether a traced run would tell."""
    return f"{UNKNOWN} until a run with --trace" if awaits_trace else bytes_text(count)


def counted(count: int, one: str, many: str | None = None) -> str:
    """Return a count with its word: ``1 message``, ``3 messages``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def seconds_text(seconds: float | None) -> str:
    """Return a duration in seconds as ``1.2 ms``; a dash where there was none yet."""
    if seconds is None:
        return "–"  # noqa: RUF001 - a dash for no figure, as tables have it
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-6:.2g} µs"
