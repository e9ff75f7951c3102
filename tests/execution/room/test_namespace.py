"""The names of a room: its own, with the notebook's behind them."""

from __future__ import annotations

from typing import Any

import pytest

from tfmagic.errors import UnknownNameError
from tfmagic.execution.room.cell import Cell
from tfmagic.execution.room.namespace import Names, Namespace


def run(namespace: Namespace, code: str, notebook: dict[str, Any] | None = None) -> Any:
    from contextlib import nullcontext

    namespace.bind({"session": "bound"})
    namespace.lend(notebook or {})
    try:
        return Cell(code, f"<{code}>").run(namespace, nullcontext)
    finally:
        namespace.end_run()


def own(namespace: Namespace) -> dict[str, Any]:
    return dict(Names("net", namespace))


def test_assignments_are_the_rooms_and_the_notebook_is_only_read() -> None:
    room = Namespace()
    notebook = {"epochs": 5, "data": [1]}
    assert run(room, "total = epochs + len(data)\ntotal", notebook) == 6
    assert own(room) == {"total": 6}
    assert notebook == {"epochs": 5, "data": [1]}


def test_assigning_the_very_value_of_the_notebook_makes_the_name_the_rooms() -> None:
    room = Namespace()
    run(room, "epochs = 5", {"epochs": 5})
    assert run(room, "epochs", {"epochs": 6}) == 5


def test_the_notebooks_present_value_is_seen_each_time() -> None:
    room = Namespace()
    run(room, "def now(): return epochs", {"epochs": 1})
    assert run(room, "now()", {"epochs": 2}) == 2
    with pytest.raises(NameError):
        run(room, "epochs_of_before", {})


def test_a_deleted_name_shows_the_notebooks_again() -> None:
    room = Namespace()
    run(room, "epochs = 1")
    run(room, "del epochs", {"epochs": 7})
    assert run(room, "epochs", {"epochs": 7}) == 7
    assert own(room) == {}


@pytest.mark.parametrize(
    "code",
    [
        "import os.path as path",
        "from os import path",
        "for path in [1]: pass",
        "with open('/dev/null') as path: pass",
        "def path(): pass",
        "class path: pass",
        "(path := 1)",
        "path: int = 1",
        "def f():\n    global path\n    path = 1\nf()",
        "a, (path, b) = 1, (2, 3)",
        "exec('path = 1')",
        "globals()['path'] = 1",
    ],
)
def test_every_way_to_bind_a_name_is_noticed(code: str) -> None:
    room = Namespace()
    run(room, code, {"path": "the notebook's"})
    assert "path" in own(room)
    assert run(room, "path", {"path": "the notebook's"}) != "the notebook's"


def test_comprehensions_and_class_bodies_see_both() -> None:
    room = Namespace()
    run(room, "mine = 1")
    code = "class C:\n    both = [mine + theirs for _ in range(2)]\n    alone = mine + theirs\n[C.both, C.alone]"
    assert run(room, code, {"theirs": 2}) == [[3, 3], 3]


def test_the_room_holds_no_data_of_the_notebook() -> None:
    room = Namespace()
    run(room, "total = len(data)", {"data": [1, 2]})
    assert "data" not in room
    run(room, "def use(): return len(data)", {"data": [1, 2]})
    assert "data" in room
    assert "data" not in own(room)


def test_bound_names_are_there_only_while_a_cell_runs() -> None:
    room = Namespace()
    assert run(room, "session") == "bound"
    assert "session" not in room
    run(room, "session = 3")
    assert own(room) == {"session": 3}


def test_names_are_read_only_and_in_the_order_of_assignment() -> None:
    room = Namespace()
    run(room, "b = 1\na = 2")
    names = Names("net", room)
    assert list(names) == ["b", "a"]
    assert len(names) == 2
    assert repr(names) == "<names of net: b, a>"
    with pytest.raises(UnknownNameError, match="the room of net has no name 'c'"):
        names["c"]
    assert not hasattr(names, "__setitem__")


def test_dunder_names_are_nobodys() -> None:
    room = Namespace()
    run(room, "__all__ = ['a']")
    assert own(room) == {}
    assert run(room, "__name__", {"__name__": "elsewhere"}) == "__main__"
