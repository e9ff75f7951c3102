"""Figures with their units."""

from __future__ import annotations

import pytest

from tfmagic.panel.drawing.units import bytes_text, seconds_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (26_600, "26.6 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_500_000_000, "1.5 GB"),
        (2_000_000_000_000, "2000 GB"),
    ],
)
def test_bytes(count: int | None, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.0000123, "12.3 µs"),
        (0.0012, "1.2 ms"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
    ],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


def test_what_is_unknown_is_never_a_zero() -> None:
    assert "0" not in bytes_text(None) + seconds_text(None)
