"""A few threads that answer requests, each thread one request after another."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# How many requests may be under way at a time; more are refused.
_AT_ONCE = 8
# A thread without work ends after so long.
_IDLE_S = 10.0


class RequestHandler:
    """Runs callables in threads that it starts when they are needed, and uses again.

    ipykernel gives each thread that sends over iopub a socket, and closes it only some
    seconds after the thread has ended. With a thread a request, a page that asks often
    would use up all files that the process may open.
    """

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._under_way = 0
        self._threads = 0

    def submit(self, work: Callable[[], None]) -> bool:
        """Run `work` soon; False where too many requests are under way."""
        with self._lock:
            if self._under_way >= _AT_ONCE:
                return False
            if self._under_way == self._threads:
                threading.Thread(target=self._serve, name="tfmagic-request", daemon=True).start()
                self._threads += 1
            self._under_way += 1
        self._queue.put(work)
        return True

    def _serve(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._under_way < self._threads:
                        self._threads -= 1
                        return
                continue
            try:
                work()
            except BaseException:
                # The thread must live on: it is counted.
                logging.getLogger("tfmagic").exception("a request of the panel could not be answered")
            finally:
                with self._lock:
                    self._under_way -= 1
