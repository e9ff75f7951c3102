"""``tfmagic autoload``: one file of the profile comes and goes, and everything else stays byte for byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tfmagic.__main__ import main
from tfmagic.magics.shell.autoload import FILE, SOURCE

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "c.InteractiveShellApp.extensions = ['autoreload']  # mine\r\nc.TfMagic.memory_budget = '1GB'"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """IPython's folder, with a default profile that a person has worked on."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ip"))
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    startup = tmp_path / "ip" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "50-mine.py").write_text("mine = 1\n")
    (startup.parent / "ipython_config.py").write_bytes(CONFIG.encode())
    (startup.parent / "ipython_config.json").write_text('{"version": 1}')
    return tmp_path / "ip"


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["autoload", *words]) == 0
    return capsys.readouterr().out


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["autoload", *words]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err


def test_on_adds_one_file_and_off_leaves_the_profile_as_it_was(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(folder)
    for _ in range(2):
        assert said(capsys, "on").startswith("on: each new kernel of the IPython profile 'default' loads tfmagic")
    assert files(folder) == {**before, f"profile_default/startup/{FILE}": SOURCE.encode()}
    for _ in range(2):
        assert said(capsys, "off").startswith("off: a notebook of the IPython profile 'default' has tfmagic after its")
    assert files(folder) == before


def test_status_is_what_is_asked_by_default_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(folder)
    assert said(capsys) == said(capsys, "status")
    assert files(folder) == before
    said(capsys, "on")
    assert str(folder / "profile_default" / "startup" / FILE) in said(capsys)


def test_where_ipython_was_never_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "new"))
    assert said(capsys).startswith("off: ")
    assert said(capsys, "off").startswith("off: ")
    assert said(capsys, "on").startswith("on: ")
    assert list(files(tmp_path / "new")) == [f"profile_default/startup/{FILE}"]


def test_another_profile(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "profile_work").mkdir()
    said(capsys, "on", "--profile", "work")
    assert (folder / "profile_work" / "startup" / FILE).read_text() == SOURCE
    assert said(capsys).startswith("off: ")
    assert said(capsys, "--profile", "work").startswith("on: each new kernel of the IPython profile 'work'")


@pytest.mark.parametrize("name", ["wrok", "../profile_default", "", "a/b"])
def test_a_profile_that_is_not_there_is_not_made(folder: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    before = sorted(folder.rglob("*"))
    line = refused(capsys, "on", "--profile", name)
    assert line.endswith("(there: default): ipython profile create NAME makes one\n")
    assert f"no IPython profile {name!r} in {folder}" in line
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("what", ["on", "off"])
def test_a_file_of_the_person_s_with_that_name_stays(
    folder: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    file = folder / "profile_default" / "startup" / FILE
    file.write_text("print('mine')")
    assert refused(capsys, what) == (
        f"tfmagic autoload: {file} is not tfmagic's, so it stays as it is: give it another name, then try again\n"
    )
    assert file.read_text() == "print('mine')"
    assert said(capsys).startswith(f"off: {file} is not tfmagic's\n")


def test_a_file_of_another_version_is_said_and_written_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "profile_default" / "startup" / FILE
    file.write_text(SOURCE + "# changed\n")
    assert "That file is not as this tfmagic writes it: tfmagic autoload on writes it again." in said(capsys)
    assert "writes it again" not in said(capsys, "on")
    assert file.read_text() == SOURCE


def test_what_runs_before_it_and_what_else_names_tfmagic_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(capsys, "on")
    profile = folder / "profile_default"
    (profile / "startup" / "00-first.py").touch()
    assert "Before it" not in said(capsys)
    (profile / "startup" / "+.ipy").touch()
    monkeypatch.setenv("PYTHONSTARTUP", "/home/me/first.py")
    (profile / "ipython_kernel_config.py").write_text("c.InteractiveShellApp.extensions.append('tfmagic')")
    _, before, named = said(capsys).splitlines()
    assert before.startswith(f"Before it runs /home/me/first.py, {profile / 'startup' / '+.ipy'}: a tensor")
    assert named == f"tfmagic is named in {profile / 'ipython_kernel_config.py'}, too."


def test_a_folder_that_cannot_be_written_to_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "profile_odd").mkdir()
    (folder / "profile_odd" / "startup").write_text("a file")
    assert "cannot be" in refused(capsys, "on", "--profile", "odd")
    monkeypatch.setenv("IPYTHONDIR", str(folder / "profile_odd" / "startup" / "below"))
    assert "IPYTHONDIR" in refused(capsys, "on")


@pytest.mark.parametrize("given", ["relative", "./relative"])
def test_a_relative_folder_is_named(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IPYTHONDIR", given)
    assert f"a relative path: give it from the root, such as {tmp_path / 'relative'}" in refused(capsys, "on")


def test_words_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["autoload", "onn"])
    assert "invalid choice: 'onn'" in capsys.readouterr().err
