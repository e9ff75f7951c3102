"""What Tab completion may know about a model without building it, running it or waiting for it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfmagic.errors import TfMagicError
from tfmagic.execution.signature.signature import Signature, default_among
from tfmagic.model.registry import the_models

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tfmagic.formats.common.source import FileRecord
    from tfmagic.model.model import Model

# Reading the signatures of a larger graph takes too long for completion.
_QUICK_BYTES = 32 << 20


@dataclass(frozen=True)
class Glance:
    """What is known about a model without building it; an unbuilt one has no signatures and names.

    `names` are those of its room, `bound` the others that its cells see.
    """

    model: Model
    signatures: Mapping[str, Signature]
    default: Signature | None
    names: Mapping[str, Any]
    bound: Mapping[str, Any]

    def signature(self, name: str | None) -> Signature | None:
        """Return a signature, the default one for None."""
        return self.default if name is None else self.signatures.get(name)

    def tensors(self) -> list[str]:
        """Return the names of all tensors that ``fetch`` takes; none for a live object."""
        backend = self.model.lifecycle.backend
        if backend is None or backend.graph is None:
            return []
        from tfmagic.execution.signature.inference import tensor_names

        return tensor_names(backend.graph, self.names)


def glance(name: str) -> Glance | None:
    """Return what is known about a model; None for an unknown name."""
    model = the_models().get(name)
    if model is None:
        return None
    backend = model.lifecycle.backend
    if backend is None:
        return Glance(model, {}, None, {}, {"this": model})
    signatures = dict(backend.signatures)
    try:
        default = signatures[default_among(name, signatures, model.options.signature)]
    except TfMagicError:
        default = None
    # Copied first: a cell may be running in another thread.
    namespace, own = dict(backend.room.namespace), set(backend.room.namespace.own)
    names = {own_name: value for own_name, value in namespace.items() if own_name in own}
    return Glance(model, signatures, default, names, backend.room.bound({"this": model}))


def glance_at_file(path: str) -> FileRecord | None:
    """Return what a SavedModel declares; None where reading it would take long or import TensorFlow."""
    if "tensorflow" not in sys.modules:
        return None
    try:
        folder = Path(path).expanduser()
        graphs = [folder / "saved_model.pb", *folder.glob("*/saved_model.pb")]
        sizes = [graph.stat().st_size for graph in graphs if graph.is_file()]
        if not sizes or max(sizes) > _QUICK_BYTES:
            return None
        return the_models().inspect(path)
    except (OSError, ValueError, RuntimeError, TfMagicError):
        return None


def device_names() -> list[str]:
    """Return the devices that ``--device`` takes, without starting any."""
    names = ["cpu", "gpu"]
    models = the_models()
    if any(model.lifecycle.backend is not None for model in models.values()):
        # A built model has started the devices, so listing them is cheap.
        import tensorflow as tf

        names += [":".join(device.name.lower().rsplit(":", 2)[1:]) for device in tf.config.list_physical_devices()]
    return names
