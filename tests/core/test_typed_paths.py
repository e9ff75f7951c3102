"""Paths of models as people type them: with ``..``, with ``~``, and from a folder that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import frozen_linear, refused, save_linear_v1, save_v2
from tf1_checkpoints import X, by_plain_tensorflow, saved

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path


def with_a_vocabulary(folder: Path) -> Path:
    words = folder.parent / "words.txt"
    words.write_text("a\nb\n")
    kinds = tf.lookup.TextFileIndex
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(str(words), tf.string, kinds.WHOLE_LINE, tf.int64, kinds.LINE_NUMBER), -1
    )

    def look(given: Any) -> Any:
        return {"id": table.lookup(given)}

    save_v2(folder, look, tf.TensorSpec([None], tf.string, name="words"), table=table)
    words.unlink()
    return folder


@pytest.fixture
def notebooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, beside which models are."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("notebooks")
def test_a_savedmodel_with_an_asset_loads_from_a_path_with_dots(tmp_path: Path) -> None:
    with_a_vocabulary(tmp_path / "net")
    for number, path in enumerate(("../net", "../net/../net/saved_model.pb", tmp_path / "notebooks" / ".." / "net")):
        assert models.add(f"net{number}", path)(["b", "zz"]).tolist() == [1, -1]
    assert models.inspect("../net")["path"] == str(tmp_path / "net")


def test_it_wakes_after_a_change_of_directory(notebooks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_vocabulary(notebooks.parent / "net")
    model = models.add("net", "../net")
    model.park()
    monkeypatch.chdir("/")
    assert model(["b", "zz"]).tolist() == [1, -1]


def test_a_path_from_home_may_have_dots(notebooks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(notebooks))
    with_a_vocabulary(notebooks.parent / "net")
    assert models.add("net", "~/../net")(["b"]).tolist() == [1]


@pytest.mark.usefixtures("notebooks")
def test_checkpoints_and_frozen_graphs_load_from_a_path_with_dots(tmp_path: Path) -> None:
    prefix = saved(tmp_path / "checkpoints" / "net")
    expected, _ = by_plain_tensorflow(prefix)
    for number, path in enumerate(("../checkpoints", "../checkpoints/net", "../checkpoints/net.meta")):
        model = models.add(f"net{number}", path, inputs="x", outputs="y")
        np.testing.assert_array_equal(model(X), expected)
    assert models.inspect("../checkpoints/net")["kind"] == "checkpoint"
    frozen_linear(tmp_path / "net.pb")
    np.testing.assert_array_equal(models.add("frozen", "../net.pb")(X), 2 * X + 1)


def test_dots_behind_a_link_go_up_from_where_it_leads(notebooks: Path) -> None:
    # TensorFlow takes "link/.." out of a path, so that weights would come from another folder than the graph.
    there = notebooks.parent / "there"
    (there / "deep").mkdir(parents=True)
    (notebooks / "link").symlink_to(there / "deep")
    save_linear_v1(there / "net", 2.0)
    save_linear_v1(notebooks / "net", 5.0)
    np.testing.assert_array_equal(models.add("net", "link/../net")(X), 2 * X + 1)


@pytest.mark.usefixtures("notebooks")
def test_dots_behind_nothing_name_nothing(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "net")
    refused("nowhere/../../net", "there is nothing at .*nowhere", FileNotFoundError)
