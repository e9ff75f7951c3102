"""Daemon threads in which native calls run, so that Ctrl-C comes back at once.

A signal reaches Python only between bytecodes of the main thread: while that
thread is inside a native run, Stop waits (tensorflow#11303). Here the main thread
waits for a worker instead, which a signal does interrupt. Workers are daemons: a
``ThreadPoolExecutor`` would hold up the exit of the process until a stuck native
call ends.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

GRACE_S = 0.1
"""How long past its deadline a caller stays: a run that ends by itself between two operations is in time."""

# Event.wait without a timeout cannot be interrupted on Windows; with one it can.
_WAKE_S = 0.1


class Job(Generic[T]):
    """A call that a worker makes.

    Attributes
    ----------
    scope : CancelScope
        The scope in which the call runs.
    done : threading.Event
        Set when the call has ended.
    error : BaseException or None
        What the call raised.
    """

    def __init__(self, call: Callable[[], T], scope: CancelScope) -> None:
        self.scope = scope
        self.done = threading.Event()
        self.error: BaseException | None = None
        self._call = call
        # With the caller's context: output printed by the call belongs to the cell it was typed in.
        self._context = scope.context()
        self._results: list[T] = []

    def run(self) -> None:
        """Make the call, in the worker."""
        try:
            self._results.append(self._context.run(self._call))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self.error = error

    def wait(self) -> bool:
        """Wait until the call has ended, or the deadline has passed; return whether it has ended."""
        while True:
            left_s = self.scope.left_s
            if self.done.wait(_WAKE_S if left_s is None else min(_WAKE_S, left_s)):
                return True
            if self.scope.expired:
                return False

    def result(self) -> T:
        """Return what the call gave.

        Raises
        ------
        TimeoutError
            When it has not ended.
        BaseException
            What it raised.
        """
        if not self.done.is_set():
            raise self.late()
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The traceback refers to this frame: without this a cycle would
                # keep the error's locals, tensors included, until the next gc.
                del self
        return self._results[0]

    def late(self) -> TimeoutError:
        """Return the error of a call that has not ended by its deadline."""
        return TimeoutError(f"no answer within {self.scope.timeout_s or 0:g} s")


class Workers:
    """The process's idle workers, and whether calls go through them at all.

    Attributes
    ----------
    interactive : bool
        Whether a person types the calls of the main thread, and may want to stop them.
    """

    def __init__(self) -> None:
        self.interactive = False
        self._idle: list[SimpleQueue[Job[Any] | None]] = []
        self._lock = threading.Lock()

    def call(self, call: Callable[[], T]) -> T:
        """Make `call`, in a worker if somebody may stop waiting for it.

        A person may, in the main thread of a kernel that has loaded the extension: a
        signal interrupts no other thread. So may a caller whose scope has a timeout.

        Raises
        ------
        KeyboardInterrupt
            At once, the native call still running in its worker.
        TimeoutError
            At the deadline, likewise.
        BaseException
            Whatever `call` raised.
        """
        scope = current_scope()
        if (scope is not None and scope.sets_deadline) or (
            self.interactive and threading.current_thread() is threading.main_thread()
        ):
            return self.call_in_worker(call)
        return call()

    def call_in_worker(self, call: Callable[[], T]) -> T:
        """Make `call` in a worker, whichever thread asks; the errors are those of `Workers.call`."""
        (job,) = self._wait_for_all([call])
        try:
            return job.result()
        finally:
            # As in `Job.result`.
            del job

    def side_by_side(self, calls: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """Make calls at the same time, each in a worker, and wait until all have ended.

        Returns
        -------
        list
            What each call gave or raised, in their order; a ``TimeoutError`` for one
            that has not ended by the deadline.

        Raises
        ------
        KeyboardInterrupt
            At once, the native calls still running in their workers.
        """
        return [_outcome(job) for job in self._wait_for_all(calls)]

    @defer_interrupts
    def submit(self, call: Callable[[], T], scope: CancelScope | None = None) -> Job[T]:
        """Begin `call` in a worker, in a scope or else in a new part of the current one."""
        job = Job(call, scope or CancelScope())
        self._idle_worker().put(job)
        return job

    @defer_interrupts
    def dismiss(self) -> None:
        """End every idle worker; a busy one ends after its call."""
        with self._lock:
            self.interactive = False
            idle, self._idle = self._idle, []
        for queue in idle:
            queue.put(None)

    @defer_interrupts
    def _wait_for_all(self, calls: Sequence[Callable[[], T]]) -> list[Job[T]]:
        """Begin calls and wait until all have ended, or the deadline has passed."""
        scope = CancelScope()
        jobs = [self.submit(call, scope) for call in calls]
        try:
            if not all([interruptible(job.wait) for job in jobs]):  # noqa: C419 - wait for each
                scope.cancel(TimeoutError)
                end = time.monotonic() + GRACE_S
                for job in jobs:
                    job.done.wait(max(0.0, end - time.monotonic()))
        except KeyboardInterrupt as error:
            scope.cancel()
            # How this waits is nobody's concern, and slow to show.
            raise error.with_traceback(None) from None
        return jobs

    def _idle_worker(self) -> SimpleQueue[Job[Any] | None]:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        threading.Thread(target=self._serve, args=(queue,), name="tfmagic-run", daemon=True).start()
        return queue

    def _serve(self, queue: SimpleQueue[Job[Any] | None]) -> None:
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


def _outcome(job: Job[Any]) -> Any:
    if not job.done.is_set():
        return job.late()
    return job.result() if job.error is None else job.error


def workers() -> Workers:
    """Return the process's workers."""
    return once("workers", Workers)
