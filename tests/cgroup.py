"""A control group of Linux's with a memory limit, as a container has it."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@contextlib.contextmanager
def control_group(limit_bytes: int) -> Iterator[Path]:
    """Make a group with a memory limit, into whose ``cgroup.procs`` processes can write themselves."""
    for root, limit in _GROUPS:
        folder = root / f"tfmagic-tests-{os.getpid()}"
        try:
            folder.mkdir()
            (folder / limit).write_text(str(limit_bytes))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        yield folder
        with contextlib.suppress(OSError):
            folder.rmdir()
        return
    pytest.skip("this machine lets nobody make control groups; what is read of them is tested in test_memory.py")
