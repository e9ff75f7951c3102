"""The Python kernels that Jupyter offers, and the tfmagic that each of them has."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TypedDict

from tfmagic.version import __version__

_PATIENCE_S = 30.0
_MOST = 12
# Jupyter replaces these by its own Python.
_PYTHON = re.compile(r"python(3(\.\d+)?)?")
_ASK = """
import importlib.metadata as m, json, platform
def version(name):
    try:
        return m.version(name)
    except m.PackageNotFoundError:
        return None
print(json.dumps({"python": platform.python_version(), "tfmagic": version("tfmagic")}))
"""


class KernelSpecRecord(TypedDict):
    """A kernel that Jupyter offers: its folder, the Python that it starts, and the versions there.

    `shown_as` is its name in the launcher. `tfmagic` is None where it is not installed;
    `error` says why the versions are not known.
    """

    name: str
    shown_as: str
    folder: str
    interpreter: str
    is_this_python: bool
    exists: bool
    python: str | None
    tfmagic: str | None
    error: str | None


def kernel_specs() -> list[KernelSpecRecord] | None:
    """Return the Python kernels; None without Jupyter. Each other Python is asked what is installed there."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        return None
    specs: dict[str, Any] = KernelSpecManager().get_all_specs()
    python = [
        (name, kernel["resource_dir"], kernel["spec"])
        for name, kernel in sorted(specs.items())
        if kernel["spec"].get("language", "").lower() == "python" and kernel["spec"].get("argv")
    ]
    return [_record(name, folder, spec) for name, folder, spec in python[:_MOST]]


def _record(name: str, folder: str, spec: dict[str, Any]) -> KernelSpecRecord:
    word = str(spec["argv"][0])
    path = sys.executable if _PYTHON.fullmatch(word) else shutil.which(word)
    record: KernelSpecRecord = {
        "name": name,
        "shown_as": str(spec.get("display_name", name)),
        "folder": folder,
        "interpreter": path or word,
        "is_this_python": path is not None and _is_this(path),
        "exists": path is not None,
        "python": None,
        "tfmagic": None,
        "error": None,
    }
    if path is None:
        return record
    here = {"python": platform.python_version(), "tfmagic": __version__}
    versions: Any = here if record["is_this_python"] else _versions_at(path)
    result: KernelSpecRecord = record | versions
    return result


def _is_this(path: str) -> bool:
    # By the folder: the Pythons of all environments may be links to the same file.
    here, there = Path(sys.executable), Path(path)
    return there.parent.resolve() == here.parent.resolve() and there.resolve() == here.resolve()


def _versions_at(path: str) -> Any:
    """Ask another Python for its versions; a kernel may also be started by ``conda`` or ``docker``."""
    try:
        done = subprocess.run(  # noqa: S603 - the Python that Jupyter would start
            [path, "-I", "-c", _ASK],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        return {"error": str(error).splitlines()[0] if str(error) else type(error).__name__}
