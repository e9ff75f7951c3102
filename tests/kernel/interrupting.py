"""Pressing Stop while a cell is in the middle of something."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from kernel.harness import PATIENCE_S

if TYPE_CHECKING:
    from kernel.harness import Kernel, Reply


def interrupted(kernel: Kernel, cell: str) -> Reply:
    """Run a cell, interrupt the kernel once its native run has started, and return what came of it."""
    started = kernel.folder / "started"
    started.unlink(missing_ok=True)

    def interrupt() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not started.exists():
            assert time.monotonic() < deadline, "the cell's native run did not start"
            time.sleep(0.01)
        kernel.manager.interrupt_kernel()

    return kernel.run(cell, meanwhile=interrupt)
