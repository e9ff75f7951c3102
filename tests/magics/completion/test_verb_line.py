"""Tab in a line of ``%tf_model`` or ``%tf_runtime``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tensorflow as tf
from factories import save_v2, scale_graph
from tab_key import is_ours, tab

from tfmagic import models
from tfmagic.magics.commands import model as model_magic
from tfmagic.magics.commands import run as run_magic
from tfmagic.magics.commands.runtime import COMMANDS
from tfmagic.magics.grammar.options import Command, Option

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("rooms")
def test_verbs_and_models_come_first(shell: Any) -> None:
    assert tab(shell, "%tf_model ") == [*model_magic.COMMANDS, "two", "one"]
    assert tab(shell, "%tf_model tw") == ["two"]
    assert tab(shell, "r = %tf_model sh") == ["show"]


@pytest.mark.parametrize("verb", [verb for verb in model_magic.COMMANDS if verb not in {"add", "list"}])
@pytest.mark.usefixtures("rooms")
def test_every_verb_takes_models(shell: Any, verb: str) -> None:
    assert tab(shell, f"%tf_model {verb} ")[:2] == ["two", "one"]
    assert tab(shell, f"%tf_model {verb} tw") == ["two"]


@pytest.mark.parametrize("verb", ["drop", "sync"])
@pytest.mark.usefixtures("rooms")
def test_a_verb_of_several_models_takes_those_that_are_not_given_yet(shell: Any, verb: str) -> None:
    assert tab(shell, f"%tf_model {verb} two ") == ["one"]
    assert tab(shell, f"%tf_model {verb} <Tab> two") == ["one"]
    assert tab(shell, f"%tf_model {verb} two one ") == []


def test_save_takes_a_model_and_a_path(shell: Any, two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.keras").touch()
    (tmp_path / "nets").mkdir()
    assert tab(shell, f"%tf_model save {two.name} ") == ["nets/", "old.keras"]
    assert tab(shell, f"%tf_model save {two.name} nets/ ") == []


def test_options_are_those_of_the_verb_less_those_given(shell: Any) -> None:
    known = [option.name for option in model_magic.COMMANDS["add"].options]
    assert tab(shell, "%tf_model add m net -") == known
    assert tab(shell, "%tf_model add m net --") == known
    assert tab(shell, "%tf_model add m net --lazy --la") == []
    assert "--tags" not in tab(shell, "%tf_model add m net --<Tab> --tags serve")
    assert "--tags" not in tab(shell, "%tf_model add m net --tags=serve --")
    assert tab(shell, "%tf_model drop --") == ["--all"]
    assert tab(shell, "%tf_model list --") == []
    assert tab(shell, "%%tf_model m --") == [option.name for option in model_magic.CELL.options]


@pytest.mark.usefixtures("rooms")
def test_a_new_verb_or_option_needs_nothing_but_its_place_in_the_table(
    shell: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (Option("--hard", "…"), Option("--like", "…", "S", "signature"))
    monkeypatch.setitem(model_magic.COMMANDS, "polish", Command("%tf_model polish NAME...", "…", options))
    assert "polish" in tab(shell, "%tf_model ")
    assert tab(shell, "%tf_model polish ") == ["two", "one"]
    assert tab(shell, "%tf_model polish two --") == ["--hard", "--like"]
    assert tab(shell, "%tf_model polish two --like ") == ["serving_default"]
    line = Command(run_magic.LINE.usage, "…", (*run_magic.LINE.options, *options))
    monkeypatch.setattr("tfmagic.magics.completion.run_line.LINE", line)
    assert tab(shell, "%tf_run two --h") == ["--hard"]


def test_add_offers_no_name_for_a_new_model(shell: Any, two: Any) -> None:
    assert tab(shell, "%tf_model add ") == []
    assert tab(shell, "%tf_model add t") == []
    assert two.name == "two"


def test_a_source_is_a_likely_object_or_a_path(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.pb", "net.keras", "notes.txt", "table.csv", ".hidden.pb"):
        (tmp_path / name).touch()
    (tmp_path / "nets").mkdir()

    class Net(tf.Module):
        pass

    shell.push(
        {
            "net_object": Net(),
            "net_function": tf.function(lambda x: x),
            "net_graph": scale_graph(2.0)[0],
            "net_path": "nets",
            "net_word": "no such file",
            "net_number": 3,
            "net_class": Net,
        }
    )
    objects = ["net_object", "net_function", "net_graph", "net_path"]
    assert tab(shell, "%tf_model add m ") == [*objects, "net.keras", "net.pb", "nets/"]
    assert tab(shell, "%tf_model add m net_") == objects
    assert tab(shell, "%tf_model add m net.") == ["net.keras", "net.pb"]
    assert tab(shell, "%tf_model add m net_object.name_sc") == ["name_scope"]
    assert "net_number" in tab(shell, "%tf_model add m (net_n")
    assert tab(shell, "%tf_model add m .") == [".hidden.pb"]
    assert tab(shell, "%tf_model add m net_object ") == []


def test_paths_are_quoted_where_they_must_be_and_open_folders(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "my nets"))
    (tmp_path / "my nets" / "inner").mkdir(parents=True)
    (tmp_path / "my nets" / "old net.pb").touch()
    assert tab(shell, "%tf_model add m my") == ['"my nets/']
    assert tab(shell, '%tf_model add m "my') == ["my nets/"]
    assert tab(shell, '%tf_model add m "my nets/') == ["my nets/inner/", "my nets/old net.pb"]
    assert tab(shell, "%tf_model add m 'my nets/o") == ["my nets/old net.pb"]
    assert tab(shell, "%tf_model add m ~") == ["~/"]
    assert tab(shell, "%tf_model add m ~/") == ["~/inner/", '"~/old net.pb"']
    assert tab(shell, f'%tf_model show "{tmp_path}/my nets/i') == [f"{tmp_path}/my nets/inner/"]
    assert tab(shell, "%tf_model add m ~nobody_of_that_name/") == []
    assert tab(shell, "%tf_model add m no/such/folder/") == []


def test_a_saved_model_is_a_folder_of_one_graph(shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    assert tab(shell, "%tf_model add m n") == ["net/"]
    assert tab(shell, "%tf_model add m net/") == ["net/saved_model.pb"]


def test_show_takes_models_and_paths(shell: Any, two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.pb").touch()
    assert tab(shell, f"%tf_model show {two.name[:1]}") == ["two", "two.pb"]
    assert tab(shell, "%tf_model two ") == []
    assert tab(shell, "%tf_model nonsense ") == []


def test_a_file_says_which_signatures_and_tags_it_has(
    shell: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_v2(tmp_path / "net", lambda x: {"y": x}, tf.TensorSpec([None], tf.float32, name="x"))
    assert tab(shell, "%tf_model add m net --signature ") == ["serving_default"]
    assert tab(shell, "%tf_model add m net --signature=serv") == ["serving_default"]
    assert tab(shell, '%tf_model add m "net" --tags ') == ["serve"]
    assert tab(shell, "%tf_model add m net --tags serve,") == []
    assert tab(shell, "%tf_model add m nothing --signature ") == []
    assert tab(shell, "%tf_model add --signature <Tab> m net") == ["serving_default"]


@pytest.mark.usefixtures("two")
def test_ends_and_devices(shell: Any) -> None:
    offered = tab(shell, "%%tf_model two --inputs x=")
    assert offered[:2] == ["image", "mask"]
    assert "body/hidden" in offered
    assert tab(shell, "%%tf_model two --outputs a=sum,b=g") == ["gap"]
    assert tab(shell, "%%tf_model two --device ") == ["cpu", "gpu", "cpu:0"]
    assert tab(shell, "%%tf_model two --device /") == ["/device:CPU:0", "/device:GPU:0"]


def test_only_models_of_cells_are_built_by_a_cell(shell: Any, two: Any) -> None:
    models.add("from_object", tf.function(lambda x: x))
    assert tab(shell, "%%tf_model ") == [two.name]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("twice.so", "two words.so", "twice.cc", "model.pb", "ops/inner.so"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_verbs_of_the_runtime(shell: Any) -> None:
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
