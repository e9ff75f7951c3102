"""What the sources that are live Python objects share."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf

from tfmagic.errors import SourceError, did_you_mean
from tfmagic.execution.backends.eager import named_outputs
from tfmagic.execution.room.room import Room
from tfmagic.execution.signature.signature import TensorSpec, renamed
from tfmagic.formats.common.source import Built, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from tfmagic.execution.backends.eager import EagerBackend
    from tfmagic.execution.signature.options import Options
    from tfmagic.execution.signature.signature import Signature


class LiveSource(Source):
    """A live object of the notebook, shared with it and never changed; it is held, so that its ``id`` stays its own."""

    takes_options: ClassVar[frozenset[str]] = frozenset({"copy"})

    def __init__(self, live: Any, text: str) -> None:
        super().__init__(text)
        self.live: Any = live

    @staticmethod
    @abstractmethod
    def takes(live: Any) -> bool:
        """Return whether an object is of this kind."""

    def fingerprint(self) -> object:
        """Return the object's identity: in eager mode its weights are shared anyway."""
        return id(self.live)

    def release(self) -> None:
        """Release the object."""
        self.live = None


class SharedSource(LiveSource):
    """A live object that is called as it is, or copied into a graph."""

    mode: ClassVar[str] = "eager"

    @abstractmethod
    def connect(self, room: Room, options: Options) -> EagerBackend:
        """Return the backend that calls the object, with the signatures read off the object."""

    def build(self, model: str, options: Options, room: Room | None = None) -> Built:
        """Share the object. `room` is that of the cell that made the object, if a cell did."""
        backend = self.connect(room or Room(model, device=options.device), options)
        if any(_is_of_a_graph(variable) for variable in backend.named_variables().values()):
            msg = (
                f"{model}: {self.text} was made after tf.compat.v1.disable_eager_execution() (or disable_v2_behavior), "
                "so its variables have no values: restart the kernel and leave that line out of ordinary cells; "
                "in a %%tf_model cell it holds for that room alone"
            )
            raise SourceError(msg)
        return Built(backend, self.notes())

    def notes(self) -> list[str]:
        """Return what to tell the person about the shared object."""
        return []


def _is_of_a_graph(variable: Any) -> bool:
    """Return whether a variable is part of a graph that no session of a live object runs."""
    # Keras wraps those of TensorFlow.
    variable = getattr(variable, "_value", variable)
    handle = getattr(variable, "handle", None)
    return tf.is_symbolic_tensor(handle) if isinstance(handle, tf.Tensor) else False


def with_names(
    model: str, signature: Signature, call: Callable[[dict[str, Any]], Any], options: Options
) -> tuple[Signature, Callable[[dict[str, Any]], Any]]:
    """Return a signature with inputs and outputs renamed as in the options, and the call for it."""
    if signature.outputs or options.outputs is None:
        return renamed(model, signature, options.inputs, options.outputs), call
    names = {own: name for name, own in options.outputs}

    def call_and_rename(given: dict[str, Any]) -> dict[str, Any]:
        outputs = named_outputs(call(given), ())
        unknown = next((own for own in names if own not in outputs), None)
        if unknown is not None:
            msg = f"{model} gave no output {unknown!r} to rename{did_you_mean(unknown, outputs)}"
            raise SourceError(msg)
        renamed_outputs = {names.get(own, own): value for own, value in outputs.items()}
        if len(renamed_outputs) < len(outputs):
            msg = f"{model}: two outputs would have one name (it gave: {', '.join(outputs)}): rename the other one too"
            raise SourceError(msg)
        return renamed_outputs

    return renamed(model, signature, options.inputs, None), call_and_rename


def spec_of(name: str, spec: Any) -> TensorSpec:
    """Return the spec of a ``tf.TensorSpec``, a Keras tensor or the like."""
    # Keras's shapes are tuples.
    shape = tf.TensorShape(spec.shape)
    sizes = None if shape.rank is None else tuple(shape.as_list())
    return TensorSpec(name, str(getattr(spec.dtype, "name", spec.dtype)), sizes, name)
