"""Tables that nothing but the graph itself, or a collection, says how to fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tensorflow as tf
from factories import refused

from tfmagic import models

if TYPE_CHECKING:
    from pathlib import Path

v1 = tf.compat.v1
WORDS = ["a", "c", "zz"]


def looked_up(initialiser: Any) -> tuple[Any, Any]:
    x = v1.placeholder(tf.string, [None], "x")
    table = tf.lookup.StaticHashTable(initialiser, -1)
    return x, tf.identity(table.lookup(x), "y")


def known_words() -> Any:
    return tf.lookup.KeyValueTensorInitializer(["a", "b", "c"], tf.constant([0, 1, 2], tf.int64))


def words_in(file: Path) -> Any:
    file.write_text("a\nb\nc\n")
    return tf.lookup.TextFileInitializer(str(file), tf.string, -2, tf.int64, -1)


def hub_like(folder: Path, tags: list[str], key: str, *, local: bool = False) -> Path:
    with tf.Graph().as_default(), v1.Session() as native:
        x, y = looked_up(words_in(folder.with_suffix(".txt")))
        if local:
            collections = [v1.GraphKeys.LOCAL_VARIABLES]
            y += v1.get_variable("more", initializer=tf.constant(10, tf.int64), collections=collections)
        w = v1.get_variable("w", initializer=tf.constant(1, tf.int64))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y * w})
        native.run(v1.global_variables_initializer())
        assets = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(native, tags, {key: signature}, assets_collection=assets)
        if not tags:
            builder.add_meta_graph(["train"], {key: signature})
        builder.save()
    return folder


@pytest.mark.parametrize(("tags", "key"), [(["serve"], "serving_default"), ([], "default")])
def test_by_the_collection_alone(tmp_path: Path, tags: list[str], key: str) -> None:
    folder = hub_like(tmp_path / "net", tags, key)
    plain = tf.saved_model.load(str(folder), tags=tags).signatures[key]
    expected = plain(x=tf.constant(WORDS))["y"].numpy()
    model = models.add("net", folder)
    np.testing.assert_array_equal(model(WORDS), expected)
    np.testing.assert_array_equal(model(WORDS), [0, 2, -1])
    model.park()
    np.testing.assert_array_equal(model(WORDS), expected)
    model.save(tmp_path / "again")
    np.testing.assert_array_equal(models.add("again", tmp_path / "again")(WORDS), expected)


def test_a_graph_without_tags_is_chosen_by_what_is_offered(tmp_path: Path) -> None:
    folder = hub_like(tmp_path / "net", [], "default")
    refused(folder, r'has no tag set \'serve\' \(there are: "\(no tags\)", train\)', tags="serve")
    assert models.add("net", folder, tags="(no tags)")(WORDS).tolist() == [0, 2, -1]


def test_a_variable_that_is_not_saved_begins_with_its_value(tmp_path: Path) -> None:
    folder = hub_like(tmp_path / "net", ["serve"], "serving_default", local=True)
    plain = tf.saved_model.load(str(folder)).signatures["serving_default"]
    np.testing.assert_array_equal(models.add("net", folder)(WORDS), plain(x=tf.constant(WORDS))["y"].numpy())


@pytest.mark.parametrize("kind", ["constants", "iterator"])
def test_a_frozen_graph_that_carries_what_fills_it(tmp_path: Path, kind: str) -> None:
    with tf.Graph().as_default() as graph:
        if kind == "constants":
            looked_up(known_words())
        else:
            iterator = v1.data.make_initializable_iterator(tf.data.Dataset.range(3).batch(3))
            tf.identity(iterator.get_next(), "y")
    (tmp_path / "net.pb").write_bytes(graph.as_graph_def().SerializeToString())
    model = models.add("net", tmp_path / "net.pb")
    for _ in range(2):
        answer = model(WORDS) if kind == "constants" else model()
        assert answer.tolist() == ([0, 2, -1] if kind == "constants" else [0, 1, 2])
        model.park()


def test_a_frozen_graph_whose_table_comes_from_another_file(tmp_path: Path) -> None:
    with tf.Graph().as_default() as graph:
        looked_up(words_in(tmp_path / "words.txt"))
        tf.strings.length(graph.get_tensor_by_name("x:0"), name="z")
    refused(graph.as_graph_def(), "reads files other than the model's own assets", outputs="y")
    assert models.add("net", graph.as_graph_def(), outputs="y", unsafe=True)(WORDS).tolist() == [0, 2, -1]
    assert models.add("net", graph.as_graph_def(), outputs="z")(WORDS).tolist() == [1, 1, 2]
