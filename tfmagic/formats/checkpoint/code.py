"""Code that restores a checkpoint of TensorFlow 1 into its graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfmagic.formats.common.plain_code import on_device, quoted, session_code

if TYPE_CHECKING:
    from pathlib import Path

    from tfmagic.execution.signature.signature import Signature


def checkpoint_code(name: str, prefix: Path, signature: Signature, device: str | None) -> str:
    """Return code that imports a checkpoint's graph, restores its variables and runs it."""
    cleared = "" if device is None else ", clear_devices=True"
    meta = prefix.with_name(f"{prefix.name}.meta")
    imported = [f"_{name}_saver = tf.compat.v1.train.import_meta_graph({quoted(meta)}{cleared})"]
    inner = [
        *on_device(device, imported),
        "# Whatever the checkpoint has no value for: tables, and variables that are not saved.",
        f"_{name}_session.run([tf.compat.v1.local_variables_initializer(), tf.compat.v1.tables_initializer()])",
        f"_{name}_saver.restore(_{name}_session, {quoted(prefix)})",
    ]
    return session_code(name, signature, [f"with _{name}_graph.as_default():", *(f"    {line}" for line in inner)])
