"""What ``pip`` has replaced under this kernel: what is imported is of one version, what is installed of another."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

# Modules, and the packages that bring them.
_BROUGHT_BY = {
    "IPython": ("ipython",),
    "ipykernel": ("ipykernel",),
    "traitlets": ("traitlets",),
    "ipywidgets": ("ipywidgets",),
    "numpy": ("numpy",),
    "google.protobuf": ("protobuf",),
    "keras": ("keras",),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
}


def replaced_line() -> str | None:
    """Return one line that names what was replaced and what to do; None where nothing was."""
    found = [text for module, packages in _BROUGHT_BY.items() if (text := _replaced(module, packages))]
    if not found:
        return None
    return f"pip has replaced {', '.join(found)} under this kernel: restart it, then %load_ext tfmagic"


def _replaced(module: str, packages: tuple[str, ...]) -> str | None:
    loaded = vars(sys.modules.get(module, object))
    version, file = loaded.get("__version__"), loaded.get("__file__")
    if not isinstance(version, str) or not isinstance(file, str):
        return None
    # Only beside the module itself: another folder's package is another copy.
    beside = str(Path(file).parents[module.count(".") + 1])
    installed = [found.version for name in packages for found in metadata.distributions(name=name, path=[beside])]
    if not installed or _release(version) in map(_release, installed):
        return None
    return f"{module} {version} by {installed[0]}"


def _release(version: str) -> list[int]:
    """Return the numbers of a release: 9.1.0.dev0 and 9.1 are one."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    parts = [int(part) for part in numbers[0].split(".")] if numbers else []
    while parts and parts[-1] == 0:
        parts.pop()
    return parts
