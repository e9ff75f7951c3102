"""What a model had learnt, when it is renewed: carried over, or kept beside it.

Running a ``%%tf_model`` cell again builds a new room, and a file or object that
has changed is read again. Training that was done in the room since is not lost with
the old one: it goes to disk, and can be run as ``NAME~1``.
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


class FormerRecord(TypedDict):
    """What became of the weights of a cell's model when the cell was run again.

    Attributes
    ----------
    name
        The model that has them now, ``NAME~1``; None where none were trained, or
        all were carried over.
    carried
        How many variables of the new model have the values of the old one.
    """

    name: str | None
    carried: int


class FormerSource(SavedModelSource):
    """A model as it was before it was renewed; its folder goes when it is dropped.

    Parameters
    ----------
    name
        The model's name.
    folder
        A temporary folder with the SavedModel in it.
    before
        What renewed it.
    """

    kind = "former training"

    def __init__(self, name: str, folder: tempfile.TemporaryDirectory[str], before: str) -> None:
        super().__init__(Path(folder.name) / name, f"{name}, before {before}")
        self._folder = folder

    def python(self, name: str, signature: Signature, options: Options) -> None:
        """Return no code: the folder goes with the notebook."""
        del name, signature, options

    def release(self) -> None:
        """Remove the folder."""
        self._folder.cleanup()


def former_name(name: str) -> str:
    """Return what the model of that name is called when its cell has been run again."""
    return f"{name}~1"


def trained(model: Model) -> set[str]:
    """Return the variables whose values are not those that they began with."""
    return model.lifecycle.training.changed_variables(model.lifecycle.built_backend())


def carry_over(old: Model, new: Model) -> set[str]:
    """Give variables of a model the values that those of the same name, shape and dtype have in another.

    Returns
    -------
    set of str
        Their names in the old one.
    """
    kinds = {name: (value.shape, value.dtype) for name, value in new.lifecycle.built_backend().values()}
    names = _counterparts([name for name, _ in old.lifecycle.built_backend().values()], list(kinds))
    carried: set[str] = set()

    def same(values: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
        for name, value in values:
            if kinds[names[name]] == (value.shape, value.dtype):
                carried.add(name)
                # A copy: what is read may be the old variable's own memory.
                yield names[name], np.array(value)

    new.lifecycle.built_backend().assign(same(old.lifecycle.built_backend().values(names)))
    return carried


def _counterparts(old: list[str], new: list[str]) -> dict[str, str]:
    """Return the new variable of the same name for each old one that has one.

    Keras numbers the layers that it names itself through the whole process: a cell
    that makes ``dense_1`` makes ``dense_2`` when it is run again. Those that are
    nowhere under their own name are looked up as if each cell were the first.
    """
    found = {name: name for name in old if name in new}
    as_first = dict(zip(_as_first(new), new, strict=True))
    for name, first in zip(old, _as_first(old), strict=True):
        other = as_first.get(first)
        if name not in found and other is not None and other not in old:
            found[name] = other
    return found


def _as_first(names: list[str]) -> list[str]:
    """Return names with the numbers of their parts counted from the lowest: ``dense_4/kernel`` as ``dense/kernel``."""
    numbers: dict[str, set[int]] = {}
    for part in (part for name in names for part in name.split("/")):
        base, number = _numbered(part)
        numbers.setdefault(base, set()).add(number)

    def counted(part: str) -> str:
        base, number = _numbered(part)
        rank = sorted(numbers[base]).index(number)
        return f"{base}_{rank}" if rank else base

    return ["/".join(counted(part) for part in name.split("/")) for name in names]


def _numbered(part: str) -> tuple[str, int]:
    base, _, number = part.rpartition("_")
    return (base, int(number)) if base and number.isdigit() else (part, 0)


def set_aside(old: Model) -> Model:
    """Write a model to disk, and return one that comes back from there when it is first run.

    Raises
    ------
    ModelStateError
        When it cannot be written; the model is as it was.
    """
    folder = tempfile.TemporaryDirectory(prefix="tfmagic-")
    is_cell = old.source.loses_training
    source = FormerSource(old.name, folder, "its cell was run again" if is_cell else "it was renewed")
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
    former = Model(former_name(old.name), source, options)
    former.lifecycle.fingerprint = source.fingerprint()
    former.lifecycle.training.came_unsaved = was_unsaved
    return former
