"""The device files that show whether a machine has a GPU."""

from __future__ import annotations

from pathlib import Path


def gpu_files() -> list[str]:
    """Return the device files of NVIDIA's driver, and of Windows in WSL2; none where there is no GPU to use."""
    folder = Path("/dev")
    return [*sorted(map(str, folder.glob("nvidia[0-9]*"))), *map(str, folder.glob("dxg"))]
