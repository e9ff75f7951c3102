"""Environment variables that decide which libraries are found, and how TensorFlow uses them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import psutil

from tfmagic.runtime.memory.policy import memory_policy

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOADER = {
    "LD_LIBRARY_PATH": "folders searched before the system's own, and before a library's RUNPATH",
    "LD_PRELOAD": "libraries loaded before every other",
    "LD_AUDIT": "libraries that observe the loader",
    "LD_BIND_NOW": "every symbol is bound when a library is loaded",
    "DYLD_LIBRARY_PATH": "folders searched before a library's own path",
    "DYLD_FALLBACK_LIBRARY_PATH": "folders searched last",
    "DYLD_INSERT_LIBRARIES": "libraries loaded before every other",
}
_OTHERS = {
    "CUDA_HOME": "where CUDA is installed",
    "CUDA_PATH": "where CUDA is installed",
    "CUDA_ROOT": "where CUDA is installed",
    "CUDNN_PATH": "where cuDNN is installed",
    "CUDA_VISIBLE_DEVICES": "the GPUs that this process may see",
    "CUDA_DEVICE_ORDER": "how GPUs are numbered",
    "NVIDIA_VISIBLE_DEVICES": "the GPUs that the container was given",
    "XLA_FLAGS": "XLA's switches, the folder of CUDA's tools among them",
    "OMP_NUM_THREADS": "threads of each OpenMP runtime",
    "MKL_NUM_THREADS": "threads of MKL",
    "OPENBLAS_NUM_THREADS": "threads of OpenBLAS",
    "KMP_DUPLICATE_LIB_OK": "two Intel OpenMP runtimes are allowed",
}
_MEANINGS = _LOADER | _OTHERS
# Terraform's variables have the same prefix, and some hold passwords.
_TENSORFLOW_SWITCH = re.compile(
    r"TF2?_(?!VAR_|TOKEN_|CLI_|LOG(_|$)|DATA_DIR$|WORKSPACE$|INPUT$|IN_AUTOMATION$|REGISTRY_|PLUGIN_CACHE|STATE_|"
    r"REATTACH|IGNORE$|APPEND_USER_AGENT|ENCRYPTION|CLOUD_|ACC(_|$)|HTTP_)"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|(?:^|_)KEY(?:_|$)", re.IGNORECASE)
_CUDA_FOLDER = re.compile(r"--xla_gpu_cuda_data_dir=(\S+)")


class SettingRecord(TypedDict):
    """One environment variable.

    Attributes
    ----------
    value
        The current value; ``(not shown)`` if the name suggests a secret.
    at_start
        The value when the process began, if the loader read it then and it has changed;
        None if it is the same, or not known.
    decides
        What it decides, in a clause.
    libraries
        The loaded libraries that were found through it, as far as their paths tell.
    """

    name: str
    value: str | None
    at_start: str | None
    decides: str
    libraries: list[str]


def settings(loaded: Iterable[str] = ()) -> list[SettingRecord]:
    """Return the variables that are set, with the libraries found through each among the real paths in `loaded`."""
    began_with = environment_at_start()
    # The loader read its variables when the process began; later changes do not reach it.
    changed = {name for name in _LOADER if began_with is not None and began_with.get(name) != os.environ.get(name)}
    names = [
        *(name for name in _MEANINGS if name in os.environ or name in changed),
        *sorted(filter(_TENSORFLOW_SWITCH.match, os.environ)),
    ]
    paths = list(loaded)
    set_by_tfmagic = memory_policy().record()["variables"]
    records: list[SettingRecord] = []
    for name in names:
        at_start = (began_with or {}).get(name, "") if name in changed else None
        value = os.environ.get(name)
        ours = " (set by tfmagic, for its memory policy)" if name in set_by_tfmagic else ""
        records.append({
            "name": name,
            "value": "(not shown)" if value is not None and _SECRET.search(name) else value,
            "at_start": at_start,
            "decides": _MEANINGS.get(name, "a switch of TensorFlow's") + ours,
            "libraries": _found_through(name, (value or "") if at_start is None else at_start, paths),
        })  # fmt: skip
    return records


def environment_at_start() -> dict[str, str] | None:
    """Return the environment at the start of the process; None where the system does not keep it."""
    if sys.platform != "linux":
        return None
    try:
        return psutil.Process().environ()
    except (psutil.Error, OSError):
        return None


def search_path() -> list[str]:
    """Return the folders of ``LD_LIBRARY_PATH`` as the loader read it."""
    began_with = environment_at_start()
    text = (os.environ if began_with is None else began_with).get("LD_LIBRARY_PATH", "")
    return [folder for folder in re.split(r"[:;]", text) if folder]


def _found_through(name: str, value: str, loaded: list[str]) -> list[str]:
    """Return the loaded files that lie where a variable points."""
    if name in {"LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES"}:
        parts = [part for part in re.split(r"[:\s]+", value) if part]
        real = {os.path.realpath(part) for part in parts}
        # A name without a folder is searched like any other library.
        return [path for path in loaded if path in real or Path(path).name in parts]
    if name in {"LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"}:
        folders = {os.path.realpath(part) for part in re.split(r"[:;]", value) if part}
        return [path for path in loaded if str(Path(path).parent) in folders]
    if name in {"CUDA_HOME", "CUDA_PATH", "CUDA_ROOT", "CUDNN_PATH"}:
        roots = [value]
    elif name == "XLA_FLAGS":
        roots = _CUDA_FOLDER.findall(value)
    else:
        return []
    below = tuple(os.path.realpath(root).rstrip(os.sep) + os.sep for root in roots if root)
    return [path for path in loaded if below and path.startswith(below)]
