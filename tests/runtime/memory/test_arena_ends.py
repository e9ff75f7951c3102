"""What malloc_trim leaves: the free end of each thread's arena."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfmagic.runtime.memory.malloc import GlibcMalloc, malloc

PROGRAM = """
import ctypes, threading
from tfmagic.runtime.memory.malloc import malloc, rss_bytes

there, go, gone = threading.Barrier(4), threading.Event(), threading.Barrier(4)

def use():
    # Each has an arena of its own, and leaves 40 MB at its end free.
    there.wait()
    blocks = [libc.malloc(1 << 20) for _ in range(40)]
    for block in blocks:
        ctypes.memset(block, 1, 1 << 20)
    for block in blocks:
        libc.free(block)
    gone.wait()
    go.wait()

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
threads = [threading.Thread(target=use, daemon=True) for _ in range(3)]
[thread.start() for thread in threads]
before = rss_bytes()
malloc().keep_buffers()
there.wait()
gone.wait()
held = rss_bytes()
malloc().trim_now()
print(held - before, rss_bytes() - before, len(threading.enumerate()))
go.set()
"""


@pytest.mark.skipif(not isinstance(malloc(), GlibcMalloc), reason="glibc's arenas")
def test_what_is_free_at_the_end_of_an_arena_goes_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)  # noqa: S603
    held, left, threads = map(int, done.stdout.split())
    assert held > 100e6
    assert left < 10e6
    assert threads == 4
