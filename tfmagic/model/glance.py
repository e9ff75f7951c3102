"""A glance at a model as it stands: nothing is built, run or waited for. It is what Tab offers."""

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

    from tfmagic.formats.common.inspection import FileRecord
    from tfmagic.model.model import Model

# Reading the signatures of a larger graph would keep a person waiting.
_QUICK_BYTES = 32 << 20


@dataclass(frozen=True)
class Glance:
    """What is known of a model without touching it; a model that is not built yet has no signatures and no names.

    Attributes
    ----------
    model
        The model.
    signatures
        By name.
    default
        The signature that a call uses, None where none is known.
    names
        The names of its room.
    bound
        What a cell in the room has beside them.
    """

    model: Model
    signatures: Mapping[str, Signature]
    default: Signature | None
    names: Mapping[str, Any]
    bound: Mapping[str, Any]

    def signature(self, name: str | None) -> Signature | None:
        """Return the signature of that name, the default one for None."""
        return self.default if name is None else self.signatures.get(name)

    def tensors(self) -> list[str]:
        """Return every name that ``fetch`` takes beside the outputs; none for a live object."""
        built = self.model.lifecycle.backend
        if built is None or built.graph is None:
            return []
        from tfmagic.execution.signature.inference import tensor_names

        return tensor_names(built.graph, self.names)


def glance(name: str) -> Glance | None:
    """Return what is known of the model of that name, None where there is none."""
    model = the_models().get(name)
    if model is None:
        return None
    built = model.lifecycle.backend
    if built is None:
        return Glance(model, {}, None, {}, {"this": model})
    signatures = dict(built.signatures)
    try:
        default = signatures[default_among(name, signatures, model.options.signature)]
    except TfMagicError:
        default = None
    # Copies at once: a cell may be running in another thread.
    held, own = dict(built.room.namespace), set(built.room.namespace.own)
    names = {one: value for one, value in held.items() if one in own}
    return Glance(model, signatures, default, names, built.room.bound({"this": model}))


def glance_at_file(path: str) -> FileRecord | None:
    """Return what a SavedModel declares, None where that cannot be read at once or needs TensorFlow imported."""
    if "tensorflow" not in sys.modules:
        return None
    try:
        folder = Path(path).expanduser()
        graphs = [folder / "saved_model.pb", *folder.glob("*/saved_model.pb")]
        there = [graph.stat().st_size for graph in graphs if graph.is_file()]
        if not there or max(there) > _QUICK_BYTES:
            return None
        return the_models().inspect(path)
    except (OSError, ValueError, RuntimeError, TfMagicError):
        return None


def device_names() -> list[str]:
    """Return the devices that can be asked for, without starting any."""
    known = ["cpu", "gpu"]
    models = the_models()
    if any(model.lifecycle.backend is not None for model in models.values()):
        # A model that runs has started the devices: to list them costs nothing any more.
        import tensorflow as tf

        known += [":".join(device.name.lower().rsplit(":", 2)[1:]) for device in tf.config.list_physical_devices()]
    return known
