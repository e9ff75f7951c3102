"""Real faults: processes that are killed while they park, and disks that are full."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from factories import CHECKOUT

from tfmagic.errors import ParkError
from tfmagic.runtime.state.spill import Spill
from tfmagic.runtime.state.spill_directory import ParkDirectory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

# Python that begins quickly and then forks: each that is killed is a process of its own.
LOOP = """
import os, sys
import numpy as np
import tensorflow
from tfmagic.runtime.state.spill_directory import ParkDirectory
from tfmagic.runtime.state.spill import Spill

def park():
    directory = ParkDirectory()
    directory.choose(sys.argv[1])
    count = 0
    while True:
        count += 1
        values = [(f"v{index}", np.full(50_000, count, np.int64)) for index in range(4)]
        spill = Spill(directory.place())
        spill.write(values)
        if count % 3 == 0:
            spill.remove()

for line in sys.stdin:
    child = os.fork()
    if child == 0:
        park()
    print(child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@contextmanager
def parking(folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(  # noqa: S603 - the test's own code
        [sys.executable, "-c", LOOP, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def test_a_process_killed_at_any_moment_leaves_only_whole_files(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    whole = parts = 0
    with parking(folder) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for moment in range(40):
            print("go", file=process.stdin, flush=True)
            child = int(process.stdout.readline())
            # Later and later, some before the first file and some after many.
            time.sleep(0.004 * moment)
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "ended\n"
            found = list(folder.iterdir())
            if not found:
                continue
            (left,) = found
            for file in left.iterdir():
                if file.suffix == ".part":
                    parts += 1
                elif file.suffix == ".tfmagic":
                    whole += 1
                    values = dict(Spill(file).read())
                    (number,) = {int(value) for one in values.values() for value in np.unique(one)}
                    assert [one.shape for one in values.values()] == [(50_000,)] * 4
                    assert number > 0
                else:
                    assert file.name.startswith("in-use")
            # The next that parks removes the folder: there is never more than one.
            directory = ParkDirectory()
            directory.choose(str(folder))
            own = directory.place().parent
            left_over = [one for one in folder.iterdir() if one != own]
            assert left_over in ([], [left] if not (left / "in-use").exists() else [])
            for one in (own, *left_over):
                for file in one.iterdir():
                    file.unlink()
                one.rmdir()
    assert whole > 20
    assert parts > 3


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Give a disk of 2 MB that is mounted at a folder, a tmpfs or a file."""
    place = folder / "disk"
    place.mkdir()
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    image = folder / "image"
    attempts = [["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]]
    said = ""
    for attempt in attempts:
        done = subprocess.run(attempt, capture_output=True, text=True, check=False)  # noqa: S603 - a fixed command
        if done.returncode == 0:
            break
        said = done.stderr.strip()
    else:
        image.write_bytes(b"\0" * 2_000_000)
        commands = (["mkfs.ext2", "-q", "-F", str(image)], ["mount", "-o", "loop", str(image), str(place)])
        for command in commands:
            try:
                done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed
            except FileNotFoundError:
                pytest.skip(f"no small disk can be mounted here: {said}; no {command[0]}")
            if done.returncode != 0:
                pytest.skip(f"no small disk can be mounted here: {said}; {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S603, S607 - a fixed command


def test_a_full_disk_leaves_the_former_file_and_nothing_beside_it(tmp_path: Path) -> None:
    with small_disk(tmp_path) as disk:
        spill = Spill(disk / "net")
        spill.write([("w", np.arange(100_000, dtype=np.float64))])
        before = sorted(one.name for one in disk.iterdir())
        with pytest.raises(ParkError, match=r"cannot be written to .No space left on device") as caught:
            spill.write([("w", np.zeros(200_000))])
        assert len(str(caught.value).splitlines()) == 1
        assert sorted(one.name for one in disk.iterdir()) == before
        assert dict(spill.read())["w"].tolist() == list(range(100_000))
        # Full to the last byte, also where only the end of the file does not fit.
        fill = (disk / "fill").open("wb", buffering=0)
        try:
            while True:
                fill.write(b"\0" * 4096)
        except OSError:
            fill.close()
        with pytest.raises(ParkError, match="No space left"):
            Spill(disk / "other").write([("w", np.zeros(1))])
        assert sorted(one.name for one in disk.iterdir()) == sorted([*before, "fill"])


def test_parking_on_a_full_disk_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    from trained_cells import trained_linear

    from tfmagic import models
    from tfmagic.runtime.state.spill_directory import park_directory

    with small_disk(tmp_path) as disk:
        park_directory().choose(str(disk))
        try:
            (disk / "fill").write_bytes(b"\0" * 1_900_000)
            before = trained_linear()
            model = models["net"]
            model.save(tmp_path / "saved")
            with (disk / "more").open("wb", buffering=0) as file:
                while True:
                    try:
                        file.write(b"\0" * 4096)
                    except OSError:
                        break
            with pytest.raises(ParkError, match="No space left"):
                model.park()
            assert model.state == "ready"
            assert np.array_equal(model(np.array([[1, 2], [3, 4]], np.float32)), before)
            (disk / "fill").unlink()
            assert model.park()["written_bytes"] > 0
            assert np.array_equal(model(np.array([[1, 2], [3, 4]], np.float32)), before)
        finally:
            models.drop(all=True)
            park_directory().choose("")
