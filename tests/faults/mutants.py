"""A mutant of a source: a copy of a good model with one file changed."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

from faults.mutate_graph import mutate_graph, mutate_graph_text, mutate_meta_graph, mutate_saved_model
from faults.mutate_keras import mutate_archive, mutate_h5

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_FLIPPED = 0.1


def mutant(kind: str, source: Path, folder: Path, seed: int) -> Path:
    """Write the mutant of that seed into a folder, and return its path.

    The same seed gives the same mutant, and a negative one an unchanged model.
    """
    chance = random.Random(f"{kind} {seed}")  # noqa: S311 - the same for the same seed
    path = folder / source.name
    if source.is_dir():
        shutil.copytree(source, path)
    else:
        shutil.copy(source, path)
    if seed < 0:
        return path
    if chance.random() < _FLIPPED:
        _flip(path, chance)
    else:
        _MUTATIONS[kind](path, chance)
    return path


def _flip(path: Path, chance: random.Random) -> None:
    """Change bytes of one file, cut it off, or delete it."""
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    file = chance.choice(files)
    data = bytearray(file.read_bytes())
    choice = chance.randrange(4)
    if choice == 0 and len(files) > 1:
        file.unlink()
        return
    if choice == 1:
        del data[chance.randrange(len(data) + 1) :]
    elif data:
        for _ in range(chance.choice((1, 1, 8))):
            data[chance.randrange(len(data))] = chance.randrange(256)
    file.write_bytes(data)


def _in_file(name: str, change: Callable[[bytes, random.Random], bytes]) -> Callable[[Path, random.Random], None]:
    def mutate(path: Path, chance: random.Random) -> None:
        file = path / name if name else path
        file.write_bytes(change(file.read_bytes(), chance))

    return mutate


_MUTATIONS: dict[str, Callable[[Path, random.Random], None]] = {
    "saved_model_1": _in_file("saved_model.pb", mutate_saved_model),
    "saved_model_2": _in_file("saved_model.pb", mutate_saved_model),
    "frozen": _in_file("", mutate_graph),
    "frozen_text": _in_file("", mutate_graph_text),
    "checkpoint": _in_file("model.meta", mutate_meta_graph),
    "keras": mutate_archive,
    "h5": mutate_h5,
}

KINDS = tuple(_MUTATIONS)
