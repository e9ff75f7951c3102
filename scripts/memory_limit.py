"""A limit of memory for a command and its children, as a container has it."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Version 1 of control groups, and version 2.
_GROUPS = (
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
)


@contextmanager
def group_of(limit_bytes: int) -> Iterator[Callable[[], None] | None]:
    """Make a control group with a memory limit, for a ``with`` statement.

    Gives a function that puts the process that calls it into the group, for a child to call before it
    becomes another program; or None where nobody may make such groups.
    """
    folder = _made(limit_bytes)
    if folder is None:
        yield None
        return
    members = folder / "cgroup.procs"

    def enter() -> None:
        members.write_text(str(os.getpid()))

    try:
        yield enter
    finally:
        with suppress(OSError):
            folder.rmdir()


def _made(limit_bytes: int) -> Path | None:
    for root, limit in _GROUPS:
        folder = root / f"tfmagic-{os.getpid()}"
        try:
            folder.mkdir()
            (folder / limit).write_text(str(limit_bytes))
        except OSError:
            with suppress(OSError):
                folder.rmdir()
            continue
        return folder
    return None
