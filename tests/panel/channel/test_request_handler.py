"""The threads that answer requests."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import NoReturn

from tfmagic.panel.channel.request_handler import RequestHandler


def served(handler: RequestHandler) -> int:
    """Return the thread that does a piece of work, which is waited for."""
    ident: Future[int] = Future()
    # A thread that has given its result counts as busy for a moment more.
    while not handler.submit(lambda: ident.set_result(threading.get_ident())):
        pass
    return ident.result(60)


def test_a_thread_is_used_again() -> None:
    handler = RequestHandler()
    assert len({served(handler) for _ in range(100)}) <= 8


def test_more_than_eight_at_once_are_refused_until_one_is_done() -> None:
    handler, done = RequestHandler(), threading.Event()
    assert [handler.submit(done.wait) for _ in range(9)] == [True] * 8 + [False]  # type: ignore[arg-type]
    done.set()
    assert served(handler)


def test_work_that_fails_or_exits_leaves_the_desk_as_it_was() -> None:
    def leave() -> NoReturn:
        raise SystemExit

    handler = RequestHandler()
    for _ in range(20):
        while not handler.submit(leave):
            pass
    assert len({served(handler) for _ in range(20)}) <= 8
