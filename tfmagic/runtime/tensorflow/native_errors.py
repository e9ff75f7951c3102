"""Errors of TensorFlow's native code in one line, which names the model and the operation."""

from __future__ import annotations

import math
import re
from typing import Any

import tensorflow as tf

from tfmagic.core.process import existing
from tfmagic.core.units import size_text

_MARKERS = re.compile(r"\{\{\w+ [^}]*\}\}|\[\[.*?\]\]|\[Op:\w+\](?: name:.*)?")
_NODE = re.compile(r"\{\{node (?P<name>[^}]+)\}\}|Detected at node '?(?P<detected>[^\s']+)")
_NO_MESSAGE = re.compile(
    r"^(?:Graph execution error:|Detected at node\b|File \"|Node:|Hint:|Original stack trace|Traceback \(|\(\d+\) |"
    r"Function call stack|Errors may have originated|Input Source operations|\d+ (?:root error|successful operations))"
)
_WANTED = re.compile(r"shape\[(?P<shape>[\d,]*)\] and type (?P<dtype>\w+)")
# As C++ calls them.
_DTYPES = {
    "float": 4,
    "double": 8,
    "int": 4,
    "int32": 4,
    "int64": 8,
    "long long": 8,
    "half": 2,
    "bfloat16": 2,
    "bool": 1,
}
_LIMIT = 600
_ATTRIBUTE = "_tfmagic_one_line"


def in_one_line(error: Any, owner: str) -> None:
    """Give an error of TensorFlow's native code a message of one line; the whole one goes to the log.

    `owner` is what to call the graph or object that ran.
    """
    if not isinstance(error, tf.errors.OpError) or hasattr(error, _ATTRIBUTE):
        return
    whole = str(error)
    setattr(error, _ATTRIBUTE, True)
    if len(whole.splitlines()) > 1 and (log := existing("native log")) is not None:
        log.keep(whole, owner)
    line = f"{owner}: {essence(error)}"
    # With the operation, TensorFlow would add where each of its inputs was made.
    error._op = None  # noqa: SLF001 - there is no other way to change what is shown
    error._message = line  # noqa: SLF001
    error.args = (None, None, line)


def essence(error: Any) -> str:
    """Return the line of a native message that says what went wrong and where; of memory, how much was asked for."""
    text, kind = str(error), type(error).__name__
    lines = [_MARKERS.sub("", line).strip() for line in text.splitlines()]
    told = [line for line in lines if line and not _NO_MESSAGE.match(line)]
    detected = [at for at, line in enumerate(lines) if line.startswith("Node:")]
    # A message with the places where operations were made has its essence below them.
    if detected and (below := [line for line in lines[detected[-1] + 1 :] if line and not _NO_MESSAGE.match(line)]):
        told = below
    said = (told[0] if told else kind).rstrip(" .:")
    if len(said) > _LIMIT:
        said = f"{said[:_LIMIT]}…"
    nodes = [node["name"] or node["detected"] for node in _NODE.finditer(text)]
    where = f" (operation {nodes[-1]})" if nodes else ""
    return f"{said}{where}{_of_memory(error, text)}"


def _of_memory(error: Any, text: str) -> str:
    if not isinstance(error, tf.errors.ResourceExhaustedError):
        return ""
    size, wanted = "", _WANTED.search(text)
    if wanted is not None and (dtype := _DTYPES.get(wanted["dtype"])) is not None:
        elements = math.prod(int(number) for number in wanted["shape"].split(",") if number)
        size = f"{size_text(elements * dtype)} is "
    return (
        f": {size}more memory than there is; smaller layers, fewer rows at once (--batch-size N) "
        "or parked models (%tf_model park) take less"
    )
