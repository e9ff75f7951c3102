"""A look at a file without loading it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import tensorflow as tf
from factories import frozen_linear, save_linear_v1

from tfmagic import models, session
from tfmagic.errors import MissingPathError, SourceError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_saved_model_is_described_and_not_loaded(tmp_path: Path) -> None:
    save_linear_v1(tmp_path / "net" / "3")
    save_linear_v1(tmp_path / "net" / "12")
    record = models.inspect(tmp_path / "net")
    assert record["path"] == str(tmp_path / "net" / "12")
    assert (record["kind"], record["tags"]) == ("SavedModel", [["serve"]])
    assert record["notes"] == ["version 12, the highest of 2"]
    assert (record["variables"], record["weights_bytes"], record["fits"]) == (2, 8, True)
    (signature,) = record["signatures"]
    assert signature["name"] == "serving_default"
    assert [(end["name"], end["dtype"], end["shape"]) for end in signature["inputs"]] == [("x", "float32", [None, 2])]
    assert record["disk_bytes"] == sum(
        file.stat().st_size for file in (tmp_path / "net/12").rglob("*") if file.is_file()
    )
    assert len(models) == 0
    assert session.open_graphs() == []


def test_a_v2_models_variables_are_counted_without_its_object_graph(tmp_path: Path) -> None:
    module = tf.Module()
    module.weights = [tf.Variable(tf.zeros([10, 3])), tf.Variable(tf.zeros([7], tf.float64))]
    function = tf.function(lambda x: x + module.weights[0]).get_concrete_function(tf.TensorSpec([10, 3], tf.float32))
    tf.saved_model.save(module, str(tmp_path / "net"), signatures=function)
    record = models.inspect(str(tmp_path / "net"))
    assert (record["variables"], record["weights_bytes"]) == (2, 10 * 3 * 4 + 7 * 8)


def test_a_frozen_graph_is_described(tmp_path: Path) -> None:
    file = frozen_linear(tmp_path / "net.pb")
    record = models.inspect(file)
    assert (record["kind"], record["signatures"], record["variables"]) == ("frozen graph", [], 0)
    assert record["disk_bytes"] == file.stat().st_size
    assert "placeholders: x" in record["notes"]
    assert record["fits"]


def test_what_cannot_be_inspected(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="there is nothing at"):
        models.inspect(tmp_path / "net")
    with pytest.raises(SourceError, match="is no SavedModel"):
        models.inspect(tmp_path)
    with pytest.raises(SourceError, match="is no path"):
        models.inspect(tf.Module())
    folder = save_linear_v1(tmp_path / "net")
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"variables\.index cannot be read, it may be damaged"):
        models.inspect(folder)
    (folder / "saved_model.pb").write_bytes(b"damaged")
    with pytest.raises(SourceError, match="may be damaged"):
        models.inspect(folder)
