"""The folder of parked models: private to this process, and removed when it ends."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tfmagic.core.process import once
from tfmagic.errors import ParkError, SettingError

_PREFIX = "parked-"
_LOCK = "in-use"
# Creating a folder takes no time; this is for a process that was stopped in the middle.
_UNFINISHED_S = 3600.0


class ParkDirectory:
    """The folder in which this process parks.

    It lies in the folder that was chosen, has mode 0700, and holds a file that stays locked for the life of the
    process. An unlocked file shows that a killed process has left its folder; the next process that parks removes it.
    """

    def __init__(self) -> None:
        self._chosen: Path | None = None
        self._folder: Path | None = None
        self._locks: list[IO[Any]] = []
        self._created: list[tuple[Path, int]] = []

    @property
    def parent(self) -> Path:
        """The folder in which this process creates its own."""
        return self._chosen or default_folder()

    def choose(self, folder: str) -> None:
        """Park further models in another folder; `SettingError` if it cannot be written to."""
        chosen = Path(folder).expanduser() if folder else None
        if chosen is not None:
            try:
                chosen.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=chosen):
                    pass
            except OSError as error:
                msg = f"park_directory {folder!r} cannot be written to ({error.strerror or error})"
                raise SettingError(msg) from error
        self._chosen, self._folder = chosen, None

    def place(self) -> Path:
        """Return an unused path in the process's own folder, which is created if need be, or raise `ParkError`."""
        folder = self._folder
        if folder is None or not folder.is_dir():
            try:
                folder = self._folder = self._create(self.parent)
            except OSError as error:
                msg = f"the park_directory {self.parent} cannot be written to ({error.strerror or error})"
                raise ParkError(msg) from error
        return folder / f"{secrets.token_hex(8)}.tfmagic"

    def _create(self, parent: Path) -> Path:
        parent.mkdir(parents=True, exist_ok=True)
        remove_orphans(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        self._created.append((folder, os.getpid()))
        atexit.register(_remove_own, folder, os.getpid())
        self.remove_on_sigterm()
        # Locked before it gets its name: otherwise it could look like the lock of a process that has ended.
        lock = (folder / f"{_LOCK}.new").open("w")
        lock_file(lock)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        # All locks are kept: models parked before another folder was chosen are still there.
        self._locks.append(lock)
        return folder

    def remove_on_sigterm(self) -> None:
        """Remove the folder at SIGTERM as well, which ends Python at once; only the main thread can arrange that.

        Somebody else's handler is left alone: then the next process that parks removes the folder.
        """
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._on_sigterm)

    def _on_sigterm(self, number: int, _frame: object) -> None:
        for folder, process in self._created:
            _remove_own(folder, process)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _remove_own(folder: Path, process: int) -> None:
    """Remove a folder in the process that created it, not in a fork."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(parent: Path) -> None:
    """Remove the folders of processes that ended without removing them."""
    for folder in parent.glob(f"{_PREFIX}*"):
        # Other errors: it belongs to somebody else.
        with suppress(OSError):
            try:
                with (folder / _LOCK).open("r+") as lock:
                    if lock_file(lock):
                        shutil.rmtree(folder, ignore_errors=True)
            except FileNotFoundError:
                # The folder never got its lock, or has lost it, unless it is being created right now.
                if folder.is_dir() and time.time() - folder.stat().st_mtime > _UNFINISHED_S:
                    shutil.rmtree(folder, ignore_errors=True)


def lock_file(lock: IO[Any]) -> bool:
    """Lock a file for the life of this process; return False if another process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def default_folder() -> Path:
    """Return tfmagic's folder in the user's cache."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tfmagic"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tfmagic" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfmagic"


def park_directory() -> ParkDirectory:
    """Return the process's park directory."""
    return once("park directory", ParkDirectory)
