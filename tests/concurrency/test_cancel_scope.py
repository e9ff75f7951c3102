"""What runs for somebody ends when nobody waits for it."""

from __future__ import annotations

import contextvars
import threading

import pytest

from tfmagic.concurrency.cancel_scope import Errand, errand
from tfmagic.errors import StoppedError


def test_a_program_is_on_no_errand() -> None:
    assert errand() is None


def test_the_threads_of_a_command_are_on_its_errand() -> None:
    here = Errand()
    found: list[Errand | None] = []
    with here.run():
        context = contextvars.copy_context()
        part = Errand()
    thread = threading.Thread(target=context.run, args=(lambda: found.append(errand()),))
    thread.start()
    thread.join()
    assert found == [here]
    assert part.root is here
    assert errand() is None


def test_what_is_given_up_is_refused_from_then_on_in_all_its_parts() -> None:
    here = Errand()
    with here.run():
        part = Errand()
    part.require()
    here.give_up()
    assert part.given_up_at == here.given_up_at is not None
    for one in (here, part):
        with pytest.raises(KeyboardInterrupt):
            one.require()


def test_who_gives_up_first_says_what_is_raised() -> None:
    here = Errand()
    here.give_up(lambda: StoppedError("ended"))
    here.give_up()
    with pytest.raises(StoppedError, match="ended"):
        here.require()


def test_a_part_that_is_given_up_leaves_the_whole() -> None:
    here = Errand()
    with here.run():
        part = Errand()
    part.give_up()
    here.require()
    assert here.given_up_at is None


def test_what_is_under_way_is_told_also_by_the_whole() -> None:
    here = Errand()
    told: list[str] = []
    with here.run():
        part = Errand()
    with part.telling(lambda: told.append("part")):
        here.give_up()
    assert told == ["part"]
    here.give_up()
    assert told == ["part"]


def test_nothing_begins_that_was_given_up_before() -> None:
    here = Errand()
    here.give_up()
    with pytest.raises(KeyboardInterrupt), here.telling(lambda: None):
        pytest.fail("it began")
