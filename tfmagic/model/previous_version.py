"""Training that a renewed model would lose: moved to the new model, or kept as ``NAME~1``.

A ``%%tf_model`` cell that runs again builds a new room, and a changed file or object is read
again. Before the old model goes, what was trained in it goes to disk.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from tfmagic.errors import ModelStateError, TfMagicError
from tfmagic.execution.signature.options import Options
from tfmagic.formats.saved_model.read import SavedModelSource
from tfmagic.model.model import Model
from tfmagic.model.unsaved import is_unsaved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tfmagic.execution.signature.signature import Signature


class PreviousVersionRecord(TypedDict):
    """What became of a renewed model's training.

    Attributes
    ----------
    name
        The model that has it now, ``NAME~1``; None where nothing was trained, or
        the new model has all of it.
    carried
        How many variables of the new model have the values of the old one.
    """

    name: str | None
    carried: int


class PreviousVersionSource(SavedModelSource):
    """The SavedModel of a model before it was renewed, in a temporary folder that it owns."""

    kind = "previous version"

    def __init__(self, name: str, folder: tempfile.TemporaryDirectory[str], renewed_because: str) -> None:
        super().__init__(Path(folder.name) / name, f"{name}, before {renewed_because}")
        self._folder = folder

    def python(self, name: str, signature: Signature, options: Options) -> None:
        """Return no code: the folder is removed when the model is dropped."""
        del name, signature, options

    def release(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


def keep_training(old: Model, new: Model, *, carry: bool) -> tuple[PreviousVersionRecord | None, Model | None]:
    """Keep what was trained in `old`, and return what was done, with the model ``NAME~1`` if there is one.

    With `carry`, the variables of `new` of the same name, shape and dtype get the values.
    A model that cannot be written raises ModelStateError and stays as it was.
    """
    trained = old.lifecycle.training.changed_variables(old.lifecycle.built_backend())
    carried = _carry_over(old, new) if carry else set()
    previous = _previous_version(old) if trained - carried else None
    if previous is None and not carried:
        return None, None
    return {"name": None if previous is None else previous.name, "carried": len(carried)}, previous


def _carry_over(old: Model, new: Model) -> set[str]:
    """Give variables of `new` their values in `old`, and return the names that these have in `old`."""
    kinds = {name: (value.shape, value.dtype) for name, value in new.lifecycle.built_backend().values()}
    names = _counterparts([name for name, _ in old.lifecycle.built_backend().values()], list(kinds))
    carried: set[str] = set()

    def fitting(values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        for name, value in values:
            if kinds[names[name]] == (value.shape, value.dtype):
                carried.add(name)
                # A copy: the array may be the old variable's own memory.
                yield names[name], np.array(value)

    new.lifecycle.built_backend().assign(fitting(old.lifecycle.built_backend().values(names)))
    return carried


def _counterparts(old: list[str], new: list[str]) -> dict[str, str]:
    """Return the new variable of the same name for each old one that has one.

    Keras numbers the layers that it names itself through the whole process: a cell
    that makes ``dense_1`` makes ``dense_2`` when it is run again. Names that do not
    occur in `new` are looked up as if each cell were the first.
    """
    counterparts = {name: name for name in old if name in new}
    as_first = dict(zip(_as_first(new), new, strict=True))
    for name, first in zip(old, _as_first(old), strict=True):
        other = as_first.get(first)
        if name not in counterparts and other is not None and other not in old:
            counterparts[name] = other
    return counterparts


def _as_first(names: list[str]) -> list[str]:
    """Renumber each part from 0, in the order of its numbers: ``dense_4/kernel`` becomes ``dense/kernel``."""
    numbers: dict[str, set[int]] = {}
    for base, number in (_numbered(part) for name in names for part in name.split("/")):
        numbers.setdefault(base, set()).add(number)

    def counted(part: str) -> str:
        base, number = _numbered(part)
        rank = sorted(numbers[base]).index(number)
        return f"{base}_{rank}" if rank else base

    return ["/".join(counted(part) for part in name.split("/")) for name in names]


def _numbered(part: str) -> tuple[str, int]:
    base, _, number = part.rpartition("_")
    return (base, int(number)) if base and number.isdigit() else (part, 0)


def _previous_version(old: Model) -> Model:
    """Write a model to disk, and return the model ``NAME~1`` that is read from there at its first run."""
    folder = tempfile.TemporaryDirectory(prefix="tfmagic-")
    is_cell = old.source.loses_training
    source = PreviousVersionSource(old.name, folder, "its cell was run again" if is_cell else "it was renewed")
    was_unsaved = is_unsaved(old)
    try:
        old.save(source.path)
    except TfMagicError as error:
        folder.cleanup()
        since, instead = ("its cell ran", "carry it over with --keep, or ") if is_cell else ("it was added", "")
        msg = (
            f"{old.name} was trained since {since}, and what it has learnt cannot be kept ({error}): "
            f"{instead}drop {old.name} first"
        )
        raise ModelStateError(msg) from error
    options = Options(signature=old.default_signature, device=old.options.device, unsafe=old.options.unsafe)
    previous = Model(f"{old.name}~1", source, options)
    previous.lifecycle.fingerprint = source.fingerprint()
    previous.lifecycle.training.came_unsaved = was_unsaved
    return previous
