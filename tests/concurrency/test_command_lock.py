"""One command at a time changes a model."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tfmagic.concurrency.cancel_scope import CancelScope, current_scope
from tfmagic.concurrency.command_lock import CommandLock
from tfmagic.errors import ModelStateError

if TYPE_CHECKING:
    from collections.abc import Callable


class Other:
    """Another command, in a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.came: object = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.came = self._work()
        except ModelStateError as error:
            self.came = error

    @property
    def busy(self) -> bool:
        return self._thread.is_alive()

    def ended(self) -> object:
        self._thread.join(10)
        assert not self.busy, "it waits for good"
        return self.came


def hold(command_lock: CommandLock) -> str:
    with command_lock.hold():
        return "had it"


def test_another_command_waits_until_it_is_given_back() -> None:
    command_lock = CommandLock("net")
    with command_lock.hold() as came:
        assert came
        other = Other(lambda: hold(command_lock))
        time.sleep(0.1)
        assert other.busy
    assert other.ended() == "had it"


def test_the_command_itself_has_it_already_in_all_its_threads_and_tasks() -> None:
    command_lock = CommandLock("net")
    with command_lock.hold():
        assert hold(command_lock) == "had it"
        context = contextvars.copy_context()
        assert Other(lambda: context.run(hold, command_lock)).ended() == "had it"

        async def main() -> str:
            return await asyncio.create_task(asyncio.to_thread(hold, command_lock))

        assert asyncio.run(main()) == "had it"
        assert Other(lambda: command_lock.hold(timeout_s=0.0).__enter__()).ended() is False
    assert Other(lambda: hold(command_lock)).ended() == "had it"
    assert current_scope() is None


def test_who_came_first_has_it_first() -> None:
    command_lock = CommandLock("net")
    order: list[int] = []

    def take(number: int) -> None:
        with command_lock.hold():
            order.append(number)

    with command_lock.hold():
        others = []
        for number in range(5):
            others.append(Other(lambda number=number: take(number)))  # type: ignore[misc]  # a bound number
            time.sleep(0.02)
    for other in others:
        other.ended()
    assert order == list(range(5))


def test_waiting_ends_at_its_timeout() -> None:
    command_lock = CommandLock("net")

    def impatient() -> bool:
        with command_lock.hold(timeout_s=0.1) as came:
            return came

    with command_lock.hold():
        assert Other(impatient).ended() is False
        assert Other(impatient).ended() is False
    assert Other(impatient).ended() is True


def test_an_error_in_the_block_gives_it_back() -> None:
    command_lock = CommandLock("net")

    def fail() -> None:
        with command_lock.hold():
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert Other(lambda: hold(command_lock)).ended() == "had it"


def test_of_two_that_want_each_others_turn_one_has_an_error_and_the_other_goes_on() -> None:
    locks = [CommandLock("a"), CommandLock("b")]
    both = threading.Barrier(2)

    def take(first: CommandLock, second: CommandLock) -> str:
        with first.hold():
            both.wait(10)
            return hold(second)

    others = [Other(lambda: take(*locks)), Other(lambda: take(*reversed(locks)))]
    came = [other.ended() for other in others]
    (refused,) = [one for one in came if isinstance(one, ModelStateError)]
    assert came.count("had it") == 1
    assert "would wait for each other forever" in str(refused)
    assert "\n" not in str(refused)


def test_a_circle_of_three_is_found_too() -> None:
    locks = [CommandLock(name) for name in "abc"]
    all_three = threading.Barrier(3)

    def take(number: int) -> str:
        with locks[number].hold():
            all_three.wait(10)
            return hold(locks[(number + 1) % 3])

    others = [Other(lambda number=number: take(number)) for number in range(3)]  # type: ignore[misc]  # a bound number
    came = [other.ended() for other in others]
    assert sum(isinstance(one, ModelStateError) for one in came) == 1
    assert came.count("had it") == 2


def test_a_call_that_nobody_waits_for_holds_nobody_up() -> None:
    command_lock = CommandLock("net")
    go, has_it = threading.Event(), threading.Event()
    scope = CancelScope()

    def call() -> None:
        with scope, command_lock.hold(call=True):
            has_it.set()
            go.wait(10)

    abandoned = Other(call)
    assert has_it.wait(10)
    waiting = Other(lambda: hold(command_lock))
    time.sleep(0.1)
    assert waiting.busy
    scope.cancel()
    assert waiting.ended() == "had it"
    with command_lock.hold():
        # It gives back what it no longer has: this one keeps it.
        go.set()
        abandoned.ended()
        assert Other(lambda: ExitStack().enter_context(command_lock.hold(timeout_s=0.1))).ended() is False
