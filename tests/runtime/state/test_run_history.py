from __future__ import annotations

from tfmagic.runtime.state.run_history import RunHistory


def test_what_was_not_run_before_makes_it_older_and_what_was_does_not() -> None:
    history = RunHistory()
    history.note(("y:0",), prepared=True)
    age = history.age
    history.note(("y:0",), prepared=True)
    assert history.age == age
    history.note(("train",))
    assert history.age > age
    assert history.fetched == {"y:0", "train"}


def test_prepared_calls_alone_leave_it_unchanged() -> None:
    history = RunHistory()
    history.note(("y:0",), prepared=True)
    assert not history.changed
    history.note(("y:0",))
    assert history.changed


def test_fetches_that_nobody_knows_make_it_older_each_time() -> None:
    history = RunHistory()
    history.note(None)
    age = history.age
    history.note(None)
    assert history.age > age


def test_an_assignment_is_noted_each_time() -> None:
    history = RunHistory()
    history.note_assignment()
    age = history.age
    history.note_assignment()
    assert history.assigned
    assert history.changed
    assert history.age > age


def test_what_a_fill_has_run_is_forgotten_and_what_was_run_before_a_restoration_is_not() -> None:
    history = RunHistory()
    history.note(("train",))
    mark = history.fetched_so_far()
    history.note(("assign",))
    history.note_fill(mark, restored=True)
    assert history.fetched == {"train"}
    assert history.changed
    history.note_fill(mark, restored=False)
    assert history.fetched == set()
    assert not history.changed
