"""A process that has imported TensorFlow, used nothing of it, and forks once for each Python that it is asked for.

    python server.py SOCKET

Who connects sends what to run as JSON, with three file descriptors, is told the number of the new
process, and, once that has ended, its exit status. The server ends with its standard input.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import selectors
import signal
import socket
import sys
import types
from typing import Any

# What kernels and scripts import anyway; nothing of tfmagic, which is to be loaded as by a person.
MODULES = ("ipykernel.kernelapp", "ipykernel.zmqshell", "keras", "tensorflow", "tensorflow.python.saved_model.load")
_MOST_BYTES = 1_000_000
# Linux's PR_SET_PDEATHSIG.
_ENDS_WITH_ITS_PARENT = 1

Job = dict[str, Any]


class Server:
    """Forks for whoever asks."""

    def __init__(self, path: str) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen(64)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listening, selectors.EVENT_READ)
        self._selector.register(0, selectors.EVENT_READ)
        self._running: dict[int, tuple[int, socket.socket]] = {}

    def job(self) -> Job:
        """Return, in each new process, what that is to run; the server itself ends in here."""
        while True:
            for key, _ in self._selector.select():
                if key.fd == 0:
                    os._exit(0)
                if key.fileobj is self._listening:
                    job = self._fork()
                    if job is not None:
                        return job
                else:
                    self._ended(key.fd)

    def _fork(self) -> Job | None:
        connection, _ = self._listening.accept()
        text, files, *_ = socket.recv_fds(connection, _MOST_BYTES, 3)
        pid = os.fork()
        if pid == 0:
            connection.close()
            self._close()
            job: Job = json.loads(text)
            _become(job, files)
            return job
        for one in files:
            os.close(one)
        watched = os.pidfd_open(pid)
        self._running[watched] = (pid, connection)
        self._selector.register(watched, selectors.EVENT_READ)
        _tell(connection, pid)
        return None

    def _ended(self, watched: int) -> None:
        pid, connection = self._running.pop(watched)
        self._selector.unregister(watched)
        os.close(watched)
        _, status = os.waitpid(pid, 0)
        with connection:
            _tell(connection, os.waitstatus_to_exitcode(status))

    def _close(self) -> None:
        self._selector.close()
        self._listening.close()
        for watched, (_, connection) in self._running.items():
            os.close(watched)
            connection.close()


def _tell(connection: socket.socket, number: int) -> None:
    # Who asked may have gone.
    try:
        connection.sendall(f"{number}\n".encode())
    except OSError:
        return


def _become(job: Job, files: list[int]) -> None:
    """Make of this process one that was just started."""
    os.setsid()
    ctypes.CDLL(None).prctl(_ENDS_WITH_ITS_PARENT, signal.SIGKILL)
    for target, one in enumerate(files):
        os.dup2(one, target)
        os.close(one)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    # A kernel ends when this one does.
    os.environ["JPY_PARENT_PID"] = str(os.getppid())
    random.seed()
    sys.modules["numpy"].random.seed()
    # What was imported stays out of the way of the garbage collector, which every drop calls.
    gc.enable()


def run(job: Job) -> None:
    """Run code or a module as ``python -c`` and ``python -m`` do."""
    flag, what, *rest = job["words"]
    folders = [one for one in job["env"].get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:] = ["" if flag == "-c" else job["cwd"], *folders, *(one for one in sys.path[1:] if one not in folders)]
    importlib.invalidate_caches()
    sys.argv = [flag, *rest]
    if flag == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    main = types.ModuleType("__main__")
    sys.modules["__main__"] = main
    exec(compile(what, "<string>", "exec"), vars(main))  # noqa: S102 - the test's own code


def main() -> None:
    """Import, serve, and be what was asked for."""
    for name in MODULES:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.disable()
    server = Server(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    run(server.job())


if __name__ == "__main__":
    main()
