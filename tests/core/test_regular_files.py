"""What is no file, or has nothing in it, is named before anybody waits for it or reads it."""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from factories import frozen_linear, save_linear_v1

from tfmagic import models
from tfmagic.core.regular_files import regular_file
from tfmagic.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable


def pipe(path: Path) -> None:
    os.mkfifo(path)


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def holes(path: Path) -> None:
    path.touch()
    os.truncate(path, 20 << 30)


def listening(path: Path) -> None:
    # The path of a socket can have a hundred characters.
    with socket.socket(socket.AF_UNIX) as own, tempfile.TemporaryDirectory() as folder:
        own.bind(f"{folder}/s")
        Path(folder, "s").rename(path)


SAID: dict[Callable[[Path], None], str] = {
    pipe: "is a named pipe (FIFO)",
    endless: "is a link to /dev/zero, a device",
    listening: "is a socket",
    holes: "is 21.5 GB long and contains 0 B",
}


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".keras", ".h5"])
@pytest.mark.parametrize("make", [pipe, endless, holes, listening])
def test_what_is_in_the_place_of_a_model_is_named(tmp_path: Path, suffix: str, make: Callable[[Path], None]) -> None:
    file = tmp_path / f"net{suffix}"
    make(file)
    with pytest.raises(SourceError) as caught:
        models.add("net", file)
    assert str(caught.value).startswith(f"{file} {SAID[make]}")
    with pytest.raises(SourceError):
        models.inspect(file)


@pytest.mark.parametrize("inner", ["saved_model.pb", "variables/variables.index", "assets/words.txt"])
@pytest.mark.parametrize("make", [pipe, endless, holes])
def test_and_in_the_place_of_a_part_of_a_saved_model(tmp_path: Path, inner: str, make: Callable[[Path], None]) -> None:
    folder = save_linear_v1(tmp_path / "net")
    file = folder / inner
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    make(file)
    with pytest.raises(SourceError) as caught:
        models.add("net", folder)
    assert str(caught.value).startswith(f"{file} {SAID[make]}")


@pytest.mark.parametrize("inner", ["net.meta", "net.index", "checkpoint"])
@pytest.mark.parametrize("make", [pipe, endless, holes])
def test_and_of_a_checkpoint(tmp_path: Path, inner: str, make: Callable[[Path], None]) -> None:
    for name in ("net.meta", "net.index", "checkpoint"):
        (tmp_path / name).write_text('model_checkpoint_path: "net"')
    (tmp_path / inner).unlink()
    make(tmp_path / inner)
    with pytest.raises(SourceError) as caught:
        models.add("net", tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / inner} {SAID[make]}")


def test_a_folder_in_a_files_place(tmp_path: Path) -> None:
    folder = save_linear_v1(tmp_path / "net")
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pb").mkdir()
    with pytest.raises(SourceError, match=r"saved_model.pb is a folder: expected a file$"):
        models.add("net", folder)


def test_a_file_with_some_holes_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    with file.open("wb") as opened:
        opened.truncate(1 << 28)
        opened.write(bytes(1 << 23))
    assert regular_file(file) == file


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    link = tmp_path / "link.pb"
    link.symlink_to(frozen_linear(tmp_path / "net.pb"))
    assert models.add("net", link)


def test_a_link_to_nothing_says_where_it_leads(tmp_path: Path) -> None:
    link = tmp_path / "link.pb"
    link.symlink_to("/nowhere/net.pb")
    with pytest.raises(SourceError, match=r"it is a link to /nowhere/net.pb, where nothing is"):
        models.add("net", link)
