"""A path at which there is nothing to read is said before TensorFlow is imported for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from factories import frozen_linear, printed_from_start

from tfmagic import models
from tfmagic.errors import MissingPathError, SourceError
from tfmagic.formats.kinds import check_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """
    import os, sys
    from tfmagic import models
    os.mkfifo("pipe.pb")
    for ask in (lambda path: models.add("net", path), models.inspect):
        for path in ("nowhere.pb", "no/folder", "pipe.pb", "gs://bucket/net"):
            try:
                ask(path)
            except ValueError as error:
                print(str(error).split("(")[0], "tensorflow" in sys.modules)
"""
MAGIC = """
    import sys
    from IPython.core.interactiveshell import InteractiveShell
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "tfmagic")
    for line in ("add net nowhere.pb", "add net 'nowhere.pb'", "add net no/folder", "show nowhere.pb"):
        try:
            shell.run_line_magic("tf_model", line)
        except Exception as error:
            print("nowhere.pb" in str(error) or "no/folder" in str(error), "tensorflow" in sys.modules)
"""


def test_from_a_script(tmp_path: Path) -> None:
    said = printed_from_start(f"    import os; os.chdir({str(tmp_path)!r}){SCRIPT}")
    where = str(tmp_path)
    expected = [
        f"there is nothing at {where}/nowhere.pb ",
        f"there is nothing at {where}/no/folder ",
        f"{where}/pipe.pb is a named pipe ",
        "gs://bucket/net is not on this machine: download it first, and give the path of the copy",
    ]
    assert said == [f"{line} False" for line in expected * 2]


def test_from_a_line(tmp_path: Path) -> None:
    said = printed_from_start(f"    import os; os.chdir({str(tmp_path)!r}){MAGIC}")
    assert said == ["True False"] * 4


def test_what_is_there_is_let_through(tmp_path: Path) -> None:
    check_path(tmp_path)
    check_path(str(frozen_linear(tmp_path / "net.pb")))
    check_path(object())
    (tmp_path / "checkpoint-3.index").touch()
    check_path(tmp_path / "checkpoint-3")
    (tmp_path / "old-3-00000-of-00002").touch()
    check_path(tmp_path / "old-3")
    with pytest.raises(MissingPathError):
        check_path(tmp_path / "checkpoint-4")
    with pytest.raises(SourceError):
        check_path("gs://bucket/net")


@pytest.mark.parametrize("path", ["x" * 5000, "a/" * 3000 + "net.pb", "/proc/self/mem"])
@pytest.mark.parametrize("look", [models.inspect, lambda path: models.add("net", path)])
def test_what_the_system_says_of_a_path_is_one_line(path: str, look: Callable[[str], Any]) -> None:
    with pytest.raises(SourceError, match="cannot be read: ") as caught:
        look(path)
    assert len(str(caught.value)) < 300
