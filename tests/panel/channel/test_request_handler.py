"""The threads that answer requests."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import NoReturn

from tfmagic.panel.channel.request_handler import Desk


def served(desk: Desk) -> int:
    """Return the thread that does a piece of work, which is waited for."""
    ident: Future[int] = Future()
    # A thread that has given its result counts as busy for a moment more.
    while not desk.take(lambda: ident.set_result(threading.get_ident())):
        pass
    return ident.result(60)


def test_a_thread_is_used_again() -> None:
    desk = Desk()
    assert len({served(desk) for _ in range(100)}) <= 8


def test_more_than_eight_at_once_are_refused_until_one_is_done() -> None:
    desk, done = Desk(), threading.Event()
    assert [desk.take(done.wait) for _ in range(9)] == [True] * 8 + [False]  # type: ignore[arg-type]
    done.set()
    assert served(desk)


def test_work_that_fails_or_exits_leaves_the_desk_as_it_was() -> None:
    def leave() -> NoReturn:
        raise SystemExit

    desk = Desk()
    for _ in range(20):
        while not desk.take(leave):
            pass
    assert len({served(desk) for _ in range(20)}) <= 8
