"""Malloc: what it holds free, and giving that back."""

from __future__ import annotations

import platform

import pytest
from factories import fresh_python

from tfmagic.runtime.memory.malloc import GlibcMalloc, Malloc, malloc

GLIBC = platform.libc_ver()[0] == "glibc"


@pytest.mark.skipif(not GLIBC, reason="the GNU C library's malloc")
def test_glibc_is_found_and_says_what_is_free() -> None:
    found = malloc()
    assert isinstance(found, GlibcMalloc)
    free = found.free_bytes()
    assert free is not None
    assert free > 0


def test_another_malloc_says_nothing_and_claims_nothing() -> None:
    other = Malloc()
    other.keep_buffers()
    assert (other.trim(), other.trim_over(0), other.settings) == (False, False, ())


@pytest.mark.slow
@pytest.mark.skipif(not GLIBC, reason="the GNU C library's malloc")
def test_what_is_free_and_resident_is_given_back_once() -> None:
    said = fresh_python("""
        import numpy as np
        from tfmagic.runtime.memory.malloc import malloc, rss_bytes
        heap = malloc()
        heap.keep_buffers()
        kept = []
        for _ in range(2):
            before = rss_bytes()
            arrays = [np.ones(2_000_000) for _ in range(30)]
            # On top of the heap, so that it cannot shrink by itself.
            kept.append(np.ones(100))
            del arrays
            stayed = rss_bytes() - before > 400e6
            print(stayed, heap.trim_over(256_000_000), rss_bytes() - before < 40e6, heap.trim_over(256_000_000))
    """)
    assert said.stdout.strip().split("\n")[-2:] == ["True True True False"] * 2


@pytest.mark.slow
@pytest.mark.skipif(not GLIBC, reason="the GNU C library's malloc")
def test_what_is_freed_is_given_back_also_where_much_was_given_back_before() -> None:
    said = fresh_python("""
        import numpy as np
        from tfmagic.runtime.memory.malloc import malloc, rss_bytes
        heap = malloc()
        heap.keep_buffers()
        # Free on paper from here on: in pieces, none of which is large enough for what comes.
        pieces, between = [], []
        for _ in range(40):
            pieces.append(np.ones(1_000_000))
            between.append(np.ones(20_000))
        del pieces
        heap.trim_now()
        assert heap.free_bytes() > 300e6, heap.free_bytes()
        assert heap.held_free_bytes() < 20e6, heap.held_free_bytes()
        large = np.ones(50_000_000)
        top = np.ones(100)
        heap.trim_over(256_000_000)
        full = rss_bytes()
        del large
        assert heap.held_free_bytes() > 380e6
        print(heap.trim_over(256_000_000), full - rss_bytes() > 380e6, heap.held_free_bytes() < 20e6)
    """)
    assert said.stdout.split() == ["True", "True", "True"], said.stderr


@pytest.mark.slow
@pytest.mark.skipif(not GLIBC, reason="the GNU C library's malloc")
def test_below_the_threshold_nothing_is_trimmed() -> None:
    said = fresh_python("""
        import numpy as np
        from tfmagic.runtime.memory.malloc import malloc
        heap = malloc()
        heap.keep_buffers()
        array = np.ones(10_000_000)
        del array
        print(heap.trim_over(256_000_000), heap.settings)
    """)
    trimmed, *calls = said.stdout.strip().replace("(", "", 1).split(" ", 1)
    assert trimmed == "False"
    assert all(
        name in calls[0] for name in ("M_MMAP_THRESHOLD, 2147483647", "M_TRIM_THRESHOLD, 2147483647", "ARENA_MAX")
    )
