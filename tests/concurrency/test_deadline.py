"""How long a caller waits: a deadline, a grace, and calls side by side."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tfmagic.concurrency.cancel_scope import Patience
from tfmagic.concurrency.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def crew() -> Iterator[Workers]:
    found = Workers()
    yield found
    found.dismiss()


def test_without_a_deadline_it_is_never_late() -> None:
    patience = Patience()
    assert (patience.left_s, patience.late, patience.given_up) == (None, False, False)
    patience.require()
    assert patience.run_options().timeout_in_ms == 0


def test_a_deadline_passes() -> None:
    patience = Patience(0.05)
    assert 0 < (patience.left_s or 0) <= 0.05
    patience.require()
    time.sleep(0.06)
    assert patience.late
    assert patience.left_s == 0
    with pytest.raises(TimeoutError):
        patience.require()


def test_a_native_run_ends_a_little_after_the_deadline_and_never_before_it() -> None:
    patience = Patience(0.05)
    in_ms = patience.run_options().timeout_in_ms
    time.sleep(in_ms / 1000)
    assert patience.late
    # 0 would be no deadline at all.
    assert patience.run_options().timeout_in_ms == 1


def test_who_has_gone_begins_nothing_more() -> None:
    patience = Patience()
    patience.give_up()
    with pytest.raises(TimeoutError):
        patience.require()


def test_a_call_in_time_gives_its_result(crew: Workers) -> None:
    assert crew.call(lambda: 5, Patience(30)) == 5


def test_a_call_with_a_deadline_goes_through_a_worker_also_in_a_script(crew: Workers) -> None:
    assert not crew.interactive
    assert crew.call(threading.current_thread, Patience(30)) is not threading.current_thread()
    assert crew.call(threading.current_thread, Patience()) is threading.current_thread()


def test_the_caller_is_back_at_the_deadline(crew: Workers) -> None:
    go = threading.Event()
    patience = Patience(0.1)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0\.1 s"):
        crew.call(lambda: go.wait(30), patience)
    assert time.monotonic() - began < 10
    assert patience.given_up
    go.set()


def test_what_ends_within_the_grace_is_in_time(crew: Workers) -> None:
    patience = Patience(0.1)

    def end_when_told() -> str:
        while not patience.given_up:
            time.sleep(0.002)
        return "ended"

    assert crew.call(end_when_told, patience) == "ended"


# -- side by side -----------------------------------------------------------------------


def test_calls_run_at_the_same_time_and_come_back_in_order(crew: Workers) -> None:
    meeting = threading.Barrier(3)

    def meet(number: int) -> int:
        meeting.wait(20)
        return number

    assert crew.side_by_side([lambda number=number: meet(number) for number in range(3)], Patience()) == [0, 1, 2]  # type: ignore[misc]


def test_what_calls_raise_stands_in_their_places_once_all_have_ended(crew: Workers) -> None:
    ended = []
    error = LookupError("in the call")

    def fail() -> None:
        raise error

    def last() -> str:
        time.sleep(0.1)
        ended.append(True)
        return "last"

    assert crew.side_by_side([fail, last], Patience()) == [error, "last"]
    assert ended


def test_at_the_deadline_those_that_have_ended_are_there(crew: Workers) -> None:
    go = threading.Event()
    quick, slow = crew.side_by_side([lambda: 1, lambda: go.wait(30)], Patience(0.2))
    assert quick == 1
    assert isinstance(slow, TimeoutError)
    go.set()


def test_calls_side_by_side_are_in_daemons_of_the_callers_context(crew: Workers) -> None:
    (thread,) = crew.side_by_side([threading.current_thread], Patience())
    assert isinstance(thread, threading.Thread)
    assert thread is not threading.current_thread()
    assert thread.daemon
