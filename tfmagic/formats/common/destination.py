"""Where a model is saved: written beside the place, and put there only once it is complete.

Whatever goes wrong (a full disk, Ctrl-C), what was at the path is not changed, and nothing is left beside it. What a
process that was killed has left, the next save in that folder removes.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tfmagic.concurrency.deferral import defer_interrupts
from tfmagic.core.paths import is_remote, working_folder
from tfmagic.errors import DestinationError, PathTakenError, SaveError
from tfmagic.runtime.state.spill_directory import lock_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OF_A_SAVED_MODEL = {
    *("saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb", "fingerprint.pb"),
    *("variables", "assets", "assets.extra", "debug"),
}
_OF_THE_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
# What is beside a path while it is saved: the mark in its name, the ending of what was there, of the lock.
_MARK, _OLD, _LOCK = ".tfmagic-", "-old", "-lock"
# What file browsers and notebooks leave in any folder.
_STRAY = {".DS_Store", ".ipynb_checkpoints", "Thumbs.db"}


class Destination:
    """A path that a model is to be saved at; a link means what it points to."""

    def __init__(self, path: Path, *, folder: bool, replace: bool) -> None:
        self.shown = path
        path = path.expanduser()
        self.path = (path if path.is_absolute() else working_folder() / path).resolve()
        self._folder = folder
        try:
            self._check(replace=replace)
        except OSError as error:
            if isinstance(error, SaveError):
                raise
            raise self.failed(error) from error

    def _check(self, *, replace: bool) -> None:
        parent = self.path.parent
        if not parent.is_dir():
            kind = "is a file" if parent.exists() else f"is not there (make it first: mkdir -p {parent})"
            msg = f"{self.shown} cannot be saved: its folder {parent} {kind}"
            raise DestinationError(msg)
        if not self.path.exists():
            return
        if not replace:
            msg = f"{self.shown} is there already: say --replace (replace=True) to put the model in its place"
            raise PathTakenError(msg)
        if self.path.is_dir() != self._folder:
            kind = "a folder" if self.path.is_dir() else "a file"
            wanted = "folder" if self._folder else "file"
            msg = f"{self.shown} is {kind}, and a {wanted} is to be written: choose another path"
            raise PathTakenError(msg)
        if not self._folder:
            return
        # A folder is replaced only where there is nothing in it but a SavedModel.
        inside = {entry.name for entry in self.path.iterdir()} - _STRAY
        others = sorted(inside - _OF_A_SAVED_MODEL)
        if inside and "saved_model.pb" not in inside and "saved_model.pbtxt" not in inside:
            there = _listed(sorted(inside))
            msg = f"{self.shown} is a folder that is no SavedModel (there is: {there}): choose another path"
            raise PathTakenError(msg)
        if others:
            msg = (
                f"{self.shown} holds more than a SavedModel ({_listed(others)}), which would be gone: "
                "move that away, or choose another path"
            )
            raise PathTakenError(msg)

    @contextmanager
    def written(self) -> Iterator[Path]:
        """Give a path beside the place to write to, then put it in place; after any error nothing has changed."""
        mark = f".{self.path.stem}{_MARK}{secrets.token_hex(4)}"
        beside, aside = (self.path.with_name(f"{mark}{more}{self.path.suffix}") for more in ("", _OLD))
        try:
            with _locked(self.path.with_name(f"{mark}{_LOCK}")):
                try:
                    _sweep(self.path.parent)
                    if self._folder:
                        beside.mkdir()
                    yield beside
                    self._place(beside, aside)
                finally:
                    self._tidy(beside, aside)
        except OSError as error:
            if isinstance(error, SaveError):
                raise
            raise self.failed(error) from error

    def failed(self, error: Exception) -> DestinationError:
        """Return the error for one that came while writing: the reason, and whether the old file is still there."""
        reason = disk_reason(error) or getattr(error, "strerror", None) or str(error) or type(error).__name__
        there = False
        with suppress(OSError):
            there = self.path.exists()
        kept = "what was there is as it was" if there else "nothing was written"
        return DestinationError(f"{self.shown} cannot be saved: {reason}; {kept}")

    @defer_interrupts
    def _place(self, beside: Path, aside: Path) -> None:
        if self.path.exists():
            # Its permissions stay.
            shutil.copymode(self.path, beside)
        try:
            if self._folder and self.path.exists():
                self.path.replace(aside)
            beside.replace(self.path)
        except BaseException:
            if aside.exists() and not self.path.exists():
                aside.replace(self.path)
            raise
        # Here, before a deferred Ctrl-C comes.
        self._tidy(beside, aside)

    @defer_interrupts
    def _tidy(self, beside: Path, aside: Path) -> None:
        _remove(beside)
        if self.path.exists():
            _remove(aside)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock file of a save, which tells others that its writer lives."""
    new = file.with_name(f"{file.name}.new")
    try:
        with new.open("w") as lock:
            # Locked before it gets its name: otherwise it could look like that of a writer that has ended.
            lock_file(lock)
            new.rename(file)
            yield
    finally:
        for path in (new, file):
            _remove(path)


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed while they saved have left in a folder."""
    for file in folder.glob(f".*{_MARK}*{_LOCK}"):
        # Other errors: it belongs to somebody else.
        with suppress(OSError), file.open("r+") as lock:
            if lock_file(lock):
                _sweep_save(file.with_name(file.name.removesuffix(_LOCK)))
                _remove(file)


def _sweep_save(mark: Path) -> None:
    """Remove what one save has left; what it had moved away is put back where nothing has taken its place."""
    name = mark.name[1:].rpartition(_MARK)[0]
    for left in [path for path in mark.parent.iterdir() if path.name.startswith(mark.name)]:
        ending = left.name.removeprefix(mark.name)
        before = mark.with_name(f"{name}{ending.removeprefix(_OLD)}")
        if ending.startswith(_OLD) and not before.exists():
            left.replace(before)
        elif ending != _LOCK:
            _remove(left)


def on_this_machine(path: str) -> None:
    """Refuse ``gs://`` and the like."""
    if is_remote(path):
        msg = f"{path} is not on this machine: save to a path here, and upload what was written"
        raise DestinationError(msg)


def disk_reason(error: BaseException) -> str | None:
    """Return why the disk refused to write, where a message of TensorFlow or HDF5 says so."""
    return next((reason for reason in map(os.strerror, _OF_THE_DISK) if reason in str(error)), None)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
