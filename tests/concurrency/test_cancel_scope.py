"""Work ends when nobody waits for it any more: cancellation and deadlines."""

from __future__ import annotations

import threading
import time

import pytest

from tfmagic.concurrency.cancel_scope import CancelScope, check_cancelled, current_scope, scope_here
from tfmagic.errors import StoppedError


def test_a_program_is_in_no_scope() -> None:
    assert current_scope() is None
    check_cancelled()


def test_the_threads_of_a_command_are_in_its_scope() -> None:
    scope = CancelScope()
    found: list[CancelScope | None] = []
    with scope:
        part = CancelScope()
    context = scope.context()
    thread = threading.Thread(target=context.run, args=(lambda: found.append(current_scope()),))
    thread.start()
    thread.join()
    assert found == [scope]
    assert part.root is scope
    assert current_scope() is None


def test_a_scope_that_is_there_is_used() -> None:
    with scope_here() as new:
        assert current_scope() is new
        with scope_here() as same:
            assert same is new
        assert current_scope() is new
    assert current_scope() is None


def test_cancelling_ends_all_parts() -> None:
    scope = CancelScope()
    with scope:
        part = CancelScope()
    part.check()
    scope.cancel()
    assert part.cancelled_at == scope.cancelled_at is not None
    for cancelled in (scope, part):
        with pytest.raises(KeyboardInterrupt):
            cancelled.check()
    with scope, pytest.raises(KeyboardInterrupt):
        check_cancelled()


def test_the_first_reason_is_raised() -> None:
    scope = CancelScope()
    scope.cancel(lambda: StoppedError("ended"))
    scope.cancel()
    with pytest.raises(StoppedError, match="ended"):
        scope.check()


def test_cancelling_a_part_leaves_the_whole() -> None:
    scope = CancelScope()
    told: list[str] = []
    with scope:
        part, other = CancelScope(), CancelScope()
    with scope.on_cancel(lambda: told.append("scope")), other.on_cancel(lambda: told.append("other")):
        part.cancel()
    scope.check()
    assert not scope.cancelled
    assert told == []


def test_a_part_is_called_back_when_the_whole_is_cancelled() -> None:
    scope = CancelScope()
    told: list[str] = []
    with scope:
        part = CancelScope()
    with part.on_cancel(lambda: told.append("part")):
        scope.cancel()
    assert told == ["part"]
    scope.cancel()
    assert told == ["part"]


def test_nothing_begins_in_a_cancelled_scope() -> None:
    scope = CancelScope()
    scope.cancel()
    with pytest.raises(KeyboardInterrupt), scope.on_cancel(lambda: None):
        pytest.fail("it began")


# -- deadlines --------------------------------------------------------------------------


def test_without_a_timeout_there_is_no_deadline() -> None:
    scope = CancelScope()
    assert (scope.deadline, scope.native_deadline, scope.left_s, scope.expired) == (None, None, None, False)
    assert not scope.sets_deadline
    scope.check()


def test_a_deadline_passes() -> None:
    scope = CancelScope(0.05)
    assert 0 < (scope.left_s or 0) <= 0.05
    scope.check()
    time.sleep(0.06)
    assert scope.expired
    assert scope.left_s == 0
    assert not scope.cancelled
    with pytest.raises(TimeoutError):
        scope.check()


def test_a_part_has_the_deadline_that_comes_first() -> None:
    with CancelScope(30) as scope:
        inherits, longer, shorter = CancelScope(), CancelScope(60), CancelScope(10)
    assert inherits.deadline == longer.deadline == scope.deadline
    assert not inherits.sets_deadline
    assert longer.timeout_s == 30
    assert shorter.timeout_s == 10
    assert (shorter.deadline or 0) < (scope.deadline or 0)


def test_one_scopes_deadline_is_not_anothers() -> None:
    with CancelScope(0.001):
        time.sleep(0.002)
    assert CancelScope().deadline is None


def test_native_runs_may_have_no_deadline_where_the_caller_has_one() -> None:
    with CancelScope(30, limits_native_runs=False) as scope:
        assert CancelScope().native_deadline is None
        assert CancelScope(10).native_deadline is not None
    assert scope.deadline is not None
