"""Daemon threads in which native calls run, so that Ctrl-C comes back at once.

A signal reaches Python only between bytecodes of the main thread: while that
thread is inside a native run, Stop waits (tensorflow#11303). Here the main thread
waits for a worker instead, which a signal does interrupt. Workers are daemons: a
``ThreadPoolExecutor`` would hold up the exit of the process until a stuck native
call ends.
"""

from __future__ import annotations

import contextvars
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tfmagic.concurrency.cancel_scope import GRACE_S, Errand, Patience
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# Event.wait without a timeout cannot be interrupted on Windows; with one it can.
_WAKE_S = 0.1


class _Job:
    """One call on its way through a worker, and what came of it."""

    def __init__(self, call: Callable[[], Any], errand: Errand) -> None:
        self.call = call
        self.errand = errand
        # Output printed by the call belongs to the cell it was typed in.
        self.context = contextvars.copy_context()
        self.done = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        __tracebackhide__ = True
        try:
            self.result = self.context.run(self._sent)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self.error = error

    def _sent(self) -> Any:
        __tracebackhide__ = True
        with self.errand.run():
            return self.call()


class Workers:
    """The process's idle workers, and whether calls go through them at all."""

    def __init__(self) -> None:
        self.interactive = False
        self._idle: list[SimpleQueue[_Job | None]] = []
        self._lock = threading.Lock()

    def call(self, call: Callable[[], T], patience: Patience | None = None) -> T:
        """Run `call`, in a worker if a person typed it and may want to stop it.

        That is so in the main thread of a kernel that has loaded the extension,
        the only thread that a signal interrupts; and wherever there is a deadline.
        Anywhere else it is called directly.

        Parameters
        ----------
        call
            What to run.
        patience
            How long to wait for it; as long as it takes if None.

        Raises
        ------
        KeyboardInterrupt
            At once, the native call still running in its worker.
        TimeoutError
            At the deadline, likewise.
        BaseException
            Whatever `call` raised.
        """
        __tracebackhide__ = True
        limited = patience is not None and patience.seconds is not None
        if not limited and (not self.interactive or threading.current_thread() is not threading.main_thread()):
            return call()
        return self.call_apart(call, patience)

    def call_apart(self, call: Callable[[], T], patience: Patience | None = None) -> T:
        """Run `call` in a worker, whichever thread asks; the parameters and errors are those of `call`."""
        __tracebackhide__ = True
        (job,) = self._ended([call], patience or Patience())
        if not job.done.is_set():
            msg = f"no answer within {patience.seconds if patience else 0:g} s"
            raise TimeoutError(msg)
        if job.error is not None:
            try:
                raise job.error
            finally:
                # The traceback refers to this frame: without this a cycle would
                # keep the error's locals, tensors included, until the next gc.
                del job
        return cast("T", job.result)

    def side_by_side(self, calls: Sequence[Callable[[], T]], patience: Patience) -> list[T | BaseException]:
        """Run calls at the same time, each in a worker, and return what came of each once all have ended.

        Parameters
        ----------
        calls
            What to run.
        patience
            How long to wait for all of them.

        Returns
        -------
        list
            What each call gave or raised, in their order; at the deadline a
            ``TimeoutError`` in the place of one that has not ended.

        Raises
        ------
        KeyboardInterrupt
            At once, the native calls still running in their workers.
        """
        late = TimeoutError(f"no answer within {patience.seconds or 0:g} s")
        jobs = self._ended(calls, patience)
        return [_outcome(job) if job.done.is_set() else late for job in jobs]

    @defer_interrupts
    def dismiss(self) -> None:
        """End every idle worker; a busy one ends after its call."""
        with self._lock:
            self.interactive = False
            idle, self._idle = self._idle, []
        for queue in idle:
            queue.put(None)

    @defer_interrupts
    def _ended(self, calls: Sequence[Callable[[], Any]], patience: Patience) -> list[_Job]:
        """Begin calls and wait until all have ended, or the caller's patience has."""
        __tracebackhide__ = True
        errand = Errand()
        jobs = [_Job(call, errand) for call in calls]
        try:
            for job in jobs:
                self._take().put(job)
            for job in jobs:
                interruptible(partial(_wait_for, job, patience))
            if patience.given_up:
                errand.give_up(TimeoutError)
                end = time.monotonic() + GRACE_S
                for job in jobs:
                    job.done.wait(max(0.0, end - time.monotonic()))
        except KeyboardInterrupt as error:
            errand.give_up()
            patience.give_up()
            # How this waits is nobody's concern, and slow to show.
            raise error.with_traceback(None) from None
        return jobs

    def _take(self) -> SimpleQueue[_Job | None]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        queue: SimpleQueue[_Job | None] = SimpleQueue()
        threading.Thread(target=self._serve, args=(queue,), name="tfmagic-run", daemon=True).start()
        return queue

    def _serve(self, queue: SimpleQueue[_Job | None]) -> None:
        while (job := queue.get()) is not None:
            job.run()
            # Idle again before the waiting thread wakes, so that its next call
            # takes this worker and starts no second one.
            with self._lock:
                stay = self.interactive
                if stay:
                    self._idle.append(queue)
            job.done.set()
            # An idle worker must not keep the last call's tensors alive.
            del job
            if not stay:
                return


def _wait_for(job: _Job, patience: Patience) -> None:
    """Wait until a job has ended, or the deadline has passed; at the deadline, tell what is under way."""
    __tracebackhide__ = True
    while True:
        left = patience.left_s
        if job.done.wait(_WAKE_S if left is None else min(_WAKE_S, left)):
            return
        if patience.late:
            patience.give_up()
            return


def _outcome(job: _Job) -> Any:
    return job.result if job.error is None else job.error


def workers() -> Workers:
    """Return the process's workers."""
    return once("workers", Workers)
