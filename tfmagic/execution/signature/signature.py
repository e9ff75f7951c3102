"""Named inputs and outputs of a model, with dtype and shape."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from tfmagic.core.naming import first_repeated
from tfmagic.errors import SourceError, UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tfmagic.execution.signature.needed_inputs import NeededInputs

DEFAULT = "serving_default"
"""The name that TensorFlow gives to a model's one signature."""

SPARSE_PARTS = {"_indices": "indices", "_values": "values", "_dense_shape": "dense_shape"}
"""How the inputs for the parts of a sparse tensor end, and what the parts are called in one."""

Shape = tuple[int | None, ...] | None
"""Sizes by axis; None for a size that is free, and instead of the tuple for a free rank."""


class TensorRecord(TypedDict):
    """An input or output as plain data."""

    name: str
    dtype: str | None
    shape: list[int | None] | None
    tensor: str | None
    optional: bool


class SignatureRecord(TypedDict):
    """A signature as plain data."""

    name: str
    inputs: list[TensorRecord]
    outputs: list[TensorRecord]


@dataclass(frozen=True)
class TensorSpec:
    """An input or output of a signature: ``name`` is what a person calls it.

    ``dtype`` is TensorFlow's name for it (``"float32"``, ``"string"``), None where only a call tells it. ``tensor`` is
    the tensor's name in the graph (``"x:0"``), or what a live object calls it. ``optional`` inputs have a default.
    """

    name: str
    dtype: str | None = None
    shape: Shape = None
    tensor: str | None = None
    optional: bool = False

    def __str__(self) -> str:
        """Return ``x float32 (?, 64)``."""
        return " ".join(part for part in (self.name, self.kind) if part)

    @property
    def kind(self) -> str:
        """Dtype and shape in words, empty where neither is known."""
        if self.dtype is None:
            return ""
        return f"{self.dtype} {shape_text(self.shape)}"

    def record(self) -> TensorRecord:
        """Return it as plain data."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": None if self.shape is None else list(self.shape),
            "tensor": self.tensor,
            "optional": self.optional,
        }


@dataclass(frozen=True)
class Signature:
    """What a model takes and returns. The order of inputs is the source's, and never used to bind values.

    ``needs`` tells, for an inferred signature, the inputs that each output depends on: a call may leave out inputs, and
    gets the outputs that need none of them. It is None for a declared signature, whose every input is required.
    """

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    needs: NeededInputs | None = field(default=None, compare=False, repr=False)

    def input(self, name: str) -> TensorSpec | None:
        """Return the input of that name, or None."""
        return self._input_by_name.get(name)

    def output(self, name: str) -> TensorSpec | None:
        """Return the output of that name, or None."""
        return self._output_by_name.get(name)

    @cached_property
    def _input_by_name(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in reversed(self.inputs)}

    @cached_property
    def _output_by_name(self) -> dict[str, TensorSpec]:
        return {spec.name: spec for spec in reversed(self.outputs)}

    @property
    def required(self) -> tuple[TensorSpec, ...]:
        """The inputs without a default."""
        return tuple(spec for spec in self.inputs if not spec.optional)

    def whole_of(self, name: str) -> str | None:
        """Return what the sparse tensor is called that an input is a part of; None for any other input."""
        stem = next((name.removesuffix(part) for part in SPARSE_PARTS if name.endswith(part)), None)
        is_whole = stem is not None and all(self.input(f"{stem}{part}") is not None for part in SPARSE_PARTS)
        return stem if is_whole else None

    @property
    def given(self) -> list[str]:
        """The tensors that every complete call feeds."""
        return [str(spec.tensor) for spec in self.required]

    def record(self) -> SignatureRecord:
        """Return the signature as plain data."""
        return {
            "name": self.name,
            "inputs": [spec.record() for spec in self.inputs],
            "outputs": [spec.record() for spec in self.outputs],
        }


def shape_text(shape: Sequence[int | None] | None) -> str:
    """Return ``(?, 64)``, or ``any shape`` for a free rank."""
    if shape is None:
        return "any shape"
    sizes = ["?" if size is None else str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def renamed(
    model: str,
    signature: Signature,
    inputs: tuple[tuple[str, str], ...] | None,
    outputs: tuple[tuple[str, str], ...] | None,
) -> Signature:
    """Return a declared signature with other names, given as pairs of the new name and the present one."""
    return Signature(
        signature.name,
        _renamed(model, "input", signature.inputs, inputs),
        _renamed(model, "output", signature.outputs, outputs),
        signature.needs,
    )


def _renamed(
    model: str, side: str, specs: tuple[TensorSpec, ...], pairs: tuple[tuple[str, str], ...] | None
) -> tuple[TensorSpec, ...]:
    if pairs is None:
        return specs
    new: dict[str, str] = {}
    by_name = {where: spec for spec in reversed(specs) for where in (spec.tensor, spec.name)}
    for name, where in pairs:
        match = by_name.get(where)
        if match is None:
            msg = f"{model}: there is no {side} {where!r} to rename{did_you_mean(where, [spec.name for spec in specs])}"
            raise SourceError(msg)
        if match.name in new:
            msg = f"{model}: {side} {match.name!r} gets two names, {new[match.name]!r} and {name!r}: give it one"
            raise SourceError(msg)
        new[match.name] = name
    renamed_specs = tuple(replace(spec, name=new.get(spec.name, spec.name)) for spec in specs)
    names = [spec.name for spec in renamed_specs]
    twice = first_repeated(names)
    if twice is not None:
        msg = f"{model}: two {side}s would be called {twice!r}: rename the other one too"
        raise SourceError(msg)
    return renamed_specs


def default_among(model: str, signatures: Mapping[str, Signature], requested: str | None) -> str:
    """Return the default signature's name: the one asked for, ``serving_default``, or the only one."""
    if requested is not None:
        if requested in signatures:
            return requested
        msg = f"{model} has no signature {requested!r}{did_you_mean(requested, signatures)}"
        raise UnknownNameError(msg)
    if DEFAULT in signatures:
        return DEFAULT
    if len(signatures) == 1:
        return next(iter(signatures))
    names = "|".join(signatures)
    msg = f"{model} has {len(signatures)} signatures and none is {DEFAULT!r}: choose with --signature {names}"
    raise UnknownNameError(msg)
