"""Live Keras models: train in the next cell, and ``%tf_run`` answers with the new weights."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

from tfmagic.errors import SourceError
from tfmagic.model.eager_mode import EagerMode
from tfmagic.model.room import Room
from tfmagic.model.signature import DEFAULT, Signature, TensorSpec, renamed
from tfmagic.model.sources.live import LiveSource, spec_of
from tfmagic.model.sources.source import Built

if TYPE_CHECKING:
    from tfmagic.model.options import Options


class KerasSource(LiveSource):
    """A live ``keras.Model`` or ``keras.Layer``."""

    kind = "Keras model"

    @staticmethod
    def takes(live: Any) -> bool:
        """Return whether this is a Keras object."""
        keras = sys.modules.get("keras")
        return keras is not None and isinstance(live, keras.Layer)

    def build(self, model: str, options: Options) -> Built:
        """Read the signature off the model; nothing is copied."""
        import keras

        if keras.backend.backend() != "tensorflow":
            msg = (
                f"{model}: Keras runs on {keras.backend.backend()} here, and tfmagic needs it on TensorFlow: "
                "set KERAS_BACKEND=tensorflow before Keras is imported"
            )
            raise SourceError(msg)
        live = self.live
        signature = renamed(model, _signature(live), options.inputs, options.outputs)
        names = [spec.tensor or spec.name for spec in signature.inputs]
        as_mapping = isinstance(getattr(live, "_inputs_struct", None), dict)

        def call(given: dict[str, Any]) -> Any:
            if len(names) == 1 and not as_mapping:
                return live(given[names[0]], **_inference(live))
            if as_mapping or not _inputs(live):
                return live(given, **_inference(live))
            return live([given[name] for name in names], **_inference(live))

        room = Room(model, device=options.device)
        mode = EagerMode(room, live, {DEFAULT: signature}, {DEFAULT: call}, lambda: live.weights)
        notes = [] if _inputs(live) else ["its inputs have no fixed shape, so shapes are not checked"]
        return Built(mode, notes)


def _inputs(live: Any) -> list[Any]:
    try:
        return list(live.inputs or ())
    except (AttributeError, ValueError):
        return []  # a subclassed model, or a Sequential that was never built


def _signature(live: Any) -> Signature:
    inputs = _inputs(live)
    if not inputs:
        return Signature(DEFAULT, (TensorSpec(_argument(live)),), ())
    try:
        outputs = list(live.outputs or ())
    except (AttributeError, ValueError):
        outputs = []
    names = list(getattr(live, "output_names", ()))
    if not names and len(outputs) == 1 and getattr(live, "layers", None):
        names = [live.layers[-1].name]  # as a functional model would call it
    if len(names) != len(outputs):
        names = [f"output_{index}" for index in range(len(outputs))]
    structure = getattr(live, "_outputs_struct", None)
    if isinstance(structure, dict) and len(structure) == len(outputs):
        names = list(structure)
    return Signature(
        DEFAULT,
        tuple(spec_of(tensor.name, tensor) for tensor in inputs),
        tuple(spec_of(name, tensor) for name, tensor in zip(names, outputs, strict=True)),
    )


def _argument(live: Any) -> str:
    """Return the name of the first argument of the model's ``call``."""
    parameters = [name for name in inspect.signature(live.call).parameters if name != "self"]
    return parameters[0] if parameters else "inputs"


def _inference(live: Any) -> dict[str, bool]:
    takes = inspect.signature(live.call).parameters
    if "training" in takes or isinstance(live, sys.modules["keras"].Model):
        return {"training": False}
    return {}
