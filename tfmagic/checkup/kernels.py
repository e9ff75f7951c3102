"""The Python kernels that Jupyter offers, and whether tfmagic is where each of them runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TypedDict

_PATIENCE_S = 30.0
_LOOKED_INTO = 12
# Jupyter puts its own Python in for these.
_ITS_OWN = re.compile(r"python(3(\.\d+)?)?")
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
    """A kernel that Jupyter offers. None stands for what is not known.

    Attributes
    ----------
    name, shown_as
        Its name, and what the launcher shows.
    folder
        Where it is described.
    interpreter
        The Python that it starts.
    is_this_python
        Whether that is the one that runs this.
    exists
        Whether there is such a file.
    python, tfmagic
        The versions there; tfmagic's is None where it is not installed.
    error
        Why that Python did not say so.
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
    found = [
        (name, one["resource_dir"], one["spec"])
        for name, one in sorted(specs.items())
        if one["spec"].get("language", "").lower() == "python" and one["spec"].get("argv")
    ]
    return [_record(name, folder, spec) for name, folder, spec in found[:_LOOKED_INTO]]


def _record(name: str, folder: str, spec: dict[str, Any]) -> KernelSpecRecord:
    word = str(spec["argv"][0])
    path = sys.executable if _ITS_OWN.fullmatch(word) else shutil.which(word)
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
    known: KernelSpecRecord = record | (_own() if record["is_this_python"] else _asked(path))
    return known


def _is_this(path: str) -> bool:
    # By the folder: the Pythons of all environments may be links to the same file.
    here, there = Path(sys.executable), Path(path)
    return there.parent.resolve() == here.parent.resolve() and there.resolve() == here.resolve()


def _own() -> Any:
    import platform

    from tfmagic.version import __version__

    return {"python": platform.python_version(), "tfmagic": __version__}


def _asked(path: str) -> Any:
    """Ask another Python; what starts a kernel need not be one (``conda``, ``docker``)."""
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
