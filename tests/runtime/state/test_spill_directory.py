"""The folder of parked models: private, this process's own, and gone with it."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from typing import TYPE_CHECKING

import pytest
from factories import fresh_python, printed

from tfmagic.errors import ParkError, SettingError
from tfmagic.runtime.state.spill_directory import ParkDirectory, default_folder, remove_orphans

if TYPE_CHECKING:
    from pathlib import Path

PLACE = """
    import os, sys
    from pathlib import Path
    from tfmagic.runtime.state.spill_directory import ParkDirectory
    directory = ParkDirectory()
    directory.choose(sys.argv[1])
    path = directory.place()
    path.write_text("weights")
    print(path)
"""


@pytest.fixture
def directory(tmp_path: Path) -> ParkDirectory:
    made = ParkDirectory()
    made.choose(str(tmp_path / "here"))
    return made


def test_it_is_the_users_alone(directory: ParkDirectory) -> None:
    folder = directory.place().parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.getuid()


def test_each_place_is_another_in_one_folder(directory: ParkDirectory) -> None:
    places = [directory.place() for _ in range(20)]
    assert len(set(places)) == 20
    assert len({place.parent for place in places}) == 1
    assert not any(place.exists() for place in places)


def test_two_processes_have_two_folders(directory: ParkDirectory) -> None:
    other = ParkDirectory()
    other.choose(str(directory.parent))
    first, second = directory.place(), other.place()
    assert first.parent != second.parent
    assert first.parent.is_dir()


def test_a_folder_that_somebody_removed_is_made_again(directory: ParkDirectory) -> None:
    folder = directory.place().parent
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert directory.place().parent.is_dir()


def test_what_is_parked_stays_when_another_folder_is_chosen(directory: ParkDirectory, tmp_path: Path) -> None:
    parked = directory.place()
    parked.write_text("weights")
    directory.choose(str(tmp_path / "there"))
    assert directory.place().parent.parent == tmp_path / "there"
    # What another process does when it parks.
    remove_orphans(tmp_path / "here")
    assert parked.read_text() == "weights"


def test_choosing_none_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("another platform's cache is elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = ParkDirectory()
    made.choose(str(tmp_path / "there"))
    made.choose("")
    assert made.parent == default_folder() == tmp_path / "tfmagic"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "home" / ".cache" / "tfmagic"


def test_a_folder_that_cannot_be_is_one_line_and_the_former_stays(directory: ParkDirectory, tmp_path: Path) -> None:
    former = directory.place().parent
    (tmp_path / "file").write_text("")
    for impossible in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(SettingError, match=r"park_directory .* cannot be written to") as caught:
            directory.choose(str(impossible))
        assert len(str(caught.value).splitlines()) == 1
    assert directory.place().parent == former


def test_a_folder_that_became_a_file_is_one_line(directory: ParkDirectory, tmp_path: Path) -> None:
    (tmp_path / "here").rmdir()
    (tmp_path / "here").write_text("")
    with pytest.raises(ParkError, match="cannot be written to") as caught:
        directory.place()
    assert len(str(caught.value).splitlines()) == 1


def test_folders_of_others_are_left_alone(directory: ParkDirectory, tmp_path: Path) -> None:
    here = tmp_path / "here"
    (here / "parked-notes").mkdir()
    (here / "parked-notes" / "mine.txt").write_text("mine")
    (here / "parked-file").write_text("mine")
    (here / "else").mkdir()
    (here / "else" / "in-use").write_text("")
    directory.place()
    assert (here / "parked-notes" / "mine.txt").exists()
    assert (here / "parked-file").exists()
    assert (here / "else" / "in-use").exists()


def test_a_folder_that_was_never_finished_goes_when_it_is_old(directory: ParkDirectory, tmp_path: Path) -> None:
    new, old = (tmp_path / "here" / f"parked-{name}" for name in ("1-new", "1-old"))
    for folder in (new, old):
        folder.mkdir()
    os.utime(old, (time.time() - 7200,) * 2)
    directory.place()
    assert new.exists()
    assert not old.exists()


@pytest.mark.slow
def test_a_normal_exit_an_error_and_sys_exit_remove_it(tmp_path: Path) -> None:
    for last in ("", "\n    raise ValueError", "\n    sys.exit(3)"):
        done = fresh_python(PLACE + last, str(tmp_path / "here"))
        assert done.stdout.strip().endswith(".tfmagic"), done.stderr
        assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.slow
def test_sigterm_removes_it_and_ends_the_process(tmp_path: Path) -> None:
    last = "\n    import signal\n    os.kill(os.getpid(), signal.SIGTERM)\n    print('alive')"
    done = fresh_python(PLACE + last, str(tmp_path / "here"))
    assert done.returncode == -signal.SIGTERM
    assert "alive" not in done.stdout
    assert list((tmp_path / "here").iterdir()) == []


def test_a_handler_of_somebody_elses_stays(directory: ParkDirectory) -> None:
    def theirs(*_: object) -> None:
        return

    former = signal.signal(signal.SIGTERM, theirs)
    try:
        directory.place()
        assert signal.getsignal(signal.SIGTERM) is theirs
    finally:
        signal.signal(signal.SIGTERM, former)


@pytest.mark.slow
def test_a_forked_process_that_ends_leaves_it(tmp_path: Path) -> None:
    fork = """
    child = os.fork()
    if child == 0:
        sys.exit()
    os.waitpid(child, 0)
    print(path.exists())
    """
    assert printed(PLACE + fork, str(tmp_path / "here"))[-1] == "True"
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.slow
def test_a_process_that_lives_keeps_its_own(directory: ParkDirectory, tmp_path: Path) -> None:
    parked = directory.place()
    parked.write_text("weights")
    printed(PLACE, str(tmp_path / "here"))
    assert parked.read_text() == "weights"
