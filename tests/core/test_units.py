"""Figures with their units."""

from __future__ import annotations

import pytest

from tfmagic.core.units import bytes_text, counted, seconds_text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "unknown"),
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (26_600, "26.6 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_234_567, "1.23 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1 GB"),
        (1_500_000_000, "1.5 GB"),
        (999_500_000_000, "1000 GB"),
        (999_600_000_000, "1000 GB"),
        (1_234_000_000_000, "1234 GB"),
        (2_000_000_000_000, "2000 GB"),
    ],
)
def test_bytes(count: int | None, text: str) -> None:
    assert bytes_text(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\N{EN DASH}"),
        (0.00000012345, "0.123 µs"),
        (0.000001, "1 µs"),
        (0.0000123, "12.3 µs"),
        (0.0009994, "999 µs"),
        (0.001, "1 ms"),
        (0.0012, "1.2 ms"),
        (0.0009996, "1 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (1.0, "1 s"),
        (2.5, "2.5 s"),
        (999.9, "1000 s"),
        (1234.5, "1234 s"),
    ],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("count", "words", "text"),
    [
        (0, ["message"], "0 messages"),
        (1, ["message"], "1 message"),
        (2, ["message"], "2 messages"),
        (1, ["entry", "entries"], "1 entry"),
        (3, ["entry", "entries"], "3 entries"),
    ],
)
def test_a_count_has_its_word(count: int, words: list[str], text: str) -> None:
    assert counted(count, *words) == text


def test_what_is_unknown_is_never_a_zero() -> None:
    assert "0" not in bytes_text(None) + seconds_text(None)
