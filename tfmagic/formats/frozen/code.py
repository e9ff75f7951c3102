"""Code that imports a frozen graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.formats.common.plain_code import on_device, quoted, session_code

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature


def frozen_code(name: str, file: Path, signature: Signature, device: str | None) -> str:
    """Return code that imports a frozen graph and runs it."""
    definition = f"_{name}_definition"
    text = file.suffix == ".pbtxt"
    mode, read = ("r", f"text_format.Parse(file.read(), {definition})") if text else ("rb", "")
    cleared = [f"for node in {definition}.node:", '    node.device = ""'] if device is not None else []
    inner = on_device(device, [f'tf.import_graph_def({definition}, name="")'])
    load = [
        f"{definition} = tf.compat.v1.GraphDef()",
        f"with open({quoted(file)}, {quoted(mode)}) as file:",
        f"    {read or f'{definition}.ParseFromString(file.read())'}",
        *cleared,
        f"with _{name}_graph.as_default():",
        *(f"    {line}" for line in inner),
    ]
    return session_code(name, signature, load, imports=["from google.protobuf import text_format"] if text else [])
