"""What a run gives: its outputs by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tfmagic.errors import UnknownNameError, did_you_mean


class Result(Mapping[str, Any]):
    """The outputs of one run, by name or as attributes.

    Parameters
    ----------
    outputs
        Arrays by output name, in the signature's order.
    """

    __slots__ = ("_outputs",)

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = dict(outputs)

    def __getitem__(self, name: str) -> Any:
        """Return the output of that name.

        Raises
        ------
        UnknownNameError
            When there is none; the nearest name is offered.
        """
        try:
            return self._outputs[name]
        except KeyError:
            msg = f"this result has no output {name!r}{did_you_mean(str(name), self._outputs)}"
            raise UnknownNameError(msg) from None

    def __getattr__(self, name: str) -> Any:
        """Return the output of that name."""
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the output names."""
        return iter(self._outputs)

    def __len__(self) -> int:
        """Return how many outputs there are."""
        return len(self._outputs)

    def __dir__(self) -> list[str]:
        """Offer the outputs to Tab."""
        return [*super().__dir__(), *self._outputs]

    def __repr__(self) -> str:
        """Show each output under its name."""
        parts = []
        for name, value in self._outputs.items():
            shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
            kind = f" {dtype} {shape}" if shape is not None else ""
            parts.append(f"{name}:{kind}\n{value!r}")
        return "\n".join(parts) or "Result()"
