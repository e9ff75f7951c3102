"""Script: load one op library, and write down what it registers.

It runs in a separate process, so that a library can break nothing else, with a plain Python
without site packages. TensorFlow's two libraries are loaded through ctypes, which takes a
third of a second; neither TensorFlow's Python nor tfmagic is imported.

Arguments: the op library, the file for the answer, TensorFlow's libraries in order.
"""

from __future__ import annotations

import ctypes
import json
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any, ClassVar


class _Buffer(ctypes.Structure):
    """``TF_Buffer`` of TensorFlow's C API."""

    _fields_: ClassVar[Any] = [("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p)]


def probe(library: str, tensorflow: list[str]) -> dict[str, str]:
    """Return the serialized ops and kernels, or the error."""
    loaded = [ctypes.CDLL(path, ctypes.RTLD_GLOBAL) for path in tensorflow]

    def call(name: str, result: Any) -> Any:
        function: Any = next(getattr(dll, name) for dll in loaded if hasattr(dll, name))
        function.restype = result
        return function

    status = ctypes.c_void_p(call("TF_NewStatus", ctypes.c_void_p)())
    kernels = call("TF_GetAllRegisteredKernels", ctypes.POINTER(_Buffer))
    before = _text(kernels(status).contents)
    handle = call("TF_LoadLibrary", ctypes.c_void_p)(library.encode(), status)
    if call("TF_GetCode", ctypes.c_int)(status):
        return {"error": call("TF_Message", ctypes.c_char_p)(status).decode("utf-8", "replace")}
    ops = call("TF_GetOpList", _Buffer)(ctypes.c_void_p(handle))
    return {"ops": _text(ops), "before": before, "after": _text(kernels(status).contents)}


def _text(buffer: _Buffer) -> str:
    return b64encode(ctypes.string_at(buffer.data or 0, buffer.length) if buffer.length else b"").decode()


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(probe(sys.argv[1], sys.argv[3:])), encoding="utf-8")
