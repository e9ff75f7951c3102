"""How long a caller waits: a deadline, a grace, and calls side by side."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def crew() -> Iterator[Workers]:
    found = Workers()
    yield found
    found.dismiss()


def test_a_call_in_time_gives_its_result(crew: Workers) -> None:
    with CancelScope(30):
        assert crew.call(lambda: 5) == 5


def test_a_call_with_a_deadline_goes_through_a_worker_also_in_a_script(crew: Workers) -> None:
    assert not crew.interactive
    with CancelScope(30):
        assert crew.call(threading.current_thread) is not threading.current_thread()
    with CancelScope():
        assert crew.call(threading.current_thread) is threading.current_thread()


def test_in_its_worker_a_call_goes_through_no_other(crew: Workers) -> None:
    with CancelScope(30):
        outer, inner = crew.call(lambda: (threading.current_thread(), crew.call(threading.current_thread)))
    assert outer is inner


def test_the_caller_is_back_at_the_deadline(crew: Workers) -> None:
    go = threading.Event()
    scopes: list[CancelScope | None] = []

    def work() -> None:
        scopes.append(current_scope())
        go.wait(30)

    with CancelScope(0.1) as scope, pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        crew.call(work)
    assert not go.is_set()
    assert scope.expired
    (abandoned,) = scopes
    assert abandoned is not None
    assert abandoned.cancelled
    go.set()


def test_what_ends_within_the_grace_is_in_time(crew: Workers) -> None:
    def end_when_cancelled() -> str:
        scope = current_scope()
        while scope is not None and not scope.cancelled:
            time.sleep(0.002)
        return "ended"

    with CancelScope(0.1):
        assert crew.call(end_when_cancelled) == "ended"


# -- side by side -----------------------------------------------------------------------


def test_calls_run_at_the_same_time_and_come_back_in_order(crew: Workers) -> None:
    meeting = threading.Barrier(3)

    def meet(number: int) -> int:
        meeting.wait(20)
        return number

    assert crew.side_by_side([lambda number=number: meet(number) for number in range(3)]) == [0, 1, 2]  # type: ignore[misc]


def test_what_calls_raise_stands_in_their_places_once_all_have_ended(crew: Workers) -> None:
    ended = []
    error = LookupError("in the call")

    def fail() -> None:
        raise error

    def last() -> str:
        time.sleep(0.1)
        ended.append(True)
        return "last"

    assert crew.side_by_side([fail, last]) == [error, "last"]
    assert ended


def test_at_the_deadline_those_that_have_ended_are_there(crew: Workers) -> None:
    go = threading.Event()
    with CancelScope(0.2):
        quick, slow = crew.side_by_side([lambda: 1, lambda: go.wait(30)])
    assert quick == 1
    assert isinstance(slow, TimeoutError)
    go.set()


def test_calls_side_by_side_are_in_daemons_of_the_callers_context(crew: Workers) -> None:
    (thread,) = crew.side_by_side([threading.current_thread])
    assert isinstance(thread, threading.Thread)
    assert thread is not threading.current_thread()
    assert thread.daemon
