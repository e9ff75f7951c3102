"""The environment of programs that start kernels, such as papermill, so that these are forked."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from forking.process import server_for_others
from forking.provisioner import ENTRY_POINT, METADATA
from tfmagic.runtime.memory.policy import SETTINGS


def environment(folder: Path) -> dict[str, str]:
    """Return the variables, and put what they lead to into an empty folder: a kernel that is called as Python's own."""
    modules, kernel = folder / "modules", folder / "kernels" / "python3"
    kernel.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "display_name": "Python 3", "language": "python", "metadata": METADATA}
    (kernel / "kernel.json").write_text(json.dumps(spec))
    # As if it were installed: whatever starts a kernel knows who forks it.
    installed = modules / "forking-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: forking\nVersion: 0\n")
    (installed / "entry_points.txt").write_text(
        f"[{ENTRY_POINT.group}]\n{ENTRY_POINT.name} = {ENTRY_POINT.value}\n",
    )
    (modules / "forking").symlink_to(Path(__file__).parent)
    paths = [str(modules), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    # Without what this process has set for its own TensorFlow, which may not have read it yet.
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_") and name not in SETTINGS}
    return {
        **own,
        **server_for_others(),
        "JUPYTER_PATH": str(folder),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
