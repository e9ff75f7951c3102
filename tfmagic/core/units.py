"""Sizes in words, for messages."""

from __future__ import annotations


def size_text(count: int) -> str:
    """Return a size in bytes as ``26.6 MB`` (powers of ten)."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB"):
        if size < 999.5:
            break
        size, unit = size / 1000, larger
    return f"{size:.3g} {unit}" if size < 999.5 else f"{size:.0f} {unit}"
