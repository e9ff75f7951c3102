"""Who is sent snapshots, and for how long."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tfmagic.panel.channel import subscribers
from tfmagic.panel.channel.subscribers import Subscribers
from tfmagic.panel.snapshot.sampler import ASLEEP_S, sampler
from tfmagic.panel.snapshot.snapshot import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def pages(sent: list[dict[str, Any]]) -> Iterator[Subscribers]:
    pages = Subscribers(sent.append, heard_while_busy=True)
    yield pages
    pages.unsubscribe()


def tell(pages: Subscribers, page: str, *, looking: bool) -> None:
    pages.receive({"id": "7", "request": "watch", "page": page, "looking": looking}, lambda _: None)


def is_awake() -> bool:
    return sampler().interval_s != ASLEEP_S


def test_the_sampler_sleeps_once_the_last_page_has_looked_away(pages: Subscribers) -> None:
    tell(pages, "a", looking=True)
    tell(pages, "b", looking=True)
    tell(pages, "a", looking=False)
    assert is_awake()
    tell(pages, "b", looking=False)
    assert not is_awake()


def test_a_page_that_was_closed_without_a_word_is_sent_nothing_more(
    pages: Subscribers, sent: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(pages, "a", looking=True)
    pages.push(snapshot())
    assert sent
    monkeypatch.setattr(subscribers, "_LEASE_S", -1.0)
    # The sampler's own thread may have sent one meanwhile.
    pages.push(snapshot())
    before = len(sent)
    pages.push(snapshot())
    assert len(sent) == before
    assert not is_awake()


def test_a_page_that_says_anything_but_true_is_not_looking(pages: Subscribers) -> None:
    for looking in (1, "true", None, [True]):
        pages.receive({"id": "7", "request": "watch", "page": "a", "looking": looking}, lambda _: None)
    assert not is_awake()


def test_no_more_than_a_hundred_pages_are_remembered(pages: Subscribers) -> None:
    for number in range(1000):
        tell(pages, f"page {number}", looking=True)
    for number in range(900, 1000):
        assert is_awake()
        tell(pages, f"page {number}", looking=False)
    assert not is_awake()


def ask(pages: Subscribers) -> Future[Any]:
    """Send a request; its answer comes later."""
    reply: Future[Any] = Future()
    pages.receive({"id": "1", "request": "history"}, reply.set_result)
    return reply


def test_more_than_eight_requests_at_once_are_refused_until_one_is_answered(
    pages: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = threading.Event()
    monkeypatch.setattr(subscribers, "answer", lambda _: {"error": None if done.wait(60) else "late"})
    replies = [ask(pages) for _ in range(9)]
    assert "too many requests" in replies.pop().result(60)["error"]
    done.set()
    assert [reply.result(60)["error"] for reply in replies] == [None] * 8
    wait_for_an_answer(pages)


def test_requests_that_fail_or_exit_do_not_take_a_place_for_ever(
    pages: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = threading.Semaphore(0)

    def leave(_: object) -> NoReturn:
        calls.release()
        raise SystemExit

    monkeypatch.setattr(subscribers, "answer", leave)
    for _ in range(8):
        ask(pages)
    assert all(calls.acquire(timeout=60) for _ in range(8))
    monkeypatch.undo()
    wait_for_an_answer(pages)


def wait_for_an_answer(pages: Subscribers) -> None:
    # A worker that has given its answer holds its place for a moment more.
    while "too many requests" in (ask(pages).result(60)["error"] or ""):
        pass


def test_threads_are_used_again(pages: Subscribers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscribers, "answer", lambda _: {"error": None, "thread": threading.get_ident()})
    threads = {ask(pages).result(60).get("thread") for _ in range(100)} - {None}
    assert len(threads) <= 8
