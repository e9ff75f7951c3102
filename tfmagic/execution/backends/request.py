"""A request to a model: inputs by name, and the outputs to fetch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tfmagic.execution.signature.feeds import checked_array

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.execution.backends.backend import Backend
    from tfmagic.execution.signature.signature import Shape, Signature, TensorSpec


@dataclass(frozen=True)
class Request:
    """A call with its names resolved: `bound` has values by input name, which are not checked yet.

    `fetches` has names for the results, with the tensors or the object's own outputs that they
    mean. It is empty for all outputs of a live object. `model` is the name for messages.
    """

    model: str
    backend: Backend
    signature: Signature
    bound: Mapping[str, Any]
    fetches: Sequence[tuple[str, str]]

    def given(self) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs that have a value, with their unchecked values."""
        return [(spec, self.bound[spec.name]) for spec in self.signature.inputs if spec.name in self.bound]

    def feeds(self) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs with their checked arrays; an `InputError` for one that does not fit."""
        return [(spec, checked_array(self.model, spec, value)) for spec, value in self.given()]

    def static_shape(self, own: str) -> Shape:
        """Return the shape of a tensor, or of an object's own output, as far as it is known before a run."""
        if self.backend.graph is not None:
            shape = self.backend.graph.get_tensor_by_name(own).shape
            return None if shape.rank is None else tuple(shape.as_list())
        return next((spec.shape for spec in self.signature.outputs if own in {spec.tensor, spec.name}), None)
