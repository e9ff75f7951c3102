"""The folder in which parked models wait: private to this process, and gone when it ends."""

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
from pathlib import Path
from typing import IO, Any

from tfmagic.core.process import once
from tfmagic.errors import ParkError, SettingError

_PREFIX = "parked-"
_LOCK = "in-use"
# Making a folder takes no time; this is for a process that was stopped in the middle.
_MAKING_S = 3600.0


class ParkDirectory:
    """Where this process parks.

    A folder of its own inside the one that was chosen, mode 0700. A file in it stays
    locked for the life of the process: what a killed process has left behind is
    known by that it is not, and removed by the next one that parks.
    """

    def __init__(self) -> None:
        self._chosen: Path | None = None
        self._folder: Path | None = None
        self._locks: list[IO[Any]] = []
        self._made_here: list[tuple[Path, int]] = []

    @property
    def chosen(self) -> Path:
        """The folder in which this process makes its own."""
        return self._chosen or default_folder()

    def choose(self, folder: str) -> None:
        """Park in another folder from now on; what is parked stays where it is.

        Raises
        ------
        SettingError
            When nothing can be written there.
        """
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
        """Return a path at which nothing is, in the process's own folder, made if need be.

        Raises
        ------
        ParkError
            When the folder cannot be made.
        """
        folder = self._folder
        if folder is None or not folder.is_dir():
            try:
                folder = self._folder = self._made(self.chosen)
            except OSError as error:
                msg = f"the park_directory {self.chosen} cannot be written to ({error.strerror or error})"
                raise ParkError(msg) from error
        return folder / f"{secrets.token_hex(8)}.tfmagic"

    def _made(self, parent: Path) -> Path:
        parent.mkdir(parents=True, exist_ok=True)
        remove_orphans(parent)
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
        self._made_here.append((folder, os.getpid()))
        atexit.register(_remove_own, folder, os.getpid())
        self.mind_the_end()
        # Locked before it has its name: else it could be taken for one of a process that has ended.
        lock = (folder / f"{_LOCK}.new").open("w")
        _take(lock)
        (folder / f"{_LOCK}.new").rename(folder / _LOCK)
        # Kept, all of them: what was parked before another folder was chosen is still there.
        self._locks.append(lock)
        return folder

    def mind_the_end(self) -> None:
        """Have the folder go at SIGTERM, too, which ends Python at once; only the main thread can see to that.

        A handler that somebody else has set is left alone: the next process that parks removes the folder.
        """
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._end)

    def _end(self, number: int, _frame: object) -> None:
        for folder, process in self._made_here:
            _remove_own(folder, process)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _remove_own(folder: Path, process: int) -> None:
    """Remove a folder when the process that made it ends; one that was forked from it leaves it alone."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(parent: Path) -> None:
    """Remove what processes that have ended without that have left in a folder."""
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            with (folder / _LOCK).open("r+") as lock:
                if _take(lock):
                    shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:
            _remove_half_made(folder)
        except OSError:
            # Somebody else's.
            continue


def _remove_half_made(folder: Path) -> None:
    """Remove a folder that never got its lock, or has lost it, unless it is being made at this moment."""
    try:
        if folder.is_dir() and time.time() - folder.stat().st_mtime > _MAKING_S:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return


def _take(lock: IO[Any]) -> bool:
    """Lock a file for the life of this process; return whether nobody else has."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def default_folder() -> Path:
    """Return the folder of the user's cache that is tfmagic's."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tfmagic"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tfmagic" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfmagic"


def park_directory() -> ParkDirectory:
    """Return where this process parks."""
    return once("park directory", ParkDirectory)
