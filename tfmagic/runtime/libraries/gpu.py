"""Why TensorFlow does or does not use a GPU: its build, the libraries it needs, and what the machine has.

Nothing is loaded to find out: the build is read from a file of TensorFlow's, and libraries
are searched where the loader would search.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from tfmagic.runtime.libraries.elf import NoElfError, read_elf
from tfmagic.runtime.libraries.environment import search_path
from tfmagic.runtime.libraries.installation import installed_tensorflow, lines_for_cuda

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tfmagic.runtime.libraries.installation import Installed

_CACHE = Path("/etc/ld.so.cache")
_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_SYSTEM = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
_DRIVER = "libcuda.so.1"
# Numbers in sonames by CUDA's major version (docs.nvidia.com/cuda, release notes).
_SONAMES = {
    12: {"cudart": 12, "cublas": 12, "cublasLt": 12, "cufft": 11, "cusolver": 11, "cusparse": 12},
    13: {"cudart": 13, "cublas": 13, "cublasLt": 13, "cufft": 12, "cusolver": 12, "cusparse": 12},
}
_NCCL = 2


class NeededRecord(TypedDict):
    """A library that TensorFlow opens when it looks for GPUs.

    Attributes
    ----------
    name
        The file's name, such as ``libcudnn.so.9``.
    version
        The version that TensorFlow was built with, if it says.
    found
        Its path; None if it is in none of the folders searched.
    """

    name: str
    version: str | None
    found: str | None
    loaded: bool


class GpuRecord(TypedDict):
    """Whether TensorFlow can use a GPU here, and if not, why. None stands for what is not known.

    Attributes
    ----------
    answer
        One sentence.
    reasons
        Why no GPU is used, the first of them in the answer; none where one is used.
    advice
        What to type in a terminal for a TensorFlow that uses a GPU, where that is what is lacking.
    built_with_cuda
        Whether TensorFlow was built for CUDA; None without TensorFlow.
    cuda_version, cudnn_version
        The versions that it was built with.
    needs
        The libraries it opens.
    searched
        The existing folders that were searched, in order.
    absent_folders
        How many more folders would be searched if they existed.
    driver
        The path of the driver's library.
    device_files
        The device files that the driver has made.
    in_use
        The GPUs that TensorFlow has made devices of; None before it has looked.
    """

    answer: str
    reasons: list[str]
    advice: list[str]
    built_with_cuda: bool | None
    cuda_version: str | None
    cudnn_version: str | None
    needs: list[NeededRecord]
    searched: list[str]
    absent_folders: int
    driver: str | None
    device_files: list[str]
    in_use: list[str] | None


def gpu_record(loaded: Iterable[str] = (), in_use: list[str] | None = None) -> GpuRecord:
    """Return everything about the GPU; `in_use` has the GPUs of TensorFlow's devices, None if it made none yet."""
    folder = tensorflow_folder()
    build = {} if folder is None else build_info(folder)
    folders = _searched(folder)
    existing = [path for path in folders if Path(path).is_dir()]
    cache = loader_cache()
    files = {Path(path).name: path for path in loaded}
    needs: list[NeededRecord] = [
        {
            "name": name,
            "version": version,
            "found": files.get(name) or _find(name, existing, cache),
            "loaded": name in files,
        }
        for name, version in _needed(build)
    ]
    driver = files.get(_DRIVER) or _find(_DRIVER, [*existing, *_SYSTEM], cache)
    record: GpuRecord = {
        "answer": "",
        "reasons": [],
        "advice": [],
        "built_with_cuda": None if folder is None else bool(build.get("is_cuda_build")),
        "cuda_version": _text(build.get("cuda_version")),
        "cudnn_version": _text(build.get("cudnn_version")),
        "needs": needs,
        "searched": existing,
        "absent_folders": len(folders) - len(existing),
        "driver": driver,
        "device_files": gpu_files(),
        "in_use": in_use,
    }
    if not in_use:
        installed = installed_tensorflow(folder)
        record["reasons"] = list(_reasons(record, build, installed))
        record["advice"] = _advice(record, installed)
    record["answer"] = _answer(record)
    return record


def gpu_files() -> list[str]:
    """Return the device files of NVIDIA's driver, and of Windows in WSL2; none where there is no GPU to use."""
    folder = Path("/dev")
    return [*sorted(map(str, folder.glob("nvidia[0-9]*"))), *map(str, folder.glob("dxg"))]


def _answer(record: GpuRecord) -> str:
    if record["in_use"]:
        return f"TensorFlow uses {', '.join(record['in_use'])}"
    if record["reasons"]:
        return f"TensorFlow uses no GPU: {record['reasons'][0]}"
    if record["in_use"] is None:
        return "driver, GPU and every library that TensorFlow needs are here: it uses the GPU when it is first used"
    return (
        "driver, GPU and every library are here, and TensorFlow has made no device of a GPU: %tf_runtime log says why"
    )


def _reasons(record: GpuRecord, build: dict[str, Any], installed: Installed | None) -> Iterator[str]:
    if record["built_with_cuda"] is None:
        yield "no TensorFlow is installed here"
    elif not record["built_with_cuda"] and (elsewhere := _other_platform(build)) is not None:
        yield elsewhere
    else:
        yield from _of_machine(record, os.environ.get("CUDA_VISIBLE_DEVICES"))
        if not record["built_with_cuda"]:
            package = "" if installed is None else f" ({installed.name} {installed.version})"
            yield f"this TensorFlow{package} was built without CUDA"
        missing = [needed["name"] for needed in record["needs"] if needed["found"] is None]
        if missing:
            yield f"{', '.join(missing)} not found in the folders searched, nor in those of LD_LIBRARY_PATH"


def _other_platform(build: dict[str, Any]) -> str | None:
    if sys.platform == "darwin":
        return "TensorFlow has no CUDA on macOS (Apple's tensorflow-metal adds its GPU as a plugin)"
    if sys.platform == "win32":
        return "TensorFlow has no CUDA on Windows since 2.11: use it within WSL2"
    if build.get("is_rocm_build"):
        return "this TensorFlow was built for ROCm; what it lacks is not known here"
    return None


def _of_machine(record: GpuRecord, visible: str | None) -> Iterator[str]:
    if not record["device_files"]:
        if record["driver"] is None:
            yield f"none is to be seen here (no device file /dev/nvidia*, and no driver {_DRIVER})"
        else:
            yield ("the driver's library is here and no GPU: there is no /dev/nvidia0 (a container needs --gpus all)")
    elif record["driver"] is None:
        yield f"no driver ({_DRIVER}) is here: it belongs to the machine, not to Python"
    if visible is not None and visible.strip() in {"", "-1", "none", "void"}:
        yield (
            f"CUDA_VISIBLE_DEVICES={visible.strip()!r} hides every GPU from this process: "
            "take it out and restart the kernel"
        )


def _advice(record: GpuRecord, installed: Installed | None) -> list[str]:
    if installed is None and record["built_with_cuda"] is not None:
        return []  # one that was built on this machine, and is to stay
    lacks = not record["built_with_cuda"] or any(needed["found"] is None for needed in record["needs"])
    return lines_for_cuda(installed) if lacks and record["reasons"] and not record["in_use"] else []


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def tensorflow_folder() -> Path | None:
    """Return the folder of the TensorFlow that is imported or would be; None without one."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        module = sys.modules.get("tensorflow")
        spec = importlib.util.find_spec("tensorflow") if module is None else None
        places = module.__path__ if module is not None else getattr(spec, "submodule_search_locations", None)
        return next((Path(place) for place in places or () if (Path(place) / "python" / "platform").is_dir()), None)
    return None


def build_info(folder: Path) -> dict[str, Any]:
    """Return the result of ``tf.sysconfig.get_build_info()`` without importing TensorFlow."""
    with suppress(OSError, SyntaxError, ValueError):
        tree = ast.parse((folder / "python" / "platform" / "build_info.py").read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args:
                return dict(ast.literal_eval(node.value.args[0]))
    return {}


def _needed(build: dict[str, Any]) -> list[tuple[str, str | None]]:
    if not build.get("is_cuda_build") or sys.platform != "linux":
        return []
    cuda, cudnn = _text(build.get("cuda_version")), _text(build.get("cudnn_version"))
    major = (cuda or "").partition(".")[0]
    sonames = _SONAMES.get(int(major), {}) if major.isdigit() else {}
    needed = [(f"lib{name}.so.{number}", cuda) for name, number in sonames.items()]
    if cudnn:
        needed.append((f"libcudnn.so.{cudnn.partition('.')[0]}", cudnn))
    return [*needed, (f"libnccl.so.{_NCCL}", None)]


def _searched(folder: Path | None) -> list[str]:
    """Return the loader's folders for what TensorFlow opens: settings, then its own RUNPATH, then the system's."""
    folders = search_path()
    for library in () if folder is None else ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2"):
        with suppress(OSError, NoElfError):
            runpath = read_elf(f"{folder}/{library}").runpath
            folders += [os.path.normpath(path.replace("$ORIGIN", str(folder))) for path in runpath]
    return list(dict.fromkeys([*folders, *_SYSTEM]))


def _find(name: str, folders: Sequence[str], cache: dict[str, str]) -> str | None:
    paths = [Path(folder) / name for folder in folders]
    if name in cache:
        paths.append(Path(cache[name]))
    return next((str(path) for path in paths if path.is_file()), None)


def loader_cache(file: Path = _CACHE) -> dict[str, str]:
    """Return the paths in glibc's ``ld.so.cache`` (``dl-cache.h``): ``ldconfig`` is often not on a user's path."""
    paths: dict[str, str] = {}
    try:
        data = file.read_bytes()
        data = data[data.index(_CACHE_MAGIC) :]
        (count,) = struct.unpack_from("=I", data, len(_CACHE_MAGIC))
        for number in range(count):
            _, *offsets = struct.unpack_from("=iII", data, 48 + 24 * number)
            name, path = (os.fsdecode(data[at : data.index(b"\0", at)]) for at in offsets)
            paths.setdefault(name, path)
    except (OSError, ValueError, struct.error):
        return {}
    return paths
