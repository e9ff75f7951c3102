"""A Python that was forked, as `subprocess.Popen` has one that was started."""

from __future__ import annotations

import atexit
import functools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tfmagic.runtime.memory.policy import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# What is read when a process starts, or when TensorFlow is imported: who wants it otherwise gets a Python of its own.
_READ_BY = ("TF_", "CUDA_", "LD_", "MALLOC_", "OMP_", "PYTHON", "OPENBLAS_", "KERAS_", "XLA_")
_LATER = {"PYTHONPATH", *SETTINGS}
_SERVER = "FORK_SERVER"


class Forked:
    """A process that the server has forked.

    Attributes
    ----------
    pid, args, returncode, stdin, stdout, stderr
        As of `subprocess.Popen`; the last three are None.
    """

    def __init__(self, words: Sequence[str], cwd: str, environment: Mapping[str, str], files: Sequence[int]) -> None:
        self.args = list(words)
        self.returncode: int | None = None
        self.stdin = self.stdout = self.stderr = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_started())
        text = json.dumps({"words": self.args, "cwd": cwd, "env": dict(environment)}).encode()
        socket.send_fds(self._connection, [text], list(files))
        self._said = self._connection.makefile()
        self.pid = int(self._said.readline())

    def poll(self) -> int | None:
        """Return the exit status; None while it runs."""
        if self.returncode is None:
            self._wait_s(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; return the exit status."""
        if self.returncode is None:
            self._wait_s(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _wait_s(self, timeout_s: float | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            if selector.select(timeout_s):
                # Nothing is said where the server itself has been ended.
                self.returncode = int(self._said.readline() or -signal.SIGKILL)
                self._connection.close()

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def can_fork(environment: Mapping[str, str]) -> bool:
    """Return whether a Python with this environment may be forked: what is read at once is as it was for the server."""
    return _read_at_once(environment) == _AT_ONCE


def run(words: Sequence[str], *, cwd: str, env: Mapping[str, str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run Python, forked, with these words behind ``python``, and return what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, Path(os.devnull).open("rb") as nothing:
        process = Forked(words, cwd, env, [nothing.fileno(), out.fileno(), err.fileno()])
        try:
            status = process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        printed = []
        for file in (out, err):
            file.seek(0)
            printed.append(file.read().decode())
    return subprocess.CompletedProcess([sys.executable, *words], status, *printed)


def _read_at_once(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_BY) and name not in _LATER}


_ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
_AT_ONCE = _read_at_once(_ENVIRONMENT)


def server_for_others() -> dict[str, str]:
    """Return what is to be in the environment of a process that is to use the server of this one."""
    return {_SERVER: _started()}


@functools.cache
def _started() -> str:
    if _SERVER in os.environ:
        return os.environ[_SERVER]
    folder = tempfile.TemporaryDirectory(prefix="fork-")
    path = str(Path(folder.name) / "socket")
    server = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, str(Path(__file__).with_name("server.py")), path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_ENVIRONMENT,
        cwd="/",
    )

    def end() -> None:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "the process that forks did not start"
    return path
