"""Interrupts come where they leave nothing half done."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tfmagic.concurrency.deferral import InterruptTarget, defer_interrupts, interruptible

if TYPE_CHECKING:
    from collections.abc import Callable


def strike() -> None:
    """Send this process Ctrl-C, and give Python time to look for it."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        time.sleep(0)


def test_what_is_held_back_is_done_before_the_interrupt_is_raised() -> None:
    done: list[str] = []

    @defer_interrupts
    def work() -> None:
        strike()
        done.append("all of it")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_let_in_where_a_person_waits() -> None:
    done: list[str] = []

    @defer_interrupts
    def work() -> None:
        try:
            interruptible(strike)
            done.append("never")
        finally:
            strike()
            done.append("cleared up")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["cleared up"]


def test_one_that_came_before_is_raised_as_soon_as_it_is_let_in() -> None:
    called: list[str] = []

    @defer_interrupts
    def work() -> None:
        strike()
        interruptible(lambda: called.append("never"))

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not called


def test_held_back_within_what_is_let_in_within_what_is_held_back() -> None:
    done: list[str] = []

    @defer_interrupts
    def inner() -> None:
        strike()
        done.append("inner")

    @defer_interrupts
    def outer() -> None:
        try:
            interruptible(inner)
        finally:
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        outer()
    assert done == ["inner", "outer"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_code_that_is_let_in_can_catch_the_interrupt_and_go_on() -> None:
    caught: list[int] = []

    def training() -> None:
        for number in range(2):
            try:
                strike()
            except KeyboardInterrupt:
                caught.append(number)

    @defer_interrupts
    def work() -> str:
        interruptible(training)
        return "ended"

    assert work() == "ended"
    assert caught == [0, 1]


def test_a_handler_of_the_persons_own_is_called_in_its_turn_and_is_there_afterwards() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: calls.append(number))
    mine = signal.getsignal(signal.SIGINT)
    try:

        @defer_interrupts
        def work() -> list[int]:
            strike()
            return list(calls)

        assert work() == []
        assert calls == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is mine
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_handler_that_let_in_code_has_set_stays() -> None:
    before = signal.getsignal(signal.SIGINT)
    try:

        @defer_interrupts
        def work() -> None:
            interruptible(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))

        work()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        strike()
    finally:
        signal.signal(signal.SIGINT, before)


class Reached:
    """A thread that runs a block as a target, and what came of it."""

    def __init__(self, block: Callable[[], Any]) -> None:
        self.target: InterruptTarget | None = None
        self.begun = threading.Event()
        self.came: Any = None
        self.after = 0
        self._block = block
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self.begun.wait(10)

    def _run(self) -> None:
        self.target = InterruptTarget()
        try:
            self.came = self.target.run(self._enter)
        except KeyboardInterrupt as error:
            self.came = error
        # An interrupt that came after the block would end this.
        for _ in range(1000):
            self.after += 1

    def _enter(self) -> Any:
        self.begun.set()
        return self._block()

    def ended(self) -> Any:
        self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.after == 1000
        return self.came


def spin(seconds: float = 10.0) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "by itself"


def test_a_block_is_ended_from_another_thread() -> None:
    reached = Reached(spin)
    assert reached.target is not None
    reached.target.interrupt()
    assert isinstance(reached.ended(), KeyboardInterrupt)


def test_a_block_that_has_ended_is_left_alone() -> None:
    reached = Reached(lambda: "value")
    assert reached.ended() == "value"
    assert reached.target is not None
    reached.target.interrupt()


def test_a_block_is_not_ended_in_the_middle_of_what_is_held_back_in_it() -> None:
    held, done = threading.Event(), []

    @defer_interrupts
    def steps() -> None:
        held.set()
        spin(0.3)
        done.append("all")

    def block() -> None:
        steps()
        done.append("never")

    reached = Reached(block)
    assert held.wait(10)
    assert reached.target is not None
    reached.target.interrupt()
    assert isinstance(reached.ended(), KeyboardInterrupt)
    assert done == ["all"]


@pytest.mark.parametrize("seed", range(20))
def test_a_block_that_ends_at_the_same_moment_leaves_no_interrupt_behind(seed: int) -> None:
    reached = Reached(lambda: spin(0.001 * (seed % 5)))
    assert reached.target is not None
    time.sleep(0.0005 * (seed // 5))
    for _ in range(3):
        reached.target.interrupt()
    came = reached.ended()
    assert came == "by itself" or isinstance(came, KeyboardInterrupt)


def test_the_main_thread_is_ended_even_in_its_sleep() -> None:
    target = InterruptTarget()
    threading.Timer(0.2, target.interrupt).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        target.run(lambda: time.sleep(30))
    assert time.monotonic() - began < 15


NATIVE = SystemError("Objects/listobject.c:338: bad argument to internal function")
PYBIND = RuntimeError("ValueError: no [WITH __notes__] REPLACED BY KeyboardInterrupt: <EMPTY MESSAGE>")


def swallowing(error: Exception, *, struck: bool = True) -> Callable[[], None]:
    """Return what is struck, and raises another error of it, as native code that has called Python may."""

    def call() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            if struck:
                strike()
        raise error

    return defer_interrupts(lambda: interruptible(call))


@pytest.mark.parametrize("error", [NATIVE, PYBIND])
def test_what_native_code_has_made_of_an_interrupt_is_one(error: Exception) -> None:
    with pytest.raises(KeyboardInterrupt) as raised:
        swallowing(error)()
    assert raised.value.__cause__ is error


def test_an_error_that_only_names_another_as_its_reason_is_an_interrupt_too() -> None:
    error = ValueError("cannot be saved")
    error.__cause__ = NATIVE
    with pytest.raises(KeyboardInterrupt):
        swallowing(error)()


def test_an_error_of_ones_own_after_an_interrupt_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="mine"):
        swallowing(ValueError("mine"))()


def test_an_error_of_native_code_that_nobody_interrupted_stays_what_it_is() -> None:
    with pytest.raises(SystemError):
        swallowing(NATIVE, struck=False)()
