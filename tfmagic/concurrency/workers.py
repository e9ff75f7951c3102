"""Daemon threads in which native calls run, so that Ctrl-C returns at once.

A signal reaches Python only between bytecodes of the main thread: while that thread is
inside a native run, Stop waits (tensorflow#11303). Here the main thread waits for a worker
instead, and a signal does interrupt that. Workers are daemons: a ``ThreadPoolExecutor``
would delay the exit of the process until a stuck native call ends.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.deferral import defer_interrupts, interruptible
from tfmagic.core.process import once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

P = ParamSpec("P")
T = TypeVar("T")

GRACE_S = 0.1
"""How long a caller waits past its deadline for a native run that ends between two operations."""

# Event.wait without a timeout cannot be interrupted on Windows; with one it can.
_WAKE_S = 0.1


class Job(Generic[T]):
    """A call that a worker makes in a scope; `done` is set at its end, and `error` is what it raised."""

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
        """Return the value of the call, or raise its error; a ``TimeoutError`` if it has not ended."""
        if not self.done.is_set():
            raise self.late()
        if self.error is not None:
            try:
                raise self.error
            finally:
                # The traceback refers to this frame: the cycle would keep the
                # error's locals, tensors included, until the next gc.
                del self
        return self._results[0]

    def late(self) -> TimeoutError:
        """Return the error of a call that has not ended by its deadline."""
        return TimeoutError(f"no answer within {self.scope.timeout_s or 0:g} s")


class Workers:
    """The process's workers; with `interactive`, a person types the calls of the main thread and may stop them."""

    def __init__(self) -> None:
        self.interactive = False
        self._idle: list[SimpleQueue[Job[Any] | None]] = []
        self._lock = threading.Lock()

    def call(self, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Make a call, in a worker if its caller may stop waiting.

        Callers in the main thread of a kernel that has loaded the extension may, since Ctrl-C
        interrupts that thread. So may a caller whose scope has a timeout. ``KeyboardInterrupt``
        comes at once and ``TimeoutError`` at the deadline; the native call goes on in its worker.
        """
        scope = current_scope()
        if (scope is not None and scope.sets_deadline) or self.caller_may_be_stopped:
            return self.call_in_worker(call, *args, **options)
        return call(*args, **options)

    @property
    def caller_may_be_stopped(self) -> bool:
        """Whether Ctrl-C interrupts the thread that asks."""
        return self.interactive and threading.current_thread() is threading.main_thread()

    def call_in_worker(self, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        """Make a call in a worker, whichever thread asks; the errors are those of `Workers.call`."""
        (job,) = self._wait_for_all([partial(call, *args, **options)])
        try:
            return job.result()
        finally:
            # As in `Job.result`.
            del job

    def side_by_side(self, calls: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """Make calls at the same time, each in a worker; return the value or error of each once all have ended.

        A call that has not ended by the deadline gives a ``TimeoutError``. ``KeyboardInterrupt``
        comes at once; the native calls go on in their workers.
        """
        return [_outcome(job) for job in self._wait_for_all(calls)]

    @defer_interrupts
    def submit(self, call: Callable[[], T], scope: CancelScope | None = None) -> Job[T]:
        """Begin `call` in a worker, in the given scope or a new one."""
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
            # The frames of this wait tell a person nothing, and are slow to show.
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
            # Idle before the waiting thread wakes, so that its next call
            # uses this worker and starts no second one.
            with self._lock:
                stays = self.interactive
                if stays:
                    self._idle.append(queue)
            job.done.set()
            # An idle worker must not keep the last call's tensors alive.
            del job
            if not stays:
                return


def _outcome(job: Job[Any]) -> Any:
    if not job.done.is_set():
        return job.late()
    return job.result() if job.error is None else job.error


def workers() -> Workers:
    """Return the process's workers."""
    return once("workers", Workers)
