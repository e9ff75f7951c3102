"""Which files a checkpoint of TF1 consists of: those with its values, and the graph, which many may share.

The first format of ``Saver`` has the values in a file without a suffix, or in shards such as ``net-00000-of-00002``,
the second in ``net.index`` and ``net.data-…``. The graph is in ``net.meta``, or was written once for a whole training.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tensorflow as tf

from tfmagic.core.regular_files import regular_file, regular_files
from tfmagic.core.units import size_text
from tfmagic.errors import MissingPathError, SourceError
from tfmagic.formats.common.wrong_file import FIRST_FORMAT, table_in
from tfmagic.formats.saved_model.meta_graph import GRAPH_FILE_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable

_PART = re.compile(r"\.(meta|index|data-\d+-of-\d+)$")
_SHARD = re.compile(r"-(\d{5}|\?{5})-of-(?P<count>\d{5})$")
_STEP = re.compile(r"-(?P<step>\d+)$")
# What names a folder's checkpoints is a line for each.
_STATE_BYTES = 1 << 24


@dataclass(frozen=True)
class CheckpointFiles:
    """Where a checkpoint's values are, as TensorFlow wants it, and its graph; None where there is none."""

    values: Path
    meta: Path | None

    def graph(self) -> Path:
        """Return the file with the graph; a missing part is a `MissingPathError`."""
        own = _own_meta(self.values)
        if self.meta is None:
            others = [meta.name for meta in _metas(self.values.parent)]
            reason = (
                f"its folder has several: {', '.join(others[:4])} (copy the one that fits to {own.name})"
                if others
                else f"there is no {own.name} beside it (checkpoints of TensorFlow 2 have none: build the model in a "
                "cell, restore it there, and add the object)"
            )
            msg = f"the checkpoint {self.values} has no graph of its own, and {reason}"
            if not others:
                msg = f"the checkpoint {self.values} has no graph: {reason}"
            raise MissingPathError(msg)
        if not has_values(self.values):
            name = self.values.name
            msg = f"the checkpoint {self.values} has no values: there is no {name}.index beside {self.meta.name}"
            raise MissingPathError(msg)
        regular_files([self.meta, *self._parts()])
        return self.meta

    def all(self) -> list[Path]:
        """Return its files that are there."""
        ours = [file for file in self._parts() if file.is_file()]
        return sorted({*ours, *([self.meta] if self.meta is not None else [])})

    def _parts(self) -> list[Path]:
        """Return what is there under the names of its files; a folder of its own name is something else."""
        base = _SHARD.sub("", self.values.name)
        named = (file for file in self.values.parent.glob("*") if _is_of(file.name, base))
        return [file for file in named if file.name != base or not file.is_dir()]

    @property
    def note(self) -> str:
        """What a person is told of a graph that was written for another checkpoint; nothing of its own."""
        is_own = self.meta is None or self.meta == _own_meta(self.values)
        return "" if is_own else f"its graph is that of {getattr(self.meta, 'name', '')}"


def files_at(path: Path) -> CheckpointFiles | None:
    """Return the checkpoint at a path: one of its files, their common beginning, or a folder that names the latest."""
    if path.is_dir():
        is_other = any((path / name).exists() for name in GRAPH_FILE_NAMES)
        latest = None if is_other else _latest(path)
        return None if latest is None else CheckpointFiles(latest, _meta_for(latest))
    if path.suffix == ".meta":
        own = path.with_suffix("")
        values = _as_tensorflow_reads(own)
        if not has_values(values) and path.is_file():
            # The graph of a training, whose latest values are meant.
            values = _latest(path.parent) or values
        return CheckpointFiles(values, path if path.exists() else _meta_for(values))
    is_part = _PART.search(path.name) is not None or (_SHARD.search(path.name) is not None and _is_table(path))
    prefix = path.with_name(_SHARD.sub("", _PART.sub("", path.name))) if is_part else path
    values = _as_tensorflow_reads(prefix)
    named = not path.exists() and (_own_meta(prefix).exists() or has_values(values))
    if is_part or named or _is_table(path):
        return CheckpointFiles(values, _meta_for(values))
    return None


def has_values(values: Path) -> bool:
    """Return whether there are files with the values of a checkpoint."""
    if _SHARD.search(values.name):
        return any(values.parent.glob(values.name))
    return values.with_name(f"{values.name}.index").exists() or _is_table(values)


def _as_tensorflow_reads(prefix: Path) -> Path:
    """Return the path that TensorFlow takes for a checkpoint: a pattern for shards of the first format."""
    if has_values(prefix):
        return prefix
    shards = (_SHARD.search(file.name) for file in prefix.parent.glob("*") if _SHARD.sub("", file.name) == prefix.name)
    count = next((shard["count"] for shard in shards if shard is not None), None)
    return prefix if count is None else prefix.with_name(f"{prefix.name}-?????-of-{count}")


def _is_of(name: str, base: str) -> bool:
    return _PART.sub("", _SHARD.sub("", name)) == base or _PART.sub("", name) == base


def _is_table(path: Path) -> bool:
    """Return whether a file is a checkpoint of the first format, or a shard of one."""
    if not path.is_file() or path.suffix == ".index":
        return False
    with path.open("rb") as file:
        return table_in(file) == FIRST_FORMAT


def _own_meta(values: Path) -> Path:
    return values.with_name(f"{_SHARD.sub('', values.name)}.meta")


def _metas(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.meta") if file.is_file())


def _meta_for(values: Path) -> Path | None:
    """Return the file with the graph of a checkpoint: its own, or the one that fits it best in its folder."""
    own = _own_meta(values)
    if own.exists():
        return own
    metas = _metas(values.parent)
    if not has_values(values) or len(metas) <= 1:
        return metas[0] if metas and has_values(values) else None
    name, step = _name_and_step(own.stem)
    alike = {_name_and_step(meta.stem)[1]: meta for meta in metas if _name_and_step(meta.stem)[0] == name}
    # The latest that was written before, else the first one after.
    before = [other for other in alike if other <= step]
    if alike:
        return alike[max(before)] if before else alike[min(alike)]
    return None


def _name_and_step(stem: str) -> tuple[str, int]:
    step = _STEP.search(stem)
    return _STEP.sub("", stem), -1 if step is None else int(step["step"])


def _latest(folder: Path) -> Path | None:
    """Return the checkpoint that a folder's ``checkpoint`` file names, or the only one that has a graph in it."""
    file = folder / "checkpoint"
    if not file.exists():
        return _only_one(folder)
    if regular_file(file).stat().st_size > _STATE_BYTES:
        msg = f"{file} is {size_text(file.stat().st_size)}: expected a text of some lines that names a checkpoint"
        raise SourceError(msg)
    state = None
    with suppress(UnicodeDecodeError):
        state = tf.compat.v1.train.get_checkpoint_state(str(folder))
    name = "" if state is None else str(state.model_checkpoint_path)
    if not Path(name).name or not name.isprintable():
        msg = f"{file} names no checkpoint, it may be damaged: give the path of one in {folder}"
        raise SourceError(msg)
    # In a folder that was moved, the name in it.
    named = folder / name
    return named if has_values(named) else folder / named.name


def _only_one(folder: Path) -> Path | None:
    if not _metas(folder):
        return None
    prefixes: Iterable[Path] = {file.with_suffix("") for file in folder.glob("*.index") if file.is_file()}
    first, *more = [*prefixes, None]
    return first if len(more) == 1 else None
