"""What tells whether a model's files have changed, also where size and time are the same."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, save_linear_v1, write_frozen
from tf1_checkpoints import build, saved

from tfmagic import models, session
from tfmagic.core import paths
from tfmagic.core.paths import stamp
from tfmagic.errors import ParkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")

v1 = tf.compat.v1
X = np.array([[1, 2], [3, -4], [-5, 6], [-7, -8]], np.float32)


def keras_file(path: Path, factor: float) -> Path:
    network = keras.Sequential([keras.Input((2,), name="x"), keras.layers.Dense(1, name="y")], name="net")
    network.set_weights([np.full((2, 1), factor, np.float32), np.zeros(1, np.float32)])
    network.save(path)
    return path


def wide(path: Path, factor: float) -> Path:
    """Write a graph whose constants are large enough to stay in the file until they are asked for."""

    def build() -> None:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        tf.reduce_sum(x @ tf.constant(np.full((2, 800_000), factor, np.float32)), axis=1, name="y")

    return write_frozen(path, build)


def text(path: Path, factor: float) -> Path:
    binary = frozen_linear(path.with_suffix(".pb"), factor)
    path.write_text(str(v1.GraphDef.FromString(binary.read_bytes())))
    return path


def versions(path: Path, factor: float) -> Path:
    save_linear_v1(path / "3", factor, 1.0)
    return path


def checkpoint(path: Path, factor: float) -> Path:
    return saved(path / "net", partial(build, optimizer="Adam"), steps=int(factor))


MADE: dict[str, tuple[str, Callable[[Path, float], Path]]] = {
    "keras": ("net.keras", keras_file),
    "h5": ("net.h5", keras_file),
    "frozen": ("net.pb", frozen_linear),
    "thawed": ("net.pb", wide),
    "text": ("net.pbtxt", text),
    "folder": ("saved", save_linear_v1),
    "versions": ("numbered", versions),
    "checkpoint": ("ckpt", checkpoint),
}
ENDS: dict[str, Any] = {"inputs": "x", "outputs": "y"}


def in_place_of(there: Path, other: Path) -> None:
    """Put files in the place of others, with the times of those: nothing but what is in them tells them apart."""
    pairs = [(there, other)] if there.is_file() else [(one, other / one.relative_to(there)) for one in there.rglob("*")]
    for old, new in pairs:
        # The list of checkpoints has the folder's own path in it.
        if not old.is_file() or old.name == "checkpoint":
            continue
        status, content = old.stat(), new.read_bytes()
        old.write_bytes(content)
        assert len(content) == status.st_size
        os.utime(old, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Callable[[], None]]:
    """A model's source, and what puts other weights in its place."""
    name, make = MADE[request.param]
    path = make(tmp_path / name, 2.0)
    (tmp_path / "other").mkdir()
    other = make(tmp_path / "other" / name, 7.0)
    there, beside = (path.parent, other.parent) if request.param == "checkpoint" else (path, other)
    return path, lambda: in_place_of(there, beside)


@pytest.mark.slow
def test_other_weights_of_the_same_size_and_time_never_come_in_silence(made: tuple[Path, Callable[[], None]]) -> None:
    path, replace = made
    model = models.add("net", path, **ENDS)
    before = model(X)
    # What was written when it was parked is what it wakes with.
    whole = model.park()["written_bytes"] > 0
    replace()
    if whole:
        np.testing.assert_array_equal(model(X), before)
        assert "its source is changed" in model.notes[-1]
    else:
        for wake in (lambda: model(X), model.wake):
            with pytest.raises(ParkError, match="net cannot wake: its source is changed since it was parked"):
                wake()
    assert models.add("net", path, **ENDS) is not model
    assert not np.array_equal(models.net(X), before)


@pytest.mark.slow
def test_other_weights_do_not_come_with_a_session_that_is_opened_again(made: tuple[Path, Callable[[], None]]) -> None:
    path, replace = made
    model = models.add("net", path, **ENDS)
    before = model(X)
    replace()
    np.testing.assert_array_equal(model(X), before)
    session.close()
    for _ in range(2):
        with pytest.raises(SourceError, match=r"^net: .* has changed since it was loaded: add it again$"):
            model(X)
    models.add("net", path, **ENDS)
    assert not np.array_equal(models.net(X), before)


def test_a_model_that_was_added_lazily_is_what_its_file_was_when_it_was_first_read(tmp_path: Path) -> None:
    path = frozen_linear(tmp_path / "net.pb", 2.0)
    model = models.add("net", path, lazy=True)
    frozen_linear(path, 7.0)
    np.testing.assert_array_equal(model(X), 7 * X + 1)
    session.close()
    np.testing.assert_array_equal(model(X), 7 * X + 1)
    assert model.park()["written_bytes"] == 0
    np.testing.assert_array_equal(model(X), 7 * X + 1)
    assert models.add("net", path, lazy=True) is model


def test_a_copy_of_the_same_content_and_time_is_unchanged(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.keras", 2.0)
    first = stamp(path)
    shutil.copy2(path, tmp_path / "copy.keras")
    (tmp_path / "copy.keras").replace(path)
    assert stamp(path) == first
    path.chmod(0o600)
    assert stamp(path) == first


def test_a_file_too_large_to_be_read_for_it_is_told_by_its_change_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "_READ_BYTES", 10)
    path = tmp_path / "net.h5"
    path.write_bytes(b"a" * 100)
    first, status = stamp(path), path.stat()
    assert stamp(path) == first
    path.write_bytes(b"b" * 100)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert stamp(path) != first


@pytest.mark.parametrize("content", [b"no archive at all", b""])
def test_a_damaged_keras_file_is_told_by_what_is_in_it(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    (first,) = stamp(path)
    os.utime(path, ns=(0, 0))
    (touched,) = stamp(path)
    assert touched != first
    assert not first.has_other_content()
    path.write_bytes(b"c" + content)
    assert first.has_other_content()


def test_a_newer_version_beside_it_is_no_change_of_what_was_read(tmp_path: Path) -> None:
    model = models.add("net", versions(tmp_path / "numbered", 2.0))
    save_linear_v1(tmp_path / "numbered" / "4", 7.0, 1.0)
    session.close()
    np.testing.assert_array_equal(model(X), 2 * X + 1)


def test_a_file_that_was_written_again_with_the_same_content_can_be_read_again(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.keras", 2.0)
    model = models.add("net", path)
    before, whole = model(X), path.read_bytes()
    path.unlink()
    path.write_bytes(whole)
    session.close()
    np.testing.assert_array_equal(model(X), before)
