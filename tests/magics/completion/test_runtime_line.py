"""Tab in a line of ``%tf_runtime``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tab_key import is_ours, tab

from tfmagic.magics.commands.runtime import COMMANDS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("twice.so", "two words.so", "twice.cc", "model.pb", "ops/inner.so"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_verbs(shell: Any) -> None:
    assert tab(shell, "%tf_runtime ") == list(COMMANDS)
    assert tab(shell, "%tf_runtime l") == [verb for verb in COMMANDS if verb.startswith("l")]
    assert {"libraries", "load"} <= set(tab(shell, "%tf_runtime l"))
    assert tab(shell, "r = %tf_runtime lib") == ["libraries"]
    assert tab(shell, "tf_runtime lib") == ["libraries"]


@pytest.mark.usefixtures("folder")
def test_libraries_after_load(shell: Any) -> None:
    assert tab(shell, "%tf_runtime load ") == ["ops/", "twice.so", '"two words.so"']
    assert tab(shell, "%tf_runtime load tw") == ["twice.so", '"two words.so"']
    assert tab(shell, "%tf_runtime load ops/") == ["ops/inner.so"]
    assert tab(shell, '%tf_runtime load "two') == ["two words.so"]
    assert tab(shell, "%tf_runtime load twice.so ") == []


@pytest.mark.usefixtures("folder")
def test_nothing_where_nothing_fits(shell: Any) -> None:
    assert tab(shell, "%tf_runtime libraries ") == []
    assert tab(shell, "%tf_runtime nothing ") == []
    assert tab(shell, "%tf_runtime load --") == []


def test_folder_of_a_savedmodel_is_one_like_any_other(shell: Any, folder: Path) -> None:
    (folder / "saved_model.pb").touch()
    assert tab(shell, "%tf_runtime load t") == ["twice.so", '"two words.so"']


def test_names_that_begin_alike_are_told_apart(shell: Any) -> None:
    assert is_ours(shell, "%tf_runtime ")
    assert not is_ours(shell, "%tf_runtimes ")
    assert tab(shell, "%tf_run ") == []
