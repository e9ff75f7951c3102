"""Tab in the cells of a room."""

from __future__ import annotations

from typing import Any

import pytest
from factories import run_cell
from tab_key import all_offered, tab


@pytest.mark.parametrize("jedi", [True, False])
def test_a_rooms_names_shadow_the_notebooks(shell: Any, two: Any, jedi: bool) -> None:  # noqa: FBT001 - a parameter
    shell.Completer.use_jedi = jedi
    run_cell(two, "class Net: pass\nnet = Net()\nnet.layers_here = 3")
    shell.run_cell("class Net: pass\nnet = Net()\nnet.layers_there = 3\nnetwork = 1")
    assert tab(shell, "%%tf_run two\nnet") == ["net", "network"]
    assert all_offered(shell, "%%tf_run two\nnet.lay") == ["%%tf_run two\nnet.layers_here"]
    assert all_offered(shell, "%%tf_run two\nnet.layers_t") == []
    assert tab(shell, "%%tf_run two\nhidd") == ["hidden"]
    assert tab(shell, "%%tf_run two\nsessi") == ["session"]
    assert tab(shell, "%%tf_run two\ngrap") == ["graph"]
    assert "while" in tab(shell, "%%tf_run two\nwhil")
    assert "enumerate" in tab(shell, "%%tf_run two\nenum")
    assert tab(shell, "%%tf_run -o r two\n\n\nhidd") == ["hidden"]


@pytest.mark.usefixtures("rooms")
def test_a_line_in_a_rooms_cell_is_ours_and_sees_the_rooms_names(shell: Any) -> None:
    assert tab(shell, "%%tf_run two\nx = 1\n%tf_run o") == ["one"]
    assert tab(shell, "%%tf_run two\nr = %tf_run one hidd") == ["hidden"]
    assert tab(shell, "%%tf_model three\nr = %tf_run one im") == ["image="]


def test_other_magics_in_a_rooms_cell_are_completed_as_usual(shell: Any, two: Any) -> None:
    assert "%timeit" in tab(shell, f"%%tf_run {two.name}\n%timei")
    assert not [one for one in tab(shell, f"%%tf_run {two.name}\ntime") if one.startswith("%%")]
