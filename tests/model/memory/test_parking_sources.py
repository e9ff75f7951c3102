"""The source of a parked model, and what is written where that would not be enough."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import add_cell, run_cell, save_linear_v1
from parked_models import FILES, frozen_wide
from trained_cells import LINEAR, NAMES, X, linear

from tfmagic import models
from tfmagic.errors import ParkError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("parks_here")
WORDS = np.array(["a", "b", "z"], object)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["v1", "v2", "frozen", "thawed", "kept frozen", "keras", "checkpoint"])
def test_a_source_that_is_gone_is_one_line_and_putting_it_back_helps(kind: str, tmp_path: Path) -> None:
    path, options = FILES[kind](tmp_path)
    whole = path.parent if kind == "checkpoint" else path
    model = models.add("net", path, **options)
    before = model(X)
    model.park()
    whole.rename(tmp_path / "away")
    for _ in range(2):
        with pytest.raises(ParkError, match="net cannot wake: its source is gone since it was parked") as caught:
            model(X)
        assert len(str(caught.value).splitlines()) == 1
        assert model.state == "parked"
    (tmp_path / "away").rename(whole)
    assert np.array_equal(model(X), before)


@pytest.mark.parametrize("options", [{}, {"frozen": True}])
def test_a_source_that_has_changed_never_gives_other_weights(tmp_path: Path, options: dict[str, Any]) -> None:
    path = frozen_wide(tmp_path / "net.pb")
    model = models.add("net", path, **options)
    before = model(X)
    model.park()
    path.rename(tmp_path / "away")
    frozen_wide(path, 2.0)
    with pytest.raises(ParkError, match="its source is changed since it was parked"):
        model(X)
    with pytest.raises(ParkError, match="its source is changed since it was parked"):
        model.wake()
    (tmp_path / "away").rename(path)
    assert np.array_equal(model(X), before)


def test_a_model_that_was_written_needs_no_source_and_says_so(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "saved", 2.0, 0.0)
    model = models.add("net", tmp_path / "saved")
    run_cell(model, "session.run(tf.compat.v1.global_variables()[0].assign(7.5))", NAMES)
    before = model(X)
    model.park()
    shutil.rmtree(tmp_path / "saved")
    assert np.array_equal(model(X), before)
    assert model.notes[-1] == "net: its source is gone since it was parked; it wakes with the weights that were parked"
    model.park()
    model(X)
    assert len(model.notes) == len(set(model.notes))


def test_a_source_that_is_gone_before_it_is_parked_is_written(tmp_path: Path) -> None:
    model = models.add("net", save_linear_v1(tmp_path / "saved", 2.0, 0.0))
    before = model(X)
    shutil.rmtree(tmp_path / "saved")
    assert model.park()["written_bytes"] > 0
    assert np.array_equal(model(X), before)


class Worded(tf.Module):
    """A table from a file, which becomes an asset, and a variable."""

    def __init__(self, words: Path) -> None:
        super().__init__()
        index = tf.lookup.TextFileIndex
        filled = tf.lookup.TextFileInitializer(str(words), tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
        self.table = tf.lookup.StaticHashTable(filled, -1)
        self.w = tf.Variable(2, dtype=tf.int64)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.table.lookup(x) * self.w}


def test_a_table_from_an_asset_comes_back_with_its_source_gone(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    module = Worded(tmp_path / "words.txt")
    tf.saved_model.save(module, str(tmp_path / "worded"), signatures=module.__call__)
    model = models.add("net", tmp_path / "worded")
    assert model(WORDS).tolist() == [0, 2, -2]
    assert model.park()["written_bytes"] == 0
    backend = model.lifecycle.built_backend()
    backend.assign([(name, value * 5) for name, value in backend.values() if value.dtype == np.int64])
    assert model(WORDS).tolist() == [0, 10, -10]
    assert model.park()["written_bytes"] > 0
    shutil.rmtree(tmp_path / "worded")
    (tmp_path / "words.txt").unlink()
    for _ in range(2):
        assert model(WORDS).tolist() == [0, 10, -10]
        model.park()


TABLES = """
    index = tf.lookup.TextFileIndex
    x = tf.compat.v1.placeholder(tf.string, [None], "x")
    filled = tf.lookup.TextFileInitializer(path, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
    static = tf.lookup.StaticHashTable(filled, -1)
    own = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, -7)
    dense = tf.lookup.experimental.DenseHashTable(tf.int64, tf.int64, -9, empty_key=-1, deleted_key=-2)
    w = tf.compat.v1.get_variable("w", initializer=tf.constant(3, tf.int64))
    y = tf.stack([static.lookup(x) * w, own.lookup(x), dense.lookup(static.lookup(x) + 10)], name="y")
"""


def test_tables_of_every_kind_come_back_with_their_file_gone(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    model = add_cell("net", TABLES, {**NAMES, "path": str(words)}, inputs="x", outputs="y").model
    run_cell(
        model,
        "session.run([own.insert(['a'], tf.constant([4], tf.int64)), "
        "dense.insert(tf.constant([10], tf.int64), tf.constant([5], tf.int64))])",
        NAMES,
    )
    before = model(WORDS).tolist()
    assert before == [[0, 3, -3], [4, -7, -7], [5, -9, -9]]
    words.unlink()
    for _ in range(2):
        model.park()
        assert model(WORDS).tolist() == before


def test_what_begins_empty_is_said() -> None:
    model = linear(LINEAR + "\n    queue = tf.queue.FIFOQueue(3, [tf.float32])").model
    assert model.park()["notes"] == ["begins empty when it wakes: its queue"]


def test_names_that_go_with_a_graph_of_constants_are_said(tmp_path: Path) -> None:
    model = models.add("net", frozen_wide(tmp_path / "wide.pb"), frozen=True)
    run_cell(model, "mine = 5")
    assert model.park()["notes"] == ["names of its room that are gone when it wakes: mine"]
