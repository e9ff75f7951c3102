"""The files by which a machine shows that it has a GPU."""

from __future__ import annotations

from pathlib import Path


def gpu_files() -> list[str]:
    """Return the device files of NVIDIA's driver, and Windows' in WSL2; none where there is no GPU to use."""
    folder = Path("/dev")
    return [*sorted(map(str, folder.glob("nvidia[0-9]*"))), *map(str, folder.glob("dxg"))]
