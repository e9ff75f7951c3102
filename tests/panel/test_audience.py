"""Who looks, and how often they wish to be sent something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tfmagic.panel.audience import Audience
from tfmagic.panel.sampler import ASLEEP_S, sampler

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def audience() -> Iterator[Audience]:
    made = Audience(lambda _: None, heard_while_busy=True)
    yield made
    made.look_away()


def ask(audience: Audience, **message: Any) -> Any:
    replies: list[Any] = []
    audience.receive({"id": "7", **message}, replies.append)
    (only,) = replies
    return only


def watch(audience: Audience, page: str, **fields: Any) -> Any:
    return ask(audience, request="watch", looking=True, page=page, **fields)


def test_of_the_pages_that_look_the_shortest_wish_counts(audience: Audience) -> None:
    assert watch(audience, "a", interval_s=30)["ok"]
    assert sampler().interval_s == 30
    watch(audience, "b", interval_s=0.5)
    assert sampler().interval_s == 0.5
    ask(audience, request="watch", looking=False, page="b")
    assert sampler().interval_s == 30
    # Who has no wish wants what is set in the kernel.
    watch(audience, "c")
    assert sampler().interval_s == sampler().watched_s
    audience.look_away()
    assert sampler().interval_s == ASLEEP_S


def test_a_page_may_change_its_wish(audience: Audience) -> None:
    watch(audience, "a", interval_s=30)
    watch(audience, "a", interval_s=7)
    assert sampler().interval_s == 7
    watch(audience, "a")
    assert sampler().interval_s == sampler().watched_s


@pytest.mark.parametrize("wish", [0, 0.01, 61, -1, True, "5", float("nan"), float("inf"), [1], {"s": 1}])
def test_a_wish_that_is_no_interval_is_refused(audience: Audience, wish: object) -> None:
    answer = watch(audience, "a", interval_s=wish)
    assert not answer["ok"]
    assert "from 0.1 to 60, got" in answer["error"]
    assert sampler().interval_s == ASLEEP_S


def test_it_is_known_that_a_page_shows_its_sidebar(audience: Audience) -> None:
    assert not audience.revealed.is_set()
    assert ask(audience, request="revealed")["ok"]
    assert audience.revealed.is_set()
