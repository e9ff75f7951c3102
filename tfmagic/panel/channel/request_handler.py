"""A few threads that answer requests, each one request after another."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Of requests that are being answered at one time; more are refused.
_AT_ONCE = 8
# A thread that had nothing to do for so long ends.
_IDLE_S = 10.0


class Desk:
    """Does what is handed in, in threads that begin when they are needed.

    A thread is used again, for each that sends something over iopub has a socket
    of its own there, which ipykernel closes only some seconds after the thread's end:
    with one thread a request, a page that asks much would take all files that the
    process may open.
    """

    def __init__(self) -> None:
        self._handed_in: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._changing = threading.Lock()
        self._under_way = 0
        self._threads = 0

    def take(self, work: Callable[[], None]) -> bool:
        """Have it done soon; False where too much is being done already."""
        with self._changing:
            if self._under_way >= _AT_ONCE:
                return False
            if self._under_way == self._threads:
                threading.Thread(target=self._serve, name="tfmagic-request", daemon=True).start()
                self._threads += 1
            self._under_way += 1
        self._handed_in.put(work)
        return True

    def _serve(self) -> None:
        while True:
            try:
                work = self._handed_in.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._changing:
                    if self._under_way < self._threads:
                        self._threads -= 1
                        return
                continue
            try:
                work()
            except BaseException:
                # The thread is counted on, whatever stopped its work.
                logging.getLogger("tfmagic").exception("a request of the panel could not be answered")
            finally:
                with self._changing:
                    self._under_way -= 1
