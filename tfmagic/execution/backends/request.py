"""What one call asks of a model: its inputs by name, and what is to be fetched."""

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
    """A call that has been understood, and not yet made.

    Attributes
    ----------
    model
        The model's name, for messages.
    backend
        How the model runs.
    signature
        Whose ends are meant.
    bound
        What was given, by input name; not looked at yet.
    fetches
        Names for the results, with what the mode calls them; empty for all that
        a live object gives.
    """

    model: str
    backend: Backend
    signature: Signature
    bound: Mapping[str, Any]
    fetches: Sequence[tuple[str, str]]

    def given(self) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs that were given, each with its value as it came."""
        return [(spec, self.bound[spec.name]) for spec in self.signature.inputs if spec.name in self.bound]

    def feeds(self) -> list[tuple[TensorSpec, Any]]:
        """Return the inputs with their arrays, checked.

        Raises
        ------
        InputError
            For one that does not fit.
        """
        return [(spec, checked_array(self.model, spec, value)) for spec, value in self.given()]

    def static_shape(self, own: str) -> Shape:
        """Return the shape of what the mode calls `own`, as far as it is known before a run."""
        if self.backend.graph is not None:
            shape = self.backend.graph.get_tensor_by_name(own).shape
            return None if shape.rank is None else tuple(shape.as_list())
        return next((spec.shape for spec in self.signature.outputs if own in {spec.tensor, spec.name}), None)
