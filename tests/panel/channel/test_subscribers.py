"""Who is sent snapshots, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
