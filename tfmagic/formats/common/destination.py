"""Where a model is saved: written beside the place, and put there only once it is complete.

Whatever goes wrong (a full disk, Ctrl-C), what was at the path is not changed, and nothing is left beside it.
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OF_A_SAVED_MODEL = {
    *("saved_model.pb", "saved_model.pbtxt", "keras_metadata.pb", "fingerprint.pb"),
    *("variables", "assets", "assets.extra", "debug"),
}
_OF_THE_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
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
        mark = f".{self.path.stem}.tfmagic-{secrets.token_hex(4)}"
        beside, aside = (self.path.with_name(f"{mark}{more}{self.path.suffix}") for more in ("", "-old"))
        try:
            if self._folder:
                beside.mkdir()
            yield beside
            self._place(beside, aside)
        except OSError as error:
            if isinstance(error, SaveError):
                raise
            raise self.failed(error) from error
        finally:
            self._tidy(beside, aside)

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
